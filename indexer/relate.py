"""Matches + judgements → what relates to a content: the machine's matches, corrected by people's decisions.

A match joins looks (pictures of equal pixels), so it holds for every content of the two looks. A decision names two
contents; it holds for their looks too, unless these are one, and it follows a picture that is saved again: where A and B
were judged to be different, a later copy of A that is nearer to A than to B is kept apart from B and from B's own copies.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from indexer.choose import Relation
from indexer.groups import VERIFIED, WHOLE_PICTURES, Evidence, Judged, Kind, Linked, Verdict

CONFIRMED = (Evidence.PIXELS, Evidence.FILES, Evidence.PERSON)


class Pictured(Protocol):
    """A content, or a file that holds it."""

    @property
    def content_id(self) -> int:
        """The content."""

    @property
    def look(self) -> bytes:
        """Equal for contents of equal pixels."""


def relations(
    members: Iterable[Pictured],
    links: Sequence[Linked],
    judged: Sequence[Judged],
    *,
    kinds: Container[Kind] = VERIFIED,
    unconfirmed: bool = False,
) -> Callable[[Pictured], Iterator[Relation]]:
    """A function that gives what relates to a member's content, nearest first.

    Args:
        members: All that may be related.
        links: What the machine found.
        judged: What people decided.
        kinds: Of the relations to give: thousands of equal pictures are not paired when nobody asks for them.
        unconfirmed: Take matches of whole pictures that rest on thumbnails alone.
    """
    contents = _contents_by_look(members)
    apart_contents, apart_looks = _apart(links, judged)
    corrected = _corrected(links, judged, apart_looks, unconfirmed=unconfirmed)
    neighbours = _neighbours(link for link in corrected if link.kind in kinds)

    def related(member: Pictured) -> Iterator[Relation]:
        for other in contents[member.look] if member.look and Kind.SAME in kinds else ():  # no look: not read yet
            if other != member.content_id and _pair(other, member.content_id) not in apart_contents:
                yield Relation(other, Kind.SAME, 0, Evidence.PIXELS)
        for link, look in neighbours.get(member.look, ()):
            for other in contents.get(look, ()):
                yield Relation(other, link.kind, link.bits, link.evidence)

    return related


def _contents_by_look(members: Iterable[Pictured]) -> dict[bytes, list[int]]:
    found: dict[bytes, dict[int, None]] = defaultdict(dict)
    for member in members:
        found[member.look][member.content_id] = None
    return {look: sorted(ids) for look, ids in found.items()}


def _neighbours(links: Iterable[Linked]) -> Mapping[bytes, list[tuple[Linked, bytes]]]:
    """For each look, its links with the look at the other end, nearest first."""
    found: dict[bytes, list[tuple[Linked, bytes]]] = defaultdict(list)
    for link in links:
        found[link.looks[0]].append((link, link.looks[1]))
        found[link.looks[1]].append((link, link.looks[0]))
    for ends in found.values():
        ends.sort(key=lambda end: (end[0].bits, end[1]))
    return found


def _corrected(
    links: Sequence[Linked], judged: Sequence[Judged], apart: set[frozenset[bytes]], *, unconfirmed: bool
) -> Iterator[Linked]:
    """The links that hold, and those that people made."""
    made = {frozenset(one.looks): one for one in judged if one.verdict is Verdict.SAME and len(set(one.looks)) == 2}
    known = {frozenset(link.looks): link for link in links}
    for ends, one in made.items():
        bits = known[ends].bits if ends in known else 0
        yield Linked(one.looks, Kind.SAME, bits, 0.0, Evidence.PERSON)
    for link in links:
        ends = frozenset(link.looks)
        sure = unconfirmed or link.kind not in WHOLE_PICTURES or link.evidence in CONFIRMED
        if sure and ends not in apart and ends not in made:
            yield link


def _apart(links: Sequence[Linked], judged: Sequence[Judged]) -> tuple[set[tuple[int, int]], set[frozenset[bytes]]]:
    """The pairs of contents of one look, and the pairs of looks, that people's judgements keep apart."""
    contents = {_pair(*one.contents) for one in judged if one.verdict is Verdict.DIFFERENT}
    looks = {frozenset(one.looks) for one in judged if one.verdict is Verdict.DIFFERENT and len(set(one.looks)) == 2}
    if not looks:
        return contents, looks
    same = _neighbours(link for link in links if link.kind is Kind.SAME)
    followed = set()
    for first, second in looks:
        ones, others = _copies(same, first, second), _copies(same, second, first)
        followed |= {frozenset((one, other)) for one in ones for other in others if one != other}
    return contents, followed


def _copies(same: Mapping[bytes, list[tuple[Linked, bytes]]], look: bytes, other: bytes) -> list[bytes]:
    """A look, and those that are copies of it rather than of another."""
    to_other = {copy: link.structure for link, copy in same.get(other, ())}
    nearer = (copy for link, copy in same.get(look, ()) if link.structure <= to_other.get(copy, math.inf))
    return [look, *(copy for copy in nearer if copy != other)]


def _pair(a_id: int, b_id: int) -> tuple[int, int]:
    return min(a_id, b_id), max(a_id, b_id)
