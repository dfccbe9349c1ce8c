"""Draws `docs/pictures/matching.png`: one picture, changed in the ways that imgindex tells apart.

    python docs/draw_matching.py [FILE]

`examples()` gives each picture with the kind of match that it has with the first; a test holds that it has it.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

WIDTH, HEIGHT = 480, 360
CELL, MARGIN, COLUMNS = (232, 206), 8, 4


def scene(seed: int = 7) -> Image.Image:
    """A lake in front of hills, with a boat."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    pen = ImageDraw.Draw(picture)
    for y in range(HEIGHT):
        share = y / HEIGHT
        pen.line((0, y, WIDTH, y), fill=(int(90 + 150 * share), int(150 + 70 * share), int(225 - 20 * share)))
    pen.ellipse((350, 40, 410, 100), fill=(255, 240, 190))
    for layer, colour in enumerate([(120, 140, 170), (90, 120, 120), (60, 100, 70)]):
        base = HEIGHT * (0.42 + 0.08 * layer)
        steps = base + np.cumsum(random.normal(0, 13, 25))
        ridge = [(WIDTH * i / 24, float(step)) for i, step in enumerate(steps)]
        pen.polygon([(0, HEIGHT), *ridge, (WIDTH, HEIGHT)], fill=colour)
    pen.rectangle((0, 270, WIDTH, HEIGHT), fill=(70, 120, 170))
    for _ in range(140):
        x, y = random.uniform(0, WIDTH), random.uniform(274, HEIGHT)
        pen.line((x, y, x + random.uniform(8, 40), y), fill=(120, 165, 205))
    x = 118 + (seed - 7) * 60
    pen.polygon([(x, 300), (x + 100, 300), (x + 80, 322), (x + 20, 322)], fill=(120, 60, 40))
    pen.polygon([(x + 48, 296), (x + 48, 215), (x + 95, 292)], fill=(245, 240, 230))
    return picture


def examples() -> list[tuple[str, str, Image.Image]]:
    """Kind (none for a picture that is another one), caption, picture; the first is what the others come from."""
    picture = scene()
    wide = picture.crop((48, 36, WIDTH - 48, HEIGHT - 36))
    return [
        ("bytes", "the picture", picture),
        ("same", "JPEG of quality 30", _reloaded(picture, quality=30)),
        ("same", "a third of the size", picture.resize((WIDTH // 3, HEIGHT // 3), Image.Resampling.LANCZOS)),
        ("same", "squeezed to a square", picture.resize((256, 256), Image.Resampling.LANCZOS)),
        ("same", "brighter by 20 %", ImageEnhance.Brightness(picture).enhance(1.2)),
        ("recoloured", "grey", picture.convert("L")),
        ("recoloured", "other colours", Image.merge("RGB", picture.split()[::-1])),
        ("flipped", "mirrored", picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        ("rotated", "turned by a quarter", picture.transpose(Image.Transpose.ROTATE_90)),
        ("edited", "cropped by 10 %", picture.crop((24, 18, WIDTH - 24, HEIGHT - 18))),
        ("edited", "in a frame", _framed(picture)),
        ("edited", "text on it", _written_on(picture)),
        ("edited", "the boat is gone", _without_boat(picture)),
        ("none", "cropped by a fifth and mirrored", wide.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        ("none", "turned by 10 degrees", picture.rotate(10, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))),
        ("none", "another picture", scene(seed=10)),
    ]


def _reloaded(picture: Image.Image, **options: int) -> Image.Image:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", **options)
    return Image.open(buffer).convert("RGB")


def _framed(picture: Image.Image) -> Image.Image:
    frame = Image.new("RGB", (WIDTH + 48, HEIGHT + 36), (40, 36, 32))
    frame.paste(picture, (24, 18))
    return frame


def _written_on(picture: Image.Image) -> Image.Image:
    marked = picture.copy()
    ImageDraw.Draw(marked).text((30, 120), "SAMPLE", fill="white", font=ImageFont.load_default(size=72))
    return marked


def _without_boat(picture: Image.Image) -> Image.Image:
    changed = picture.copy()
    changed.paste(picture.crop((250, 205, 370, 326)), (112, 205))
    return changed


def sheet() -> Image.Image:
    """All examples in rows, each with its kind and its caption."""
    shown = examples()
    rows = -(-len(shown) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * (CELL[0] + MARGIN) + MARGIN, rows * (CELL[1] + MARGIN) + MARGIN), "white")
    pen = ImageDraw.Draw(page)
    kind_font, caption_font = ImageFont.load_default(size=15), ImageFont.load_default(size=13)
    colours = {"bytes": "#1a7f37", "same": "#1a7f37", "none": "#6e7781"}
    for place, (kind, caption, picture) in enumerate(shown):
        left = MARGIN + place % COLUMNS * (CELL[0] + MARGIN)
        top = MARGIN + place // COLUMNS * (CELL[1] + MARGIN)
        small = picture.convert("RGB")
        small.thumbnail((CELL[0], CELL[1] - 42), Image.Resampling.LANCZOS)
        page.paste(small, (left + (CELL[0] - small.width) // 2, top))
        words = {"bytes": "", "none": "no match"}.get(kind, kind)
        pen.text((left + 4, top + CELL[1] - 39), words, fill=colours.get(kind, "#9a6700"), font=kind_font)
        pen.text((left + 4, top + CELL[1] - 20), caption, fill="#24292f", font=caption_font)
    return page


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pictures" / "matching.png"
    target.parent.mkdir(exist_ok=True)
    sheet().quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(target, optimize=True)
