"""`imgindex report` as people and scripts use it: text, JSON and a page."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from pages import NAMES, Reader, images
from support import make_photos, migrated, settle

from indexer import Index
from indexer.brought import Brought
from indexer.drawing import drawn, encoded
from indexer.entry import run
from indexer.lock import locked


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: six photos of run 1; a copy, a new one and a broken one of run 2, called `May <1>`."""
    make_photos(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    index = Index("imgindex.db")
    index.update("photos", jobs=0)
    shutil.copy2("photos/a/0.jpg", "photos/copy.jpg")
    (tmp_path / "photos" / "b" / "new.jpg").write_bytes(encoded(drawn(30)))
    (tmp_path / "photos" / "b" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    index.update("photos", jobs=0, label="May <1>")
    return tmp_path


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """What a command that ends well prints."""
    capsys.readouterr()
    assert run([*arguments]) == 0
    return capsys.readouterr().out.splitlines()


def objects(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    """The same as objects."""
    return [json.loads(line) for line in lines(capsys, *arguments, "--json")]


COUNTS = dict.fromkeys(map(str, Brought), 0)


def test_report_is_a_table_of_outcomes_and_one_of_sources(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Outcomes that do not occur are left out; sources with the most files come first."""
    size = sum(os.path.getsize(f"photos/{name}") for name in ("copy.jpg", "b/new.jpg", "b/broken.jpg"))

    found = lines(capsys, "report")

    assert found[0].startswith(f"Run 2 (May <1>) brought 3 files, {size / 1000:.1f} kB (20")
    assert [line.split()[:3] for line in found[2:6]] == [
        ["outcome", "files", "share"],
        ["new", "1", "33.3"],
        ["bytes", "1", "33.3"],
        ["unreadable", "1", "33.3"],
    ]
    assert [line.split() for line in found[7:]] == [
        ["files", "new", "bytes", "unreadable", "source"],
        ["2", "1", "0", "1", "photos/b"],
        ["1", "0", "1", "0", "photos"],
    ]


def test_long_tables_are_cut_and_say_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to type to see the rest."""
    found = lines(capsys, "report", "1..2", "--by", "folder", "--limit", "1")

    assert found[0].startswith("2 runs, 1 to 2 (May <1>), brought 9 files")
    assert found[-2:] == ["        5          4          0          1  photos/b", "and 2 folders more: --limit 3"]


def test_files_are_listed_with_what_they_are_known_as(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By path; --only chooses outcomes."""
    found = lines(capsys, "report", "--files")

    assert [line.split()[0] for line in found] == ["unreadable", "new", "bytes"]
    assert found[2].endswith("  photos/copy.jpg  (photos/a/0.jpg)")
    assert lines(capsys, "report", "May <1>", "--files", "--only", "bytes, new") == found[1:]


def test_json_has_a_line_for_each_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The keys are those of docs/scrapes.md."""
    size = os.path.getsize("photos/copy.jpg")
    new, broken = os.path.getsize("photos/b/new.jpg"), os.path.getsize("photos/b/broken.jpg")

    found = objects(capsys, "report")

    (scrape,) = [one for one in found if one["line"] == "run"]
    assert scrape.pop("started") < scrape.pop("finished")  # type: ignore[operator]
    outcomes = {**COUNTS, "new": 1, "bytes": 1, "unreadable": 1}
    whole = {"files": 3, "bytes": size + new + broken, "outcomes": outcomes}
    assert scrape == {"line": "run", "run": 2, "label": "May <1>", "remembered": True, **whole}
    totals = [one for one in found if one["line"] == "total"]
    assert [one["outcome"] for one in totals] == [*map(str, Brought)]
    assert totals[2] == {"line": "total", "outcome": "bytes", "files": 1, "bytes": size, "share": 0.3333}
    assert found[-1] == {
        "line": "source",
        "path": "photos",
        "files": 1,
        "bytes": size,
        "outcomes": {**COUNTS, "bytes": 1},
    }
    assert [one["path"] for one in objects(capsys, "report", "--by", "folder") if one["line"] == "folder"] == [
        "photos/b",
        "photos",
    ]


def test_files_as_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What does not apply is null."""
    found = objects(capsys, "report", "--files")

    assert [[*one] for one in found] == [["run", "path", "bytes", "outcome", "known_as", "digest"]] * 3
    assert [(one["path"], one["outcome"], one["known_as"]) for one in found] == [
        ("photos/b/broken.jpg", "unreadable", None),
        ("photos/b/new.jpg", "new", None),
        ("photos/copy.jpg", "bytes", "photos/a/0.jpg"),
    ]


def test_trend_is_a_line_a_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs that brought nothing and have no name are left out, also as JSON."""
    assert run(["index", "photos", "--jobs", "0", "--quiet"]) == 3

    found = [line.split() for line in lines(capsys, "report", "--trend")]

    assert [line[:1] + line[3:] for line in found[1:]] == [
        ["1", "6", "6", "0", "0"],
        ["2", "3", "1", "1", "1", "May", "<1>"],
    ]
    assert found[0] == ["run", "started", "files", "new", "bytes", "unreadable", "label"]
    told = objects(capsys, "report", "--trend")
    assert [(one["run"], one["files"], one["label"]) for one in told] == [(1, 6, None), (2, 3, "May <1>")]


def test_label_is_shown_wherever_runs_are(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By `index` and `history`, for people and for scripts."""
    (here / "photos" / "more.jpg").write_bytes(encoded(drawn(31)))

    assert run(["index", "photos", "--jobs", "0", "--label", "June", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["label"] == "June"
    assert [one["label"] for one in objects(capsys, "history")] == ["June", "May <1>", None]
    assert "index       June: files 10, new 1" in lines(capsys, "history")[0]


def test_index_tells_of_the_report_where_there_is_something_to_tell(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in the first run without a name, nor when nothing came."""
    tip = "To see what of this is new, and what was known: imgindex report"
    run(["index", "photos", "--jobs", "0"])
    assert tip not in capsys.readouterr().out
    (here / "photos" / "more.jpg").write_bytes(encoded(drawn(31)))
    run(["index", "photos", "--jobs", "0"])
    assert tip in capsys.readouterr().out

    for label, told in ((None, False), ("first", True)):
        run(["index", "photos", "--jobs", "0", "--db", f"{label}.db", *(["--label", label] if label else [])])
        assert (tip in capsys.readouterr().out) is told


def test_run_that_brought_nothing_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, and its page has no table of it."""
    run(["index", "photos", "--jobs", "0", "--quiet"])

    assert [line.split(" (")[0] for line in lines(capsys, "report")] == ["Run 3 brought nothing"]
    assert run(["report", "--html", "page.html"]) == 0
    words = Reader(Path("page.html").read_text(encoding="utf-8")).text
    assert "What came" not in words
    assert "Run by run" in words


def test_what_is_not_known_of_runs_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of those that were interrupted, and those of an older imgindex."""
    path = migrated(tmp_path / "imgindex.db", "0006")
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO run VALUES (1, 'index', 1, 2, '{\"new\": 5}'), (2, 'index', 3, NULL, '{}')")
    db.close()
    photos = make_photos(tmp_path / "photos")
    Index(path).update(photos, jobs=0)

    told = lines(capsys, "report", "1..3", "--db", str(path))

    assert told[0].startswith("3 runs, 1 to 3, brought 6 files")
    assert told[1:3] == [
        "Run 1 is of an older imgindex, which did not remember what it brought.",
        "Run 2 was interrupted: what it read counts for the run that finished it.",
    ]
    trend = lines(capsys, "report", "--trend", "--db", str(path))
    assert [line.split()[0] for line in trend[1:3]] == ["1", "3"]
    assert trend[1].split()[-1] == "?"
    assert trend[3].startswith("Runs with ? are of an older imgindex")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["9"], "there is no index run '9'"),
        (["9" * 5000], "there is no index run '999"),
        (["²"], "there is no index run '²'"),
        (["\x1b[2J"], "there is no index run '\\x1b[2J'"),
        (["--only", "new"], "--only chooses among files"),
        (["--files", "--only", "news"], "unknown outcome 'news'"),
        (["--files", "--trend"], "are three reports"),
        (["--html", "a.html", "--json"], "--html writes a page"),
        (["1", "--trend"], "--trend shows all runs"),
        (["2..1"], "run 2 comes after run 1"),
        (["--limit", "0"], "--limit"),
        (["--limit", "3", "--json"], "leave out --limit"),
        (["--by", "folder", "--files"], "are about the table"),
        (["--limit", "3", "--trend"], "are about the table"),
        (["--by", "source", "--html", "a.html"], "are about the table"),
    ],
)
def test_calls_that_make_no_sense_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """With the reason, exit code 2, and nothing on standard output."""
    assert run(["report", *arguments]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""
    assert not Path("a.html").exists()


def test_label_that_cannot_be_one_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is read."""
    assert run(["index", "photos", "--label", "7"]) == 2
    assert "cannot be a label" in capsys.readouterr().err


# --- the page


def test_page_has_totals_folders_runs_and_pictures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture of each content that came, and a bar for each run; it works when the files are elsewhere."""
    shutil.rmtree("photos/b")

    assert run(["report", "2", "--html", "page.html"]) == 0
    assert run(["report", "2", "--html", "page.html"]) == 2  # it is there already
    page = Path("page.html").read_text(encoding="utf-8")
    found = Reader(page)

    assert "What the scrape brought" in found.text
    assert "new133.3 %" in found.text
    assert "photos/b2101" in found.text
    assert "May <1> this page" in found.text
    assert len(images(page)) == 2  # what is unreadable has none
    bars = [values for tag, values in found.elements if tag == "rect"]
    assert [(one["class"], one["width"]) for one in bars] == [
        *[("fresh", "400.00"), ("fresh", "66.67"), ("known", "66.67"), ("wrong", "66.67")]
    ]
    assert "imgindex report 2 --files lists the files" in found.text
    assert "as photos/a/0.jpg" in found.text


def test_page_has_no_script_and_asks_nobody_for_anything(here: Path) -> None:
    """Like the page of groups; no attribute holds a style, which its policy forbids."""
    assert run(["report", "--html", "page.html"]) == 0
    found = Reader(Path("page.html").read_text(encoding="utf-8"))

    assert {tag for tag, _values in found.elements}.isdisjoint({"script", "link", "iframe", "object", "form", "a"})
    names = {name for _tag, values in found.elements for name in values}
    assert not {name for name in names if name.startswith("on") or name in {"style", "href", "xlink:href"}}


def test_examples_are_few_and_the_rest_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve pictures of an outcome are enough to see what it means; the title says that there are more."""
    data = Path("photos/a/0.jpg").read_bytes()
    for number in range(15):
        (here / "photos" / f"copy-{number}.jpg").write_bytes(data)
    run(["index", "photos", "--jobs", "0", "--quiet"])

    assert run(["report", "--html", "page.html"]) == 0
    page = Path("page.html").read_text(encoding="utf-8")

    assert len(images(page)) == 12
    assert "bytes: the same bytes as another file (15 files, 12 of them here)" in Reader(page).text


def test_hostile_names_and_labels_appear_as_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Markup, quotes, line breaks, bidirectional characters, bytes that are not UTF-8: in text, JSON and page."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(NAMES):
        folder = os.path.join(b"photos", name.removesuffix(b".jpg"))
        os.makedirs(folder)
        with open(os.path.join(folder, name), "wb") as stream:
            stream.write(encoded(drawn(number)))
    label = "<img src=x onerror=alert(1)>"
    assert run(["index", "photos", "--jobs", "0", "--quiet", "--label", label]) == 0

    text = lines(capsys, "report", label, "--files")
    folders = lines(capsys, "report", "--by", "folder")
    told = objects(capsys, "report", "--files")
    assert run(["report", "--html", "page.html"]) == 0
    found = Reader(Path("page.html").read_text(encoding="utf-8"))

    assert {line.split("photos/", 1)[1].split("/", 1)[1] for line in text} == set(NAMES.values())
    assert len(folders) == len(NAMES) + 6
    assert {os.fsencode(str(one["path"])).split(b"/")[2] for one in told} == set(NAMES)
    assert all(shown in found.text for shown in NAMES.values())
    assert label in found.text
    assert len([tag for tag, _values in found.elements if tag == "img"]) == len(NAMES)


def test_report_reads_an_index_that_is_being_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It takes no lock and changes nothing."""
    before = Path("imgindex.db").read_bytes()
    with locked(str(here / "imgindex.db")):
        assert lines(capsys, "report")[0].startswith("Run 2")
    assert Path("imgindex.db").read_bytes() == before


def test_settled_index_brings_nothing_twice(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run over what is there does not tell of it again."""
    settle(Index("imgindex.db"))
    run(["index", "photos", "--jobs", "0", "--quiet"])

    assert lines(capsys, "report", "--files") == []
