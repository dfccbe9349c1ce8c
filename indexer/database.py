"""Opens, locks and upgrades the database, and opens transactions on it.

What the file claims to be is read from its first 100 bytes before SQLite may touch it: a database made by a newer imgindex
or by another program is refused without a byte of it changing. One process writes at a time, under a lock file; reading
needs no lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, exc, func, insert, select

from indexer.errors import (
    CorruptDatabaseError,
    DatabaseError,
    ForeignDatabaseError,
    ImgindexError,
    LockedError,
    NewerDatabaseError,
    SafetyError,
)
from indexer.filesystem import open_regular
from indexer.moves import PENDING
from indexer.schema import APPLICATION_ID, SCHEMA_VERSION, alembic_version, identity, journal, metadata
from indexer.text import printable

BUSY_TIMEOUT_MS = 30_000
"""How long a statement waits for another process's commit."""
CACHE_KIB = 16_384
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100


@dataclass(frozen=True, slots=True)
class Database:
    """An open database: where it is, and its engine."""

    path: str
    """Absolute."""
    engine: Engine

    @property
    def folder(self) -> str:
        """The folder that stored paths are relative to."""
        return os.path.dirname(self.path)

    def stored(self, path: str) -> str:
        """An absolute path as it is stored: relative when it lies below the database's folder."""
        if path == self.folder:
            return "."
        prefix = self.folder.rstrip("/") + "/"
        return path.removeprefix(prefix)

    def absolute(self, stored: str) -> str:
        """A stored path as an absolute one."""
        return os.path.normpath(os.path.join(self.folder, stored))

    def bases(self, stored: Mapping[int, str]) -> dict[int, str]:
        """The absolute path of each root, by its id."""
        return {root_id: self.absolute(path) for root_id, path in stored.items()}

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with _translated(self.path), self.engine.connect() as tx:
            yield tx

    @contextlib.contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction that happens whole or not at all.

        Args:
            durable: Survive a power failure from the moment of the commit on, at the price of more syncs.
        """
        with _translated(self.path), self.engine.execution_options(writing=True, durable=durable).begin() as tx:
            yield tx


@contextlib.contextmanager
def open_for_reading(path: str) -> Iterator[Database]:
    """The database at a path, upgraded first when an older imgindex made it.

    Raises:
        DatabaseError: When it cannot be used.
        LockedError: When it has to be upgraded while another run writes.
    """
    if probe(path) < SCHEMA_VERSION:
        with open_for_writing(path):
            pass
    with _opened(path, "rw" if os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK) else "ro") as db:
        yield db


@contextlib.contextmanager
def open_for_writing(path: str) -> Iterator[Database]:
    """The database at a path, made or upgraded as needed, while no other process writes to it.

    Raises:
        DatabaseError: When it cannot be used.
        LockedError: When another run holds the lock.
        SafetyError: When an upgrade would cross an unfinished prune.
    """
    if os.path.exists(path):
        probe(path)  # a database that is not ours is refused before a lock file is made beside it
    with _locked(path):
        version = probe(path) if os.path.exists(path) else 0
        with _opened(path, "rwc") as database:
            if version < SCHEMA_VERSION:
                _upgrade(database, version)
            yield database


def probe(path: str) -> int:
    """The schema version of a database, 0 for an empty file, read without changing or locking anything.

    Raises:
        NewerDatabaseError: When a newer imgindex made it.
        ForeignDatabaseError: When it is something else.
    """
    try:
        descriptor, _status = open_regular(path)
        try:
            header = os.read(descriptor, _HEADER_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DatabaseError(f"cannot open '{printable(path)}': {error.strerror}") from error
    if not header:
        return 0
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise ForeignDatabaseError(f"'{printable(path)}' is not a database", "name another file with --db")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise ForeignDatabaseError(f"'{printable(path)}' is another program's database", "name another file with --db")
    version = int.from_bytes(header[60:64], "big")
    if version > SCHEMA_VERSION:
        raise NewerDatabaseError(
            f"'{printable(path)}' was made by a newer imgindex (schema {version}, this one knows {SCHEMA_VERSION})",
            "upgrade: pip install --upgrade imgindex",
        )
    return version


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Holds the lock file beside a database; the lock dies with the process."""
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise DatabaseError(f"cannot write beside '{printable(path)}': {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 1000, 0).decode("utf-8", "replace").strip()
            raise LockedError(
                f"another run is writing to '{printable(path)}': {printable(holder) or 'unknown'}",
                "wait until it has finished",
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()}: {' '.join(sys.argv)}\n".encode("utf-8", "replace")[:1000], 0)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def _opened(path: str, mode: str) -> Iterator[Database]:
    """A database opened in one of SQLite's URI modes: `ro`, `rw` or `rwc`."""
    uri = f"file:{quote(os.fsencode(path))}?mode={mode}"
    engine = create_engine("sqlite://", creator=lambda: _connected(uri, path, mode))
    event.listen(engine, "begin", _begin)
    try:
        yield Database(path, engine)
    finally:
        engine.dispose()


def _connected(uri: str, path: str, mode: str) -> sqlite3.Connection:
    """A connection that leaves transactions to us."""
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA foreign_keys = ON")
        if mode == "rwc":
            connection.execute("PRAGMA journal_mode = TRUNCATE")
        else:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise _translation(error, path) from error
    return connection


def _begin(connection: Connection) -> None:
    """Opens the transaction: writers take the write lock at once, so that none fails half-way for the lack of it."""
    options = connection.get_execution_options()
    if options.get("writing"):
        connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options.get('durable') else 'NORMAL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")


def _upgrade(database: Database, version: int) -> None:
    """Makes the tables of a new database, or runs the migrations that an older one lacks: all of it or nothing."""
    if version:
        _refuse_pending(database)
        _copy(database, f"{database.path}.schema{version}")
    with database.writing(durable=True) as tx:
        if version:
            _migrate(tx)
        else:
            metadata.create_all(tx, checkfirst=False)
            tx.execute(insert(alembic_version).values(version_num=f"{SCHEMA_VERSION:04}"))
            tx.execute(insert(identity).values(name=uuid.uuid4().hex))
        tx.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        tx.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _migrate(tx: Connection) -> None:
    """Runs Alembic's migrations in an open transaction."""
    from alembic import command  # noqa: PLC0415 - 0.5 s to import, and hardly ever needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = tx
    command.upgrade(config, "head")


def migrations_folder() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).parent / "migrations"
    return installed if installed.exists() else Path(__file__).parent.parent / "migrations"


