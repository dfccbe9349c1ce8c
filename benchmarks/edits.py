"""Edits of a photo by name, as people and sites make them, and the kinds of match that are right for each."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Random = np.random.Generator
Change = Callable[[Image.Image, Random], Image.Image]


class Edit(NamedTuple):
    """A change, and how the result is saved."""

    change: Change
    right: tuple[str, ...]
    """The kinds of match that are right."""
    aim: float
    """Share that should be found with one of them."""
    format: str = "JPEG"
    options: Mapping[str, object] = MappingProxyType({"quality": 85})


def saved(picture: Image.Image, edit: Edit) -> bytes:
    """The bytes of an edited picture."""
    buffer = io.BytesIO()
    picture.save(buffer, edit.format, **edit.options)
    return buffer.getvalue()


def _same(picture: Image.Image, _random: Random) -> Image.Image:
    return picture


def _sized(picture: Image.Image, width: float, height: float) -> Image.Image:
    return picture.resize((max(1, round(width)), max(1, round(height))), Image.Resampling.LANCZOS)


def _scaled(share: float) -> Change:
    return lambda picture, _random: _sized(picture, picture.width * share, picture.height * share)


def _to_150(picture: Image.Image, _random: Random) -> Image.Image:
    share = 150 / max(picture.size)
    return _sized(picture, picture.width * share, picture.height * share)


def _to_square(picture: Image.Image, _random: Random) -> Image.Image:
    return _sized(picture, 256, 256)


def _filtered(kind: object) -> Change:
    return lambda picture, _random: picture.filter(kind)  # type: ignore[arg-type]


def _enhanced(kind: type, factor: float) -> Change:
    return lambda picture, _random: kind(picture).enhance(factor)


def _turned(method: Image.Transpose) -> Change:
    return lambda picture, _random: picture.transpose(method)


def _grey(picture: Image.Image, _random: Random) -> Image.Image:
    return picture.convert("L")


def _cropped(share: float) -> Change:
    """Cuts a share off each dimension, half of it on either side."""

    def change(picture: Image.Image, _random: Random) -> Image.Image:
        width, height = picture.size
        x, y = round(width * share / 2), round(height * share / 2)
        return picture.crop((x, y, width - x, height - y))

    return change


def _cropped_anywhere(share: float) -> Change:
    """Cuts a share off each dimension, at random between the two sides."""

    def change(picture: Image.Image, random: Random) -> Image.Image:
        width, height = picture.size
        x, y = round(width * share * random.random()), round(height * share * random.random())
        return picture.crop((x, y, x + round(width * (1 - share)), y + round(height * (1 - share))))

    return change


def _cropped_on_one_side(picture: Image.Image, random: Random) -> Image.Image:
    width, height = picture.size
    sides = ((0.05, 0, 1, 1), (0, 0.05, 1, 1), (0, 0, 0.95, 1), (0, 0, 1, 0.95))
    left, top, right, bottom = sides[random.integers(4)]
    return picture.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


def _framed(share: float, colour: str) -> Change:
    def change(picture: Image.Image, _random: Random) -> Image.Image:
        x, y = round(picture.width * share), round(picture.height * share)
        frame = Image.new("RGB", (picture.width + 2 * x, picture.height + 2 * y), colour)
        frame.paste(picture, (x, y))
        return frame

    return change


def _letterboxed(picture: Image.Image, _random: Random) -> Image.Image:
    side = max(picture.size)
    box = Image.new("RGB", (side, max(side, round(picture.height * 1.2))), "black")
    box.paste(picture, ((box.width - picture.width) // 2, (box.height - picture.height) // 2))
    return box


def _marked(share: float) -> Change:
    """An opaque rectangle on a share of the area."""

    def change(picture: Image.Image, random: Random) -> Image.Image:
        marked = picture.copy()
        aspect = random.uniform(0.7, 1.6)
        width = min(picture.width, round(picture.width * (share * aspect) ** 0.5))
        height = min(picture.height, round(picture.height * (share / aspect) ** 0.5))
        x, y = random.integers(picture.width - width + 1), random.integers(picture.height - height + 1)
        colour = tuple(int(level) for level in random.integers(0, 256, 3))
        ImageDraw.Draw(marked).rectangle((x, y, x + width, y + height), fill=colour)
        return marked

    return change


def _written_on(opacity: float) -> Change:
    def change(picture: Image.Image, random: Random) -> Image.Image:
        layer = Image.new("RGBA", picture.size, (255, 255, 255, 0))
        font = ImageFont.load_default(size=max(9, picture.height // 11))
        place = picture.width * random.uniform(0.02, 0.3), picture.height * random.uniform(0.05, 0.85)
        colour = (255, 255, 255) if random.random() < 0.5 else (20, 20, 20)
        ImageDraw.Draw(layer).text(place, "(c) some shop", fill=(*colour, round(255 * opacity)), font=font)
        return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")

    return change


def _with_orientation(picture: Image.Image, _random: Random) -> Image.Image:
    return picture.transpose(Image.Transpose.ROTATE_90)


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


SAME, EDITED = ("same",), ("edited",)
FOUND = ("edited", "same")
_LOSSY = {
    f"JPEG quality {quality}": Edit(_same, SAME, 0.995, "JPEG", {"quality": quality}) for quality in (30, 50, 75, 95)
}
EDITS: dict[str, Edit] = {
    **_LOSSY,
    "WebP quality 60": Edit(_same, SAME, 0.995, "WEBP", {"quality": 60}),
    "AVIF quality 60": Edit(_same, SAME, 0.995, "AVIF", {"quality": 60}),
    "PNG": Edit(_same, SAME, 0.995, "PNG", {}),
    "150 pixels": Edit(_to_150, SAME, 0.995),
    "half size": Edit(_scaled(0.5), SAME, 0.995),
    "double size": Edit(_scaled(2), SAME, 0.995),
    "squeezed to a square": Edit(_to_square, SAME, 0.995),
    "turned by EXIF": Edit(_with_orientation, SAME, 0.995, "JPEG", {"quality": 85, "exif": _exif(6)}),
    "blurred by 1 pixel": Edit(_filtered(ImageFilter.GaussianBlur(1)), SAME, 0.995),
    "sharpened": Edit(_filtered(ImageFilter.SHARPEN), SAME, 0.995),
    "brightness +20 %": Edit(_enhanced(ImageEnhance.Brightness, 1.2), SAME, 0.995),
    "brightness -20 %": Edit(_enhanced(ImageEnhance.Brightness, 0.8), SAME, 0.995),
    "contrast +20 %": Edit(_enhanced(ImageEnhance.Contrast, 1.2), SAME, 0.995),
    "contrast -20 %": Edit(_enhanced(ImageEnhance.Contrast, 0.8), SAME, 0.995),
    "grey": Edit(_grey, ("recoloured",), 0.99),
    "mirrored": Edit(_turned(Image.Transpose.FLIP_LEFT_RIGHT), ("flipped",), 0.99),
    "upside down, mirrored": Edit(_turned(Image.Transpose.FLIP_TOP_BOTTOM), ("flipped",), 0.99),
    "turned by 90°": Edit(_turned(Image.Transpose.ROTATE_90), ("rotated",), 0.99),
    "turned by 180°": Edit(_turned(Image.Transpose.ROTATE_180), ("rotated",), 0.99),
    "turned by 270°": Edit(_turned(Image.Transpose.ROTATE_270), ("rotated",), 0.99),
    "cropped by 2 %": Edit(_cropped(0.02), FOUND, 0.95),
    "cropped by 3 %": Edit(_cropped(0.03), FOUND, 0.95),
    "cropped by 5 %": Edit(_cropped(0.05), EDITED, 0.95),
    "cropped by 10 %": Edit(_cropped(0.10), EDITED, 0.80),
    "5 % cut off one side": Edit(_cropped_on_one_side, EDITED, 0.95),
    "cropped by 3 %, off centre": Edit(_cropped_anywhere(0.03), FOUND, 0.0),
    "cropped by 5 %, off centre": Edit(_cropped_anywhere(0.05), FOUND, 0.0),
    "white border of 5 %": Edit(_framed(0.05, "white"), EDITED, 0.95),
    "black border of 2.5 %": Edit(_framed(0.025, "black"), EDITED, 0.95),
    "letterbox": Edit(_letterboxed, EDITED, 0.95),
    "mark on 5 % of the area": Edit(_marked(0.05), EDITED, 0.95),
    "mark on 10 % of the area": Edit(_marked(0.10), EDITED, 0.95),
    "text": Edit(_written_on(1.0), FOUND, 0.95),
    "faint text": Edit(_written_on(0.5), FOUND, 0.95),
}
