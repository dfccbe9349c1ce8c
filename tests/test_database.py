"""Opening, refusing, locking and upgrading databases."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from support import make_photos

from indexer import Index, database
from indexer.drawing import drawn, encoded
from indexer.errors import (
    CorruptDatabaseError,
    DatabaseError,
    ForeignDatabaseError,
    LockedError,
    NewerDatabaseError,
    NoIndexError,
    SafetyError,
)
from indexer.schema import APPLICATION_ID, SCHEMA_VERSION

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Columns and indexes of every table."""
    with sqlite3.connect(path) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        found = {name: sorted(db.execute(f"PRAGMA table_info({name})").fetchall()) for name in names}
        indexes = "SELECT name, tbl_name, lower(replace(replace(sql, ' ', ''), char(10), '')) FROM sqlite_schema"
        found["indexes"] = sorted(db.execute(f"{indexes} WHERE type = 'index' AND sql IS NOT NULL").fetchall())
    db.close()
    return found


def migrated(path: Path, revision: str) -> Path:
    """A database as the imgindex of a given revision made it."""
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(database.migrations_folder()))
    with engine.begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, revision)
    with engine.begin() as tx:
        tx.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        tx.exec_driver_sql(f"PRAGMA user_version = {int(revision)}")
    engine.dispose()
    return path


