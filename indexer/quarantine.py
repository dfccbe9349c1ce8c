"""Moves files into the quarantine and back, and never overwrites or follows anything on the way.

The index proposes, the disk decides: a file is moved only after it and its keeper were opened, found to be two regular
files, and read to the end; and what was moved is checked to be what was read.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import uuid
from collections.abc import Iterable

from indexer.errors import SafetyError
from indexer.filesystem import chunks, digest_of, open_regular, opened_folder, stamp_from
from indexer.groups import Kind, Member
from indexer.moves import Checked, JournalEntry, Move, Refused
from indexer.places import split
from indexer.records import Stamp
from indexer.scan import QUARANTINE
from indexer.text import printable
from indexer.transfer import digest_in, drop_partial, stamp_in, transfer, write_all

MANIFEST = "manifest.jsonl"
_PRIVATE = 0o700


def quarantine_for(root: str, given: str | None) -> str:
    """The folder that a root's surplus goes into: beside the root, where no training script looks for classes.

    Args:
        root: Absolute path.
        given: A folder named by the user, in which the quarantine for every root is then made.

    Inside the root when its parent lies on another file system or cannot be written to. Its name is always the same, so
    that it can never be indexed, wherever it lies.

    Raises:
        SafetyError: When the root is missing.
    """
    if given is not None:
        return given if os.path.basename(given) == QUARANTINE else os.path.join(given, QUARANTINE)
    parent = os.path.dirname(root)
    try:
        beside = os.stat(parent).st_dev == os.stat(root).st_dev and os.access(parent, os.W_OK | os.X_OK)
    except OSError as error:
        raise SafetyError(f"'{printable(root)}' is missing: nothing was moved", "mount it, then try again") from error
    return os.path.join(parent if beside and parent != root else root, QUARANTINE)


def is_quarantined(path: str) -> bool:
    """True for a path at or below a quarantine.

    >>> is_quarantined("/data/.imgindex-quarantine/1/2.jpg"), is_quarantined("/data/1.jpg")
    (True, False)
    """
    return QUARANTINE in path.split("/")


def make_batch_folder(quarantine: str) -> str:
    """A new folder in a quarantine, for the files of one run; only its owner may look inside.

    Raises:
        SafetyError: When it cannot be made; then nothing is moved.
    """
    folder = os.path.join(quarantine, uuid.uuid4().hex)
    try:
        os.makedirs(quarantine, _PRIVATE, exist_ok=True)
        os.mkdir(folder, _PRIVATE)
        sync_folder(quarantine)
    except OSError as error:
        raise SafetyError(
            f"no quarantine can be made in '{printable(quarantine)}': {error.strerror}",
            "name a folder that can be written to: --quarantine FOLDER",
        ) from error
    return folder


def check(move: Move) -> Checked | Refused:
    """Opens, reads and compares a surplus file and its keeper; both must be what the plan says.

    The answer is `Refused` when either is missing, a link, no regular file, or holds other bytes than planned, or when
    both are one file.
    """
    surplus, keeper = move.surplus.member, move.keeper
    with contextlib.ExitStack() as stack:
        try:
            folder_mode, surplus_file, surplus_status = _opened(stack, surplus)
        except OSError as error:
            return Refused(surplus.full_path, _reason(error, "it"))
        try:
            _folder_mode, keeper_file, keeper_status = _opened(stack, keeper)
        except OSError as error:
            return Refused(surplus.full_path, _reason(error, f"its keeper '{printable(keeper.full_path)}'"))
        if os.path.samestat(surplus_status, keeper_status):
            return Refused(surplus.full_path, "it and its keeper are two names of one file")
        try:
            problem = _comparison(move, surplus_file, keeper_file)
        except OSError as error:
            return Refused(surplus.full_path, _reason(error, "it or its keeper"))
        stamps = stamp_from(os.fstat(surplus_file)), stamp_from(os.fstat(keeper_file))
        if not problem and stamps != (stamp_from(surplus_status), stamp_from(keeper_status)):
            problem = "it or its keeper changed while they were compared"
        if problem:
            return Refused(surplus.full_path, problem)
        return Checked(move, *stamps, stat.S_IMODE(surplus_status.st_mode), folder_mode)


def write_manifest(folder: str, entries: Iterable[JournalEntry]) -> None:
    """Appends to a batch folder's manifest what `undo` needs to know without the database; on disk when it returns."""
    lines = "".join(json.dumps(_manifest_line(entry)) + "\n" for entry in entries)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    manifest = os.open(os.path.join(folder, MANIFEST), flags, 0o600)
    try:
        write_all(manifest, lines.encode("ascii"))
        os.fsync(manifest)
    finally:
        os.close(manifest)
    sync_folder(folder)


