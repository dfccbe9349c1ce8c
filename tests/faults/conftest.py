"""The fixture by which hazard tests record their faults; `tests/conftest.py` collects and prints them."""

from __future__ import annotations

import pytest
from score import RECORDER, Faults


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Faults:
    """Records a case for each fault that is injected; see `score.py`."""
    recorder = Faults()
    request.node.stash[RECORDER] = recorder
    return recorder
