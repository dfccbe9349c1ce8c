"""Opens, locks and upgrades the database, and opens transactions on it.

What the file claims to be is read before anything may change it: a database made by a newer imgindex or by another
program is refused without a byte of it changing. One process writes at a time, under a lock file; reading needs no lock.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
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
from indexer.lock import Waiting, locked
from indexer.moves import PENDING
from indexer.schema import APPLICATION_ID, SCHEMA_VERSION, alembic_version, identity, journal, metadata
from indexer.text import printable

BUSY_TIMEOUT_MS = 30_000
"""How long a statement waits for another process's commit."""
CACHE_KIB = 16_384
Writer = Engine
"""For those who hold one and know nothing else of it."""


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

    def refuse_damaged(self) -> None:
        """Has SQLite read every page, and look whether they fit together.

        Raises:
            CorruptDatabaseError: When they do not.
        """
        with self.reading() as tx:
            answer = tx.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if answer != "ok":
            raise damaged(self.path, str(answer))

    def damage(self) -> list[str]:
        """What SQLite finds wrong when it reads everything and compares indexes with tables; ten things at most."""
        with self.reading() as tx:
            return [str(row[0]) for row in tx.exec_driver_sql("PRAGMA integrity_check(10)") if row[0] != "ok"]

    def orphans(self) -> int:
        """The number of rows that name a row of another table which is not there."""
        with self.reading() as tx:
            return len(tx.exec_driver_sql("PRAGMA foreign_key_check").all())

    def is_logged(self) -> bool:
        """True when another program switched the database to a write-ahead log, the one mode that a file remembers."""
        with self.reading() as tx:
            return bool(tx.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal")

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with translated(self.path), self.engine.connect() as tx:
            yield tx

    @contextlib.contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction that happens whole or not at all.

        Args:
            durable: Survive a power failure from the moment of the commit on, at the price of more syncs.
        """
        with translated(self.path), self.engine.execution_options(writing=True, durable=durable).begin() as tx:
            yield tx


@contextlib.contextmanager
def open_for_reading(path: str) -> Iterator[Database]:
    """The database at a path, upgraded first when an older imgindex made it.

    Raises:
        DatabaseError: When it cannot be used.
        LockedError: When it has to be upgraded while another run writes.
    """
    probe(path)
    mode = "rw" if os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK) else "ro"
    with _opened(path, mode) as database:
        version = _version(database)
    if version < SCHEMA_VERSION:
        with open_for_writing(path):
            pass
    with _opened(path, mode) as database:
        yield database


@contextlib.contextmanager
def open_as_it_is(path: str) -> Iterator[Database]:
    """The database at a path for looking at it: nothing is upgraded, and nothing that a stopped run left is cleared.

    Raises:
        DatabaseError: When it cannot be used, also when a stopped run left something to clear.
    """
    probe(path)
    with _opened(path, "ro") as database:
        yield database


@contextlib.contextmanager
def open_for_writing(path: str, waiting: Waiting | None = None, writer: Writer | None = None) -> Iterator[Database]:
    """The database at a path, made or upgraded as needed, while no other process writes to it.

    Args:
        path: Absolute.
        waiting: As for `lock.locked`.
        writer: Made by `writer_to`, for who opens it again and again.

    Raises:
        DatabaseError: When it cannot be used.
        LockedError: When another run holds the lock.
        SafetyError: When an upgrade would cross an unfinished prune.
    """
    if os.path.exists(path):
        probe(path)  # a database that is not ours is refused before a lock file is made beside it
    with locked(path, waiting):
        unclean = was_stopped(path)
        with _opened(path, "rwc", writer) as database:
            version = _version(database)
            if version < SCHEMA_VERSION:
                _upgrade(database, version)
            if unclean:
                database.refuse_damaged()
            yield database


def _version(database: Database) -> int:
    """The schema version, after SQLite took back what a stopped run left half-written."""
    with database.reading() as tx:
        return int(tx.exec_driver_sql("PRAGMA user_version").scalar_one())


def was_stopped(path: str) -> bool:
    """True when a run is in the middle of a commit, or was stopped there: SQLite takes back what is in its journal."""
    try:
        return os.path.getsize(f"{path}-journal") > 0
    except OSError:
        return False


def probe(path: str) -> int:
    """The schema version of a database, 0 for an empty file, read without changing or locking anything.

    SQLite itself reads it, told that the file never changes: it then neither locks nor looks for a journal. Opening the
    file any other way, and closing it, would drop the locks that other connections of this process have on it.

    Raises:
        NewerDatabaseError: When a newer imgindex made it.
        ForeignDatabaseError: When it is something else.

    Source: "How To Corrupt An SQLite Database File", section 2.2, on sqlite.org.
    """
    try:
        status = os.lstat(path)
    except OSError as error:
        raise DatabaseError(f"cannot open '{printable(path)}': {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise DatabaseError(f"cannot open '{printable(path)}': not a regular file")
    if not status.st_size:
        return 0
    application_id, version = _header(path)
    if application_id != APPLICATION_ID:
        raise ForeignDatabaseError(f"'{printable(path)}' is another program's database", "name another file with --db")
    if version > SCHEMA_VERSION:
        raise NewerDatabaseError(
            f"'{printable(path)}' was made by a newer imgindex (schema {version}, this one knows {SCHEMA_VERSION})",
            "upgrade: pip install --upgrade imgindex",
        )
    return version


def _header(path: str) -> tuple[int, int]:
    """What a database says of itself on its first page: the program that it belongs to, and the version of its tables."""
    try:
        with contextlib.closing(sqlite3.connect(f"{_uri(path)}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA writable_schema = ON")  # else a file that is just growing is taken for a cut one
            names = ("application_id", "user_version")
            application_id, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
            return int(application_id), int(version)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            hint = "name another file with --db"
            raise ForeignDatabaseError(f"'{printable(path)}' is not a database", hint) from error
        raise _translation(error, path) from error


def _uri(path: str) -> str:
    """A path as SQLite takes it with options behind it."""
    return f"file:{quote(os.fsencode(path))}"


def writer_to(path: str) -> Writer:
    """What remembers the statements that were compiled from one opening to the next; it holds nothing open."""
    return _engine(path, "rwc")


def _engine(path: str, mode: str) -> Engine:
    uri = f"{_uri(path)}?mode={mode}"
    engine = create_engine("sqlite://", creator=lambda: _connected(uri, path, mode))
    event.listen(engine, "begin", _begin)
    return engine


@contextlib.contextmanager
def _opened(path: str, mode: str, engine: Engine | None = None) -> Iterator[Database]:
    """A database opened in one of SQLite's URI modes: `ro`, `rw` or `rwc`."""
    engine = engine or _engine(path, mode)
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
        contextlib.closing(sqlite3.connect(f"{_uri(database.path)}?mode=ro", uri=True)) as source,
    ):
        source.backup(copy)
    os.rename(f"{target}.part", target)


