"""Hashes → the pairs of pictures that may match, each with how they may lie on each other.

Only contents that are due are searched for, against all. The searches are complete at their radius (see `hamming.py`):

- whole pictures, by the hash with a dead zone, which symmetric drawings need;
- whole pictures in eight orientations, by the signs;
- strips along the edges, which a mark elsewhere leaves as they were;
- crops and what borders enclose, of one picture against the whole of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.hamming import oriented, pairs_among, pairs_between, turned_among, turned_between
from indexer.hints import CROP_OF_LEFT, CROP_OF_RIGHT, INNER
from indexer.pairs import Found
from indexer.thresholds import (
    INNER_RADIUS,
    LOW_BITS,
    LOW_RADIUS,
    MOST_CANDIDATES,
    RADIUS,
    STRIP_BITS,
    STRIP_RADIUS,
    STRIP_SHARED,
    STRIP_WHOLE,
)
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
        if which.all():
            return self
        return Hashes(self.ids[which], self.due[which], self.whole[which], self.views[which])

    def distance(self, left: int, right: int, turn: int) -> int:
        """Bits by which two contents' hashes differ, the left picture turned."""
        first, second = (np.flatnonzero(self.ids == one)[:1] for one in (left, right))
        if not turn:
            return int(np.bitwise_count(self.whole[first] ^ self.whole[second]).sum())
        first_signs, second_signs = (np.ascontiguousarray(self.views[row, SIGN_WORDS]) for row in (first, second))
        return int(np.bitwise_count(oriented(first_signs, turn) ^ second_signs).sum())


@dataclass(frozen=True, slots=True)
class Candidates:
    """Found of contents, each once."""

    left: Numbers
    """Shape (m,), the smaller id of each pair."""
    right: Numbers
    hints: Numbers
    """As `hints.py` lays them out."""

    def slices(self, hashes: Hashes, size: int) -> Iterator[tuple[Candidates, list[int]]]:
        """The pairs, some at a time, each time with the due contents that have no pair left in what follows.

        Args:
            hashes: What the candidates were found among.
            size: Found in a slice, about.
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
    return Hashes(
        np.array(ids, np.int64), np.array(due, np.bool_), whole, np.frombuffer(views, "<u8").reshape(-1, WORDS)
    )


def candidates(hashes: Hashes, threads: int, tick: Callable[[], None] = lambda: None) -> Candidates:
    """The pairs with a content that is due, by ids.

    Args:
        hashes: All contents.
        threads: How many searches may run at once.
        tick: Called after each of the searches, of which there are `SEARCHES`.
    """
    given = _Given(hashes.part(hashes.due), hashes.part(~hashes.due), threads)
    parts: list[Hinted] = []
    for search in _SEARCHES:
        parts += search(given)
        tick()
    return _merged(parts)


def nearest(hashes: Hashes, phash: bytes, views: bytes, count: int) -> list[tuple[int, int]]:
    """The contents whose whole pictures are nearest to a picture in any orientation: id and distance in bits.

    Args:
        hashes: Of the contents.
        phash: Of the picture.
        views: Of the picture.
        count: How many to give at most.
    """
    whole = np.frombuffer(phash, dtype="<u8")
    signs = np.frombuffer(views, dtype="<u8")[None, SIGN_WORDS]
    known = hashes.views[:, SIGN_WORDS]
    distances = np.bitwise_count(hashes.whole ^ whole).sum(axis=1, dtype=np.int64)
    for turn in range(8):
        apart = np.bitwise_count(known ^ oriented(np.ascontiguousarray(signs), turn)).sum(axis=1, dtype=np.int64)
        distances = np.minimum(distances, apart)
    order = np.lexsort((hashes.ids, distances))[:count]
    return list(zip(hashes.ids[order].tolist(), distances[order].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class _Given:
    """What all searches are given."""

    new: Hashes
    old: Hashes
    threads: int


class Hinted(NamedTuple):
    """Found by ids, the smaller first, with the hints of one search; arrays of one length."""

    left: Numbers
    right: Numbers
    hints: Numbers


class _Side(NamedTuple):
    """Some words of some contents, to be searched for or in."""

    ids: Numbers
    words: Words


def _whole(given: _Given) -> Iterator[Hinted]:
    """By the whole picture as it is."""
    new, old = (_Side(one.ids, one.whole) for one in (given.new, given.old))
    for found, known in _among_and_between(new, old, RADIUS, given.threads):
        yield _hinted(found, new, known, _ones(found))


def _turned(given: _Given) -> Iterator[Hinted]:
    """By the whole picture in eight orientations."""
    new, old = (_Side(one.ids, np.ascontiguousarray(one.views[:, SIGN_WORDS])) for one in (given.new, given.old))
    for known, pairs in (
        (new, turned_among(new.words, RADIUS, most=MOST_CANDIDATES, threads=given.threads)),
        (old, turned_between(new.words, old.words, RADIUS, most=MOST_CANDIDATES, threads=given.threads)),
    ):
        for found in pairs:
            there, back = (np.int64(1) << turn for turn in (found.turns.astype(np.int64), _INVERSE[found.turns]))
            yield _hinted(found, new, known, there, back)


def _strips(given: _Given) -> Iterator[Hinted]:
    """By one of four strips, where the whole pictures differ no more than edited ones do."""
    for word in STRIP_WORDS:
        telling_new, telling_old = _telling(given, word)
        new, old = (
            _Side(one.ids[telling], one.views[telling, word : word + 1])
            for one, telling in ((given.new, telling_new), (given.old, telling_old))
        )
        whole = {id(new): given.new.whole[telling_new], id(old): given.old.whole[telling_old]}
        for found, known in _among_and_between(new, old, STRIP_RADIUS, given.threads):
            apart = np.bitwise_count(whole[id(new)][found.queries] ^ whole[id(known)][found.known]).sum(axis=1)
            pairs = _hinted(found, new, known, _ones(found))
            yield Hinted(*(column[apart <= STRIP_WHOLE] for column in pairs))


def _telling(given: _Given, word: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which new and which old ones have a strip that shows something, and something that few others show."""
    strips = np.concatenate((given.new.views[:, word], given.old.views[:, word]))
    _values, places, counts = np.unique(strips, return_inverse=True, return_counts=True)
    telling = (counts[places] <= STRIP_SHARED) & (np.bitwise_count(strips) >= STRIP_BITS)
    return telling[: len(given.new.ids)], telling[len(given.new.ids) :]


