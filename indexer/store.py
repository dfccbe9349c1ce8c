"""Every statement about reading: which files are due, which contents are known, and what reading gave."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, func, literal_column, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from indexer.conditions import execute_many, files_with_folders, in_parts, in_places, in_tree
from indexer.places import Place, joined
from indexer.records import (
    FileState,
    Fingerprint,
    Fingerprinted,
    NotPicture,
    Outcome,
    Reading,
    Recognised,
    Stamp,
    Unreadable,
    UnreadableFile,
    signed64,
)
from indexer.schema import content, file, folder, match, recipe, thumbnail
from indexer.vetting import LOOK_BYTES

DUE_PAGE = 512
"""Files handed out between two looks at which contents are known."""


class DueFile(NamedTuple):
    """A file that has to be read."""

    file_id: int
    root_id: int
    path: str
    """Relative to the root."""
    size: int
    digest: bytes | None
    """Of the content it had when it was last read."""
    never_read: bool


def recipe_id(tx: Connection, key: str) -> int:
    """The id of a recipe, which is added when it is new."""
    tx.execute(upsert(recipe).values(key=key).on_conflict_do_nothing())
    return int(tx.execute(select(recipe.c.id).where(recipe.c.key == key)).scalar_one())


def refill(tx: Connection, recipe_id: int) -> int:
    """Makes every file due whose content was fingerprinted by another recipe; gives their number.

    Nothing is compared across recipes, so what was matched before is forgotten.
    """
    other = or_(content.c.recipe_id < recipe_id, content.c.recipe_id > recipe_id)  # two ranges of an index; != scans it
    if tx.execute(select(content.c.id).where(other).limit(1)).first() is None:
        return 0
    stale = file.c.content_id.in_(select(content.c.id).where(other))
    count = tx.execute(update(file).where(stale, file.c.state != FileState.DUE).values(state=FileState.DUE)).rowcount
    if count:
        tx.execute(delete(match))
        tx.execute(update(content).values(matched=None))
    return count


def retry_unreadable(tx: Connection, root_id: int, below: str) -> int:
    """Makes the unreadable files at or below a path due again; gives their number."""
    inside = file.c.folder_id.in_(select(folder.c.id).where(in_tree(root_id, below)))
    statement = update(file).where(file.c.state == FileState.UNREADABLE, inside)
    return tx.execute(statement.values(state=FileState.DUE, reason=None)).rowcount


def count_due(tx: Connection, places: Sequence[Place]) -> int:
    """The number of files at or below given places that have to be read."""
    return _count(tx, FileState.DUE, places)


def due_files(tx: Connection, places: Sequence[Place], after: int) -> list[DueFile]:
    """The next files at or below given places that have to be read, after a file's id."""
    never_read = and_(file.c.content_id.is_(None), file.c.born_ns.is_(None), file.c.unsettled)
    query = (
        select(file.c.id, folder.c.root_id, folder.c.path, file.c.name, file.c.size, content.c.digest, never_read)
        .join_from(file, folder)
        .outerjoin(content, content.c.id == file.c.content_id)
        .where(_in_state(FileState.DUE), file.c.id > after, _in_places(places))
        .order_by(file.c.id)
        .limit(DUE_PAGE)
    )
    return [
        DueFile(file_id, root_id, joined(parent, name), size, *rest)
        for file_id, root_id, parent, name, size, *rest in tx.execute(query).all()
    ]


def known_digests(
    tx: Connection, recipe_id: int, which: Any, *, with_unreadable: bool, limit: int | None = None
) -> list[tuple[int, bytes]]:
    """Size and digest of contents that need no decoding: what was only claimed does.

    Args:
        tx: A transaction.
        recipe_id: The recipe that they must have been fingerprinted by.
        which: `of_sizes` or `of_digests`.
        with_unreadable: Take contents for known that could not be decoded.
        limit: Give no more than this.
    """
    own = (content.c.recipe_id == recipe_id, ~content.c.claimed)
    query = select(content.c.size, content.c.digest).where(*own, which).limit(limit)
    if not with_unreadable:
        query = query.where(content.c.unreadable.is_(None))
    return [(size, digest) for size, digest in tx.execute(query).all()]


def picture_digests(tx: Connection, digests: Iterable[bytes]) -> set[bytes]:
    """Those of some digests whose contents the index holds as pictures."""
    query = select(content.c.digest).where(content.c.unreadable.is_(None), ~content.c.claimed)
    return {row.digest for row in in_parts(tx, query, content.c.digest, digests)}


def of_sizes(sizes: Iterable[int]) -> Any:
    """The condition that a content has one of some sizes."""
    return content.c.size.in_(sorted(set(sizes)))


def of_digests(digests: Iterable[bytes]) -> Any:
    """The condition that a content has one of some digests."""
    return content.c.digest.in_(sorted(set(digests)))


