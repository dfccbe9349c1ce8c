"""The story from fingerprints to matches: hashes propose pairs, workers look at them, what they find is stored.

The database is the work list here too: a content is due until it was compared with all others. A run that is stopped loses
the pairs of a slice; the next one goes on with the contents that are still due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from indexer import matches, queries, rejects
from indexer.database import Database
from indexer.executors import Executor, results
from indexer.groups import Evidence, Match
from indexer.places import joined
from indexer.recipe import LOW_DETAIL
from indexer.records import Tick
from indexer.thresholds import MATCHING

if TYPE_CHECKING:
    from indexer.candidates import Candidates, Hashes
    from indexer.closeup import Judged, Proposal

SLICE = 4_000
"""Pairs whose outcome is stored at once: what a killed run loses."""
BATCH = 16
"""Pairs that a worker gets at once."""


def match_due(database: Database, recipe_id: int, executor: Executor, tick: Tick) -> int:
    """Compares the contents that are due with all others; gives the number of matches that were found.

    Args:
        database: Open for writing.
        recipe_id: Of the fingerprints; others are never compared.
        executor: Where pairs are looked at.
        tick: Told of progress.
    """
    with database.writing() as tx:
        matching_id = matches.matching_id(tx, MATCHING.key, MATCHING.name)
        if not matches.settle_plain(tx, recipe_id, matching_id, LOW_DETAIL):
            return 0
        rows = matches.hash_rows(tx, recipe_id, LOW_DETAIL)
    from indexer.candidates import SEARCHES, candidates, hashes_of  # noqa: PLC0415 - numpy, which a run without news spares

    hashes = hashes_of(*rows)
    tick("search", 0, SEARCHES)
    proposed = candidates(hashes, executor.jobs, lambda: tick("search", 1, SEARCHES))
    return _looked_at(database, hashes, proposed, matching_id, executor, tick)


def _looked_at(
    database: Database, hashes: Hashes, proposed: Candidates, matching_id: int, executor: Executor, tick: Tick
) -> int:
    """Looks at the proposed pairs, slice by slice, and stores what is found."""
    from indexer.closeup import vetted_judged  # noqa: PLC0415 - decoders, as below

    found = 0
    tick("match", 0, len(proposed.left))
    for pairs, settled in proposed.slices(hashes, SLICE):
        kept: list[Match] = []
        for judged in results(executor, _judge, _batches(database, pairs), _unseen, vetted_judged):
            kept += [_match(one, hashes) for one in judged if one.likeness]
            tick("match", len(judged), len(proposed.left))
        with database.writing() as tx:
            matches.keep_matches(tx, kept)
            matches.mark_matched(tx, settled, matching_id)
        found += len(kept)
    return found


def _batches(database: Database, pairs: Candidates) -> Iterator[tuple[tuple[Proposal, ...], None]]:
    """Pairs for the workers, with the thumbnails and the files of both contents."""
    from indexer.closeup import Proposal  # noqa: PLC0415

    ids = {*pairs.left.tolist(), *pairs.right.tolist()}
    with database.reading() as tx:
        pictures, files = matches.thumbnails(tx, ids), files_showing(database, tx, ids)
    proposals = [
        Proposal(left, right, hints, (pictures[left], pictures[right]), (files.get(left), files.get(right)))
        for left, right, hints in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.hints.tolist(), strict=True)
    ]
    for start in range(0, len(proposals), BATCH):
        yield tuple(proposals[start : start + BATCH]), None


def files_showing(database: Database, tx: Connection, content_ids: Iterable[int]) -> dict[int, tuple[str, bytes]]:
    """For each content a file that shows it pixel by pixel: its absolute path, and the digest that it must have.

    Where the data set has none, it is one that was rejected and lies in the quarantine.
    """
    bases, wanted = database.bases(queries.roots(tx)), set(content_ids)
    places = matches.places(tx, wanted)
    found = {key: (joined(bases[place.root_id], place.path), place.digest) for key, place in places.items()}
    if len(found) < len(wanted) and rejects.has_marks(tx):
        left = rejects.payloads(tx, wanted - found.keys())
        found |= {key: (database.absolute(stored), digest) for key, (stored, digest) in left.items()}
    return found


def _judge(proposals: Sequence[Proposal], _extra: None) -> Sequence[Judged]:
    """What workers run; imported there."""
    from indexer.closeup import judge_batch  # noqa: PLC0415

    return judge_batch(proposals)


def _unseen(proposal: Proposal, _reason: str) -> Judged:
    """The answer for a pair that cost its worker: one of the files is hostile, so it is not looked at and not matched."""
    from indexer.closeup import Judged  # noqa: PLC0415

    return Judged(proposal.a_id, proposal.b_id, None, Evidence.THUMBNAIL)


def _match(judged: Judged, hashes: Hashes) -> Match:
    likeness: Any = judged.likeness
    bits = hashes.distance(judged.a_id, judged.b_id, likeness.turn)
    return Match(judged.a_id, judged.b_id, bits=bits, evidence=judged.evidence, **likeness.measures)
