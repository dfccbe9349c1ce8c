"""Every statement about runs and the journal of moves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from indexer.conditions import files_with_folders, in_parts, new_id
from indexer.moves import JournalEntry, MoveState
from indexer.places import joined, places_of, split
from indexer.plans import MOVES, Action
from indexer.records import FileState, RunSummary, Stamp
from indexer.schema import content, file, folder, identity, journal, root, run

_WITH_PAYLOAD = (*MOVES, Action.REWRITE)
"""Links leave nothing in the quarantine."""


def journal_plan(tx: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows of the journal, each with its id."""
    tx.execute(insert(journal), list(rows))


def next_entry(tx: Connection) -> int:
    """The id that the next row of the journal may have."""
    return int(tx.execute(select(func.coalesce(func.max(journal.c.id), 0))).scalar_one()) + 1


def journal_entries(
    tx: Connection,
    *,
    run_id: int | None = None,
    states: Iterable[MoveState],
    owner_id: int | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[Row[Any]]:
    """The rows of the journal in given states, with their root's stored path, the latest first.

    Args:
        tx: A transaction.
        run_id: Of one run only.
        states: Which rows.
        owner_id: Only that of a picture, and those of what belongs to it.
        before: Only those with a smaller id.
        limit: How many at most.
    """
    query = select(journal, root.c.path.label("root")).join_from(journal, root)
    query = query.where(journal.c.state.in_([*states])).order_by(journal.c.id.desc()).limit(limit)
    query = query if run_id is None else query.where(journal.c.run_id == run_id)
    if owner_id is not None:
        query = query.where(or_(journal.c.id == owner_id, journal.c.owner_id == owner_id))
    return list(tx.execute(query if before is None else query.where(journal.c.id < before)))


def count_entries(tx: Connection, run_id: int, state: MoveState) -> int:
    """The number of pictures of a run that are in a state; what comes with them is not counted."""
    query = select(func.count()).where(journal.c.run_id == run_id, journal.c.state == state)
    return int(tx.execute(query.where(journal.c.owner_id.is_(None))).scalar_one())


def journal_set(tx: Connection, states: Mapping[int, MoveState]) -> None:
    """Writes the state of journal entries, by id."""
    rows = [{"key": entry_id, "new": state} for entry_id, state in states.items()]
    if rows:
        tx.execute(update(journal).where(journal.c.id == bindparam("key")).values(state=bindparam("new")), rows)


def in_state(tx: Connection, entry_ids: Iterable[int], state: MoveState) -> set[int]:
    """Those of some journal entries, by id, that are in a state."""
    query = select(journal.c.id).where(journal.c.state == state)
    return {row.id for row in in_parts(tx, query, journal.c.id, entry_ids)}


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
    known = select(content.c.id).where(content.c.digest == entry.digest, ~content.c.claimed).scalar_subquery()
    values = {
        **stamp._asdict(),
        "unsettled": unsettled,
        "content_id": known,
        "state": case((known.is_(None), FileState.DUE), else_=FileState.PICTURE),
    }
    former = _free_id(tx, entry.extra.get("file_id"))  # older than the rows of files that came after it, as it was
    statement = upsert(file).values(id=former, folder_id=owner, name=name, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["folder_id", "name"], set_=values))


def _free_id(tx: Connection, wanted: int | None) -> int:
    """An id for a file's row: the wanted one when no other has it by now, else the next."""
    taken = wanted is None or tx.execute(select(file.c.id).where(file.c.id == wanted)).first()
    newest = select(func.coalesce(func.max(file.c.id), 0))
    return int(tx.execute(newest).scalar_one()) + 1 if wanted is None or taken else wanted


