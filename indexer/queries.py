"""Every SQL statement, a function each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from indexer.places import Place, joined, split
from indexer.records import (
    Added,
    Altered,
    FileState,
    Fingerprinted,
    FolderChanges,
    JournalEntry,
    KnownFile,
    MatchRule,
    Member,
    MoveState,
    NotPicture,
    Outcome,
    Recognised,
    RootSummary,
    RunSummary,
    Stamp,
    Unreadable,
    UnreadableFile,
    signed64,
)
from indexer.schema import content, file, folder, journal, path_value, recipe, root, run

PAGE = 10_000
"""Rows read at a time where a table is read from end to end."""
DUE_PAGE = 512
"""Files handed out between two looks at which contents are known."""
_STAMP = (file.c.size, file.c.mtime_ns, file.c.ctime_ns, file.c.inode)

gone = Table("gone", MetaData(), Column("id", Integer, primary_key=True), prefixes=["TEMPORARY"])
"""Files that a scan did not find, for the length of the transaction that deals with them."""


@dataclass(frozen=True, slots=True)
class KnownFolder:
    """A folder's row."""

    folder_id: int
    listing: bytes | None


class DueFile(NamedTuple):
    """A file that has to be read."""

    file_id: int
    root_id: int
    path: str
    """Relative to the root."""
    size: int
    digest: bytes | None
    """Of the content it had when it was last read."""


@dataclass(frozen=True, slots=True)
class MovedFile:
    """A file that looks as if it had been moved: a new path with the inode, size and mtime of a path that is gone."""

    file_id: int
    path: str
    """Relative to the root."""
    gone_id: int
    born_ns: int | None
    """When the gone file was made."""
    mtime_ns: int
    ctime_ns: int


# ---------------------------------------------------------------------------------------------------- roots and folders


def roots(tx: Connection) -> dict[int, str]:
    """The stored path of each root, by its id."""
    return {row.id: row.path for row in tx.execute(select(root).order_by(root.c.id))}


def add_root(tx: Connection, stored: str) -> int:
    """The id of a new root."""
    return int(tx.execute(insert(root).values(path=stored)).inserted_primary_key[0])


def merge_root(tx: Connection, inner_id: int, outer_id: int, prefix: str) -> None:
    """Makes the folders of a root part of another root that it lies in.

    Args:
        tx: A writing transaction.
        inner_id: The root that ends.
        outer_id: The root that takes its folders.
        prefix: The inner root's path relative to the outer one.
    """
    for table, column in ((folder, folder.c.path), (journal, journal.c.path)):
        rows = tx.execute(select(table.c.id, column).where(table.c.root_id == inner_id)).all()
        changes = [{"key": row.id, "new": f"{prefix}/{row.path}" if row.path else prefix} for row in rows]
        if changes:
            statement = update(table).where(table.c.id == bindparam("key"))
            tx.execute(statement.values({column: bindparam("new"), table.c.root_id: outer_id}), changes)
    tx.execute(delete(root).where(root.c.id == inner_id))


def folders(tx: Connection, root_id: int, below: str = "") -> dict[str, KnownFolder]:
    """The folders at or below a path of a root, by path."""
    rows = tx.execute(select(folder.c.path, folder.c.id, folder.c.listing).where(_in_tree(root_id, below)))
    return {path: KnownFolder(folder_id, listing) for path, folder_id, listing in rows}


def known_files(tx: Connection, folder_id: int) -> Iterator[KnownFile]:
    """The files of a folder, by name, a page at a time."""
    columns = (file.c.id, file.c.name, *_STAMP, file.c.unsettled, file.c.state)
    query = select(*columns).where(file.c.folder_id == folder_id).order_by(file.c.id).limit(PAGE)
    last = 0
    while rows := tx.execute(query.where(file.c.id > last)).all():
        for row in rows:
            stamp = Stamp(row.size, row.mtime_ns, row.ctime_ns, row.inode)
            yield KnownFile(row.id, row.name, stamp, row.unsettled, FileState(row.state))
        last = rows[-1].id


