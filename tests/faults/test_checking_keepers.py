"""Hazards 48 and 49: keepers that cannot be read, and two prunes at once with opposite keepers."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from checking import KEEPER, SURPLUS, left_over, payloads, with_copy
from deciding import names
from deciding import prune as pruned
from score import Faults

from indexer import Index, confirm, prune
from indexer.entry import run

MEMORY = Path("/dev/shm")  # noqa: S108 - nothing waits for a disk there


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory, or where temporary files lie."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def index(place: Path) -> Index:
    """An index in that folder."""
    return Index(place / "imgindex.db")


# --- 48: keepers that cannot be read


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENXIO], ids=errno.errorcode.get)
@pytest.mark.parametrize("at", ["open", "read"])
@pytest.mark.parametrize("way", ["copies", "saved again", "hard"])
def test_hazard_48_keeper_that_cannot_be_opened_or_read(
    place: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, code: int, at: str, way: str
) -> None:
    """Whatever error the keeper gives, its surplus stays, and the exit code is 3."""
    photos = with_copy(place, index, resaved=way == "saved again")
    keeper = (photos / KEEPER).stat().st_ino
    opens, reads = confirm.open_regular, confirm.chunks

    def open_regular(name: str, folder: int) -> tuple[int, os.stat_result]:
        if name == Path(KEEPER).name:
            raise OSError(code, os.strerror(code))
        return opens(name, folder)

    def chunks(descriptor: int) -> Iterator[bytes]:
        if os.fstat(descriptor).st_ino == keeper:
            raise OSError(code, os.strerror(code))
        yield from reads(descriptor)

    monkeypatch.setattr(*((confirm, "open_regular", open_regular) if at == "open" else (confirm, "chunks", chunks)))
    with fault(48, f"{errno.errorcode[code]} at {at} of the keeper, {way}", root=photos):
        exit_code = pruned(index, *(["--link", "hard"] if way == "hard" else []))

    assert (exit_code, payloads(photos), left_over(place)) == (3, [], [])


@pytest.mark.parametrize("empty", [False, True], ids=["missing", "an empty mount point"])
@pytest.mark.parametrize("link", [None, "symlink"])
def test_hazard_48_root_of_the_keeper_is_away(
    place: Path, index: Index, fault: Faults, empty: bool, link: str | None
) -> None:
    """A surplus file whose keeper lies in another root, which is not mounted, stays."""
    photos, other = with_copy(place, index), place / "other"
    other.mkdir()
    shutil.move(photos / SURPLUS, other / "copy.jpg")
    index.update(photos, other, jobs=0, confirm_missing=True)
    plan = index.plan(link=link)
    photos.rename(place / "away")
    if empty:
        photos.mkdir()

    with fault(48, f"root of the keeper away, empty: {empty}, {link}", root=other, others=[place / "away"]):
        done = index.carry_out(plan, max_share=1)

    assert [move.keeper.path for move in plan.moves] == [KEEPER]
    assert (done.moved, [one.path for one in done.refused]) == ((), [str(other / "copy.jpg")])


# --- 49: two prunes with opposite keepers


def opposite(index: Index, *options: str) -> list[Path]:
    """Two plans of which each keeps what the other takes."""
    plans = []
    for keep in ("oldest", "newest"):
        plans.append(Path(index.path).with_name(f"{keep}.jsonl"))
        plans[-1].unlink(missing_ok=True)
        call = ["prune", "--quiet", "--keep", keep, "--plan-out", str(plans[-1]), "--db", index.path, *options]
        assert run(call) == 0
    return plans


@pytest.mark.parametrize("link", [None, "hard", "symlink"])
def test_hazard_49_two_processes_at_once(place: Path, index: Index, fault: Faults, link: str | None) -> None:
    """Two prunes that start at the same moment: one content is there after, and exit codes and words say what happened."""
    photos = with_copy(place, index)
    call = [sys.executable, "-m", "indexer", "prune", "--yes", "--quiet", "--db", index.path, "--plan", "-"]

    for turn in range(2):
        plans = opposite(index, *(["--link", link] if link else []))[:: 1 - 2 * turn]
        with fault(49, f"two processes at once, {link or 'quarantine'}, {turn}", root=photos) as case:
            both = [subprocess.Popen(call, stdin=-1, stdout=-1, stderr=-1, text=True) for _plan in plans]
            time.sleep(1)  # both have loaded, and wait for their plan
            for process, plan in zip(both, plans, strict=True):
                tell(process, plan.read_text())
            said = [process.communicate()[1] for process in both]
            left = names(photos / "a") | names(photos / "z")
            case.undo(index)

        codes = sorted(process.returncode for process in both)
        assert codes[0] == 0, said
        assert codes[1] in {3, 4, 5}, said
        assert [bool(words) for words in said].count(True) == 1
        assert "Traceback" not in "".join(said)
        assert len(left & {"0.jpg", "copy.jpg"}) == (2 if link else 1)


def tell(process: subprocess.Popen[str], text: str) -> None:
    """Writes to a process's standard input, and closes it."""
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.close()
    process.stdin = None


@pytest.mark.parametrize("link", [None, "hard", "symlink"])
def test_hazard_49_the_other_prune_ran_between_plan_and_deed(
    place: Path, index: Index, fault: Faults, link: str | None
) -> None:
    """A keeper that another prune took meanwhile protects its surplus: nothing moves."""
    photos = with_copy(place, index)
    first, second = (index.plan_from(plan.read_text().splitlines()) for plan in opposite(index))
    if link:
        first, second = (index.plan(keep=[keep], link=link) for keep in ("oldest", "newest"))

    with fault(49, f"the other prune between plan and deed, {link or 'quarantine'}", root=photos) as case:
        one, two = index.carry_out(first), index.carry_out(second)
        case.undo(index)

    assert (len(one.moved), one.refused) == (1, ())
    assert (two.moved, [refused.path for refused in two.refused]) == ((), [str(photos / KEEPER)])


def test_hazard_49_the_other_prune_comes_in_the_middle(
    place: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one prune moves, the other is told that it runs, exit code 5, and does nothing."""
    photos = with_copy(place, index)
    real, codes = prune.write_manifest, list[int]()

    def meeting(*arguments: Any) -> None:
        codes.append(pruned(index, "--keep", "newest"))
        real(*arguments)

    monkeypatch.setattr(prune, "write_manifest", meeting)
    with fault(49, "the other prune in the middle", root=photos) as case:
        codes.append(pruned(index, "--keep", "oldest"))
        left = (photos / KEEPER).exists(), (photos / SURPLUS).exists()
        case.undo(index)

    assert codes == [5, 0]
    assert left == (True, False)
