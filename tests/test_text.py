"""What names, sizes, counts and times look like in print."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.text import bytes_from, bytes_text, count_text, printable, seconds_from, time_text

ANY_CHARACTER = st.text(st.characters(exclude_categories=()))
"""Lone surrogates, controls and unassigned characters too."""
UNPRINTABLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
FACTORS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}


@pytest.fixture
def _india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local zone is half an hour off the full ones, and has no summer time."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "IST-05:30")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("img[red].jpg", "img[red].jpg", id="brackets that rich takes for markup"),
        pytest.param("a b'c\"d$e*f.jpg", "a b'c\"d$e*f.jpg", id="what a shell would expand"),
        pytest.param("a\\nb", "a\\nb", id="backslash stays"),
        pytest.param("Größe_写真_😀.png", "Größe_写真_😀.png", id="letters of any script"),
        pytest.param("e\u0301.jpg", "e\u0301.jpg", id="combining accent stays"),
        pytest.param("a\nb", "a\\nb", id="newline"),
        pytest.param("a\rb\tc", "a\\rb\\tc", id="carriage return and tab"),
        pytest.param("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07", id="ESC and BEL"),
        pytest.param("\x00\x7f", "\\x00\\x7f", id="NUL and DEL"),
        pytest.param("\x9b31m", "\\x9b31m", id="C1 control sequence introducer"),
        pytest.param("\u202egpj.exe", "\\u202egpj.exe", id="right-to-left override"),
        pytest.param("\u2066a\u2069", "\\u2066a\\u2069", id="bidi isolates"),
        pytest.param("a\u200bb\ufeff", "a\\u200bb\\ufeff", id="zero width"),
        pytest.param("a\xadb", "a\\xadb", id="soft hyphen"),
        pytest.param("a\u2028b\u2029c", "a\\u2028b\\u2029c", id="line and paragraph separators"),
        pytest.param("a\xa0b\u3000c", "a\\xa0b\\u3000c", id="spaces that are not the space"),
        pytest.param("\U000e0041", "\\U000e0041", id="tag character beyond 16 bits"),
        pytest.param("\ue000\u0378", "\\ue000\\u0378", id="private use and unassigned"),
        pytest.param(os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg", id="Latin-1 byte"),
        pytest.param(os.fsdecode(b"\x80\xff"), "\\x80\\xff", id="lowest and highest byte that is not UTF-8"),
        pytest.param("\ud800", "\\ud800", id="surrogate that stands for no byte"),
    ],
)
def test_printable(name: str, shown: str) -> None:
    """A name prints as itself but for what could move the cursor, hide or turn text (worked by hand)."""
    assert printable(name) == shown


@given(ANY_CHARACTER)
@example("\x1b\u202e\udce9\u2028\U000e0001")
def test_printable_has_nothing_unprintable_whatever_the_name(name: str) -> None:
    """No control, formatting, separating or surrogate character gets through, and the result can be encoded."""
    shown = printable(name)

    assert not {unicodedata.category(character) for character in shown} & UNPRINTABLE
    assert shown.isprintable()
    assert shown.encode().decode() == shown


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S"))))
def test_printable_is_the_name_when_all_of_it_is_visible(name: str) -> None:
    """Letters, marks, digits, punctuation and symbols stay."""
    assert printable(name) == name


@given(st.lists(st.integers(0x80, 0xFF)))
def test_printable_shows_each_byte_when_none_is_utf8(values: list[int]) -> None:
    """Bytes that are not UTF-8 stand as hexadecimal numbers, as Python's `repr` of bytes has them."""
    name = "".join(chr(0xDC00 + value) for value in values)

    assert printable(name) == repr(bytes(values))[2:-1]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        pytest.param(0, "0 B", id="nothing"),
        pytest.param(999, "999 B", id="last in bytes"),
        pytest.param(1_000, "1.0 kB", id="first in kilobytes"),
        pytest.param(1_049, "1.0 kB", id="rounded down"),
        pytest.param(1_051, "1.1 kB", id="rounded up"),
        pytest.param(99_949, "99.9 kB", id="last with a decimal"),
        pytest.param(99_950, "100 kB", id="first without"),
        pytest.param(999_499, "999 kB", id="last in kilobytes"),
        pytest.param(999_500, "1.0 MB", id="first that rounds to a megabyte"),
        pytest.param(12_345_678, "12.3 MB", id="megabytes"),
        pytest.param(4_200_000_000, "4.2 GB", id="gigabytes"),
        pytest.param(150 * 10**12, "150 TB", id="terabytes"),
        pytest.param(2 * 10**15, "2.0 PB", id="petabytes"),
        pytest.param(12_345 * 10**15, "12345 PB", id="beyond the last unit"),
    ],
)
def test_bytes_text(size: int, text: str) -> None:
    """Sizes are in decimal units with two or three digits (worked by hand)."""
    assert bytes_text(size) == text


