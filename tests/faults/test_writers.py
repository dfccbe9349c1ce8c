"""Hazards 85 to 87: processes that meet at one database."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from checking import SURPLUS, command, with_copy
from score import Faults
from sqlalchemy import insert
from support import tree

from indexer import Index, database
from indexer.errors import LockedError
from indexer.executors import local_pool
from indexer.records import Health
from indexer.schema import recipe

HOLD = "from indexer import database\nwith database.open_for_writing({!r}): print('in', flush=True); input()"


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos of which one lies there twice, indexed."""
    return with_copy(tmp_path, index)


def held(index: Index) -> subprocess.Popen[str]:
    """A process that has the lock until it is told to go on."""
    call = [sys.executable, "-c", HOLD.format(index.path)]
    holder = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    return holder


def open_files() -> list[str]:
    """What this process has open; run in a worker."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_hazard_85_workers_have_no_database(photos: Path, index: Index, fault: Faults) -> None:
    """Neither an open file of it nor its path: a connection that is carried across a fork breaks locks and pages."""
    with (
        fault(85, "what a worker has open", root=photos),
        database.open_for_writing(index.path) as opened,
        opened.writing() as tx,
        local_pool(1) as executor,
    ):
        tx.exec_driver_sql("DELETE FROM thumbnail")
        theirs = executor.submit(open_files).result()

        assert any(index.path in name for name in open_files())
        assert not [name for name in theirs if "imgindex.db" in name]


def test_hazard_86_two_writers_take_turns(photos: Path, index: Index, fault: Faults) -> None:
    """A transaction takes the write lock when it begins: none fails for having read before."""
    errors: list[Exception] = []

    def adding(name: str) -> None:
        try:
            with database._opened(index.path, "rwc") as opened:
                for number in range(30):
                    with opened.writing() as tx:
                        tx.exec_driver_sql("SELECT count(*) FROM recipe").scalar()
                        tx.execute(insert(recipe).values(key=f"{name}/{number}"))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)

    with fault(86, "two writers that read first", root=photos):
        threads = [threading.Thread(target=adding, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with sqlite3.connect(index.path) as db:
            rows = db.execute("SELECT count(*) FROM recipe WHERE key GLOB '[ab]/*'").fetchone()[0]
        db.close()

        assert (errors, rows) == ([], 60)


def test_hazard_86_a_reader_that_does_not_end(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer waits for it, then gives up with exit code 5 and a clear message; nothing is lost, and later it works."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 200)
    before = tree(photos)
    reader = sqlite3.connect(index.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM file").fetchone()

    with fault(86, "a reader that does not end", root=photos) as case:
        with pytest.raises(LockedError, match="another program keeps"):
            index.carry_out(index.plan())
        assert tree(photos) == before
        reader.close()
        done = index.carry_out(index.plan())
        case.undo(index)

        assert [moved.path for moved in done.moved] == [str(photos / SURPLUS)]


def test_hazard_87_a_second_writer_is_told_who_writes(photos: Path, index: Index, fault: Faults) -> None:
    """Exit code 5 at once, with the process and its command; the lock dies with its holder, also by kill -9."""
    with fault(87, "a second writer", root=photos):
        holder = held(index)
        refused = command(index, "prune", "--yes")
        looked = command(index, "dups", "--json")
        holder.kill()
        holder.communicate()
        free = command(index, "prune", "--yes", "--json")

        assert (refused.returncode, looked.returncode, free.returncode) == (5, 0, 0)
        assert f"process {holder.pid}: -c" in refused.stderr
        assert "--wait" in refused.stderr
        assert json.loads(looked.stdout)["surplus"][0]["path"].endswith(SURPLUS)


@pytest.mark.parametrize("arguments", [("index", "{photos}"), ("prune", "--yes"), ("undo",), ("purge", "--yes")])
def test_hazard_87_a_writer_that_waits(photos: Path, index: Index, fault: Faults, arguments: tuple[str, ...]) -> None:
    """With --wait it says for whom, and goes on when that one has ended; Ctrl-C ends the waiting."""
    before = tree(photos)
    if arguments[0] == "undo":
        index.carry_out(index.plan())
    call = [word.replace("{photos}", str(photos)) for word in arguments]
    words = [sys.executable, "-m", "indexer", *call, "--wait", "--db", index.path]
    with fault(87, f"{arguments[0]} --wait", root=photos) as case:
        holder = held(index)
        waiting = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        told = waiting.stderr.readline()
        impatient = subprocess.Popen(
            words,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_hears,  # noqa: PLW1509 - it starts no thread
        )
        assert impatient.stderr is not None
        impatient.stderr.readline()
        impatient.send_signal(signal.SIGINT)
        impatient.communicate(timeout=20)
        assert waiting.poll() is None
        holder.communicate("\n")
        waiting.communicate(timeout=20)
        case.undo(index, before)

        assert f"process {holder.pid}" in told
        assert "waiting" in told
        assert (waiting.returncode, impatient.returncode) == (0, 130)


def _hears() -> None:
    """Ctrl-C is heard even when the tests run in the background, where shells have it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_hazard_87_a_second_writer_in_the_same_process(photos: Path, index: Index, fault: Faults) -> None:
    """Two objects of the library are two writers; and that one looks does not let go of the other's lock."""
    program = f"import sqlite3; sqlite3.connect({index.path!r}, timeout=0).execute('BEGIN IMMEDIATE')"
    with (
        fault(87, "two writers in one process", root=photos),
        database.open_for_writing(index.path) as opened,
        opened.writing() as tx,
    ):
        tx.exec_driver_sql("UPDATE file SET unsettled = 1")
        for _look in range(3):
            assert index.status().contents == 6
        with pytest.raises(LockedError):
            Index(index.path).carry_out(index.plan())
        other = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)

        assert b"database is locked" in other.stderr


