"""Kills index, prune, undo, purge, recover and reject at their system calls, or lets these fail, and checks what is left.

    python tests/faults/kill_points.py                      a sample of the kill points of each command
    python tests/faults/kill_points.py --all                every kill point
    python tests/faults/kill_points.py --fault EIO ENOSPC   failing calls, these errors in turn
    … --json                                                one object a fault

The data set has copies with captions, one of which says more than its keeper's, and a list of all pictures. For each system
call that writes, and each time it is called, a command is run on a fresh copy of the data set, and at the k-th call strace
injects SIGKILL, SIGINT or an error. Then, as the next command would, what was interrupted is recovered and finished,
everything is undone, and the data set is indexed again. After each fault it must hold that

    I1  every content that existed exists, under the root or in the quarantine; after a prune, each picture under the root
    I3  after recovery and undo, paths, bytes, permission bits and modification times are those of the beginning
    I4  the index equals the disk: a new run finds nothing new or gone, the quarantine is empty and nothing else is left

In another data set, some pictures came in a larger version later. After recovery, each of these was put in place with its
captions, or is where it came; never something between.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import Tree, aged, make_photos, tree
from upgrading import put, shrunk
from warm import Ended, Run, commands

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.plans import Action, Plan

SYSTEM_CALLS = (
    "write", "pwrite64", "rename", "renameat", "renameat2", "link", "linkat", "symlinkat", "unlink", "unlinkat", "fsync",
    "fdatasync", "ftruncate", "mkdir", "mkdirat", "openat", "fchmod", "utimensat",
)  # fmt: skip
"""Those that write; `openat` because it creates files."""
FAULTS = {
    "KILL": "signal=KILL",
    "INT": "signal=INT",
    **{code: f"error={code}" for code in ("EIO", "ENOSPC", "EACCES", "EXDEV", "EMFILE")},
}
"""What can happen at a call, as strace injects it."""
COMMANDS = {
    "index": ("index", "{photos}", "--jobs", "0"),
    "prune": ("prune", "--yes", "--on-conflict", "merge", "--update", "{photos}/all.txt"),
    "undo": ("undo",),
    "purge": ("purge", "--older-than", "0s", "--yes"),
    "recover": ("index", "{photos}", "--jobs", "0"),
    "link": ("prune", "--yes", "--link", "hard"),
    "undo of links": ("undo",),
    "symlink": ("prune", "--yes", "--link", "symlink"),
    "upgrades": ("upgrades", "--yes", "--jobs", "0"),
    "undo of upgrades": ("undo",),
    "reject": ("reject", "{photos}/a/0.jpg", "{photos}/b/5.jpg", "--reason", "wrong", "--yes"),
    "undo of reject": ("undo",),
    "returned": ("prune", "--returned", "--yes"),
}
"""`recover` is an `index` after a prune that was killed half-way."""
MOST = {
    "index": 5,
    "prune": 16,
    "undo": 10,
    "purge": 4,
    "recover": 6,
    "link": 6,
    "undo of links": 5,
    "symlink": 3,
    "upgrades": 10,
    "undo of upgrades": 8,
    "reject": 8,
    "undo of reject": 5,
    "returned": 4,
}
"""Kill points of each command in the short form, spread evenly over its calls."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kill or an error, and what held after it."""

    command: str
    fault: str
    """A key of `FAULTS`."""
    system_call: str
    at: int
    contents_lost: int
    undo_exact: bool
    index_equals_disk: bool
    clear: bool
    """The command ended without a traceback."""

    @property
    def survived(self) -> bool:
        """True when everything held."""
        return not self.contents_lost and self.undo_exact and self.index_equals_disk and self.clear


def survey(*, every: bool, faults: Sequence[str] = ("KILL",), thinned: int = 1) -> Iterator[Fault]:
    """A fault at each system call of each command, or at a sample of them, the kinds of faults in turn.

    Args:
        every: All of them, and each kind of fault at each.
        faults: Keys of `FAULTS`.
        thinned: Only each so-many-th of a sample.
    """
    with tempfile.TemporaryDirectory() as place, commands() as run:
        for command in COMMANDS:
            base = Path(place) / f"{command.replace(' ', '-')}-base"
            original = _prepare(run, base, command)
            for number, (system_call, at) in enumerate(_points(run, base, command, every=every)[::thinned]):
                for fault in faults if every else [faults[number % len(faults)]]:
                    work = Path(place) / "work"
                    shutil.rmtree(work, ignore_errors=True)
                    shutil.copytree(base, work, symlinks=True, copy_function=_copy)
                    done = _injected(run, work, command, fault, system_call, at)
                    if fault != "KILL" or done.returncode == -signal.SIGKILL:
                        point = command, fault, system_call, at
                        yield _judge(work, original, point, clear="Traceback" not in done.stderr)


