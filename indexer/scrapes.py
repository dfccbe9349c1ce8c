"""The story of scrapes: runs of `index` by number and label, and what they brought; a pure read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from indexer import arrivals, ledger, queries
from indexer.brought import LAST, Arrival, Brought, Scrape, ScrapeReport, Tally
from indexer.database import Database
from indexer.errors import UsageError
from indexer.places import joined, relative_to, split
from indexer.records import RunSummary
from indexer.text import printable

BETWEEN = ".."
LABEL_LENGTH = 200
NAMED = 5
"""Runs that an error names."""
_STANDING = frozenset(Brought) - {Brought.NEW, Brought.SEEN, Brought.RETURNED, Brought.UNREADABLE}
"""The outcomes of what another file stands for."""


def checked_label(label: str | None) -> str | None:
    """A label as it was given.

    Raises:
        UsageError: When it would mean something else where runs are named.
    """
    if label is None:
        return None
    plain = label.isprintable() and label == label.strip() and 0 < len(label) <= LABEL_LENGTH
    if not plain or label.isdecimal() or label == LAST or BETWEEN in label:
        raise UsageError(
            f"'{printable(label)}' cannot be a label",
            f"a label is a line of text that is no number, not '{LAST}', and has no '{BETWEEN}' in it",
        )
    return label


def scrapes(database: Database) -> list[Scrape]:
    """The finished runs that brought something, or have a label, oldest first."""
    with database.reading() as tx:
        runs, tallied = ledger.index_runs(tx), arrivals.tallied(tx)
    return [
        one
        for one in _scrapes(runs, tallied)
        if one.finished_ns is not None and (one.count or one.label is not None or not one.remembered)
    ]


def report(database: Database, which: str) -> ScrapeReport:
    """What some runs brought, in all, by source and by folder.

    Args:
        database: The index.
        which: A run's number or label, `last`, or two of these with `..` between them: all runs from the one to the other.

    Raises:
        UsageError: When there is no such run.
    """
    with database.reading() as tx:
        runs = _chosen(ledger.index_runs(tx), which)
        ids = [run.run_id for run in runs]
        found = _scrapes(runs, arrivals.tallied(tx, ids))
        bases = database.bases(queries.roots(tx)).values()
        rows = ((database.absolute(row.path), row) for page in arrivals.of_runs(tx, ids) for row in page)
        return ScrapeReport(tuple(found), *_tallies(rows, bases))


def brought(database: Database, which: str, only: Iterable[Brought] = ()) -> Iterator[Arrival]:
    """The files that some runs brought, by run and path.

    Args:
        database: The index.
        which: As for `report`.
        only: The outcomes that are wanted; none for all.

    Raises:
        UsageError: When there is no such run.
    """
    with database.reading() as tx:
        ids = [run.run_id for run in _chosen(ledger.index_runs(tx), which)]
        bases = database.bases(queries.roots(tx))
        for page in arrivals.of_runs(tx, ids, only):
            known = arrivals.places(tx, {row.known_id for row in page if row.outcome in _STANDING})
            paths = {key: [joined(bases[root], path) for root, path in found] for key, found in known.items()}
            for row in page:
                path = database.absolute(row.path)
                others = (other for other in paths.get(row.known_id, ()) if other != path)
                known_as = next(others, None) if row.outcome in _STANDING else None
                yield Arrival(row.run_id, path, row.size, Brought(row.outcome), known_as, row.digest)


def _scrapes(runs: Sequence[RunSummary], tallied: Iterable[tuple[int, Brought, int, int]]) -> Iterator[Scrape]:
    files: dict[int, dict[Brought, int]] = defaultdict(dict)
    sizes: dict[int, dict[Brought, int]] = defaultdict(dict)
    for run_id, outcome, count, size in tallied:
        files[run_id][outcome], sizes[run_id][outcome] = count, size
    for run in runs:
        key = run.run_id
        came = run.counts.get("new", 0) + run.counts.get("changed", 0)
        known = key in files or not came
        ends = (run.label, run.started_ns, run.finished_ns)
        yield Scrape(key, *ends, _each(files[key]), _each(sizes[key]), remembered=known)


def _tallies(
    rows: Iterable[tuple[str, Any]], bases: Iterable[str]
) -> tuple[Tally, tuple[Tally, ...], tuple[Tally, ...]]:
    """In all, by source and by folder."""
    folders: dict[str, _Counts] = defaultdict(_counts)
    for path, row in rows:
        files, sizes = folders[split(path)[0]]
        files[Brought(row.outcome)] += 1
        sizes[Brought(row.outcome)] += row.size
    sources: dict[str, _Counts] = defaultdict(_counts)
    total = _counts()
    roots = tuple(bases)
    for folder, counted in folders.items():
        for sums in (total, sources[_source(folder, roots)]):
            for one, more in zip(sums, counted, strict=True):
                one.update(more)
    return _tally("", total), _ordered(sources), _ordered(folders)


_Counts = tuple[Counter[Brought], Counter[Brought]]
"""Files and bytes with each outcome."""


def _counts() -> _Counts:
    return Counter(), Counter()


def _each(counted: Mapping[Brought, int]) -> dict[Brought, int]:
    """A number for each outcome, in their order."""
    return {outcome: counted.get(outcome, 0) for outcome in Brought}


def _tally(path: str, counts: _Counts) -> Tally:
    return Tally(path, *map(_each, counts))


def _ordered(counted: Mapping[str, _Counts]) -> tuple[Tally, ...]:
    tallies = (_tally(path, counts) for path, counts in counted.items())
    return tuple(sorted(tallies, key=lambda tally: (-tally.count, tally.path)))


def _source(folder: str, roots: Iterable[str]) -> str:
    """The first folder below a root on the way to a folder; the folder itself when its root was forgotten."""
    for root in roots:
        below = relative_to(folder, root)
        if below is not None:
            return joined(root, below.partition("/")[0]) if below else root
    return folder


# --- which runs are meant


def _chosen(runs: Sequence[RunSummary], which: str) -> list[RunSummary]:
    """The runs that are meant, oldest first."""
    first, between, last = which.partition(BETWEEN)
    if not between:
        return _named(runs, which)
    start, end = _named(runs, first)[0], _named(runs, last)[-1]
    if start.run_id > end.run_id:
        raise UsageError(f"run {start.run_id} comes after run {end.run_id}", f"write it as {last}{BETWEEN}{first}")
    return [run for run in runs if start.run_id <= run.run_id <= end.run_id]


def _named(runs: Sequence[RunSummary], name: str) -> list[RunSummary]:
    """The runs of a number or a label, oldest first."""
    if name == LAST:
        found = [run for run in runs if run.finished_ns is not None][-1:]
    else:
        found = [run for run in runs if name in {str(run.run_id), run.label}]
    if not found:
        raise UsageError(f"there is no index run '{printable(name)}'", _known(runs))
    return found


def _known(runs: Sequence[RunSummary]) -> str:
    """Which runs there are, the newest first."""
    if not runs:
        return "nothing was indexed yet: imgindex index FOLDER"
    names = [f"{run.run_id} ({printable(run.label)})" if run.label else str(run.run_id) for run in reversed(runs)]
    return f"there are {', '.join(names[:NAMED])}{' …' if len(names) > NAMED else ''}"
