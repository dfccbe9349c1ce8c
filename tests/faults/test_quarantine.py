"""Hazards 68 to 77: files that cannot be moved, the quarantine, the way back and the end."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from checking import KEEPER, REAL_RENAME, SURPLUS, Change, across, command, deleted, overwritten, payloads, with_copy
from score import Faults
from support import aged, tree

from indexer import Index, transfer
from indexer.errors import SafetyError
from indexer.undo import undo_from_manifest

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system of its own


@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_hazard_68_one_file_that_cannot_be_moved(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """It is left alone with the reason; the others go on."""
    photos = with_copy(tmp_path, index)
    shutil.copy2(photos / "b" / "1.jpg", photos / "z" / "other.jpg")
    aged(photos / "z" / "other.jpg", seconds=-500)
    index.update(photos, jobs=0)

    def refusing(source: int, name: str, target: int, new_name: str) -> None:
        if name == "copy.jpg":
            raise OSError(error, os.strerror(error))
        REAL_RENAME(source, name, target, new_name)

    with fault(68, errno.errorcode[error], root=photos) as case:
        monkeypatch.setattr(transfer, "rename_no_replace", refusing)
        done = index.carry_out(index.plan())
        monkeypatch.undo()
        case.undo(index)

    assert [Path(one.path).name for one in done.moved] == ["other.jpg"]
    assert [one.reason for one in done.refused] == [f"cannot be moved: {os.strerror(error)}"]


def test_hazard_68_what_was_done_for_a_picture_that_cannot_be_moved_is_taken_back(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caption is back beside it, and the keeper's caption is what it was."""
    photos = with_copy(tmp_path, index, captions=True)
    (photos / SURPLUS).with_suffix(".txt").write_text("a mosaic\nof squares\n")
    before = tree(photos)

    def refusing(source: int, name: str, target: int, new_name: str) -> None:
        if name == "copy.jpg":
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        REAL_RENAME(source, name, target, new_name)

    with fault(68, "the picture, after its caption", root=photos):
        monkeypatch.setattr(transfer, "rename_no_replace", refusing)
        done = index.carry_out(index.plan(on_conflict="merge"))

    assert (done.moved, len(done.refused)) == ((), 1)
    assert (tree(photos), payloads(photos)) == (before, [])


@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="needs root and setpriv")
@pytest.mark.skipif(not os.access(MEMORY, os.W_OK), reason="there is no file system in memory")
@pytest.mark.parametrize(
    ("owner", "code"),
    [
        pytest.param((65534, 65534), 0, id="one's own"),
        pytest.param((0, 65534), 3, id="of another user"),
        pytest.param((65534, 0), 3, id="of another group"),
    ],
)
def test_hazard_68_owner_that_cannot_be_kept(
    tmp_path: Path, index: Index, fault: Faults, owner: tuple[int, int], code: int
) -> None:
    """A user who may give no file away prunes to another file system: what belongs to another one stays where it is."""
    under = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if subprocess.run([*under, sys.executable, "-c", "import indexer"], check=False, capture_output=True).returncode:
        pytest.skip("another user may not read this Python environment")
    photos = with_copy(tmp_path, index)
    with tempfile.TemporaryDirectory(dir=MEMORY) as away:
        for place in (tmp_path, *tmp_path.rglob("*"), Path(away)):
            os.chown(place, 65534, 65534)
        for place in tmp_path.parents:
            if place.is_relative_to("/tmp/pytest-of-root"):  # noqa: S108 - pytest makes it private
                place.chmod(0o755)
        os.chown(photos / SURPLUS, *owner)
        with fault(68, f"EPERM when the copy is given to {owner}", root=photos, others=[Path(away)]) as case:
            ran = command(index, "prune", "--yes", "--quarantine", away, under=under)
            case.undo(index)

    status = (photos / SURPLUS).stat()
    assert ran.returncode == code, ran.stderr
    assert ("its owner and group cannot be kept" in ran.stderr) == bool(code)
    assert (status.st_uid, status.st_gid) == owner


