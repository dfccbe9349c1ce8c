"""Hazards 42 to 76 of upgrades: what happens to the old picture, the better one and the journal on the way, and back."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checking import (
    Change,
    across,
    behind_a_link,
    deleted,
    grown,
    hard_linked,
    left_over,
    made_a_fifo,
    made_a_folder,
    mtime_put_back,
    overwritten,
    payloads,
    renamed,
    symlinked,
    truncated,
)
from score import Faults
from support import tree
from upgrading import BETTER, OLD, with_better

from indexer import Index, deeds, ledger, manifest, prune, quarantine, transfer
from indexer.errors import ImgindexError
from indexer.moves import MoveReport

OF_BETTER = {
    42: (overwritten, truncated, grown),
    43: (mtime_put_back,),
    44: (deleted, renamed),
    45: (symlinked,),
    46: (hard_linked,),
    47: (made_a_folder, made_a_fifo),
    53: (behind_a_link,),
}
OF_OLD = {
    50: (overwritten, mtime_put_back, grown, truncated),
    51: (symlinked,),
    53: (behind_a_link,),
}
CHANGES = [
    pytest.param(row, path, change, id=f"{row} {path} {change.__name__}")
    for path, table in ((BETTER, OF_BETTER), (OLD, OF_OLD))
    for row, changes in table.items()
    for change in changes
]


def prepared(place: Path, index: Index, form: str = "PNG") -> Path:
    """A picture with a better version that brings a caption."""
    photos = with_better(place, index, form=form)
    (photos / "scrape/x.txt").write_text("a cat\n")
    return photos


def states(index: Index) -> list[str]:
    """The states in the journal, in its order: the old picture, the caption, the better one."""
    with contextlib.closing(sqlite3.connect(index.path)) as db:
        return [row[0] for row in db.execute("SELECT state FROM journal ORDER BY id")]


def upgraded(index: Index, **options: Any) -> MoveReport:
    """What carrying out all upgrades gives."""
    return index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)), **options)


def in_step(index: Index, photos: Path) -> bool:
    """True when a new run finds nothing new, changed or gone, and the quarantine is as the journal says."""
    report = index.update(photos, jobs=0)
    return (report.new, report.changed, report.gone) == (0, 0, 0) and not index.verify_quarantine()[1]


@pytest.mark.parametrize(("row", "path", "change"), CHANGES)
def test_hazard_42_to_53_changed_between_plan_and_move(
    tmp_path: Path, index: Index, fault: Faults, row: int, path: str, change: Change
) -> None:
    """Nothing moves, whatever became of the old or the better one since they were listed."""
    photos = with_better(tmp_path, index)
    found = index.upgrades(jobs=0)
    ends = {OLD: photos / OLD, BETTER: photos / BETTER}
    change(ends[path], ends[OLD if path == BETTER else BETTER])
    before = tree(photos)
    with fault(row, f"upgrade, {path} {change.__name__}", root=photos):
        done = index.carry_out(index.plan_upgrades(found))

    assert done.moved == ()
    assert len(done.refused) == 1
    assert tree(photos) == before
    assert payloads(photos) == []


@pytest.mark.parametrize(("row", "path", "change"), [one for one in CHANGES if one.values[2] is not hard_linked])
@pytest.mark.parametrize("way", ["renamed", "copied"])
def test_hazard_42_to_53_changed_at_the_last_moment(
    tmp_path: Path,
    index: Index,
    fault: Faults,
    monkeypatch: pytest.MonkeyPatch,
    row: int,
    path: str,
    change: Change,
    way: str,
) -> None:
    """After both were compared and the intent was written: nothing is lost, and nothing is done by half."""
    photos = with_better(tmp_path, index)
    found = index.upgrades(jobs=0)
    ends = {OLD: photos / OLD, BETTER: photos / BETTER}
    if way == "copied":
        monkeypatch.setattr(transfer, "rename_no_replace", across)
    with fault(row, f"upgrade, {path} {change.__name__} at the last moment, {way}", root=photos) as case:
        _before_the_move(
            monkeypatch, lambda: (change(ends[path], ends[OLD if path == BETTER else BETTER]), case.snapshot())
        )
        before = tree(photos)
        done = index.carry_out(index.plan_upgrades(found))
        after = tree(photos)
        monkeypatch.undo()
        if change is not behind_a_link:
            case.undo(index)

    assert done.moved == ()
    assert set(after) - {path} <= set(before) | {"scrape/elsewhere.jpg"} | {
        name for name in after if "elsewhere" in name
    }
    assert OLD not in before or path == OLD or after[OLD][0] == before[OLD][0]
    assert payloads(photos) == []
    assert left_over(tmp_path) == []


def _before_the_move(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Lets something happen right before the old picture moves."""
    real = deeds.move_in

    def hooked(*arguments: Any) -> Any:
        happens()
        return real(*arguments)

    monkeypatch.setattr(deeds, "move_in", hooked)


@pytest.mark.parametrize("change", [overwritten, mtime_put_back, deleted, symlinked, made_a_fifo])
@pytest.mark.parametrize("way", ["renamed", "copied"])
def test_hazard_42_to_47_the_better_one_changes_when_the_old_one_is_away(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, change: Change, way: str
) -> None:
    """The old one is put back, and so is all that was moved with it."""
    photos = prepared(tmp_path, index)
    found = index.upgrades(jobs=0)
    better, before = photos / "scrape/x.png", tree(photos)
    real = deeds.move_as_planned
    if way == "copied":
        monkeypatch.setattr(transfer, "rename_no_replace", across)
    with fault(42, f"upgrade, better one {change.__name__} when the old one is away, {way}", root=photos) as case:

        def hooked(entry: Any, shared: Any) -> Any:
            if entry.path.endswith(".png"):
                change(better, photos / OLD)
                case.snapshot()
            return real(entry, shared)

        monkeypatch.setattr(deeds, "move_as_planned", hooked)
        done = index.carry_out(index.plan_upgrades(found))
        after = tree(photos)
        monkeypatch.undo()

    assert done.moved == ()
    assert {name: file for name, file in after.items() if name != "scrape/x.png"} == {
        name: file for name, file in before.items() if name != "scrape/x.png"
    }
    assert payloads(photos) == []
    assert left_over(tmp_path) == []


