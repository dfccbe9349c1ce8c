"""Two pictures on one grid → how they differ, patch by patch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from indexer.views import Box

Floats = NDArray[np.float32]
Size = tuple[int, int]

GRID_PIXELS = 240 * 180
"""Pixels of the grid, where the smaller picture has them; libjpeg's half of a 500-pixel photo is enough."""
PATCHES = 24
"""A patch is this part of a square of the grid's area, along a side."""
LEAST_PATCH = 3
"""Pixels."""
SOFTENED_SIDE = 48
"""From this many pixels on, grids are blurred by one pixel: what sharpening and resampling change most."""
EDGE_SHIFT = 0.5
"""Pixels by which an edge may be out of place without counting."""
BRIGHTENED = 1.05
"""Gain from which a picture was cut off at black and white before it was made smaller, so that..."""
HIGHLIGHT, SHADOW = 225.0, 30.0
"""... beyond these levels it is not what the same change makes of the smaller picture, and..."""
CUT_OFF = 0.3
"""... differences there count for less."""
CLIPPED = (5, 250)
"""Levels beyond which brightening or darkening has cut a pixel's value off."""
CORRELATED = 0.7
_LUMA: Floats = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Tone:
    """A change of brightness and contrast: level ↦ gain × level + offset, cut off at black and white."""

    gain: float
    offset: float

    @property
    def shift(self) -> float:
        """What it adds to a middle grey."""
        return self.offset + (self.gain - 1) * 128


@dataclass(frozen=True)
class Comparison:
    """Two pictures on one grid, the darker or flatter one first, and the tone that makes it most like the other.

    The rest is worked out when it is asked for, as most pairs need but part of it.
    """

    plain: Floats
    """Shape (rows, columns, 3), sRGB levels."""
    other: Floats
    tone: Tone

    @property
    def side(self) -> int:
        """The side of a square of the grid's area, in pixels."""
        return round(math.sqrt(len(self.plain) * len(self.plain[0])))

    @cached_property
    def luma(self) -> tuple[Floats, Floats]:
        """Lightness of both, the first after the change of tone."""
        return self.toned @ _LUMA, self.other @ _LUMA

    @cached_property
    def toned(self) -> Floats:
        """The first picture after the change of tone."""
        return np.asarray(np.clip(self.tone.gain * self.plain + self.tone.offset, 0, 255))

    @cached_property
    def _apart(self) -> Floats:
        """Of each pixel: difference of lightness in levels, less what edges half a pixel out of place explain."""
        first, second = self.luma
        steep = np.maximum(_steepness(first), _steepness(second))
        return np.asarray(np.maximum(np.abs(second - first) - EDGE_SHIFT * steep, 0))

    @cached_property
    def differences(self) -> Floats:
        """Of each patch: mean difference of lightness."""
        return patch_means(self._apart, self._patch)

    @cached_property
    def worst(self) -> float:
        """The largest difference of a patch; less counts where a change of tone has cut off levels."""
        if self.tone.gain <= BRIGHTENED:
            return float(self.differences.max())
        first, _second = self.luma
        cut_off = (first > HIGHLIGHT) | (first < SHADOW)
        apart = np.where(cut_off, np.float32(CUT_OFF) * self._apart, self._apart)
        return float(patch_means(apart, self._patch).max())

    @cached_property
    def common(self) -> float:
        """What a tenth of the patches exceed: what this pair's encoding does."""
        return _exceeded_by(self.differences, 0.1)

    @cached_property
    def typical(self) -> float:
        """What half of the patches exceed."""
        return _exceeded_by(self.differences, 0.5)

    @cached_property
    def equal(self) -> float:
        """Share of the patches that do not differ at all."""
        return float((self.differences == 0).mean())

    @cached_property
    def colours(self) -> Floats:
        """Of each patch: mean difference of chroma, in levels of YCbCr."""
        change = self.other - self.toned
        first, second = self.luma
        lighter = second - first
        blue, red = (
            patch_means(np.asarray(share * (change[:, :, channel] - lighter), np.float32), LEAST_PATCH)
            for share, channel in ((0.564, 2), (0.713, 0))
        )
        return patch_means(np.hypot(blue, red), self._patch)

    @cached_property
    def colour(self) -> float:
        """The largest difference of chroma."""
        return float(self.colours.max())

    @cached_property
    def colour_common(self) -> float:
        """What a tenth of the patches exceed."""
        return _exceeded_by(self.colours, 0.1)

    @cached_property
    def levels(self) -> int:
        """How many levels of lightness nine tenths of the simpler picture's pixels have."""
        return min(_levels(plane) for plane in self.luma)

    @cached_property
    def saturation(self) -> float:
        """Mean chroma of the greyer picture, in levels of YCbCr."""
        return min(_saturation(picture) for picture in (self.plain, self.other))

    @cached_property
    def agreement(self) -> float:
        """Share of the detail, 0 to 1, where lightness correlates place by place, whatever its sign and strength.

        Source: the structure term of SSIM (Wang et al., IEEE Trans. Image Processing 13(4), 2004), weighted by contrast.
        """
        first, second = (plane[::2, ::2] for plane in self.luma)  # shapes of this size are seen as well in a quarter
        window = max(LEAST_PATCH, round(self.side / 28))
        means = patch_means(first, window), patch_means(second, window)
        spreads = [
            np.maximum(patch_means(plane * plane, window) - mean * mean, 0)
            for plane, mean in zip((first, second), means, strict=True)
        ]
        shared = patch_means(first * second, window) - means[0] * means[1]
        correlation = shared / np.sqrt(spreads[0] * spreads[1] + 25)
        weights = np.sqrt(np.maximum(spreads[0], spreads[1]))
        return float((weights * (np.abs(correlation) > CORRELATED)).sum() / (weights.sum() + 1e-3))

    @property
    def _patch(self) -> int:
        return max(LEAST_PATCH, round(self.side / PATCHES))


