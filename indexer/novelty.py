"""Arrivals + what relates to each → what they brought.

An arrival is compared with what was there before, and with the arrivals that come before it in an order that depends on
pictures and paths alone: of several new files of one picture, the one with the most pixels is new.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from indexer.brought import Assessed, Brought, Due, Known
from indexer.choose import Relation
from indexer.comeback import came_back, shows_rejected
from indexer.groups import Comeback, Judged, Kind, Verdict

_ALTERED = {
    Kind.RECOLOURED: Brought.RECOLOURED,
    Kind.FLIPPED: Brought.FLIPPED,
    Kind.ROTATED: Brought.ROTATED,
    Kind.EDITED: Brought.EDITED,
}
"""The first that is found counts."""


def representatives(due: Iterable[Due], contents: Mapping[int, Known], judged: Iterable[Judged]) -> list[Known]:
    """Of the contents of each look, enough to find the same outcomes as with all: thousands may have equal pixels.

    One of each sort, and all that people told from others of their look.
    """
    apart = {content_id for one in judged if one.verdict is Verdict.DIFFERENT for content_id in one.contents}
    chosen: dict[tuple[bytes, str], Known] = {}
    for known in sorted(contents.values(), key=lambda known: known.digest):
        for sort in ("before", "kept", "rejected"):
            if getattr(known, sort) and known.content_id not in apart:
                chosen.setdefault((known.look, sort), known)
    for _one, known in _in_order(due, contents):
        if known.content_id not in apart:
            chosen.setdefault((known.look, "came"), known)
    found = {known.content_id: known for known in chosen.values()}
    return [*(found | {content_id: contents[content_id] for content_id in apart & contents.keys()}).values()]


def _in_order(due: Iterable[Due], contents: Mapping[int, Known]) -> list[tuple[Due, Known]]:
    """The arrivals that are pictures, in the order in which they are compared, with their contents."""
    pictures = [(one, contents[one.content_id]) for one in due if one.content_id is not None]
    return sorted(pictures, key=lambda picture: (-picture[1].pixels, picture[0].path))


_Related = list[tuple[Relation, Known]]
"""How contents relate to the one at hand."""


class _Answer(NamedTuple):
    outcome: Brought
    known_id: int | None = None
    comeback: Comeback | None = None


def assessed(
    due: Sequence[Due], contents: Mapping[int, Known], related: Callable[[Known], Iterable[Relation]]
) -> Iterator[Assessed]:
    """What each arrival brought, unreadable ones first.

    Args:
        due: The arrivals.
        contents: Those of the arrivals, and all that they may be known as, by id.
        related: Gives what relates to a content, by verified matches and judgements.
    """
    yield from (Assessed(one.arrival_id, Brought.UNREADABLE) for one in due if one.content_id is None)
    there = {known.content_id for known in contents.values() if known.kept}
    for one, own in _in_order(due, contents):
        yield Assessed(one.arrival_id, *_outcome(own, _relations(own, contents, related), there))
        there.add(own.content_id)


def _relations(own: Known, contents: Mapping[int, Known], related: Callable[[Known], Iterable[Relation]]) -> _Related:
    return [(relation, contents[relation.content_id]) for relation in related(own)]


def _outcome(own: Known, related: _Related, there: Container[int]) -> _Answer:
    """What a picture brought, and the content that it is known as: the first answer that holds.

    Args:
        own: What it holds.
        related: What relates to that.
        there: The contents that files show, of before or of arrivals that come before it.
    """
    same = [one for one in related if one[0].kind is Kind.SAME]
    shown = [one for one in related if one[1].content_id in there]
    before = [one for one in shown if one[1].kept]
    akin = _akin(before) or _akin(shown) or _Answer(Brought.NEW)
    return _returned(own, related) or _shown(own, shown, there) or _seen(own, same) or akin


def _returned(own: Known, related: _Related) -> _Answer | None:
    """What was rejected; of several such pictures, the nearest of those by which it would go soonest."""
    if own.rejected:
        return _Answer(Brought.RETURNED, own.content_id, Comeback.SURE)
    found: dict[Comeback, _Related] = {}
    for relation, other in related:
        if other.rejected and shows_rejected(relation.kind):
            how = came_back(relation.kind, relation.evidence, pixels=own.pixels, rejected=other.pixels)
            found.setdefault(how, []).append((relation, other))
    least = min(found, default=None)
    return None if least is None else _Answer(Brought.RETURNED, _nearest(found[least]), least)


def _shown(own: Known, shown: _Related, there: Container[int]) -> _Answer | None:
    """The same bytes as a file, or the same picture."""
    if own.content_id in there:
        return _Answer(Brought.BYTES, own.content_id)
    same = [one for one in shown if one[0].kind is Kind.SAME]
    if not same:
        return None
    better = own.pixels > max(other.pixels for _relation, other in same)
    return _Answer(Brought.BETTER if better else Brought.SAME, _largest(same))


def _seen(own: Known, same: _Related) -> _Answer | None:
    """What was known before, and no file shows."""
    if own.before:
        return _Answer(Brought.SEEN, own.content_id)
    gone = [one for one in same if one[1].before]
    return _Answer(Brought.SEEN, _nearest(gone)) if gone else None


def _akin(shown: _Related) -> _Answer | None:
    """What shows another file's picture altered."""
    for kind, outcome in _ALTERED.items():
        found = [one for one in shown if one[0].kind is kind]
        if found:
            return _Answer(outcome, _nearest(found))
    return None


def _nearest(related: _Related) -> int:
    """The content that is nearest, one of before if there is any."""
    return min(related, key=lambda one: (not one[1].kept, one[0].bits, -one[1].pixels, one[1].digest))[1].content_id


def _largest(related: _Related) -> int:
    """The content with the most pixels, one of before if there is any."""
    return min(related, key=lambda one: (not one[1].kept, -one[1].pixels, one[0].bits, one[1].digest))[1].content_id
