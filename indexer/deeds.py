"""Does what the journal says, takes it back, and finds out how far an interrupted run came: one way for each action."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import chain

from indexer.filesystem import folder_exists
from indexer.links import found_link, link, link_back
from indexer.moves import Deed, JournalEntry, MoveState
from indexer.plans import LINKS, Action, Refused
from indexer.quarantine import (
    delete_payload,
    digest_at,
    drop_payload_name,
    has_payload,
    move_back,
    move_in,
    move_in_sidecar,
    payload_digest,
    places_taken,
    stamp_at,
)
from indexer.records import Stamp
from indexer.rewrites import found_rewrite, rewrite, rewrite_back


def do(deed: Deed) -> Refused | None:
    """Does all that is to be done for a surplus file, or, when one part of it is refused, nothing.

    The picture comes last: what comes before it is taken back when it cannot be moved.
    """
    done: list[JournalEntry] = []
    for entry, answer in chain(_merged(deed), _moved_sidecars(deed), _moved_picture(deed)):
        if answer is not None:
            for earlier in reversed(done):
                take_back(earlier)
            return Refused(deed.picture.full_path, _reason(deed, entry, answer))
        done.append(entry)
    return None


def _merged(deed: Deed) -> Iterable[tuple[JournalEntry, Refused | None]]:
    for entry, merge in zip(deed.merges, deed.checked.move.merges, strict=True):
        yield entry, rewrite(entry, merge.data)


def _moved_sidecars(deed: Deed) -> Iterable[tuple[JournalEntry, Refused | None]]:
    for entry, sidecar in zip(deed.sidecars, deed.checked.move.sidecars, strict=True):
        yield entry, move_in_sidecar(entry, sidecar.shared)


def _moved_picture(deed: Deed) -> Iterable[tuple[JournalEntry, Refused | None]]:
    act = link if deed.picture.action in LINKS else move_in
    yield deed.picture, act(deed.picture, deed.checked)


def _reason(deed: Deed, entry: JournalEntry, answer: Refused) -> str:
    return answer.reason if entry is deed.picture else f"'{entry.path}': {answer.reason}"


def take_back(entry: JournalEntry) -> Stamp | Refused | None:
    """Brings a file back to what and where it was: its stamp there for pictures and sidecars, None for texts."""
    if entry.action is Action.REWRITE:
        return rewrite_back(entry)
    return link_back(entry) if entry.action in LINKS else move_back(entry)


def found_state(entry: JournalEntry) -> MoveState:
    """Where a half-done deed stands, after what it left behind was removed.

    Nothing is concluded, and the state stays, while the folder of the file or the quarantine is not there: it may not be
    mounted.
    """
    if not (folder_exists(entry.root) and folder_exists(entry.quarantine)):
        return entry.state
    if entry.state is MoveState.PURGING or entry.action is Action.QUARANTINE:
        return _found_move(entry)
    return found_rewrite(entry) if entry.action is Action.REWRITE else found_link(entry)


def _found_move(entry: JournalEntry) -> MoveState:
    at_source, at_quarantine, one_file = places_taken(entry)
    if at_source and at_quarantine and entry.state is not MoveState.PURGING:
        if not one_file and not _both_hold_it(entry):
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


def _both_hold_it(entry: JournalEntry) -> bool:
    """True when the file at the old place and the one in quarantine hold the journalled bytes: one is a copy to spare."""
    try:
        return digest_at(entry.root, entry.path) == payload_digest(entry) == entry.digest
    except OSError:
        return False


def found_back(entry: JournalEntry) -> Stamp | None:
    """The stamp of a quarantined file that somebody else brought back already; None when nobody did."""
    if entry.action is not Action.QUARANTINE or has_payload(entry):
        return None
    return stamp_at(entry.root, entry.path) if digest_at(entry.root, entry.path) == entry.digest else None


def is_former(entry: JournalEntry, back: Container[int]) -> bool:
    """True for a text that an earlier undo made what it was.

    Args:
        entry: Of any file.
        back: Ids of the entries whose files are back: a text that was made for the sake of one of them was removed then,
            and what lies there now is somebody's.
    """
    if entry.action is not Action.REWRITE:
        return False
    if not entry.digest:
        return entry.owner_id in back
    return not has_payload(entry) and digest_at(entry.root, entry.path) == entry.digest


def delete(entry: JournalEntry) -> Refused | None:
    """DELETES for good what lies in the quarantine for an entry; None when it is gone. Only `purge` calls this."""
    if entry.action is Action.REWRITE and not entry.digest:
        return None  # the text did not exist before: there is no former version
    return delete_payload(entry)
