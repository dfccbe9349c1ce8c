"""The story from folders to index: scan → diff → fingerprint → store → match → judge what arrived.

The database is the work list: scanning marks the files that have to be read, reading takes them from there. A run that is
stopped at any moment leaves an index from which the next one goes on.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from indexer import ledger, queries, recover, roots, scan, store
from indexer.admit import admit
from indexer.assess import judge_arrivals
from indexer.boundaries import not_entered
from indexer.database import Database
from indexer.diff import folder_changes, is_renumbered, is_unsettled, listing_digest
from indexer.executors import Executor
from indexer.filesystem import born_ns, folder_exists
from indexer.groups import Comeback
from indexer.match import match_due
from indexer.mounts import Mount, mount_of, mounts
from indexer.places import Place, joined, outermost, places_of, relative_to
from indexer.reading import Read, read_due
from indexer.recipe import RECIPE
from indexer.records import (
    Added,
    Altered,
    FolderChanges,
    Gone,
    IndexReport,
    IndexRequest,
    Listing,
    Tick,
    Unlisted,
    UnreadableFile,
    no_progress,
)
from indexer.text import count_text, printable

APPLY_CHANGES = 5_000
"""Changes found by the scan that go into one transaction."""
MOST_PLACES = 200
"""With more folders than this in one call, their whole roots are searched for files that are due."""
MISSING_SHARE = 0.2
MISSING_FILES = 1_000
MISSING_LEAST = 5
"""More than this share of a root's files, or more than this number, does not vanish by itself (but a few may)."""


@dataclass(slots=True)
class _Scan:
    """What the scan of one place has met so far."""

    root_id: int
    base: str
    below: str
    numberless: bool = False
    """Inode numbers mean nothing here."""
    closed: Mapping[str, str] = field(default_factory=dict)
    """Folders that are not entered, each with the reason."""
    files: int = 0
    new: int = 0
    moved: int = 0
    gone: array[int] = field(default_factory=lambda: array("q"))
    altered: int = 0
    renumbered: int = 0
    """Of the altered files, those of which nothing but the inode number is another."""
    misnumbered: bool = False
    """Files that are no hard links of each other have one inode number."""
    lost: int = 0
    """Files that are gone, without those that moved."""
    unlisted: list[Unlisted] = field(default_factory=list)
    refused: str = ""
    note: str = ""


def update(
    database: Database,
    request: IndexRequest,
    executor: Executor,
    tick: Tick = no_progress,
) -> IndexReport:
    """Brings the index up to date with the given folders.

    Args:
        database: Open for writing.
        request: What to look at.
        executor: Started when the first file is found that has to be read.
        tick: Told of progress.

    Raises:
        SafetyError: When a folder is missing. Nothing was changed.
        UsageError: When a folder is a quarantine, shows the kernel, or shows files of a root under another name.
    """
    started, known = time.monotonic(), mounts()
    with database.writing() as tx:
        admit(database, tx, request.folders, known, confirmed=request.confirm_missing)
        places = outermost(places_of(database.bases(queries.roots(tx)), request.folders))
        reach = places if len(places) <= MOST_PLACES else [(root_id, "") for root_id in {place[0] for place in places}]
        run_id = ledger.start_run(tx, "index", time.time_ns(), request.label)
        recipe_id = store.recipe_id(tx, RECIPE.key)
        stale = store.refill(tx, recipe_id)
        retried = sum(store.retry_unreadable(tx, *place) for place in places) if request.retry else 0
        bases, numberless = database.bases(queries.roots(tx)), roots.numberless(tx)
        first_new = queries.newest_file(tx) + 1
    if stale or retried or first_new == 1:
        executor.start()
    scans = [_Scan(root_id, bases[root_id], below, root_id in numberless) for root_id, below in places]
    for scanned in scans:
        place = joined(scanned.base, scanned.below)
        scanned.closed = not_entered(place, bases.values(), known, one_file_system=request.one_file_system)
        _scan(database, scanned, request, executor, tick)
        _settle(database, scanned, request, first_new)
    reading = Read(run_id, recipe_id, first_new, bases, whole=request.files is None)
    read_due(database, reach, reading, executor, request, tick)
    recover.notice_returned(database)
    matched = match_due(database, recipe_id, executor, tick)
    with database.writing() as tx:
        returned = judge_arrivals(tx, run_id)
        report = _report(tx, scans, reading, bases, reach, time.monotonic() - started)
        report = replace(report, matches=matched, notes=tuple(_notes(database, scans, known)))
        report = replace(report, returned=returned.total(), label=request.label)
        report = replace(report, returned_unsure=returned[Comeback.UNSURE], returned_larger=returned[Comeback.LARGER])
        ledger.finish_run(tx, run_id, time.time_ns(), report.counts)
    return report


