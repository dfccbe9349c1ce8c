"""The commands about rejected pictures: what they print, where, and their exit codes."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest
from rejecting import AGAIN, BAD, BIGGER, COPY, WHY, come_again, marks, resaved, with_bad
from support import tree

from indexer import Index
from indexer.entry import run


@pytest.fixture
def photos(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos of which one, with a copy, should not be there; the current folder, with its index."""
    photos = with_bad(tmp_path, index)
    monkeypatch.chdir(photos)
    monkeypatch.setenv("IMGINDEX_DB", index.path)
    return photos


def objects(text: str) -> list[dict[str, object]]:
    """Lines of JSON."""
    return [json.loads(line) for line in text.splitlines()]


def test_reject_shows_what_it_would_do_and_does_it_with_yes(
    photos: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same lines both times; nothing changes without --yes, or with --dry-run."""
    before = tree(photos)
    assert run(["reject", BAD, "--reason", WHY]) == 0
    shown = capsys.readouterr().out
    assert run(["reject", BAD, "--reason", WHY, "--yes", "--dry-run"]) == 0
    assert capsys.readouterr().out == shown
    assert (tree(photos), marks(index)) == (before, [])

    assert run(["reject", BAD, "--reason", WHY, "--yes"]) == 0
    told = capsys.readouterr().out

    assert [line.split()[0] for line in shown.splitlines()[:3]] == ["reject", "reject", "with"]
    assert f"({WHY})" in shown
    assert "To move these files into the quarantine, add --yes" in shown
    assert told.splitlines()[:4] == shown.splitlines()[:4]
    assert "2 files" in told
    assert "with 1 sidecar moved to the quarantine as run 2" in told
    assert "To take it back: imgindex undo 2. To free the space: imgindex purge" in told
    assert run(["undo", "--quiet"]) == 0
    assert tree(photos) == before


def test_reject_prints_json_with_stable_keys(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An object a file, then one about what was done."""
    assert run(["reject", COPY, "nowhere.jpg", "--reason", WHY, "--yes", "--json"]) == 3
    *files, done = objects(capsys.readouterr().out)

    keys = {"move", "rejected", "shows", "kind", "bits", "evidence", "bytes", "sidecars"}
    assert [set(one) for one in files] == [keys, keys]
    assert [(one["move"], one["rejected"], one["kind"]) for one in files] == [(BAD, WHY, "bytes"), (COPY, WHY, "bytes")]
    assert files[1]["sidecars"] == ["z/copy.txt"]
    assert (done["moved"], done["sidecars"]) == (2, 1)


@pytest.mark.parametrize("separator", ["\n", "\0"], ids=["lines", "NULs"])
def test_reject_takes_a_list_from_standard_input(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch, separator: str
) -> None:
    """A path a line, or ended by NULs."""
    data = f"{BAD}{separator}b/1.jpg{separator}".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    words = ["-0"] if separator == "\0" else []
    assert run(["reject", "--files-from", "-", *words, "--reason", WHY, "--yes", "--quiet"]) == 0

    assert len(marks(index)) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["reject", "--reason", WHY], "name pictures, or a list of them"),
        (["reject", BAD, "--files-from", "list", "--reason", WHY], "name pictures, or a list of them"),
        (["reject", BAD], "a reason is one line"),
        (["reject", BAD, "--reason", "a\nb"], "a reason is one line"),
        (["rejected", "forget", BAD], "is not rejected"),
        (["prune", "--returned", "--plan-out", "plan"], "--plan-out"),
        (["prune", "--returned", "--plan", "plan"], "--plan"),
        (["prune", "--returned", "--reviewed"], "--reviewed"),
        (["prune", "--returned", "--kinds", "edited"], "--kinds"),
        (["prune", "--returned", "a"], "PATH"),
    ],
)
def test_calls_that_make_no_sense_say_so(
    photos: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """With exit code 2, on standard error."""
    assert run(words) == 2
    found = capsys.readouterr()

    assert (found.out, told in found.err) == ("", True)


def test_prune_returned_takes_what_is_no_better_and_names_the_rest(
    photos: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """`index` says that something returned; the better one is left, with exit code 3."""
    run(["reject", BAD, "--reason", WHY, "--yes", "--quiet"])
    (photos / AGAIN).write_bytes(resaved(0, 2 / 3))
    (photos / BIGGER).write_bytes(resaved(0, 3 / 2, "PNG"))
    capsys.readouterr()

    assert run(["index", "--jobs", "0"]) == 0
    told = capsys.readouterr().out
    assert "1 file returned, which show what was rejected: imgindex prune --returned\n" in told
    assert (
        "1 file returned, with more pixels than what was rejected, and stay until you decide: imgindex reject" in told
    )
    assert run(["prune", "--returned"]) == 3
    found = capsys.readouterr()
    assert f"{AGAIN}  ({WHY}; same picture, " in found.out
    assert "1 file, " in found.out
    assert f"left alone: {BIGGER}: shows what was rejected ({WHY}): more pixels than what was rejected" in found.err
    assert (photos / AGAIN).exists()

    assert run(["prune", "--returned", "--yes", "--quiet"]) == 3
    assert (photos / BIGGER).exists()
    assert not (photos / AGAIN).exists()
    assert run(["undo", "--quiet"]) == 0
    assert (photos / AGAIN).exists()


def test_reject_says_when_another_encoding_is_left(
    photos: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows the same picture, and is returned from then on."""
    come_again(photos, index)

    assert run(["reject", BAD, "--reason", WHY, "--yes"]) == 0

    assert capsys.readouterr().out.endswith(
        "1 file returned, which show what was rejected: imgindex prune --returned\n"
        "1 file returned, with more pixels than what was rejected, and stay until you decide: imgindex reject FILE, or"
        " imgindex rejected forget FILE\n"
    )


def test_index_says_of_what_thumbnails_show_that_it_is_unsure(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rejected file was purged; `prune --returned` would take nothing, and `index` does not say that it would."""
    run(["reject", BAD, "--reason", WHY, "--yes", "--quiet"])
    run(["purge", "--older-than", "0s", "--yes", "--quiet"])
    (photos / AGAIN).write_bytes(resaved(0, 2 / 3))
    capsys.readouterr()

    assert run(["index", "--jobs", "0"]) == 0

    told = capsys.readouterr().out
    assert told.count(" returned, ") == 1
    assert "1 file returned, as thumbnails alone say: look, then imgindex prune --returned --unconfirmed\n" in told


@pytest.mark.parametrize(
    ("scale", "code", "told"),
    [
        (2 / 3, 3, "what would stay shows what was rejected: imgindex prune --returned first\n"),
        (3 / 2, 0, "1 kept file of these groups returned, with more pixels than what was rejected, and stay until you"),
    ],
    ids=["smaller", "larger"],
)
def test_prune_says_when_a_kept_file_shows_what_was_rejected(
    photos: Path, index: Index, capsys: pytest.CaptureFixture[str], scale: float, code: int, told: str
) -> None:
    """It does not keep one silently: it refuses what `prune --returned` takes, and tells of what that leaves."""
    run(["reject", BAD, "--reason", WHY, "--yes", "--quiet"])
    for name in (AGAIN, "z/once more.webp"):
        (photos / name).write_bytes(resaved(0, scale))
    index.update(photos, jobs=0)
    capsys.readouterr()

    assert run(["prune"]) == code
    assert told in capsys.readouterr().err


def test_rejected_list_tells_what_is_known(photos: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """As text and as JSON, with and without the file; an empty one says so."""
    assert run(["rejected", "list"]) == 0
    assert capsys.readouterr().out == "Nothing was rejected.\n"
    run(["reject", BAD, "--reason", WHY, "--yes", "--quiet"])
    assert run(["rejected", "list"]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert run(["rejected", "list", "--json"]) == 0
    (found,) = objects(capsys.readouterr().out)

    assert f"320×280  in the quarantine  {BAD}  ({WHY})" in line
    assert total == "1 rejected picture, 1 in the quarantine."
    assert (found["path"], found["reason"], found["in_quarantine"], found["width"]) == (BAD, WHY, True, 320)
    assert set(found) == {"digest", "reason", "rejected", "path", "width", "height", "in_quarantine"}
    assert found["digest"] == marks(index)[0][0].hex()  # type: ignore[attr-defined]

    run(["purge", "--older-than", "0s", "--yes", "--quiet"])
    capsys.readouterr()
    run(["rejected", "list"])
    assert "no file" in capsys.readouterr().out


def test_export_and_import_by_files(
    photos: Path, index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is exported is taken in by another index; an existing file is not overwritten."""
    run(["reject", BAD, "--reason", WHY, "--yes", "--quiet"])
    target, other = str(tmp_path / "out.jsonl"), str(tmp_path / "other.db")
    assert run(["rejected", "export", target]) == 0
    assert run(["rejected", "export", target]) == 2
    capsys.readouterr()

    assert run(["rejected", "import", target, "--db", other]) == 0
    assert capsys.readouterr().out == "1 rejected picture taken in, 0 known already.\n"
    assert run(["rejected", "import", target, "--db", other, "--json"]) == 0
    assert objects(capsys.readouterr().out) == [{"new": 0, "known": 1, "bytes_only": 0}]
    assert run(["rejected", "export", "-", "--db", other]) == 0
    again, first = (json.loads(text) for text in (capsys.readouterr().out, Path(target).read_text()))
    assert again["fingerprint"].pop("look") != first["fingerprint"].pop("look")  # of a claim, it equals nobody's
    assert again == first
    assert run(["rejected", "forget", str(index.rejected()[0].mark.digest.hex()), "--db", other]) == 0
    assert capsys.readouterr().out == "1 picture no longer rejected.\n"


def test_status_history_quarantine_and_check_tell_of_it(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The count, the run, the files, and the reason before a picture is stored."""
    picture = resaved(0, 2 / 3)
    (photos.parent / "new.webp").write_bytes(picture)
    assert run(["check", "../new.webp", "--json"]) == 10
    (found,) = objects(capsys.readouterr().out)
    assert (found["rejected"], found["better"]) == (None, None)
    run(["reject", BAD, "--reason", WHY, "--yes", "--quiet"])
    capsys.readouterr()

    assert run(["status"]) == 0
    assert "1 rejected picture: imgindex rejected list" in capsys.readouterr().out
    assert run(["status", "--json"]) == 0
    assert objects(capsys.readouterr().out)[0]["rejected"] == 1
    assert run(["history", "2"]) == 0
    assert capsys.readouterr().out.count("rejected: nothing stands for it") == 2
    assert run(["quarantine", "list"]) == 0
    assert capsys.readouterr().out.count("rejected") == 2
    assert run(["check", "../new.webp"]) == 10
    assert f"no file of it is left; rejected: {WHY})" in capsys.readouterr().out
    assert run(["check", "../new.webp", "--json"]) == 10
    (found,) = objects(capsys.readouterr().out)
    assert (found["rejected"], found["better"]) == (WHY, False)
    (photos.parent / "larger.png").write_bytes(resaved(0, 3 / 2, "PNG"))
    assert run(["check", "../larger.png"]) == 10
    assert f"rejected: {WHY}; this one has more pixels)" in capsys.readouterr().out
    assert run(["check", "../larger.png", "--json"]) == 10
    assert objects(capsys.readouterr().out)[0]["better"] is True


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_names_and_reasons_are_escaped(photos: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is not UTF-8 and moves the cursor; a reason that somebody wrote into the database."""
    name = os.fsdecode(b"\xff\x1b[2J.jpg")
    (photos / BAD).rename(photos / name)
    index.update(photos, jobs=0)
    run(["reject", name, "--reason", WHY, "--yes"])
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE rejected SET reason = 'a' || char(27) || '[2Jb'")
    db.close()
    run(["rejected", "list"])
    run(["prune", "--returned"])

    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "\\xff\\x1b[2J.jpg" in told.out
    assert "a\\x1b[2Jb" in told.out
