"""The commands: parse, tell one story, print, exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from indexer import __version__, report
from indexer.errors import (
    EXIT_DONE,
    EXIT_INCOMPLETE,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    ImgindexError,
    SafetyError,
    UsageError,
)
from indexer.locate import canonical, database_path, require_database
from indexer.moves import MatchRule, MoveReport, Recovered
from indexer.records import IndexReport
from indexer.text import seconds_from

if TYPE_CHECKING:
    from indexer.api import Index

EXITS = """\b
Exit codes:
  0 done   1 failed   2 usage   3 incomplete (something unreadable or left alone)   4 refused for safety
  5 another run is writing   6 database unusable   130 interrupted   143 terminated"""

app = typer.Typer(
    name="imgindex",
    help="Index a growing data set of pictures, find those kept twice, and move the surplus away so that it can be"
    " taken back.",
    epilog=EXITS,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)

Database = Annotated[
    str | None,
    typer.Option("--db", metavar="FILE", help="The index; default: IMGINDEX_DB, else imgindex.db here or above."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Null = Annotated[bool, typer.Option("--null", "-0", help="Paths are separated by NUL characters.")]
Match = Annotated[
    MatchRule,
    typer.Option(
        "--match", help="bytes: the same bytes. hash: equal dHash, which is unverified and finds look-alikes."
    ),
]
Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Only files at or below these.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this, only show what would be done.")]


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> int:
    if version:
        report.print_lines([f"imgindex {__version__}"])
    return EXIT_DONE


@app.command(
    epilog="\b\nExamples:\n  imgindex index photos/\n  imgindex index photos/ --exclude 'thumb*' --json\n"
    "  find photos/ -name '*.jpg' -print0 | imgindex index photos/ --files-from - -0\n\n" + EXITS
)
def index(
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="[DIR]...", help="Folders of pictures; none: all that are indexed.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=0, help="Worker processes; default: one a processor.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Leave out names or paths.")] = None,
    files_from: Annotated[
        str | None, typer.Option(metavar="FILE", help="Look at the files listed here alone; - reads standard input.")
    ] = None,
    null: Null = False,
    all_files: Annotated[bool, typer.Option(help="Look at every file, whatever its name.")] = False,
    retry: Annotated[bool, typer.Option(help="Read files again that were unreadable.")] = False,
    confirm_missing: Annotated[bool, typer.Option(help="Believe that many files are gone.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    db: Database = None,
) -> int:
    """Bring the index up to date: read files that are new or have changed, and nothing else.

    Makes imgindex.db in the current folder when there is no index yet.
    """
    pictures = _opened(database_path(db))
    listed = None if files_from is None else _listed(files_from, null=null)
    with report.progress(wanted=not quiet) as tick:
        found = pictures.update(
            *(folders or _known_folders(pictures, listed)),
            files=listed,
            exclude=exclude or (),
            all_files=all_files,
            retry=retry,
            confirm_missing=confirm_missing,
            jobs=jobs,
            tick=tick,
        )
    _warn_all(report.recovered_text(pictures.recovered))
    _warn_all(report.unreadable_text((*found.unlisted, *found.unreadable_files)))
    if json:
        report.print_json(report.index_json(found))
    elif not quiet:
        report.print_lines(report.index_text(found))
    return _index_exit(found, pictures.recovered)


@app.command(
    epilog="\b\nExamples:\n  imgindex dups\n  imgindex dups photos/cats --match hash\n"
    "  imgindex dups --json | jq .keep\n  imgindex dups -0 | xargs -0 ls -l\n\n" + EXITS
)
def dups(
    paths: Paths = None,
    match: Match = MatchRule.BYTES,
    format: Annotated[str, typer.Option(metavar="table|fdupes", help="How to print groups.")] = "table",  # noqa: A002
    json: Json = False,
    null: Annotated[bool, typer.Option("--null", "-0", help="Print the surplus alone, ended by NULs.")] = False,
    db: Database = None,
) -> int:
    """Show the groups of files that are duplicates, the keeper first. Changes nothing."""
    if format not in {"table", "fdupes"}:
        raise UsageError(f"unknown format {format!r}", "use table or fdupes")
    groups = _opened(require_database(db)).groups(*(paths or ()), match=match)
    if json:
        for group in groups:
            report.print_json(report.group_json(group))
    elif null:
        report.print_nul(report.surplus_paths(groups))
    elif format == "fdupes":
        report.print_lines(report.groups_fdupes(groups))
    else:
        report.print_lines((*report.groups_text(groups), report.totals_text(groups, match)))
    return EXIT_DONE


@app.command(
    epilog="\b\nExamples:\n  imgindex prune                 show what would be moved\n"
    "  imgindex prune --yes           move it\n  imgindex undo                  bring it back\n\n" + EXITS
)
def prune(
    paths: Paths = None,
    match: Match = MatchRule.BYTES,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show the plan, even with --yes.")] = False,
    quarantine: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where the surplus goes; default: beside each indexed folder.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    db: Database = None,
) -> int:
    """Move surplus files into the quarantine. Without --yes, show the plan and change nothing.

    Each file is moved only after it and its keeper were read and compared. Kept is the file with the most pixels, then
    the most bytes, then the oldest, then the first path.
    """
    pictures = _opened(require_database(db))
    plan = pictures.plan(*(paths or ()), match=match)
    if json:
        for group in plan.groups:
            report.print_json(report.group_json(group))
    elif not quiet:
        report.print_lines(report.plan_text(plan))
    if dry_run or not yes:
        if json:
            report.print_json({**report.moves_json(MoveReport(None, (), (), 0.0)), "planned": len(plan.moves)})
        elif plan.moves and not quiet:
            report.print_lines(["Nothing was moved. To move the surplus into the quarantine: --yes"])
        return EXIT_DONE
    with report.progress(wanted=not quiet) as tick:
        done = pictures.carry_out(plan, quarantine=quarantine, tick=tick)
    deed = f"moved to the quarantine as run {done.run_id}; to take it back: imgindex undo {done.run_id}"
    return _told(done, deed if done.run_id else "moved", pictures.recovered, json=json, quiet=quiet)


@app.command(epilog="\b\nExamples:\n  imgindex undo\n  imgindex undo 7\n\n" + EXITS)
def undo(
    run: Annotated[int | None, typer.Argument(metavar="[RUN]", help="Default: the newest prune.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    db: Database = None,
) -> int:
    """Move the files of a prune back to where they were. Nothing is overwritten."""
    pictures = _opened(require_database(db))
    with report.progress(wanted=not quiet) as tick:
        done = pictures.undo(run, tick=tick)
    return _told(done, "moved back", pictures.recovered, json=json, quiet=quiet)


@app.command(
    epilog="\b\nExamples:\n  imgindex purge --older-than 30d\n  imgindex purge --older-than 30d --yes\n\n" + EXITS
)
def purge(
    older_than: Annotated[str, typer.Option(metavar="SPAN", help="Of prunes older than this: 30d, 12h …")] = "30d",
    yes: Yes = False,
    json: Json = False,
    quiet: Quiet = False,
    db: Database = None,
) -> int:
    """Delete quarantined files for good. The only command that deletes; without --yes, it only tells what it would.

    A file stays when no indexed file stands for it any more.
    """
    try:
        span_s = seconds_from(older_than)
    except ValueError as error:
        raise UsageError(str(error)) from error
    pictures = _opened(require_database(db))
    with report.progress(wanted=not quiet) as tick:
        done = pictures.purge(span_s, dry_run=not yes, tick=tick)
    deed = "deleted for good" if yes else "would be deleted for good; to do it: --yes"
    return _told(done, deed, pictures.recovered, json=json, quiet=quiet)


@app.command(epilog="\b\nExamples:\n  imgindex status\n  imgindex status --unreadable\n\n" + EXITS)
def status(
    unreadable: Annotated[bool, typer.Option(help="List the unreadable files, with the reason.")] = False,
    json: Json = False,
    db: Database = None,
) -> int:
    """Say what the index holds. Changes nothing."""
    pictures = _opened(require_database(db))
    if unreadable:
        files = pictures.unreadable()
        if json:
            for file in files:
                report.print_json(report.unreadable_json(file))
        else:
            report.print_lines(report.unreadable_text(files))
        return EXIT_DONE
    found = pictures.status()
    if json:
        report.print_json(report.status_json(found))
    else:
        report.print_lines(report.status_text(found))
    return EXIT_DONE


@app.command(epilog="\b\nExamples:\n  imgindex history\n  imgindex history --limit 100 --json\n\n" + EXITS)
def history(
    limit: Annotated[int, typer.Option(min=1, help="How many runs, newest first.")] = 20,
    json: Json = False,
    db: Database = None,
) -> int:
    """Say what was done, newest first. Changes nothing."""
    runs = _opened(require_database(db)).history(limit)
    if json:
        for run in runs:
            report.print_json(report.run_json(run))
    else:
        report.print_lines(report.history_text(runs))
    return EXIT_DONE


@app.command(epilog="\b\nExamples:\n  imgindex demo demo-pictures\n\n" + EXITS)
def demo(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A new folder.")],
    db: Database = None,
) -> int:
    """Draw 1,000 pictures, 7 of them duplicates, into a new folder, and show index, dups and prune on them."""
    from indexer.demo import draw_into  # noqa: PLC0415 - nothing else draws

    if os.path.exists(database_path(db)):
        raise UsageError(
            f"there is an index already: {report.named(database_path(db))}",
            "run the demo in another folder, or give it an index of its own: --db demo.db",
        )
    with report.progress() as tick:
        draw_into(canonical(folder), tick)
    place, option = report.named(canonical(folder)), f" --db {report.named(database_path(db))}" if db else ""
    for command, answer in (
        (f"imgindex index {place}{option}", lambda: index([folder], db=db)),
        (f"imgindex dups --match hash{option}", lambda: dups(match=MatchRule.HASH, db=db)),
        (f"imgindex prune --match hash{option}", lambda: prune(match=MatchRule.HASH, db=db)),
    ):
        report.print_lines(["", f"$ {command}"])
        answer()
    report.print_lines(["", "Type next:", f"  imgindex prune --match hash --yes{option}", f"  imgindex undo{option}"])
    return EXIT_DONE


def run(arguments: list[str]) -> int:
    """Runs a command and gives its exit code; the only place where errors become messages."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code: Any = app(arguments, standalone_mode=False)
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - what is not ours is raised again
        return _failed(error)
    except KeyboardInterrupt as stop:
        report.warn("stopped; what was finished is stored, and the next run goes on from there")
        return EXIT_TERMINATED if isinstance(stop, _TerminatedError) else EXIT_INTERRUPTED
    return code if isinstance(code, int) else EXIT_DONE


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM: stops a run as an interrupt does."""


def _terminate(_signal: int, _frame: object) -> None:
    raise _TerminatedError


def _failed(error: Exception) -> int:
    """Tells what went wrong, and gives the exit code."""
    match error:
        case ImgindexError():
            report.warn(f"imgindex: {error.message}")
            if error.hint:
                report.warn(f"  {error.hint}")
            return error.exit_code
        case TyperException():
            error.show()  # type: ignore[attr-defined]
            return UsageError.exit_code
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        case OSError():  # of a standard stream: what concerns files is a value or an error of ours by now
            report.warn(f"imgindex: cannot go on: {error.strerror or error}")
            return ImgindexError.exit_code
    raise error


def _opened(path: str) -> Index:
    """The index at a path. Decoders begin to load in the background when it is new, since all of it will be read."""
    if not os.path.exists(path):
        from indexer.executors import load_decoders  # noqa: PLC0415

        load_decoders()
    from indexer.api import Index  # noqa: PLC0415 - SQLAlchemy takes 0.3 s to import

    return Index(path)


def _listed(source: str, *, null: bool) -> list[bytes]:
    """The paths in a list of files."""
    try:
        if source == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(source, "rb") as stream:
                data = stream.read()
    except OSError as error:
        raise UsageError(f"cannot read the list '{report.named(source)}': {error.strerror}") from error
    return [line for line in data.split(b"\0" if null else b"\n") if line]


def _known_folders(pictures: Index, listed: list[bytes] | None) -> list[str]:
    """The folders to index when none was named: the current one for listed files, else all that are indexed."""
    if listed is not None:
        return ["."]
    return [root.path for root in pictures.status().roots] if os.path.exists(pictures.path) else []


def _index_exit(found: IndexReport, recovered: Recovered) -> int:
    if found.refused:
        _failed(
            SafetyError(
                f"{'; '.join(found.refused)}: they stay in the index",
                "mount what is missing; if they are really gone: imgindex index --confirm-missing",
            )
        )
        return SafetyError.exit_code
    return EXIT_INCOMPLETE if found.unreadable or found.unlisted or recovered.missing else EXIT_DONE


def _told(done: MoveReport, deed: str, recovered: Recovered, *, json: bool, quiet: bool) -> int:
    """Prints what was moved and what was not, and gives the exit code."""
    _warn_all(report.recovered_text(recovered))
    _warn_all(f"left alone: {report.named(refused.path)}: {refused.reason}" for refused in done.refused)
    if json:
        report.print_json(report.moves_json(done))
    elif not quiet:
        report.print_lines([report.moves_text(done, deed)])
    return EXIT_INCOMPLETE if done.refused or recovered.missing else EXIT_DONE


def _warn_all(lines: Iterable[str]) -> None:
    for line in lines:
        report.warn(line)
