"""Decodes stored thumbnails to show them: what workers run.

A thumbnail was made from a stranger's file, by a worker that the file may have taken over: the program decodes none itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO

from PIL import Image

from indexer.recipe import THUMBNAIL_SIDE
from indexer.vetting import jpeg_size

WEBP_QUALITY, WEBP_EFFORT = 55, 2
"""At 128 pixels a photo takes 2.2 kB; the next effort takes twice the time to save 4 %."""
Stored = tuple[bytes, bytes]
"""The SHA-256 digest of a content, and its thumbnail as JPEG."""
Answer = tuple[int, int, bytes]
"""Width, height, and the picture."""


def pixels_batch(stored: Sequence[Stored], side: int) -> list[Answer | None]:
    """The pixels of each thumbnail, three bytes each, row by row, at most `side` wide and high; None for a damaged one."""
    return [_answer(jpeg, side, Image.Image.tobytes) for _digest, jpeg in stored]


def webp_batch(stored: Sequence[Stored], side: int) -> list[Answer | None]:
    """Each thumbnail as WebP, at most `side` wide and high; None for a damaged one."""
    return [_answer(jpeg, side, _webp) for _digest, jpeg in stored]


def _answer(jpeg: bytes, side: int, form: Callable[[Image.Image], bytes]) -> Answer | None:
    size = jpeg_size(jpeg)
    if size is None or max(size) > THUMBNAIL_SIDE:  # nothing that imgindex stored: nobody has counted its pixels
        return None
    try:
        with Image.open(BytesIO(jpeg), formats=["JPEG"]) as stored:
            picture = stored.convert("RGB")
    except Exception:  # noqa: BLE001 - decoders raise anything, and there is a page to be shown without it
        return None
    picture.thumbnail((side, side))
    return *picture.size, form(picture)


def _webp(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=WEBP_QUALITY, method=WEBP_EFFORT)
    return buffer.getvalue()
