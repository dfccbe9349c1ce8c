"""Moves files into the quarantine and back, and never overwrites or follows anything on the way.

A file is moved only when it still is the one that was confirmed, and what was moved is checked to be what was read.
"""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace

from indexer.confirm import confirm_pair, still_as_confirmed
from indexer.errors import SafetyError
from indexer.filesystem import opened_folder
from indexer.moves import Checked, JournalEntry
from indexer.places import joined, split
from indexer.plans import Action, Refused
from indexer.records import Stamp
from indexer.scan import QUARANTINE
from indexer.text import printable
from indexer.transfer import digest_in, drop_partial, same_but_ctime, stamp_in, transfer

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
        sync_folder(os.path.dirname(quarantine))
    except OSError as error:
        raise SafetyError(
            f"no quarantine can be made in '{printable(quarantine)}': {error.strerror}",
            "name a folder that can be written to: --quarantine FOLDER",
        ) from error
    return folder


def move_in(entry: JournalEntry, checked: Checked) -> Refused | None:
    """Moves a checked file into the quarantine; None when it is there.

    When its stamp or its keeper's is another by now, both are compared anew. A file that is no longer the one that was
    compared stays, or is moved back.
    """
    parent, name = split(entry.path)
    try:
        with opened_folder(entry.root, parent) as source, opened_folder(entry.quarantine, "") as target:
            if not still_as_confirmed(checked, source, name):
                again = confirm_pair(checked.move)
                if isinstance(again, Refused):
                    return again
                checked = again
            renamed = transfer(source, name, target, entry.payload, entry)
            if renamed and not same_but_ctime(stamp_in(target, entry.payload), checked.surplus.stamp):
                transfer(target, entry.payload, source, name, entry)
                return Refused(entry.full_path, "another file took its place at the last moment")
    except OSError as error:
        return Refused(entry.full_path, f"cannot be moved: {error.strerror or error}", unsure=True)
    return None


def move_as_planned(entry: JournalEntry, shared: Iterable[str]) -> Refused | None:
    """Moves a sidecar into the quarantine, or a file to its new place, unless it is another by now; None when all is well.

    It stays, and all is well, while one of the pictures that share it is there.

    Args:
        entry: Its entry in the journal.
        shared: Absolute paths of the other pictures that a sidecar comes with.
    """
    if any(os.path.lexists(path) for path in shared):
        return None
    parent, name = split(entry.path)
    try:
        with opened_folder(entry.root, parent) as source, _opened_payload(entry) as (target, new_name):
            if not _is_planned(source, name, entry):
                return Refused(entry.full_path, "it changed at the last moment")
            try:
                transfer(source, name, target, new_name, entry)
            except FileExistsError:
                return Refused(entry.full_path, f"another file lies at '{printable(entry.payload_path)}'")
            if not _is_planned(target, new_name, entry):
                transfer(target, new_name, source, name, entry)
                return Refused(entry.full_path, "another file took its place at the last moment")
    except OSError as error:
        return Refused(entry.full_path, f"cannot be moved: {error.strerror or error}", unsure=True)
    return None


def _is_planned(folder: int, name: str, entry: JournalEntry) -> bool:
    """True for the file of a journalled move; it is read when its change time alone is another, as after a rename."""
    stamp = stamp_in(folder, name)
    same = (stamp.size, stamp.mtime_ns) == (entry.stamp.size, entry.stamp.mtime_ns)
    return stamp == entry.stamp or (same and digest_in(folder, name) == entry.digest)


def move_back(entry: JournalEntry) -> Stamp | Refused:
    """Moves a quarantined file back to where it was; its stamp there when it succeeded.

    A file that was altered in the quarantine, or whose place is taken, stays in the quarantine.
    """
    parent, name = split(entry.path)
    try:
        if payload_digest(entry) != entry.digest:
            return Refused(entry.full_path, f"'{printable(entry.payload_path)}' was altered{_there(entry)}")
        if not os.path.isdir(entry.root):
            return Refused(entry.full_path, f"the folder '{printable(entry.root)}' is missing")
        make_folders(entry.root, parent, entry.folder_mode)
        with _opened_payload(entry) as (source, payload), opened_folder(entry.root, parent) as target:
            transfer(source, payload, target, name, entry)
            return stamp_in(target, name)
    except FileExistsError:
        return Refused(entry.full_path, f"another file lies there now; it stays at '{printable(entry.payload_path)}'")
    except FileNotFoundError:
        return Refused(entry.full_path, f"'{printable(entry.payload_path)}' is missing{_there(entry, 'from')}")
    except OSError as error:
        return Refused(entry.full_path, f"cannot be moved back: {error.strerror or error}", unsure=True)


def _there(entry: JournalEntry, preposition: str = "in") -> str:
    """Where a payload should lie as it was put there, unless that is its place in the data set."""
    return "" if entry.action is Action.RENAME else f" {preposition} the quarantine"


def put_back(entry: JournalEntry) -> bool:
    """Gives a file that was moved by mistake its place again, whatever is in it; False when that cannot be done."""
    parent, name = split(entry.path)
    try:
        with opened_folder(entry.quarantine, "") as source, opened_folder(entry.root, parent) as target:
            transfer(source, entry.payload, target, name, replace(entry, digest=digest_in(source, entry.payload)))
    except OSError:
        return False
    return True


