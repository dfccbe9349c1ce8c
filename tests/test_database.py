"""Opening, refusing, locking and upgrading databases."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from support import migrated, tables, version_of

from indexer import Index, database
from indexer.drawing import drawn, encoded
from indexer.errors import (
    CorruptDatabaseError,
    DatabaseError,
    NoIndexError,
)
from indexer.schema import SCHEMA_VERSION


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


def test_open_refuses_a_fifo_without_waiting(tmp_path: Path) -> None:
    """Something that is no regular file is an error, not a hang."""
    os.mkfifo(tmp_path / "imgindex.db")

    with (
        pytest.raises(DatabaseError, match="not a regular file"),
        database.open_for_reading(str(tmp_path / "imgindex.db")),
    ):
        pass


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
