"""The loops that imgindex is measured against, each a whole program: `python benchmarks/loops.py NAME FOLDER [JOBS]`.

bare     reads, digests and draft-decodes every file in JOBS processes and does nothing else: the floor
plain    `imagehash.dhash(Image.open(path))`, one process: what people write
imgdd    the fastest native peer that pip installs; hashes only
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import sys
from pathlib import Path


def draft_decode(path: str) -> None:
    """Reads, digests and decodes one file at reduced scale."""
    from PIL import Image

    with open(path, "rb") as stream:
        data = stream.read()
    hashlib.sha256(data).digest()
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
        picture.draft("RGB", (64, 64))
        picture.load()


def bare(paths: list[str], jobs: int) -> None:
    """The floor."""
    from PIL import Image  # noqa: F401 - imported once, before the fork

    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for _ in pool.imap_unordered(draft_decode, paths, chunksize=32):
            pass


def plain(paths: list[str], _jobs: int) -> None:
    """The tutorial's loop."""
    import imagehash
    from PIL import Image

    for path in paths:
        imagehash.dhash(Image.open(path))


def imgdd(paths: list[str], _jobs: int) -> None:
    """The peer's own walk, hash and dictionary."""
    import imgdd as peer

    peer.hash(path=str(Path(paths[0]).parent.parent), algo="dhash")


if __name__ == "__main__":
    found = sorted(map(str, Path(sys.argv[2]).rglob("*.jpg")))
    {"bare": bare, "plain": plain, "imgdd": imgdd}[sys.argv[1]](found, int(sys.argv[3]) if len(sys.argv) > 3 else 2)
