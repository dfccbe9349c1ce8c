"""What is rejected no longer, and lies nowhere: the index keeps no picture of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from rejecting import AGAIN, BAD, come_again, reject, resaved, with_bad
from support import digest

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.groups import Kind


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Photos with two copies of one picture."""
    return with_bad(tmp_path, index)


def rows(index: Index, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a question to the database gives."""
    with sqlite3.connect(index.path) as db:
        found = db.execute(query, values).fetchall()
    db.close()
    return found


def kept(index: Index, digest: str) -> bool:
    """Whether the index keeps a thumbnail of a content."""
    query = "SELECT 1 FROM thumbnail JOIN content ON content.id = content_id WHERE digest = ?"
    return bool(rows(index, query, bytes.fromhex(digest)))


def stored(index: Index) -> bytes:
    """The bytes of the database's file, with all that was written."""
    with sqlite3.connect(index.path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return Path(index.path).read_bytes()


def test_forgotten_picture_leaves_no_thumbnail_and_comes_as_any_other(photos: Path, index: Index) -> None:
    """Nor hashes; its file is decoded when it comes again, and what runs brought is told as before."""
    bad, data = digest(photos / BAD), (photos / BAD).read_bytes()
    reject(index, photos / BAD)
    index.purge(0, dry_run=False)
    thumbnail = rows(
        index, "SELECT jpeg FROM thumbnail JOIN content ON id = content_id WHERE digest = ?", bytes.fromhex(bad)
    )
    arrived, part = list(index.arrivals()), thumbnail[0][0][-200:]

    assert kept(index, bad)
    assert part in stored(index)
    assert index.forget_rejected(bad) == 1

    assert not kept(index, bad)
    assert rows(index, "SELECT phash, look, views FROM content WHERE digest = ?", bytes.fromhex(bad)) in (
        [],
        [(None, None, None)],
    )
    assert part not in stored(index)
    assert list(index.arrivals()) == arrived

    (photos / BAD).write_bytes(data)
    index.update(photos, jobs=0)
    assert kept(index, bad)
    assert index.check(data).kind is Kind.BYTES
    assert index.check(resaved(0, 2 / 3)).kind is Kind.SAME


def test_what_showed_it_and_went_as_returned_is_forgotten_too(photos: Path, index: Index) -> None:
    """The better one, which stayed in the data set, is a picture like any other."""
    reject(index, photos / BAD)
    come_again(photos, index)
    again = digest(photos / AGAIN)
    index.carry_out(index.plan_returned())
    index.purge(0, dry_run=False)

    index.forget_rejected(photos / BAD)

    assert not kept(index, again)
    assert kept(index, digest(photos / "z/bigger.png"))


@pytest.mark.parametrize("why", ["in the quarantine", "in a file", "rejected itself"])
def test_what_is_needed_still_is_kept(photos: Path, index: Index, why: str) -> None:
    """What undo may bring back, what a file holds, and what is rejected for its own sake."""
    bad = digest(photos / BAD)
    reject(index, photos / BAD)
    come_again(photos, index)
    needed, forgotten = bad, bad
    if why == "in a file":
        (photos / "back.jpg").write_bytes(encoded(drawn(0)))
        index.update(photos, jobs=0)
    elif why == "rejected itself":
        needed = digest(photos / AGAIN)
        reject(index, photos / AGAIN)
    if why != "in the quarantine":
        index.purge(0, dry_run=False)

    index.forget_rejected(forgotten)

    assert kept(index, needed)


def test_twin_of_a_forgotten_picture_is_matched_for_itself(photos: Path, index: Index) -> None:
    """Equal pixels are matched once for all contents that have them; what is left of these must not lose its matches."""
    (photos / "twin.jpg").write_bytes((photos / BAD).read_bytes() + b"\0")
    (photos / AGAIN).write_bytes(resaved(0, 2 / 3))
    index.update(photos, jobs=0)
    bad = digest(photos / BAD)
    reject(index, photos / BAD)
    index.purge(0, dry_run=False)

    index.forget_rejected(bad)
    index.update(photos, jobs=0)

    assert not kept(index, bad)
    (group,) = index.groups()
    assert (group.keeper.path, [one.member.path for one in group.surplus]) == ("twin.jpg", [AGAIN])
