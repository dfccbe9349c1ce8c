"""The calls to the file system that must be exact: nothing is followed, nothing is overwritten, all of it is durable."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from functools import cache

from indexer.records import Stamp, signed64

READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A symlink is not followed, a FIFO does not block, a worker does not inherit the file."""
FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
CHUNK_BYTES = 1 << 20

_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_AT_EMPTY_PATH = 0x1000
_STATX_BTIME = 0x800
_STATX = struct.Struct("=I 76x qI 164x")
"""Of `struct statx`, 256 bytes: the mask of what was filled in, and the birth time."""
_RENAME_NOREPLACE = 1


def stamp_from(status: os.stat_result) -> Stamp:
    """The stamp in a stat result; what is above 2⁶³ wraps, so that a stamp fits four signed 64-bit integers."""
    return Stamp(status.st_size, signed64(status.st_mtime_ns), signed64(status.st_ctime_ns), signed64(status.st_ino))


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


def chunks(descriptor: int) -> Iterator[bytes]:
    """A file's bytes from its beginning, a megabyte at a time."""
    offset = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        offset += len(chunk)
        yield chunk


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
    renameat2 = _renameat2()
    if renameat2 is not None:
        failed = renameat2(source_folder, os.fsencode(source), target_folder, os.fsencode(target), _RENAME_NOREPLACE)
        if not failed:
            return
        code = ctypes.get_errno()
        if code not in {errno.EINVAL, errno.ENOSYS}:
            raise OSError(code, os.strerror(code), source, None, target)
    os.link(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder, follow_symlinks=False)
    os.unlink(source, dir_fd=source_folder)


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
