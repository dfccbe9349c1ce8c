"""Values out of lines of JSON that anybody may have edited: each has its type and its range, or an error says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, Any]


def fields_in(line: str | bytes) -> Fields:
    """The object in a line of JSON.

    Raises:
        ValueError: When there is none.
    """
    try:
        found = json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - of the line, not of the call
    return found


def text_of(fields: Fields, name: str) -> str:
    """A text without NUL, that can be a file's name; bytes that are not UTF-8 stand as lone surrogates.

    Raises:
        KeyError: When there is no such field.
        ValueError: When it is no such text.
    """
    value = fields[name]
    if not isinstance(value, str) or "\0" in value:
        raise _unexpected(name, value)
    value.encode("utf-8", "surrogateescape")
    return value


def word_of(fields: Fields, name: str) -> str:
    """A text of printable ASCII characters, as in the names of indexes and plans; errors as for `text_of`."""
    value = text_of(fields, name)
    if not (value.isascii() and value.isprintable()):
        raise _unexpected(name, value)
    return value


def number_of(fields: Fields, name: str) -> int:
    """A whole number of 64 bits, as the database can hold; errors as for `text_of`."""
    value = fields[name]
    if type(value) is not int or not -(1 << 63) <= value < 1 << 63:  # True and False are numbers to Python
        raise _unexpected(name, value)
    return value


def truth_of(fields: Fields, name: str) -> bool:
    """True or false; errors as for `text_of`."""
    value = fields[name]
    if not isinstance(value, bool):
        raise _unexpected(name, value)
    return value


def bytes_of(fields: Fields, name: str) -> bytes:
    """The bytes that a text of hexadecimal digits stands for; errors as for `text_of`."""
    return bytes.fromhex(text_of(fields, name))


def object_of(fields: Fields, name: str) -> Fields:
    """An object whose fields have names that can be those of files; errors as for `text_of`."""
    (found,) = objects_of({name: [fields[name]]}, name)
    for key in found:
        text_of({name: key}, name)
    return found


def objects_of(fields: Fields, name: str) -> tuple[Fields, ...]:
    """The objects in a list; errors as for `text_of`."""
    return _items(fields, name, dict)


def numbers_of(fields: Fields, name: str) -> tuple[int, ...]:
    """The whole numbers in a list; errors as for `text_of`."""
    return tuple(number_of({name: one}, name) for one in _items(fields, name, int))


def _items(fields: Fields, name: str, kind: type) -> tuple[Any, ...]:
    value = fields[name]
    if not isinstance(value, list) or not all(isinstance(one, kind) for one in value):
        raise _unexpected(name, value)
    return tuple(value)


def _unexpected(name: str, value: object) -> ValueError:
    return ValueError(f"unexpected '{name}': {value!r:.100}")
