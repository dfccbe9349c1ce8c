"""Members + matches + keep rule → groups: keeper and surplus, and the reason in words.

Groups are stars: each surplus file has a match of its own with the keeper. That A matches B and B matches C says nothing
about A and C.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from indexer.groups import Evidence, Group, Kind, Member, Surplus

KEEP_RULE: tuple[tuple[str, Callable[[Member], int | str]], ...] = (
    ("most pixels", lambda member: -member.pixels),
    ("most bytes", lambda member: -member.stamp.size),
    ("oldest", lambda member: member.stamp.mtime_ns),
)
"""In this order; members equal in all of it are kept by path. The SQL of `queries.py` sorts the same way."""
LAST_RULE = "first path"


@dataclass(frozen=True, slots=True)
class Relation:
    """How a content relates to the one at hand."""

    content_id: int
    kind: Kind
    bits: int
    evidence: Evidence


Relations = Callable[[Member], Iterable[Relation]]
"""Gives the contents that match a member's, its own left out."""


def group_of(members: Sequence[Member]) -> Group | None:
    """The group of members that share a hash or their bytes, None when they are but names of one file.

    Args:
        members: Two or more, the keeper first.
    """
    keeper, *others = members
    return _group(keeper, [_surplus(member, keeper) for member in others])


def stars(members: Iterable[Member], relations: Relations, kinds: Container[Kind]) -> Iterator[Group]:
    """The groups among members: each keeper with the files that match it and belong to no better keeper.

    Args:
        members: In the order of the keep rule.
        relations: What is known of each.
        kinds: The kinds of surplus that are wanted.
    """
    files: dict[int, list[Member]] = defaultdict(list)
    for member in members:
        files[member.content_id].append(member)
    taken: set[int] = set()
    for content_id, (keeper, *copies) in files.items():
        if content_id in taken:
            continue
        taken.add(content_id)
        surplus = [Surplus(copy, Kind.BYTES, 0) for copy in copies] if Kind.BYTES in kinds else []
        for found in relations(keeper):
            if found.kind in kinds and found.content_id in files and found.content_id not in taken:
                taken.add(found.content_id)
                surplus += [Surplus(file, found.kind, found.bits, found.evidence) for file in files[found.content_id]]
        group = _group(keeper, sorted(surplus, key=lambda one: keep_order(one.member)))
        if group:
            yield group


def keep_order(member: Member) -> tuple[int | str, ...]:
    """What members are sorted by, the keeper first."""
    return (*(key(member) for _words, key in KEEP_RULE), member.full_path)


def keep_reason(keeper: Member, second: Member) -> str:
    """The first part of the keep rule in which a keeper differs from the member that comes next."""
    return next((words for words, key in KEEP_RULE if key(keeper) != key(second)), LAST_RULE)


def _group(keeper: Member, others: Sequence[Surplus]) -> Group | None:
    """The group of a keeper and files that match it, None when these are but further names of it."""
    links = tuple(one.member for one in others if _same_file(one.member, keeper))
    surplus = tuple(one for one in others if not _same_file(one.member, keeper))
    if not surplus:
        return None
    return Group(keeper, surplus, links, keep_reason(keeper, surplus[0].member))


def _surplus(member: Member, keeper: Member) -> Surplus:
    return Surplus(member, Kind.BYTES if member.digest == keeper.digest else Kind.HASH, bits=0)


def _same_file(left: Member, right: Member) -> bool:
    """True for two names of one file: there is nothing to free, and neither is a copy of the other."""
    return left.root_id == right.root_id and left.stamp.inode == right.stamp.inode and left.digest == right.digest
