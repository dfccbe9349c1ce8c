"""The story from what should not be in the data set to a plan: the files that go, and nothing stands for them.

What is rejected stays known, by a mark on its content; what comes back later is planned by the mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from indexer import queries, rejects
from indexer.database import Database
from indexer.groups import Comeback, Kind, Mark, Member, Returned, Surplus
from indexer.plan import movable, with_own_sidecars
from indexer.plans import Action, Move, Plan, Refused, Rules, Wanted
from indexer.returned import returned
from indexer.rules import is_guarded, is_protected
from indexer.sidecars import Finder

_BETTER = "more pixels than what was rejected: yours to decide (imgindex reject FILE, or imgindex rejected forget FILE)"
_WEAK = "found by thumbnails alone, as no file of what was rejected is left: look at it, then add --unconfirmed"


def rejection(database: Database, paths: Iterable[str], reason: str, now_ns: int, rules: Rules) -> Plan:
    """The plan that rejects the contents of files, and moves all files that hold the same bytes.

    Args:
        database: The index.
        paths: Absolute.
        reason: Why; as `marks.sound_reason` gives it. Contents that are rejected already keep the reason that they have.
        now_ns: The time of the marks.
        rules: What is protected stays.
    """
    wanted = list(dict.fromkeys(paths))
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        known = queries.members_at(tx, bases, wanted)
        files = queries.members_showing(tx, bases, {member.content_id for member in known.values()})
        old = rejects.marked(tx, {member.digest for member in known.values()})
    new = {file.digest: Mark(file.digest, reason, now_ns) for file in files if file.digest not in old}
    marks = {**old, **new}
    unknown = "the index does not know it as a picture: imgindex index its folder first"
    refused = [Refused(path, unknown) for path in wanted if path not in known]
    moves = [_move(Surplus(file, Kind.BYTES, 0), marks[file.digest]) for file in _by_path(files)]
    plan = _planned(database, moves, refused, rules, "reject")
    going = {move.surplus.member.digest for move in plan.moves}
    return replace(plan, marks=tuple(mark for mark in new.values() if mark.digest in going))


def returned_plan(database: Database, rules: Rules, *, unconfirmed: bool = False) -> Plan:
    """The plan that moves the files that show what was rejected, unless they are better.

    Args:
        database: The index.
        rules: What is protected stays.
        unconfirmed: Take matches that rest on thumbnails alone.
    """
    found = [(one, _way_out(one, unconfirmed=unconfirmed)) for one in returned(database)]
    refused = [
        Refused(one.file.full_path, f"shows what was rejected ({one.reason}): {way_out}")
        for one, way_out in found
        if way_out
    ]
    moves = [
        _move(Surplus(one.file, one.kind, one.bits, one.evidence), one.mark) for one, way_out in found if not way_out
    ]
    plan = _planned(database, moves, refused, rules, "prune returned")
    return replace(plan, wanted=replace(plan.wanted, unconfirmed=unconfirmed))


def _way_out(found: Returned, *, unconfirmed: bool) -> str:
    """What the user can do about a file that is not to be moved by itself; empty for others."""
    if found.comeback is Comeback.LARGER:
        return _BETTER
    return _WEAK if found.comeback is Comeback.UNSURE and not unconfirmed else ""


def _by_path(files: Iterable[Member]) -> list[Member]:
    return sorted(files, key=lambda file: file.full_path)


def _move(surplus: Surplus, mark: Mark) -> Move:
    return Move(surplus, surplus.member, mark=mark)


def _planned(database: Database, moves: Sequence[Move], refused: Sequence[Refused], rules: Rules, command: str) -> Plan:
    """A plan of moves with their sidecars, without those of protected files."""
    finder = Finder()
    answers = list(_allowed(moves, finder, rules))
    kept = [answer for answer in answers if isinstance(answer, Move)]
    held = [answer for answer in answers if isinstance(answer, Refused)]
    return Plan(
        wanted=Wanted(rules=rules),
        groups=(),
        moves=with_own_sidecars(database, kept),
        action=Action.REJECT,
        refused=(*refused, *held),
        command=command,
    )


def _allowed(moves: Iterable[Move], finder: Finder, rules: Rules) -> Iterator[Move | Refused]:
    for move in moves:
        file = move.surplus.member
        sidecars = finder(file)
        guarded = next((one for one in sidecars if is_guarded(one.full_path, rules)), None)
        if is_protected(file, rules):
            yield Refused(file.full_path, "it is protected")
        elif guarded is not None:
            yield Refused(file.full_path, f"its {guarded.role} is protected")
        else:
            yield replace(move, sidecars=movable(sidecars))