def score(faults: list[Fault]) -> str:
    """The figures in one line."""
    survived = sum(fault.survived for fault in faults)
    exact = sum(fault.undo_exact for fault in faults)
    lost = sum(fault.contents_lost for fault in faults)
    return f"faults survived {survived}/{len(faults)} · contents lost {lost} · undo exact {exact}/{len(faults)}"


def _copy(source: str, target: str) -> None:
    """A copy of a file; names of one file below the data set's base stay names of one file."""
    shutil.copy2(source, target)


def _prepare(run: Run, base: Path, command: str) -> Tree:
    """The data set, indexed, and in the state in which the command finds it."""
    if command in _UPGRADES:
        return _prepare_upgrades(base, command)
    photos = make_photos(base / "photos")
    for number in range(5):
        source = photos / "ab"[number % 2] / f"{number}.jpg"
        copy = photos / f"copy-{number % 2}" / f"{number}.jpg"
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(source, copy)
        aged(copy, seconds=-500)
        source.with_suffix(".txt").write_text(f"picture {number}\n")
        copy.with_suffix(".txt").write_text(f"picture {number}\n" + ("with more words\n" if number == 1 else ""))
    names = sorted(str(path.relative_to(photos)) for path in photos.rglob("*.jpg"))
    (photos / "all.txt").write_text("".join(f"{name}\n" for name in names))
    if command == "returned":
        (photos / "again.jpg").write_bytes(encoded(drawn(0).resize((200, 175)), quality=80))
    original = tree(photos)
    if command == "index":
        return original
    index = Index(base / "imgindex.db")
    index.update(photos, jobs=0)
    if command in {"undo", "purge"}:
        index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"])
    if command == "recover":
        _injected(run, base, "prune", "KILL", "renameat2", 5)
    if command in {"undo of reject", "returned"}:
        index.carry_out(_rejection(index, photos))
    return original


_UPGRADES = ("upgrades", "undo of upgrades")
_CAME = {0: "jpg", 1: "png", 4: "webp"}
"""Numbers of drawn pictures that came in a larger version, and its format; the first brings a caption that is there."""


def _prepare_upgrades(base: Path, command: str) -> Tree:
    """Small pictures, and then larger ones, one with a caption that the small one has, one with one that it lacks."""
    photos, index = base / "photos", Index(base / "imgindex.db")
    for number in (*_CAME, 5):
        put(photos / f"cat/{number}.jpg", shrunk(number), caption="a cat\n" if number != 4 else None)
    (photos / "cat/1.jpg.xmp").write_text("<x/>")
    index.update(photos, jobs=0)
    for number, ending in _CAME.items():
        put(photos / f"new/{number}.{ending}", drawn(number), {"jpg": "JPEG"}.get(ending, ending.upper()))
    for number in (0, 4):
        (photos / f"new/{number}.txt").write_text("a cat\n")
    index.update(photos, jobs=0)
    original = tree(photos)
    if command != "upgrades":
        index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    return original


def _halves(photos: Path) -> int:
    """How many upgrades are neither done nor undone."""
    names = {str(path.relative_to(photos)) for path in photos.rglob("*") if path.is_file()}
    before = {
        0: {"cat/0.jpg", "cat/0.txt", "new/0.jpg", "new/0.txt"},
        1: {"cat/1.jpg", "cat/1.txt", "cat/1.jpg.xmp", "new/1.png"},
        4: {"cat/4.jpg", "new/4.webp", "new/4.txt"},
    }
    after = {
        0: {"cat/0.jpg", "cat/0.txt"},
        1: {"cat/1.png", "cat/1.txt", "cat/1.png.xmp"},
        4: {"cat/4.webp", "cat/4.txt"},
    }
    found = {number: {name for name in names if f"/{number}." in name} for number in _CAME}
    return sum(found[number] not in (before[number], after[number]) for number in _CAME)


def _arguments(work: Path, command: str) -> list[str]:
    words = [word.replace("{photos}", str(work / "photos")) for word in COMMANDS[command]]
    return [*words, "--quiet", "--db", str(work / "imgindex.db")]


def _points(run: Run, base: Path, command: str, *, every: bool) -> list[tuple[str, int]]:
    """The kill points of a command: system calls with the number of the call."""
    counted = _count_calls(run, base, command)
    found = [(system_call, at) for system_call, calls in counted.items() for at in range(1, calls + 1)]
    most = MOST[command]
    if every or len(found) <= most:
        return found
    return sorted({found[round(step * (len(found) - 1) / (most - 1))] for step in range(most)})


def _rejection(index: Index, photos: Path) -> Plan:
    """The plan that `reject` carries out."""
    return index.plan_rejection(photos / "a" / "0.jpg", photos / "b" / "5.jpg", reason="wrong")


