"""The search for near hashes as `similar` does it, at growing numbers, each measured in a process of its own.

    python benchmarks/search.py [--sizes 100000 1000000] [--threads 2] [--most 64]

The load: 256 bits in eight orientations at radius 23 among all, two joins of 128 bits at radius 11, four searches of 64
bits at radius 3 among all. *planted* hashes are random, and 1 % are copies with bits flipped up to the radius, turned where
the search turns; of *clustered* ones, a tenth of all stands in clusters of 20; the hashes joined are near copies of each
other, one by one. *1,000 new* are so many queries against all planted ones. Seeds are fixed: the pairs are the same each
time. The growth is the exponent e in seconds ~ n^e, from size to size.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from indexer.hamming import oriented, pairs_among, pairs_between, turned_among, turned_between

Words = NDArray[np.uint64]
LOADS = ("planted", "clustered", "1,000 new")
NEW = 1_000


def near_copies(originals: Words, radius: int, rng: np.random.Generator) -> Words:
    """Copies, each with 0 to `radius` bits flipped (a bit may be flipped back)."""
    copies = originals.copy()
    rows = np.arange(len(copies))
    wanted = rng.integers(0, radius + 1, len(copies))
    for step in range(radius):
        bits = rng.integers(0, 64 * copies.shape[1], len(copies))
        flips = np.uint64(1) << (bits % 64).astype(np.uint64)
        copies[rows, bits // 64] ^= np.where(step < wanted, flips, np.uint64(0))
    return copies


def hashes(load: str, count: int, words: int, radius: int, seed: int) -> Words:
    """Random hashes with near ones among them; those of four words are turned."""
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 2**64, (count, words), dtype=np.uint64)
    size, share = (20, 10) if load == "clustered" else (1, 100)
    places = rng.permutation(count)[: count // share]
    originals = made[rng.integers(0, count, -(-len(places) // size))].repeat(size, axis=0)[: len(places)]
    copies = near_copies(originals, radius // 2 if size > 1 else radius, rng)
    for turn in range(8) if words == 4 else ():
        copies[turn::8] = oriented(copies[turn::8], turn)
    made[places] = copies
    return made


def measure(load: str, count: int, threads: int, most: int) -> None:
    """Prints, as JSON, seconds and pairs of each part of the load, and the peak memory of the process in MB."""
    new = slice(0, NEW) if load == "1,000 new" else None
    whole = hashes(load, count, 4, 23, 1)
    parts, wholes = (hashes(load, count, 2, 11, seed) for seed in (2, 2))
    wholes = np.roll(near_copies(wholes, 1, np.random.default_rng(3)), 7, axis=0)
    strips = [hashes(load, count, 1, 3, seed) for seed in range(4, 8)]
    options = {"most": most, "threads": threads}
    searches = {
        "256 bits, turned": [
            turned_between(whole[new], whole, 23, **options) if new else turned_among(whole, 23, **options)
        ],
        "128 bits, joins": [
            pairs_between(parts[new or slice(None)], wholes, 11, **options),
            pairs_between(wholes[new or slice(None)], parts, 11, **options),
        ],
        "64 bits": [
            pairs_between(one[new], one, 3, **options) if new else pairs_among(one, 3, **options) for one in strips
        ],
    }
    found = {}
    for what, blocks in searches.items():
        before = time.perf_counter()
        pairs = sum(len(block.bits) for search in blocks for block in search)
        found[what] = (time.perf_counter() - before, pairs)
    print(json.dumps({"found": found, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def measured(load: str, count: int, threads: int, most: int) -> tuple[dict[str, tuple[float, int]], float]:
    """The same, measured in a fresh process."""
    command = [sys.executable, __file__, "--measure", load, "--sizes", str(count)]
    command += ["--threads", str(threads), "--most", str(most)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer["found"], answer["peak"]


def main() -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most", type=int, default=64)
    parser.add_argument("--measure", choices=LOADS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.sizes[0], options.threads, options.most)
        return
    print(f"{'n':>10}  {'load':10} {'what':17} {'seconds':>8} {'pairs':>11} {'peak MB':>8}")
    for load in LOADS:
        totals = []
        for count in options.sizes:
            found, peak = measured(load, count, options.threads, options.most)
            for what, (seconds, pairs) in found.items():
                print(f"{count:10,}  {load:10} {what:17} {seconds:8.2f} {pairs:11,}")
            totals.append((count, sum(seconds for seconds, _ in found.values())))
            print(f"{count:10,}  {load:10} {'in all':17} {totals[-1][1]:8.2f} {'':11} {peak:8.0f}", flush=True)
        for (few, short), (many, long) in pairwise(totals):
            print(
                f"growth from {few:,} to {many:,}: {long / short:.1f} times, n^{math.log(long / short, many / few):.2f}"
            )


if __name__ == "__main__":
    main()
