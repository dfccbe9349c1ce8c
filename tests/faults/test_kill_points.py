"""Prune and undo survive being killed at their system calls."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kill_points import score, survey

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@needs_strace
def test_nothing_is_lost_when_killed_at_a_sample_of_system_calls() -> None:
    """Hazards 58, 59 and 61, in a form that takes a minute or two."""
    faults = list(survey(every=False))

    print(score(faults))
    assert len(faults) > 30
    assert [fault for fault in faults if not fault.survived] == []


@needs_strace
@pytest.mark.long
def test_nothing_is_lost_when_killed_at_every_system_call() -> None:
    """Hazards 58, 59 and 61, every kill point."""
    faults = list(survey(every=True))

    print(score(faults))
    assert [fault for fault in faults if not fault.survived] == []
