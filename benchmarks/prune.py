"""How fast prune and undo are with full durability, and how much memory they take.

    python benchmarks/prune.py [--surplus 10000] [--captions] [--folder /tmp/imgindex-prune]

Draws pictures of which each lies in two folders, indexes them, and times `prune --yes` and `undo` as whole processes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from indexer.drawing import drawn, encoded

PER_FOLDER = 100
STYLES = 40
"""Different drawings; a number behind the end of each file makes all contents differ."""


def make_files(photos: Path, count: int, *, captions: bool) -> None:
    """Writes each content twice, into two folders, and a caption beside each file when wanted."""
    drawings = [encoded(drawn(number)) for number in range(STYLES)]
    for number in range(count):
        data = drawings[number % STYLES] + str(number).encode()
        for side in ("batch-1", "batch-2"):
            folder = photos / side / f"{number // PER_FOLDER:05}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.jpg").write_bytes(data)
            if captions:
                (folder / f"{number}.txt").write_text(f"picture {number}\n")


def timed(*arguments: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of a command."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "indexer", *arguments, "--quiet"])
    _pid, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"imgindex {' '.join(arguments)} failed")
    return time.monotonic() - start, usage.ru_maxrss / 1000


def main() -> None:
    """Prints a line a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surplus", type=int, default=10_000)
    parser.add_argument("--captions", action="store_true", help="a caption beside each picture, which moves with it")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/imgindex-prune"))
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    make_files(options.folder / "photos", options.surplus, captions=options.captions)
    db = ("--db", str(options.folder / "imgindex.db"))
    timed("index", str(options.folder / "photos"), *db)
    for command in (("prune", "--match", "bytes"), ("prune", "--match", "bytes", "--yes"), ("undo",)):
        seconds, memory = timed(*command, *db)
        rate = options.surplus / seconds
        print(f"{' '.join(command):28} {seconds:6.1f} s  {rate:7,.0f} files/s  {memory:4.0f} MB")
    shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
