"""Moves one file from folder to folder, by renaming where that can be done, else by a verified copy."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from indexer.filesystem import chunks, digest_of, open_regular, rename_no_replace, stamp_from
from indexer.moves import JournalEntry
from indexer.records import Stamp


def transfer(source: int, name: str, target: int, new_name: str, entry: JournalEntry) -> bool:
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
    made: list[str] = []
    try:
        _copy_data(descriptor, status, target, partial)
        made.append(partial)
        if digest_in(target, partial) != entry.digest:
            raise OSError(errno.EIO, "the copy differs from its source")
        rename_no_replace(target, partial, target, new_name)
        made[:] = [new_name]
        os.fsync(target)
        if stamp_from(os.fstat(descriptor)) != stamp_from(status) or stamp_in(source, name) != stamp_from(status):
            raise OSError(errno.EBUSY, "the file changed while it was copied")
        os.unlink(name, dir_fd=source)
    except BaseException:
        for copy in made:
            os.unlink(copy, dir_fd=target)
        raise
    finally:
        os.close(descriptor)


def _copy_data(descriptor: int, status: os.stat_result, target: int, name: str) -> None:
    """Writes a new file with the bytes, permissions, times and extended attributes of an open one; on disk when done."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    copy = os.open(name, flags, 0o600, dir_fd=target)
    try:
        for chunk in chunks(descriptor):
            write_all(copy, chunk)
        if hasattr(os, "listxattr"):
            for attribute in os.listxattr(descriptor):
                with contextlib.suppress(OSError):  # the other file system may not have them, or not for this user
                    os.setxattr(copy, attribute, os.getxattr(descriptor, attribute))
        with contextlib.suppress(PermissionError):
            os.fchown(copy, status.st_uid, status.st_gid)
        os.fchmod(copy, stat.S_IMODE(status.st_mode))
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(copy)
    except BaseException:
        os.unlink(name, dir_fd=target)
        raise
    finally:
        os.close(copy)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of some bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _partial_name(entry: JournalEntry) -> str:
    """What a copy is called until it is complete: no picture's name, nobody else's, and known to `recover`."""
    return f".imgindex-{os.path.basename(entry.quarantine)}-{entry.payload}.part"


def drop_partial(folder: int, entry: JournalEntry) -> None:
    """Removes what an interrupted copy left behind."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_partial_name(entry), dir_fd=folder)


def digest_in(folder: int, name: str) -> bytes:
    """The SHA-256 of a regular file of an open folder."""
    descriptor, _status = open_regular(name, folder)
    try:
        return digest_of(chunks(descriptor))
    finally:
        os.close(descriptor)


def stamp_in(folder: int, name: str) -> Stamp:
    """The stamp of a file of an open folder, links not followed."""
    return stamp_from(os.stat(name, dir_fd=folder, follow_symlinks=False))
