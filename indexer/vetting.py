"""Answers of workers, believed only when they have the form of an answer to what was asked.

A worker may be in the hands of a hostile picture. Its answers are rebuilt from plain values of the right types, sizes and
ranges; whatever else it sends costs the file that it was asked about. No picture is decoded for that, as the thumbnail
would be.
"""

from __future__ import annotations

import math

from indexer.recipe import MAX_JPEG_PIXELS, THUMBNAIL_SIDE
from indexer.records import (
    Fingerprint,
    Fingerprinted,
    NotPicture,
    Outcome,
    Preview,
    Reading,
    Recognised,
    Stamp,
    Task,
    Unreadable,
)
from indexer.text import printable

DIGEST_BYTES, PHASH_BYTES, VIEWS_BYTES, LOOK_BYTES = 32, 32, 192, 16
MOST_WORDS = 300
"""Characters of a reason."""
_FRAMES = frozenset((0xC0, 0xC1, 0xC2))
"""Markers of the JPEG segments that hold width and height. Source: ITU-T T.81, annex B."""


def vetted_outcome(task: Task, outcome: object) -> Outcome | None:
    """What a worker says of a file, None when that is not an outcome of this file."""
    if getattr(outcome, "file_id", None) != task.file_id:
        return None
    try:
        return _outcome(task.file_id, outcome)
    except ValueError:
        return None


def vetted_gain(key: int, answer: object) -> tuple[int, float | None] | None:
    """What a worker says of a pair of pictures, None when that is nothing that looking at this pair can give."""
    if not isinstance(answer, tuple) or len(answer) != 2 or answer[0] != key:
        return None
    gain = answer[1]
    if gain is None:
        return key, None
    return (key, float(gain)) if isinstance(gain, float) and is_measure(gain) else None


def _outcome(file_id: int, given: object) -> Outcome:
    """An outcome made of what is sound in another one.

    Raises:
        ValueError: When something in it is not; so do all functions below.
    """
    if isinstance(given, Fingerprinted):
        digest, found = _sized(given.digest, DIGEST_BYTES), _fingerprint(given.fingerprint)
        return Fingerprinted(file_id, _reading(given.reading), digest, found)
    if isinstance(given, Recognised):
        return Recognised(file_id, _reading(given.reading), _sized(given.digest, DIGEST_BYTES))
    if isinstance(given, NotPicture):
        return NotPicture(file_id, _reading(given.reading))
    if isinstance(given, Unreadable):
        reading = None if given.reading is None else _reading(given.reading)
        digest_ = None if given.digest is None else _sized(given.digest, DIGEST_BYTES)
        return Unreadable(file_id, _reason(given.reason), reading, digest_)
    raise ValueError


def vetted_pixels(answer: object) -> Preview | None:
    """A thumbnail's pixels, None when a worker's answer is no picture of thumbnail size."""
    found = _preview(answer)
    return found if found and len(found.data) == 3 * found.width * found.height else None


def vetted_webp(answer: object) -> Preview | None:
    """A thumbnail as WebP, None when a worker's answer does not begin as one or is longer than its pixels."""
    found = _preview(answer)
    if found is None or found.data[:4] != b"RIFF" or found.data[8:12] != b"WEBP":
        return None
    return found if len(found.data) <= 3 * THUMBNAIL_SIDE**2 else None


def _preview(answer: object) -> Preview | None:
    if not isinstance(answer, tuple) or len(answer) != 3 or type(answer[2]) is not bytes:
        return None
    width, height, data = answer
    if not all(is_whole(side, 1, THUMBNAIL_SIDE) for side in (width, height)):
        return None
    return Preview(width, height, data)


def _reading(given: object) -> Reading:
    if not isinstance(given, Reading) or not isinstance(given.stamp, Stamp) or type(given.unsettled) is not bool:
        raise ValueError
    times = (*given.stamp, 0 if given.born_ns is None else given.born_ns)
    if not all(is_whole(value, -(1 << 63), (1 << 63) - 1) for value in times):
        raise ValueError
    return Reading(Stamp(*given.stamp), given.unsettled, given.born_ns)


def _fingerprint(given: object) -> Fingerprint:
    if (
        not isinstance(given, Fingerprint)
        or not is_whole(given.dhash, 0, (1 << 64) - 1)
        or not is_measure(given.detail)
    ):
        raise ValueError
    if not all(is_whole(side, 1, MAX_JPEG_PIXELS) for side in (given.width, given.height)):
        raise ValueError
    return Fingerprint(
        dhash=given.dhash,
        phash=_sized(given.phash, PHASH_BYTES),
        width=given.width,
        height=given.height,
        format=_name(given.format),
        mode=_name(given.mode),
        detail=given.detail,
        thumbnail=_thumbnail(given.thumbnail),
        views=_sized(given.views, VIEWS_BYTES),
        look=_sized(given.look, LOOK_BYTES),
    )


def is_whole(value: object, least: int, most: int) -> bool:
    """True for an int, and no bool, within both bounds."""
    return type(value) is int and least <= value <= most


def is_measure(value: object) -> bool:
    """True for a finite float that is not negative."""
    return type(value) is float and math.isfinite(value) and value >= 0


def _sized(value: object, length: int) -> bytes:
    """Bytes of a length."""
    if type(value) is not bytes or len(value) != length:
        raise ValueError
    return value


def _name(value: object) -> str:
    """What Pillow calls a format or a mode."""
    if type(value) is not str or not 0 < len(value) <= 16 or not (value.isascii() and value.isprintable()):
        raise ValueError
    return value


def _reason(words: object) -> str:
    """A reason in one printable line."""
    if type(words) is not str:
        raise ValueError
    return printable(words[:MOST_WORDS])[:MOST_WORDS]


def _thumbnail(value: object) -> bytes:
    """Bytes that begin as a JPEG of thumbnail size does and end as one; nothing is decoded."""
    size = jpeg_size(value) if type(value) is bytes else None
    if type(value) is not bytes or size is None or min(size) < 1 or max(size) > THUMBNAIL_SIDE:
        raise ValueError
    return value


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """The width and height that a JPEG's header claims, None when there is none.

    Source: ITU-T T.81, annex B: each segment is FF, a marker, and two bytes of length that count themselves.
    """
    position = 2 if data[:2] == b"\xff\xd8" and data[-2:] == b"\xff\xd9" else len(data)
    while position + 9 <= len(data) and data[position] == 255:
        if data[position + 1] in _FRAMES:
            height, width = data[position + 5 : position + 7], data[position + 7 : position + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None
