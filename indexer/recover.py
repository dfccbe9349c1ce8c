"""The story of what an interrupted prune, undo or purge left half-done: it is brought to an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from sqlalchemy import Connection

from indexer import ledger, rejects
from indexer.database import Database
from indexer.deeds import came_back, found_state, take_back
from indexer.journal import entry_of, is_indexed, sync
from indexer.moves import PENDING, JournalEntry, MoveState, Recovered
from indexer.plans import Refused
from indexer.quarantine import names_in

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
    found |= _reunited(entries, found)
    sync(entries)
    with database.writing(durable=True) as tx:
        ledger.journal_set(tx, found)
        for entry in entries:
            _put_right(tx, entry, found[entry.entry_id])
        rejects.release(tx, (entry for entry in entries if found[entry.entry_id] in _NOT_HELD))
    settled = [entry for entry in entries if found[entry.entry_id] not in PENDING]
    missing = tuple(entry.full_path for entry in settled if found[entry.entry_id] is MoveState.MISSING)
    return Recovered(len(settled), missing)


def notice_returned(database: Database) -> None:
    """Writes down what an undo by the manifests alone took back; the rows of pictures are left to the next scan.

    Links that share blocks with their keeper cannot be told from files of their own, and stay as they are.
    """
    lying = cache(lambda stored: names_in(database.absolute(stored)))
    with database.reading() as tx:
        rows = ledger.journal_entries(tx, states=[MoveState.MOVED])
    back: dict[int, JournalEntry] = {}
    for row in rows:  # pictures before what belongs to them
        if row.payload not in lying(row.quarantine) and came_back(entry := entry_of(database, row), back):
            back[entry.entry_id] = entry
    if back:
        with database.writing(durable=True) as tx:
            ledger.journal_set(tx, dict.fromkeys(back, MoveState.RESTORED))
            rejects.release(tx, back.values())


def _reunited(entries: Sequence[JournalEntry], found: dict[int, MoveState]) -> dict[int, MoveState]:
    """The states of what was done for pictures that then stayed, after it was taken back, the latest first."""
    states = {}
    for entry in entries:
        stayed = entry.owner_id is not None and found.get(entry.owner_id) is MoveState.ABORTED
        if stayed and entry.state is MoveState.PLANNED and found[entry.entry_id] is MoveState.MOVED:
            answer = take_back(replace(entry, state=MoveState.MOVED))
            states[entry.entry_id] = MoveState.MOVED if isinstance(answer, Refused) else MoveState.ABORTED
    return states


def _put_right(tx: Connection, entry: JournalEntry, state: MoveState) -> None:
    """Makes the rows of pictures agree with where a deed was found to stand."""
    if not is_indexed(entry):
        return
    if state is MoveState.MOVED and entry.state is MoveState.PLANNED:
        ledger.forget_paths(tx, [(entry.root_id, entry.path)])
    if state is MoveState.RESTORED:
        ledger.remember_path(tx, entry, entry.stamp, unsettled=True)