def move_in(entry: JournalEntry, checked: Checked) -> Refused | None:
    """Moves a checked file into the quarantine; None when it is there.

    When its stamp or its keeper's is another by now, both are compared anew. A file that is no longer the one that was
    compared stays, or is moved back.
    """
    parent, name = split(entry.path)
    try:
        with opened_folder(entry.root, parent) as source, opened_folder(entry.quarantine, "") as target:
            if not _still_as_checked(checked, source, name):
                again = check(checked.move)
                if isinstance(again, Refused):
                    return again
                checked = again
            renamed = transfer(source, name, target, entry.payload, entry)
            if renamed and not _same_but_ctime(stamp_in(target, entry.payload), checked.stamp):
                transfer(target, entry.payload, source, name, entry)
                return Refused(entry.full_path, "another file took its place at the last moment")
    except OSError as error:
        return Refused(entry.full_path, f"cannot be moved: {error.strerror or error}")
    return None


def _still_as_checked(checked: Checked, source: int, name: str) -> bool:
    """True when the stamps of a file and its keeper are those they had when they were compared."""
    keeper = checked.move.keeper
    parent, keeper_name = split(keeper.path)
    with opened_folder(keeper.root, parent) as folder:
        return (stamp_in(source, name), stamp_in(folder, keeper_name)) == (checked.stamp, checked.keeper_stamp)


def move_back(entry: JournalEntry) -> Stamp | Refused:
    """Moves a quarantined file back to where it was; its stamp there when it succeeded.

    A file that was altered in the quarantine, or whose place is taken, stays in the quarantine.
    """
    parent, name = split(entry.path)
    try:
        if payload_digest(entry) != entry.digest:
            return Refused(entry.full_path, f"'{printable(entry.payload_path)}' was altered in the quarantine")
        if not os.path.isdir(entry.root):
            return Refused(entry.full_path, f"the folder '{printable(entry.root)}' is missing")
        _make_folders(entry.root, parent, entry.folder_mode)
        with opened_folder(entry.quarantine, "") as source, opened_folder(entry.root, parent) as target:
            transfer(source, entry.payload, target, name, entry)
            return stamp_in(target, name)
    except FileExistsError:
        return Refused(entry.full_path, f"another file lies there now; it stays at '{printable(entry.payload_path)}'")
    except FileNotFoundError:
        return Refused(entry.full_path, f"'{printable(entry.payload_path)}' is missing from the quarantine")
    except OSError as error:
        return Refused(entry.full_path, f"cannot be moved back: {error.strerror or error}")


def delete_payload(entry: JournalEntry) -> Refused | None:
    """DELETES a quarantined file for good, after checking that it is the file that was moved there.

    Only `purge` calls this.
    """
    try:
        if payload_digest(entry) != entry.digest:
            return Refused(entry.full_path, f"'{printable(entry.payload_path)}' was altered in the quarantine")
        drop_payload_name(entry)
    except OSError as error:
        return Refused(entry.full_path, f"cannot be deleted: {error.strerror or error}")
    return None


def payload_digest(entry: JournalEntry) -> bytes:
    """The SHA-256 of a quarantined file.

    Raises:
        OSError: When it is missing, no regular file or cannot be read.
    """
    with opened_folder(entry.quarantine, "") as folder:
        return digest_in(folder, entry.payload)


def digest_at(root: str, path: str) -> bytes | None:
    """The SHA-256 of a file of a root, None when there is no regular file that can be read."""
    parent, name = split(path)
    try:
        with opened_folder(root, parent) as folder:
            return digest_in(folder, name)
    except OSError:
        return None


