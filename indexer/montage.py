"""Rows of cards as contact sheets: pictures in rows, the one that stays framed.

Only pixels come in here; no picture is decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice

from PIL import Image, ImageDraw, ImageFont

from indexer.places import split
from indexer.records import Preview
from indexer.rows import Card, Row

CELL, GAP, FRAME = 192, 16, 4
"""Pixels: the longest side of a picture, what lies between two, and the frame of one that stays."""
LINE, TEXT = 16, 12
"""Pixels: the height of a line, and of its letters."""
MOST_CARDS = 8
"""Pictures in a row; how many more there are is written behind them."""
MOST_ROWS = 40
"""Of a sheet: at most 13,000 pixels high, which viewers show, and 75 MB while it is drawn."""

_GROUND, _INK, _DIM, _KEEP, _GONE, _WELL, _RULE = (
    (255, 255, 255),
    (27, 31, 36),
    (86, 96, 107),
    (15, 107, 53),
    (154, 52, 18),
    (233, 235, 239),
    (211, 216, 222),
)
"""As the stylesheet of the pages names them."""
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
)
"""Looked for where the system keeps its fonts; the first that has all letters of a line draws it."""
_LONGEST = 120
"""Letters of a line that are looked at: more never have room."""

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def sheets(rows: Iterable[Row], previews: Iterator[Preview | None], title: str) -> Iterator[Image.Image]:
    """Contact sheets, `MOST_ROWS` rows each, drawn one by one.

    Args:
        rows: In order, of at most `MOST_CARDS` cards.
        previews: The thumbnails of their cards as pixels, in the same order.
        title: Stands at the top of each.
    """
    rest = iter(rows)
    while part := list(islice(rest, MOST_ROWS)):
        yield _sheet([(row, list(islice(previews, len(row.cards)))) for row in part], title)


def _sheet(rows: Sequence[tuple[Row, Sequence[Preview | None]]], title: str) -> Image.Image:
    heights = [_height(row, shown) for row, shown in rows]
    width = GAP + max(len(row.cards) + bool(row.rest) for row, _shown in rows) * (CELL + GAP)
    sheet = Image.new("RGB", (width, 2 * GAP + LINE + sum(heights)), _GROUND)
    pen = ImageDraw.Draw(sheet)
    _write(pen, (GAP, GAP), title, _INK, width - 2 * GAP)
    top = 2 * GAP + LINE
    for (row, shown), height in zip(rows, heights, strict=True):
        pen.line((GAP, top, width - GAP, top), fill=_RULE)
        _draw_row(sheet, pen, row, shown, top + GAP)
        top += height
    return sheet


def _height(row: Row, shown: Sequence[Preview | None]) -> int:
    """Pixels that a row takes, with what divides it from the next."""
    picture = max(preview.height if preview else CELL // 2 for preview in shown)
    return picture + 2 * FRAME + max(len(_lines(card)) for card in row.cards) * LINE + 2 * GAP


def _draw_row(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, row: Row, shown: Sequence[Preview | None], top: int
) -> None:
    floor = top + max(preview.height if preview else CELL // 2 for preview in shown) + FRAME
    for place, (card, preview) in enumerate(zip(row.cards, shown, strict=True)):
        left = GAP + place * (CELL + GAP)
        _draw_picture(sheet, pen, card, preview, (left, floor))
        for number, (words, colour) in enumerate(_lines(card)):
            _write(pen, (left, floor + FRAME + 2 + number * LINE), words, colour, CELL)
    if row.rest:
        _write(pen, (GAP + len(row.cards) * (CELL + GAP), floor - LINE), f"and {len(row.rest):,} more", _DIM, CELL)


def _draw_picture(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, card: Card, preview: Preview | None, corner: tuple[int, int]
) -> None:
    """A picture that stands on its lower left corner, or a grey place where there is none."""
    left, floor = corner
    width, height = (preview.width, preview.height) if preview else (CELL, CELL // 2)
    box = (left, floor - height, left + width, floor)
    if card.stays:
        pen.rectangle((box[0] - FRAME, box[1] - FRAME, box[2] + FRAME - 1, box[3] + FRAME - 1), fill=_KEEP)
    if preview:
        sheet.paste(Image.frombytes("RGB", (width, height), preview.data), box)
    else:
        pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=_WELL)
        _write(pen, (left + FRAME, floor - LINE - FRAME), "no picture in the index", _DIM, CELL - 2 * FRAME)


def _lines(card: Card) -> list[tuple[str, tuple[int, int, int]]]:
    """What is written under a picture, with colours."""
    folder, name = split(card.name)
    role = f"{card.role} ({card.why})" if card.stays else card.why
    lines = [(role, _KEEP if card.stays else _GONE), (name, _INK), (folder and f"{folder}/", _DIM), (card.facts, _DIM)]
    more = f"and {len(card.also):,} more names of this file" if card.also else ""
    return [line for line in (*lines, (more, _DIM)) if line[0]]


def _write(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], words: str, colour: tuple[int, int, int], width: int
) -> None:
    """A line of text that is no wider than it may be."""
    font, drawable = _legible(words)
    pen.text(place, _shortened(drawable, font, width), fill=colour, font=font)


def _shortened(words: str, font: _Font, width: int) -> str:
    """Text without its middle, when it would be too wide: how it begins and how it ends tell most."""
    if len(words) <= _LONGEST and font.getlength(words) <= width:
        return words
    kept = min(len(words), _LONGEST)
    while kept > 2:
        kept -= 1
        shorter = f"{words[: kept // 3]}…{words[kept // 3 - kept :]}"
        if font.getlength(shorter) <= width:
            return shorter
    return "…"


def _legible(words: str) -> tuple[_Font, str]:
    """A font that has all letters of a text, and the text; what no font has becomes a backslash escape."""
    ends = words if len(words) <= 2 * _LONGEST else words[:_LONGEST] + words[-_LONGEST:]
    for font in _fonts():
        if all(_has(font, letter) for letter in set(ends)):
            return font, ends
    font = _fonts()[0]
    return font, "".join(letter if _has(font, letter) else _escape(letter) for letter in ends)


def _escape(letter: str) -> str:
    return "x" if letter == "×" else letter.encode("unicode_escape").decode("ascii")


@cache
def _fonts() -> tuple[_Font, ...]:
    """The fonts of the list that are there, and the one that comes with Pillow."""
    found: list[_Font] = []
    for name in _FONTS:
        try:
            found.append(ImageFont.truetype(name, TEXT))
        except OSError:
            continue
    return (*found, ImageFont.load_default(TEXT))


@cache
def _has(font: _Font, letter: str) -> bool:
    """True when a font can draw a letter: not as the box that stands for what it lacks."""
    return letter == " " or bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
