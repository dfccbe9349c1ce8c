"""Hazards 10 to 18 and 24 to 26: folders that are away, cannot be listed, or show what they should not."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checking import KEEPER, SURPLUS, command, payloads, with_copy
from score import Faults
from support import aged, make_photos, settle
from test_journal_places import mounted, needs_root

from indexer import Index, decode, scan
from indexer.drawing import drawn, encoded
from indexer.errors import SafetyError, UsageError

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos of which one lies there twice, indexed, and old."""
    photos = with_copy(tmp_path, index)
    settle(index)
    return photos


def files(index: Index) -> int:
    """The number of files that the index knows."""
    return sum(root.files for root in index.status().roots)


# --- 10, 11: what is away is not gone


def test_hazard_10_a_root_is_missing(photos: Path, index: Index, fault: Faults) -> None:
    """It says nothing about its files; `dups` goes on."""
    photos.rename(photos.parent / "elsewhere")
    with fault(10, "the root is away", root=photos.parent / "elsewhere"):
        ran = command(index, "index", str(photos))

        assert (ran.returncode, files(index), len(index.groups())) == (4, 7, 1)
        assert "missing" in ran.stderr


@needs_root
@pytest.mark.parametrize("count", [2, 30])
def test_hazard_10_an_empty_mount_point(tmp_path: Path, index: Index, fault: Faults, count: int) -> None:
    """It is not believed, however few files were known; mounted again, nothing was forgotten."""
    original = make_photos(tmp_path / "photos", count=count)
    place = tmp_path / "disk"
    with mounted(place, "-t", "tmpfs", "tmpfs"):
        shutil.copytree(original, place / "photos", dirs_exist_ok=True)
        index.update(place, jobs=0)
    with fault(10, f"an unmounted disk of {count} files", root=original):
        ran = command(index, "index", str(place), "--json")

        assert (ran.returncode, files(index)) == (4, count)
        assert "seem to be gone" in ran.stderr
        with mounted(place, "-t", "tmpfs", "tmpfs"):
            shutil.copytree(original, place / "photos", dirs_exist_ok=True)
            assert index.update(place, jobs=0).decoded == 0


def test_hazard_11_most_files_are_gone(tmp_path: Path, index: Index, fault: Faults) -> None:
    """60 % do not vanish by themselves: rows stay until the user says that it is so."""
    photos = make_photos(tmp_path / "photos", count=20)
    index.update(photos, jobs=0)
    for path in sorted(photos.rglob("*.jpg"))[:12]:
        path.unlink()
    with fault(11, "60 % deleted", root=photos):
        refused = command(index, "index", str(photos))
        kept = files(index)
        believed = command(index, "index", str(photos), "--confirm-missing", "--json")

        assert (refused.returncode, kept) == (4, 20)
        assert "12 of 20 known files" in refused.stderr
        assert "--confirm-missing" in refused.stderr
        assert (believed.returncode, json.loads(believed.stdout)["gone"], files(index)) == (0, 12, 8)


def test_hazard_11_a_few_files_are_gone(tmp_path: Path, index: Index, fault: Faults) -> None:
    """That is daily life: nobody is asked."""
    photos = make_photos(tmp_path / "photos", count=20)
    index.update(photos, jobs=0)
    (photos / "a/0.jpg").unlink()
    with fault(11, "one file deleted", root=photos):
        assert (index.update(photos, jobs=0).gone, files(index)) == (1, 19)


# --- 12, 13: folders that cannot be listed


