"""The manifest beside quarantined files: all that it takes to bring them back without the database.

A line of JSON a file, written and synced before the file is moved. Bytes of paths that are not UTF-8 stand as lone
surrogates.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from indexer.errors import ImgindexError, SafetyError, UsageError
from indexer.fields import Fields, bytes_of, fields_in, number_of, numbers_of, object_of, text_of
from indexer.filesystem import chunks, open_regular
from indexer.moves import JournalEntry, MoveState
from indexer.plans import LINKS, Action
from indexer.quarantine import sync_folder
from indexer.records import Stamp
from indexer.text import printable
from indexer.transfer import write_all

MANIFEST = "manifest.jsonl"


def write_manifest(folder: str, entries: Iterable[JournalEntry]) -> None:
    """Appends entries to a batch folder's manifest; on disk when it returns.

    Raises:
        ImgindexError: When it cannot be written, as when the disk is full. Then none of the entries may be carried out.
    """
    lines = "".join(json.dumps(_line(folder, entry)) + "\n" for entry in entries)
    try:
        _append(folder, lines.encode("ascii"))
    except OSError as error:
        raise ImgindexError(
            f"cannot write the manifest in '{printable(folder)}': {error.strerror or error}",
            "what was moved before is stored, and can be undone; when there is space, the same command goes on from there",
        ) from error


def _append(folder: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    manifest = os.open(os.path.join(folder, MANIFEST), flags, 0o600)
    try:
        write_all(manifest, data)
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
        SafetyError: When another line is not of a manifest's form: nobody can tell then what is meant.
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
            yield _entry(folder, fields_in(line))
        except (ValueError, KeyError) as error:
            raise SafetyError(
                f"line {number} of the manifest in '{printable(folder)}' is damaged: {error}",
                "nothing was moved; put the line right, or name the folders of the other runs, one at a time",
            ) from error


def _line(folder: str, entry: JournalEntry) -> dict[str, Any]:
    return {
        "id": entry.entry_id,
        "action": str(entry.action),
        "payload": entry.payload,
        "here": folder,
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
        **(_new_place(folder, entry) if entry.action is Action.RENAME else {}),
    }


def _new_place(folder: str, entry: JournalEntry) -> dict[str, Any]:
    """What the new path of a file is relative to; its `payload` is that path."""
    return {"to": entry.quarantine, "to_from_here": os.path.relpath(entry.quarantine, folder)}


def _entry(folder: str, line: Fields) -> JournalEntry:
    action = Action(text_of(line, "action"))
    return JournalEntry(
        entry_id=number_of(line, "id"),
        run_id=0,
        state=MoveState.MOVED,
        kind=text_of(line, "kind"),
        root_id=0,
        root=_base(folder, line),
        path=_path(line),
        quarantine=_base(folder, line, "to") if action is Action.RENAME else folder,
        payload=_path(line, "payload") if action is Action.RENAME else _payload(line),
        stamp=Stamp(number_of(line, "size"), number_of(line, "mtime_ns"), 0, number_of(line, "inode")),
        mode=number_of(line, "mode") & 0o7777,
        folder_mode=number_of(line, "folder_mode") & 0o7777,
        digest=bytes_of(line, "digest"),
        keeper=_keeper(folder, line),
        keeper_digest=bytes_of(line, "keeper_digest"),
        action=action,
        owner_id=None if line["owner"] is None else number_of(line, "owner"),
        extra=_extra(line, action),
    )


def _base(folder: str, line: Fields, name: str = "base") -> str:
    """What a path of a line is relative to: what it names, or what lies as that did relative to a quarantine elsewhere.

    A quarantine that was copied or moved with its data so means that data, and never the original.
    """
    base = _absolute(line, name)
    beside = os.path.normpath(os.path.join(folder, text_of(line, f"{name}_from_here")))
    return base if _was_written_in(folder, line) or not os.path.isdir(beside) else beside


def _was_written_in(folder: str, line: Fields) -> bool:
    """True for a manifest that lies where it was written, by whatever path, so that nothing was copied or moved."""
    try:
        return "here" in line and os.path.samefile(_absolute(line, "here"), folder)  # earlier manifests do not say
    except OSError:
        return False


def _keeper(folder: str, line: Fields) -> str:
    """The keeper, as it lies relative to the base; texts and sidecars have none."""
    if not text_of(line, "keeper"):
        return ""
    keeper, base = _absolute(line, "keeper"), _absolute(line, "base")
    beside = os.path.normpath(os.path.join(_base(folder, line), os.path.relpath(keeper, base)))
    return beside if os.path.isfile(beside) else keeper


def _absolute(line: Fields, name: str) -> str:
    path = text_of(line, name)
    if not path.startswith("/"):
        raise ValueError(f"no absolute path: {path!r}")
    return path


def _path(line: Fields, name: str = "path") -> str:
    path = text_of(line, name)
    if {"", ".", ".."} & set(path.split("/")):
        raise ValueError(f"no path below a folder: {path!r}")
    return path


def _payload(line: Fields) -> str:
    payload = text_of(line, "payload")
    if os.path.basename(payload) != payload or payload in {"", ".", "..", MANIFEST}:
        raise ValueError(f"no name of a payload: {payload!r}")
    return payload


def _extra(line: Fields, action: Action) -> Fields:
    """What an action needs besides, each of its kind."""
    extra = object_of(line, "extra")
    if action is Action.REWRITE:
        bytes_of(extra, "after")
    if action is Action.SYMLINK:
        text_of(extra, "target")
    if action is Action.REJECT:
        bytes_of(extra, "shows")
    if action is Action.HARD:
        number_of(extra, "inode")
    if "rejected_ns" in extra:
        number_of(extra, "rejected_ns")
    if action in LINKS:
        _refuse_foreign_owner(extra)
    return extra


def _refuse_foreign_owner(extra: Fields) -> None:
    """Refuses what cannot be the extended attributes, the user and the group of a file."""
    attributes, (uid, gid) = object_of(extra, "attributes"), numbers_of(extra, "owner")
    for name in attributes:
        bytes_of(attributes, name)
    if not (0 <= uid < 1 << 32 and 0 <= gid < 1 << 32):
        raise ValueError(f"no ids of a user and a group: {uid}, {gid}")
