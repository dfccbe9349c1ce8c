"""Fixtures of hazard tests: a record of their faults, which `tests/conftest.py` prints, and commands that start at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from score import RECORDER, Faults
from warm import Run, commands


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Faults:
    """Records a case for each fault that is injected; see `score.py`."""
    recorder = Faults()
    request.node.stash[RECORDER] = recorder
    return recorder


@pytest.fixture(scope="session")
def warm() -> Iterator[Run]:
    """Runs commands under strace, without the time that starting takes; see `warm.py`."""
    with commands() as run:
        yield run
