"""Whatever happens to a tree of pictures between runs, the index says what a new index would say."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import settle

from indexer import Index
from indexer.drawing import drawn, encoded

CONTENTS = (*(encoded(drawn(seed).resize((24, 24)), "BMP") for seed in range(3)), b"BM" + bytes(1_780), b"")
"""Three pictures of equal size in bytes, one that only claims to be, and nothing."""
NAMES = st.sampled_from(("a.bmp", "b.bmp", "c", os.fsdecode(b"caf\xe9.bmp"), "A.bmp", "new\nline.bmp"))
FOLDERS = st.sampled_from(("", "x", "x/y", "z", os.fsdecode(b"\xff")))
TIMES = st.sampled_from(
    (-1_000_000_000, 0, 1_600_000_000_123_456_789, 1_600_000_000_123_456_790, 7_258_118_400 * 10**9)
)
PATHS = st.builds(os.path.join, FOLDERS, NAMES)
WRITES = st.tuples(st.just("write"), PATHS, st.integers(0, len(CONTENTS) - 1), TIMES)
DEEDS = st.one_of(
    WRITES,
    WRITES,
    st.tuples(st.sampled_from(("rename", "copy", "link")), PATHS, PATHS),
    st.tuples(st.just("rename folder"), FOLDERS.filter(bool), st.sampled_from(("w", "x/v"))),
    st.tuples(st.sampled_from(("delete", "chmod", "touch")), PATHS),
    st.tuples(st.just("rewrite"), PATHS, st.integers(0, 2)),
)


def _write(root: Path, path: str, content: int, mtime_ns: int) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(CONTENTS[content])
    os.utime(root / path, ns=(0, mtime_ns))


def _rewrite(root: Path, path: str, content: int) -> None:
    """Another content; the time stays, and often the size."""
    _write(root, path, content, (root / path).stat().st_mtime_ns)


def _to(deed: Callable[[Path, Path], object]) -> Callable[[Path, str, str], None]:
    def done(root: Path, source: str, target: str) -> None:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        deed(root / source, root / target)

    return done


DO: dict[str, Callable[..., object]] = {
    "write": _write,
    "rewrite": _rewrite,
    "rename": _to(os.rename),
    "rename folder": _to(os.rename),
    "copy": _to(shutil.copy2),
    "link": _to(os.link),
    "delete": lambda root, path: (root / path).unlink(),
    "chmod": lambda root, path: (root / path).chmod(0o600),
    "touch": lambda root, path: os.utime(root / path),
}


def known(index: Index) -> dict[bytes, tuple[object, ...]]:
    """What an index says of every file: by path, its state, reason and digest."""
    query = (
        "SELECT CAST(folder.path AS BLOB), CAST(name AS BLOB), state, reason, digest, file.size FROM file"
        " JOIN folder ON folder.id = folder_id LEFT JOIN content ON content.id = content_id"
    )
    with contextlib.closing(sqlite3.connect(index.path)) as db:
        return {os.path.join(folder, name): tuple(rest) for folder, name, *rest in db.execute(query)}


@example([("write", "a.bmp", 4, 0)], [([("rename", "a.bmp", "c")], False)])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(WRITES, min_size=1, max_size=8),
    st.lists(st.tuples(st.lists(DEEDS, max_size=5), st.booleans()), min_size=1, max_size=3),
)
def test_update_gives_what_a_new_index_gives(
    first: list[tuple[object, ...]], rounds: list[tuple[list[tuple[object, ...]], bool]]
) -> None:
    """After several runs, with files that were old or fresh when they were read; deeds that fail are passed over.

    What is new or has changed arrived, and nothing else did.
    """
    with tempfile.TemporaryDirectory() as place:
        root, index, fresh = Path(place) / "root", Index(Path(place) / "imgindex.db"), Index(Path(place) / "fresh.db")
        root.mkdir()
        for deeds, is_old in [(first, True), *rounds]:
            for deed, *arguments in deeds:
                with contextlib.suppress(OSError, shutil.SameFileError):
                    DO[str(deed)](root, *arguments)
            report = index.update(root, jobs=0, confirm_missing=True)
            assert report.files == report.new + report.changed + report.moved + report.unchanged
            assert index.report().totals.count == report.new + report.changed
            if is_old:
                settle(index)
        wanted = fresh.update(root, jobs=0)

        assert known(index) == known(fresh)
        assert (report.files, report.unreadable) == (wanted.files, wanted.unreadable)
