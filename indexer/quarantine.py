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
from indexer.filesystem import chunks, digest_of, open_regular, opened_folder, rename_no_replace, stamp_from
from indexer.moves import Checked, JournalEntry, Kind, Member, Move, Refused
from indexer.places import split
from indexer.records import Stamp
from indexer.scan import QUARANTINE
from indexer.text import printable

MANIFEST = "manifest.jsonl"
_PRIVATE = 0o700


def quarantine_for(root: str, given: str | None) -> str:
    """The folder that a root's surplus goes into: beside the root, where no training script looks for classes.

    Args:
        root: Absolute path.
        given: A folder named by the user, which is then used for every root.

    Inside the root when its parent lies on another file system or cannot be written to.
    """
    if given is not None:
        return given
    parent = os.path.dirname(root)
    beside = os.stat(parent).st_dev == os.stat(root).st_dev and os.access(parent, os.W_OK | os.X_OK)
    return os.path.join(parent if beside and parent != root else root, QUARANTINE)


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
        _write_all(manifest, lines.encode("ascii"))
        os.fsync(manifest)
    finally:
        os.close(manifest)
    sync_folder(folder)


def move_in(entry: JournalEntry, checked: Checked) -> Refused | None:
    """Moves a checked file into the quarantine; None when it is there.

    A file that is no longer the one that was checked, or whose keeper is not, stays or is moved back.
    """
    keeper = checked.move.keeper
    parent, name = split(entry.path)
    try:
        with opened_folder(entry.root, parent) as source, opened_folder(entry.quarantine, "") as target:
            with opened_folder(keeper.root, split(keeper.path)[0]) as keeper_folder:
                if _stamp(keeper_folder, split(keeper.path)[1]) != checked.keeper_stamp:
                    return Refused(entry.full_path, "its keeper changed since they were compared")
            if _stamp(source, name) != checked.stamp:
                return Refused(entry.full_path, "it changed since it was compared with its keeper")
            renamed = _transfer(source, name, target, entry.payload, entry)
            if renamed and not _same_but_ctime(_stamp(target, entry.payload), checked.stamp):
                _transfer(target, entry.payload, source, name, entry)
                return Refused(entry.full_path, "another file took its place at the last moment")
    except OSError as error:
        return Refused(entry.full_path, f"cannot be moved: {error.strerror or error}")
    return None


def move_back(entry: JournalEntry) -> Stamp | Refused:
    """Moves a quarantined file back to where it was; its stamp there when it succeeded.

    A file that was altered in the quarantine, or whose place is taken, stays in the quarantine.
    """
    parent, name = split(entry.path)
    try:
        if payload_digest(entry) != entry.digest:
            return Refused(entry.full_path, f"'{printable(entry.payload_path)}' was altered in the quarantine")
        _make_folders(entry.root, parent, entry.folder_mode)
        with opened_folder(entry.quarantine, "") as source, opened_folder(entry.root, parent) as target:
            _transfer(source, entry.payload, target, name, entry)
            return _stamp(target, name)
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
        os.unlink(entry.payload_path)
    except OSError as error:
        return Refused(entry.full_path, f"cannot be deleted: {error.strerror or error}")
    return None


def payload_digest(entry: JournalEntry) -> bytes:
    """The SHA-256 of a quarantined file.

    Raises:
        OSError: When it is missing, no regular file or cannot be read.
    """
    with opened_folder(entry.quarantine, "") as folder:
        return _digest(folder, entry.payload)


def digest_at(root: str, path: str) -> bytes | None:
    """The SHA-256 of a file of a root, None when there is no regular file that can be read."""
    parent, name = split(path)
    try:
        with opened_folder(root, parent) as folder:
            return _digest(folder, name)
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
        _drop_partial(folder, entry)
    with contextlib.suppress(OSError), opened_folder(entry.quarantine, "") as folder:
        quarantined = _regular(folder, entry.payload)
        _drop_partial(folder, entry)
    one = bool(source and quarantined and os.path.samestat(source, quarantined))
    return source is not None, quarantined is not None, one


