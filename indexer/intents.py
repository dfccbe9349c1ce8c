"""Confirmed moves → entries of the journal: all that `recover` and `undo` need to know, written before anything moves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from indexer.groups import Mark
from indexer.links import link_details
from indexer.moves import Checked, Deed, JournalEntry, MoveState, Seen
from indexer.plans import LINKS, Action, Move, Rename, Rewrite, Sidecar
from indexer.records import Stamp
from indexer.rewrites import NEW_MODE

FOLDER_MODE = 0o755
"""Of a folder that is made for a caption."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the entries of a run have in common."""

    run_id: int
    action: Action
    folders: Mapping[str, str]
    """The batch folder in the quarantine of each root."""
    marks: frozenset[Mark] = frozenset()
    """Those that it makes."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """Of payloads."""


def deed_of(run: Run, ids: Iterator[int], checked: Checked) -> Deed:
    """All that has to be done for a confirmed move, with ids in the order in which it is done."""
    move = checked.move
    root_id, folder = move.surplus.member.root_id, run.folders[move.surplus.member.root]
    merging = [(next(ids), merge) for merge in move.merges]
    moving = [(next(ids), sidecar, seen) for sidecar, seen in zip(move.sidecars, checked.sidecars, strict=True)]
    picture = _picture_entry(run, next(ids), folder, checked)
    owner_id = picture.entry_id
    renaming = [(next(ids), rename, seen) for rename, seen in zip(move.renames, checked.renames, strict=True)]
    merges = tuple(text_entry(run, number, root_id, folder, merge, owner_id) for number, merge in merging)
    sidecars = tuple(_sidecar_entry(run, number, picture, sidecar, seen) for number, sidecar, seen in moving)
    renames = tuple(_rename_entry(picture, number, move, rename, seen) for number, rename, seen in renaming)
    return Deed(checked, merges, sidecars, picture, renames)


def text_entry(
    run: Run, entry_id: int, root_id: int, folder: str, text: Rewrite, owner_id: int | None = None
) -> JournalEntry:
    """The entry of a text that gets a new version.

    Args:
        run: The run.
        entry_id: Its id.
        root_id: The root that it belongs with.
        folder: The batch folder for its former version.
        text: The text.
        owner_id: The entry of the picture for whose sake it changes.
    """
    return JournalEntry(
        entry_id=entry_id,
        run_id=run.run_id,
        state=MoveState.PLANNED,
        kind="text",
        root_id=root_id,
        root=text.base,
        path=text.path,
        quarantine=folder,
        payload=_payload(run, text.path),
        stamp=Stamp(text.size, 0, 0, 0),
        mode=NEW_MODE,
        folder_mode=FOLDER_MODE,
        digest=text.before or b"",
        keeper="",
        keeper_digest=b"",
        action=Action.REWRITE,
        owner_id=owner_id,
        extra={"after": text.after},
    )


def _picture_entry(run: Run, entry_id: int, folder: str, checked: Checked) -> JournalEntry:
    move = checked.move
    member, keeper = move.surplus.member, move.keeper
    return JournalEntry(
        entry_id=entry_id,
        run_id=run.run_id,
        state=MoveState.PLANNED,
        kind=str(move.surplus.kind),
        root_id=member.root_id,
        root=member.root,
        path=member.path,
        quarantine=folder,
        payload=_payload(run, member.path),
        stamp=checked.surplus.stamp,
        mode=checked.surplus.mode,
        folder_mode=checked.surplus.folder_mode,
        digest=member.digest,
        keeper="" if move.is_alone else move.keeper_target,
        keeper_digest=b"" if move.is_alone else keeper.digest,
        action=run.action,
        extra=link_details(run.action, checked) if run.action in LINKS else _details(run, move),
    )


def _details(run: Run, move: Move) -> dict[str, str | int]:
    """The file's row; of a rejected file, what it shows, with the mark that is made for it."""
    details: dict[str, str | int] = {"file_id": move.surplus.member.file_id}
    if move.mark is not None:
        details["shows"] = move.mark.digest.hex()
    if move.mark in run.marks:
        details["rejected_ns"] = move.mark.rejected_ns
    return details


def _sidecar_entry(run: Run, entry_id: int, picture: JournalEntry, sidecar: Sidecar, seen: Seen) -> JournalEntry:
    return JournalEntry(
        entry_id=entry_id,
        run_id=run.run_id,
        state=MoveState.PLANNED,
        kind="sidecar",
        root_id=picture.root_id,
        root=sidecar.base,
        path=sidecar.path,
        quarantine=picture.quarantine,
        payload=_payload(run, sidecar.path),
        stamp=seen.stamp,
        mode=seen.mode,
        folder_mode=seen.folder_mode,
        digest=sidecar.digest,
        keeper="",
        keeper_digest=b"",
        owner_id=picture.entry_id,
    )


def _rename_entry(picture: JournalEntry, entry_id: int, move: Move, rename: Rename, seen: Seen) -> JournalEntry:
    """The entry of a file that gets another place when a picture has made way."""
    keeper = rename == move.keeper_rename
    ids = {"file_id": move.keeper.file_id, "takes_id": move.surplus.member.file_id}
    return JournalEntry(
        entry_id=entry_id,
        run_id=picture.run_id,
        state=MoveState.PLANNED,
        kind=picture.kind if keeper else "sidecar",
        root_id=move.keeper.root_id,
        root=rename.base,
        path=rename.path,
        quarantine=rename.to_base,
        payload=rename.to_path,
        stamp=seen.stamp,
        mode=seen.mode,
        folder_mode=seen.folder_mode,
        digest=rename.digest,
        keeper="",
        keeper_digest=b"",
        action=Action.RENAME,
        owner_id=picture.entry_id,
        extra=ids if keeper else {},
    )


def _payload(run: Run, path: str) -> str:
    """The name of a file in the quarantine: a number, and the ending for people who look there."""
    ending = os.path.splitext(path)[1]
    return f"{next(run.numbers):08d}{ending if ending.isascii() and len(ending) < 10 else ''}"
