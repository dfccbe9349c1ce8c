"""Hazards 70 to 74: the way back, whatever became of the place, the quarantine and the database meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checking import KEEPER, SURPLUS, across, command, payloads, with_copy
from score import QUARANTINE, Faults
from support import tree

from indexer import Index, transfer

TEXT = "z/copy.txt"
PLACES = {"the picture's": SURPLUS, "the sidecar's": TEXT, "the merged caption's": "a/0.txt", "the list's": "all.txt"}


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """A copy that says more than its keeper, and a list of all pictures."""
    photos = with_copy(tmp_path, index, captions=True)
    (photos / SURPLUS).with_suffix(".txt").write_text("a mosaic\nof squares\n")
    (photos / "all.txt").write_text(f"{KEEPER}\n{SURPLUS}\n")
    return photos


def merging(index: Index, photos: Path) -> Any:
    """Prunes with captions merged and the list brought up to date."""
    return index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"])


# --- 70: the place is taken


@pytest.mark.parametrize("whose", PLACES)
def test_hazard_70_both_are_kept(photos: Path, index: Index, fault: Faults, whose: str) -> None:
    """What somebody wrote meanwhile stays, the former file stays in the quarantine, and a second undo says so again."""
    with fault(70, f"{whose} place is taken", root=photos):
        merging(index, photos)
        (photos / PLACES[whose]).write_bytes(b"written meanwhile")
        first, second = index.undo(), index.undo()

    full_path = str(photos / PLACES[whose])
    assert full_path in {one.path for one in first.refused} & {one.path for one in second.refused}
    assert (photos / PLACES[whose]).read_bytes() == b"written meanwhile"


@pytest.mark.parametrize("whose", PLACES)
def test_hazard_70_undo_is_exact_once_the_place_is_as_it_was_left(
    photos: Path, index: Index, fault: Faults, whose: str
) -> None:
    """A refusal is no end: when what was in the way is gone, the rest comes back."""
    before, place = tree(photos), photos / PLACES[whose]
    with fault(70, f"{whose} place is free again", root=photos) as case:
        merging(index, photos)
        left = place.read_bytes() if place.exists() else None
        place.write_bytes(b"written meanwhile")
        index.undo()
        place.unlink() if left is None else place.write_bytes(left)
        case.undo(index, before)

    assert payloads(photos) == []


@pytest.mark.parametrize("link", ["hard", "symlink"])
@pytest.mark.parametrize("what", ["file", "link", "folder"])
def test_hazard_70_something_else_in_the_place_of_a_link(
    photos: Path, index: Index, fault: Faults, link: str, what: str
) -> None:
    """Undo of links leaves a stranger's file, link or folder alone."""
    index.carry_out(index.plan(link=link, on_conflict="prune"))
    place = photos / SURPLUS
    place.unlink()
    if what == "file":
        place.write_bytes(b"new")
    elif what == "link":
        place.symlink_to(photos / "b/1.jpg")
    else:
        place.mkdir()
    found = place.lstat()

    with fault(70, f"a {what} in the place of a {link} link", root=photos):
        ran = command(index, "undo")

    assert (ran.returncode, place.lstat()) == (3, found)


def test_hazard_70_a_link_that_was_made_a_file_of_its_own(photos: Path, index: Index, fault: Faults) -> None:
    """A hard link that somebody replaced by a copy: undo gives it the permissions and times it had, and loses nothing."""
    (photos / SURPLUS).chmod(0o604)
    with fault(70, "a copy in the place of a hard link", root=photos) as case:
        index.carry_out(index.plan(link="hard", on_conflict="prune"))
        (photos / SURPLUS).unlink()
        shutil.copy(photos / KEEPER, photos / SURPLUS)
        case.undo(index)


# --- 71: folders


@pytest.mark.parametrize("link", [None, "hard"])
def test_hazard_71_a_deep_folder_is_gone(tmp_path: Path, index: Index, fault: Faults, link: str | None) -> None:
    """All folders above the file are made again; none of them is open to everybody."""
    photos = with_copy(tmp_path, index)
    deep = photos / "p" / "q" / "r"
    deep.mkdir(parents=True)
    for folder, mode in ((deep, 0o750), (deep.parent, 0o711), (deep.parent.parent, 0o700)):
        folder.chmod(mode)
    (photos / SURPLUS).rename(deep / "copy.jpg")
    index.update(photos, jobs=0)

    with fault(71, f"three folders are gone, {link or 'quarantine'}", root=photos) as case:
        index.carry_out(index.plan(link=link))
        if link is None:
            shutil.rmtree(photos / "p")
        case.undo(index)

    assert deep.stat().st_mode & 0o777 == 0o750
    assert [folder.stat().st_mode & 0o022 for folder in (deep.parent, deep.parent.parent)] == [0, 0]


# --- 72: what a file is besides its bytes


