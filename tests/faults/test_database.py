"""Hazards 78 to 83, 88, 89 and 93: what the database is, and what becomes of files when it is not what it was."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from checking import SURPLUS, command, with_copy
from score import Faults
from sqlalchemy import insert
from support import tree

from indexer import Index, backup, database, deeds
from indexer.entry import run
from indexer.errors import CorruptDatabaseError, DatabaseError, ImgindexError, UsageError
from indexer.schema import recipe

COMMANDS = (
    ("index",),
    ("dups",),
    ("prune", "--yes"),
    ("undo",),
    ("purge", "--yes"),
    ("status",),
    ("backup", "copy.db"),
)


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos of which one lies there twice, indexed."""
    return with_copy(tmp_path, index)


def sha(path: Path | str) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def beside(index: Index) -> set[str]:
    """What lies beside a database."""
    return set(os.listdir(Path(index.path).parent))


# --- 78, 79: whose is it


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_hazard_78_a_database_of_a_newer_imgindex(
    photos: Path, index: Index, fault: Faults, arguments: tuple[str, ...]
) -> None:
    """Every command refuses it with exit code 6; not a byte of it changes, and nothing is made beside it."""
    Path(f"{index.path}.lock").unlink()
    with sqlite3.connect(index.path) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    before, around = sha(index.path), beside(index)

    with fault(78, f"{arguments[0]} on schema 999", root=photos):
        code = run([*arguments, "--db", index.path])

        assert (code, sha(index.path), beside(index)) == (6, before, around)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
@pytest.mark.parametrize("what", ["text", "a header cut short", "another program's"])
def test_hazard_79_a_file_that_is_no_index(
    photos: Path, tmp_path: Path, fault: Faults, what: str, arguments: tuple[str, ...]
) -> None:
    """Every command leaves it alone: exit code 6."""
    path = tmp_path / "theirs.db"
    if what == "another program's":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE theirs (id)")
        db.close()
    else:
        path.write_bytes(b"dear diary" if what == "text" else b"SQLite format 3\0" + bytes(20))
    before, around = sha(path), set(os.listdir(tmp_path))

    with fault(79, f"{arguments[0]} on {what}", root=photos):
        code = run([*arguments, *([str(photos)] if arguments == ("index",) else []), "--db", str(path)])

        assert (code, sha(path), set(os.listdir(tmp_path))) == (6, before, around)


def test_hazard_79_an_empty_file_is_a_new_index(photos: Path, tmp_path: Path, fault: Faults) -> None:
    """As `mktemp` leaves it."""
    (tmp_path / "new.db").touch()

    with fault(79, "an empty file", root=photos):
        assert run(["index", str(photos), "--jobs", "0", "--db", str(tmp_path / "new.db")]) == 0
        assert Index(tmp_path / "new.db").status().contents == 6


# --- 82: a damaged database


