"""The immutable records of what is done about duplicates: plans, journalled moves, reports.

Paths, times and sizes are as in `records.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from indexer.groups import PRUNED, Group, Kind, MatchRule, Member, Surplus
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
class Move:
    """One file to be moved into the quarantine, and the file that stands for it."""

    surplus: Surplus
    keeper: Member


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which groups are asked for."""

    match: MatchRule = MatchRule.VERIFIED
    kinds: tuple[Kind, ...] = PRUNED
    """Of surplus; other rules than `VERIFIED` do not look at it."""
    unconfirmed: bool = False
    """Take whole pictures whose match rests on thumbnails alone, as a file could not be read when they were matched."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The value that `prune` shows and carries out: nothing is decided after it."""

    wanted: Wanted
    groups: tuple[Group, ...]

    @property
    def moves(self) -> tuple[Move, ...]:
        """Every move, group by group."""
        return tuple(Move(surplus, group.keeper) for group in self.groups for surplus in group.surplus)

    @property
    def bytes(self) -> int:
        """Bytes that carrying out the plan moves away from the data set."""
        return sum(group.bytes for group in self.groups)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A journalled move: all that `undo` and `recover` need to know of it."""

    entry_id: int
    run_id: int
    state: MoveState
    kind: str
    root_id: int
    root: str
    """Absolute path of the root."""
    path: str
    """Where the file was, relative to the root."""
    quarantine: str
    """Absolute path of the folder that holds the payload."""
    payload: str
    """The file's name in the quarantine."""
    stamp: Stamp
    mode: int
    """Permission bits of the file."""
    folder_mode: int
    """Permission bits of the folder it was in."""
    digest: bytes
    keeper: str
    """Absolute path of the file that stood for it when it was moved."""
    keeper_digest: bytes

    @property
    def full_path(self) -> str:
        """The absolute path that the file had."""
        return f"{self.root.rstrip('/')}/{self.path}"

    @property
    def payload_path(self) -> str:
        """The absolute path of the file in the quarantine."""
        return f"{self.quarantine.rstrip('/')}/{self.payload}"


@dataclass(frozen=True, slots=True)
class Checked:
    """A surplus file that was opened, compared with its keeper and found as planned."""

    move: Move
    stamp: Stamp
    keeper_stamp: Stamp
    mode: int
    folder_mode: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A file that was moved: into the quarantine by `prune`, back by `undo`, away for good by `purge`."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was left where it is, with the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What `prune`, `undo` or `purge` did."""

    run_id: int | None
    """None when nothing was to be changed, as for a purge that only tells."""
    moved: tuple[Moved, ...]
    refused: tuple[Refused, ...]
    seconds: float

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
