"""Purge: what is deleted for good, in which order, and what stays as it may be the last of its kind."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from support import aged, make_photos, tree

from indexer import Index
from indexer.manifest import MANIFEST
from indexer.moves import MoveReport

DAY_NS = 24 * 3600 * 1_000_000_000


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos, indexed."""
    folder = make_photos(tmp_path / "data" / "photos")
    (folder / "z").mkdir()
    index.update(folder, jobs=0)
    return folder


def copied(photos: Path, number: int) -> Path:
    """A copy of a photo, younger than it."""
    copy = photos / "z" / f"{number}.jpg"
    shutil.copy2(photos / "ab"[number % 2] / f"{number}.jpg", copy)
    return aged(copy, seconds=-500)


def pruned(photos: Path, index: Index, number: int, days: int = 0) -> int:
    """The size of a copy that a prune some days ago moved away."""
    copy = copied(photos, number)
    size = copy.stat().st_size
    index.update(photos, jobs=0)
    done = index.carry_out(index.plan())
    assert [moved.path for moved in done.moved] == [str(copy)]
    with contextlib.closing(sqlite3.connect(index.path)) as db, db:
        db.execute("UPDATE run SET started_ns = started_ns - ? WHERE id = ?", (days * DAY_NS, done.run_id))
    return size


def pruned_with_labels(photos: Path, index: Index) -> None:
    """A prune of a copy with a caption that is merged, of another sidecar, and of a row in a list."""
    copied(photos, 0)
    (photos / "a" / "0.txt").write_text("a mosaic\n")
    (photos / "z" / "0.txt").write_text("a mosaic\nof squares\n")
    (photos / "all.txt").write_text("a/0.jpg\nz/0.jpg\n")
    index.update(photos, jobs=0)
    index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"])


def names(report: MoveReport) -> list[str]:
    """What was moved away, in order."""
    return [Path(moved.path).name for moved in report.moved]


def held(index: Index) -> list[str]:
    """What lies in the quarantine, the oldest first."""
    return [Path(one.entry.full_path).name for one in index.quarantined()]


def payloads(photos: Path) -> list[Path]:
    """The files in the quarantine."""
    places = (photos.parent / ".imgindex-quarantine").rglob("*")
    return [path for path in places if path.is_file() and path.name != MANIFEST]


@pytest.mark.parametrize(
    ("staying", "spare", "gone"),
    [
        pytest.param(3, 1_000_000, [], id="small enough already"),
        pytest.param(3, 0, [], id="just small enough"),
        pytest.param(3, -1, ["2.jpg"], id="a byte too many"),
        pytest.param(2, 0, ["2.jpg"], id="small enough without the oldest"),
        pytest.param(2, -1, ["2.jpg", "1.jpg"], id="two have to go"),
        pytest.param(0, 1, ["2.jpg", "1.jpg", "0.jpg"], id="all have to go"),
    ],
)
def test_purge_takes_the_oldest_until_little_enough_is_left(
    photos: Path, index: Index, staying: int, spare: int, gone: list[str]
) -> None:
    """The age of the prune counts, not that of the file; the dry run tells the same."""
    sizes = [pruned(photos, index, number, days) for number, days in ((2, 9), (1, 5), (0, 1))]
    left = sum(sizes[3 - staying :]) + spare

    told = index.purge(0, keep_bytes=left)
    between = len(payloads(photos))
    done = index.purge(0, keep_bytes=left, dry_run=False)

    assert (names(told), between) == (gone, 3)
    assert names(done) == gone
    assert len(payloads(photos)) == 3 - len(gone)


