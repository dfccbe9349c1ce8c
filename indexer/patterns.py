"""Path rules by whole components, as users write them: a folder, a file, or a glob. `/a` never stands for `/aa`."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import PurePosixPath

from indexer.errors import UsageError
from indexer.plans import Pattern
from indexer.text import printable

__all__ = ["Pattern", "matches", "pattern", "rank"]

ANY_DEPTH = "**"
_GLOB = re.compile(r"[*?[]")
Matcher = Callable[[str], object]


def pattern(text: str, base: str, *, found: Callable[[str], str | None]) -> Pattern:
    """The rule that a user's text means.

    What exists is taken literally, whatever is in its name. Otherwise `*`, `?` and `[` make a glob, as in a .gitignore:
    without a slash it is for a component at any depth, anywhere; with one it starts at `base`. `*` is for characters of
    one component. `.` and `..` are resolved without asking the disk, and slashes at the end do not matter.

    Args:
        text: Absolute, or relative to `base`.
        base: A folder, absolute and canonical.
        found: Gives the canonical path of an absolute one, None when there is nothing at it. It is asked for the text
            as a whole, and then for the folder that an anchored glob starts in.

    Raises:
        UsageError: When the text is empty, or neither exists nor is a glob; and when the folder that a glob starts in
            does not exist: a misspelt rule must not pass for one that nothing meets.
    """
    if not text or "\0" in text:
        raise UsageError(f"'{printable(text)}' names no file or folder", "name a folder; . is the one at hand")
    names = PurePosixPath(os.path.normpath(text)).parts
    path = found(_absolute(base, names))
    if path is not None:
        return Pattern(text, _components(path), literal=True)
    start = tuple(takewhile(lambda name: not _GLOB.search(name), names))
    if start == names:
        raise UsageError(f"there is no '{printable(text)}'", "name what exists, or write a glob such as '*_small.jpg'")
    if "/" not in text.rstrip("/"):
        return Pattern(text, (ANY_DEPTH, *names), literal=False)
    folder = _start_folder(base, start, found)
    return Pattern(text, (*map(glob.escape, _components(folder)), *names[len(start) :]), literal=False)


def matches(rule: Pattern, path: str) -> bool:
    """True when an absolute path is, or lies below, what the rule names.

    A glob costs at most as many comparisons as it has components times the path's, and one comparison at most as many
    steps as the component's glob has characters times the name's: every `**` and `*` is settled at its first fit.
    """
    if rule.files:
        return path in rule.files
    if rule.literal:
        return f"{path}/".startswith("/".join(("", *rule.parts, "")))
    return _leads(_matchers(rule.parts), path.split("/")[1:] if path != "/" else [])


def rank(rules: Sequence[Pattern], path: str) -> int:
    """The index of the first rule that a path meets, their number when none does."""
    return next((index for index, rule in enumerate(rules) if matches(rule, path)), len(rules))


def _absolute(base: str, names: Iterable[str]) -> str:
    """The path of names below a base, unless the first of them is a root. It never begins with two slashes."""
    return "/" + os.path.normpath(os.path.join(base, *names)).lstrip("/")


def _components(path: str) -> tuple[str, ...]:
    return tuple(filter(None, path.split("/")))


def _start_folder(base: str, names: Iterable[str], found: Callable[[str], str | None]) -> str:
    """The canonical path of the folder that a glob starts in: the index knows files by such paths only."""
    folder = _absolute(base, names)
    canonical = folder if folder in {base, "/"} else found(folder)
    if canonical is None:
        raise UsageError(f"there is no '{printable(folder)}'", "a glob with a slash starts in a folder that exists")
    return canonical


def _leads(globs: Sequence[Matcher | None], names: Sequence[str]) -> bool:
    """True when the first few of the names, or all of them, are what the globs describe; None is any number of names.

    As any number of names may follow, the first fit behind a `**` is as good as every later one: going back to the last
    `**` is enough.
    """
    glob_at = name_at = 0
    again: tuple[int, int] | None = None
    while glob_at < len(globs):
        fits = globs[glob_at]
        if fits is None:
            glob_at += 1
            again = (glob_at, name_at)
        elif name_at == len(names):
            return False
        elif fits(names[name_at]):
            glob_at, name_at = glob_at + 1, name_at + 1
        elif again is None:
            return False
        else:
            glob_at, name_at = again = (again[0], again[1] + 1)
    return True


@lru_cache(maxsize=1024)
def _matchers(globs: Sequence[str]) -> tuple[Matcher | None, ...]:
    """What tells whether a name is what a glob describes, upper and lower case being two things; None for a `**`."""
    return tuple(None if part == ANY_DEPTH else re.compile(fnmatch.translate(part)).match for part in globs)
