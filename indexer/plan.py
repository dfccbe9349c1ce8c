"""The story from groups to a plan: labels are compared, sidecars found, merges worked out.

A group whose labels disagree is left alone as a whole, unless the user says what to do with such groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from indexer import find, ledger
from indexer.database import Database
from indexer.groups import Group, Member, Surplus
from indexer.labels import CAPTIONS, differences, disagreeing
from indexer.plans import LINKS, Action, Conflict, Difference, Labelling, Move, OnConflict, Plan, Rewrite, Wanted
from indexer.sidecars import Finder, merge_of, sidecar_finder


def plan(
    database: Database,
    wanted: Wanted,
    labelling: Labelling = Labelling(),
    action: Action = Action.QUARANTINE,
    paths: Iterable[str] = (),
) -> Plan:
    """What `prune` shows, and carries out when it is told to.

    Args:
        database: The index.
        wanted: Which groups.
        labelling: How labels are treated. Links leave every path in place, so that labels cannot be lost by them.
        action: What becomes of the surplus.
        paths: Absolute; only files at or below them are looked at.
    """
    found = find.groups(database, wanted, paths)
    if action in LINKS:
        found = _not_yet_shared(database, found) if action is Action.REFLINK else found
        moves = tuple(Move(surplus, group.keeper) for group in found for surplus in group.surplus)
        return Plan(wanted, found, moves, labelling=labelling, action=action)
    settled = list(judged(found, labelling))
    conflicts = tuple(answer for answer in settled if isinstance(answer, Conflict))
    held = {conflict.group.keeper.file_id for conflict in conflicts}
    kept = tuple(group for group in found if group.keeper.file_id not in held)
    moves = with_own_sidecars([move for answer in settled if not isinstance(answer, Conflict) for move in answer])
    return Plan(wanted, kept, moves, conflicts, labelling, action)


def _not_yet_shared(database: Database, groups: Iterable[Group]) -> tuple[Group, ...]:
    """Groups without the files that share their keeper's blocks already: there is nothing to free in them."""
    with database.reading() as tx:
        shared = ledger.shared_paths(tx)
    left = (
        replace(
            group, surplus=tuple(one for one in group.surplus if (one.member.root_id, one.member.path) not in shared)
        )
        for group in groups
    )
    return tuple(group for group in left if group.surplus)


def judged(groups: Iterable[Group], labelling: Labelling) -> Iterator[list[Move] | Conflict]:
    """For each group its moves, or the conflict that keeps it as it is."""
    finder = sidecar_finder()
    for group in groups:
        differing = list(_differing(group, labelling, finder))
        if not differing or labelling.on_conflict is OnConflict.PRUNE:
            yield [Move(surplus, group.keeper, finder(surplus.member)) for surplus in group.surplus]
        elif labelling.on_conflict is OnConflict.MERGE:
            yield _merged(group, labelling, finder)
        else:
            yield Conflict(group, tuple(differing))


def with_own_sidecars(moves: Sequence[Move]) -> tuple[Move, ...]:
    """Moves of which each takes only the sidecars that no picture needs any more once it has been made.

    A sidecar of several pictures stays while one of them does; else it goes with the last.
    """
    going = {move.surplus.member.full_path for move in moves}
    last = {sidecar.full_path: number for number, move in enumerate(moves) for sidecar in move.sidecars}
    return tuple(
        replace(
            move,
            sidecars=tuple(
                one for one in move.sidecars if going.issuperset(one.shared) and last[one.full_path] == number
            ),
        )
        for number, move in enumerate(moves)
    )


def _differing(group: Group, labelling: Labelling, finder: Finder) -> Iterator[Difference]:
    keeper = (group.keeper, finder(group.keeper))
    for surplus in group.surplus:
        member = surplus.member
        for what in differences(keeper, (member, finder(member)), labelling.class_folders):
            yield Difference(member.full_path, what)


def _merged(group: Group, labelling: Labelling, finder: Finder) -> list[Move] | Conflict:
    """The moves of a group with what its keeper's sidecars become, or the conflict that cannot be merged."""
    stuck = [
        Difference(surplus.member.full_path, what)
        for surplus in group.surplus
        for what in differences((group.keeper, ()), (surplus.member, ()), labelling.class_folders)
    ]
    latest: dict[str, Rewrite] = {}
    moves = []
    for surplus in group.surplus:
        merges, problems = _merges(group.keeper, surplus, finder, latest)
        moves.append(Move(surplus, group.keeper, finder(surplus.member), merges))
        stuck += problems
    return Conflict(group, tuple(stuck)) if stuck else moves


def _merges(
    keeper: Member, surplus: Surplus, finder: Finder, latest: dict[str, Rewrite]
) -> tuple[tuple[Rewrite, ...], list[Difference]]:
    """What a keeper's sidecars get from those of a surplus file, and what cannot be merged.

    Args:
        keeper: The picture that stays.
        surplus: The file that goes.
        finder: Finds sidecars.
        latest: The newest version of each of the keeper's sidecars, by role; brought up to date.
    """
    theirs = {sidecar.role: sidecar for sidecar in finder(surplus.member)}
    merges, problems = [], []
    for role, own in disagreeing(finder(keeper), tuple(theirs.values())):
        if (own or role in latest) and not role.endswith(CAPTIONS):
            problems.append(Difference(surplus.member.full_path, f"its {role} differs and cannot be merged"))
            continue
        try:
            merge = merge_of(keeper, own, theirs[role], latest.get(role))
        except OSError as error:
            problems.append(Difference(surplus.member.full_path, f"its {role} cannot be merged: {error}"))
            continue
        if merge:
            latest[role] = merge
            merges.append(merge)
    return tuple(merges), problems