def payload_altered(entry: JournalEntry) -> Refused | None:
    """Why a quarantined file is not the one that was moved there, None when it is."""
    try:
        if payload_digest(entry) != entry.digest:
            return Refused(entry.full_path, f"'{printable(entry.payload_path)}' was altered in the quarantine")
    except OSError as error:
        return Refused(entry.full_path, f"cannot be deleted: {error.strerror or error}")
    return None


def delete_payload(entry: JournalEntry) -> Refused | None:
    """DELETES a quarantined file for good, after checking that it is the file that was moved there.

    Only `purge` calls this.
    """
    refused = payload_altered(entry)
    if refused:
        return refused
    try:
        drop_payload_name(entry)
    except OSError as error:
        return Refused(entry.full_path, f"cannot be deleted: {error.strerror or error}")
    return None


def payload_digest(entry: JournalEntry) -> bytes:
    """The SHA-256 of a quarantined file.

    Raises:
        OSError: When it is missing, no regular file or cannot be read.
    """
    with _opened_payload(entry) as (folder, payload):
        return digest_in(folder, payload)


@contextlib.contextmanager
def _opened_payload(entry: JournalEntry) -> Iterator[tuple[int, str]]:
    """The folder that a payload lies in, opened, and its name there."""
    parent, name = split(entry.payload)
    with opened_folder(entry.quarantine, parent) as folder:
        yield folder, name


def digest_at(root: str, path: str) -> bytes | None:
    """The SHA-256 of a file of a root, None when there is no regular file that can be read."""
    parent, name = split(path)
    try:
        with opened_folder(root, parent) as folder:
            return digest_in(folder, name)
    except OSError:
        return None


def lying_in(quarantine: str) -> list[str]:
    """The absolute paths of the files in a quarantine's batch folders, sorted; none when it is not there."""
    found = []
    for folder, _folders, names in os.walk(quarantine):
        found += [os.path.join(folder, name) for name in names]
    return sorted(found)


def names_in(folder: str) -> frozenset[str]:
    """The names of what lies in a batch folder; none when it is not there."""
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def has_payload(entry: JournalEntry) -> bool:
    """True when something lies in the quarantine under an entry's name."""
    return os.path.lexists(entry.payload_path)


def is_payload(entry: JournalEntry, root: str, path: str) -> bool:
    """True when a file of a root is what lies in the quarantine, seen through a link or a mount: no copy of it."""
    try:
        return os.path.samefile(joined(root, path), entry.payload_path)
    except OSError:
        return False


def stamp_at(root: str, path: str) -> Stamp | None:
    """The stamp of a file of a root, None when there is none."""
    parent, name = split(path)
    try:
        with opened_folder(root, parent) as folder:
            return stamp_in(folder, name)
    except OSError:
        return None


def stamp_of_payload(entry: JournalEntry) -> Stamp | None:
    """The stamp of a file where it was moved to, None when there is none."""
    return stamp_at(entry.quarantine, entry.payload)


def places_taken(entry: JournalEntry) -> tuple[bool, bool, bool]:
    """Whether a file lies at the old place of a journalled move, whether one is in quarantine, and whether they are one.

    For `recover`, after which no half-moved file and no half-written copy is left.
    """
    parent, name = split(entry.path)
    source = quarantined = None
    with contextlib.suppress(OSError), opened_folder(entry.root, parent) as folder:
        source = _regular(folder, name)
        drop_partial(folder, entry)
    with contextlib.suppress(OSError), _opened_payload(entry) as (folder, payload):
        quarantined = _regular(folder, payload)
        drop_partial(folder, entry)
    one = bool(source and quarantined and os.path.samestat(source, quarantined))
    return source is not None, quarantined is not None, one


def drop_payload_name(entry: JournalEntry) -> None:
    """REMOVES a file from the quarantine.

    `purge` calls this for a file that it checked, `recover` for one that has its old name too: a half-made move.
    """
    with _opened_payload(entry) as (folder, payload):
        os.unlink(payload, dir_fd=folder)


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


def _regular(folder: int, name: str) -> os.stat_result | None:
    with contextlib.suppress(FileNotFoundError):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return status if stat.S_ISREG(status.st_mode) else None
    return None


def make_folders(root: str, relative: str, mode: int) -> None:
    """Makes the folders of a path below a root that are missing, the last one with the permissions it had."""
    missing: list[str] = []
    while relative and not _has_folder(root, relative):
        missing.append(relative)
        relative = split(relative)[0]
    for path in reversed(missing):
        parent, name = split(path)
        wanted = mode if path == missing[0] else 0o755
        with opened_folder(root, parent) as folder, contextlib.suppress(FileExistsError):
            os.mkdir(name, wanted, dir_fd=folder)
            os.chmod(name, wanted, dir_fd=folder)
            os.fsync(folder)


def _has_folder(root: str, relative: str) -> bool:
    with contextlib.suppress(FileNotFoundError), opened_folder(root, relative):
        return True
    return False
