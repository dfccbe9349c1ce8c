"""The story of a check-up: what the program runs on, and how the index, its folders and its quarantine are.

It changes nothing, not even what a stopped run left to be cleared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from indexer import check_quarantine, ledger, lock, queries, roots
from indexer.database import Database, open_as_it_is, probe, was_stopped
from indexer.errors import CorruptDatabaseError, DatabaseError
from indexer.mounts import Mount, free_bytes, mount_of, mounts
from indexer.moves import PENDING
from indexer.places import split
from indexer.records import Finding, Health
from indexer.schema import SCHEMA_VERSION
from indexer.text import bytes_text, count_text, printable
from indexer.versions import versions

_LITTLE_BYTES = 100_000_000
_FEW = 20
"""Files whose times say little about the file system."""


def examine(path: str) -> Iterator[Finding]:
    """What is found about the program, and about the index at a path, which need not exist."""
    yield from versions()
    known = mounts()
    if not os.path.exists(path):
        advice = "make one: imgindex index FOLDER"
        yield Finding("database", Health.NOTE, f"there is no index at '{printable(path)}'", advice)
        return
    yield from _surroundings(path, known)
    try:
        version = probe(path)
        with open_as_it_is(path) as database:
            yield from _pages(database)
            if version < SCHEMA_VERSION:
                says = f"was made by an older imgindex (schema {version})"
                yield Finding("database", Health.NOTE, says, "the next command upgrades it, and keeps a copy beside it")
                return
            yield from _journal(database)
            yield from _roots(database, known)
            yield from _quarantine(database)
    except DatabaseError as error:
        health = Health.DAMAGED if isinstance(error, CorruptDatabaseError) or not was_stopped(path) else Health.WARNING
        yield Finding("database", health, error.message, error.hint)


def _surroundings(path: str, known: tuple[Mount, ...]) -> Iterator[Finding]:
    """Where the database lies, and what lies beside it."""
    yield Finding("database", Health.FINE, f"'{printable(path)}', {bytes_text(os.path.getsize(path))}")
    mount = mount_of(path, known)
    if mount is not None and mount.is_remote:
        says = f"lies on {mount.kind}, where locks may not hold between machines"
        yield Finding("database", Health.WARNING, says, "keep it on a local disk: --db FILE, or IMGINDEX_DB")
    elif mount is not None:
        yield Finding("database", Health.NOTE if mount.read_only else Health.FINE, _mounted(mount))
    free = free_bytes(split(path)[0] or "/")
    if free < max(_LITTLE_BYTES, os.path.getsize(path)):
        says = f"{bytes_text(free)} free beside it, too little for a copy of it"
        yield Finding("database", Health.WARNING, says, "free some space before an upgrade or a backup")
    holder = lock.holder(path)
    if holder is not None:
        yield Finding("lock", Health.NOTE, f"a run is writing: {holder}", "commands that only read work meanwhile")
    if was_stopped(path) and holder is None:
        says = "a run was stopped in the middle of a commit"
        yield Finding(
            "database", Health.WARNING, says, "imgindex status clears what it left; nothing committed is lost"
        )
    if os.path.exists(f"{path}-wal"):
        says = "another program switched it to a write-ahead log"
        yield Finding(
            "database", Health.WARNING, says, f"keep '{printable(path)}-wal' with it; imgindex index switches back"
        )


def _mounted(mount: Mount) -> str:
    return f"on {mount.kind}, mounted at '{printable(mount.point)}'" + (", read-only" if mount.read_only else "")


def _pages(database: Database) -> Iterator[Finding]:
    """Whether the pages of the database fit together, and its rows."""
    wrong, orphans = database.damage(), database.orphans()
    advice = "restore a backup, or move it away and index again; moved files: imgindex undo --from-manifest DIR"
    for says in wrong:
        yield Finding("database", Health.DAMAGED, f"is damaged: {says}", advice)
    if orphans:
        yield Finding(
            "database", Health.DAMAGED, f"is damaged: {count_text(orphans, 'row')} without what they belong to", advice
        )
    if not (wrong or orphans):
        journal = "write-ahead log" if database.is_logged() else "rollback journal"
        yield Finding("database", Health.FINE, f"every page and row is sound; {journal}")


def _journal(database: Database) -> Iterator[Finding]:
    with database.reading() as tx:
        pending = len(ledger.journal_entries(tx, states=PENDING))
    if pending and lock.holder(database.path) is None:
        says = f"{count_text(pending, 'file')} half moved by a run that was stopped"
        yield Finding("journal", Health.WARNING, says, "any command that writes brings that to an end: imgindex index")
    else:
        yield Finding("journal", Health.FINE, "nothing half-done")


def _roots(database: Database, known: tuple[Mount, ...]) -> Iterator[Finding]:
    """Where the indexed folders lie, and how finely their file systems tell times."""
    with database.reading() as tx:
        for root_id, stored in queries.roots(tx).items():
            path = database.absolute(stored)
            where = f"'{printable(path)}'"
            if not os.path.isdir(path):
                advice = "mount it; if it is really gone: imgindex index --confirm-missing"
                yield Finding("root", Health.WARNING, f"{where} is not there", advice)
                continue
            mount = mount_of(path, known)
            health = Health.NOTE if mount is not None and mount.is_remote else Health.FINE
            told = f" {_mounted(mount)}" if mount else ""
            yield Finding("root", health, f"{where}{told}; {_times(roots.change_times(tx, root_id))}")


def _times(found: tuple[int, int, int]) -> str:
    """What the times of files say about the file system that gave them."""
    files, whole, even = found
    if files < _FEW:
        return "too few files to tell how finely it keeps times"
    if whole < files:
        return "keeps times to less than a second"
    return (
        f"keeps times to {'two seconds' if even == files else 'a second'}: what changes twice within that is read again"
    )


def _quarantine(database: Database) -> Iterator[Finding]:
    number, problems = check_quarantine.presence(database)
    yield Finding("quarantine", Health.FINE, f"{count_text(number, 'file')} in it" if number else "empty")
    yield from (
        Finding("quarantine", Health.WARNING, f"'{printable(problem.path)}' {problem.reason}", _ADVICE)
        for problem in problems
    )


_ADVICE = "imgindex quarantine verify reads all that is there; history says which run it was"