def _count_calls(run: Run, base: Path, command: str) -> dict[str, int]:
    """How often a command makes each system call."""
    work = base.parent / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work, symlinks=True, copy_function=_copy)
    if command == "undo of links":
        _link(work)
    trace = base.parent / "trace"
    run(_arguments(work, command), ["-o", str(trace), "-e", f"trace={','.join(SYSTEM_CALLS)}"])
    lines = trace.read_text().splitlines()
    counted = {call: sum(f" {call}(" in line for line in lines) for call in SYSTEM_CALLS}
    return {call: number for call, number in counted.items() if number}


def _link(work: Path) -> None:
    """Replaces the copies by hard links, for an undo to be killed: links do not survive a copy of the data set."""
    index = Index(work / "imgindex.db")
    index.update(work / "photos", jobs=0)
    index.carry_out(index.plan(link="hard"))


def _injected(run: Run, work: Path, command: str, fault: str, system_call: str, at: int) -> Ended:
    """Runs a command to which something happens at the k-th call, unless it ends before."""
    if command == "undo of links":
        _link(work)
    injection = f"inject={system_call}:{FAULTS[fault]}:when={at}"
    return run(_arguments(work, command), ["-o", os.devnull, "-e", f"trace={system_call}", "-e", injection])


def _judge(work: Path, original: Tree, point: tuple[str, str, str, int], *, clear: bool) -> Fault:
    """What holds after a fault, and after what the user would do next."""
    command, fault, system_call, at = point
    photos = work / "photos"
    wanted = {hashlib.sha256(data).digest() for data, _mode, _mtime in original.values()}
    pictures = {
        hashlib.sha256(file[0]).digest() for path, file in original.items() if path.endswith((".jpg", ".png", ".webp"))
    }
    if command == "purge":  # former versions and captions of what was purged are gone for good, as they should be
        wanted = pictures
    lost = len(wanted - _digests(work))
    index = Index(work / "imgindex.db")
    if Path(index.path).exists():
        index.recover()
    halves = _halves(photos) if command in _UPGRADES else 0
    if command == "index":
        index.update(photos, jobs=0)
    if command in {"prune", "recover"}:
        index.update(photos, jobs=0)
        index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"])
        lost += len(pictures - _digests(photos))
    if command == "upgrades":
        index.update(photos, jobs=0)
        index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
        halves += len(index.upgrades(jobs=0))
    marked = _marks_fit(index)
    if command in {"reject", "returned"}:
        index.update(photos, jobs=0)
        index.carry_out(_rejection(index, photos) if command == "reject" else index.plan_returned())
        marked &= _marks_fit(index) and len(index.rejected()) == 2
    while _undone(index):
        pass
    exact = not halves and tree(photos) == original if command != "purge" else _holds_keepers(photos, original)
    exact &= marked and not index.rejected()
    report = index.update(photos, jobs=0)
    found = sum(path.suffix in {".jpg", ".png", ".webp"} for path in photos.rglob("*"))
    equal = (report.files, report.new, report.gone) == (found, 0, 0) and not index.verify_quarantine()[1]
    left = list(work.rglob("*.part"))
    return Fault(command, fault, system_call, at, lost, exact, equal and not left, clear)


def _marks_fit(index: Index) -> bool:
    """True when what lies in the quarantine with nothing that stands for it shows what is rejected, all of it."""
    entries = [one.entry for one in index.quarantined() if one.entry.action is Action.REJECT]
    marks = {one.mark.digest.hex() for one in index.rejected()}
    return {entry.extra["shows"] for entry in entries} == marks


def _undone(index: Index) -> bool:
    """Takes the newest run back; False when there is nothing to take back any more."""
    from indexer.errors import UsageError  # noqa: PLC0415

    try:
        return bool(index.undo().moved)
    except UsageError:
        return False


def _holds_keepers(photos: Path, original: Tree) -> bool:
    """True when all that a purge leaves alone is as it was: all but copies, their captions, and what they changed."""
    left = {path: file for path, file in original.items() if not path.startswith("copy-")}
    found = tree(photos)
    return all(found.get(path) == file or path in {"all.txt", "b/1.txt"} for path, file in left.items())


def _digests(folder: Path) -> set[bytes]:
    return {hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


def main() -> int:
    """Prints each fault that was not survived, and the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every kill point")
    parser.add_argument(
        "--fault", nargs="+", choices=FAULTS, default=["KILL"], help="what happens at the calls; several take turns"
    )
    parser.add_argument("--json", action="store_true", help="one object a fault")
    options = parser.parse_args()
    faults = []
    for fault in survey(every=options.all, faults=options.fault):
        faults.append(fault)
        if options.json or not fault.survived:
            print(json.dumps(asdict(fault)))
    print(score(faults))
    return 0 if faults and all(fault.survived for fault in faults) else 1


if __name__ == "__main__":
    sys.exit(main())
