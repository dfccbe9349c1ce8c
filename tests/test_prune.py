"""Prune, undo, purge and recover: what is moved, what is refused, and that nothing is lost."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from support import Tree, aged, make_photos, tree

from indexer import Index, confirm, deeds, manifest, prune, quarantine, transfer
from indexer.drawing import drawn, encoded
from indexer.errors import SafetyError, UsageError
from indexer.plans import Plan

KEEPER, SURPLUS = "a/0.jpg", "z/copy.jpg"


@pytest.fixture
def copied(tmp_path: Path, index: Index) -> Path:
    """Photos of which one lies there twice, indexed: `a/0.jpg` is older than `z/copy.jpg`."""
    photos = make_photos(tmp_path / "data" / "photos")
    (photos / "z").mkdir()
    shutil.copy2(photos / KEEPER, photos / SURPLUS)
    aged(photos / SURPLUS, seconds=-500)
    index.update(photos, jobs=0)
    return photos


def contents(*folders: Path) -> set[bytes]:
    """The digests of all regular files below folders."""
    return {
        hashlib.sha256(path.read_bytes()).digest()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name != manifest.MANIFEST
    }


def payloads(photos: Path) -> list[Path]:
    """The files in the quarantine beside a root."""
    return sorted(
        path
        for path in (photos.parent / ".imgindex-quarantine").rglob("*")
        if path.is_file() and path.name != manifest.MANIFEST
    )


def states(index: Index) -> list[str]:
    """The states in the journal."""
    with sqlite3.connect(index.path) as db:
        found = [row[0] for row in db.execute("SELECT state FROM journal ORDER BY id")]
    db.close()
    return found


def test_carry_out_moves_the_surplus_and_undo_brings_it_back_exactly(copied: Path, index: Index) -> None:
    """Paths, bytes, permission bits and times are what they were."""
    (copied / SURPLUS).chmod(0o640)
    before = tree(copied)

    done = index.carry_out(index.plan())
    pruned = tree(copied)
    undone = index.undo()
    report = index.update(copied, jobs=0)

    assert [moved.path for moved in done.moved] == [str(copied / SURPLUS)]
    assert pruned == {path: file for path, file in before.items() if path != SURPLUS}
    assert len(undone.moved) == 1
    assert tree(copied) == before
    assert (report.new, report.changed, report.gone, report.decoded) == (0, 0, 0, 0)
    assert payloads(copied) == []


def test_plan_keeps_pixels_then_bytes_then_age_then_path(tmp_path: Path, index: Index) -> None:
    """The default keep rule, by the hash rule so that the members can differ."""
    photos = tmp_path / "photos"
    photos.mkdir()
    picture = drawn(4)
    (photos / "small.png").write_bytes(encoded(picture.resize((picture.width // 2, picture.height // 2)), "PNG"))
    (photos / "low.jpg").write_bytes(encoded(picture, "JPEG", quality=50))
    for name in ("b", "a", "old"):
        (photos / f"{name}.png").write_bytes(encoded(picture, "PNG"))
        os.utime(photos / f"{name}.png", (1_000_000, 1_000_000 if name == "old" else 2_000_000))
    index.update(photos, jobs=0)

    groups = index.groups(match="hash")

    assert len(groups) == 1
    order = [groups[0].keeper.path, *(surplus.member.path for surplus in groups[0].surplus)]
    assert order == ["old.png", "a.png", "b.png", "low.jpg", "small.png"]
    assert groups[0].reason == "oldest"
    assert [str(surplus.kind) for surplus in groups[0].surplus] == ["bytes", "bytes", "hash", "hash"]


def test_plan_is_empty_when_only_unlike_pictures_are_there(photos: Path, index: Index) -> None:
    """Nothing is made on disk, and undoing that run brings nothing back."""
    index.update(photos, jobs=0)

    done = index.carry_out(index.plan())

    assert (index.plan().moves, done.moved, done.refused) == ((), (), ())
    assert not (photos.parent / ".imgindex-quarantine").exists()
    with pytest.raises(UsageError, match="nothing to bring back"):
        index.undo(done.run_id)


# --- what happens to keeper or surplus between plan and move


def _overwritten(path: Path, _other: Path) -> None:
    path.write_bytes(b"something else")


def _overwritten_mtime_back(path: Path, _other: Path) -> None:
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _deleted(path: Path, _other: Path) -> None:
    path.unlink()


def _linked(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to(other)


def _hard_linked(path: Path, other: Path) -> None:
    path.unlink()
    path.hardlink_to(other)


def _made_a_fifo(path: Path, _other: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _made_a_folder(path: Path, _other: Path) -> None:
    path.unlink()
    path.mkdir()


def _behind_a_link(path: Path, _other: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to(path.parent.with_name("elsewhere"))


CHANGES = [
    pytest.param(_overwritten, id="overwritten"),
    pytest.param(_overwritten_mtime_back, id="overwritten, mtime put back"),
    pytest.param(_deleted, id="deleted"),
    pytest.param(_linked, id="replaced by a symlink to the other"),
    pytest.param(_hard_linked, id="replaced by a hard link of the other"),
    pytest.param(_made_a_fifo, id="made a FIFO"),
    pytest.param(_made_a_folder, id="made a folder"),
    pytest.param(_behind_a_link, id="its folder made a symlink"),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("changed", [KEEPER, SURPLUS])
def test_carry_out_refuses_when_keeper_or_surplus_changed_since_the_plan(
    copied: Path, index: Index, change: Callable[[Path, Path], None], changed: str
) -> None:
    """Hazards 42 to 47, 50, 51 and 53: no content that exists just before the move is lost, and the reason is given."""
    plan = index.plan()
    other = SURPLUS if changed == KEEPER else KEEPER
    change(copied / changed, copied / other)
    before = contents(copied)

    done = index.carry_out(plan)

    assert done.moved == ()
    assert [refused.path for refused in done.refused] == [str(copied / SURPLUS)]
    assert done.refused[0].reason
    assert contents(copied) == before
    assert payloads(copied) == []


def test_carry_out_refuses_when_digests_lie(copied: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 33: bytes are compared, whatever the digests say."""
    plan = index.plan()
    digest = plan.moves[0].surplus.member.digest
    (copied / KEEPER).write_bytes(encoded(drawn(50)))
    monkeypatch.setattr(confirm, "digest_of", lambda _chunks: digest)

    done = index.carry_out(plan)

    assert done.moved == ()


