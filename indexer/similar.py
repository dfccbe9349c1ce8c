"""The story from a picture to what the index holds that looks like it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from indexer import matches, queries
from indexer.database import Database
from indexer.errors import UsageError
from indexer.executors import Executor, outcomes, results
from indexer.groups import Evidence, Kind, Similar
from indexer.match import BATCH
from indexer.places import joined
from indexer.recipe import LOW_DETAIL, RECIPE
from indexer.records import Fingerprint, Fingerprinted, Task
from indexer.text import printable

if TYPE_CHECKING:
    from indexer.closeup import Judged

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
    digest, fingerprint = _fingerprint(path, executor)
    with database.reading() as tx:
        equal = matches.contents_of(tx, digest, fingerprint.look)
        rows = matches.hash_rows(tx, matches.recipe_id(tx, RECIPE.key), LOW_DETAIL)
    kinds: dict[int, tuple[Kind | None, int]] = dict.fromkeys(equal, (Kind.SAME, 0))
    if rows.ids and fingerprint.detail >= LOW_DETAIL:
        near = _nearest(rows, fingerprint, LOOKED_AT * count)
        judged = _compared(database, (path, digest), fingerprint, [content_id for content_id, _bits in near], executor)
        for content_id, bits in near:
            likeness = judged[content_id].likeness
            kinds.setdefault(content_id, (likeness.kind if likeness else None, bits))
    return _files(database, kinds, digest)[:count]


def _fingerprint(path: str, executor: Executor) -> tuple[bytes, Fingerprint]:
    """Digest and fingerprint of a file."""
    task = Task(0, path, 0, claims_picture=True)
    outcome = next(iter(outcomes(executor, [((task,), frozenset())])))[0]
    if not isinstance(outcome, Fingerprinted):
        raise UsageError(f"'{printable(path)}' {getattr(outcome, 'reason', 'is no picture')}")
    return outcome.digest, outcome.fingerprint


def _nearest(rows: matches.HashRows, fingerprint: Fingerprint, count: int) -> list[tuple[int, int]]:
    """Contents with the distance of their hashes, the nearest first."""
    from indexer.candidates import hashes_of, nearest  # noqa: PLC0415 - numpy

    return nearest(hashes_of(*rows), fingerprint.phash, fingerprint.views, count)


def _compared(
    database: Database, file: tuple[str, bytes], fingerprint: Fingerprint, near: Sequence[int], executor: Executor
) -> dict[int, Judged]:
    """What looking at the picture beside each of some contents gives."""
    from indexer.closeup import Judged, Proposal, judge_batch, vetted_judged  # noqa: PLC0415
    from indexer.hints import EVERY  # noqa: PLC0415

    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        pictures = matches.thumbnails(tx, near)
        places = {
            key: (joined(bases[one.root_id], one.path), one.digest) for key, one in matches.places(tx, near).items()
        }
    proposals = [
        Proposal(0, key, EVERY, (fingerprint.thumbnail, pictures[key]), (file, places.get(key))) for key in near
    ]
    batches = ((tuple(proposals[start : start + BATCH]), None) for start in range(0, len(proposals), BATCH))

    def unseen(proposal: Proposal, _reason: str) -> Judged:
        return Judged(proposal.a_id, proposal.b_id, None, Evidence.THUMBNAIL)

    return {
        judged.b_id: judged
        for found in results(executor, judge_batch, batches, unseen, vetted_judged)
        for judged in found
    }


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
