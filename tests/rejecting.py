"""What the tests of rejected pictures share: a data set with copies of one picture, and what came of it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from PIL import Image, ImageDraw
from support import aged, make_photos

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.moves import MoveReport

BAD, COPY, AGAIN, BIGGER = "a/0.jpg", "z/copy.jpg", "z/again.webp", "z/bigger.png"
WHY = "has a watermark"


def resaved(number: int, scale: float, encoding: str = "WEBP") -> bytes:
    """A drawing in another size and encoding."""
    picture = drawn(number)
    return encoded(picture.resize((round(picture.width * scale), round(picture.height * scale))), encoding)


def with_bad(place: Path, index: Index) -> Path:
    """Six photos, indexed; `a/0.jpg` lies there twice, the copy with a caption."""
    photos = make_photos(place / "data" / "photos")
    (photos / "z").mkdir()
    shutil.copy2(photos / BAD, photos / COPY)
    aged(photos / COPY, seconds=-500)
    (photos / COPY).with_suffix(".txt").write_text("a mosaic\n")
    index.update(photos, jobs=0)
    return photos


def come_again(photos: Path, index: Index) -> None:
    """The picture comes back: saved again at two thirds of its size, and at one and a half."""
    (photos / AGAIN).write_bytes(resaved(0, 2 / 3))
    (photos / BIGGER).write_bytes(resaved(0, 3 / 2, "PNG"))
    index.update(photos, jobs=0)


def reject(index: Index, *files: Path, reason: str = WHY) -> MoveReport:
    """Rejects files, and moves them."""
    return index.carry_out(index.plan_rejection(*files, reason=reason))


def marks(index: Index) -> list[tuple[object, ...]]:
    """The rows of the table."""
    with sqlite3.connect(index.path) as db:
        found = db.execute("SELECT digest, reason, rejected_ns FROM rejected ORDER BY 1").fetchall()
    db.close()
    return found


def names(moved: MoveReport, photos: Path) -> list[str]:
    """What was moved, relative to a folder."""
    return [str(Path(one.path).relative_to(photos)) for one in moved.moved]


def returned(index: Index) -> dict[str, tuple[str, str, bool]]:
    """The returned files with kind, evidence, and whether they are better."""
    return {one.file.path: (str(one.kind), str(one.evidence), one.better) for one in index.returned()}


def camera_picture(mark: str = "") -> Image.Image:
    """A picture as a camera makes them; with a mark of some letters, so small that a thumbnail does not tell."""
    picture = drawn(18).resize((1600, 1200), Image.Resampling.BICUBIC)
    ImageDraw.Draw(picture).text((780, 600), mark, fill="white", font_size=30)
    return picture


def with_marked(place: Path, index: Index) -> Path:
    """Six photos and a picture with a small mark, which was rejected."""
    photos = make_photos(place / "data" / "photos")
    (photos / "marked.png").write_bytes(encoded(camera_picture("© me"), "PNG"))
    index.update(photos, jobs=0)
    reject(index, photos / "marked.png")
    return photos
