"""Hazard 41: a database that an older imgindex made says what to look at, never what to move."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from deciding import planned, prune, rows
from score import Faults, contents
from support import aged, migrated, settle, tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.schema import SCHEMA_VERSION

OLDER = range(1, SCHEMA_VERSION)
TABLES = ("root", "folder", "recipe", "content", "thumbnail", "file", "run", "journal", "match", "decision")
COMPARES = 3
"""The first schema of an imgindex that compares pictures."""


@pytest.fixture
def pictures(photos: Path) -> Path:
    """Six pictures, two of them with a copy, two others saved again."""
    for number in range(2):
        shutil.copy2(sorted(photos.glob("a/*"))[number], photos / f"copy-{number}.jpg")
        (photos / f"resaved-{number}.webp").write_bytes(encoded(drawn(1 + 2 * number), "WEBP"))
        aged(photos / f"resaved-{number}.webp")
    return photos


def as_made_by(index: Index, version: int) -> None:
    """Makes an index one that the imgindex of an older schema would have left: its rows in its tables."""
    path = Path(index.path)
    old = migrated(path.with_name("old.db"), f"{version:04}")
    with sqlite3.connect(old) as db:
        db.execute("ATTACH ? AS new", (str(path),))
        for (name,) in db.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall():
            if name in TABLES:
                columns = ", ".join(row[1] for row in db.execute(f'PRAGMA main.table_info("{name}")'))
                db.execute(f'INSERT INTO main."{name}" ({columns}) SELECT {columns} FROM new."{name}"')  # noqa: S608
        if version < COMPARES:
            db.execute("DELETE FROM recipe WHERE key LIKE 'match/%'")
            db.execute("UPDATE recipe SET key = 'imgindex/1 lanczos3'")
    db.close()
    old.replace(path)


def journal(index: Index) -> list[tuple[object, ...]]:
    """What the journal says, in columns that it always had; nothing when there is none yet."""
    if not rows(index, "SELECT 1 FROM sqlite_schema WHERE name = 'journal'"):
        return []
    return rows(index, "SELECT state, id, run_id, kind, path, payload, digest, keeper FROM journal ORDER BY id")


@pytest.mark.parametrize("version", OLDER)
@pytest.mark.parametrize("pruned", [False, True], ids=["never pruned", "pruned before"])
def test_hazard_41_upgrade_plans_and_moves_nothing(
    pictures: Path, index: Index, fault: Faults, version: int, pruned: bool
) -> None:
    """Opening an older database adds nothing to its journal, leaves nothing half-done and quarantines nothing.

    What an older imgindex had moved away can still be taken back. The first schema knew no prune.
    """
    whole = tree(pictures)
    index.update(pictures, jobs=0)
    if pruned and version > 1:
        index.carry_out(index.plan(match="bytes"))
    as_made_by(index, version)
    before, disk = journal(index), tree(pictures)

    with fault(41, f"schema {version}, {'pruned' if pruned else 'never pruned'}", root=pictures) as case:
        opened, recovered = index.status(), index.recover()
        after = tree(pictures)
        upgraded = journal(index)
        case.undo(index, whole)

    assert upgraded == before
    assert {state for state, *_rest in before} <= {"moved"}
    assert (opened.quarantined, recovered.settled) == (len(before), 0)
    assert after == disk


@pytest.mark.parametrize("version", OLDER)
def test_hazard_41_prune_after_an_upgrade_takes_no_two_pictures_for_one(
    pictures: Path, index: Index, fault: Faults, version: int
) -> None:
    """Before the next index, rows of an imgindex that did not compare pictures speak for copies of bytes alone."""
    index.update(pictures, jobs=0)
    resaved = contents(pictures) - contents(pictures / "a", pictures / "b")
    as_made_by(index, version)
    before = contents(pictures)

    with fault(41, f"schema {version}, prune before index", root=pictures) as case:
        kinds = {kind for kind, *_pair in planned(index)}
        prune(index)
        gone = before - contents(pictures)
        case.undo(index)

    assert "bytes" in kinds
    assert gone == (resaved if version >= COMPARES else set())


@pytest.mark.parametrize("version", OLDER)
def test_hazard_41_index_after_an_upgrade_finds_what_there_is(
    pictures: Path, index: Index, fault: Faults, version: int
) -> None:
    """Once the pictures were read again, the plan is that of a new index."""
    index.update(pictures, jobs=0)
    settle(index)
    expected = planned(index)
    as_made_by(index, version)

    with fault(41, f"schema {version}, prune after index", root=pictures) as case:
        index.update(pictures, jobs=0)
        found = planned(index)
        pruned = prune(index)
        case.undo(index)

    assert (len(expected), pruned) == (4, 0)
    assert found == expected
