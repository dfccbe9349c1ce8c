"""The command line of prune, conflicts, undo, purge and quarantine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import aged, make_photos, tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.entry import run

GROUP = {"keep", "why", "surplus", "links", "bytes"}
DONE = {"run", "moved", "sidecars", "refused", "updated", "bytes", "seconds"}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos in a and b, a copy with a caption in z, one saved again there, and a cat that is a dog; the current folder."""
    folder = make_photos(tmp_path / "data" / "photos")
    for name in ("z", "cat", "dog"):
        (folder / name).mkdir()
    shutil.copy2(folder / "a" / "0.jpg", folder / "z" / "copy.jpg")
    aged(folder / "z" / "copy.jpg", seconds=-500)
    for path in ("a/0.txt", "z/copy.txt"):
        (folder / path).write_text("a mosaic\n")
    picture = drawn(4)
    half = picture.resize((picture.width // 2, picture.height // 2))
    (folder / "z" / "half.png").write_bytes(encoded(half, "PNG"))
    for place in ("cat", "dog"):
        (folder / place / "1.jpg").write_bytes(encoded(drawn(60)))
        aged(folder / place / "1.jpg", seconds=100 if place == "cat" else 50)
    monkeypatch.chdir(folder)
    Index(tmp_path / "data" / "imgindex.db").update(folder, jobs=0)
    return folder


def objects(text: str) -> list[dict[str, object]]:
    """The lines of some output as objects."""
    return [json.loads(line) for line in text.splitlines()]


def test_prune_leaves_conflicts_lists_them_and_ends_with_3(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are moved with their captions, and the words say moved."""
    code = run(["prune", "--yes"])
    out = capsys.readouterr().out

    assert code == 3
    assert "conflict" in out
    assert "class 'dog' instead of 'cat'" in out
    assert "2 files" in out
    assert "with 1 sidecar moved to the quarantine as run 2; " not in out
    assert "moved to the quarantine as run 2" in out
    assert "delete" not in out.lower()
    assert not (photos / "z" / "copy.jpg").exists()
    assert not (photos / "z" / "copy.txt").exists()
    assert (photos / "dog" / "1.jpg").exists()


@pytest.mark.parametrize(
    ("options", "code", "left"),
    [
        pytest.param(["--on-conflict", "skip"], 0, True, id="skip"),
        pytest.param(["--on-conflict", "prune"], 0, False, id="prune"),
        pytest.param(["--on-conflict", "merge"], 3, True, id="two classes cannot be merged"),
        pytest.param(["--no-class-folders"], 0, False, id="folders are no classes"),
        pytest.param(["--class-folders"], 3, True, id="every folder is a class"),
    ],
)
def test_conflicts_are_treated_as_asked(photos: Path, options: list[str], code: int, left: bool) -> None:
    """And the exit code says whether something was left that nobody asked to leave."""
    assert run(["prune", "--yes", "-q", *options]) == code
    assert (photos / "dog" / "1.jpg").exists() is left


@pytest.mark.parametrize(
    ("options", "moved"),
    [
        pytest.param([], {"z/copy.jpg", "z/half.png"}, id="as it is"),
        pytest.param(["--keep", "-pixels"], {"z/copy.jpg", "a/4.jpg"}, id="the smallest stays"),
        pytest.param(["--keep", "newest"], {"a/0.jpg", "a/4.jpg"}, id="the newest stays"),
        pytest.param(["--keep", "format"], {"z/copy.jpg", "a/4.jpg"}, id="without loss first"),
        pytest.param(["--prefer", "z"], {"a/0.jpg", "a/4.jpg"}, id="preferred"),
        pytest.param(["--prefer", "*.png"], {"z/copy.jpg", "a/4.jpg"}, id="preferred glob"),
        pytest.param(["--protect", "z"], {"a/0.jpg", "a/4.jpg"}, id="protected stand for others"),
        pytest.param(["--protect", "z", "--protect", "a"], set(), id="all protected"),
        pytest.param(["--only-if-in", "a"], {"z/copy.jpg", "z/half.png"}, id="only if in a"),
        pytest.param(["--only-if-in", "b"], set(), id="only if in b"),
        pytest.param(["--within", "z"], set(), id="within"),
        pytest.param(["--within", "."], {"z/copy.jpg", "z/half.png"}, id="within the larger"),
        pytest.param(["--across", "a", "z"], {"z/copy.jpg", "z/half.png"}, id="across"),
        pytest.param(["--across", "a", "b"], set(), id="across others"),
        pytest.param(["--kinds", "same"], {"z/half.png"}, id="kinds"),
        pytest.param(["z", "a", "--kinds", "bytes"], {"z/copy.jpg"}, id="paths"),
        pytest.param(["--isolated"], {"z/copy.jpg", "z/half.png"}, id="isolated"),
    ],
)
def test_rules_choose_what_goes(photos: Path, options: list[str], moved: set[str]) -> None:
    """Each by itself; folders and globs are relative to the current folder."""
    before = set(tree(photos))

    code = run(["prune", "--yes", "-q", "--on-conflict", "skip", *options])

    gone = before - set(tree(photos))
    assert code == 0
    assert {path for path in gone if not path.endswith(".txt")} == moved


def test_dups_takes_the_same_rules_and_settings(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The settings beside the index count, the command line outranks them, and --isolated passes them over."""
    (photos.parent / "imgindex.toml").write_text('prefer = "photos/z"\nkinds = ["bytes"]\n')

    keeps = []
    for options in ([], ["--prefer", "a"], ["--isolated", "--kinds", "bytes"]):
        assert run(["dups", "--json", *options]) == 0
        keeps.append([group["keep"] for group in objects(capsys.readouterr().out)])

    assert keeps == [["cat/1.jpg", "z/copy.jpg"], ["a/0.jpg", "cat/1.jpg"], ["a/0.jpg", "cat/1.jpg"]]


def test_settings_protect_whatever_the_options_say(photos: Path) -> None:
    """--prefer and --keep do not outrank them."""
    (photos.parent / "pyproject.toml").write_text('[tool.imgindex]\nprotect = ["photos/z"]\n')

    assert run(["prune", "--yes", "-q", "--prefer", "a", "--on-conflict", "skip"]) == 0
    assert (photos / "z" / "copy.jpg").exists()
    assert (photos / "a" / "0.jpg").exists()


def test_json_has_stable_keys(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Groups and conflicts, then one object about what was done; likewise undo, purge, conflicts and the quarantine."""
    (photos / "all.txt").write_text("z/copy.jpg\na/0.jpg\n")
    assert run(["prune", "--yes", "--json", "--update", "all.txt"]) == 3
    *groups, done = objects(capsys.readouterr().out)
    assert run(["quarantine", "list", "--json"]) == 0
    held = objects(capsys.readouterr().out)
    assert run(["conflicts", "--json"]) == 0
    conflicts = objects(capsys.readouterr().out)
    assert run(["quarantine", "verify", "--json"]) == 0
    verified = objects(capsys.readouterr().out)
    assert run(["purge", "--json"]) == 0
    purged = objects(capsys.readouterr().out)
    assert run(["undo", "--json"]) == 0
    undone = objects(capsys.readouterr().out)

    assert {frozenset(group) for group in groups} == {frozenset({*GROUP, "differences"})}
    assert [bool(group["differences"]) for group in groups] == [False, False, True]
    assert groups[0]["surplus"][0].keys() == {"path", "kind", "bits", "evidence", "sidecars"}  # type: ignore[index]
    assert (set(done), done["moved"], done["sidecars"], done["refused"]) == (DONE, 2, 1, [])
    assert done["updated"] == [{"path": "all.txt", "rows": 1, "ambiguous": []}]
    keys = {"run", "since", "kind", "bytes", "path", "payload", "keeper", "digest", "action"}
    assert {frozenset(one) for one in held} == {frozenset(keys)}
    assert [set(one) for one in conflicts] == [{*GROUP, "differences"}]
    assert verified == [{"files": 4, "problems": []}]
    assert [set(one) for one in (*purged, *undone)] == [DONE, DONE]


def test_update_tells_what_it_would_do_and_does_it(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same number of rows, and undo puts the file back."""
    (photos / "all.txt").write_text("a/0.jpg\nz/copy.jpg\nz/half.png 3\n")
    before = tree(photos)

    run(["prune", "--update", "all.txt"])
    dry = capsys.readouterr().out
    run(["prune", "--yes", "--update", "all.txt"])
    real = capsys.readouterr().out
    between = (photos / "all.txt").read_text()
    run(["undo", "-q"])

    assert "all.txt would lose 2 rows" in dry
    assert "all.txt lost 2 rows" in real
    assert between == "a/0.jpg\n"
    assert tree(photos) == before


def test_update_completes_what_an_earlier_prune_left(photos: Path) -> None:
    """Rows of pictures pruned before are dropped, also when nothing is left to move."""
    run(["prune", "--yes", "-q"])
    (photos / "all.txt").write_text("a/0.jpg\nz/copy.jpg\n")

    code = run(["prune", "--yes", "-q", "--update", "all.txt", "--on-conflict", "skip"])

    assert (code, (photos / "all.txt").read_text()) == (0, "a/0.jpg\n")


def test_limits_refuse_and_say_what_confirms(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing moves; the dry run warns; the share in the hint is enough."""
    before = tree(photos)
    few = run(["prune", "--yes", "--max-files", "1"])
    small = run(["prune", "--yes", "--max-share", "0.1"])
    refused, between = capsys.readouterr().err, tree(photos)
    dry = run(["prune", "--max-share", "0.1"])
    warned = capsys.readouterr().err
    share = refused.rsplit("--max-share ", 1)[1].split()[0]
    confirmed = run(["prune", "--yes", "-q", "--max-share", share, "--on-conflict", "skip"])

    assert (few, small, dry, confirmed) == (4, 4, 3, 0)
    assert between == before
    assert "with --yes, this would be refused" in warned


def test_plan_file_from_writing_to_carrying_out(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Written, checked, carried out once; on standard output, too."""
    written = run(["prune", "--plan-out", "plan.jsonl", "--kinds", "bytes"])
    told = capsys.readouterr().err
    checked = run(["prune", "--plan", "plan.jsonl"])
    shown = capsys.readouterr().out
    done = run(["prune", "--plan", "plan.jsonl", "--yes"])
    again = run(["prune", "--plan", "plan.jsonl", "--yes"])
    refused = capsys.readouterr().err
    printed = run(["prune", "--plan-out", "-"])

    assert (written, checked, done, again, printed) == (3, 0, 0, 4, 3)
    assert "Written to plan.jsonl" in told
    assert "z/copy.jpg" in shown
    assert "carried out already" in refused
    assert objects(capsys.readouterr().out)[0]["imgindex"] == "plan"
    assert run(["prune", "--plan-out", "plan.jsonl"]) == 2


def test_links_say_what_was_done(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No word of a quarantine, and no advice to purge."""
    code = run(["prune", "--yes", "--link", "hard"])
    out = capsys.readouterr().out

    assert code == 0
    assert "replaced by hard links to the kept files as run 2" in out
    assert "purge" not in out
    assert (photos / "z" / "copy.jpg").samefile(photos / "a" / "0.jpg")


@pytest.mark.parametrize(
    "arguments",
    [
        ["prune", "--plan-out", "new.jsonl", "--yes"],
        ["prune", "--plan", "p.jsonl", "--keep", "oldest"],
        ["prune", "--plan", "p.jsonl", "a"],
        ["prune", "--plan", "p.jsonl", "--link", "hard"],
        ["prune", "--plan", "missing.jsonl"],
        ["prune", "--within", "a", "--across", "a", "b"],
        ["prune", "--across", "a"],
        ["prune", "--link", "soft"],
        ["prune", "--link", "hard", "--kinds", "same"],
        ["prune", "--link", "hard", "--match", "hash"],
        ["prune", "--keep", "nonsense"],
        ["prune", "--keep", "pixels,pixels"],
        ["prune", "--keep", ""],
        ["prune", "--protect", "nowhere"],
        ["prune", "--max-share", "2"],
        ["prune", "--max-files", "-1"],
        ["prune", "--on-conflict", "maybe"],
        ["prune", "--update", "missing.json"],
        ["undo", "7", "--from-manifest", "."],
        ["undo", "--from-manifest", "nowhere"],
        ["purge", "--keep-bytes", "much"],
        ["dups", "--keep", "-"],
    ],
    ids=" ".join,
)
def test_calls_that_make_no_sense_end_with_2(
    photos: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a message, without a traceback, and without changing anything."""
    run(["prune", "--plan-out", "p.jsonl", "-q"])
    before = tree(photos)

    code = run(arguments)

    assert (code, tree(photos)) == (2, before)
    assert capsys.readouterr().err


def test_names_print_safely_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Newlines, brackets and bytes that are not UTF-8 in plans, conflicts, refusals and the quarantine's list."""
    folder = tmp_path / "cat"
    folder.mkdir()
    for name in (b"a.jpg", b"img[red].jpg", b"new\nline.jpg", b"caf\xe9.jpg"):
        (folder / os.fsdecode(name)).write_bytes(encoded(drawn(1)))
        (folder / os.fsdecode(name.replace(b".jpg", b".txt"))).write_text("the same\n")
    monkeypatch.chdir(tmp_path)
    run(["index", "cat", "-q"])

    code = run(["prune", "--yes", "--max-share", "1"])
    shown = capsys.readouterr().out
    run(["quarantine", "list"])
    listed = capsys.readouterr().out

    assert code == 0
    for text in (shown, listed):
        assert "img[red].jpg" in text
        assert "new\\nline.jpg" in text
        assert "caf\\xe9.txt" in text


def test_undo_from_manifest_needs_no_index(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The database is gone, the command brings everything back."""
    before = tree(photos)
    run(["prune", "--yes", "-q"])
    (photos.parent / "imgindex.db").unlink()

    code = run(["undo", "--from-manifest", "../.imgindex-quarantine"])

    assert (code, tree(photos)) == (0, before)
    assert "brought back" in capsys.readouterr().out


def test_quarantine_of_the_settings_is_used(photos: Path, tmp_path: Path) -> None:
    """Relative to the settings' folder."""
    (photos.parent / "imgindex.toml").write_text('quarantine = "../out"\non-conflict = "skip"\nmax-files = 2\n')

    assert run(["prune", "--yes", "-q"]) == 0
    assert list((tmp_path / "out" / ".imgindex-quarantine").rglob("*.jpg"))


# --- what is said


def test_dry_run_and_real_run_show_the_same_plan(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hazard 126: every line of the plan, conflicts and sidecars included; only the last sentences differ."""
    run(["prune"])
    dry = capsys.readouterr().out
    run(["prune", "--yes"])
    real = capsys.readouterr().out

    plan, told = dry.rsplit("Nothing was moved.", 1)
    assert told == " To move the surplus into the quarantine, add --yes\n"
    assert real.startswith(plan)
    assert re.fullmatch(
        r"2 files \([^)]*\) with 1 sidecar moved to the quarantine as run 2\.\n"
        r"To take it back: imgindex undo 2\. To free the space: imgindex purge\n",
        real.removeprefix(plan),
    )


def test_only_purge_speaks_of_deleting(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hazard 126: what can be taken back was moved, and what cannot was deleted for good."""
    (photos / "all.txt").write_text("z/copy.jpg\n")
    calls = (
        ["prune"], ["prune", "--link", "hard"], ["prune", "--plan-out", "p.jsonl"], ["prune", "--plan", "p.jsonl"],
        ["prune", "--yes", "--update", "all.txt"], ["conflicts"], ["quarantine", "list"], ["quarantine", "verify"],
        ["undo"], ["index", "--jobs", "0"], ["prune", "--yes", "--link", "hard"], ["undo"],
    )  # fmt: skip
    for call in calls:
        run(call)
    said = capsys.readouterr()
    run(["prune", "--yes", "-q"])
    run(["purge", "--older-than", "0s"])
    told = capsys.readouterr().out
    run(["purge", "--older-than", "0s", "--yes"])

    assert "delete" not in (said.out + said.err).lower()
    assert "would be deleted for good; to do it, add --yes" in told
    assert "deleted for good." in capsys.readouterr().out


def test_no_call_ends_in_a_traceback(photos: Path) -> None:
    """In a process of its own, as people call it: damaged plans, places that are none, all at once."""
    (photos / "p.jsonl").write_text("{}\n")
    (photos / "q.jsonl").write_bytes(b"\xff\xfe\n")
    (photos / "manifest.jsonl").write_text("[1]\n")
    calls = {
        ("prune", "--plan", "p.jsonl", "--yes"): 4,
        ("prune", "--plan", "q.jsonl"): 2,
        ("prune", "--plan", "."): 2,
        ("prune", "--plan-out", "missing/p.jsonl"): 2,
        ("undo", "--from-manifest", "."): 4,
        ("undo", "99"): 2,
        ("purge", "--older-than", "never"): 2,
    }

    found = {
        call: subprocess.run([sys.executable, "-m", "indexer", *call], check=False, capture_output=True, text=True)
        for call in calls
    }

    assert {call: done.returncode for call, done in found.items()} == calls
    assert not [call for call, done in found.items() if "Traceback" in done.stderr or not done.stderr]


def test_conflicts_are_listed_and_nothing_is_changed(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 0: to list them is what was asked for."""
    before = tree(photos)
    found = run(["conflicts"])
    shown = capsys.readouterr().out
    none = run(["conflicts", "--no-class-folders"])

    assert (found, none, tree(photos)) == (0, 0, before)
    assert "1 group with labels that disagree." in shown
    assert "dog/1.jpg  (class 'dog' instead of 'cat')" in shown
    assert capsys.readouterr().out == "No labels disagree.\n"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--no-class-folders"], "--no-class-folders"),
        (["--class-folders"], "--class-folders"),
        (["--on-conflict", "skip"], "--on-conflict"),
        (["--unconfirmed"], "--unconfirmed"),
        (["--match", "bytes"], "--match"),
        (["--kinds", "same"], "--kinds"),
        (["--keep", "oldest", "--prefer", "a"], "--keep, --prefer"),
        (["--only-if-in", "a"], "--only-if-in"),
        (["--within", "a"], "--within"),
        (["--across", "a", "z"], "--across"),
        (["--link", "hard"], "--link"),
        (["--plan-out", "q.jsonl"], "--plan-out"),
        (["a"], "PATH"),
    ],
)
def test_option_that_a_plan_file_decides_is_named(
    photos: Path, capsys: pytest.CaptureFixture[str], options: list[str], named: str
) -> None:
    """It is a usage error, and never passed over in silence; nothing is read or written."""
    before = tree(photos.parent)

    code = run(["prune", "--plan", "missing.jsonl", *options])

    assert code == 2
    assert f"it cannot go with {named}\n" in capsys.readouterr().err
    assert tree(photos.parent) == before


def test_options_beside_a_plan_file_go_with_it(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What protects, limits or places is for the one who carries it out."""
    run(["prune", "--plan-out", "p.jsonl", "-q"])
    beside = ["--protect", "b", "--max-files", "5", "--max-share", "0.9", "--isolated", "--quarantine", "q"]

    code = run(["prune", "--plan", "p.jsonl", "-q", *beside])

    assert (code, capsys.readouterr().err) == (0, "")
    assert photos.exists()


@pytest.mark.parametrize("how", ["option", "settings", "plan file"])
@pytest.mark.parametrize("named", ["lists", "lists/all.txt", "**/*.txt"])
def test_protected_annotation_file_is_refused_before_anything_moves(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str, named: str
) -> None:
    """Hazard 38: whoever protects it, and by whatever name; the dry run refuses it, too."""
    monkeypatch.chdir(photos.parent)
    (photos.parent / "lists").mkdir()
    (photos.parent / "lists" / "all.txt").write_text("photos/z/copy.jpg\n")
    (photos.parent / "link.txt").symlink_to("lists/all.txt")
    options = ["--protect", named]
    if how == "settings":
        (photos.parent / "imgindex.toml").write_text(f'protect = ["{named}"]\n')
        options = []
    if how == "plan file":
        run(["prune", "--plan-out", "p.jsonl", "-q", "--kinds", "bytes"])
        options += ["--plan", "p.jsonl"]
    before = tree(photos.parent)

    codes = [run(["prune", "-q", *yes, "--update", "link.txt", *options]) for yes in ([], ["--yes"])]

    assert codes == [4, 4]
    assert "lists/all.txt' is protected: it cannot be updated" in capsys.readouterr().err
    assert {name: file for name, file in tree(photos.parent).items() if ".db" not in name} == {
        name: file for name, file in before.items() if ".db" not in name
    }
