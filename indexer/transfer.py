"""Moves one file from folder to folder, by renaming where that can be done, else by a verified copy.

Also puts a new file in the place of another, in one step and without losing what took that place meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping

from indexer.filesystem import chunks, digest_of, exchange, open_regular, rename_no_replace, stamp_from
from indexer.moves import JournalEntry
from indexer.records import Stamp

COARSEST_NS = 2_000_000_000
"""The steps in which FAT keeps times."""


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
    partial = partial_name(entry)
    descriptor, status = open_regular(name, source)
    made: list[str] = []
    try:
        copy_verified(descriptor, target, partial, entry.digest)
        made.append(partial)
        rename_no_replace(target, partial, target, new_name)
        made[:] = [new_name]
        os.fsync(target)
        if stamp_from(os.fstat(descriptor)) != stamp_from(status) or stamp_in(source, name) != stamp_from(status):
            _drop(target, new_name)
            raise OSError(errno.EBUSY, "the file changed while it was copied")
        os.unlink(name, dir_fd=source)
    except BaseException:
        if _is_at(source, name, status):  # an interrupt may come right after the removal: then the copy is all there is
            for copy in made:
                _drop(target, copy)
        raise
    finally:
        os.close(descriptor)


def _is_at(folder: int, name: str, status: os.stat_result) -> bool:
    """True when a name of an open folder still leads to a file that was looked at."""
    try:
        return os.path.samestat(os.stat(name, dir_fd=folder, follow_symlinks=False), status)
    except OSError:
        return False


def _drop(folder: int, name: str) -> None:
    """REMOVES a file of our own, unless it is gone already."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def copy_verified(descriptor: int, target: int, name: str, digest: bytes) -> None:
    """Writes a new file with the bytes, permissions, owner, times and extended attributes of an open one.

    It is on disk, and was read again, when this returns.

    Raises:
        OSError: When it cannot be written, or its digest is not the one that is due; then it is not there.
    """
    status = os.fstat(descriptor)
    attributes = attributes_of(descriptor)
    write_new(
        target,
        name,
        chunks(descriptor),
        lambda copy: dress(
            copy,
            mode=stat.S_IMODE(status.st_mode),
            owner=(status.st_uid, status.st_gid),
            mtime_ns=status.st_mtime_ns,
            attributes=attributes,
        ),
    )
    if digest_in(target, name) != digest:
        os.unlink(name, dir_fd=target)
        raise OSError(errno.EIO, "the copy differs from its source")


