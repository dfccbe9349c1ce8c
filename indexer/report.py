"""Records of index runs, of what the index holds and how it is, and of what was done, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from indexer.groups import Answer, Comeback, Group, Rejected, Returned, Similar, TakenIn
from indexer.output import named, shown
from indexer.records import Finding, Health, IndexReport, Merged, RootSummary, RunSummary, Status, UnreadableFile
from indexer.text import bytes_text, count_text, printable, time_text


def similar_text(found: Similar) -> str:
    """A file that looks like a picture, on a line."""
    return f"{found.kind or '-':10} {count_text(found.bits, 'bit'):>8}  {named(found.path)}"


def similar_json(found: Similar) -> dict[str, Any]:
    """A file that looks like a picture as an object: `path`, `kind` (null when only the hashes are near), `bits`."""
    return {"path": shown(found.path), "kind": found.kind and str(found.kind), "bits": found.bits}


def answer_text(answer: Answer) -> str:
    """What the index says of a picture that it was shown, on a line."""
    name = named(answer.name) if answer.name else "-"
    if answer.reason:
        return f"{'unreadable':10}  {name}  ({printable(answer.reason)})"
    if answer.is_new:
        return f"{'new':10}  {name}"
    known = "no file of it is left" if answer.path is None else named(answer.path)
    why = "" if answer.rejected is None else f"; rejected: {printable(answer.rejected)}"
    why += "; this one has more pixels" if answer.better else ""
    return f"{'known':10}  {name}  ({answer.kind}, {count_text(answer.bits, 'bit')}: {known}{why})"


def answer_json(answer: Answer) -> dict[str, Any]:
    """The same as an object: `name`, `state`, `kind`, `bits`, `path`, `evidence`, `digest`, `reason`, `rejected`, `better`.

    The state is new, known or unreadable; what does not apply is null.
    """
    state = "unreadable" if answer.reason else "new" if answer.is_new else "known"
    return {
        "name": answer.name or "-",
        "state": state,
        "kind": answer.kind and str(answer.kind),
        "bits": None if answer.kind is None else answer.bits,
        "path": None if answer.path is None else shown(answer.path),
        "evidence": answer.evidence and str(answer.evidence),
        "digest": None if answer.digest is None else answer.digest.hex(),
        "reason": answer.reason or None,
        "rejected": answer.rejected,
        "better": None if answer.rejected is None else answer.better,
    }


# --- rejected


def rejected_text(found: Rejected) -> str:
    """A rejected content, on a line."""
    pixels = "bytes alone" if found.width is None else f"{found.width}×{found.height}"
    place = "no place known" if found.path is None else named(found.path)
    held = "in the quarantine" if found.is_held else "no file"
    mark = found.mark
    return (
        f"{mark.digest.hex()[:12]}  {time_text(mark.rejected_ns)}  {pixels:>11}  {held:17}  {place}"
        f"  ({printable(mark.reason)})"
    )


def rejected_totals(found: Sequence[Rejected]) -> str:
    """How much was rejected, in a sentence."""
    if not found:
        return "Nothing was rejected."
    return f"{count_text(len(found), 'rejected picture')}, {sum(one.is_held for one in found):,} in the quarantine."


def rejected_json(found: Rejected) -> dict[str, Any]:
    """A rejected content as an object: `digest`, `reason`, `rejected` (nanoseconds since 1970), `path`, `width`, `height`.

    Last `in_quarantine`; `path` is null where no place of it is known here, and sizes where its bytes alone are.
    """
    return {
        "digest": found.mark.digest.hex(),
        "reason": found.mark.reason,
        "rejected": found.mark.rejected_ns,
        "path": None if found.path is None else shown(found.path),
        "width": found.width,
        "height": found.height,
        "in_quarantine": found.is_held,
    }


def returned_text(found: Iterable[Returned]) -> Iterator[str]:
    """That indexed files show what was rejected, and what to type for each sort; nothing when none does."""
    return _comebacks_text(Counter(one.comeback for one in found))


def kept_returned_text(groups: Iterable[Group], found: Iterable[Returned]) -> Iterator[str]:
    """That files which stay for others show what was rejected; nothing when none does."""
    back = {one.file.file_id: one.comeback for one in found}
    kept = (back[group.keeper.file_id] for group in groups if group.keeper.file_id in back)
    return _comebacks_text(Counter(kept), "kept file", " of these groups")


def _comebacks_text(counts: Mapping[Comeback, int], what: str = "file", where: str = "") -> Iterator[str]:
    for how, told in _COMEBACKS.items():
        if counts[how]:
            yield f"{count_text(counts[how], what)}{where} returned, {told}"


_COMEBACKS = {
    Comeback.SURE: "which show what was rejected: imgindex prune --returned",
    Comeback.UNSURE: "as thumbnails alone say: look, then imgindex prune --returned --unconfirmed",
    Comeback.LARGER: "with more pixels than what was rejected, and stay until you decide: imgindex reject FILE, or"
    " imgindex rejected forget FILE",
}


def taken_in_text(found: TakenIn) -> str:
    """What an import took in, in a sentence."""
    bytes_only = f"; {found.bytes_only:,} of them by their bytes alone" if found.bytes_only else ""
    return f"{count_text(found.new, 'rejected picture')} taken in, {found.known:,} known already{bytes_only}."


def taken_in_json(found: TakenIn) -> dict[str, int]:
    """The same as an object: `new`, `known`, `bytes_only`."""
    return {"new": found.new, "known": found.known, "bytes_only": found.bytes_only}


# --- index


def index_text(report: IndexReport) -> Iterator[str]:
    """What an index run found, in two lines, and what to type to hear more."""
    yield (
        f"{count_text(report.files, 'file')}: {report.new:,} new, {report.changed:,} changed, {report.moved:,} moved,"
        f" {report.unchanged:,} unchanged; {report.gone:,} gone, {report.unreadable:,} unreadable"
    )
    matches = f", {count_text(report.matches, 'match')} found" if report.matches else ""
    again = f", {report.reread:,} read again and unchanged" if report.reread else ""
    yield f"{count_text(report.decoded, 'picture')} decoded{again}{matches}; {report.seconds:.1f} s in all"
    sure = report.returned - report.returned_unsure - report.returned_larger
    yield from _comebacks_text(
        {
            Comeback.SURE: sure,
            Comeback.UNSURE: report.returned_unsure,
            Comeback.LARGER: report.returned_larger,
        }
    )
    if report.unreadable > len(report.unreadable_files):
        yield "To list what is unreadable, with the reasons: imgindex status --unreadable"
    if report.new + report.changed and (report.label is not None or report.unchanged):
        yield "To see what of this is new, and what was known: imgindex report"


def batch_text(report: IndexReport) -> str:
    """What a run over a batch of changes found, in a line."""
    counts = {
        "new": report.new,
        "changed": report.changed,
        "moved": report.moved,
        "gone": report.gone,
        "unreadable": len(report.unreadable_files),
    }
    found = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "nothing new"
    matches = f"; {count_text(report.matches, 'match')} found" if report.matches else ""
    return f"{found}{matches}; {report.seconds:.1f} s"


def index_json(report: IndexReport) -> dict[str, Any]:
    """The counts of an index run, and its label, as an object."""
    return {**report.counts, "label": report.label}


def unreadable_text(files: Iterable[UnreadableFile]) -> Iterator[str]:
    """Unreadable files, one a line, with the reason."""
    return (f"{named(file.path)}: {printable(file.reason)}" for file in files)


def unreadable_json(file: UnreadableFile) -> dict[str, str]:
    """An unreadable file as an object: `path`, `reason`."""
    return {"path": shown(file.path), "reason": file.reason}


def misnamed_text(found: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Pictures whose names say another format than they have, one a line."""
    return (f"{named(path)}: holds {form}" for path, form in found)


