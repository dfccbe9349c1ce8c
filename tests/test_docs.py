"""The documentation tells the truth: its commands exist, its examples run, its promises are the code's."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from support import make_photos

from indexer import Index
from indexer.cli import app
from indexer.entry import run

HOME = Path(__file__).parent.parent
PAGES = [HOME / "README.md", *sorted((HOME / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a page's examples, one after the other, in a folder with pictures."""
    monkeypatch.chdir(tmp_path)
    photos = make_photos(tmp_path / "photos")
    (photos / "copy.jpg").write_bytes((photos / "a" / "0.jpg").read_bytes())

    exec("\n".join(blocks(page, "python")), {"__name__": "example"})  # noqa: S102 - our own documentation


def test_readme_names_every_command() -> None:
    """No command is undocumented, and none is documented that does not exist."""
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    commands |= {str(group.name) for group in app.registered_groups}
    table = re.findall(r"(?m)^\| `imgindex (\w+)", (HOME / "README.md").read_text())

    assert sorted(set(table)) == sorted(commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_pages_name_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each `--option` behind a command is one of that command."""
    commands = (
        "index|report|dups|prune|upgrades|review|conflicts|leaks|similar|check|decide|reject|undo|purge|status|history"
        "|demo"
    )
    calls = rf"imgindex ({commands})\b([^\n`|]*)"
    for command, rest in re.findall(calls, page.read_text()):
        run([command, "--help"])
        known = capsys.readouterr().out
        for option in re.findall(r"(?<!\S)(--[a-z-]+|-\w)\b", rest.split("#")[0]):
            assert option in known, f"{command} {option}"


def test_drawn_examples_have_the_kind_that_the_page_shows(tmp_path: Path) -> None:
    """Each picture of the page on matching is found, or not found, as its caption says."""
    specification = importlib.util.spec_from_file_location("draw_matching", HOME / "docs" / "draw_matching.py")
    assert specification
    assert specification.loader
    drawing = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(drawing)
    examples = drawing.examples()
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, (_kind, _caption, picture) in enumerate(examples):
        picture.save(folder / f"{number:02}.png")

    Index(tmp_path / "imgindex.db").update(folder, jobs=0)

    with contextlib.closing(sqlite3.connect(tmp_path / "imgindex.db")) as db:
        rows = db.execute(
            'SELECT a.name, b.name, kind FROM "match" JOIN file a ON a.content_id = a_id JOIN file b ON b.content_id = b_id'
        ).fetchall()
    found = {max(names): kind for *names, kind in rows if "00.png" in names}
    wanted = {f"{number:02}.png": kind for number, (kind, *_) in enumerate(examples) if number and kind != "none"}
    assert found == wanted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Links between the pages name files that are there."""
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_design_lists_every_module() -> None:
    """The house as drawn is the house as built."""
    drawn = set(re.findall(r"(?m)^  (\w+\.py) ", (HOME / "docs" / "design.md").read_text()))

    assert drawn == {path.name for path in (HOME / "indexer").glob("*.py")} - {"__init__.py"}


def test_readme_setup_is_two_commands_and_ci_runs_the_second() -> None:
    """The first installs and runs the main job, the second is what CI calls."""
    commands = [block.strip() for block in blocks(HOME / "README.md", "sh")]

    assert commands[0] == "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/imgindex demo demo-pictures"
    assert "./check" in commands
    assert "./check" in (HOME / ".ci" / "run").read_text()
    assert os.access(HOME / "check", os.X_OK)


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("index photos/", ["index", "photos"]),
        ("dups", ["dups"]),
        ("similar a.jpg", ["similar", "photos/a/0.jpg"]),
        ("check a.jpg", ["check", "photos/a/0.jpg"]),
        ("doctor", ["doctor"]),
        ("history", ["history"]),
        ("status", ["status"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_readme_has_the_keys_of_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, arguments: list[str]
) -> None:
    """No more and no fewer than the command prints."""
    photos = make_photos(tmp_path / "here" / "photos")
    shutil.copy(photos / "a" / "0.jpg", photos / "copy.jpg")
    shutil.copy(photos / "a" / "2.jpg", photos / "b" / "linked.jpg")
    run(["index", "photos", "--quiet"])
    capsys.readouterr()
    run([*arguments, "--json"])
    printed = json.loads(capsys.readouterr().out.splitlines()[0])
    printed.get("counts", {}).clear()

    text = re.sub(r"\n +# ", " ", (HOME / "README.md").read_text())
    (told,) = re.findall(rf"(?m)^imgindex {words} --json +# (.*)$", text)
    assert set(re.findall(r'"(\w+)":', told)) == keys(printed)


def keys(value: object) -> set[str]:
    """The keys of an object and of all in it."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    return set(value).union(*map(keys, value.values())) if isinstance(value, dict) else set()