# --- scanning


def _scan(database: Database, scanned: _Scan, request: IndexRequest, executor: Executor, tick: Tick) -> None:
    """Compares what lies on disk with the index, folder by folder, and stores what is new or altered."""
    with database.reading() as tx:
        unseen = queries.folders(tx, scanned.root_id, scanned.below)
    pending: list[FolderChanges] = []
    for found in _found(scanned, request):
        if isinstance(found, Unlisted):
            scanned.unlisted.append(found)
            continue
        scanned.files += len(found.names)
        scanned.misnumbered |= found.misnumbered
        tick("scan", len(found.names), None)
        changes = _changes(database, unseen.pop(found.path, None), found)
        if changes is None:
            continue
        if any(isinstance(change, Added | Altered) for change in changes.changes):
            executor.start()
        scanned.gone.extend(change.file_id for change in changes.changes if isinstance(change, Gone))
        scanned.altered += sum(isinstance(change, Altered) for change in changes.changes)
        scanned.renumbered += changes.renumbered
        pending.append(changes)
        if sum(len(waiting.changes) for waiting in pending) >= APPLY_CHANGES:
            _apply(database, scanned, pending)
    _apply(database, scanned, pending)
    if request.files is None:
        _note_unseen(database, scanned, unseen)


def _found(scanned: _Scan, request: IndexRequest) -> Iterator[Listing | Unlisted]:
    wanted = scan.wanted_files(all_files=request.all_files, exclude=request.exclude)
    excluded = scan.left_out(scanned.base, scanned.closed, request.exclude)
    numbered = not scanned.numberless
    place = joined(scanned.base, scanned.below)
    if request.files is not None:
        inside = (path for path in request.files if relative_to(path, place) is not None)
        paths = (relative_to(path, scanned.base) for path in inside)
        return scan.listed(scanned.base, filter(None, paths), wanted=wanted, excluded=excluded, numbered=numbered)
    if not folder_exists(place):
        return iter(())  # and whoever runs this has confirmed that it is gone
    return scan.walk(scanned.base, below=scanned.below, wanted=wanted, excluded=excluded, numbered=numbered)


def _changes(database: Database, known: queries.KnownFolder | None, listing: Listing) -> FolderChanges | None:
    """What has to be stored of a folder, None when nothing has."""
    if known is None:
        return folder_changes(listing, None, ()) if listing.names else None
    if listing.whole and known.listing == listing_digest(listing):
        return None
    with database.reading() as tx:
        changes = folder_changes(listing, known.folder_id, queries.known_files(tx, known.folder_id))
    return changes if changes.changes or changes.calm else None


def _apply(database: Database, scanned: _Scan, pending: list[FolderChanges]) -> None:
    """Stores and empties a list of changes."""
    if not pending:
        return
    with database.writing() as tx:
        for changes in pending:
            listing = listing_digest(changes.listing) if changes.calm else None
            queries.apply_changes(tx, scanned.root_id, changes, listing)
            scanned.new += sum(isinstance(change, Added) for change in changes.changes)
    pending.clear()


def _note_unseen(database: Database, scanned: _Scan, unseen: dict[str, queries.KnownFolder]) -> None:
    """Notes the files of known folders that were not met, unless they lie where nothing could be listed."""
    with database.reading() as tx:
        for path, known in unseen.items():
            if not any(relative_to(path, unlisted.path) is not None for unlisted in scanned.unlisted):
                scanned.gone.extend(row.file_id for row in queries.known_files(tx, known.folder_id))


def _settle(database: Database, scanned: _Scan, request: IndexRequest, first_new: int) -> None:
    """Draws the conclusions from a scan: what could not be listed, what numbers are worth, what moved, what is gone."""
    with database.writing() as tx:
        if request.files is None:
            roots.note_unlisted(tx, scanned.root_id, scanned.below, [found.path for found in scanned.unlisted])
        scanned.note = _drift(scanned)
        if scanned.note:
            roots.mark_numberless(tx, scanned.root_id)
    if scanned.gone:
        _settle_gone(database, scanned, first_new, confirmed=request.confirm_missing)


