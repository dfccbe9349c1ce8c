"""What becomes of each injected fault: the oracle, the record and the score.

A hazard test asks for the fixture `fault` and records a case a fault:

    def test_hazard_42_prune_skips_when_the_keeper_was_overwritten(photos: Path, index: Index, fault: Faults) -> None:
        plan = index.plan()
        (photos / "a/0.jpg").write_bytes(b"something else")
        with fault(42, "keeper overwritten", root=photos) as case:
            done = index.carry_out(plan)
            case.undo(index)
        assert done.moved == ()

The oracle believes the disk alone. When the block begins, it digests every regular file below the root and its quarantine;
when the block ends, each of these contents must still be there. A fault that is injected within the block, by a hook in
the middle of a command, may destroy a content itself: then the hook calls `case.snapshot()` behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from support import Tree, tree

from indexer import Index
from indexer.errors import UsageError

QUARANTINE = ".imgindex-quarantine"
MANIFEST = "manifest.jsonl"
"""Written by imgindex itself beside what is quarantined: no content of the data set."""
_ROWS = {
    "S1": "1 2 3 4 6 9 10 11 12 13 16 17 18 19 20 21 25 27 28 29 30 33 35 37 38 39 40 41 42 43 44 45 46 47 48 49 50"
    " 51 52 53 54 56 57 58 59 60 61 62 63 64 65 66 67 69 70 73 74 75 77 78 80 81 82 85 91 92 94 95 103 108 109"
    " 111 112 113 114 115 118 121 123",
    "S2": "5 7 8 15 22 24 31 32 34 36 55 68 71 72 76 79 83 84 86 87 88 89 90 93 96 97 98 99 100 102 104 106 107 110"
    " 117 119 120 122 124 125",
    "S3": "14 23 26 101 105 116 126",
}
SEVERITIES = {int(row): severity for severity, rows in _ROWS.items() for row in rows.split()}
"""Row of the table of hazards → severity. S1 is loss of data or execution of code; all of these must hold."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fault, and what held after it."""

    row: int
    """Of the table of hazards."""
    fault: str
    contents_lost: int
    """Distinct contents that existed just before the command and exist nowhere after it."""
    undo_exact: bool | None
    """Whether undo gave back paths, bytes, permissions and times; None when nothing was to be undone."""
    survived: bool
    """True when nothing was lost, what was undone is exact, and the test found nothing wrong."""


