"""The pages' stylesheet: legible in light, dark and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import indexer

SHEET = (Path(indexer.__file__).parent / "web" / "style.css").read_text()
TEXTS = ("ink", "dim", "keep", "gone", "link")
GROUNDS = ("ground", "panel", "well")


def colours(text: str) -> dict[str, str]:
    """The named colours in a part of the sheet."""
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text))


def luminance(colour: str) -> float:
    """The relative luminance of a colour. Source: WCAG 2.2, "relative luminance"."""
    shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21. Source: WCAG 2.2, "contrast ratio"."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


_LIGHT, _REST = SHEET.split("@media (prefers-color-scheme: dark)")
_DARK, _PRINT = _REST.split("@media print")
SCHEMES = {
    "light": colours(_LIGHT),
    "dark": colours(_LIGHT) | colours(_DARK),
    "print": colours(_LIGHT) | colours(_PRINT),
}


def test_contrast_is_that_of_known_pairs() -> None:
    """Black on white has 21, the grey #767676 the 4.54 that it is known for."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_is_legible(scheme: str) -> None:
    """Each colour of text has a contrast of 4.5 at least on each ground, and so has text on strong colours."""
    named = SCHEMES[scheme]
    pairs = [(text, ground) for text in TEXTS for ground in GROUNDS]
    pairs += [("on-strong", strong) for strong in ("keep", "gone", "link")]

    assert [pair for pair in pairs if contrast(named[pair[0]], named[pair[1]]) < 4.5] == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_edges_of_controls_can_be_seen(scheme: str) -> None:
    """The edge of a control and the frame of a keeper have a contrast of 3 at least with what is around them."""
    named = SCHEMES[scheme]

    assert [
        (edge, ground)
        for edge in ("edge", "keep", "link")
        for ground in GROUNDS
        if contrast(named[edge], named[ground]) < 3
    ] == []


def test_dark_names_every_colour_anew() -> None:
    """No colour of the light scheme is left over in the dark one, or on paper."""
    assert set(colours(_DARK)) == set(colours(_LIGHT)) == set(colours(_PRINT))
    assert set(re.findall(r"var\(--([a-z-]+)\)", SHEET)) <= set(re.findall(r"--([a-z-]+):", SHEET))


def test_sheet_asks_nobody_for_anything() -> None:
    """No font, picture or sheet is fetched, and colours stand in the variables alone."""
    rules = re.sub(r"--[a-z-]+: [^;]+;", "", SHEET)

    assert re.search(r"url\(|@import|@font-face", SHEET) is None
    assert re.search(r"#[0-9a-f]{3,8}\b", rules) is None
