"""Hazards of pages and contact sheets: hostile names, and hostile thumbnails. Rows of the table of hazards."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pytest
from pages import NAMES, Reader
from PIL import Image
from score import Faults
from support import aged

from indexer import Index, montage
from indexer.drawing import drawn, encoded
from indexer.entry import run


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photo, and its copies under hostile names; the current folder."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in (b"0.jpg", *NAMES):
        try:
            (folder / os.fsdecode(name)).write_bytes(encoded(drawn(1)))
        except OSError:
            pytest.skip("this file system takes UTF-8 alone")
    aged(folder / "0.jpg")
    monkeypatch.chdir(folder)
    Index(tmp_path / "imgindex.db").update(folder, jobs=0)
    return folder


def page(*command: str) -> Reader:
    """The page that a command writes, as a parser reads it."""
    target = f"../{'-'.join(command)}.html"
    assert run([*command, "--html", target]) == 0
    return Reader(Path(target).read_text(encoding="utf-8"))


def test_hazard_21_22_and_112_names_on_pages(photos: Path, tmp_path: Path, fault: Faults) -> None:
    """No name makes an element or moves the text around it, in the gallery and in what a prune moved; each can be read."""
    with ExitStack() as stack:
        cases = [stack.enter_context(fault(row, "names on pages", root=photos)) for row in (21, 22, 112)]
        gallery = page("dups")
        run(["prune", "--yes", "--quiet", "--max-share", "1"])
        moved = page("history", "2")
        cases[0].undo(Index(tmp_path / "imgindex.db"))

        for found in (gallery, moved):
            assert [name for name in NAMES.values() if name not in found.text] == []
            assert sum(tag == "img" for tag, _values in found.elements) == 1 + len(NAMES)
            assert all(character.isprintable() or character == "\n" for character in found.text)
            assert {name for _tag, values in found.elements for name in values if name.startswith("on")} == set()


def test_hazard_22_names_on_contact_sheets(photos: Path, fault: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is written as it is, escaped where it must be, and no wider than its picture."""
    lines: list[str] = []
    write = montage._write
    monkeypatch.setattr(montage, "_write", lambda *line: (lines.append(line[2]), write(*line)))
    with fault(22, "names on contact sheets", root=photos):
        assert run(["dups", "--montage", "../sheet.png"]) == 0

        assert set(NAMES.values()) <= set(lines)


@pytest.mark.parametrize(
    "thumbnail",
    [b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"<script>alert(1)</script>", b"\xff\xd8\xff\xd9"],
    ids=["SVG", "script", "no frame"],
)
def test_hazard_115_markup_in_the_place_of_a_thumbnail(
    photos: Path, tmp_path: Path, fault: Faults, thumbnail: bytes
) -> None:
    """What stands on a page was encoded anew by a worker; what is no picture is not there."""
    with sqlite3.connect(tmp_path / "imgindex.db") as db:
        db.execute("UPDATE thumbnail SET jpeg = ?", (thumbnail,))
    db.close()
    with fault(115, f"{thumbnail[:8]!r} as a thumbnail", root=photos):
        found = page("dups")
        assert run(["dups", "--montage", "../sheet.png"]) == 0

        assert "The index has no picture of it." in found.text
        assert {tag for tag, _values in found.elements} & {"img", "svg", "script"} == set()


def test_hazard_119_a_bomb_in_the_place_of_a_thumbnail(photos: Path, fault: Faults, tmp_path: Path) -> None:
    """A thumbnail of 36 million pixels is decoded by nobody, as nobody stored it."""
    buffer = BytesIO()
    Image.new("L", (6_000, 6_000)).save(buffer, "JPEG")
    with sqlite3.connect(tmp_path / "imgindex.db") as db:
        db.execute("UPDATE thumbnail SET jpeg = ?", (buffer.getvalue(),))
    db.close()
    with fault(119, "a bomb as a thumbnail", root=photos):
        assert "The index has no picture of it." in page("dups").text
