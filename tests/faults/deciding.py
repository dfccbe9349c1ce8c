"""What the tests of hazards 27 to 41 share: a plan in three words a move, and the command that carries it out."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from indexer import Index
from indexer.entry import run
from indexer.groups import VERIFIED

Planned = set[tuple[str, str, str]]
"""Kind, keeper and surplus of each move, the files relative to their roots."""


def planned(index: Index, **asked: object) -> Planned:
    """What a plan would move."""
    moves = index.plan(**asked).moves  # type: ignore[arg-type]
    return {(str(move.surplus.kind), move.keeper.path, move.surplus.member.path) for move in moves}


def every_plan(index: Index) -> Planned:
    """What any rule of matching would move."""
    rules = ({"kinds": VERIFIED, "unconfirmed": True}, {"match": "bytes"}, {"match": "hash"})
    return {move for rule in rules for move in planned(index, **rule)}


def prune(index: Index, *options: str) -> int:
    """Prunes by the command, as a user types it; gives the exit code."""
    return run(["prune", "--yes", "--quiet", "--db", index.path, *options])


def rows(index: Index, statement: str) -> list[tuple[object, ...]]:
    """What a statement gives on the index's database."""
    with sqlite3.connect(index.path) as db:
        found = db.execute(statement).fetchall()
    db.close()
    return found


def names(folder: Path) -> set[str]:
    """What lies in a folder."""
    return {path.name for path in folder.iterdir()}
