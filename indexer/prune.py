"""The story from plan to quarantine and back: plan → carry out → recover → undo → purge.

The promises, each with a test: the last copy of a content is never removed; nothing is overwritten; every prune can be
undone exactly; a stale index cannot lose data; only `purge` deletes.

Each batch of files goes through the same steps, in this order, so that a kill at any system call leaves a state from which
`recover` goes on: check the files, write the intent to the journal and to the manifest, move, sync the folders, write what
was done.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from indexer import ledger, queries
from indexer.database import Database
from indexer.diff import is_unsettled
from indexer.errors import UsageError
from indexer.filesystem import folder_exists
from indexer.moves import PENDING, Checked, JournalEntry, Moved, MoveReport, MoveState, Plan, Recovered, Refused
from indexer.places import joined, split
from indexer.quarantine import (
    check,
    delete_payload,
    digest_at,
    drop_payload_name,
    is_quarantined,
    make_batch_folder,
    move_back,
    move_in,
    places_taken,
    quarantine_for,
    sync_folder,
    write_manifest,
)
from indexer.records import Stamp, Tick, no_progress

BATCH = 100
"""Files whose intent is written in one transaction, and whose folders are synced together."""
Value = TypeVar("Value")


def carry_out(database: Database, plan: Plan, quarantine: str | None = None, tick: Tick = no_progress) -> MoveReport:
    """Moves a plan's surplus into the quarantine; each file only after it and its keeper were read and compared.

    Args:
        database: Open for writing.
        plan: What `find.plan` gave.
        quarantine: A folder for the surplus of all roots; None for one beside each root.
        tick: Told of progress.

    Raises:
        SafetyError: When no quarantine can be made. Then nothing was moved.
    """
    started = time.monotonic()
    roots = {move.surplus.member.root for move in plan.moves}
    folders = {root: make_batch_folder(quarantine_for(root, quarantine)) for root in sorted(roots)}
    run_id = _started(database, "prune")
    done: list[Moved | Refused] = []
    tick("move", 0, len(plan.moves))
    for number, moves in enumerate(_batches(plan.moves)):
        checked = [check(move) for move in moves]
        refused = [answer for answer in checked if isinstance(answer, Refused)]
        sound = [answer for answer in checked if isinstance(answer, Checked)]
        done += [*refused, *_move_batch(database, run_id, sound, folders, first=number * BATCH + 1)]
        tick("move", len(moves), len(plan.moves))
    return _finished(database, run_id, done, started)


def undo(database: Database, run_id: int | None = None, tick: Tick = no_progress) -> MoveReport:
    """Moves the files of a prune back to where they were.

    Args:
        database: Open for writing.
        run_id: The prune; None for the newest whose files are in quarantine.
        tick: Told of progress.

    Raises:
        UsageError: When there is nothing to bring back.
    """
    started = time.monotonic()
    with database.writing() as tx:
        chosen = ledger.newest_run_with(tx, MoveState.MOVED) if run_id is None else run_id
        rows = [] if chosen is None else ledger.journal_entries(tx, run_id=chosen, states=[MoveState.MOVED])
        if not rows:
            raise UsageError("there is nothing to bring back", "imgindex history lists the runs")
        undo_id = ledger.start_run(tx, f"undo {chosen}", time.time_ns())
    done: list[Moved | Refused] = []
    tick("bring back", 0, len(rows))
    for entries in _batches([_entry(database, row) for row in rows]):
        _write_states(database, dict.fromkeys((entry.entry_id for entry in entries), MoveState.RETURNING))
        answers = [(entry, move_back(entry)) for entry in entries]
        _sync(entries)
        _write_returned(database, answers)
        done += [_told(entry, answer) for entry, answer in answers]
        tick("bring back", len(entries), len(rows))
    return _finished(database, undo_id, done, started)


def purge(database: Database, older_than_s: int, *, dry_run: bool, tick: Tick = no_progress) -> MoveReport:
    """DELETES for good the quarantined files of prunes older than a span, when a keeper still stands for them.

    Args:
        database: Open for writing.
        older_than_s: Seconds since the prune began.
        dry_run: Only tell what would be deleted.
        tick: Told of progress.
    """
    started = time.monotonic()
    entries = _older_than(database, older_than_s)
    run_id = _started(database, "purge") if entries and not dry_run else None
    done: list[Moved | Refused] = []
    tick("purge", 0, len(entries))
    for batch in _batches(entries):
        kept = [(entry, _keeper_missing(database, entry)) for entry in batch]
        sound = [entry for entry, refused in kept if refused is None]
        done += [refused for _entry, refused in kept if refused is not None]
        if not dry_run:
            _write_states(database, dict.fromkeys((entry.entry_id for entry in sound), MoveState.PURGING))
        answers = [(entry, None if dry_run else delete_payload(entry)) for entry in sound]
        if not dry_run:
            _sync(sound)
            _write_states(
                database,
                {entry.entry_id: MoveState.MOVED if refused else MoveState.PURGED for entry, refused in answers},
            )
        done += [refused or _told(entry, None) for entry, refused in answers]
        tick("purge", len(batch), len(entries))
    return _finished(database, run_id, done, started)


def recover(database: Database) -> Recovered:
    """Brings to an end what an interrupted prune, undo or purge left half-done; does nothing when nothing is.

    It reads the disk and writes down what it finds; a file that has both its old and its quarantine name loses the
    latter. It can be interrupted and run again.
    """
    with database.reading() as tx:
        entries = [_entry(database, row) for row in ledger.journal_entries(tx, states=PENDING)]
    if not entries:
        return Recovered()
    found = {entry.entry_id: _found_state(entry) for entry in entries}
    _sync(entries)
    with database.writing(durable=True) as tx:
        ledger.journal_set(tx, found)
        for entry in entries:
            _put_right(tx, entry, found[entry.entry_id])
    settled = [entry for entry in entries if found[entry.entry_id] not in PENDING]
    missing = tuple(entry.full_path for entry in settled if found[entry.entry_id] is MoveState.MISSING)
    return Recovered(len(settled), missing)


def _started(database: Database, command: str) -> int:
    with database.writing() as tx:
        return ledger.start_run(tx, command, time.time_ns())


def _older_than(database: Database, span_s: int) -> list[JournalEntry]:
    """The quarantined files of prunes older than a span."""
    limit_ns = time.time_ns() - span_s * 1_000_000_000
    with database.reading() as tx:
        starts = ledger.run_times(tx)
        rows = ledger.journal_entries(tx, states=[MoveState.MOVED])
        return [_entry(database, row) for row in rows if starts[row.run_id] <= limit_ns]


def _move_batch(
    database: Database, run_id: int, checked: Sequence[Checked], folders: Mapping[str, str], first: int
) -> list[Moved | Refused]:
    """Carries out the checked moves of a batch: intent, moves, sync, result."""
    if not checked:
        return []
    planned = [_journal_values(database, answer, folders, first + index) for index, answer in enumerate(checked)]
    with database.writing(durable=True) as tx:
        ledger.journal_plan(tx, run_id, planned)
        rows = ledger.journal_entries(tx, run_id=run_id, states=[MoveState.PLANNED])
    entries = [_entry(database, row) for row in rows]
    for folder in sorted({entry.quarantine for entry in entries}):
        write_manifest(folder, (entry for entry in entries if entry.quarantine == folder))
    answers = [(entry, move_in(entry, answer)) for entry, answer in zip(entries, checked, strict=True)]
    _sync(entries)
    states = {entry.entry_id: _found_state(entry) if refused else MoveState.MOVED for entry, refused in answers}
    gone = [entry for entry in entries if states[entry.entry_id] is MoveState.MOVED]
    with database.writing(durable=True) as tx:
        ledger.journal_set(tx, states)
        ledger.forget_paths(tx, [(entry.root_id, entry.path) for entry in gone])
    return [refused or _told(entry, None) for entry, refused in answers]


def _journal_values(database: Database, checked: Checked, folders: Mapping[str, str], number: int) -> dict[str, Any]:
    """A checked move as a row of the journal."""
    member, keeper = checked.move.surplus.member, checked.move.keeper
    ending = os.path.splitext(member.path)[1]
    return {
        "kind": str(checked.move.surplus.kind),
        "root_id": member.root_id,
        "path": member.path,
        "quarantine": database.stored(folders[member.root]),
        "payload": f"{number:08d}{ending if ending.isascii() and len(ending) < 10 else ''}",
        "size": checked.stamp.size,
        "mtime_ns": checked.stamp.mtime_ns,
        "ctime_ns": checked.stamp.ctime_ns,
        "inode": checked.stamp.inode,
        "mode": checked.mode,
        "folder_mode": checked.folder_mode,
        "digest": member.digest,
        "keeper": database.stored(keeper.full_path),
        "keeper_digest": keeper.digest,
    }


def _entry(database: Database, row: Any) -> JournalEntry:
    """A row of the journal as a record, its stored paths made absolute."""
    return JournalEntry(
        entry_id=row.id,
        run_id=row.run_id,
        state=MoveState(row.state),
        kind=row.kind,
        root_id=row.root_id,
        root=database.absolute(row.root),
        path=row.path,
        quarantine=database.absolute(row.quarantine),
        payload=row.payload,
        stamp=Stamp(row.size, row.mtime_ns, row.ctime_ns, row.inode),
        mode=row.mode,
        folder_mode=row.folder_mode,
        digest=row.digest,
        keeper=database.absolute(row.keeper),
        keeper_digest=row.keeper_digest,
    )


def _write_states(database: Database, states: Mapping[int, MoveState]) -> None:
    with database.writing(durable=True) as tx:
        ledger.journal_set(tx, states)


def _write_returned(database: Database, answers: Sequence[tuple[JournalEntry, Stamp | Refused]]) -> None:
    """Writes down which files came back, and puts their rows in place."""
    now_ns = time.time_ns()
    with database.writing(durable=True) as tx:
        for entry, answer in answers:
            if isinstance(answer, Refused):
                ledger.journal_set(tx, {entry.entry_id: MoveState.MOVED})
                continue
            ledger.journal_set(tx, {entry.entry_id: MoveState.RESTORED})
            unsettled = is_unsettled(answer.mtime_ns, answer.ctime_ns, now_ns)
            ledger.remember_path(tx, entry, answer, unsettled=unsettled)


def _found_state(entry: JournalEntry) -> MoveState:
    """Where a half-done move stands, after its second name was removed if it had two.

    Nothing is concluded, and the state stays, while the root or the quarantine is not there: it may not be mounted.
    """
    if not (folder_exists(entry.root) and folder_exists(entry.quarantine)):
        return entry.state
    at_source, at_quarantine, one_file = places_taken(entry)
    if at_source and at_quarantine and entry.state is not MoveState.PURGING:
        if not one_file and digest_at(entry.root, entry.path) != entry.digest:
            return MoveState.MOVED
        drop_payload_name(entry)
        at_quarantine = False
    if at_quarantine:
        return MoveState.MOVED
    if entry.state is MoveState.PURGING:
        return MoveState.PURGED
    if at_source:
        return MoveState.ABORTED if entry.state is MoveState.PLANNED else MoveState.RESTORED
    return MoveState.MISSING


def _put_right(tx: Any, entry: JournalEntry, state: MoveState) -> None:
    """Makes the rows of files agree with where a move was found to stand."""
    if state is MoveState.MOVED and entry.state is MoveState.PLANNED:
        ledger.forget_paths(tx, [(entry.root_id, entry.path)])
    if state is MoveState.RESTORED:
        ledger.remember_path(tx, entry, entry.stamp, unsettled=True)


def _keeper_missing(database: Database, entry: JournalEntry) -> Refused | None:
    """Why a quarantined file must stay, None when a file on disk stands for it."""
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        copies = ledger.live_copies(tx, entry.keeper_digest)
    outside = [(bases[root_id], path) for root_id, path in copies if not is_quarantined(joined(bases[root_id], path))]
    if any(digest_at(root, path) == entry.keeper_digest for root, path in outside):
        return None
    return Refused(entry.full_path, "no indexed file stands for it any more: it may be the last copy")


def _sync(entries: Iterable[JournalEntry]) -> None:
    """Makes the moves of a batch survive a power failure."""
    folders = {entry.quarantine for entry in entries}
    folders |= {joined(entry.root, split(entry.path)[0]).rstrip("/") for entry in entries}
    for folder in sorted(folders):
        sync_folder(folder)


def _finished(database: Database, run_id: int | None, done: Sequence[Moved | Refused], started: float) -> MoveReport:
    """The report of a run, which is recorded as finished."""
    moved = tuple(answer for answer in done if isinstance(answer, Moved))
    refused = tuple(answer for answer in done if isinstance(answer, Refused))
    report = MoveReport(run_id, moved, refused, time.monotonic() - started)
    if run_id is not None:
        counts = {"moved": len(moved), "refused": len(refused), "bytes": report.bytes}
        with database.writing() as tx:
            ledger.finish_run(tx, run_id, time.time_ns(), counts)
    return report


def _told(entry: JournalEntry, answer: Stamp | Refused | None) -> Moved | Refused:
    return answer if isinstance(answer, Refused) else Moved(entry.full_path, entry.stamp.size)


def _batches(values: Sequence[Value]) -> Iterator[list[Value]]:
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch
