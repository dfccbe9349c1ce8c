"""Pictures of any mode → grey or colour that can be averaged and compared, upright, on a plain ground."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.fingerprint import reduction
from indexer.recipe import GROUND

TRANSPARENT = frozenset(("LA", "La", "RGBA", "RGBa", "PA"))
"""Modes with a layer of opacity."""
_PIXELS_AT_ONCE = 1 << 20
"""So many pixels of a large picture are converted and digested at a time."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what makes the picture upright. Source: Exif 2.3, tag 274."""
TURNED = (5, 6, 7, 8)
"""With these orientations, width and height change places."""


def reduced(picture: Image.Image) -> Image.Image:
    """The picture shrunk to thumbnail size by whole numbers, averaging."""
    picture = levelled(picture)
    factors = reduction(*picture.size)
    return picture if factors == (1, 1) else picture.reduce(factors)


def levelled(picture: Image.Image) -> Image.Image:
    """The picture in a mode whose samples can be averaged, at most 8 bits each."""
    if picture.mode in {"P", "PA", "1"} or (picture.mode in {"L", "RGB"} and "transparency" in picture.info):
        return picture.convert("RGBA" if _has_alpha(picture) else "L" if picture.mode == "1" else "RGB")
    if picture.mode == "I" or picture.mode.startswith(("I;", "F")):
        return _as_grey(picture)
    return picture


def flattened(picture: Image.Image) -> Image.Image:
    """The picture in mode L or RGB, transparent parts on `GROUND`."""
    if picture.mode in {"L", "RGB"}:
        return picture
    if picture.mode in TRANSPARENT:
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (*GROUND, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    if picture.mode == "LAB":
        return _from_lab(picture)
    return picture.convert("RGB")


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as its EXIF orientation, 1 to 8, says."""
    method = _UPRIGHT.get(orientation)
    return picture if method is None else picture.transpose(method)


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode == "PA" or "transparency" in picture.info


def _as_grey(picture: Image.Image) -> Image.Image:
    """A picture of 16-bit, 32-bit or float samples in mode L.

    Samples up to 255 or 65,535 are taken to have that white; others are stretched from their darkest to their brightest.
    """
    extremes = [one for band in bands(picture) for one in _extremes(np.asarray(band, dtype=np.float32))]
    low, high = (min(extremes), max(extremes)) if extremes else (0.0, 0.0)
    if picture.mode.startswith("I;16"):
        low, high = 0.0, 65_535.0
    elif low >= 0 and 1 < high <= 65_535:
        low, high = 0.0, 255.0 if high <= 255 else 65_535.0
    grey = np.empty((picture.height, picture.width), dtype=np.uint8)
    top = 0
    for band in bands(picture):
        samples = np.asarray(band, dtype=np.float32)
        scaled = np.nan_to_num((samples - low) * (255.0 / (high - low or 1.0)))
        grey[top : top + band.height] = np.clip(scaled + 0.5, 0, 255).astype(np.uint8)
        top += band.height
    return Image.fromarray(grey)


def _extremes(samples: NDArray[np.float32]) -> tuple[float, ...]:
    """The least and the largest finite sample, where there is one."""
    finite = samples[np.isfinite(samples)]
    return (float(finite.min()), float(finite.max())) if finite.size else ()


def bands(picture: Image.Image) -> Iterator[Image.Image]:
    """A picture in bands of about a million pixels, from the top: what is made of a band is small beside the picture."""
    rows = max(1, _PIXELS_AT_ONCE // picture.width)
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _from_lab(picture: Image.Image) -> Image.Image:
    """A CIELAB picture (D50, 8 bits a channel) in sRGB.

    Source: CIE 15:2004 for Lab to XYZ; Lindbloom's D50 matrix for XYZ to linear sRGB; IEC 61966-2-1 for its curve.
    """
    lab = np.asarray(picture, dtype=np.int16).astype(np.float32)
    lightness = (lab[..., 0] * (100 / 255) + 16) / 116
    a, b = (np.where(lab[..., i] > 127, lab[..., i] - 256, lab[..., i]) for i in (1, 2))
    cubes = np.stack((lightness + a / 500, lightness, lightness - b / 200), axis=-1)
    white = np.array([0.9642, 1.0, 0.8251], dtype=np.float32)
    xyz = np.where(cubes > 6 / 29, cubes**3, 3 * (6 / 29) ** 2 * (cubes - 4 / 29)) * white
    matrix = np.array(
        [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]], dtype=np.float32
    )
    linear = np.clip(xyz @ matrix.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.clip(encoded * 255 + 0.5, 0, 255).astype(np.uint8))