def newest_file(tx: Connection) -> int:
    """The largest file id given so far."""
    return tx.execute(select(func.max(file.c.id))).scalar() or 0


def count_files(tx: Connection, root_id: int, below: str = "") -> int:
    """The number of files known at or below a path of a root."""
    return int(tx.execute(select(func.count()).select_from(_files()).where(_in_tree(root_id, below))).scalar_one())


def apply_changes(tx: Connection, root_id: int, changes: FolderChanges, listing: bytes | None) -> None:
    """Stores what a scan found in a folder; what is gone stays until the whole scan is judged.

    Args:
        tx: A writing transaction.
        root_id: The folder's root.
        changes: What differs.
        listing: The digest to store, None when the rows will not all equal the disk.
    """
    folder_id = changes.folder_id
    if folder_id is None:
        values = {"root_id": root_id, "path": changes.listing.path}
        folder_id = int(tx.execute(insert(folder).values(values)).inserted_primary_key[0])
    added = [
        (folder_id, path_value(change.name), *change.stamp) for change in changes.changes if isinstance(change, Added)
    ]
    altered = [(*change.stamp, change.file_id) for change in changes.changes if isinstance(change, Altered)]
    _execute_many(tx, _ADD_FILE, added)
    _execute_many(tx, _ALTER_FILE, altered)
    tx.execute(update(folder).where(folder.c.id == folder_id).values(listing=listing))


# ------------------------------------------------------------------------------------------------------------ gone files


def note_gone(tx: Connection, file_ids: Iterable[int]) -> None:
    """Fills the temporary table of files that a scan did not find."""
    gone.create(tx)
    rows = [{"id": file_id} for file_id in file_ids]
    if rows:
        tx.execute(insert(gone), rows)


def moved_files(tx: Connection, first_new_id: int) -> list[MovedFile]:
    """New paths that have inode, size and mtime of a path that is gone and was read when its stamp could be trusted."""
    old = file.alias("old")
    old_folder = folder.alias("old_folder")
    same = and_(
        file.c.inode == old.c.inode,
        file.c.size == old.c.size,
        file.c.mtime_ns == old.c.mtime_ns,
        folder.c.root_id == old_folder.c.root_id,
        old.c.state != FileState.DUE,
        ~old.c.unsettled,
    )
    moments = (old.c.id.label("gone_id"), old.c.born_ns, file.c.mtime_ns, file.c.ctime_ns)
    query = (
        select(file.c.id, folder.c.path, file.c.name, *moments)
        .select_from(gone.join(old, old.c.id == gone.c.id).join(old_folder, old_folder.c.id == old.c.folder_id))
        .join(file, and_(file.c.id >= first_new_id, same), full=False)
        .join(folder, folder.c.id == file.c.folder_id)
        .order_by(file.c.id, old.c.id)
    )
    rows = tx.execute(query).all()
    found = {}
    for file_id, parent, name, *rest in rows:
        found.setdefault(file_id, MovedFile(file_id, joined(parent, name), *rest))
    return list(found.values())


def adopt(tx: Connection, moved: Iterable[tuple[MovedFile, bool]]) -> None:
    """Gives moved files what is known of the paths they had.

    Args:
        tx: A writing transaction in which `note_gone` was called.
        moved: Each file, and whether its stamp is too fresh to be trusted next time.
    """
    rows = [{"key": found.file_id, "old": found.gone_id, "fresh": unsettled} for found, unsettled in moved]
    if not rows:
        return
    old = file.alias("old")
    taken = {
        name: select(old.c[name]).where(old.c.id == bindparam("old")).scalar_subquery()
        for name in ("content_id", "state", "reason", "born_ns")
    }
    tx.execute(
        update(file).where(file.c.id == bindparam("key")).values({**taken, "unsettled": bindparam("fresh")}), rows
    )


