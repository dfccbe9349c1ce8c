"""The immutable records of what shows the same picture: kinds, matches, judgements, members and groups.

Paths, times and sizes are as in `records.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from indexer.records import Stamp


class Kind(StrEnum):
    """How a surplus file relates to its keeper."""

    BYTES = "bytes"
    """The same bytes."""
    SAME = "same"
    """The same picture in another encoding, size, quality or tone."""
    RECOLOURED = "recoloured"
    """The same shapes in other colours."""
    FLIPPED = "flipped"
    """A mirror image."""
    ROTATED = "rotated"
    """Turned by 90, 180 or 270 degrees."""
    EDITED = "edited"
    """Part of the picture differs: a crop, a border, text, a mark."""
    HASH = "hash"
    """Equal dHash, not verified: the tutorial's rule."""


VERIFIED = (Kind.BYTES, Kind.SAME, Kind.RECOLOURED, Kind.FLIPPED, Kind.ROTATED, Kind.EDITED)
"""The kinds that matching gives."""


WHOLE_PICTURES = (Kind.SAME, Kind.FLIPPED, Kind.ROTATED)
"""The kinds of whole pictures, which are looked at once more in the files."""


PRUNED = (Kind.BYTES, Kind.SAME)
"""The kinds that `dups` and `prune` take by themselves."""


class Evidence(StrEnum):
    """What a match was verified on."""

    PIXELS = "pixels"
    """Equal pixels."""
    FILES = "files"
    """Both files, at a few hundred pixels."""
    THUMBNAIL = "thumbnail"
    """The stored thumbnails alone, as a file could not be read: not pruned by default."""
    PERSON = "person"
    """Somebody decided so."""


class Verdict(StrEnum):
    """What a person decided on two contents."""

    SAME = "same"
    DIFFERENT = "different"


class MatchRule(StrEnum):
    """Which files are put into one group."""

    VERIFIED = "verified"
    """Verified matches of chosen kinds."""
    BYTES = "bytes"
    """Equal SHA-256 digest."""
    HASH = "hash"
    """Equal 64-bit dHash; finds look-alikes too."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a group."""

    file_id: int
    content_id: int
    root_id: int
    root: str
    """Absolute path of the root."""
    path: str
    """Relative to the root."""
    stamp: Stamp
    digest: bytes
    width: int
    height: int
    format: str
    look: bytes = b""
    """Equal for contents of equal pixels."""

    @property
    def full_path(self) -> str:
        """The absolute path."""
        return f"{self.root.rstrip('/')}/{self.path}"

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Match:
    """Two contents that show the same picture."""

    a_id: int
    b_id: int
    """The larger of the two ids."""
    kind: Kind
    bits: int
    """Hamming distance of their 256-bit hashes, of 64 bits for `HASH`."""
    turn: int = 0
    """The orientation of the first picture that lies on the second, as `verify.oriented` numbers them."""
    structure: float = 0.0
    """Largest difference of a patch in lightness, in levels."""
    colour: float = 0.0
    """Largest difference of a patch in chroma, in levels of YCbCr."""
    agreement: float = 1.0
    """Share of the detail whose shapes agree."""
    evidence: Evidence = Evidence.PIXELS


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's judgement on two contents, which outranks the machine's."""

    a_digest: bytes
    b_digest: bytes
    """The larger of the two SHA-256 digests."""
    verdict: Verdict
    decided_ns: int


@dataclass(frozen=True, slots=True)
class Similar:
    """An indexed file that looks like a picture."""

    path: str
    """Absolute."""
    kind: Kind | None
    """None when nothing but the hashes speaks for it."""
    bits: int
    """Hamming distance of the 256-bit hashes, in the orientation in which it is least."""


class Near(NamedTuple):
    """A content whose hashes are near a picture's."""

    content_id: int
    bits: int
    """The distance of the whole pictures, the least over the orientations."""
    hints: int
    """How they may lie on each other, the picture on the left; see `hints.py`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the index says of a picture that it was shown before it is stored."""

    name: str
    """The path as it was given; empty for bytes."""
    digest: bytes | None = None
    """SHA-256, None when it could not be read."""
    kind: Kind | None = None
    """How it is known; None when it is new, or unreadable."""
    bits: int = 0
    """Hamming distance of the 256-bit hashes to what is known, in the orientation in which it is least."""
    path: str | None = None
    """Absolute, of a file that shows what is known; None when the index knows the picture, but no file of it any more."""
    evidence: Evidence | None = None
    reason: str = ""
    """Why it is unreadable."""
    rejected: str | None = None
    """Why the picture was rejected; None when it was not."""
    better: bool = False
    """It has more pixels than what was rejected: whether it is to be stored is the user's to decide."""

    @property
    def is_new(self) -> bool:
        """True for a picture that the index does not know."""
        return self.kind is None and not self.reason


