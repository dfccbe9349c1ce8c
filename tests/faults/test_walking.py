"""Hazards 1 to 9: which changes of a file are noticed, and by what."""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import sqlite3
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checking import SURPLUS, command, with_copy
from score import Faults
from shims import coarse, constant, lying, renumbered, without_change_times
from support import aged, make_photos, settle

from indexer import Index, decode, scan
from indexer import index as story
from indexer.drawing import drawn, encoded

SECOND = 1_000_000_000
OLD, NEW = (encoded(drawn(seed).resize((64, 64)), "BMP") for seed in (1, 2))
"""Two pictures of equal size in bytes."""


def stored(index: Index) -> list[tuple[str, str, int]]:
    """Name, digest and dHash of every picture that the index knows."""
    query = (
        "SELECT name, hex(digest), dhash FROM file JOIN content ON content.id = content_id WHERE state = 1 ORDER BY 1"
    )
    with sqlite3.connect(index.path) as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def digest_of(data: bytes) -> str:
    """As `stored` gives it."""
    return hashlib.sha256(data).hexdigest().upper()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture that was there for a while."""
    path = tmp_path / "photos" / "picture.bmp"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return aged(path)


# --- 1: new content under the old size and time


def _copy_over(path: Path, new: bytes) -> None:
    source = path.with_suffix(".source")
    source.write_bytes(new)
    _set_times(source, path)
    shutil.copyfile(source, path)
    shutil.copystat(source, path)
    source.unlink()


def _move_over(path: Path, new: bytes) -> None:
    source = path.with_suffix(".source")
    source.write_bytes(new)
    _set_times(source, path)
    source.replace(path)


def _write_in_place(path: Path, new: bytes) -> None:
    status = path.stat()
    path.write_bytes(new)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _write_mapped(path: Path, new: bytes) -> None:
    status = path.stat()
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as mapped:
        mapped[:] = new
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _unzip_over(path: Path, new: bytes) -> None:
    status = path.stat()
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.writestr(path.name, new)
    with zipfile.ZipFile(path.with_suffix(".zip")) as archive:
        archive.extract(path.name, path.parent)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _untar_over(path: Path, new: bytes) -> None:
    source = path.with_suffix(".source")
    source.write_bytes(new)
    _set_times(source, path)
    with tarfile.open(path.with_suffix(".tar"), "w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(source, path.name)
    with tarfile.open(path.with_suffix(".tar")) as archive:
        archive.extractall(path.parent, filter="data")
    os.utime(path, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))


def _set_times(path: Path, like: Path) -> None:
    status = like.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "replace",
    [_copy_over, _move_over, _write_in_place, _write_mapped, _unzip_over, _untar_over],
    ids=lambda way: way.__name__[1:],
)
def test_hazard_01_new_content_under_the_old_size_and_time(
    picture: Path, index: Index, fault: Faults, replace: Callable[[Path, bytes], None]
) -> None:
    """The six ways in which that happens are all noticed."""
    index.update(picture.parent, jobs=0)
    settle(index)
    before = picture.stat()
    replace(picture, NEW)
    after = picture.stat()
    with fault(1, replace.__name__.strip("_"), root=picture.parent):
        report = index.update(picture.parent, jobs=0)

        assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        assert (report.changed, report.decoded) == (1, 1)
        assert stored(index)[0][1] == digest_of(NEW)


def test_hazard_01_new_content_and_a_new_name(picture: Path, index: Index, fault: Faults) -> None:
    """A rename sets the ctime that would have told: what was renamed by itself is digested."""
    index.update(picture.parent, jobs=0)
    settle(index)
    _write_in_place(picture, NEW)
    picture.rename(picture.with_name("renamed.bmp"))
    with fault(1, "rewritten, time put back, renamed", root=picture.parent):
        report = index.update(picture.parent, jobs=0)

        assert (report.changed, report.moved, report.decoded) == (1, 0, 1)
        assert stored(index) == [("renamed.bmp", digest_of(NEW), stored(index)[0][2])]


# --- 2: two writes within one tick of the clock


@pytest.mark.parametrize("seconds", [1, 2])
def test_hazard_02_two_writes_within_a_tick(
    picture: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """A stamp that a later write may share is not trusted: the file is read again by the next run."""
    lying(monkeypatch, coarse(seconds))
    time.sleep(seconds - time.time() % seconds)  # the beginning of a tick
    picture.write_bytes(OLD)
    index.update(picture.parent, jobs=0)
    first = os.stat(picture)
    picture.write_bytes(NEW)
    second = os.stat(picture)
    with fault(2, f"times to {seconds} s", root=picture.parent):
        report = index.update(picture.parent, jobs=0)

        assert (first.st_mtime_ns, first.st_ctime_ns) == (second.st_mtime_ns, second.st_ctime_ns)
        assert (report.changed, stored(index)[0][1]) == (1, digest_of(NEW))


def test_hazard_02_an_unchanged_file_is_read_again_once(picture: Path, index: Index, fault: Faults) -> None:
    """Once it has grown old, its stamp is trusted."""
    picture.write_bytes(OLD)
    with fault(2, "a fresh file that stays as it is", root=picture.parent):
        reports = [index.update(picture.parent, jobs=0)]
        time.sleep(3.1)
        reports += [index.update(picture.parent, jobs=0) for _run in range(2)]

        assert [(report.reread, report.decoded) for report in reports] == [(0, 1), (1, 0), (0, 0)]


# --- 3, 4: changes while a file is read


@pytest.mark.parametrize("times", [1, 2])
def test_hazard_03_written_while_it_is_read(
    picture: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """It is read once more; when it changed again, it is in no group, and the run says that something is missing."""
    shutil.copy2(picture, picture.with_name("copy.bmp"))
    read, written = os.read, []

    def writing(descriptor: int, size: int) -> bytes:
        data = read(descriptor, size)
        if (
            data == OLD + b"!" * len(written)
            and len(written) < times
            and os.path.samestat(os.fstat(descriptor), picture.stat())
        ):
            written.append(picture.write_bytes(OLD + b"!" * (len(written) + 1)))
        return data

    monkeypatch.setattr(decode.os, "read", writing)
    with fault(3, f"written {times} times", root=picture.parent) as case:
        report, grouped = index.update(picture.parent, jobs=0), index.groups()
        case.snapshot()
        monkeypatch.undo()
        again = index.update(picture.parent, jobs=0)

        assert len(written) == times
        assert report.unreadable == times - 1
        assert [file.reason for file in report.unreadable_files] == ["changed while it was being read"] * (times - 1)
        assert len(grouped) == 2 - times
        assert (again.unreadable, dict(row[:2] for row in stored(index))["picture.bmp"]) == (
            0,
            digest_of(picture.read_bytes()),
        )


def test_hazard_04_digest_and_hash_are_of_the_same_bytes(
    picture: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes the file's place between the two steps is not seen; the next run sees it."""
    decoder = decode.decode

    def swapping(data: bytes) -> Any:
        picture.write_bytes(NEW)
        return decoder(data)

    monkeypatch.setattr(decode, "decode", swapping)
    with fault(4, "another picture between digest and decode", root=picture.parent) as case:
        index.update(picture.parent, jobs=0)
        mixed = stored(index)
        case.snapshot()
        monkeypatch.undo()
        index.update(picture.parent, jobs=0)
        alone = {}
        for number, data in enumerate((OLD, NEW)):
            place = picture.parent.parent / f"alone{number}"
            place.mkdir()
            (place / "picture.bmp").write_bytes(data)
            other = Index(place / "alone.db")
            other.update(place, jobs=0)
            alone[data] = stored(other)

        assert (mixed, stored(index)) == (alone[OLD], alone[NEW])


