"""The immutable records of what people ask for, and of plans.

Paths, times and sizes are as in `records.py`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from enum import StrEnum

from indexer.groups import PRUNED, Group, Kind, Mark, MatchRule, Member, Surplus, bytes_of


class Action(StrEnum):
    """What becomes of a file."""

    QUARANTINE = "quarantine"
    """It moves into the quarantine."""
    HARD = "hard"
    """It becomes a hard link to its keeper."""
    SYMLINK = "symlink"
    """It becomes a symbolic link to its keeper."""
    REFLINK = "reflink"
    """It shares its keeper's blocks on disk, where the file system can do that."""
    REWRITE = "rewrite"
    """It is a text that gets a new version; the old one goes into the quarantine."""
    RENAME = "rename"
    """It gets another place, and perhaps another name, in the data set."""
    REJECT = "reject"
    """It moves into the quarantine, and nothing stands for it: it should not be in the data set."""


LINKS = (Action.HARD, Action.SYMLINK, Action.REFLINK)
MOVES = (Action.QUARANTINE, Action.REJECT)
"""After these, the file itself lies in the quarantine."""


class OnConflict(StrEnum):
    """What to do with a group whose labels disagree."""

    SKIP = "skip"
    """Leave it, without a word of complaint."""
    PRUNE = "prune"
    """Prune it all the same; the labels of the surplus go with it."""
    MERGE = "merge"
    """Give the keeper what its captions lack, then prune; what cannot be merged stays a conflict."""


class KeepKey(StrEnum):
    """What files are ordered by to choose the one to keep."""

    PIXELS = "pixels"
    BYTES = "bytes"
    FORMAT = "format"
    OLDEST = "oldest"
    NEWEST = "newest"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class KeepTerm:
    """One key of the keep order, as it is or the other way round."""

    key: KeepKey
    inverted: bool = False


KEEP = (KeepTerm(KeepKey.PIXELS), KeepTerm(KeepKey.BYTES), KeepTerm(KeepKey.OLDEST))
"""The keep order that nobody chose: the most pixels, then the most bytes, then the oldest."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A folder, file or glob that a user names, by whole components."""

    text: str
    """As the user wrote it."""
    parts: tuple[str, ...]
    """The components of an absolute path, each a glob unless `literal`; `**` stands for any number of them."""
    literal: bool
    files: frozenset[str] = frozenset()
    """Absolute paths, of a list of files; then nothing but these counts."""

    @property
    def depth(self) -> float:
        """How closely it names what it names: a list outdoes every folder, a folder those that it lies in."""
        return math.inf if self.files else len(self.parts)


@dataclass(frozen=True, slots=True)
class Rules:
    """Which file of a group stays, and which may go."""

    keep: tuple[KeepTerm, ...] = KEEP
    prefer: tuple[Pattern, ...] = ()
    """Keep the copy that lies in the first of these."""
    protect: tuple[Pattern, ...] = ()
    """What lies here stays."""
    only_if_in: tuple[Pattern, ...] = ()
    """Only what has its keeper in one of these may go."""
    within: tuple[Pattern, ...] = ()
    """Keeper and surplus must lie in the same one of these."""
    across: tuple[Pattern, ...] = ()
    """Keeper and surplus must lie in different ones of these."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which groups are asked for."""

    match: MatchRule = MatchRule.VERIFIED
    kinds: tuple[Kind, ...] = PRUNED
    """Of surplus; other rules than `VERIFIED` do not look at it."""
    unconfirmed: bool = False
    """Take whole pictures whose match rests on thumbnails alone, as a file could not be read when they were matched."""
    rules: Rules = Rules()


@dataclass(frozen=True, slots=True)
class Labelling:
    """How labels are treated."""

    class_folders: bool | None = None
    """Folders are classes, or are not; None: those whose names look like it are."""
    on_conflict: OnConflict | None = None
    """None: leave the group, and say that it was left."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file that comes with a picture: caption, annotation, metadata."""

    base: str
    """Absolute path of the folder that `path` is relative to: the picture's root, or what holds images and labels."""
    path: str
    role: str
    """What it is to its picture, such as `.txt`: the sidecars of two pictures are compared role by role."""
    digest: bytes
    """Empty when it is a link, or cannot be read: then it cannot be moved."""
    meaning: bytes
    """A digest of what it says, equal for texts that differ in blanks or in names of files alone."""
    shared: tuple[str, ...] = ()
    """Absolute paths of other files that it comes with: while one of them is there, it stays."""

    @property
    def full_path(self) -> str:
        """The absolute path."""
        return f"{self.base.rstrip('/')}/{self.path}"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A new version of a text, or the first one."""

    base: str
    """Absolute path of the folder that `path` is relative to."""
    path: str
    before: bytes | None
    """SHA-256 of what must be there; None when nothing may be."""
    size: int
    """Bytes of what must be there."""
    data: bytes

    @property
    def after(self) -> str:
        """The SHA-256 of the new version, in hex."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def full_path(self) -> str:
        """The absolute path."""
        return f"{self.base.rstrip('/')}/{self.path}"


