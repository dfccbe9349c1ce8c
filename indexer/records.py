"""The immutable records that flow between stages.

Values in, values out: nothing here opens, reads or decides. Records are frozen dataclasses, but for those that cross from
workers by the million: as named tuples they are made and pickled in a third of the time. Paths are `str` as
`os.fsdecode` gives them (bytes that are not UTF-8 stand as lone surrogates), times are integer nanoseconds since 1970,
sizes are bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

MAX_FILE_BYTES = 512 << 20
"""A larger file is not read unless the user says so: no picture that imgindex decodes needs it."""


class FileState(IntEnum):
    """What the index knows of a file's content."""

    DUE = 0
    """To be read by the next `index`."""
    PICTURE = 1
    """Its content is known and was decoded."""
    UNREADABLE = 2
    """It could not be read or decoded; the reason is stored."""
    OTHER = 3
    """Not a picture, and its name does not claim to be one."""


class Stamp(NamedTuple):
    """What the file system says of a file without opening it; equal stamps are presumed to mean equal content."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    """0 for none."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one folder as found on disk, sorted by name."""

    path: str
    """Relative to the root, `""` for the root itself, components joined by `/`."""
    names: Sequence[str]
    stamps: array[int]
    """Four signed 64-bit integers a file, in the order of `Stamp`'s fields."""
    now_ns: int
    """The clock when the first file was looked at."""
    whole: bool = True
    """False when only some files of the folder were looked for: the others are not gone."""
    misnumbered: bool = False
    """True when files that are no hard links of each other have one inode number."""

    def stamp(self, index: int) -> Stamp:
        """The stamp of the file at an index of `names`."""
        return Stamp(*self.stamps[4 * index : 4 * index + 4])


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A folder that could not be listed: nothing is known of its files, so nothing about them changes."""

    path: str
    """Relative to the root."""
    reason: str


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as the index remembers it."""

    file_id: int
    name: str
    stamp: Stamp
    unsettled: bool
    """True when the file was so fresh when it was read that a later write could have kept its stamp."""
    state: FileState


@dataclass(frozen=True, slots=True)
class Added:
    """A file whose path is not in the index."""

    name: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Altered:
    """A known path that has to be read again: its stamp moved, or could not be trusted."""

    file_id: int
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Gone:
    """A known path that is no longer on disk."""

    file_id: int


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """What differs between a folder and the index."""

    listing: Listing
    folder_id: int | None
    """None when the folder is new to the index."""
    changes: tuple[Added | Altered | Gone, ...]
    calm: bool
    """True when each row of the folder will equal the disk and can be trusted without looking at it again."""
    renumbered: int = 0
    """Files of which nothing but the inode number is another."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Name, version and parameters of the fingerprint; fingerprints of two recipes are never compared."""

    name: str
    version: int
    parameters: str

    @property
    def key(self) -> str:
        """The recipe in one line, as stored with each content."""
        return f"{self.name}/{self.version} {self.parameters}"


class Fingerprint(NamedTuple):
    """What decoding a picture gives."""

    dhash: int
    """Difference hash, 64 bits, unsigned, most significant bit first as imagehash orders it."""
    phash: bytes
    """DCT hash, 256 bits in 32 bytes, row by row of the 16×16 lowest frequencies."""
    width: int
    """Pixels, upright, before any reduced-scale decode."""
    height: int
    format: str
    """As Pillow names it: JPEG, PNG …"""
    mode: str
    """As Pillow names it, before any conversion."""
    detail: float
    """Root mean square contrast in the hash's frequencies, in grey levels; near 0 for flat pictures."""
    thumbnail: bytes
    """A JPEG of the upright picture, at most 192 pixels long."""
    views: bytes
    """Hashes of parts of the picture, as `views.py` lays them out."""
    look: bytes
    """16 bytes that are equal for pictures of equal pixels, whatever file they are in."""


class Task(NamedTuple):
    """A file to be read."""

    file_id: int
    path: str
    """Absolute."""
    size: int
    """Bytes, as the index knows it: only used to share the work out."""
    claims_picture: bool
    """True when the name ends like a picture's, so that anything else inside is worth a word."""
    max_bytes: int = MAX_FILE_BYTES
    """A larger file is not read."""


class Reading(NamedTuple):
    """A file's stamp at the moment its bytes were read, and what may be concluded from it."""

    stamp: Stamp
    unsettled: bool
    born_ns: int | None
    """When the file was made, where the file system says so."""


class Fingerprinted(NamedTuple):
    """A file whose bytes were digested and decoded."""

    file_id: int
    reading: Reading
    digest: bytes
    fingerprint: Fingerprint


class Recognised(NamedTuple):
    """A file whose bytes are known already: digested, not decoded."""

    file_id: int
    reading: Reading
    digest: bytes