@pytest.mark.parametrize(
    ("days", "keep_bytes", "gone"),
    [
        pytest.param(3, 0, ["2.jpg", "1.jpg"], id="age alone"),
        pytest.param(3, 1, ["2.jpg", "1.jpg"], id="the young stay though much is left"),
        pytest.param(7, 1, ["2.jpg"], id="older"),
        pytest.param(30, 1, [], id="none is that old"),
        pytest.param(3, 10_000_000, [], id="small enough though old"),
    ],
)
def test_purge_takes_what_is_old_and_too_much(
    photos: Path, index: Index, days: int, keep_bytes: int, gone: list[str]
) -> None:
    """Both limits hold together."""
    for number, age in ((2, 9), (1, 5), (0, 1)):
        pruned(photos, index, number, age)

    told = index.purge(days * 24 * 3600, keep_bytes=keep_bytes)
    done = index.purge(days * 24 * 3600, keep_bytes=keep_bytes, dry_run=False)

    assert (names(told), names(done)) == (gone, gone)
    assert sorted(held(index)) == sorted({"2.jpg", "1.jpg", "0.jpg"} - {*gone})


def test_purge_takes_sidecars_and_former_captions_along(photos: Path, index: Index) -> None:
    """They are counted with their picture; the data set is not touched; nothing can be brought back afterwards."""
    pruned_with_labels(photos, index)
    before, lying = tree(photos), held(index)

    told = index.purge(0)
    done = index.purge(0, dry_run=False)

    assert lying == ["0.txt", "0.txt", "0.jpg", "all.txt"]
    assert [(Path(one.path).name, one.sidecars) for one in done.moved] == [("0.jpg", 2), ("all.txt", 0)]
    assert (told.moved, told.refused, told.run_id) == (done.moved, done.refused, None)
    assert (payloads(photos), held(index), tree(photos)) == ([], [], before)
    assert (index.status().quarantined, index.status().quarantined_bytes) == (0, 0)


@pytest.mark.parametrize("link", ["hard", "symlink"])
def test_purge_leaves_links_as_they_are(photos: Path, index: Index, link: str) -> None:
    """They hold nothing in the quarantine, and can be taken back after any purge."""
    copied(photos, 0)
    index.update(photos, jobs=0)
    before = tree(photos)
    index.carry_out(index.plan(link=link))

    done = index.purge(0, dry_run=False)
    undone = index.undo()

    assert (done.moved, done.refused, done.run_id) == ((), (), None)
    assert (len(undone.moved), tree(photos)) == (1, before)


def test_purge_keeps_the_former_version_of_a_list_that_is_gone(photos: Path, index: Index) -> None:
    """It may be the last one; when the list is back, it goes."""
    pruned_with_labels(photos, index)
    text = (photos / "all.txt").read_text()
    (photos / "all.txt").unlink()

    first = index.purge(0, dry_run=False)
    kept = held(index)
    (photos / "all.txt").write_text(text)
    second = index.purge(0, dry_run=False)

    assert (names(first), [Path(one.path).name for one in first.refused]) == (["0.jpg"], ["all.txt"])
    assert "may be the last one" in first.refused[0].reason
    assert kept == ["all.txt"]
    assert (names(second), held(index)) == (["all.txt"], [])


@pytest.mark.parametrize("harm", ["gone", "overwritten"])
def test_purge_keeps_what_no_file_stands_for(photos: Path, index: Index, harm: str) -> None:
    """Hazard 75: the index proposes a keeper, the disk decides; dry run and real run refuse the same."""
    pruned(photos, index, 0)
    keeper = photos / "a" / "0.jpg"
    keeper.write_bytes(b"something else") if harm == "overwritten" else keeper.unlink()

    told = index.purge(0)
    done = index.purge(0, dry_run=False)

    assert (told.moved, done.moved, told.refused) == ((), (), done.refused)
    assert "last copy" in done.refused[0].reason
    assert len(payloads(photos)) == 1


def test_purge_takes_what_another_copy_stands_for(photos: Path, index: Index) -> None:
    """The keeper went elsewhere; any indexed file of its bytes will do."""
    pruned(photos, index, 0)
    (photos / "a" / "0.jpg").rename(photos / "b" / "renamed.jpg")
    index.update(photos, jobs=0)

    done = index.purge(0, dry_run=False)

    assert (names(done), done.refused, payloads(photos)) == (["0.jpg"], (), [])


def test_purge_leaves_a_payload_that_was_altered(photos: Path, index: Index) -> None:
    """Hazard 73: it is not the file that was moved there, so that nobody has asked to delete it."""
    pruned(photos, index, 0)
    payloads(photos)[0].write_bytes(b"altered")

    done = index.purge(0, dry_run=False)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert "was altered" in done.refused[0].reason
    assert payloads(photos)[0].read_bytes() == b"altered"
    assert held(index) == ["0.jpg"]