def misnamed_json(found: tuple[str, str]) -> dict[str, str]:
    """A picture whose name says another format than it has as an object: `path`, `format`."""
    return {"path": shown(found[0]), "format": found[1]}


# --- status, history


def status_text(status: Status) -> Iterator[str]:
    """What the index holds."""
    yield f"{named(status.database)}  {bytes_text(status.database_bytes)}"
    yield from (f"  {root_text(root)}" for root in status.roots)
    yield f"{count_text(status.contents, 'distinct content')}"
    if status.due:
        yield f"{count_text(status.due, 'file')} not read yet: imgindex index FOLDER"
    if status.quarantined:
        size = bytes_text(status.quarantined_bytes)
        yield f"{count_text(status.quarantined, 'file')} ({size}) in quarantine: imgindex undo brings the last back"
    if status.rejected:
        yield f"{count_text(status.rejected, 'rejected picture')}: imgindex rejected list"


def root_text(root: RootSummary) -> str:
    """A folder that was indexed, on a line."""
    unreadable = f", {root.unreadable:,} unreadable" if root.unreadable else ""
    return f"{named(root.path)}  {count_text(root.files, 'file')}, {bytes_text(root.bytes)}{unreadable}"


def root_json(root: RootSummary) -> dict[str, Any]:
    """A folder that was indexed as an object: `path`, `files`, `bytes`, `unreadable`."""
    return {"path": shown(root.path), "files": root.files, "bytes": root.bytes, "unreadable": root.unreadable}