@given(st.integers(0, 10**18 - 1))
def test_bytes_text_is_close_to_the_size_whatever_it_is(size: int) -> None:
    """What is printed is within a twentieth of the size, in at most three digits."""
    number, unit = bytes_text(size).split(" ")

    assert abs(float(number) * FACTORS[unit] - size) <= size / 20
    assert len(number.replace(".", "")) <= 3 or size >= 999.5e15


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        pytest.param(0, "file", "0 files", id="none"),
        pytest.param(1, "file", "1 file", id="one"),
        pytest.param(2, "file", "2 files", id="two"),
        pytest.param(1_234_567, "file", "1,234,567 files", id="thousands are set apart"),
        pytest.param(1, "copy", "1 copy", id="one that ends in y"),
        pytest.param(3, "copy", "3 copies", id="several that end in y"),
    ],
)
def test_count_text(number: int, noun: str, text: str) -> None:
    """A noun is in the plural but for one."""
    assert count_text(number, noun) == text


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        pytest.param("90s", 90, id="seconds"),
        pytest.param("15m", 900, id="minutes"),
        pytest.param("12h", 43_200, id="hours"),
        pytest.param("30d", 2_592_000, id="days"),
        pytest.param("8w", 4_838_400, id="weeks"),
        pytest.param("2", 172_800, id="bare number is days"),
        pytest.param("0", 0, id="nothing"),
        pytest.param("007d", 604_800, id="leading zeros"),
    ],
)
def test_seconds_from(span: str, seconds: int) -> None:
    """A span is a whole number and a unit (worked by hand)."""
    assert seconds_from(span) == seconds


@pytest.mark.parametrize(
    "span",
    [
        pytest.param("", id="empty"),
        pytest.param("d", id="unit alone"),
        pytest.param("-1d", id="negative"),
        pytest.param("+1d", id="signed"),
        pytest.param("1.5h", id="fraction"),
        pytest.param("1 d", id="space"),
        pytest.param("1_000", id="underscore"),
        pytest.param("30D", id="upper case"),
        pytest.param("1y", id="unknown unit"),
        pytest.param("1d2h", id="two units"),
        pytest.param("٣d", id="digit of another script"),
        pytest.param("²", id="superscript"),
    ],
)
def test_seconds_from_refuses_what_is_no_span(span: str) -> None:
    """Anything else is refused with the span as typed and examples."""
    with pytest.raises(ValueError, match=re.escape(f"not a span of time: {span!r} (try 30d, 12h or 90s)")):
        seconds_from(span)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param("0", 0, id="nothing"),
        pytest.param("7", 7, id="bare number is bytes"),
        pytest.param("7B", 7, id="bytes"),
        pytest.param("2kB", 2_000, id="thousands"),
        pytest.param("2KiB", 2_048, id="binary thousands"),
        pytest.param("500MB", 500_000_000, id="millions"),
        pytest.param("500 MB", 500_000_000, id="a space between"),
        pytest.param("  500mb ", 500_000_000, id="lower case and spaces around"),
        pytest.param("3MiB", 3_145_728, id="binary millions"),
        pytest.param("10G", 10_000_000_000, id="without the B"),
        pytest.param("1.5GB", 1_500_000_000, id="fraction"),
        pytest.param("0.5Gi", 536_870_912, id="binary fraction without the B"),
        pytest.param("2TB", 2_000_000_000_000, id="trillions"),
        pytest.param("1PiB", 1_125_899_906_842_624, id="binary quadrillions"),
        pytest.param("007", 7, id="leading zeros"),
    ],
)
def test_bytes_from(text: str, size: int) -> None:
    """A size is a number and a unit, decimal unless it says binary (worked by hand)."""
    assert bytes_from(text) == size


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("MB", id="unit alone"),
        pytest.param("-1MB", id="negative"),
        pytest.param("+1MB", id="signed"),
        pytest.param(".5MB", id="no digit before the point"),
        pytest.param("5.MB", id="no digit behind the point"),
        pytest.param("1,000", id="comma"),
        pytest.param("1_000", id="underscore"),
        pytest.param("1e9", id="exponent"),
        pytest.param("nan", id="no number"),
        pytest.param("1EB", id="unknown unit"),
        pytest.param("1MB2KB", id="two units"),
        pytest.param("1 0MB", id="two numbers"),
        pytest.param("5%", id="share"),
        pytest.param("٣MB", id="digit of another script"),
        pytest.param("²", id="superscript"),
        pytest.param("9" * 16, id="more than any disk"),
    ],
)
def test_bytes_from_refuses_what_is_no_size(text: str) -> None:
    """Anything else is refused with the size as typed and examples."""
    with pytest.raises(ValueError, match=re.escape(f"not a size: {text!r} (try 500MB, 10GB or 2GiB)")):
        bytes_from(text)


@given(st.integers(0, 10**12))
def test_bytes_from_reads_what_is_whole(size: int) -> None:
    """Any number of bytes, in bytes and in thousands of them."""
    assert bytes_from(str(size)) == size
    assert bytes_from(f"{size} kB") == size * 1000


@pytest.mark.usefixtures("_india")
@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        pytest.param(0, "1970-01-01 05:30:00", id="epoch"),
        pytest.param(1_000_000_000_999_999_999, "2001-09-09 07:16:40", id="fractions are cut off"),
        pytest.param(-1, "1970-01-01 05:29:59", id="before the epoch"),
        pytest.param(2**63 - 1, "2262-04-12 05:17:16", id="latest that a stamp can hold"),
        pytest.param(-(2**63), "1677-09-21 05:42:43", id="earliest"),
    ],
)
def test_time_text(time_ns: int, text: str) -> None:
    """A time is in the local zone (expected values from `TZ=IST-05:30 date -d @SECONDS`)."""
    assert time_text(time_ns) == text