def test_dry_purge_changes_nothing_at_all(photos: Path, index: Index) -> None:
    """Not a file, not a row, not a run."""
    pruned_with_labels(photos, index)
    before, runs = tree(photos.parent), index.history()

    done = index.purge(0)

    assert len(done.moved) == 2
    assert (tree(photos.parent), index.history()) == (before, runs)


def test_purge_of_one_prune_leaves_the_other_undoable(photos: Path, index: Index) -> None:
    """Undo brings back what is still there, and only that."""
    pruned(photos, index, 2, days=9)
    pruned(photos, index, 0, days=1)
    index.purge(5 * 24 * 3600, dry_run=False)

    undone = index.undo()

    assert names(undone) == ["0.jpg"]
    assert (photos / "z" / "0.jpg").exists()
    assert not (photos / "z" / "2.jpg").exists()


@pytest.mark.parametrize("harm", ["its keeper is gone", "altered"])
def test_purge_counts_what_it_may_not_delete_as_left(photos: Path, index: Index, harm: str) -> None:
    """A byte too many lies there and the oldest file has to stay: the next one goes instead, also in the dry run."""
    left = sum(pruned(photos, index, number, days) for number, days in ((2, 9), (1, 5), (0, 1))) - 1
    if harm == "altered":
        payload = next(Path(one.entry.payload_path) for one in index.quarantined())
        payload.write_bytes(bytes(payload.stat().st_size))
    else:
        (photos / "a" / "2.jpg").unlink()

    told = index.purge(0, keep_bytes=left)
    done = index.purge(0, keep_bytes=left, dry_run=False)

    assert (names(told), names(done), held(index)) == (["1.jpg"], ["1.jpg"], ["2.jpg", "0.jpg"])
    assert [Path(one.path).name for one in told.refused] == ["2.jpg"]
    assert told.refused == done.refused


def test_dry_purge_names_what_was_altered(photos: Path, index: Index) -> None:
    """Pictures, and what belongs to them, as the real run does."""
    pruned_with_labels(photos, index)
    (caption,) = (path for path in payloads(photos) if path.read_text(errors="replace") == "a mosaic\nof squares\n")
    caption.write_text("altered")

    told = index.purge(0)
    done = index.purge(0, dry_run=False)

    assert [Path(one.path).name for one in told.refused] == ["0.txt"]
    assert "was altered in the quarantine" in told.refused[0].reason
    assert (told.moved, told.refused) == (done.moved, done.refused)


def test_purge_keeps_the_former_version_of_a_list_while_undo_may_need_it(photos: Path, index: Index) -> None:
    """The picture has to stay, so that an undo can bring it back: then its row comes back, too."""
    pruned_with_labels(photos, index)
    (payload,) = (path for path in payloads(photos) if path.suffix == ".jpg")
    data = payload.read_bytes()
    payload.write_bytes(b"altered")

    told = index.purge(0)
    done = index.purge(0, dry_run=False)
    payload.write_bytes(data)
    index.undo()

    assert (done.moved, [Path(one.path).name for one in done.refused]) == ((), ["0.jpg", "all.txt"])
    assert "undo may need it" in done.refused[1].reason
    assert told.refused == done.refused
    assert (photos / "all.txt").read_text() == "a/0.jpg\nz/0.jpg\n"


def test_purge_of_more_than_a_batch_ends_where_enough_is_gone(photos: Path, index: Index) -> None:
    """The 101st file goes when the hundred before it did not free enough, and no more."""
    for number in range(105):
        shutil.copy2(photos / "a" / "0.jpg", photos / "z" / f"{number:03d}.jpg")
    index.update(photos, jobs=0)
    index.carry_out(index.plan(), max_share=1)
    size = (photos / "a" / "0.jpg").stat().st_size

    done = index.purge(0, keep_bytes=4 * size, dry_run=False)

    assert (len(done.moved), len(payloads(photos))) == (101, 4)
