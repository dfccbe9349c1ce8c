"""The immutable records of what is done: journalled moves, and reports.

Paths, times and sizes are as in `records.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from indexer.plans import Action, Move, Refused, Rewrite
from indexer.records import Stamp


class MoveState(StrEnum):
    """Where a journalled move stands."""

    PLANNED = "planned"
    """The intent is on disk; the file may be at either place."""
    MOVED = "moved"
    """The file lies in the quarantine."""
    RETURNING = "returning"
    """The intent to put it back is on disk; the file may be at either place."""
    RESTORED = "restored"
    """The file is back where it was."""
    ABORTED = "aborted"
    """The file never left its place."""
    PURGING = "purging"
    """The intent to delete it for good is on disk."""
    PURGED = "purged"
    """The file was deleted for good by `purge`."""
    MISSING = "missing"
    """The file is at neither place: somebody else took it."""


PENDING = (MoveState.PLANNED, MoveState.RETURNING, MoveState.PURGING)
"""States that a run leaves behind only when it is interrupted."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A journalled move: all that `undo` and `recover` need to know of it."""

    entry_id: int
    run_id: int
    state: MoveState
    kind: str
    root_id: int
    root: str
    """Absolute path of the root, or of the folder that `path` is relative to."""
    path: str
    """Where the file was."""
    quarantine: str
    """Absolute path of the folder that holds the payload; of a `RENAME`, what the file's new path is relative to."""
    payload: str
    """The file's name in the quarantine; of a `RENAME`, its new path."""
    stamp: Stamp
    mode: int
    """Permission bits of the file."""
    folder_mode: int
    """Permission bits of the folder it was in."""
    digest: bytes
    keeper: str
    """Absolute path of the file that stood for it when it was moved."""
    keeper_digest: bytes
    """Empty when nothing stood for it."""
    action: Action = Action.QUARANTINE
    owner_id: int | None = None
    """The entry of the picture that this file comes with."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else it takes to bring the file back; for `REWRITE`, `after` is the digest of the new version, in hex.

    For `REJECT`, `shows` is the digest of the rejected content that the file shows, in hex; `rejected_ns` is the time of
    its mark when that was made for this file, so that it goes when the file comes back.
    """

    @property
    def full_path(self) -> str:
        """The absolute path that the file had."""
        return f"{self.root.rstrip('/')}/{self.path}"

    @property
    def payload_path(self) -> str:
        """The absolute path of the file in the quarantine; of a `RENAME`, in its new place."""
        return f"{self.quarantine.rstrip('/')}/{self.payload}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What an opened file was found to be."""

    stamp: Stamp
    mode: int
    """Permission bits."""
    folder_mode: int
    """Permission bits of the folder it lies in."""
    owner: tuple[int, int]
    """Ids of user and group."""
    attributes: Mapping[str, bytes]
    """Extended attributes."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A surplus file that was opened, compared with its keeper and found as planned, and so were its sidecars."""

    move: Move
    surplus: Seen
    keeper: Seen
    sidecars: tuple[Seen, ...] = ()
    """In the order of the move's."""
    renames: tuple[Seen, ...] = ()
    """In the order of the move's."""


@dataclass(frozen=True, slots=True)
class Deed:
    """All that is done for one surplus file, as it stands in the journal: whole or not at all."""

    checked: Checked
    merges: tuple[JournalEntry, ...]
    """In the order of the move's."""
    sidecars: tuple[JournalEntry, ...]
    """In the order of the move's."""
    picture: JournalEntry
    renames: tuple[JournalEntry, ...] = ()
    """In the order of the move's; done when the picture is out of the way."""

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """In the order in which they are done."""
        return (*self.merges, *self.sidecars, self.picture, *self.renames)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a deed."""

    refused: Refused | None
    """None when all of it was done."""
    states: Mapping[int, MoveState]
    """Where each of its entries stands, by id."""


@dataclass(frozen=True, slots=True)
class Update:
    """An annotation file that is to lose the rows of pictures that are gone."""

    text: Rewrite
    rows: int
    """That the new version lacks."""
    ambiguous: tuple[str, ...] = ()
    """Names that a picture that is gone and one that is there both go by: their rows stay."""


@dataclass(frozen=True, slots=True)
class Updated:
    """An annotation file that was rewritten."""

    path: str
    rows: int
    ambiguous: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """A file that was moved: into the quarantine by `prune`, back by `undo`, away for good by `purge`."""

    path: str
    size: int
    sidecars: int = 0
    """Files that went with it."""


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What `prune`, `undo` or `purge` did."""

    run_id: int | None
    """None when nothing was to be changed, as for a purge that only tells."""
    moved: tuple[Moved, ...]
    refused: tuple[Refused, ...]
    seconds: float
    updated: tuple[Updated, ...] = ()
    """Annotation files that were rewritten."""

    @property
    def bytes(self) -> int:
        """Bytes of the files moved."""
        return sum(moved.size for moved in self.moved)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What `recover` found after an interrupted run."""

    settled: int = 0
    """Journal entries brought to an end."""
    missing: tuple[str, ...] = ()
    """Files that are neither at their place nor in the quarantine."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A file in the quarantine."""

    entry: JournalEntry
    since_ns: int
    """When the run that moved it began."""
