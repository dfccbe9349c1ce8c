"""What the tests share besides fixtures: drawn folders, and trees before and after."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

from indexer import Index
from indexer.drawing import drawn, encoded

DATA = Path(os.environ.get("IMGINDEX_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
"""Real pictures with ground truth; not part of the project."""
Tree = dict[str, tuple[bytes, int, int]]
"""Path → bytes, permission bits and modification time of every file below a folder."""


def make_photos(folder: Path, count: int = 6) -> Path:
    """Draws pictures into a folder's sub-folders a and b."""
    for number in range(count):
        place = folder / "ab"[number % 2] / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(encoded(drawn(number)))
        aged(place)
    return folder


def aged(path: Path, seconds: int = 1000) -> Path:
    """A file whose modification time lies in the past."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - seconds * 1_000_000_000))
    return path


def tree(folder: Path) -> Tree:
    """Every file below a folder, links not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            name = os.fsdecode(bytes(path.relative_to(folder)))
            found[name] = (path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_mtime_ns)
    return found


def settle(index: Index) -> None:
    """Makes the index believe that its files were old when they were read, as they are in life."""
    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE file SET unsettled = 0")
    db.close()
