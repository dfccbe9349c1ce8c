"""Path rules by whole components, against brute force and against the `glob` module on a real tree."""

from __future__ import annotations

import glob
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.errors import UsageError
from indexer.patterns import Pattern, matches, pattern, rank


def path_of(names: Sequence[str]) -> str:
    """The absolute path of components."""
    return "/" + "/".join(names)


LATIN_1 = os.fsdecode(b"caf\xe9")
NAMES = st.text(st.sampled_from("abA\n\udce9"), min_size=1, max_size=3)
PATHS = st.lists(NAMES, max_size=5).map(tuple)
"""Components of absolute paths, of so few letters that many globs fit."""
COMPONENT = st.text(st.sampled_from("abA\n\udce9*?[]!-^&\\"), min_size=1, max_size=5).filter(lambda part: part != "**")
GLOBS = st.lists(COMPONENT | st.just("**"), max_size=5).map(tuple)
ODD_NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1, max_size=4)
ODD_PATHS = st.lists(ODD_NAMES.filter(lambda name: name not in {".", ".."}), max_size=3).map(path_of)


def nothing(_path: str) -> None:
    """A disk without files."""


def disk(*paths: str, **links: str) -> Callable[[str], str | None]:
    """What is found on a disk with some canonical paths, and with links in its root to some of them."""
    return lambda path: path if path in paths else links.get(path.removeprefix("/"))


def brute(globs: Sequence[str], names: Sequence[str]) -> bool:
    """True when the globs describe some leading names in any way at all: every way is tried."""
    return any(brute_whole(globs, names[:end]) for end in range(len(names) + 1))


def brute_whole(globs: Sequence[str], names: Sequence[str]) -> bool:
    """True when the globs describe all of the names."""
    if not globs:
        return not names
    if globs[0] == "**":
        return any(brute_whole(globs[1:], names[start:]) for start in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], globs[0]) and brute_whole(globs[1:], names[1:])


@pytest.fixture
def _ten_seconds() -> Iterator[None]:
    """What would take for ever fails instead."""

    def fail(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("cats", ("data", "cats"), id="relative"),
        pytest.param("cats/", ("data", "cats"), id="slash at the end"),
        pytest.param("./x/..//cats", ("data", "cats"), id="dots and double slashes"),
        pytest.param("/data/cats", ("data", "cats"), id="absolute"),
        pytest.param("//data/cats//", ("data", "cats"), id="absolute, slashes doubled"),
        pytest.param("../data/cats", ("data", "cats"), id="up and down again"),
        pytest.param(".", ("data",), id="base itself"),
        pytest.param("..", (), id="root of the file system"),
        pytest.param("../../..", (), id="no higher than the root"),
        pytest.param("a[1]*?", ("data", "a[1]*?"), id="glob characters in a name that exists"),
        pytest.param("**", ("data", "**"), id="name of two stars that exists"),
        pytest.param(LATIN_1, ("data", LATIN_1), id="not UTF-8"),
        pytest.param("a\nb ", ("data", "a\nb "), id="newline and trailing space"),
        pytest.param("/link", ("data", "cats"), id="canonical path of a link"),
        pytest.param("/star*", ("data", "cats"), id="canonical path of a link that looks like a glob"),
    ],
)
def test_pattern_is_literal_when_the_path_exists(text: str, parts: tuple[str, ...]) -> None:
    """What exists is named by its canonical path, whatever it is called (worked by hand)."""
    names = ("cats", "a[1]*?", "**", LATIN_1, "a\nb ")
    found = disk("/", "/data", *(f"/data/{name}" for name in names), **{"link": "/data/cats", "star*": "/data/cats"})

    assert pattern(text, "/data", found=found) == Pattern(text, parts, literal=True)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("*_small.jpg", ("**", "*_small.jpg"), id="no slash: any depth"),
        pytest.param("thumb*/", ("**", "thumb*"), id="slash at the end is none"),
        pytest.param("./thumb*", ("data", "[[]x]", "thumb*"), id="with a slash: in the base"),
        pytest.param("cats/*", ("data", "[[]x]", "cats", "*"), id="in a folder of the base"),
        pytest.param("**/x", ("data", "[[]x]", "**", "x"), id="any depth below the base"),
        pytest.param("*/./a//b/../c", ("data", "[[]x]", "*", "a", "c"), id="dots behind a glob"),
        pytest.param("../*.jpg", ("data", "*.jpg"), id="above the base, of whose name nothing is left"),
        pytest.param("/*/a", ("*", "a"), id="in the root of the file system"),
        pytest.param("/data/c?ts", ("data", "c?ts"), id="absolute"),
        pytest.param("/link/*.jpg", ("data", "[[]x]", "cats", "*.jpg"), id="in the canonical folder of a link"),
        pytest.param("[ab]", ("**", "[ab]"), id="set of characters"),
        pytest.param(f"{LATIN_1}*", ("**", f"{LATIN_1}*"), id="not UTF-8"),
    ],
)
def test_pattern_is_a_glob_when_nothing_has_that_name(text: str, parts: tuple[str, ...]) -> None:
    """A glob is for any depth or starts in a folder, in whose name brackets are no glob (worked by hand)."""
    found = disk("/data", "/data/[x]/cats", link="/data/[x]/cats")

    assert pattern(text, "/data/[x]", found=found) == Pattern(text, parts, literal=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("orignals", "there is no 'orignals'", id="misspelt"),
        pytest.param("/data/orignals/", "there is no '/data/orignals/'", id="misspelt, absolute"),
        pytest.param("a*/../b", "there is no 'a*/../b'", id="no glob is left"),
        pytest.param(".", "there is no '.'", id="base is gone"),
        pytest.param("orignals/*.jpg", "there is no '/[x]*/orignals'", id="glob in a misspelt folder"),
        pytest.param("/orignals/*.jpg", "there is no '/orignals'", id="glob in a misspelt folder, absolute"),
        pytest.param("\x1b2J\udce9", "there is no '\\x1b2J\\xe9'", id="unprintable"),
        pytest.param("\x1b/*", "there is no '/[x]*/\\x1b'", id="glob in a folder that is unprintable"),
        pytest.param("", "'' names no file or folder", id="empty"),
        pytest.param("a\0*", "'a\\x00*' names no file or folder", id="NUL"),
    ],
)
def test_pattern_refuses_what_names_nothing(text: str, message: str) -> None:
    """A misspelt rule is a mistake of the call, with a hint, even where the base looks like a glob."""
    with pytest.raises(UsageError) as caught:
        pattern(text, "/[x]*", found=nothing)

    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("parts", "path", "met"),
    [
        pytest.param(("a",), "/a", True, id="itself"),
        pytest.param(("a",), "/a/b/c", True, id="below"),
        pytest.param(("a",), "/aa", False, id="begins with the same letters"),
        pytest.param(("a",), "/aa/b", False, id="below one that begins with the same letters"),
        pytest.param(("a", "b"), "/a", False, id="above"),
        pytest.param(("a",), "/b/a", False, id="same name elsewhere"),
        pytest.param(("a",), "/A", False, id="other case"),
        pytest.param((), "/", True, id="root of the file system"),
        pytest.param((), "/a/b", True, id="below the root of the file system"),
        pytest.param(("a",), "/", False, id="root of the file system is not in a folder"),
        pytest.param(("*",), "/*/b", True, id="glob characters are themselves"),
        pytest.param(("*", "[b]"), "/a/b", False, id="glob characters are nothing else"),
        pytest.param((LATIN_1,), f"/{LATIN_1}/b", True, id="not UTF-8"),
        pytest.param(("é",), "/e\u0301", False, id="other composition of the same letter"),
    ],
)
def test_matches_a_literal_rule(parts: tuple[str, ...], path: str, met: bool) -> None:
    """A folder is met by itself and what is below, by whole components (worked by hand)."""
    assert matches(Pattern("", parts, literal=True), path) is met


