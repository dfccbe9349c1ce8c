"""Every statement about roots, folders, files and groups; `store.py` and `ledger.py` hold the others."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    union,
    update,
)

from indexer.conditions import execute_many, files_with_folders, in_parts, in_places, in_tree, new_id
from indexer.groups import Kind, MatchRule, Member
from indexer.places import Place, joined, relative_to, split
from indexer.records import Added, Altered, FileState, FolderChanges, KnownFile, RootSummary, Stamp
from indexer.schema import content, decision, file, folder, path_value, root
from indexer.schema import match as match_table

PAGE = 10_000
"""Rows read at a time where a table is read from end to end."""
_STAMP = (file.c.size, file.c.mtime_ns, file.c.ctime_ns, file.c.inode)

_GROUPABLE_FILE = file.c.state == FileState.PICTURE
gone = Table("gone", MetaData(), Column("id", Integer, primary_key=True), prefixes=["TEMPORARY"])
"""Files that a scan did not find, for the length of the transaction that deals with them."""


@dataclass(frozen=True, slots=True)
class KnownFolder:
    """A folder's row."""

    folder_id: int
    listing: bytes | None


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
    untouched: bool
    """True when its ctime is that of the gone path too: its folder was moved, not the file itself."""


# --- roots and folders


def roots(tx: Connection) -> dict[int, str]:
    """The stored path of each root, by its id."""
    return {row.id: row.path for row in tx.execute(select(root).order_by(root.c.id))}


def folders(tx: Connection, root_id: int, below: str = "") -> dict[str, KnownFolder]:
    """The folders at or below a path of a root, by path."""
    rows = tx.execute(select(folder.c.path, folder.c.id, folder.c.listing).where(in_tree(root_id, below)))
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
    return int(
        tx.execute(select(func.count()).select_from(files_with_folders()).where(in_tree(root_id, below))).scalar_one()
    )


def is_known(tx: Connection, root_id: int, path: str) -> bool:
    """True when a path of a root is that of a file, or of a folder with files at or below it."""
    parent, name = split(path)
    here = and_(folder.c.root_id == root_id, folder.c.path == parent, file.c.name == name)
    itself = select(file.c.id).select_from(files_with_folders()).where(here)
    inside = select(folder.c.id).where(in_tree(root_id, path))
    return any(tx.execute(query.limit(1)).first() for query in (itself, inside))


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
        folder_id = new_id(tx.execute(insert(folder).values(values)))
    added = [
        (folder_id, path_value(change.name), *change.stamp) for change in changes.changes if isinstance(change, Added)
    ]
    altered = [(*change.stamp, change.file_id) for change in changes.changes if isinstance(change, Altered)]
    execute_many(tx, _ADD_FILE, added)
    execute_many(tx, _ALTER_FILE, altered)
    tx.execute(update(folder).where(folder.c.id == folder_id).values(listing=listing))


# --- gone files


def note_gone(tx: Connection, file_ids: Iterable[int]) -> None:
    """Fills the temporary table of files that a scan did not find."""
    gone.create(tx)
    rows = [{"id": file_id} for file_id in file_ids]
    if rows:
        tx.execute(insert(gone), rows)


def moved_files(tx: Connection, first_new_id: int) -> list[MovedFile]:
    """New paths that have inode, size and mtime of a path that is gone and was read when its stamp could be trusted.

    What was no picture is read as any new file.
    """
    old = file.alias("old")
    old_folder = folder.alias("old_folder")
    same = and_(
        file.c.inode == old.c.inode,
        file.c.size == old.c.size,
        file.c.mtime_ns == old.c.mtime_ns,
        folder.c.root_id == old_folder.c.root_id,
        old.c.state.in_((FileState.PICTURE, FileState.UNREADABLE)),
        ~old.c.unsettled,
    )
    untouched = file.c.ctime_ns == old.c.ctime_ns
    moments = (old.c.id.label("gone_id"), old.c.born_ns, file.c.mtime_ns, file.c.ctime_ns, untouched)
    query = (
        select(file.c.id, folder.c.path, file.c.name, *moments)
        .select_from(gone.join(old, old.c.id == gone.c.id).join(old_folder, old_folder.c.id == old.c.folder_id))
        .join(file, and_(file.c.id >= first_new_id, same), full=False)
        .join(folder, folder.c.id == file.c.folder_id)
        .order_by(file.c.id, old.c.id)
    )
    rows = tx.execute(query).all()
    found: dict[int, MovedFile] = {}
    for file_id, parent, name, *rest in rows:
        found.setdefault(file_id, MovedFile(file_id, joined(parent, name), *rest))
    return list(found.values())


