"""Draws pictures of varied content from a number: what the demo shows and the tests index.

The same seed gives the same pixels wherever numpy and Pillow do.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

Draw = Callable[[np.random.Generator, int, int], Image.Image]
_SIDES = (160, 200, 240, 280, 320)


def drawn(seed: int) -> Image.Image:
    """A picture, mode RGB, 160 to 320 pixels a side: clouds, hills, shapes, rings or a mosaic."""
    random = np.random.default_rng(seed)
    width, height = (int(random.choice(_SIDES)) for _ in range(2))
    draw = _STYLES[seed % len(_STYLES)]
    return draw(random, width, height)


def mosaic(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """A smooth picture of strong contrasts, whose difference hash survives being resized and re-encoded."""
    return _mosaic(np.random.default_rng(seed), width, height)


def encoded(picture: Image.Image, format: str = "JPEG", **options: object) -> bytes:  # noqa: A002 - Pillow's word
    """The bytes of a picture file."""
    buffer = BytesIO()
    picture.save(buffer, format, **({"quality": 90} if format in {"JPEG", "WEBP"} and not options else options))
    return buffer.getvalue()


def _clouds(random: np.random.Generator, width: int, height: int) -> Image.Image:
    coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height), 3)
    fine = Image.fromarray(random.integers(0, 256, (48, 48, 3), dtype=np.uint8)).resize((width, height), 2)
    return Image.blend(coarse, fine, 0.25)


def _hills(random: np.random.Generator, width: int, height: int) -> Image.Image:
    picture = _sky(random, width, height)
    pen = ImageDraw.Draw(picture)
    x, y, radius = (int(n) for n in random.integers((0, 0, 8), (width, height // 2, 40)))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(random))
    for layer in range(4):
        base = height * (0.35 + 0.15 * layer)
        steps = base + np.cumsum(random.normal(0, height / 25, 17))
        ridge = [(width * i / 16, float(step)) for i, step in enumerate(steps)]
        pen.polygon([(0, height), *ridge, (width, height)], fill=_colour(random))
    return picture


def _shapes(random: np.random.Generator, width: int, height: int) -> Image.Image:
    picture = _sky(random, width, height)
    pen = ImageDraw.Draw(picture)
    for _ in range(14):
        corners = random.integers(0, (width, height), (3, 2))
        left, top = corners.min(axis=0)
        right, bottom = corners.max(axis=0)
        if random.random() < 0.5:
            pen.polygon([(int(x), int(y)) for x, y in corners], fill=_colour(random))
        else:
            pen.ellipse((int(left), int(top), int(right) + 8, int(bottom) + 8), fill=_colour(random))
    return picture


def _rings(random: np.random.Generator, width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.zeros((height, width, 3), dtype=np.float32)
    for _ in range(5):
        centre_x, centre_y = random.uniform(-0.2, 1.2, 2) * (width, height)
        distance = np.hypot(x - centre_x, y - centre_y) / random.uniform(6, 30)
        waves += np.sin(distance)[..., None] * random.uniform(-1, 1, 3)
    scaled = (waves - waves.min()) * (255 / (waves.max() - waves.min()))
    return Image.fromarray(scaled.astype(np.uint8))


def _mosaic(random: np.random.Generator, width: int, height: int) -> Image.Image:
    signs = random.choice((-1, 1), (8, 9)).cumsum(axis=1)
    levels = (signs - signs.min()) / (signs.max() - signs.min())
    colours = np.stack([levels * random.uniform(0.6, 1.0) for _ in range(3)], axis=-1)
    return Image.fromarray((colours * 255).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def _sky(random: np.random.Generator, width: int, height: int) -> Image.Image:
    corners = random.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)


def _colour(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in random.integers(0, 256, 3))
    return red, green, blue


_STYLES: tuple[Draw, ...] = (_clouds, _hills, _shapes, _rings, _mosaic)
