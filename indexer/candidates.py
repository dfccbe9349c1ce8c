"""Hashes → the pairs of pictures that may match, each with how they may lie on each other.

Only contents that are due are searched for, against all. The searches are complete at their radius (see `hamming.py`):

- whole pictures, by the hash with a dead zone, which symmetric drawings need;
- whole pictures in eight orientations, by the signs;
- strips along the edges, which a mark elsewhere leaves as they were;
- crops and what borders enclose, of one picture against the whole of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.hamming_stub import Found, oriented, pairs_among, pairs_between, turned_among, turned_between
from indexer.hints import CROP_OF_LEFT, CROP_OF_RIGHT, INNER
from indexer.thresholds import LOW_RADIUS, MOST_CANDIDATES, RADIUS, STRIP_RADIUS, STRIP_SHARED, STRIP_WHOLE
from indexer.views import CROP_WORDS, INNER_WORDS, LOW_WORDS, SIGN_WORDS, STRIP_WORDS, WORDS

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]

_INVERSE = np.array([0, 1, 2, 3, 4, 6, 5, 7])
"""Orientation → the one that undoes it: all but the quarter turns undo themselves."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """The hashes of contents, the most pixels first."""

    ids: Numbers
    """Shape (n,), of the contents."""
    due: NDArray[np.bool_]
    """Shape (n,), those to be searched for."""
    whole: Words
    """Shape (n, 4), the hash with a dead zone."""
    views: Words
    """Shape (n, 24), as `views.py` lays them out."""

    def part(self, which: NDArray[np.bool_]) -> Hashes:
        """Some of them."""
        return Hashes(self.ids[which], self.due[which], self.whole[which], self.views[which])

    def distance(self, left: int, right: int, turn: int) -> int:
        """Bits by which two contents' hashes differ, the left picture turned."""
        first, second = (np.flatnonzero(self.ids == one)[:1] for one in (left, right))
        if not turn:
            return int(np.bitwise_count(self.whole[first] ^ self.whole[second]).sum())
        signs = np.ascontiguousarray(self.views[:, SIGN_WORDS])
        return int(np.bitwise_count(oriented(signs[first], turn) ^ signs[second]).sum())


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of contents, each once."""

    left: Numbers
    """Shape (m,), the smaller id of each pair."""
    right: Numbers
    hints: Numbers
    """As `hints.py` lays them out."""

    def slices(self, hashes: Hashes, size: int) -> Iterator[tuple[Candidates, list[int]]]:
        """The pairs, some at a time, each time with the due contents that have no pair left in what follows.

        Args:
            hashes: What the candidates were found among.
            size: Pairs in a slice, about.
        """
        due = np.sort(hashes.ids[hashes.due])
        owners = np.where(np.isin(self.right, due), self.right, self.left)
        order = np.argsort(owners, kind="stable")
        cuts = np.flatnonzero(np.diff(owners[order])) + 1  # where another content's pairs begin
        start, settled = 0, 0
        while start < len(order):
            later = cuts[cuts >= start + size]
            end = int(later[0]) if len(later) else len(order)
            which = order[start:end]
            until = int(np.searchsorted(due, owners[which[-1]], side="right"))
            yield Candidates(self.left[which], self.right[which], self.hints[which]), due[settled:until].tolist()
            start, settled = end, until
        yield Candidates(self.left[:0], self.right[:0], self.hints[:0]), due[settled:].tolist()


def hashes_of(ids: list[int], due: list[bool], phashes: bytes, views: bytes) -> Hashes:
    """Hashes from what the index stores."""
    whole = np.frombuffer(phashes, dtype="<u8").reshape(-1, 4)
    return Hashes(np.array(ids, np.int64), np.array(due, np.bool_), whole, np.frombuffer(views, "<u8").reshape(-1, WORDS))


def candidates(hashes: Hashes, threads: int, tick: Callable[[], None] = lambda: None) -> Candidates:
    """The pairs with a content that is due, by ids.

    Args:
        hashes: All contents.
        threads: How many searches may run at once.
        tick: Called after each of the searches, of which there are `SEARCHES`.
    """
    new, old = hashes.part(hashes.due), hashes.part(~hashes.due)
    parts: list[tuple[Numbers, Numbers, Numbers]] = []
    for search in _SEARCHES:
        parts += search(new, old, threads)
        tick()
    return _merged(parts)


def _whole(new: Hashes, old: Hashes, threads: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """By the whole picture as it is."""
    for found, left, right in _both(pairs_among, pairs_between, _same_side(lambda h: h.whole), new, old, RADIUS, threads):
        yield _pairs(found, left, right, np.ones(len(found.queries), np.int64))


def _turned(new: Hashes, old: Hashes, threads: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """By the whole picture in eight orientations."""
    sides = _same_side(lambda h: h.views[:, SIGN_WORDS])
    for found, left, right in _both(turned_among, turned_between, sides, new, old, RADIUS, threads):
        yield _pairs(found, left, right, np.int64(1) << found.turns, np.int64(1) << _INVERSE[found.turns])


def _strips(new: Hashes, old: Hashes, threads: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """By one of four strips, where the whole pictures differ no more than edited ones do."""
    for word in STRIP_WORDS:
        some_new, some_old = _telling(new, old, word)
        sides = _same_side(lambda h, word=word: h.views[:, word : word + 1])
        for found, left, right in _both(pairs_among, pairs_between, sides, some_new, some_old, STRIP_RADIUS, threads):
            apart = np.bitwise_count(left.whole[found.queries] ^ right.whole[found.known]).sum(axis=1)
            near = apart <= STRIP_WHOLE
            kept = Found(found.queries[near], found.known[near], found.bits[near])
            yield _pairs(kept, left, right, np.ones(len(kept.queries), np.int64))


def _telling(new: Hashes, old: Hashes, word: int) -> tuple[Hashes, Hashes]:
    """Those whose strip shows something, and something that few others show."""
    strips = np.concatenate((new.views[:, word], old.views[:, word]))
    _values, places, counts = np.unique(strips, return_inverse=True, return_counts=True)
    telling = (counts[places] <= STRIP_SHARED) & (strips != 0)
    return new.part(telling[: len(new.ids)]), old.part(telling[len(new.ids) :])


def _crops(new: Hashes, old: Hashes, threads: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """By a crop of one picture and the whole of the other."""
    for index, words in enumerate(CROP_WORDS):
        hints = np.int64(1 << CROP_OF_LEFT + index), np.int64(1 << CROP_OF_RIGHT + index)
        yield from _part_against_whole(new, old, lambda h, words=words: h.views[:, words], hints, threads)


def _inner(new: Hashes, old: Hashes, threads: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """By what a plain border encloses, against the whole of others and what borders enclose there."""
    framed_new, framed_old = (part.part((part.views[:, INNER_WORDS] != 0).any(axis=1)) for part in (new, old))
    hint = np.int64(1 << INNER)
    sides = _same_side(lambda h: h.views[:, INNER_WORDS])
    for found, left, right in _both(pairs_among, pairs_between, sides, framed_new, framed_old, LOW_RADIUS, threads):
        yield _pairs(found, left, right, np.full(len(found.queries), hint))
    for first, second in ((framed_new, old), (framed_new, new), (new, framed_old)):
        inner_first = first is framed_new
        words = (INNER_WORDS, LOW_WORDS) if inner_first else (LOW_WORDS, INNER_WORDS)
        for found in _between(first.views[:, words[0]], second.views[:, words[1]], threads):
            yield _pairs(found, first, second, np.full(len(found.queries), hint))


def _part_against_whole(
    new: Hashes, old: Hashes, part: Callable[[Hashes], Words], hints: tuple[np.int64, np.int64], threads: int
) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """By a part of new pictures against the whole of all, and by the whole of new ones against a part of old ones."""
    for known in (old, new):
        for found in _between(part(new), known.views[:, LOW_WORDS], threads):
            sides = np.full(len(found.queries), hints[0]), np.full(len(found.queries), hints[1])
            yield _pairs(found, new, known, *sides)
    for found in _between(new.views[:, LOW_WORDS], part(old), threads):
        sides = np.full(len(found.queries), hints[1]), np.full(len(found.queries), hints[0])
        yield _pairs(found, new, old, *sides)


def _between(queries: Words, known: Words, threads: int) -> Iterable[Found]:
    return pairs_between(queries, known, LOW_RADIUS, most=MOST_CANDIDATES, threads=threads)


def _same_side(words: Callable[[Hashes], Words]) -> Callable[[Hashes], Words]:
    return lambda hashes: np.ascontiguousarray(words(hashes))


def _both(among, between, words, new, old, radius, threads):  # type: ignore
    """The pairs among new contents, and between new and old ones."""
    for found in among(words(new), radius, most=MOST_CANDIDATES, threads=threads):
        yield found, new, new
    for found in between(words(new), words(old), radius, most=MOST_CANDIDATES, threads=threads):
        yield found, new, old


def _pairs(
    found: Found, queries: Hashes, known: Hashes, hints: Numbers, swapped: Numbers | None = None
) -> tuple[Numbers, Numbers, Numbers]:
    """Pairs by ids, the smaller first, and the hints that hold in that order.

    Args:
        found: By places in `queries` and `known`.
        queries: What was searched for.
        known: What was searched.
        hints: With the query on the left.
        swapped: With the query on the right; None when that makes no difference.
    """
    first, second = queries.ids[found.queries], known.ids[found.known]
    turned = hints if swapped is None else np.where(first < second, hints, swapped)
    return np.minimum(first, second), np.maximum(first, second), turned


def _merged(parts: list[tuple[Numbers, Numbers, Numbers]]) -> Candidates:
    """Each pair once, with all its hints, in order; a picture does not match itself."""
    empty = np.empty(0, np.int64)
    left, right, hints = (np.concatenate([empty, *columns]) for columns in (zip(*parts, strict=True) if parts else ((), (), ())))
    others = left != right
    left, right, hints = left[others], right[others], hints[others]
    order = np.lexsort((right, left))
    left, right, hints = left[order], right[order], hints[order]
    first = np.flatnonzero(np.r_[True, (left[1:] != left[:-1]) | (right[1:] != right[:-1])]) if len(left) else empty
    return Candidates(left[first], right[first], np.bitwise_or.reduceat(hints, first) if len(first) else empty)


_SEARCHES = (_whole, _turned, _strips, _crops, _inner)
SEARCHES = len(_SEARCHES)