def compared(left: Image.Image, right: Image.Image, boxes: tuple[Box, Box]) -> Comparison:
    """What two parts of two pictures look like on one grid.

    Args:
        left: Mode RGB.
        right: Mode RGB.
        boxes: The part of each.
    """
    pixel_boxes = in_pixels(left, boxes[0]), in_pixels(right, boxes[1])
    size = grid_size(*pixel_boxes)
    first, second = (_on_grid(picture, box, size) for picture, box in zip((left, right), pixel_boxes, strict=True))
    tone = fitted_tone(first, second)
    if abs(tone.gain) < 1:  # what was cut off at black and white cannot be brought back, so go the other way
        first, second = second, first
        tone = fitted_tone(first, second)
    return Comparison(first, second, tone)


def grid_size(*boxes: Box) -> Size:
    """Columns and rows of the grid for parts of pictures: no more than each has, together no more than `GRID_PIXELS`."""
    width = min(box[2] - box[0] for box in boxes)
    height = min(box[3] - box[1] for box in boxes)
    scale = min(1.0, math.sqrt(GRID_PIXELS / (width * height)))
    return max(1, round(width * scale)), max(1, round(height * scale))


def in_pixels(picture: Image.Image, box: Box) -> Box:
    """A box in pixels of a picture."""
    left, top, right, bottom = box
    return left * picture.width, top * picture.height, right * picture.width, bottom * picture.height


def _on_grid(picture: Image.Image, box: Box, size: Size) -> Floats:
    """A part of a picture at the grid's size, slightly blurred; shape (rows, columns, 3)."""
    sampled = picture.resize(size, Image.Resampling.BILINEAR, box=box)
    if min(size) >= SOFTENED_SIDE:
        sampled = sampled.filter(ImageFilter.BoxBlur(1))
    return np.asarray(sampled, dtype=np.float32)


