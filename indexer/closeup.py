"""Looks at pairs of pictures: what workers run to verify matches.

The stored thumbnails are compared first. A pair that passes for the same picture is looked at once more from the two
files, at a few hundred pixels, while they still hold the bytes that were fingerprinted.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from indexer.compare import GRID_PIXELS
from indexer.decode import MAX_PIXELS, formats, orientation_of, read_stable
from indexer.groups import WHOLE_PICTURES, Evidence, Kind
from indexer.hints import BACK, swapped
from indexer.modes import TRANSPARENT, TURNED, flattened, levelled, upright
from indexer.recipe import MAX_JPEG_PIXELS
from indexer.thresholds import CLOSE, THUMBNAIL
from indexer.verify import Likeness, Shown, verified
from indexer.vetting import is_measure, is_whole

LOSSLESS = frozenset(("PNG", "BMP", "DIB", "GIF"))
"""Formats that give back the pixels they were given; others may or may not."""
MOST_CLOSEUPS = 64
"""Kept for the length of a batch, in which a picture may stand in many pairs."""


class Proposal(NamedTuple):
    """Two contents whose hashes say that they may match."""

    a_id: int
    b_id: int
    hints: int
    """As `verify.verified` takes them."""
    thumbnails: tuple[bytes, bytes]
    """JPEG."""
    files: tuple[tuple[str, bytes] | None, tuple[str, bytes] | None]
    """Absolute path and SHA-256 digest of a file of each, where there is one."""


class Judged(NamedTuple):
    """What looking at a pair gave."""

    a_id: int
    b_id: int
    likeness: Likeness | None
    """None when they do not match."""
    evidence: Evidence


_EVIDENCE = (Evidence.FILES, Evidence.THUMBNAIL)
_KINDS = (Kind.SAME, Kind.RECOLOURED, Kind.FLIPPED, Kind.ROTATED, Kind.EDITED)


def judge_batch(proposals: Sequence[Proposal], _extra: object = None) -> list[Judged]:
    """What looking at each pair gives, in order; never raises for the sake of a file."""
    seen: dict[str, Shown | None] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_judged(proposal, seen) for proposal in proposals]


def _judged(proposal: Proposal, seen: dict[str, Shown | None]) -> Judged:
    """What looking at a pair gives, whichever of the two is the left one.

    Laying the left picture on the right is not quite the same as the other way round. Which way it is done depends on the
    pictures alone, not on which was indexed first.
    """
    (first, second), (file, other) = proposal.thumbnails, proposal.files
    if first <= second:
        return _laid(proposal, seen)
    found = _laid(
        proposal._replace(hints=swapped(proposal.hints), thumbnails=(second, first), files=(other, file)), seen
    )
    return found._replace(likeness=found.likeness and replace(found.likeness, turn=BACK[found.likeness.turn]))


def _laid(proposal: Proposal, seen: dict[str, Shown | None]) -> Judged:
    """What comes of laying the left picture on the right one."""
    left, right = (_thumbnail(jpeg) for jpeg in proposal.thumbnails)
    found = verified(left, right, proposal.hints, THUMBNAIL)
    if found is None or found.kind not in WHOLE_PICTURES:
        return Judged(proposal.a_id, proposal.b_id, found, Evidence.THUMBNAIL)
    shown = [file and _seen(file, seen) for file in proposal.files]
    if shown[0] is None or shown[1] is None:
        return Judged(proposal.a_id, proposal.b_id, found, Evidence.THUMBNAIL)
    closer = verified(shown[0], shown[1], 1 << found.turn, CLOSE)
    return Judged(proposal.a_id, proposal.b_id, closer, Evidence.FILES)


def _thumbnail(jpeg: bytes) -> Shown:
    with Image.open(BytesIO(jpeg), formats=["JPEG"]) as picture:
        return Shown(picture.convert("RGB"))


def _seen(file: tuple[str, bytes], seen: dict[str, Shown | None]) -> Shown | None:
    """A file's close-up, from memory when it was looked at before."""
    path, digest = file
    if path not in seen:
        if len(seen) >= MOST_CLOSEUPS:
            del seen[next(iter(seen))]
        seen[path] = closeup(path, digest)
    return seen[path]


def vetted_judged(proposal: Proposal, judged: object) -> Judged | None:
    """What a worker says of a pair, None when that is not what looking at this pair can give."""
    if not isinstance(judged, Judged) or (judged.a_id, judged.b_id) != (proposal.a_id, proposal.b_id):
        return None
    if judged.evidence not in _EVIDENCE:
        return None
    found = judged.likeness and _vetted_likeness(judged.likeness)
    if found is None and judged.likeness is not None:
        return None
    return Judged(proposal.a_id, proposal.b_id, found, Evidence(judged.evidence))


def _vetted_likeness(likeness: object) -> Likeness | None:
    """The same likeness, rebuilt of plain values, None when there is one that cannot be."""
    kind, turn, *measures = (getattr(likeness, name, None) for name in Likeness.__slots__)
    if kind not in _KINDS or not isinstance(turn, int) or not is_whole(turn, 0, 7):
        return None
    numbers = [measure for measure in measures if isinstance(measure, float) and is_measure(measure)]
    return Likeness(Kind(str(kind)), turn, *numbers) if len(numbers) == 3 else None


def closeup(path: str, digest: bytes) -> Shown | None:
    """A file's picture at a few hundred pixels; None when it cannot be read, or no longer holds the bytes of a digest."""
    try:
        data, _reading = read_stable(path)
    except Exception:  # noqa: BLE001 - whatever keeps a file from being read, there is no second look at it
        return None
    if hashlib.sha256(data).digest() != digest:
        return None
    try:
        return shown(data)
    except Exception:  # noqa: BLE001 - decoders raise anything
        return None


def shown(data: bytes) -> Shown:
    """The picture that a file's bytes hold, upright, at a few hundred pixels.

    Raises:
        Exception: Whatever the decoder raises.
    """
    Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS
    with Image.open(BytesIO(data), formats=formats()) as picture:
        is_jpeg = picture.format in {"JPEG", "MPO"}
        if not is_jpeg and picture.width * picture.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        frames = not is_jpeg and bool(getattr(picture, "is_animated", False))
        if is_jpeg:
            scale = min(1.0, math.sqrt(GRID_PIXELS / (picture.width * picture.height)))
            wanted = [max(1, round(side * scale)) for side in picture.size]
            picture.draft("RGB" if picture.mode == "RGB" else "L", (wanted[0], wanted[1]))
        picture.load()
        orientation = orientation_of(picture)
        layers = levelled(picture)
        factor = int(math.sqrt(layers.width * layers.height / GRID_PIXELS))
        layers = layers.reduce(factor) if factor > 1 else layers
        opacity = layers.convert("RGBA").getchannel("A") if layers.mode in TRANSPARENT else None
        if opacity is not None and opacity.getextrema() == (255, 255):
            opacity = None
        pixels = upright(flattened(layers), orientation).convert("RGB")
        exact = None
        if picture.format in LOSSLESS:
            exact = picture.size if orientation not in TURNED else picture.size[::-1]
        return Shown(pixels, opacity and upright(opacity, orientation), frames, exact)
