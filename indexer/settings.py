"""The defaults that a project writes down beside its index, in imgindex.toml or pyproject.toml."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from indexer.errors import UsageError
from indexer.filesystem import open_regular
from indexer.text import printable

OWN_FILE = "imgindex.toml"
SHARED_FILE = "pyproject.toml"
LIMIT_BYTES = 1 << 20
CONFLICTS = ("prune", "merge", "skip")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the settings say; paths and globs are as written, relative to the folder of their file."""

    source: str | None = None
    """The absolute path of the file that they come from."""
    keep: tuple[str, ...] | None = None
    prefer: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    only_if_in: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    across: tuple[str, ...] = ()
    """Two folders, or none."""
    kinds: tuple[str, ...] | None = None
    class_folders: bool | None = None
    on_conflict: str | None = None
    max_files: int | None = None
    max_share: float | None = None
    """From 0 to 1."""
    quarantine: str | None = None


def settings_beside(database: str) -> Settings:
    """The settings in the folder of a database.

    An imgindex.toml is all that counts where there is one; else the table `[tool.imgindex]` of a pyproject.toml does.

    Raises:
        UsageError: When a file cannot be read, is no TOML, or holds a key or value that has no meaning. Settings that
            cannot be understood are never passed over: what they protect would be lost.
    """
    folder = os.path.dirname(os.path.abspath(database))
    own, shared = os.path.join(folder, OWN_FILE), os.path.join(folder, SHARED_FILE)
    document = _document(own)
    if document is not None:
        return _settings(own, document)
    table = _tool_table(shared, _document(shared) or {})
    return Settings() if table is None else _settings(shared, table)


def _document(path: str) -> dict[str, Any] | None:
    """What a TOML file holds, None when there is no such file. A link to nothing is a file that cannot be read."""
    try:
        return None if _missing(path) else tomllib.loads(_bytes(path).decode())
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except RecursionError as error:
        raise _unusable(path, "invalid TOML: nested too deeply") from error
    except ValueError as error:  # UTF-8, TOML, or a number of too many digits
        raise _unusable(path, f"invalid TOML: {error}") from error


def _missing(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    return False


def _bytes(path: str) -> bytes:
    """All of a small regular file; links to one are followed."""
    descriptor, _ = open_regular(os.path.realpath(path))
    with open(descriptor, "rb") as stream:
        found = stream.read(LIMIT_BYTES + 1)
    if len(found) > LIMIT_BYTES:
        raise _unusable(path, "it is larger than 1 MiB")
    return found


def _tool_table(path: str, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The table of imgindex in a file of many tools."""
    tools = document.get("tool")
    table = tools.get("imgindex") if isinstance(tools, dict) else None
    if table is None or isinstance(table, dict):
        return table
    raise _unusable(path, "tool.imgindex must be a table")


def _settings(path: str, table: Mapping[str, Any]) -> Settings:
    return Settings(source=path, **{key.replace("-", "_"): _value(path, key, table[key]) for key in table})


def _value(path: str, key: str, written: object) -> Any:
    if key not in _KEYS:
        nearest = difflib.get_close_matches(key, _KEYS, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(_KEYS)}"
        raise _unusable(path, f"unknown key '{key}'", hint)
    expected, read = _KEYS[key]
    value = read(written)
    if value is None:
        raise _unusable(path, f"{key} must be {expected}")
    return value


def _unusable(path: str, cause: str, hint: str = "") -> UsageError:
    return UsageError(f"cannot use '{printable(path)}': {printable(cause)}", hint)


def _text(written: object) -> str | None:
    return written if isinstance(written, str) and written and "\0" not in written else None


def _texts(written: object) -> tuple[str, ...] | None:
    listed = [written] if isinstance(written, str) else written
    if not isinstance(listed, list):
        return None
    texts = tuple(text for item in listed if (text := _text(item)) is not None)
    return texts if len(texts) == len(listed) else None


def _names(written: object) -> tuple[str, ...] | None:
    """At least one name; commas part those in one string."""
    parted = written.split(",") if isinstance(written, str) else None
    return _texts(written if parted is None else [name for part in parted if (name := part.strip())]) or None


def _two_texts(written: object) -> tuple[str, ...] | None:
    texts = _texts(written)
    return texts if texts and len(texts) == 2 else None


def _flag(written: object) -> bool | None:
    return written if isinstance(written, bool) else None


def _conflict(written: object) -> str | None:
    return written if isinstance(written, str) and written in CONFLICTS else None


def _count(written: object) -> int | None:
    return written if isinstance(written, int) and not isinstance(written, bool) and written >= 0 else None


def _share(written: object) -> float | None:
    if isinstance(written, bool) or not isinstance(written, int | float):
        return None
    return float(written) if 0 <= written <= 1 else None


_NAMES = ("a list of names, or one string with commas", _names)
_PATHS = ("a list of strings, or one string, none of them empty", _texts)
_KEYS: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "keep": _NAMES,
    "prefer": _PATHS,
    "protect": _PATHS,
    "only-if-in": _PATHS,
    "within": _PATHS,
    "across": ("a list of exactly two strings", _two_texts),
    "kinds": _NAMES,
    "class-folders": ("true or false", _flag),
    "on-conflict": (f"one of {', '.join(CONFLICTS)}", _conflict),
    "max-files": ("a whole number, 0 or more", _count),
    "max-share": ("a number from 0 to 1", _share),
    "quarantine": ("a string that is not empty", _text),
}
"""What each key is to be, in words, and the function that gives its value, or None when it is something else."""
