"""Hazards 42 to 47 and 50 to 53 in the middle of a prune: what changes after a file was compared and before it moves."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
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
    with_copy,
)
from deciding import prune as pruned
from score import Case, Faults
from support import aged

from indexer import Index, deeds, links, prune, quarantine, transfer
from indexer.drawing import drawn, encoded

Hooked = tuple[Any, str]


def made_a_device(path: Path, _other: Path) -> None:
    """A device that gives endless zeros."""
    path.unlink()
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


def led_elsewhere(path: Path, other: Path) -> None:
    """A symlink to a file of the same bytes that belongs to neither."""
    target = other.parents[2] / "same-bytes.jpg"
    shutil.move(path, target)
    path.symlink_to(target)


def replaced_mtime_put_back(path: Path, _other: Path) -> None:
    """Another file of the same size and modification time."""
    status = path.stat()
    path.with_name("new").write_bytes(bytes(status.st_size))
    os.utime(path.with_name("new"), ns=(status.st_atime_ns, status.st_mtime_ns))
    path.with_name("new").replace(path)


OF_KEEPER = {
    42: (overwritten, truncated),
    43: (mtime_put_back, replaced_mtime_put_back),
    44: (deleted, renamed),
    45: (symlinked, led_elsewhere),
    46: (hard_linked,),
    47: (made_a_folder, made_a_fifo, made_a_device),
    53: (behind_a_link,),
}
OF_SURPLUS = {
    50: (overwritten, mtime_put_back, replaced_mtime_put_back, grown, truncated),
    51: (symlinked, led_elsewhere),
    53: (behind_a_link,),
}
CHANGES = [
    pytest.param(row, changed, change, id=f"{row} {changed} {change.__name__}")
    for changed, table in ((KEEPER, OF_KEEPER), (SURPLUS, OF_SURPLUS))
    for row, changes in table.items()
    for change in changes
]
WAYS = ["copies", "saved again", "another file system", "hard", "symlink"]
LINKS = {"hard", "symlink"}


MEMORY = Path("/dev/shm")  # noqa: S108 - nothing waits for a disk there, which is nine tenths of the time


@pytest.fixture(scope="module")
def templates() -> Iterator[dict[str, Path]]:
    """Data sets that are indexed once, and put back before each test."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        found = {}
        for name, options in (("copies", {}), ("saved again", {"resaved": True}), ("captions", {"captions": True})):
            place = Path(folder) / name
            place.mkdir()
            with_copy(place, Index(place / "imgindex.db"), **options)
            shutil.copytree(place, place.with_name(f"{name}-template"))
            found[name] = place
        yield found


Fresh = Callable[..., tuple[Path, Index]]


@pytest.fixture
def fresh(templates: dict[str, Path]) -> Fresh:
    """A function that gives a data set with a copy, just indexed, and its index."""

    def put_back(name: str = "copies") -> tuple[Path, Index]:
        place = templates[name]
        shutil.rmtree(place)
        shutil.copytree(place.with_name(f"{place.name}-template"), place)
        return place / "data" / "photos", Index(place / "imgindex.db")

    return put_back


def prepared(fresh: Fresh, monkeypatch: pytest.MonkeyPatch, way: str) -> tuple[Path, Index, Any]:
    """A data set with a copy, and the plan to take it away in one of the ways."""
    photos, index = fresh("saved again" if way == "saved again" else "copies")
    if way == "another file system":
        monkeypatch.setattr(transfer, "rename_no_replace", across)
    return photos, index, index.plan(link=way if way in LINKS else None)


def behind(monkeypatch: pytest.MonkeyPatch, hooked: Hooked, case: Case, change: Callable[[], object]) -> list[int]:
    """Lets something happen once behind the first call of a function; the list it gives is empty until then."""
    real, calls = getattr(*hooked), list[int]()

    def hook(*arguments: object) -> object:
        answer = real(*arguments)
        if not calls:
            calls.append(1)
            change()
            case.snapshot()
        return answer

    monkeypatch.setattr(*hooked, hook)
    return calls


@pytest.mark.parametrize(("row", "changed", "change"), CHANGES)
@pytest.mark.parametrize("way", ["copies", "saved again", "hard", "symlink"])
def test_hazard_42_to_47_and_50_to_53_after_the_plan_was_written(
    fresh: Fresh, fault: Faults, monkeypatch: pytest.MonkeyPatch, row: int, changed: str, change: Change, way: str
) -> None:
    """A plan file whose keeper or surplus is no longer what it says moves nothing, with exit code 3 and without waiting."""
    photos, index, plan = prepared(fresh, monkeypatch, way)
    file = photos.parent / "plan.jsonl"
    file.write_text("\n".join(index.plan_lines(plan)))
    change(photos / changed, photos / (SURPLUS if changed == KEEPER else KEEPER))

    with fault(row, f"{changed} {change.__name__} after the plan, {way}", root=photos, others=[photos.parent]):
        code = pruned(index, "--plan", str(file))

    assert (code, payloads(photos), left_over(photos.parent)) == (3, [], [])