def forget_gone(tx: Connection) -> None:
    """Drops the rows of the files noted as gone, and folders left without any; their contents stay."""
    ids = select(gone.c.id).scalar_subquery()
    emptied = select(file.c.folder_id).where(file.c.id.in_(ids)).distinct()
    touched = [row.folder_id for row in tx.execute(emptied)]
    tx.execute(delete(file).where(file.c.id.in_(ids)))
    for folder_id in touched:
        left = select(file.c.id).where(file.c.folder_id == folder_id).exists()
        tx.execute(delete(folder).where(folder.c.id == folder_id, ~left))


def drop_gone(tx: Connection) -> None:
    """Drops the temporary table."""
    gone.drop(tx)


# --------------------------------------------------------------------------------------------------------------- reading


def recipe_id(tx: Connection, key: str) -> int:
    """The id of a recipe, which is added when it is new."""
    tx.execute(upsert(recipe).values(key=key).on_conflict_do_nothing())
    return int(tx.execute(select(recipe.c.id).where(recipe.c.key == key)).scalar_one())


def refill(tx: Connection, recipe_id: int) -> int:
    """Makes every file due whose content was fingerprinted by another recipe; gives their number."""
    other = or_(content.c.recipe_id < recipe_id, content.c.recipe_id > recipe_id)  # two ranges of an index; != scans it
    if tx.execute(select(content.c.id).where(other).limit(1)).first() is None:
        return 0
    stale = file.c.content_id.in_(select(content.c.id).where(other))
    return tx.execute(update(file).where(stale, file.c.state != FileState.DUE).values(state=FileState.DUE)).rowcount


def retry_unreadable(tx: Connection, root_id: int, below: str) -> int:
    """Makes the unreadable files at or below a path due again; gives their number."""
    inside = file.c.folder_id.in_(select(folder.c.id).where(_in_tree(root_id, below)))
    statement = update(file).where(file.c.state == FileState.UNREADABLE, inside)
    return tx.execute(statement.values(state=FileState.DUE, reason=None)).rowcount


def count_due(tx: Connection, places: Sequence[Place]) -> int:
    """The number of files at or below given places that have to be read."""
    return _count(tx, FileState.DUE, places)


def due_files(tx: Connection, places: Sequence[Place], after: int) -> list[DueFile]:
    """The next files at or below given places that have to be read, after a file's id."""
    query = (
        select(file.c.id, folder.c.root_id, folder.c.path, file.c.name, file.c.size, content.c.digest)
        .join_from(file, folder)
        .outerjoin(content, content.c.id == file.c.content_id)
        .where(file.c.state == literal_column("0"), file.c.id > after, _in_places(places))
        .order_by(file.c.id)
        .limit(DUE_PAGE)
    )
    return [
        DueFile(file_id, root_id, joined(parent, name), size, digest)
        for file_id, root_id, parent, name, size, digest in tx.execute(query).all()
    ]


def known_digests(
    tx: Connection, sizes: Iterable[int], recipe_id: int, *, with_unreadable: bool
) -> list[tuple[int, bytes]]:
    """Size and digest of the contents of given sizes that need no decoding."""
    query = select(content.c.size, content.c.digest).where(
        content.c.recipe_id == recipe_id, content.c.size.in_(sorted(set(sizes)))
    )
    if not with_unreadable:
        query = query.where(content.c.unreadable.is_(None))
    return [(size, digest) for size, digest in tx.execute(query).all()]


