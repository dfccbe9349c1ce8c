"""Spectrum → hashes of parts of a picture, by which copies are found that one hash of the whole misses.

All are the signs of low DCT frequencies (as in Zauner, 2010), of the whole and of parts:

- the *signs* of the whole, laid out by parity, in which mirroring complements words and transposing moves bits;
- four *strips*, each a third of the picture along an edge: a rectangle that touches all four is wider and higher than a
  third, so a mark on less than a ninth of the picture leaves one of them as it was;
- the *low* frequencies of the whole, and of six *crops* of it: what they match is a crop of this picture;
- the low frequencies of what a plain border encloses, where there is one.

The parts' frequencies are linear maps of the whole's, so a picture is transformed once.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from indexer.recipe import DEAD_ZONE, FREQUENCIES, SPECTRUM

Floats = NDArray[np.float32]
Words = NDArray[np.uint64]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as shares of the picture's width and height."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
THIRD = 1 / 3
STRIPS: tuple[Box, ...] = ((0, 0, 1, THIRD), (0, 1 - THIRD, 1, 1), (0, 0, THIRD, 1), (1 - THIRD, 0, 1, 1))
CROPS: tuple[Box, ...] = (
    (0.02, 0.02, 0.98, 0.98),
    (0.05, 0.05, 0.95, 0.95),
    (0.05, 0, 1, 1),
    (0, 0, 0.95, 1),
    (0, 0.05, 1, 1),
    (0, 0, 1, 0.95),
)
"""Crops of 4 % and 10 % about the centre and of 5 % on one side. Within 11 bits of a crop's 128 lies what is cropped like
it to about 1.2 % of a side."""
SIGN_WORDS = slice(0, 4)
STRIP_WORDS = tuple(range(4, 8))
LOW_WORDS = slice(8, 10)
CROP_WORDS = tuple(slice(10 + 2 * crop, 12 + 2 * crop) for crop in range(len(CROPS)))
INNER_WORDS = slice(22, 24)
WORDS = 24
"""64-bit words, little-endian; a strip or an inner picture that has nothing to say is all zeros."""

STRIP_SIDE = 8
STRIP_DETAIL = 6.0
"""Grey levels of contrast that a strip must have to be compared; 95 % of the strips of photos have 14."""
BORDER_LEVELS = 16.0
"""Grey levels by which the pixels of a plain border may differ: the noise of a JPEG of low quality."""
LEAST_SIDE = 8
"""Pixels; smaller pictures have no border to speak of."""
LEAST_INNER = 0.4
"""What a border encloses must be this share of each side, or it is no border."""


def views_of(spectrum: Floats, inner: Floats | None) -> bytes:
    """The hashes of a picture's parts.

    Args:
        spectrum: Shape (24, 24), the lowest frequencies of the whole in an orthonormal DCT-II, vertical first, divided by
            the transform's length so that their root mean square is in grey levels.
        inner: The same of what a plain border encloses; None without one.
    """
    parts = _PARTS @ spectrum @ _PARTS.T
    both: Floats = np.concatenate((parts.ravel(), spectrum.ravel()), dtype=np.float32)
    terms = both.take(_TERMS)
    terms[_MEANS] = 0
    energies = np.add.reduceat(terms * terms, _STARTS)
    limits = np.sqrt(energies * _PER_ENERGY)
    limits[_STRIPS][energies[_STRIPS] < STRIP_DETAIL**2] = np.inf
    bits = np.empty(64 * WORDS, dtype=np.bool_)
    np.greater(terms, limits.repeat(_LENGTHS), out=bits[: len(terms)])
    bits[len(terms) :] = False if inner is None else heard(inner.take(_INNER_INDEX))
    return np.packbits(bits, bitorder="little").tobytes()


def unpacked(views: bytes) -> Words:
    """Views, joined, as an array of shape (pictures, 24)."""
    return np.frombuffer(views, dtype="<u8").reshape(-1, WORDS)


def heard(values: Floats) -> NDArray[np.bool_]:
    """True where a frequency of one picture is positive and loud enough to be more than rounding."""
    return np.asarray(values > DEAD_ZONE * math.sqrt(values.dot(values) / values.size))


def inner_box(levels: Floats) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what a plain border encloses, in pixels; None without such a border.

    Args:
        levels: Shape (rows, columns), grey levels.
    """
    rows, columns = levels.shape
    if min(rows, columns) < LEAST_SIDE or not _may_have_border(levels):
        return None
    edges = (levels[0], levels[-1], levels[:, 0], levels[:, -1])
    if not any(edge.max() - edge.min() <= BORDER_LEVELS for edge in edges):
        return None
    top, bottom = _plain_lines(levels, edges[0], edges[1])
    within = levels[top : rows - bottom]
    if within.shape[0] < LEAST_INNER * rows:
        return None
    left, right = _plain_lines(within.T, edges[2], edges[3])
    if columns - left - right < LEAST_INNER * columns:
        return None
    return left, top, columns - right, rows - bottom


