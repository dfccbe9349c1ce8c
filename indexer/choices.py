"""Every statement about what people chose in a review."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from indexer.conditions import IN_ONE
from indexer.groups import Kind
from indexer.plans import Choice, Fate
from indexer.schema import choice


def choices(tx: Connection, absolute: Callable[[str], str]) -> list[Choice]:
    """All choices, by path.

    Args:
        tx: A transaction.
        absolute: The absolute path that a stored one stands for.
    """
    return [
        Choice(
            absolute(row.path),
            row.digest,
            absolute(row.keeper),
            row.keeper_digest,
            Fate(row.fate),
            Kind(row.kind),
            row.decided_ns,
        )
        for row in tx.execute(select(choice).order_by(choice.c.path))
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
