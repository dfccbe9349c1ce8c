"""Pixels → hashes and thumbnail: what imgindex remembers of a picture.

All hashes are linear maps of the grey picture followed by a comparison, so each is two small matrix products: resampling
and cosine transform are multiplied together once for every length and kept.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray
from simplejpeg import encode_jpeg

from indexer.recipe import FREQUENCIES, HASH_SIDE, SPECTRUM, THIN_SIDE, THUMBNAIL_QUALITY, THUMBNAIL_SIDE
from indexer.records import Fingerprint
from indexer.views import heard, inner_box, views_of

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

NOISE = 1.0
"""DCT sums below this are rounding errors of 32-bit floats: 64 × 64 pixels of up to 255 err by less than 0.5."""

_LUMA: Floats = np.array([19595, 38470, 7471], dtype=np.float32) / np.float32(65536)


def reduction(width: int, height: int) -> tuple[int, int]:
    """The whole numbers by which to shrink a picture to thumbnail size, horizontally and vertically.

    They are equal but for long strips, which would vanish: those keep `THIN_SIDE` pixels where they have them.

    >>> reduction(500, 375), reduction(10_000, 100), reduction(64, 48)
    ((3, 3), (53, 3), (1, 1))
    """
    factor = -(-max(width, height) // THUMBNAIL_SIDE)
    return min(factor, max(1, width // THIN_SIDE)), min(factor, max(1, height // THIN_SIDE))


def fingerprint(
    picture: Pixels,
    *,
    width: int,
    height: int,
    format: str,  # noqa: A002
    mode: str,
    unseen: bytes = b"",
) -> Fingerprint:
    """The fingerprint of a picture that was already shrunk to thumbnail size.

    Args:
        picture: Shape (rows, columns) for grey or (rows, columns, 3) for sRGB, 8 bits a sample, upright, no side longer
            than `THUMBNAIL_SIDE` but for long strips.
        width: Of the picture as stored, upright, in pixels.
        height: Likewise.
        format: As Pillow names it.
        mode: As Pillow names it.
        unseen: What tells pictures of equal pixels apart all the same: their transparency, their further frames.
    """
    levels = grey_levels(picture)
    across = levels @ _horizontal(picture.shape[1])
    spectrum = _spectrum(across[:, 9:])
    low = spectrum[:FREQUENCIES, :FREQUENCIES].ravel()[1:]
    inner = inner_box(levels)
    thumbnail = thumbnail_jpeg(picture)
    return Fingerprint(
        dhash=_difference_hash(across[:, :9]),
        phash=_cosine_hash(low),
        width=width,
        height=height,
        format=format,
        mode=mode,
        detail=round(math.sqrt(low.dot(low)), 3),  # what follows depends on the number of BLAS threads
        thumbnail=thumbnail,
        views=views_of(spectrum, None if inner is None else _spectrum_of(levels, inner)),
        look=_look(picture, thumbnail, (width, height), unseen),
    )


def _look(picture: Pixels, thumbnail: bytes, size: tuple[int, int], unseen: bytes) -> bytes:
    """16 bytes that are equal for pictures of equal pixels and size, and for no others that one meets.

    The checksum of the pixels does not withstand forgery, but a forged pair would have to have equal thumbnails as well.
    """
    checksum = zlib.crc32(np.ascontiguousarray(picture).data)
    return hashlib.sha256(b"%d %d %d " % (*size, checksum) + unseen + thumbnail).digest()[:16]


def grey_levels(picture: Pixels) -> Floats:
    """The luma of a picture in whole grey levels, shape (rows, columns): bit for bit what Pillow's mode L has.

    Source: ITU-R BT.601, with Pillow's weights in 65536ths; their products and sums are exact in 32-bit floats.
    """
    if picture.ndim == 2:
        return picture.astype(np.float32)
    levels: Floats = picture.reshape(-1, 3).astype(np.float32) @ _LUMA
    levels += 0.5
    np.floor(levels, out=levels)
    return levels.reshape(picture.shape[:2])


def thumbnail_jpeg(picture: Pixels) -> bytes:
    """The picture as a small JPEG."""
    if picture.ndim == 2:
        return bytes(encode_jpeg(picture[:, :, None], THUMBNAIL_QUALITY, "GRAY", "Gray"))
    return bytes(encode_jpeg(picture, THUMBNAIL_QUALITY, "RGB", "420"))


def _difference_hash(across: Floats) -> int:
    """64 bits, each 1 where a pixel of the 9×8 picture is brighter than its left neighbour.

    Args:
        across: Shape (height, 9), the grey picture resampled horizontally, not yet rounded.

    The picture is rounded to whole grey levels after each pass, as Pillow does; without it flat areas would hash noise.

    Source: Krawetz, "Kind of Like That", 2013; the definition of `imagehash.dhash`, horizontal pass first.
    """
    small = _whole_levels(lanczos(across.shape[0], 8) @ _whole_levels(across))
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def _whole_levels(samples: Floats) -> Floats:
    """Samples rounded to grey levels, 0 to 255."""
    rounded: Floats = np.floor(samples + np.float32(0.5))
    np.maximum(rounded, 0, out=rounded)
    np.minimum(rounded, 255, out=rounded)
    return rounded


def _cosine_hash(low: Floats) -> bytes:
    """256 bits, each 1 where a low frequency is positive and loud enough to be more than rounding; that of the mean is 0.

    Args:
        low: Shape (255,), the frequencies without the mean, row by row.

    Source: Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, with a dead zone about 0
    in the place of the median, so that what is symmetric has bits that do not depend on rounding.
    """
    return np.packbits(np.concatenate((_MEAN_BIT, heard(low)))).tobytes()


def _spectrum(across: Floats) -> Floats:
    """Shape (24, 24): the lowest frequencies in grey levels, that is, orthonormal and divided by the length of 64.

    Args:
        across: Shape (height, 24), the grey picture's lowest horizontal frequencies, row by row.
    """
    sums = _low_frequencies(across.shape[0]) @ across
    sums *= np.abs(sums) >= NOISE
    sums *= _in_grey_levels()
    return sums


def _spectrum_of(levels: Floats, box: tuple[int, int, int, int]) -> Floats:
    """The spectrum of a part of a grey picture."""
    left, top, right, bottom = box
    part = levels[top:bottom, left:right]
    return _spectrum(part @ _low_frequencies(part.shape[1]).T)


@cache
def lanczos(length: int, samples: int) -> Floats:
    """The matrix, shape (samples, length), that resamples a line of pixels as Pillow's LANCZOS does.

    Source: Duchon, "Lanczos Filtering in One and Two Dimensions", 1979; window of 3, widened when shrinking.
    """
    scale = length / samples
    width = max(scale, 1.0)
    centres = (np.arange(samples)[:, None] + 0.5) * scale
    pixels = np.arange(length)[None, :]
    first = np.maximum((centres - 3 * width + 0.5).astype(int), 0)
    last = np.minimum((centres + 3 * width + 0.5).astype(int), length)
    distance = (pixels + 0.5 - centres) / width
    weights = np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)
    weights[(pixels < first) | (pixels >= last)] = 0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


@cache
def _low_frequencies(length: int) -> Floats:
    """Shape (24, length): resampling to 64 pixels, then the 24 lowest terms of their DCT-II, not normalised."""
    frequencies = np.arange(SPECTRUM)[:, None]
    cosines = np.cos(np.pi * frequencies * (2 * np.arange(HASH_SIDE)[None, :] + 1) / (2 * HASH_SIDE))
    return np.asarray(cosines @ lanczos(length, HASH_SIDE), dtype=np.float32)


@cache
def _horizontal(length: int) -> Floats:
    """Shape (length, 33): what all hashes need of a row of pixels, in one product."""
    return np.ascontiguousarray(np.vstack((lanczos(length, 9), _low_frequencies(length))).T)


@cache
def _in_grey_levels() -> Floats:
    """Shape (24, 24): the factors that turn the sums of the DCT into shares of the picture's contrast; 0 for the mean."""
    factors = np.full(SPECTRUM, np.sqrt(2) / HASH_SIDE, dtype=np.float32)
    factors[0] = 1 / HASH_SIDE
    table = np.outer(factors, factors)
    table[0, 0] = 0
    return table


_MEAN_BIT = np.zeros(1, dtype=np.bool_)