@dataclass(frozen=True, slots=True)
class Mark:
    """That a content should not be in the data set."""

    digest: bytes
    reason: str
    """In one line, as its user wrote it."""
    rejected_ns: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected content, as the index knows it."""

    mark: Mark
    path: str | None
    """Absolute, of a file that was rejected; None when the index knows of none, as of what another index rejected."""
    width: int | None
    """Pixels; None when only its bytes are known here."""
    height: int | None
    is_held: bool
    """A file of it lies in the quarantine."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What an import of rejected contents added."""

    new: int
    """Contents that were not rejected here."""
    known: int
    """Contents that were."""
    bytes_only: int
    """Those of them that came without a fingerprint of this version: only the same bytes are recognised."""


class Comeback(IntEnum):
    """How a rejected picture came back; of what shows several, the least counts."""

    SURE = 0
    """No larger than it was, and more than a thumbnail says so: such a file goes by itself."""
    UNSURE = 1
    """By thumbnails alone."""
    LARGER = 2
    """With more pixels than were rejected: perhaps the picture without the watermark."""


@dataclass(frozen=True, slots=True)
class Returned:
    """An indexed file that shows what was rejected."""

    file: Member
    mark: Mark
    """Of what it shows."""
    kind: Kind
    """`BYTES` or `SAME`."""
    bits: int
    """Hamming distance to what was rejected."""
    evidence: Evidence
    comeback: Comeback

    @property
    def better(self) -> bool:
        """It has more pixels than what was rejected."""
        return self.comeback is Comeback.LARGER

    @property
    def reason(self) -> str:
        """Why the picture was rejected."""
        return self.mark.reason


@dataclass(frozen=True, slots=True)
class Linked:
    """A match by looks instead of contents, or a person's word in its place."""

    looks: tuple[bytes, bytes]
    kind: Kind
    bits: int
    structure: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Judged:
    """A person's judgement on two contents that the index knows."""

    contents: tuple[int, int]
    looks: tuple[bytes, bytes]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Surplus:
    """A member that its keeper stands for."""

    member: Member
    kind: Kind
    bits: int
    """Hamming distance to the keeper in the hash that matched them, 0 for equal bytes."""
    evidence: Evidence = Evidence.PIXELS


@dataclass(frozen=True, slots=True)
class Group:
    """The files of one picture: the one that stays, and the others."""

    keeper: Member
    surplus: tuple[Surplus, ...]
    links: tuple[Member, ...]
    """Further names of the keeper's own file (hard links): nothing to free, nothing to move."""
    reason: str
    """Which keep rule chose the keeper."""

    @property
    def bytes(self) -> int:
        """Bytes that moving the surplus away frees; two names of one file count once."""
        return bytes_of(surplus.member for surplus in self.surplus)


def bytes_of(files: Iterable[Member]) -> int:
    """The bytes that files take; two names of one file count once."""
    return sum({(one.root_id, one.stamp.inode or -one.file_id): one.stamp.size for one in files}.values())
