"""The story of the demo: a folder of 1,000 drawn pictures, 7 of them planted duplicates."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.drawing import drawn, encoded, mosaic
from indexer.errors import UsageError
from indexer.filesystem import write_new_file
from indexer.records import Tick, no_progress
from indexer.text import printable

PICTURES = 1_000
BYTE_COPIES = (3, 141, 592, 653)
"""Pictures that come a second time, byte by byte, under another name."""
RESAVED = (5_001, 5_002, 5_003)
"""Seeds of pictures that come a second time: saved again at low quality, as PNG at half size, as WebP at three quarters."""
_ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


def draw_into(folder: str, tick: Tick = no_progress) -> None:
    """Draws the demo's pictures into a folder.

    Args:
        folder: Absolute path; must be missing or empty.
        tick: Told of progress.

    Raises:
        UsageError: When a file is in the way.
    """
    tick("draw", 0, PICTURES)
    for name, data in _files():
        try:
            write_new_file(folder, name, data)
        except FileExistsError as error:
            raise UsageError(f"'{printable(folder)}' already holds {name}", "name a new folder") from error
        tick("draw", 1, PICTURES)


def _files() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each picture: 993 different ones, then the 7 duplicates."""
    copies = {}
    for number in range(PICTURES - len(BYTE_COPIES) - 2 * len(RESAVED)):
        style = ("JPEG", "JPEG", "JPEG", "PNG", "WEBP")[number % 7 % 5]
        data = encoded(drawn(number), style)
        name = f"scrape-{1 + number % 3}/picture-{number:04}.{_ENDINGS[style]}"
        if number in BYTE_COPIES:
            copies[f"scrape-3/found-again-{number:04}.{_ENDINGS[style]}"] = data
        yield name, data
    for seed in RESAVED:
        yield f"scrape-1/photo-{seed}.jpg", encoded(mosaic(seed))
    yield from copies.items()
    yield from _resaved()


def _resaved() -> Iterator[tuple[str, bytes]]:
    low, half, smaller = (mosaic(seed) for seed in RESAVED)
    yield "scrape-2/low-quality.jpg", encoded(low, "JPEG", quality=40)
    yield "scrape-2/half-size.png", encoded(half.resize((half.width // 2, half.height // 2)), "PNG")
    yield "scrape-3/smaller.webp", encoded(smaller.resize((smaller.width * 3 // 4, smaller.height * 3 // 4)), "WEBP")
