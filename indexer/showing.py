"""Groups, plans, conflicts and moves as text and as JSON.

What a dry run prints and what the real run prints come from the same value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from indexer.groups import Evidence, Group, Kind, MatchRule, Member, Surplus
from indexer.moves import JournalEntry, MoveReport, Quarantined, Recovered, Update, Updated
from indexer.output import named, raw, shown
from indexer.plans import Action, Conflict, Leak, Move, OnConflict, Plan, Refused, Split, Wanted
from indexer.text import bytes_text, count_text, printable, time_text

RELATIONS = {
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


# --- groups


def groups_text(groups: Iterable[Group]) -> Iterator[str]:
    """Groups as a table: each a block of lines, keeper first."""
    for group in groups:
        yield _row("keep", group.keeper, group.reason)
        yield from (_row("surplus", surplus.member, relation(surplus)) for surplus in group.surplus)
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


def leaks_text(leaks: Iterable[Leak]) -> Iterator[str]:
    """Leaks as a table: each a block of lines that begin with the split."""
    for leak in leaks:
        yield _row(printable(leak.splits[0]), leak.group.keeper, "also in another split")
        for surplus, name in zip(leak.group.surplus, leak.splits[1:], strict=True):
            yield _row(printable(name), surplus.member, relation(surplus))
        yield ""


def leak_totals(leaks: Sequence[Leak], parts: Sequence[Split]) -> str:
    """How many files leak, in a sentence."""
    names = ", ".join(printable(part.name) for part in parts)
    if not leaks:
        return f"No leaks between {names}."
    members = [one for leak in leaks for one in (leak.group.keeper, *(one.member for one in leak.group.surplus))]
    files = count_text(len({member.file_id for member in members}), "file")
    return f"{count_text(len(leaks), 'group')}, {files} that show what another split has, between {names}."


def leak_json(leak: Leak) -> dict[str, Any]:
    """A leak as an object: `split`, `path`, and `leaks`: objects of `split`, `path`, `kind`, `bits`, `evidence`."""
    surplus = group_json(leak.group)["surplus"]
    others = [{"split": name, **one} for name, one in zip(leak.splits[1:], surplus, strict=True)]
    return {"split": leak.splits[0], "path": shown(leak.group.keeper.full_path), "leaks": others}


def groups_fdupes(groups: Iterable[Group]) -> Iterator[str]:
    """Groups as fdupes prints them: a path a line, keeper first, a blank line behind each group."""
    for group in groups:
        yield named(group.keeper.full_path)
        yield from (named(surplus.member.full_path) for surplus in group.surplus)
        yield ""


def surplus_paths(groups: Iterable[Group]) -> Iterator[bytes]:
    """The surplus files' paths as they are on disk."""
    return (raw(surplus.member.full_path) for group in groups for surplus in group.surplus)


def _row(role: str, member: Member, remark: str) -> str:
    pixels = f"{member.width}×{member.height}"
    return f"{role:8} {pixels:>11} {bytes_text(member.stamp.size):>8}  {named(member.full_path)}  ({remark})"


def relation(surplus: Surplus) -> str:
    """How a surplus file relates to its keeper, in words."""
    words = RELATIONS[surplus.kind]
    if surplus.kind in {Kind.BYTES, Kind.HASH}:
        return words
    return f"{words}, {_EVIDENCE[surplus.evidence]}{count_text(surplus.bits, 'bit')}"


# --- prune, undo, purge


def dups_text(groups: tuple[Group, ...], wanted: Wanted) -> Iterator[str]:
    """Groups as `dups` shows them."""
    yield from groups_text(groups)
    if wanted.match is MatchRule.HASH and groups:
        yield UNVERIFIED
    yield totals_text(groups, wanted)


def plan_text(plan: Plan) -> Iterator[str]:
    """A plan as `prune` and `reject` show it, before anything moves."""
    if plan.action is Action.REJECT:
        yield from _rejection_text(plan)
        return
    moves = {move.surplus.member.file_id: move for move in plan.moves}
    for group in plan.groups:
        yield _row("keep", group.keeper, group.reason)
        for surplus in group.surplus:
            yield _row("surplus", surplus.member, relation(surplus))
            yield from _companions_text(moves.get(surplus.member.file_id))
        yield from (_row("link", member, "another name of the kept file") for member in group.links)
        yield ""
    yield from conflicts_text(plan.conflicts)
    if plan.wanted.match is MatchRule.HASH and plan.groups:
        yield UNVERIFIED
    if plan.groups or not plan.conflicts:
        yield totals_text(plan.groups, plan.wanted)
    sidecars = sum(len(move.sidecars) for move in plan.moves)
    if sidecars:
        yield f"{count_text(sidecars, 'sidecar')} (captions, labels, metadata) would go with them."
    if plan.conflicts:
        yield f"{count_text(len(plan.conflicts), 'group')} left alone: their labels disagree. {_way_out(plan)}"


