"""Two pictures → the kind of match and its evidence, or nothing: the hash proposes, this disposes.

Both pictures are brought onto one grid. What a shared change of brightness and contrast explains is taken away; what is
left is looked at patch by patch, in lightness and in colour. A patch may differ by no more than re-encoding makes patches
of this pair differ anyway, so that a small local change stands out in a pair that agrees well elsewhere.

Where the whole does not agree, the pictures are registered (moved and stretched onto each other along the axes) and what
overlaps is compared: a crop, a border, a shift.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from indexer.compare import LEAST_PATCH, Comparison, compared, grid_size, patch_means
from indexer.groups import WHOLE_PICTURES, Kind
from indexer.hints import CROP_OF_LEFT, CROP_OF_RIGHT, INNER, TURNS
from indexer.register import overlapping, resemblance
from indexer.thresholds import (
    COLOURFUL,
    GREY,
    LEAST_OVERLAP,
    LEAST_SIDE,
    MOST_GAIN,
    MOST_LOSS,
    MOST_SHIFT,
    MOST_STRETCH,
    MOSTLY_AGREES,
    NEARLY_EQUAL,
    PARTLY_AGREES,
    PLAIN_LEVELS,
    SHAPES_AGREE,
    TURNED_AGREES,
    UNTOUCHED,
    UNTOUCHED_COLOUR,
    UNTOUCHED_SHARE,
    WIDE,
    WIDESPREAD,
    Limits,
)
from indexer.views import CROPS, WHOLE, Box, inner_box

_KIND_OF_TURN = tuple(
    Kind.SAME if not turn else Kind.ROTATED if turn in {3, 5, 6} else Kind.FLIPPED for turn in range(TURNS)
)
"""Half and quarter turns; the others mirror, and may turn as well."""
_ORDER = (*WHOLE_PICTURES, Kind.RECOLOURED, Kind.EDITED)
Placement = tuple[int, tuple[Box, Box]]
"""An orientation of the left picture, and the parts of the two that may show the same."""
TRIED = 2
"""Placements of a pair that are looked at closely."""
MOST_OPACITY = 16.0
"""Levels of 255 by which the opacity of a patch may differ."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture to be compared."""

    pixels: Image.Image
    """Mode RGB, upright, on white."""
    opacity: Image.Image | None = None
    """Mode L, of the same size; None when it is opaque."""
    frames: bool = False
    """True when the file holds more pictures than this one."""
    exact: tuple[int, int] | None = None
    """Width and height of a file that keeps every pixel as it was; None for lossy formats."""

    def turned(self, turn: int) -> Shown:
        """The same in another orientation."""
        if not turn:
            return self
        exact = self.exact and (self.exact[::-1] if turn & 4 else self.exact)
        return Shown(oriented(self.pixels, turn), self.opacity and oriented(self.opacity, turn), self.frames, exact)


@dataclass(frozen=True, slots=True)
class Likeness:
    """That two pictures match, and how closely."""

    kind: Kind
    turn: int
    """The orientation of the left picture that lies on the right one."""
    structure: float
    """Largest difference of a patch in lightness, in levels."""
    colour: float
    """Largest difference of a patch in chroma, in levels of YCbCr."""
    agreement: float
    """Share of the detail whose shapes agree."""

    @property
    def measures(self) -> dict[str, Any]:
        """All of it by name."""
        return {name: getattr(self, name) for name in ("kind", "turn", "structure", "colour", "agreement")}


def verified(left: Shown, right: Shown, hints: int, limits: Limits) -> Likeness | None:
    """How two pictures match, None when they do not.

    Args:
        left: A picture.
        right: Another.
        hints: Bits that say how they may lie on each other; see `hints.py`.
        limits: `CLOSE` for pictures of some hundred pixels, `THUMBNAIL` for thumbnails.
    """
    best: Likeness | None = None
    for turn, boxes in _likeliest(left.pixels, right.pixels, hints):
        turned = left.turned(turn)
        found = _judged(turned, right, turn, boxes, limits)
        if found and (best is None or _rank(found) < _rank(best)):
            best = found
        if best and best.kind in WHOLE_PICTURES:
            break
    return best


def _likeliest(left: Image.Image, right: Image.Image, hints: int) -> list[Placement]:
    """The placements that hints name and that look most alike at a glance, the likeliest first; the whole before parts."""
    placements = list(_placements(left, right, hints))
    if len(placements) <= TRIED:
        return placements
    left, right = left.convert("L"), right.convert("L")
    scored = [
        (-round(resemblance(oriented(left, turn), right, boxes), 2), place)
        for place, (turn, boxes) in enumerate(placements)
    ]
    return [placements[place] for _score, place in sorted(scored)[:TRIED]]


def _judged(left: Shown, right: Shown, turn: int, boxes: tuple[Box, Box], limits: Limits) -> Likeness | None:
    """How two pictures match in one placement: as they are where that will do, else after registration as well."""
    plain = None
    if boxes == (WHOLE, WHOLE):
        plain = _likeness(left, right, turn, compared(left.pixels, right.pixels, boxes), 0.0, limits)
        if plain and plain.kind in WHOLE_PICTURES:
            return plain
    parts = overlapping(left.pixels, right.pixels, boxes)
    loss = 1 - min(min(box[2] - box[0], box[3] - box[1]) for box in parts)
    moved = _likeness(left, right, turn, compared(left.pixels, right.pixels, parts), loss, limits)
    found = [likeness for likeness in (plain, moved) if likeness]
    return min(found, key=lambda likeness: likeness.structure, default=None)