@pytest.mark.parametrize(("row", "changed", "change"), CHANGES)
@pytest.mark.parametrize("way", WAYS)
def test_hazard_42_to_47_and_50_to_53_after_the_batch_was_compared(
    fresh: Fresh,
    fault: Faults,
    monkeypatch: pytest.MonkeyPatch,
    row: int,
    changed: str,
    change: Change,
    way: str,
) -> None:
    """A change between the comparison of a batch and its moves is seen by the last look; what changed is compared anew."""
    photos, index, plan = prepared(fresh, monkeypatch, way)
    other = photos / (SURPLUS if changed == KEEPER else KEEPER)

    with fault(
        row, f"{changed} {change.__name__} after it was compared, {way}", root=photos, others=[photos.parent]
    ) as case:
        calls = behind(monkeypatch, (prune, "write_manifest"), case, lambda: change(photos / changed, other))
        done = index.carry_out(plan)

    assert calls
    assert (done.moved, [one.path for one in done.refused]) == ((), [str(photos / SURPLUS)])
    assert (payloads(photos), left_over(photos.parent)) == ([], [])


@pytest.mark.parametrize("way", WAYS)
def test_hazard_42_keeper_touched_after_it_was_compared(
    fresh: Fresh, fault: Faults, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A keeper whose times changed but not its bytes is compared anew, and still stands for its surplus; undo is exact."""
    photos, index, plan = prepared(fresh, monkeypatch, way)

    with fault(42, f"keeper touched after it was compared, {way}", root=photos) as case:
        behind(monkeypatch, (prune, "write_manifest"), case, lambda: aged(photos / KEEPER))
        done = index.carry_out(plan)
        case.undo(index)

    assert (len(done.moved), done.refused) == (1, ())


@pytest.mark.parametrize(("row", "changed", "change"), CHANGES)
@pytest.mark.parametrize("way", ["copies", "saved again", "another file system"])
def test_hazard_52_after_the_last_look(
    fresh: Fresh,
    fault: Faults,
    monkeypatch: pytest.MonkeyPatch,
    row: int,
    changed: str,
    change: Change,
    way: str,
) -> None:
    """Between the last look and the move nothing can be lost: what moved lies in the quarantine, whatever it is."""
    photos, index, plan = prepared(fresh, monkeypatch, way)
    other = photos / (SURPLUS if changed == KEEPER else KEEPER)

    with fault(
        52, f"{changed} {change.__name__} after the last look, {way}", root=photos, others=[photos.parent]
    ) as case:
        calls = behind(monkeypatch, (quarantine, "still_as_confirmed"), case, lambda: change(photos / changed, other))
        done = index.carry_out(plan)

    assert calls
    assert len(done.moved) + len(done.refused) == 1
    if row in {50, 51} and (way == "another file system" or change is not mtime_put_back):
        assert done.moved == ()
    assert len(payloads(photos)) == len(done.moved)
    assert left_over(photos.parent) == []


@pytest.mark.parametrize("change", [replaced_mtime_put_back, symlinked, grown], ids=lambda one: one.__name__)
@pytest.mark.parametrize(
    ("way", "place", "name"),
    [
        pytest.param("copies", transfer, "rename_no_replace", id="rename"),
        pytest.param("another file system", transfer, "copy_verified", id="copy"),
        pytest.param("hard", transfer, "exchange", id="exchange with a hard link"),
        pytest.param("symlink", transfer, "exchange", id="exchange with a symlink"),
    ],
)
def test_hazard_52_right_before_the_rename(
    fresh: Fresh,
    fault: Faults,
    monkeypatch: pytest.MonkeyPatch,
    change: Change,
    way: str,
    place: Any,
    name: str,
) -> None:
    """Another file in the surplus file's place is not taken for it, though size and times are equal: it is there after."""
    photos, index, plan = prepared(fresh, monkeypatch, way)
    real, swapped, original = getattr(place, name), list[Path](), (photos / SURPLUS).read_bytes()

    with fault(52, f"{change.__name__} right before {name}, {way}", root=photos) as case:

        def swapping(*arguments: Any) -> object:
            if not swapped:
                swapped.append(photos / SURPLUS)
                change(photos / SURPLUS, photos / KEEPER)
                case.snapshot()
            return real(*arguments)

        monkeypatch.setattr(place, name, swapping)
        done = index.carry_out(plan)
        now = (photos / SURPLUS).lstat()

    assert (done.moved, len(done.refused)) == ((), 1)
    assert stat.S_ISLNK(now.st_mode) is (change is symlinked)
    assert (photos / SURPLUS).read_bytes() != b""
    saved = [original] if name == "copy_verified" else []  # the copy of what the swap destroyed may stay
    assert [path.read_bytes() for path in payloads(photos)] in ([], saved)
    assert left_over(photos.parent) == []


@pytest.mark.parametrize("way", ["copies", "another file system", "hard", "symlink"])
@pytest.mark.parametrize("changed", [KEEPER, SURPLUS])
def test_hazard_53_folder_became_a_link_to_a_twin_outside(
    fresh: Fresh, fault: Faults, monkeypatch: pytest.MonkeyPatch, way: str, changed: str
) -> None:
    """A folder two levels up becomes a link to one outside that holds the same files: nothing outside moves or counts."""
    photos, index, plan = prepared(fresh, monkeypatch, way)
    outside = photos.parents[1] / "outside"
    shutil.copytree((photos / changed).parent, outside)
    (photos / changed).parent.rename(photos / "was")
    (photos / changed).parent.symlink_to(outside)
    before = sorted((path.name, path.read_bytes()) for path in outside.iterdir())

    with fault(53, f"folder of {changed} a link to its twin, {way}", root=photos, others=[outside]) as case:
        done = index.carry_out(plan)
        case.undo(index)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert sorted((path.name, path.read_bytes()) for path in outside.iterdir()) == before


def test_hazard_53_folder_of_a_caption_became_a_link_at_the_last_moment(
    fresh: Fresh, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caption behind a link is not moved, and its picture stays with it."""
    photos, index = fresh("captions")
    plan, outside = index.plan(), photos.parents[1] / "outside"
    shutil.copytree(photos / "z", outside)

    def swap() -> None:
        (photos / "z").rename(photos / "was")
        (photos / "z").symlink_to(outside)

    with fault(53, "folder of a caption", root=photos, others=[outside]) as case:
        behind(monkeypatch, (prune, "write_manifest"), case, swap)
        done = index.carry_out(plan)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert {path.name for path in outside.iterdir()} == {"copy.jpg", "copy.txt"}


@pytest.mark.parametrize("change", [overwritten, deleted, replaced_mtime_put_back], ids=lambda one: one.__name__)
def test_hazard_50_caption_changed_after_it_was_compared(
    fresh: Fresh, fault: Faults, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """A picture whose caption was rewritten at the last moment stays, and the caption with it."""
    photos, index = fresh("captions")
    plan, caption = index.plan(), (photos / SURPLUS).with_suffix(".txt")

    with fault(50, f"caption {change.__name__} after it was compared", root=photos) as case:
        behind(monkeypatch, (prune, "write_manifest"), case, lambda: change(caption, photos / KEEPER))
        done = index.carry_out(plan)

    assert (done.moved, len(done.refused), payloads(photos)) == ((), 1, [])


def test_hazard_52_caption_is_back_when_its_picture_was_swapped(
    fresh: Fresh, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caption that has moved already comes back when its picture turns out to be another one."""
    photos, index = fresh("captions")
    plan = index.plan()

    with fault(52, "picture swapped behind its caption's back", root=photos) as case:
        behind(
            monkeypatch,
            (deeds, "move_as_planned"),
            case,
            lambda: (photos / SURPLUS).write_bytes(encoded(drawn(51))),
        )
        done = index.carry_out(plan)

    assert (done.moved, len(done.refused), payloads(photos)) == ((), 1, [])
    assert (photos / SURPLUS).with_suffix(".txt").read_text() == "a mosaic\n"


LATE = [
    *(pytest.param(KEEPER, one) for one in (overwritten, truncated, replaced_mtime_put_back, hard_linked)),
    *(pytest.param(SURPLUS, one) for one in (overwritten, truncated, replaced_mtime_put_back, deleted)),
    *(pytest.param(one, mtime_put_back) for one in (KEEPER, SURPLUS)),
]


@pytest.mark.parametrize(("changed", "change"), LATE)
@pytest.mark.parametrize("way", sorted(LINKS))
def test_hazard_52_after_the_last_look_of_a_link(
    fresh: Fresh, fault: Faults, monkeypatch: pytest.MonkeyPatch, way: str, changed: str, change: Change
) -> None:
    """The file that a link replaces is removed only while it, and what the link leads to, still hold its bytes."""
    photos, index, plan = prepared(fresh, monkeypatch, way)
    other = photos / (SURPLUS if changed == KEEPER else KEEPER)

    with fault(52, f"{changed} {change.__name__} after the last look, {way}", root=photos) as case:
        behind(monkeypatch, (links, "still_as_confirmed"), case, lambda: change(photos / changed, other))
        done = index.carry_out(plan)

    assert (done.moved, left_over(photos)) == ((), [])


def test_hazard_51_hard_link_that_somebody_else_made_is_not_undone(
    fresh: Fresh, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A surplus file that became a hard link of its keeper by another hand is refused, and undo leaves it as it is."""
    photos, index, plan = prepared(fresh, monkeypatch, "hard")

    with fault(51, "surplus hard linked after it was compared, hard", root=photos) as case:
        behind(monkeypatch, (prune, "write_manifest"), case, lambda: hard_linked(photos / SURPLUS, photos / KEEPER))
        done = index.carry_out(plan)
        case.undo(index)

    assert (done.moved, len(done.refused), (photos / SURPLUS).stat().st_nlink) == ((), 1, 2)
