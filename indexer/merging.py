"""The story of conflicts that can be merged: what a keeper's captions become before its copies go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from indexer.groups import Group, Member, Surplus
from indexer.labels import CAPTIONS, differences, disagreeing, meaning
from indexer.plans import Conflict, Difference, Labelling, Move, Rewrite, Rules, Sidecar
from indexer.rules import is_guarded
from indexer.sidecars import Finder, merge_of
from indexer.text import printable


def merged_moves(
    group: Group, labelling: Labelling, finder: Finder, merged: dict[str, Rewrite], rules: Rules
) -> list[Move] | Conflict:
    """The moves of a group with what its keeper's sidecars become, or the conflict that cannot be merged.

    Args:
        group: Whose labels disagree.
        labelling: Says whether folders are classes.
        finder: Finds sidecars.
        merged: The newest version of each text that earlier groups merge into, by its path; brought up to date unless the
            group is a conflict.
        rules: Say what is protected.
    """
    stuck = [
        Difference(surplus.member.full_path, what)
        for surplus in group.surplus
        for what in differences((group.keeper, ()), (surplus.member, ()), labelling.class_folders)
    ]
    latest, by_role, moves = dict(merged), dict[str, Rewrite](), []
    for surplus in group.surplus:
        made: list[Rewrite] = []
        for merge in _merges(group.keeper, surplus, finder, latest, by_role, rules):
            answer = _unless_shared(merge, group, surplus, finder)
            stuck.append(answer) if isinstance(answer, Difference) else made.append(answer)
        sidecars = tuple(sidecar for sidecar in finder(surplus.member) if sidecar.digest)
        moves.append(Move(surplus, group.keeper, sidecars, tuple(made)))
    if stuck:
        return Conflict(group, tuple(stuck))
    merged |= latest
    return moves


def _unless_shared(merge: Rewrite | Difference, group: Group, surplus: Surplus, finder: Finder) -> Rewrite | Difference:
    """A merge, or what is wrong with it: the text would be said of another picture as well."""
    if isinstance(merge, Difference):
        return merge
    ours = {group.keeper.full_path, *(one.member.full_path for one in group.surplus)}
    other = next((path for path in finder.pictures_of(merge.full_path) if path not in ours), None)
    if other is None:
        return merge
    return Difference(surplus.member.full_path, f"its text would become that of '{printable(other)}', too")


def _merges(
    keeper: Member,
    surplus: Surplus,
    finder: Finder,
    latest: dict[str, Rewrite],
    by_role: dict[str, Rewrite],
    rules: Rules,
) -> Iterator[Rewrite | Difference]:
    """What a keeper's sidecars get from those of a surplus file, and what cannot be merged.

    Args:
        keeper: The picture that stays.
        surplus: The file that goes.
        finder: Finds sidecars.
        latest: The newest version of each text, by its path; brought up to date.
        by_role: The same for what the keeper lacked, by role; brought up to date.
        rules: Say what is protected.
    """
    theirs = {sidecar.role: sidecar for sidecar in finder(surplus.member)}
    for role, own in disagreeing(finder(keeper), tuple(theirs.values())):
        before = latest.get(own.full_path) if own else by_role.get(role)
        if before and theirs[role].digest and meaning(role, before.data) == theirs[role].meaning:
            continue
        answer = _merge(keeper, own, theirs[role], before, latest)
        if isinstance(answer, str):
            yield Difference(surplus.member.full_path, answer)
        elif answer and is_guarded(answer.full_path, rules):
            yield Difference(surplus.member.full_path, f"the kept file's {role} is protected")
        elif answer:
            latest[answer.full_path] = by_role[role] = answer
            yield answer


def _merge(
    keeper: Member, own: Sidecar | None, theirs: Sidecar, before: Rewrite | None, latest: Mapping[str, Rewrite]
) -> Rewrite | str | None:
    """The new version of a keeper's sidecar, None when it lacks nothing, or why there is none."""
    if not theirs.digest or (own and not own.digest):
        return f"its {theirs.role} or the kept file's is a link, or cannot be read"
    if (own or before) and not theirs.role.endswith(CAPTIONS):
        return f"its {theirs.role} differs and cannot be merged"
    try:
        answer = merge_of(keeper, own, theirs, before)
    except (OSError, ValueError) as error:
        return f"its {theirs.role} cannot be merged: {error}"
    if answer and not before and not own and answer.full_path in latest:
        return f"its {theirs.role} would become the same file as another one"
    return answer