def _likeness(left: Shown, right: Shown, turn: int, found: Comparison, loss: float, limits: Limits) -> Likeness | None:
    kind = _kind(found, loss, turn, limits)
    if kind in WHOLE_PICTURES and not _same_file_kind(left, right, found):
        kind = Kind.EDITED
    if kind is None:
        return None
    return Likeness(kind, turn, round(found.worst, 2), round(found.colour, 2), round(found.agreement, 3))


def _kind(found: Comparison, loss: float, turn: int, limits: Limits) -> Kind | None:
    """The kind that measures speak for."""
    if _agrees(found, limits):
        return _KIND_OF_TURN[turn] if loss <= MOST_LOSS else Kind.EDITED
    if loss > 1 - LEAST_OVERLAP:
        return None
    if _close(found, limits) and loss <= MOST_LOSS:
        return Kind.RECOLOURED
    if turn and found.agreement < TURNED_AGREES:
        return None
    wide = found.common >= WIDE and found.typical >= WIDESPREAD
    if found.agreement >= SHAPES_AGREE and wide and loss <= MOST_LOSS:
        return Kind.RECOLOURED
    mostly = found.agreement >= MOSTLY_AGREES
    partly = found.agreement >= PARTLY_AGREES and found.typical <= NEARLY_EQUAL
    return Kind.EDITED if mostly or partly else None


def _agrees(found: Comparison, limits: Limits) -> bool:
    """True when nothing on the grid differs by more than encoding and tone explain."""
    toned = 1 / MOST_GAIN <= found.tone.gain <= MOST_GAIN and abs(found.tone.shift) <= MOST_SHIFT
    return (
        toned
        and _close(found, limits)
        and not (found.colour_common > COLOURFUL and found.saturation < GREY)
        and found.colour <= limits.colour
        and found.colour_common <= limits.colour_common
    )


def _close(found: Comparison, limits: Limits) -> bool:
    """True when lightness agrees in every patch, judged against how the pair's patches commonly differ."""
    allowed = min(limits.worst, limits.least + limits.per_common * found.common)
    return found.common <= limits.common and found.worst <= allowed


def _same_file_kind(left: Shown, right: Shown, found: Comparison) -> bool:
    """False when what the compared pixels do not show differs, or may: opacity, further frames, detail too small."""
    if left.frames or right.frames:
        return False
    if left.pixels.size != right.pixels.size and found.side < LEAST_SIDE:
        return False
    if _stretched(left.pixels, right.pixels) > MOST_STRETCH and found.levels <= PLAIN_LEVELS:
        return False
    if left.exact is not None and left.exact == right.exact and found.equal >= UNTOUCHED_SHARE:
        touched = found.worst > UNTOUCHED or found.colour > UNTOUCHED_COLOUR
        return not touched and _opacity_differs(left, right) <= MOST_OPACITY
    return _opacity_differs(left, right) <= MOST_OPACITY


def _stretched(left: Image.Image, right: Image.Image) -> float:
    """Share by which the aspects of two pictures differ, less what rounding to whole pixels explains."""
    aspects = sorted((left.width * right.height, right.width * left.height))
    return aspects[1] / aspects[0] - 1 - 1 / min(*left.size, *right.size)


def _opacity_differs(left: Shown, right: Shown) -> float:
    """The largest difference of opacity in a patch, 0 to 255."""
    if left.opacity is None and right.opacity is None:
        return 0.0
    size = grid_size((0, 0, *left.pixels.size), (0, 0, *right.pixels.size))
    first, second = (
        np.asarray((shown.opacity or Image.new("L", shown.pixels.size, 255)).resize(size), dtype=np.float32)
        for shown in (left, right)
    )
    return float(patch_means(np.abs(first - second), LEAST_PATCH).max())


def _rank(likeness: Likeness) -> int:
    return _ORDER.index(likeness.kind)


def oriented(picture: Image.Image, turn: int) -> Image.Image:
    """A picture in one of eight orientations: transposed (4), then flipped top to bottom (2), then left to right (1)."""
    for bit, method in (
        (4, Image.Transpose.TRANSPOSE),
        (2, Image.Transpose.FLIP_TOP_BOTTOM),
        (1, Image.Transpose.FLIP_LEFT_RIGHT),
    ):
        if turn & bit:
            picture = picture.transpose(method)
    return picture


def _placements(left: Image.Image, right: Image.Image, hints: int) -> Iterator[Placement]:
    """Each orientation of the left picture, and the boxes of the two that may show the same, which hints name."""
    for turn in range(TURNS):
        if hints >> turn & 1:
            yield turn, (WHOLE, WHOLE)
    for index, crop in enumerate(CROPS):
        if hints >> (CROP_OF_LEFT + index) & 1:
            yield 0, (crop, WHOLE)
        if hints >> (CROP_OF_RIGHT + index) & 1:
            yield 0, (WHOLE, crop)
    if hints >> INNER & 1:
        yield from ((0, boxes) for boxes in _inner_pairs(inner_of(left), inner_of(right)))


def _inner_pairs(left: Box, right: Box) -> Sequence[tuple[Box, Box]]:
    return [pair for pair in ((left, right), (left, WHOLE), (WHOLE, right)) if pair != (WHOLE, WHOLE)]


def inner_of(picture: Image.Image) -> Box:
    """What a plain border encloses, the whole picture without one."""
    box = inner_box(np.asarray(picture.convert("L"), dtype=np.float32))
    if box is None:
        return WHOLE
    left, top, right, bottom = box
    return left / picture.width, top / picture.height, right / picture.width, bottom / picture.height
