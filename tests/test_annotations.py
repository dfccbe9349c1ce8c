"""Annotation files and what is left of them, against files written by `json` and `csv` without the dropped rows."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.annotations import PICTURE_KEYS, Shortened, names_in, without
from indexer.errors import UsageError

BOM = b"\xef\xbb\xbf"
ENDINGS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", "")
COCO = {
    "info": {"year": 2017},
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}, {"id": 9, "file_name": "c.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 8, "bbox": [0, 1.5, 2, 3]},
        {"id": 2, "image_id": 7, "bbox": []},
        {"id": 3, "image_id": 8, "bbox": [4]},
    ],
    "categories": [{"id": 7, "name": "Größe"}],
}
COCO_WITHOUT_B = {**COCO, "images": [COCO["images"][0], COCO["images"][2]], "annotations": [COCO["annotations"][1]]}

NAMES = st.sampled_from(("a.jpg", "b/c.jpg", "d e.jpg", "写真.png", 'say "x".jpg', "1", "x, y.jpg", "\\n.jpg"))
"""So few that rows name the same pictures; none ends in white space and a number, or begins with `#`."""
DOOMED = st.sets(NAMES)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
STYLES = st.builds(
    lambda indent, tight, ascii_only: {
        "indent": indent,
        "separators": (",", ":") if tight else None,
        "ensure_ascii": ascii_only,
    },
    st.sampled_from([None, 0, 1, 4, "\t"]),
    st.booleans(),
    st.booleans(),
)
"""How `json.dumps` may lay out a file."""


@pytest.mark.parametrize(
    ("data", "file_name", "names"),
    [
        pytest.param(b"a/b.jpg\nc.jpg\n", "train.txt", ("a/b.jpg", "c.jpg"), id="list"),
        pytest.param(b"a.jpg\nc.jpg", "train", ("a.jpg", "c.jpg"), id="list, no ending, no final newline"),
        pytest.param(b"a.jpg\r\nc.jpg\r\n", "train.lst", ("a.jpg", "c.jpg"), id="list, CRLF"),
        pytest.param(b"a.jpg 3\nb.jpg\t-1\nc d.jpg   +07 \n", "t.txt", ("a.jpg", "b.jpg", "c d.jpg"), id="labels"),
        pytest.param(
            b"a 3.jpg\na.jpg 1.5\na.jpg x3\n3\n", "t.txt", ("a 3.jpg", "a.jpg 1.5", "a.jpg x3", "3"), id="none"
        ),
        pytest.param(b"a.jpg 1 2\n", "t.txt", ("a.jpg 1",), id="only the last number is a label"),
        pytest.param("a.jpg ٣\n\xa0b.jpg\n".encode(), "t.txt", ("a.jpg ٣", "\xa0b.jpg"), id="list, ASCII rules"),
        pytest.param(b"# of 2 pictures\n\n  \n  # too\n  a.jpg\n", "t.txt", ("a.jpg",), id="comments and blank lines"),
        pytest.param(BOM + b"a.jpg\n", "t.txt", ("a.jpg",), id="list, BOM"),
        pytest.param(b"caf\xe9.jpg 1\n", "t.txt", (os.fsdecode(b"caf\xe9.jpg"),), id="list, Latin-1"),
        pytest.param(b"b.jpg\na.jpg\nb.jpg 2\n", "t.txt", ("b.jpg", "a.jpg"), id="each once, in order"),
        pytest.param(b"", "t.txt", (), id="empty list"),
        pytest.param(b"", "t.jsonl", (), id="empty JSONL"),
        pytest.param(b"\n \r\n", "t.jsonl", (), id="JSONL of blank lines"),
        pytest.param(b"[]", "t.json", (), id="empty JSON list"),
        pytest.param(b'{"images": []}', "t.json", (), id="COCO without images or annotations"),
        pytest.param(json.dumps(COCO).encode(), "t.JSON", ("a.jpg", "b.jpg", "c.jpg"), id="COCO, upper-case ending"),
        pytest.param(BOM + b' [{"image": "a.jpg"}] ', "d.csv/t.json", ("a.jpg",), id="list of objects, BOM"),
        pytest.param(
            b'[{"id": 1}, {"image": null}, {"image": "a.jpg"}]', "t.json", ("a.jpg",), id="rows of text alone"
        ),
        pytest.param(b'{"image": "a"}\r\n\r\n {"path": "b"} ', "t.ndjson", ("a", "b"), id="JSONL, CRLF, blank line"),
        pytest.param(b'{"image": "x", "file_name": "a"}\n', "t.jsonl", ("a",), id="first key of the list, not the row"),
        pytest.param(b'{"file_name": null, "image": "a"}\n', "t.jsonl", ("a",), id="null is no name"),
        pytest.param(b'{"file_name": "\\udce9\\u00e9\\ud83d\\ude00"}', "t.jsonl", ("\udce9é😀",), id="escapes"),
        pytest.param(b"id,image,path\n1,x,a.jpg\n", "t.csv", ("a.jpg",), id="CSV, first key of the list"),
        pytest.param(b"file_name\n\na.jpg", "t.csv", ("a.jpg",), id="CSV, blank line, no final newline"),
        pytest.param(b"\n\nfile_name\na.jpg\n", "t.csv", ("a.jpg",), id="CSV, blank lines before the header"),
        pytest.param(BOM + b'"file_name",x\r\n"a, ""b"".jpg",1\r\n', "t.csv", ('a, "b".jpg',), id="CSV, quotes, BOM"),
        pytest.param(b'text,path\n"two\nlines",a.jpg\n', "t.csv", ("a.jpg",), id="CSV, newline in quotes"),
        pytest.param(b'path,"x\r"\ncaf\xe9.jpg,1', "t.csv", ("caf\udce9.jpg",), id="CSV, CR in quotes, Latin-1"),
        pytest.param(b"x,y\tpath\n1\ta,b.jpg\n", "t.tsv", ("a,b.jpg",), id="TSV"),
    ],
)
def test_names_in(data: bytes, file_name: str, names: tuple[str, ...]) -> None:
    """A file's ending tells where its pictures' names stand (worked by hand)."""
    assert names_in(data, file_name) == names


@pytest.mark.parametrize("key", PICTURE_KEYS)
def test_names_in_finds_each_key(key: str) -> None:
    """A key is one in a JSON list and JSONL, and a column in CSV."""
    row = json.dumps({"x": 1, key: "a.jpg"})

    found = {names_in(f"[{row}]".encode(), "t.json"), names_in(row.encode(), "t.jsonl")}
    found.add(names_in(f"x,{key}\n1,a.jpg\n".encode(), "t.csv"))

    assert found == {("a.jpg",)}


@pytest.mark.parametrize(
    ("data", "file_name", "left", "rows"),
    [
        pytest.param(b"a.jpg 1\nx.jpg 2\nb.jpg", "t.txt", b"a.jpg 1\nb.jpg", 1, id="list"),
        pytest.param(b"a.jpg\n x.jpg\t5\r\n", "t.txt", b"a.jpg\n", 1, id="list, last line, CRLF"),
        pytest.param(b"# x.jpg\n\nx.jpg\n\nxx.jpg\n", "t.txt", b"# x.jpg\n\n\nxx.jpg\n", 1, id="comments stay"),
        pytest.param(BOM + b"x.jpg\na.jpg\n", "t.txt", BOM + b"a.jpg\n", 1, id="list, BOM stays"),
        pytest.param(b"x.jpg 1\ncaf\xe9\x80\nx.jpg 2", "t.txt", b"caf\xe9\x80\n", 2, id="list, Latin-1, twice"),
        pytest.param(b"x.jpg", "t.txt", b"", 1, id="list, nothing is left"),
        pytest.param(
            b'{"path":"a"}\r\n\r\n{"path":"x.jpg"}\n{"path": "b","n":1.10}',
            "t.jsonl",
            b'{"path":"a"}\r\n\r\n{"path": "b","n":1.10}',
            1,
            id="JSONL",
        ),
        pytest.param(BOM + b'{"path":"x.jpg"}\n', "t.jsonl", BOM, 1, id="JSONL, BOM stays"),
        pytest.param(b'{"path":"x.jpg"}\n{"x":1}\n', "t.jsonl", b'{"x":1}\n', 1, id="JSONL, row of text alone stays"),
        pytest.param(
            BOM + b'path,t\r\nx.jpg,"1\r\n2"\r\na,"3\n\n4"\r\n\r\nb,""',
            "t.csv",
            BOM + b'path,t\r\na,"3\n\n4"\r\n\r\nb,""',
            1,
            id="CSV",
        ),
        pytest.param(b"path\nx.jpg", "t.csv", b"path\n", 1, id="CSV, header stays"),
        pytest.param(b'path\tt\n"x.jpg"\t1\na\t\xe9\n', "t.tsv", b"path\tt\na\t\xe9\n", 1, id="TSV, Latin-1"),
        pytest.param(b'[{"image":"x.jpg"}]\n', "t.json", b"[]\n", 1, id="JSON list, nothing is left"),
        pytest.param(
            b'[ {"image":"x.jpg"} ,\n\n{"image":"a"}  ,{"image":"x.jpg"},\t{"n":-0}\n ]\n',
            "t.json",
            b'[ {"image":"a"},\t{"n":-0}\n ]\n',
            2,
            id="JSON list, white space of all kinds",
        ),
        pytest.param(
            b'{"annotations": [{"image_id": 1}, {"image_id": "1"}], "n": 1e5, '
            b'"images": [{"id": 1, "file_name": "x.jpg"}, {"id": 2, "file_name": "a"}]}',
            "t.json",
            b'{"annotations": [{"image_id": "1"}], "n": 1e5, "images": [{"id": 2, "file_name": "a"}]}',
            1,
            id="COCO, annotations first, a string is no number",
        ),
        pytest.param(
            b'{"images":[{"id":1,"file_name":"x.jpg"},{"id":1,"file_name":"a"},{"id":2,"file_name":"x.jpg"}],'
            b'"annotations":[{"image_id":1},{"image_id":2}]}',
            "t.json",
            b'{"images":[{"id":1,"file_name":"a"}],"annotations":[{"image_id":1}]}',
            2,
            id="COCO, id that another image has too",
        ),
        pytest.param(
            b'{"images": [{"id": 0, "file_name": "x.jpg"}],\n "annotations": [ ]}',
            "t.json",
            b'{"images": [],\n "annotations": [ ]}',
            1,
            id="COCO, list without annotations stays as it is",
        ),
        pytest.param(
            b'{"images": [{"id": 0, "file_name": "x.jpg"}], "annotations": [{}, {"image_id": [0]}, {"image_id": 0.0}]}',
            "t.json",
            b'{"images": [], "annotations": [{}, {"image_id": [0]}]}',
            1,
            id="COCO, annotations of no image stay",
        ),
        pytest.param(
            b'{"x":{"images":[{"id":0,"file_name":"x.jpg"}]},"images":[{"id":0,"file_name":"x.jpg","images":[1]}]}',
            "t.json",
            b'{"x":{"images":[{"id":0,"file_name":"x.jpg"}]},"images":[]}',
            1,
            id="COCO, only the list of the file itself",
        ),
    ],
)
def test_without(data: bytes, file_name: str, left: bytes, rows: int) -> None:
    """The rows that name a picture go, and nothing else does (worked by hand)."""
    assert without(data, file_name, {"x.jpg"}) == Shortened(left, rows)


@pytest.mark.parametrize(
    "number",
    ["1e5", "1E+05", "-0", "-0.0", "1.10", "1234567890123456789012345678901234567890", "1e999", "NaN", "-Infinity"],
)
def test_without_keeps_the_text_of_numbers(number: str) -> None:
    """A number that Python would write otherwise stays as it was, in a row and beside the rows."""
    template = '{"n": %s, "images": [%s{"id": 2, "file_name": "a", "n": %s}]}'
    before, after = (template % (number, row, number) for row in ('{"id": 1, "file_name": "x"}, ', ""))

    assert without(before.encode(), "t.json", {"x"}) == Shortened(after.encode(), 1)


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("bom", [b"", BOM])
@pytest.mark.parametrize(
    "style",
    [
        pytest.param({}, id="one line"),
        pytest.param({"separators": (",", ":")}, id="one line, tight"),
        pytest.param({"indent": 2}, id="indented by spaces"),
        pytest.param({"indent": "\t", "ensure_ascii": False}, id="indented by tabs, UTF-8"),
    ],
)
def test_without_keeps_the_look_of_coco(style: dict[str, Any], bom: bytes, tail: bytes) -> None:
    """What is left looks as if `json.dumps` had written it in the same style."""
    before, after = (bom + json.dumps(value, **style).encode() + tail for value in (COCO, COCO_WITHOUT_B))

    shortened = without(before, "t.json", {"b.jpg", "nowhere.jpg"})

    assert shortened == Shortened(after, 1)


@pytest.mark.parametrize(
    ("data", "file_name", "trouble"),
    [
        pytest.param(b"", "t.json", "line 1: '{' is missing", id="empty JSON"),
        pytest.param(b'"images"', "t.json", "line 1: '{' is missing", id="JSON string"),
        pytest.param(
            b"[\n{]",
            "t.json",
            "line 2, column 2: not JSON, expecting property name enclosed in double quotes",
            id="no JSON",
        ),
        pytest.param(b'[{"path": "a"}', "t.json", "line 1, column 15: ',' is missing", id="JSON list cut short"),
        pytest.param(b'[{"path": "a"},\n]', "t.json", "line 2: not JSON, expecting value", id="comma too many"),
        pytest.param(
            b'[{"path": "a"}] x', "t.json", "line 1, column 17: not JSON, more than one value", id="JSON, more"
        ),
        pytest.param(
            b'{"images": []}\n{"images": []}', "t.json", "line 2: not JSON, more than one value", id="JSONL as JSON"
        ),
        pytest.param(b"{[1]: 2}", "t.json", "line 1, column 2: not JSON, a key is no string", id="key is a list"),
        pytest.param(b'{"images" []}', "t.json", "line 1, column 11: ':' is missing", id="no colon"),
        pytest.param(b'\n{"x": []}', "t.json", "line 2: there is no list 'images'", id="no images"),
        pytest.param(b'{"images": {}}', "t.json", "line 1, column 12: '[' is missing", id="images are no list"),
        pytest.param(
            b'{"images": [], "annotations": 1}',
            "t.json",
            "line 1, column 31: '[' is missing",
            id="annotations are none",
        ),
        pytest.param(
            b'{"images": [], "images": []}',
            "t.json",
            "line 1: 'images' or 'annotations' is there twice",
            id="images twice",
        ),
        pytest.param(b'{"images": [\n"a.jpg"]}', "t.json", "line 2: the row is no object", id="image is no object"),
        pytest.param(
            b'{"images": [{"id": 1}]}', "t.json", "line 1, column 13: 'file_name' is missing or no string", id="no name"
        ),
        pytest.param(
            b'{"images": [{"id": 1, "file_name": 1}]}',
            "t.json",
            "line 1, column 13: 'file_name' is missing or no string",
            id="name is a number",
        ),
        pytest.param(
            b'{"images": [{"id": [], "file_name": "a"}]}',
            "t.json",
            "line 1, column 13: 'id' is missing or no string or number",
            id="id is a list",
        ),
        pytest.param(
            b'{"images": [], "annotations": [1]}',
            "t.json",
            "line 1, column 32: the row is no object",
            id="annotation is no object",
        ),
        pytest.param(
            b'[{"image": ["a"]}]', "t.json", "line 1, column 2: 'image' is missing or no string", id="many names"
        ),
        pytest.param(b'[{"x": 1}]', "t.json", "line 1, column 2: no row has a key for a picture", id="no key"),
        pytest.param(b'[\n{"path": "\xe9"}]', "t.json", "line 2, column 11: it is not UTF-8", id="JSON, Latin-1"),
        pytest.param("[]".encode("utf-16"), "t.json", "line 1: it is not UTF-8", id="JSON, UTF-16"),
        pytest.param(b"[" * 100_000, "t.json", "line 1, column 2: it is nested too deeply", id="JSON, deep"),
        pytest.param(
            b'{"x": ' + b"9" * 5000, "t.json", "line 1, column 7: a number has too many digits", id="JSON, long"
        ),
        pytest.param(
            b'{"path": "a"}\n{"path": \n"b"}\n',
            "t.jsonl",
            "line 2, column 9: not JSON, expecting value",
            id="JSONL, two lines",
        ),
        pytest.param(
            b'\n{"path": "a"} {"x": 1}', "t.jsonl", "line 2, column 14: not JSON, more than one value", id="JSONL, two"
        ),
        pytest.param(b'{"path": "a"}\n[]\n', "t.jsonl", "line 2: the row is no object", id="JSONL, list"),
        pytest.param(
            b'{"path": "a"}\n{"path": 1}\n', "t.jsonl", "line 2: 'path' is missing or no string", id="JSONL, number"
        ),
        pytest.param(b'\n{"x": "a"}\n', "t.jsonl", "line 1: no row has a key for a picture", id="JSONL, no key"),
        pytest.param(b'{"path": "a"}\n{"path": "\xe9"}', "t.jsonl", "line 2, column 11: it is not UTF-8", id="Latin-1"),
        pytest.param(b"{}\n" + b"[" * 100_000, "t.jsonl", "line 2: it is nested too deeply", id="JSONL, deep"),
        pytest.param(b"{}\n" + b"9" * 5000, "t.jsonl", "line 2: a number has too many digits", id="JSONL, long number"),
        pytest.param(b"", "t.csv", "line 1: the header has no column for a picture", id="empty CSV"),
        pytest.param(b"name,x\na.jpg,1\n", "t.csv", "line 1: the header has no column for a picture", id="no column"),
        pytest.param(b"path\tx\na\t1\n", "t.csv", "line 1: the header has no column for a picture", id="TSV as CSV"),
        pytest.param(b"x,path\n1,a\n\n2\n", "t.csv", "line 4: the row has no 'path'", id="short row"),
        pytest.param(b'path,x\na,1\nb,"2\nc,3\n', "t.csv", "line 3: unexpected end of data", id="quote never closed"),
        pytest.param(b'path,x\n"a"b,1\n', "t.csv", "line 2: ',' expected after '\"'", id="text behind a quote"),
        pytest.param(b"path,x\na,1\rb\n", "t.csv", "line 2: new-line character seen in unquoted field", id="lone CR"),
        pytest.param(
            b"path\n" + b"a" * 200_000, "t.csv", "line 2: field larger than field limit (131072)", id="endless cell"
        ),
        pytest.param(b"a.jpg\nb\0", "t.txt", "line 2, column 2: a list of paths has no NUL", id="list, NUL"),
        pytest.param(
            "a.jpg\n".encode("utf-16"), "t", "line 1, column 4: a list of paths has no NUL", id="list, UTF-16"
        ),
    ],
)
def test_what_is_not_understood_is_refused(data: bytes, file_name: str, trouble: str) -> None:
    """The error tells the place and the trouble, and both functions raise it, whatever is doomed (worked by hand)."""
    message = "^" + re.escape(f"cannot read '{file_name}' as annotations: {trouble}") + "$"

    with pytest.raises(UsageError, match=message) as error:
        names_in(data, file_name)
    with pytest.raises(UsageError, match=message):
        without(data, file_name, ())

    assert "file_name" in error.value.hint


def test_refusal_shows_a_printable_name() -> None:
    """A file name cannot move the cursor of who reads about it."""
    with pytest.raises(UsageError, match=re.escape(r"cannot read 'a\x1b\xe9.json' as annotations")):
        names_in(b"", "a\x1b\udce9.json")


@given(st.sampled_from(ENDINGS), st.binary() | st.text(st.sampled_from('[]{}:,"ab1 \n\r\\é')).map(str.encode))
@example(".json", b'{"a":[')
@example(".jsonl", b"-")
@example(".csv", b'"')
def test_any_bytes_are_read_or_refused(ending: str, data: bytes) -> None:
    """No other error escapes, and where nothing is dropped the bytes are equal."""
    try:
        names_in(data, f"t{ending}")
    except UsageError:
        return

    assert without(data, f"t{ending}", ()) == Shortened(data, 0)


def checked(file_name: str, head: bytes, rows: list[tuple[bytes, str | None]], doomed: set[str]) -> None:
    """Holds that of given rows, each with the picture it names, all stay byte for byte but those of doomed pictures."""
    data = head + b"".join(row for row, _ in rows)
    left = head + b"".join(row for row, name in rows if name not in doomed)
    names = tuple(dict.fromkeys(name for _, name in rows if name is not None))

    shortened = without(data, file_name, doomed)

    assert names_in(data, file_name) == names
    assert shortened == Shortened(left, sum(name in doomed for _, name in rows))
    assert names_in(shortened.data, file_name) == tuple(name for name in names if name not in doomed)
    assert without(shortened.data, file_name, doomed) == Shortened(left, 0)


@st.composite
def list_lines(draw: st.DrawFn) -> tuple[bytes, str | None]:
    """A line of a list of paths, and its picture."""
    end = draw(st.sampled_from(["\n", "\r\n", " \n"]))
    if draw(st.integers(0, 4)) == 0:
        return (draw(st.sampled_from(["", " ", "#", "# a.jpg", " #a.jpg 1"])) + end).encode(), None
    name = draw(NAMES | st.just("\udce9.jpg"))
    label = draw(st.sampled_from(["", " 0", "\t-12", "  +3"]))
    return f"{draw(st.sampled_from(['', ' ']))}{name}{label}{end}".encode("utf-8", "surrogateescape"), name


@given(st.sampled_from([b"", BOM]), st.lists(list_lines()), DOOMED)
def test_lists_lose_the_lines_of_doomed_pictures_alone(
    head: bytes, lines: list[tuple[bytes, str | None]], doomed: set[str]
) -> None:
    """Other lines are byte-identical, and a second time changes nothing."""
    checked("train.txt", head, lines, doomed)


@st.composite
def jsonl_lines(draw: st.DrawFn) -> tuple[bytes, str]:
    """A line of JSONL as `json` writes it, and its picture."""
    name = draw(NAMES | st.just("\udce9.jpg"))
    row = draw(st.dictionaries(st.sampled_from(["label", "text", "é"]), JSON_VALUES))
    row[draw(st.sampled_from(PICTURE_KEYS))] = name
    ascii_only = draw(st.booleans()) or "\\ud" in json.dumps(row)
    text = json.dumps(row, ensure_ascii=ascii_only, separators=draw(st.sampled_from([None, (",", ":")])))
    return (draw(st.sampled_from(["", " "])) + text + draw(st.sampled_from(["\n", "\r\n", "\n\n"]))).encode(), name


@given(st.sampled_from([b"", BOM, b"\n"]), st.lists(jsonl_lines()), DOOMED)
def test_jsonl_loses_the_lines_of_doomed_pictures_alone(
    head: bytes, lines: list[tuple[bytes, str | None]], doomed: set[str]
) -> None:
    """Other lines are byte-identical, and a second time changes nothing."""
    whole_lines = [
        part
        for line, name in lines
        for part in ([(line[:-1], name), (b"\n", None)] if line.endswith(b"\n\n") else [(line, name)])
    ]

    checked("metadata.jsonl", head, whole_lines, doomed)


def written(cells: list[str], delimiter: str, quoting: Any, end: str) -> bytes:
    """A record as `csv` writes it."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end).writerow(cells)
    return text.getvalue().encode("utf-8", "surrogateescape")


