"""Hazards 27, 28 and 34: a file that cannot be read or decoded as a whole is not like any other."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from deciding import every_plan, names, planned, prune, rows
from score import Faults
from support import aged, tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.entry import run

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


# --- 27: a failed read or decode


@pytest.fixture
def copied(photos: Path) -> Path:
    """Six pictures, and one more ten times with the same bytes."""
    for path in copies(photos):
        path.write_bytes(encoded(drawn(9)))
        aged(path)
    return photos


def copies(photos: Path, count: int = 10) -> list[Path]:
    """The first of the files with the same bytes."""
    return [photos / f"copy-{number}.jpg" for number in range(count)]


def index_with_eio(photos: Path, index: Index, broken: Iterable[Path], jobs: int) -> int:
    """Indexes while every read of some files fails; gives the exit code."""
    named = [word for path in broken for word in ("-P", str(path))]
    inject = ["-e", "trace=read,pread64", "-e", "inject=read,pread64:error=EIO:when=1+"]
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, *named, *inject, "--"]
    command = [sys.executable, "-m", "indexer", "index", str(photos), "--jobs", str(jobs), "--db", index.path]
    return subprocess.run([*strace, *command], check=False, capture_output=True).returncode


@needs_strace
@pytest.mark.parametrize("jobs", [0, 1])
@pytest.mark.parametrize("count", [9, 10])
def test_hazard_27_no_hash_when_the_kernel_cannot_read(
    copied: Path, index: Index, fault: Faults, jobs: int, count: int
) -> None:
    """Files that give EIO have no content and no group, whether all copies of a picture do or all but one."""
    broken = copies(copied, count)
    with fault(27, f"EIO on {count} of 10 copies, {jobs} workers", root=copied) as case:
        code = index_with_eio(copied, index, broken, jobs)
        pruned = prune(index)
        case.undo(index)

    assert (code, pruned) == (3, 0)
    assert {file.path for file in index.unreadable()} == {str(path) for path in broken}
    assert all("Input/output error" in file.reason for file in index.unreadable())
    assert rows(index, "SELECT DISTINCT content_id FROM file WHERE state = 2") == [(None,)]
    assert rows(index, "SELECT count(*) FROM content") == [(6 + (count < 10),)]
    assert every_plan(index) == set()


def fail_to_read(monkeypatch: pytest.MonkeyPatch, paths: Iterable[Path]) -> None:
    """Lets every read of some files fail in this process."""
    broken = {path.stat().st_ino for path in paths}

    def failing(read: Callable[..., bytes]) -> Callable[..., bytes]:
        def attempt(descriptor: int, *arguments: int) -> bytes:
            if os.fstat(descriptor).st_ino in broken:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return read(descriptor, *arguments)

        return attempt

    monkeypatch.setattr(os, "read", failing(os.read))
    monkeypatch.setattr(os, "pread", failing(os.pread))


def test_hazard_27_no_hash_when_reading_fails_in_this_process(
    copied: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same without strace; once the files can be read again, they are grouped as if nothing had been."""
    with fault(27, "reads of all copies fail", root=copied) as case:
        with monkeypatch.context() as patch:
            fail_to_read(patch, copies(copied))
            code = run(["index", str(copied), "--jobs", "0", "--quiet", "--db", index.path])
            pruned = prune(index)
        case.undo(index)

    assert (code, pruned, len(index.unreadable()), every_plan(index)) == (3, 0, 10, set())
    assert run(["index", "--retry", "--jobs", "0", "--quiet", "--db", index.path]) == 0
    assert len(every_plan(index)) == 9


