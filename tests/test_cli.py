"""The commands, through their entry point: what is printed where, and with which exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from support import aged, make_photos, tree

from indexer import __version__
from indexer.drawing import drawn, encoded
from indexer.entry import run

COMMANDS = (
    "index",
    "dups",
    "prune",
    "similar",
    "decide",
    "undo",
    "purge",
    "status",
    "history",
    "doctor",
    "backup",
    "demo",
)
ODD_NAMES = (
    b"-rf.jpg",
    b"a b.jpg",
    b"new\nline.jpg",
    b"esc\x1b[2J.jpg",
    b"img[red].jpg",
    b"quote\"'.jpg",
    "bidi\u202egpj.jpg".encode(),
    b"caf\xe9.jpg",
)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A current folder with `photos`, one of them there twice, indexed in `imgindex.db`."""
    photos = make_photos(tmp_path / "project" / "photos")
    shutil.copy2(photos / "a" / "0.jpg", photos / "copy.jpg")
    aged(photos / "copy.jpg", seconds=-500)
    monkeypatch.chdir(photos.parent)
    assert run(["index", "photos", "--jobs", "0", "--quiet"]) == 0
    return photos.parent


def imgindex(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Runs the program in a process of its own."""
    command = [sys.executable, "-m", "indexer", *arguments]
    return subprocess.run(command, check=False, capture_output=True, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself."""
    code = run([command, "--help"])

    text = capsys.readouterr().out
    assert code == 0
    assert f"  imgindex {command}" in text[text.index("Examples:") :]
    assert "Exit codes:" in text
    assert "--db" in text


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """By the quick way and by the long one."""
    quick = imgindex("--version").stdout.decode()
    code = run(["--version"])

    assert code == 0
    assert quick == capsys.readouterr().out == f"imgindex {__version__}\n"


def test_index_counts_what_it_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary for people and the object for scripts say the same."""
    (here / "photos" / "new.png").write_bytes(encoded(drawn(40), "PNG"))

    run(["index", "photos", "--jobs", "0"])
    text = capsys.readouterr().out
    run(["index", "--jobs", "0", "--json"])
    found = json.loads(capsys.readouterr().out)

    assert "8 files: 1 new, 0 changed, 0 moved, 7 unchanged; 0 gone, 0 unreadable" in text
    assert list(found) == [
        "files", "new", "changed", "moved", "unchanged", "gone", "reread", "decoded", "matches", "returned", "unreadable",
        "unlisted", "seconds", "label",
    ]  # fmt: skip
    assert (found["files"], found["unchanged"], found["decoded"]) == (8, 8, 0)


def test_index_names_unreadable_files_and_says_incomplete(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with the reason; exit code 3; `status --unreadable` lists them again."""
    (here / "photos" / "page.jpg").write_text("<html>")

    code = run(["index", "photos", "--jobs", "0", "--json"])
    printed = capsys.readouterr()
    again = run(["status", "--unreadable"])
    listed = capsys.readouterr().out
    run(["status", "--unreadable", "--json"])

    line = "photos/page.jpg: not a picture: holds markup (a web page, an error message or SVG)\n"
    assert (code, again) == (3, 0)
    assert printed.err == listed == line
    assert json.loads(printed.out)["unreadable"] == 1
    assert json.loads(capsys.readouterr().out)["path"] == "photos/page.jpg"


def test_index_refuses_when_the_folder_vanished(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 4, with what to do."""
    shutil.rmtree(here / "photos")
    missing = run(["index", "photos"])
    (here / "photos").mkdir()

    emptied = run(["index", "photos", "--jobs", "0"])

    text = capsys.readouterr().err
    assert (missing, emptied) == (4, 4)
    assert "is missing or not a folder" in text
    assert "7 of 7 known files in" in text
    assert "--confirm-missing" in text


def test_index_reads_lists_of_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a file by lines, or from standard input by NULs."""
    (here / "photos" / "x y.png").write_bytes(encoded(drawn(41), "PNG"))
    (here / "photos" / "z.png").write_bytes(encoded(drawn(42), "PNG"))
    (here / "list").write_text("photos/x y.png\n")

    code = run(["index", "photos", "--files-from", "list", "--json", "--jobs", "0"])
    piped = imgindex("index", "--files-from", "-", "-0", "--json", input=b"photos/z.png\0photos/x y.png\0")

    first, second = json.loads(capsys.readouterr().out), json.loads(piped.stdout)
    assert (code, piped.returncode) == (0, 0)
    assert (first["files"], first["new"], second["files"], second["new"]) == (1, 1, 2, 1)


def test_index_reads_lists_of_files_with_line_ends_of_windows(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless a name ends in a carriage return, as it may; a list with NULs is taken as it is."""
    for number, name in enumerate(("x.png", "y.png", "odd\r")):
        (here / "photos" / name).write_bytes(encoded(drawn(41 + number), "PNG"))
    words = ["index", "photos", "--json", "--jobs", "0", "--all-files", "--files-from"]
    files = []
    for text, null in (
        ("photos/x.png\r\n\r\nphotos/y.png", False),
        ("photos/odd\r\n", False),
        ("photos/x.png\r\0", True),
    ):
        (here / "list").write_bytes(text.encode())
        assert run([*words, "list", *(["-0"] if null else [])]) == 0
        files.append(json.loads(capsys.readouterr().out)["files"])

    assert files == [2, 1, 0]


@pytest.mark.parametrize(
    "command",
    [
        ["dups"],
        ["prune"],
        ["similar", "picture.jpg"],
        ["decide", "a.jpg", "b.jpg", "--same"],
        ["decide", "--export", "-"],
        ["undo"],
        ["purge"],
        ["status"],
        ["history"],
    ],
)
def test_commands_say_so_when_there_is_no_index(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and how to make one; none is made."""
    code = run(command)

    assert code == 2
    assert "there is no index here" in capsys.readouterr().err
    assert os.listdir() == []


def test_dups_prints_groups_in_each_form(here: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A table, an object a group, fdupes' lines, and the surplus ended by NULs."""
    run(["dups"])
    table = capfdbinary.readouterr().out.decode()
    run(["dups", "--json"])
    group = json.loads(capfdbinary.readouterr().out)
    run(["dups", "--format", "fdupes"])
    fdupes = capfdbinary.readouterr().out
    run(["dups", "-0"])
    nul = capfdbinary.readouterr().out

    size = (here / "photos" / "copy.jpg").stat().st_size
    assert "photos/a/0.jpg  (oldest)" in table
    assert "photos/copy.jpg  (same bytes)" in table
    assert "1 group, 1 surplus file" in table
    assert group == {
        "keep": "photos/a/0.jpg",
        "why": "oldest",
        "surplus": [{"path": "photos/copy.jpg", "kind": "bytes", "bits": 0, "evidence": "pixels"}],
        "links": [],
        "bytes": size,
    }
    assert fdupes == b"photos/a/0.jpg\nphotos/copy.jpg\n\n"
    assert nul == b"photos/copy.jpg\0"


def test_dups_looks_at_given_paths_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy outside the given folder does not count; a folder outside the index is an error."""
    run(["dups", "photos/a"])
    inside = capsys.readouterr().out
    outside = run(["dups", "/usr"])

    assert "No duplicates" in inside
    assert outside == 2
    assert "is not in the index" in capsys.readouterr().err


def test_dups_prints_absolute_paths_when_the_files_lie_elsewhere(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Relative to the current folder when they lie below it, else absolute."""
    monkeypatch.chdir(tmp_path / "here")

    run(["dups", "--format", "fdupes", "--db", str(here / "imgindex.db")])

    assert capsys.readouterr().out.startswith(f"{here}/photos/a/0.jpg\n")


def test_prune_changes_nothing_and_shows_what_the_real_run_shows(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hazards 55 and 126: the same lines with and without --yes; and `-n` wins over `--yes`."""
    before = tree(here / "photos")

    dry = run(["prune"])
    shown = capsys.readouterr().out
    both = run(["prune", "--yes", "-n"])
    untouched = tree(here / "photos")
    capsys.readouterr()
    real = run(["prune", "--yes"])
    done = capsys.readouterr().out

    assert (dry, both, real) == (0, 0, 0)
    assert untouched == before
    advice = "Nothing was moved. To move the surplus into the quarantine, add --yes\n"
    assert shown.replace(advice, "") == done[: done.index("1 file (")]
    assert "moved to the quarantine as run 2.\nTo take it back: imgindex undo 2." in done
    assert "delete" not in shown + done
    assert set(before) - set(tree(here / "photos")) == {"copy.jpg"}


def test_prune_and_undo_print_objects(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An object a group of the plan, then one for what was done."""
    run(["prune", "--json"])
    planned = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    run(["prune", "--yes", "--json"])
    moved = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    run(["undo", "--json"])
    back = json.loads(capsys.readouterr().out)

    assert planned[0] == moved[0]
    assert (planned[-1]["run"], planned[-1]["moved"]) == (None, 0)
    assert (moved[-1]["run"], moved[-1]["moved"], moved[-1]["refused"]) == (2, 1, [])
    assert (back["moved"], back["refused"]) == (1, [])


def test_prune_says_incomplete_when_a_file_was_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, with the file and the reason on standard error."""
    (here / "photos" / "copy.jpg").write_bytes(b"changed")

    code = run(["prune", "--yes"])

    printed = capsys.readouterr()
    assert code == 3
    assert printed.err == "left alone: photos/copy.jpg: it and its keeper no longer have the same bytes\n"
    assert "0 files (0 B) moved" in printed.out
    assert "1 file left alone" in printed.out


def test_purge_deletes_only_with_yes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without it, the command tells what it would do."""
    run(["prune", "--yes", "-q"])

    told = run(["purge", "--older-than", "0s"])
    wording = capsys.readouterr().out
    run(["purge", "--older-than", "0s", "--json"])
    preview = json.loads(capsys.readouterr().out)
    done = run(["purge", "--older-than", "0s", "--yes"])
    again = run(["undo"])

    assert (told, done, again) == (0, 0, 2)
    assert "would be deleted for good" in wording
    assert (preview["run"], preview["moved"]) == (None, 0)
    assert "deleted for good" in capsys.readouterr().out
    assert run(["purge", "--older-than", "soon"]) == 2


def test_status_and_history_say_what_is_there_and_was_done(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for scripts."""
    run(["prune", "--yes", "-q"])
    capsys.readouterr()

    run(["status"])
    status = capsys.readouterr().out
    run(["status", "--json"])
    numbers = json.loads(capsys.readouterr().out)
    run(["history"])
    history = capsys.readouterr().out
    run(["history", "--json", "--limit", "1"])
    newest = json.loads(capsys.readouterr().out)

    assert "6 distinct contents" in status
    assert "1 file" in status[status.index("photos") :]
    assert (numbers["contents"], numbers["quarantined"], numbers["due"]) == (6, 1, 0)
    assert numbers["roots"][0]["path"] == "photos"
    assert re.search(r"2  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  prune       moved 1", history)
    assert (newest["run"], newest["command"], newest["counts"]["moved"]) == (2, "prune", 1)


@pytest.mark.parametrize(
    "arguments",
    [["dups", "--format", "xml"], ["dups", "--match", "magic"], ["index", "--nope"], ["index"], ["frobnicate"]],
)
def test_wrong_calls_end_with_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And say what is wrong."""
    Path("imgindex.db").touch()

    code = run(arguments)

    assert code == 2
    assert capsys.readouterr().err


def test_index_refuses_a_list_separated_otherwise(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NULs in a list of lines are a forgotten -0."""
    (here / "list").write_bytes(b"photos/a/0.jpg\0photos/b/1.jpg\0")

    code = run(["index", "photos", "--files-from", "list"])

    assert code == 2
    assert "add -0" in capsys.readouterr().err


def test_databases_may_be_reached_through_links(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link to an index is that index: the same lock, the same folders."""
    (here / "elsewhere").mkdir()
    (here / "elsewhere" / "link.db").symlink_to(here / "imgindex.db")

    run(["status", "--json", "--db", "elsewhere/link.db"])

    assert json.loads(capsys.readouterr().out)["roots"][0]["path"] == "photos"


def test_output_may_be_cut_short_by_its_reader(here: Path) -> None:
    """Hazard 122: `| head` ends the program without a traceback."""
    command = f"{sys.executable} -m indexer dups --format fdupes | head -n 1"

    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], check=False, capture_output=True)

    assert done.stdout == b"photos/a/0.jpg\n"
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_prune_leaves_a_sound_index_when_it_cannot_print(here: Path) -> None:
    """Hazard 123: an output error cannot stop a prune half-way; either nothing moved or everything is recorded."""
    before = tree(here / "photos")
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "indexer", "prune", "--yes"]
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE)

    if tree(here / "photos") != before:
        assert run(["undo", "-q"]) == 0

    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert tree(here / "photos") == before


def test_progress_is_shown_on_a_terminal_alone(here: Path) -> None:
    """A bar on standard error when somebody watches; results stay on standard output."""
    silent = imgindex("index", "photos")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "indexer", "index", "photos"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:
            break
    os.close(ours)
    out, _none = process.communicate()

    assert silent.stderr == b""
    assert b"looking for files" in shown
    assert b"7 files: " in out


@pytest.mark.parametrize(("signal_number", "code"), [(2, 130), (15, 143)], ids=["SIGINT", "SIGTERM"])
def test_signals_end_a_run_cleanly_and_the_next_goes_on(tmp_path: Path, signal_number: int, code: int) -> None:
    """Ctrl-C and SIGTERM leave an index from which the next run continues."""
    photos = make_photos(tmp_path / "photos", count=400)
    command = [sys.executable, "-m", "indexer", "index", str(photos), "--db", str(tmp_path / "i.db"), "--jobs", "1"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a shell's background ignores it
    )
    while not (tmp_path / "i.db").exists():
        assert process.poll() is None
    process.send_signal(signal_number)
    _out, error = process.communicate(timeout=20)

    done = imgindex("index", str(photos), "--db", str(tmp_path / "i.db"), "--json")

    assert process.returncode == code
    assert error == b"stopped; what was finished is stored, and the next run goes on from there\n"
    assert json.loads(done.stdout)["files"] == 400


def test_demo_draws_a_thousand_pictures_of_which_seven_are_surplus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1,000 → 993 → 1,000, byte for byte, times and modes too; then indexing again decodes nothing."""
    demo = run(["demo", "pictures"])
    printed = capsys.readouterr().out
    before = tree(Path("pictures"))
    pruned = run(["prune", "--yes", "--quiet"])
    left = tree(Path("pictures"))
    undone = run(["undo", "--quiet"])
    after = tree(Path("pictures"))
    capsys.readouterr()
    run(["index", "pictures", "--json"])

    assert (demo, pruned, undone) == (0, 0, 0)
    assert " prune --yes" in printed[printed.index("Type next:") :]
    assert "7 groups, 7 surplus files" in printed
    assert (printed.count("(same bytes)"), printed.count("(same picture, ")) == (8, 6)
    assert (len(before), len(left)) == (1000, 993)
    assert after == before
    assert json.loads(capsys.readouterr().out)["decoded"] == 0


def test_demo_leaves_other_indexes_and_folders_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It runs only where it can do no harm."""
    beside_an_index = run(["demo", "pictures"])
    (here / "taken" / "scrape-1").mkdir(parents=True)
    (here / "taken" / "scrape-1" / "picture-0000.jpg").write_bytes(b"mine")

    over_files = run(["demo", "taken", "--db", "demo.db"])

    text = capsys.readouterr().err
    assert (beside_an_index, over_files) == (2, 2)
    assert "there is an index already" in text
    assert "already holds" in text
    assert (here / "taken" / "scrape-1" / "picture-0000.jpg").read_bytes() == b"mine"


# --- kinds, similar, decide


@pytest.fixture
def varied(here: Path) -> Path:
    """The project with a smaller, a mirrored and an edited copy of a picture beside the byte copy."""
    picture = drawn(1)
    edited = picture.copy()
    edited.paste((255, 0, 0), (picture.width // 3, picture.height // 3, picture.width // 2, picture.height // 2))
    (here / "photos" / "small.webp").write_bytes(
        encoded(picture.resize((picture.width // 2, picture.height // 2)), "WEBP")
    )
    (here / "photos" / "mirrored.png").write_bytes(encoded(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"))
    (here / "photos" / "edited.png").write_bytes(encoded(edited, "PNG"))
    assert run(["index", "--jobs", "0", "--quiet"]) == 0
    return here


def test_index_says_how_many_matches_it_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Byte copies apart, and nothing when there were none."""
    run(["index", "--jobs", "0"])
    none = capsys.readouterr().out
    (here / "photos" / "small.webp").write_bytes(encoded(drawn(1).resize((100, 100)), "WEBP"))

    run(["index", "--jobs", "0"])

    assert "match" not in none
    assert "1 picture decoded, 7 read again and unchanged, 1 match found; " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "found"),
    [
        pytest.param([], {"copy.jpg": "bytes", "small.webp": "same"}, id="default"),
        pytest.param(["--kinds", "bytes"], {"copy.jpg": "bytes"}, id="bytes"),
        pytest.param(["--match", "bytes"], {"copy.jpg": "bytes"}, id="the rule of equal bytes"),
        pytest.param(["--kinds", " same , flipped,"], {"small.webp": "same", "mirrored.png": "flipped"}, id="a list"),
        pytest.param(["--kinds", "edited", "photos/b", "photos/edited.png"], {"edited.png": "edited"}, id="paths"),
    ],
)
def test_dups_takes_kinds(
    varied: Path, capsys: pytest.CaptureFixture[str], options: list[str], found: dict[str, str]
) -> None:
    """Those that are named; without any, same bytes and same picture."""
    code = run(["dups", "--json", *options])

    groups = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    kinds = {one["path"].removeprefix("photos/"): one["kind"] for group in groups for one in group["surplus"]}
    assert kinds == found


@pytest.mark.parametrize("command", ["dups", "prune"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--kinds", "smae"], "unknown kind 'smae'", id="misspelt"),
        pytest.param(["--kinds", "bytes,hash"], "unknown kind 'hash'", id="a rule"),
        pytest.param(["--kinds", ""], "unknown kind ''", id="empty"),
        pytest.param(["--kinds", ","], "unknown kind ','", id="a comma"),
        pytest.param(["--kinds", "bytes", "--match", "bytes"], "--match bytes has no kinds", id="with another rule"),
        pytest.param(["--kinds", "same", "--match", "hash"], "--match hash has no kinds", id="with the hash rule"),
    ],
)
def test_kinds_that_make_no_sense_are_refused(
    here: Path, capsys: pytest.CaptureFixture[str], command: str, options: list[str], message: str
) -> None:
    """Exit code 2 and nothing moved, even with --yes."""
    before = tree(here / "photos")

    code = run([command, *options, *(["--yes"] if command == "prune" else [])])

    assert code == 2
    assert message in capsys.readouterr().err
    assert tree(here / "photos") == before


def test_prune_moves_the_kinds_that_are_named(varied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The mirrored copy goes only when it is asked for; the table says how the two relate."""
    before = set(tree(varied / "photos"))

    run(["prune", "--yes"])
    default = capsys.readouterr().out
    after_default = before - set(tree(varied / "photos"))
    run(["undo", "-q"])
    run(["prune", "--kinds", "flipped", "--yes"])
    flipped = capsys.readouterr().out

    assert after_default == {"copy.jpg", "small.webp"}
    assert "(same picture, " in default
    assert "(kinds: bytes, same)" in default
    assert before - set(tree(varied / "photos")) == {"mirrored.png"}
    assert "(mirrored, " in flipped
    assert "(kinds: flipped)" in flipped


def test_unconfirmed_matches_are_taken_when_they_are_asked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture whose file was away when its copy came: dups and prune alike."""
    (here / "photos" / "b" / "1.jpg").rename(here / "away.jpg")
    picture = drawn(1)
    (here / "photos" / "small.webp").write_bytes(
        encoded(picture.resize((picture.width // 2, picture.height // 2)), "WEBP")
    )
    (here / "list").write_text("photos/small.webp\n")
    run(["index", "photos", "--files-from", "list", "--jobs", "0", "-q"])
    (here / "away.jpg").rename(here / "photos" / "b" / "1.jpg")

    run(["dups", "-0"])
    default = capsys.readouterr().out
    run(["dups", "-0", "--unconfirmed"])
    asked = capsys.readouterr().out
    run(["prune", "--yes", "--unconfirmed", "-q"])

    assert default == "photos/copy.jpg\0"
    assert asked == "photos/copy.jpg\0photos/small.webp\0"
    assert not (here / "photos" / "small.webp").exists()


def test_similar_lists_what_looks_like_a_picture(varied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a file for people, an object for scripts."""
    (varied / "asked.png").write_bytes(encoded(drawn(1), "PNG"))

    text_code = run(["similar", "asked.png", "-k", "3"])
    lines = capsys.readouterr().out.splitlines()
    json_code = run(["similar", "asked.png", "--json"])
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert (text_code, json_code, len(lines)) == (0, 0, 3)
    assert re.fullmatch(r"same +\d+ bits?  photos/(b/1\.jpg|small\.webp)", lines[0])
    assert all(list(found) == ["path", "kind", "bits"] for found in objects)
    assert {found["path"]: found["kind"] for found in objects[:4]} == {
        "photos/b/1.jpg": "same",
        "photos/small.webp": "same",
        "photos/mirrored.png": "flipped",
        "photos/edited.png": "edited",
    }
    assert [found["kind"] for found in objects[4:]] == [None] * (len(objects) - 4)
    assert len(objects) == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["missing.jpg"], "missing.jpg' cannot be read", id="missing"),
        pytest.param(["list"], "list' ", id="no picture"),
        pytest.param(["photos/a/0.jpg", "-k", "0"], "-k", id="none wanted"),
        pytest.param(["photos/a/0.jpg", "-k", "1001"], "-k", id="too many wanted"),
        pytest.param([], "IMAGE", id="no picture named"),
        pytest.param(["photos/a/0.jpg", "photos/b/1.jpg"], "photos/b/1.jpg", id="two"),
    ],
)
def test_similar_refuses_what_makes_no_sense(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Exit code 2, and why."""
    (here / "list").write_text("a cat\n")

    code = run(["similar", *arguments])

    printed = capsys.readouterr()
    assert code == 2
    assert message in printed.err
    assert printed.out == ""


def test_decide_keeps_two_pictures_apart_until_it_is_taken_back(
    varied: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is listed goes by the person's word."""
    pair = ["photos/b/1.jpg", "photos/small.webp"]
    shown = []

    codes = []
    for verdict in ("--different", "--same", "--forget"):
        codes.append(run(["decide", *pair, verdict]))
        capfd.readouterr()
        run(["dups", "photos/b", "photos/small.webp"])
        shown.append(capfd.readouterr().out)

    assert codes == [0, 0, 0]
    assert "No duplicates" in shown[0]
    assert "photos/small.webp  (same picture, as you decided, " in shown[1]
    assert re.search(r"photos/small.webp  \(same picture, \d+ bits?\)", shown[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "say what to decide", id="nothing"),
        pytest.param(["A", "B"], "say what to decide", id="no verdict"),
        pytest.param(["A", "--same"], "say what to decide", id="one file"),
        pytest.param(["A", "B", "A", "--same"], "say what to decide", id="three files"),
        pytest.param(["A", "B", "--same", "--different"], "say what to decide", id="two verdicts"),
        pytest.param(["--same"], "say what to decide", id="no file"),
        pytest.param(["A", "B", "--same", "--export", "-"], "say what to decide", id="two deeds"),
        pytest.param(["--export", "-", "--import", "-"], "say what to decide", id="out and in"),
        pytest.param(["--export", "-", "--same"], "say what to decide", id="a verdict on nothing"),
        pytest.param(["A", "A", "--same"], "hold the same bytes", id="one file twice"),
        pytest.param(["A", "missing.jpg", "--same"], "missing.jpg'", id="missing"),
        pytest.param(["A", "B", "--forget"], "nothing was decided", id="nothing to forget"),
        pytest.param(["--export", "list"], "'list' exists already", id="a file is in the way"),
        pytest.param(["--export", "no/where"], "cannot write 'no/where'", id="no such folder"),
        pytest.param(["--import", "missing"], "cannot read 'missing'", id="nothing to import"),
        pytest.param(["--import", "list"], "line 1 is no decision", id="no decisions"),
        pytest.param(["--import", "photos/a/0.jpg"], "cannot read 'photos/a/0.jpg'", id="no text"),
    ],
)
def test_decide_refuses_what_makes_no_sense(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Exit code 2, what is wrong, and nothing remembered or written."""
    (here / "list").write_text("a cat\n")
    names = {"A": "photos/a/0.jpg", "B": "photos/b/1.jpg"}

    code = run(["decide", *(names.get(argument, argument) for argument in arguments)])
    error = capsys.readouterr().err
    run(["decide", "--export", "-"])

    assert code == 2
    assert message in error
    assert capsys.readouterr().out == ""
    assert (here / "list").read_text() == "a cat\n"


def test_decisions_go_out_and_come_in(varied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To a new file or standard output, from a file or standard input."""
    run(["decide", "photos/a/0.jpg", "photos/b/1.jpg", "--different"])
    exported = run(["decide", "--export", "decisions.jsonl"])
    run(["decide", "--export", "-"])
    printed = capsys.readouterr().out
    run(["decide", "photos/a/0.jpg", "photos/b/1.jpg", "--forget"])
    capsys.readouterr()

    imported = run(["decide", "--import", "decisions.jsonl"])
    said = capsys.readouterr().out
    piped = imgindex("decide", "--import", "-", input=printed.encode())
    run(["decide", "--export", "-"])

    assert (exported, imported, piped.returncode) == (0, 0, 0)
    assert printed == (varied / "decisions.jsonl").read_text() == capsys.readouterr().out
    assert list(json.loads(printed)) == ["a", "b", "verdict", "decided"]
    assert said == "1 decision taken in.\n" == piped.stdout.decode()


def test_help_names_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    """All that can be asked for, and what is taken by default."""
    run(["prune", "--help"])

    text = " ".join(capsys.readouterr().out.split())
    assert "bytes, same, recoloured, flipped, rotated, edited" in text
    assert "default: bytes,same" in text
    assert "--unconfirmed" in text
