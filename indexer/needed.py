"""Tells which quarantined sidecars are still wanted: a picture that they belong to by name stands, or may come back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from indexer.filesystem import is_there
from indexer.labels import stem, unmirrored
from indexer.moves import JournalEntry
from indexer.places import joined, split
from indexer.plans import LINKS, Action, Refused
from indexer.sidecars import Finder
from indexer.text import printable


def is_sidecar(entry: JournalEntry) -> bool:
    """True for a sidecar that was moved into the quarantine."""
    return entry.kind == "sidecar" and entry.action is not Action.RENAME


def away_by_name(entries: Iterable[JournalEntry]) -> dict[str, set[int]]:
    """Where pictures were that were moved away, without their endings and with them, each with the ids of their deeds.

    Args:
        entries: What an undo can bring back.
    """
    found: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        if entry.kind != "sidecar" and entry.action not in {*LINKS, Action.REWRITE}:
            folder, name = split(entry.full_path)
            for key in {name, stem(name)}:
                found[joined(folder, key)].add(entry.owner_id or entry.entry_id)
    return found


def sidecar_needed(
    entry: JournalEntry, *, gone: AbstractSet[int | None], away: Mapping[str, AbstractSet[int]], finder: Finder
) -> Refused | None:
    """Why a quarantined sidecar must stay, None when no picture lacks it, or another file lies at its place by now.

    Args:
        entry: Of the sidecar.
        gone: Ids of the deeds whose pictures were deleted for good since, or are not to count.
        away: What `away_by_name` gave.
        finder: Asked for the pictures on disk.
    """
    if is_there(entry.full_path):
        return None
    standing = finder.pictures_of(entry.full_path)
    if standing:
        return Refused(entry.full_path, f"it belongs to '{printable(standing[0])}', which is there without it")
    folder, name = split(entry.full_path)
    places = [joined(one, stem(name)) for one in (folder, unmirrored(folder)) if one is not None]
    if any(away.get(place, set()) - gone for place in places):
        return Refused(entry.full_path, "it belongs to a picture, too, that an undo can still bring back")
    return None
