"""The story from a picture to what the index holds that looks like it."""

from __future__ import annotations

from indexer import matches, queries
from indexer.beside import Asked, compared
from indexer.database import Database
from indexer.errors import UsageError
from indexer.executors import Executor, outcomes
from indexer.groups import Kind, Near, Similar
from indexer.places import joined
from indexer.recipe import LOW_DETAIL, RECIPE
from indexer.records import Fingerprint, Fingerprinted, Task
from indexer.text import printable

LOOKED_AT = 4
"""Times as many pictures are compared as are asked for, since hashes rank only roughly."""
_RANKS = (Kind.BYTES, Kind.SAME, Kind.RECOLOURED, Kind.FLIPPED, Kind.ROTATED, Kind.EDITED, None)


def similar(database: Database, path: str, count: int, executor: Executor) -> list[Similar]:
    """The indexed pictures that look most like a picture, the nearest first.

    Args:
        database: The index.
        path: Absolute path of the picture, which need not be indexed.
        count: How many to give at most.
        executor: Where the picture is decoded and compared.

    Raises:
        UsageError: When the picture cannot be read.
    """
    picture = _fingerprinted(path, executor)
    digest, fingerprint = picture.digest, picture.fingerprint
    with database.reading() as tx:
        equal = matches.contents_of(tx, digest, fingerprint.look)
        rows = matches.hash_rows(tx, matches.recipe_id(tx, RECIPE.key), LOW_DETAIL)
    kinds: dict[int, tuple[Kind | None, int]] = dict.fromkeys(equal, (Kind.SAME, 0))
    if rows.ids and fingerprint.detail >= LOW_DETAIL:
        from indexer.hints import EVERY  # noqa: PLC0415 - numpy

        near = _nearest(rows, fingerprint, LOOKED_AT * count)
        with database.reading() as tx:
            asked = Asked(path, picture, [Near(content_id, bits, EVERY) for content_id, bits in near])
            (judged,) = compared(database, tx, [asked], executor)
        for content_id, bits in near:
            likeness = judged[content_id].likeness
            kinds.setdefault(content_id, (likeness.kind if likeness else None, bits))
    return _files(database, kinds, digest)[:count]


def _fingerprinted(path: str, executor: Executor) -> Fingerprinted:
    """What decoding a file gives."""
    task = Task(0, path, 0, claims_picture=True)
    outcome = next(iter(outcomes(executor, [((task,), frozenset())])))[0]
    if not isinstance(outcome, Fingerprinted):
        raise UsageError(f"'{printable(path)}' {getattr(outcome, 'reason', 'is no picture')}")
    return outcome


def _nearest(rows: matches.HashRows, fingerprint: Fingerprint, count: int) -> list[tuple[int, int]]:
    """Contents with the distance of their hashes, the nearest first."""
    from indexer.candidates import hashes_of, nearest  # noqa: PLC0415 - numpy

    return nearest(hashes_of(*rows), fingerprint.phash, fingerprint.views, count)


def _files(database: Database, kinds: dict[int, tuple[Kind | None, int]], digest: bytes) -> list[Similar]:
    """The files that show some contents, the closest kind first, then the nearest; contents without a file are left out.

    Args:
        database: The index.
        kinds: Of the contents, with their distance.
        digest: Of the picture: a file that holds the same is a copy of it.
    """
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        places = matches.places(tx, kinds)
    found: dict[str, Similar] = {}
    for content_id, place in places.items():
        kind, bits = kinds[content_id]
        path = joined(bases[place.root_id], place.path)
        found[path] = Similar(path, Kind.BYTES if place.digest == digest else kind, bits)
    return sorted(found.values(), key=lambda one: (_RANKS.index(one.kind), one.bits, one.path))
