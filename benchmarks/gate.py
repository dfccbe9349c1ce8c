"""How many pictures a second a gate checks against a large index, and how many one after the other; how long it gets ready.

    python benchmarks/gate.py [--contents 1000000] [--folder /tmp/imgindex-gate]

The index holds every other of the real photos, and made-up hashes that lie as random ones do. Shown are pieces of photos,
which are new; the photos it holds; and all photos at 330 pixels, half of which are known as the same. Many of the others
were collected because they look alike: two more looks at the files tell them apart. `admit` puts what is new into the
index, so that this has to be made anew (remove the folder) before the next measurement. Processor time is that of this
process, without its workers.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import shutil
import sqlite3
import time
from collections import Counter
from pathlib import Path

from pictures import real_jpegs, resized
from PIL import Image

from indexer import Index

ROWS = 50_000
ADD = """
    INSERT INTO content (digest, size, recipe_id, dhash, phash, width, height, format, mode, detail, views, look, matched)
    SELECT ?, 1, recipe_id, 0, ?, 640, 480, 'JPEG', 'RGB', 9.0, ?, ?, matched FROM content
    WHERE matched IS NOT NULL LIMIT 1
"""


def make_index(folder: Path, known: list[bytes], count: int) -> Index:
    """An index of some photos and made-up contents, made once."""
    index = Index(folder / f"{count}.db")
    if os.path.exists(index.path):
        return index
    photos = folder / "photos"
    shutil.rmtree(photos, ignore_errors=True)
    photos.mkdir(parents=True)
    for number, data in enumerate(known):
        (photos / f"{number}.jpg").write_bytes(data)
    index.update(photos)
    with sqlite3.connect(index.path) as db:
        for start in range(0, count, ROWS):
            some = range(start, min(start + ROWS, count))
            db.executemany(ADD, [(os.urandom(32), os.urandom(32), os.urandom(192), os.urandom(16)) for _ in some])
    db.close()
    return index


def pieces(jpegs: list[bytes]) -> list[bytes]:
    """The lower right two thirds of each photo."""
    found = []
    for data in jpegs:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            piece = picture.convert("RGB").crop((width // 3, height // 3, width, height))
        buffer = io.BytesIO()
        piece.save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return found


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contents", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/imgindex-gate"))
    options = parser.parse_args()
    photos = list(dict.fromkeys(real_jpegs()))
    index = make_index(options.folder, photos[::2], options.contents)
    shown = resized(photos, 330)
    with index.gate() as gate:
        started = time.perf_counter()
        for data in shown[:64]:
            gate.check(data)
        print(f"ready, and 64 pictures checked one by one: {time.perf_counter() - started:.1f} s")
        new, known = pieces(photos), photos[::2] * 2
        for what, answers in (
            ("check_all, new", lambda: list(gate.check_all(new))),
            ("check_all, same bytes", lambda: list(gate.check_all(known))),
            ("check_all, half saved again", lambda: list(gate.check_all(shown))),
            ("check, one by one, new", lambda: [gate.check(data) for data in new]),
            ("admit, one by one", lambda: [gate.admit(data) for data in shown]),
            ("admit_all, all known", lambda: list(gate.admit_all(shown))),
        ):
            started, worked = time.perf_counter(), time.process_time()
            found = answers()
            seconds, worked = time.perf_counter() - started, time.process_time() - worked
            kinds = Counter(str(answer.kind) if answer.kind else "new" for answer in found)
            print(
                f"{what:28} {len(found) / seconds:6.0f} a second, {worked / len(found) * 1e3:.1f} ms   {dict(kinds)}",
                flush=True,
            )
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
