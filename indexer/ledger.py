"""Every statement about runs and the journal of moves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from indexer.conditions import files_with_folders, new_id
from indexer.moves import JournalEntry, MoveState
from indexer.places import joined, split
from indexer.records import FileState, RunSummary, Stamp
from indexer.schema import content, file, folder, journal, root, run


def journal_plan(tx: Connection, run_id: int, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes the intent to move files: rows in state `planned`."""
    tx.execute(insert(journal), [{**row, "run_id": run_id, "state": MoveState.PLANNED} for row in rows])


def journal_entries(tx: Connection, *, run_id: int | None = None, states: Iterable[MoveState]) -> list[Row[Any]]:
    """The rows of the journal in given states, with their root's stored path, in the order they were written."""
    query = select(journal, root.c.path.label("root")).join_from(journal, root)
    query = query.where(journal.c.state.in_([*states])).order_by(journal.c.id)
    return list(tx.execute(query if run_id is None else query.where(journal.c.run_id == run_id)))


def journal_set(tx: Connection, states: Mapping[int, MoveState]) -> None:
    """Writes the state of journal entries, by id."""
    rows = [{"key": entry_id, "new": state} for entry_id, state in states.items()]
    if rows:
        tx.execute(update(journal).where(journal.c.id == bindparam("key")).values(state=bindparam("new")), rows)


def forget_paths(tx: Connection, paths: Iterable[tuple[int, str]]) -> None:
    """Drops the rows of files that were moved away, by root id and path relative to it."""
    for root_id, path in paths:
        parent, name = split(path)
        owner = select(folder.c.id).where(folder.c.root_id == root_id, folder.c.path == parent).scalar_subquery()
        tx.execute(delete(file).where(file.c.folder_id == owner, file.c.name == name))
        tx.execute(update(folder).where(folder.c.id == owner).values(listing=None))


def remember_path(tx: Connection, entry: JournalEntry, stamp: Stamp, *, unsettled: bool) -> None:
    """Puts the row of a file that came back in its place."""
    parent, name = split(entry.path)
    tx.execute(upsert(folder).values(root_id=entry.root_id, path=parent).on_conflict_do_nothing())
    tx.execute(update(folder).where(folder.c.root_id == entry.root_id, folder.c.path == parent).values(listing=None))
    owner = select(folder.c.id).where(folder.c.root_id == entry.root_id, folder.c.path == parent).scalar_subquery()
    known = select(content.c.id).where(content.c.digest == entry.digest).scalar_subquery()
    values = {
        **stamp._asdict(),
        "unsettled": unsettled,
        "content_id": known,
        "state": case((known.is_(None), FileState.DUE), else_=FileState.PICTURE),
    }
    statement = upsert(file).values(folder_id=owner, name=name, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["folder_id", "name"], set_=values))


def live_copies(tx: Connection, digest: bytes) -> list[tuple[int, str]]:
    """The indexed files that have a content, by root id and path relative to it."""
    query = select(folder.c.root_id, folder.c.path, file.c.name).select_from(files_with_folders().join(content))
    rows = tx.execute(query.where(content.c.digest == digest).order_by(file.c.id))
    return [(root_id, joined(parent, name)) for root_id, parent, name in rows]


def start_run(tx: Connection, command: str, started_ns: int) -> int:
    """The id of a new run."""
    values = {"command": command, "started_ns": started_ns, "counts": "{}"}
    return new_id(tx.execute(insert(run).values(values)))


def finish_run(tx: Connection, run_id: int, finished_ns: int, counts: Mapping[str, Any]) -> None:
    """Records the end of a run with its counts."""
    values = {"finished_ns": finished_ns, "counts": json.dumps(dict(counts))}
    tx.execute(update(run).where(run.c.id == run_id).values(values))


def runs(tx: Connection, limit: int) -> list[RunSummary]:
    """The latest runs, newest first."""
    rows = tx.execute(select(run).order_by(run.c.id.desc()).limit(limit))
    return [RunSummary(row.id, row.command, row.started_ns, row.finished_ns, json.loads(row.counts)) for row in rows]


def newest_run_with(tx: Connection, state: MoveState) -> int | None:
    """The newest run that has journal entries in a state."""
    return tx.execute(select(func.max(journal.c.run_id)).where(journal.c.state == state)).scalar()


def run_times(tx: Connection) -> dict[int, int]:
    """When each run started, by id."""
    return {row.id: row.started_ns for row in tx.execute(select(run.c.id, run.c.started_ns))}


def quarantined(tx: Connection) -> tuple[int, int]:
    """The number and the bytes of the files in quarantine."""
    query = select(func.count(), func.coalesce(func.sum(journal.c.size), 0)).where(journal.c.state == MoveState.MOVED)
    count, size = tx.execute(query).one()
    return count, size