def as_schema_2(path: Path) -> Path:
    """Makes an index one that the imgindex before matching would have left: its rows, its tables, its recipe."""
    old = migrated(path.with_name("old.db"), "0002")
    with sqlite3.connect(old) as db:
        db.execute("ATTACH ? AS new", (str(path),))
        for name in ("root", "folder", "recipe", "content", "thumbnail", "file", "run", "journal"):
            columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({name})"))
            db.execute(f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM new.{name}")  # noqa: S608
        db.execute("DELETE FROM recipe WHERE key LIKE 'match/%'")
        db.execute("UPDATE recipe SET key = 'imgindex/1 lanczos3'")
    db.close()
    return old.replace(path)


def table_rows(path: Path, name: str) -> list[tuple[object, ...]]:
    """All rows of a table."""
    with sqlite3.connect(path) as db:
        found = db.execute(f"SELECT * FROM {name} ORDER BY id").fetchall()  # noqa: S608
    db.close()
    return found


def version_of(path: Path) -> int:
    """The schema version that a database claims."""
    return int.from_bytes(path.read_bytes()[60:64], "big")


def test_tables_are_the_same_when_made_at_once_and_by_migrations(tmp_path: Path) -> None:
    """A new database and one that went through every migration cannot be told apart."""
    with database.open_for_writing(str(tmp_path / "new.db")):
        pass

    path = migrated(tmp_path / "old.db", f"{SCHEMA_VERSION:04}")

    assert tables(tmp_path / "new.db") == tables(path)


def test_open_upgrades_when_an_older_imgindex_made_the_database(tmp_path: Path) -> None:
    """Rows are kept, a copy of the old file is made, and reading alone is enough to trigger it."""
    path = migrated(tmp_path / "imgindex.db", "0001")
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO root (path) VALUES ('photos')")
    db.close()

    with database.open_for_reading(str(path)) as opened, opened.reading() as tx:
        kept = tx.exec_driver_sql("SELECT path FROM root").scalar()
        revision = tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()

    assert (kept, revision, version_of(path)) == ("photos", f"{SCHEMA_VERSION:04}", SCHEMA_VERSION)
    assert version_of(tmp_path / "imgindex.db.schema1") == 1


def test_upgrade_from_schema_2_keeps_every_row_and_the_next_index_fills_what_matching_needs(
    photos: Path, index: Index
) -> None:
    """An index made before matching is read again as a whole, once, and its quarantine can still be taken back."""
    (photos / "resaved.webp").write_bytes(encoded(drawn(0), "WEBP"))
    shutil.copy(photos / "a" / "2.jpg", photos / "copy.jpg")
    index.update(photos, jobs=0)
    index.carry_out(index.plan(match="bytes"))
    old = as_schema_2(Path(index.path))
    kept = {name: table_rows(old, name) for name in ("root", "folder", "file", "run", "journal")}

    opened = index.status()
    columns = {name: len(rows[0]) for name, rows in kept.items()}
    after = {name: [row[: columns[name]] for row in table_rows(old, name)] for name in kept}
    update = index.update(photos, jobs=0)
    groups = index.groups()
    undone = index.undo()
    again = index.update(photos, jobs=0)

    assert (opened.contents, after) == (7, kept)
    assert (update.decoded, update.matches, update.new, update.changed) == (7, 1, 0, 0)
    assert [[surplus.member.path for surplus in group.surplus] for group in groups] == [["resaved.webp"]]
    assert [moved.path for moved in undone.moved] == [str(photos / "copy.jpg")]
    assert (again.decoded, again.matches, again.files) == (0, 0, 8)


def test_open_leaves_everything_as_it_was_when_a_migration_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 80: all migrations happen or none, tables included."""
    path = migrated(tmp_path / "imgindex.db", "0001")
    before = tables(path)
    shutil.copytree(database.migrations_folder(), tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / f"{SCHEMA_VERSION + 1:04}_fails.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        f"revision, down_revision = '{SCHEMA_VERSION + 1:04}', '{SCHEMA_VERSION:04}'\n"
        "def upgrade():\n    op.create_table('half', sa.Column('id', sa.Integer))\n    raise RuntimeError('half-way')\n"
    )
    monkeypatch.setattr(database, "migrations_folder", lambda: tmp_path / "migrations")

    with pytest.raises(RuntimeError, match="half-way"), database.open_for_writing(str(path)):
        pass

    assert tables(path) == before
    assert version_of(path) == 1


@needs_strace
@pytest.mark.parametrize("system_call", ["pwrite64", "fsync", "fdatasync", "ftruncate", "rename"])
def test_upgrade_leaves_old_or_new_when_it_is_killed(tmp_path: Path, system_call: str) -> None:
    """Hazard 80: killed at any call, the database is what it was or what it becomes, and opens."""
    base = migrated(tmp_path / "base.db", "0001")
    program = f"from indexer import database\nwith database.open_for_writing({str(tmp_path / 'imgindex.db')!r}): pass"
    versions = set()
    for at in (1, 2, 3, 5, 8, 13, 21, 34):
        for leftover in tmp_path.glob("imgindex.db*"):
            leftover.unlink()
        shutil.copy(base, tmp_path / "imgindex.db")
        strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={system_call}"]
        injection = ["-e", f"inject={system_call}:signal=KILL:when={at}", "--", sys.executable, "-c", program]
        subprocess.run([*strace, *injection], check=False)
        with sqlite3.connect(tmp_path / "imgindex.db") as db:
            revision = db.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            added = db.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('journal', 'match')").fetchone()[0]
            sound = db.execute("PRAGMA integrity_check").fetchone()[0]
        db.close()
        versions.add((int(revision), version_of(tmp_path / "imgindex.db"), added, sound))
        with database.open_for_writing(str(tmp_path / "imgindex.db")):
            pass

    assert versions <= {(1, 1, 0, "ok"), (SCHEMA_VERSION, SCHEMA_VERSION, 2, "ok")}


def test_open_refuses_an_upgrade_when_files_are_being_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 81: tables do not change under an unfinished prune."""
    photos = make_photos(tmp_path / "photos")
    index = Index(tmp_path / "imgindex.db")
    shutil.copy2(photos / "a" / "0.jpg", photos / "copy.jpg")
    index.update(photos, jobs=0)
    index.carry_out(index.plan())
    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE journal SET state = 'planned'")
    db.close()
    before = digest(Path(index.path))
    monkeypatch.setattr(database, "SCHEMA_VERSION", SCHEMA_VERSION + 1)

    with pytest.raises(SafetyError, match="interrupted"), database.open_for_writing(index.path):
        pass

    assert digest(Path(index.path)) == before


def test_open_refuses_a_newer_database_untouched(tmp_path: Path) -> None:
    """Hazard 78: not a byte of it changes, and nothing is made beside it."""
    path = migrated(tmp_path / "imgindex.db", f"{SCHEMA_VERSION:04}")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    before = digest(path)

    for opening in (database.open_for_reading, database.open_for_writing):
        with pytest.raises(NewerDatabaseError, match="schema 999"), opening(str(path)):
            pass

    assert digest(path) == before
    assert [found.name for found in tmp_path.glob("imgindex*")] == ["imgindex.db"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"dear diary", id="text"),
        pytest.param(b"SQLite format 3\0" + bytes(20), id="cut short"),
        pytest.param(None, id="another program's database"),
    ],
)
def test_open_refuses_what_is_not_ours(tmp_path: Path, content: bytes | None) -> None:
    """Hazard 79: a text file or another program's database is left alone."""
    path = tmp_path / "imgindex.db"
    if content is None:
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE theirs (id)")
        db.close()
    else:
        path.write_bytes(content)
    before = digest(path)

    with pytest.raises(ForeignDatabaseError), database.open_for_writing(str(path)):
        pass

    assert digest(path) == before


