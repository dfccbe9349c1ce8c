"""Hazards 64, 65, 68 and 121: each call that changes the disk fails, before or after its work, or is followed by Ctrl-C.

After SQLite's way of testing: the point of failure moves up one call at a time until the command gets through. A call that
did its work and reports an error all the same is what a network file system does when it repeats a lost answer, and an
interrupt after a call is where Python raises `KeyboardInterrupt`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checking import KEEPER, SURPLUS, across, left_over
from score import Faults
from support import aged, make_photos, tree

from indexer import Index, filesystem, transfer
from indexer.drawing import drawn, encoded
from indexer.errors import ImgindexError

CALLS = {
    "rename": (filesystem, "_renamed"),
    "unlink": (os, "unlink"),
    "fsync": (os, "fsync"),
    "write": (os, "write"),
    "mkdir": (os, "mkdir"),
    "link": (os, "link"),
    "symlink": (os, "symlink"),
}
WRITE = os.write
ENDS = (OSError, KeyboardInterrupt, ImgindexError)
"""How a command may end when a call failed."""
ROWS = {"fails": 68, "fails after its work": 64, "is followed by Ctrl-C": 121}
"""How a call goes wrong → row of the table of hazards; for a write that fails it is 65."""
COMMANDS = ("prune", "prune far", "undo", "undo far", "link hard", "link symlink", "undo of links")
"""`far` means to and from another file system."""


def prune(index: Index, photos: Path) -> None:
    """All that a prune can do besides links: pictures, captions, merged captions, lists."""
    index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"])


def run(index: Index, photos: Path, command: str) -> None:
    """The command in which a call fails."""
    if command.startswith("prune"):
        prune(index, photos)
    elif command.startswith("link"):
        index.carry_out(index.plan(link=command.split()[1], on_conflict="prune"))
    else:
        index.undo()


def prepare(index: Index, photos: Path, command: str) -> None:
    """The state in which the command begins."""
    if command == "undo of links":
        index.carry_out(index.plan(link="symlink", on_conflict="prune"))
    elif command.startswith("undo"):
        prune(index, photos)


class _Failing:
    """Makes one call fail, the k-th one of its name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str, at: int, how: str) -> None:
        """Puts itself in the place of the call."""
        module, name = CALLS[call]
        self._real: Callable[..., Any] = getattr(module, name)
        self._at, self._how = at, how
        self.calls = 0
        monkeypatch.setattr(module, name, self._called)

    def _called(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls != self._at:
            return self._real(*arguments, **options)
        if self._how != "fails":
            self._real(*arguments, **options)
        if self._how == "is followed by Ctrl-C":
            raise KeyboardInterrupt
        error = errno.ENOSPC if self._real is WRITE else errno.EIO
        raise OSError(error, os.strerror(error))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture saved again, smaller, with another caption, and a byte-by-byte copy with an equal one; a list of all."""
    place = tmp_path_factory.mktemp("base")
    photos = make_photos(place / "data" / "photos", count=4)
    (photos / "z").mkdir()
    picture = drawn(0)
    smaller = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))
    (photos / SURPLUS).write_bytes(encoded(smaller, "JPEG", quality=80))
    shutil.copy2(photos / "b/1.jpg", photos / "z/other.jpg")
    for name in (SURPLUS, "z/other.jpg"):
        aged(photos / name, seconds=-500)
    for name, text in ((KEEPER, "a"), (SURPLUS, "a\nb"), ("b/1.jpg", "c"), ("z/other.jpg", "c")):
        (photos / name).with_suffix(".txt").write_text(f"{text}\n")
    (photos / "all.txt").write_text("".join(f"{path.relative_to(photos)}\n" for path in sorted(photos.rglob("*.jpg"))))
    index = Index(place / "imgindex.db")
    index.update(photos, jobs=0)
    return place


def problems(fault: Faults, base: Path, work: Path, command: str, how: str, call: str) -> list[str]:
    """What did not hold after a call failed, every time that the command makes it."""
    found: list[str] = []
    for at in range(1, 200):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(base, work, symlinks=True)
        index, photos = Index(work / "imgindex.db"), work / "data" / "photos"
        original = tree(photos)
        row = 65 if (call, how) == ("write", "fails") else ROWS[how]
        with pytest.MonkeyPatch.context() as patch:
            if "far" in command:
                patch.setattr(transfer, "rename_no_replace", across)
            with (
                _collected(found, f"{call} {at}"),
                fault(row, f"{command}, {call} {at} {how}", root=photos) as case,
            ):
                prepare(index, photos, command)
                with pytest.MonkeyPatch.context() as failure, contextlib.suppress(*ENDS):
                    failing = _Failing(failure, call, at, how)
                    run(index, photos, command)
                index.recover()
                assert index.recover().settled == 0
                assert [*left_over(work), *_wrong(index)] == []
                case.undo(index, original)
                assert index.verify_quarantine() == (0, ())
        if failing.calls < at:
            return found
    raise AssertionError("a command without an end")


@contextlib.contextmanager
def _collected(found: list[str], where: str) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        found.append(f"{where}: {error}")


def _wrong(index: Index) -> list[str]:
    """What is altered, missing or unknown in the quarantine."""
    return [f"{one.path} {one.reason}" for one in index.verify_quarantine()[1]]


FAR = ("prune far", "undo far")
SHORT = [
    *((command, call, "is followed by Ctrl-C") for command in COMMANDS[:6] for call in ("rename", "unlink")),
    *((command, call, "fails after its work") for command in FAR for call in ("rename", "unlink")),
    *((command, "write", "fails") for command in FAR),
]
ALL = [(command, call, how) for command in COMMANDS for call in CALLS for how in ROWS]


@pytest.mark.parametrize(("command", "call", "how"), SHORT)
def test_hazard_64_65_68_and_121_a_call_goes_wrong(
    tmp_path: Path, base: Path, fault: Faults, command: str, call: str, how: str
) -> None:
    """Nothing is lost, no temporary file is left, the quarantine holds what the journal says, and undo is exact."""
    assert problems(fault, base, tmp_path / "work", command, how, call) == []


@pytest.mark.long
@pytest.mark.parametrize(("command", "call", "how"), [case for case in ALL if case not in SHORT])
def test_hazard_64_65_68_and_121_any_call_goes_wrong(
    tmp_path: Path, base: Path, fault: Faults, command: str, call: str, how: str
) -> None:
    """All other commands, calls, and ways to go wrong."""
    assert problems(fault, base, tmp_path / "work", command, how, call) == []
