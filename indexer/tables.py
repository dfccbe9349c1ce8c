"""What scrapes brought as parts of a page: tables, and a bar for each run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from indexer.brought import Brought, Scrape, ScrapeReport, Tally
from indexer.markup import Html, element
from indexer.output import named
from indexer.tallies import OUTCOMES, came, share
from indexer.text import bytes_text, count_text, printable, time_text

MOST_FOLDERS = 200
"""Rows of a table of folders."""
MOST_BARS = 100
"""Runs in a trend; earlier ones are left out."""
BAR = 400
"""The width of the longest bar, in pixels."""
_SHADES = {
    "fresh": (Brought.NEW, Brought.BETTER),
    "known": (
        *(Brought.BYTES, Brought.SAME, Brought.RECOLOURED, Brought.FLIPPED, Brought.ROTATED),
        *(Brought.EDITED, Brought.SEEN),
    ),
    "wrong": (Brought.RETURNED, Brought.UNREADABLE),
}
"""What has one colour in a bar."""
_LEGEND = "Each bar: new and better pictures, then known ones, then returned ones and unreadable files."


def report_tables(report: ScrapeReport, scrapes: Sequence[Scrape]) -> Html:
    """The totals, the sources where they are fewer than the folders, the folders, and the trend.

    Args:
        report: Of the runs that the page is about.
        scrapes: All there are, oldest first.
    """
    parts = []
    if report.totals.count:
        parts.append(_section("What came", _totals(report.totals)))
        if len(report.sources) < len(report.folders):
            parts.append(_section("Source by source", *_places(report, report.sources, "source")))
        parts.append(_section("Folder by folder", *_places(report, report.folders, "folder")))
    if len(scrapes) > 1:
        parts.append(_section("Run by run", element("p", _LEGEND, class_="dim"), _trend(report, scrapes[-MOST_BARS:])))
    return Html("".join(parts))


def _section(title: str, *inside: Html) -> Html:
    return element("section", element("h2", title), *inside)


def _totals(totals: Tally) -> Html:
    rows = (
        (
            _head(str(outcome), scope="row"),
            _number(f"{totals.files[outcome]:,}"),
            _number(share(totals.files[outcome], totals.count)),
            _number(bytes_text(totals.bytes[outcome])),
            element("td", OUTCOMES[outcome], class_="dim"),
        )
        for outcome in came(totals.files)
    )
    return _table("What came", ("outcome", "files", "share", "bytes", "what it is"), rows)


def _places(report: ScrapeReport, tallies: Sequence[Tally], noun: str) -> list[Html]:
    columns = came(report.totals.files)
    rows = (
        (
            _head(element("bdi", named(tally.path), class_="name"), scope="row"),
            _number(f"{tally.count:,}"),
            *(_number(f"{tally.files[outcome]:,}") for outcome in columns),
        )
        for tally in tallies[:MOST_FOLDERS]
    )
    left = len(tallies) - MOST_FOLDERS
    more = [element("p", f"and {count_text(left, noun)} more", class_="dim")] if left > 0 else []
    return [_table(f"{noun.title()} by {noun}", (noun, "files", *map(str, columns)), rows), *more]


def _trend(report: ScrapeReport, scrapes: Sequence[Scrape]) -> Html:
    most, meant = max(1, *(one.count for one in scrapes)), {one.run_id for one in report.scrapes}
    rows = (
        (
            _head(str(one.run_id), scope="row"),
            element("td", time_text(one.started_ns)),
            element("td", element("bdi", printable(one.label or "")), *([" ", _here()] if one.run_id in meant else [])),
            _number(f"{one.count:,}" if one.remembered else "?"),
            _number(f"{one.files[Brought.NEW]:,}" if one.remembered else "?"),
            element("td", _bar(one, most)),
        )
        for one in scrapes
    )
    return _table("Run by run", ("run", "started", "label", "files", "new", "share of the largest"), rows)


def _here() -> Html:
    return element("span", "this page", class_="role")


def _bar(one: Scrape, most: int) -> Html:
    """A bar whose parts are as long as there are files of their kind; the table has the numbers."""
    parts, left = [], 0.0
    for shade, outcomes in _SHADES.items():
        width = BAR * sum(one.files[outcome] for outcome in outcomes) / most
        if width:
            parts.append(element("rect", x=f"{left:.2f}", y="0", width=f"{width:.2f}", height="12", class_=shade))
        left += width
    return element("svg", *parts, viewBox=f"0 0 {BAR} 12", class_="bar", aria_hidden="true")


def _table(title: str, heads: Iterable[str], rows: Iterable[Iterable[Html]]) -> Html:
    top = element("thead", element("tr", *(_head(head, scope="col") for head in heads)))
    table = element("table", top, element("tbody", *(element("tr", *row) for row in rows)))
    return element("div", table, class_="wide", tabindex=0, role="region", aria_label=title)


def _head(words: str, *, scope: str) -> Html:
    return element("th", words, scope=scope)


def _number(words: str) -> Html:
    return element("td", words, class_="number")