def adopt(tx: Connection, moved: Iterable[tuple[MovedFile, bool]]) -> None:
    """Gives moved files what is known of the paths they had; those that were moved by themselves stay due.

    A rename sets a file's ctime, which would have told that its content was replaced before.

    Args:
        tx: A writing transaction in which `note_gone` was called.
        moved: Each file, and whether its stamp is too fresh to be trusted next time.
    """
    old = file.alias("old")
    known = {
        name: select(old.c[name]).where(old.c.id == bindparam("old")).scalar_subquery()
        for name in ("content_id", "state", "reason", "born_ns")
    }
    rows: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for found, unsettled in moved:
        rows[found.untouched].append(
            {"key": found.file_id, "old": found.gone_id, "fresh": unsettled and found.untouched}
        )
    for untouched, some in rows.items():
        taken = known if untouched else {"content_id": known["content_id"]}
        if some:
            values = {**taken, "unsettled": bindparam("fresh")}
            tx.execute(update(file).where(file.c.id == bindparam("key")).values(values), some)


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


# --- groups


def groups(
    tx: Connection, match: MatchRule, bases: Mapping[int, str], places: Sequence[Place] = ()
) -> Iterator[list[Member]]:
    """The members of each group of two files or more that share their bytes or a hash.

    Args:
        tx: A transaction.
        match: What the members of a group share: their bytes or their dHash.
        bases: The absolute path of each root.
        places: Root ids with paths relative to them that the members must lie at or below; none for everywhere.
    """
    key = file.c.content_id if match is MatchRule.BYTES else content.c.dhash
    query = _members(key.label("key")).where(key.in_(_shared(match, places)), _groupable(), in_places(places))
    query = query.order_by("key", file.c.id)
    for _key, rows in groupby(tx.execute(query), key=lambda row: row.key):
        yield [_member(row, bases) for row in rows]


def related(tx: Connection, kinds: Sequence[Kind], bases: Mapping[int, str], places: Sequence[Place]) -> list[Member]:
    """The files whose content has copies, looks like another or has a match of some kinds.

    Args:
        tx: A transaction.
        kinds: Of the matches.
        bases: The absolute path of each root.
        places: Root ids with paths relative to them that the files must lie at or below; none for everywhere.
    """
    named = [str(kind) for kind in kinds]
    copied = select(file.c.content_id).where(_GROUPABLE_FILE).group_by(file.c.content_id).having(func.count() > 1)
    shared = select(content.c.look).where(content.c.look.is_not(None)).group_by(content.c.look)
    matched = content.alias("matched")
    ends = [select(column).where(match_table.c.kind.in_(named)) for column in (match_table.c.a_id, match_table.c.b_id)]
    linked = select(matched.c.look).where(matched.c.id.in_(union(*ends)))
    judged = select(matched.c.look).where(
        matched.c.digest.in_(union(select(decision.c.a_digest), select(decision.c.b_digest)))
    )
    looks = union(shared.having(func.count() > 1), linked, judged)
    wanted = union(copied, select(content.c.id).where(content.c.look.in_(looks)))
    query = _members().where(content.c.id.in_(wanted), _groupable(), in_places(places)).order_by(file.c.id)
    return [_member(row, bases) for row in tx.execute(query)]


def member_at(tx: Connection, bases: Mapping[int, str], path: str) -> Member | None:
    """The picture at an absolute path, None when the index knows none there."""
    for root_id, base in bases.items():
        below = relative_to(path, base)
        if below:
            parent, name = split(below)
            query = _members().where(folder.c.root_id == root_id, folder.c.path == parent, file.c.name == name)
            row = tx.execute(query.where(_groupable())).first()
            return None if row is None else _member(row, bases)
    return None


def members_at(tx: Connection, bases: Mapping[int, str], paths: Iterable[str]) -> dict[str, Member]:
    """The pictures that the index knows at absolute paths, by path."""
    below = ((root_id, relative_to(path, base)) for path in paths for root_id, base in bases.items())
    wanted: dict[tuple[int, str], list[str]] = {}
    for root_id, found in below:
        if found:
            wanted.setdefault((root_id, split(found)[0]), []).append(split(found)[1])
    members = []
    for (root_id, parent), names in wanted.items():
        query = _members().where(folder.c.root_id == root_id, folder.c.path == parent, _groupable())
        members += [_member(row, bases) for row in in_parts(tx, query, file.c.name, names)]
    return {member.full_path: member for member in members}