def test_open_refuses_a_fifo_without_waiting(tmp_path: Path) -> None:
    """Something that is no regular file is an error, not a hang."""
    os.mkfifo(tmp_path / "imgindex.db")

    with (
        pytest.raises(DatabaseError, match="not a regular file"),
        database.open_for_reading(str(tmp_path / "imgindex.db")),
    ):
        pass


def test_open_takes_an_empty_file_for_a_new_database(tmp_path: Path) -> None:
    """Hazard 79: as `mktemp` leaves it."""
    (tmp_path / "imgindex.db").touch()

    with database.open_for_writing(str(tmp_path / "imgindex.db")):
        pass

    assert version_of(tmp_path / "imgindex.db") == SCHEMA_VERSION


def test_reading_says_so_when_the_database_is_damaged(photos: Path, index: Index) -> None:
    """A page of rubbish gives an error with a remedy, not a traceback."""
    index.update(photos, jobs=0)
    data = bytearray(Path(index.path).read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    Path(index.path).write_bytes(data)

    with pytest.raises(CorruptDatabaseError):
        index.groups()


def test_open_says_so_when_the_folder_cannot_be_written(tmp_path: Path) -> None:
    """The folder is missing: a clear error, no traceback."""
    with (
        pytest.raises(DatabaseError, match="cannot write beside"),
        database.open_for_writing(str(tmp_path / "nowhere" / "imgindex.db")),
    ):
        pass


def test_second_writer_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    """Hazard 87: one process writes at a time; the lock dies with its holder."""
    path = str(tmp_path / "imgindex.db")
    program = f"from indexer import database\nwith database.open_for_writing({path!r}): print('in'); input()"
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()

    with pytest.raises(LockedError, match=f"process {holder.pid}"), database.open_for_writing(path):
        pass
    holder.kill()
    holder.communicate()
    with database.open_for_writing(path):
        pass


def test_readers_work_while_another_process_writes(photos: Path, index: Index) -> None:
    """A run in progress does not keep anyone from looking."""
    index.update(photos, jobs=0)

    with database.open_for_writing(index.path) as opened, opened.writing() as tx:
        tx.exec_driver_sql("DELETE FROM thumbnail")
        started = time.monotonic()
        groups = index.groups()
        status = index.status()

    assert groups == ()
    assert status.contents == 6
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("durable", "expected"), [pytest.param(True, 2, id="journal: FULL"), pytest.param(False, 1, id="index: NORMAL")]
)
def test_writing_syncs_as_promised(tmp_path: Path, durable: bool, expected: int) -> None:
    """Hazard 92: intents survive a power failure from their commit on."""
    with database.open_for_writing(str(tmp_path / "imgindex.db")) as opened, opened.writing(durable=durable) as tx:
        assert tx.exec_driver_sql("PRAGMA synchronous").scalar() == expected


def test_writing_keeps_nothing_when_it_fails(tmp_path: Path) -> None:
    """A transaction happens whole or not at all, tables included."""
    with database.open_for_writing(str(tmp_path / "imgindex.db")) as opened:
        with pytest.raises(ZeroDivisionError):
            _fail_half_way(opened)
        with opened.reading() as tx:
            count = tx.exec_driver_sql("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").scalar()

    assert count == 0


def _fail_half_way(opened: database.Database) -> None:
    with opened.writing() as tx:
        tx.exec_driver_sql("CREATE TABLE half (id)")
        raise ZeroDivisionError


def test_index_is_found_like_git_finds_its_folder(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--db`, else IMGINDEX_DB, else the nearest one at or above the current folder; reading never makes one."""
    monkeypatch.chdir(photos / "a")

    with pytest.raises(NoIndexError):
        Index().groups()
    made = Index()
    made.update(photos / "a", jobs=0)
    monkeypatch.chdir(photos)
    (photos / "a" / "imgindex.db").rename(photos / "imgindex.db")
    monkeypatch.chdir(photos / "b")
    above = Index().path
    monkeypatch.setenv("IMGINDEX_DB", str(tmp_path / "named.db"))

    assert made.path == str(photos / "a" / "imgindex.db")
    assert above == str(photos / "imgindex.db")
    assert Index().path == str(tmp_path / "named.db")
