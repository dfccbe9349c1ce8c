"""Hazards 120 to 126: signals, output that fails, few resources, and words that say what was done."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from checking import SURPLUS, command, with_copy
from score import Faults
from support import aged, digest, make_photos, tree

from indexer import Index
from indexer.drawing import drawn, encoded

STOPPED = "stopped; what was finished is stored, and the next run goes on from there\n"
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos of which one lies there twice, indexed."""
    return with_copy(tmp_path, index)


def started(index: Index, *arguments: str) -> subprocess.Popen[str]:
    """A command in a process group of its own, in which Ctrl-C is heard as in a shell's foreground."""
    words = [sys.executable, "-m", "indexer", *arguments, "--db", index.path]
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hears,  # noqa: PLW1509 - it starts no thread
    )


def survivors(process: subprocess.Popen[str]) -> str:
    """The processes of a command's group that are there two seconds after it ended."""
    for _look in range(20):
        left = subprocess.run(["pgrep", "-g", str(process.pid)], check=False, capture_output=True, text=True).stdout
        if not left:
            break
        time.sleep(0.1)
    return left


def _hears() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL if number is signal.SIGHUP else signal.default_int_handler)


def rows(index: Index) -> dict[str, list[tuple[object, ...]]]:
    """All that an index holds of files, contents and matches, without the numbers that depend on the order of work."""
    queries = {
        "file": "SELECT folder.path, name, file.size, mtime_ns, ctime_ns, inode, state, digest, reason FROM file"
        " JOIN folder ON folder.id = folder_id LEFT JOIN content ON content.id = content_id",
        "content": "SELECT digest, size, width, height, format, mode, dhash, phash, detail, views, look, matched, jpeg"
        " FROM content LEFT JOIN thumbnail ON content_id = id",
        "match": "SELECT min(a.digest, b.digest), max(a.digest, b.digest), kind, match.bits FROM match"
        " JOIN content a ON a.id = a_id JOIN content b ON b.id = b_id",
    }
    with sqlite3.connect(index.path) as db:
        found = {name: sorted(db.execute(query).fetchall(), key=repr) for name, query in queries.items()}
    db.close()
    return found


# --- 120, 122: signals while pictures are read


def varied(folder: Path, count: int) -> Path:
    """Pictures among which each tenth is a byte copy, each tenth a smaller one, and each fiftieth unreadable."""
    make_photos(folder, count=count * 8 // 10)
    for number in range(count // 10):
        (folder / "c").mkdir(exist_ok=True)
        shutil.copy2(folder / "ab"[number % 2] / f"{number}.jpg", folder / "c" / f"copy-{number}.jpg")
        picture = drawn(number)
        smaller = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))
        name = folder / "c" / f"small-{number}.jpg"
        name.write_bytes(b"broken" if number % 5 == 0 else encoded(smaller, "JPEG", quality=85))
        aged(name)
    return folder


def stopped_at_random(
    tmp_path: Path, fault: Faults, photos: Path, moments: Sequence[tuple[float, signal.Signals]]
) -> None:
    """Stops runs at moments between their start and their end; each next run completes the work as if nothing had been."""
    whole = Index(tmp_path / "whole.db")
    began = time.monotonic()
    whole.update(photos, jobs=2)
    duration, wanted, files = time.monotonic() - began + 0.5, rows(whole), len(list(photos.rglob("*.jpg")))
    for share, number in moments:
        index = Index(tmp_path / "stopped.db")
        for leftover in tmp_path.glob("stopped.db*"):
            leftover.unlink()
        with fault(120, f"{number.name} at {share:.3f} of an index run", root=photos):
            process = started(index, "index", str(photos), "--jobs", "2")
            time.sleep(0.2 + share * duration)
            process.send_signal(number)
            _out, error = process.communicate(timeout=30)
            assert process.returncode in {CODES[number], -number, 3}, error
            assert "Traceback" not in error
            stored = _stored(index)
            ran = command(index, "index", str(photos), "--jobs", "2", "--json")
            report = json.loads(ran.stdout)
            assert (ran.returncode, report["files"]) == (3, files), ran.stderr
            assert report["decoded"] <= sum(digest(path) not in stored for path in photos.rglob("*.jpg"))
            assert rows(index) == wanted
            assert index.update(photos, jobs=0).decoded == 0


def _stored(index: Index) -> set[str]:
    """The digests of the contents that an index holds, none when there is no index yet."""
    if not Path(index.path).exists():
        return set()
    with sqlite3.connect(index.path) as db:
        has = db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'content'").fetchone()[0]
        found = {row[0].hex() for row in db.execute("SELECT digest FROM content")} if has else set()
    db.close()
    return found


