"""Writes a backup: a copy of the index that was compared with it before it got its name."""

from __future__ import annotations

import contextlib
import os
import sqlite3

from sqlalchemy import Connection

from indexer.database import Database, translated
from indexer.errors import DatabaseError, UsageError
from indexer.filesystem import opened_folder, rename_no_replace
from indexer.places import split
from indexer.records import Tick, no_progress
from indexer.text import printable

_PAGES = 10_000
"""Copied between two looks at the progress."""


def backup(database: Database, target: str, tick: Tick = no_progress) -> int:
    """Writes a copy of the index as it stands at this moment, also while a run writes to it; its size in bytes.

    Rows are counted in both, and SQLite checks the copy from end to end, before the copy gets its name.

    Args:
        database: Open for reading.
        target: Absolute; nothing may lie there.
        tick: Told of pages.

    Raises:
        UsageError: When something lies there already.
        DatabaseError: When the copy cannot be written, or is not what it should be. Then it is not there.

    Source: "SQLite Backup API" on sqlite.org.
    """
    folder, name = split(target)
    if os.path.lexists(target):
        raise UsageError(f"'{printable(target)}' exists already", "name a new file")
    try:
        with opened_folder(folder or "/", "") as descriptor:
            partial = f".{name}-{os.getpid()}.part"
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=descriptor))
            try:
                _copy(database, f"{folder}/{partial}", tick)
                rename_no_replace(descriptor, partial, descriptor, name)
                os.fsync(descriptor)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial, dir_fd=descriptor)
    except FileExistsError as error:
        raise UsageError(f"'{printable(target)}' exists already", "name a new file") from error
    except OSError as error:
        raise DatabaseError(f"cannot write '{printable(target)}': {error.strerror}") from error
    return os.path.getsize(target)


def _copy(database: Database, target: str, tick: Tick) -> None:
    """Copies what one transaction sees, and compares. SQLite has every page on disk when the copy is complete."""
    with (
        database.reading() as tx,
        translated(target),
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        counts = _counts(tx)
        source = tx.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)  # noqa: S101 - for the types
        done = 0

        def ticked(_status: int, remaining: int, total: int) -> None:
            nonlocal done
            tick("back up", total - remaining - done, total)
            done = total - remaining

        source.backup(copy, pages=_PAGES, progress=ticked)
        answers = [copy.execute("PRAGMA integrity_check(1)").fetchone()[0]]
        answers += [
            f"{table} has other rows"
            for table, count in counts.items()
            if copy.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] != count  # noqa: S608 - a table's own name
        ]
    if answers != ["ok"]:
        raise DatabaseError(f"the copy is not what it should be: {answers[-1]}", "run imgindex doctor")


def _counts(tx: Connection) -> dict[str, int]:
    """The number of rows of every table."""
    tables = tx.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'").scalars().all()
    return {
        table: tx.exec_driver_sql(f'SELECT count(*) FROM "{table}"').scalar_one()  # noqa: S608 - a table's own name
        for table in tables
    }
