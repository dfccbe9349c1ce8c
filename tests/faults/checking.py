"""What the tests of rows 37, 38 and 42 to 77 share: data sets with copies, and what can happen to a file."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from support import aged, make_photos

from indexer import Index, transfer
from indexer.drawing import drawn, encoded

KEEPER, SURPLUS = "a/0.jpg", "z/copy.jpg"
Change = Callable[[Path, Path], None]


def with_copy(place: Path, index: Index, *, resaved: bool = False, captions: bool = False) -> Path:
    """Six photos of which one lies there twice, byte by byte or saved again, indexed; `a/0.jpg` is kept."""
    photos = make_photos(place / "data" / "photos")
    (photos / "z").mkdir()
    if resaved:
        picture = drawn(0)
        smaller = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))
        (photos / SURPLUS).write_bytes(encoded(smaller, "JPEG", quality=80))
    else:
        shutil.copy2(photos / KEEPER, photos / SURPLUS)
    aged(photos / SURPLUS, seconds=-500)
    if captions:
        (photos / KEEPER).with_suffix(".txt").write_text("a mosaic\n")
        (photos / SURPLUS).with_suffix(".txt").write_text("a mosaic\n")
    index.update(photos, jobs=0)
    return photos


def command(index: Index, *arguments: str, under: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """A command run in a process of its own, under another program when wanted."""
    call = [*under, sys.executable, "-m", "indexer", *arguments, "--db", index.path]
    return subprocess.run(call, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def payloads(photos: Path) -> list[Path]:
    """The files in the quarantine beside a root."""
    place = photos.parent / ".imgindex-quarantine"
    return sorted(path for path in place.rglob("*") if path.is_file() and path.name != "manifest.jsonl")


def left_over(place: Path) -> list[Path]:
    """Files under temporary names."""
    return list(place.rglob("*.part"))


def overwritten(path: Path, _other: Path) -> None:
    """Other bytes."""
    path.write_bytes(b"something else")


def truncated(path: Path, _other: Path) -> None:
    """Half of the bytes."""
    os.truncate(path, path.stat().st_size // 2)


def grown(path: Path, _other: Path) -> None:
    """More bytes."""
    path.write_bytes(path.read_bytes() + b"more")


def mtime_put_back(path: Path, _other: Path) -> None:
    """Other bytes of the same number, and the old modification time."""
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def deleted(path: Path, _other: Path) -> None:
    """Gone."""
    path.unlink()


def renamed(path: Path, _other: Path) -> None:
    """Elsewhere."""
    path.rename(path.with_name("elsewhere.jpg"))


def symlinked(path: Path, other: Path) -> None:
    """A link to the other one."""
    path.unlink()
    path.symlink_to(other)


def hard_linked(path: Path, other: Path) -> None:
    """A hard link of the other one."""
    path.unlink()
    path.hardlink_to(other)


def made_a_folder(path: Path, _other: Path) -> None:
    """A folder."""
    path.unlink()
    path.mkdir()


def made_a_fifo(path: Path, _other: Path) -> None:
    """A FIFO."""
    path.unlink()
    os.mkfifo(path)


def behind_a_link(path: Path, _other: Path) -> None:
    """In a folder that became a link."""
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to(path.parent.with_name("elsewhere"))


def unreadable(path: Path, _other: Path) -> None:
    """A file that nobody but root may read."""
    path.chmod(0)


def across(source: int, name: str, target: int, new_name: str) -> None:
    """What renaming between two file systems does; within one folder it works."""
    if source != target:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    REAL_RENAME(source, name, target, new_name)


REAL_RENAME = transfer.rename_no_replace
