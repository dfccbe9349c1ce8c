"""Every statement that makes a content unknown again; its row stays, as ids must not be given twice."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, func, or_, select, update

from indexer.moves import MoveState
from indexer.plans import Action
from indexer.schema import arrival, content, file, journal, match, rejected, thumbnail

_AWAY = (MoveState.PLANNED, MoveState.MOVED, MoveState.RETURNING, MoveState.PURGING)
"""States of a file that is, or may be, in the quarantine."""
_DECODED = ("dhash", "phash", "width", "height", "format", "mode", "detail", "views", "look")


def release_content(tx: Connection, digest: bytes) -> bool:
    """Forgets a content that was admitted and is in no file; False when there is none, or it is known for another reason.

    Its row stays, without anything by which it could be found: ids that are given once must not be given again, as a gate
    takes those that it has seen for read.
    """
    elsewhere = (
        select(file.c.id).where(file.c.content_id == content.c.id),
        select(match.c.a_id).where(or_(match.c.a_id == content.c.id, match.c.b_id == content.c.id)),
        select(arrival.c.id).where(or_(arrival.c.content_id == content.c.id, arrival.c.known_id == content.c.id)),
        select(journal.c.id).where(journal.c.digest == digest),
        select(rejected.c.digest).where(rejected.c.digest == digest),
    )
    unknown = (~query.exists() for query in elsewhere)
    query = select(content.c.id).where(
        content.c.digest == digest, content.c.admitted, content.c.matched.is_(None), *unknown
    )
    content_id = tx.execute(query).scalar()
    if content_id is None:
        return False
    _blank(tx, content_id, known_still=False)
    return True


def release_pictures(tx: Connection, digests: Iterable[bytes]) -> None:
    """Drops thumbnails and hashes of what is rejected no longer, and of what went as it showed that.

    What a file holds stays, also when the file is in the quarantine, and so does what is rejected still. What reports tell
    of keeps its digest, and is decoded when a file of it comes again.
    """
    tx.exec_driver_sql("PRAGMA secure_delete = ON")
    shown = func.json_extract(journal.c.extra, "$.shows")
    for digest in digests:
        went = select(journal.c.digest).where(journal.c.action == Action.REJECT, shown == digest.hex())
        needed = (
            select(file.c.id).where(file.c.content_id == content.c.id),
            select(journal.c.id).where(journal.c.digest == content.c.digest, journal.c.state.in_(_AWAY)),
            select(rejected.c.digest).where(rejected.c.digest == content.c.digest),
        )
        which = or_(content.c.digest == digest, content.c.digest.in_(went))
        query = select(content.c.id).where(which, *(~one.exists() for one in needed))
        for content_id in tx.execute(query).scalars().all():
            told = or_(arrival.c.content_id == content_id, arrival.c.known_id == content_id)
            known_still = tx.execute(select(arrival.c.id).where(told).limit(1)).first() is not None
            _drop_matches(tx, content_id)
            _blank(tx, content_id, known_still=known_still)


def _drop_matches(tx: Connection, content_id: int) -> None:
    """Forgets what a content was matched with; those of equal pixels, for which its matches stood, are due again."""
    look = select(content.c.look).where(content.c.id == content_id).scalar_subquery()
    tx.execute(update(content).where(content.c.look == look).values(matched=None))
    tx.execute(delete(match).where(or_(match.c.a_id == content_id, match.c.b_id == content_id)))


def _blank(tx: Connection, content_id: int, *, known_still: bool) -> None:
    """Takes all from a content by which it could be found; of one that is known still, all but the digest."""
    gone = {"digest": f"released {content_id}".encode(), "size": 0, "unreadable": "released"}
    values = {"unreadable": None, "claimed": True} if known_still else gone
    tx.execute(delete(thumbnail).where(thumbnail.c.content_id == content_id))
    tx.execute(update(content).where(content.c.id == content_id).values(**dict.fromkeys(_DECODED), **values))