def store(tx: Connection, outcomes: Sequence[Outcome], recipe_id: int) -> None:
    """Stores what reading files gave: their contents, thumbnails and rows."""
    decoded = [outcome for outcome in outcomes if isinstance(outcome, Fingerprinted)]
    broken = [outcome for outcome in outcomes if isinstance(outcome, Unreadable)]
    _execute_many(tx, _STORE_CONTENT, [_content_row(outcome, recipe_id) for outcome in decoded])
    _execute_many(tx, _STORE_THUMBNAIL, [(found.fingerprint.thumbnail, found.digest) for found in decoded])
    _execute_many(
        tx,
        _STORE_BROKEN,
        [(found.digest, found.reading.stamp.size, recipe_id, found.reason) for found in broken if found.reading],
    )
    read = [outcome for outcome in outcomes if outcome.reading is not None]
    _execute_many(tx, _STORE_FILE, [_file_row(outcome) for outcome in read])
    recognised = [(outcome.file_id,) for outcome in read if isinstance(outcome, Recognised)]
    _execute_many(tx, _STORE_BROKEN_COPY, recognised)
    _execute_many(tx, _STORE_UNREAD, [(found.reason, found.file_id) for found in broken if found.reading is None])


def unreadable_files(tx: Connection, bases: Mapping[int, str], places: Sequence[Place]) -> list[UnreadableFile]:
    """The unreadable files at or below given places, by path.

    Args:
        tx: A transaction.
        bases: The absolute path of each root.
        places: Root ids with paths relative to them; none for everything.
    """
    query = (
        select(folder.c.root_id, folder.c.path, file.c.name, file.c.reason)
        .join_from(file, folder)
        .where(file.c.state == FileState.UNREADABLE, _in_places(places))
    )
    found = [
        UnreadableFile(joined(bases[row.root_id], joined(row.path, row.name)), row.reason or "unknown")
        for row in tx.execute(query)
    ]
    return sorted(found, key=lambda unreadable: unreadable.path)


def count_unreadable(tx: Connection, places: Sequence[Place]) -> int:
    """The number of unreadable files at or below given places."""
    return _count(tx, FileState.UNREADABLE, places)


def count_other(tx: Connection, places: Sequence[Place]) -> int:
    """The number of files at or below given places that are no pictures and do not claim to be."""
    return _count(tx, FileState.OTHER, places)


def _count(tx: Connection, state: FileState, places: Sequence[Place]) -> int:
    """The number of files in a state; each state but PICTURE has an index of its own."""
    query = select(func.count()).select_from(_files())
    return int(tx.execute(query.where(file.c.state == literal_column(str(int(state))), _in_places(places))).scalar_one())


# ---------------------------------------------------------------------------------------------------------------- groups


def groups(
    tx: Connection, match: MatchRule, bases: Mapping[int, str], places: Sequence[Place] = ()
) -> Iterator[list[Member]]:
    """The members of each group of two files or more, keeper first.

    The keeper has the most pixels, then the most bytes, then the oldest modification time, then the first path.

    Args:
        tx: A transaction.
        match: What the members of a group share.
        bases: The absolute path of each root.
        places: Root ids with paths relative to them that the members must lie at or below; none for everywhere.
    """
    key = file.c.content_id if match is MatchRule.BYTES else content.c.dhash
    shared = _shared(match, places)
    rank = func.row_number().over(
        partition_by=key,
        order_by=(
            (content.c.width * content.c.height).desc(),
            file.c.size.desc(),
            file.c.mtime_ns,
            root.c.path,
            folder.c.path,
            file.c.name,
        ),
    )
    query = (
        select(
            key.label("key"),
            rank.label("rank"),
            file.c.id,
            file.c.content_id,
            folder.c.root_id,
            folder.c.path,
            file.c.name,
            *_STAMP,
            content.c.digest,
            content.c.width,
            content.c.height,
            content.c.format,
        )
        .select_from(_files().join(content).join(root, root.c.id == folder.c.root_id))
        .where(key.in_(shared), _groupable(), _in_places(places))
        .order_by("key", "rank")
    )
    for _key, rows in groupby(tx.execute(query), key=lambda row: row.key):
        yield [_member(row, bases) for row in rows]


