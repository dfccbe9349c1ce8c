"""Annotation files: the pictures that a COCO, JSON, JSONL, CSV or list file names, and the file without some of them.

Rows are cut out of the file's own text and nothing is written anew: what stays keeps every byte, so its numbers, escapes,
separators, order of keys and line ends too.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os.path
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

from indexer.errors import UsageError
from indexer.text import printable

PICTURE_KEYS = ("file_name", "filename", "file", "path", "image", "image_path", "filepath", "img_path")
"""What a picture's name is called in JSON, JSONL and CSV; the first one that is there counts."""

_HINT = (
    "it may be COCO (.json), a list of objects (.json, .jsonl), a table with a header (.csv, .tsv) or a list of paths; "
    f"a picture's key or column is one of {', '.join(PICTURE_KEYS)}"
)
_WHITE = " \t\n\r\f\v"
_JSON_WHITE = re.compile(r"[ \t\n\r]*")
_LABEL = re.compile(r"[ \t\r\f\v][+-]?[0-9]+\Z")
_DECODER = json.JSONDecoder()

_Id = int | float | str
_Named = tuple[str | None, _Id | None]
"""The picture that a row names, and the image id that ties COCO's lists together."""
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Shortened:
    """An annotation file without some pictures, and how many rows named them (in COCO: its images)."""

    data: bytes
    rows: int


class _Row(NamedTuple):
    """A row and where it stands in the text."""

    start: int
    end: int
    name: str | None = None
    image_id: _Id | None = None


class _Rows(NamedTuple):
    """A list of rows and where it stands in the text; between the rows may be what separates them."""

    start: int
    end: int
    rows: list[_Row]


class _FormatError(Exception):
    """What is not understood, and its position in the text."""


def names_in(data: bytes, file_name: str) -> tuple[str, ...]:
    r"""The picture names that an annotation file holds, in order, each once.

    Args:
        data: The whole file.
        file_name: Its ending tells the format: `.json`, `.jsonl`, `.ndjson`, `.csv`, `.tsv`, else a list of paths, each
            with an integer for a label or without.

    Returns:
        Names as they are written there; bytes that are not UTF-8 are lone surrogates, as in `os.fsdecode`.

    Raises:
        UsageError: When the file is not understood.

    >>> names_in(b"a b.jpg 3\nc.jpg\n", "train.txt")
    ('a b.jpg', 'c.jpg')
    """
    _, (pictures, *_) = _read(data, file_name)
    return tuple(dict.fromkeys(row.name for row in pictures.rows if row.name is not None))


def without(data: bytes, file_name: str, doomed: Container[str]) -> Shortened:
    """An annotation file without the rows that name given pictures; equal bytes when none does.

    COCO's annotations go with their images, unless an image that stays has the same id.

    Args:
        data: The whole file.
        file_name: Its ending tells the format, as for `names_in`.
        doomed: Names as `names_in` gives them.

    Raises:
        UsageError: When the file is not understood.
    """
    text, (pictures, *attached) = _read(data, file_name)
    dropped = [row for row in pictures.rows if row.name is not None and row.name in doomed]
    if not dropped:
        return Shortened(data, 0)
    gone = {row.start for row in dropped}
    orphaned = {row.image_id for row in dropped} - {row.image_id for row in pictures.rows if row.start not in gone}
    gone.update(row.start for listing in attached for row in listing.rows if row.image_id in orphaned)
    for listing in sorted([pictures, *attached], reverse=True):  # from the back, where cutting moves nothing
        text = text[: listing.start] + _kept(text, listing, gone) + text[listing.end :]
    bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    return Shortened(bom + text.encode("utf-8", "surrogateescape"), len(dropped))


def _read(data: bytes, file_name: str) -> tuple[str, list[_Rows]]:
    """The text behind a byte order mark, the rows that name pictures, and those attached to them if there are any."""
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    parse = _PARSERS.get(os.path.splitext(file_name)[1].lower(), _list)
    try:
        return text, parse(text)
    except _FormatError as error:
        trouble, position = error.args
        line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
        place = f"line {line}, column {column}" if column > 1 else f"line {line}"
        raise UsageError(f"cannot read '{printable(file_name)}' as annotations: {place}: {trouble}", _HINT) from error