@contextlib.contextmanager
def translated(path: str) -> Iterator[None]:
    """Turns the errors of SQLite and of the database library into ours."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translation(error.orig, path) from error
    except sqlite3.Error as error:
        raise _translation(error, path) from error


def _translation(error: BaseException | None, path: str) -> ImgindexError:
    """What an error of SQLite means to the user."""
    name, parts = printable(path), getattr(error, "sqlite_errorname", "").split("_")[1:3]
    match parts:
        case ["BUSY" | "LOCKED", *_]:
            return LockedError(f"another program keeps '{name}' locked", "close it, or wait, and try again")
        case ["CORRUPT" | "NOTADB", *_]:
            return damaged(path, str(error))
        case ["FULL", *_]:
            return ImgindexError(f"no space left for '{name}'", "free some space; what was stored stays stored")
        case ["READONLY", *_]:
            return DatabaseError(*_unwritable(parts[-1], name, error))
        case ["IOERR", *_]:
            hint = "look at the disk; what was stored stays stored, and the next run goes on from there"
            return DatabaseError(f"the disk failed while '{name}' was used: {error}", hint)
    return DatabaseError(f"'{name}' cannot be used: {error}")


def _unwritable(why: str, name: str, error: BaseException | None) -> tuple[str, str]:
    """What happened and what to do, when SQLite says that it may not write."""
    match why:
        case "DBMOVED":
            message = f"'{name}' was moved, removed or replaced while it was in use"
            return message, "put it back, then run the command again; nothing more was written"
        case "ROLLBACK" | "CANTLOCK" | "RECOVERY":
            message = f"a run that wrote to '{name}' was stopped, and what it left cannot be cleared here"
            return message, "open it once where it can be written: imgindex status"
    return f"'{name}' cannot be written: {error}", "check the permissions of the file and its folder"


def damaged(path: str, how: str) -> CorruptDatabaseError:
    """The error for a database whose pages contradict each other.

    Args:
        path: Of the database.
        how: What is wrong.
    """
    hint = (
        "restore a copy (imgindex backup makes them), or move it away and index again;"
        " what was pruned comes back by imgindex undo --from-manifest"
    )
    return CorruptDatabaseError(f"'{printable(path)}' is damaged: {how}", hint)
