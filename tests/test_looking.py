"""Pages and contact sheets, written by the command from a real index."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import pytest
from pages import NAMES, Reader, images
from PIL import Image
from support import aged, make_photos

import indexer
from indexer import Index, gallery, looking, montage, output
from indexer.drawing import drawn, encoded
from indexer.entry import run
from indexer.errors import UsageError
from indexer.groups import Kind
from indexer.records import Preview
from indexer.rows import Card, Row
from indexer.text import shell_word


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six photos, a byte copy of one with a caption, another saved again at half the size; the current folder."""
    folder = make_photos(tmp_path / "data")
    (folder / "z").mkdir()
    shutil.copy2(folder / "a" / "0.jpg", folder / "z" / "copy.jpg")
    aged(folder / "z" / "copy.jpg", seconds=-500)
    (folder / "z" / "copy.txt").write_text("a mosaic\n")
    (folder / "a" / "0.txt").write_text("a mosaic\n")
    picture = drawn(4)
    half = picture.resize((picture.width // 2, picture.height // 2))
    (folder / "z" / "half.png").write_bytes(encoded(half, "PNG"))
    monkeypatch.chdir(folder)
    Index(folder / "imgindex.db").update(folder, jobs=0)
    return folder


def written(*arguments: str, to: str = "page.html") -> str:
    """The page that a command writes."""
    assert run([*arguments, "--html", to]) == 0
    return Path(to).read_text(encoding="utf-8")


# --- the page of groups


def test_page_is_one_file_that_asks_nobody_for_anything(photos: Path) -> None:
    """No script, no link, no picture but its own; the policy forbids all else, and its digest is that of the style."""
    page = written("dups")
    found = Reader(page)

    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policies = [values["content"] for tag, values in found.elements if values.get("http-equiv")]
    assert policies == [
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    ]
    assert len(style) == 1
    assert {tag for tag, _values in found.elements}.isdisjoint(
        {"script", "link", "iframe", "object", "form", "a", "base"}
    )
    attributes = {name for _tag, values in found.elements for name in values}
    assert attributes <= {
        *("alt", "charset", "checked", "class", "content", "decoding", "height", "http-equiv", "id", "lang", "name"),
        *("open", "src", "type", "width"),
    }
    assert all(
        str(values["src"]).startswith("data:image/webp;base64,") for _t, values in found.elements if "src" in values
    )
    assert page.startswith("<!doctype html>\n")


def test_page_shows_each_group_with_its_pictures_keeper_first(photos: Path) -> None:
    """What the table says is there: reason, kind, distance, size, and the thumbnails of the index."""
    page = written("dups")
    words = Reader(page).text
    thumbnails = images(page)

    assert "2 groups, 2 surplus files" in words
    assert words.index("keep oldesta/0.jpg") < words.index("surplus same bytesz/copy.jpg")
    assert re.search(r"surplus same picture, \d+ bitsz/half\.png\d+×\d+ · .*PNG", words)
    assert [picture.size == thumbnails[0].size for picture in thumbnails[:2]] == [True, True]
    assert len(thumbnails) == 4


def test_page_is_the_same_when_the_files_are_elsewhere(photos: Path) -> None:
    """Only the index is asked."""
    before = written("dups")
    for folder in "abz":
        shutil.rmtree(photos / folder)

    after = written("dups", to="after.html")

    times = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.sub(times, "", after) == re.sub(times, "", before)


def test_choice_of_kinds_needs_no_script(photos: Path) -> None:
    """A button for each kind that is there, with its number of groups, and a rule of the stylesheet for each kind."""
    page = written("dups")
    sheet = (Path(indexer.__file__).parent / "web" / "gallery.css").read_text()

    buttons = [values["id"] for tag, values in Reader(page).elements if tag == "input"]
    assert buttons == ["every-kind", "only-bytes", "only-same"]
    assert "bytes (1)same (1)" in Reader(page).text
    assert all(f"body:has(#only-{kind}:checked) .group:not(.{kind})" in sheet for kind in Kind)


def test_page_names_the_commands_that_do_what_it_shows(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Paths, options and the index are those that the page was asked for with."""
    asked = ["a", "z", "--kinds", "bytes, same", "--keep", "-bytes,oldest", "--prefer", "a", "--db", "imgindex.db"]
    words = Reader(written("dups", *asked)).text
    capsys.readouterr()

    command = "imgindex prune a z --kinds=bytes,same --keep=-bytes,oldest --prefer a --db imgindex.db"
    assert f"{command} shows what would be moved" in words
    assert f"{command.removesuffix(' --db imgindex.db')} --yes --db imgindex.db moves the surplus" in words
    assert "imgindex undo --db imgindex.db brings" in words
    assert run(command.split()[1:]) == 0
    assert "2 groups, 2 surplus files" in capsys.readouterr().out


@pytest.mark.parametrize("word", [*map(os.fsdecode, NAMES), "$(touch x)", "`x`", "a b", "~", "-n", "back\\slash\t", ""])
def test_words_of_commands_are_what_a_shell_reads(word: str) -> None:
    """Bash gives back the very bytes, and what is typed can be printed."""
    typed = shell_word(word)
    read = subprocess.run(["bash", "-c", f"printf %s {typed}"], capture_output=True, check=True).stdout

    assert read == os.fsencode(word)
    assert typed.isprintable()


def test_page_says_when_nothing_is_kept_twice(photos: Path) -> None:
    """There is a page all the same."""
    words = Reader(written("dups", "b")).text

    assert "No picture is kept twice" in words
    assert "Type next" not in words


def test_page_of_unverified_groups_says_so(photos: Path) -> None:
    """Equal hashes are no proof."""
    assert "Equal dHash is not verified" in Reader(written("dups", "--match", "hash")).text


def test_page_says_what_it_left_out(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many groups the first are shown; of too many pictures in a group, the names."""
    monkeypatch.setattr(looking, "MOST_GROUPS", 1)
    monkeypatch.setattr(gallery, "MOST_CARDS", 1)

    page = written("dups")
    run(["prune", "--yes", "--quiet"])
    moved = written("history", "2", to="moved.html")

    assert "1 group left out, as there is room for 1 on this page" in Reader(page).text
    assert "and 1 more:z/copy.jpg" in Reader(page).text
    assert len(images(page)) == 1
    assert "1 group left out, as there is room for 1 on this page: imgindex history 2 lists all" in Reader(moved).text
    assert len(images(moved)) == 1


def test_many_pictures_are_smaller(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of thousands stays small enough for a browser."""
    monkeypatch.setattr(looking, "MANY_CARDS", 3)
    monkeypatch.setattr(looking, "SMALL_SIDE", 48)

    assert {max(picture.size) for picture in images(written("dups"))} == {48}


def test_page_goes_to_standard_output(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dash prints it, and nothing else goes there."""
    assert run(["dups", "--html", "-"]) == 0
    out, err = capsys.readouterr()

    assert out.startswith("<!doctype html>")
    assert out.endswith("</html>\n")
    assert err == "2 groups, 2 surplus files, " + err.split("files, ")[1]


def test_page_never_overwrites(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What exists stays, a place that cannot be written is told."""
    (photos / "page.html").write_text("mine")

    assert run(["dups", "--html", "page.html"]) == 2
    assert run(["dups", "--html", "nowhere/page.html"]) == 2

    assert (photos / "page.html").read_text() == "mine"
    assert "'page.html' exists already" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), ValueError])
def test_half_a_page_is_not_left_behind(tmp_path: Path, error: BaseException | type[BaseException]) -> None:
    """Whatever ends the writing, there is no file, or the whole of it."""

    def pieces() -> Iterator[str]:
        yield "half"
        raise error

    with pytest.raises(UsageError if isinstance(error, OSError) else error):  # type: ignore[arg-type]
        output.write_pieces(os.fspath(tmp_path / "page.html"), pieces())

    assert not (tmp_path / "page.html").exists()


def test_page_is_made_row_by_row() -> None:
    """A row is written before the next one is asked for: memory does not grow with their number."""
    rows = count_up(Row("", ("same",), (Card(b"", True, "keep", "", "a"),), ()))
    pieces = gallery.page(gallery.Heading("t", ()), rows, iter([Preview(1, 1, b"x")] * 9))

    written = [piece for piece in islice(pieces, 9) if "<details" in piece]

    assert len(written) == 5
    assert next(rows).title == "6"


def count_up(row: Row) -> Iterator[Row]:
    """The same row for ever, with the number of each as its title."""
    for number in count(1):
        yield replace(row, title=str(number))


@pytest.mark.parametrize("other", [["--json"], ["-0"], ["--format", "fdupes"]])
@pytest.mark.parametrize("picture", [["--html", "p.html"], ["--montage", "p.png"]])
def test_pages_and_lists_exclude_each_other(
    other: list[str], picture: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """That is told before the index is looked for."""
    assert run(["dups", *other, *picture]) == 2
    assert "write files instead of printing groups" in capsys.readouterr().err


# --- contact sheets


def test_sheet_shows_the_thumbnails_keeper_first_and_framed(photos: Path) -> None:
    """The pixels of each stored thumbnail are on it, from left to right, and a frame is around the first alone."""
    index = Index(photos / "imgindex.db")
    groups = index.groups()
    digests = [file.digest for group in groups for file in (group.keeper, group.surplus[0].member)]
    thumbnails = [one for one in index.thumbnails(digests) if one]

    assert run(["dups", "--montage", "sheet.png"]) == 0

    with Image.open("sheet.png") as sheet:
        found = [places(sheet, thumbnail) for thumbnail in thumbnails]
        left = [corner[0] for corners in found for corner in corners]
        assert len(thumbnails) == 4
        assert min(map(len, found)) >= 1
        assert sorted(set(left)) == [montage.GAP, montage.GAP + montage.CELL + montage.GAP]
        keeper, surplus = sorted(found[0])[:2]
        assert sheet.getpixel((keeper[0] - 1, keeper[1])) == (15, 107, 53)
        assert sheet.getpixel((surplus[0] - 1, surplus[1])) == (255, 255, 255)


def places(sheet: Image.Image, thumbnail: Preview) -> list[tuple[int, int]]:
    """The corners at which a thumbnail lies in a sheet, pixel by pixel."""
    lines, width = sheet.tobytes(), 3 * sheet.width
    first = thumbnail.data[: 3 * thumbnail.width]
    found = []
    start = lines.find(first)
    while start >= 0:
        left, top = start % width // 3, start // width
        if start % 3 == 0:
            box = sheet.crop((left, top, left + thumbnail.width, top + thumbnail.height))
            found += [(left, top)] if box.tobytes() == thumbnail.data else []
        start = lines.find(first, start + 1)
    return found


def test_many_groups_become_many_sheets_and_the_rest_is_told(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """FILE.png, FILE-2.png, and a line about what was left out."""
    monkeypatch.setattr(montage, "MOST_ROWS", 1)
    assert run(["dups", "--montage", "sheet.png"]) == 0
    assert "Written to sheet.png, sheet-2.png" in capsys.readouterr().err
    assert [Path(name).read_bytes()[:4] for name in ("sheet.png", "sheet-2.png")] == [b"\x89PNG"] * 2

    monkeypatch.setattr(looking, "MOST_SHEETS", 1)
    assert run(["dups", "--montage", "first.png"]) == 0
    assert "1 group left out, as there is room for 1 on the sheets" in capsys.readouterr().err
    assert len(list(photos.glob("first*.png"))) == 1


def test_sheets_never_overwrite(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the second exists, not even the first is written."""
    monkeypatch.setattr(montage, "MOST_ROWS", 1)
    (photos / "sheet-2.png").write_text("mine")

    assert run(["dups", "--montage", "sheet.png"]) == 2

    assert (photos / "sheet-2.png").read_text() == "mine"
    assert not (photos / "sheet.png").exists()


def test_sheet_must_be_called_a_png(photos: Path) -> None:
    """Nothing else is written."""
    assert [run(["dups", "--montage", name]) for name in ("sheet.jpg", "sheet", "-")] == [2, 2, 2]


def test_no_sheet_without_groups(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to draw, and it is said."""
    assert run(["dups", "b", "--montage", "sheet.png"]) == 0

    assert capsys.readouterr().err.startswith("No duplicates")
    assert not (photos / "sheet.png").exists()


def test_picture_that_the_index_has_not_leaves_a_grey_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said there, as is how many pictures had no room."""
    lines: list[str] = []
    write = montage._write
    monkeypatch.setattr(montage, "_write", lambda *line: (lines.append(line[2]), write(*line)))
    card = Card(b"", False, "surplus", "same bytes", "a.jpg", "1×1", ("b.jpg",))

    sheet = next(montage.sheets([Row("", (), (card,), ("rest",))], iter([None]), "t"))

    assert lines == ["t", *LINES, "and 1 more"]
    assert sheet.width == 2 * (montage.CELL + montage.GAP) + montage.GAP
    assert sheet.getpixel((montage.GAP, sheet.height - 1 - montage.GAP - 5 * montage.LINE)) == (233, 235, 239)


LINES = ["no picture in the index", "same bytes", "a.jpg", "1×1", "and 1 more names of this file"]


@pytest.mark.parametrize("words", ["a" * 300, "short.jpg", "W" * 60, "\u65e5\u672c" * 50, "\u0600x"])
def test_lines_fit_and_keep_their_ends(words: str) -> None:
    """A line is no wider than its picture; what was too long keeps how it began and how it ended."""
    font, drawable = montage._legible(words)
    fitted = montage._shortened(drawable, font, montage.CELL)

    assert font.getlength(fitted) <= montage.CELL
    assert fitted == drawable or (fitted[0], fitted[-1]) == (drawable[0], drawable[-1])
    assert all(montage._has(font, letter) for letter in drawable)


# --- what a run moved


def test_history_shows_what_a_prune_moved_and_what_became_of_it(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As lines, as objects and as a page with pictures, after the prune and after its undo."""
    assert run(["prune", "--yes", "--quiet"]) == 0
    capsys.readouterr()
    run(["history", "2"])
    lines = capsys.readouterr().out.splitlines()
    run(["history", "2", "--json"])
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    page = written("history", "2")
    run(["undo", "--quiet"])
    back = Reader(written("history", "2", to="back.html")).text

    assert [line.split("  ")[0] for line in lines[:2]] == ["in the quarantine"] * 2
    assert lines[0].endswith("z/copy.jpg  (kept: a/0.jpg)")
    assert lines[2] == "2 files in the quarantine."
    assert [(one["path"], one["kind"], one["state"]) for one in objects] == [
        ("z/copy.txt", "sidecar", "moved"),
        ("z/copy.jpg", "bytes", "moved"),
        ("z/half.png", "same", "moved"),
    ]
    words = Reader(page).text
    assert "kept a/0.jpg" in words
    assert "in the quarantine same bytesz/copy.jpg" in words
    assert "with 1 sidecar" in words
    assert "imgindex undo 2 brings" in words
    assert len(images(page)) == 4
    assert "2 files brought back." in back
    assert "imgindex undo" not in back


def test_history_of_links_says_what_they_are(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that was replaced by a link did not go to the quarantine."""
    assert run(["prune", "--link", "hard", "--yes", "--quiet"]) == 0
    capsys.readouterr()

    run(["history", "2"])

    assert "now a hard link" in capsys.readouterr().out


def test_history_page_needs_a_run_that_moved_something(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which run must be said, and a page of nothing is none."""
    assert run(["history", "--html", "p.html"]) == 2
    assert run(["history", "1", "--html", "p.html"]) == 2
    assert "run 1 moved no pictures" in capsys.readouterr().err
    assert run(["history", "1", "--json", "--html", "p.html"]) == 2
    assert not (photos / "p.html").exists()

    assert run(["history", "1"]) == 0
    assert capsys.readouterr().out == "Nothing moved.\n"