def _rejection_text(plan: Plan) -> Iterator[str]:
    """A plan of files that nothing stands for, each with the reason."""
    for move in plan.moves:
        surplus, mark = move.surplus, move.mark
        how = "" if surplus.kind is Kind.BYTES else f"; {relation(surplus)}"
        yield _row("reject", surplus.member, f"{printable(mark.reason if mark else '')}{how}")
        yield from _companions_text(move)
    size = bytes_text(plan.bytes)
    yield (
        f"{count_text(len(plan.moves), 'file')}, {size}, that should not be here." if plan.moves else "Nothing to move."
    )


def _way_out(plan: Plan) -> str:
    """What to type about conflicts."""
    if any(one.what.startswith("class ") for conflict in plan.conflicts for one in conflict.differences):
        folders = "; when folders are no classes: --no-class-folders"
    else:
        folders = ""
    ways = "" if plan.labelling.on_conflict is OnConflict.MERGE else ", merge captions: --on-conflict merge"
    return f"Look at them{ways}, or prune them all the same: --on-conflict prune{folders}"


def _companions_text(move: Move | None) -> Iterator[str]:
    """What goes with a surplus file, and what its keeper gets for it."""
    for sidecar in move.sidecars if move else ():
        yield f"{'with':8} {'':>20}  {named(sidecar.full_path)}"
    for merge in move.merges if move else ():
        yield f"{'into':8} {'':>20}  {named(merge.full_path)}  (gets what it lacks)"


def conflicts_text(conflicts: Iterable[Conflict]) -> Iterator[str]:
    """Groups whose labels disagree, each a block of lines: the file that would stay, then in what the others differ."""
    for conflict in conflicts:
        yield _row("conflict", conflict.group.keeper, f"would stay: {conflict.group.reason}")
        told: dict[str, list[str]] = {}
        for difference in conflict.differences:
            told.setdefault(difference.path, []).append(difference.what)
        for surplus in conflict.group.surplus:
            yield _row("", surplus.member, "; ".join(told.get(surplus.member.full_path, ["its labels agree"])))
        yield ""


def conflict_totals(conflicts: Sequence[Conflict]) -> str:
    """How many groups have labels that disagree, in a sentence."""
    return f"{count_text(len(conflicts), 'group')} with labels that disagree." if conflicts else "No labels disagree."


def plan_json(plan: Plan) -> Iterator[dict[str, Any]]:
    """An object a group: as `dups` prints them, with the `sidecars` of each surplus file and the group's `differences`.

    A group with differences is a conflict, and left alone. What is rejected is an object a file: `move`, `rejected` (the
    reason), `shows` (the digest of what was rejected), `kind`, `bits`, `evidence`, `bytes`, `sidecars`.
    """
    if plan.action is Action.REJECT:
        yield from map(_rejection_json, plan.moves)
        return
    moves = {move.surplus.member.file_id: move for move in plan.moves}
    for group in plan.groups:
        found = group_json(group)
        for surplus, entry in zip(group.surplus, found["surplus"], strict=True):
            move = moves.get(surplus.member.file_id)
            entry["sidecars"] = [shown(sidecar.full_path) for sidecar in (move.sidecars if move else ())]
        yield {**found, "differences": []}
    yield from map(conflict_json, plan.conflicts)


def _rejection_json(move: Move) -> dict[str, Any]:
    surplus, mark = move.surplus, move.mark
    return {
        "move": shown(surplus.member.full_path),
        "rejected": mark and mark.reason,
        "shows": mark and mark.digest.hex(),
        "kind": str(surplus.kind),
        "bits": surplus.bits,
        "evidence": str(surplus.evidence),
        "bytes": surplus.member.stamp.size,
        "sidecars": [shown(sidecar.full_path) for sidecar in move.sidecars],
    }


def conflict_json(conflict: Conflict) -> dict[str, Any]:
    """A conflict as an object: that of its group, with `differences`: objects of `path` and `what`."""
    differences = [{"path": shown(one.path), "what": one.what} for one in conflict.differences]
    return {**group_json(conflict.group), "differences": differences}


