"""Paths by whole components: which of them lie in which, and where in the index they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from indexer.errors import UsageError
from indexer.text import printable

Place = tuple[int, str]
"""A root's id and a path relative to it, `""` for all of it."""


def relative_to(path: str, base: str) -> str | None:
    """A path relative to a folder at or above it, None when it lies elsewhere; whole components count.

    >>> relative_to("/data/a/b.jpg", "/data"), relative_to("/data", "/data"), relative_to("/database", "/data")
    ('a/b.jpg', '', None)
    """
    if path == base or not base:
        return path[len(base) :]
    prefix = base.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None


def joined(folder: str, name: str) -> str:
    """A name's path, relative to what the folder is relative to.

    >>> joined("", "a.jpg"), joined("cats", "a.jpg"), joined("/", "a.jpg")
    ('a.jpg', 'cats/a.jpg', '/a.jpg')
    """
    return f"{folder.rstrip('/')}/{name}" if folder else name


def split(path: str) -> tuple[str, str]:
    """The folder and the name of a path.

    >>> split("a.jpg"), split("cats/a.jpg")
    (('', 'a.jpg'), ('cats', 'a.jpg'))
    """
    folder, _, name = path.rpartition("/")
    return folder, name


def outermost(places: Iterable[Place]) -> list[Place]:
    """The places that lie in no other one, in order, each once."""
    distinct = list(dict.fromkeys(places))
    return [place for place in distinct if not any(_inside(place, other) for other in distinct if other != place)]


def places_of(bases: Mapping[int, str], paths: Iterable[str]) -> list[Place]:
    """Where in the index given paths lie.

    Args:
        bases: The absolute path of each root.
        paths: Absolute.

    Raises:
        UsageError: When a path lies outside every root.
    """
    return [place for path in paths for place in _places(bases, path)]


def _places(bases: Mapping[int, str], path: str) -> Iterator[Place]:
    """One place for a path in a root, the roots themselves for a path above some."""
    found = [(root_id, "") for root_id, base in bases.items() if relative_to(base, path) is not None]
    if not found:
        found = [(root_id, below) for root_id, base in bases.items() if (below := relative_to(path, base)) is not None]
    if not found:
        raise UsageError(f"'{printable(path)}' is not in the index", "index it first: imgindex index FOLDER")
    yield from found


def _inside(place: Place, other: Place) -> bool:
    return place[0] == other[0] and relative_to(place[1], other[1]) is not None