def relocate_path(
    tx: Connection,
    bases: Mapping[int, str],
    places: tuple[str, str],
    stamp: Stamp,
    *,
    unsettled: bool,
    file_id: int | None,
) -> None:
    """Gives the row of a file that was moved within the data set its new place, and an age.

    Args:
        tx: A writing transaction.
        bases: The absolute path of each root.
        places: Absolute path of the file before, and now.
        stamp: What it has there.
        unsettled: Whether its stamp is too fresh to be trusted.
        file_id: The id that it gets when that is free: what took the place of a picture is as old as that was.
    """
    owners = []
    for root_id, path in places_of(bases, places):
        parent = split(path)[0]
        tx.execute(upsert(folder).values(root_id=root_id, path=parent).on_conflict_do_nothing())
        where = (folder.c.root_id == root_id, folder.c.path == parent)
        tx.execute(update(folder).where(*where).values(listing=None))
        owners.append(select(folder.c.id).where(*where).scalar_subquery())
    before, name = (split(path)[1] for path in places)
    stale = (file.c.folder_id == owners[1], file.c.name == name)  # nothing was overwritten: what it tells of is gone
    tx.execute(delete(file).where(*stale))
    values = {**stamp._asdict(), "unsettled": unsettled, "folder_id": owners[1], "name": name}
    moved = update(file).where(file.c.folder_id == owners[0], file.c.name == before)
    tx.execute(moved.values(values | {"id": _free_id(tx, file_id)}))


def live_copies(tx: Connection, digest: bytes) -> list[tuple[int, str]]:
    """The indexed files that have a content, by root id and path relative to it."""
    query = select(folder.c.root_id, folder.c.path, file.c.name).select_from(files_with_folders().join(content))
    rows = tx.execute(query.where(content.c.digest == digest).order_by(file.c.id))
    return [(root_id, joined(parent, name)) for root_id, parent, name in rows]


def is_live(tx: Connection, digest: bytes, stamp: Stamp) -> bool:
    """True when an indexed file with a content is the one of a stamp, whatever its name: a rename keeps all but `ctime`."""
    same = (file.c.size == stamp.size, file.c.mtime_ns == stamp.mtime_ns, file.c.inode == stamp.inode)
    query = select(file.c.id).join_from(file, content).where(content.c.digest == digest, *same)
    return tx.execute(query.limit(1)).first() is not None


def live_files(tx: Connection, file_ids: Iterable[int]) -> dict[int, bytes]:
    """The digests of files that the index knows as pictures, by id."""
    query = select(file.c.id, content.c.digest).join_from(file, content).where(file.c.state == FileState.PICTURE)
    return {row.id: row.digest for row in in_parts(tx, query, file.c.id, file_ids)}


def start_run(tx: Connection, command: str, started_ns: int, label: str | None = None) -> int:
    """The id of a new run."""
    values = {"command": command, "started_ns": started_ns, "counts": "{}", "label": label}
    return new_id(tx.execute(insert(run).values(values)))


def finish_run(tx: Connection, run_id: int, finished_ns: int, counts: Mapping[str, Any]) -> None:
    """Records the end of a run with its counts."""
    values = {"finished_ns": finished_ns, "counts": json.dumps(dict(counts))}
    tx.execute(update(run).where(run.c.id == run_id).values(values))


def runs(tx: Connection, limit: int) -> list[RunSummary]:
    """The latest runs, newest first."""
    returned = (journal.c.run_id == run.c.id, journal.c.state == MoveState.RESTORED, journal.c.owner_id.is_(None))
    back = select(func.count()).select_from(journal).where(*returned).scalar_subquery().label("back")
    rows = tx.execute(select(run, back).order_by(run.c.id.desc()).limit(limit))
    return [_summary(row, row.back) for row in rows]


def index_runs(tx: Connection) -> list[RunSummary]:
    """All runs of `index`, oldest first."""
    return [_summary(row) for row in tx.execute(select(run).where(run.c.command == "index").order_by(run.c.id))]


def _summary(row: Any, brought_back: int = 0) -> RunSummary:
    counts = json.loads(row.counts)
    return RunSummary(row.id, row.command, row.started_ns, row.finished_ns, counts, brought_back, row.label)


def newest_run_with(tx: Connection, state: MoveState) -> int | None:
    """The newest run that has journal entries in a state, but for mere renames."""
    taken = (journal.c.state == state, journal.c.action != Action.RENAME)
    return tx.execute(select(func.max(journal.c.run_id)).where(*taken)).scalar()


def run_times(tx: Connection) -> dict[int, int]:
    """When each run started, by id."""
    return {row.id: row.started_ns for row in tx.execute(select(run.c.id, run.c.started_ns))}


