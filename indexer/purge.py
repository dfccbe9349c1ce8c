"""The story of the end: quarantined files are DELETED for good, the oldest first, while a keeper stands for each.

What went as rejected, or as returned, goes without one, as it is meant to go; its content stays known.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from indexer import ledger, queries, rejects
from indexer.database import Database
from indexer.deeds import altered, delete
from indexer.journal import BATCH, entry_of, finished, started, sync, told, write_states
from indexer.moves import JournalEntry, Moved, MoveReport, MoveState
from indexer.needed import away_by_name, is_sidecar, sidecar_needed
from indexer.places import joined
from indexer.plans import LINKS, Action, Refused
from indexer.quarantine import digest_at, is_payload, is_quarantined
from indexer.records import Tick, no_progress
from indexer.recover import end_stranded
from indexer.sidecars import Finder

Entries = tuple[JournalEntry, ...]
"""A picture, or a text that belongs to none, and what belongs to it; or a sidecar that other pictures may want."""


def purge(
    database: Database, older_than_s: int, keep_bytes: int = 0, *, dry_run: bool, tick: Tick = no_progress
) -> MoveReport:
    """DELETES for good the quarantined files of prunes older than a span, when a keeper still stands for them.

    Sidecars and former versions of captions go with their picture; those of annotation files stay while a picture does
    that an undo may bring back, and sidecars while another picture that they belong to stands, or may be brought back.

    Args:
        database: Open for writing.
        older_than_s: Seconds since the prune began.
        keep_bytes: Stop when no more than these are left in the quarantine. What has to stay is left, too.
        dry_run: Only tell what would be deleted.
        tick: Told of progress.
    """
    started_s = time.monotonic()
    gone: set[int] = set()
    waiting, left, needed = _old(database, older_than_s)
    lacked = partial(needed, gone=gone)
    limit, total = keep_bytes or -1, len(waiting)  # without a limit, what takes no space goes, too
    run_id = started(database, "purge") if waiting and left > limit and not dry_run else None
    done: list[Moved | Refused] = []
    pictures_stay = False
    tick("purge", 0, total)
    while waiting and left > limit:
        deeds = _next(waiting, left - limit)
        problems = _problems(database, deeds, lacked, pictures_stay=pictures_stay)
        sound = [deed for deed in deeds if deed[0].entry_id not in problems]
        answers = problems | (_examined(sound) if dry_run else _deleted(database, sound))
        pictures_stay |= any(
            answers[first.entry_id] and first.action is not Action.REWRITE for first, *_others in deeds
        )
        gone.update(first.entry_id for first, *_others in deeds if answers[first.entry_id] is None)
        left -= sum(entry.stamp.size for deed in sound for entry in deed if answers[entry.entry_id] is None)
        done += (answer for deed in deeds for answer in _report(deed, answers))
        tick("purge", len(deeds), total)
    if not dry_run:
        end_stranded(database)
    return finished(database, run_id, done, started_s)


def _old(database: Database, span_s: int) -> tuple[deque[Entries], int, Callable[..., Refused | None]]:
    """What is old enough to go, the oldest first, the bytes of all that the quarantine holds, and what tells who must stay.

    Each picture or text has the entries that belong to it behind it. Sidecars that other pictures may want come last.
    """
    limit_ns = time.time_ns() - span_s * 1_000_000_000
    with database.reading() as tx:
        starts = ledger.run_times(tx)
        moved = [entry_of(database, row) for row in reversed(ledger.journal_entries(tx, states=[MoveState.MOVED]))]
        purged = ledger.in_state(tx, {one.owner_id for one in moved if one.owner_id is not None}, MoveState.PURGED)
    needed = partial(sidecar_needed, finder=Finder(), away=away_by_name(moved))
    entries = [entry for entry in moved if entry.action not in (*LINKS, Action.RENAME)]
    old = [entry for entry in entries if starts[entry.run_id] <= limit_ns]
    companions: dict[int, list[JournalEntry]] = {}
    alone: list[Entries] = []
    for entry in old:
        if is_sidecar(entry) and (entry.owner_id in purged or needed(entry, gone={entry.owner_id})):
            alone.append((entry,))
        elif entry.owner_id is not None:
            companions.setdefault(entry.owner_id, []).append(entry)
    deeds = ((entry, *companions.get(entry.entry_id, ())) for entry in old if entry.owner_id is None)
    return deque([*deeds, *alone]), sum(entry.stamp.size for entry in entries), needed


def _next(waiting: deque[Entries], surplus: int) -> list[Entries]:
    """The oldest of what waits, taken from it: pictures or texts, a batch at most, until they free enough bytes."""
    deeds: list[Entries] = []
    while waiting and len(deeds) < BATCH and surplus > 0:
        if deeds and _sort(deeds[0]) != _sort(waiting[0]):  # whether pictures stay decides on texts, and on sidecars
            break
        deeds.append(waiting.popleft())
        surplus -= sum(entry.stamp.size for entry in deeds[-1])
    return deeds


def _sort(deed: Entries) -> tuple[Action, bool]:
    """What is judged together."""
    return deed[0].action, is_sidecar(deed[0])


def _problems(
    database: Database,
    deeds: Iterable[Entries],
    needed: Callable[[JournalEntry], Refused | None],
    *,
    pictures_stay: bool,
) -> dict[int, Refused | None]:
    """Why quarantined files must stay, by the id of those that must."""
    problems = {}
    for first, *_others in deeds:
        if first.action is Action.REWRITE:
            problem = _text_needed(first, pictures_stay=pictures_stay)
        elif is_sidecar(first):
            problem = needed(first)
        else:
            problem = _keeper_missing(database, first)
        problems[first.entry_id] = problem
    return {key: problem for key, problem in problems.items() if problem}


def _text_needed(entry: JournalEntry, *, pictures_stay: bool) -> Refused | None:
    """Why the former version of a text must stay, None when the text is there and nobody will want its rows back."""
    if digest_at(entry.root, entry.path) is None:
        return Refused(entry.full_path, "the text is gone: its former version may be the last one")
    if pictures_stay:
        return Refused(entry.full_path, "pictures stay in the quarantine: an undo may need it for their rows")
    return None


def _keeper_missing(database: Database, entry: JournalEntry) -> Refused | None:
    """Why a quarantined picture must stay, None when a file on disk stands for it, or it went as rejected and still is."""
    standing_for = entry.keeper_digest or entry.digest
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        copies = ledger.live_copies(tx, standing_for)
        marked = rejects.marked(tx, [bytes.fromhex(entry.extra.get("shows", "")), entry.digest])
        led_to = database.stored(entry.full_path) in ledger.linked_keepers(tx)
    if led_to:
        return Refused(
            entry.full_path, "symbolic links lead to it: undo the run that made them, or the one that moved it"
        )
    if marked and entry.action is Action.REJECT:  # a mark that came later says nothing about what others went for
        return None
    outside = [(bases[root_id], path) for root_id, path in copies if not is_quarantined(joined(bases[root_id], path))]
    standing = ((root, path) for root, path in outside if not is_payload(entry, root, path))
    if any(digest_at(root, path) == standing_for for root, path in standing):
        return None
    way_out = f"; rejected since: undo run {entry.run_id}, then imgindex prune --returned" if marked else ""
    return Refused(entry.full_path, f"no indexed file stands for it any more: it may be the last copy{way_out}")


def _examined(deeds: Iterable[Entries]) -> dict[int, Refused | None]:
    """What became of each entry if it were deleted."""
    return _answers(deeds, altered)


def _deleted(database: Database, deeds: Sequence[Entries]) -> dict[int, Refused | None]:
    """Deletes files with what belongs to them, and what became of each: intent, deletion, sync, result."""
    entries = [entry for deed in deeds for entry in deed]
    write_states(database, dict.fromkeys((entry.entry_id for entry in entries), MoveState.PURGING))
    answers = _answers(deeds, delete)
    sync(entries)
    states = {key: MoveState.MOVED if refused else MoveState.PURGED for key, refused in answers.items()}
    with database.writing(durable=True) as tx:
        ledger.journal_set(tx, states)
        ledger.end_renames(tx)
    return answers


def _answers(deeds: Iterable[Entries], act: Callable[[JournalEntry], Refused | None]) -> dict[int, Refused | None]:
    answers: dict[int, Refused | None] = {}
    for first, *others in deeds:
        answers[first.entry_id] = refused = act(first)
        answers |= {other.entry_id: refused or act(other) for other in others}  # what stays keeps what belongs to it
    return answers


def _report(deed: Sequence[JournalEntry], answers: Mapping[int, Refused | None]) -> Iterator[Moved | Refused]:
    """What became of a picture or text, and of what belongs to it when that stayed alone."""
    first, *others = deed
    yield told(first, answers[first.entry_id], len(others))
    if answers[first.entry_id] is None:
        yield from (refused for other in others if (refused := answers[other.entry_id]))
