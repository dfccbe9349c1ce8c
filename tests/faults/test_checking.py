"""Hazards 42 to 57: what happens to keeper and surplus between the plan and the move."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from checking import (
    KEEPER,
    SURPLUS,
    Change,
    behind_a_link,
    command,
    deleted,
    grown,
    hard_linked,
    left_over,
    made_a_fifo,
    made_a_folder,
    mtime_put_back,
    overwritten,
    payloads,
    renamed,
    symlinked,
    truncated,
    with_copy,
)
from score import Faults
from support import tree

from indexer import Index, quarantine, transfer
from indexer.drawing import drawn, encoded
from indexer.errors import SafetyError

OF_KEEPER = [
    pytest.param(42, overwritten, id="42 overwritten"),
    pytest.param(42, truncated, id="42 truncated"),
    pytest.param(43, mtime_put_back, id="43 overwritten, mtime put back"),
    pytest.param(44, deleted, id="44 deleted"),
    pytest.param(44, renamed, id="44 renamed"),
    pytest.param(45, symlinked, id="45 a symlink to the surplus"),
    pytest.param(46, hard_linked, id="46 a hard link of the surplus"),
    pytest.param(47, made_a_folder, id="47 a folder"),
    pytest.param(47, made_a_fifo, id="47 a FIFO"),
    pytest.param(53, behind_a_link, id="53 its folder a symlink"),
]
OF_SURPLUS = [
    pytest.param(50, overwritten, id="50 overwritten"),
    pytest.param(50, mtime_put_back, id="50 mtime put back"),
    pytest.param(50, grown, id="50 grown"),
    pytest.param(51, symlinked, id="51 a symlink"),
    pytest.param(53, behind_a_link, id="53 its folder a symlink"),
]
WAYS = [
    pytest.param({"resaved": False}, None, id="copies"),
    pytest.param({"resaved": True}, None, id="saved again"),
    pytest.param({"resaved": False}, "hard", id="hard links"),
    pytest.param({"resaved": False}, "symlink", id="symlinks"),
]


@pytest.mark.parametrize(("row", "change"), OF_KEEPER)
@pytest.mark.parametrize(("made", "link"), WAYS)
def test_hazard_42_to_47_and_53_of_the_keeper(
    tmp_path: Path, index: Index, fault: Faults, row: int, change: Change, made: dict[str, bool], link: str | None
) -> None:
    """A keeper that is no longer what the plan says protects its surplus, and the reason is given."""
    photos = with_copy(tmp_path, index, **made)
    plan = index.plan(link=link)
    change(photos / KEEPER, photos / SURPLUS)

    with fault(row, f"keeper {change.__name__}, {link or 'quarantine'}, {made}", root=photos):
        done = index.carry_out(plan)

    assert (done.moved, [one.path for one in done.refused]) == ((), [str(photos / SURPLUS)])
    assert done.refused[0].reason
    assert (payloads(photos), left_over(tmp_path)) == ([], [])


@pytest.mark.parametrize(("row", "change"), OF_SURPLUS)
@pytest.mark.parametrize(("made", "link"), WAYS)
def test_hazard_50_51_and_53_of_the_surplus(
    tmp_path: Path, index: Index, fault: Faults, row: int, change: Change, made: dict[str, bool], link: str | None
) -> None:
    """A surplus file that is no longer what the plan says stays where it is."""
    photos = with_copy(tmp_path, index, **made)
    plan = index.plan(link=link)
    change(photos / SURPLUS, photos / KEEPER)

    with fault(row, f"surplus {change.__name__}, {link or 'quarantine'}, {made}", root=photos):
        done = index.carry_out(plan)

    assert (done.moved, [one.path for one in done.refused]) == ((), [str(photos / SURPLUS)])
    assert (payloads(photos), left_over(tmp_path)) == ([], [])


def test_hazards_table_of_section_0(tmp_path: Path, fault: Faults, capsys: pytest.CaptureFixture[str]) -> None:
    """The seven changes at which other tools lose a file between finding it and confirming it."""
    changes = [(42, KEEPER, overwritten), (43, KEEPER, mtime_put_back), (44, KEEPER, deleted), (45, KEEPER, symlinked)]
    changes += [(46, KEEPER, hard_linked), (50, SURPLUS, overwritten), (50, SURPLUS, mtime_put_back)]
    kept = 0
    for number, (row, changed, change) in enumerate(changes):
        index = Index(tmp_path / str(number) / "imgindex.db")
        (tmp_path / str(number)).mkdir()
        photos = with_copy(tmp_path / str(number), index)
        plan = index.plan()
        change(photos / changed, photos / (SURPLUS if changed == KEEPER else KEEPER))
        with fault(row, f"section 0: {changed} {change.__name__}", root=photos):
            kept += not index.carry_out(plan).moved
    with capsys.disabled():
        print(f"\nsurvived between scan and confirm: {kept}/{len(changes)}")

    assert kept == len(changes)


@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="needs root and setpriv")
def test_hazard_48_keeper_that_may_not_be_read(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A user who may not read the keeper moves nothing, is told so, and gets exit code 3."""
    under = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if subprocess.run([*under, sys.executable, "-c", "import indexer"], check=False, capture_output=True).returncode:
        pytest.skip("another user may not read this Python environment")
    photos = with_copy(tmp_path, index)
    for place in (tmp_path, *tmp_path.rglob("*")):
        os.chown(place, 65534, 65534)
    for place in tmp_path.parents:
        if place.is_relative_to("/tmp/pytest-of-root"):  # noqa: S108 - pytest makes it private
            place.chmod(0o755)
    os.chown(photos / KEEPER, 0, 0)
    (photos / KEEPER).chmod(0o600)

    with fault(48, "EACCES on the keeper", root=photos):
        ran = command(index, "prune", "--yes", under=under)

    assert (ran.returncode, payloads(photos)) == (3, []), ran.stderr
    assert "cannot be read: Permission denied" in ran.stderr


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_hazard_48_keeper_that_the_disk_does_not_give(tmp_path: Path, index: Index, fault: Faults) -> None:
    """EIO while the keeper is read: nothing moves, exit code 3."""
    photos = with_copy(tmp_path, index)
    under = (
        "strace",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-o",
        os.devnull,
        "-P",
        str(photos / KEEPER),
        "-e",
        "trace=pread64",
    )

    with fault(48, "EIO on the keeper", root=photos):
        ran = command(index, "prune", "--yes", under=(*under, "-e", "inject=pread64:error=EIO:when=1+"))

    assert (ran.returncode, payloads(photos)) == (3, []), ran.stderr


