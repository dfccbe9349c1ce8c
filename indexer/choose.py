"""Members + keep rule → keeper and surplus, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from indexer.moves import Group, Kind, Member, Surplus

KEEP_RULE: tuple[tuple[str, Callable[[Member], int | str]], ...] = (
    ("most pixels", lambda member: -member.pixels),
    ("most bytes", lambda member: -member.stamp.size),
    ("oldest", lambda member: member.stamp.mtime_ns),
)
"""In this order; members equal in all of it are kept by path. The SQL window of `queries.groups` sorts the same way."""
LAST_RULE = "first path"


def group_of(members: Sequence[Member]) -> Group | None:
    """The group of members that share a picture, None when they are but names of one file.

    Args:
        members: Two or more, the keeper first.
    """
    keeper, *others = members
    links = tuple(member for member in others if _same_file(member, keeper))
    surplus = tuple(_surplus(member, keeper) for member in others if not _same_file(member, keeper))
    if not surplus:
        return None
    return Group(keeper, surplus, links, keep_reason(keeper, surplus[0].member))


def keep_reason(keeper: Member, second: Member) -> str:
    """The first part of the keep rule in which a keeper differs from the member that comes next."""
    return next((words for words, key in KEEP_RULE if key(keeper) != key(second)), LAST_RULE)


def _surplus(member: Member, keeper: Member) -> Surplus:
    return Surplus(member, Kind.BYTES if member.digest == keeper.digest else Kind.HASH, bits=0)


def _same_file(left: Member, right: Member) -> bool:
    """True for two names of one file: there is nothing to free, and neither is a copy of the other."""
    return left.root_id == right.root_id and left.stamp.inode == right.stamp.inode and left.digest == right.digest