def quarantined(tx: Connection) -> tuple[int, int]:
    """The number of pictures in quarantine, and the bytes of all files in it."""
    is_picture = and_(journal.c.action.in_(MOVES), journal.c.owner_id.is_(None))
    totals = func.coalesce(func.sum(case((is_picture, 1), else_=0)), 0), func.coalesce(func.sum(journal.c.size), 0)
    rows = (journal.c.state == MoveState.MOVED, journal.c.action.in_(_WITH_PAYLOAD))
    count, size = tx.execute(select(*totals).where(*rows)).one()
    return count, size


def pruned_paths(tx: Connection) -> list[tuple[int, str]]:
    """Where the pictures were that prunes moved away and no undo brought back, by root id and path relative to it."""
    gone = journal.c.state.in_([MoveState.MOVED, MoveState.PURGING, MoveState.PURGED])
    picture = and_(journal.c.action.in_(MOVES), journal.c.owner_id.is_(None), journal.c.base.is_(None))
    return [
        (row.root_id, row.path) for row in tx.execute(select(journal.c.root_id, journal.c.path).where(gone, picture))
    ]


def quarantine_folders(tx: Connection) -> list[str]:
    """The stored paths of all folders that files were ever quarantined in, or moved to by upgrades."""
    return list(tx.execute(select(journal.c.quarantine).distinct()).scalars())


def end_renames(tx: Connection) -> None:
    """Notes that what took the place of pictures that are deleted for good will never go back."""
    purged = select(journal.c.id).where(journal.c.state == MoveState.PURGED)
    left = (journal.c.action == Action.RENAME, journal.c.state == MoveState.MOVED, journal.c.owner_id.in_(purged))
    tx.execute(update(journal).where(*left).values(state=MoveState.PURGED))


def stranded(tx: Connection) -> list[Row[Any]]:
    """The rows of files that took the places of pictures which are back, while they did not go back themselves."""
    back = select(journal.c.id).where(journal.c.state == MoveState.RESTORED)
    query = select(journal, root.c.path.label("root")).join_from(journal, root)
    left = (journal.c.action == Action.RENAME, journal.c.state == MoveState.MOVED, journal.c.owner_id.in_(back))
    return list(tx.execute(query.where(*left)))


def held(tx: Connection, digest: bytes, after: int) -> list[Row[Any]]:
    """The rows after one of files of some bytes that lie in the quarantine, the latest first."""
    query = select(journal, root.c.path.label("root")).join_from(journal, root).order_by(journal.c.id.desc())
    moved = (journal.c.digest == digest, journal.c.state == MoveState.MOVED, journal.c.action.in_(MOVES))
    query = query.where(journal.c.id > after)
    return list(tx.execute(query.where(*moved)))


def linked_keepers(tx: Connection) -> set[str]:
    """The stored paths of the files that symbolic links made by prunes lead to."""
    linked = (journal.c.action == Action.SYMLINK, journal.c.state == MoveState.MOVED)
    return set(tx.execute(select(journal.c.keeper).where(*linked)).scalars())


def shared_paths(tx: Connection) -> set[tuple[int, str]]:
    """The files that share their keeper's blocks, by root id and path relative to it."""
    shared = (journal.c.action == Action.REFLINK, journal.c.state == MoveState.MOVED)
    return {(row.root_id, row.path) for row in tx.execute(select(journal.c.root_id, journal.c.path).where(*shared))}


def index_name(tx: Connection) -> str:
    """Which index this is."""
    return str(tx.execute(select(identity.c.name)).scalar_one())


def carried_out(tx: Connection, command: str) -> int | None:
    """The run of a command, None when it was never run."""
    return tx.execute(select(func.max(run.c.id)).where(run.c.command == command)).scalar()


def runs_since(tx: Connection, run_id: int) -> list[RunSummary]:
    """The runs after one, oldest first."""
    return [_summary(row) for row in tx.execute(select(run).where(run.c.id > run_id).order_by(run.c.id))]


def newest_run(tx: Connection) -> int:
    """The newest run, 0 when there is none."""
    return int(tx.execute(select(func.coalesce(func.max(run.c.id), 0))).scalar_one())
