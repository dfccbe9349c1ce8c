"""Records as tables for people, JSON lines, fdupes lines and plain paths; progress on standard error.

What a dry run prints and what the real run prints come from the same value.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from indexer.groups import Evidence, Group, Kind, MatchRule, Member, Similar, Surplus
from indexer.moves import MoveReport, Plan, Recovered, Wanted
from indexer.places import relative_to
from indexer.records import IndexReport, RunSummary, Status, Tick, UnreadableFile, no_progress
from indexer.text import bytes_text, count_text, printable, time_text

_STAGES = {
    "scan": "looking for files",
    "read": "reading pictures",
    "search": "searching",
    "match": "comparing pictures",
    "draw": "drawing pictures",
}
_RELATIONS = {
    Kind.BYTES: "same bytes",
    Kind.SAME: "same picture",
    Kind.RECOLOURED: "other colours",
    Kind.FLIPPED: "mirrored",
    Kind.ROTATED: "turned",
    Kind.EDITED: "edited",
    Kind.HASH: "equal dHash, not verified",
}
_EVIDENCE = {
    Evidence.PIXELS: "equal pixels, ",
    Evidence.FILES: "",
    Evidence.THUMBNAIL: "",
    Evidence.PERSON: "as you decided, ",
}
UNVERIFIED = "Equal dHash is not verified: look-alikes are among these groups. Look before you prune."


def shown(path: str) -> str:
    """A path relative to the current folder when it lies below it, else absolute; not escaped."""
    relative = relative_to(path, os.getcwd())
    return path if relative is None else relative or "."


def named(path: str) -> str:
    """A path as people see it: short, and safe on a terminal."""
    return printable(shown(path))


# --- groups


def groups_text(groups: Iterable[Group]) -> Iterator[str]:
    """Groups as a table: each a block of lines, keeper first."""
    for group in groups:
        yield _row("keep", group.keeper, group.reason)
        yield from (_row("surplus", surplus.member, _relation(surplus)) for surplus in group.surplus)
        yield from (_row("link", member, "another name of the kept file") for member in group.links)
        yield ""


def totals_text(groups: tuple[Group, ...], wanted: Wanted) -> str:
    """Groups, surplus and the bytes to be freed in one sentence."""
    rule = f"kinds: {', '.join(wanted.kinds)}" if wanted.match is MatchRule.VERIFIED else f"match: {wanted.match}"
    if not groups:
        return f"No duplicates ({rule})."
    surplus = count_text(sum(len(group.surplus) for group in groups), "surplus file")
    size = bytes_text(sum(group.bytes for group in groups))
    return f"{count_text(len(groups), 'group')}, {surplus}, {size} to be freed ({rule})."


def group_json(group: Group) -> dict[str, Any]:
    """A group as an object: `keep`, `why`, `surplus`, `links`, `bytes`."""
    return {
        "keep": shown(group.keeper.full_path),
        "why": group.reason,
        "surplus": [
            {
                "path": shown(surplus.member.full_path),
                "kind": str(surplus.kind),
                "bits": surplus.bits,
                "evidence": str(surplus.evidence),
            }
            for surplus in group.surplus
        ],
        "links": [shown(member.full_path) for member in group.links],
        "bytes": group.bytes,
    }


def print_plan_json(plan: Plan) -> None:
    """An object a group on standard output."""
    for group in plan.groups:
        print_json(group_json(group))


def groups_fdupes(groups: Iterable[Group]) -> Iterator[str]:
    """Groups as fdupes prints them: a path a line, keeper first, a blank line behind each group."""
    for group in groups:
        yield named(group.keeper.full_path)
        yield from (named(surplus.member.full_path) for surplus in group.surplus)
        yield ""


def surplus_paths(groups: Iterable[Group]) -> Iterator[bytes]:
    """The surplus files' paths as they are on disk; none begins with a dash, which a command would take for an option."""
    paths = (os.fsencode(shown(surplus.member.full_path)) for group in groups for surplus in group.surplus)
    return (b"./" + path if path.startswith(b"-") else path for path in paths)


def _row(role: str, member: Member, remark: str) -> str:
    pixels = f"{member.width}×{member.height}"
    return f"{role:8} {pixels:>11} {bytes_text(member.stamp.size):>8}  {named(member.full_path)}  ({remark})"


def _relation(surplus: Surplus) -> str:
    """How a surplus file relates to its keeper, in words."""
    words = _RELATIONS[surplus.kind]
    if surplus.kind in {Kind.BYTES, Kind.HASH}:
        return words
    return f"{words}, {_EVIDENCE[surplus.evidence]}{count_text(surplus.bits, 'bit')}"


def similar_text(found: Similar) -> str:
    """A file that looks like a picture, on a line."""
    return f"{found.kind or '-':10} {count_text(found.bits, 'bit'):>8}  {named(found.path)}"


def similar_json(found: Similar) -> dict[str, Any]:
    """A file that looks like a picture as an object: `path`, `kind` (null when only the hashes are near), `bits`."""
    return {"path": shown(found.path), "kind": found.kind and str(found.kind), "bits": found.bits}


# --- prune, undo, purge


def plan_text(plan: Plan) -> Iterator[str]:
    """A plan as `dups` shows it, and `prune` before anything moves."""
    yield from groups_text(plan.groups)
    if plan.wanted.match is MatchRule.HASH and plan.groups:
        yield UNVERIFIED
    yield totals_text(plan.groups, plan.wanted)


