"""The story of the files that are due: workers read them, and what that gives is stored, with what it brought."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from indexer import arrivals, matches, store
from indexer.batches import due_batches
from indexer.database import Database
from indexer.executors import Executor, outcomes
from indexer.places import Place, joined
from indexer.records import Fingerprinted, IndexRequest, NotPicture, Outcome, Tick, Unreadable

STORE_OUTCOMES = 8_000
STORE_SECONDS = 0.5
"""Results are committed at either: what a killed run loses."""


@dataclass(slots=True)
class Read:
    """What reading files has met so far."""

    run_id: int
    recipe_id: int
    first_new: int
    """Files with this id or a larger one were found by this run."""
    bases: Mapping[int, str]
    """The absolute path of each root."""
    whole: bool
    """False when only listed files were looked at; what else is due is read too, but not counted as new."""
    due: dict[int, store.DueFile] = field(default_factory=dict)
    """Files handed out and not stored yet."""
    new: int = 0
    changed: int = 0
    moved: int = 0
    """Counts against files that were taken for moved ones, and have other bytes."""
    reread: int = 0
    decoded: int = 0
    others: int = 0
    unreadable: list[tuple[store.DueFile, str]] = field(default_factory=list)


def read_due(
    database: Database, places: list[Place], reading: Read, executor: Executor, request: IndexRequest, tick: Tick
) -> None:
    """Reads every file that is due and stores what that gives, about twice a second.

    Args:
        database: Open for writing.
        places: Where to look for files that are due.
        reading: Filled with what is met.
        executor: Where they are read.
        request: What the run was asked to do.
        tick: Told of progress.
    """
    with database.reading() as tx:
        total = store.count_due(tx, places)
    if not total:
        return
    waiting: list[Outcome] = []
    stored_at = time.monotonic()
    tick("read", 0, total)
    for found in outcomes(executor, due_batches(database, places, request, reading.recipe_id, reading.due)):
        waiting.extend(found)
        tick("read", len(found), total)
        if len(waiting) >= STORE_OUTCOMES or time.monotonic() - stored_at >= STORE_SECONDS:
            _store(database, reading, waiting)
            stored_at = time.monotonic()
    _store(database, reading, waiting)


def _store(database: Database, reading: Read, waiting: list[Outcome]) -> None:
    """Stores and empties a list of outcomes; the files that hold something new to them arrive in the same moment."""
    arrived = [outcome for outcome in waiting if _arrives(reading.due[outcome.file_id], outcome)]
    rows = [_arrival(database, reading, outcome) for outcome in arrived]
    with database.writing() as tx:
        newest = matches.newest_content(tx)
        store.keep_outcomes(tx, waiting, reading.recipe_id)
        arrivals.note(tx, reading.run_id, rows, newest)
    for outcome in waiting:
        _count(reading, reading.due.pop(outcome.file_id), outcome)
    waiting.clear()


def _digest(outcome: Outcome) -> bytes | None:
    """Of the bytes that were read, None when there are none, or they are no picture's."""
    return None if isinstance(outcome, NotPicture) else outcome.digest


def _arrives(due: store.DueFile, outcome: Outcome) -> bool:
    """True when a file holds something that it did not hold before."""
    return not isinstance(outcome, NotPicture) and (due.never_read or _digest(outcome) != due.digest)


def _arrival(database: Database, reading: Read, outcome: Outcome) -> arrivals.Arrived:
    due = reading.due[outcome.file_id]
    path = database.stored(joined(reading.bases[due.root_id], due.path))
    size = due.size if outcome.reading is None else outcome.reading.stamp.size
    return arrivals.Arrived(due.file_id, path, size, _digest(outcome))


def _count(reading: Read, due: store.DueFile, outcome: Outcome) -> None:
    reading.decoded += isinstance(outcome, Fingerprinted)
    if isinstance(outcome, Unreadable):
        reading.unreadable.append((due, outcome.reason))
    if isinstance(outcome, NotPicture):
        reading.others += 1
        reading.new -= due.file_id >= reading.first_new
    elif not _arrives(due, outcome):
        reading.reread += 1
    elif due.never_read:
        reading.new += reading.whole and due.file_id < reading.first_new
    else:
        reading.changed += 1
        reading.moved -= due.file_id >= reading.first_new