def _may_have_border(levels: Floats) -> bool:
    """False when three places on (or, of an even length, beside) each edge rule a plain one out, as on most photos."""
    rows, columns = levels.shape
    (a, b, c), (d, _, e), (f, g, h) = levels[:: (rows - 1) // 2, :: (columns - 1) // 2][:3, :3].tolist()
    edges = ((a, b, c), (f, g, h), (a, d, f), (c, e, h))
    return any(max(edge) - min(edge) <= BORDER_LEVELS for edge in edges)


def _plain_lines(lines: Floats, first: Floats, last: Floats) -> tuple[int, int]:
    """How many lines at the start, and at the end, have the one level of the first, or of the last, all over."""
    found = []
    for ordered, edge in ((lines, first), (lines[::-1], last)):
        level = np.median(edge)
        plain = (np.abs(ordered - level) <= BORDER_LEVELS).all(axis=1)
        count = len(plain) if plain.all() else int(plain.argmin())
        found.append(count + 1 if 0 < count < len(plain) else count)  # the next line is mixed with the border
    return found[0], found[1]


def _of_part(start: float, end: float, frequencies: int) -> NDArray[np.float64]:
    """Shape (frequencies, 24): from the DCT of a line to that of the part of it between two places (shares of it)."""
    samples = 8 * SPECTRUM
    places = (np.arange(samples) + 0.5) / samples
    line = np.cos(np.pi * np.arange(SPECTRUM)[:, None] * (start + places * (end - start))[None, :])
    part = np.cos(np.pi * np.arange(frequencies)[:, None] * places[None, :]) * (2 / samples)
    part[0] /= np.sqrt(2)
    line[0] /= np.sqrt(2)
    return np.asarray(part @ line.T)


_SPANS = ((0.0, 1.0), (0.02, 0.98), (0.05, 0.95), (0.05, 1.0), (0.0, 0.95))
_THIRDS = ((0.0, THIRD), (1 - THIRD, 1.0))
_PARTS: Floats = np.vstack(
    [
        *(_of_part(*span, FREQUENCIES) for span in _SPANS),
        *(_of_part(*span, STRIP_SIDE) for span in _THIRDS),
    ]
).astype(np.float32)
_ROW_OF = {
    **{span: FREQUENCIES * index for index, span in enumerate(_SPANS)},
    **{span: FREQUENCIES * len(_SPANS) + STRIP_SIDE * index for index, span in enumerate(_THIRDS)},
}


def _lowest(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Vertical and horizontal frequencies of the lowest terms without the mean, by their distance from it."""
    vertical, horizontal = np.divmod(np.arange(FREQUENCIES**2), FREQUENCIES)
    order = np.argsort(vertical**2 + horizontal**2, kind="stable")[1 : count + 1]
    return vertical[order], horizontal[order]


def _block(box: Box, vertical: NDArray[np.intp], horizontal: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where the terms of a part stand in the flattened product of all parts."""
    left, top, right, bottom = box
    return np.asarray((_ROW_OF[top, bottom] + vertical) * len(_PARTS) + _ROW_OF[left, right] + horizontal)


_LOW_INDEX = np.stack([_block(box, *_lowest(128)) for box in (WHOLE, *CROPS)])
_INNER_INDEX = _lowest(128)[0] * SPECTRUM + _lowest(128)[1]
_STRIP_INDEX = np.stack([_block(box, *np.divmod(np.arange(STRIP_SIDE**2), STRIP_SIDE)) for box in STRIPS])
_HALVES = np.divmod(np.arange(64), 8)
_PARITY_INDEX = np.stack(
    [(2 * _HALVES[0] + odd_v) * SPECTRUM + 2 * _HALVES[1] + odd_u for odd_v in (0, 1) for odd_u in (0, 1)]
)
_TERMS = np.concatenate((_PARITY_INDEX.ravel() + len(_PARTS) ** 2, _STRIP_INDEX.ravel(), _LOW_INDEX.ravel()))
"""Where the terms of all hashes stand in the parts' terms followed by the whole's, hash by hash."""
_MEANS = 256 + 64 * np.arange(len(STRIPS))
"""The means of the strips, which say nothing; the others' are 0 or left out."""
_LENGTHS = np.array([256, *[64] * len(STRIPS), *[128] * (1 + len(CROPS))])
_STARTS = np.cumsum(_LENGTHS) - _LENGTHS
_PER_ENERGY = np.where(_STARTS == 0, 0, DEAD_ZONE**2 / _LENGTHS).astype(np.float32)
"""The square of the dead zone for each unit of energy; none for the signs."""
_STRIPS = slice(1, 1 + len(STRIPS))