def test_hazard_82_a_page_of_rubbish(tmp_path: Path, photos: Path, index: Index, fault: Faults) -> None:
    """Whichever page is damaged: a prune is refused before it moves a file, or does what is right."""
    original, before = Path(index.path).read_bytes(), tree(photos)
    size = 4096
    ends = set()
    for page in range(len(original) // size):
        data = bytearray(original)
        data[page * size + (100 if page == 0 else 0) : (page + 1) * size] = os.urandom(size - (100 if page == 0 else 0))
        Path(index.path).write_bytes(data)
        with fault(82, f"page {page} of {len(original) // size} is rubbish", root=photos) as case:
            code = run(["prune", "--yes", "--quiet", "--db", index.path])
            ends.add(code)
            assert code in {0, 6}
            if code:
                assert tree(photos) == before
            else:
                case.undo(index)
    assert 6 in ends


def test_hazard_82_a_page_that_only_a_check_of_all_pages_finds(photos: Path, index: Index, fault: Faults) -> None:
    """The planning does not touch it, so the check before the first move is what refuses: exit code 6, nothing moved."""
    plan = index.plan()
    with sqlite3.connect(index.path) as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'thumbnail'").fetchone()[0]
    db.close()
    with open(index.path, "r+b") as stream:
        stream.seek((page - 1) * 4096)
        stream.write(b"\xff" * 4096)
    before = tree(photos)

    with fault(82, "the table of thumbnails is rubbish", root=photos):
        assert index.plan() == plan
        with pytest.raises(CorruptDatabaseError, match="is damaged"):
            index.carry_out(plan)
        assert tree(photos) == before


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_hazard_82_a_database_cut_short(photos: Path, index: Index, fault: Faults, share: float) -> None:
    """Nothing moves: exit code 6."""
    before = tree(photos)
    os.truncate(index.path, int(os.path.getsize(index.path) * share) // 4096 * 4096)

    with fault(82, f"cut to {share} of its length", root=photos):
        ran = command(index, "prune", "--yes")

        assert (ran.returncode, tree(photos)) == (6, before), ran.stderr
        assert "Traceback" not in ran.stderr
        assert "imgindex backup" in ran.stderr


def test_hazard_82_the_quarantine_outlives_the_database(photos: Path, index: Index, fault: Faults) -> None:
    """What was pruned comes back from the manifest when the database is gone, and a new index knows it."""
    before = tree(photos)
    with fault(82, "the database is lost after a prune", root=photos):
        index.carry_out(index.plan())
        for path in Path(index.path).parent.glob("imgindex.db*"):
            path.unlink()
        code = run(["undo", "--from-manifest", str(photos.parent / ".imgindex-quarantine"), "--quiet"])

        assert (code, tree(photos)) == (0, before)
        assert index.update(photos, jobs=0).files == 7
        assert [group.surplus[0].member.path for group in index.groups()] == [SURPLUS]


def test_hazard_82_a_run_that_stopped_in_a_commit_is_checked(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that was left behind has the next writer read every page, though it only indexes; else it does not."""
    checked: list[str] = []
    real = database.Database.refuse_damaged
    monkeypatch.setattr(database.Database, "refuse_damaged", lambda self: (checked.append(self.path), real(self)))
    index.update(photos, jobs=0)
    assert checked == []
    _stop_in_a_commit(index)

    with fault(82, "stopped in the middle of a commit", root=photos):
        assert database.was_stopped(index.path)
        report = index.update(photos, jobs=0)

        assert (checked, report.files, report.decoded) == ([index.path], 7, 0)


def _stop_in_a_commit(index: Index) -> None:
    """Leaves a journal behind whose changes have reached the database, as a kill in the middle of a commit does."""
    path = Path(index.path)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA cache_size = 1")
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM thumbnail")
    db.execute("DELETE FROM file")
    kept = [(f"{path}{end}", Path(f"{path}{end}").read_bytes()) for end in ("", "-journal")]
    db.rollback()
    db.close()
    for name, data in kept:
        Path(name).write_bytes(data)
    assert os.path.getsize(f"{path}-journal") > 512


# --- 83: the journal mode


def test_hazard_83_a_rollback_journal_is_used_even_where_another_program_chose_a_log(
    photos: Path, index: Index, fault: Faults
) -> None:
    """So that a copy of the one file is the index, and no version of SQLite can reset a log at the wrong moment."""
    with sqlite3.connect(index.path) as db:
        db.execute("PRAGMA journal_mode = WAL")
    db.close()

    with fault(83, "switched to a write-ahead log", root=photos) as case:
        with database.open_for_writing(index.path) as opened, opened.writing() as tx:
            modes = [tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "mmap_size")]
        done = index.carry_out(index.plan())
        left = beside(index)
        case.undo(index)

        assert (modes, len(done.moved)) == (["truncate", 0], 1)
        assert not [name for name in left if name.endswith(("-wal", "-shm"))]


# --- 88: the file is not where it was


@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_hazard_88_the_database_goes_while_it_is_used(
    photos: Path, tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The prune stops with a clear error; put back, the database brings what was begun to an end, and undo is exact."""
    real, path, before = deeds.do, Path(index.path), tree(photos)
    shutil.copy2(path, tmp_path / "older.db")

    def doing(*arguments: Any) -> Any:
        os.link(path, tmp_path / "kept.db")
        path.unlink()
        if how == "replaced":
            shutil.copy2(tmp_path / "older.db", path)
        elif how == "moved":
            (tmp_path / "kept.db").rename(tmp_path / "moved.db")
        monkeypatch.setattr("indexer.prune.do", real)
        return real(*arguments)

    monkeypatch.setattr("indexer.prune.do", doing)
    with fault(88, f"{how} during a prune", root=photos) as case:
        with pytest.raises(DatabaseError, match="moved, removed or replaced"):
            index.carry_out(index.plan())
        for leftover in tmp_path.glob("imgindex.db-journal"):
            leftover.unlink()
        (tmp_path / ("moved.db" if how == "moved" else "kept.db")).replace(path)
        index.recover()
        case.undo(index, before)
        assert index.verify_quarantine() == (0, ())


def test_hazard_88_another_index_took_its_place_before_a_plan_is_carried_out(
    photos: Path, tmp_path: Path, index: Index, fault: Faults
) -> None:
    """The plan file names its index; one of another index is refused, and files decide in any case."""
    lines = index.plan_lines(index.plan())
    other = Index(tmp_path / "other.db")
    other.update(photos, jobs=0)
    (tmp_path / "other.db").replace(index.path)

    with fault(88, "replaced by another index", root=photos), pytest.raises(ImgindexError, match="another index"):
        index.plan_from(lines)


# --- 89: copies


def test_hazard_89_a_backup_while_a_run_writes_is_one_state_of_the_index(
    photos: Path, tmp_path: Path, index: Index, fault: Faults
) -> None:
    """Row for row a state that was committed, and it works as the index does when it stands in its place."""
    states: set[int] = set()
    with fault(89, "a backup during writes", root=photos) as case:
        with _writing(index, states):
            sizes = [index.backup(tmp_path / f"copy-{number}.db") for number in range(5)]
        found = {_recipes(tmp_path / f"copy-{number}.db") for number in range(5)}
        assert found <= states
        for number, size in enumerate(sizes):
            assert size == (tmp_path / f"copy-{number}.db").stat().st_size
        (tmp_path / "copy-4.db").replace(index.path)
        done = index.carry_out(index.plan())
        case.undo(index)
        assert [moved.path for moved in done.moved] == [str(photos / SURPLUS)]


class _writing:  # noqa: N801 - used like a function
    """Writes to an index without pause, in a thread; each commit adds ten rows, so that a torn one can be told."""

    def __init__(self, index: Index, states: set[int]) -> None:
        self._index, self._states, self._end = index, states, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._states.add(_recipes(Path(self._index.path)))
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._end.is_set():
            with database.open_for_writing(self._index.path) as opened, opened.writing() as tx:
                for _row in range(10):
                    number += 1
                    tx.execute(insert(recipe).values(key=f"test/{number}"))
                self._states.add(int(tx.exec_driver_sql("SELECT count(*) FROM recipe").scalar_one()))


def _recipes(path: Path) -> int:
    with sqlite3.connect(path) as db:
        count = int(db.execute("SELECT count(*) FROM recipe").fetchone()[0])
    db.close()
    return count


def test_hazard_89_a_backup_replaces_nothing(photos: Path, tmp_path: Path, index: Index, fault: Faults) -> None:
    """What lies there stays, also when it came at the last moment."""
    (tmp_path / "copy.db").write_text("mine")
    with fault(89, "a backup over a file", root=photos):
        with pytest.raises(UsageError, match="exists already"):
            index.backup(tmp_path / "copy.db")
        assert (tmp_path / "copy.db").read_text() == "mine"


def test_hazard_89_a_backup_that_is_not_the_index_is_not_kept(
    photos: Path, tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy with other rows gets no name, and nothing is left of it."""
    monkeypatch.setattr(backup, "_counts", lambda _tx: {"file": 99})
    around = beside(index)
    with fault(89, "a backup with other rows", root=photos):
        with pytest.raises(DatabaseError, match="not what it should be"):
            index.backup(tmp_path / "copy.db")
        assert beside(index) == around


def test_hazard_89_a_backup_of_a_damaged_index_is_refused(
    photos: Path, tmp_path: Path, index: Index, fault: Faults
) -> None:
    """So that the last good copy is not thrown away for it."""
    data = bytearray(Path(index.path).read_bytes())
    data[8192:] = os.urandom(len(data) - 8192)
    Path(index.path).write_bytes(data)
    with fault(89, "a backup of a damaged index", root=photos):
        with pytest.raises(DatabaseError):
            index.backup(tmp_path / "copy.db")
        assert not [name for name in os.listdir(tmp_path) if "copy" in name]


# --- 93: nothing repairs by itself


def test_hazard_93_nothing_repairs_a_database_by_dropping_rows(photos: Path, index: Index, fault: Faults) -> None:
    """It cannot happen: there is no such command, and `doctor` only looks, whatever it finds."""
    data = bytearray(Path(index.path).read_bytes())
    data[-4096:] = os.urandom(4096)
    Path(index.path).write_bytes(data)
    with fault(93, "a damaged database and doctor", root=photos):
        before = sha(index.path)
        codes = [run([name, "--db", index.path]) for name in ("doctor", "repair")]

        assert (codes, sha(index.path)) == ([6, 2], before)