@st.composite
def tables(draw: st.DrawFn, delimiter: str) -> tuple[bytes, list[tuple[bytes, str | None]]]:
    """A header and records, each with its picture, in one style but for the line ends."""
    column = draw(st.integers(0, 2))
    header = ["label", "text"]
    header.insert(column, draw(st.sampled_from(PICTURE_KEYS)))
    records: list[tuple[bytes, str | None]] = []
    for name in draw(st.lists(NAMES | st.just("\udce9.jpg"))):
        cells = draw(st.lists(st.text('a1 ,\t"\r\né', max_size=4), min_size=2, max_size=2))
        cells.insert(column, name)
        # The writer of Python 3.11 does not quote a carriage return that is no part of its line end.
        quoting = csv.QUOTE_ALL if "\r" in "".join(cells) else draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
        records.append((written(cells, delimiter, quoting, draw(st.sampled_from(["\n", "\r\n"]))), name))
    return draw(st.sampled_from([b"", BOM])) + written(header, delimiter, csv.QUOTE_MINIMAL, "\r\n"), records


@pytest.mark.parametrize(("file_name", "delimiter"), [("metadata.csv", ","), ("metadata.tsv", "\t")])
@given(st.data(), DOOMED)
def test_tables_lose_the_records_of_doomed_pictures_alone(
    file_name: str, delimiter: str, data: st.DataObject, doomed: set[str]
) -> None:
    """Other records are byte-identical, line ends within quotes too, and a second time changes nothing."""
    head, records = data.draw(tables(delimiter))

    checked(file_name, head, records, doomed)