def test_hazard_87_a_child_that_outlives_the_run_does_not_keep_the_lock(
    photos: Path, index: Index, fault: Faults
) -> None:
    """A process that was forked meanwhile has the lock file open; the lock is let go of by name."""
    with fault(87, "a child that was forked meanwhile", root=photos):
        with database.open_for_writing(index.path):
            child = os.fork()
            if not child:
                time.sleep(30)
                os._exit(0)
        try:
            with database.open_for_writing(index.path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


# --- 86: everybody at once


def _again_and_again(index: Index, until: float, said: list[str], *deeds: tuple[str, ...]) -> None:
    """Commands in turn until a moment; what they print on standard error, and odd exit codes, go on a list."""
    while time.monotonic() < until:
        for deed in deeds:
            ran = command(index, *deed)
            if ran.returncode not in {0, 3} and "nothing to bring back" not in ran.stderr:
                said.append(f"{deed[0]} ended with {ran.returncode}")
            said.append(ran.stderr)


def everybody_at_once(photos: Path, index: Index, fault: Faults, seconds: float) -> None:
    """Two `index` runs, a `prune` with its `undo`, ten readers, and a scrape that goes on."""
    said: list[str] = []
    read = (("dups", "--json"), ("status",), ("history",), ("dups", "-0"), ("quarantine", "list"))
    with fault(86, f"two index runs, a prune and ten readers for {seconds:g} s", root=photos) as case:
        until = time.monotonic() + seconds
        deeds = [(("index", str(photos), "--wait", "--quiet", "--jobs", "1"),)] * 2
        deeds += [(("prune", "--yes", "--wait", "--quiet"), ("undo", "--wait", "--quiet"))]
        deeds += [(read[number % 5],) for number in range(10)]
        threads = [threading.Thread(target=_again_and_again, args=(index, until, said, *some)) for some in deeds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        case.undo(index)
        report = index.update(photos, jobs=0)

        text = "\n".join(said)
        assert ("locked" in text, "Traceback" in text, " ended with " in text) == (False, False, False), text
        assert (report.files, report.gone, report.unreadable) == (7, 0, 0)
        assert doctor_says_nothing(index)


def doctor_says_nothing(index: Index) -> bool:
    """True when nothing is damaged, half-done, missing or unknown."""
    return {finding.health for finding in index.examine()} <= {Health.FINE, Health.NOTE}


def test_hazard_86_everybody_at_once_for_some_seconds(photos: Path, index: Index, fault: Faults) -> None:
    """Nobody reads "database is locked", and nothing is lost."""
    everybody_at_once(photos, index, fault, 4)


@pytest.mark.long
def test_hazard_86_everybody_at_once_for_a_minute(photos: Path, index: Index, fault: Faults) -> None:
    """The same for longer."""
    everybody_at_once(photos, index, fault, 60)