def test_carry_out_moves_a_file_back_when_it_was_swapped_at_the_last_moment(
    copied: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 52: what was moved is checked to be what was read."""
    plan = index.plan()
    move = transfer.rename_no_replace
    intruder = encoded(drawn(51))
    calls = []

    def swapping(*arguments: object) -> None:
        if not calls:
            (copied / "intruder").write_bytes(intruder)
            (copied / "intruder").replace(copied / SURPLUS)
        calls.append(arguments)
        move(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(transfer, "rename_no_replace", swapping)
    done = index.carry_out(plan)

    assert done.moved == ()
    assert "last moment" in done.refused[0].reason
    assert (copied / SURPLUS).read_bytes() == intruder
    assert payloads(copied) == []


def test_carry_out_refuses_when_a_file_changes_after_it_was_checked(
    copied: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keeper that is rewritten between the check of the batch and the move still protects its surplus."""
    plan = index.plan()
    write = manifest.write_manifest

    def rewriting(folder: str, entries: object) -> None:
        write(folder, entries)  # type: ignore[arg-type]
        (copied / KEEPER).write_bytes(b"rewritten")

    monkeypatch.setattr(prune, "write_manifest", rewriting)
    done = index.carry_out(plan)

    assert done.moved == ()
    assert (copied / SURPLUS).exists()


# --- copies in another encoding


SMALLER = "z/smaller.webp"


@pytest.fixture
def resaved(tmp_path: Path, index: Index) -> Path:
    """Photos of which one lies there a second time, smaller and as WebP, indexed."""
    photos = make_photos(tmp_path / "data" / "photos")
    picture = drawn(0)
    (photos / "z").mkdir()
    smaller = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))
    (photos / SMALLER).write_bytes(encoded(smaller, "WEBP", quality=70))
    (photos / SMALLER).chmod(0o640)
    aged(photos / SMALLER, seconds=9000)
    (photos / "notes.txt").write_text("mine")
    index.update(photos, jobs=0)
    return photos


