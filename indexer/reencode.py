"""Encodes pictures anew for a page: what workers run, so that no file's own bytes ever reach a browser.

A file is opened below its root without following a link, and must hold the bytes that were indexed.
"""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from indexer.decode import MAX_PIXELS, formats, orientation_of
from indexer.filesystem import chunks, open_regular, opened_folder
from indexer.modes import flattened, levelled, upright
from indexer.places import split
from indexer.recipe import MAX_JPEG_PIXELS
from indexer.records import MAX_FILE_BYTES

MOST_SHOWN = 24_000_000
"""Pixels; a larger picture is shown reduced, as two of them have to fit into a browser."""
QUALITY = 92
CHANGED, UNSHOWN = b"changed", b"unshown"
"""Answers that are no picture: the file is not what was indexed; it cannot be decoded any more."""
_START, _END = b"\xff\xd8\xff", b"\xff\xd9"


class Wanted(NamedTuple):
    """A file to be shown."""

    root: str
    """Absolute path."""
    path: str
    """Relative to the root."""
    digest: bytes
    """SHA-256 of what it must hold."""


def reencode_batch(wanted: Sequence[Wanted], _extra: object = None) -> list[bytes]:
    """A JPEG for each file, in order, or why there is none; never raises for the sake of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_answer(one) for one in wanted]


def vetted_picture(_wanted: Wanted, answer: object) -> bytes | None:
    """What a worker gives for a file, None when it is neither a JPEG nor one of the two other answers."""
    if not isinstance(answer, bytes):
        return None
    is_jpeg = answer.startswith(_START) and answer.endswith(_END)
    return answer if is_jpeg or answer in {CHANGED, UNSHOWN} else None


def _answer(wanted: Wanted) -> bytes:
    try:
        data = _bytes_of(wanted)
    except OSError:
        return CHANGED
    if hashlib.sha256(data).digest() != wanted.digest:
        return CHANGED
    try:
        return reencoded(data)
    except Exception:  # noqa: BLE001 - decoders raise anything
        return UNSHOWN


def _bytes_of(wanted: Wanted) -> bytes:
    """All bytes of a file, reached without following a link below its root.

    Raises:
        OSError: When it is not there, is no regular file, or is larger than any picture.
    """
    parent, name = split(wanted.path)
    with opened_folder(wanted.root, parent) as folder:
        descriptor, status = open_regular(name, folder)
        try:
            if status.st_size > MAX_FILE_BYTES:
                raise OSError("too large")
            return b"".join(chunks(descriptor))
        finally:
            os.close(descriptor)


def reencoded(data: bytes) -> bytes:
    """The picture that a file's bytes hold as a JPEG of at most `MOST_SHOWN` pixels: upright, on white, nothing else in it.

    Raises:
        Exception: Whatever the decoder raises.
    """
    Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS
    with Image.open(BytesIO(data), formats=formats()) as picture:
        pixels = picture.width * picture.height
        if picture.format in {"JPEG", "MPO"}:
            scale = min(1.0, math.sqrt(MOST_SHOWN / pixels))
            picture.draft(
                "RGB" if picture.mode == "RGB" else "L", (round(picture.width * scale), round(picture.height * scale))
            )
        elif pixels > MAX_PIXELS:
            raise Image.DecompressionBombError
        picture.load()
        orientation = orientation_of(picture)
        layers = levelled(picture)
        factor = math.ceil(math.sqrt(layers.width * layers.height / MOST_SHOWN))
        layers = layers.reduce(factor) if factor > 1 else layers
        shown = upright(flattened(layers), orientation).convert("RGB")
    shown.info.clear()
    with BytesIO() as stream:
        shown.save(stream, "JPEG", quality=QUALITY, subsampling=0)
        return stream.getvalue()
