"""The commands about what should never be in the data set: reject it, and look after what was rejected."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from indexer import output, report
from indexer.errors import EXIT_DONE, UsageError
from indexer.locate import database_path, require_database
from indexer.options import (
    EXITS,
    Database,
    DryRun,
    Isolated,
    Json,
    MaxFiles,
    MaxShare,
    Null,
    Protect,
    Quarantine,
    Quiet,
    Wait,
    Yes,
    opened,
    paths_in,
)
from indexer.settling import settled
from indexer.text import count_text

rejected = typer.Typer(
    help="Look after what was rejected, and is recognised when it comes back.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


def reject(
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE…", help="Indexed pictures.")] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in one line; it is remembered.")] = "",
    files_from: Annotated[
        str | None, typer.Option(metavar="LIST", help="Take the paths from a file; - reads standard input.")
    ] = None,
    null: Null = False,
    protect: Protect = None,
    update: Annotated[
        list[str] | None,
        typer.Option("--update", metavar="FILE", help="Drop the rows of these pictures from annotation files."),
    ] = None,
    max_files: MaxFiles = None,
    max_share: MaxShare = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    quarantine: Quarantine = None,
    isolated: Isolated = False,
    json: Json = False,
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Move pictures that should never be in the data set into the quarantine, and recognise them when they come back.

    All files of the same bytes go, with their captions and labels. Files that show the same picture in another encoding are
    then returned ones: imgindex prune --returned. imgindex undo brings everything back. Without --yes, nothing is changed.
    """
    if bool(files) == (files_from is not None):
        raise UsageError("name pictures, or a list of them", "imgindex reject FILE… --reason TEXT; see --help")
    names: list[str] = files or [os.fsdecode(path) for path in paths_in(str(files_from), null=null)]
    pictures = opened(require_database(db), wait=wait)
    code = settled(
        pictures,
        pictures.plan_rejection(*names, reason=reason, protect=protect or (), isolated=isolated),
        update=update,
        max_files=max_files,
        max_share=max_share,
        quarantine=quarantine,
        yes=yes and not dry_run,
        isolated=isolated,
        json=json,
        quiet=quiet,
    )
    if yes and not (dry_run or json or quiet):
        output.print_lines(report.returned_text(pictures.returned()))
    return code


@rejected.command(
    "list", epilog="\b\nExamples:\n  imgindex rejected list\n  imgindex rejected list --json | jq .reason\n\n" + EXITS
)
def list_rejected(json: Json = False, db: Database = None) -> int:
    """List what was rejected: when, the pixels, where it was, why, and whether its file is in the quarantine."""
    found = opened(require_database(db)).rejected()
    if json:
        for one in found:
            output.print_json(report.rejected_json(one))
    else:
        output.print_lines(map(report.rejected_text, found))
        output.print_lines([report.rejected_totals(found)])
    return EXIT_DONE


@rejected.command(
    "forget",
    epilog="\b\nExamples:\n  imgindex rejected forget photos/cat.jpg\n  imgindex rejected forget 7c4dd84c…\n\n" + EXITS,
)
def forget(
    named: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|DIGEST…",
            help="A file that was rejected, or shows what was; or a SHA-256 from `rejected list`.",
        ),
    ],
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Take back that pictures are rejected. No file moves: imgindex undo brings those in the quarantine back."""
    count = opened(require_database(db), wait=wait).forget_rejected(*named)
    if not quiet:
        output.print_lines([f"{count_text(count, 'picture')} no longer rejected."])
    return EXIT_DONE


@rejected.command(
    "export",
    epilog="\b\nExamples:\n  imgindex rejected export rejected.jsonl\n  imgindex rejected export -\n\n" + EXITS,
)
def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file; - for standard output.")],
    db: Database = None,
) -> int:
    """Write what was rejected, with fingerprints and thumbnails, so that another index recognises it."""
    output.write_lines(file, opened(require_database(db)).rejected_json())
    return EXIT_DONE


@rejected.command(
    "import", epilog="\b\nExamples:\n  imgindex rejected import rejected.jsonl\n  imgindex prune --returned\n\n" + EXITS
)
def take_in(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What export wrote; - reads standard input.")],
    json: Json = False,
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Reject what another index rejected, and compare it with what is indexed here. No file moves.

    Without its file, a re-encoding is recognised by the thumbnail alone: prune --returned lists it, and takes it with
    --unconfirmed.
    """
    pictures = opened(database_path(db), wait=wait)
    with output.progress(wanted=not quiet) as tick:
        found = pictures.import_rejected(output.read_lines(file), tick=tick)
    if json:
        output.print_json(report.taken_in_json(found))
    elif not quiet:
        output.print_lines([report.taken_in_text(found), *report.returned_text(pictures.returned())])
    return EXIT_DONE
