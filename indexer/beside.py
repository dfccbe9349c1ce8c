"""The story of pictures that are not indexed, looked at beside contents that are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection

from indexer import matches
from indexer.executors import Executor, results
from indexer.groups import Evidence, Near
from indexer.match import BATCH
from indexer.places import joined
from indexer.records import Fingerprinted

if TYPE_CHECKING:
    from indexer.closeup import Judged, Proposal


class Asked(NamedTuple):
    """A picture, and the contents to compare it with."""

    path: str
    """Absolute."""
    outcome: Fingerprinted
    near: Sequence[Near]


def compared(
    tx: Connection, bases: Mapping[int, str], asked: Sequence[Asked], executor: Executor
) -> list[dict[int, Judged]]:
    """For each picture, what looking at it beside each of its contents gives, by content.

    Args:
        tx: A transaction.
        bases: The absolute path of each root.
        asked: Pictures and contents.
        executor: Where they are looked at.
    """
    from indexer.closeup import Judged, judge_batch, vetted_judged  # noqa: PLC0415 - decoders

    def unseen(proposal: Proposal, _reason: str) -> Judged:
        return Judged(proposal.a_id, proposal.b_id, None, Evidence.THUMBNAIL)

    found: list[dict[int, Judged]] = [{} for _ in asked]
    proposals = list(_proposals(tx, bases, asked))
    batches = ((tuple(proposals[start : start + BATCH]), None) for start in range(0, len(proposals), BATCH))
    for some in results(executor, judge_batch, batches, unseen, vetted_judged):
        for judged in some:
            found[judged.a_id][judged.b_id] = judged
    return found


def _proposals(tx: Connection, bases: Mapping[int, str], asked: Sequence[Asked]) -> Iterator[Proposal]:
    """Each picture with each of its contents; the picture's number stands for its id."""
    from indexer.closeup import Proposal  # noqa: PLC0415

    ids = {content_id for one in asked for content_id, *_how in one.near}
    pictures = matches.thumbnails(tx, ids)
    files = {key: (joined(bases[at.root_id], at.path), at.digest) for key, at in matches.places(tx, ids).items()}
    for number, one in enumerate(asked):
        file, thumbnail = (one.path, one.outcome.digest), one.outcome.fingerprint.thumbnail
        for content_id, _bits, hints in one.near:
            if content_id in pictures:  # else it was released since its hashes were read
                thumbnails = thumbnail, pictures[content_id]
                yield Proposal(number, content_id, hints, thumbnails, (file, files.get(content_id)))
