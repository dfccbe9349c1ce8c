"""How long the page and the contact sheets of many groups take, how large they are, and how much memory that takes.

    python benchmarks/gallery.py [--groups 2000] [--folder /tmp/imgindex-gallery]

Cuts different pieces out of real photos, so that thumbnails are as large as those of photos, writes each into two folders,
indexes them, and times `dups --html` and `dups --montage` as whole processes. Both are run after a warm-up, as the index is
then in the page cache.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pictures import real_jpegs
from PIL import Image

PER_FOLDER = 100
PIECE = (384, 288)
"""Their thumbnails are as large as any: 192 by 144."""


def pieces(jpegs: list[bytes]) -> Iterator[Image.Image]:
    """Different pieces of photos, without end."""
    generator = random.Random(1)  # noqa: S311 - the same pieces each time
    while True:
        photo = Image.open(io.BytesIO(generator.choice(jpegs))).convert("RGB")
        photo = photo.resize((max(photo.width, 640), max(photo.height, 480)))
        left, top = (generator.randint(0, have - want) for have, want in zip(photo.size, PIECE, strict=True))
        yield photo.crop((left, top, left + PIECE[0], top + PIECE[1]))


def make_files(folder: Path, groups: int) -> None:
    """Writes each piece twice: as it is, and saved again at lower quality."""
    for number, piece in zip(range(groups), pieces(real_jpegs()), strict=False):
        for side, quality in (("batch-1", 90), ("batch-2", 60)):
            place = folder / side / f"{number // PER_FOLDER:05}"
            place.mkdir(parents=True, exist_ok=True)
            piece.save(place / f"{number}.jpg", quality=quality)


def timed(*arguments: str) -> tuple[float, float]:
    """Seconds of a command, and the peak memory of its main process in MB."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "indexer", *arguments], stderr=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"imgindex {' '.join(arguments)} failed")
    return time.monotonic() - start, usage.ru_maxrss / 1000


def main() -> None:
    """Prints a line a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=2_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/imgindex-gallery"))
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    make_files(options.folder / "photos", options.groups)
    db = ("--db", str(options.folder / "imgindex.db"))
    timed("index", str(options.folder / "photos"), "--quiet", *db)
    kinds = ("--kinds", "bytes,same,edited")
    for target in ("warm-up.html", "page.html", "sheet.png"):
        option = "--montage" if target.endswith(".png") else "--html"
        seconds, memory = timed("dups", *kinds, option, str(options.folder / target), *db)
        written = sorted(options.folder.glob(f"{Path(target).stem}*{Path(target).suffix}"))
        size = sum(path.stat().st_size for path in written) / 1e6
        print(f"{target:12} {seconds:6.1f} s  {size:6.1f} MB in {len(written)} files  {memory:5.0f} MB of memory")


if __name__ == "__main__":
    main()