class Unreadable(NamedTuple):
    """A file that could not be read or decoded, with its reason."""

    file_id: int
    reason: str
    reading: Reading | None = None
    digest: bytes | None = None
    """None when the bytes could not even be read."""


class NotPicture(NamedTuple):
    """A file that is no picture and does not claim to be one: not an error."""

    file_id: int
    reading: Reading


Outcome = Fingerprinted | Recognised | Unreadable | NotPicture


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """An unreadable file by its path, for people."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an `index` run found and did."""

    files: int = 0
    """Files looked at that are, or may be, pictures."""
    new: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    gone: int = 0
    reread: int = 0
    """Unchanged files that were read all the same, as nothing but their bytes could tell that they are unchanged."""
    decoded: int = 0
    """Files decoded by this run."""
    matches: int = 0
    """Pairs of pictures that this run found to match, byte copies and equal pixels apart."""
    returned: int = 0
    """New and changed files that show what was rejected."""
    returned_unsure: int = 0
    """Those of them of which thumbnails alone say so."""
    returned_larger: int = 0
    """Those of them that have more pixels than what was rejected."""
    unreadable: int = 0
    """Files under the given folders that cannot be read, found now or earlier."""
    seconds: float = 0.0
    unreadable_files: tuple[UnreadableFile, ...] = ()
    """Those that this run found unreadable."""
    unlisted: tuple[UnreadableFile, ...] = ()
    """Folders that could not be listed."""
    refused: tuple[str, ...] = ()
    """Why what seemed gone was not believed, one sentence a root."""
    notes: tuple[str, ...] = ()
    """What else is worth knowing, a sentence each."""
    label: str | None = None
    """What the user calls the run."""

    @property
    def counts(self) -> dict[str, int | float]:
        """The numbers, as `--json` prints them and `history` keeps them."""
        names = ("files", "new", "changed", "moved", "unchanged", "gone", "reread", "decoded", "matches", "returned")
        numbers = {name: getattr(self, name) for name in (*names, "unreadable")}
        return {**numbers, "unlisted": len(self.unlisted), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Preview:
    """A thumbnail, fit to be shown."""

    width: int
    height: int
    data: bytes
    """RGB pixels row by row, or WebP."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run, for `history`."""

    run_id: int
    command: str
    started_ns: int
    finished_ns: int | None
    """None when it was interrupted."""
    counts: Mapping[str, Any] = field(default_factory=dict)
    brought_back: int = 0
    """Pictures and annotation files of a prune that came back since."""
    label: str | None = None


@dataclass(frozen=True, slots=True)
class RootSummary:
    """A root, for `status`."""

    path: str
    files: int
    bytes: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Status:
    """What the index holds."""

    database: str
    database_bytes: int
    roots: tuple[RootSummary, ...]
    contents: int
    due: int
    """Files found but not read yet."""
    quarantined: int
    """Files in the quarantine that `undo` can bring back."""
    quarantined_bytes: int
    rejected: int
    """Contents that should not be in the data set."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge took from another index."""

    contents: int
    """Contents that were not known here."""
    known: int
    """Contents that were."""
    left_out: int
    """Contents fingerprinted by another version of imgindex, or damaged."""
    decisions: int
    """Judgements, also those that were known here."""
    rejected: int
    """Contents that were not rejected here, and now are."""


class Health(StrEnum):
    """How well something is, from fine to worst."""

    FINE = "fine"
    NOTE = "note"
    """Worth knowing, nothing to do."""
    WARNING = "warning"
    """Something to do."""
    DAMAGED = "damaged"
    """The index cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What `doctor` says of one thing."""

    about: str
    """`sqlite`, `database`, `root`, `quarantine` …"""
    health: Health
    says: str
    advice: str = ""
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """What `index` is asked to do."""

    folders: tuple[str, ...]
    """Absolute, canonical paths."""
    exclude: tuple[str, ...] = ()
    """Glob patterns of names or of paths relative to the root."""
    files: tuple[str, ...] | None = None
    """Absolute paths; None to walk the folders."""
    all_files: bool = False
    retry: bool = False
    confirm_missing: bool = False
    max_file_bytes: int = MAX_FILE_BYTES
    one_file_system: bool = False
    label: str | None = None
    """What the run is called."""


Tick = Callable[[str, int, int | None], None]
"""Called with a stage's name, the units done since the last call, and the units in all when they are known."""


WAITING = "wait"
"""The stage in which a watch waits for changes: all that came before is stored."""


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


def signed64(number: int) -> int:
    """The signed 64-bit number with the same bits as an unsigned one: SQLite has no other."""
    return number if number < 1 << 63 else number - (1 << 64)
