"""Replaces a file by a link to another with the same bytes, and takes it back by writing those bytes anew.

The link is made under a name of its own and then takes the file's place in one step.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any

from indexer.confirm import confirm_pair, keeper_is_the_same, still_as_confirmed
from indexer.filesystem import chunks, clone, exchange, open_regular, opened_folder, rename_no_replace, stamp_from
from indexer.moves import Checked, JournalEntry, MoveState
from indexer.places import split
from indexer.plans import Action, Refused
from indexer.quarantine import digest_at
from indexer.records import Stamp
from indexer.text import printable
from indexer.transfer import (
    digest_if_there,
    digest_in,
    dress,
    drop_partial,
    is_beginning,
    partial_name,
    stamp_in,
    swap_in,
    write_new,
)


def link_details(action: Action, checked: Checked) -> dict[str, Any]:
    """What it takes to bring a file back that a link replaced, besides its bytes; for the journal."""
    surplus, keeper = checked.move.surplus.member, checked.move.keeper
    attributes = {name: value.hex() for name, value in checked.surplus.attributes.items()}
    details: dict[str, Any] = {"owner": [*checked.surplus.owner], "attributes": attributes}
    if action is Action.SYMLINK:
        details["target"] = os.path.relpath(keeper.full_path, split(surplus.full_path)[0])
    if action is Action.HARD:
        details["inode"] = checked.keeper.stamp.inode
    return details


def link(entry: JournalEntry, checked: Checked) -> Refused | None:
    """Replaces a confirmed file by a link to its keeper; None when it is done."""
    parent, name = split(entry.path)
    try:
        with opened_folder(entry.root, parent) as folder:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if status.st_mtime_ns != stamp_from(status).mtime_ns:
                return Refused(entry.full_path, "its modification time lies too far off for undo to give it back")
            if not still_as_confirmed(checked, folder, name):
                again = confirm_pair(checked.move)
                if isinstance(again, Refused):
                    return again
                checked = again
            try:
                _MAKERS[entry.action](entry, checked, folder)
                swap_in(
                    folder,
                    partial_name(entry),
                    name,
                    checked.surplus.stamp,
                    lambda old: _still_copies(entry, checked, folder, old),
                )
            except BaseException:
                _settle_link(entry, folder, name)
                raise
    except OSError as error:
        return Refused(entry.full_path, f"cannot be replaced by a link: {error.strerror or error}", unsure=True)
    return None


def _still_copies(entry: JournalEntry, checked: Checked, folder: int, old: str) -> bool:
    """True when a file that is about to be removed, and its keeper, still hold the bytes that were compared.

    They are read: a write that puts size and modification time back shows in nothing else.
    """
    keeper = checked.move.keeper
    try:
        spare = digest_in(folder, old)
    except OSError:
        return False
    return keeper_is_the_same(checked) and spare == digest_at(keeper.root, keeper.path) == entry.digest


def _hard(entry: JournalEntry, checked: Checked, folder: int) -> None:
    parent, name = split(checked.move.keeper.path)
    with opened_folder(checked.move.keeper.root, parent) as source:
        os.link(name, partial_name(entry), src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
    if stamp_in(folder, partial_name(entry)).inode != checked.keeper.stamp.inode:
        drop_partial(folder, entry)
        raise OSError(f"another file took the place of '{printable(checked.move.keeper.full_path)}'")


def _symbolic(entry: JournalEntry, _checked: Checked, folder: int) -> None:
    os.symlink(entry.extra["target"], partial_name(entry), dir_fd=folder)


def _shared(entry: JournalEntry, checked: Checked, folder: int) -> None:
    parent, name = split(checked.move.keeper.path)
    with opened_folder(checked.move.keeper.root, parent) as source:
        descriptor, _status = open_regular(name, source)
    try:

        def filled(copy: int) -> None:
            clone(descriptor, copy)
            _dress(copy, entry)

        write_new(folder, partial_name(entry), (), filled)
    finally:
        os.close(descriptor)
    if digest_in(folder, partial_name(entry)) != entry.digest:
        drop_partial(folder, entry)
        raise OSError("the kept file changed at the last moment")


_MAKERS: dict[Action, Callable[[JournalEntry, Checked, int], None]] = {
    Action.HARD: _hard,
    Action.SYMLINK: _symbolic,
    Action.REFLINK: _shared,
}


def link_back(entry: JournalEntry) -> Stamp | Refused:
    """Puts a file of its own in the place of a link, with the bytes, permissions and times that it had; its stamp.

    The bytes are those that the link leads to; when they are no longer what they were, the link stays.
    """
    parent, name = split(entry.path)
    try:
        with opened_folder(entry.root, parent) as folder:
            place = _place(folder, name)
            if not _is_ours(entry, folder, name, place):
                return Refused(entry.full_path, "what lies there is no longer the link that was made")
            source = _open_source(entry, folder, name, place)
            try:
                write_new(folder, partial_name(entry), chunks(source), lambda copy: _dress(copy, entry))
            finally:
                os.close(source)
            try:
                if digest_in(folder, partial_name(entry)) != entry.digest:
                    drop_partial(folder, entry)
                    return Refused(entry.full_path, f"'{printable(entry.keeper)}' no longer holds its bytes")
                if place is None:
                    rename_no_replace(folder, partial_name(entry), folder, name)
                else:
                    swap_in(folder, partial_name(entry), name, stamp_from(place))
            except BaseException:
                _settle_copy(entry, folder, name)
                raise
            return stamp_in(folder, name)
    except OSError as error:
        reason = f"cannot be made a file of its own again: {error.strerror or error}"
        return Refused(entry.full_path, reason, unsure=True)


def is_own_file(entry: JournalEntry) -> bool:
    """True when a file of its own, with the bytes that it had, lies where a link was made; False when nobody can tell."""
    parent, name = split(entry.path)
    try:
        with opened_folder(entry.root, parent) as folder:
            place = _place(folder, name)
            if entry.action is Action.REFLINK or place is None or not stat.S_ISREG(place.st_mode):
                return False
            alone = place.st_nlink == 1 or entry.action is Action.SYMLINK
            return alone and not _is_link(entry, folder, name, place) and digest_in(folder, name) == entry.digest
    except OSError:
        return False


def found_link(entry: JournalEntry) -> MoveState:
    """Where a half-done link, or its undoing, stands, after what it left behind was removed."""
    parent, name = split(entry.path)
    try:
        with opened_folder(entry.root, parent) as folder:
            if entry.state is MoveState.RETURNING:
                return _settle_copy(entry, folder, name)
            return _settle_link(entry, folder, name)
    except OSError:
        return MoveState.MISSING


def _settle_link(entry: JournalEntry, folder: int, name: str) -> MoveState:
    """Brings the making of a link to an end: it replaced the very file that was compared, or it goes.

    Under the temporary name lies the link before it takes the file's place, then the file, or what a stranger had put
    there: that gets its name back.
    """
    place, spare = _place(folder, name), _place(folder, partial_name(entry))
    linked = _is_made(entry, folder, name, place) and _leads_to_the_bytes(entry, folder, name)
    if spare is None:
        return MoveState.MOVED if linked else MoveState.MISSING if place is None else MoveState.ABORTED
    file = _inode(spare) == entry.stamp.inode
    if file and linked and digest_if_there(folder, partial_name(entry)) == entry.digest:
        drop_partial(folder, entry)
        return MoveState.MOVED
    if not file and _is_made(entry, folder, partial_name(entry), spare):
        drop_partial(folder, entry)
        return MoveState.MISSING if place is None else MoveState.ABORTED
    if place is None and file:
        rename_no_replace(folder, partial_name(entry), folder, name)
    elif place is not None and _is_made(entry, folder, name, place):
        exchange(folder, partial_name(entry), name)
        drop_partial(folder, entry)
    return MoveState.ABORTED  # where a stranger has the place, the file stays under its temporary name


def _settle_copy(entry: JournalEntry, folder: int, name: str) -> MoveState:
    """Brings the undoing of a link to an end: a file of its own replaced the very link, or it goes.

    Under the temporary name lies the new file before it takes the link's place, then the link, or what a stranger had put
    there: that gets its name back.
    """
    place, spare = _place(folder, name), _place(folder, partial_name(entry))
    back = (
        place is not None and not _is_link(entry, folder, name, place) and digest_if_there(folder, name) == entry.digest
    )
    if back and spare is not None and not _is_spare(entry, folder, name, spare):
        exchange(folder, partial_name(entry), name)
        back = False
    drop_partial(folder, entry)
    return MoveState.RESTORED if back else MoveState.MOVED


def _is_spare(entry: JournalEntry, folder: int, name: str, spare: os.stat_result) -> bool:
    """True for a link that made way for a file of its own, or for a copy of the file, complete or not."""
    partial = partial_name(entry)
    if stat.S_ISREG(spare.st_mode):
        return is_beginning(folder, partial, name)
    return _is_link(entry, folder, partial, spare)


def _is_made(entry: JournalEntry, folder: int, name: str, status: os.stat_result | None) -> bool:
    """True for a link of the kind that a deed makes, wherever it lies; for blocks that are shared, also before they are."""
    if status is None or entry.action is Action.SYMLINK:
        return status is not None and _is_link(entry, folder, name, status)
    if entry.action is Action.HARD:
        return bool(_inode(status) == entry.extra["inode"])
    fresh = stat.S_ISREG(status.st_mode) and _inode(status) != entry.stamp.inode
    return fresh and (status.st_size == 0 or digest_if_there(folder, name) == entry.digest)


def _leads_to_the_bytes(entry: JournalEntry, folder: int, name: str) -> bool:
    if entry.action is Action.SYMLINK:
        keeper_folder, keeper = split(entry.keeper)
        return digest_at(keeper_folder or "/", keeper) == entry.digest
    return digest_if_there(folder, name) == entry.digest


def _is_ours(entry: JournalEntry, folder: int, name: str, place: os.stat_result | None) -> bool:
    """True for the link that was made, or for its place when it is free."""
    if place is None:
        return True
    if stat.S_ISLNK(place.st_mode):
        return entry.action is Action.SYMLINK and os.readlink(name, dir_fd=folder) == entry.extra["target"]
    if entry.action is Action.HARD and place.st_nlink > 1 and _inode(place) != entry.extra["inode"]:
        return False  # somebody else linked another file here
    regular = stat.S_ISREG(place.st_mode)
    return regular and entry.action is not Action.SYMLINK and digest_in(folder, name) == entry.digest


def _is_link(entry: JournalEntry, folder: int, name: str, place: os.stat_result) -> bool:
    """True while a link has not yet made way for a file of its own."""
    if entry.action is Action.HARD:
        return bool(_inode(place) == entry.extra["inode"])
    return stat.S_ISLNK(place.st_mode) and _is_ours(entry, folder, name, place)


def _open_source(entry: JournalEntry, folder: int, name: str, place: os.stat_result | None) -> int:
    """A descriptor of the file whose bytes a link leads to."""
    if place is not None and stat.S_ISREG(place.st_mode):
        return open_regular(name, folder)[0]
    keeper_folder, keeper = split(entry.keeper)
    with opened_folder(keeper_folder or "/", "") as source:
        return open_regular(keeper, source)[0]


def _dress(copy: int, entry: JournalEntry) -> None:
    """Gives a copy what the file had."""
    attributes = {name: bytes.fromhex(value) for name, value in entry.extra["attributes"].items()}
    uid, gid = entry.extra["owner"]
    dress(copy, mode=entry.mode, owner=(uid, gid), mtime_ns=entry.stamp.mtime_ns, attributes=attributes)


def _place(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _inode(status: os.stat_result) -> int:
    return stamp_from(status).inode