def _failing(monkeypatch: pytest.MonkeyPatch, code: int, folder: str) -> None:
    list_folder = os.scandir

    def failing(path: str) -> object:
        if str(path).rstrip("/").endswith(folder):
            raise OSError(code, os.strerror(code))
        return list_folder(path)

    monkeypatch.setattr(scan.os, "scandir", failing)


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT])
def test_hazard_12_a_folder_cannot_be_listed(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """It is unknown, not empty: its rows stay, and it is named."""
    with fault(12, errno.errorcode[code], root=photos):
        with monkeypatch.context() as patch:
            _failing(patch, code, "/z")
            report = index.update(photos, jobs=0)

        assert [file.path for file in report.unlisted] == [str(photos / "z")]
        assert report.unlisted[0].reason == f"cannot be listed: {os.strerror(code)}"
        assert (report.gone, files(index)) == (0, 7)


@needs_strace
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_hazard_12_getdents_fails(photos: Path, index: Index, fault: Faults, at: int) -> None:
    """The system call itself, for whichever folder it is: exit code 3, and the folder is named; the next run is whole."""
    strace = ("strace", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, "-e", "trace=getdents64", "-P", str(photos))
    where = [photos, photos / "a", photos / "b", photos / "z"][at - 1]
    strace = (*strace[:-1], str(where), "-e", "inject=getdents64:error=EIO", "--")
    with fault(12, f"getdents64 of folder {at}", root=photos):
        ran = command(index, "index", str(photos), "--json", "--jobs", "0", under=strace)
        known = files(index)
        again = command(index, "index", str(photos), "--json", "--jobs", "0")

        assert (ran.returncode, known) == (3, 7), ran.stderr
        assert "cannot be listed: Input/output error" in ran.stderr
        assert json.loads(ran.stdout)["unlisted"] == 1
        assert (again.returncode, json.loads(again.stdout)["unchanged"]) == (0, 7)


@needs_root
def test_hazard_12_a_folder_that_the_user_may_not_list(fault: Faults) -> None:
    """As somebody else than root, whom no permission stops."""
    with tempfile.TemporaryDirectory() as place:
        index = Index(f"{place}/imgindex.db")
        photos = with_copy(Path(place), index)
        for path in (Path(place), *Path(place).rglob("*")):
            os.chown(path, 65_534, 65_534)
        (photos / "z").chmod(0)
        with fault(12, "a folder of mode 000", root=photos):
            os.seteuid(65_534)
            try:
                report = index.update(photos, jobs=0)
            finally:
                os.seteuid(0)

            assert [file.reason for file in report.unlisted] == ["cannot be listed: Permission denied"]
            assert (report.gone, files(index)) == (0, 7)


@pytest.mark.parametrize("folder", ["/z", "/a", "/photos"])
@pytest.mark.parametrize("how", [("prune", "--yes"), ("prune", "--yes", "--link", "hard")], ids=["move", "link"])
def test_hazard_13_prune_after_an_incomplete_walk(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, folder: str, how: tuple[str, ...]
) -> None:
    """A group of which a file lies where nothing could be listed stays as it is, until a walk was whole."""
    shutil.copy2(photos / "b/1.jpg", photos / "b/copy.jpg")
    aged(photos / "b/copy.jpg", seconds=-500)
    index.update(photos, jobs=0)
    with fault(13, f"{' '.join(how)} after {folder} failed", root=photos) as case:
        with monkeypatch.context() as patch:
            _failing(patch, errno.EIO, folder)
            index.update(photos, jobs=0)
        shown = command(index, "prune")
        ran = command(index, *how, "--json")
        left = [(photos / name).is_file() and (photos / name).stat().st_nlink for name in (KEEPER, SURPLUS)]
        index.undo() if json.loads(ran.stdout.splitlines()[-1])["moved"] else None
        index.update(photos, jobs=0)
        later = command(index, *how, "--json", "--max-share", "1")
        case.undo(index)

        assert (shown.returncode, ran.returncode, left) == (3, 3, [1, 1])
        assert f"left alone: {photos / SURPLUS}: '{photos}" in shown.stderr
        assert "could not be listed" in shown.stderr
        assert json.loads(ran.stdout.splitlines()[-1])["moved"] == (0 if folder == "/photos" else 1)
        assert (later.returncode, json.loads(later.stdout.splitlines()[-1])["moved"]) == (0, 2), later.stderr


def test_hazard_13_a_part_of_the_root_is_walked_again(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be listed stays unknown until it is walked itself, also when roots become part of another one."""
    with fault(13, "another part is indexed, then the folder above", root=photos):
        with monkeypatch.context() as patch:
            _failing(patch, errno.EIO, "/z")
            index.update(photos, jobs=0)
            index.update(photos / "a", jobs=0)
            part = len(index.plan().moves)
            index.update(photos.parent, jobs=0)
            above = len(index.plan().moves)
        index.update(photos / "z", jobs=0)

        assert (part, above, len(index.plan().moves)) == (0, 0, 1)


# --- 14, 15: what takes a file's place


def _gone(path: Path) -> None:
    path.unlink()


def _a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_link_to_zeros(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _a_link_to_a_picture(path: Path) -> None:
    path.rename(path.with_name("elsewhere.txt"))
    path.symlink_to("elsewhere.txt")


@pytest.mark.parametrize("become", [_gone, _a_fifo, _a_folder, _a_link_to_zeros, _a_link_to_a_picture])
def test_hazard_14_and_15_something_else_takes_a_file_s_place(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, become: Callable[[Path], None]
) -> None:
    """Between listing and opening: the file is named with a reason, nothing waits for it, and the others are done."""
    photos = make_photos(tmp_path / "photos")
    path, read = photos / "b/1.jpg", decode.read_stable

    def late(name: str, *limits: int) -> Any:
        if name == str(path) and not path.is_symlink() and path.is_file():
            become(path)
        return read(name, *limits)

    monkeypatch.setattr(decode, "read_stable", late)
    row = 14 if become is _gone else 15
    with fault(row, become.__name__.strip("_").replace("_", " "), root=photos) as case:
        began = time.monotonic()
        report = index.update(photos, jobs=0)
        seconds = time.monotonic() - began
        case.snapshot()
        monkeypatch.undo()
        later = index.update(photos, jobs=0)

        assert ([file.path for file in report.unreadable_files], report.decoded) == ([str(path)], 5)
        assert report.unreadable_files[0].reason.startswith("cannot be read: ")
        assert seconds < 2
        assert (later.unreadable, later.gone) == (0, 1)


def _sockets(place: Path) -> Iterator[socket.socket]:
    here = os.getcwd()
    os.chdir(place)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
        os.chdir(here)
        yield listener


@pytest.mark.parametrize("how", [(), ("--all-files",)], ids=["index", "all files"])
def test_hazard_15_what_is_no_file_has_the_name_of_one(
    tmp_path: Path, index: Index, fault: Faults, how: tuple[str, ...]
) -> None:
    """FIFOs, sockets, devices, folders and links called `.jpg`: passed over, and nothing waits."""
    photos = make_photos(tmp_path / "photos", count=2)
    os.mkfifo(photos / "fifo.jpg")
    (photos / "folder.jpg").mkdir()
    (photos / "zeros.jpg").symlink_to("/dev/zero")
    if os.geteuid() == 0:
        os.mknod(photos / "device.jpg", 0o600 | 0o020000, os.makedev(1, 5))
    for _listener in _sockets(photos):
        with fault(15, f"special files {' '.join(how)}", root=photos):
            began = time.monotonic()
            report = index.update(photos, jobs=0, all_files=bool(how))

            assert (report.files, report.unreadable, report.decoded) == (2, 0, 2)
            assert time.monotonic() - began < 2


# --- 16, 17, 18: one file, several names


def test_hazard_16_symbolic_links(photos: Path, index: Index, fault: Faults) -> None:
    """To files, folders, upwards and in circles: none is followed, none is a copy, none is moved."""
    (photos / "file.jpg").symlink_to("a/0.jpg")
    (photos / "folder").symlink_to("a")
    (photos / "a" / "self").symlink_to(".")
    (photos / "a" / "up").symlink_to("..")
    (photos / "b" / "one").symlink_to("two")
    (photos / "b" / "two").symlink_to("one")
    links = sorted(path for path in photos.rglob("*") if path.is_symlink())
    with fault(16, "links of six kinds", root=photos) as case:
        report = index.update(photos, jobs=0)
        moved = [answer.path for answer in index.carry_out(index.plan()).moved]

        assert (report.files, report.unreadable, moved) == (7, 0, [str(photos / SURPLUS)])
        assert sorted(path for path in photos.rglob("*") if path.is_symlink()) == links
        case.undo(index)


def test_hazard_17_the_same_folder_by_several_names(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given twice, with dots and slashes, through a link, or inside another: each file has one row."""
    photos = make_photos(tmp_path / "photos")
    (tmp_path / "link").symlink_to("photos")
    monkeypatch.chdir(photos / "a")
    names = (
        photos,
        f"{photos}/",
        f"{photos}/./b/..",
        "..",
        tmp_path / "link",
        photos / "a",
        ".",
        tmp_path / "link" / "b",
    )
    with fault(17, "eight names at once", root=photos):
        at_once = index.update(*names, jobs=0)

        assert (at_once.files, files(index), len(index.status().roots), index.groups()) == (6, 6, 1, ())
    with fault(17, "one name after the other, the inner ones first", root=photos):
        other = Index(tmp_path / "other.db")
        for name in reversed(names):
            other.update(name, jobs=0)

        assert (files(other), len(other.status().roots), other.groups()) == (6, 1, ())


@needs_root
def test_hazard_18_a_root_mounted_a_second_time(photos: Path, index: Index, fault: Faults) -> None:
    """It is no second data set: refused with the name to use, whole or in part, also when it would hold the first one."""
    place = photos.parent.parent / "alias"
    for shown, named in (
        (photos, place),
        (photos / "a", place),
        (photos.parent, place),
        (photos.parent, place / "photos"),
    ):
        with mounted(place, "--bind", str(shown)), fault(18, f"{shown.name} as {named.name}", root=photos) as case:
            ran = command(index, "index", str(named))
            index.carry_out(index.plan())

            assert (ran.returncode, files(index) + 1) == (2, 7), ran.stderr
            assert f"imgindex index {photos}" in ran.stderr
            case.undo(index)


@needs_root
def test_hazard_18_a_folder_mounted_again_inside_the_root(photos: Path, index: Index, fault: Faults) -> None:
    """It is not entered, and that is said; nothing in it counts as a copy, and it cannot be named either."""
    with mounted(photos / "again", "--bind", str(photos / "a")):
        with fault(18, "a folder within its own root", root=photos):
            ran = command(index, "index", str(photos), "--json")
            named = command(index, "index", str(photos / "again"))

            assert (ran.returncode, json.loads(ran.stdout)["files"]) == (0, 7)
            assert "again' shows files that are indexed under another name: not entered" in ran.stderr
            assert named.returncode == 2
        assert len(index.plan().moves) == 1


# --- 24: what is too large


def test_hazard_24_a_sparse_file_of_300_gigabytes(tmp_path: Path, index: Index, fault: Faults) -> None:
    """It is not read, and it is named with what to do; the limit can be moved, and what it kept out is read on request."""
    photos = make_photos(tmp_path / "photos", count=2)
    with (photos / "huge.jpg").open("wb") as stream:
        stream.truncate(300 << 30)
    try:
        began = time.monotonic()
        ran = command(index, "index", str(photos), "--jobs", "0")
        seconds = time.monotonic() - began
    finally:
        (photos / "huge.jpg").unlink()
    with fault(24, "300 GB without blocks", root=photos):
        assert ran.returncode == 3
        assert "huge.jpg: cannot be read: larger than --max-file-size (537 MB)" in ran.stderr
        assert seconds < 5


def test_hazard_24_the_limit_can_be_chosen(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Smaller, larger, and no size at all."""
    photos = make_photos(tmp_path / "photos", count=2)
    size = max(path.stat().st_size for path in photos.rglob("*.jpg"))
    with fault(24, "a limit of one byte too few", root=photos):
        codes = [
            command(index, "index", str(photos), "--jobs", "0", "--max-file-size", *more).returncode
            for more in ((str(size - 1),), (str(size),), (str(size), "--retry"), ("much",))
        ]

        assert codes == [3, 3, 0, 2]


# --- 25, 26: what is no part of the data set


def test_hazard_25_what_is_our_own_or_thrown_away(photos: Path, fault: Faults) -> None:
    """The database, its journal, manifests, quarantines, and trash cans of three systems are never indexed nor kept."""
    index = Index(photos / "imgindex.db")
    for place in (".Trash-1000/files", "$RECYCLE.BIN/S-1-5", ".Trashes/501", "lost+found"):
        (photos / place).mkdir(parents=True)
        shutil.copy2(photos / KEEPER, photos / place / "0.jpg")
    with fault(25, "all of it inside the root", root=photos / "z", others=[photos / "kept", photos / "a"]) as case:
        index.update(photos, jobs=0, all_files=True)
        done = index.carry_out(index.plan(), quarantine=photos / "kept")
        again = index.update(photos, jobs=0, all_files=True)

        assert (len(done.moved), again.files, again.new, again.unreadable) == (1, 6, 0, 0)
        case.undo(index)


@needs_root
def test_hazard_26_other_file_systems_below_the_root(photos: Path, index: Index, fault: Faults) -> None:
    """They are walked as users expect, unless told otherwise; what the kernel shows as files never is."""
    with mounted(photos / "disk", "-t", "tmpfs", "tmpfs"), mounted(photos / "proc", "-t", "proc", "proc"):
        (photos / "disk" / "other.jpg").write_bytes(encoded(drawn(50)))
        with fault(26, "a disk and /proc inside the root", root=photos / "a"):
            within = index.update(photos, jobs=0, one_file_system=True)
            across = index.update(photos, jobs=0, all_files=True)

            assert (within.files, across.new, across.unreadable, across.unlisted) == (7, 1, 0, ())
            assert [note.split("' ")[1] for note in across.notes] == [
                "shows what the kernel has to say (proc), no files: not entered"
            ]


@pytest.mark.parametrize("place", ["/proc", "/sys", "/proc/self/fd"])
def test_hazard_26_the_kernel_s_own_files(index: Index, fault: Faults, tmp_path: Path, place: str) -> None:
    """No folder of pictures: refused."""
    if not Path("/proc/self/mountinfo").exists():
        pytest.skip("this system does not tell what is mounted")
    with fault(26, place, root=tmp_path):
        ran = command(index, "index", os.path.realpath(place) if place != "/proc/self/fd" else "/proc/1")

        assert ran.returncode == 2
        assert "shows what the kernel has to say" in ran.stderr


def test_a_root_under_another_name_is_refused_by_what_it_is(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system does not tell what is mounted, or case does not count: a folder above is the same folder."""
    from indexer import boundaries  # noqa: PLC0415

    alias = photos.parent / "PHOTOS"
    alias.mkdir()
    genuine = os.stat
    monkeypatch.setattr(boundaries.os, "stat", lambda path: genuine(photos if str(path) == str(alias) else path))

    with pytest.raises(UsageError, match="under another name"):
        index.update(alias / ".", jobs=0)
    with pytest.raises(SafetyError, match="missing"):
        index.update(photos / "nowhere", jobs=0)


def test_payloads_are_no_pictures_of_the_data_set(photos: Path, index: Index) -> None:
    """What the oracle of these tests takes for quarantined is."""
    index.carry_out(index.plan())

    assert len(payloads(photos)) == 1
