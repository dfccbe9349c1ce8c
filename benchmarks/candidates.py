"""Time and memory of everything that proposes pairs: all searches of the match stage, on made-up hashes.

    python benchmarks/candidates.py [--sizes 100000 1000000]

One in a hundred pictures is a near copy of another (up to 20 bits away in each of its hashes), one in a thousand a mirrored
one; the rest are random. Each measurement is a process of its own; `new` searches 1,000 pictures among the others.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time

import numpy as np

from indexer.candidates import Hashes, candidates
from indexer.hamming import oriented
from indexer.views import SIGN_WORDS, WORDS


def made_up(count: int, new: int | None) -> Hashes:
    """Hashes of a number of pictures, all due or the last `new`."""
    random = np.random.default_rng(count)
    whole = random.integers(0, 1 << 63, (count, 4), dtype=np.uint64) * 2
    views = random.integers(0, 1 << 63, (count, WORDS), dtype=np.uint64) * 2
    copies, sources = np.split(random.permutation(count)[: 2 * (count // 100)], 2)
    for table in (whole, views):
        table[copies] = table[sources]
        places = random.integers(0, 64, (len(copies), table.shape[1]))
        table[copies] ^= np.uint64(1) << places.astype(np.uint64)
    mirrored = copies[::10]
    signs = np.ascontiguousarray(views[mirrored, SIGN_WORDS])
    views[mirrored, SIGN_WORDS] = oriented(signs, 1)
    due = np.ones(count, np.bool_) if new is None else np.arange(count) >= count - new
    return Hashes(np.arange(count, dtype=np.int64), due, whole, views)


def measure(count: int, new: int | None, threads: int) -> None:
    """Searches once and prints seconds, pairs and peak memory as JSON."""
    hashes = made_up(count, new)
    started = time.perf_counter()
    found = candidates(hashes, threads)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": seconds, "pairs": len(found.left), "peak": peak}))


def main() -> None:
    """Measures each size and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.one[0], options.one[1] or None, options.threads)
        return
    print("| pictures | due | seconds | pairs | peak memory |\n|--:|--:|--:|--:|--:|")
    seconds = []
    for count, new in [*((size, 0) for size in options.sizes), (max(options.sizes), 1_000)]:
        call = [sys.executable, __file__, "--one", str(count), str(new), "--threads", str(options.threads)]
        told = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
        seconds.append(told["seconds"])
        print(
            f"| {count:,} | {new or count:,} | {told['seconds']:.1f} | {told['pairs']:,} | {told['peak']:,} MB |",
            flush=True,
        )
    if len(options.sizes) > 1:
        growth = math.log(seconds[1] / seconds[0]) / math.log(options.sizes[1] / options.sizes[0])
        print(f"\ngrowth: n^{growth:.2f}")


if __name__ == "__main__":
    main()
