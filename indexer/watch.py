"""The story of folders that are watched: an ordinary run first, then one for each batch of changes.

A batch looks at what arrived alone. When something that the index knows is gone, the folders are walked as a whole, so that
it is judged as always whether so much can be gone, and files that moved are seen to have moved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

from indexer import queries, scan
from indexer.admit import missing
from indexer.boundaries import not_entered
from indexer.database import Database
from indexer.errors import SafetyError
from indexer.filesystem import folder_exists
from indexer.mounts import mounts
from indexer.places import relative_to, split
from indexer.records import WAITING, IndexReport, IndexRequest, Tick
from indexer.text import printable
from indexer.watcher import Changes, Lying, identity, lying_at, refuse_unwatchable, watching

MOST_CHANGES = 2_000
"""With more changes than this in a batch, the folders are walked: that is faster, and the system may have told less."""


def watch(
    request: IndexRequest,
    update: Callable[[IndexRequest], IndexReport],
    reading: Callable[[], AbstractContextManager[Database]],
    tick: Tick,
) -> Iterator[IndexReport]:
    """The report of an ordinary run, then of one for each batch of changes, without end.

    Args:
        request: What to look at. That files are read again, or are gone, is meant for the first run alone.
        update: Carries out a run.
        reading: Opens the database for reading.
        tick: Told of the stage `wait`, too.

    Raises:
        SafetyError: When a folder is missing, also while it is watched.
        ImgindexError: When the system watches no further folder.
    """
    was = {folder: identity(folder) for folder in request.folders}
    again = replace(request, retry=False, confirm_missing=False)
    for folder, known in was.items():
        if known is None:
            raise missing(folder)
    with watching(request.folders) as batches:
        yield update(request)
        tick(WAITING, 0, None)
        for changed in batches:
            for folder, known in was.items():
                _refuse_other(folder, same=identity(folder) == known)
            wanted = _wanted(reading, again, changed)
            if wanted is not None:
                tick("scan", 0, None)
                yield _updated(update, wanted, again)
                tick(WAITING, 0, None)


def _updated(update: Callable[[IndexRequest], IndexReport], wanted: IndexRequest, again: IndexRequest) -> IndexReport:
    """The report of a run; when a new folder is gone again meanwhile, of one that looks at all."""
    try:
        return update(wanted)
    except SafetyError:
        if wanted is again:
            raise
        return update(again)


def _refuse_other(folder: str, *, same: bool) -> None:
    """Refuses to conclude anything from a folder that is not the one any more that was watched.

    Raises:
        SafetyError: When it is not.
    """
    if same:
        return
    if not folder_exists(folder):
        raise missing(folder)
    raise SafetyError(
        f"'{printable(folder)}' is another folder than the one that was watched: nothing is concluded from that",
        "mount what was there, or start the watch again",
    )


def _wanted(
    reading: Callable[[], AbstractContextManager[Database]], request: IndexRequest, changed: Changes
) -> IndexRequest | None:
    """What a batch of changes asks for, None when it is about no picture."""
    if changed is None or len(changed) > MOST_CHANGES:
        return request
    if not changed:
        return None
    with reading() as database, database.reading() as tx:
        own = tuple(f"{database.path}{mark}" for mark in (".", "-"))
        lying = lying_at(path for path in changed if path != database.path and not path.startswith(own))
        bases = database.bases(queries.roots(tx))
        at = ((root_id, relative_to(path, base)) for path in lying.gone for root_id, base in bases.items())
        if any(below is not None and queries.is_known(tx, root_id, below) for root_id, below in at):
            return request
    files, folders = _considered(request, bases.values(), lying)
    refuse_unwatchable(folders)
    parents = dict.fromkeys(split(path)[0] for path in files)
    if folders:
        return replace(request, folders=(*folders, *(parent for parent in parents if parent not in folders)))
    return replace(request, folders=tuple(parents), files=files) if files else None


def _considered(request: IndexRequest, bases: Collection[str], lying: Lying) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files and folders that a walk would look at."""
    wanted = scan.wanted_files(all_files=request.all_files, exclude=request.exclude)
    known = mounts()
    files: list[str] = []
    folders: list[str] = []
    for base in bases:
        closed = not_entered(base, bases, known, one_file_system=request.one_file_system)
        excluded = scan.left_out(base, closed, request.exclude)
        for paths, kept in ((lying.files, files), (lying.folders, folders)):
            for path in paths:
                below = relative_to(path, base)
                if below is None:
                    continue
                folder = below if kept is folders else split(below)[0]
                if not scan.passed_over(folder, excluded) and (kept is folders or wanted(*split(below))):
                    kept.append(path)
    return tuple(files), tuple(folders)
