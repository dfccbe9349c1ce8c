"""The files that are due, in batches for the workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from indexer import queries, scan, store
from indexer.database import Database
from indexer.executors import Batch
from indexer.places import Place, joined, split
from indexer.quarantine import digest_at
from indexer.records import IndexRequest, Task

KNOWN_LIMIT = 20_000
"""Known contents that are looked at for a page of due files; bitmaps of one size can have many more."""
BATCH_FILES = 32
BATCH_BYTES = 16 << 20
"""A batch ends at either: small enough to share the work out evenly, large enough that handing it over costs little."""


def due_batches(
    database: Database, places: list[Place], request: IndexRequest, recipe_id: int, handed_out: dict[int, store.DueFile]
) -> Iterator[Batch]:
    """The files at or below given places that are due, in batches, each with the contents that need no decoding.

    Args:
        database: The index.
        places: Where to look.
        request: Whether contents are decoded again that could not be decoded, and how large a file may be.
        recipe_id: Contents of other recipes are not known.
        handed_out: Filled with each file that is handed out, by its id; the caller takes it out again.
    """
    last = 0
    while True:
        with database.reading() as tx:
            due = store.due_files(tx, places, last)
            bases = database.bases(queries.roots(tx))
            parts = [(rows, _known(tx, rows, bases, recipe_id, request)) for rows in _by_claim(due)]
        if not due:
            return
        last = due[-1].file_id
        handed_out.update((row.file_id, row) for row in due)
        for part, known in parts:
            for rows in _cut(part):
                sizes = {row.size for row in rows}
                digests = frozenset(digest for size, digest in known if size in sizes)
                yield tuple(_task(row, bases, request.max_file_bytes) for row in rows), digests


def _by_claim(due: Iterable[store.DueFile]) -> list[list[store.DueFile]]:
    """The files whose names claim to be pictures, and the others, which the same bytes may make no picture at all."""
    parts: dict[bool, list[store.DueFile]] = {True: [], False: []}
    for row in due:
        parts[_claims(row)].append(row)
    return [rows for rows in parts.values() if rows]


def _claims(row: store.DueFile) -> bool:
    return scan.claims_picture(split(row.path)[1])


def _known(
    tx: Connection, due: list[store.DueFile], bases: dict[int, str], recipe_id: int, request: IndexRequest
) -> list[tuple[int, bytes]]:
    """Size and digest of the known contents that need no decoding and that some of the files that are due may have.

    What could not be decoded is known when the files, of which all or none do, claim to be pictures. A copy has the size of
    what it is a copy of. Where too many contents have the files' sizes, as bitmaps do, the files are digested here to find
    out which are copies.
    """
    readable = [row for row in due if row.size <= request.max_file_bytes]
    broken = _claims(due[0]) and not request.retry
    sizes = store.of_sizes(row.size for row in readable)
    known = store.known_digests(tx, recipe_id, sizes, with_unreadable=broken, limit=KNOWN_LIMIT)
    if len(known) < KNOWN_LIMIT:
        return known
    digests = filter(None, (digest_at(bases[row.root_id], row.path) for row in readable))
    return store.known_digests(tx, recipe_id, store.of_digests(digests), with_unreadable=broken)


def _cut(due: list[store.DueFile]) -> Iterator[list[store.DueFile]]:
    """Files in batches of limited number and size."""
    batch: list[store.DueFile] = []
    size = 0
    for row in due:
        batch.append(row)
        size += row.size
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _task(row: store.DueFile, bases: dict[int, str], max_bytes: int) -> Task:
    return Task(row.file_id, joined(bases[row.root_id], row.path), row.size, _claims(row), max_bytes)