def _shared(match: MatchRule, places: Sequence[Place]) -> Select[Any]:
    """The keys that more than one file has: the GROUP BY that finds the groups."""
    files = _files() if places else file
    if match is MatchRule.BYTES:
        query = select(file.c.content_id).select_from(files).where(file.c.state == FileState.PICTURE)
        return query.where(_in_places(places)).group_by(file.c.content_id).having(func.count() > 1)
    query = select(content.c.dhash).select_from(files.join(content, content.c.id == file.c.content_id))
    return query.where(_groupable(), _in_places(places)).group_by(content.c.dhash).having(func.count() > 1)


def _groupable() -> Any:
    """Files whose content is known and was decoded; nothing else is ever grouped."""
    return and_(file.c.state == FileState.PICTURE, content.c.dhash.is_not(None))


def _member(row: Row[Any], bases: Mapping[int, str]) -> Member:
    path = joined(row.path, row.name)
    stamp = Stamp(row.size, row.mtime_ns, row.ctime_ns, row.inode)
    base = bases[row.root_id]
    return Member(
        row.id, row.content_id, row.root_id, base, path, stamp, row.digest, row.width, row.height, row.format
    )


# --------------------------------------------------------------------------------------------------------------- journal


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
    tx.execute(
        update(folder).where(folder.c.root_id == entry.root_id, folder.c.path == parent).values(listing=None)
    )
    owner = select(folder.c.id).where(folder.c.root_id == entry.root_id, folder.c.path == parent).scalar_subquery()
    known = select(content.c.id).where(content.c.digest == entry.digest).scalar_subquery()
    values = {
        **_stamp_values(stamp),
        "unsettled": unsettled,
        "content_id": known,
        "state": case((known.is_(None), FileState.DUE), else_=FileState.PICTURE),
    }
    statement = upsert(file).values(folder_id=owner, name=name, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["folder_id", "name"], set_=values))


def live_copies(tx: Connection, digest: bytes) -> list[tuple[int, str]]:
    """The indexed files that have a content, by root id and path relative to it."""
    query = select(folder.c.root_id, folder.c.path, file.c.name).select_from(_files().join(content))
    rows = tx.execute(query.where(content.c.digest == digest).order_by(file.c.id))
    return [(root_id, joined(parent, name)) for root_id, parent, name in rows]


# ------------------------------------------------------------------------------------------------------------------ runs


def start_run(tx: Connection, command: str, started_ns: int) -> int:
    """The id of a new run."""
    values = {"command": command, "started_ns": started_ns, "counts": "{}"}
    return int(tx.execute(insert(run).values(values)).inserted_primary_key[0])


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


# ---------------------------------------------------------------------------------------------------------------- status


def root_summaries(tx: Connection, bases: Mapping[int, str]) -> tuple[RootSummary, ...]:
    """Files, bytes and unreadable files of each root."""
    query = (
        select(
            folder.c.root_id,
            func.count(),
            func.sum(file.c.size),
            func.sum(case((file.c.state == FileState.UNREADABLE, 1), else_=0)),
        )
        .select_from(_files())
        .group_by(folder.c.root_id)
    )
    found = {root_id: numbers for root_id, *numbers in tx.execute(query)}
    return tuple(RootSummary(path, *found.get(root_id, (0, 0, 0))) for root_id, path in bases.items())


def count_contents(tx: Connection) -> int:
    """The number of distinct contents that were decoded."""
    return int(tx.execute(select(func.count()).where(content.c.dhash.is_not(None))).scalar_one())


def quarantined(tx: Connection) -> tuple[int, int]:
    """The number and the bytes of the files in quarantine."""
    query = select(func.count(), func.coalesce(func.sum(journal.c.size), 0)).where(journal.c.state == MoveState.MOVED)
    count, size = tx.execute(query).one()
    return count, size


# --------------------------------------------------------------------------------------------------------------- helpers


def _files() -> Any:
    return file.join(folder, folder.c.id == file.c.folder_id)