# --- 5, 6: odd and fine times


@pytest.mark.parametrize("mtime_ns", [-1, 0, 2**31 * SECOND, 7_258_118_400 * SECOND])
def test_hazard_05_odd_times(picture: Path, index: Index, fault: Faults, mtime_ns: int) -> None:
    """Times before 1970, at 2³¹ and in the year 2200 are compared for equality like any other."""
    os.utime(picture, ns=(0, mtime_ns))
    index.update(picture.parent, jobs=0)
    settle(index)
    with fault(5, f"mtime {mtime_ns}", root=picture.parent) as case:
        same = index.update(picture.parent, jobs=0)
        picture.write_bytes(NEW)
        os.utime(picture, ns=(0, mtime_ns))
        case.snapshot()
        changed = index.update(picture.parent, jobs=0)

        assert (same.unchanged, same.reread) == (1, 0)
        assert (changed.changed, changed.decoded) == (1, 1)


@pytest.mark.parametrize("back", [1, 3600 * SECOND, 30 * 365 * 86_400 * SECOND])
def test_hazard_05_a_clock_that_goes_backwards(
    picture: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, back: int
) -> None:
    """An older change time is another one."""

    def earlier(status: Any) -> None:
        status.st_ctime_ns -= back

    index.update(picture.parent, jobs=0)
    settle(index)
    _write_in_place(picture, NEW)
    lying(monkeypatch, earlier)
    with fault(5, f"ctime {back} ns earlier", root=picture.parent):
        assert index.update(picture.parent, jobs=0).changed == 1


