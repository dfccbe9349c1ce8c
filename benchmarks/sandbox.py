"""What the sandbox costs: `imgindex index` beside the same with workers that skip it, whole programs in turn.

    python benchmarks/sandbox.py [--count 6000] [--rounds 7] [--folder /tmp/imgindex-bench]

Both run the same code; in one of them `sandbox.restrict` does nothing. Figures are medians of the rounds, ratios
the medians of each round's, and the third row is the first program once more: how much of a ratio is the machine's noise.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import statistics
import sys
import time
from pathlib import Path

import pictures

PR_SET_CHILD_SUBREAPER = 36
BARE = "import indexer.sandbox\nindexer.sandbox.restrict = lambda: None\n"
"""Run by every Python of the program, the server of workers included, before anything else."""


def spent(folder: Path, jobs: int, environment: dict[str, str]) -> tuple[float, float]:
    """Wall and processor time of indexing a folder into a new index, workers and their server included."""
    database = folder.parent / f"{folder.name}.db"
    for leftover in (database, Path(f"{database}-journal")):
        leftover.unlink(missing_ok=True)
    command = [sys.executable, "-m", "indexer", "index", str(folder), "--db", str(database), "--jobs", str(jobs), "-q"]
    started = time.perf_counter()
    process = os.posix_spawnp(command[0], command, environment)
    wall, busy = 0.0, 0.0
    with contextlib.suppress(ChildProcessError):  # until all are gone: what the program leaves behind is ours
        while True:
            ended, _status, usage = os.wait4(-1, 0)
            busy += usage.ru_utime + usage.ru_stime
            wall = time.perf_counter() - started if ended == process else wall
    return wall, busy


def measure(folder: Path, count: int, rounds: int, jobs: int) -> None:
    """Runs the programs in turn and prints their medians and ratios."""
    holes = folder.parent / "without-sandbox"
    holes.mkdir(exist_ok=True)
    (holes / "sitecustomize.py").write_text(BARE)
    plain = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    bare = {**plain, "PYTHONPATH": f"{holes}:{plain['PYTHONPATH']}"}
    programs = {"without": bare, "with": plain, "without again": bare}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for turn in range(rounds + 1):
        for name, environment in programs.items():
            taken = spent(folder, jobs, environment)
            if turn:
                times[name].append(taken)
    print(f"{folder.name}: {count} files, {jobs} processes, {rounds} rounds")
    for name, taken in times.items():
        ratios = [
            statistics.median(ours[what] / theirs[what] for ours, theirs in zip(taken, times["without"], strict=True))
            for what in (0, 1)
        ]
        wall, busy = (statistics.median(one[what] for one in taken) for what in (0, 1))
        print(
            f"  {name:14} wall {wall:6.2f} s, ratio {ratios[0]:.3f}   processors {busy:6.2f} s, ratio {ratios[1]:.3f}"
        )


def main() -> None:
    """Makes the pictures and measures on them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/imgindex-bench"))
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    folder = options.folder / "as-found"
    pictures.fill(folder, pictures.real_jpegs(), options.count)
    measure(folder, options.count, options.rounds, options.jobs)


if __name__ == "__main__":
    main()
