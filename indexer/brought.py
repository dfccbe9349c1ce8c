"""The immutable records of what scrapes brought: arrivals, their outcomes, and counts of them.

An arrival is a file that held something, when an `index` run read it, that it had not held before. Paths, times and sizes
are as in `records.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from indexer.groups import Comeback

LAST = "last"
"""Means the newest finished run."""


class Brought(StrEnum):
    """What a file brought that is new, or whose content is; docs/scrapes.md says which counts when several are true."""

    NEW = "new"
    """A picture that the index did not know."""
    BETTER = "better"
    """The same picture as files show, with more pixels than any of these."""
    BYTES = "bytes"
    """The same bytes as another file."""
    SAME = "same"
    """The same picture as another file shows."""
    RECOLOURED = "recoloured"
    """A picture of the shapes that another file shows in other colours."""
    FLIPPED = "flipped"
    """A mirror image of another file."""
    ROTATED = "rotated"
    """Another file's picture, turned."""
    EDITED = "edited"
    """Another file's picture, part of which differs."""
    SEEN = "seen"
    """A picture that the index knew and has no file of any more."""
    RETURNED = "returned"
    """A picture that was rejected."""
    UNREADABLE = "unreadable"
    """Nothing that can be read or decoded."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """An `index` run as a scrape: what it is called, and how much of what it brought."""

    run_id: int
    label: str | None
    started_ns: int
    finished_ns: int | None
    """None when it was interrupted."""
    files: Mapping[Brought, int]
    """The number of files with each outcome."""
    bytes: Mapping[Brought, int]
    """Their sizes."""
    remembered: bool
    """False for a run of an older imgindex, which did not remember what it brought."""

    @property
    def count(self) -> int:
        """The files that it brought."""
        return sum(self.files.values())


@dataclass(frozen=True, slots=True)
class Tally:
    """How many files with each outcome there are, in all or below a folder."""

    path: str
    """Absolute; empty for all."""
    files: Mapping[Brought, int]
    """The number with each outcome."""
    bytes: Mapping[Brought, int]
    """Their sizes."""

    @property
    def count(self) -> int:
        """The files."""
        return sum(self.files.values())

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(self.bytes.values())


@dataclass(frozen=True, slots=True)
class ScrapeReport:
    """What some scrapes brought together."""

    scrapes: tuple[Scrape, ...]
    """Oldest first."""
    totals: Tally
    sources: tuple[Tally, ...]
    """By the first folder below the root (the root itself for files right in it), the one with the most files first."""
    folders: tuple[Tally, ...]
    """By the folder that the file lies in, likewise."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that a run brought."""

    run_id: int
    path: str
    """Absolute; where it was when it came."""
    size: int
    outcome: Brought
    known_as: str | None
    """Absolute, of a file that shows what it is known as; None when it is new, or no such file is left."""
    digest: bytes | None
    """SHA-256 of what it held, None when it could not be read."""


@dataclass(frozen=True, slots=True)
class Due:
    """An arrival whose outcome is not known yet."""

    arrival_id: int
    path: str
    """As it is stored."""
    content_id: int | None
    """None when it could not be read, or holds nothing that can be decoded."""


@dataclass(frozen=True, slots=True)
class Known:
    """A content that an arrival holds, or may be known as."""

    content_id: int
    digest: bytes
    look: bytes
    pixels: int
    before: bool
    """The index knew it before the arrivals that are judged came."""
    kept: bool
    """A file that is none of these arrivals shows it."""
    rejected: bool


@dataclass(frozen=True, slots=True)
class Assessed:
    """What an arrival turned out to be."""

    arrival_id: int
    outcome: Brought
    known_id: int | None = None
    """The content that it is known as."""
    comeback: Comeback | None = None
    """For what was rejected."""
