"""What scrapes brought as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from indexer.brought import Arrival, Brought, Scrape, ScrapeReport, Tally
from indexer.output import named, shown
from indexer.text import bytes_text, count_text, printable, time_text

OUTCOMES = {
    Brought.NEW: "pictures that the index did not know",
    Brought.BETTER: "known pictures, with more pixels than before",
    Brought.BYTES: "the same bytes as another file",
    Brought.SAME: "the same picture as another file",
    Brought.RECOLOURED: "another file's picture in other colours",
    Brought.FLIPPED: "another file's picture mirrored",
    Brought.ROTATED: "another file's picture turned",
    Brought.EDITED: "another file's picture, part of it altered",
    Brought.SEEN: "known pictures of which no file was left",
    Brought.RETURNED: "pictures that were rejected",
    Brought.UNREADABLE: "files that could not be read or decoded",
}


def report_text(report: ScrapeReport, by: Sequence[Tally], what: str, limit: int) -> Iterator[str]:
    """What scrapes brought: the totals as a table, and the tallies of folders or sources as another.

    Args:
        report: What they brought.
        by: Its sources, or its folders.
        what: Which of the two: `source` or `folder`.
        limit: How many of them to show.
    """
    yield headline(report)
    yield from remarks(report)
    if not report.totals.count:
        return
    yield ""
    yield f"{'outcome':10} {'files':>9} {'share':>7} {'bytes':>8}"
    for outcome in came(report.totals.files):
        files, size = report.totals.files[outcome], bytes_text(report.totals.bytes[outcome])
        yield f"{outcome:10} {files:>9,} {share(files, report.totals.count):>7} {size:>8}  {OUTCOMES[outcome]}"
    yield ""
    columns = came(report.totals.files)
    yield _row("files", columns, what)
    for tally in by[:limit]:
        yield _row(f"{tally.count:,}", (f"{tally.files[outcome]:,}" for outcome in columns), named(tally.path))
    if len(by) > limit:
        yield f"and {count_text(len(by) - limit, what)} more: --limit {len(by)}"


def trend_text(scrapes: Sequence[Scrape]) -> Iterator[str]:
    """Scrapes as a table, one a line, oldest first."""
    if not scrapes:
        yield "No run brought anything yet: imgindex index FOLDER"
        return
    columns = [outcome for outcome in Brought if any(one.files[outcome] for one in scrapes)]
    yield f"{'run':>6}  {'started':19} {_row('files', columns, 'label')}"
    for one in scrapes:
        numbers = (f"{one.files[outcome]:,}" for outcome in columns) if one.remembered else "?" * len(columns)
        label = printable(one.label or "")
        yield f"{one.run_id:>6}  {time_text(one.started_ns):19} {_row(f'{one.count:,}', numbers, label)}".rstrip()
    if not all(one.remembered for one in scrapes):
        yield "Runs with ? are of an older imgindex, which did not remember what they brought."


def arrival_text(arrival: Arrival) -> str:
    """A file that came, on a line: its outcome, its size, and what it is known as."""
    known = "" if arrival.known_as is None else f"  ({named(arrival.known_as)})"
    return f"{arrival.outcome:10} {bytes_text(arrival.size):>8}  {named(arrival.path)}{known}"


def headline(report: ScrapeReport) -> str:
    """Which runs these are, when they were, and how much they brought, in a sentence."""
    first, last = report.scrapes[0], report.scrapes[-1]
    if len(report.scrapes) == 1:
        who = f"Run {_name(first)}"
    else:
        who = f"{count_text(len(report.scrapes), 'run')}, {_name(first)} to {_name(last)},"
    end = f" to {time_text(last.finished_ns)}" if last.finished_ns is not None else ""
    what = f"{count_text(report.totals.count, 'file')}, {bytes_text(report.totals.size)}"
    return f"{who} brought {what if report.totals.count else 'nothing'} ({time_text(first.started_ns)}{end})."


def remarks(report: ScrapeReport) -> Iterator[str]:
    """What else there is to know about the runs."""
    for one in report.scrapes:
        if one.finished_ns is None:
            yield f"Run {one.run_id} was interrupted: what it read counts for the run that finished it."
        if not one.remembered:
            yield f"Run {one.run_id} is of an older imgindex, which did not remember what it brought."


def came(files: Mapping[Brought, int]) -> list[Brought]:
    """The outcomes that occur."""
    return [outcome for outcome in Brought if files[outcome]]


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent.

    >>> share(2, 3), share(0, 7)
    ('66.7 %', '0.0 %')
    """
    return f"{100 * part / whole:.1f} %"


def _name(one: Scrape) -> str:
    return f"{one.run_id} ({printable(one.label)})" if one.label else str(one.run_id)


def _row(files: str, numbers: Iterable[str], name: str) -> str:
    return f"{files:>9} {' '.join(f'{number:>10}' for number in numbers)}  {name}"


# --- JSON


def report_json(report: ScrapeReport, by: Sequence[Tally], what: str) -> Iterator[dict[str, Any]]:
    """An object a line of the report.

    `{"line": "run"}` has the keys of `scrape_json`; `{"line": "total"}`: `outcome`, `files`, `bytes`, `share` of the files;
    `{"line": "source"}` or `{"line": "folder"}`: `path`, `files`, `bytes`, `outcomes` (a number of files for each).
    """
    for one in report.scrapes:
        yield {"line": "run", **scrape_json(one)}
    for outcome, files in report.totals.files.items():
        part = round(files / report.totals.count, 4) if report.totals.count else 0.0
        size = report.totals.bytes[outcome]
        yield {"line": "total", "outcome": str(outcome), "files": files, "bytes": size, "share": part}
    for tally in by:
        counts = {"files": tally.count, "bytes": tally.size, "outcomes": _counts(tally.files)}
        yield {"line": what, "path": shown(tally.path), **counts}


def scrape_json(one: Scrape) -> dict[str, Any]:
    """A scrape as an object: `run`, `label`, `started`, `finished`, `remembered`, `files`, `bytes`, `outcomes`.

    Times are nanoseconds since 1970; `finished` is null for an interrupted run, `label` where there is none. The outcomes
    have a number of files each.
    """
    return {
        "run": one.run_id,
        "label": one.label,
        "started": one.started_ns,
        "finished": one.finished_ns,
        "remembered": one.remembered,
        "files": one.count,
        "bytes": sum(one.bytes.values()),
        "outcomes": _counts(one.files),
    }


def arrival_json(arrival: Arrival) -> dict[str, Any]:
    """A file that came as an object: `run`, `path`, `bytes`, `outcome`, `known_as`, `digest`; null where there is none."""
    return {
        "run": arrival.run_id,
        "path": shown(arrival.path),
        "bytes": arrival.size,
        "outcome": str(arrival.outcome),
        "known_as": None if arrival.known_as is None else shown(arrival.known_as),
        "digest": None if arrival.digest is None else arrival.digest.hex(),
    }


def _counts(files: Mapping[Brought, int]) -> dict[str, int]:
    return {str(outcome): number for outcome, number in files.items()}
