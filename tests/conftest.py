"""What the tests share: drawn pictures, trees before and after, and the real pictures where they are present."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer import Index
from indexer.drawing import drawn, encoded

DATA = Path(os.environ.get("IMGINDEX_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
"""Real pictures with ground truth; not part of the project."""

Tree = dict[str, tuple[bytes, int, int]]
"""Path → bytes, permission bits and modification time of every file below a folder."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No index of the machine's owner is ever found, and each test has a current folder of its own."""
    monkeypatch.delenv("IMGINDEX_DB", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield


@pytest.fixture
def data() -> Path:
    """The folder of real pictures."""
    if not DATA.is_dir():
        pytest.skip(f"the real pictures are not here: {DATA} (set IMGINDEX_TEST_DATA)")
    return DATA


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of six drawn pictures, none like another, that were there for a while."""
    return make_photos(tmp_path / "photos")


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An index that does not exist yet, beside the photos."""
    return Index(tmp_path / "imgindex.db")


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
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE file SET unsettled = 0")
    db.close()