def test_hazard_52_the_better_one_is_swapped_at_the_rename(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was moved in its stead gets its name back."""
    photos = prepared(tmp_path, index)
    found = index.upgrades(jobs=0)
    real = quarantine.transfer
    with fault(52, "upgrade, better one swapped between look and rename", root=photos) as case:

        def hooked(source: int, name: str, target: int, new_name: str, entry: Any) -> bool:
            if name == "x.png":
                monkeypatch.setattr(quarantine, "transfer", real)
                (photos / "scrape/x.png").rename(photos / "scrape/aside.png")
                (photos / "scrape/x.png").write_bytes(b"a newcomer")
                case.snapshot()
            return real(source, name, target, new_name, entry)

        monkeypatch.setattr(quarantine, "transfer", hooked)
        done = index.carry_out(index.plan_upgrades(found))
        monkeypatch.undo()

    assert done.moved == ()
    assert (photos / "scrape/x.png").read_bytes() == b"a newcomer"
    assert sorted(tree(photos)) == ["scrape/aside.png", "scrape/x.png", "scrape/x.txt", OLD]


def test_hazard_53_the_old_ones_folder_becomes_a_link_when_it_is_away(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The better one is not moved through it."""
    photos = with_better(tmp_path, index)
    found = index.upgrades(jobs=0)
    outside = tmp_path / "outside"
    outside.mkdir()
    real = deeds.move_as_planned
    with fault(53, "upgrade, the folder of the old one becomes a link", root=photos, others=[outside]):

        def hooked(entry: Any, shared: Any) -> Any:
            (photos / "train/cat").rename(photos / "train/elsewhere")
            (photos / "train/cat").symlink_to(outside)
            return real(entry, shared)

        monkeypatch.setattr(deeds, "move_as_planned", hooked)
        done = index.carry_out(index.plan_upgrades(found))
        monkeypatch.undo()

    assert done.moved == ()
    assert list(outside.iterdir()) == []
    assert (photos / BETTER).exists()


@pytest.mark.parametrize("lost", ["all", "the better one's", "the old one's", "the caption's"])
def test_hazard_60_renames_that_a_power_failure_took_back(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """The intent is on disk, some renames are not: recover brings the upgrade to an end, and undo is exact."""
    photos = prepared(tmp_path, index)
    before = tree(photos)
    moved = {
        "the better one's": (photos / "train/cat/1.png", photos / "scrape/x.png"),
        "the caption's": (photos / "train/cat/1.txt", photos / "scrape/x.txt"),
    }
    with fault(60, f"upgrade, power failure, renames not on disk: {lost}", root=photos) as case:
        _cut_off(index, monkeypatch)
        moved["the old one's"] = (payloads(photos)[0], photos / OLD)
        for name, (new, old) in moved.items():
            if lost in {name, "all"}:
                new.rename(old)
        index.recover()
        recovered = tree(photos)
        same = in_step(index, photos)
        case.undo(index, original=before)

    assert recovered == before
    assert states(index) == ["aborted"] * 3
    assert same
    assert tree(photos) == before
    assert len(index.upgrades(jobs=0)) == 1


def _cut_off(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carries all upgrades out, but for the result, which is not written."""

    def fails(*_arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    found = index.upgrades(jobs=0)
    with monkeypatch.context() as patch:
        patch.setattr(prune, "_write_result", fails)
        with pytest.raises(OSError, match="Input/output"):
            index.carry_out(index.plan_upgrades(found))


def test_hazard_64_another_file_system_that_fills_up(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The better one cannot be copied: the old one is put back."""
    photos = prepared(tmp_path, index)
    found, before = index.upgrades(jobs=0), tree(photos)
    real = transfer.write_all

    def full(descriptor: int, data: bytes) -> None:
        if ".part" in os.readlink(f"/proc/self/fd/{descriptor}") and data.startswith(b"\x89PNG"):
            real(descriptor, data[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor, data)

    monkeypatch.setattr(transfer, "rename_no_replace", across)
    monkeypatch.setattr(transfer, "write_all", full)
    with fault(64, "upgrade, the better one's new disk is full", root=photos) as case:
        done = index.carry_out(index.plan_upgrades(found))
        after = tree(photos)
        case.undo(index)

    assert done.moved == ()
    assert "No space left" in done.refused[0].reason
    assert after == before
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("what", ["journal", "manifest"])
def test_hazard_66_the_intent_cannot_be_written(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Nothing moves."""
    photos = prepared(tmp_path, index)
    found, before = index.upgrades(jobs=0), tree(photos)

    def fails(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((ledger, "journal_plan", fails) if what == "journal" else (manifest, "_append", fails)))
    with fault(66, f"upgrade, no space for the {what}", root=photos) as case:
        with pytest.raises((OSError, ImgindexError)):
            index.carry_out(index.plan_upgrades(found))
        after = tree(photos)
        monkeypatch.undo()
        index.recover()
        case.undo(index)

    assert after == before
    assert in_step(index, photos)


def test_hazard_67_the_result_cannot_be_written(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next command finds out what was done, and the rows are right."""
    photos = prepared(tmp_path, index)
    before = tree(photos)

    with fault(67, "upgrade, the result cannot be written", root=photos) as case:
        _cut_off(index, monkeypatch)
        index.recover()
        after = sorted(tree(photos))
        same = in_step(index, photos)
        case.undo(index, original=before)

    assert after == ["train/cat/1.png", "train/cat/1.txt"]
    assert same
    assert states(index) == ["restored"] * 3


@pytest.mark.parametrize("back", ["better", "better and caption", "caption"])
def test_hazard_59_an_undo_that_was_interrupted_is_brought_to_an_end(
    tmp_path: Path, index: Index, fault: Faults, back: str
) -> None:
    """The better one was back already: the old one follows, and the rows are right."""
    photos = prepared(tmp_path, index)
    before = tree(photos)
    with fault(59, f"undo of an upgrade, killed when these were back: {back}", root=photos):
        upgraded(index)
        if "better" in back:
            (photos / "train/cat/1.png").rename(photos / "scrape/x.png")
        if "caption" in back:
            (photos / "train/cat/1.txt").rename(photos / "scrape/x.txt")
        with contextlib.closing(sqlite3.connect(index.path)) as db, db:
            db.execute("UPDATE journal SET state = 'returning'")
        index.recover()

    assert tree(photos) == before
    assert states(index) == ["restored"] * 3
    assert in_step(index, photos)
    assert len(index.upgrades(jobs=0)) == 1


def test_hazard_59_the_last_batch_of_an_undo_holds_whole_upgrades(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between two batches leaves each upgrade done or undone."""
    from indexer import undo  # noqa: PLC0415

    photos = with_better(tmp_path, index, numbers=(0, 1, 2))
    for name in "xyz":
        (photos / f"scrape/{name}.txt").write_text("a cat\n")
    monkeypatch.setattr(undo, "BATCH", 4)
    batches: list[int] = []
    real = undo._write_returned

    def counted(database: Any, answers: Any) -> None:
        batches.append(len(answers))
        real(database, answers)

    monkeypatch.setattr(undo, "_write_returned", counted)
    with fault(59, "undo of upgrades, batch by batch", root=photos) as case:
        upgraded(index, max_share=1)
        case.undo(index)

    assert batches == [3, 3, 3]


@pytest.mark.parametrize("failing", ["00000001.jpg", "1.txt"])
def test_hazard_68_what_cannot_come_back_keeps_the_better_one_in_place(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The old picture, or a caption, is refused by the system at the last moment: all stays as the upgrade left it."""
    photos = prepared(tmp_path, index)
    original = tree(photos)
    upgraded(index)
    before = tree(photos)
    real = quarantine.transfer

    def refusing(source: int, name: str, target: int, new_name: str, entry: Any) -> bool:
        if name == failing:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(source, name, target, new_name, entry)

    with fault(68, f"undo of an upgrade, {failing} cannot be moved", root=photos) as case:
        with monkeypatch.context() as patch:
            patch.setattr(quarantine, "transfer", refusing)
            done = index.undo()
        after, same = tree(photos), in_step(index, photos)
        case.undo(index, original=original)

    assert done.moved == ()
    assert len(done.refused) == 3
    assert after == before
    assert same


def test_hazard_75_purge_never_deletes_what_took_the_place(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Whether it is there, or gone: then the old one stays in the quarantine, as it may be the last."""
    photos = with_better(tmp_path, index)
    upgraded(index)
    (photos / OLD).rename(tmp_path / "aside.jpg")
    with fault(75, "purge after an upgrade, the better one is gone", root=photos):
        done = index.purge(0, dry_run=False)
    (tmp_path / "aside.jpg").rename(photos / OLD)
    index.purge(0, dry_run=False)

    assert done.moved == ()
    assert "may be the last copy" in done.refused[0].reason
    assert sorted(tree(photos)) == [OLD]
    assert payloads(photos) == []
