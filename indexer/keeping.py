"""The commands about the quarantine: bring back, look, verify, delete for good."""

from __future__ import annotations

from typing import Annotated

import typer

from indexer import output, showing
from indexer.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from indexer.locate import canonical, require_database
from indexer.moves import Recovered
from indexer.options import EXITS, Database, Json, Null, Quiet, Wait, Yes, opened, size_from, told, warn_all
from indexer.text import count_text, seconds_from

quarantine = typer.Typer(help="Look at what lies in the quarantine.", rich_markup_mode=None, no_args_is_help=True)
OfRun = Annotated[int | None, typer.Option("--run", max=1 << 62, metavar="RUN", help="Only what this run moved.")]


def undo(
    run: Annotated[int | None, typer.Argument(max=1 << 62, metavar="RUN", help="Default: the newest prune.")] = None,
    from_manifest: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Without the database: a quarantine, or a folder in it with a manifest."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Bring the files of a prune back to what and where they were, captions and annotation files too.

    Nothing is overwritten: where another file lies by now, it stays, and the pruned one stays in the quarantine.
    """
    if from_manifest is not None:
        if run is not None:
            raise UsageError("a manifest knows no runs", "name the folder of that run in the quarantine")
        from indexer.undo import undo_from_manifest  # noqa: PLC0415 - SQLAlchemy takes 0.3 s to import

        with output.progress(wanted=not quiet) as tick:
            done = undo_from_manifest(canonical(from_manifest), tick)
        return told(done, "brought back", Recovered(), json=json, quiet=quiet)
    pictures = opened(require_database(db), wait=wait)
    with output.progress(wanted=not quiet) as tick:
        done = pictures.undo(run, tick=tick)
    return told(done, "brought back", pictures.recovered, json=json, quiet=quiet)


def purge(
    older_than: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Only of prunes older than this: 30d, 12h …  Default: 30d.")
    ] = None,
    keep_bytes: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="The oldest first, and only until no more than this is left: 500MB, 10GB …"),
    ] = None,
    yes: Yes = False,
    json: Json = False,
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Delete quarantined files for good. The only command that deletes; without --yes, it only tells what it would.

    A file stays when no indexed file stands for it any more, unless it was rejected. With --keep-bytes alone, age does not
    count.
    """
    span = older_than or ("0s" if keep_bytes else "30d")
    try:
        span_s, left = seconds_from(span), size_from(keep_bytes) if keep_bytes else 0
    except ValueError as error:
        raise UsageError(str(error)) from error
    pictures = opened(require_database(db), wait=wait)
    with output.progress(wanted=not quiet) as tick:
        done = pictures.purge(span_s, keep_bytes=left, dry_run=not yes, tick=tick)
    deed = "deleted for good" if yes else "would be deleted for good; to do it, add --yes"
    if not (done.moved or done.refused or json or quiet):
        beyond = f" beyond {keep_bytes}" if keep_bytes else f" older than {span}"
        output.print_lines([f"Nothing in the quarantine is{beyond}."])
        return EXIT_DONE
    return told(done, deed, pictures.recovered, json=json, quiet=quiet)


@quarantine.command(
    "list", epilog="\b\nExamples:\n  imgindex quarantine list\n  imgindex quarantine list --run 7 --json\n\n" + EXITS
)
def list_files(run: OfRun = None, json: Json = False, null: Null = False, db: Database = None) -> int:
    """List what lies in the quarantine, the oldest first. Changes nothing.

    With -0, only where the files lie now, ended by NULs.
    """
    found = opened(require_database(db)).quarantined(run)
    if json:
        for one in found:
            output.print_json(showing.quarantined_json(one))
    elif null:
        output.print_nul(output.raw(one.entry.payload_path) for one in found)
    else:
        output.print_lines(map(showing.quarantined_text, found))
        output.print_lines([showing.quarantine_totals(found)])
    return EXIT_DONE


@quarantine.command("verify", epilog="\b\nExamples:\n  imgindex quarantine verify\n\n" + EXITS)
def verify(json: Json = False, quiet: Quiet = False, db: Database = None) -> int:
    """Read every file in the quarantine and say what is altered, missing or unknown; then the exit code is 3."""
    with output.progress(wanted=not quiet) as tick:
        number, problems = opened(require_database(db)).verify_quarantine(tick=tick)
    if json:
        told_problems = [{"path": output.shown(one.path), "reason": one.reason} for one in problems]
        output.print_json({"files": number, "problems": told_problems})
    else:
        warn_all(f"{output.named(one.path)} {one.reason}" for one in problems)
        if not quiet:
            state = f"{count_text(len(problems), 'problem')} found" if problems else "all as they were"
            output.print_lines([f"{count_text(number, 'file')} in the quarantine, {state}."])
    return EXIT_INCOMPLETE if problems else EXIT_DONE
