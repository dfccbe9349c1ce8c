"""What commands share: the options they have in common, and how they open the index and warn."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from indexer import report
from indexer.errors import UsageError
from indexer.groups import PRUNED, VERIFIED, Kind, MatchRule

if TYPE_CHECKING:
    from indexer.api import Index

EXITS = """\b
Exit codes:
  0 done   1 failed   2 usage   3 incomplete (something unreadable or left alone)   4 refused for safety
  5 another run is writing   6 database unusable   130 interrupted   143 terminated"""

Database = Annotated[
    str | None,
    typer.Option("--db", metavar="FILE", help="The index; default: IMGINDEX_DB, else imgindex.db here or above."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Null = Annotated[bool, typer.Option("--null", "-0", help="Paths are separated by NUL characters.")]
Match = Annotated[
    MatchRule,
    typer.Option(
        "--match",
        help="verified: pictures that were compared. bytes: the same bytes. hash: equal dHash, which is unverified and"
        " finds look-alikes.",
    ),
]
Kinds = Annotated[
    str | None,
    typer.Option(
        "--kinds",
        metavar="KIND,…",
        help=f"Of the verified matches, take {', '.join(VERIFIED)}; default: {','.join(PRUNED)}.",
    ),
]
Unconfirmed = Annotated[
    bool,
    typer.Option("--unconfirmed", help="Also take matches that rest on thumbnails alone, as a file could not be read."),
]
Paths = Annotated[list[str] | None, typer.Argument(metavar="PATH", help="Only files at or below these.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this, only show what would be done.")]


def opened(path: str) -> Index:
    """The index at a path. Decoders begin to load in the background when it is new, since all of it will be read."""
    if not os.path.exists(path):
        from indexer.executors import load_decoders  # noqa: PLC0415

        load_decoders()
    from indexer.api import Index  # noqa: PLC0415 - SQLAlchemy takes 0.3 s to import

    return Index(path)


def kinds_of(text: str | None, match: MatchRule) -> tuple[Kind, ...]:
    """The kinds in a list separated by commas.

    Raises:
        UsageError: When one is unknown, or the rule is one that has no kinds.
    """
    if text is None:
        return PRUNED
    if match is not MatchRule.VERIFIED:
        raise UsageError(f"--match {match} has no kinds", "leave out --kinds, or --match")
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(names) - set(VERIFIED))
    if unknown or not names:
        raise UsageError(f"unknown kind {', '.join(unknown) or text!r}", f"use some of {','.join(VERIFIED)}")
    return tuple(kind for kind in VERIFIED if kind in names)


def warn_all(lines: Iterable[str]) -> None:
    """Lines on standard error."""
    for line in lines:
        report.warn(line)
