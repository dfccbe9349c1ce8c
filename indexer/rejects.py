"""Every statement about what was rejected: the marks, the contents that have one, and where their files lie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from indexer.conditions import in_parts
from indexer.groups import Evidence, Mark, Member
from indexer.moves import JournalEntry, MoveState
from indexer.places import joined
from indexer.plans import Action
from indexer.records import Stamp
from indexer.schema import content, journal, rejected

_AWAY = (MoveState.PLANNED, MoveState.MOVED, MoveState.RETURNING, MoveState.PURGING)
"""States of a file that is, or may be, in the quarantine."""
_MARK = (rejected.c.digest, rejected.c.reason, rejected.c.rejected_ns)


def keep_marks(tx: Connection, marks: Iterable[Mark]) -> int:
    """Marks contents as rejected; those that are already keep the mark they have. Gives the number of new marks."""
    before = count_marks(tx)
    for mark in marks:
        values = {"digest": mark.digest, "reason": mark.reason, "rejected_ns": mark.rejected_ns}
        tx.execute(upsert(rejected).values(values).on_conflict_do_nothing())
    return count_marks(tx) - before


def has_marks(tx: Connection) -> bool:
    """True when anything was rejected."""
    return tx.execute(select(rejected.c.digest).limit(1)).first() is not None


def count_marks(tx: Connection) -> int:
    """The number of rejected contents."""
    return int(tx.execute(select(func.count()).select_from(rejected)).scalar_one())


def marks(tx: Connection) -> list[Mark]:
    """All marks, the oldest first."""
    return [Mark(*row) for row in tx.execute(select(*_MARK).order_by(rejected.c.rejected_ns, rejected.c.digest))]


def marked(tx: Connection, digests: Iterable[bytes]) -> dict[bytes, Mark]:
    """The marks of some contents, by digest."""
    return {row.digest: Mark(*row) for row in in_parts(tx, select(*_MARK), rejected.c.digest, digests)}


def reasons(tx: Connection, content_ids: Iterable[int]) -> dict[int, tuple[str, int]]:
    """Those of some contents that were rejected, by id, each with the reason and its pixels; 0 when it was not decoded."""
    ids = sorted(set(content_ids))
    rows = tx.exec_driver_sql(_REASONS.format(", ".join("?" * len(ids))), tuple(ids))
    return {content_id: (reason, pixels or 0) for content_id, reason, pixels in rows}


def reason_of(tx: Connection, digest: bytes) -> str | None:
    """Why bytes were rejected, whether or not a content has them; None when they were not."""
    return tx.exec_driver_sql("SELECT reason FROM rejected WHERE digest = ?", (digest,)).scalar()


def matched(tx: Connection, look: bytes) -> list[tuple[int, int, Evidence]]:
    """The rejected contents that a look was matched with as the same picture: their ids, bits of distance, evidence."""
    rows = tx.exec_driver_sql(_MATCHED, (look,))
    return [(content_id, bits, Evidence(evidence)) for content_id, bits, evidence in rows]


def forget_mark(tx: Connection, digest: bytes) -> int:
    """Drops a mark; gives the number of those dropped."""
    return tx.execute(delete(rejected).where(rejected.c.digest == digest)).rowcount


def release(tx: Connection, entries: Iterable[JournalEntry]) -> None:
    """Takes back the marks that were made for files that the quarantine does not hold; their states are written already.

    A mark stays while another file that was moved away by the same run for its sake is, or may be, in the quarantine.
    """
    made = {(one.run_id, one.digest): one.extra["rejected_ns"] for one in entries if "rejected_ns" in one.extra}
    query = select(journal.c.run_id, journal.c.digest).where(
        journal.c.run_id.in_({run_id for run_id, _digest in made}),
        journal.c.owner_id.is_(None),
        journal.c.state.in_(_AWAY),
    )
    digests = [digest for _run, digest in made]
    away = {(row.run_id, row.digest) for row in in_parts(tx, query, journal.c.digest, digests)}
    for key in made.keys() - away:
        tx.execute(delete(rejected).where(rejected.c.digest == key[1], rejected.c.rejected_ns == made[key]))


def pictures(tx: Connection) -> list[tuple[Mark, Member]]:
    """The rejected contents that were decoded, each as a member without a file, the oldest mark first."""
    columns = (content.c.width, content.c.height, content.c.format, content.c.look)
    query = (
        select(*_MARK, content.c.id, content.c.size, *columns)
        .join(content, content.c.digest == rejected.c.digest)
        .where(content.c.look.is_not(None))
        .order_by(rejected.c.rejected_ns, rejected.c.digest)
    )
    return [
        (Mark(*mark), Member(0, content_id, 0, "", "", Stamp(size, 0, 0, 0), mark[0], *picture))
        for *mark, content_id, size, picture in (
            (*row[:3], row.id, row.size, (row.width, row.height, row.format, row.look)) for row in tx.execute(query)
        )
    ]


class Place(NamedTuple):
    """Where a file was that was rejected."""

    digest: bytes
    run_id: int
    root_id: int
    base: str | None
    """The stored path of what the path is relative to when that is not the root."""
    path: str
    is_held: bool
    """It lies in the quarantine."""


def places(tx: Connection) -> list[Place]:
    """Where the files were that were rejected, the latest run first; of one run in the order in which they went."""
    columns = [journal.c[name] for name in ("digest", "run_id", "root_id", "base", "path")]
    query = select(*columns, journal.c.state == MoveState.MOVED).order_by(journal.c.run_id.desc(), journal.c.id)
    rows: Iterable[Any] = tx.execute(query.where(journal.c.action == Action.REJECT, journal.c.owner_id.is_(None)))
    return [Place(*row) for row in rows]


def payloads(tx: Connection, content_ids: Iterable[int]) -> dict[int, tuple[str, bytes]]:
    """For each content a quarantined file that shows it pixel by pixel, as it was rejected: stored path, and digest."""
    shown = content.alias("shown")
    query = (
        select(shown.c.id, content.c.digest)
        .select_from(shown)
        .join(content, content.c.look == shown.c.look)
        .join(rejected, rejected.c.digest == content.c.digest)
        .order_by(content.c.id == shown.c.id)
    )
    digests = {row.id: row.digest for row in in_parts(tx, query, shown.c.id, content_ids)}
    held = (journal.c.action == Action.REJECT, journal.c.state == MoveState.MOVED, journal.c.owner_id.is_(None))
    lying = select(journal.c.digest, journal.c.quarantine, journal.c.payload).where(*held)
    found = {
        row.digest: joined(row.quarantine, row.payload)
        for row in in_parts(tx, lying, journal.c.digest, digests.values())
    }
    return {key: (found[digest], digest) for key, digest in digests.items() if digest in found}


_REASONS = """
    SELECT content.id, rejected.reason, content.width * content.height
    FROM content JOIN rejected ON rejected.digest = content.digest
    WHERE content.id IN ({})
"""
_MATCHED = """
    SELECT shown.id, found.bits, found.evidence FROM content AS own
    JOIN "match" AS found ON found.a_id = own.id OR found.b_id = own.id
    JOIN content AS other ON other.id = found.a_id + found.b_id - own.id
    JOIN content AS shown ON shown.look = other.look
    JOIN rejected ON rejected.digest = shown.digest
    WHERE own.look = ? AND found.kind = 'same' ORDER BY shown.id
"""
"""Plain text, as the gate asks it for each picture."""
