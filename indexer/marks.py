"""Rejected contents as lines of JSON, for another index; a line is believed as far as it has the form of one."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NamedTuple

from indexer.errors import UsageError
from indexer.fields import Fields, bytes_of, fields_in, number_of, object_of, text_of, word_of
from indexer.groups import Mark
from indexer.recipe import THUMBNAIL_SIDE
from indexer.records import Fingerprint, Fingerprinted, Reading, Stamp, Task
from indexer.text import printable
from indexer.vetting import DIGEST_BYTES, vetted_outcome

MOST_WORDS = 300
"""Characters of a reason."""
_MOST_TEXT = 4 * THUMBNAIL_SIDE**2
"""Characters of base64: as many as the pixels of a thumbnail would take."""
_TASK = Task(0, "", 0, claims_picture=True)


class Line(NamedTuple):
    """A rejected content."""

    mark: Mark
    recipe: str | None
    """The key of the recipe that it was fingerprinted by; None when it was not."""
    found: Fingerprinted | None
    """What decoding it gave; None when another recipe than the own did."""


def sound_reason(words: str) -> str:
    """A reason in one line, without blanks around it.

    Raises:
        UsageError: When there is none, it is too long, or something in it cannot be printed.
    """
    reason = words.strip()
    if not reason or len(reason) > MOST_WORDS or printable(reason) != reason:
        raise UsageError(f"a reason is one line of 1 to {MOST_WORDS} printable characters", "--reason 'a watermark'")
    return reason


def is_sound(mark: Mark) -> bool:
    """True for a mark whose values can be those of one."""
    if not (isinstance(mark.digest, bytes) and len(mark.digest) == DIGEST_BYTES and isinstance(mark.reason, str)):
        return False
    try:
        return sound_reason(mark.reason) == mark.reason and 0 <= mark.rejected_ns < 1 << 63
    except (UsageError, TypeError):
        return False


def line_of(line: Line) -> str:
    """A rejected content as a line of JSON: `digest`, `reason`, `rejected`, `recipe`, `size`, `fingerprint`, `thumbnail`.

    The last four are null for a content that was not decoded here.
    """
    told: dict[str, Any] = dict.fromkeys(("recipe", "size", "fingerprint", "thumbnail"))
    if line.found is not None:
        print_ = line.found.fingerprint
        told = {
            "recipe": line.recipe,
            "size": line.found.reading.stamp.size,
            "fingerprint": {
                **{name: getattr(print_, name) for name in ("width", "height", "format", "mode", "detail")},
                "dhash": f"{print_.dhash:016x}",
                **{name: _text(getattr(print_, name)) for name in ("phash", "views", "look")},
            },
            "thumbnail": _text(print_.thumbnail),
        }
    mark = line.mark
    return json.dumps({"digest": mark.digest.hex(), "reason": mark.reason, "rejected": mark.rejected_ns, **told})


def read_line(line: str, own: str) -> Line:
    """The rejected content in a line of JSON.

    Args:
        line: As `line_of` gives it.
        own: The key of the recipe in force; what another one gave is left out.

    Raises:
        ValueError: When it is none.
        KeyError: When a field is missing.
    """
    fields = fields_in(line)
    mark = Mark(bytes_of(fields, "digest"), text_of(fields, "reason"), number_of(fields, "rejected"))
    if not is_sound(mark):
        raise ValueError("no digest, reason and time of a rejected content")
    recipe = None if fields["recipe"] is None else word_of(fields, "recipe")
    return Line(mark, recipe, _fingerprinted(fields, mark.digest) if recipe == own else None)


def _fingerprinted(fields: Fields, digest: bytes) -> Fingerprinted:
    """What decoding a content gave.

    Raises:
        ValueError: When a value is not of its form.
    """
    told = object_of(fields, "fingerprint")
    dhash = bytes_of(told, "dhash")
    if len(dhash) != 8:
        raise ValueError("no dHash")
    print_ = Fingerprint(
        dhash=int.from_bytes(dhash, "big"),
        phash=_bytes(told, "phash"),
        width=told["width"],
        height=told["height"],
        format=told["format"],
        mode=told["mode"],
        detail=told["detail"],
        thumbnail=_bytes(fields, "thumbnail"),
        views=_bytes(told, "views"),
        look=_bytes(told, "look"),
    )
    reading = Reading(Stamp(number_of(fields, "size"), 0, 0, 0), unsettled=False, born_ns=None)
    vetted = vetted_outcome(_TASK, Fingerprinted(0, reading, digest, print_))
    if not isinstance(vetted, Fingerprinted) or reading.stamp.size < 1:
        raise ValueError("no fingerprint of a picture")
    return vetted


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(fields: Fields, name: str) -> bytes:
    """The bytes in a text of base64.

    Raises:
        ValueError: When there are none, or more than a thumbnail has.
    """
    text = text_of(fields, name)
    if len(text) > _MOST_TEXT:
        raise ValueError(f"'{name}' is too long")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"'{name}' is no base64: {error}") from error
