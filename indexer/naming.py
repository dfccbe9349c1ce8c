"""Names in annotation files → which of them mean pictures that are gone.

A name is a path, but relative to what, nobody says: the annotation file's folder, a root, or some folder in between.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from indexer.places import split


@dataclass(frozen=True, slots=True)
class Named:
    """What names mean."""

    gone: frozenset[str]
    """Names of pictures that are gone."""
    ambiguous: tuple[str, ...]
    """Names that a picture that is gone and one that is there both go by."""


def meant(
    names: Iterable[str],
    bases: Iterable[str],
    gone: Collection[str],
    there: Collection[str],
    on_disk: Callable[[str], bool] = lambda _path: False,
) -> Named:
    """Which names mean pictures that are gone.

    A name counts from the first of the bases from which it leads to a picture, gone or there; when it leads to none, it
    means those whose path ends in it, by whole components.

    Args:
        names: As they are written.
        bases: Folders that a name may be relative to, absolute, the likeliest first.
        gone: Absolute paths.
        there: Absolute paths. A path that is both is there: another file took the place.
        on_disk: Tells of an absolute path whether a file lies there that nobody knows more of; such a name means it.
    """
    missing, bases = set(gone) - set(there), list(bases)
    by_name = _by_name(missing), _by_name(there)
    found, ambiguous = set(), []
    for name in names:
        if split(os.path.normpath(name))[1] not in by_name[0]:
            continue
        path = next((path for path in _paths(name, bases) if path in missing or path in there or on_disk(path)), None)
        if path is not None:
            found |= {name} if path in missing else set()
            continue
        ends = [_ending_in(name, paths) for paths in by_name]
        if all(ends):
            ambiguous.append(name)
        elif ends[0]:
            found.add(name)
    return Named(frozenset(found), tuple(ambiguous))


def paths_meant(names: Iterable[str], bases: Iterable[str], there: Collection[str]) -> dict[str, str]:
    """The pictures that names mean, by name; names that mean none, or that several end in, are left out.

    Args:
        names: As they are written.
        bases: As for `meant`.
        there: Absolute paths of all pictures that may be meant.
    """
    known, bases = set(there), list(bases)
    by_name = _by_name(known)
    found = {}
    for name in names:
        ending = f"/{os.path.normpath(name)}"
        path = next((path for path in _paths(name, bases) if path in known), None)
        ends = [one for one in by_name.get(split(ending)[1], ()) if one.endswith(ending)] if path is None else [path]
        if len(ends) == 1:
            found[name] = ends[0]
    return found


def _by_name(paths: Iterable[str]) -> Mapping[str, list[str]]:
    found = defaultdict(list)
    for path in paths:
        found[split(path)[1]].append(path)
    return found


def _paths(name: str, bases: Iterable[str]) -> Iterable[str]:
    return (os.path.normpath(os.path.join(base, name)) for base in bases)


def _ending_in(name: str, paths: Mapping[str, list[str]]) -> bool:
    """True when a path ends in a name, by whole components."""
    plain = os.path.normpath(name)
    return any(path.endswith(f"/{plain}") for path in paths.get(split(plain)[1], ()))
