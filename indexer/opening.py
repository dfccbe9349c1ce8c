"""What every call of the Index facade begins with: the database opened for reading or for writing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from indexer import recover
from indexer.database import Database, Writer, open_for_reading, open_for_writing
from indexer.locate import database_path, require_database
from indexer.lock import Waiting
from indexer.moves import Recovered

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class Opening:
    """An index at a path; each call opens the database and closes it.

    Attributes:
        path: Where the database is, absolute.
        recovered: What the last writing call found half-done by an interrupted run.
    """

    def __init__(self, path: Path | None = None, *, waiting: Waiting | None = None) -> None:
        """The index at a path.

        Args:
            path: The database, made by `update` when it does not exist. None for `IMGINDEX_DB`, else the nearest
                `imgindex.db` at or above the current folder, else a new one in the current folder.
            waiting: Told when another run writes, and who; then that run is waited for. None: `LockedError` is raised.
        """
        self.path = database_path(None if path is None else os.fsdecode(path))
        self.recovered = Recovered()
        self._waiting = waiting

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Database]:
        with open_for_reading(require_database(self.path)) as database:
            yield database

    @contextlib.contextmanager
    def _writing(
        self, *, existing: bool = False, moving: bool = False, patient: bool = False, writer: Writer | None = None
    ) -> Iterator[Database]:
        """The database, recovered from an interrupted run, while nobody else writes.

        Args:
            existing: There must be one.
            moving: What is in it decides on files: a damaged one is refused before anything is done.
            patient: Wait while another run writes, whatever the user says.
            writer: For who opens it again and again.
        """
        path = require_database(self.path) if existing else self.path
        waiting = self._waiting or (_wait if patient else None)
        with open_for_writing(path, waiting, writer) as database:
            if moving:
                database.refuse_damaged()
            self.recovered = recover.recover(database)
            try:
                yield database
            except BaseException as stop:
                if not isinstance(stop, Exception):  # an interrupt or a termination
                    self.recovered = recover.recover(database)
                raise


def _wait(_who: str) -> None:
    """Waits without a word."""
