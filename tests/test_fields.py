"""Values out of edited JSON: what is of its type and range is given, everything else is an error of one kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from indexer.fields import (
    bytes_of,
    fields_in,
    number_of,
    numbers_of,
    object_of,
    objects_of,
    text_of,
    truth_of,
    word_of,
)

ODD: tuple[object, ...] = (
    None,
    1.0,
    float("nan"),
    float("inf"),
    1 << 63,
    -(1 << 63) - 1,
    10**30,
    "a\0b",
    "\ud800",
    [None],
)
"""What no reader of one value takes."""
READERS = (text_of, word_of, number_of, truth_of, bytes_of, object_of, objects_of, numbers_of)


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("reader", READERS)
def test_odd_value_is_a_value_error(reader: Callable[..., object], value: object) -> None:
    """Whatever is asked for, and never another error."""
    with pytest.raises(ValueError, match=r"unexpected 'a'|surrogates not allowed"):
        reader({"a": value}, "a")


@pytest.mark.parametrize("reader", READERS)
def test_missing_field_is_a_key_error(reader: Callable[..., object]) -> None:
    """That names it."""
    with pytest.raises(KeyError, match="a"):
        reader({}, "a")


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        (text_of, "caf\udce9", "caf\udce9"),
        (word_of, "c0ffee", "c0ffee"),
        (number_of, (1 << 63) - 1, (1 << 63) - 1),
        (number_of, -(1 << 63), -(1 << 63)),
        (truth_of, False, False),
        (bytes_of, "00ff", b"\x00\xff"),
        (object_of, {"b": 1}, {"b": 1}),
        (objects_of, [{}], ({},)),
        (numbers_of, [1, -2], (1, -2)),
    ],
)
def test_value_as_it_should_be_is_given(reader: Callable[..., object], value: object, expected: object) -> None:
    """Numbers to the ends of 64 bits, and names of files that are not UTF-8."""
    assert reader({"a": value}, "a") == expected


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (number_of, True),
        (number_of, "5"),
        (numbers_of, [True]),
        (truth_of, 0),
        (word_of, "caf\u00e9"),
        (word_of, "\x1b[2J"),
        (bytes_of, "zz"),
        (object_of, {"\ud800": 1}),
        (objects_of, {}),
        (objects_of, [1]),
    ],
)
def test_value_of_a_neighbouring_type_is_a_value_error(reader: Callable[..., object], value: object) -> None:
    """Python would take one for the other."""
    with pytest.raises(ValueError, match=r"."):
        reader({"a": value}, "a")


@pytest.mark.parametrize("line", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "NaN", "[]", "null", "", b"\xff\xfe"])
def test_line_without_an_object_is_a_value_error(line: str | bytes) -> None:
    """However deep it is nested, however long its number is."""
    with pytest.raises(ValueError, match=r"."):
        fields_in(line)
