"""How long it takes to judge what a scrape brought, beside how much the index holds.

    python benchmarks/scrapes.py [--arrivals 1000] [--contents 10000 100000 1000000]

The index is made up: each content has a file, every fifth one a match, and 1,000 pairs were judged by a person. Each
arrival is a new content with ten matches; every fourth one is a byte copy of a file instead. What is measured is judging
alone, without reading and matching; `report` is what `imgindex report` asks for then.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import tempfile
import time
from pathlib import Path

from indexer import Index
from indexer.assess import judge_arrivals
from indexer.database import open_for_writing
from indexer.drawing import drawn, encoded

CONTENT = """
    INSERT INTO content
        (id, digest, size, recipe_id, dhash, phash, width, height, format, mode, detail, views, look, matched)
    VALUES (?, ?, 1, 1, 0, x'00', ?, 480, 'JPEG', 'RGB', 9.0, x'00', ?, 2)
"""
FILE = """
    INSERT INTO file (folder_id, name, size, mtime_ns, ctime_ns, inode, unsettled, state, content_id)
    VALUES (1, ?, 1, 1, 1, 1, 0, 1, ?)
"""
MATCH = "INSERT OR IGNORE INTO match VALUES (?, ?, ?, 5, 0, 1.0, 1.0, 1.0, 'files')"
ARRIVAL = "INSERT INTO arrival (run_id, path, size, file_id, content_id, known_id) VALUES (1, ?, 1, ?, ?, ?)"
DECISION = """
    INSERT OR IGNORE INTO decision SELECT min(a.digest, b.digest), max(a.digest, b.digest), 'different', 1
    FROM content a, content b WHERE a.id = ? AND b.id = ?
"""


def make_index(folder: Path, contents: int, arrivals: int) -> Index:
    """An index of made-up contents, of which the last came with arrivals that are not judged yet."""
    (folder / "photos").mkdir(parents=True)
    (folder / "photos" / "one.jpg").write_bytes(encoded(drawn(0)))
    index = Index(folder / "imgindex.db")
    index.update(folder / "photos", jobs=0)
    chance = random.Random(1)  # noqa: S311 - no secret
    last, new = contents + 1, arrivals - arrivals // 4
    with sqlite3.connect(index.path) as db:
        ids = range(2, last + new)
        db.executemany(CONTENT, ((one, os.urandom(32), chance.randint(100, 900), os.urandom(16)) for one in ids))
        db.executemany(FILE, ((f"{one}.jpg", one) for one in ids))
        known = range(2, last)
        db.executemany(MATCH, ((one, min(one + chance.randint(1, 9), last - 1), "same") for one in known[::5]))
        db.executemany(DECISION, (sorted(chance.sample(known, 2)) for _ in range(1_000)))
        kinds = ("same", "flipped", "edited")
        db.executemany(
            MATCH,
            ((chance.choice(known), one, chance.choice(kinds)) for one in range(last, last + new) for _ in range(10)),
        )
        copies = [chance.choice(known) for _ in range(arrivals - new)]
        files = db.execute("SELECT content_id, id FROM file").fetchall()
        at = dict(files)
        db.executemany(ARRIVAL, ((f"photos/{one}.jpg", at[one], one, None) for one in range(last, last + new)))
        for number, one in enumerate(copies):
            row = db.execute(FILE, (f"copy-{number}.jpg", one))
            db.execute(ARRIVAL, (f"photos/copy-{number}.jpg", row.lastrowid, one, one))
    db.close()
    return index


def main() -> None:
    """Measures and prints a line a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrivals", type=int, default=1_000)
    parser.add_argument("--contents", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    for count in options.contents:
        with tempfile.TemporaryDirectory() as folder:
            index = make_index(Path(folder), count, options.arrivals)
            with open_for_writing(index.path) as database:
                times = []
                for _ in range(3):
                    started = time.perf_counter()
                    with database.writing() as tx:
                        judge_arrivals(tx, 1)
                        times.append(time.perf_counter() - started)
                        if len(times) < 3:
                            tx.rollback()
            started = time.perf_counter()
            report = index.report()
            seconds = time.perf_counter() - started
        outcomes = {str(outcome): number for outcome, number in report.totals.files.items() if number}
        print(f"{count:>9,} contents: judged in {min(times):.3f} s, report in {seconds:.3f} s  {outcomes}", flush=True)


if __name__ == "__main__":
    main()
