"""Prune, undo, purge and recover survive being killed at their system calls."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kill_points import Fault, survey
from score import Faults, Outcome

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
ROWS = {"prune": 61, "link": 58, "symlink": 58}
"""An interrupted prune is also finished by the next one (61); everything else stands for 59: undo, purge and recover."""


def recorded(fault: Faults, *, every: bool) -> list[Fault]:
    """The faults of a survey, each of them recorded."""
    found = list(survey(every=every))
    for one in found:
        row = ROWS.get(one.command, 59)
        words = f"{one.command} killed at {one.system_call} {one.at}"
        outcome = Outcome(row, words, one.contents_lost, one.undo_exact, one.survived)
        fault.record(outcome, failed=not one.survived)
    return found


@needs_strace
def test_hazard_58_59_and_61_killed_at_a_sample_of_system_calls(fault: Faults) -> None:
    """Nothing is lost, undo is exact, and the next command goes on; in a form that takes a minute."""
    faults = recorded(fault, every=False)

    assert len(faults) > 40
    assert {one.command for one in faults} >= {"prune", "undo", "purge", "recover", "link", "undo of links", "symlink"}
    assert [one for one in faults if not one.survived] == []


@needs_strace
@pytest.mark.long
def test_hazard_58_59_and_61_killed_at_every_system_call(fault: Faults) -> None:
    """Every kill point."""
    faults = recorded(fault, every=True)

    assert [one for one in faults if not one.survived] == []
