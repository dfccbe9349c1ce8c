"""The commands about the index itself: look whether all is well, make a copy."""

from __future__ import annotations

from typing import Annotated

import typer

from indexer import output, report
from indexer.errors import EXIT_DONE, EXIT_INCOMPLETE, DatabaseError
from indexer.locate import database_path, require_database
from indexer.options import Database, Json, Quiet, opened
from indexer.records import Health
from indexer.text import bytes_text

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
