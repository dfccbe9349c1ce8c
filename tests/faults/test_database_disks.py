"""Hazards 84, 90, 91 and 92: the disk below the database."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from checking import command, with_copy
from score import Faults
from support import make_photos, tree
from test_journal_places import mounted, needs_root
from warm import Run

from indexer import Index, database, doctor, mounts
from indexer.records import Health

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


# --- 84: file systems where locks may not hold


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_hazard_84_a_database_on_another_machine(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """`index` and `doctor` say so, and what to do; a write-ahead log, which breaks there, is never used."""
    photos = with_copy(tmp_path, index)
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
        f"30 22 0:50 / {str(tmp_path).replace(' ', chr(92) + '040')} rw - {kind} server:/export rw,vers=4\n"
    )
    monkeypatch.setattr(mounts, "_TABLE", str(table))

    with fault(84, f"a database on {kind}", root=photos) as case:
        warnings = [finding for finding in doctor.examine(index.path) if finding.health is Health.WARNING]
        notes = index.update(photos, jobs=0).notes
        index.carry_out(index.plan())
        case.undo(index)

        assert (len(notes), kind in notes[0], "imgindex doctor" in notes[0]) == (1, True, True)
        assert [finding.about for finding in warnings] == ["database"]
        assert kind in warnings[0].says
        assert "--db FILE" in warnings[0].advice


# --- 90: a full disk


@needs_root
def test_hazard_90_the_disk_of_the_database_becomes_full(tmp_path: Path, fault: Faults) -> None:
    """What was committed stays; the message is a clear one; with more space, the next run goes on from there."""
    photos = make_photos(tmp_path / "photos", count=600)
    with mounted(tmp_path / "db", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as place:
        index = Index(place / "imgindex.db")
        with fault(90, "1 MB for the database", root=photos):
            ran = command(index, "index", str(photos), "--jobs", "0")
            stored = index.status()
            subprocess.run(["mount", "-o", "remount,size=20m", str(place)], check=True)
            again = command(index, "index", str(photos), "--jobs", "0", "--json")

            assert (ran.returncode, "Traceback" in ran.stderr) == (1, False), ran.stderr
            assert "no space left" in ran.stderr
            assert again.returncode == 0, again.stderr
            assert json.loads(again.stdout)["decoded"] == 600 - stored.contents
            assert index.status().contents == 600


@needs_root
def test_hazard_90_a_backup_to_a_full_disk(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Nothing is left of it, and the message is a clear one."""
    photos = with_copy(tmp_path, index)
    with (
        mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=32k", "tmpfs") as place,
        fault(90, "a backup to a full disk", root=photos),
    ):
        ran = command(index, "backup", str(place / "copy.db"))

        assert (ran.returncode, os.listdir(place)) == (1, [])
        assert "no space left" in ran.stderr


