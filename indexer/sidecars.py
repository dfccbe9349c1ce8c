"""Finds the files that come with pictures: captions, metadata, annotations; in their folder, or in one that mirrors it.

A folder is listed once for all its pictures. A sidecar that is a link, or cannot be read, has no digest: nobody can say
what is in it, so that it disagrees with everything.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from indexer.filesystem import chunks, digest_of, open_regular, opened_folder
from indexer.groups import Member
from indexer.labels import COMPANIONS, meaning, merged, mirrored, sidecar_ending, stem, unmirrored
from indexer.places import joined, split
from indexer.plans import Rewrite, Sidecar
from indexer.scan import considered

FOLDERS = 256
"""Listings kept in memory: pictures of one group lie in few folders, and the next group's in much the same."""
COMPARED_BYTES = 1 << 20
"""A larger sidecar is compared by its bytes, not by what it says."""


class Shelf(NamedTuple):
    """The files of a folder that matter here, by stem."""

    sidecars: Mapping[str, list[str]]
    pictures: Mapping[str, list[str]]


class Finder:
    """Gives a picture's sidecars, and remembers what it listed and read last."""

    def __init__(self) -> None:
        """Nothing is listed yet."""
        self._shelf = lru_cache(maxsize=FOLDERS)(_shelf)
        self._found = lru_cache(maxsize=FOLDERS)(lambda member: tuple(_told_apart(_sidecars(member, self._shelf))))

    def __call__(self, member: Member) -> tuple[Sidecar, ...]:
        """The sidecars of a picture."""
        return self._found(member)

    def pictures_of(self, path: str) -> tuple[str, ...]:
        """The absolute paths of the pictures that a text belongs to by its name.

        Args:
            path: Absolute; there need not be anything.
        """
        folder, name = split(path)
        found = _partners(self._shelf, [folder, unmirrored(folder)], stem(name), own="")
        return tuple(path for path in found if considered(split(path)[1]))


def _told_apart(sidecars: Iterable[Sidecar]) -> Iterator[Sidecar]:
    """Sidecars with roles of their own: of `a.TXT` and `a.txt`, the second plays another one."""
    seen: Counter[str] = Counter()
    for sidecar in sidecars:
        seen[sidecar.role] += 1
        number = seen[sidecar.role]
        yield sidecar if number == 1 else replace(sidecar, role=f"{sidecar.role} ({number})")


def merge_of(keeper: Member, theirs: Sidecar | None, surplus: Sidecar, before: Rewrite | None) -> Rewrite | None:
    """What a keeper's caption becomes when a surplus file's lines are added; None when it lacks nothing.

    Args:
        keeper: The picture.
        theirs: Its sidecar of the same role, None when it has none: then it gets the surplus file's as it is.
        surplus: The sidecar of the surplus file.
        before: An earlier merge into the same caption, on which this one builds.

    Raises:
        OSError: When a sidecar cannot be read, or its bytes are no longer those that were compared, or the keeper lies in
            no layout that has a place for it.
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
    parent, name = split(keeper.path)
    if surplus.role.startswith("labels"):
        labels = mirrored(keeper.full_path)
        if labels is None:
            raise OSError("the kept file lies in no folder whose labels have a folder of their own")
        return labels[0], joined(labels[1], stem(name) + ending)
    with_ending = surplus.role.startswith("+")
    return keeper.root, joined(parent, (name if with_ending else stem(name)) + ending)


def _shelf(folder: str) -> Shelf:
    found = Shelf(defaultdict(list), defaultdict(list))
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for name in sorted(entry.name for entry in entries):
            if sidecar_ending(name):
                found.sidecars[stem(name)].append(name)
            elif considered(name) or name[len(stem(name)) + 1 :].lower() in COMPANIONS:
                found.pictures[stem(name)].append(name)
    return found


def _sidecars(member: Member, shelf: Callable[[str], Shelf]) -> Iterator[Sidecar]:
    """The sidecars beside a picture, then those in a folder that mirrors its own."""
    parent, name = split(member.path)
    home = joined(member.root, parent).rstrip("/")
    beside, labels = shelf(home), mirrored(member.full_path)
    for found in beside.sidecars.get(stem(name), ()):
        partners = _partners(shelf, [home, unmirrored(home)], stem(name), member.full_path)
        yield from _sidecar(member.root, joined(parent, found), sidecar_ending(found) or "", partners)
    for found in beside.sidecars.get(name, ()) if stem(name) != name else ():
        partners = _partners(shelf, [home], name, member.full_path)
        yield from _sidecar(member.root, joined(parent, found), f"+{sidecar_ending(found)}", partners)
    for found in shelf(joined(*labels[:2])).sidecars.get(stem(name), ()) if labels else ():
        if labels and sidecar_ending(found) == labels[2]:
            partners = _partners(shelf, [home, joined(*labels[:2])], stem(name), member.full_path)
            yield from _sidecar(labels[0], joined(labels[1], found), f"labels{labels[2]}", partners)


def _partners(shelf: Callable[[str], Shelf], folders: Iterable[str | None], wanted: str, own: str) -> tuple[str, ...]:
    """The other files in some folders that a sidecar belongs to as well: of a stem, or of that whole name."""
    found = (
        joined(folder, name)
        for folder in filter(None, folders)
        for name in (*shelf(folder).pictures.get(wanted, ()), *shelf(folder).pictures.get(stem(wanted), ()))
        if wanted in {name, stem(name)}
    )
    return tuple(path for path in dict.fromkeys(found) if path != own)


def _sidecar(base: str, path: str, role: str, shared: tuple[str, ...]) -> Iterator[Sidecar]:
    """The sidecar at a path, without a digest when it is a link or cannot be read; none when it is no file at all."""
    parent, name = split(path)
    try:
        with opened_folder(base, parent) as folder:
            descriptor, status = open_regular(name, folder)
            try:
                small = status.st_size <= COMPARED_BYTES
                data = b"".join(chunks(descriptor)) if small else b""
                digest = digest_of([data]) if small else digest_of(chunks(descriptor))
            finally:
                os.close(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            yield Sidecar(base, path, role, b"", b"", shared)
        return
    yield Sidecar(base, path, role, digest, meaning(role, data) if small else digest, shared)