def test_hazard_120_an_index_run_that_is_stopped(tmp_path: Path, fault: Faults) -> None:
    """By Ctrl-C, SIGTERM or kill -9: the next run completes the work, with the rows of one that was not stopped."""
    moments = [(0.3, signal.SIGINT), (0.5, signal.SIGTERM), (0.7, signal.SIGKILL), (0.9, signal.SIGINT)]
    stopped_at_random(tmp_path, fault, varied(tmp_path / "photos", 300), moments)


@pytest.mark.long
def test_hazard_120_an_index_run_over_5000_pictures_that_is_stopped_50_times(tmp_path: Path, fault: Faults) -> None:
    """At random moments, by each of three signals in turn."""
    chance = random.Random(120)  # noqa: S311 - moments, no secrets
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    moments = [(chance.random(), numbers[turn % 3]) for turn in range(50)]
    stopped_at_random(tmp_path, fault, varied(tmp_path / "photos", 5_000), moments)


def test_hazard_122_ctrl_c_while_decoders_are_loaded(tmp_path: Path, fault: Faults) -> None:
    """The server of workers, busy with loading them, neither hears it nor prints; the program still does."""
    program = (
        "import signal\nfrom multiprocessing import forkserver\nfrom indexer.executors import load_decoders\n"
        "load_decoders()\n"
        "status = open(f'/proc/{forkserver._forkserver._forkserver_pid}/status').read()\n"
        "blocked = int(status.partition('SigBlk:')[2].split()[0], 16)\n"
        "print(blocked >> (signal.SIGINT - 1) & 1, signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
        "import os\nprint(os.readlink(f'/proc/{forkserver._forkserver._forkserver_pid}/fd/2'))\n"
    )
    with fault(122, "Ctrl-C while decoders are loaded", root=tmp_path):
        ran = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

        assert (ran.stdout, ran.stderr) == ("1 set()\n/dev/null\n", "")


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.1])
def test_hazard_122_ctrl_c_pressed_again(tmp_path: Path, index: Index, fault: Faults, pause: float) -> None:
    """To the whole group, as a terminal sends it: no traceback, no worker left, and the index is sound."""
    photos = make_photos(tmp_path / "photos", count=300)
    with fault(122, f"Ctrl-C three times, {pause} s apart", root=photos):
        process = started(index, "index", str(photos), "--jobs", "2")
        time.sleep(0.9)
        for _press in range(3):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(pause)
        _out, error = process.communicate(timeout=30)
        left = survivors(process)

        assert (process.returncode in {0, 130, -2}, "Traceback" in error) == (True, False), error
        assert left == ""
        assert index.update(photos, jobs=0).files == 300


def test_hazard_122_the_terminal_closes(tmp_path: Path, index: Index, fault: Faults) -> None:
    """It ends as on Ctrl-C, with exit code 129; under nohup it goes on."""
    photos = make_photos(tmp_path / "photos", count=300)
    with fault(122, "SIGHUP", root=photos):
        process = started(index, "index", str(photos), "--jobs", "2")
        while not Path(index.path).exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        _out, error = process.communicate(timeout=30)
        words = ["nohup", sys.executable, "-m", "indexer", "index", str(photos), "--json", "--db", index.path]
        nohup = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(0.5)
        nohup.send_signal(signal.SIGHUP)
        printed = nohup.communicate(timeout=60)[0]

        assert (process.returncode, error) == (129, STOPPED)
        assert (nohup.returncode, json.loads(printed)["files"]) == (0, 300)


# --- 121: signals while files are moved


@needs_strace
@pytest.mark.parametrize("arguments", [("prune", "--yes"), ("undo",)], ids=lambda arguments: arguments[0])
def test_hazard_121_ctrl_c_at_a_call_that_moves(tmp_path: Path, fault: Faults, arguments: tuple[str, ...]) -> None:
    """The file at hand is finished or put back, what follows is not begun, and undo is exact."""
    base = tmp_path / "base"
    base.mkdir()
    original = tree(with_copy(base, Index(base / "imgindex.db"), captions=True))
    if arguments[0] == "undo":
        Index(base / "imgindex.db").carry_out(Index(base / "imgindex.db").plan())
    for system_call, at in (("renameat2", 1), ("renameat2", 2), ("fsync", 1), ("fsync", 3), ("fdatasync", 3)):
        work = tmp_path / f"{system_call}-{at}"
        shutil.copytree(base, work)
        index, photos = Index(work / "imgindex.db"), work / "data" / "photos"
        strace = ("strace", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, "-e", f"trace={system_call}")
        injection = ("-e", f"inject={system_call}:signal=INT:when={at}", "--", "env", "--default-signal=INT")
        with fault(121, f"{arguments[0]}: SIGINT at {system_call} {at}", root=photos) as case:
            ran = command(index, *arguments, under=(*strace, *injection))
            assert ran.returncode in {0, 130, -2}, ran.stderr
            assert "Traceback" not in ran.stderr
            index.recover()
            assert index.verify_quarantine()[1] == ()
            case.undo(index, original)


