"""What the system tells of changes in folders, by the library watchfiles: paths alone, in batches that settle."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from indexer.errors import ImgindexError, UsageError
from indexer.mounts import Mount, mount_of, mounts
from indexer.places import relative_to
from indexer.text import printable

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

Changes = frozenset[str] | None
"""Absolute paths of what came, changed or went; None when anything may have."""
Identity = tuple[int, int]


class Lying(NamedTuple):
    """What lies at some paths now."""

    files: tuple[str, ...]
    folders: tuple[str, ...]
    gone: tuple[str, ...]
    """Nothing, or neither."""


SETTLE_S = 1.0
"""A batch ends when nothing was heard for so long."""
MOST_S = 30.0
"""A batch that does not settle ends after this."""
LOOK_S = 1.0
"""How often whoever waits may look whether the folders are still there."""
STEP_MS = 100
GROUP_MS = 500
POLL_MS = 5_000
"""How often a file system that tells nothing is searched: each time costs a walk through all of its folders."""


@contextlib.contextmanager
def watching(folders: Sequence[str], settle_s: float = SETTLE_S, most_s: float = MOST_S) -> Iterator[Iterator[Changes]]:
    """What changes in folders from now on, batch by batch, for ever; an empty batch each second in which nothing does.

    Args:
        folders: Canonical, there.
        settle_s: A batch ends when nothing was heard for so long.
        most_s: A batch takes no longer than this.

    Raises:
        UsageError: When watchfiles is not installed.
        ImgindexError: When the system watches no further folder.
    """
    with contextlib.ExitStack() as ears:
        heard = ears.enter_context(_hearing(folders))
        yield _batches(folders, heard, ears, settle_s, most_s)


def refuse_unwatchable(folders: Iterable[str]) -> None:
    """Refuses to go on when new folders could not be watched: what comes into them would not be heard of.

    Raises:
        ImgindexError: When the system watches no further folder.
    """
    library = _library()
    for folder in folders:
        with contextlib.suppress(FileNotFoundError, PermissionError), contextlib.closing(_notifier(library, [folder])):
            pass


def identity(folder: str) -> Identity | None:
    """What a folder is, whatever its name; None when it is not there."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def lying_at(paths: Iterable[str]) -> Lying:
    """What lies at some paths, links not followed."""
    files: list[str] = []
    folders: list[str] = []
    gone: list[str] = []
    for path in sorted(paths):
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            mode = 0
        (files if stat.S_ISREG(mode) else folders if stat.S_ISDIR(mode) else gone).append(path)
    return Lying(tuple(files), tuple(folders), tuple(gone))


def _batches(
    folders: Sequence[str], heard: SimpleQueue[Changes], ears: contextlib.ExitStack, settle_s: float, most_s: float
) -> Iterator[Changes]:
    pause_s = settle_s
    while True:
        found = settled(heard, settle_s, most_s)
        if found is None:  # a name that watchfiles cannot tell, for one; it tells nothing from then on
            ears.close()
            time.sleep(pause_s)
            heard = ears.enter_context(_hearing(folders))
            pause_s = min(2 * pause_s, most_s)  # whoever opens such a file again and again would have us walk as often
        elif found:
            pause_s = settle_s
        yield found


def settled(heard: SimpleQueue[Changes], settle_s: float, most_s: float) -> Changes:
    """All that is heard until there is silence; nothing when nothing is heard for a second.

    Args:
        heard: What was heard so far is in it, and what will be comes into it.
        settle_s: Silence, in seconds.
        most_s: The longest wait for it.
    """
    try:
        more = heard.get(timeout=LOOK_S)
    except Empty:
        return frozenset()
    found: set[str] = set()
    end = time.monotonic() + most_s
    while more is not None:
        found |= more
        try:
            more = heard.get(timeout=max(0.0, min(settle_s, end - time.monotonic())))
        except Empty:
            return frozenset(found)
    return None


@contextlib.contextmanager
def _hearing(folders: Sequence[str]) -> Iterator[SimpleQueue[Changes]]:
    """A queue that gets the paths as they change."""
    library, known = _library(), mounts()
    silent = [folder for folder in folders if _tells_nothing(folder, known)]
    heard: SimpleQueue[Changes] = SimpleQueue()
    done = threading.Event()
    with contextlib.ExitStack() as open_ones, _deaf():
        threads = []
        for some, polling in ((silent, True), ([folder for folder in folders if folder not in silent], False)):
            if some:
                notifier = open_ones.enter_context(contextlib.closing(_notifier(library, some, polling=polling)))
                threads.append(threading.Thread(target=_listen, args=(notifier, heard, done), daemon=True))
        for thread in threads:
            thread.start()
        closing = open_ones.pop_all()
    try:
        yield heard
    finally:
        done.set()
        for thread in threads:
            thread.join()
        closing.close()


def _listen(notifier: RustNotify, heard: SimpleQueue[Changes], done: threading.Event) -> None:
    """Puts into a queue what a notifier tells, until that is to end."""
    while not done.is_set():
        try:
            told = notifier.watch(GROUP_MS, STEP_MS, 0, done)
        except Exception:  # noqa: BLE001 - whatever it is, changes go unheard now, and whoever waits must know
            heard.put(None)
            return
        if isinstance(told, set):
            heard.put(frozenset(path for _change, path in told))


def _notifier(library: ModuleType, folders: Sequence[str], *, polling: bool = False) -> RustNotify:
    """What tells of changes in folders, those that may not be listed left out.

    Raises:
        ImgindexError: When the system watches no further folder.
        FileNotFoundError: When a folder is not there.
    """
    try:
        try:
            notifier: RustNotify = library.RustNotify([*folders], False, polling, POLL_MS, True, False)  # noqa: FBT003
        except PermissionError:  # with this said, it passes over limits, too: not before there is a need
            notifier = library.RustNotify([*folders], False, polling, POLL_MS, True, True)  # noqa: FBT003
    except UnicodeEncodeError as error:
        raise UsageError(
            f"'{printable(error.object)}' cannot be watched: its name is not UTF-8", "run imgindex index now and then"
        ) from error
    except (FileNotFoundError, PermissionError):
        raise
    except (OSError, RuntimeError) as error:
        reason = str(error).partition(". about")[0].partition(" (Error")[0]
        raise ImgindexError(
            f"folders cannot be watched: {printable(reason)}",
            "let the system watch more: sudo sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024;"
            " or run imgindex index now and then",
        ) from error
    return notifier


def _tells_nothing(folder: str, known: tuple[Mount, ...]) -> bool:
    """True for a folder on, or with, a file system in which others change files without this kernel knowing of it."""
    own = mount_of(folder, known)
    return any(mount.is_remote and (mount == own or relative_to(mount.point, folder) is not None) for mount in known)


def _library() -> ModuleType:
    try:
        from watchfiles import _rust_notify  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise UsageError(
            f"watching folders needs {error.name}, which is not installed", "pip install 'imgindex[watch]'"
        ) from error
    return _rust_notify


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Threads started meanwhile hear no signal: the main thread does, wherever it is."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