def write_new(target: int, name: str, data: Iterable[bytes], dress: Callable[[int], None]) -> None:
    """Writes a new file, on disk when this returns; nothing is left of it when that fails.

    Args:
        target: A folder's descriptor.
        name: A name that is free.
        data: The bytes.
        dress: Gives the open file its permissions and times.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    copy = os.open(name, flags, 0o600, dir_fd=target)
    try:
        for chunk in data:
            write_all(copy, chunk)
        dress(copy)
        os.fsync(copy)
    except BaseException:
        os.unlink(name, dir_fd=target)
        raise
    finally:
        os.close(copy)


def attributes_of(descriptor: int) -> dict[str, bytes]:
    """The extended attributes of an open file, none where there are none."""
    if not hasattr(os, "listxattr"):
        return {}
    with contextlib.suppress(OSError):
        return {name: os.getxattr(descriptor, name) for name in os.listxattr(descriptor)}
    return {}


def dress(
    descriptor: int, *, mode: int, owner: tuple[int, int], mtime_ns: int, attributes: Mapping[str, bytes]
) -> None:
    """Gives an open file owner, permissions and modification time, and extended attributes as far as the user may.

    Raises:
        OSError: When the user may not give it its owner, or the file system cannot keep its time: nobody could give them
            back later.
    """
    for name, value in attributes.items():
        with contextlib.suppress(OSError):  # the other file system may not have them, or not for this user
            os.setxattr(descriptor, name, value)
    _give_owner(descriptor, owner)
    os.fchmod(descriptor, mode)
    os.utime(descriptor, ns=(os.fstat(descriptor).st_atime_ns, mtime_ns))
    if abs(os.fstat(descriptor).st_mtime_ns - mtime_ns) > COARSEST_NS:
        raise OSError(errno.EOVERFLOW, "its modification time cannot be kept there")


def _give_owner(descriptor: int, owner: tuple[int, int]) -> None:
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) == owner:
        return
    try:
        os.fchown(descriptor, *owner)
    except PermissionError as error:
        raise OSError(errno.EPERM, "its owner and group cannot be kept") from error


def swap_in(
    folder: int,
    new: str,
    name: str,
    expected: Stamp,
    still_good: Callable[[str], bool] = lambda _old: True,
) -> None:
    """Puts a new file in the place of an expected one, which is then REMOVED; whatever else lies there stays.

    In one step where the file system can exchange two names, so that what took the place at the last moment is noticed
    and put back. Elsewhere the new file is renamed over the old one right after a look at it.

    Args:
        folder: A folder's descriptor.
        new: The name of the new file.
        name: The name that it gets.
        expected: The stamp of the file to be replaced; its change time does not count.
        still_good: Asked right before the old file is removed, with the name that it has then; False puts it back.

    Raises:
        OSError: EBUSY when another file lies there, or the new one is no longer good. The new file is then where it was.
    """
    if not same_but_ctime(stamp_in(folder, name), expected):
        raise OSError(errno.EBUSY, "another file took its place")
    if not exchange(folder, new, name):
        if not still_good(name):
            raise OSError(errno.EBUSY, "it or its keeper changed at the last moment")
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        return
    if not same_but_ctime(stamp_in(folder, new), expected):
        exchange(folder, new, name)
        raise OSError(errno.EBUSY, "another file took its place at the last moment")
    if not still_good(new):
        exchange(folder, new, name)
        raise OSError(errno.EBUSY, "it or its keeper changed at the last moment")
    os.unlink(new, dir_fd=folder)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of some bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def partial_name(entry: JournalEntry) -> str:
    """What a copy is called until it is complete: no picture's name, nobody else's, and known to `recover`."""
    return f".imgindex-{os.path.basename(entry.quarantine)}-{os.path.basename(entry.payload)}.part"


def same_but_ctime(left: Stamp, right: Stamp) -> bool:
    """True when two stamps are of one file before and after a rename, which changes ctime alone."""
    return (left.size, left.mtime_ns, left.inode) == (right.size, right.mtime_ns, right.inode)


def drop_partial(folder: int, entry: JournalEntry) -> None:
    """Removes what an interrupted copy left behind."""
    _drop(folder, partial_name(entry))


def settle_swap(folder: int, entry: JournalEntry, name: str, *, new: bytes, old: bytes) -> bool:
    """Brings a `swap_in` that was interrupted to an end; True when the new file had not got its name.

    A stranger's file that had taken the place, and was swapped out before anybody looked at it, gets its name back.

    Args:
        folder: A folder's descriptor.
        entry: Gives the new file its temporary name.
        name: The name that it was to get.
        new: The SHA-256 of the new file.
        old: That of the file to be replaced.
    """
    waiting = digest_if_there(folder, partial_name(entry))
    unknown = waiting not in {None, new, old}
    if unknown and digest_if_there(folder, name) == new and not is_beginning(folder, partial_name(entry), name):
        exchange(folder, partial_name(entry), name)
    drop_partial(folder, entry)
    return waiting == new


def is_beginning(folder: int, part: str, whole: str) -> bool:
    """True when the bytes of one file are those that another begins with: a copy of it that was not completed."""
    with contextlib.ExitStack() as stack:
        descriptors = []
        for name in (part, whole):
            descriptors.append(open_regular(name, folder)[0])
            stack.callback(os.close, descriptors[-1])
        return all(ours == theirs[: len(ours)] for ours, theirs in zip(*map(chunks, descriptors), strict=False)) and (
            os.fstat(descriptors[0]).st_size <= os.fstat(descriptors[1]).st_size
        )


def digest_if_there(folder: int, name: str) -> bytes | None:
    """The SHA-256 of a file of an open folder, None when there is no regular file that can be read."""
    try:
        return digest_in(folder, name)
    except OSError:
        return None


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