def fitted_tone(first: Floats, second: Floats) -> Tone:
    """The change of tone that makes most of one picture like the other, by least squares on what agrees best.

    Args:
        first: Shape (rows, columns, 3) or (rows, columns), levels.
        second: Likewise.
    """
    step = max(1, min(first.shape[:2]) // 64)
    before, after = (_flat(picture[::step, ::step]) for picture in (first, second))
    inside = np.asarray((np.minimum(before, after) > CLIPPED[0]) & (np.maximum(before, after) < CLIPPED[1]))
    if before.ndim == 2:
        inside = np.asarray(inside.all(axis=1))
        before, after = before @ _LUMA, after @ _LUMA
    if np.count_nonzero(inside) >= 0.2 * inside.size:
        before, after = before[inside], after[inside]
    starts = _line(before, after), Tone(1.0, float(np.median(after - before)))
    return min((_refined(start, before, after) for start in starts), key=lambda fit: fit[0])[1]


def _refined(tone: Tone, before: Floats, after: Floats) -> tuple[float, Tone]:
    """A change of tone fitted to what it explains best, and the error, in levels, that four fifths of that stay below."""
    place = int(0.8 * (before.size - 1))
    for _round in range(2):
        errors = np.abs(after - tone.gain * before - tone.offset)
        close = errors <= np.partition(errors, place)[place] + 1
        tone = _line(before[close], after[close])
    errors = np.abs(after - tone.gain * before - tone.offset)
    return float(np.partition(errors, place)[place]), tone


def _levels(plane: Floats) -> int:
    """How many whole levels hold nine tenths of a plane's pixels."""
    counts = np.sort(np.bincount(plane.astype(np.uint8).ravel(), minlength=256))[::-1]
    return int(np.searchsorted(np.cumsum(counts), 0.9 * plane.size)) + 1


def _saturation(picture: Floats) -> float:
    luma = picture @ _LUMA
    return float(np.hypot(0.564 * (picture[:, :, 2] - luma), 0.713 * (picture[:, :, 0] - luma)).mean())


def _flat(picture: Floats) -> Floats:
    return picture.reshape(-1, 3) if picture.ndim == 3 else picture.ravel()


def _line(before: Floats, after: Floats) -> Tone:
    """The regression line; one without slope where there is no contrast to go by."""
    mean_before, mean_after = float(before.mean()), float(after.mean())
    centred = before - mean_before
    gain = float(centred @ (after - mean_after)) / (float(centred @ centred) + 1e-3 * before.size)
    return Tone(gain, mean_after - gain * mean_before)


def _steepness(plane: Floats) -> Floats:
    """Levels that lightness changes by from pixel to pixel, at its steepest."""
    padded = np.pad(plane, 1, mode="edge")
    down = padded[2:, 1:-1] - padded[:-2, 1:-1]
    across = padded[1:-1, 2:] - padded[1:-1, :-2]
    return np.asarray(np.sqrt(down * down + across * across) / 2)


def patch_means(plane: Floats, side: int) -> Floats:
    """The mean of each square of a side, at every place that it fits."""
    rows, columns = (min(side, length) for length in plane.shape)
    sums = _running_sums(_running_sums(plane, rows).T, columns).T
    return np.asarray(sums / np.float32(rows * columns))


def _running_sums(plane: Floats, length: int) -> Floats:
    """The sum of each `length` rows that follow each other, by sums of 1, 2, 4, … rows."""
    count = len(plane) - length + 1
    power, powers = plane, []
    for bit in range(length.bit_length()):
        powers.append(power)
        power = power[: -(1 << bit)] + power[1 << bit :] if len(power) > 1 << bit else power
    start, total = 0, np.zeros((count, *plane.shape[1:]), dtype=np.float32)
    for bit, sums in enumerate(powers):
        if length >> bit & 1:
            total += sums[start : start + count]
            start += 1 << bit
    return total


def _exceeded_by(values: Floats, share: float) -> float:
    """The value that a share of the values exceed."""
    place = int((1 - share) * (values.size - 1))
    return float(np.partition(values, place, axis=None)[place])