IDS = st.sampled_from([0, 1, 2, 2.5, "1", "é"])
EXTRAS = st.dictionaries(st.sampled_from(["width", "é", "path", "image"]), JSON_VALUES, max_size=2)
IMAGES = st.builds(lambda extras, id_, name: extras | {"id": id_, "file_name": name}, EXTRAS, IDS, NAMES)
ANNOTATIONS = st.builds(lambda extras, id_: extras | {"image_id": id_}, EXTRAS, IDS) | EXTRAS


@st.composite
def coco(draw: st.DrawFn) -> dict[str, Any]:
    """A COCO object with its keys in any order."""
    members = {"info": draw(JSON_VALUES), "é": draw(JSON_VALUES), "images": draw(st.lists(IMAGES))}
    if draw(st.booleans()):
        members["annotations"] = draw(st.lists(ANNOTATIONS))
    return dict(draw(st.permutations(list(members.items()))))


def brute_force(value: dict[str, Any], doomed: set[str]) -> dict[str, Any]:
    """A COCO object without doomed images, and without the annotations of ids that no image has any longer."""
    images = [image for image in value["images"] if image["file_name"] not in doomed]
    lost = [image["id"] for image in value["images"] if image["id"] not in [left["id"] for left in images]]
    filtered = value | {"images": images}
    if "annotations" in value:
        filtered["annotations"] = [row for row in value["annotations"] if row.get("image_id", None) not in lost]
    return filtered


