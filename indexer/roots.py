"""Every statement about roots themselves: what they are called, what holds there, what could not be listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, true, update

from indexer.conditions import files_with_folders, new_id
from indexer.moves import PENDING, MoveState
from indexer.places import joined, relative_to
from indexer.schema import file, folder, journal, root, unlisted


def change_times(tx: Connection, root_id: int) -> tuple[int, int, int]:
    """The number of files of a root, of those that changed at a whole second, and of those at an even one."""
    within = [func.count(case((file.c.ctime_ns % unit_ns == 0, 1))) for unit_ns in (1_000_000_000, 2_000_000_000)]
    query = select(func.count(), *within).select_from(files_with_folders()).where(folder.c.root_id == root_id)
    row = tx.execute(query).one()
    return row[0], row[1], row[2]


def add_root(tx: Connection, stored: str) -> int:
    """The id of a new root."""
    return new_id(tx.execute(insert(root).values(path=stored)))


def merge_root(tx: Connection, inner_id: int, outer_id: int, prefix: str) -> None:
    """Makes the folders of a root part of another root that it lies in.

    Args:
        tx: A writing transaction.
        inner_id: The root that ends.
        outer_id: The root that takes its folders.
        prefix: The inner root's path relative to the outer one.
    """
    for table, column, inside in ((folder, folder.c.path, true()), (journal, journal.c.path, journal.c.base.is_(None))):
        rows = tx.execute(select(table.c.id, column).where(table.c.root_id == inner_id, inside)).all()
        changes = [{"key": row.id, "new": _below(prefix, row.path)} for row in rows]
        if changes:
            statement = update(table).where(table.c.id == bindparam("key"))
            tx.execute(statement.values({column: bindparam("new"), table.c.root_id: outer_id}), changes)
    tx.execute(update(journal).where(journal.c.root_id == inner_id).values(root_id=outer_id))
    note_unlisted(tx, outer_id, prefix, [_below(prefix, path) for path in unlisted_folders(tx, inner_id)])
    tx.execute(delete(unlisted).where(unlisted.c.root_id == inner_id))
    tx.execute(delete(root).where(root.c.id == inner_id))


def _below(prefix: str, path: str) -> str:
    return f"{prefix}/{path}" if path else prefix


def move_root(tx: Connection, root_id: int, stored: str) -> None:
    """Gives a root another path; its folders and files are relative to it and stay as they are known."""
    tx.execute(update(root).where(root.c.id == root_id).values(path=stored))


def move_journal(tx: Connection, moved: Callable[[str], str]) -> None:
    """Rewrites the paths by which the journal names quarantines, keepers, and folders that are no roots.

    Args:
        tx: A writing transaction.
        moved: Gives the stored path that one has now.
    """
    for column in (journal.c.quarantine, journal.c.keeper, journal.c.base):
        known = tx.execute(select(column).where(column.is_not(None), column != "").distinct()).scalars()
        news = {path: new for path in known if (new := moved(path)) != path}
        rows = tx.execute(select(journal.c.id, column).where(column.in_([*news]))).all() if news else []
        if rows:
            statement = update(journal).where(journal.c.id == bindparam("key")).values({column: bindparam("new")})
            tx.execute(statement, [{"key": row[0], "new": news[row[1]]} for row in rows])


def count_held(tx: Connection, root_id: int) -> int:
    """The files of a root that the quarantine holds, that are links now, or of which nobody knows yet."""
    held = journal.c.state.in_((*PENDING, MoveState.MOVED))
    return int(tx.execute(select(func.count()).where(journal.c.root_id == root_id, held)).scalar_one())


def forget_root(tx: Connection, root_id: int) -> int:
    """Drops a root with its folders, the rows of its files, and what the journal has to say of it; gives their number.

    The contents stay.
    """
    within = select(folder.c.id).where(folder.c.root_id == root_id)
    count = tx.execute(delete(file).where(file.c.folder_id.in_(within))).rowcount
    for table in (folder, unlisted, journal):
        tx.execute(delete(table).where(table.c.root_id == root_id))
    tx.execute(delete(root).where(root.c.id == root_id))
    return count


def some_files(tx: Connection, root_id: int, count: int) -> list[tuple[str, int]]:
    """Some files of a root, spread over it: path relative to it, and size."""
    ids = list(
        tx.execute(select(file.c.id).select_from(files_with_folders()).where(folder.c.root_id == root_id)).scalars()
    )
    chosen = ids[:: max(1, len(ids) // count)][:count]
    query = (
        select(folder.c.path, file.c.name, file.c.size).select_from(files_with_folders()).where(file.c.id.in_(chosen))
    )
    return [(joined(row.path, row.name), row.size) for row in tx.execute(query)]


# --- what could not be listed


def unlisted_folders(tx: Connection, root_id: int) -> list[str]:
    """The folders of a root that the last walk could not list, relative to the root."""
    return list(tx.execute(select(unlisted.c.path).where(unlisted.c.root_id == root_id)).scalars())


def note_unlisted(tx: Connection, root_id: int, below: str, paths: Iterable[str]) -> None:
    """Remembers which folders a walk at or below a path of a root could not list, in place of those of earlier walks."""
    earlier = [path for path in unlisted_folders(tx, root_id) if relative_to(path, below) is not None]
    if earlier:
        tx.execute(delete(unlisted).where(unlisted.c.root_id == root_id, unlisted.c.path.in_(earlier)))
    rows = [{"root_id": root_id, "path": path} for path in paths]
    if rows:
        tx.execute(insert(unlisted), rows)


# --- inode numbers


def numberless(tx: Connection) -> set[int]:
    """The roots on which inode numbers mean nothing."""
    return set(tx.execute(select(root.c.id).where(root.c.numberless)).scalars())


def mark_numberless(tx: Connection, root_id: int) -> None:
    """Remembers that inode numbers mean nothing on a root."""
    tx.execute(update(root).where(root.c.id == root_id).values(numberless=True))
