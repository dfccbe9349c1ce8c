"""Where a walk ends: at what shows the kernel and no files, at other names of what is indexed, and where the user says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from indexer.errors import UsageError
from indexer.mounts import Mount, mount_of
from indexer.places import joined, relative_to, split
from indexer.text import printable


class Origin(NamedTuple):
    """A folder by what holds it, the same under all its names."""

    device: str
    path: str
    """Within the file system."""


def refuse_root(path: str, bases: Iterable[str], known: Sequence[Mount]) -> None:
    """Refuses a new root that shows the kernel, or the files of a root under another name.

    Args:
        path: Canonical, in no root.
        bases: The absolute paths of the roots.
        known: The mounted file systems.

    Raises:
        UsageError: With the reason.
    """
    mount = mount_of(path, tuple(known))
    if mount is not None and mount.is_kernel:
        raise UsageError(f"'{printable(path)}' {_kernel(mount)}", "index a folder of pictures")
    for base in bases:
        if relative_to(base, path) is None and (
            _overlap(origin(path, known), origin(base, known)) or _is_in(path, base)
        ):
            raise UsageError(
                f"'{printable(path)}' shows files of '{printable(base)}', which is indexed, under another name",
                f"use that name: imgindex index {printable(base)}",
            )


def not_entered(
    place: str, bases: Iterable[str], known: Sequence[Mount], *, one_file_system: bool
) -> Mapping[str, str]:
    """The mounted folders below a place that are not walked, each with the reason.

    Args:
        place: Absolute.
        bases: The absolute paths of the roots.
        known: The mounted file systems.
        one_file_system: Leave out all of them.
    """
    return dict(_not_entered(place, bases, known, one_file_system=one_file_system))


def _not_entered(
    place: str, bases: Iterable[str], known: Sequence[Mount], *, one_file_system: bool
) -> Iterator[tuple[str, str]]:
    seen = [found for base in bases if (found := origin(base, known))]
    for mount in known:
        if not relative_to(mount.point, place) or mount_of(mount.point, tuple(known)) != mount:
            continue
        found = Origin(mount.device, mount.shows)
        if mount.is_kernel:
            yield mount.point, _kernel(mount)
        elif any(_overlap(found, other) for other in seen):
            yield mount.point, "shows files that are indexed under another name"
        elif one_file_system:
            yield mount.point, "is another file system"
        seen.append(found)


def origin(path: str, known: Sequence[Mount]) -> Origin | None:
    """What a canonical path shows; None where the system does not tell."""
    mount = mount_of(path, tuple(known))
    if mount is None:
        return None
    below = relative_to(path, mount.point)
    return Origin(mount.device, joined(mount.shows, below) if below else mount.shows)


def _overlap(left: Origin | None, right: Origin | None) -> bool:
    """True when one folder is, or lies in, the other."""
    if left is None or right is None or left.device != right.device:
        return False
    return relative_to(left.path, right.path) is not None or relative_to(right.path, left.path) is not None


def _is_in(path: str, base: str) -> bool:
    """True when a folder is a root or lies in it, though its name says otherwise: case may not count on a file system."""
    try:
        wanted = os.stat(base)
        while path not in {"", "/"}:
            if os.path.samestat(os.stat(path), wanted):
                return True
            path = split(path)[0]
    except OSError:
        pass
    return False


def _kernel(mount: Mount) -> str:
    return f"shows what the kernel has to say ({mount.kind}), no files"
