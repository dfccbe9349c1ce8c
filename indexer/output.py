"""Lines on standard output and standard error, progress, and paths fit for both."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from indexer.errors import UsageError
from indexer.places import relative_to
from indexer.records import Tick, no_progress
from indexer.text import printable

_STAGES = {
    "scan": "looking for files",
    "read": "reading pictures",
    "search": "searching",
    "match": "comparing pictures",
    "draw": "drawing pictures",
    "verify": "reading the quarantine",
    "back up": "copying the index",
    "merge": "taking in contents",
}


def shown(path: str) -> str:
    """A path relative to the current folder when it lies below it, else absolute; not escaped."""
    relative = relative_to(path, os.getcwd())
    return path if relative is None else relative or "."


def named(path: str) -> str:
    """A path as people see it: short, and safe on a terminal."""
    return printable(shown(path))


def raw(path: str) -> bytes:
    """A path as it is on disk, short; it does not begin with a dash, which a command would take for an option."""
    short = os.fsencode(shown(path))
    return b"./" + short if short.startswith(b"-") else short


def print_lines(lines: Iterable[str]) -> None:
    """Lines for people on standard output."""
    for line in lines:
        print(line)


def print_json(value: Mapping[str, Any]) -> None:
    """An object on a line of standard output; bytes of paths that are not UTF-8 stand as lone surrogates."""
    print(json.dumps(value))


def flush() -> None:
    """Hands on what was printed, also to a program that reads it from a pipe."""
    sys.stdout.flush()


def print_nul(values: Iterable[bytes]) -> None:
    """Values on standard output, each ended by a NUL."""
    sys.stdout.flush()
    sys.stdout.buffer.writelines(value + b"\0" for value in values)


def warn(message: str) -> None:
    """A line on standard error."""
    print(message, file=sys.stderr)


@contextlib.contextmanager
def progress(*, wanted: bool = True) -> Iterator[Tick]:
    """A bar for each stage on standard error when that is a terminal, silence otherwise."""
    if not (wanted and sys.stderr.isatty()):
        yield no_progress
        return
    from rich.console import Console  # noqa: PLC0415 - 0.1 s to import, and most output is not watched
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        stages: dict[str, Any] = {}

        def tick(stage: str, done: int, total: int | None) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(_STAGES.get(stage, stage), total=total, rate="")
            bars.update(stages[stage], advance=done, total=total)
            speed = bars.tasks[stages[stage]].speed
            bars.update(stages[stage], rate=f"{speed:,.0f}/s" if speed else "")

        yield tick


def write_lines(target: str, lines: Iterable[str]) -> None:
    """Writes lines to a new file, or to standard output.

    Raises:
        UsageError: When the file exists, or cannot be written.
    """
    write_pieces(target, (line + "\n" for line in lines))


def write_pieces(target: str, pieces: Iterable[str]) -> None:
    """Writes pieces of text to a new file, or to standard output, as they come.

    Raises:
        UsageError: When the file exists, or cannot be written.
    """
    if target == "-":
        sys.stdout.writelines(pieces)
        return
    with new_file(target) as stream:
        stream.writelines(piece.encode() for piece in pieces)


@contextlib.contextmanager
def new_file(target: str) -> Iterator[BinaryIO]:
    """A new file to be written; when that does not come to its end, there is none.

    Raises:
        UsageError: When it exists, or cannot be written.
    """
    try:
        stream = open(target, "xb")  # noqa: SIM115 - closed below, with what was written
    except FileExistsError as error:
        raise UsageError(f"'{named(target)}' exists already", "name a new file") from error
    except OSError as error:
        raise UsageError(f"cannot write '{named(target)}': {error.strerror}") from error
    try:
        with stream:
            yield stream
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(target)
        if isinstance(error, OSError):
            raise UsageError(f"cannot write '{named(target)}': {error.strerror or error}") from error
        raise


def refuse_existing(targets: Iterable[str]) -> None:
    """Refuses files to be written that exist, before the first of them is.

    Raises:
        UsageError: When one does.
    """
    for target in targets:
        if os.path.lexists(target):
            raise UsageError(f"'{named(target)}' exists already", "name a new file")


def write_report(target: str, text: str) -> None:
    """Writes an XML report to a file, which may be an earlier report and nothing else, or to standard output.

    Raises:
        UsageError: When something else lies there, or it cannot be written.
    """
    if target == "-":
        print(text, end="")
        return
    try:
        if os.path.lexists(target):
            with open(target, "r+", encoding="utf-8", errors="replace") as stream:
                if stream.read(5) not in {"", "<?xml"}:
                    raise UsageError(f"'{named(target)}' exists, and is no report", "name a new file")
                stream.seek(0)
                stream.write(text)
                stream.truncate()
            return
        with open(target, "x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(f"cannot write '{named(target)}': {error.strerror}") from error


def read_lines(source: str) -> list[str]:
    """The lines of a file, or of standard input.

    Raises:
        UsageError: When it cannot be read as UTF-8.
    """
    try:
        if source == "-":
            return sys.stdin.read().splitlines()
        with open(source, encoding="utf-8") as stream:
            return stream.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read '{named(source)}': {error}") from error
