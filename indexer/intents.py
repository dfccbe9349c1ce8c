"""Confirmed moves → entries of the journal: all that `recover` and `undo` need to know, written before anything moves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from indexer.groups import Mark
from indexer.links import link_details
from indexer.moves import Checked, Deed, JournalEntry, MoveState, Seen
from indexer.plans import LINKS, Action, Move, Rewrite, Sidecar
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
    merges = tuple(text_entry(run, number, root_id, folder, merge, owner_id) for number, merge in merging)
    sidecars = tuple(_sidecar_entry(run, number, picture, sidecar, seen) for number, sidecar, seen in moving)
    return Deed(checked, merges, sidecars, picture)


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
        keeper="" if move.is_alone else keeper.full_path,
        keeper_digest=b"" if move.is_alone else keeper.digest,
        action=run.action,
        extra=link_details(run.action, checked) if run.action in LINKS else _mark_details(run, move),
    )


def _mark_details(run: Run, move: Move) -> dict[str, str | int]:
    """What a rejected file shows, with the mark that is made for it; nothing for other files."""
    mark = move.mark
    if mark is None:
        return {}
    shown: dict[str, str | int] = {"shows": mark.digest.hex()}
    return {**shown, "rejected_ns": mark.rejected_ns} if mark in run.marks else shown


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


def _payload(run: Run, path: str) -> str:
    """The name of a file in the quarantine: a number, and the ending for people who look there."""
    ending = os.path.splitext(path)[1]
    return f"{next(run.numbers):08d}{ending if ending.isascii() and len(ending) < 10 else ''}"