def test_hazard_27_no_old_hash_stays_when_a_changed_file_cannot_be_read(
    copied: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that was rewritten and now gives EIO is no copy any more: what was known of it is forgotten."""
    index.update(copied, jobs=0)
    before = planned(index)
    for path in copies(copied, 9):
        path.write_bytes(encoded(drawn(60)))

    with fault(27, "reads of rewritten copies fail", root=copied) as case:
        with monkeypatch.context() as patch:
            fail_to_read(patch, copies(copied, 9))
            index.update(copied, jobs=0)
            pruned = prune(index)
        case.undo(index)

    assert (len(before), pruned, every_plan(index)) == (9, 0, set())


def test_hazard_27_no_hash_when_decoding_fails(photos: Path, index: Index, fault: Faults) -> None:
    """Files of one size that look like pictures from outside, some with the same bytes, are in no group of any kind."""
    png, jpeg = encoded(drawn(1), "PNG"), encoded(drawn(1))
    damaged = [png[:80] + bytes([number]) * (len(png) - 80) for number in range(10)]
    broken = [*damaged, *[png[:80] + bytes(len(png) - 80)] * 5, *[jpeg[:3] + bytes(len(png) - 3)] * 5]
    for number, data in enumerate(broken):
        (photos / f"broken-{number}.jpg").write_bytes(data)

    with fault(27, "pictures that cannot be decoded", root=photos) as case:
        code = run(["index", str(photos), "--jobs", "1", "--quiet", "--db", index.path])
        pruned = prune(index)
        case.undo(index)

    assert (code, pruned, len(index.unreadable()), every_plan(index)) == (3, 0, 20, set())
    assert rows(index, "SELECT dhash, phash, look FROM content WHERE unreadable IS NOT NULL") == [(None,) * 3] * 11


# --- 28: truncated pictures

ENCODINGS = [
    pytest.param("JPEG", {"quality": 90}, id="JPEG"),
    pytest.param("JPEG", {"quality": 90, "progressive": True}, id="progressive JPEG"),
    pytest.param("JPEG", {"quality": 90, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}, id="JPEG by Pillow"),
    pytest.param("PNG", {}, id="PNG"),
    pytest.param("WEBP", {"quality": 90}, id="WebP"),
    pytest.param("WEBP", {"lossless": True}, id="lossless WebP"),
    pytest.param("GIF", {}, id="GIF"),
    pytest.param("BMP", {}, id="BMP"),
    pytest.param("TIFF", {"compression": "tiff_lzw"}, id="TIFF"),
    pytest.param("AVIF", {}, id="AVIF"),
]
BEHIND_THE_PIXELS = 24
"""Bytes at a file's end without which every pixel is still there: a PNG's last chunk and checksum, a GIF's trailer."""


@pytest.mark.parametrize(("format_", "options"), ENCODINGS)
def test_hazard_28_truncated_pictures_are_not_compared(
    tmp_path: Path,
    index: Index,
    fault: Faults,
    format_: str,
    options: dict[str, object],
    request: pytest.FixtureRequest,
) -> None:
    """Ten pictures of each of ten formats, cut at random anywhere in their pixels, match nothing and are not moved."""
    random, ending = np.random.default_rng(28), format_.lower()
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(10):
        data = encoded(drawn(number), format_, **options)
        (photos / f"{number}-whole.{ending}").write_bytes(data)
        cut = int(random.integers(1, len(data) - BEHIND_THE_PIXELS))
        (photos / f"{number}-cut.{ending}").write_bytes(data[:cut])
    for name in (f"0-whole.{ending}", f"0-cut.{ending}"):
        shutil.copy2(photos / name, photos / f"copy-{name}")

    with fault(28, f"cut at random: {request.node.callspec.id}", root=photos) as case:
        code = run(["index", str(photos), "--jobs", "1", "--quiet", "--db", index.path])
        pruned = prune(index)
        left = names(photos)
        case.undo(index)

    assert (code, pruned) == (3, 0)
    assert left == names(photos) - {f"copy-0-whole.{ending}"}
    assert not any("cut" in path for _kind, *pair in every_plan(index) for path in pair)


# --- 34: files without a byte


@pytest.mark.parametrize("options", [[], ["--all-files"]], ids=["by name", "all files"])
def test_hazard_34_empty_files_are_no_duplicates(photos: Path, index: Index, fault: Faults, options: list[str]) -> None:
    """Ten files of zero bytes have the same digest and are unreadable, so no rule puts them into a group."""
    for number in range(10):
        (photos / f"empty-{number}.jpg").touch()
        (photos / f"empty-{number}").touch()
    before = tree(photos)

    with fault(34, f"empty files {options}", root=photos) as case:
        code = run(["index", str(photos), "--jobs", "0", "--quiet", "--db", index.path, *options])
        pruned = prune(index)
        after = tree(photos)
        case.undo(index)

    assert (code, pruned, every_plan(index), len(index.unreadable())) == (3, 0, set(), 10)
    assert after == before
