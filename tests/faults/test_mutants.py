"""Damaged pictures by the hundred: a run over them ends, explains each, and starts nothing (rows 94 to 99)."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from mutants import bred, judged, mutants, parents
from score import Faults


def surveyed(tmp_path: Path, fault: Faults, count: int) -> None:
    """Breeds mutants, indexes them, and asks for nothing wrong."""
    folder = tmp_path / "mutants"
    made = bred(folder, 94, count, 0)
    with fault(99, f"{count} damaged pictures", root=folder):
        verdict = judged(folder, tmp_path, made)

        assert verdict.is_good, verdict
        assert verdict.files > count
        assert verdict.unreadable > count // 4


def test_300_mutants(tmp_path: Path, data: Path, fault: Faults) -> None:
    """Exit code 3, each unreadable file with its reason, no program, no traceback, little memory, nobody left."""
    surveyed(tmp_path, fault, 300)


@pytest.mark.long
def test_3000_mutants(tmp_path: Path, data: Path, fault: Faults) -> None:
    """The same for more of them."""
    surveyed(tmp_path, fault, 3_000)


def test_mutants_are_the_same_each_time(data: Path) -> None:
    """So that what one of them finds can be found again."""
    assert list(islice(mutants(parents(), 7), 50)) == list(islice(mutants(parents(), 7), 50))
