"""Defaults beside the index: what is read, which file counts, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import UsageError
from indexer.settings import Settings, settings_beside

PATH_KEYS = ("prefer", "protect", "only-if-in", "within")
PATHS_EXPECTED = "a list of strings, or one string, none of them empty"
NAMES_EXPECTED = "a list of names, or one string with commas"
KEYS = (
    "keep, prefer, protect, only-if-in, within, across, kinds, class-folders, on-conflict, max-files, max-share, "
    "quarantine"
)


def read(folder: Path, text: str | bytes, name: str = "imgindex.toml") -> Settings:
    """The settings beside a database that need not exist, once a file holds a text."""
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return settings_beside(str(folder / "imgindex.db"))


def refusal(folder: Path, text: str | bytes, name: str = "imgindex.toml") -> tuple[str, str]:
    """What is said about a text that is refused, behind the path, and the hint."""
    with pytest.raises(UsageError) as caught:
        read(folder, text, name)
    begin = f"cannot use '{folder / name}': "
    assert caught.value.message.startswith(begin)
    return caught.value.message.removeprefix(begin), caught.value.hint


def test_settings_are_the_defaults_when_there_is_no_file(tmp_path: Path) -> None:
    """No file, no folder, and a file in the place of the folder are no trouble."""
    (tmp_path / "file").touch()

    assert settings_beside(str(tmp_path / "imgindex.db")) == Settings()
    assert settings_beside(str(tmp_path / "nowhere" / "imgindex.db")) == Settings()
    assert settings_beside(str(tmp_path / "file" / "imgindex.db")) == Settings()
    assert Settings() == Settings(
        source=None, keep=None, prefer=(), protect=(), only_if_in=(), within=(), across=(), kinds=None,
        class_folders=None, on_conflict=None, max_files=None, max_share=None, quarantine=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "head"),
    [pytest.param("imgindex.toml", "", id="own file"), pytest.param("pyproject.toml", "[tool.imgindex]", id="shared")],
)
def test_settings_say_all_that_can_be_said(tmp_path: Path, name: str, head: str) -> None:
    """Every key arrives, with its file; paths stay as written (worked by hand)."""
    text = f"""{head}
keep = ["pixels", "-bytes"]
prefer = ["originals", "../other"]
protect = ["test", "*_gold.jpg", "Größe"]
only-if-in = ["/data/a"]
within = ["a", "b"]
across = ["train", "test"]
kinds = ["bytes", "pixels"]
class-folders = false
on-conflict = "merge"
max-files = 0
max-share = 0.25
quarantine = "gone"
"""

    assert read(tmp_path, text, name) == Settings(
        source=str(tmp_path / name),
        keep=("pixels", "-bytes"),
        prefer=("originals", "../other"),
        protect=("test", "*_gold.jpg", "Größe"),
        only_if_in=("/data/a",),
        within=("a", "b"),
        across=("train", "test"),
        kinds=("bytes", "pixels"),
        class_folders=False,
        on_conflict="merge",
        max_files=0,
        max_share=0.25,
        quarantine="gone",
    )


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        pytest.param('keep = "pixels, -bytes ,"', "keep", ("pixels", "-bytes"), id="names with commas"),
        pytest.param('kinds = "bytes"', "kinds", ("bytes",), id="one name"),
        pytest.param('protect = "a, b"', "protect", ("a, b",), id="comma in a path is none between paths"),
        pytest.param('only-if-in = "a"', "only_if_in", ("a",), id="one path"),
        pytest.param("prefer = []", "prefer", (), id="empty list of paths"),
        pytest.param("class-folders = true", "class_folders", True, id="true"),
        pytest.param("max-share = 0", "max_share", 0.0, id="least share, as a whole number"),
        pytest.param("max-share = 1", "max_share", 1.0, id="greatest share"),
        pytest.param("max-files = 1_000_000", "max_files", 1_000_000, id="many files"),
        pytest.param('on-conflict = "prune"', "on_conflict", "prune", id="prune"),
        pytest.param('on-conflict = "skip"', "on_conflict", "skip", id="skip"),
    ],
)
def test_settings_take_other_forms(tmp_path: Path, line: str, field: str, value: Any) -> None:
    """A key can be written in more than one way, and the others keep their defaults (worked by hand)."""
    found = read(tmp_path, line)

    assert found == Settings(source=str(tmp_path / "imgindex.toml"), **{field: value})
    assert type(getattr(found, field)) is type(value)


def test_settings_of_its_own_file_are_all_that_counts(tmp_path: Path) -> None:
    """Beside imgindex.toml, pyproject.toml is not read: not merged, and not even found to be broken."""
    (tmp_path / "pyproject.toml").write_text('[tool.imgindex]\nprotect = "a"\n')
    assert read(tmp_path, "max-files = 1") == Settings(source=str(tmp_path / "imgindex.toml"), max_files=1)

    (tmp_path / "pyproject.toml").write_text("broken")
    assert read(tmp_path, "") == Settings(source=str(tmp_path / "imgindex.toml"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('[project]\nname = "x"', id="no tools"),
        pytest.param("[tool.ruff]\nline-length = 120", id="other tools"),
        pytest.param("tool = 1", id="no table of tools"),
        pytest.param("[imgindex]\nmax-files = 1", id="not below tool"),
    ],
)
def test_settings_are_the_defaults_when_pyproject_has_none(tmp_path: Path, text: str) -> None:
    """A pyproject.toml that says nothing of imgindex is as good as none."""
    assert read(tmp_path, text, "pyproject.toml") == Settings()


def test_settings_name_their_file_when_they_are_empty(tmp_path: Path) -> None:
    """A table without keys is one that was written, and says nothing."""
    assert read(tmp_path, "[tool.imgindex]", "pyproject.toml") == Settings(source=str(tmp_path / "pyproject.toml"))


def test_settings_come_from_the_folder_of_the_database_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files above or in the current folder do not count; a relative database is beside what is in the current one."""
    (tmp_path / "inner").mkdir()
    read(tmp_path, "max-files = 1")

    assert settings_beside(str(tmp_path / "inner" / "x.db")) == Settings()
    monkeypatch.chdir(tmp_path)
    assert settings_beside("inner/x.db") == Settings()
    assert settings_beside("x.db") == Settings(source=str(tmp_path / "imgindex.toml"), max_files=1)


