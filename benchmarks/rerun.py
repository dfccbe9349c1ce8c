"""The cost of a re-run that finds nothing new, beside `find`, and of `dups` on a large index.

    python benchmarks/rerun.py [--files 200000] [--rows 1000000] [--rounds 5] [--folder /tmp/imgindex-rerun]

The files are small and their rows are written straight into the index with the stamps the disk has, since only walking,
comparing and grouping are measured; each round runs `find` and `imgindex index` one after the other. For the largest
number there are rows only, and `dups` alone is measured.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from indexer.database import open_for_writing
from indexer.filesystem import stamp_from
from indexer.recipe import RECIPE

FIND = ("find", "{}", "-type", "f", "-printf", "%p %s %T@ %C@ %i\\n")
PER_FOLDER = 1_000


def make_files(folder: Path, count: int) -> None:
    """Writes small text files with picture names, unless they are there."""
    for number in range(0, count, PER_FOLDER):
        place = folder / f"{number // PER_FOLDER:05}"
        if place.exists():
            continue
        place.mkdir(parents=True)
        for index in range(number, min(number + PER_FOLDER, count)):
            (place / f"picture-{index:07}.jpg").write_bytes(b"%d" % index)


def make_index(folder: Path, database: Path, count: int) -> None:
    """An index that knows `count` files as pictures, one in a hundred with the content of its predecessor."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with open_for_writing(str(database)):
        pass
    db = sqlite3.connect(database)
    with db:
        db.execute("INSERT INTO root VALUES (1, ?)", (str(folder),))
        db.execute("INSERT INTO recipe VALUES (1, ?)", (RECIPE.key,))
        places = range(0, count, PER_FOLDER)
        db.executemany("INSERT INTO folder VALUES (?, 1, ?, NULL)", ((n + 1, f"{n // PER_FOLDER:05}") for n in places))
        db.executemany(
            "INSERT INTO content (id, digest, size, recipe_id, dhash, phash, width, height, format, mode, detail)"
            " VALUES (?, ?, ?, 1, ?, zeroblob(32), ?, 300, 'JPEG', 'RGB', 9)",
            (
                (i + 1, hashlib.sha256(b"%d" % i).digest(), i, hash((i, 1)) % (1 << 62), 100 + i % 900)
                for i in range(count)
            ),
        )
        db.executemany("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 0, 1, ?, NULL)", _rows(folder, count))
    db.close()


def _rows(folder: Path, count: int) -> Iterator[tuple[object, ...]]:
    """The files' rows, with the stamps on disk where they are there."""
    for index in range(count):
        place = index // PER_FOLDER
        name = f"picture-{index:07}.jpg"
        path = folder / f"{place:05}" / name
        stamp = stamp_from(path.stat()) if folder.exists() else (index, index, index, index)
        content = index if index % 100 == 99 else index + 1
        yield (index + 1, place * PER_FOLDER + 1, name, *stamp, content)


def timed(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of a program and what it started."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _pid, _status, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - before, usage.ru_maxrss / 1024


def imgindex(*arguments: str) -> list[str]:
    """The command line of imgindex."""
    return [sys.executable, "-m", "indexer", *arguments]


def measure_rerun(folder: Path, database: Path, rounds: int) -> None:
    """Times `find` and a no-op `index` in turn."""
    finds, runs, memory = [], [], 0.0
    for turn in range(rounds + 1):
        find = timed([part.format(folder) if part == "{}" else part for part in FIND])[0]
        run, peak = timed(imgindex("index", str(folder), "--db", str(database), "-q"))
        if turn:
            finds.append(find)
            runs.append(run)
            memory = max(memory, peak)
    ratio = statistics.median(run / find for run, find in zip(runs, finds, strict=True))
    print(
        f"no-op re-run: find {statistics.median(finds):.2f} s, imgindex {statistics.median(runs):.2f} s,"
        f" ratio {ratio:.2f}, peak memory {memory:.0f} MB"
    )


def measure_dups(database: Path, rounds: int) -> None:
    """Times `dups --match bytes` and `--match hash`."""
    for match in ("bytes", "hash"):
        times = [timed(imgindex("dups", "--match", match, "--db", str(database), "--json")) for _ in range(rounds)]
        print(
            f"dups --match {match}: {statistics.median(t for t, _ in times):.2f} s,"
            f" peak memory {max(m for _, m in times):.0f} MB"
        )


def measure_start(rounds: int) -> None:
    """Times the start of the program beside that of Python."""
    python = [timed([sys.executable, "-c", "pass"])[0] for _ in range(4 * rounds)]
    version = [timed(imgindex("--version"))[0] for _ in range(4 * rounds)]
    difference = statistics.median(version) - statistics.median(python)
    print(f"start: python -c pass {statistics.median(python):.3f} s, imgindex --version {difference:+.3f} s")


def main() -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/imgindex-rerun"))
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    measure_start(options.rounds)
    for count in (10_000, options.files, options.rows):
        folder, database = options.folder / str(count), options.folder / f"{count}.db"
        on_disk = count < options.rows
        if on_disk:
            make_files(folder, count)
        if not database.exists():
            make_index(folder, database, count)
        print(f"\n{count:,} files" if on_disk else f"\n{count:,} rows")
        if on_disk:
            measure_rerun(folder, database, options.rounds)
        measure_dups(database, options.rounds)


if __name__ == "__main__":
    main()
