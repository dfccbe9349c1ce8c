"""What the tests share: drawn pictures, and the real ones where they are present; and the score of the hazard tests.

`IMGINDEX_FAULTS_JSON` names a file that gets one JSON object a fault.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from score import RECORDER, Outcome, json_lines, lines
from support import DATA, make_photos

from indexer import Index

settings.register_profile("busy", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("busy")  # a machine that has much to do makes no test wrong
OUTCOMES = pytest.StashKey[list[Outcome]]()
"""Of the session."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No index of the machine's owner is ever found, and each test has a current folder of its own."""
    monkeypatch.delenv("IMGINDEX_DB", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def data() -> Path:
    """The folder of real pictures."""
    if not DATA.is_dir():
        pytest.skip(f"the real pictures are not here: {DATA} (set IMGINDEX_TEST_DATA)")
    return DATA


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of six drawn pictures, none like another, that were there for a while."""
    return make_photos(tmp_path / "photos")


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An index that does not exist yet, beside the photos."""
    return Index(tmp_path / "imgindex.db")


# --- the score of the hazard tests


class _Collector:
    """Takes the outcomes from the reports of tests, which may have run in other processes."""

    def __init__(self, config: pytest.Config) -> None:
        """Begin with none."""
        self._outcomes = config.stash.setdefault(OUTCOMES, [])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes those of one test."""
        if report.when == "call":
            self._outcomes += [
                Outcome(**fields) for name, found in report.user_properties if name == "faults" for fields in found
            ]


def pytest_configure(config: pytest.Config) -> None:
    """Collects in the process that prints."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Collector(config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts the outcomes of a test that has run into its report; those of a failed one were not survived."""
    report = yield
    if call.when == "call" and RECORDER in item.stash:
        recorder = item.stash[RECORDER]
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            recorder.fail()
        report.user_properties.append(("faults", [asdict(outcome) for outcome in recorder.outcomes]))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the table and the score, when any hazard test ran."""
    found = config.stash.get(OUTCOMES, [])
    if found:
        terminalreporter.section("faults")
        for line in lines(found):
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the cases as lines of JSON."""
    target = os.environ.get("IMGINDEX_FAULTS_JSON")
    if target and not hasattr(session.config, "workerinput"):
        Path(target).write_text(json_lines(session.config.stash.get(OUTCOMES, [])), encoding="utf-8")
