"""Makes folders of real JPEGs to measure on, from the pictures in `../shared/data` (or IMGINDEX_TEST_DATA)."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

DATA = Path(os.environ.get("IMGINDEX_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
PER_FOLDER = 1_000


def real_jpegs() -> list[bytes]:
    """The bytes of every photo among the test pictures, as found."""
    folders = ("photos_clothing", "photos_caltech_pairs", "photos_trashnet_pairs", "copies_imagededup")
    paths = sorted(path for folder in folders for path in (DATA / folder).rglob("*.jpg"))
    return [data for data in map(Path.read_bytes, paths) if data[:2] == b"\xff\xd8"]


def large_jpegs() -> list[bytes]:
    """Photos of 12 megapixels or more: some of the real ones, enlarged, as the test data has none of that size."""
    return resized(real_jpegs()[::30], 4000)


def resized(jpegs: list[bytes], side: int) -> list[bytes]:
    """Photos saved again with their longer side at a number of pixels, quality 90."""
    return [_resized(data, side) for data in jpegs]


def fill(folder: Path, jpegs: list[bytes], count: int) -> None:
    """Writes `count` JPEGs into sub-folders, each made different from all others by a comment in its header."""
    if sum(1 for _ in folder.rglob("*.jpg")) == count:
        return
    for number, data in enumerate(_repeated(jpegs, count)):
        place = folder / f"{number // PER_FOLDER:04}"
        if number % PER_FOLDER == 0:
            place.mkdir(parents=True, exist_ok=True)
        comment = f"copy {number:08}".encode() + b"." * (number // len(jpegs))  # sizes differ, as those of photos do
        (place / f"{number:07}.jpg").write_bytes(
            data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]
        )


def _repeated(jpegs: list[bytes], count: int) -> Iterator[bytes]:
    return (jpegs[number % len(jpegs)] for number in range(count))


def _resized(data: bytes, side: int) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        scale = side / max(picture.size)
        small = picture.convert("RGB").resize([max(1, round(length * scale)) for length in picture.size])
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
