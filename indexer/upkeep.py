"""The commands about the index itself: look whether all is well, make a copy."""

from __future__ import annotations

import dataclasses
import os
from typing import Annotated

import typer

from indexer import output, report
from indexer.errors import EXIT_DONE, EXIT_INCOMPLETE, DatabaseError
from indexer.locate import database_path, require_database
from indexer.options import EXITS, Database, Json, Quiet, Wait, opened
from indexer.records import Health
from indexer.text import bytes_text, count_text

root = typer.Typer(
    help="Look after the folders that were indexed: where they are, and which.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
_EXITS = {Health.WARNING: EXIT_INCOMPLETE, Health.DAMAGED: DatabaseError.exit_code}


def doctor(json: Json = False, db: Database = None) -> int:
    """Say whether all is well, and what to do where it is not: versions, index, folders, quarantine. Changes nothing.

    The exit code is 3 when there is something to do, and 6 when the index is damaged.
    """
    found = opened(database_path(db)).examine()
    if json:
        for finding in found:
            output.print_json(report.finding_json(finding))
    else:
        output.print_lines(report.findings_text(found))
    codes = [_EXITS.get(finding.health, EXIT_DONE) for finding in found]
    return max(codes)


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file.")],
    quiet: Quiet = False,
    db: Database = None,
) -> int:
    """Write a copy of the index, compared with it, also while a run writes to it.

    To use it, put it where the index was: folders beside the index are stored relative to it. Pictures are not in it.
    """
    with output.progress(wanted=not quiet) as tick:
        size = opened(require_database(db)).backup(file, tick=tick)
    if not quiet:
        output.print_lines([f"{output.named(file)}: {bytes_text(size)}, compared with the index."])
    return EXIT_DONE


def merge(
    other: Annotated[str, typer.Argument(metavar="OTHER.db", help="Another index; nothing in it changes.")],
    json: Json = False,
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Take in what another index knows of pictures, and what was decided there, as of one made on another machine.

    Its files stay its own: check knows what they show, and files of the same bytes are not decoded here any more. The exit
    code is 3 when contents were left out, as another version of imgindex fingerprinted them.
    """
    with output.progress(wanted=not quiet) as tick:
        found = opened(database_path(db), wait=wait).merge(other, tick=tick)
    if json:
        output.print_json(dataclasses.asdict(found))
    elif not quiet:
        output.print_lines([report.merged_text(found)])
    if found.left_out:
        output.warn(
            f"{count_text(found.left_out, 'content')} left out: another version of imgindex made them, or damaged"
        )
    return EXIT_INCOMPLETE if found.left_out else EXIT_DONE


@root.command("list", epilog="\b\nExamples:\n  imgindex root list\n  imgindex root list --json\n\n" + EXITS)
def list_roots(json: Json = False, db: Database = None) -> int:
    """List the folders that were indexed, with their files; say which are missing. Changes nothing."""
    for found in opened(require_database(db)).status().roots:
        there = os.path.isdir(found.path)
        if json:
            output.print_json({**report.root_json(found), "there": there})
        else:
            output.print_lines([report.root_text(found) + ("" if there else "  (missing)")])
    return EXIT_DONE


@root.command(
    "move", epilog="\b\nExamples:\n  mv photos /data/photos && imgindex root move photos /data/photos\n\n" + EXITS
)
def move_root(
    old: Annotated[str, typer.Argument(metavar="OLD", help="An indexed folder, as `imgindex root list` names it.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Where it is now.")],
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Tell the index where a folder went, with all that is known of its files. Moves no file, and reads none.

    What is in quarantine can be brought back as before. The new folder must hold the files, by name and size.
    """
    opened(require_database(db), wait=wait).move_root(old, new)
    if not quiet:
        output.print_lines([f"{output.named(new)} is known as {output.named(old)} was."])
    return EXIT_DONE


@root.command("forget", epilog="\b\nExamples:\n  imgindex root forget old-scrape/\n\n" + EXITS)
def forget_root(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="An indexed folder; it need not be there any more.")],
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Take a folder and its files out of the index. Touches no file; what the files showed stays known to check.

    Refused while files of it are in the quarantine, since undo could not bring them back.
    """
    count = opened(require_database(db), wait=wait).forget_root(folder)
    if not quiet:
        output.print_lines([f"{output.named(folder)} and its {count_text(count, 'file')} are no longer in the index."])
    return EXIT_DONE
