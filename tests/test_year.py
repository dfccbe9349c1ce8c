"""Twenty scrapes whose truth is known: what the index says of each, what each costs, and what it remembers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support import settle
from year import Year

from indexer import Index
from indexer.brought import Brought
from indexer.moves import MoveReport

SCRAPES = 20
LEAST = 15
"""How often each outcome occurs in a year that shows something."""


@pytest.fixture
def year(data: Path, tmp_path: Path) -> Year:
    """A data set before its first scrape."""
    return Year(tmp_path / "photos", sorted((data / "photos_clothing" / "train").rglob("*.jpg")))


def test_simulated_year(year: Year, index: Index) -> None:
    """Every line of every report is the truth, each run decodes what is new and nothing else, and one re-run nothing."""
    brought: Counter[str] = Counter()
    for number in range(SCRAPES):
        between, scrape = year.between(), year.scrape()
        label = f"scrape-{number:02}"
        found = index.update(year.photos, label=label, jobs=0)
        settle(index)

        brought.update(scrape.outcomes.values())
        assert told(year, index, label) == scrape.outcomes
        assert (found.moved, found.gone) == between
        assert found.new == len(scrape.outcomes)
        assert found.decoded == scrape.decoded
        assert returned(year, index) == {path for path, outcome in scrape.outcomes.items() if outcome == "returned"}
        tend(year, index, number)
        settle(index)
        again = index.update(year.photos, jobs=0)
        assert (again.new, again.moved, again.gone, again.decoded, again.reread) == (0, 0, 0, 0, 0)

    assert set(brought) == set(Brought)
    assert min(brought.values()) >= LEAST
    trend = {one.label: sum(one.files.values()) for one in index.scrapes()}
    assert list(trend) == [f"scrape-{number:02}" for number in range(SCRAPES)]


def told(year: Year, index: Index, label: str) -> dict[str, str]:
    """What the report says of each file of a scrape."""
    return {inside(year, one.path): str(one.outcome) for one in index.arrivals(label)}


def returned(year: Year, index: Index) -> set[str]:
    """The files that show what was rejected."""
    return {inside(year, one.file.full_path) for one in index.returned()}


def inside(year: Year, path: str) -> str:
    """A path relative to the data set."""
    return str(Path(path).relative_to(year.photos))


def tend(year: Year, index: Index, number: int) -> None:
    """What the owner does with the tool after a scrape: what returned goes, and from time to time, everything surplus."""
    index.carry_out(index.plan_returned(), max_share=1)
    if number % 3 == 0:
        reject(year, index)
    if number % 4 == 1:
        upgrade(year, index)
    if number % 4 == 3:
        prune(year, index)


def reject(year: Year, index: Index) -> None:
    """A picture goes with all its files."""
    paths = year.unwanted()
    gone = moved(year, index.carry_out(index.plan_rejection(*(year.photos / path for path in paths), reason="blurred")))
    assert gone == set(paths)


def upgrade(year: Year, index: Index) -> None:
    """Each picture that came in full size stands where it was first."""
    expected, found = year.upgrades(), index.upgrades(class_folders=False)
    assert {inside(year, one.move.surplus.member.full_path) for one in found} == set(expected)
    for one in found:
        old, new = inside(year, one.move.surplus.member.full_path), inside(year, one.move.keeper.full_path)
        assert new in expected[old]
        year.upgraded(old, new, inside(year, one.target))
    assert index.carry_out(index.plan_upgrades(found), max_share=1).refused == ()
    assert all((year.photos / path).exists() for path in year.standing)


def prune(year: Year, index: Index) -> None:
    """One file of each picture stays, and no file of another sort goes."""
    pictures = {shown.picture for shown in year.standing.values()}
    gone = moved(year, index.carry_out(index.plan(on_conflict="prune"), max_share=1))
    assert gone <= set(year.standing)
    year.standing = {path: shown for path, shown in year.standing.items() if path not in gone}
    assert sorted(shown.picture for shown in year.standing.values()) == sorted(pictures)
    assert all((year.photos / path).exists() for path in year.standing)


def moved(year: Year, report: MoveReport) -> set[str]:
    """The files that went."""
    assert report.refused == ()
    return {inside(year, one.path) for one in report.moved}