def updates_text(updates: Iterable[Update | Updated], *, done: bool) -> Iterator[str]:
    """What annotation files lose, or lost, a line each."""
    for update in updates:
        path = named(update.text.full_path if isinstance(update, Update) else update.path)
        if update.rows:
            yield f"{path} {'lost' if done else 'would lose'} {count_text(update.rows, 'row')}"
        for name in update.ambiguous:
            yield f"{path} keeps the row of {named(name)}: it may mean a file that is gone or one that is there"


def refused_text(refused: Iterable[Refused]) -> Iterator[str]:
    """Files that were left alone, one a line, with the reason."""
    return (f"left alone: {named(one.path)}: {printable(one.reason)}" for one in refused)


def moves_text(report: MoveReport, deed: str) -> Iterator[str]:
    """What was done, in a sentence, and then what annotation files lost."""
    size = bytes_text(report.bytes)
    left = f"; {count_text(len(report.refused), 'file')} left alone" if report.refused else ""
    sidecars = sum(moved.sidecars for moved in report.moved)
    with_them = f" with {count_text(sidecars, 'sidecar')}" if sidecars else ""
    yield f"{count_text(len(report.moved), 'file')} ({size}){with_them} {deed}{left}."
    yield from updates_text(report.updated, done=True)


def moves_json(report: MoveReport) -> dict[str, Any]:
    """What was done as an object: `run`, `moved`, `sidecars`, `refused`, `updated`, `bytes`, `seconds`.

    Where nothing was to be done, `run` is null and `moved` 0.
    """
    return {
        "run": report.run_id,
        "moved": 0 if report.run_id is None else len(report.moved),
        "sidecars": sum(moved.sidecars for moved in report.moved),
        "refused": [{"path": shown(refused.path), "reason": refused.reason} for refused in report.refused],
        "updated": [
            {"path": shown(update.path), "rows": update.rows, "ambiguous": [*update.ambiguous]}
            for update in report.updated
        ],
        "bytes": report.bytes,
        "seconds": round(report.seconds, 3),
    }


def recovered_text(recovered: Recovered) -> Iterator[str]:
    """What was found after an interrupted run; nothing when nothing was."""
    if recovered.settled:
        yield f"An earlier run was interrupted: {count_text(recovered.settled, 'move')} brought to an end."
    yield from (f"missing, and not in the quarantine either: {named(path)}" for path in recovered.missing)


# --- quarantine


def quarantined_text(found: Quarantined) -> str:
    """A file in the quarantine, on a line."""
    entry = found.entry
    role = "text" if entry.action is Action.REWRITE else "sidecar" if entry.owner_id else entry.kind
    role = "rejected" if entry.action is Action.REJECT else role
    size = bytes_text(entry.stamp.size)
    return f"{entry.run_id:>5}  {time_text(found.since_ns)}  {role:10} {size:>8}  {named(entry.full_path)}"


def quarantined_json(found: Quarantined) -> dict[str, Any]:
    """A file in the quarantine as an object: `run`, `since`, `kind`, `bytes`, `path`, `payload`, `keeper`, `digest`.

    Last `action`; the keeper is null where nothing stands for the file, as for one that was rejected.
    """
    entry = found.entry
    return {
        "run": entry.run_id,
        "since": found.since_ns,
        "kind": entry.kind,
        "bytes": entry.stamp.size,
        "path": shown(entry.full_path),
        "payload": shown(entry.payload_path),
        "keeper": shown(entry.keeper) if entry.keeper_digest else None,
        "digest": entry.digest.hex(),
        "action": entry.action,
    }


def journalled_json(entry: JournalEntry) -> dict[str, Any]:
    """A file that a run moved as an object.

    Its keys: `run`, `state`, `action`, `kind`, `bytes`, `path`, `becomes` (for a `rename`), `keeper`, `digest`.
    """
    return {
        "run": entry.run_id,
        "state": entry.state,
        "action": entry.action,
        "kind": entry.kind,
        "bytes": entry.stamp.size,
        "path": shown(entry.full_path),
        "becomes": shown(entry.payload_path) if entry.action is Action.RENAME else None,
        "keeper": shown(entry.keeper) if entry.keeper_digest else None,
        "digest": entry.digest.hex(),
    }


def quarantine_totals(found: Sequence[Quarantined]) -> str:
    """How much lies in the quarantine, in a sentence."""
    size = bytes_text(sum(one.entry.stamp.size for one in found))
    return f"{count_text(len(found), 'file')}, {size}." if found else "The quarantine is empty."