# --- 123: output that cannot be written


@pytest.mark.parametrize("how", ["strict", "closed", "full", "closed standard error"])
def test_hazard_123_what_is_printed_cannot_be_printed(tmp_path: Path, index: Index, fault: Faults, how: str) -> None:
    """Either nothing moved or everything is recorded: undo brings the data set back."""
    photos = make_photos(tmp_path / "data" / "photos")
    odd = os.fsencode(photos) + b"/caf\xe9\xff.jpg"
    shutil.copy2(photos / "a/0.jpg", odd)
    os.utime(odd)
    index.update(photos, jobs=0)
    call = f"{sys.executable} -m indexer prune --yes --db {index.path}"
    redirection = {"strict": "", "closed": ">&-", "full": ">/dev/full", "closed standard error": "2>&-"}[how]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"} if how == "strict" else None
    with fault(123, how, root=photos) as case:
        ran = subprocess.run(["bash", "-c", f"{call} {redirection}"], check=False, capture_output=True, env=environment)
        assert b"Traceback" not in ran.stderr
        assert ran.returncode == (1 if how == "full" else 0), ran.stderr
        case.undo(index)


# --- 124: what failed is told


def test_hazard_124_failures_are_counted_and_change_the_exit_code(photos: Path, index: Index, fault: Faults) -> None:
    """In what is printed for people, in JSON, and in the exit code; nothing that failed passes for done."""
    (photos / "a/broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    with fault(124, "an unreadable file and a file that changed", root=photos) as case:
        indexed = command(index, "index", str(photos), "--json", "--jobs", "0")
        (photos / SURPLUS).write_bytes(b"changed")
        case.snapshot()
        pruned = command(index, "prune", "--yes", "--json")
        report = json.loads(pruned.stdout.splitlines()[-1])
        case.undo(index)

        assert (indexed.returncode, json.loads(indexed.stdout)["unreadable"]) == (3, 1)
        assert "broken.jpg" in indexed.stderr
        assert (pruned.returncode, report["moved"], len(report["refused"])) == (3, 0, 1)
        assert SURPLUS in pruned.stderr


# --- 125: few resources


@pytest.mark.parametrize("limit", [16, 24, 32, 48])
def test_hazard_125_few_open_files(tmp_path: Path, photos: Path, index: Index, fault: Faults, limit: int) -> None:
    """The work is done, or the run says what it lacks; nothing is taken for gone, and later all works."""
    with fault(125, f"{limit} open files", root=photos) as case:
        ran = [
            _limited(index, limit, "index", str(photos), "--jobs", "1"),
            _limited(index, limit, "prune", "--yes"),
        ]
        assert all(one.returncode in {0, 1, 3, 6} for one in ran), [one.stderr for one in ran]
        assert not [one.stderr for one in ran if one.returncode not in {0, 3} and not one.stderr]
        index.recover()
        case.undo(index)
        assert index.update(photos, jobs=0).gone == 0


def _limited(index: Index, files: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "indexer", *arguments, "--db", index.path]
    limited = ["bash", "-c", f'ulimit -n {files}; exec "$@"', "bash", *words]
    return subprocess.run(limited, check=False, capture_output=True, text=True)


def test_hazard_125_the_program_is_killed_for_want_of_memory(tmp_path: Path, index: Index, fault: Faults) -> None:
    """No worker outlives it by two seconds, and the next run goes on."""
    photos = make_photos(tmp_path / "photos", count=400)
    with fault(125, "kill -9 of the parent", root=photos):
        process = started(index, "index", str(photos), "--jobs", "2")
        time.sleep(0.8)
        process.kill()
        process.communicate()
        left = survivors(process)

        assert left == ""
        assert index.update(photos, jobs=0).files == 400


# --- 126: words


def test_hazard_126_words_say_what_is_done(photos: Path, index: Index, fault: Faults) -> None:
    """A file is moved, never "deleted"; and what a dry run shows is what the real one shows."""
    with fault(126, "the words of prune and undo", root=photos) as case:
        dry = command(index, "prune").stdout
        real = command(index, "prune", "--yes").stdout
        texts = [dry, real, *(command(index, name, "--help").stdout for name in ("prune", "undo"))]
        case.undo(index)

        assert not [text for text in texts if "delet" in text.lower() and "deleted" in text.lower()]
        assert "moved to the quarantine" in real
        plan = dry[: dry.index("Nothing was moved")]
        assert real.startswith(plan)