def test_carry_out_moves_the_smaller_copy_and_undo_brings_it_back_exactly(resaved: Path, index: Index) -> None:
    """The same picture in fewer pixels goes, though it is older; nothing else in the folder changes."""
    before = tree(resaved)

    plan = index.plan()
    done = index.carry_out(plan)
    pruned, kept = tree(resaved), [path.read_bytes() for path in payloads(resaved)]
    again = index.plan()
    known = index.update(resaved, jobs=0)
    undone = index.undo()

    assert [(str(one.surplus.kind), one.keeper.path, one.surplus.member.path) for one in plan.moves] == [
        ("same", KEEPER, SMALLER)
    ]
    assert [moved.path for moved in done.moved] == [str(resaved / SMALLER)]
    assert pruned == {path: file for path, file in before.items() if path != SMALLER}
    assert kept == [before[SMALLER][0]]
    assert (again.moves, known.decoded, known.matches, len(undone.moved)) == ((), 0, 0, 1)
    assert tree(resaved) == before
    assert [move.surplus.member.path for move in index.plan().moves] == [SMALLER]


def test_pruned_copy_is_surplus_again_when_it_comes_back(resaved: Path, index: Index) -> None:
    """A later scrape brings the same bytes: nothing is decoded or compared for it."""
    again = (resaved / SMALLER).read_bytes()
    index.carry_out(index.plan())
    (resaved / "b" / "found-again.webp").write_bytes(again)

    report = index.update(resaved, jobs=0)

    assert (report.new, report.decoded, report.matches) == (1, 0, 0)
    assert [move.surplus.member.path for move in index.plan().moves] == ["b/found-again.webp"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("changed", [KEEPER, SMALLER])
def test_carry_out_refuses_a_smaller_copy_when_it_or_its_keeper_changed(
    resaved: Path, index: Index, change: Callable[[Path, Path], None], changed: str
) -> None:
    """The two differ in bytes, so each must hold what was fingerprinted."""
    plan = index.plan()
    other = SMALLER if changed == KEEPER else KEEPER
    change(resaved / changed, resaved / other)
    before = contents(resaved)

    done = index.carry_out(plan)

    assert done.moved == ()
    assert [refused.path for refused in done.refused] == [str(resaved / SMALLER)]
    assert done.refused[0].reason
    assert contents(resaved) == before
    assert payloads(resaved) == []


def test_purge_of_a_smaller_copy_needs_its_keeper(resaved: Path, index: Index) -> None:
    """What stands for it has other bytes; when that is gone, the smaller copy is all there is."""
    index.carry_out(index.plan())
    (resaved / KEEPER).rename(resaved.parent / "away.jpg")

    refused = index.purge(0, dry_run=False)
    (resaved.parent / "away.jpg").rename(resaved / KEEPER)
    done = index.purge(0, dry_run=False)

    assert (refused.moved, len(refused.refused)) == ((), 1)
    assert (len(done.moved), payloads(resaved)) == (1, [])


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        pytest.param({"kinds": ["bytes"]}, [], id="bytes alone"),
        pytest.param({"kinds": ["same"]}, ["same"], id="same"),
        pytest.param({"kinds": ["flipped", "edited"]}, ["flipped"], id="mirrored"),
        pytest.param({"kinds": []}, [], id="none"),
        pytest.param({"match": "bytes"}, [], id="the rule of equal bytes"),
    ],
)
def test_plan_holds_the_kinds_that_are_asked_for(
    resaved: Path, index: Index, asked: dict[str, object], kinds: list[str]
) -> None:
    """Each by itself; a mirrored copy lies there too."""
    (resaved / "mirrored.png").write_bytes(encoded(drawn(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"))
    aged(resaved / "mirrored.png", seconds=-100)
    index.update(resaved, jobs=0)

    plan = index.plan(**asked)  # type: ignore[arg-type]

    found = {str(move.surplus.kind) for move in plan.moves}
    assert found == set(kinds)


def test_plan_refuses_kinds_that_do_not_exist(resaved: Path, index: Index) -> None:
    """A misspelt kind is an error, not an empty plan."""
    with pytest.raises(UsageError, match="smae"):
        index.plan(kinds=["smae"])


# --- where the quarantine is


def test_quarantine_lies_beside_the_root_and_is_private(copied: Path, index: Index) -> None:
    """Hazard 76: no training script that lists the root's folders meets it, and nobody else looks inside."""
    index.carry_out(index.plan())

    assert len(payloads(copied)) == 1
    assert (copied.parent / ".imgindex-quarantine").stat().st_mode & 0o777 == 0o700
    assert payloads(copied)[0].parent.stat().st_mode & 0o777 == 0o700


def test_quarantine_lies_in_the_root_when_its_parent_cannot_be_written_and_is_never_indexed(
    copied: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 25: a quarantine inside a root is not part of the data set."""
    monkeypatch.setattr(quarantine.os, "access", lambda *_arguments: False)

    index.carry_out(index.plan())
    monkeypatch.undo()
    report = index.update(copied, jobs=0)

    assert (copied / ".imgindex-quarantine").is_dir()
    assert (report.files, report.new) == (6, 0)


def test_carry_out_refuses_when_no_quarantine_can_be_made(copied: Path, index: Index, tmp_path: Path) -> None:
    """Hazard 69: there is no way back to deleting."""
    (tmp_path / "file").write_text("in the way")
    before = tree(copied)

    with pytest.raises(SafetyError, match="no quarantine can be made"):
        index.carry_out(index.plan(), quarantine=tmp_path / "file")

    assert tree(copied) == before


def test_carry_out_copies_and_verifies_when_the_quarantine_is_on_another_file_system(
    copied: Path, index: Index
) -> None:
    """Hazards 64 and 72: EXDEV means copy, sync, verify, rename and only then remove; undo brings everything back."""
    elsewhere = Path("/dev/shm") / f"imgindex-test-{os.getpid()}"  # noqa: S108 - a folder on another file system
    if not elsewhere.parent.is_dir() or elsewhere.parent.stat().st_dev == copied.stat().st_dev:
        pytest.skip("there is no second file system here")
    (copied / SURPLUS).chmod(0o604)
    before = tree(copied)
    try:
        done = index.carry_out(index.plan(), quarantine=elsewhere)
        pruned = tree(copied)
        undone = index.undo()
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)

    assert (len(done.moved), len(undone.moved)) == (1, 1)
    assert SURPLUS not in pruned
    assert tree(copied) == before


def test_carry_out_leaves_the_file_when_a_copy_fails(
    copied: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 65: a full disk costs nothing and leaves nothing behind."""
    before = tree(copied)

    def across(*_arguments: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer, "rename_no_replace", across)
    monkeypatch.setattr(transfer, "write_all", full)
    monkeypatch.setattr(prune, "write_manifest", lambda *_arguments: None)
    done = index.carry_out(index.plan())

    assert [refused.reason for refused in done.refused] == ["cannot be moved: No space left on device"]
    assert tree(copied) == before
    assert payloads(copied) == []


def test_carry_out_keeps_a_hundred_files_of_one_name_apart(tmp_path: Path, index: Index) -> None:
    """Hazard 62: names in the quarantine do not collide."""
    photos = tmp_path / "photos"
    for number in range(101):
        (photos / f"{number:03}").mkdir(parents=True)
        aged(_written(photos / f"{number:03}" / "1.png", encoded(drawn(3), "PNG")), seconds=1000 - number)
    index.update(photos, jobs=0)
    before = tree(photos)

    done = index.carry_out(index.plan(), max_share=1)
    left = len(tree(photos))
    index.undo()

    assert (len(done.moved), left) == (100, 1)
    assert tree(photos) == before


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# --- undo


def test_undo_overwrites_nothing_when_the_place_is_taken(copied: Path, index: Index) -> None:
    """Hazard 70: the new file stays, the payload stays, and the user is told."""
    index.carry_out(index.plan())
    (copied / SURPLUS).write_bytes(b"new")

    done = index.undo()

    assert done.moved == ()
    assert "another file lies there now" in done.refused[0].reason
    assert (copied / SURPLUS).read_bytes() == b"new"
    assert len(payloads(copied)) == 1


def test_undo_makes_the_folder_again_when_it_is_gone(copied: Path, index: Index) -> None:
    """Hazard 71: with the permissions it had."""
    (copied / "z").chmod(0o750)
    before = tree(copied)
    index.carry_out(index.plan())
    (copied / "z").rmdir()

    index.undo()

    assert tree(copied) == before
    assert (copied / "z").stat().st_mode & 0o777 == 0o750


def test_undo_refuses_a_payload_that_was_altered(copied: Path, index: Index) -> None:
    """Hazard 73: a flipped byte is noticed before it comes back."""
    index.carry_out(index.plan())
    payload = payloads(copied)[0]
    payload.write_bytes(payload.read_bytes()[:-1] + b"?")

    done = index.undo()

    assert "altered" in done.refused[0].reason
    assert not (copied / SURPLUS).exists()


def test_undo_names_a_payload_that_is_missing(copied: Path, index: Index) -> None:
    """Hazard 73: somebody emptied the quarantine by hand."""
    index.carry_out(index.plan())
    payloads(copied)[0].unlink()

    done = index.undo()

    assert "missing from the quarantine" in done.refused[0].reason


def test_undo_refuses_when_there_is_nothing_to_bring_back(copied: Path, index: Index) -> None:
    """An unknown run and a data set that was never pruned alike."""
    with pytest.raises(UsageError, match="nothing to bring back"):
        index.undo()
    with pytest.raises(UsageError, match="nothing to bring back"):
        index.undo(77)


def test_undo_takes_the_newest_prune_first(copied: Path, index: Index) -> None:
    """Two prunes are undone one after the other."""
    first = index.carry_out(index.plan())
    shutil.copy(copied / "b" / "1.jpg", copied / "again.jpg")
    index.update(copied, jobs=0)
    second = index.carry_out(index.plan())

    newest, oldest = index.undo(), index.undo()

    assert [moved.path for moved in newest.moved] == [moved.path for moved in second.moved]
    assert [moved.path for moved in oldest.moved] == [moved.path for moved in first.moved]


# --- purge


def test_purge_deletes_what_a_keeper_stands_for(copied: Path, index: Index) -> None:
    """Only when told to, and only then is a file gone for good."""
    index.carry_out(index.plan())

    told = index.purge(0)
    still = len(payloads(copied))
    done = index.purge(0, dry_run=False)

    assert [moved.path for moved in told.moved] == [moved.path for moved in done.moved] == [str(copied / SURPLUS)]
    assert (still, payloads(copied)) == (1, [])
    assert states(index) == ["purged"]


def test_purge_leaves_young_files_alone(copied: Path, index: Index) -> None:
    """The age is that of the prune."""
    index.carry_out(index.plan())

    done = index.purge(3600, dry_run=False)

    assert (done.run_id, done.moved, len(payloads(copied))) == (None, (), 1)


@pytest.mark.parametrize("change", [_deleted, _overwritten])
def test_purge_refuses_the_last_copy(copied: Path, index: Index, change: Callable[[Path, Path], None]) -> None:
    """Hazard 75: the keeper is read again at the time of the purge."""
    index.carry_out(index.plan())
    change(copied / KEEPER, copied / SURPLUS)

    done = index.purge(0, dry_run=False)

    assert done.moved == ()
    assert "last copy" in done.refused[0].reason
    assert len(payloads(copied)) == 1


def test_purge_does_not_take_a_quarantined_file_for_a_copy(copied: Path, index: Index) -> None:
    """Hazard 75: a quarantine of the user's choice inside a root is not indexed, so its files stand for nothing."""
    index.carry_out(index.plan(), quarantine=copied / "thrown out")
    report = index.update(copied, jobs=0)
    (copied / KEEPER).unlink()

    done = index.purge(0, dry_run=False)

    assert (report.files, report.new) == (6, 0)
    assert done.moved == ()
    assert "last copy" in done.refused[0].reason
    assert len(payloads(copied / "thrown out" / "_")) == 1


def test_update_refuses_a_quarantine(copied: Path, index: Index) -> None:
    """What was moved away does not come back by being indexed."""
    index.carry_out(index.plan())

    with pytest.raises(UsageError, match="is a quarantine"):
        index.update(copied.parent / ".imgindex-quarantine", jobs=0)


def test_carry_out_moves_both_names_of_a_surplus_file(copied: Path, index: Index) -> None:
    """Moving one hard link changes the stamp of the other, which is then compared anew instead of refused."""
    (copied / "z" / "link.jpg").hardlink_to(copied / SURPLUS)
    index.update(copied, jobs=0)
    before = tree(copied)

    done = index.carry_out(index.plan())
    undone = index.undo()

    assert (len(done.moved), done.refused, len(undone.moved)) == (2, (), 2)
    assert tree(copied) == before


def test_carry_out_and_undo_say_so_when_the_root_is_away(copied: Path, index: Index) -> None:
    """An unmounted root is not an empty quarantine, and nothing is made in its place."""
    plan = index.plan()
    index.carry_out(plan)
    copied.rename(copied.with_name("away"))

    undone = index.undo()
    with pytest.raises(SafetyError, match="is missing: nothing was moved"):
        index.carry_out(plan)

    assert undone.refused[0].reason == f"the folder '{copied}' is missing"
    assert not copied.exists()


def test_undo_over_another_file_system_removes_nothing_but_its_own_copy(
    copied: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's file with the name of a half-made copy stays."""
    move = transfer.rename_no_replace

    def across(source: int, name: str, target: int, new_name: str) -> None:
        if source != target:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        move(source, name, target, new_name)

    monkeypatch.setattr(transfer, "rename_no_replace", across)
    monkeypatch.setattr(transfer, "partial_name", lambda entry: f".{entry.payload}.part")
    index.carry_out(index.plan())
    stranger = copied / "z" / f".{payloads(copied)[0].name}.part"
    stranger.write_bytes(b"precious")

    done = index.undo()

    assert (done.moved, len(done.refused), stranger.read_bytes()) == ((), 1, b"precious")
    assert len(payloads(copied)) == 1


def test_carry_out_leaves_no_copy_when_the_source_cannot_be_removed(
    copied: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only source and a quarantine on another file system: the copy goes, the journal agrees with the disk."""
    before = tree(copied)
    move, unlink = transfer.rename_no_replace, os.unlink

    def across(source: int, name: str, target: int, new_name: str) -> None:
        if source != target:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        move(source, name, target, new_name)

    def read_only(name: str, *, dir_fd: int) -> None:
        if name == "copy.jpg":
            raise OSError(errno.EROFS, "Read-only file system")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(transfer, "rename_no_replace", across)
    monkeypatch.setattr(transfer.os, "unlink", read_only)
    done = index.carry_out(index.plan())

    assert [refused.reason for refused in done.refused] == ["cannot be moved: Read-only file system"]
    assert (tree(copied), payloads(copied), states(index)) == (before, [], ["aborted"])


def test_carry_out_keeps_track_of_a_swapped_file_whose_place_was_taken(
    copied: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be moved back stays in the journal, so that nothing lies in the quarantine unknown."""
    move = transfer.rename_no_replace
    calls: list[str] = []

    def swapping(source: int, name: str, target: int, new_name: str) -> None:
        if not calls:
            (copied / "intruder").write_bytes(b"intruder")
            (copied / "intruder").replace(copied / SURPLUS)
        calls.append(name)
        move(source, name, target, new_name)
        (copied / SURPLUS).write_bytes(b"third")

    monkeypatch.setattr(transfer, "rename_no_replace", swapping)
    done = index.carry_out(index.plan())

    assert done.moved == ()
    assert (copied / SURPLUS).read_bytes() == b"third"
    assert [path.read_bytes() for path in payloads(copied)] == [b"intruder"]
    assert states(index) == ["moved"]


def test_undo_and_the_next_run_go_on_when_a_folder_became_a_file(copied: Path, index: Index) -> None:
    """One place that cannot be reached is one file left alone, and no later command stumbles over it."""
    index.carry_out(index.plan())
    (copied / "z").rmdir()
    (copied / "z").write_bytes(b"in the way")

    done = index.undo()
    report = index.update(copied, jobs=0)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert report.files == 6
    assert states(index) == ["moved"]


def test_undo_makes_no_folder_through_a_link(copied: Path, index: Index, tmp_path: Path) -> None:
    """Hazard 53: what lies outside the root is not touched."""
    (copied / "z" / "deep").mkdir()
    (copied / SURPLUS).rename(copied / "z" / "deep" / "copy.jpg")
    index.update(copied, jobs=0)
    index.carry_out(index.plan())
    shutil.rmtree(copied / "z")
    (tmp_path / "outside").mkdir()
    (copied / "z").symlink_to(tmp_path / "outside")

    done = index.undo()

    assert (done.moved, len(done.refused)) == ((), 1)
    assert list((tmp_path / "outside").iterdir()) == []


# --- recover


@pytest.mark.parametrize(
    ("state", "at_source", "at_quarantine", "found"),
    [
        pytest.param("planned", True, False, "aborted", id="killed before the move"),
        pytest.param("planned", False, True, "moved", id="killed after the move"),
        pytest.param("planned", True, True, "aborted", id="killed half-way through a copy or link"),
        pytest.param("planned", False, False, "missing", id="somebody took the file"),
        pytest.param("returning", False, True, "moved", id="killed before the way back"),
        pytest.param("returning", True, False, "restored", id="killed after the way back"),
        pytest.param("returning", True, True, "restored", id="killed half-way back"),
        pytest.param("purging", False, True, "moved", id="killed before the deletion"),
        pytest.param("purging", False, False, "purged", id="killed after the deletion"),
    ],
)
def test_recover_finds_where_an_interrupted_move_stands(
    copied: Path, index: Index, state: str, at_source: bool, at_quarantine: bool, found: str
) -> None:
    """The disk decides; it can be run again and again."""
    index.carry_out(index.plan())
    payload = payloads(copied)[0]
    if at_source:
        shutil.copy2(payload, copied / SURPLUS)
    if not at_quarantine:
        payload.unlink()
    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE journal SET state = ?", (state,))
    db.close()

    first, second = index.recover(), index.recover()

    assert states(index) == [found]
    assert (first.settled, second.settled) == (1, 0)
    assert first.missing == ((str(copied / SURPLUS),) if found == "missing" else ())
    assert (copied / SURPLUS).exists() is at_source
    assert len(payloads(copied)) == (found == "moved")


def test_recover_waits_when_the_root_is_not_mounted(copied: Path, index: Index) -> None:
    """A root or quarantine that is away says nothing about where its files are."""
    index.carry_out(index.plan())
    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE journal SET state = 'planned'")
    db.close()
    (copied.parent / ".imgindex-quarantine").rename(copied.parent / "away")

    waiting = index.recover(), states(index)
    (copied.parent / "away").rename(copied.parent / ".imgindex-quarantine")
    found = index.recover(), states(index)

    assert (waiting[0].settled, waiting[1]) == (0, ["planned"])
    assert (found[0].settled, found[1]) == (1, ["moved"])


def test_recover_keeps_both_when_a_new_file_took_the_place(copied: Path, index: Index) -> None:
    """A stranger at the old place is nobody's half-made move."""
    index.carry_out(index.plan())
    (copied / SURPLUS).write_bytes(b"new")
    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE journal SET state = 'planned'")
    db.close()

    index.recover()

    assert states(index) == ["moved"]
    assert (copied / SURPLUS).read_bytes() == b"new"
    assert len(payloads(copied)) == 1


def test_carry_out_recovers_when_it_is_interrupted(copied: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 121: after Ctrl-C in the middle of a batch, journal and disk agree before the program ends."""
    before = tree(copied)

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deeds, "move_in", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.carry_out(index.plan())

    assert states(index) == ["aborted"]
    assert tree(copied) == before


# --- promises


def test_plan_is_the_same_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    """Hazard 31: names and order of indexing do not matter, and neither does the number of workers."""
    photos = make_photos(tmp_path / "photos", count=10)
    for number in range(5):
        shutil.copy2(photos / "ab"[number % 2] / f"{number}.jpg", photos / f"{9 - number}-copy.jpg")
    plans: list[Plan] = []
    for turn, folders in enumerate(([photos], [photos / "b", photos / "a", photos], [photos / "a", photos])):
        index = Index(tmp_path / f"{turn}.db")
        for folder in folders:
            index.update(folder, jobs=turn)
        plans.append(index.plan())

    shown: list[list[tuple[str, str]]] = [
        [(move.keeper.full_path, move.surplus.member.full_path) for move in plan.moves] for plan in plans
    ]
    assert len(shown[0]) == 5
    assert shown[0] == shown[1] == shown[2]


def test_trees_compare_bytes_modes_and_times(copied: Path) -> None:
    """The comparison that the promises rest on notices each of them."""
    first: Tree = tree(copied)
    (copied / KEEPER).chmod(0o600)
    second = tree(copied)
    aged(copied / KEEPER)
    third = tree(copied)

    assert first != second != third


FAR = [-(1 << 40), 10_500_000_000, 1 << 34, 1 << 40]
"""Seconds since 1970, in the years -32873, 2302, 2514 and 36812; memory takes them all, ext4 but some."""


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no file system in memory")  # noqa: S108
@pytest.mark.parametrize("seconds", FAR)
@pytest.mark.parametrize("across", [False, True], ids=["renamed", "copied"])
def test_times_that_do_not_fit_are_given_back(seconds: int, across: bool, tmp_path: Path) -> None:
    """Hazard 5: undo gives them back exactly; where the quarantine's file system cannot keep them, the file stays."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        folder, index = make_photos(Path(memory) / "photos"), Index(Path(memory) / "i.db")
        (folder / "copy.jpg").write_bytes((folder / "a" / "0.jpg").read_bytes())
        (folder / "copy.txt").write_text("a mosaic\n")
        for name in ("copy.jpg", "copy.txt"):
            os.utime(folder / name, (seconds, seconds))
        before = tree(folder)
        reports = [index.update(folder, jobs=0) for _ in range(2)]
        plan = index.plan(on_conflict="prune", prefer=[folder / "a"])

        done = index.carry_out(plan, quarantine=tmp_path if across else None)
        undone = index.undo().moved if done.moved else ()

        assert (reports[1].unchanged, len(undone), len(done.refused)) in {(7, 1, 0), (7, 0, int(across))}
        assert all("its modification time cannot be kept there" in one.reason for one in done.refused)
        assert tree(folder) == before


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no file system in memory")  # noqa: S108
@pytest.mark.parametrize(("seconds", "kept"), [(-(1 << 40), "copy.jpg"), (1 << 34, "0.jpg")])
def test_times_that_do_not_fit_are_the_oldest_or_the_newest(seconds: int, kept: str) -> None:
    """And such a file becomes no link, which undo could not make what it was."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        folder, index = make_photos(Path(memory) / "photos"), Index(Path(memory) / "i.db")
        (folder / "copy.jpg").write_bytes((folder / "a" / "0.jpg").read_bytes())
        os.utime(folder / "copy.jpg", (seconds, seconds))
        index.update(folder, jobs=0)
        before = tree(folder)

        oldest = Path(index.groups(keep=["oldest"])[0].keeper.path).name
        done = index.carry_out(index.plan(link="hard", prefer=[folder / "a"]))

        assert oldest == kept
        assert (done.moved, ["modification time" in one.reason for one in done.refused]) == ((), [True])
        assert tree(folder) == before
