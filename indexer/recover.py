"""The story of what an interrupted prune, undo or purge left half-done: it is brought to an end."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from functools import cache

from sqlalchemy import Connection

from indexer import ledger, queries, rejects
from indexer.database import Database
from indexer.deeds import came_back, found_state, take_back
from indexer.filesystem import folder_exists
from indexer.journal import entry_of, is_indexed, is_replacement, sync
from indexer.manifest import MANIFEST
from indexer.moves import PENDING, JournalEntry, MoveState, Recovered
from indexer.plans import MOVES, Action, Refused
from indexer.quarantine import digest_at, names_in

_NOT_HELD = (MoveState.ABORTED, MoveState.RESTORED, MoveState.MISSING)
"""Where a deed stands whose file is not in the quarantine, and was not purged."""


def recover(database: Database) -> Recovered:
    """Brings to an end what an interrupted prune, undo or purge left half-done; does nothing when nothing is.

    It reads the disk and writes down what it finds; a file that has both its old and its quarantine name loses the
    latter, and a sidecar goes back to a picture that stayed. It can be interrupted and run again.

    Raises:
        CorruptDatabaseError: When the database is damaged. Then nothing was moved.
    """
    with database.reading() as tx:
        entries = [entry_of(database, row) for row in ledger.journal_entries(tx, states=PENDING)]
    if not entries:
        return Recovered()
    database.refuse_damaged()
    found = {entry.entry_id: found_state(entry) for entry in entries}
    found |= _unreplaced(entries, found)
    found |= _reunited(entries, found)
    found |= _all_back(entries, found)
    sync(entries)
    with database.writing(durable=True) as tx:
        ledger.journal_set(tx, found)
        ledger.end_renames(tx)
        bases = database.bases(queries.roots(tx))
        done = [entry for entry in reversed(entries) if entry.state is MoveState.PLANNED]
        for entry in (*done, *(entry for entry in entries if entry.state is not MoveState.PLANNED)):
            _put_right(tx, bases, entry, found[entry.entry_id])
        rejects.release(tx, (entry for entry in entries if found[entry.entry_id] in _NOT_HELD))
    settled = [entry for entry in entries if found[entry.entry_id] not in PENDING]
    missing = tuple(entry.full_path for entry in settled if found[entry.entry_id] is MoveState.MISSING)
    return Recovered(len(settled), missing)


def notice_returned(database: Database) -> None:
    """Writes down what an undo by the manifests alone took back; the rows of pictures are left to scans.

    What moved on since is found by its row. Links that share blocks with their keeper cannot be told from files of their
    own, and stay as they are.
    """
    lying = cache(lambda stored: names_in(database.absolute(stored)))
    with database.reading() as tx:
        rows = ledger.journal_entries(tx, states=[MoveState.MOVED])
    back: dict[int, JournalEntry] = {}
    for row in sorted(rows, key=lambda row: row.owner_id is not None):  # pictures before what belongs to them
        renamed = row.action == Action.RENAME  # perhaps by another upgrade since: it is back when its picture is
        away = row.owner_id not in back if renamed else row.payload in lying(row.quarantine)
        if not away and came_back(entry := entry_of(database, row), back):
            back[entry.entry_id] = entry
    with database.reading() as tx:
        for row in sorted(rows, key=lambda row: row.owner_id is not None):
            gone = MANIFEST in (names := lying(row.quarantine)) and row.payload not in names
            if gone and row.id not in back and _moved_on(tx, entry := entry_of(database, row), back):
                back[entry.entry_id] = entry
    if back:
        with database.writing(durable=True) as tx:
            ledger.journal_set(tx, dict.fromkeys(back, MoveState.RESTORED))
            rejects.release(tx, back.values())


def end_stranded(database: Database) -> None:
    """Notes that files are missing that took the places of pictures which are back, and which nothing can bring back."""
    with database.reading() as tx:
        entries = [entry_of(database, row) for row in ledger.stranded(tx)]
    gone = [
        one for one in entries if folder_exists(one.quarantine) and digest_at(one.quarantine, one.payload) != one.digest
    ]
    lost = [one.entry_id for one in gone if moved_again(database, one) is None]
    if lost:
        with database.writing(durable=True) as tx:
            ledger.journal_set(tx, dict.fromkeys(lost, MoveState.MISSING))


def moved_again(database: Database, entry: JournalEntry) -> int | None:
    """The run that moved a file on, from its new place in the data set into the quarantine; None when none did."""
    with database.reading() as tx:
        others = [entry_of(database, row) for row in ledger.held(tx, entry.digest, after=entry.entry_id)]
    return next((one.run_id for one in others if one.full_path == entry.payload_path), None)


def _moved_on(tx: Connection, entry: JournalEntry, back: Container[int]) -> bool:
    """True for a file that left the quarantine and has another name by now, and for what came with one.

    Bytes alone do not tell: a copy of what was rejected may have come since, and somebody deleted what lay there.
    """
    if entry.action not in MOVES:
        return False
    return entry.owner_id in back if entry.owner_id is not None else ledger.is_live(tx, entry.digest, entry.stamp)


def _unreplaced(entries: Sequence[JournalEntry], found: dict[int, MoveState]) -> dict[int, MoveState]:
    """The states of all that was done for upgrades that came to nothing, after it was taken back, the latest first."""
    failed = _owners(entries, found, {MoveState.ABORTED, MoveState.MISSING})
    deeds = (entry for entry in entries if {entry.entry_id, entry.owner_id} & failed)
    done = (entry for entry in deeds if entry.state is MoveState.PLANNED and found[entry.entry_id] is MoveState.MOVED)
    return {entry.entry_id: _taken_back(entry, MoveState.ABORTED) for entry in done}


def _all_back(entries: Sequence[JournalEntry], found: dict[int, MoveState]) -> dict[int, MoveState]:
    """The states of what is still away of upgrades that are being taken back, after that was done, the latest first."""
    back = _owners(entries, found, {MoveState.RESTORED})
    deeds = (entry for entry in entries if {entry.entry_id, entry.owner_id} & back)
    away = (entry for entry in deeds if found[entry.entry_id] is MoveState.MOVED)
    return {entry.entry_id: _taken_back(entry, MoveState.RESTORED) for entry in away}


def _owners(entries: Sequence[JournalEntry], found: dict[int, MoveState], states: set[MoveState]) -> set[int | None]:
    """The ids of the pictures for whose sake something was moved within the data set that is in one of some states."""
    return {entry.owner_id for entry in entries if entry.action is Action.RENAME and found[entry.entry_id] in states}


def _taken_back(entry: JournalEntry, state: MoveState) -> MoveState:
    """A state, when a deed could be taken back."""
    answer = take_back(replace(entry, state=MoveState.MOVED))
    return MoveState.MOVED if isinstance(answer, Refused) else state


def _reunited(entries: Sequence[JournalEntry], found: dict[int, MoveState]) -> dict[int, MoveState]:
    """The states of what was done for pictures that then stayed, after it was taken back, the latest first."""
    states = {}
    for entry in entries:
        stayed = entry.owner_id is not None and found.get(entry.owner_id) is MoveState.ABORTED
        if stayed and entry.state is MoveState.PLANNED and found[entry.entry_id] is MoveState.MOVED:
            states[entry.entry_id] = _taken_back(entry, MoveState.ABORTED)
    return states


def _put_right(tx: Connection, bases: Mapping[int, str], entry: JournalEntry, state: MoveState) -> None:
    """Makes the rows of pictures agree with where a deed was found to stand."""
    if is_replacement(entry):
        _relocate(tx, bases, entry, state)
    if not is_indexed(entry):
        return
    if state is MoveState.MOVED and entry.state is MoveState.PLANNED:
        ledger.forget_paths(tx, [(entry.root_id, entry.path)])
    if state is MoveState.RESTORED:
        ledger.remember_path(tx, entry, entry.stamp, unsettled=True)


def _relocate(tx: Connection, bases: Mapping[int, str], entry: JournalEntry, state: MoveState) -> None:
    """Makes the row of a picture that took the place of another, or that went back, agree with where it is."""
    before, after, ids = entry.full_path, entry.payload_path, entry.extra
    if state is MoveState.MOVED and entry.state is MoveState.PLANNED:
        ledger.relocate_path(tx, bases, (before, after), entry.stamp, unsettled=True, file_id=ids["takes_id"])
    if state is MoveState.RESTORED:
        ledger.relocate_path(tx, bases, (after, before), entry.stamp, unsettled=True, file_id=ids["file_id"])
