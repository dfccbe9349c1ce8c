"""Throughput of the first index, as a share of the bare loop and a multiple of the plain one, whole programs.

    python benchmarks/first_index.py [--count 6000] [--rounds 5] [--folder /tmp/imgindex-bench]

Every round runs all programs one after the other, so that the machine's drift meets them alike; figures are medians of
the rounds, and ratios are medians of each round's ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pictures

HERE = Path(__file__).parent


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of a program."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def measure(folder: Path, count: int, rounds: int, jobs: int, peers: list[str]) -> None:
    """Runs all programs on a folder and prints their medians and ratios."""
    database = folder.parent / f"{folder.name}.db"
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    programs = {
        name: [sys.executable, str(HERE / "loops.py"), name, str(folder), str(jobs)] for name in ["bare", *peers]
    }
    index = [sys.executable, "-m", "indexer", "index", str(folder), "--db", str(database), "--jobs", str(jobs), "-q"]
    programs["imgindex"] = index
    times: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(rounds + 1):
        for name, command in programs.items():
            if name == "plain" and turn > 3:
                continue
            for leftover in (database, Path(f"{database}-journal")):
                leftover.unlink(missing_ok=True)
            taken = seconds(command, environment)
            if turn:
                times[name].append(taken)
    print(f"\n{folder.name}: {count} files, {jobs} processes, {rounds} rounds")
    for name, taken in times.items():
        ratios = [theirs / ours for theirs, ours in zip(taken, times["imgindex"], strict=False)]
        print(
            f"  {name:9} {statistics.median(taken):7.2f} s  {count / statistics.median(taken):7.0f} pictures/s"
            f"   time of {name} / time of imgindex: {statistics.median(ratios):.2f}"
        )


def main() -> None:
    """Makes the pictures and measures on them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=12000)
    parser.add_argument("--large", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--peers", nargs="*", default=["plain", "imgdd"])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/imgindex-bench"))
    options = parser.parse_args()
    real = pictures.real_jpegs()
    for name, jpegs, count in (
        ("as-found", lambda: real, options.count),
        ("500px", lambda: pictures.resized(real, 500), options.count),
        ("12mp", pictures.large_jpegs, options.large),
    ):
        folder = options.folder / name
        if count:
            pictures.fill(folder, jpegs(), count)
            measure(folder, count, options.rounds, options.jobs, options.peers)


if __name__ == "__main__":
    main()