def status_json(status: Status) -> dict[str, Any]:
    """What the index holds as an object."""
    return {
        "database": shown(status.database),
        "database_bytes": status.database_bytes,
        "roots": [root_json(root) for root in status.roots],
        "contents": status.contents,
        "due": status.due,
        "quarantined": status.quarantined,
        "quarantined_bytes": status.quarantined_bytes,
        "rejected": status.rejected,
    }


def merged_text(found: Merged) -> str:
    """What a merge took in, in a sentence."""
    new, decisions = count_text(found.contents, "new content"), count_text(found.decisions, "decision")
    rejected = f", {count_text(found.rejected, 'rejected picture')}" if found.rejected else ""
    return f"{new} and {decisions}{rejected} taken in; {count_text(found.known, 'content')} known already."


def findings_text(findings: Iterable[Finding]) -> Iterator[str]:
    """What `doctor` found, one finding a line, with what to do about it below."""
    for finding in findings:
        yield f"{_MARKS[finding.health]} {finding.about:<18} {finding.says}"
        if finding.advice:
            yield f"{'':21} {printable(finding.advice)}"


_MARKS = {Health.FINE: "+", Health.NOTE: "·", Health.WARNING: "!", Health.DAMAGED: "X"}


def finding_json(finding: Finding) -> dict[str, str]:
    """A finding as an object: `about`, `health` (fine, note, warning, damaged), `says`, `advice`."""
    return {"about": finding.about, "health": finding.health, "says": finding.says, "advice": finding.advice}


def history_text(runs: Iterable[RunSummary]) -> Iterator[str]:
    """Runs, one a line."""
    for run in runs:
        counts = ", ".join(f"{name} {value:,}" for name, value in run.counts.items() if value)
        state = counts if run.finished_ns else "interrupted"
        state += f"; {run.brought_back:,} brought back since" if run.brought_back else ""
        state = f"{printable(run.label)}: {state}" if run.label is not None else state
        yield f"{run.run_id:>5}  {time_text(run.started_ns)}  {run.command:10}  {state}"


def run_json(run: RunSummary) -> dict[str, Any]:
    """A run as an object: `run`, `command`, `started`, `finished`, `counts`, `brought_back`, `label`.

    Times are nanoseconds since 1970.
    """
    ends = {"run": run.run_id, "command": run.command, "started": run.started_ns, "finished": run.finished_ns}
    return {**ends, "counts": dict(run.counts), "brought_back": run.brought_back, "label": run.label}