@pytest.mark.parametrize("later_ns", [1, 1_000])
def test_hazard_06_two_versions_a_nanosecond_apart(
    picture: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, later_ns: int
) -> None:
    """Times are kept as they are: with size, inode and ctime equal, the last digit of the mtime tells."""
    lying(monkeypatch, without_change_times)
    mtime_ns = 1_600_000_000_123_456_789
    os.utime(picture, ns=(0, mtime_ns))
    index.update(picture.parent, jobs=0)
    settle(index)
    picture.write_bytes(NEW)
    os.utime(picture, ns=(0, mtime_ns + later_ns))
    with fault(6, f"{later_ns} ns", root=picture.parent):
        assert index.update(picture.parent, jobs=0).changed == 1


# --- 7: what is not the content


@pytest.mark.parametrize("what", ["chmod", "hard link", "rename"])
def test_hazard_07_nothing_but_metadata_changed(tmp_path: Path, index: Index, fault: Faults, what: str) -> None:
    """Files are digested, not decoded; groups and judgements stay; the report says what was read for nothing."""
    photos = with_copy(tmp_path, index)
    index.decide(photos / "a/2.jpg", photos / "b/3.jpg", "same")
    settle(index)
    files = sorted(photos.rglob("*.jpg"))
    judged, grouped = index.decisions_json(), _shown(index)
    for number, path in enumerate(files):
        if what == "chmod":
            path.chmod(0o600)
        elif what == "hard link":
            path.with_suffix(".link").hardlink_to(path)
        else:
            path.rename(path.with_name(f"{path.stem}-{number}.jpg"))
    with fault(7, what, root=photos):
        report = index.update(photos, jobs=0)

        assert (report.decoded, report.changed, report.new, report.gone) == (0, 0, 0, 0)
        assert (report.reread, report.moved) == (len(files), len(files) if what == "rename" else 0)
        assert index.decisions_json() == judged
        if what != "rename":
            assert _shown(index) == grouped
        assert len(index.groups()) == len(grouped)


