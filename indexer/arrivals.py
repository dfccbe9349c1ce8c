"""Every statement about arrivals: what came, what it may be known as, and what it brought."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, case, func, literal_column, select, update

from indexer.brought import Assessed, Brought, Due, Known
from indexer.conditions import execute_many, in_parts
from indexer.places import Place, joined
from indexer.records import FileState
from indexer.schema import arrival, content, file, folder, path_value, rejected

PAGE = 5_000
"""Rows fetched at a time."""


class Arrived(NamedTuple):
    """A file that was read and holds something that it did not hold before."""

    file_id: int
    path: str
    """As it is stored."""
    size: int
    digest: bytes | None


def note(tx: Connection, run_id: int, arrived: Iterable[Arrived], newest: int) -> None:
    """Remembers files that arrived, to be judged when they are matched.

    Args:
        tx: The transaction that stored their contents.
        run_id: The run that read them.
        arrived: The files.
        newest: The largest id of a content before that: those with larger ones were not known.
    """
    rows = [(run_id, path_value(one.path), one.size, one.file_id, one.digest, newest) for one in arrived]
    execute_many(tx, _NOTE, rows)


def promise(tx: Connection, content_id: int) -> None:
    """Notes that a gate admitted a content, whose file has yet to arrive: to be known to gates is not to be there."""
    tx.execute(update(content).where(content.c.id == content_id).values(admitted=True))


def due(tx: Connection) -> list[Due]:
    """The arrivals that are not judged yet."""
    decoded = case((content.c.look.is_not(None), content.c.id))
    query = select(arrival.c.id, arrival.c.path, decoded).outerjoin(content, content.c.id == arrival.c.content_id)
    return [Due(*row) for row in tx.execute(query.where(_is_due()))]


def due_looks(tx: Connection) -> set[bytes]:
    """The looks of the pictures that arrived and are not judged yet."""
    query = select(content.c.look).join(arrival, arrival.c.content_id == content.c.id).where(_is_due())
    return {look for look in tx.execute(query).scalars() if look is not None}


def known(tx: Connection, looks: Iterable[bytes]) -> dict[int, Known]:
    """The contents of some looks, by id."""
    fresh = select(arrival.c.content_id).where(
        _is_due(), arrival.c.known_id.is_(None), arrival.c.content_id.is_not(None)
    )
    theirs = select(arrival.c.file_id).where(_is_due(), arrival.c.file_id.is_not(None))
    files = select(file.c.id).where(file.c.content_id == content.c.id, file.c.state == FileState.PICTURE)
    query = select(
        content.c.id,
        content.c.digest,
        content.c.look,
        content.c.width * content.c.height,
        and_(~content.c.admitted, content.c.id.not_in(fresh)),
        files.where(file.c.id.not_in(theirs)).exists(),
        select(rejected.c.digest).where(rejected.c.digest == content.c.digest).exists(),
    )
    return {row[0]: Known(*row) for row in in_parts(tx, query, content.c.look, looks)}


def keep_outcomes(tx: Connection, run_id: int, assessed: Iterable[Assessed]) -> None:
    """Stores what arrivals turned out to be; the run is the one that brought them.

    Pictures that a gate had promised are there now.
    """
    came = select(arrival.c.content_id).where(_is_due())
    tx.execute(update(content).where(content.c.admitted, content.c.id.in_(came)).values(admitted=False))
    rows = [(run_id, str(one.outcome), one.known_id, one.arrival_id) for one in assessed]
    execute_many(tx, _KEEP, rows)


def of_contents(tx: Connection, content_ids: Iterable[int]) -> Iterator[tuple[int, int, str]]:
    """The arrivals of some contents: the content, the run, and the path as it is stored."""
    query = select(arrival.c.content_id, arrival.c.run_id, arrival.c.path)
    return (tuple(row) for row in in_parts(tx, query, arrival.c.content_id, set(content_ids)))


# --- what runs brought


def tallied(tx: Connection, run_ids: Iterable[int] | None = None) -> list[tuple[int, Brought, int, int]]:
    """The number of files with each outcome that runs brought, and their bytes; of some runs, or of all."""
    query = select(arrival.c.run_id, arrival.c.outcome, func.count(), func.sum(arrival.c.size))
    query = query.where(arrival.c.outcome.is_not(None)).group_by(arrival.c.run_id, arrival.c.outcome)
    rows: Iterable[Any] = tx.execute(query) if run_ids is None else in_parts(tx, query, arrival.c.run_id, run_ids)
    return [(run_id, Brought(outcome), count, size) for run_id, outcome, count, size in rows]


def of_runs(tx: Connection, run_ids: Iterable[int], only: Iterable[Brought] = ()) -> Iterator[list[Row[Any]]]:
    """The arrivals that runs brought, by run and path, a page at a time: run, path, size, outcome, known_id, digest.

    Args:
        tx: A transaction.
        run_ids: The runs.
        only: The outcomes that are wanted; none for all.
    """
    query: Select[Any] = select(
        arrival.c.run_id, arrival.c.path, arrival.c.size, arrival.c.outcome, arrival.c.known_id, content.c.digest
    ).outerjoin(content, content.c.id == arrival.c.content_id)
    query = query.where(arrival.c.outcome.is_not(None)).order_by(arrival.c.run_id, arrival.c.path)
    wanted = [str(outcome) for outcome in only]
    query = query.where(arrival.c.outcome.in_(wanted)) if wanted else query
    rows = iter(in_parts(tx, query, arrival.c.run_id, run_ids))
    while page := list(islice(rows, PAGE)):
        yield page


def places(tx: Connection, content_ids: Iterable[int]) -> dict[int, list[Place]]:
    """The first two files that hold each of some contents."""
    held, wanted = file.alias("held"), set(content_ids)
    files = select(held.c.id).where(held.c.content_id == content.c.id, held.c.state == FileState.PICTURE)
    found: dict[int, list[Place]] = {}
    for number in range(2):
        this = files.order_by(held.c.id).limit(1).offset(number).scalar_subquery()
        query = select(content.c.id, folder.c.root_id, folder.c.path, file.c.name).select_from(
            content.join(file, file.c.id == this).join(folder, folder.c.id == file.c.folder_id)
        )
        for row in in_parts(tx, query, content.c.id, wanted):
            found.setdefault(row.id, []).append((row.root_id, joined(row.path, row.name)))
    return found


def move(tx: Connection, moved: Callable[[str], str]) -> None:
    """Rewrites the paths of what arrived.

    Args:
        tx: A writing transaction.
        moved: Gives the stored path that one has now.
    """
    last = 0
    query = select(arrival.c.id, arrival.c.path).order_by(arrival.c.id).limit(PAGE)
    while rows := tx.execute(query.where(arrival.c.id > last)).all():
        last = rows[-1].id
        news = ((path_value(new), key) for key, path in rows if (new := moved(path)) != path)
        execute_many(tx, "UPDATE arrival SET path = ? WHERE id = ?", list(news))


def _is_due() -> Any:
    """The condition in the words of the partial index."""
    return arrival.c.outcome.is_(literal_column("NULL"))


_NOTE = """
    INSERT INTO arrival (run_id, path, size, file_id, content_id, known_id)
    VALUES (?1, ?2, ?3, ?4, (SELECT content.id FROM content WHERE content.digest = ?5),
        (SELECT content.id FROM content WHERE content.digest = ?5 AND content.id <= ?6))
"""
_KEEP = "UPDATE arrival SET run_id = ?, outcome = ?, known_id = ?, file_id = NULL WHERE id = ?"
