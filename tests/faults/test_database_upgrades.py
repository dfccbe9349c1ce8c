"""Hazards 80 and 81: tables that change, and what stops them half-way."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from checking import with_copy
from score import Faults
from support import digest, migrated, tables, version_of

from indexer import Index, database
from indexer.errors import SafetyError
from indexer.schema import SCHEMA_VERSION

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
OPEN = "from indexer import database\nwith database.open_for_writing({!r}): pass"


def test_hazard_80_a_migration_that_fails(tmp_path: Path, fault: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """All migrations happen or none, tables included."""
    path = migrated(tmp_path / "imgindex.db", "0001")
    before = tables(path)
    shutil.copytree(database.migrations_folder(), tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / f"{SCHEMA_VERSION + 1:04}_fails.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        f"revision, down_revision = '{SCHEMA_VERSION + 1:04}', '{SCHEMA_VERSION:04}'\n"
        "def upgrade():\n    op.create_table('half', sa.Column('id', sa.Integer))\n    raise RuntimeError('half-way')\n"
    )
    monkeypatch.setattr(database, "migrations_folder", lambda: tmp_path / "migrations")

    with fault(80, "a migration that fails", root=tmp_path):
        with pytest.raises(RuntimeError, match="half-way"), database.open_for_writing(str(path)):
            pass

        assert (tables(path), version_of(path)) == (before, 1)


@needs_strace
@pytest.mark.parametrize(
    "system_call",
    [
        "pwrite64",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("fsync", "fdatasync", "ftruncate", "rename")),
    ],
)
def test_hazard_80_an_upgrade_that_is_killed(tmp_path: Path, fault: Faults, system_call: str) -> None:
    """At whichever call: the database is what it was or what it becomes, and opens."""
    base, path = migrated(tmp_path / "base.db", "0001"), tmp_path / "imgindex.db"
    whole = {(1, 1, 0, "ok"), (SCHEMA_VERSION, SCHEMA_VERSION, 2, "ok")}
    for at in (1, 2, 3, 5, 8, 13, 21, 34):
        for leftover in tmp_path.glob("imgindex.db*"):
            leftover.unlink()
        shutil.copy(base, path)
        strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, "-e", f"trace={system_call}"]
        injection = ["-e", f"inject={system_call}:signal=KILL:when={at}", "--", sys.executable, "-c"]
        with fault(80, f"an upgrade killed at {system_call} {at}", root=tmp_path):
            subprocess.run([*strace, *injection, OPEN.format(str(path))], check=False)
            assert _state(path) in whole
            with database.open_for_writing(str(path)):
                pass
            assert _state(path) == (SCHEMA_VERSION, SCHEMA_VERSION, 2, "ok")


def _state(path: Path) -> tuple[int, int, int, str]:
    """The revision, the version in the header, how many of two later tables are there, and what SQLite says."""
    with sqlite3.connect(path) as db:
        revision = db.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        added = db.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('journal', 'match')").fetchone()[0]
        sound = db.execute("PRAGMA integrity_check").fetchone()[0]
    db.close()
    return int(revision), version_of(path), added, sound


@needs_strace
@pytest.mark.parametrize("fault_of", ["signal=KILL", pytest.param("error=EIO", marks=pytest.mark.long)])
def test_hazard_80_a_new_database_that_is_stopped_half_way(tmp_path: Path, fault: Faults, fault_of: str) -> None:
    """Killed or failing at any call that writes it: the next command makes it, whatever was left."""
    path = tmp_path / "imgindex.db"
    for system_call in ("pwrite64", "fdatasync", "ftruncate"):
        for at in range(1, 14):
            for leftover in tmp_path.glob("imgindex.db*"):
                leftover.unlink()
            strace = [
                "strace",
                "-f",
                "-qq",
                "--seccomp-bpf",
                "-o",
                os.devnull,
                "-e",
                f"trace={system_call}",
                "-P",
                str(path),
            ]
            injection = ["-P", f"{path}-journal", "-e", f"inject={system_call}:{fault_of}:when={at}", "--"]
            with fault(80, f"a new one, {fault_of} at {system_call} {at}", root=tmp_path):
                words = [*strace, *injection, sys.executable, "-c", OPEN.format(str(path))]
                ended = subprocess.run(words, check=False, capture_output=True).returncode
                with database.open_for_writing(str(path)), database.open_for_reading(str(path)) as opened:
                    opened.refuse_damaged()
                assert _state(path) == (SCHEMA_VERSION, SCHEMA_VERSION, 2, "ok")
            if not ended:
                break


@pytest.mark.parametrize("state", ["planned", "returning", "purging"])
def test_hazard_81_an_upgrade_over_files_that_are_being_moved(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Tables do not change under an unfinished prune, undo or purge: exit code 4, with what to do."""
    photos = with_copy(tmp_path, index)
    index.carry_out(index.plan())
    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE journal SET state = ?", (state,))
    db.close()
    before = digest(Path(index.path))
    monkeypatch.setattr(database, "SCHEMA_VERSION", SCHEMA_VERSION + 1)

    with fault(81, f"an upgrade over a file that is {state}", root=photos):
        with pytest.raises(SafetyError, match="interrupted"), database.open_for_writing(index.path):
            pass

        assert digest(Path(index.path)) == before