@pytest.mark.parametrize("way", ["rename", "copy"])
@pytest.mark.parametrize("name", [SURPLUS, TEXT, "a/0.txt", "all.txt"])
def test_hazard_72_times_permissions_owner_and_attributes(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, way: str, name: str
) -> None:
    """Of pictures, sidecars, merged captions and lists."""
    path = photos / name
    path.chmod(0o604)
    os.utime(path, ns=(1_000_000_000, 1_234_567_891_234_567_891))
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pytest.skip("this file system has no attributes")
    index.update(photos, jobs=0)

    with fault(72, f"{name}, {way}", root=photos) as case:
        if way == "copy":
            monkeypatch.setattr(transfer, "rename_no_replace", across)
        merging(index, photos)
        case.undo(index)

    status = path.stat()
    assert (status.st_mtime_ns, os.getxattr(path, "user.note")) == (1_234_567_891_234_567_891, b"mine")
    assert os.geteuid() or (status.st_uid, status.st_gid) == (1234, 4321)


# --- 73: the quarantine was tampered with


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _made_a_link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to(path.with_name("moved"))


@pytest.mark.parametrize("whose", PLACES)
@pytest.mark.parametrize("change", [_flipped, Path.unlink, _made_a_link])
def test_hazard_73_any_payload_altered_or_missing(
    tmp_path: Path, photos: Path, index: Index, fault: Faults, whose: str, change: Callable[[Path], None]
) -> None:
    """Named by undo and by `quarantine verify`; whatever does not depend on it comes back."""
    before = {path: file[0] for path, file in tree(photos).items()}
    spare = tmp_path / "spare"  # what the fault itself destroys is not lost by the command
    with fault(73, f"{whose} payload {change.__name__}", root=photos, others=[spare]):
        merging(index, photos)
        payload = next(path for path in payloads(photos) if path.read_bytes() == before[PLACES[whose]])
        spare.mkdir()
        shutil.copy2(payload, spare)
        change(payload)
        altered = index.verify_quarantine()[1]
        done = index.undo()

    after = {path: file[0] for path, file in tree(photos).items()}
    assert str(payload) in {one.path for one in altered}
    assert str(photos / PLACES[whose]) in {one.path for one in done.refused}
    assert after.get(PLACES[whose]) != before[PLACES[whose]]
    if whose != "the picture's":
        assert after[SURPLUS] == before[SURPLUS]


# --- 74: without the database


@pytest.mark.parametrize("fate", ["lost", "replaced"])
@pytest.mark.parametrize("way", ["rename", "copy", "hard", "symlink"])
def test_hazard_74_from_the_manifest_alone(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, way: str, fate: str
) -> None:
    """A database that is gone, or another one in its place: all comes back, by the command, in any case."""
    before, link = tree(photos), way if way in {"hard", "symlink"} else None
    if way == "copy":
        monkeypatch.setattr(transfer, "rename_no_replace", across)
    with fault(74, f"database {fate}, {way}", root=photos):
        if link:
            index.carry_out(index.plan(link=link, on_conflict="prune"))
        else:
            merging(index, photos)
        Path(index.path).unlink()
        if fate == "replaced":
            index.update(photos, jobs=0)
        ran = command(index, "undo", "--from-manifest", str(photos.parent / QUARANTINE))

    assert (ran.returncode, tree(photos)) == (0, before), ran.stderr


def test_hazard_74_everything_moved_to_another_place(tmp_path: Path, photos: Path, index: Index, fault: Faults) -> None:
    """Data set and quarantine lie elsewhere by now, together: the manifest finds the one from the other."""
    before = tree(photos)
    with fault(74, "data set and quarantine moved", root=photos, others=[tmp_path / "moved"]):
        merging(index, photos)
        Path(index.path).unlink()
        photos.parent.rename(tmp_path / "moved")
        ran = command(index, "undo", "--from-manifest", str(tmp_path / "moved" / QUARANTINE))

    assert (ran.returncode, tree(tmp_path / "moved" / "photos")) == (0, before), ran.stderr


@pytest.mark.parametrize("first", ["the journal", "the manifest"])
def test_hazard_74_journal_and_manifest_agree(photos: Path, index: Index, fault: Faults, first: str) -> None:
    """What one of the two brought back the other finds in its place: nothing to do, and nothing left alone."""
    before = tree(photos)
    with fault(74, f"undo by {first}, then by the other", root=photos) as case:
        merging(index, photos)
        ways = [("undo",), ("undo", "--from-manifest", str(photos.parent / QUARANTINE))]
        ran = [command(index, *way) for way in (ways if first == "the journal" else reversed(ways))]
        case.undo(index, before)

    assert [one.stderr for one in ran] == ["", ""]
    assert [one.returncode for one in ran] == [0, 0]
    assert index.verify_quarantine() == (0, ())


def test_hazard_74_a_manifest_cut_short(photos: Path, index: Index, fault: Faults) -> None:
    """Its last line was being written when the power went: that file was not moved, the others come back."""
    before = tree(photos)
    with fault(74, "a manifest cut short", root=photos):
        merging(index, photos)
        Path(index.path).unlink()
        (manifest,) = (photos.parent / QUARANTINE).rglob("manifest.jsonl")
        with manifest.open("ab") as stream:
            stream.write(b'{"id": 99, "action": "quar')
        ran = command(index, "undo", "--from-manifest", str(manifest))

    assert (ran.returncode, tree(photos)) == (0, before), ran.stderr
