"""Gives a text file a new version, whose former one lies in the quarantine, and takes it back.

The former version is copied and verified before the new one takes its place in one step, so a crash leaves the one or the
other, and nothing that somebody else wrote meanwhile is lost.
"""

from __future__ import annotations

import contextlib
import os
import stat

from indexer.filesystem import open_regular, opened_folder, rename_no_replace, stamp_from
from indexer.moves import JournalEntry, MoveState
from indexer.places import split
from indexer.plans import Refused
from indexer.quarantine import digest_at, drop_payload_name, make_folders, payload_digest, stamp_at
from indexer.text import printable
from indexer.transfer import (
    copy_verified,
    digest_in,
    dress,
    drop_partial,
    partial_name,
    settle_swap,
    stamp_in,
    swap_in,
    write_new,
)

NEW_MODE = 0o644
"""Permissions of a text that did not exist before."""


def rewrite(entry: JournalEntry, data: bytes) -> Refused | None:
    """Puts a new version in the place of a text; None when it is there.

    Args:
        entry: Its entry in the journal; the digest is that of the former version, empty when there is none.
        data: The new version.
    """
    try:
        if entry.digest:
            _replace(entry, data)
        else:
            _make(entry, data)
    except FileExistsError as error:
        return Refused(entry.full_path, f"cannot be written: {error.strerror}")
    except OSError as error:
        return Refused(entry.full_path, f"cannot be written: {error.strerror or error}", unsure=True)
    return None


def _replace(entry: JournalEntry, data: bytes) -> None:
    parent, name = split(entry.path)
    with opened_folder(entry.root, parent) as folder, opened_folder(entry.quarantine, "") as quarantine:
        descriptor, status = open_regular(name, folder)
        try:
            copy_verified(descriptor, quarantine, partial_name(entry), entry.digest)
        finally:
            os.close(descriptor)
        rename_no_replace(quarantine, partial_name(entry), quarantine, entry.payload)
        os.fsync(quarantine)
        _write(folder, entry, data, status)
        swap_in(
            folder, partial_name(entry), name, stamp_from(status)
        )  # what a failure leaves, `found_rewrite` sorts out


def _make(entry: JournalEntry, data: bytes) -> None:
    parent, name = split(entry.path)
    make_folders(entry.root, parent, entry.folder_mode)
    with opened_folder(entry.root, parent) as folder:
        write_new(folder, partial_name(entry), [data], lambda descriptor: os.fchmod(descriptor, NEW_MODE))
        try:
            rename_no_replace(folder, partial_name(entry), folder, name)
        except BaseException:
            drop_partial(folder, entry)
            raise


def _write(folder: int, entry: JournalEntry, data: bytes, like: os.stat_result) -> None:
    """The new version under a name of its own, with the permissions and the owner of the former one."""
    owner = like.st_uid, like.st_gid

    def dressed(descriptor: int) -> None:
        now_ns = os.fstat(descriptor).st_mtime_ns
        dress(descriptor, mode=stat.S_IMODE(like.st_mode), owner=owner, mtime_ns=now_ns, attributes={})

    write_new(folder, partial_name(entry), [data], dressed)


def rewrite_back(entry: JournalEntry) -> Refused | None:
    """Puts the former version of a text back, or REMOVES the text that did not exist before; None when that is done.

    A text that was changed since stays as it is; one that is gone comes back.
    """
    try:
        if stamp_at(entry.root, entry.path) is not None:
            return _go_back(entry)
        if entry.digest:
            _come_back(entry)
    except OSError as error:
        return Refused(entry.full_path, f"cannot be brought back: {error.strerror or error}", unsure=True)
    return None


def _come_back(entry: JournalEntry) -> None:
    """Gives a text that is gone its former version."""
    parent, name = split(entry.path)
    make_folders(entry.root, parent, entry.folder_mode)
    with opened_folder(entry.root, parent) as folder:
        _copy_former(entry, folder)
        try:
            rename_no_replace(folder, partial_name(entry), folder, name)
        except BaseException:
            drop_partial(folder, entry)
            raise
        os.fsync(folder)
    drop_payload_name(entry)


def _go_back(entry: JournalEntry) -> Refused | None:
    """Puts the former version in the place of the new one, or REMOVES the text that did not exist before."""
    parent, name = split(entry.path)
    with opened_folder(entry.root, parent) as folder:
        now, digest = stamp_in(folder, name), digest_in(folder, name)
        if digest == entry.digest:  # an earlier try, or one without the database, came so far
            with contextlib.suppress(FileNotFoundError):
                drop_payload_name(entry)
            return None
        if digest != _after(entry):
            where = f"; its former version stays at '{printable(entry.payload_path)}'" if entry.digest else ""
            return Refused(entry.full_path, f"it was changed since{where}")
        if not entry.digest:
            os.unlink(name, dir_fd=folder)
            return None
        _copy_former(entry, folder)
        try:
            swap_in(folder, partial_name(entry), name, now)
        except BaseException:
            settle_swap(folder, entry, name, new=entry.digest, old=_after(entry))
            raise
        os.fsync(folder)
    drop_payload_name(entry)
    return None


def _copy_former(entry: JournalEntry, folder: int) -> None:
    """The former version under a name of its own in the folder of the text."""
    with opened_folder(entry.quarantine, "") as quarantine:
        payload, _status = open_regular(entry.payload, quarantine)
        try:
            copy_verified(payload, folder, partial_name(entry), entry.digest)
        finally:
            os.close(payload)


def found_rewrite(entry: JournalEntry) -> MoveState:
    """Where a half-done rewrite stands, after what it left behind was removed.

    A text that says what the new version says is ours only when the new version no longer waits for its place, and the
    former one was put aside: else somebody else wrote it.
    """
    parent, name = split(entry.path)
    back, waiting = entry.state is MoveState.RETURNING, False
    new, old = (entry.digest, _after(entry)) if back else (_after(entry), entry.digest)
    with contextlib.suppress(OSError), opened_folder(entry.root, parent) as folder:
        waiting = settle_swap(folder, entry, name, new=new, old=old)
    with contextlib.suppress(OSError), opened_folder(entry.quarantine, "") as quarantine:
        drop_partial(quarantine, entry)
    now, aside = digest_at(entry.root, entry.path), bool(entry.digest) and _has_payload(entry)
    if now == _after(entry) and (back or (not waiting and aside == bool(entry.digest))):
        return MoveState.MOVED
    if aside and now not in {_after(entry), entry.digest} and (back or now is not None):
        return MoveState.MOVED  # it is gone, or somebody else wrote to it since: the former version is worth keeping
    if aside and now is not None:
        drop_payload_name(entry)
    if back and entry.digest and now is None:
        return MoveState.MISSING
    return MoveState.RESTORED if back else MoveState.ABORTED


def _after(entry: JournalEntry) -> bytes:
    """The digest of the new version."""
    return bytes.fromhex(entry.extra["after"])


def _has_payload(entry: JournalEntry) -> bool:
    try:
        return payload_digest(entry) == entry.digest
    except OSError:
        return False
