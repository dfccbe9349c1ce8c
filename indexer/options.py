"""What commands share: the options they have in common, and how they open the index and warn."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer import output, report, showing
from indexer.errors import EXIT_DONE, EXIT_INCOMPLETE, SafetyError, UsageError
from indexer.groups import PRUNED, VERIFIED, MatchRule
from indexer.moves import MoveReport, Recovered
from indexer.plans import KeepKey
from indexer.records import IndexReport
from indexer.text import bytes_from

if TYPE_CHECKING:
    from indexer.api import Index

EXITS = """\b
Exit codes:
  0 done   1 failed   2 usage   3 incomplete (something unreadable or left alone)   4 refused for safety
  5 another run is writing   6 database unusable   10 leaks, or known pictures, were found
  129 hung up   130 interrupted   143 terminated"""

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
Keep = Annotated[
    str | None,
    typer.Option(
        "--keep",
        metavar="RULE,…",
        help=f"Which file stays, by the first rule in which they differ: {', '.join(KeepKey)}; a dash before one inverts"
        " it (-bytes: the smallest). Default: pixels,bytes,oldest.",
    ),
]
Prefer = Annotated[
    list[str] | None,
    typer.Option(
        "--prefer", metavar="DIR|GLOB", help="Keep the copy that lies here; repeated, the first that has one counts."
    ),
]
Protect = Annotated[
    list[str] | None,
    typer.Option("--protect", metavar="DIR|GLOB", help="Never prune what lies here; it may stand for others."),
]
OnlyIfIn = Annotated[
    list[str] | None, typer.Option("--only-if-in", metavar="DIR", help="Prune only what has its kept copy here.")
]
Within = Annotated[
    list[str] | None,
    typer.Option("--within", metavar="DIR", help="Look for copies within this folder alone; may be repeated."),
]
Across = Annotated[
    tuple[str, str] | None,
    typer.Option("--across", metavar="DIR DIR", help="Only copies that lie in both folders, one in each."),
]
ClassFolders = Annotated[
    bool | None,
    typer.Option(
        "--class-folders/--no-class-folders",
        help="Every folder is a class, or none is; default: those whose names look like it (cat/, but not scrape-3/).",
    ),
]
Isolated = Annotated[bool, typer.Option("--isolated", help="Ignore imgindex.toml and pyproject.toml beside the index.")]
Paths = Annotated[list[str] | None, typer.Argument(metavar="PATH", help="Only files at or below these.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="While another run writes to the index, wait for it; without this, exit code 5.")
]
MaxFiles = Annotated[
    int | None, typer.Option("--max-files", min=0, metavar="N", help="Move nothing when the plan has more files.")
]
MaxShare = Annotated[
    float | None,
    typer.Option(
        "--max-share",
        min=0,
        max=1,
        metavar="X",
        help="Move nothing when the plan takes a larger share of a folder that was indexed; default: 0.5.",
    ),
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", min=0, max=1024, metavar="N", help="Worker processes; default: one a processor.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only show the plan, even with --yes.")]
Quarantine = Annotated[
    str | None,
    typer.Option("--quarantine", metavar="DIR", help="Where the surplus goes; default: beside each indexed folder."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this, only show what would be done.")]


def opened(path: str, *, wait: bool = False) -> Index:
    """The index at a path. Decoders begin to load in the background when it is new, since all of it will be read.

    Args:
        path: Absolute.
        wait: Writing waits while another run writes, and says so; otherwise that is an error.
    """
    if not os.path.exists(path):
        from indexer.executors import load_decoders  # noqa: PLC0415

        load_decoders()
    from indexer.api import Index  # noqa: PLC0415 - SQLAlchemy takes 0.3 s to import

    return Index(path, waiting=_waits if wait else None)


def _waits(who: str) -> None:
    output.warn(f"{who}; waiting until it has finished")


def size_from(text: str) -> int:
    """The bytes in a size that was typed.

    Raises:
        UsageError: When it is none.
    """
    try:
        return bytes_from(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def listed(text: str | None, what: str) -> list[str] | None:
    """The words in a list separated by commas; None for none given.

    Args:
        text: The list.
        what: One of them is.

    Raises:
        UsageError: When there is no word in it.
    """
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise UsageError(f"unknown {what} {text!r}", "see --help")
    return words


def paths_in(source: str, *, null: bool) -> list[bytes]:
    """The paths in a list of files, whose lines may end as on Windows: where no such file is, the carriage return goes.

    Args:
        source: The list; - for standard input.
        null: They are ended by NULs instead of line ends.

    Raises:
        UsageError: When it cannot be read.
    """
    try:
        if source == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(source, "rb") as stream:
                data = stream.read()
    except OSError as error:
        raise UsageError(f"cannot read the list '{output.named(source)}': {error.strerror}") from error
    if b"\0" in data and not null:
        raise UsageError("the list of files has NUL characters", "if they separate the names, add -0")
    lines = data.split(b"\0" if null else b"\n")
    return [path for line in lines if (path := line if null or os.path.lexists(line) else line.removesuffix(b"\r"))]


def warn_all(lines: Iterable[str]) -> None:
    """Lines on standard error."""
    for line in lines:
        output.warn(line)


def told(done: MoveReport, deed: str, recovered: Recovered, *, json: bool, quiet: bool) -> int:
    """Prints what was done and what was not, and gives the exit code."""
    warn_all(showing.recovered_text(recovered))
    warn_all(showing.refused_text(done.refused))
    if json:
        output.print_json(showing.moves_json(done))
    elif not quiet:
        output.print_lines(showing.moves_text(done, deed))
    ambiguous = any(update.ambiguous for update in done.updated)
    return EXIT_INCOMPLETE if done.refused or ambiguous or recovered.missing else EXIT_DONE


def told_index(found: IndexReport, recovered: Recovered, *, json: bool, quiet: bool) -> None:
    """Prints what an index run found and what it could not read."""
    warn_all(showing.recovered_text(recovered))
    warn_all(found.notes)
    warn_all(report.unreadable_text((*found.unlisted, *found.unreadable_files)))
    if json:
        output.print_json(report.index_json(found))
    elif not quiet:
        output.print_lines(report.index_text(found))
    output.flush()


def refuse_disbelieved(found: IndexReport) -> None:
    """Refuses to go on when an index run did not believe that files are gone.

    Raises:
        SafetyError: When it did not.
    """
    if found.refused:
        raise SafetyError(
            f"{'; '.join(found.refused)}: they stay in the index",
            "mount what is missing; if they are really gone: imgindex index --confirm-missing",
        )


@dataclass(frozen=True, slots=True)
class Typed:
    """The words of a command line."""

    groups: tuple[str, ...]
    """That ask for some groups."""
    index: tuple[str, ...]
    """That name the index."""


def typed(paths: Iterable[str] | None, wishes: Mapping[str, Any], db: str | None) -> Typed:
    """The words of a command line that ask for the same groups of the same index."""
    named = ((f"--{name.replace('_', '-')}", value) for name, value in wishes.items())
    words = chain.from_iterable(_option(name, value) for name, value in named)
    return Typed((*(paths or ()), *words), index_words(db))


def index_words(db: str | None) -> tuple[str, ...]:
    """The words of a command line that name the index."""
    return ("--db", db) if db else ()


def _option(name: str, value: Any) -> list[str]:
    """An option as it is typed; nothing for one that was not given."""
    if value is None or value is False or value == MatchRule.VERIFIED:
        return []
    if value is True:
        return [name]
    if isinstance(value, str):
        return [name, value]
    if name in {"--kinds", "--keep"}:
        return [f"{name}={','.join(value)}"]
    if name == "--across":
        return [name, *value] if value else []
    return [word for one in value for word in (name, one)]
