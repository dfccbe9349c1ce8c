"""The manifest beside quarantined files: all that it takes to bring them back without the database.

A line of JSON a file, written and synced before the file is moved. Bytes of paths that are not UTF-8 stand as lone
surrogates.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from indexer.errors import UsageError
from indexer.filesystem import chunks, open_regular
from indexer.moves import JournalEntry, MoveState
from indexer.plans import Action
from indexer.quarantine import sync_folder
from indexer.records import Stamp
from indexer.text import printable
from indexer.transfer import write_all

MANIFEST = "manifest.jsonl"


def write_manifest(folder: str, entries: Iterable[JournalEntry]) -> None:
    """Appends entries to a batch folder's manifest; on disk when it returns."""
    lines = "".join(json.dumps(_line(folder, entry)) + "\n" for entry in entries)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    manifest = os.open(os.path.join(folder, MANIFEST), flags, 0o600)
    try:
        write_all(manifest, lines.encode("ascii"))
        os.fsync(manifest)
    finally:
        os.close(manifest)
    sync_folder(folder)


def manifests_at(path: str) -> list[str]:
    """The batch folders with a manifest that a path means: a manifest, its folder, or a quarantine of such folders.

    The newest comes first.

    Raises:
        UsageError: When there is none.
    """
    place = os.path.dirname(path) if os.path.basename(path) == MANIFEST else path
    try:
        below = sorted((os.path.join(place, name) for name in os.listdir(place)), key=_age)
    except OSError as error:
        raise UsageError(f"cannot look into '{printable(place)}': {error.strerror}") from error
    found = [folder for folder in (place, *below) if os.path.isfile(os.path.join(folder, MANIFEST))]
    if not found:
        raise UsageError(f"there is no manifest in '{printable(place)}'", "name a folder .imgindex-quarantine")
    return found


def _age(folder: str) -> int:
    try:
        return -os.lstat(os.path.join(folder, MANIFEST)).st_mtime_ns
    except OSError:
        return 0


def read_manifest(folder: str) -> list[JournalEntry]:
    """The entries of a batch folder's manifest, in the order in which the files were to be moved.

    A last line that was cut short by a crash is left out: its file was not moved.

    Raises:
        UsageError: When another line is not of a manifest's form.
    """
    descriptor, _status = open_regular(os.path.join(folder, MANIFEST))
    try:
        lines = b"".join(chunks(descriptor)).split(b"\n")
    finally:
        os.close(descriptor)
    return list(_entries(folder, lines[:-1]))


def _entries(folder: str, lines: Iterable[bytes]) -> Iterator[JournalEntry]:
    for number, line in enumerate(lines, 1):
        try:
            yield _entry(folder, json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"line {number} of the manifest in '{printable(folder)}' is damaged: {error}") from error


def _line(folder: str, entry: JournalEntry) -> dict[str, Any]:
    return {
        "id": entry.entry_id,
        "action": str(entry.action),
        "payload": entry.payload,
        "base": entry.root,
        "base_from_here": os.path.relpath(entry.root, folder),
        "path": entry.path,
        "digest": entry.digest.hex(),
        "size": entry.stamp.size,
        "mtime_ns": entry.stamp.mtime_ns,
        "inode": entry.stamp.inode,
        "mode": entry.mode,
        "folder_mode": entry.folder_mode,
        "kind": entry.kind,
        "keeper": entry.keeper,
        "keeper_digest": entry.keeper_digest.hex(),
        "owner": entry.owner_id,
        "extra": dict(entry.extra),
    }


def _entry(folder: str, line: dict[str, Any]) -> JournalEntry:
    """A line as a journal entry; where its base is gone, the one that lies as it did relative to the quarantine counts."""
    moved_along = os.path.normpath(os.path.join(folder, line["base_from_here"]))
    base = line["base"] if os.path.isdir(line["base"]) or not os.path.isdir(moved_along) else moved_along
    payload = line["payload"]
    if os.path.basename(payload) != payload or payload in {"", ".", "..", MANIFEST}:
        raise ValueError(f"no name of a payload: {payload!r}")
    if any(component in {"", ".", ".."} for component in line["path"].split("/")):
        raise ValueError(f"no path below a folder: {line['path']!r}")
    return JournalEntry(
        entry_id=int(line["id"]),
        run_id=0,
        state=MoveState.MOVED,
        kind=line["kind"],
        root_id=0,
        root=base,
        path=line["path"],
        quarantine=folder,
        payload=payload,
        stamp=Stamp(int(line["size"]), int(line["mtime_ns"]), 0, int(line["inode"])),
        mode=int(line["mode"]) & 0o7777,
        folder_mode=int(line["folder_mode"]) & 0o7777,
        digest=bytes.fromhex(line["digest"]),
        keeper=line["keeper"],
        keeper_digest=bytes.fromhex(line["keeper_digest"]),
        action=Action(line["action"]),
        owner_id=line["owner"],
        extra=line["extra"],
    )
