"""One writer at a time: the lock file beside a database, which says who holds it and dies with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable, Iterator

from indexer.errors import DatabaseError, LockedError
from indexer.text import printable

Waiting = Callable[[str], None]
"""Told once, before the wait for another run begins, who is being waited for."""
_HOLDER_BYTES = 1000


@contextlib.contextmanager
def locked(path: str, waiting: Waiting | None = None) -> Iterator[None]:
    """Holds the lock of a database.

    Args:
        path: Of the database.
        waiting: Wait for as long as another run holds the lock, after this was told; None: refuse.

    Raises:
        LockedError: When another run holds the lock, and is not waited for.
        DatabaseError: When there can be no lock file.
    """
    try:
        lock = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise DatabaseError(f"cannot write beside '{printable(path)}': {error.strerror}") from error
    try:
        _take(lock, path, waiting)
        _sign(lock, path)
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_UN)  # a child that was forked meanwhile may hold the file open
        os.close(lock)


def holder(path: str) -> str | None:
    """Who writes to a database now, as `process 123: imgindex index photos`; None when nobody does."""
    try:
        lock = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _named(lock)
    finally:
        os.close(lock)
    return None


def lock_path(path: str) -> str:
    """The lock file of a database."""
    return f"{path}.lock"


def _take(lock: int, path: str, waiting: Waiting | None) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"another run is writing to '{printable(path)}': {_named(lock)}"
        if waiting is None:
            raise LockedError(message, "try again when it has finished, or wait for it: --wait") from error
        waiting(message)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise DatabaseError(
            f"'{printable(path)}' cannot be locked: {error.strerror}",
            "its file system knows no locks; keep the index on a local disk: --db FILE",
        ) from error


def _sign(lock: int, path: str) -> None:
    """Writes into a lock file who holds it."""
    holder = f"process {os.getpid()}: {' '.join(sys.argv)}\n".encode("utf-8", "replace")[:_HOLDER_BYTES]
    try:
        if os.pread(lock, _HOLDER_BYTES + 1, 0) != holder:  # a gate takes it often, and a disk may be slow to write
            os.ftruncate(lock, 0)
            os.pwrite(lock, holder, 0)
    except OSError as error:
        raise DatabaseError(
            f"cannot write '{printable(lock_path(path))}': {error.strerror}", "look at the disk"
        ) from error


def _named(lock: int) -> str:
    return printable(os.pread(lock, _HOLDER_BYTES, 0).decode("utf-8", "replace").strip()) or "unknown"
