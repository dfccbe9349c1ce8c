"""Kills prune and undo at their system calls and checks what is left.

    python tests/faults/kill_points.py           a sample of the kill points of each system call
    python tests/faults/kill_points.py --all     every kill point
    … --json                                     one object a fault

For each system call that writes, and each time it is called, the command is run on a fresh copy of a small data set and
killed there (strace injects SIGKILL at the k-th call). Then, as the next command would: an interrupted prune is recovered
and finished, everything is undone, and the data set is indexed again. After each fault it must hold that

    I1  every content that existed exists, under the root or in the quarantine
    I3  after recovery and undo, paths, bytes, permission bits and modification times are those of the beginning
    I4  the index equals the disk: a new run finds nothing new, changed or gone, and the quarantine is empty
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import Tree, aged, make_photos, tree

from indexer import Index

SYSTEM_CALLS = (
    "write", "pwrite64", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "fsync", "fdatasync",
    "ftruncate", "mkdir", "mkdirat", "openat", "fchmod", "utimensat",
)  # fmt: skip
"""Those that write; `openat` because it creates files."""
SAMPLES = 4
"""Kill points of each system call and command in the short form, spread evenly."""
SKIPPED_OPENS = 0.95
"""This share of the `openat` calls is the interpreter loading its modules: only the last ones are the command's own."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kill, and what held after it."""

    command: str
    system_call: str
    at: int
    contents_lost: int
    undo_exact: bool
    index_equals_disk: bool

    @property
    def survived(self) -> bool:
        """True when everything held."""
        return not self.contents_lost and self.undo_exact and self.index_equals_disk


def survey(*, every: bool) -> Iterator[Fault]:
    """A fault at each kill point of prune and undo, or at a sample of them."""
    with tempfile.TemporaryDirectory() as place:
        for command in ("prune", "undo"):
            base = Path(place) / f"{command}-base"
            original = _prepare(base, command)
            for system_call in SYSTEM_CALLS:
                calls = _count_calls(base, command, system_call)
                for at in _points(calls, system_call, every=every):
                    work = Path(place) / "work"
                    shutil.rmtree(work, ignore_errors=True)
                    shutil.copytree(base, work)
                    if _killed(work, command, system_call, at):
                        yield _judge(work, original, command, system_call, at)


def score(faults: list[Fault]) -> str:
    """The figures in one line."""
    survived = sum(fault.survived for fault in faults)
    exact = sum(fault.undo_exact for fault in faults)
    lost = sum(fault.contents_lost for fault in faults)
    return f"faults survived {survived}/{len(faults)} · contents lost {lost} · undo exact {exact}/{len(faults)}"


def _prepare(base: Path, command: str) -> Tree:
    """A data set of six pictures and five copies, indexed; already pruned when undo is to be killed."""
    photos = make_photos(base / "photos")
    for number in range(5):
        source = photos / "ab"[number % 2] / f"{number}.jpg"
        copy = photos / f"copy-{number % 2}" / f"{number}.jpg"
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(source, copy)
        aged(copy, seconds=-500)
    original = tree(photos)
    index = Index(base / "imgindex.db")
    index.update(photos, jobs=0)
    if command == "undo":
        index.carry_out(index.plan())
    return original


def _arguments(work: Path, command: str) -> list[str]:
    options = ["--yes"] if command == "prune" else []
    return [sys.executable, "-m", "indexer", command, *options, "--quiet", "--db", str(work / "imgindex.db")]


def _count_calls(base: Path, command: str, system_call: str) -> int:
    """How often a command makes a system call."""
    work = base.parent / "counting"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work)
    trace = base.parent / "trace"
    strace = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={system_call}", "--", *_arguments(work, command)]
    subprocess.run(strace, check=True, env=_environment())
    return len([line for line in trace.read_text().splitlines() if f"{system_call}(" in line])


def _points(calls: int, system_call: str, *, every: bool) -> list[int]:
    first = int(calls * SKIPPED_OPENS) if system_call == "openat" else 1
    points = list(range(max(1, first), calls + 1))
    if every or len(points) <= SAMPLES:
        return points
    return sorted({points[round(step * (len(points) - 1) / (SAMPLES - 1))] for step in range(SAMPLES)})


def _killed(work: Path, command: str, system_call: str, at: int) -> bool:
    """Runs a command and kills it at the k-th call; False when it ended before."""
    injection = f"inject={system_call}:signal=KILL:when={at}"
    strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={system_call}", "-e", injection, "--"]
    done = subprocess.run([*strace, *_arguments(work, command)], check=False, env=_environment())
    return done.returncode in {-9, 137}


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def _judge(work: Path, original: Tree, command: str, system_call: str, at: int) -> Fault:
    """What holds after a kill, and after what the user would do next."""
    photos = work / "photos"
    wanted = {hashlib.sha256(data).digest() for data, _mode, _mtime in original.values()}
    lost = len(wanted - _digests(work))
    index = Index(work / "imgindex.db")
    index.recover()
    if command == "prune":
        index.carry_out(index.plan())
        lost += len(wanted - _digests(photos))
    while index.status().quarantined:
        if not index.undo().moved:
            break
    exact = tree(photos) == original
    report = index.update(photos, jobs=0)
    equal = (report.files, report.new, report.changed, report.gone) == (len(original), 0, 0, 0)
    return Fault(command, system_call, at, lost, exact, equal and not _payloads(work))


def _digests(folder: Path) -> set[bytes]:
    return {hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


def _payloads(work: Path) -> list[Path]:
    return [path for path in (work / ".imgindex-quarantine").rglob("*.jpg*") if path.is_file()]


def main() -> int:
    """Prints each fault that was not survived, and the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every kill point")
    parser.add_argument("--json", action="store_true", help="one object a fault")
    options = parser.parse_args()
    faults = []
    for fault in survey(every=options.all):
        faults.append(fault)
        if options.json or not fault.survived:
            print(json.dumps(asdict(fault)))
    print(score(faults))
    return 0 if faults and all(fault.survived for fault in faults) else 1


if __name__ == "__main__":
    sys.exit(main())
