"""Measures whether a larger picture shows more than a smaller one, or was only enlarged: what workers run."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from indexer.decode import MAX_PIXELS, formats, orientation_of, read_stable
from indexer.modes import flattened, levelled, upright

WINDOW = 2048
"""Pixels a side, from the middle, that are looked at."""
COARSEST = 0.35
"""The smaller picture is measured against itself at this share of its size at least."""
QUIET = 0.25
"""Grey levels; what varies less beyond a resolution is rounding."""


Pair = tuple[int, tuple[str, bytes], tuple[str, bytes]]
"""A key; absolute path and SHA-256 of a picture, and of a larger one that shows the same."""


def gains_batch(pairs: Sequence[Pair]) -> list[tuple[int, float | None]]:
    """For each pair its key and the gain, in order, None when nobody can tell; never raises for the sake of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [(key, _gain(old, new)) for key, old, new in pairs]


def _gain(old: tuple[str, bytes], new: tuple[str, bytes]) -> float | None:
    try:
        return gain(_grey(*old), _grey(*new))
    except Exception:  # noqa: BLE001 - whatever keeps a file from being decoded, nobody can tell then
        return None


def gain(old: Image.Image, new: Image.Image) -> float:
    """How loud a larger picture is beyond a smaller one's resolution, in units of how loud that is beyond a lower one.

    Near 1 when the larger one shows more, as photos have about as much in each octave; near 0 when it was enlarged.

    Args:
        old: The smaller one, mode L.
        new: The larger one, mode L.
    """
    share = old.width / new.width
    return _beyond(_middle(new, WINDOW), share) / max(
        QUIET, _beyond(_middle(old, round(WINDOW * share)), max(share, COARSEST))
    )


def _beyond(picture: Image.Image, share: float) -> float:
    """The standard deviation, in grey levels, of what a picture loses at a share of its size."""
    small = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    coarse = picture.resize(small, Image.Resampling.LANCZOS).resize(picture.size, Image.Resampling.BICUBIC)
    return float((np.asarray(picture, dtype=np.float32) - np.asarray(coarse, dtype=np.float32)).std())


def _middle(picture: Image.Image, side: int) -> Image.Image:
    width, height = min(picture.width, max(1, side)), min(picture.height, max(1, side))
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _grey(path: str, digest: bytes) -> Image.Image:
    """The picture in a file at its full size, upright, in mode L.

    Raises:
        Exception: Whatever reading or decoding raises; ValueError when the file holds other bytes, or too many pixels.
    """
    data, _reading = read_stable(path)
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("it changed")
    with Image.open(BytesIO(data), formats=formats()) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError("too many pixels")
        if picture.format in {"JPEG", "MPO"}:
            picture.draft("L", picture.size)
        picture.load()
        return upright(flattened(levelled(picture)).convert("L"), orientation_of(picture))