def test_hazard_69_no_quarantine_possible(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Refused with exit code 4; there is no way back to deleting."""
    photos = with_copy(tmp_path, index)
    (tmp_path / "file").write_text("in the way")
    before = tree(photos)

    with fault(69, "a file where the quarantine should be", root=photos):
        ran = command(index, "prune", "--yes", "--quarantine", str(tmp_path / "file"))

    assert (ran.returncode, tree(photos)) == (4, before)


@pytest.mark.parametrize("ending", [".jpg", ".txt"])
def test_hazard_70_place_taken_at_undo(tmp_path: Path, index: Index, fault: Faults, ending: str) -> None:
    """The new file stays as it is, the pruned one stays in the quarantine, exit code 3."""
    photos = with_copy(tmp_path, index, captions=True)
    index.carry_out(index.plan())
    place = (photos / SURPLUS).with_suffix(ending)
    place.write_bytes(b"new")

    with fault(70, f"{ending} occupied", root=photos):
        ran = command(index, "undo")

    assert (ran.returncode, place.read_bytes()) == (3, b"new")
    assert ending in [path.suffix for path in payloads(photos)]


def test_hazard_71_folder_gone_at_undo(tmp_path: Path, index: Index, fault: Faults) -> None:
    """It is made again with the permissions that it had."""
    photos = with_copy(tmp_path, index, captions=True)
    (photos / "z").chmod(0o750)
    with fault(71, "the folder is gone", root=photos) as case:
        index.carry_out(index.plan())
        (photos / "z").rmdir()
        case.undo(index)

    assert (photos / "z").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("way", ["rename", "copy", "hard", "symlink"])
def test_hazard_72_times_permissions_and_attributes(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """All come back, whether the file was renamed, copied, or made anew from what a link leads to."""
    photos = with_copy(tmp_path, index)
    (photos / SURPLUS).chmod(0o604)
    with contextlib.suppress(OSError):
        os.setxattr(photos / SURPLUS, "user.note", b"mine")
    noted = _attributes(photos / SURPLUS)

    with fault(72, way, root=photos) as case:
        if way == "copy":
            monkeypatch.setattr(transfer, "rename_no_replace", across)
        index.carry_out(index.plan(link=way if way in {"hard", "symlink"} else None))
        case.undo(index)

    assert _attributes(photos / SURPLUS) == noted
    assert (photos / SURPLUS).stat().st_nlink == 1


def _attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@pytest.mark.parametrize("change", [overwritten, deleted])
def test_hazard_73_payload_altered_or_missing(tmp_path: Path, index: Index, fault: Faults, change: Change) -> None:
    """It is named, nothing wrong comes back, exit code 3; the keeper is there."""
    photos = with_copy(tmp_path, index)
    index.carry_out(index.plan())
    change(payloads(photos)[0], photos)

    with fault(73, change.__name__, root=photos):
        ran = command(index, "undo")
        verified = command(index, "quarantine", "verify")

    assert (ran.returncode, verified.returncode, (photos / SURPLUS).exists()) == (3, 3, False)
    assert SURPLUS in ran.stderr


@pytest.mark.parametrize("link", [None, "hard", "symlink"])
def test_hazard_74_database_lost(tmp_path: Path, index: Index, fault: Faults, link: str | None) -> None:
    """The manifest in the quarantine brings everything back: pictures, captions, merged texts and annotation files."""
    photos = with_copy(tmp_path, index, captions=True)
    (photos / SURPLUS).with_suffix(".txt").write_text("a mosaic\nof squares\n")
    (photos / "all.txt").write_text(f"{KEEPER}\n{SURPLUS}\n")
    before = tree(photos)

    with fault(74, f"no database, {link or 'quarantine'}", root=photos):
        plan = index.plan(link=link, on_conflict=None if link else "merge")
        done = index.carry_out(plan, update=[] if link else [photos / "all.txt"])
        Path(index.path).unlink()
        back = undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))

    assert (len(done.moved), back.refused) == (1, ())
    assert tree(photos) == before


@pytest.mark.parametrize("change", [deleted, overwritten])
def test_hazard_75_purge_of_the_last_copy(tmp_path: Path, index: Index, fault: Faults, change: Change) -> None:
    """The keeper is read when the purge runs; without it, the quarantined file is all there is."""
    photos = with_copy(tmp_path, index)
    index.carry_out(index.plan())
    change(photos / KEEPER, photos / SURPLUS)

    with fault(75, f"keeper {change.__name__}", root=photos):
        ran = command(index, "purge", "--older-than", "0s", "--yes")

    assert (ran.returncode, len(payloads(photos))) == (3, 1)


def test_hazard_75_purge_while_a_keeper_stands(tmp_path: Path, index: Index, fault: Faults) -> None:
    """With its keeper on disk a pruned file may go for good, and its caption with it."""
    photos = with_copy(tmp_path, index, captions=True)

    with fault(75, "keeper there", root=photos):
        index.carry_out(index.plan())
        ran = command(index, "purge", "--older-than", "0s", "--yes")

    assert (ran.returncode, payloads(photos)) == (0, [])


def test_hazard_76_quarantine_is_private_and_not_indexed(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Nobody else looks inside, and no scan of the folder that holds it takes its files for pictures."""
    photos = with_copy(tmp_path, index)
    with fault(76, "quarantine below an indexed folder", root=photos) as case:
        index.carry_out(index.plan(), quarantine=photos / "thrown out")
        place = photos / "thrown out" / ".imgindex-quarantine"
        modes = {path.stat().st_mode & 0o077 for path in (place, *place.iterdir())}
        report = index.update(photos, jobs=0)
        index.undo()
        shutil.rmtree(photos / "thrown out")
        case.undo(index)

    assert (modes, report.new) == ({0}, 0)


def test_hazard_69_root_that_is_away_makes_no_quarantine(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Nothing is made beside a root that is not there."""
    photos = with_copy(tmp_path, index)
    plan = index.plan()
    photos.rename(photos.with_name("away"))
    with fault(69, "the root is away", root=photos.with_name("away")), pytest.raises(SafetyError):
        index.carry_out(plan)

    assert not (photos.parent / ".imgindex-quarantine").exists()