def test_hazard_48_keeper_on_a_root_that_is_away(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A root that is not mounted: nothing is moved, and nothing is made in its place."""
    photos = with_copy(tmp_path, index)
    plan = index.plan()
    photos.rename(photos.with_name("away"))

    with fault(48, "the root is away", root=photos, others=[photos.with_name("away")]), pytest.raises(SafetyError):
        index.carry_out(plan)

    assert not photos.exists()


def test_hazard_49_two_prunes_with_opposite_keepers(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Two processes, each to keep what the other moves: one content is there at the end, and both exit codes are honest."""
    photos = with_copy(tmp_path, index)
    for number, keep in enumerate(("oldest", "newest")):
        written = command(index, "prune", "--keep", keep, "--plan-out", str(tmp_path / f"{number}.jsonl"))
        assert written.returncode == 0, written.stderr

    with fault(49, "two prunes at once", root=photos) as case:
        calls = [
            [sys.executable, "-m", "indexer", "prune", "--plan", str(tmp_path / f"{number}.jsonl"), "--yes", "-q"]
            for number in range(2)
        ]
        running = [subprocess.Popen([*call, "--db", index.path], stderr=subprocess.PIPE, text=True) for call in calls]
        codes = sorted(process.wait() for process in running)
        told = "".join(process.communicate()[1] for process in running)
        here = [path for path in (KEEPER, SURPLUS) if (photos / path).exists()]
        case.undo(index)

    assert codes[0] == 0
    assert codes[1] in {3, 4, 5}
    assert len(here) == 1
    assert "Traceback" not in told


@pytest.mark.parametrize("link", [None, "hard"])
def test_hazard_52_surplus_swapped_at_the_last_moment(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, link: str | None
) -> None:
    """What comes out of its place is checked to be what was read, and put back when it is not."""
    photos = with_copy(tmp_path, index)
    plan = index.plan(link=link)
    name = "rename_no_replace" if link is None else "exchange"
    real, calls = getattr(transfer, name), []

    with fault(52, f"swapped, {link or 'quarantine'}", root=photos) as case:

        def swapping(*arguments: object) -> object:
            if not calls:
                calls.append(1)
                (photos / "intruder").write_bytes(encoded(drawn(51)))
                (photos / "intruder").replace(photos / SURPLUS)
                case.snapshot()
            return real(*arguments)

        monkeypatch.setattr(transfer, name, swapping)
        done = index.carry_out(plan)

    assert "at the last moment" in done.refused[0].reason
    assert (photos / SURPLUS).read_bytes() == encoded(drawn(51))
    assert (payloads(photos), left_over(tmp_path)) == ([], [])


def test_hazard_53_folder_swapped_for_a_link_at_the_last_moment(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file outside the root, reached through the link, is not touched."""
    photos = with_copy(tmp_path, index)
    plan = index.plan()
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy2(photos / SURPLUS, outside / "copy.jpg")
    real = quarantine.still_as_confirmed

    def swapping(*arguments: object) -> bool:
        answer = real(*arguments)  # type: ignore[arg-type]
        if (photos / "z").is_dir() and not (photos / "z").is_symlink():
            (photos / "z").rename(photos / "was-z")
            (photos / "z").symlink_to(outside)
        return answer

    monkeypatch.setattr(quarantine, "still_as_confirmed", swapping)
    with fault(53, "the folder became a link between check and move", root=photos, others=[outside]):
        index.carry_out(plan)

    assert (outside / "copy.jpg").exists()


def test_hazard_54_plan_that_is_old_or_foreign(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Carried out already, made before a scan that found something, or for another index: exit code 4, nothing moves."""
    photos = with_copy(tmp_path, index)
    plan = tmp_path / "plan.jsonl"
    command(index, "prune", "--plan-out", str(plan))
    shutil.copy(photos / "b" / "1.jpg", photos / "new.jpg")
    index.update(photos, jobs=0)
    other = Index(tmp_path / "other.db")
    other.update(photos, jobs=0)

    with fault(54, "after a scan", root=photos):
        stale = command(index, "prune", "--plan", str(plan), "--yes")
    with fault(54, "another index", root=photos):
        foreign = command(other, "prune", "--plan", str(plan), "--yes")
    command(index, "prune", "--plan-out", str(tmp_path / "again.jsonl"))
    first = command(index, "prune", "--plan", str(tmp_path / "again.jsonl"), "--yes")
    with fault(54, "replayed", root=photos) as case:
        replayed = command(index, "prune", "--plan", str(tmp_path / "again.jsonl"), "--yes")
        case.snapshot()

    assert [ran.returncode for ran in (stale, foreign, first, replayed)] == [4, 4, 0, 4]
    assert "stale" in stale.stderr
    assert "another index" in foreign.stderr
    assert "carried out already" in replayed.stderr


def test_hazard_54_plan_that_was_edited(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A line whose keeper was swapped for an unrelated file is refused by itself: exit code 3."""
    photos = with_copy(tmp_path, index)
    plan = tmp_path / "plan.jsonl"
    command(index, "prune", "--plan-out", str(plan))
    plan.write_text(plan.read_text().replace(KEEPER, "b/1.jpg"))

    with fault(54, "keeper edited", root=photos):
        ran = command(index, "prune", "--plan", str(plan), "--yes")

    assert (ran.returncode, payloads(photos)) == (3, [])


def test_hazard_55_dry_run_prints_what_the_real_run_prints(tmp_path: Path, index: Index, fault: Faults) -> None:
    """The plan's lines are the same, and the dry run changes nothing, neither names nor times."""
    photos = with_copy(tmp_path, index, captions=True)
    before = tree(photos)

    with fault(55, "dry run and real run", root=photos) as case:
        dry = command(index, "prune")
        between = tree(photos)
        real = command(index, "prune", "--yes")
        case.undo(index)

    plan = dry.stdout.split("Nothing was moved")[0]
    assert plan
    assert real.stdout.startswith(plan)
    assert between == before


def test_hazard_56_runaway_plan(tmp_path: Path, index: Index, fault: Faults) -> None:
    """More than half of a folder is refused until the share is confirmed, as the message says how."""
    photos = with_copy(tmp_path, index)
    for number in range(6):
        shutil.copy(photos / "b" / "1.jpg", photos / "z" / f"more-{number}.jpg")
    for number in range(5):
        shutil.copy(photos / "a" / "2.jpg", photos / "z" / f"and-{number}.jpg")
    index.update(photos, jobs=0)

    with fault(56, "two thirds of the files", root=photos) as case:
        refused = command(index, "prune", "--yes")
        few = command(index, "prune", "--yes", "--max-files", "3", "--max-share", "1")
        between = payloads(photos)
        share = refused.stderr.split("--max-share ")[1].split()[0]
        confirmed = command(index, "prune", "--yes", "--max-share", share)
        case.undo(index)

    assert (refused.returncode, few.returncode, between, confirmed.returncode) == (4, 4, [], 0)


def test_hazard_57_no_yes_and_no_terminal(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Without --yes a prune is a dry run, whatever standard input is: it shows the plan and ends with exit code 0."""
    photos = with_copy(tmp_path, index)
    before = tree(photos)

    with fault(57, "standard input at its end", root=photos):
        ran = command(index, "prune")

    assert (ran.returncode, tree(photos), payloads(photos)) == (0, before, [])
    assert "Nothing was moved" in ran.stdout


def test_hazard_39_keeper_that_the_index_no_longer_knows(tmp_path: Path, index: Index, fault: Faults) -> None:
    """The transaction that writes the intent sees that the keeper is a file that stays: a row must stand for it."""
    photos = with_copy(tmp_path, index)
    plan = index.plan()
    with contextlib.closing(sqlite3.connect(index.path)) as db, db:
        db.execute("DELETE FROM file WHERE id = ?", (plan.moves[0].keeper.file_id,))

    with fault(39, "the keeper's row is gone", root=photos):
        done = index.carry_out(plan)

    assert [one.reason for one in done.refused] == ["the index no longer knows its keeper as it was"]
    assert payloads(photos) == []
