"""Which database is meant: found as Git finds its folder. Light to import, so that it can be asked first."""

from __future__ import annotations

import os
from pathlib import Path

from indexer.errors import NoIndexError
from indexer.text import printable

NAME = "imgindex.db"
ENVIRONMENT = "IMGINDEX_DB"


def find_database(given: str | None) -> str | None:
    """The database to use: as given, else `IMGINDEX_DB`, else the nearest imgindex.db at or above the current folder."""
    named = given or os.environ.get(ENVIRONMENT)
    if named:
        return os.path.realpath(named)
    here = Path.cwd()
    return next((str(place / NAME) for place in (here, *here.parents) if (place / NAME).exists()), None)


def require_database(given: str | None) -> str:
    """The path of an index that exists.

    Raises:
        NoIndexError: When there is none.
    """
    path = find_database(given)
    if path is None:
        raise NoIndexError("there is no index here", "make one: imgindex index FOLDER")
    if not os.path.exists(path):
        raise NoIndexError(f"there is no index at '{printable(path)}'", "make one: imgindex index FOLDER --db PATH")
    return path


def database_path(given: str | None) -> str:
    """The database to use, or to make when there is none: then it is `imgindex.db` in the current folder."""
    return find_database(given) or os.path.realpath(NAME)


def canonical(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """A path as the index knows it: absolute, without links in it."""
    return os.path.realpath(os.fsdecode(path))


def unfollowed(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """The absolute path of a file whose folder has no links in it; the file itself may be one, which is not followed."""
    folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
    return os.path.join(os.path.realpath(folder), name)


def existing(path: str) -> str | None:
    """The canonical path of what lies at a path, None when nothing does."""
    return canonical(path) if os.path.lexists(path) else None