def drop_second_name(entry: JournalEntry) -> None:
    """Removes the quarantine's name of a file that also has its old name: a move that was interrupted half-way."""
    os.unlink(entry.payload_path)


def sync_folder(path: str) -> None:
    """Makes what was renamed in a folder survive a power failure; a folder that is gone needs nothing."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
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


def _stamp(folder: int, name: str) -> Stamp:
    return stamp_from(os.stat(name, dir_fd=folder, follow_symlinks=False))


def _same_but_ctime(left: Stamp, right: Stamp) -> bool:
    """True when two stamps are of one file before and after a rename, which changes ctime alone."""
    return (left.size, left.mtime_ns, left.inode) == (right.size, right.mtime_ns, right.inode)


def _regular(folder: int, name: str) -> os.stat_result | None:
    with contextlib.suppress(FileNotFoundError):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return status if stat.S_ISREG(status.st_mode) else None
    return None


def _digest(folder: int, name: str) -> bytes:
    descriptor, _status = open_regular(name, folder)
    try:
        return digest_of(chunks(descriptor))
    finally:
        os.close(descriptor)


def _transfer(source: int, name: str, target: int, new_name: str, entry: JournalEntry) -> bool:
    """Moves a file from folder to folder; True when by renaming, else by a verified copy and the removal of the source."""
    try:
        rename_no_replace(source, name, target, new_name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_over(source, name, target, new_name, entry)
        return False
    return True


def _copy_over(source: int, name: str, target: int, new_name: str, entry: JournalEntry) -> None:
    """Copies a file to another file system, checks the copy, and only then REMOVES the source.

    Raises:
        OSError: When anything fails; the source is then where it was, and no copy is left.
    """
    partial = _partial_name(entry)
    descriptor, status = open_regular(name, source)
    try:
        _copy_data(descriptor, status, target, partial)
        if _digest(target, partial) != entry.digest:
            raise OSError(errno.EIO, "the copy differs from its source")
        rename_no_replace(target, partial, target, new_name)
        os.fsync(target)
        if stamp_from(os.fstat(descriptor)) != stamp_from(status) or _stamp(source, name) != stamp_from(status):
            os.unlink(new_name, dir_fd=target)
            raise OSError(errno.EBUSY, "the file changed while it was copied")
        os.unlink(name, dir_fd=source)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial, dir_fd=target)
        raise
    finally:
        os.close(descriptor)


def _copy_data(descriptor: int, status: os.stat_result, target: int, name: str) -> None:
    """Writes a new file with the bytes, permissions, times and extended attributes of an open one; on disk when done."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    copy = os.open(name, flags, 0o600, dir_fd=target)
    try:
        for chunk in chunks(descriptor):
            _write_all(copy, chunk)
        if hasattr(os, "listxattr"):
            for attribute in os.listxattr(descriptor):
                os.setxattr(copy, attribute, os.getxattr(descriptor, attribute))
        with contextlib.suppress(PermissionError):
            os.fchown(copy, status.st_uid, status.st_gid)
        os.fchmod(copy, stat.S_IMODE(status.st_mode))
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(copy)
    finally:
        os.close(copy)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _partial_name(entry: JournalEntry) -> str:
    """What a copy is called until it is complete: no picture's name, and known to `recover`."""
    return f".imgindex-{entry.payload}.part"


def _drop_partial(folder: int, entry: JournalEntry) -> None:
    """Removes what an interrupted copy left behind."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_partial_name(entry), dir_fd=folder)


def _make_folders(root: str, relative: str, mode: int) -> None:
    """Makes the folders of a path below a root that are missing, the last one with the permissions it had."""
    path = root
    for component in filter(None, relative.split("/")):
        path = f"{path.rstrip('/')}/{component}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
            if path.endswith(relative):
                os.chmod(path, mode)


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
