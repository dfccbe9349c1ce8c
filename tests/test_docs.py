"""The documentation tells the truth: its commands exist, its examples run, its promises are the code's."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from support import make_photos

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
    table = re.findall(r"(?m)^\| `imgindex (\w+)", (HOME / "README.md").read_text())

    assert sorted(table) == sorted(commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_pages_name_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each `--option` behind a command is one of that command."""
    calls = r"imgindex (index|dups|prune|undo|purge|status|history|demo)\b([^\n`|]*)"
    for command, rest in re.findall(calls, page.read_text()):
        run([command, "--help"])
        known = capsys.readouterr().out
        for option in re.findall(r"(?<!\S)(--[a-z-]+|-\w)\b", rest.split("#")[0]):
            assert option in known, f"{command} {option}"


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