def _in_tree(root_id: int, below: str) -> Any:
    """The condition that a folder lies at or below a path of a root, by whole components."""
    inside = folder.c.root_id == root_id
    if not below:
        return inside
    return and_(inside, or_(folder.c.path == below, and_(folder.c.path >= f"{below}/", folder.c.path < f"{below}0")))


def _in_places(places: Sequence[Place]) -> Any:
    """The condition that a file is one of, or lies below one of, the places; always true without any."""
    if not places:
        return true()
    conditions = []
    for root_id, path in places:
        parent, name = split(path)
        exact = and_(folder.c.root_id == root_id, folder.c.path == parent, file.c.name == name)
        conditions.append(or_(_in_tree(root_id, path), exact))
    return or_(*conditions)


def _execute_many(tx: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Runs a statement for each row, none for none: plain tuples, as this is what indexing a million files waits for."""
    if rows:
        tx.exec_driver_sql(statement, list(rows))


def _stamp_values(stamp: Stamp) -> dict[str, int]:
    return stamp._asdict()


def _content_row(outcome: Fingerprinted, recipe_id: int) -> tuple[Any, ...]:
    found = outcome.fingerprint
    return (
        outcome.digest,
        outcome.reading.stamp.size,
        recipe_id,
        signed64(found.dhash),
        found.phash,
        found.width,
        found.height,
        found.format,
        found.mode,
        found.detail,
    )


def _file_row(outcome: Outcome) -> tuple[Any, ...]:
    """A file that was read: its stamp, what is concluded from it, and its content."""
    reading = outcome.reading
    assert reading is not None
    state, reason = FileState.PICTURE, None
    if isinstance(outcome, NotPicture):
        state = FileState.OTHER
    elif isinstance(outcome, Unreadable):
        state, reason = FileState.UNREADABLE, outcome.reason
    digest = None if isinstance(outcome, NotPicture) else outcome.digest
    return (*reading.stamp, reading.born_ns, reading.unsettled, int(state), reason, digest, outcome.file_id)


_ADD_FILE = """
    INSERT INTO file (folder_id, name, size, mtime_ns, ctime_ns, inode, unsettled, state) VALUES (?, ?, ?, ?, ?, ?, 1, 0)
"""
_ALTER_FILE = """
    UPDATE file SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, state = 0, reason = NULL WHERE id = ?
"""
_STORE_CONTENT = """
    INSERT INTO content (digest, size, recipe_id, dhash, phash, width, height, format, mode, detail)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET recipe_id = excluded.recipe_id, unreadable = NULL, dhash = excluded.dhash,
        phash = excluded.phash, width = excluded.width, height = excluded.height, format = excluded.format,
        mode = excluded.mode, detail = excluded.detail
"""
_STORE_THUMBNAIL = """
    INSERT OR REPLACE INTO thumbnail (content_id, jpeg) SELECT content.id, ?1 FROM content WHERE content.digest = ?2
"""
_STORE_BROKEN = """
    INSERT INTO content (digest, size, recipe_id, unreadable) VALUES (?, ?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET recipe_id = excluded.recipe_id, unreadable = excluded.unreadable, dhash = NULL,
        phash = NULL, width = NULL, height = NULL, format = NULL, mode = NULL, detail = NULL
"""
_STORE_FILE = """
    UPDATE file SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, born_ns = ?, unsettled = ?, state = ?, reason = ?,
        content_id = (SELECT content.id FROM content WHERE content.digest = ?) WHERE id = ?
"""
_STORE_BROKEN_COPY = """
    UPDATE file SET state = 2, reason = content.unreadable FROM content
    WHERE file.id = ? AND content.id = file.content_id AND content.unreadable IS NOT NULL
"""
_STORE_UNREAD = "UPDATE file SET state = 2, reason = ?, content_id = NULL, unsettled = 0 WHERE id = ?"