@given(coco(), DOOMED, STYLES, st.sampled_from([b"", b"\n"]))
def test_coco_is_what_json_writes_of_the_filtered_object(
    value: dict[str, Any], doomed: set[str], style: dict[str, Any], tail: bytes
) -> None:
    """The bytes are those of the filtered object in the style of the file, and a second time changes nothing."""
    data = json.dumps(value, **style).encode() + tail
    expected = json.dumps(brute_force(value, doomed), **style).encode() + tail

    shortened = without(data, "instances.json", doomed)

    assert shortened == Shortened(expected, sum(image["file_name"] in doomed for image in value["images"]))
    assert without(shortened.data, "instances.json", doomed) == Shortened(expected, 0)


@given(st.lists(IMAGES, min_size=1), DOOMED, STYLES)
def test_json_list_is_what_json_writes_of_the_filtered_list(
    value: list[dict[str, Any]], doomed: set[str], style: dict[str, Any]
) -> None:
    """The bytes are those of the filtered list in the style of the file, and the names are those that are left."""
    expected = [row for row in value if row["file_name"] not in doomed]

    shortened = without(json.dumps(value, **style).encode(), "llava.json", doomed)

    assert shortened == Shortened(json.dumps(expected, **style).encode(), len(value) - len(expected))
    assert names_in(shortened.data, "llava.json") == tuple(dict.fromkeys(row["file_name"] for row in expected))
