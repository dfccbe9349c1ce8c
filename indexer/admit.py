"""Makes folders roots, or says why they cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from indexer import queries, roots
from indexer.boundaries import not_entered, refuse_root
from indexer.database import Database
from indexer.errors import SafetyError, UsageError
from indexer.filesystem import folder_exists
from indexer.mounts import Mount
from indexer.places import relative_to
from indexer.quarantine import is_quarantined
from indexer.text import printable


def admit(database: Database, tx: Connection, paths: Iterable[str], known: Sequence[Mount], *, confirmed: bool) -> None:
    """Makes folders roots, unless they lie in one; roots that lie in them become part of them.

    Args:
        database: The index.
        tx: A writing transaction.
        paths: Canonical.
        known: The mounted file systems.
        confirmed: The user says that what is missing is gone.

    Raises:
        SafetyError: When a folder is missing.
        UsageError: When it is a quarantine, shows the kernel, or shows files of a root under another name.
    """
    bases = database.bases(queries.roots(tx))
    closed: dict[str, Mapping[str, str]] = {}
    for path in paths:
        base = next((base for base in bases.values() if relative_to(path, base) is not None), None)
        if not folder_exists(path) and not (base and confirmed):
            raise missing(path)
        if is_quarantined(path):
            raise UsageError(f"'{printable(path)}' is a quarantine of imgindex", "imgindex undo brings its files back")
        if base is None:
            refuse_root(path, bases.values(), known)
            _add(database, tx, path, bases)
            bases = database.bases(queries.roots(tx))
            continue
        if base not in closed:
            closed[base] = not_entered(base, bases.values(), known, one_file_system=False)
        for point, reason in closed[base].items():
            if relative_to(path, point) is not None:
                raise UsageError(f"'{printable(path)}' {reason}", "use the name by which it is indexed")


def missing(path: str) -> SafetyError:
    """The error for a folder that should be there."""
    return SafetyError(
        f"'{printable(path)}' is missing or not a folder: nothing is concluded from that",
        "mount it or correct the path; if it is really gone: imgindex index FOLDER --confirm-missing",
    )


def _add(database: Database, tx: Connection, path: str, bases: Mapping[int, str]) -> None:
    new_id = roots.add_root(tx, database.stored(path))
    for root_id, base in bases.items():
        prefix = relative_to(base, path)
        if prefix:
            roots.merge_root(tx, root_id, new_id, prefix)
