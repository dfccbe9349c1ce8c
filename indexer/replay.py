"""The story of a plan that comes from a file: believed only where index and disk still say the same.

A plan for another index, or for another state of this one, is refused as a whole; so is one that was carried out. A line
that does not hold is refused by itself, with the reason, and the others go on.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import Connection

from indexer import ledger, matches, queries
from indexer.choose import Relation
from indexer.database import Database
from indexer.errors import SafetyError, UsageError
from indexer.groups import VERIFIED, Evidence, Group, Kind, MatchRule, Member, Surplus
from indexer.plan import RETURNED, judged, returning, with_own_sidecars
from indexer.planfile import Header, Line, move_object, plan_lines, read_plan
from indexer.plans import LINKS, Action, Conflict, Move, Plan, Refused, Rules, Wanted
from indexer.records import RunSummary
from indexer.relate import relations
from indexer.rules import is_protected
from indexer.text import printable

_HARMLESS = ("purge",)
"""Runs that leave files and matches as they are."""


Value = TypeVar("Value")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Pair:
    """A line with the files that it names, as the index knows them."""

    line: Line
    surplus: Member
    keeper: Member


def written(database: Database, plan: Plan) -> list[str]:
    """A plan as the lines of a file for this index, as it stands.

    Raises:
        UsageError: When it moves what was rejected, which is planned anew each time.
    """
    if plan.action is Action.REJECT:
        raise UsageError("what is rejected cannot be written to a plan file", "look at it, then add --yes")
    with database.reading() as tx:
        index, run = ledger.index_name(tx), ledger.newest_run(tx)
    plan_id, wanted = uuid.uuid4().hex[:12], plan.wanted
    header = Header(index, plan_id, run, plan.action, wanted.match, wanted.unconfirmed, plan.labelling)
    return list(plan_lines(plan, header, time.time_ns()))


def read(database: Database, lines: Iterable[str], rules: Rules) -> Plan:
    """The plan in the lines of a file: what still holds as moves, what does not as refusals.

    Args:
        database: The index.
        lines: Of the file.
        rules: What is protected stays so; who is kept was decided when the plan was made.

    Raises:
        SafetyError: When the plan is not for this index as it stands, is damaged, or was carried out already.
    """
    header, found = read_plan(lines)
    going = returning(database)
    with database.reading() as tx:
        _refuse_stale(tx, header)
        bases = database.bases(queries.roots(tx))
        pairs, refused = _sorted_out(found, lambda line: _pair(tx, bases, line, header, rules))
        movers = {line.path: line.number for line in reversed(found)}
        pairs, torn = _sorted_out(pairs, lambda pair: _unless_torn(pair, movers))
        related = _relations(tx, header, pairs)
    pairs, unwanted = _sorted_out(pairs, lambda pair: _unless_returning(pair, going))
    pairs, unrelated = _sorted_out(pairs, lambda pair: _unless_unrelated(pair, header, related))
    groups = list(_groups(pairs))
    moves, changed = _labelled(database, groups, header, rules, {pair.surplus.file_id: pair.line for pair in pairs})
    moving = {move.surplus.member.file_id for move in moves}
    wanted = Wanted(header.match, VERIFIED, header.unconfirmed, rules)
    return Plan(
        wanted=wanted,
        groups=tuple(_shrunk(groups, moving)),
        moves=moves,
        labelling=header.labelling,
        action=header.action,
        refused=(*refused, *torn, *unwanted, *unrelated, *changed),
        plan_id=header.plan_id,
    )


def _refuse_stale(tx: Connection, header: Header) -> None:
    if header.index != ledger.index_name(tx):
        raise SafetyError("this plan was made for another index", "nothing was moved; name its index with --db")
    earlier = ledger.carried_out(tx, f"prune plan {header.plan_id}")
    if earlier:
        raise SafetyError(f"this plan was carried out already, as run {earlier}", "make a new one: --plan-out FILE")
    since = next((run for run in ledger.runs_since(tx, header.after_run) if _changed_something(run)), None)
    if since or header.after_run > ledger.newest_run(tx):
        told = f"run {since.run_id} ({since.command}) changed the index" if since else "the index is an older one"
        raise SafetyError(f"this plan is stale: {told}", "nothing was moved; make it anew: --plan-out FILE")


def _changed_something(run: RunSummary) -> bool:
    """True for a run after which the same plan might not be made again."""
    if run.command in _HARMLESS:
        return False
    names = ("new", "changed", "moved", "gone", "matches", "decoded", "updated", "unlisted")
    return run.finished_ns is None or any(run.counts.get(name) for name in names)


def _sorted_out(
    values: Iterable[Value], test: Callable[[Value], Answer | Refused]
) -> tuple[list[Answer], list[Refused]]:
    """What a test gives for each value, what it refuses apart."""
    sound: list[Answer] = []
    refused: list[Refused] = []
    for value in values:
        answer = test(value)
        refused.append(answer) if isinstance(answer, Refused) else sound.append(answer)
    return sound, refused


def _pair(tx: Connection, bases: Mapping[int, str], line: Line, header: Header, rules: Rules) -> _Pair | Refused:
    """The files of a line, or why it does not hold."""
    surplus, keeper = (queries.member_at(tx, bases, path) for path in (line.path, line.keeper))
    if surplus is None:
        return _refused(line, "the index does not know it as a picture")
    if keeper is None:
        return _refused(line, f"the index does not know its keeper '{printable(line.keeper)}' as a picture")
    if (surplus.digest, keeper.digest) != (line.digest, line.keeper_digest):
        return _refused(line, "it or its keeper holds other bytes than when the plan was made")
    if is_protected(surplus, rules):
        return _refused(line, "it is protected")
    if header.action in LINKS and surplus.digest != keeper.digest:
        return _refused(line, "only files of the same bytes can become links")
    return _Pair(line, surplus, keeper)


def _unless_torn(pair: _Pair, movers: Mapping[str, int]) -> _Pair | Refused:
    """A pair whose keeper stays, and whose file goes but once.

    Args:
        pair: The pair.
        movers: The number of the first line that moves each path.
    """
    line = pair.line
    if line.keeper in movers:
        return _refused(line, f"its keeper is to be moved by line {movers[line.keeper]}")
    return pair if movers[line.path] == line.number else _refused(line, f"line {movers[line.path]} moves it already")


def _unless_returning(pair: _Pair, going: Container[int]) -> _Pair | Refused:
    """A pair whose keeper is none of the files, by id, that would go as returned."""
    return _refused(pair.line, RETURNED) if pair.keeper.file_id in going else pair


def _refused(line: Line, reason: str) -> Refused:
    return Refused(line.path, f"line {line.number}: {reason}")


def _relations(tx: Connection, header: Header, pairs: Sequence[_Pair]) -> Callable[[Member], Iterable[Relation]]:
    members = [member for pair in pairs for member in (pair.surplus, pair.keeper)]
    if header.match is MatchRule.HASH:
        hashes = matches.dhashes(tx, {member.content_id for member in members})
        by_hash: dict[int, list[int]] = {}
        for content_id, dhash in hashes.items():
            by_hash.setdefault(dhash, []).append(content_id)
        return lambda member: (
            Relation(other, Kind.HASH, 0, Evidence.PIXELS)
            for other in by_hash.get(hashes.get(member.content_id, -1), ())
        )
    found = matches.links(tx), matches.judgements(tx)
    return relations(members, *found, kinds=VERIFIED, unconfirmed=header.unconfirmed)


def _unless_unrelated(pair: _Pair, header: Header, related: Callable[[Member], Iterable[Relation]]) -> _Pair | Refused:
    """A pair that the index finds to match in the way that its line says."""
    if pair.surplus.content_id == pair.keeper.content_id:
        kinds = {Kind.BYTES}
    else:
        kinds = {one.kind for one in related(pair.keeper) if one.content_id == pair.surplus.content_id}
    if pair.line.kind in kinds and (header.match is not MatchRule.BYTES or pair.line.kind is Kind.BYTES):
        return pair
    return Refused(
        pair.line.path, f"line {pair.line.number}: the index does not find it and its keeper to be '{pair.line.kind}'"
    )


def _groups(pairs: Iterable[_Pair]) -> Iterator[Group]:
    by_keeper: dict[int, list[_Pair]] = {}
    for pair in pairs:
        by_keeper.setdefault(pair.keeper.file_id, []).append(pair)
    for ones in by_keeper.values():
        surplus = tuple(Surplus(one.surplus, one.line.kind, one.line.bits, one.line.evidence) for one in ones)
        yield Group(ones[0].keeper, surplus, (), ones[0].line.why)


def _labelled(
    database: Database, groups: Sequence[Group], header: Header, rules: Rules, lines: Mapping[int, Line]
) -> tuple[tuple[Move, ...], list[Refused]]:
    """The moves with their sidecars as they are now, and those refused as they are no longer what the plan says."""
    if header.action in LINKS:
        return tuple(Move(surplus, group.keeper) for group in groups for surplus in group.surplus), []
    moves: list[Move] = []
    refused: list[Refused] = []
    for answer in judged(groups, header.labelling, rules):
        if isinstance(answer, Conflict):
            refused += _conflicting(answer, lines)
        else:
            moves += answer
    kept, changed = _sorted_out(with_own_sidecars(database, moves), lambda move: _unless_changed(move, lines))
    return tuple(kept), [*refused, *changed]


def _conflicting(conflict: Conflict, lines: Mapping[int, Line]) -> Iterator[Refused]:
    for surplus in conflict.group.surplus:
        line = lines[surplus.member.file_id]
        yield _refused(line, f"labels disagree: {conflict.differences[0].what}")


def _unless_changed(move: Move, lines: Mapping[int, Line]) -> Move | Refused:
    line = lines[move.surplus.member.file_id]
    now = move_object(move, line.why)
    said = [{"path": path, "digest": digest} for path, digest in line.sidecars]
    texts = [{"path": path, "digest": digest} for path, digest in line.texts]
    if now["sidecars"] == said and now["texts"] == texts:
        return move
    return _refused(line, "its captions or other files are no longer those of the plan")


def _shrunk(groups: Iterable[Group], going: set[int]) -> Iterator[Group]:
    """Groups without the surplus that stays."""
    for group in groups:
        left = tuple(one for one in group.surplus if one.member.file_id in going)
        if left:
            yield replace(group, surplus=left)
