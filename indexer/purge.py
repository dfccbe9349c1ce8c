"""The story of the end: quarantined files are DELETED for good, the oldest first, while a keeper stands for each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from indexer import ledger, queries
from indexer.database import Database
from indexer.deeds import delete
from indexer.journal import batches, entry_of, finished, started, sync, told, write_states
from indexer.moves import JournalEntry, Moved, MoveReport, MoveState
from indexer.places import joined
from indexer.plans import LINKS, Action, Refused
from indexer.quarantine import digest_at, is_payload, is_quarantined
from indexer.records import Tick, no_progress


def purge(
    database: Database, older_than_s: int, keep_bytes: int = 0, *, dry_run: bool, tick: Tick = no_progress
) -> MoveReport:
    """DELETES for good the quarantined files of prunes older than a span, when a keeper still stands for them.

    Sidecars and former versions of captions go with their picture.

    Args:
        database: Open for writing.
        older_than_s: Seconds since the prune began.
        keep_bytes: Stop when no more than these are left in the quarantine.
        dry_run: Only tell what would be deleted.
        tick: Told of progress.
    """
    started_s = time.monotonic()
    deeds = list(_due(database, older_than_s, keep_bytes))
    run_id = started(database, "purge") if deeds and not dry_run else None
    done: list[Moved | Refused] = []
    tick("purge", 0, len(deeds))
    for batch in batches(deeds):
        refusals = [_keeper_missing(database, entries[0]) for entries in batch]
        sound = [entries for entries, refused in zip(batch, refusals, strict=True) if refused is None]
        done += [refused for refused in refusals if refused]
        done += _told(sound) if dry_run else _deleted(database, sound)
        tick("purge", len(batch), len(deeds))
    return finished(database, run_id, done, started_s)


def _told(deeds: Iterable[tuple[JournalEntry, ...]]) -> Iterator[Moved | Refused]:
    return (told(entries[0], None, len(entries) - 1) for entries in deeds)


def _due(database: Database, span_s: int, keep_bytes: int) -> Iterator[tuple[JournalEntry, ...]]:
    """What may go, the oldest first: each picture or text with the entries that belong to it behind it."""
    limit_ns = time.time_ns() - span_s * 1_000_000_000
    with database.reading() as tx:
        starts = ledger.run_times(tx)
        rows = [row for row in ledger.journal_entries(tx, states=[MoveState.MOVED]) if row.action not in LINKS]
        entries = [entry_of(database, row) for row in reversed(rows)]
    companions: dict[int, list[JournalEntry]] = {}
    for entry in entries:
        if entry.owner_id is not None:
            companions.setdefault(entry.owner_id, []).append(entry)
    left = sum(entry.stamp.size for entry in entries)
    for entry in entries:
        if entry.owner_id is None and starts[entry.run_id] <= limit_ns and (not keep_bytes or left > keep_bytes):
            deed = (entry, *companions.get(entry.entry_id, ()))
            left -= sum(one.stamp.size for one in deed)
            yield deed


def _keeper_missing(database: Database, entry: JournalEntry) -> Refused | None:
    """Why a quarantined file must stay, None when a file on disk stands for it."""
    if entry.action is Action.REWRITE:
        newer = digest_at(entry.root, entry.path) is not None
        return None if newer else Refused(entry.full_path, "the text is gone: its former version may be the last one")
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        copies = ledger.live_copies(tx, entry.keeper_digest)
        led_to = database.stored(entry.full_path) in ledger.linked_keepers(tx)
    if led_to:
        return Refused(
            entry.full_path, "symbolic links lead to it: undo the run that made them, or the one that moved it"
        )
    outside = [(bases[root_id], path) for root_id, path in copies if not is_quarantined(joined(bases[root_id], path))]
    standing = ((root, path) for root, path in outside if not is_payload(entry, root, path))
    if any(digest_at(root, path) == entry.keeper_digest for root, path in standing):
        return None
    return Refused(entry.full_path, "no indexed file stands for it any more: it may be the last copy")


def _deleted(database: Database, deeds: Iterable[tuple[JournalEntry, ...]]) -> Iterator[Moved | Refused]:
    """Deletes files with what belongs to them: intent, deletion, sync, result."""
    chosen = list(deeds)
    entries = [entry for deed in chosen for entry in deed]
    write_states(database, dict.fromkeys((entry.entry_id for entry in entries), MoveState.PURGING))
    answers: dict[int, Refused | None] = {}
    for first, *others in chosen:
        answers[first.entry_id] = refused = delete(first)
        answers |= {other.entry_id: refused or delete(other) for other in others}  # what stays keeps what belongs to it
    sync(entries)
    write_states(database, {key: MoveState.MOVED if refused else MoveState.PURGED for key, refused in answers.items()})
    for first, *others in chosen:
        yield told(first, answers[first.entry_id], len(others))
        if answers[first.entry_id] is None:
            yield from (refused for other in others if (refused := answers[other.entry_id]))