class Case:
    """One fault being judged: a context manager around the command that meets it."""

    def __init__(self, recorder: Faults, row: int, fault: str, places: Sequence[Path]) -> None:
        """Note what is judged; the first place is the data folder, which undo must give back."""
        self._recorder = recorder
        self._row = row
        self._fault = fault
        self._places = places
        self._lost: set[bytes] = set()
        self._undo_exact: bool | None = None

    def __enter__(self) -> Self:
        """Takes the first snapshot."""
        self.snapshot()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Judges, and records the outcome whatever happened; a skipped test injected no fault.

        Raises:
            AssertionError: When a content is lost or undo was not exact, so that no test passes that forgot to ask.
        """
        if kind is not None and issubclass(kind, pytest.skip.Exception):
            return
        lost = len(self._lost | self._missing())
        sound = not lost and self._undo_exact is not False
        outcome = Outcome(self._row, self._fault, lost, self._undo_exact, sound and error is None)
        self._recorder.record(outcome, failed=not outcome.survived)
        if error is None and not sound:
            raise AssertionError(f"hazard {told(outcome)}")

    def snapshot(self) -> None:
        """Takes what is there now for what must not be lost, and for what undo must give back."""
        self._before = contents(*self._places)
        self._tree = tree(self._places[0])

    def undo(self, index: Index, original: Tree | None = None) -> None:
        """Takes back every prune that there was, and compares the data folder with what it was.

        Contents that are lost at this moment stay lost, whatever comes back. Tests of undo itself do not call this.

        Args:
            index: Of the data folder.
            original: What it must be; None for what it was when the block began, or at the last snapshot.
        """
        self._lost |= self._missing()
        wanted = self._tree if original is None else original
        self._undo_exact = False
        undone = _undo_all(index)
        exact = tree(self._places[0]) == wanted and not index.status().quarantined
        self._undo_exact = exact if undone or not exact else None

    def _missing(self) -> set[bytes]:
        return self._before - contents(*self._places)


class Faults:
    """The recorder of a test: gives cases, keeps their outcomes."""

    def __init__(self) -> None:
        """Nothing was recorded."""
        self.outcomes: list[Outcome] = []
        self._blamed = False

    def __call__(self, row: int, fault: str, root: Path, others: Iterable[Path] = ()) -> Case:
        """A case, to be entered when the fault is injected and the command is about to run.

        Args:
            row: Of the table of hazards.
            fault: In a few words, different for each case of a row.
            root: The data folder; the quarantine beside it, or in it, is looked at as well.
            others: Further folders where contents may lie: more roots with their quarantines, a quarantine elsewhere.
        """
        if row not in SEVERITIES:
            raise ValueError(f"the table of hazards has no row {row}")
        return Case(self, row, fault, (root, root.parent / QUARANTINE, *others))

    def record(self, outcome: Outcome, *, failed: bool) -> None:
        """Keeps an outcome.

        Args:
            outcome: Of a case.
            failed: Whether an exception ended the case, so that the test's failure is its.
        """
        self.outcomes.append(outcome)
        self._blamed |= failed

    def fail(self) -> None:
        """Counts all cases as not survived when the test failed after them, so that nobody knows which one it was."""
        if not self._blamed:
            self.outcomes = [replace(outcome, survived=False) for outcome in self.outcomes]


def contents(*folders: Path) -> set[bytes]:
    """The SHA-256 digests of all regular files below folders, links not followed.

    What lies under a temporary name of ours is not there: nobody would find it.
    """
    found = set()
    for folder in folders:
        for place, _folders, names in os.walk(folder):
            own = {MANIFEST} if QUARANTINE in Path(place).parts else set()
            known = (name for name in names if name not in own and not name.endswith(".part"))
            paths = (os.path.join(place, name) for name in known)
            found |= {_digest(path) for path in paths if os.path.isfile(path) and not os.path.islink(path)}
    return found


def lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The table, a line a row of hazards, then what was not survived, then the score."""
    rows = defaultdict(list)
    for outcome in outcomes:
        rows[outcome.row].append(outcome)
    yield "row  severity  cases  survived"
    for row, cases in sorted(rows.items()):
        yield f"{row:3}  {SEVERITIES[row]:8}  {len(cases):5}  {sum(case.survived for case in cases):8}"
    for case in in_order(outcomes):
        if not case.survived:
            yield f"not survived: {told(case)}"
    yield score(outcomes)


def told(case: Outcome) -> str:
    """A case in words."""
    return f"{case.row} {case.fault}: contents lost {case.contents_lost}, undo exact {case.undo_exact}"


def score(outcomes: Sequence[Outcome]) -> str:
    """The figures in one line."""
    survived = sum(outcome.survived for outcome in outcomes)
    lost = sum(outcome.contents_lost for outcome in outcomes)
    undone = [outcome.undo_exact for outcome in outcomes if outcome.undo_exact is not None]
    return f"faults survived {survived}/{len(outcomes)} · contents lost {lost} · undo exact {sum(undone)}/{len(undone)}"


def json_lines(outcomes: Sequence[Outcome]) -> str:
    """One object a case and line, the same whatever the order in which the tests ran."""
    return "".join(json.dumps(asdict(outcome), ensure_ascii=False) + "\n" for outcome in in_order(outcomes))


def in_order(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Outcomes by row, then by fault."""
    return sorted(outcomes, key=lambda outcome: (outcome.row, outcome.fault))


def _undo_all(index: Index) -> bool:
    """Takes back one prune after the other; False when there was none."""
    undone = False
    with contextlib.suppress(UsageError):  # there is nothing to bring back
        while index.undo().moved:
            undone = True
    return undone


def _digest(path: str) -> bytes:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


RECORDER = pytest.StashKey[Faults]()
"""Where a test's node keeps its recorder."""
