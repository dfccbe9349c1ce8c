"""Index, prune, undo, purge and recover survive being killed at their system calls, and failing ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import pytest
from kill_points import FAULTS, Fault, survey
from score import Faults, Outcome

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
ROWS = {"index": 120, "prune": 61, "link": 58, "symlink": 58, "upgrades": 58, "reject": 58, "returned": 58}
"""An interrupted prune is also finished by the next one (61); everything else stands for 59: undo, purge and recover."""
ERROR_ROWS = {"INT": 121, "ENOSPC": 65, "EXDEV": 62, "EMFILE": 125}
"""Other errors stand for 68."""
ERRORS = tuple(name for name in FAULTS if name != "KILL")


def recorded(fault: Faults, found: Iterable[Fault]) -> list[Fault]:
    """The faults of a survey, each of them recorded."""
    found = list(found)
    for one in found:
        row = ROWS.get(one.command, 59) if one.fault == "KILL" else ERROR_ROWS.get(one.fault, 68)
        words = f"{one.command}: {one.fault} at {one.system_call} {one.at}"
        outcome = Outcome(row, words, one.contents_lost, one.undo_exact, one.survived)
        fault.record(outcome, failed=not one.survived)
    return found


@needs_strace
def test_hazard_58_59_and_61_killed_at_a_sample_of_system_calls(fault: Faults) -> None:
    """Nothing is lost, undo is exact, and the next command goes on; in a form that takes a minute."""
    faults = recorded(fault, survey(every=False))

    assert len(faults) > 40
    assert {one.command for one in faults} >= {
        "index",
        "prune",
        "undo",
        "purge",
        "recover",
        "link",
        "undo of links",
        "symlink",
        "upgrades",
        "undo of upgrades",
        "reject",
        "undo of reject",
        "returned",
    }
    assert [one for one in faults if not one.survived] == []


@needs_strace
@pytest.mark.long
def test_hazard_58_59_and_61_killed_at_every_system_call(fault: Faults) -> None:
    """Every kill point."""
    faults = recorded(fault, survey(every=True))

    assert [one for one in faults if not one.survived] == []


@needs_strace
def test_hazard_62_65_68_121_and_125_a_sample_of_system_calls_fails(fault: Faults) -> None:
    """With errors of the disk and of the system, and with Ctrl-C, in turn."""
    faults = recorded(fault, survey(every=False, faults=ERRORS, thinned=3))

    assert {one.fault for one in faults} == set(ERRORS)
    assert [one for one in faults if not one.survived] == []


@needs_strace
@pytest.mark.long
def test_hazard_62_65_68_121_and_125_every_system_call_fails(fault: Faults) -> None:
    """Two errors at every call: the disk breaks, and it is full."""
    faults = recorded(fault, survey(every=True, faults=("EIO", "ENOSPC")))

    assert [one for one in faults if not one.survived] == []
