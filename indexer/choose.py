"""Members + matches + rules → groups: keeper and surplus, and the reason in words.

Groups are stars: each surplus file has a match of its own with the keeper. That A matches B and B matches C says nothing
about A and C.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from indexer.groups import Evidence, Group, Kind, Member, Surplus
from indexer.plans import Rules
from indexer.rules import area, areas_of_surplus, in_keep_order, is_protected, keep_reason, may_keep


@dataclass(frozen=True, slots=True)
class Relation:
    """How a content relates to the one at hand."""

    content_id: int
    kind: Kind
    bits: int
    evidence: Evidence


Relations = Callable[[Member], Iterable[Relation]]
"""Gives the contents that match a member's, its own left out."""
_Free = dict[tuple[int, int], dict[int, Member]]
"""The files that may still become surplus, by content and area, then by file."""


def equal_hashes(members: Iterable[Member]) -> Relations:
    """Relations among members that share a hash: each content relates to every other, unverified."""
    contents = list(dict.fromkeys(member.content_id for member in members))

    def related(member: Member) -> Iterator[Relation]:
        others = (content_id for content_id in contents if content_id != member.content_id)
        return (Relation(content_id, Kind.HASH, 0, Evidence.PIXELS) for content_id in others)

    return related


def stars(
    members: Iterable[Member], relations: Relations, kinds: Container[Kind], rules: Rules = Rules()
) -> Iterator[Group]:
    """The groups among members: each keeper with the files that match it and belong to no better keeper.

    Args:
        members: In any order.
        relations: What is known of each.
        kinds: The kinds of surplus that are wanted.
        rules: The keep order, and which files may be keepers, surplus, or a pair.
    """
    placed = [(member, place) for member in in_keep_order(members, rules) if (place := area(member, rules)) is not None]
    ranks = {member.file_id: number for number, (member, _place) in enumerate(placed)}
    free = _free(placed, rules)
    for keeper, place in placed:
        if not free:
            return
        if not may_keep(keeper, rules) or not (_leave(free, keeper, place) or is_protected(keeper, rules)):
            continue
        reached = ((found, at) for found in _related(keeper, relations, kinds) for at in areas_of_surplus(place, rules))
        surplus = [
            Surplus(file, found.kind, found.bits, found.evidence)
            for found, at in reached
            for file in free.pop((found.content_id, at), {}).values()
            if found.kind in kinds  # unwanted copies are taken all the same: their keeper is this one
        ]
        group = _group(keeper, sorted(surplus, key=lambda one: ranks[one.member.file_id]), rules)
        if group:
            yield group


def crossing(members: Iterable[Member], relations: Relations, kinds: Container[Kind], rules: Rules) -> Iterator[Group]:
    """The groups of files that match files of other areas; each file that does is in one of them at least.

    Other than `stars`, it does not ask who may go, and two names of one file count as two.
    A group holds what no earlier one does; when that is nothing, one file that shows why its keeper is in a group.

    Args:
        members: In any order.
        relations: What is known of each.
        kinds: The kinds of matches that are wanted.
        rules: The keep order, and the areas in `across`; with nothing protected.
    """
    placed = [(member, place) for member in in_keep_order(members, rules) if (place := area(member, rules)) is not None]
    ranks = {member.file_id: number for number, (member, _place) in enumerate(placed)}
    free = _free(placed, rules)
    first = {key: next(iter(files.values())) for key, files in free.items()}
    for keeper, place in placed:
        untold = _leave(free, keeper, place)
        ends = [
            (found, (found.content_id, at))
            for found in _related(keeper, relations, kinds)
            for at in areas_of_surplus(place, rules)
            if found.kind in kinds
        ]
        fresh = [(found, file) for found, key in ends for file in free.pop(key, {}).values()]
        known = [(found, first[key]) for found, key in ends if key in first][:1] if untold else []
        surplus = [Surplus(file, found.kind, found.bits, found.evidence) for found, file in fresh or known]
        if surplus:
            surplus.sort(key=lambda one: ranks[one.member.file_id])
            yield Group(keeper, tuple(surplus), (), keep_reason(keeper, surplus[0].member, rules))


def _free(placed: Iterable[tuple[Member, int]], rules: Rules) -> _Free:
    """All that may become surplus."""
    found: _Free = defaultdict(dict)
    for member, place in placed:
        if not is_protected(member, rules):
            found[member.content_id, place][member.file_id] = member
    return dict(found)


def _leave(free: _Free, keeper: Member, place: int) -> bool:
    """Takes a keeper from the files that may become surplus; False when it was not among them any more."""
    files = free.get((keeper.content_id, place), {})
    found = files.pop(keeper.file_id, None)
    if not files:
        free.pop((keeper.content_id, place), None)
    return found is not None


def _related(keeper: Member, relations: Relations, kinds: Container[Kind]) -> Iterator[Relation]:
    """The keeper's own content, then what relates to it in a wanted way."""
    yield Relation(keeper.content_id, Kind.BYTES, 0, Evidence.PIXELS)
    yield from (found for found in relations(keeper) if found.kind in kinds)


def _group(keeper: Member, others: Sequence[Surplus], rules: Rules) -> Group | None:
    """The group of a keeper and files that match it, None when these are but further names of it."""
    links = tuple(one.member for one in others if _same_file(one.member, keeper))
    surplus = tuple(one for one in others if not _same_file(one.member, keeper))
    if not surplus:
        return None
    return Group(keeper, surplus, links, keep_reason(keeper, surplus[0].member, rules))


def _same_file(left: Member, right: Member) -> bool:
    """True for two names of one file: there is nothing to free, and neither is a copy of the other."""
    numbers = left.root_id, left.stamp.inode
    return numbers == (right.root_id, right.stamp.inode) and bool(left.stamp.inode) and left.digest == right.digest
