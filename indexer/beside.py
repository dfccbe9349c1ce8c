"""The story of pictures that are not indexed, looked at beside contents that are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection

from indexer import matches
from indexer.database import Database
from indexer.executors import Executor, results
from indexer.groups import Evidence, Near
from indexer.match import BATCH, files_showing
from indexer.records import Fingerprinted

if TYPE_CHECKING:
    from indexer.closeup import Judged, Proposal


class Asked(NamedTuple):
    """A picture, and the contents to compare it with."""

    path: str
    """Absolute."""
    outcome: Fingerprinted
    near: Sequence[Near]


def compared(database: Database, tx: Connection, asked: Sequence[Asked], executor: Executor) -> list[dict[int, Judged]]:
    """For each picture, what looking at it beside each of its contents gives, by content.

    Args:
        database: The index.
        tx: A transaction of it.
        asked: Pictures and contents.
        executor: Where they are looked at.
    """
    from indexer.closeup import Judged, judge_batch, vetted_judged  # noqa: PLC0415 - decoders

    def unseen(proposal: Proposal, _reason: str) -> Judged:
        return Judged(proposal.a_id, proposal.b_id, None, Evidence.THUMBNAIL)

    found: list[dict[int, Judged]] = [{} for _ in asked]
    proposals = list(_proposals(database, tx, asked))
    batches = ((tuple(proposals[start : start + BATCH]), None) for start in range(0, len(proposals), BATCH))
    for some in results(executor, judge_batch, batches, unseen, vetted_judged):
        for judged in some:
            found[judged.a_id][judged.b_id] = judged
    return found


def _proposals(database: Database, tx: Connection, asked: Sequence[Asked]) -> Iterator[Proposal]:
    """Each picture with each of its contents; the picture's number stands for its id."""
    from indexer.closeup import Proposal  # noqa: PLC0415

    ids = {content_id for one in asked for content_id, *_how in one.near}
    pictures = matches.thumbnails(tx, ids)
    files = files_showing(database, tx, ids)
    for number, one in enumerate(asked):
        file, thumbnail = (one.path, one.outcome.digest), one.outcome.fingerprint.thumbnail
        for content_id, _bits, hints in one.near:
            if content_id in pictures:  # else it was released since its hashes were read
                thumbnails = thumbnail, pictures[content_id]
                yield Proposal(number, content_id, hints, thumbnails, (file, files.get(content_id)))
