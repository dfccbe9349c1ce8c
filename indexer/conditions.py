"""What statements share: which files lie at or below given places, and how rows are written by the thousand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, LargeBinary, and_, literal, or_, true

from indexer.places import Place, split
from indexer.schema import file, folder

IN_ONE = 10_000
"""Values in one question."""


def files_with_folders() -> Any:
    """The files, each with its folder."""
    return file.join(folder, folder.c.id == file.c.folder_id)


def in_tree(root_id: int, below: str, root: Any = folder.c.root_id) -> Any:
    """The condition that a folder lies at or below a path of a root, by whole components.

    Args:
        root_id: The root.
        below: A path relative to it, `""` for all of it.
        root: The folder's root, as an expression.
    """
    if not below:
        return root == root_id
    start, end = f"{below}/", f"{below}0"
    as_text = and_(folder.c.path >= start, folder.c.path < end)
    as_bytes = and_(folder.c.path >= _raw(start), folder.c.path < _raw(end))
    return and_(root == root_id, or_(folder.c.path == below, as_text, as_bytes))


def _raw(path: str) -> Any:
    """A path as the BLOB that it is when it, or what lies below it, is not UTF-8; SQLite sorts TEXT before every BLOB."""
    return literal(os.fsencode(path), LargeBinary)


def in_places(places: Sequence[Place], root: Any = folder.c.root_id) -> Any:
    """The condition that a file is one of, or lies below one of, the places; always true without any."""
    if not places:
        return true()
    return or_(*(_in_place(root_id, path, root) for root_id, path in places))


def _in_place(root_id: int, path: str, root: Any) -> Any:
    parent, name = split(path)
    exact = and_(root == root_id, folder.c.path == parent, file.c.name == name)
    return or_(in_tree(root_id, path, root), exact) if path else in_tree(root_id, path, root)


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


def in_parts(tx: Connection, query: Any, column: Any, values: Iterable[Any]) -> Iterable[Any]:
    """The rows of a query whose column has one of the values, however many these are."""
    ordered = sorted(set(values))
    for start in range(0, len(ordered), IN_ONE):
        yield from tx.execute(query.where(column.in_(ordered[start : start + IN_ONE])))