def _refuse_pending(database: Database) -> None:
    """Refuses to change the tables under an unfinished prune, undo or purge."""
    with database.reading() as tx:
        has_journal = tx.exec_driver_sql("SELECT count(*) FROM sqlite_schema WHERE name = 'journal'").scalar()
        if has_journal and tx.execute(select(func.count()).where(journal.c.state.in_(PENDING))).scalar():
            raise SafetyError(
                "an older imgindex was interrupted while it moved files, and this one would change its tables",
                "run `imgindex index` once with the older version, then try again",
            )


def _copy(database: Database, target: str) -> None:
    """A copy of the database beside it, by SQLite's backup."""
    if os.path.exists(target):
        return
    with (
        contextlib.closing(sqlite3.connect(f"{target}.part")) as copy,
        contextlib.closing(sqlite3.connect(f"file:{quote(os.fsencode(database.path))}?mode=ro", uri=True)) as source,
    ):
        source.backup(copy)
    os.rename(f"{target}.part", target)


@contextlib.contextmanager
def _translated(path: str) -> Iterator[None]:
    """Turns the database library's errors into ours."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translation(error.orig, path) from error


def _translation(error: BaseException | None, path: str) -> ImgindexError:
    """What an error of SQLite means to the user."""
    name = printable(path)
    match getattr(error, "sqlite_errorname", "").split("_")[1:2]:
        case ["BUSY" | "LOCKED"]:
            return LockedError(f"another program keeps '{name}' locked", "close it, or wait, and try again")
        case ["CORRUPT" | "NOTADB"]:
            hint = "restore a copy, or move it away and index again"
            return CorruptDatabaseError(f"'{name}' is damaged: {error}", hint)
        case ["FULL"]:
            return ImgindexError(f"no space left for '{name}'", "free some space; what was stored stays stored")
        case ["READONLY"]:
            hint = "check the permissions of the file and its folder"
            return DatabaseError(f"'{name}' cannot be written: {error}", hint)
    return DatabaseError(f"'{name}' cannot be used: {error}")
