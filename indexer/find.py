"""The story from index to groups: a pure read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from indexer import choose, matches, queries, store
from indexer.choose import Relations, equal_hashes, stars
from indexer.database import Database
from indexer.errors import UsageError
from indexer.groups import Group, Kind, MatchRule, Member
from indexer.places import Place, outermost, places_of, split
from indexer.plans import Wanted
from indexer.records import UnreadableFile
from indexer.relate import relations
from indexer.scan import misleads

MOST_PLACES = 200
"""Paths in one question: more make a statement that SQLite does not take."""


def groups(database: Database, wanted: Wanted, paths: Iterable[str] = ()) -> tuple[Group, ...]:
    """The groups among the indexed files, by the keeper's path.

    Args:
        database: The index.
        wanted: Which groups.
        paths: Absolute paths; only files at or below them are looked at. Without any, all files.

    Raises:
        UsageError: When a path lies outside every root.
    """
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        places = outermost(places_of(bases, paths))
        if len(places) > MOST_PLACES:
            raise UsageError(f"{len(places):,} paths are too many at once", "name a folder that holds them")
        if wanted.match is not MatchRule.VERIFIED:
            found = _equal(tx, wanted, bases, places)
        else:
            found = _stars(tx, wanted, bases, places)
        return tuple(sorted(found, key=lambda group: group.keeper.full_path))


def _equal(tx: Connection, wanted: Wanted, bases: Mapping[int, str], places: Sequence[Place]) -> Iterator[Group]:
    """The groups of equal bytes, or of equal hashes."""
    kinds = (Kind.BYTES,) if wanted.match is MatchRule.BYTES else (Kind.BYTES, Kind.HASH)
    for members in queries.groups(tx, wanted.match, bases, places):
        yield from stars(members, equal_hashes(members), kinds, wanted.rules)


def _stars(tx: Connection, wanted: Wanted, bases: Mapping[int, str], places: Sequence[Place]) -> Iterator[Group]:
    """The groups by verified matches and people's judgements."""
    members, relations_of = related(tx, wanted, bases, places)
    return stars(members, relations_of, wanted.kinds, wanted.rules)


def related(
    tx: Connection, wanted: Wanted, bases: Mapping[int, str], places: Sequence[Place] = ()
) -> tuple[list[Member], Relations]:
    """The files that match others, and how."""
    members = queries.related(tx, wanted.kinds, bases, places)
    links, judged = matches.links(tx), matches.judgements(tx)
    return members, relations(members, links, judged, kinds=wanted.kinds, unconfirmed=wanted.unconfirmed)


def crossing(database: Database, wanted: Wanted) -> tuple[Group, ...]:
    """The groups of files that match across the areas of the rules, whoever may go; see `choose.crossing`."""
    with database.reading() as tx:
        members, relations_of = related(tx, wanted, database.bases(queries.roots(tx)))
        return tuple(choose.crossing(members, relations_of, wanted.kinds, wanted.rules))


def unreadable(database: Database, paths: Iterable[str] = ()) -> list[UnreadableFile]:
    """The unreadable files at or below given paths, all of them without any."""
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        return store.unreadable_files(tx, bases, places_of(bases, paths))


def misnamed(database: Database, paths: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The pictures whose name says another format than they have, by path: the path and that format."""
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        found = store.formats_of_files(tx, bases, places_of(bases, paths))
        return sorted((path, form) for path, form in found if misleads(split(path)[1], form))