STOPPED = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE thumbnail SET jpeg = zeroblob(length(jpeg))")
os.kill(os.getpid(), 9)
"""
"""Leaves a transaction half on disk, with the journal to take it back by."""


@needs_root
def test_hazard_80_a_stopped_run_on_a_disk_that_became_read_only(tmp_path: Path, fault: Faults) -> None:
    """What it left cannot be taken back there: readers say so and what to do, instead of reading half of it."""
    photos = make_photos(tmp_path / "photos", count=12)
    with mounted(tmp_path / "disk", "-t", "tmpfs", "tmpfs") as place:
        index = Index(place / "imgindex.db")
        index.update(photos, jobs=0)
        thumbnails = _thumbnails(index)
        subprocess.run([sys.executable, "-c", STOPPED, index.path], check=False)
        assert (place / "imgindex.db-journal").stat().st_size
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        with fault(80, "a hot journal on a read-only disk", root=photos):
            ran = [command(index, name) for name in ("dups", "status", "doctor")]
            subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
            later = command(index, "dups")

            assert [one.returncode for one in ran] == [6, 6, 3]
            assert not [one for one in ran if "Traceback" in one.stderr]
            assert all("what it left cannot be cleared here" in one.stdout + one.stderr for one in ran)
            assert (later.returncode, _thumbnails(index)) == (0, thumbnails)


def _thumbnails(index: Index) -> list[bytes]:
    with sqlite3.connect(index.path) as db:
        found = [row[0] for row in db.execute("SELECT jpeg FROM thumbnail ORDER BY content_id")]
    db.close()
    return found


# --- 91: a disk that fails


@needs_strace
@pytest.mark.parametrize("system_call", ["pwrite64", "fdatasync", "ftruncate"])
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("index", "{photos}", "--jobs", "0"), marks=pytest.mark.long, id="index"),
        pytest.param(("prune", "--yes"), id="prune"),
        pytest.param(("undo",), marks=pytest.mark.long, id="undo"),
    ],
)
def test_hazard_91_the_disk_fails_below_the_database(
    tmp_path: Path, fault: Faults, warm: Run, arguments: tuple[str, ...], system_call: str
) -> None:
    """The error is told, never passed over; afterwards the index is sound and everything comes back."""
    place = tmp_path / "base"
    place.mkdir()
    index = Index(place / "imgindex.db")
    before = tree(with_copy(place, index))
    if arguments[0] == "index":
        Path(index.path).unlink()
    if arguments[0] == "undo":
        index.carry_out(index.plan())
    for at in (1, 2, 3, 5, 9, 17):
        work = tmp_path / f"{at}"
        shutil.copytree(place, work)
        tried, here = Index(work / "imgindex.db"), work / "data" / "photos"
        with fault(91, f"{arguments[0]}: {system_call} {at} fails", root=here) as case:
            injection = ["-e", f"trace={system_call}", "-e", f"inject={system_call}:error=EIO:when={at}"]
            words = [word.replace("{photos}", str(here)) for word in arguments]
            ran = warm([*words, "--db", tried.path], ["-y", "-o", str(tmp_path / "trace"), *injection])
            failed = [call for call in (tmp_path / "trace").read_text().splitlines() if "(INJECTED)" in call]
            if not failed:
                return
            assert "Traceback" not in ran.stderr
            if "imgindex.db" in failed[0]:  # SQLite passes over a folder that cannot be synced
                assert ran.returncode == 6, ran.stderr
                assert "disk" in ran.stderr
            tried.update(here, jobs=0)
            with sqlite3.connect(tried.path) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            db.close()
            tried.carry_out(tried.plan())
            case.undo(tried, before)


# --- 92: how hard it is written


@pytest.mark.parametrize(("durable", "expected"), [(True, 2), (False, 1)], ids=["journal: FULL", "index: NORMAL"])
def test_hazard_92_intents_survive_a_power_failure(tmp_path: Path, fault: Faults, durable: bool, expected: int) -> None:
    """From their commit on; a scan may lose its last batch."""
    with (
        fault(92, f"durable {durable}", root=tmp_path),
        database.open_for_writing(str(tmp_path / "imgindex.db")) as opened,
        opened.writing(durable=durable) as tx,
    ):
        assert tx.exec_driver_sql("PRAGMA synchronous").scalar() == expected


@needs_strace
def test_hazard_92_the_intent_is_on_disk_before_the_first_move(tmp_path: Path, index: Index, fault: Faults) -> None:
    """As the kernel sees it: the database is synced between the writing of the intent and the first rename."""
    photos = with_copy(tmp_path, index)
    trace = tmp_path / "trace"
    strace = (
        "strace",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-y",
        "-o",
        str(trace),
        "-e",
        "trace=renameat2,fsync,fdatasync,pwrite64",
        "--",
    )
    with fault(92, "the order of syncs and moves", root=photos) as case:
        command(index, "prune", "--yes", under=strace)
        case.undo(index)
        calls = trace.read_text().splitlines()
        first_move = next(at for at, call in enumerate(calls) if " renameat2(" in call)
        written = max(
            at for at, call in enumerate(calls[:first_move]) if "pwrite64(" in call and "imgindex.db>" in call
        )
        synced = [call for call in calls[written:first_move] if "sync(" in call and "imgindex.db>" in call]

        assert synced