def members_showing(
    tx: Connection, bases: Mapping[int, str], content_ids: Iterable[int], looks: Iterable[bytes] = ()
) -> list[Member]:
    """The pictures that have one of some contents, or a content that has one of some looks, by id of the file."""
    some = [*in_parts(tx, _members().where(_groupable()), content.c.id, content_ids)]
    some += in_parts(tx, _members().where(_groupable()), content.c.look, looks)
    members = {row.id: _member(row, bases) for row in some}
    return [members[file_id] for file_id in sorted(members)]


def _members(*columns: Any) -> Select[Any]:
    """Files with all that a member says of them, behind further columns."""
    return select(
        *columns,
        file.c.id,
        file.c.content_id,
        folder.c.root_id,
        folder.c.path,
        file.c.name,
        *_STAMP[:3],
        case((root.c.numberless, 0), else_=file.c.inode).label("inode"),
        content.c.digest,
        content.c.width,
        content.c.height,
        content.c.format,
        content.c.look,
    ).select_from(files_with_folders().join(content).join(root, root.c.id == folder.c.root_id))


def _shared(match: MatchRule, places: Sequence[Place]) -> Select[Any]:
    """The keys that more than one file has: the GROUP BY that finds the groups."""
    files = files_with_folders() if places else file
    if match is MatchRule.BYTES:
        query = select(file.c.content_id).select_from(files).where(file.c.state == FileState.PICTURE)
        return query.where(in_places(places)).group_by(file.c.content_id).having(func.count() > 1)
    query = select(content.c.dhash).select_from(files.join(content, content.c.id == file.c.content_id))
    return query.where(_groupable(), in_places(places)).group_by(content.c.dhash).having(func.count() > 1)


def _groupable() -> Any:
    """Files whose content is known and was decoded; nothing else is ever grouped."""
    return and_(file.c.state == FileState.PICTURE, content.c.dhash.is_not(None))


def _member(row: Any, bases: Mapping[int, str]) -> Member:
    path = joined(row.path, row.name)
    stamp = Stamp(row.size, row.mtime_ns, row.ctime_ns, row.inode)
    base = bases[row.root_id]
    picture = (row.digest, row.width, row.height, row.format, row.look)
    return Member(row.id, row.content_id, row.root_id, base, path, stamp, *picture)


def files_named(tx: Connection, names: Container[str]) -> Iterator[tuple[int, str]]:
    """The files that have one of some names, by root id and path relative to it: the whole table is read."""
    query = select(folder.c.root_id, folder.c.path, file.c.name).select_from(files_with_folders())
    for root_id, parent, name in tx.execute(query):
        if name in names:
            yield root_id, joined(parent, name)


def picture_files(tx: Connection) -> Iterator[tuple[int, str]]:
    """The files that are pictures, by root id and path relative to it."""
    query = (
        select(folder.c.root_id, folder.c.path, file.c.name).select_from(files_with_folders()).where(_GROUPABLE_FILE)
    )
    return ((root_id, joined(parent, name)) for root_id, parent, name in tx.execute(query))


def unsure_files(tx: Connection) -> Iterator[tuple[int, str]]:
    """The files that are not read yet, or could not be, by root id and path relative to it."""
    unsure = file.c.state.in_((FileState.DUE, FileState.UNREADABLE))
    query = select(folder.c.root_id, folder.c.path, file.c.name).select_from(files_with_folders()).where(unsure)
    return ((root_id, joined(parent, name)) for root_id, parent, name in tx.execute(query))


# --- status


def root_summaries(tx: Connection, bases: Mapping[int, str]) -> tuple[RootSummary, ...]:
    """Files, bytes and unreadable files of each root."""
    query = (
        select(
            folder.c.root_id,
            func.count(),
            func.sum(file.c.size),
            func.sum(case((file.c.state == FileState.UNREADABLE, 1), else_=0)),
        )
        .select_from(files_with_folders())
        .where(file.c.state != FileState.OTHER)
        .group_by(folder.c.root_id)
    )
    found = {root_id: numbers for root_id, *numbers in tx.execute(query)}
    return tuple(RootSummary(path, *found.get(root_id, (0, 0, 0))) for root_id, path in bases.items())


def count_contents(tx: Connection) -> int:
    """The number of distinct contents among the files that were decoded."""
    query = select(func.count(file.c.content_id.distinct())).where(file.c.state == FileState.PICTURE)
    return int(tx.execute(query).scalar_one())


_ADD_FILE = """
    INSERT INTO file (folder_id, name, size, mtime_ns, ctime_ns, inode, unsettled, state) VALUES (?, ?, ?, ?, ?, ?, 1, 0)
"""
_ALTER_FILE = """
    UPDATE file SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, state = 0, reason = NULL WHERE id = ?
"""