def _drift(scanned: _Scan) -> str:
    """Why inode numbers will not be believed on a root from now on, empty when they will."""
    place = printable(scanned.base)
    equal = scanned.files - scanned.new - scanned.altered
    if scanned.numberless:
        return ""
    if scanned.misnumbered:
        return f"'{place}': its file system gives different files one inode number; numbers are ignored there"
    if is_renumbered(scanned.renumbered, equal):
        return (
            f"'{place}': its file system gave {count_text(scanned.renumbered, 'file')} another inode number; they are read"
            " again this once, and numbers are ignored there from now on"
        )
    return ""


def _notes(database: Database, scans: Iterable[_Scan], known: tuple[Mount, ...]) -> Iterator[str]:
    """What else is worth knowing about a run."""
    own = mount_of(database.path, known)
    if own is not None and own.is_remote:
        yield f"the index lies on {own.kind}, where locks may not hold: keep it on a local disk (imgindex doctor)"
    for scanned in scans:
        yield from filter(None, [scanned.note])
        for point, reason in scanned.closed.items():
            yield f"'{printable(point)}' {reason}: not entered"


def _settle_gone(database: Database, scanned: _Scan, first_new: int, *, confirmed: bool) -> None:
    """Gives moved files what was known of them and drops the rows of files that are gone, unless too many are."""
    with database.writing() as tx:
        queries.note_gone(tx, scanned.gone)
        moved = [found for found in queries.moved_files(tx, first_new) if _is_moved(scanned.base, found)]
        known = queries.count_files(tx, scanned.root_id, scanned.below) - scanned.new
        lost = len(scanned.gone) - len({found.gone_id for found in moved})
        scanned.refused = "" if confirmed else _disbelief(scanned, lost, known)
        if scanned.refused:
            lost = 0
        else:
            now_ns = time.time_ns()
            queries.adopt(tx, ((found, is_unsettled(found.mtime_ns, found.ctime_ns, now_ns)) for found in moved))
            queries.forget_gone(tx)
            scanned.moved, scanned.new = len(moved), scanned.new - len(moved)
        scanned.lost = lost
        queries.drop_gone(tx)


def _is_moved(base: str, found: queries.MovedFile) -> bool:
    """True when the file was made when the gone one was: inode numbers are given to other files after a deletion."""
    return found.born_ns is not None and born_ns(joined(base, found.path)) == found.born_ns


def _disbelief(scanned: _Scan, lost: int, known: int) -> str:
    """Why it is not believed that files are gone, empty when it is."""
    empty = lost and not scanned.files
    mass = lost > MISSING_FILES or (lost >= MISSING_LEAST and lost > MISSING_SHARE * known)
    if not empty and not mass:
        return ""
    place = printable(joined(scanned.base, scanned.below).rstrip("/"))
    return f"{lost:,} of {count_text(known, 'known file')} in '{place}' seem to be gone"


def _others(tx: Connection, scans: list[_Scan], reading: Read, places: list[Place]) -> int:
    """How many of the files that were looked at are no pictures and do not claim to be."""
    if not reading.whole:
        return reading.others
    missed = [(scanned.root_id, found.path) for scanned in scans for found in scanned.unlisted]
    return store.count_other(tx, places) - (store.count_other(tx, missed) if missed else 0)


def _report(
    tx: Connection,
    scans: list[_Scan],
    reading: Read,
    bases: dict[int, str],
    places: list[Place],
    seconds: float,
) -> IndexReport:
    """The report of a finished run."""
    files = max(0, sum(scanned.files for scanned in scans) - _others(tx, scans, reading, places))
    new = sum(scanned.new for scanned in scans) + reading.new
    moved = sum(scanned.moved for scanned in scans) + reading.moved
    return IndexReport(
        files=files,
        new=new,
        changed=reading.changed,
        moved=moved,
        unchanged=max(0, files - new - reading.changed - moved),
        gone=sum(scanned.lost for scanned in scans),
        reread=reading.reread,
        decoded=reading.decoded,
        unreadable=store.count_unreadable(tx, places),
        seconds=seconds,
        unreadable_files=tuple(
            UnreadableFile(joined(bases[due.root_id], due.path), reason) for due, reason in reading.unreadable
        ),
        unlisted=tuple(
            UnreadableFile(joined(scanned.base, found.path).rstrip("/"), found.reason)
            for scanned in scans
            for found in scanned.unlisted
        ),
        refused=tuple(scanned.refused for scanned in scans if scanned.refused),
    )