def moves_text(report: MoveReport, deed: str) -> str:
    """What was done, in one sentence."""
    size = bytes_text(report.bytes)
    left = f"; {count_text(len(report.refused), 'file')} left alone" if report.refused else ""
    return f"{count_text(len(report.moved), 'file')} ({size}) {deed}{left}."


def moves_json(report: MoveReport) -> dict[str, Any]:
    """What was done as an object: `run`, `moved`, `refused`, `bytes`, `seconds`; without a run, nothing was moved."""
    return {
        "run": report.run_id,
        "moved": 0 if report.run_id is None else len(report.moved),
        "refused": [{"path": shown(refused.path), "reason": refused.reason} for refused in report.refused],
        "bytes": report.bytes,
        "seconds": round(report.seconds, 3),
    }


def recovered_text(recovered: Recovered) -> Iterator[str]:
    """What was found after an interrupted run; nothing when nothing was."""
    if recovered.settled:
        yield f"An earlier run was interrupted: {count_text(recovered.settled, 'move')} brought to an end."
    yield from (f"missing, and not in the quarantine either: {named(path)}" for path in recovered.missing)


# --- index


def index_text(report: IndexReport) -> Iterator[str]:
    """What an index run found, in two lines."""
    yield (
        f"{count_text(report.files, 'file')}: {report.new:,} new, {report.changed:,} changed, {report.moved:,} moved,"
        f" {report.unchanged:,} unchanged; {report.gone:,} gone, {report.unreadable:,} unreadable"
    )
    matches = f", {count_text(report.matches, 'match')} found" if report.matches else ""
    yield f"{count_text(report.decoded, 'picture')} decoded{matches}; {report.seconds:.1f} s in all"
    if report.unreadable > len(report.unreadable_files):
        yield "To list what is unreadable, with the reasons: imgindex status --unreadable"


def index_json(report: IndexReport) -> dict[str, Any]:
    """The counts of an index run as an object."""
    return dict(report.counts)


def unreadable_text(files: Iterable[UnreadableFile]) -> Iterator[str]:
    """Unreadable files, one a line, with the reason."""
    return (f"{named(file.path)}: {printable(file.reason)}" for file in files)


def unreadable_json(file: UnreadableFile) -> dict[str, str]:
    """An unreadable file as an object: `path`, `reason`."""
    return {"path": shown(file.path), "reason": file.reason}


# --- status, history


def status_text(status: Status) -> Iterator[str]:
    """What the index holds."""
    yield f"{named(status.database)}  {bytes_text(status.database_bytes)}"
    for root in status.roots:
        unreadable = f", {root.unreadable:,} unreadable" if root.unreadable else ""
        yield f"  {named(root.path)}  {count_text(root.files, 'file')}, {bytes_text(root.bytes)}{unreadable}"
    yield f"{count_text(status.contents, 'distinct content')}"
    if status.due:
        yield f"{count_text(status.due, 'file')} not read yet: imgindex index FOLDER"
    if status.quarantined:
        size = bytes_text(status.quarantined_bytes)
        yield f"{count_text(status.quarantined, 'file')} ({size}) in quarantine: imgindex undo brings the last back"


def status_json(status: Status) -> dict[str, Any]:
    """What the index holds as an object."""
    return {
        "database": shown(status.database),
        "database_bytes": status.database_bytes,
        "roots": [
            {"path": shown(root.path), "files": root.files, "bytes": root.bytes, "unreadable": root.unreadable}
            for root in status.roots
        ],
        "contents": status.contents,
        "due": status.due,
        "quarantined": status.quarantined,
        "quarantined_bytes": status.quarantined_bytes,
    }


def history_text(runs: Iterable[RunSummary]) -> Iterator[str]:
    """Runs, one a line."""
    for run in runs:
        counts = ", ".join(f"{name} {value:,}" for name, value in run.counts.items() if value)
        state = counts if run.finished_ns else "interrupted"
        yield f"{run.run_id:>5}  {time_text(run.started_ns)}  {run.command:10}  {state}"


def run_json(run: RunSummary) -> dict[str, Any]:
    """A run as an object: `run`, `command`, `started`, `finished` (nanoseconds since 1970), and its counts."""
    ends = {"run": run.run_id, "command": run.command, "started": run.started_ns, "finished": run.finished_ns}
    return {**ends, "counts": dict(run.counts)}


# --- output


def print_lines(lines: Iterable[str]) -> None:
    """Lines for people on standard output."""
    for line in lines:
        print(line)


def print_json(value: Mapping[str, Any]) -> None:
    """An object on a line of standard output; bytes of paths that are not UTF-8 stand as lone surrogates."""
    print(json.dumps(value))


def print_nul(values: Iterable[bytes]) -> None:
    """Values on standard output, each ended by a NUL."""
    sys.stdout.flush()
    sys.stdout.buffer.writelines(value + b"\0" for value in values)


def warn(message: str) -> None:
    """A line on standard error."""
    print(message, file=sys.stderr)


@contextlib.contextmanager
def progress(*, wanted: bool = True) -> Iterator[Tick]:
    """A bar for each stage on standard error when that is a terminal, silence otherwise."""
    if not (wanted and sys.stderr.isatty()):
        yield no_progress
        return
    from rich.console import Console  # noqa: PLC0415 - 0.1 s to import, and most output is not watched
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        stages: dict[str, Any] = {}

        def tick(stage: str, done: int, total: int | None) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(_STAGES.get(stage, stage), total=total, rate="")
            bars.update(stages[stage], advance=done, total=total)
            speed = bars.tasks[stages[stage]].speed
            bars.update(stages[stage], rate=f"{speed:,.0f}/s" if speed else "")

        yield tick
