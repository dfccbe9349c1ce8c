"""Rows of cards as a page: one file that needs no other, runs no script and asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice

from indexer.markup import Html, element, escaped
from indexer.records import Preview
from indexer.rows import Card, Row

MOST_CARDS = 40
"""Pictures of a group; the names of further ones are listed."""
_NOTHING = Html()


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above the rows."""

    title: str
    lines: tuple[str, ...]
    """The first says what there is, the others whence it comes."""
    warnings: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    """What to type next, with what it does."""
    kinds: Mapping[str, int] | None = None
    """The number of rows of each kind, to choose by; None for no choice."""


def page(
    heading: Heading, rows: Iterable[Row], previews: Iterator[Preview | None], tables: Html = _NOTHING
) -> Iterator[str]:
    """The page, in pieces, row by row: as many rows as there are take no more memory than one.

    Args:
        heading: What stands above.
        rows: In order.
        previews: The thumbnails of their cards as WebP, in the same order.
        tables: What comes before the rows.
    """
    yield f'<!doctype html>\n<html lang="en">\n{_head(heading.title)}\n<body>\n'
    yield _header(heading)
    yield _choices(heading.kinds or {})
    yield f"<main>\n{tables}"
    for row in rows:
        yield _row(row, list(islice(previews, len(row.cards))))
    yield "</main>\n</body>\n</html>\n"


@cache
def _style() -> Html:
    """The stylesheet, with what a gallery adds to it."""
    folder = files("indexer") / "web"
    sheets = ((folder / name).read_text(encoding="utf-8") for name in ("style.css", "gallery.css"))
    return Html("\n".join(sheets))


def _head(title: str) -> Html:
    style = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", _style()),
    )


def _header(heading: Heading) -> Html:
    commands = (
        element("li", element("code", command, class_="command"), " ", element("span", deed, class_="dim"))
        for command, deed in heading.commands
    )
    after = element("h2", "Type next"), element("ul", *commands, class_="commands")
    return element(
        "header",
        element("h1", heading.title),
        *(element("p", line) for line in heading.lines[:1]),
        *(element("p", line, class_="dim") for line in heading.lines[1:]),
        *(element("p", warning, class_="warning") for warning in heading.warnings),
        *(after if heading.commands else ()),
    )


def _choices(kinds: Mapping[str, int]) -> Html:
    """Buttons to see groups of one kind alone; the stylesheet does what they say."""
    if len(kinds) < 2:
        return Html()
    all_ = _choice("every-kind", "all", checked=True)
    each = (_choice(f"only-{kind}", f"{kind} ({count:,})") for kind, count in kinds.items())
    legend = element("legend", "Show groups with")
    return element("fieldset", legend, element("div", all_, *each, class_="choices"), class_="controls")


def _choice(key: str, words: str, *, checked: bool = False) -> Html:
    return element("label", element("input", type="radio", name="kind", id=key, checked=checked), words)


def _row(row: Row, previews: list[Preview | None]) -> str:
    cards = map(_card, row.cards, previews)
    inside = [element("summary", row.title), element("ul", *cards, class_="pictures")]
    if row.rest:
        names = (element("li", _name(name)) for name in row.rest)
        inside.append(element("p", f"and {len(row.rest):,} more:"))
        inside.append(element("ul", *names))
    return element("details", *inside, class_=" ".join(("group", *row.kinds)), open=True) + "\n"


def _card(card: Card, preview: Preview | None) -> Html:
    stays = "keep" if card.stays else "gone"
    lines = [
        Html(f"{element('span', card.role, class_=f'role {stays}')} {escaped(card.why)}"),
        _name(card.name),
        *(Html(f"also named {_name(name)}") for name in card.also),
        element("span", card.facts, class_="dim"),
    ]
    caption = element("figcaption", Html("<br>".join(line for line in lines if line)))
    return element("li", element("figure", _picture(preview), caption, class_=f"picture {stays}"))


def _name(path: str) -> Html:
    """The name of a file, which may go on in the next line behind each folder."""
    return element("bdi", Html("/<wbr>".join(map(escaped, path.split("/")))), class_="name")


def _picture(preview: Preview | None) -> Html:
    if preview is None:
        return element("div", "The index has no picture of it.", class_="missing")
    source = "data:image/webp;base64," + base64.b64encode(preview.data).decode()
    return element("img", src=source, width=preview.width, height=preview.height, alt="", decoding="async")