def keep_outcomes(tx: Connection, outcomes: Sequence[Outcome], recipe_id: int) -> None:
    """Stores what reading files gave: their contents, thumbnails and rows."""
    decoded = [outcome for outcome in outcomes if isinstance(outcome, Fingerprinted)]
    broken = [outcome for outcome in outcomes if isinstance(outcome, Unreadable)]
    keep_contents(tx, decoded, recipe_id)
    _drop_claims(tx, (found.digest for found in broken if found.digest))
    execute_many(
        tx,
        _STORE_BROKEN,
        [(found.digest, found.reading.stamp.size, recipe_id, found.reason) for found in broken if found.reading],
    )
    execute_many(
        tx, _STORE_FILE, [_file_row(outcome, outcome.reading) for outcome in outcomes if outcome.reading is not None]
    )
    recognised = [(outcome.file_id,) for outcome in outcomes if isinstance(outcome, Recognised)]
    execute_many(tx, _STORE_BROKEN_COPY, recognised)
    execute_many(tx, _STORE_UNREAD, [(found.reason, found.file_id) for found in broken if found.reading is None])


def keep_contents(tx: Connection, decoded: Sequence[Fingerprinted], recipe_id: int) -> None:
    """Stores contents with their thumbnails, whatever files they are in; claims about them go."""
    _drop_claims(tx, (found.digest for found in decoded))
    execute_many(tx, _STORE_CONTENT, [_content_row(outcome, recipe_id) for outcome in decoded])
    execute_many(tx, _STORE_THUMBNAIL, [(found.fingerprint.thumbnail, found.digest) for found in decoded])


def keep_claims(tx: Connection, claimed: Sequence[Fingerprinted], recipe_id: int) -> int:
    """Stores what somebody else says of contents that the index does not know; gives the number of those.

    They stand for no file, which is decoded here when it comes, and they are pixel by pixel equal to nothing: a list could
    say of a picture that it shows another one.
    """
    of_no_use = or_(content.c.recipe_id != recipe_id, content.c.look.is_(None))
    every = select(content.c.digest).where(~and_(content.c.claimed, of_no_use))
    known = {row.digest for row in in_parts(tx, every, content.c.digest, [found.digest for found in claimed])}
    fresh = {
        found.digest: found._replace(fingerprint=found.fingerprint._replace(look=_claimed_look(found.digest)))
        for found in claimed
        if found.digest not in known
    }
    keep_contents(tx, [*fresh.values()], recipe_id)
    execute_many(tx, "UPDATE content SET claimed = 1 WHERE digest = ?", [(digest,) for digest in fresh])
    return len(fresh)


def claims(tx: Connection, digests: Iterable[bytes]) -> set[bytes]:
    """Those of some digests of whose contents the index knows only what a list claims."""
    query = select(content.c.digest).where(content.c.claimed)
    return {row.digest for row in in_parts(tx, query, content.c.digest, digests)}


def _claimed_look(digest: bytes) -> bytes:
    """What stands for the look of a content that was not decoded here: no picture has it."""
    return hashlib.sha256(b"claimed " + digest).digest()[:LOOK_BYTES]


def _drop_claims(tx: Connection, digests: Iterable[bytes]) -> None:
    """Forgets the matches that rest on what was claimed of contents, which were decoded now."""
    if tx.exec_driver_sql("SELECT 1 FROM content WHERE claimed = 1 LIMIT 1").first() is not None:
        rows = [(digest,) for digest in digests]
        execute_many(tx, _DROP_CLAIMED_LEFT, rows)
        execute_many(tx, _DROP_CLAIMED_RIGHT, rows)


def contents_after(tx: Connection, recipe_id: int | None, after: int, limit: int) -> list[tuple[int, Fingerprinted]]:
    """The next contents of a recipe that were decoded, by id: as what reading a file of them gave."""
    query = _fingerprints(recipe_id).where(content.c.id > after).order_by(content.c.id).limit(limit)
    return [_fingerprinted(row) for row in tx.execute(query)]


def decoded(tx: Connection, recipe_id: int | None, digests: Iterable[bytes]) -> Iterator[Fingerprinted]:
    """Those of some contents that a recipe decoded, as what reading a file of them gave."""
    for row in in_parts(tx, _fingerprints(recipe_id), content.c.digest, digests):
        yield _fingerprinted(row)[1]


def count_stale(tx: Connection, recipe_id: int | None) -> int:
    """The number of contents that were decoded by another recipe."""
    other = content.c.recipe_id.is_distinct_from(recipe_id)
    query = select(func.count()).select_from(content).where(content.c.look.is_not(None), other)
    return int(tx.execute(query).scalar_one())


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
        .where(_in_state(FileState.UNREADABLE), _in_places(places))
    )
    found = [
        UnreadableFile(joined(bases[row.root_id], joined(row.path, row.name)), row.reason or "unknown")
        for row in tx.execute(query)
    ]
    return sorted(found, key=lambda unreadable: unreadable.path)


