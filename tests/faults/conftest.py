"""Collects what the hazard tests record, and prints the score at the end of the session.

`IMGINDEX_FAULTS_JSON` names a file that gets one JSON object a case.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from score import Faults, Outcome, json_lines, lines

RECORDER = pytest.StashKey[Faults]()
OUTCOMES = pytest.StashKey[list[Outcome]]()
"""Of the session. The list hangs on the session's config, as modules may be imported twice under importlib."""


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Faults:
    """Records a case for each fault that is injected; see `score.py`."""
    recorder = Faults()
    request.node.stash[RECORDER] = recorder
    return recorder


def recorded(config: pytest.Config) -> list[Outcome]:
    """The outcomes of the session so far."""
    return config.stash.setdefault(OUTCOMES, [])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Takes the outcomes of a test that has run; those of a failed one were not survived."""
    if call.when == "call" and RECORDER in item.stash:
        recorder = item.stash[RECORDER]
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            recorder.fail()
        recorded(item.config).extend(recorder.outcomes)
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the table and the score, when any hazard test ran."""
    if recorded(config):
        terminalreporter.section("faults")
        for line in lines(recorded(config)):
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the cases as lines of JSON."""
    target = os.environ.get("IMGINDEX_FAULTS_JSON")
    if target:
        Path(target).write_text(json_lines(recorded(session.config)), encoding="utf-8")
