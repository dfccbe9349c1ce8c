"""The story of the way back: what a prune moved, linked and rewrote becomes what it was.

Deeds are taken back in the reverse order. What comes with a picture comes back with it, or stays with it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

from indexer import ledger, queries, rejects
from indexer.database import Database
from indexer.deeds import came_back, do_again, found_back, hindrance, take_back
from indexer.diff import is_unsettled
from indexer.errors import UsageError
from indexer.journal import (
    BATCH,
    batches,
    entry_of,
    finished,
    is_indexed,
    is_replacement,
    sync,
    told,
    write_states,
)
from indexer.manifest import manifests_at, read_manifest
from indexer.moves import JournalEntry, Moved, MoveReport, MoveState
from indexer.plans import Action, Refused
from indexer.quarantine import has_payload
from indexer.records import Stamp, Tick, no_progress
from indexer.recover import end_stranded, moved_again

Answer = tuple[JournalEntry, Stamp | Refused | None]
_STAYS = "it stays with its picture"
Others = Callable[[JournalEntry], Sequence[JournalEntry]]
"""Gives what else was done together with a file that took the place of another."""


def undo(database: Database, run_id: int | None = None, tick: Tick = no_progress) -> MoveReport:
    """Brings the files of a prune back to what and where they were.

    Args:
        database: Open for writing.
        run_id: The prune; None for the newest that can be taken back.
        tick: Told of progress.

    Raises:
        UsageError: When there is nothing to bring back.
    """
    started_s = time.monotonic()
    with database.writing() as tx:
        chosen = ledger.newest_run_with(tx, MoveState.MOVED) if run_id is None else run_id
        total = 0 if chosen is None else ledger.count_entries(tx, chosen, MoveState.MOVED)
        if chosen is None or not ledger.journal_entries(tx, run_id=chosen, states=[MoveState.MOVED], limit=1):
            raise UsageError("there is nothing to bring back", "imgindex history lists the runs")
        undo_id = ledger.start_run(tx, f"undo {chosen}", time.time_ns())
    done: list[Moved | Refused] = []
    refused: set[int] = set()
    tick("bring back", 0, total)
    for entries in _pages(database, chosen):
        write_states(database, dict.fromkeys((entry.entry_id for entry in entries), MoveState.RETURNING))
        taken = list(_taken_back(entries, refused, partial(_others, database)))
        sync(entries)
        answers = [(entry, _explained(database, entry, answer)) for entry, answer in taken]
        _write_returned(database, answers)
        done += _report(answers)
        tick("bring back", sum(entry.owner_id is None for entry in entries), total)
    end_stranded(database)
    return finished(database, undo_id, done, started_s)


def undo_from_manifest(path: str, tick: Tick = no_progress) -> MoveReport:
    """Brings files back by the manifests in a quarantine alone, without a database.

    Args:
        path: Absolute, of a manifest, its folder, or the quarantine that holds such folders.
        tick: Told of progress.

    Raises:
        UsageError: When there is no manifest.
        SafetyError: When one is damaged. Then nothing was moved.
    """
    started_s = time.monotonic()
    manifests = [read_manifest(folder) for folder in manifests_at(path)]
    done: list[Moved | Refused] = []
    total = sum(entry.owner_id is None for entries in manifests for entry in entries)
    tick("bring back", 0, total)
    for entries in manifests:
        refused: set[int] = set()
        deeds = _by_picture(entries)
        away = list(_away(entries))  # before the first is taken back, which could make others look as if they were
        for batch in batches(away):
            answers = list(_taken_back(batch, refused, partial(_others_in, deeds)))
            sync(batch)
            done += _report(answers)
            tick("bring back", sum(entry.owner_id is None for entry in batch), total)
    moved = tuple(answer for answer in done if isinstance(answer, Moved))
    left = tuple(answer for answer in done if isinstance(answer, Refused))
    return MoveReport(None, moved, left, time.monotonic() - started_s)


def _away(entries: Sequence[JournalEntry]) -> Iterator[JournalEntry]:
    """The entries that nobody took back yet, the latest first, so that pictures come before what comes with them."""
    back: set[int] = set()
    for entry in reversed(entries):
        if came_back(entry, back):
            back.add(entry.entry_id)
        else:
            yield entry


def _pages(database: Database, run_id: int) -> Iterator[list[JournalEntry]]:
    """The entries of a run that can be taken back, the latest first, a batch at a time, all of a picture's in one."""
    before = None
    while True:
        with database.reading() as tx:
            rows = ledger.journal_entries(tx, run_id=run_id, states=[MoveState.MOVED], before=before, limit=BATCH)
        if not rows:
            return
        last = rows[-1].owner_id or rows[-1].id
        whole = [row for row in rows if (row.owner_id or row.id) != last] if len(rows) == BATCH else []
        rows = whole or rows
        before = rows[-1].id
        yield [entry_of(database, row) for row in rows]


