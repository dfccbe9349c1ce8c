"""Hazards 50 to 53 and 64 to 68 for files that nothing stands for: what is rejected, and what returned."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from checking import (
    KEEPER,
    SURPLUS,
    Change,
    across,
    behind_a_link,
    deleted,
    grown,
    left_over,
    made_a_fifo,
    made_a_folder,
    mtime_put_back,
    overwritten,
    payloads,
    renamed,
    symlinked,
    truncated,
    with_copy,
)
from rejecting import WHY, marks
from score import Faults
from support import Tree, tree

from indexer import Index, ledger, manifest, prune, quarantine, transfer
from indexer.errors import ImgindexError
from indexer.plans import Plan

CHANGES = [
    *(pytest.param(50, one, id=one.__name__) for one in (overwritten, mtime_put_back, grown, truncated)),
    *(pytest.param(50, one, id=one.__name__) for one in (deleted, renamed, made_a_folder, made_a_fifo)),
    pytest.param(51, symlinked, id="symlinked"),
    pytest.param(53, behind_a_link, id="behind a link"),
]
WAYS = ["rejected", "returned"]


def prepared(place: Path, index: Index, way: str) -> tuple[Path, Plan]:
    """A data set with a picture and its smaller copy, saved again, and the plan to move the copy away."""
    photos = with_copy(place, index, resaved=True)
    if way == "rejected":
        return photos, index.plan_rejection(photos / SURPLUS, reason=WHY)
    index.carry_out(index.plan_rejection(photos / KEEPER, reason=WHY))
    return photos, index.plan_returned()


@pytest.mark.parametrize(("row", "change"), CHANGES)
@pytest.mark.parametrize("way", WAYS)
def test_hazard_50_51_and_53_after_the_plan_was_made(
    tmp_path: Path, index: Index, fault: Faults, row: int, change: Change, way: str
) -> None:
    """A file that is no longer what the plan says stays, without waiting, and nothing is marked for its sake."""
    photos, plan = prepared(tmp_path, index, way)
    known, held = marks(index), payloads(photos)
    change(photos / SURPLUS, photos / "b" / "1.jpg")

    with fault(row, f"{way}: {change.__name__} after the plan", root=photos, others=[photos.parent]):
        done = index.carry_out(plan)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert (marks(index), payloads(photos), left_over(photos.parent)) == (known, held, [])


@pytest.mark.parametrize(("row", "change"), CHANGES)
@pytest.mark.parametrize("way", WAYS)
def test_hazard_50_51_and_53_after_the_batch_was_compared(
    tmp_path: Path,
    index: Index,
    fault: Faults,
    monkeypatch: pytest.MonkeyPatch,
    row: int,
    change: Change,
    way: str,
) -> None:
    """The last look sees it; the mark, which was written with the intent, is taken back."""
    photos, plan = prepared(tmp_path, index, way)
    known, held, real = marks(index), payloads(photos), prune.write_manifest

    with fault(row, f"{way}: {change.__name__} after it was read", root=photos, others=[photos.parent]) as case:

        def changing(*arguments: Any) -> None:
            real(*arguments)
            assert len(marks(index)) == 1
            change(photos / SURPLUS, photos / "b" / "1.jpg")
            case.snapshot()

        monkeypatch.setattr(prune, "write_manifest", changing)
        done = index.carry_out(plan)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert (marks(index), payloads(photos), left_over(photos.parent)) == (known, held, [])


@pytest.mark.parametrize("way", WAYS)
def test_hazard_52_another_file_right_before_the_rename(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """What moved is not the file that was read: it goes back to its place, and nothing is marked."""
    photos, plan = prepared(tmp_path, index, way)
    known, held, real, swapped = marks(index), payloads(photos), quarantine.transfer, list[int]()

    with fault(52, f"{way}: another file right before the rename", root=photos) as case:

        def swapping(*arguments: Any) -> bool:
            if not swapped:
                swapped.append(1)
                (photos / SURPLUS).unlink()
                (photos / SURPLUS).write_bytes(b"somebody's")
                case.snapshot()
            return real(*arguments)

        monkeypatch.setattr(quarantine, "transfer", swapping)
        done = index.carry_out(plan)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert (photos / SURPLUS).read_bytes() == b"somebody's"
    assert (marks(index), payloads(photos)) == (known, held)


@pytest.mark.parametrize("way", WAYS)
def test_hazard_52_another_file_moved_and_its_place_was_taken(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The system reports an error after its work: what lies in the quarantine then is not what was to go, which is said."""
    photos, plan = prepared(tmp_path, index, way)
    real = quarantine.transfer

    with fault(52, f"{way}: another file moved, and its place was taken", root=photos) as case:

        def failing(*arguments: Any) -> bool:
            (photos / SURPLUS).unlink()
            (photos / SURPLUS).write_bytes(b"somebody's")
            case.snapshot()
            real(*arguments)
            (photos / SURPLUS).write_bytes(b"somebody else's")
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(quarantine, "transfer", failing)
        done = index.carry_out(plan)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert (photos / SURPLUS).read_bytes() == b"somebody else's"


@pytest.mark.parametrize("way", WAYS)
def test_hazard_64_to_another_file_system_and_back(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Copied, verified, removed; and the same way back, with the marks that there were."""
    photos, plan = prepared(tmp_path, index, way)
    known = marks(index)
    monkeypatch.setattr(transfer, "rename_no_replace", across)

    with fault(64, f"{way}: another file system", root=photos):
        before = tree(photos)
        done = index.carry_out(plan)
        assert len(done.moved) == 1
        index.undo(done.run_id)

    assert (tree(photos), marks(index), left_over(photos.parent)) == (before, known, [])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("row", "place", "name"),
    [
        pytest.param(65, manifest, "_append", id="manifest"),
        pytest.param(66, ledger, "journal_plan", id="intent"),
        pytest.param(67, prune, "_write_result", id="result"),
    ],
)
def test_hazard_65_66_and_67_disk_full_on_the_way(
    tmp_path: Path,
    index: Index,
    fault: Faults,
    monkeypatch: pytest.MonkeyPatch,
    row: int,
    place: Any,
    name: str,
    way: str,
) -> None:
    """No file is in the quarantine without a mark for what it shows, nor is there a mark for nothing, after `recover`."""
    photos, plan = prepared(tmp_path, index, way)
    with fault(row, f"{way}: disk full at {name}", root=photos) as case:
        before = tree(photos)

        def full(*_arguments: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            with pytest.raises((OSError, ImgindexError)):
                index.carry_out(plan)
        index.recover()
        assert_marked(index)
        all_undone(index, photos, before if way == "rejected" else None)
        case.snapshot()


def assert_marked(index: Index) -> None:
    """Every file in the quarantine that nothing stands for shows what is rejected; every mark of a run here has a file."""
    with sqlite3.connect(index.path) as db:
        rows = db.execute("SELECT digest, extra FROM journal WHERE action = 'reject' AND state = 'moved'").fetchall()
    db.close()
    marked = {mark[0] for mark in marks(index)}
    assert all(any(one.hex() in extra for one in marked) for _digest, extra in rows)
    assert marked <= {digest for digest, _extra in rows}


def all_undone(index: Index, photos: Path, before: Tree | None) -> None:
    """Everything comes back, and nothing is rejected any more."""
    while index.status().quarantined:
        index.undo()
    assert before is None or tree(photos) == before
    assert marks(index) == []
