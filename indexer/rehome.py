"""The story of roots that move or end: nothing is read for it but names and sizes, and no file is touched."""

from __future__ import annotations

import os.path
from functools import cache

from indexer import arrivals, choices, queries, roots
from indexer.boundaries import refuse_root
from indexer.database import Database
from indexer.errors import SafetyError, UsageError
from indexer.filesystem import folder_exists, is_there, size_at
from indexer.mounts import mounts
from indexer.places import joined, relative_to
from indexer.quarantine import is_quarantined
from indexer.text import count_text, printable

SAMPLE = 200
"""Files of a root that are looked for at its new place."""


def move(database: Database, old: str, new: str) -> None:
    """Has the index know a root, with all that it knows of its files, under another path.

    Quarantines that moved with it, in it or beside it, are known at their new place too.

    Args:
        database: Open for writing.
        old: Absolute path of a root; nothing need be there any more.
        new: Absolute path of a folder.

    Raises:
        UsageError: When the one is no root, or the other cannot be one.
        SafetyError: When the folder is missing, or does not hold the root's files.
    """
    with database.writing(durable=True) as tx:
        bases = database.bases(queries.roots(tx))
        root_id = _root_at(bases, old)
        others = [base for key, base in bases.items() if key != root_id]
        _refuse_place(new, others)
        sample = roots.some_files(tx, root_id, SAMPLE)
        found = sum(size_at(joined(new, path)) == size for path, size in sample)
        if 2 * found < len(sample):
            raise SafetyError(
                f"'{printable(new)}' does not hold the files of '{printable(old)}':"
                f" {found:,} of {len(sample):,} that were looked for",
                f"name the folder that they are in now; to index another one: imgindex index {printable(new)}",
            )
        roots.move_root(tx, root_id, database.stored(new))
        for statements in (arrivals, choices):
            statements.move(tx, lambda path: database.stored(_followed(database.absolute(path), old, new)))
        roots.move_journal(tx, cache(lambda path: database.stored(_moved(database.absolute(path), old, new))))


def forget(database: Database, path: str) -> int:
    """Forgets a root and its files, none of which is touched; their contents stay known. Gives the number of files.

    Args:
        database: Open for writing.
        path: Absolute, of a root; nothing need be there any more.

    Raises:
        UsageError: When it is no root.
        SafetyError: When files of it are in the quarantine, or links.
    """
    with database.writing(durable=True) as tx:
        root_id = _root_at(database.bases(queries.roots(tx)), path)
        held = roots.count_held(tx, root_id)
        if held:
            raise SafetyError(
                f"{count_text(held, 'file')} of '{printable(path)}' could not be brought back any more",
                "they are in the quarantine, or links: imgindex undo, or imgindex purge, comes first",
            )
        return roots.forget_root(tx, root_id)


def _root_at(bases: dict[int, str], path: str) -> int:
    """The id of the root at a path."""
    found = next((root_id for root_id, base in bases.items() if base == path), None)
    if found is None:
        known = ", ".join(printable(base) for base in bases.values()) or "none"
        raise UsageError(f"'{printable(path)}' is no folder that was indexed as such", f"there are: {known}")
    return found


def _refuse_place(new: str, others: list[str]) -> None:
    """Refuses what no root can be."""
    if not folder_exists(new):
        raise SafetyError(f"'{printable(new)}' is missing or not a folder", "move the folder there first")
    if is_quarantined(new):
        raise UsageError(f"'{printable(new)}' is a quarantine of imgindex", "name the folder of the pictures")
    for base in others:
        if relative_to(new, base) is not None or relative_to(base, new) is not None:
            raise UsageError(
                f"'{printable(new)}' and '{printable(base)}', which is indexed, lie in one another",
                "forget the moved folder, and index the outer one: imgindex root forget, imgindex index",
            )
    refuse_root(new, others, mounts())


def _followed(path: str, old: str, new: str) -> str:
    """The path of something after a root moved that it may lie in."""
    within = relative_to(path, old)
    return path if within is None else joined(new, within) if within else new


def _moved(path: str, old: str, new: str) -> str:
    """Where something is after a root moved: in it, or beside it when it is gone from there."""
    if relative_to(path, old) is not None:
        return _followed(path, old, new)
    beside = relative_to(path, os.path.dirname(old))
    there = beside and joined(os.path.dirname(new), beside)
    return there if there and is_there(there) and not is_there(path) else path
