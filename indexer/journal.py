"""What prune, undo, purge and recover share: rows of the journal as records and back, runs and their reports."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from indexer import ledger
from indexer.database import Database
from indexer.moves import JournalEntry, Moved, MoveReport, MoveState, Updated
from indexer.places import joined, split
from indexer.plans import Action, Refused
from indexer.quarantine import sync_folder
from indexer.records import Stamp

BATCH = 100
"""Files whose intent is written in one transaction, and whose folders are synced together."""
Value = TypeVar("Value")


def entry_of(database: Database, row: Any) -> JournalEntry:
    """A row of the journal as a record, its stored paths made absolute."""
    return JournalEntry(
        entry_id=row.id,
        run_id=row.run_id,
        state=MoveState(row.state),
        kind=row.kind,
        root_id=row.root_id,
        root=database.absolute(row.root if row.base is None else row.base),
        path=row.path,
        quarantine=database.absolute(row.quarantine),
        payload=row.payload,
        stamp=Stamp(row.size, row.mtime_ns, row.ctime_ns, row.inode),
        mode=row.mode,
        folder_mode=row.folder_mode,
        digest=row.digest,
        keeper=database.absolute(row.keeper),
        keeper_digest=row.keeper_digest,
        action=Action(row.action),
        owner_id=row.owner_id,
        extra=json.loads(row.extra),
    )


def entries_of(database: Database, run_id: int) -> list[JournalEntry]:
    """All that a run wrote into the journal, in the order in which it was done."""
    with database.reading() as tx:
        rows = ledger.journal_entries(tx, run_id=run_id, states=MoveState)
    return [entry_of(database, row) for row in reversed(rows)]


def row_of(database: Database, entry: JournalEntry, bases: Mapping[int, str]) -> dict[str, Any]:
    """A record as a row of the journal, its paths as they are stored.

    Args:
        database: Whose folder stored paths are relative to.
        entry: The record.
        bases: The absolute path of each root.
    """
    return {
        "id": entry.entry_id,
        "run_id": entry.run_id,
        "state": entry.state,
        "kind": entry.kind,
        "root_id": entry.root_id,
        "base": None if entry.root == bases[entry.root_id] else database.stored(entry.root),
        "path": entry.path,
        "quarantine": database.stored(entry.quarantine),
        "payload": entry.payload,
        **entry.stamp._asdict(),
        "mode": entry.mode,
        "folder_mode": entry.folder_mode,
        "digest": entry.digest,
        "keeper": database.stored(entry.keeper),
        "keeper_digest": entry.keeper_digest,
        "action": entry.action,
        "owner_id": entry.owner_id,
        "extra": json.dumps(dict(entry.extra)),
    }


def started(database: Database, command: str) -> int:
    """The id of a run that begins now."""
    with database.writing() as tx:
        return ledger.start_run(tx, command, time.time_ns())


def finished(
    database: Database, run_id: int | None, done: Sequence[Moved | Refused | Updated], started_s: float
) -> MoveReport:
    """The report of a run, which is recorded as finished.

    Args:
        database: Open for writing, unless there is no run.
        run_id: None when nothing was to be changed.
        done: What became of each file.
        started_s: When it began, by the monotonic clock.
    """
    moved = tuple(answer for answer in done if isinstance(answer, Moved))
    refused = tuple(answer for answer in done if isinstance(answer, Refused))
    updated = tuple(answer for answer in done if isinstance(answer, Updated))
    report = MoveReport(run_id, moved, refused, time.monotonic() - started_s, updated)
    if run_id is not None:
        counts = {"moved": len(moved), "refused": len(refused), "bytes": report.bytes, "updated": len(updated)}
        with database.writing() as tx:
            ledger.finish_run(tx, run_id, time.time_ns(), counts)
    return report


def write_states(database: Database, states: Mapping[int, MoveState]) -> None:
    """Writes the state of journal entries, by id; on disk when it returns."""
    with database.writing(durable=True) as tx:
        ledger.journal_set(tx, states)


def sync(entries: Iterable[JournalEntry]) -> None:
    """Makes what was done with a batch of files survive a power failure: one sync a folder."""
    folders = {folder for entry in entries for folder in (split(entry.payload_path)[0], folder_of(entry))}
    for folder in sorted(folders):
        sync_folder(folder)


def folder_of(entry: JournalEntry) -> str:
    """The absolute path of the folder that a file was in."""
    return joined(entry.root, split(entry.path)[0]).rstrip("/") or "/"


def told(entry: JournalEntry, answer: object, sidecars: int = 0) -> Moved | Refused:
    """What became of a file, for the report."""
    return answer if isinstance(answer, Refused) else Moved(entry.full_path, entry.stamp.size, sidecars)


def is_indexed(entry: JournalEntry) -> bool:
    """True for pictures, which the index has rows of; sidecars and texts it does not know."""
    return entry.owner_id is None and entry.action is not Action.REWRITE


def is_replacement(entry: JournalEntry) -> bool:
    """True for a picture that took the place of another: the index knows it there from then on."""
    return entry.action is Action.RENAME and entry.kind != "sidecar"


def batches(values: Iterable[Value]) -> Iterator[list[Value]]:
    """Values by the hundred."""
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch
