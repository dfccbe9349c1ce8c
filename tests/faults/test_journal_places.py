"""Hazards 62 to 69 on real file systems: other disks, full ones, read-only ones, and files that nobody may move."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checking import KEEPER, SURPLUS, command, left_over, payloads, with_copy
from score import QUARANTINE, Faults
from support import aged, make_photos, tree

from indexer import Index, filesystem, manifest, prune

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
ELSEWHERE = Path("/dev/shm")  # noqa: S108 - a folder on another file system


@contextlib.contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[Path]:
    """A file system mounted at a folder for a while; skips where that is not possible."""
    place.mkdir(exist_ok=True)
    if subprocess.run(["mount", *arguments, str(place)], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextlib.contextmanager
def immutable(path: Path) -> Iterator[None]:
    """A file or folder that not even root may change, for a while; skips where that is not possible."""
    if subprocess.run(["chattr", "+i", str(path)], check=False, capture_output=True).returncode:
        pytest.skip("this file system has no immutable files")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    if not ELSEWHERE.is_dir() or ELSEWHERE.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    place = ELSEWHERE / f"imgindex-test-{os.getpid()}"
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """A copy that says more than its keeper, an equal pair besides, and a list of all pictures."""
    photos = with_copy(tmp_path, index, captions=True)
    (photos / SURPLUS).with_suffix(".txt").write_text("a mosaic\nof squares\n")
    (photos / SURPLUS).chmod(0o604)
    shutil.copy2(photos / "b/1.jpg", photos / "z/other.jpg")
    aged(photos / "z/other.jpg", seconds=-500)
    (photos / "all.txt").write_text(f"{KEEPER}\n{SURPLUS}\nz/other.jpg\n")
    index.update(photos, jobs=0)
    return photos


def merging(index: Index, photos: Path, **wishes: Any) -> Any:
    """Prunes with captions merged and the list brought up to date."""
    return index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"], **wishes)


def names(done: Any) -> list[str]:
    """The names of the files that were moved."""
    return [Path(one.path).name for one in done.moved]


# --- 63: hard links


@pytest.mark.parametrize("place", [SURPLUS, "z/copy.txt"])
@pytest.mark.parametrize("has_no_replace", [True, False])
def test_hazard_63_a_payload_name_that_is_taken(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, place: str, has_no_replace: bool
) -> None:
    """A hard link of what goes lies there already: refused, whether or not the system can rename without replacing."""
    write = manifest.write_manifest

    def linking(folder: str, entries: Any) -> None:
        listed = list(entries)
        write(folder, listed)
        for entry in listed:
            if entry.path == place:
                os.link(photos / place, entry.payload_path)

    before = tree(photos)
    monkeypatch.setattr(prune, "write_manifest", linking)
    if not has_no_replace:
        monkeypatch.setattr(filesystem, "_renameat2", lambda: None)
    with fault(63, f"{place}, RENAME_NOREPLACE {has_no_replace}", root=photos) as case:
        done = index.carry_out(index.plan(on_conflict="prune"))
        after = tree(photos)
        index.recover()
        case.undo(index)

    assert (names(done), len(done.refused)) == (["other.jpg"], 1)
    assert after == {path: file for path, file in before.items() if path != "z/other.jpg"}


def test_hazard_63_a_hard_link_of_the_payload_at_the_old_place(photos: Path, index: Index, fault: Faults) -> None:
    """Somebody linked the file back by hand: undo does not take that for its own success, nor remove either name."""
    index.carry_out(index.plan(on_conflict="prune"))
    payload = next(path for path in payloads(photos) if path.read_bytes() == (photos / KEEPER).read_bytes())
    os.link(payload, photos / SURPLUS)

    with fault(63, "undo onto a hard link of the payload", root=photos):
        done = index.undo()

    assert names(done) == ["other.jpg"]
    assert (photos / SURPLUS).samefile(payload)


# --- 64: other file systems


def test_hazard_64_another_disk_with_captions_and_lists(
    photos: Path, index: Index, fault: Faults, elsewhere: Path
) -> None:
    """Everything goes to a real second file system and comes back."""
    with fault(64, "shared memory, merged captions and a list", root=photos, others=[elsewhere]) as case:
        done = merging(index, photos, quarantine=elsewhere)
        gone = [(photos / name).exists() for name in (SURPLUS, "z/copy.txt", "z/other.jpg")]
        case.undo(index)

    assert (done.refused, gone, left_over(elsewhere)) == ((), [False] * 3, [])
    assert len(done.updated) == 1


@needs_root
def test_hazard_64_a_bind_mount_with_captions_and_lists(
    tmp_path: Path, photos: Path, index: Index, fault: Faults
) -> None:
    """The device number is equal, and rename(2) fails all the same."""
    (tmp_path / "source").mkdir()
    with (
        mounted(tmp_path / "bound", "--bind", str(tmp_path / "source")) as place,
        fault(64, "bind mount, merged captions and a list", root=photos, others=[place]) as case,
    ):
        done = merging(index, photos, quarantine=place)
        case.undo(index)

    assert (len(done.moved), done.refused) == (2, ())


@needs_root
def test_hazard_64_a_disk_below_the_root(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A folder of the data set is a mount of its own; its files are copied out and back."""
    photos = tmp_path / "data" / "photos"
    (photos / "z").mkdir(parents=True)
    with mounted(photos / "z", "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        with_mount(photos, index)
        with fault(64, "a mount below the root", root=photos) as case:
            done = index.carry_out(index.plan())
            case.undo(index)

    assert names(done) == ["copy.jpg"]


def with_mount(photos: Path, index: Index) -> None:
    """Two files of the same bytes in folders that are there."""
    make_photos(photos)
    shutil.copy2(photos / KEEPER, photos / SURPLUS)
    aged(photos / SURPLUS, seconds=-500)
    index.update(photos, jobs=0)


# --- 65: full disks


@needs_root
@pytest.mark.parametrize("free", [8, 16, 24])
def test_hazard_65_a_disk_that_becomes_full(
    tmp_path: Path, photos: Path, index: Index, fault: Faults, free: int
) -> None:
    """Wherever the space ends: what does not fit stays as it was, whole, and what was moved comes back."""
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as place:
        (place / "filler").write_bytes(bytes((1024 - free) * 1024))
        with fault(65, f"{free} kB free", root=photos, others=[place]) as case:
            ran = command(
                index, "prune", "--yes", "--on-conflict", "merge", "--update", str(photos / "all.txt"),
                "--quarantine", str(place),
            )  # fmt: skip
            partial = left_over(tmp_path)
            case.undo(index)

    assert ran.returncode in {1, 3}
    assert ("No space left" in ran.stderr, "Traceback" in ran.stderr, partial) == (True, False, [])


@needs_root
def test_hazard_65_the_way_back_to_a_full_disk(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Undo finds no space: the file stays in the quarantine, nothing partial is left, and undo works later."""
    photos = tmp_path / "data" / "photos"
    photos.mkdir(parents=True)
    with mounted(photos, "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        (photos / "z").mkdir()
        with_mount(photos, index)
        before = tree(photos)
        with fault(65, "undo to a full disk", root=photos, others=[tmp_path / "out"]) as case:
            index.carry_out(index.plan(), quarantine=tmp_path / "out")
            with contextlib.suppress(OSError), (photos / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(4096))
            ran = command(index, "undo")
            partial = left_over(tmp_path)
            (photos / "filler").unlink()
            case.undo(index, before)

    assert (ran.returncode, partial, "No space left" in ran.stderr) == (3, [], True)


# --- 66, 67: the database


@needs_root
def test_hazard_66_a_full_disk_under_the_database(tmp_path: Path, photos: Path, fault: Faults) -> None:
    """The intent cannot be written: nothing moves, and the message is a clear one."""
    before = tree(photos)
    with mounted(tmp_path / "db", "-t", "tmpfs", "-o", "size=512k", "tmpfs") as place:
        index = Index(place / "imgindex.db")
        index.update(photos, jobs=0)
        with contextlib.suppress(OSError), (place / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        with fault(66, "a full disk under the database", root=photos):
            ran = command(index, "prune", "--yes", "--on-conflict", "prune")

    assert (ran.returncode, tree(photos)) == (1, before), ran.stderr
    assert "no space left" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize(("row", "when"), [(66, 12), (66, 26), (67, 38), (67, 50)])
def test_hazard_66_and_67_the_database_cannot_be_written(
    photos: Path, index: Index, fault: Faults, row: int, when: int, error: str
) -> None:
    """From the k-th write on, the database or its journal fails: the next command finds out what is where."""
    inject = f"inject=pwrite64:error={error}:when={when}+"
    under = ("strace", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, "-P", index.path, "-P", f"{index.path}-journal")
    before = tree(photos)
    with fault(row, f"{error} from write {when} of the database on", root=photos) as case:
        ran = command(
            index, "prune", "--yes", "--on-conflict", "prune",
            under=(*under, "-e", "trace=pwrite64", "-e", inject, "--"),
        )  # fmt: skip
        moved = len(payloads(photos))
        settled = index.recover().settled
        wrong = index.verify_quarantine()[1]
        case.undo(index, before)

    assert (ran.returncode, wrong) == (1 if error == "ENOSPC" else 6, ())
    assert "Traceback" not in ran.stderr
    assert (moved, settled) == ((3, 3) if row == 67 else (0, 0))  # else other numbers of writes have to be chosen


# --- 68, 69: what may not be changed


@needs_root
@pytest.mark.parametrize("place", [SURPLUS, "z/copy.txt", "a/0.txt"])
def test_hazard_68_a_file_that_nobody_may_change(photos: Path, index: Index, fault: Faults, place: str) -> None:
    """The picture, its caption, or the keeper's caption: all that belongs together stays, the rest goes, exit code 3."""
    before = tree(photos)
    with fault(68, f"immutable {place}", root=photos) as case:
        with immutable(photos / place):
            ran = command(index, "prune", "--yes", "--on-conflict", "merge")
            after = tree(photos)
        case.undo(index)

    assert (ran.returncode, left_over(photos)) == (3, []), ran.stderr
    assert after == {path: file for path, file in before.items() if path != "z/other.jpg"}


@needs_root
@pytest.mark.parametrize("link", [None, "hard", "symlink"])
def test_hazard_68_a_folder_that_nobody_may_change(photos: Path, index: Index, fault: Faults, link: str | None) -> None:
    """Neither prune nor undo gets past it, and both say so; later, undo is exact."""
    wish = ("--link", link) if link else ()
    with fault(68, f"immutable folder, {link or 'quarantine'}", root=photos) as case:
        with immutable(photos / "z"):
            pruned = command(index, "prune", "--yes", "--on-conflict", "prune", *wish)
        index.carry_out(index.plan(on_conflict="prune", link=link))
        with immutable(photos / "z"):
            undone = command(index, "undo")
        case.undo(index)

    assert (pruned.returncode, undone.returncode, left_over(photos)) == (3, 3, [])


@needs_root
def test_hazard_68_a_root_that_is_read_only(tmp_path: Path, photos: Path, index: Index, fault: Faults) -> None:
    """The quarantine beside it can be written to: copies are made, sources cannot be removed, so copies go again."""
    before = tree(photos)
    with (
        mounted(photos, "--bind", str(photos)) as place,
        fault(68, "read-only bind mount, quarantine beside it", root=photos),
    ):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        ran = command(index, "prune", "--yes", "--on-conflict", "prune")
        inside = payloads(photos)

    assert (ran.returncode, tree(photos), inside, left_over(tmp_path)) == (3, before, [], [])


@needs_root
@pytest.mark.parametrize("exists", [True, False])
def test_hazard_69_a_quarantine_that_nobody_may_change(photos: Path, index: Index, fault: Faults, exists: bool) -> None:
    """Where no folder can be made for what goes, neither beside the root nor in it, nothing goes; exit code 4."""
    places = [photos.parent / QUARANTINE] if exists else [photos.parent, photos]
    before = tree(photos)
    with (
        fault(69, f"immutable {'quarantine' if exists else 'parent and root'}", root=photos),
        contextlib.ExitStack() as stack,
    ):
        for place in places:
            place.mkdir(exist_ok=True)
            stack.enter_context(immutable(place))
        ran = command(index, "prune", "--yes", "--on-conflict", "prune")

    assert (ran.returncode, tree(photos)) == (4, before)
