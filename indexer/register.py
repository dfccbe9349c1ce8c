"""Two pictures → the parts of them that show the same, when one was cropped, framed, shifted or stretched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from indexer.compare import in_pixels
from indexer.views import Box

Floats = NDArray[np.float32]
Pictures = tuple[Image.Image, Image.Image]

GLANCE = 32
"""Pixels a side of what is looked at to choose between placements."""
COARSE, FINE = (32, 9), (64, 4)
"""Pixels a side of what is laid on each other, and the most rounds of it; a tenth of a fine pixel is 0.2 % of a side."""
SOURCE_SIDE = 192
MOST_STEP = 0.03
"""Share of a side that a border may move in one round."""
TONED = 3
"""How often contrast and brightness are fitted in a round, so that what differs (a mark, a border) does not bend them: with
once, a mark on a tenth of a drawing moves borders by up to 2.8 % of a side, with this by less than 1 %."""
SETTLED = 5e-4
"""Share of a side, an eighth of a pixel of the comparison that follows: not worth another round."""
HOPELESS = 0.4
"""Share of the contrast that is still unexplained after three rounds when the pictures have nothing in common."""
LEAST_OVERLAP = 0.35
"""Share of a side; less than that is no overlap to register by."""


@dataclass(frozen=True, slots=True)
class _Laid:
    """One picture laid on another: where, and how well what both show agrees."""

    where: NDArray[np.float64]
    """The left picture's borders (left, top, right, bottom) in shares of the right one's sides."""
    score: float
    """Share of the contrast that is unexplained."""


def overlapping(left: Image.Image, right: Image.Image, boxes: tuple[Box, Box]) -> tuple[Box, Box]:
    """The part of each picture that the other shows as well.

    Args:
        left: Mode RGB.
        right: Mode RGB.
        boxes: A first guess: two parts that show about the same.

    Source: Lucas and Kanade, IJCAI 1981, in the least-squares form of Baker and Matthews, IJCV 56(3), 2004, with weights
    that let parts differ (Geman and McClure).
    """
    small = _small(left), _small(right)
    best = _Laid(_whole_on_right(boxes), np.inf)
    for grid, rounds in (COARSE, FINE):
        best = _moved(small, best.where, grid, rounds)
        if best.score > HOPELESS:
            break
    return _parts(best.where)


def _moved(pictures: Pictures, where: NDArray[np.float64], grid: int, rounds: int) -> _Laid:
    """The best place that some rounds find, starting at a place."""
    best = _Laid(where, np.inf)
    weights = np.ones((grid, grid), dtype=np.float32)
    for number in range(rounds):
        parts = _parts(where)
        if min(_extent(part) for part in parts) < LEAST_OVERLAP:
            break
        first, second = (_sampled(picture, part, grid) for picture, part in zip(pictures, parts, strict=True))
        for _again in range(TONED):
            error = _toned(first, second, weights) - second
            weights = _weights(error)
        score = float((weights * error * error).sum() / weights.sum() / max(float(second.var()), 1.0))
        if score < best.score:
            best = _Laid(where, score)
        step = np.clip(_step(second, error, weights, where, parts[1]), -MOST_STEP, MOST_STEP)
        where = where + step
        if np.abs(step).max() < SETTLED or (score > HOPELESS and number >= 2):
            break
    return best


def resemblance(left: Image.Image, right: Image.Image, boxes: tuple[Box, Box]) -> float:
    """How much two parts of two pictures look alike at a glance: their correlation's size, 0 to 1."""
    first, second = (
        np.asarray(picture.resize((GLANCE, GLANCE), Image.Resampling.BOX, box=in_pixels(picture, box)), np.float32)
        for picture, box in zip((left, right), boxes, strict=True)
    )
    first, second = first - first.mean(), second - second.mean()
    return float(abs((first * second).sum()) / np.sqrt((first**2).sum() * (second**2).sum() + 1))


def _small(picture: Image.Image) -> Image.Image:
    grey = picture.convert("L")
    grey.thumbnail((SOURCE_SIDE, SOURCE_SIDE), Image.Resampling.BOX)
    return grey


def _sampled(picture: Image.Image, box: Box, grid: int) -> Floats:
    sampled = picture.resize((grid, grid), Image.Resampling.BILINEAR, box=in_pixels(picture, box))
    return np.asarray(sampled.filter(ImageFilter.BoxBlur(1)), dtype=np.float32)


def _toned(first: Floats, second: Floats, weights: Floats) -> Floats:
    """The first picture with the contrast and brightness that make it most like the second one where that counts."""
    total = weights.sum()
    means = (weights * first).sum() / total, (weights * second).sum() / total
    centred = first - means[0]
    weighted = weights * centred
    gain = (weighted * second).sum() / ((weighted * centred).sum() + 1e-3 * total)
    return np.asarray(gain * centred + means[1])


def _whole_on_right(boxes: tuple[Box, Box]) -> NDArray[np.float64]:
    """Where the left picture's borders come to lie on the right one when a part of it lies on a part of the other."""
    left, right = (np.array(box) for box in boxes)
    scale = (right[2:] - right[:2]) / (left[2:] - left[:2])
    start = right[:2] - left[:2] * scale
    return np.concatenate((start, start + scale))


def _parts(where: NDArray[np.float64]) -> tuple[Box, Box]:
    """The overlap as a part of the left picture and as a part of the right one."""
    on_right = np.clip(where, 0, 1)
    start, size = where[:2], where[2:] - where[:2]
    on_left = np.concatenate(((on_right[:2] - start) / size, (on_right[2:] - start) / size)).clip(0, 1)
    return _box(on_left), _box(on_right)


def _box(sides: NDArray[np.float64]) -> Box:
    left, top, right, bottom = sides.tolist()
    return left, top, right, bottom


def _extent(box: Box) -> float:
    return min(box[2] - box[0], box[3] - box[1])


def _weights(error: Floats) -> Floats:
    """Little where the pictures differ far more than they mostly do."""
    place = 3 * error.size // 4
    usual = 2 * float(np.partition(np.abs(error), place, axis=None)[place]) + 2
    return np.asarray(1 / (1 + (error / usual) ** 2))


def _step(second: Floats, error: Floats, weights: Floats, where: NDArray[np.float64], part: Box) -> NDArray[np.float64]:
    """By how much the four borders should move, in shares of the right picture's sides (one Gauss-Newton step)."""
    grid = len(second)
    places = (np.arange(grid, dtype=np.float32) + np.float32(0.5)) / np.float32(grid)
    down, across = np.gradient(second)
    down *= grid / (part[3] - part[1])
    across *= grid / (part[2] - part[0])
    x = (part[0] + places * (part[2] - part[0]) - where[0]) / (where[2] - where[0])
    y = (part[1] + places * (part[3] - part[1]) - where[1]) / (where[3] - where[1])
    slopes = np.stack(
        (across * (1 - x)[None, :], down * (1 - y)[:, None], across * x[None, :], down * y[:, None]), axis=-1
    ).reshape(-1, 4)
    weighted = slopes * weights.reshape(-1, 1)
    square = weighted.T @ slopes
    square += np.eye(4) * (1e-3 * np.trace(square) / 4 + 1e-6)
    return np.asarray(np.linalg.solve(square, weighted.T @ error.ravel()))