def test_hazard_07_a_thousand_files_change_their_mode(tmp_path: Path, index: Index, fault: Faults) -> None:
    """None is decoded again, and people are told why they waited."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(1_000):
        (photos / f"{number}.bmp").write_bytes(OLD + number.to_bytes(4, "big"))
    index.update(photos, jobs=2)
    settle(index)
    for path in photos.iterdir():
        path.chmod(0o600)
    with fault(7, "chmod of 1,000 files", root=photos):
        ran = command(index, "index", str(photos))

        assert ran.returncode == 0
        assert "1,000 unchanged" in ran.stdout
        assert "0 pictures decoded, 1,000 read again and unchanged; " in ran.stdout


def _shown(index: Index) -> set[tuple[str, ...]]:
    return {(group.keeper.path, *(one.member.path for one in group.surplus)) for group in index.groups()}


# --- 8, 9: inode numbers


@pytest.mark.parametrize("number", [0, 2**32 - 1])
def test_hazard_08_one_number_for_all_files(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Copies are copies, not names of one file; what is gone is not taken for what is new; nothing is read twice."""
    photos = with_copy(tmp_path, Index(tmp_path / "true.db"))
    lying(monkeypatch, constant(number))
    with fault(8, f"inode {number}", root=photos) as case:
        index.update(photos, jobs=0)
        settle(index)
        again = index.update(photos, jobs=0)
        (group,) = index.groups()
        index.carry_out(index.plan())
        case.undo(index)
        settle(index)
        shutil.copy2(photos / "a/2.jpg", photos / "a/9.jpg")
        (photos / "a/2.jpg").unlink()
        (photos / "a/9.jpg").write_bytes(bytes(reversed((photos / "a/9.jpg").read_bytes())))
        case.snapshot()
        changed = index.update(photos, jobs=0)

        assert (again.reread, again.unchanged) == (0, 7)
        assert ([one.member.path for one in group.surplus], group.links) == ([SURPLUS], ())
        assert (changed.moved, changed.new, changed.gone, changed.unreadable) == (0, 1, 1, 1)


def test_hazard_08_other_numbers_at_each_mount(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are read again once; the user is told; from then on the numbers do not count, and changes still do."""
    photos = with_copy(tmp_path, index)
    settle(index)
    with fault(8, "numbers that drift", root=photos) as case:
        told, reread = [], []
        for mount in range(3):
            monkeypatch.undo()
            lying(monkeypatch, renumbered(1_000 * (mount + 1)))
            report = index.update(photos, jobs=0)
            told.append(report.notes)
            reread.append((report.reread, report.new, report.changed, report.decoded))
            settle(index)
        shutil.copy2(photos / "b/1.jpg", photos / "b/3.jpg")
        case.snapshot()
        changed = index.update(photos, jobs=0)

        assert reread == [(7, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
        assert (len(told[0]), told[1:]) == (1, [(), ()])
        assert "gave 7 files another inode number" in told[0][0]
        assert changed.changed == 1


def test_hazard_08_numbers_come_from_stat(fault: Faults, tmp_path: Path) -> None:
    """What `readdir` says of them is never asked: it differs from `stat` on mounts, and on FUSE."""
    with fault(8, "the code as it is written", root=tmp_path):
        package = Path(scan.__file__).parent
        assert [path for path in package.glob("*.py") if ".inode()" in path.read_text()] == []


@pytest.mark.parametrize("born", [True, False], ids=["made at another time", "no birth times"])
def test_hazard_09_the_number_of_a_gone_file_is_given_again(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, born: bool
) -> None:
    """Number, size and mtime of a file that is gone do not make another file it."""
    photos = make_photos(tmp_path / "photos")
    index.update(photos, jobs=0)
    settle(index)
    (photos / "a" / "0.jpg").rename(photos / "other.jpg")
    monkeypatch.setattr(story, "born_ns", lambda _path: 1 if born else None)
    with fault(9, "another file" if born else "a file system without birth times", root=photos):
        report = index.update(photos, jobs=0)

        assert (report.new, report.gone, report.moved, report.unchanged) == (1, 1, 0, 5)
        assert report.decoded == 0


def test_hazard_09_deleted_and_made_anew(picture: Path, index: Index, fault: Faults) -> None:
    """The same name, size and mtime, and, as happens, the same number."""
    index.update(picture.parent, jobs=0)
    settle(index)
    status = picture.stat()
    picture.unlink()
    picture.write_bytes(NEW)
    os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))
    with fault(9, "deleted, made anew, time put back", root=picture.parent):
        assert (index.update(picture.parent, jobs=0).changed, stored(index)[0][1]) == (1, digest_of(NEW))
