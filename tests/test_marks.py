"""Rejected contents as lines of JSON: what is written is read again, and nothing else is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from indexer.decode import decode
from indexer.drawing import drawn, encoded
from indexer.errors import UsageError
from indexer.groups import Mark
from indexer.marks import Line, is_sound, line_of, read_line, sound_reason
from indexer.records import Fingerprinted, Reading, Stamp

OWN = "imgindex/1 of mine"
DIGEST = bytes(range(32))
READING = Reading(Stamp(1000, 0, 0, 0), unsettled=False, born_ns=None)
MARK = Mark(DIGEST, "has a watermark", 1_700_000_000_000_000_000)


@pytest.fixture(scope="module")
def line() -> Line:
    """A rejected content with what decoding a drawing gives."""
    return Line(MARK, OWN, Fingerprinted(0, READING, DIGEST, decode(encoded(drawn(0)))))


def changed(line: Line, **values: Any) -> str:
    """A line with other values; those of the fingerprint by their own names."""
    fields = json.loads(line_of(line))
    for name, value in values.items():
        (fields if name in fields else fields["fingerprint"])[name] = value
    return json.dumps(fields)


def test_what_is_written_is_read_again(line: Line) -> None:
    """With its fingerprint, and without one."""
    alone = Line(MARK, None, None)

    assert read_line(line_of(line), OWN) == line
    assert read_line(line_of(alone), OWN) == alone


def test_fingerprint_of_another_recipe_is_left_out_unread(line: Line) -> None:
    """Its fields mean something else there; the mark is the same."""
    told = changed(line, recipe="imgindex/9", fingerprint=[], thumbnail=3, size="?")

    assert read_line(told, OWN) == Line(MARK, "imgindex/9", None)


def test_keys_are_those_of_the_page(line: Line) -> None:
    """They are promised."""
    assert list(json.loads(line_of(line))) == [
        *("digest", "reason", "rejected", "recipe", "size", "fingerprint", "thumbnail")
    ]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"digest": "00"}, id="a digest of another length"),
        pytest.param({"digest": "x" * 64}, id="a digest that is no hex"),
        pytest.param({"digest": 7}, id="a number for a digest"),
        pytest.param({"reason": ""}, id="no reason"),
        pytest.param({"reason": " blanks "}, id="a reason with blanks around it"),
        pytest.param({"reason": "a\x1b[2J"}, id="a reason that moves the cursor"),
        pytest.param({"reason": "two\nlines"}, id="a reason of two lines"),
        pytest.param({"reason": "x" * 301}, id="a long reason"),
        pytest.param({"reason": "\udcff"}, id="a reason that is not UTF-8"),
        pytest.param({"rejected": -1}, id="a time before time"),
        pytest.param({"rejected": 1 << 63}, id="a time that the database cannot hold"),
        pytest.param({"rejected": True}, id="a truth for a time"),
        pytest.param({"recipe": "a\nb"}, id="a recipe of two lines"),
        pytest.param({"recipe": 3}, id="a number for a recipe"),
        pytest.param({"size": 0}, id="no bytes"),
        pytest.param({"size": "much"}, id="a word for a size"),
        pytest.param({"dhash": "00" * 9}, id="a dHash of 72 bits"),
        pytest.param({"dhash": ""}, id="no dHash"),
        pytest.param({"phash": "AAAA"}, id="a pHash of another length"),
        pytest.param({"phash": "!" * 44}, id="a pHash that is no base64"),
        pytest.param({"views": ""}, id="no views"),
        pytest.param({"look": None}, id="no look"),
        pytest.param({"width": 0}, id="no width"),
        pytest.param({"width": 1 << 40}, id="more pixels than a picture can have"),
        pytest.param({"height": 1e3}, id="a fraction for a height"),
        pytest.param({"detail": "inf"}, id="a word for the detail"),
        pytest.param({"detail": float("inf")}, id="no bound to the detail"),
        pytest.param({"format": "a\x00b"}, id="a format that is no name"),
        pytest.param({"mode": ["RGB"]}, id="a list for a mode"),
        pytest.param({"thumbnail": "R0lGODdh"}, id="a GIF for a thumbnail"),
        pytest.param({"thumbnail": "A" * 400_000}, id="a thumbnail that is none and long"),
        pytest.param({"fingerprint": [1]}, id="a list for a fingerprint"),
        pytest.param({"fingerprint": None}, id="no fingerprint"),
    ],
)
def test_value_that_is_not_of_its_form_is_refused(line: Line, values: dict[str, Any]) -> None:
    """Each alone, in a line that is sound in all else."""
    with pytest.raises((ValueError, KeyError)):
        read_line(changed(line, **values), OWN)


@pytest.mark.parametrize("name", ["digest", "reason", "rejected", "recipe", "size", "thumbnail", "fingerprint"])
def test_field_that_is_missing_is_refused(line: Line, name: str) -> None:
    """No value is made up."""
    fields = json.loads(line_of(line))
    del fields[name]

    with pytest.raises(KeyError):
        read_line(json.dumps(fields), OWN)


@pytest.mark.parametrize("text", ["[]", "{", "7", "[" * 100_000, "\udcff"])
def test_line_that_is_no_object_is_refused(text: str) -> None:
    """Whatever it is."""
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        read_line(text, OWN)


def test_thumbnail_longer_than_its_pixels_is_refused(line: Line) -> None:
    """It would be stored and handed to workers for ever."""
    assert line.found is not None
    print_ = line.found.fingerprint
    long = print_.thumbnail[:-2] + bytes(3 * 192 * 192) + print_.thumbnail[-2:]
    found = line.found._replace(fingerprint=print_._replace(thumbnail=long))

    with pytest.raises(ValueError, match="thumbnail"):
        read_line(line_of(line._replace(found=found)), OWN)


def test_reason_is_one_printable_line_without_blanks_around() -> None:
    """What people type is put right where nothing is lost."""
    assert sound_reason("  opted out\n") == "opted out"
    for words in ("", "  ", "two\nlines", "a\x1b[2Jb", "x" * 301, "\u202eevil"):
        with pytest.raises(UsageError, match="a reason is one line"):
            sound_reason(words)


@pytest.mark.parametrize(
    "mark",
    [
        Mark(b"short", "why", 1),
        Mark("text" * 8, "why", 1),  # type: ignore[arg-type]
        Mark(DIGEST, b"why", 1),  # type: ignore[arg-type]
        Mark(DIGEST, "", 1),
        Mark(DIGEST, "why", -1),
        Mark(DIGEST, "why", "now"),  # type: ignore[arg-type]
    ],
)
def test_mark_with_a_value_that_cannot_be_one_is_not_sound(mark: Mark) -> None:
    """As another database may hold it."""
    assert not is_sound(mark)
    assert is_sound(MARK)
