"""The story of what lies in the quarantine: what it is, and whether it is all there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from indexer import ledger
from indexer.database import Database
from indexer.journal import entry_of
from indexer.manifest import MANIFEST
from indexer.moves import JournalEntry, MoveState, Quarantined
from indexer.places import split
from indexer.plans import LINKS, Action, Refused
from indexer.quarantine import has_payload, lying_in, payload_digest
from indexer.records import Tick, no_progress
from indexer.scan import QUARANTINE
from indexer.text import printable

_MISSING = "is missing"
_OURS = (
    "is unknown to the journal: look at it and move it away, or, when the index is an older copy, bring it back with"
    " undo --from-manifest"
)
_NOT_OURS = "was put there by another index; undo --from-manifest brings it back"


def quarantined(database: Database, run_id: int | None = None) -> Iterator[Quarantined]:
    """What lies in the quarantine, the oldest first; of one run, or of all."""
    with database.reading() as tx:
        times = ledger.run_times(tx)
    for entry in _held(database, run_id):
        yield Quarantined(entry, times[entry.run_id])


def verify(database: Database, tick: Tick = no_progress) -> tuple[int, tuple[Refused, ...]]:
    """The number of files in the quarantine that were read, and what is wrong: altered, missing, and unknown files."""
    problems: list[Refused] = []
    entries = _held(database)
    tick("verify", 0, len(entries))
    for entry in entries:
        problem = _problem(entry)
        if problem:
            problems.append(_lost(entry, problem))
        tick("verify", 1, len(entries))
    return len(entries), (*problems, *_unknown(database, entries))


def presence(database: Database) -> tuple[int, tuple[Refused, ...]]:
    """The number of files that should lie in the quarantine, and which are missing or unknown; nothing is read."""
    entries = _held(database)
    gone = (_lost(entry, _MISSING) for entry in entries if not has_payload(entry))
    return len(entries), (*gone, *_unknown(database, entries))


def _problem(entry: JournalEntry) -> str:
    """What is wrong with a file in the quarantine, empty when nothing is."""
    try:
        return "" if payload_digest(entry) == entry.digest else "was altered"
    except FileNotFoundError:
        return _MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _lost(entry: JournalEntry, problem: str) -> Refused:
    """What is wrong with a file, which one it was, and what to do."""
    same = f"a copy of the kept file '{printable(entry.keeper)}'" if entry.keeper_digest == entry.digest else "a backup"
    was = f"it is what is left of '{printable(entry.full_path)}'"
    return Refused(entry.payload_path, f"{problem}; {was}, which undo brings back when {same} is put in its place")


def _held(database: Database, run_id: int | None = None) -> list[JournalEntry]:
    """The entries that have a file in the quarantine, the oldest first."""
    with database.reading() as tx:
        rows = ledger.journal_entries(tx, run_id=run_id, states=[MoveState.MOVED])
    entries = (entry_of(database, row) for row in reversed(rows) if row.action not in (*LINKS, Action.RENAME))
    return [entry for entry in entries if entry.digest]  # a text that did not exist before has no former version


def _unknown(database: Database, entries: Sequence[JournalEntry]) -> Iterable[Refused]:
    """Files in the quarantines of this index that its journal does not know."""
    known = {entry.payload_path for entry in entries}
    with database.reading() as tx:
        folders = {database.absolute(stored) for stored in ledger.quarantine_folders(tx)}
    for place in sorted({split(folder)[0] for folder in folders}):
        if split(place)[1] != QUARANTINE:
            continue
        for path in lying_in(place):
            if path not in known and split(path)[1] != MANIFEST:
                mine = split(path)[0] in folders
                yield Refused(path, _OURS if mine else _NOT_OURS)