def _crops(given: _Given) -> Iterator[Hinted]:
    """By a crop of one picture and the whole of the other."""
    whole_new, whole_old = (_rich(one, LOW_WORDS) for one in (given.new, given.old))
    for index, words in enumerate(CROP_WORDS):
        left, right = np.int64(1) << CROP_OF_LEFT + index, np.int64(1) << CROP_OF_RIGHT + index
        new, old = (_rich(one, words) for one in (given.new, given.old))
        yield from _part_and_whole(new, whole_new, (left, right), LOW_RADIUS, given.threads)
        yield from _part_and_whole(new, whole_old, (left, right), LOW_RADIUS, given.threads)
        yield from _part_and_whole(whole_new, old, (right, left), LOW_RADIUS, given.threads)


def _inner(given: _Given) -> Iterator[Hinted]:
    """By what a plain border encloses, against the whole of others and what borders enclose there."""
    whole_new, whole_old = (_rich(one, LOW_WORDS) for one in (given.new, given.old))
    new, old = (_rich(one, INNER_WORDS) for one in (given.new, given.old))
    hint = np.int64(1) << INNER
    for found, known in _among_and_between(new, old, INNER_RADIUS, given.threads):
        yield _hinted(found, new, known, _ones(found) * hint)
    for queries, known in ((new, whole_new), (new, whole_old), (whole_new, old)):
        yield from _part_and_whole(queries, known, (hint, hint), INNER_RADIUS, given.threads)


def _part_and_whole(
    queries: _Side, known: _Side, hints: tuple[np.int64, np.int64], radius: int, threads: int
) -> Iterator[Hinted]:
    """By parts of some pictures and the whole of others; the hints with the query on the left, and on the right."""
    for found in pairs_between(queries.words, known.words, radius, most=MOST_CANDIDATES, threads=threads):
        yield _hinted(found, queries, known, *(_ones(found) * hint for hint in hints))


def _rich(hashes: Hashes, words: slice) -> _Side:
    """Some words of those that have enough bits in them to tell pictures apart."""
    chosen = hashes.views[:, words]
    rich = np.bitwise_count(chosen).sum(axis=1) >= LOW_BITS
    return _Side(hashes.ids[rich], chosen[rich])


def _among_and_between(new: _Side, old: _Side, radius: int, threads: int) -> Iterator[tuple[Found, _Side]]:
    """The pairs among new contents, and those between new and old ones, with what was searched."""
    for found in pairs_among(new.words, radius, most=MOST_CANDIDATES, threads=threads):
        yield found, new
    for found in pairs_between(new.words, old.words, radius, most=MOST_CANDIDATES, threads=threads):
        yield found, old


def _ones(found: Found) -> Numbers:
    return np.ones(len(found.queries), np.int64)


def _hinted(found: Found, queries: _Side, known: _Side, hints: Numbers, swapped: Numbers | None = None) -> Hinted:
    """Found by ids.

    Args:
        found: By places in `queries` and `known`.
        queries: What was searched for.
        known: What was searched.
        hints: With the query on the left.
        swapped: With the query on the right; None when that makes no difference.
    """
    first, second = queries.ids[found.queries], known.ids[found.known]
    turned = hints if swapped is None else np.where(first < second, hints, swapped)
    return Hinted(np.minimum(first, second), np.maximum(first, second), turned)


def _merged(parts: list[Hinted]) -> Candidates:
    """Each pair once, with all its hints, in order; a picture does not match itself."""
    nothing = np.empty(0, np.int64)
    left, right, hints = (np.concatenate([nothing, *(part[column] for part in parts)]) for column in range(3))
    kept = np.flatnonzero(left != right)
    order = kept[np.lexsort((right[kept], left[kept]))]
    left, right, hints = left[order], right[order], hints[order]
    fresh = np.ones(len(left), np.bool_)
    fresh[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    first = np.flatnonzero(fresh)
    return Candidates(left[first], right[first], np.bitwise_or.reduceat(hints, first) if len(first) else nothing)


_SEARCHES = (_whole, _turned, _strips, _crops, _inner)
SEARCHES = len(_SEARCHES)