def _kept(text: str, listing: _Rows, gone: set[int]) -> str:
    """What stays of a list: every row with what stands before it, but the first with what stood before the first."""
    parts: list[str] = []
    end = listing.start
    for row in listing.rows:
        if row.start not in gone:
            before = text[end : row.start] if parts else text[listing.start : listing.rows[0].start]
            parts += [before, text[row.start : row.end]]
        end = row.end
    return "".join([*parts, text[end : listing.end]]) if parts or not listing.rows else ""


def _list(text: str) -> list[_Rows]:
    if "\0" in text:
        raise _FormatError("a list of paths has no NUL", text.index("\0"))
    return [_Rows(0, len(text), [_Row(start, end, _path(text[start:end])) for start, end in _lines(text)])]


def _path(line: str) -> str | None:
    """The path in a line of a list: all of it, but for an integer behind white space."""
    path = line.strip(_WHITE)
    return None if not path or path.startswith("#") else _LABEL.sub("", path).rstrip(_WHITE)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each line; only a newline ends one."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield start, end
        start = end


def _table(text: str, delimiter: str) -> list[_Rows]:
    records = _records(text, delimiter)
    _, body, header = next((record for record in records if record[2]), (0, 0, []))
    column = next((header.index(key) for key in PICTURE_KEYS if key in header), None)
    if column is None:
        raise _FormatError("the header has no column for a picture", 0)
    rows = []
    for start, end, cells in records:
        if cells and len(cells) <= column:
            raise _FormatError(f"the row has no '{header[column]}'", start)
        rows.append(_Row(start, end, cells[column] if cells else None))
    return [_Rows(body, len(text), rows)]