@pytest.mark.parametrize(
    ("globs", "path", "met"),
    [
        pytest.param("/data/*", "/data/a/b", True, id="folder that a star fits, and what is below"),
        pytest.param("/data/*", "/data", False, id="star is one component"),
        pytest.param("/data/*.jpg", "/data/a/b.jpg", False, id="star does not cross a slash"),
        pytest.param("/data/a?b", "/data/a/b", False, id="question mark does not cross a slash"),
        pytest.param("/d*", "/data/a", True, id="star within a name"),
        pytest.param("/a*", "/b", False, id="star within another name"),
        pytest.param("/[ab]/[!c]", "/b/d/x", True, id="sets"),
        pytest.param("/[ab]/[!c]", "/b/c", False, id="set turned round"),
        pytest.param("/[a", "/[a/b", True, id="bracket that is never closed"),
        pytest.param("/[[]x]/*", "/[x]/a", True, id="bracket escaped"),
        pytest.param("/*.jpg", "/A.JPG", False, id="other case"),
        pytest.param("/.*", "/.git/config", True, id="name that begins with a dot"),
        pytest.param("/*", "/.git", True, id="star fits a dot"),
        pytest.param("/*.jpg", "/a\n.jpg", True, id="star fits a newline"),
        pytest.param("/a?.jpg", "/a\udce9.jpg", True, id="question mark fits a byte that is not UTF-8"),
        pytest.param("/*a", "/a\n", False, id="newline at the end counts"),
        pytest.param("/**", "/", True, id="two stars fit nothing"),
        pytest.param("/*", "/", False, id="one star does not"),
        pytest.param("/a/**", "/a", True, id="two stars at the end fit nothing"),
        pytest.param("/a/**/b", "/a/b", True, id="two stars between fit nothing"),
        pytest.param("/a/**/b", "/a/x/y/b/c", True, id="two stars fit two components"),
        pytest.param("/a/**/b", "/a/x/y", False, id="two stars need what follows them"),
        pytest.param("/**/a/b", "/a/a/b", True, id="second fit behind two stars"),
        pytest.param("/**/a/b/**/c", "/a/a/b/a/c", True, id="two stars twice"),
        pytest.param("/**/c/**/a", "/a/b/c", False, id="order counts"),
        pytest.param("/**a", "/x/a", False, id="two stars in a name are one"),
    ],
)
def test_matches_a_glob(globs: str, path: str, met: bool) -> None:
    """Components fit one by one, and a folder that fits covers all below it (worked by hand)."""
    assert matches(Pattern(globs, tuple(globs.split("/")[1:]), literal=False), path) is met


