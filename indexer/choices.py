"""Every statement about what people chose in a review."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from indexer.conditions import IN_ONE, in_parts
from indexer.groups import Kind
from indexer.plans import Choice, Fate
from indexer.schema import choice


def choices(tx: Connection, folder: str, paths: Iterable[str] | None = None) -> list[Choice]:
    """The choices on files, by path.

    Args:
        tx: A transaction.
        folder: The database's.
        paths: The stored paths of the files; None for all.
    """
    query = select(choice).order_by(choice.c.path)
    rows: Iterable[Any] = tx.execute(query) if paths is None else in_parts(tx, query, choice.c.path, paths)
    prefix = f"{folder.rstrip('/')}/"

    def absolute(stored: str) -> str:
        return stored if stored.startswith("/") else prefix + stored

    return [
        Choice(absolute(path), digest, absolute(keeper), keeper_digest, Fate(fate), Kind(kind), decided_ns)
        for path, digest, keeper, keeper_digest, fate, kind, decided_ns in rows
    ]


def keep_choices(tx: Connection, made: Iterable[Choice], stored: Callable[[str], str]) -> None:
    """Stores choices; a later one on the same file takes the place of an earlier one.

    Args:
        tx: A writing transaction.
        made: The choices.
        stored: What an absolute path is stored as.
    """
    rows = [
        {
            "path": stored(one.path),
            "digest": one.digest,
            "keeper": stored(one.keeper),
            "keeper_digest": one.keeper_digest,
            "fate": str(one.fate),
            "kind": str(one.kind),
            "decided_ns": one.decided_ns,
        }
        for one in made
    ]
    if rows:
        statement = upsert(choice)
        taken = {column.name: statement.excluded[column.name] for column in choice.c if not column.primary_key}
        tx.execute(statement.on_conflict_do_update(index_elements=["path"], set_=taken), rows)


def drop_choices(tx: Connection, paths: Iterable[str]) -> None:
    """Forgets the choices on files, by stored path."""
    wanted = sorted(set(paths))
    for start in range(0, len(wanted), IN_ONE):
        tx.execute(delete(choice).where(choice.c.path.in_(wanted[start : start + IN_ONE])))


def move(tx: Connection, moved: Callable[[str], str]) -> None:
    """Rewrites the paths of the files that were chosen, and of their keepers.

    Args:
        tx: A writing transaction.
        moved: Gives the stored path that one has now.
    """
    rows = [
        {**row, "path": moved(row["path"]), "keeper": moved(row["keeper"])}
        for row in tx.execute(select(choice)).mappings()
    ]
    if rows:
        tx.execute(delete(choice))
        tx.execute(insert(choice), rows)
