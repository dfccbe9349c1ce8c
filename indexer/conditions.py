"""What statements share: which files lie at or below given places, and how rows are written by the thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, and_, or_, true

from indexer.places import Place, split
from indexer.schema import file, folder


def files_with_folders() -> Any:
    """The files, each with its folder."""
    return file.join(folder, folder.c.id == file.c.folder_id)


def in_tree(root_id: int, below: str) -> Any:
    """The condition that a folder lies at or below a path of a root, by whole components."""
    inside = folder.c.root_id == root_id
    if not below:
        return inside
    return and_(inside, or_(folder.c.path == below, and_(folder.c.path >= f"{below}/", folder.c.path < f"{below}0")))


def in_places(places: Sequence[Place]) -> Any:
    """The condition that a file is one of, or lies below one of, the places; always true without any."""
    if not places:
        return true()
    conditions = []
    for root_id, path in places:
        parent, name = split(path)
        exact = and_(folder.c.root_id == root_id, folder.c.path == parent, file.c.name == name)
        conditions.append(or_(in_tree(root_id, path), exact))
    return or_(*conditions)


def execute_many(tx: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Runs a statement for each row, none for none: plain tuples, as this is what indexing a million files waits for."""
    if rows:
        tx.exec_driver_sql(statement, list(rows))


def new_id(result: CursorResult[Any]) -> int:
    """The id of the row that an insertion made."""
    key = result.inserted_primary_key
    if key is None:
        raise AssertionError("not the result of one insertion")
    return int(key[0])
