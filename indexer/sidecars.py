"""Finds the files that come with pictures: captions, metadata, annotations; in their folder, or in one that mirrors it.

A folder is listed once for all its pictures. What cannot be listed or read has no sidecars that anybody could move; the
move of its picture fails by itself then.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from indexer.filesystem import chunks, digest_of, open_regular, opened_folder
from indexer.groups import Member
from indexer.labels import meaning, merged, mirrored, sidecar_ending, stem
from indexer.places import joined, split
from indexer.plans import Rewrite, Sidecar
from indexer.scan import claims_picture

FOLDERS = 256
"""Listings kept in memory: pictures of one group lie in few folders, and the next group's in much the same."""
COMPARED_BYTES = 1 << 20
"""A larger sidecar is compared by its bytes, not by what it says."""


class Shelf(NamedTuple):
    """The files of a folder that matter here, by stem."""

    sidecars: Mapping[str, list[str]]
    pictures: Mapping[str, list[str]]


Finder = Callable[[Member], tuple[Sidecar, ...]]


def sidecar_finder() -> Finder:
    """A function that gives a picture's sidecars, and remembers the folders that it listed."""
    shelf = lru_cache(maxsize=FOLDERS)(_shelf)
    return lambda member: tuple(_sidecars(member, shelf))


def merge_of(keeper: Member, theirs: Sidecar | None, surplus: Sidecar, before: Rewrite | None) -> Rewrite | None:
    """What a keeper's caption becomes when a surplus file's lines are added; None when it lacks nothing.

    Args:
        keeper: The picture.
        theirs: Its sidecar of the same role, None when it has none: then it gets the surplus file's as it is.
        surplus: The sidecar of the surplus file.
        before: An earlier merge into the same caption, on which this one builds.

    Raises:
        OSError: When a sidecar cannot be read, or its bytes are no longer those that were compared.
    """
    lines = _read(surplus)
    if before is not None:
        old: bytes | None = before.data
        base, path = before.base, before.path
    elif theirs is not None:
        old, base, path = _read(theirs), theirs.base, theirs.path
    else:
        old = None
        base, path = _place_for(keeper, surplus)
    new = merged(old, lines)
    if new == old:
        return None
    return Rewrite(base, path, None if old is None else digest_of([old]), len(old or b""), new)


def _read(sidecar: Sidecar) -> bytes:
    parent, name = split(sidecar.path)
    with opened_folder(sidecar.base, parent) as folder:
        descriptor, _status = open_regular(name, folder)
        try:
            data = b"".join(chunks(descriptor))
        finally:
            os.close(descriptor)
    if digest_of([data]) != sidecar.digest:
        raise OSError(f"'{name}' changed while it was looked at")
    return data


def _place_for(keeper: Member, surplus: Sidecar) -> tuple[str, str]:
    """Where a keeper's sidecar of the role of another one would lie."""
    ending = split(surplus.path)[1][len(stem(split(surplus.path)[1])) :]
    labels = mirrored(keeper.full_path)
    parent, name = split(keeper.path)
    if surplus.role.startswith("labels") and labels:
        base, folder, _ending = labels
        return base, joined(folder, stem(name) + ending)
    with_ending = surplus.role.startswith("+")
    return keeper.root, joined(parent, (name if with_ending else stem(name)) + ending)


def _shelf(folder: str) -> Shelf:
    found = Shelf(defaultdict(list), defaultdict(list))
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for name in sorted(entry.name for entry in entries):
            if sidecar_ending(name):
                found.sidecars[stem(name)].append(name)
            elif claims_picture(name):
                found.pictures[stem(name)].append(name)
    return found


def _sidecars(member: Member, shelf: Callable[[str], Shelf]) -> Iterator[Sidecar]:
    """The sidecars beside a picture, then those in a folder that mirrors its own."""
    parent, name = split(member.path)
    home = joined(member.root, parent).rstrip("/")
    beside = shelf(home)
    partners = [joined(home, other) for other in beside.pictures.get(stem(name), ()) if other != name]
    for found in beside.sidecars.get(stem(name), ()):
        yield from _sidecar(member.root, joined(parent, found), sidecar_ending(found) or "", tuple(partners))
    if stem(name) != name:
        for found in beside.sidecars.get(name, ()):
            yield from _sidecar(member.root, joined(parent, found), f"+{sidecar_ending(found)}", ())
    labels = mirrored(member.full_path)
    if labels:
        base, folder, ending = labels
        for found in shelf(joined(base, folder)).sidecars.get(stem(name), ()):
            if sidecar_ending(found) == ending:
                yield from _sidecar(base, joined(folder, found), f"labels{ending}", tuple(partners))


def _sidecar(base: str, path: str, role: str, shared: tuple[str, ...]) -> Iterator[Sidecar]:
    """The sidecar at a path; none when it is no regular file or cannot be read."""
    parent, name = split(path)
    with contextlib.suppress(OSError), opened_folder(base, parent) as folder:
        descriptor, status = open_regular(name, folder)
        try:
            small = status.st_size <= COMPARED_BYTES
            data = b"".join(chunks(descriptor)) if small else b""
            digest = digest_of([data]) if small else digest_of(chunks(descriptor))
        finally:
            os.close(descriptor)
        yield Sidecar(base, path, role, digest, meaning(role, data) if small else digest, shared)
