"""Does what the journal says, takes it back, and finds out how far an interrupted run came: one way for each action."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from itertools import chain

from indexer.filesystem import folder_exists, is_there
from indexer.links import found_link, is_own_file, link, link_back
from indexer.moves import Deed, Done, JournalEntry, MoveState
from indexer.plans import LINKS, MOVES, Action, Refused
from indexer.quarantine import (
    delete_payload,
    digest_at,
    drop_payload_name,
    has_payload,
    move_as_planned,
    move_back,
    move_in,
    payload_altered,
    payload_digest,
    places_taken,
    put_back,
    stamp_at,
)
from indexer.records import Stamp
from indexer.rewrites import found_rewrite, rewrite, rewrite_back
from indexer.text import printable


def do(deed: Deed) -> Done:
    """Does all that is to be done for a surplus file, or, when one part of it is refused, nothing.

    The picture comes last, but for what takes its place: what comes before is taken back when one cannot be moved.
    """
    done: list[JournalEntry] = []
    for entry, answer in chain(_merged(deed), _moved_sidecars(deed), _moved_picture(deed), _renamed(deed)):
        state = state_after(entry, answer)
        if answer is not None and not _is_done(entry, state):
            states = dict.fromkeys((one.entry_id for one in deed.entries), MoveState.ABORTED)
            states |= {earlier.entry_id: _taken_back(earlier) for earlier in reversed(done)} | {entry.entry_id: state}
            return Done(Refused(deed.picture.full_path, _reason(deed, entry, answer)), states)
        done.append(entry)
    states = dict.fromkeys((one.entry_id for one in deed.entries), MoveState.MOVED)
    for entry, sidecar in zip(deed.sidecars, deed.checked.move.sidecars, strict=True):
        if sidecar.shared:  # it stays while another of its pictures is there
            states[entry.entry_id] = found_state(entry)
    return Done(None, states)


def _is_done(entry: JournalEntry, state: MoveState) -> bool:
    """True for a deed that was done, though the system reported an error: what lies in quarantine is the file itself."""
    return state is MoveState.MOVED and not (entry.action in MOVES and _is_another(entry))


def state_after(entry: JournalEntry, answer: Refused | None) -> MoveState:
    """Where a planned deed stands by what came of it; the disk is asked when the system reported an error."""
    if answer is None:
        return MoveState.MOVED
    return found_state(entry) if answer.unsure else MoveState.ABORTED


def _taken_back(entry: JournalEntry) -> MoveState:
    """Where a deed stands after it was taken back as the picture that it was done for stays."""
    return found_state(entry) if isinstance(take_back(entry), Refused) else MoveState.ABORTED


def _merged(deed: Deed) -> Iterable[tuple[JournalEntry, Refused | None]]:
    for entry, merge in zip(deed.merges, deed.checked.move.merges, strict=True):
        yield entry, rewrite(entry, merge.data)


def _moved_sidecars(deed: Deed) -> Iterable[tuple[JournalEntry, Refused | None]]:
    for entry, sidecar in zip(deed.sidecars, deed.checked.move.sidecars, strict=True):
        yield entry, move_as_planned(entry, sidecar.shared)


def _moved_picture(deed: Deed) -> Iterable[tuple[JournalEntry, Refused | None]]:
    act = link if deed.picture.action in LINKS else move_in
    yield deed.picture, act(deed.picture, deed.checked)


def _renamed(deed: Deed) -> Iterable[tuple[JournalEntry, Refused | None]]:
    return ((entry, move_as_planned(entry, ())) for entry in deed.renames)


def _reason(deed: Deed, entry: JournalEntry, answer: Refused) -> str:
    return answer.reason if entry is deed.picture else f"'{entry.path}': {answer.reason}"


def take_back(entry: JournalEntry) -> Stamp | Refused | None:
    """Brings a file back to what and where it was: its stamp there for pictures and sidecars, None for texts."""
    back = rewrite_back if entry.action is Action.REWRITE else link_back if entry.action in LINKS else move_back
    answer = back(entry)
    if isinstance(answer, Refused) and answer.unsure:
        state = found_state(replace(entry, state=MoveState.RETURNING))
        if state is MoveState.RESTORED:
            return None if entry.action is Action.REWRITE else stamp_at(entry.root, entry.path)
    return answer


def do_again(entry: JournalEntry, stamp: Stamp) -> bool:
    """True when a file that was brought back could be moved once more to where it was moved before.

    Args:
        entry: Of a file that was moved, not replaced.
        stamp: What it has since it came back.
    """
    return move_as_planned(replace(entry, stamp=stamp), ()) is None


def found_state(entry: JournalEntry) -> MoveState:
    """Where a half-done deed stands, after what it left behind was removed.

    Nothing is concluded, and the state stays, while the folder of the file or the quarantine is not there: it may not be
    mounted.
    """
    if not (folder_exists(entry.root) and folder_exists(entry.quarantine)):
        return entry.state
    if entry.state is MoveState.PURGING or entry.action in MOVES:
        return _found_move(entry)
    if entry.action is Action.RENAME:
        return _found_rename(entry)
    return found_rewrite(entry) if entry.action is Action.REWRITE else found_link(entry)


def _found_move(entry: JournalEntry) -> MoveState:
    at_source, at_quarantine, one_file = places_taken(entry)
    if at_source and at_quarantine and entry.state is not MoveState.PURGING:
        if not one_file and not _both_hold_it(entry):
            return MoveState.MOVED
        drop_payload_name(entry)
        at_quarantine = False
    if at_quarantine:
        swapped = entry.state is MoveState.PLANNED and _is_another(entry)
        return MoveState.ABORTED if swapped and put_back(entry) else MoveState.MOVED
    if entry.state is MoveState.PURGING:
        return MoveState.PURGED
    if at_source:
        return MoveState.ABORTED if entry.state is MoveState.PLANNED else MoveState.RESTORED
    return MoveState.MISSING


def _found_rename(entry: JournalEntry) -> MoveState:
    """As `_found_move`; what lies at the new place may be somebody else's, or what was to make way for it."""
    at_source, at_target, one_file = places_taken(entry)
    moved = at_target and not _is_another(entry)
    if moved and not (at_source and (one_file or _both_hold_it(entry))):
        return MoveState.MOVED
    if moved:
        drop_payload_name(entry)
    if not at_source:
        return MoveState.MISSING
    return MoveState.ABORTED if entry.state is MoveState.PLANNED else MoveState.RESTORED


