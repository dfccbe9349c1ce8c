"""The command about scrapes: what each brought, as a table, as JSON, as a page, and run by run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from indexer import output, tallies
from indexer.brought import LAST, Brought, ScrapeReport, Tally
from indexer.errors import EXIT_DONE, UsageError
from indexer.locate import require_database
from indexer.options import Database, Json, index_words, listed, opened

if TYPE_CHECKING:
    from indexer.api import Index


ROWS = 20
"""Sources or folders that a table shows, unless more are asked for."""


class By(StrEnum):
    """What a report counts by."""

    SOURCE = "source"
    FOLDER = "folder"


def report(
    which: Annotated[
        str,
        typer.Argument(metavar="RUN|last|A..B", help="A run's number or label, the last one, or those from A to B."),
    ] = LAST,
    by: Annotated[
        By | None,
        typer.Option(help="Count by the first folder below the root (source, the default), or by each file's folder."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many sources or folders to show; default: 20.")
    ] = None,
    files: Annotated[bool, typer.Option("--files", help="List the files, with what each is known as.")] = False,
    only: Annotated[
        str | None,
        typer.Option(metavar="OUTCOME,…", help=f"With --files, those of some outcomes: {', '.join(Brought)}."),
    ] = None,
    trend: Annotated[bool, typer.Option("--trend", help="Show what each run brought, one a line.")] = False,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the report as a page with pictures; - prints it.")
    ] = None,
    json: Json = False,
    db: Database = None,
) -> int:
    """Say what a run of index brought: new pictures, copies, better versions and so on. Changes nothing.

    A run is known by its number (imgindex history) or by the label that index --label gave it.
    """
    _refuse_mixed(which, files=files, trend=trend, html=html, json=json, only=only)
    if (by or limit) and (files or trend or html is not None):
        raise UsageError("--by and --limit are about the table", "leave them out, or --files, --trend and --html")
    if limit and json:
        raise UsageError("--json gives all lines", "leave out --limit")
    pictures = opened(require_database(db))
    if trend:
        return _tell_trend(pictures, json=json)
    if files:
        return _tell_files(pictures, which, _outcomes(only), json=json)
    found = pictures.report(which)
    if html is not None:
        return _write_page(pictures, html, which, found, db)
    chosen = by or By.SOURCE
    tallied = found.sources if chosen is By.SOURCE else found.folders
    if json:
        return _tell_json(found, tallied, chosen)
    output.print_lines(tallies.report_text(found, tallied, chosen, limit or ROWS))
    return EXIT_DONE


def _refuse_mixed(which: str, *, files: bool, trend: bool, html: str | None, json: bool, only: str | None) -> None:
    """Refuses what would be passed over in silence."""
    if sum((files, trend, html is not None)) > 1:
        raise UsageError("--files, --trend and --html are three reports", "ask for one of them")
    if json and html is not None:
        raise UsageError("--html writes a page, --json lines", "ask for one of them")
    if only is not None and not files:
        raise UsageError("--only chooses among files", "imgindex report --files --only new,better")
    if trend and which != LAST:
        raise UsageError("--trend shows all runs", f"leave out {output.named(which)}, or --trend")


def _outcomes(only: str | None) -> list[Brought]:
    words = listed(only, "outcome") or []
    unknown = [word for word in words if word not in set(Brought)]
    if unknown:
        raise UsageError(f"unknown outcome {unknown[0]!r}", f"there are {', '.join(Brought)}")
    return [Brought(word) for word in words]


def _tell_trend(pictures: Index, *, json: bool) -> int:
    found = pictures.scrapes()
    if json:
        for one in found:
            output.print_json(tallies.scrape_json(one))
    else:
        output.print_lines(tallies.trend_text(found))
    return EXIT_DONE


def _tell_files(pictures: Index, which: str, only: Sequence[Brought], *, json: bool) -> int:
    for arrival in pictures.arrivals(which, only=only):
        if json:
            output.print_json(tallies.arrival_json(arrival))
        else:
            output.print_lines([tallies.arrival_text(arrival)])
    return EXIT_DONE


def _tell_json(found: ScrapeReport, tallied: Sequence[Tally], by: By) -> int:
    for line in tallies.report_json(found, tallied, by):
        output.print_json(line)
    return EXIT_DONE


def _write_page(pictures: Index, target: str, which: str, found: ScrapeReport, db: str | None) -> int:
    from indexer import looking  # noqa: PLC0415 - what nothing else here needs

    looking.write_report(pictures, target, found, (which, *index_words(db)), time.time_ns())
    if target != "-":
        output.warn(f"Written to {output.named(target)}")
    return EXIT_DONE
