"""The calls to the file system that must be exact: nothing is followed, nothing is overwritten, all of it is durable."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from functools import cache

from indexer.errors import UsageError
from indexer.records import Stamp, signed64
from indexer.text import printable

READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A symlink is not followed, a FIFO does not block, a worker does not inherit the file."""
FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
CHUNK_BYTES = 1 << 20
_FIRST_NS, _LAST_NS = -(1 << 63), (1 << 63) - 1

_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_AT_EMPTY_PATH = 0x1000
_STATX_BTIME = 0x800
_STATX = struct.Struct("=I 76x qI 164x")
"""Of `struct statx`, 256 bytes: the mask of what was filled in, and the birth time."""
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_FICLONE = 0x40049409
_NOT_HERE = frozenset((errno.EINVAL, errno.ENOSYS))
"""What the kernel says when it, or the file system, lacks a way of renaming."""


def stamp_from(status: os.stat_result) -> Stamp:
    """The stamp in a stat result, four signed 64-bit integers.

    Times before the year 1677 and beyond 2262 are the first and the last that fit, inodes above 2⁶³ wrap.
    """
    mtime_ns, ctime_ns = (
        min(max(time_ns, _FIRST_NS), _LAST_NS) for time_ns in (status.st_mtime_ns, status.st_ctime_ns)
    )
    return Stamp(status.st_size, mtime_ns, ctime_ns, signed64(status.st_ino))


def open_regular(name: str, folder: int | None = None) -> tuple[int, os.stat_result]:
    """A descriptor of a regular file, with its status; symlinks are not followed and FIFOs do not block.

    Args:
        name: A path, or a name in `folder`.
        folder: A folder's descriptor.

    Raises:
        OSError: ELOOP for a symlink, EINVAL for anything else that is not a regular file, and what `open` raises.
    """
    descriptor = os.open(name, READ_FLAGS, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


@contextlib.contextmanager
def opened_folder(root: str, relative: str) -> Iterator[int]:
    """A descriptor of a folder below a root, reached without following a symlink on the way.

    The root itself may be reached through symlinks: the user named it.

    Raises:
        OSError: ELOOP or ENOTDIR when a component is a symlink, and what `open` raises.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for component in filter(None, relative.split("/")):
            deeper = os.open(component, FOLDER_FLAGS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = deeper
        yield descriptor
    finally:
        os.close(descriptor)


def folder_exists(path: str) -> bool:
    """True for a folder, or a link to one, that can be looked up."""
    return os.path.isdir(path)


def is_there(path: str) -> bool:
    """True when anything lies at a path, a link that leads nowhere included."""
    return os.path.lexists(path)


def size_at(path: str) -> int | None:
    """The bytes of a regular file, None when there is none at a path."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def chunks(descriptor: int) -> Iterator[bytes]:
    """A file's bytes from its beginning, a megabyte at a time."""
    offset = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        offset += len(chunk)
        yield chunk


def read_regular(path: str) -> bytes:
    """All bytes of a regular file; symlinks are not followed.

    Raises:
        UsageError: When it cannot be read.
    """
    try:
        descriptor, _status = open_regular(path)
        try:
            return b"".join(chunks(descriptor))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(f"cannot read '{printable(path)}': {error.strerror or error}") from error


def digest_of(chunked: Iterable[bytes]) -> bytes:
    """The SHA-256 of bytes that come in pieces."""
    digest = hashlib.sha256()
    for chunk in chunked:
        digest.update(chunk)
    return digest.digest()


def rename_no_replace(source_folder: int, source: str, target_folder: int, target: str) -> None:
    """Moves a file within a file system; an existing target is never replaced.

    Where the kernel or file system lacks RENAME_NOREPLACE, the file is linked at its new place and then unlinked at the
    old one, which cannot replace anything either.

    Raises:
        FileExistsError: When the target exists.
        OSError: EXDEV across file systems, and what `rename` raises.
    """
    if _renamed(source_folder, source, target_folder, target, _RENAME_NOREPLACE):
        return
    os.link(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder, follow_symlinks=False)
    os.unlink(source, dir_fd=source_folder)


def exchange(folder: int, left: str, right: str) -> bool:
    """Lets two names of a folder change places in one step; False where kernel or file system cannot do that.

    Raises:
        OSError: What `rename` raises.

    Source: renameat2(2), RENAME_EXCHANGE.
    """
    return _renamed(folder, left, folder, right, _RENAME_EXCHANGE)


def _renamed(source_folder: int, source: str, target_folder: int, target: str, how: int) -> bool:
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if not renameat2(source_folder, os.fsencode(source), target_folder, os.fsencode(target), how):
        return True
    code = ctypes.get_errno()
    if code in _NOT_HERE:
        return False
    raise OSError(code, os.strerror(code), source, None, target)


def clone(source: int, target: int) -> None:
    """Makes an empty file share all blocks of another; a write to either later leaves the other as it is.

    Raises:
        OSError: EOPNOTSUPP, EINVAL or ENOTTY where the file system cannot do that, EXDEV across file systems.

    Source: ioctl_ficlone(2).
    """
    fcntl.ioctl(target, _FICLONE, source)


def born_ns(path: str | int) -> int | None:
    """When a file was made, in nanoseconds since 1970; None where the system does not say.

    An inode number can be given to another file after a deletion; its birth time cannot.

    Source: statx(2), STATX_BTIME.
    """
    statx = _statx()
    if statx is None:
        return None
    answer = bytearray(_STATX.size)
    buffer = (ctypes.c_char * _STATX.size).from_buffer(answer)
    if isinstance(path, int):
        failed = statx(path, b"", _AT_EMPTY_PATH, _STATX_BTIME, buffer)
    else:
        failed = statx(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, buffer)
    mask, seconds, nanoseconds = _STATX.unpack(answer)
    return seconds * 1_000_000_000 + nanoseconds if not failed and mask & _STATX_BTIME else None


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _renameat2() -> ctypes._NamedFuncPointer | None:
    return getattr(_library(), "renameat2", None)


@cache
def _statx() -> ctypes._NamedFuncPointer | None:
    return getattr(_library(), "statx", None)


def write_new_file(folder: str, name: str, data: bytes) -> None:
    """Writes a file that does not exist yet, and the folders it lies in.

    Raises:
        FileExistsError: When it exists.
    """
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as stream:
        stream.write(data)