def _others(database: Database, entry: JournalEntry) -> list[JournalEntry]:
    with database.reading() as tx:
        rows = ledger.journal_entries(tx, run_id=entry.run_id, states=MoveState, owner_id=entry.owner_id)
    return [entry_of(database, row) for row in rows if row.id != entry.entry_id]


def _by_picture(entries: Iterable[JournalEntry]) -> dict[int, list[JournalEntry]]:
    """All that was done for each picture, by the id of its entry."""
    deeds: dict[int, list[JournalEntry]] = defaultdict(list)
    for entry in entries:
        deeds[entry.owner_id or entry.entry_id].append(entry)
    return deeds


def _others_in(deeds: Mapping[int, Sequence[JournalEntry]], entry: JournalEntry) -> list[JournalEntry]:
    return [one for one in deeds[entry.owner_id or entry.entry_id] if one.entry_id != entry.entry_id]


def _taken_back(entries: Iterable[JournalEntry], refused: set[int], others: Others) -> Iterator[Answer]:
    """Takes deeds back; what belongs to a picture that cannot come back stays, too.

    Args:
        entries: The latest first, so that pictures come before what comes with them.
        refused: Ids of pictures that did not come back; added to.
        others: As said there.
    """
    for _picture, deed in groupby(entries, key=lambda entry: entry.owner_id or entry.entry_id):
        answers = list(_one_by_one(deed, refused, others))
        yield from _whole(answers)


def _one_by_one(deed: Iterable[JournalEntry], refused: set[int], others: Others) -> Iterator[Answer]:
    for entry in deed:
        if {entry.owner_id, entry.entry_id} & refused:
            yield entry, Refused(entry.full_path, _STAYS)
            continue
        hindered = hindrance(entry, others(entry)) if is_replacement(entry) else None
        answer = found_back(entry) or hindered or take_back(entry)
        gone = entry.action is Action.RENAME and not has_payload(entry)  # then nothing is in the way of the rest
        if isinstance(answer, Refused) and not gone:
            # what a refused caption was merged into may be all that is left of it
            refused.add(entry.entry_id if entry.owner_id is None else entry.owner_id)
        yield entry, answer


def _explained(database: Database, entry: JournalEntry, answer: Stamp | Refused | None) -> Stamp | Refused | None:
    """The same answer; what another run moved into the quarantine since is not just missing."""
    run_id = moved_again(database, entry) if isinstance(answer, Refused) and entry.action is Action.RENAME else None
    if run_id is None:
        return answer
    return Refused(entry.full_path, f"it lies in the quarantine: undo run {run_id}, which moved it there, first")


def _whole(answers: Sequence[Answer]) -> Sequence[Answer]:
    """What became of an upgrade; when the better one went back and something else could not, all of it is done again."""
    went = any(is_replacement(entry) and not isinstance(answer, Refused) for entry, answer in answers)
    if not (went and any(isinstance(answer, Refused) for _entry, answer in answers)):
        return answers
    again = [(entry, _done_again(entry, answer)) for entry, answer in reversed(answers)]
    return again[::-1]


def _done_again(entry: JournalEntry, answer: Stamp | Refused | None) -> Stamp | Refused | None:
    moved = isinstance(answer, Stamp) and do_again(entry, answer)
    return Refused(entry.full_path, _STAYS) if moved else answer


def _write_returned(database: Database, answers: Sequence[Answer]) -> None:
    """Writes down which files came back, puts the rows of pictures in place, and takes back the marks of rejected ones."""
    now_ns = time.time_ns()
    with database.writing(durable=True) as tx:
        bases = database.bases(queries.roots(tx))
        for entry, answer in answers:
            if isinstance(answer, Refused):
                ledger.journal_set(tx, {entry.entry_id: MoveState.MOVED})
                continue
            ledger.journal_set(tx, {entry.entry_id: MoveState.RESTORED})
            unsettled = answer is not None and is_unsettled(answer.mtime_ns, answer.ctime_ns, now_ns)
            if is_indexed(entry) and answer is not None:
                ledger.remember_path(tx, entry, answer, unsettled=unsettled)
            if is_replacement(entry) and answer is not None:
                places, former = (entry.payload_path, entry.full_path), entry.extra.get("file_id")
                ledger.relocate_path(tx, bases, places, answer, unsettled=unsettled, file_id=former)
        rejects.release(tx, (entry for entry, answer in answers if not isinstance(answer, Refused)))


def _report(answers: Iterable[Answer]) -> Iterator[Moved | Refused]:
    """What became of pictures and texts, and of whatever did not come back."""
    for entry, answer in answers:
        if entry.owner_id is None or isinstance(answer, Refused):
            yield told(entry, answer)