def formats_of_files(tx: Connection, bases: Mapping[int, str], places: Sequence[Place]) -> Iterator[tuple[str, str]]:
    """The path and the format of every picture at or below given places.

    Args:
        tx: A transaction.
        bases: The absolute path of each root.
        places: Root ids with paths relative to them; none for everything.
    """
    query = (
        select(folder.c.root_id, folder.c.path, file.c.name, content.c.format)
        .join_from(file, folder)
        .join(content, content.c.id == file.c.content_id)
        .where(file.c.state == FileState.PICTURE, content.c.format.is_not(None), in_places(places))
    )
    for row in tx.execute(query.execution_options(yield_per=5_000)):
        yield joined(bases[row.root_id], joined(row.path, row.name)), row.format


def count_unreadable(tx: Connection, places: Sequence[Place]) -> int:
    """The number of unreadable files at or below given places."""
    return _count(tx, FileState.UNREADABLE, places)


def count_other(tx: Connection, places: Sequence[Place]) -> int:
    """The number of files at or below given places that are no pictures and do not claim to be."""
    return _count(tx, FileState.OTHER, places)


def _count(tx: Connection, state: FileState, places: Sequence[Place]) -> int:
    """The number of files in a state that has an index of its own."""
    query = select(func.count()).select_from(files_with_folders())
    return int(tx.execute(query.where(_in_state(state), _in_places(places))).scalar_one())


def _in_places(places: Sequence[Place]) -> Any:
    """The condition that a file lies at or below given places, in a form that makes SQLite start from the state's index.

    Left to itself it reads the files of a root from end to end to find the few in a state.
    """
    return in_places(places, root=folder.c.root_id + 0)


def _in_state(state: FileState) -> Any:
    """The condition in the words of the index: SQLite uses a partial index only for the very constant it was made with."""
    return file.c.state == literal_column(str(int(state)))


def _fingerprints(recipe_id: int | None) -> Any:
    """Contents that a recipe decoded, with all that decoding them gave."""
    columns = (content.c[name] for name in ("dhash", "phash", "width", "height", "format", "mode", "detail"))
    return (
        select(
            content.c.id, content.c.digest, content.c.size, *columns, thumbnail.c.jpeg, content.c.views, content.c.look
        )
        .join(thumbnail, thumbnail.c.content_id == content.c.id)
        .where(content.c.recipe_id == recipe_id, content.c.unreadable.is_(None))
    )


def _fingerprinted(row: Any) -> tuple[int, Fingerprinted]:
    """A content's id, and what reading a file of it gave."""
    key, digest, size, *found = row
    reading = Reading(Stamp(size, 0, 0, 0), unsettled=False, born_ns=None)
    return key, Fingerprinted(0, reading, digest, Fingerprint(*found))


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
        found.views,
        found.look,
    )


def _file_row(outcome: Outcome, reading: Reading) -> tuple[Any, ...]:
    """A file that was read: its stamp, what is concluded from it, and its content."""
    state, reason = FileState.PICTURE, None
    if isinstance(outcome, NotPicture):
        state = FileState.OTHER
    elif isinstance(outcome, Unreadable):
        state, reason = FileState.UNREADABLE, outcome.reason
    digest = None if isinstance(outcome, NotPicture) else outcome.digest
    return (*reading.stamp, reading.born_ns, reading.unsettled, int(state), reason, digest, outcome.file_id)


_STORE_CONTENT = """
    INSERT INTO content (digest, size, recipe_id, dhash, phash, width, height, format, mode, detail, views, look)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET recipe_id = excluded.recipe_id, unreadable = NULL, dhash = excluded.dhash,
        phash = excluded.phash, width = excluded.width, height = excluded.height, format = excluded.format,
        mode = excluded.mode, detail = excluded.detail, views = excluded.views, look = excluded.look, matched = NULL,
        claimed = 0
"""
_STORE_THUMBNAIL = """
    INSERT OR REPLACE INTO thumbnail (content_id, jpeg) SELECT content.id, ?1 FROM content WHERE content.digest = ?2
"""
_STORE_BROKEN = """
    INSERT INTO content (digest, size, recipe_id, unreadable) VALUES (?, ?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET recipe_id = excluded.recipe_id, unreadable = excluded.unreadable, dhash = NULL,
        phash = NULL, width = NULL, height = NULL, format = NULL, mode = NULL, detail = NULL, views = NULL, look = NULL,
        claimed = 0
"""
_DROP_CLAIMED_LEFT = """
    DELETE FROM "match" WHERE a_id = (SELECT content.id FROM content WHERE content.digest = ? AND content.claimed = 1)
"""
_DROP_CLAIMED_RIGHT = """
    DELETE FROM "match" WHERE b_id = (SELECT content.id FROM content WHERE content.digest = ? AND content.claimed = 1)
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
