"""What the tests of better versions share: data sets in which larger versions of pictures came later."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from support import aged, settle

from indexer import Index
from indexer.drawing import drawn, encoded

OLD, BETTER = "train/cat/1.jpg", "scrape/x.jpg"


def shrunk(number: int, share: float = 0.5) -> Image.Image:
    """A drawn picture with a share of the pixels a side."""
    picture = drawn(number)
    return picture.resize((round(picture.width * share), round(picture.height * share)), Image.Resampling.LANCZOS)


def put(path: Path, picture: Image.Image, form: str = "JPEG", caption: str | None = None) -> Path:
    """Writes a picture that was there for a while, with its caption."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture, form))
    if caption is not None:
        path.with_suffix(".txt").write_text(caption)
    return aged(path)


def came(index: Index, photos: Path) -> None:
    """Indexes what came, and lets some time go by."""
    index.update(photos, jobs=0)
    settle(index)


def with_better(
    place: Path, index: Index, *, form: str = "JPEG", numbers: Iterable[int] = (0,), caption: str | None = None
) -> Path:
    """Small pictures in `train/cat`, indexed, and then larger ones in `scrape`, indexed too."""
    photos = place / "data" / "photos"
    ending = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}[form]
    for count, number in enumerate(numbers, 1):
        put(photos / f"train/cat/{count}.jpg", shrunk(number), caption=caption)
    came(index, photos)
    for count, number in enumerate(numbers):
        put(photos / f"scrape/{chr(ord('x') + count)}.{ending}", drawn(number), form)
    came(index, photos)
    return photos
