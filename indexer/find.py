"""The story from index to groups: a pure read."""

from __future__ import annotations

from collections.abc import Iterable

from indexer import queries, store
from indexer.choose import group_of
from indexer.database import Database
from indexer.errors import UsageError
from indexer.moves import Group, MatchRule, Plan
from indexer.places import outermost, places_of
from indexer.records import UnreadableFile

MOST_PLACES = 200
"""Paths in one question: more make a statement that SQLite does not take."""


def groups(database: Database, match: MatchRule, paths: Iterable[str] = ()) -> tuple[Group, ...]:
    """The groups among the indexed files, by the keeper's path.

    Args:
        database: The index.
        match: What the files of a group share.
        paths: Absolute paths; only files at or below them are looked at. Without any, all files.

    Raises:
        UsageError: When a path lies outside every root.
    """
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        places = outermost(places_of(bases, paths))
        if len(places) > MOST_PLACES:
            raise UsageError(f"{len(places):,} paths are too many at once", "name a folder that holds them")
        found = map(group_of, queries.groups(tx, match, bases, places))
        return tuple(sorted((group for group in found if group), key=lambda group: group.keeper.full_path))


def plan(database: Database, match: MatchRule, paths: Iterable[str] = ()) -> Plan:
    """What `prune` shows, and carries out when it is told to."""
    return Plan(match, groups(database, match, paths))


def unreadable(database: Database, paths: Iterable[str] = ()) -> list[UnreadableFile]:
    """The unreadable files at or below given paths, all of them without any."""
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        return store.unreadable_files(tx, bases, places_of(bases, paths))