def _records(text: str, delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """Start, end and cells of each record; a blank line has no cells."""
    source, start = io.StringIO(text, newline="\n"), 0
    try:
        # Strict, because a quote that is never closed would make one record of all rows behind it. Lines end at newlines
        # only: a carriage return that a writer left unquoted (Python 3.11 does) is refused, where it would split a record.
        for cells in csv.reader(source, delimiter=delimiter, strict=True):
            yield start, source.tell(), cells
            start = source.tell()
    except csv.Error as error:
        raise _FormatError(str(error).partition(" - ")[0], start) from error


def _jsonl(text: str) -> list[_Rows]:
    _require_utf8(text)
    rows = [_Row(start, end, _line_picture(text[start:end].rstrip(_WHITE), start)) for start, end in _lines(text)]
    return [_require_names(text, _Rows(0, len(text), rows))]


def _line_picture(line: str, start: int) -> str | None:
    """The picture in a line of JSONL that starts at a position of the file."""
    if not line:
        return None
    row, end = _row(line, _skip(line, 0), _picture, start)
    if end < len(line):
        raise _FormatError("not JSON, more than one value", start + end)
    return row.name


def _json(text: str) -> list[_Rows]:
    _require_utf8(text)
    start = _skip(text, 0)
    if text.startswith("[", start):
        pictures, end = _array(text, start, _picture)
        listings = [_require_names(text, pictures)]
    else:
        members, end = _between(text, _past(text, start, "{"), "}", _member)
        listings = _coco(members, start)
    if _skip(text, end) < len(text):
        raise _FormatError("not JSON, more than one value", _skip(text, end))
    return listings


def _coco(members: list[tuple[str, _Rows | None]], start: int) -> list[_Rows]:
    """The list of images and, where there is one, that of annotations."""
    known = [(key, listing) for key, listing in members if listing]
    lists = dict(known)
    if "images" not in lists:
        raise _FormatError("there is no list 'images'", start)
    if len(lists) < len(known):
        raise _FormatError("'images' or 'annotations' is there twice", start)
    return [lists[key] for key in _COCO if key in lists]


def _member(text: str, start: int) -> tuple[tuple[str, _Rows | None], int]:
    """A key of a JSON object, its rows if it is one of COCO's two lists, and where the value ends."""
    key, end = _decoded(text, start)
    if not isinstance(key, str):
        raise _FormatError("not JSON, a key is no string", start)
    start = _skip(text, _past(text, end, ":"))
    if key not in _COCO:
        return (key, None), _decoded(text, start)[1]
    listing, end = _array(text, start, _COCO[key])
    return (key, listing), end


def _array(text: str, start: int, named: Callable[[dict[str, Any], int], _Named]) -> tuple[_Rows, int]:
    """The rows of a JSON list, and where it ends."""
    begin = _past(text, start, "[")
    rows, end = _between(text, begin, "]", partial(_row, named=named))
    return _Rows(begin, end - 1, rows), end


def _between(
    text: str, start: int, closing: str, read: Callable[[str, int], tuple[_Item, int]]
) -> tuple[list[_Item], int]:
    """What stands between commas up to a closing bracket, and where that ends."""
    items: list[_Item] = []
    start = _skip(text, start)
    while not text.startswith(closing, start):
        item, end = read(text, _skip(text, _past(text, start, ",")) if items else start)
        items.append(item)
        start = _skip(text, end)
    return items, start + 1


def _row(text: str, start: int, named: Callable[[dict[str, Any], int], _Named], before: int = 0) -> tuple[_Row, int]:
    """A JSON object that is a row, and where it ends; `before` is how much of the file precedes the text."""
    value, end = _decoded(text, start, before)
    if not isinstance(value, dict):
        raise _FormatError("the row is no object", before + start)
    return _Row(start, end, *named(value, before + start)), end


def _picture(row: dict[str, Any], start: int) -> _Named:
    key = next((key for key in PICTURE_KEYS if row.get(key) is not None), None)
    return (_field(row, key, str, start) if key else None), None


def _image(row: dict[str, Any], start: int) -> _Named:
    return _field(row, "file_name", str, start), _field(row, "id", _Id, start)


def _annotation(row: dict[str, Any], _: int) -> _Named:
    return None, row["image_id"] if isinstance(row.get("image_id"), _Id) else None


def _field(row: dict[str, Any], key: str, kind: Any, start: int) -> Any:
    if not isinstance(row.get(key), kind):
        raise _FormatError(f"'{key}' is missing or no {'string' if kind is str else 'string or number'}", start)
    return row[key]


def _require_names(text: str, listing: _Rows) -> _Rows:
    """The same rows, when one of them names a picture or all of them are blank."""
    named = any(row.name is not None for row in listing.rows)
    if not named and any(text[row.start : row.end].strip(_WHITE) for row in listing.rows):
        raise _FormatError("no row has a key for a picture", listing.rows[0].start)
    return listing


def _decoded(text: str, start: int, before: int = 0) -> tuple[Any, int]:
    """The JSON value at a position, and where it ends."""
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _FormatError(f"not JSON, {error.msg[:1].lower()}{error.msg[1:]}", before + error.pos) from error
    except ValueError as error:
        raise _FormatError("a number has too many digits", before + start) from error
    except RecursionError as error:
        raise _FormatError("it is nested too deeply", before + start) from error


def _past(text: str, start: int, mark: str) -> int:
    """The position behind a punctuation mark that has to come next."""
    start = _skip(text, start)
    if not text.startswith(mark, start):
        raise _FormatError(f"'{mark}' is missing", start)
    return start + 1


def _skip(text: str, start: int) -> int:
    """The position of what comes next but white space."""
    white = _JSON_WHITE.match(text, start)
    return white.end() if white else start


def _require_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _FormatError("it is not UTF-8", error.start) from error


_COCO = {"images": _image, "annotations": _annotation}
_PARSERS: dict[str, Callable[[str], list[_Rows]]] = {
    ".json": _json,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": partial(_table, delimiter=","),
    ".tsv": partial(_table, delimiter="\t"),
}