def _is_another(entry: JournalEntry) -> bool:
    """True when another file was moved in the place of the one that was compared, and nobody had looked at it yet."""
    try:
        return payload_digest(entry) != entry.digest
    except OSError:
        return False


def _both_hold_it(entry: JournalEntry) -> bool:
    """True when the file at the old place and the one in quarantine hold the journalled bytes: one is a copy to spare."""
    try:
        return digest_at(entry.root, entry.path) == payload_digest(entry) == entry.digest
    except OSError:
        return False


def found_back(entry: JournalEntry) -> Stamp | None:
    """The stamp of a quarantined file that somebody else brought back already; None when nobody did."""
    if entry.action not in {*MOVES, Action.RENAME} or _lies_there(entry):
        return None
    return stamp_at(entry.root, entry.path) if digest_at(entry.root, entry.path) == entry.digest else None


def _lies_there(entry: JournalEntry) -> bool:
    """True when a moved file is where it was moved to; at a new place in the data set, another may be by now."""
    return has_payload(entry) and not (entry.action is Action.RENAME and _is_another(entry))


def hindrance(entry: JournalEntry, others: Iterable[JournalEntry]) -> Refused | None:
    """Why a file that took the place of another cannot go back with all that was moved for its sake; None when it can.

    Args:
        entry: Of the file.
        others: Of what was moved for its sake, and of the one whose place it took.
    """
    known = [entry, *others]
    making_way = {one.payload_path for one in known if one.action is Action.RENAME}
    for one in known[1:]:
        if one.state in {MoveState.PURGED, MoveState.PURGING, MoveState.MISSING}:
            return Refused(entry.full_path, f"'{printable(one.full_path)}', which it replaced, is no longer there")
        if one.state in {MoveState.RESTORED, MoveState.ABORTED}:
            continue
        if not has_payload(one) or _is_another(one):
            return Refused(entry.full_path, f"'{printable(one.payload_path)}' was altered, or is missing")
        if is_there(one.full_path) and one.full_path not in making_way:
            return Refused(entry.full_path, f"another file lies at '{printable(one.full_path)}' now")
    return None


def _is_former(entry: JournalEntry, back: Container[int]) -> bool:
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


def came_back(entry: JournalEntry, back: Container[int]) -> bool:
    """True when somebody else took a deed back, as an undo by the manifests alone does; False when nobody can tell.

    Args:
        entry: Of any file.
        back: Ids of the entries of pictures that came back.
    """
    if not folder_exists(entry.quarantine):
        return False
    if entry.action in LINKS:
        return is_own_file(entry)
    return found_back(entry) is not None or _is_former(entry, back)


def altered(entry: JournalEntry) -> Refused | None:
    """Why what lies in the quarantine for an entry is not what was put there; None when it is."""
    return payload_altered(entry) if _has_former(entry) else None


def delete(entry: JournalEntry) -> Refused | None:
    """DELETES for good what lies in the quarantine for an entry; None when it is gone. Only `purge` calls this."""
    return delete_payload(entry) if _has_former(entry) else None


def _has_former(entry: JournalEntry) -> bool:
    """False for a text that did not exist before, and for a file that has another place: nothing lies in the quarantine."""
    return entry.action is not Action.RENAME and (entry.action is not Action.REWRITE or bool(entry.digest))
