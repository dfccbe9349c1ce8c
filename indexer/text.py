"""Names and sizes fit to print: nothing a file is called can move the cursor or pose as something else."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from datetime import UTC, datetime, timedelta

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([kmgtp])?(i)?b?", re.IGNORECASE | re.ASCII)
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def printable(name: str) -> str:
    r"""A name that is safe on a terminal and still tells which file is meant.

    Control, formatting (zero-width, bidirectional), line-separating and unassigned characters become backslash escapes,
    bytes that are not UTF-8 become `\xNN`. A backslash itself stays, so that ordinary names print as they are.

    >>> printable("img[red].jpg")
    'img[red].jpg'
    >>> printable("a\x1b[2J\u202egpj.exe\udce9")
    'a\\x1b[2J\\u202egpj.exe\\xe9'
    """
    if name.isascii() and name.isprintable():
        return name
    return "".join(map(_visible, name))


def _visible(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character.isprintable() and unicodedata.category(character) != "Cf":
        return character
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def shell_word(word: str) -> str:
    r"""A word as it is typed into bash, zsh or ksh; what cannot be printed is an escape that they understand.

    >>> shell_word("a b.jpg"), shell_word("it's\n\udce9")
    ("'a b.jpg'", "$'it\\'s\\x0a\\xe9'")
    """
    if printable(word) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_typed, word))}'"


def _typed(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if printable(character) == character:
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def bytes_text(size: int) -> str:
    """A number of bytes in decimal units, three digits at most before the unit.

    >>> bytes_text(999), bytes_text(1_234_567)
    ('999 B', '1.2 MB')
    """
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.95 else 1
    return f"{value:.{digits}f} {_UNITS[unit]}"


def bytes_from(text: str) -> int:
    """The bytes in a size such as `500MB`, `1.5 GB`, `10G` or `2GiB`; a bare number is bytes.

    Raises:
        ValueError: When it is none.

    >>> bytes_from("1.5GB"), bytes_from("2KiB"), bytes_from("7")
    (1500000000, 2048, 7)
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        message = f"not a size: {text!r} (try 500MB, 10GB or 2GiB)"
        raise ValueError(message)
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kmgtp".index((unit or " ").lower()))


def count_text(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is due.

    >>> count_text(1, "file"), count_text(1234, "file"), count_text(2, "copy"), count_text(3, "match")
    ('1 file', '1,234 files', '2 copies', '3 matches')
    """
    if number == 1:
        return f"1 {noun}"
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + ("es" if noun.endswith("ch") else "s")
    return f"{number:,} {plural}"


def seconds_from(span: str) -> int:
    """The seconds in a span such as `90s`, `15m`, `12h`, `30d` or `8w`; a bare number is days.

    Raises:
        ValueError: When it is neither.

    >>> seconds_from("30d"), seconds_from("2")
    (2592000, 172800)
    """
    digits, unit = (span[:-1], span[-1:]) if span[-1:] in _SPANS else (span, "d")
    if not (digits.isascii() and digits.isdigit()):
        message = f"not a span of time: {span!r} (try 30d, 12h or 90s)"
        raise ValueError(message)
    return int(digits) * _SPANS[unit]


def time_text(time_ns: int) -> str:
    """A time in the local zone, to the second."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