@given(GLOBS, PATHS)
@example(("**", "a", "**", "b"), ("a", "a", "b"))
@example(("**", "a", "b"), ("a", "a", "b"))
def test_matches_a_glob_agrees_with_brute_force(globs: tuple[str, ...], names: tuple[str, ...]) -> None:
    """A glob is met when there is any way at all to lay it on the path."""
    assert matches(Pattern("", globs, literal=False), path_of(names)) == brute(globs, names)


@given(PATHS, PATHS)
@example(("a",), ("aa",))
def test_matches_a_literal_rule_agrees_with_pathlib(parts: tuple[str, ...], names: tuple[str, ...]) -> None:
    """A literal rule is met by the same paths as are relative to it for `PurePosixPath`."""
    inside = PurePosixPath(path_of(names)).is_relative_to(path_of(parts))

    assert matches(Pattern("", parts, literal=True), path_of(names)) == inside


@given(ODD_PATHS, ODD_NAMES)
def test_matches_nothing_that_only_begins_with_the_letters(path: str, tail: str) -> None:
    """Whatever the names, a path with letters added is another one, for a literal rule and for a glob."""
    literal = pattern(path, "/", found=disk(path))
    anchored = Pattern(path, tuple(map(glob.escape, literal.parts)), literal=False)

    for rule in (literal, anchored):
        assert matches(rule, path)
        assert matches(rule, f"{path.rstrip('/')}/{tail}")
        assert matches(rule, f"{path}{tail}") == (path == "/")


@given(ODD_PATHS, st.sampled_from(["x*", "*/x", "**/x?"]))
def test_pattern_starts_in_its_base_whatever_that_is_called(base: str, text: str) -> None:
    """An anchored glob is met below its base, the characters of whose name count as themselves."""
    rule = pattern(f"./{text}", base, found=nothing)

    assert matches(rule, f"{base.rstrip('/')}/{text.replace('*', 'x').replace('?', 'x')}")
    assert not matches(rule, f"{base.rstrip('/')}x/{text.replace('*', 'x').replace('?', 'x')}") or base == "/"


@pytest.mark.parametrize("text", ["a*/b", "*/*.jpg", "**/b", "a/**/c.jpg", "**/a/**", "[!a]*/**/*.jpg", "a/**/**/b/*"])
def test_matches_what_the_glob_module_finds(tmp_path: Path, text: str) -> None:
    """On a real tree a glob is met by what `glob.glob` lists, by what is below that, and by nothing else."""
    for name in ("a/b/c.jpg", "a/c.jpg", "ab/b/b/.d.jpg", "b/a/b/c.jpg", "c.jpg", "[x]/c.jpg", "b/C.JPG"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    listed = glob.glob(text, root_dir=tmp_path, recursive=True, include_hidden=True)
    every = list(tmp_path.rglob("*"))

    rule = pattern(text, str(tmp_path), found=disk(*map(str, every)))

    expected = {path for path in every if any(path.is_relative_to(tmp_path / name) for name in listed)}
    assert {path for path in every if matches(rule, str(path))} == expected
    assert expected


@pytest.mark.usefixtures("_ten_seconds")
@pytest.mark.parametrize(
    ("globs", "path"),
    [
        pytest.param("/**/a" * 12 + "/b", "/a" * 40, id="twelve times two stars"),
        pytest.param("/**" * 12 + "/b", "/a" * 40, id="twelve times two stars in a row"),
        pytest.param("/**/*a" * 12 + "/b", "/a" * 40, id="twelve times two stars, and stars in names"),
        pytest.param("/" + "*a" * 30 + "*b", "/" + "a" * 255, id="thirty stars in a name as long as can be"),
        pytest.param("/**/" + "*a" * 30 + "*b", ("/" + "a" * 255) * 15, id="both, in a path as long as can be"),
    ],
)
def test_matches_does_not_try_every_way(globs: str, path: str) -> None:
    """Stars that could be laid on a path in billions of ways are answered at once, with no."""
    assert not matches(Pattern(globs, tuple(globs.split("/")[1:]), literal=False), path)


@pytest.mark.parametrize(
    ("path", "index"),
    [
        pytest.param("/best/a.jpg", 0, id="first"),
        pytest.param("/best/a_small.jpg", 0, id="first of two"),
        pytest.param("/other/a_small.jpg", 1, id="second"),
        pytest.param("/bestof/a.jpg", 2, id="none"),
    ],
)
def test_rank(path: str, index: int) -> None:
    """The first rule that is met counts (worked by hand)."""
    rules = [pattern(text, "/", found=disk("/best")) for text in ("best", "*_small.jpg")]

    assert rank(rules, path) == index


def test_rank_of_no_rules() -> None:
    """Where there are no rules, none is met."""
    assert rank((), "/a") == 0