def places_taken(entry: JournalEntry) -> tuple[bool, bool, bool]:
    """Whether a file lies at the old place of a journalled move, whether one is in quarantine, and whether they are one.

    For `recover`, after which no half-moved file and no half-written copy is left.
    """
    parent, name = split(entry.path)
    source = quarantined = None
    with contextlib.suppress(OSError), opened_folder(entry.root, parent) as folder:
        source = _regular(folder, name)
        drop_partial(folder, entry)
    with contextlib.suppress(OSError), opened_folder(entry.quarantine, "") as folder:
        quarantined = _regular(folder, entry.payload)
        drop_partial(folder, entry)
    one = bool(source and quarantined and os.path.samestat(source, quarantined))
    return source is not None, quarantined is not None, one


def drop_payload_name(entry: JournalEntry) -> None:
    """REMOVES a file from the quarantine.

    `purge` calls this for a file that it checked, `recover` for one that has its old name too: a half-made move.
    """
    with opened_folder(entry.quarantine, "") as folder:
        os.unlink(entry.payload, dir_fd=folder)


def sync_folder(path: str) -> None:
    """Makes what was renamed in a folder survive a power failure.

    A folder that is gone, or that cannot be opened any more, had nothing renamed in it.
    """
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _opened(stack: contextlib.ExitStack, member: Member) -> tuple[int, int, os.stat_result]:
    """The permission bits of a member's folder, and the member's file, opened for as long as the stack lives."""
    parent, name = split(member.path)
    folder = stack.enter_context(opened_folder(member.root, parent))
    descriptor, status = open_regular(name, folder)
    stack.callback(os.close, descriptor)
    return stat.S_IMODE(os.fstat(folder).st_mode), descriptor, status


def _comparison(move: Move, surplus: int, keeper: int) -> str:
    """What is wrong with a surplus file or its keeper, empty when both hold the planned bytes."""
    if move.surplus.kind is Kind.BYTES and not _equal_bytes(surplus, keeper):
        return "it and its keeper no longer have the same bytes"
    if digest_of(chunks(surplus)) != move.surplus.member.digest:
        return "it changed since it was indexed"
    if move.surplus.kind is not Kind.BYTES and digest_of(chunks(keeper)) != move.keeper.digest:
        return "its keeper changed since it was indexed"
    return ""


def _equal_bytes(left: int, right: int) -> bool:
    lefts, rights = chunks(left), chunks(right)
    return all(ours == next(rights, b"") for ours in lefts) and next(rights, b"") == b""


def _same_but_ctime(left: Stamp, right: Stamp) -> bool:
    """True when two stamps are of one file before and after a rename, which changes ctime alone."""
    return (left.size, left.mtime_ns, left.inode) == (right.size, right.mtime_ns, right.inode)


def _regular(folder: int, name: str) -> os.stat_result | None:
    with contextlib.suppress(FileNotFoundError):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return status if stat.S_ISREG(status.st_mode) else None
    return None


def _make_folders(root: str, relative: str, mode: int) -> None:
    """Makes the folders of a path below a root that are missing, the last one with the permissions it had."""
    if not relative:
        return
    parent, name = split(relative)
    _make_folders(root, parent, 0o777)
    with opened_folder(root, parent) as folder, contextlib.suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=folder)
        os.chmod(name, mode, dir_fd=folder)


def _manifest_line(entry: JournalEntry) -> dict[str, object]:
    """A journal entry for the manifest; bytes of paths that are not UTF-8 stand as lone surrogates."""
    return {
        "payload": entry.payload,
        "path": entry.full_path,
        "digest": entry.digest.hex(),
        "size": entry.stamp.size,
        "mtime_ns": entry.stamp.mtime_ns,
        "mode": entry.mode,
        "kind": entry.kind,
        "keeper": entry.keeper,
        "keeper_digest": entry.keeper_digest.hex(),
    }


def _reason(error: OSError, whose: str) -> str:
    """Why a file cannot be vouched for."""
    reasons = {
        errno.ENOENT: f"{whose} is gone",
        errno.ELOOP: f"{whose} is a symbolic link",
        errno.ENOTDIR: f"{whose} lies behind a symbolic link",
        errno.EINVAL: f"{whose} is no regular file",
    }
    return reasons.get(error.errno or 0, f"{whose} cannot be read: {error.strerror or error}")