@pytest.mark.parametrize("name", ["imgindex.toml", "pyproject.toml"])
def test_settings_may_be_a_link_to_a_file(tmp_path: Path, name: str) -> None:
    """A link to a regular file is read; the settings belong to the folder of the link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "shared.toml").write_text("[tool.imgindex]\n" * (name == "pyproject.toml") + "max-files = 1\n")
    (tmp_path / name).symlink_to("real/shared.toml")

    assert settings_beside(str(tmp_path / "imgindex.db")) == Settings(source=str(tmp_path / name), max_files=1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(line, f"{line.split()[0]} must be {expected}", id=line[:40])
        for line, expected in [
            *((f"{key} = 1", PATHS_EXPECTED) for key in PATH_KEYS),
            *((f'{key} = ["a", 1]', PATHS_EXPECTED) for key in PATH_KEYS),
            ('protect = ""', PATHS_EXPECTED),
            ('protect = ["a", ""]', PATHS_EXPECTED),
            ('protect = "a\\u0000"', PATHS_EXPECTED),
            ("protect = {a = 1}", PATHS_EXPECTED),
            ('protect = [["a"]]', PATHS_EXPECTED),
            ("keep = true", NAMES_EXPECTED),
            ("keep = []", NAMES_EXPECTED),
            ('keep = " , "', NAMES_EXPECTED),
            ('kinds = ["bytes", 2]', NAMES_EXPECTED),
            ('kinds = ""', NAMES_EXPECTED),
            ('across = "a"', "a list of exactly two strings"),
            ("across = []", "a list of exactly two strings"),
            ('across = ["a", "b", "c"]', "a list of exactly two strings"),
            ('across = ["a", ""]', "a list of exactly two strings"),
            ("across = [1, 2]", "a list of exactly two strings"),
            ('class-folders = "yes"', "true or false"),
            ("class-folders = 1", "true or false"),
            ('on-conflict = "Merge"', "one of prune, merge, skip"),
            ('on-conflict = ["merge"]', "one of prune, merge, skip"),
            ("max-files = -1", "a whole number, 0 or more"),
            ("max-files = 1.0", "a whole number, 0 or more"),
            ("max-files = true", "a whole number, 0 or more"),
            ('max-files = "1"', "a whole number, 0 or more"),
            ("max-share = -0.01", "a number from 0 to 1"),
            ("max-share = 1.01", "a number from 0 to 1"),
            ("max-share = 25", "a number from 0 to 1"),
            ("max-share = nan", "a number from 0 to 1"),
            ("max-share = inf", "a number from 0 to 1"),
            ("max-share = true", "a number from 0 to 1"),
            (f"max-share = {10**400}", "a number from 0 to 1"),
            ('max-share = "0.5"', "a number from 0 to 1"),
            ('quarantine = ""', "a string that is not empty"),
            ('quarantine = ["a"]', "a string that is not empty"),
        ]
    ],
)
@pytest.mark.parametrize(("name", "head"), [("imgindex.toml", ""), ("pyproject.toml", "[tool.imgindex]\n")])
def test_settings_refuse_a_value_that_has_no_meaning(
    tmp_path: Path, name: str, head: str, line: str, said: str
) -> None:
    """The file, the key and what is expected are named, in either file."""
    assert refusal(tmp_path, f"{head}{line}\n", name) == (said, "")


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        pytest.param("max_files = 1", "unknown key 'max_files'", "did you mean max-files?", id="underscore"),
        pytest.param('protct = "a"', "unknown key 'protct'", "did you mean protect?", id="letter missing"),
        pytest.param('only_if_in = "a"', "unknown key 'only_if_in'", "did you mean only-if-in?", id="underscores"),
        pytest.param('source = "a"', "unknown key 'source'", f"there are {KEYS}", id="field that is no key"),
        pytest.param("[tool.imgindex]", "unknown key 'tool'", f"there are {KEYS}", id="table of the other file"),
        pytest.param('"\\u001b[2J" = 1', "unknown key '\\x1b[2J'", f"there are {KEYS}", id="unprintable"),
    ],
)
def test_settings_refuse_an_unknown_key(tmp_path: Path, line: str, said: str, hint: str) -> None:
    """A misspelt key is never passed over; the nearest one is suggested."""
    assert refusal(tmp_path, line) == (said, hint)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("protect", "invalid TOML: Expected '=' after a key", id="not TOML"),
        pytest.param("max-files = 1\nmax-files = 2", "invalid TOML: Cannot overwrite a value", id="key twice"),
        pytest.param("max-files = " + "9" * 5_000, "invalid TOML: Exceeds the limit", id="number of 5,000 digits"),
        pytest.param("keep = " + "[" * 100_000, "invalid TOML: nested too deeply", id="100,000 brackets"),
        pytest.param("a\x1b[2J = 1", "invalid TOML: Expected '=' after a key", id="control character"),
        pytest.param(
            b'protect = "\xe9"', "invalid TOML: 'utf-8' codec can't decode byte 0xe9 in position 11", id="Latin-1"
        ),
        pytest.param(b"#" * (1 << 20) + b"\n", "it is larger than 1 MiB", id="a byte too long"),
    ],
)
@pytest.mark.parametrize("name", ["imgindex.toml", "pyproject.toml"])
def test_settings_refuse_a_file_that_is_no_toml(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    """What cannot be understood is an error with its cause, and one that cannot move the cursor."""
    cause, _ = refusal(tmp_path, text, name)

    assert cause.startswith(said)
    assert cause.isprintable()


def test_settings_of_a_mebibyte_are_read(tmp_path: Path) -> None:
    """The longest file that is read is 1,048,576 bytes long."""
    line = b"max-files = 1\n"

    assert read(tmp_path, line + b"#" * ((1 << 20) - len(line))).max_files == 1


def test_settings_refuse_a_tool_that_is_no_table(tmp_path: Path) -> None:
    """`tool.imgindex` is a table, whatever else it could be in TOML."""
    assert refusal(tmp_path, "[tool]\nimgindex = 1\n", "pyproject.toml") == ("tool.imgindex must be a table", "")


def make_folder(path: Path) -> None:
    """A folder is in the place of the file."""
    path.mkdir()


def make_fifo(path: Path) -> None:
    """A FIFO that nobody writes to is in its place."""
    os.mkfifo(path)


def link_to_fifo(path: Path) -> None:
    """A link to such a FIFO is in its place."""
    os.mkfifo(path.with_name("fifo"))
    path.symlink_to("fifo")


def link_to_nothing(path: Path) -> None:
    """A link to a file that was moved away is in its place."""
    path.symlink_to("gone.toml")


def link_to_itself(path: Path) -> None:
    """A link that leads nowhere but back is in its place."""
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (make_folder, "not a regular file"),
        (make_fifo, "not a regular file"),
        (link_to_fifo, "not a regular file"),
        (link_to_nothing, "No such file or directory"),
        (link_to_itself, "Too many levels of symbolic links"),
    ],
)
@pytest.mark.parametrize("name", ["imgindex.toml", "pyproject.toml"])
def test_settings_refuse_what_cannot_be_read(
    tmp_path: Path, name: str, make: Callable[[Path], None], cause: str
) -> None:
    """Something is there and is no file to read: it is an error without a wait, not the lack of settings."""
    make(tmp_path / name)

    with pytest.raises(UsageError) as caught:
        settings_beside(str(tmp_path / "imgindex.db"))

    assert caught.value.message == f"cannot use '{tmp_path / name}': {cause}"


def test_settings_print_no_control_character_of_their_path(tmp_path: Path) -> None:
    """The name of the folder in a message cannot move the cursor."""
    folder = tmp_path / "\x1b[2J\udce9"
    folder.mkdir()
    (folder / "imgindex.toml").write_text("x = 1")

    with pytest.raises(UsageError) as caught:
        settings_beside(str(folder / "imgindex.db"))

    assert caught.value.message == f"cannot use '{tmp_path}/\\x1b[2J\\xe9/imgindex.toml': unknown key 'x'"