@dataclass(frozen=True, slots=True)
class Rename:
    """A file that gets another place, and perhaps another name."""

    base: str
    """Absolute path of the folder that `path` is relative to."""
    path: str
    digest: bytes
    to_base: str
    """Absolute path of the folder that `to_path` is relative to."""
    to_path: str

    @property
    def full_path(self) -> str:
        """The absolute path."""
        return f"{self.base.rstrip('/')}/{self.path}"

    @property
    def target(self) -> str:
        """The absolute path that it gets."""
        return f"{self.to_base.rstrip('/')}/{self.to_path}"


@dataclass(frozen=True, slots=True)
class Move:
    """One file to be moved into the quarantine, or replaced by a link, and the file that stands for it."""

    surplus: Surplus
    keeper: Member
    """The file itself when nothing stands for it, as for `REJECT`."""
    sidecars: tuple[Sidecar, ...] = ()
    """They go with it."""
    merges: tuple[Rewrite, ...] = ()
    """What becomes of the keeper's captions first."""
    renames: tuple[Rename, ...] = ()
    """What gets another place then; of an upgrade, the keeper last, unless it has the place that is due."""
    mark: Mark | None = None
    """Of the rejected content that it shows, for `REJECT`."""

    @property
    def is_alone(self) -> bool:
        """True when nothing stands for the file."""
        return self.keeper.file_id == self.surplus.member.file_id

    @property
    def keeper_rename(self) -> Rename | None:
        """Where the keeper itself goes; None when it stays where it is."""
        return next((one for one in self.renames if one.full_path == self.keeper.full_path), None)

    @property
    def keeper_target(self) -> str:
        """The absolute path that the keeper has when all is done."""
        rename = self.keeper_rename
        return self.keeper.full_path if rename is None else rename.target


@dataclass(frozen=True, slots=True)
class Difference:
    """In what a surplus file's labels differ from its keeper's."""

    path: str
    """Absolute, of the surplus file."""
    what: str
    """In words."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A picture that the index knew first, and a larger version of it that came later and may take its place."""

    move: Move
    """The old one is its surplus, the better one its keeper."""
    problems: tuple[str, ...] = ()
    """Why it is left alone, in words; none when it can be done."""

    @property
    def target(self) -> str:
        """The absolute path that the better one gets, or has already, beside the old one."""
        return self.move.keeper_target


@dataclass(frozen=True, slots=True)
class Conflict:
    """A group whose labels disagree, so that it is left alone."""

    group: Group
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was left where it is, with the reason."""

    path: str
    reason: str
    unsure: bool = field(default=False, compare=False)
    """The system reported an error, which can come after its work: the disk has to be asked where the file is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The value that `prune` shows and carries out: nothing is decided after it."""

    wanted: Wanted
    groups: tuple[Group, ...]
    """Those that are pruned."""
    moves: tuple[Move, ...]
    """Every move, group by group."""
    conflicts: tuple[Conflict, ...] = ()
    """Groups that are left alone as their labels disagree."""
    labelling: Labelling = Labelling()
    action: Action = Action.QUARANTINE
    refused: tuple[Refused, ...] = ()
    """What stays as a folder of its group could not be listed; lines of a plan file that no longer hold."""
    plan_id: str | None = None
    """Of the plan file that it came from."""
    marks: tuple[Mark, ...] = ()
    """Contents that become rejected with the first of their files that goes."""
    command: str = "prune"
    """What `history` calls a run of it."""
    parts: tuple[Split, ...] = ()
    """The splits that it parts, in the order of the rules' `across`: the limits hold for each of them, too."""

    @property
    def bytes(self) -> int:
        """Bytes that carrying out the plan moves away from the data set; two names of one file count once."""
        return bytes_of(move.surplus.member for move in self.moves)


class Fate(StrEnum):
    """What a person chose in a review for a file that is not the keeper."""

    PRUNE = "prune"
    """It goes, and the keeper stands for it."""
    KEEP = "keep"
    """Both stay: they are no duplicates, or are wanted twice."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose for one file of a group."""

    path: str
    """Absolute."""
    digest: bytes
    """What it held then."""
    keeper: str
    """Absolute, of the file that stays."""
    keeper_digest: bytes
    fate: Fate
    kind: Kind
    """How the two were related."""
    decided_ns: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Above these a prune is refused, so that a mistake cannot empty a data set."""

    max_files: int | None = None
    max_share: float = 0.5
    """Of the files of a root."""


@dataclass(frozen=True, slots=True)
class Split:
    """A part of a data set that must share no picture with the others, such as `train`."""

    name: str
    place: Pattern
    source: str | None
    """Absolute path of the list that names its files; None when it is a folder or a glob."""
    unsure: int
    """Files of it that were not compared: not indexed, not read yet, or unreadable."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A file, and those that show the same picture in other splits."""

    group: Group
    splits: tuple[str, ...]
    """Of the keeper, then of each surplus file."""
