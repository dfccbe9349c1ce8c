"""Found pairs as single numbers: sorted, each once, the closest of each query, and back to the hashes that are meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.chunks import NOBODY, Classes, Integers

Packed = NDArray[np.int64]
"""Pairs, one a number: row within the block (20 bits), known hash (31), distance (9), orientation (3)."""

LARGEST_BLOCK = 1 << 20
LARGE = 1 << 21
"""Pairs held at once."""


class Found(NamedTuple):
    """Pairs within the radius, sorted by query, then known; arrays of one length."""

    queries: Integers
    known: Integers
    bits: NDArray[np.uint16]
    """The distance, the smallest over the orientations that were asked for."""
    turns: NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
    """The orientation of the query that is so near to the known hash, the lowest of several; empty if not asked for."""


def packed(rows: Integers, known: Integers, closeness: NDArray[np.integer]) -> Packed:
    """Pairs as numbers that sort by row, then known hash; `closeness` is eight times the distance plus the orientation."""
    return rows << 43 | known << 12 | closeness.astype(np.int64)


def each_once(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The numbers of all parts, sorted, without repetition."""
    numbers = np.concatenate(parts)
    numbers.sort()
    return numbers[np.flatnonzero(np.diff(numbers, prepend=-1))]


def closest(pairs: Packed, first: int, most: int) -> Packed:
    """Of each row the first pairs by known hash, and then the nearest others up to `most`, the first of those equally near.

    Args:
        pairs: Sorted, each once.
        first: How many by known hash alone.
        most: How many in all.
    """
    ranks = _ranks(pairs >> 43)
    if not len(pairs) or ranks.max() < most:
        return pairs
    others = pairs[ranks >= first]
    row, known, closeness = others >> 43, others >> 12 & NOBODY, others & 0xFFF
    order = np.argsort(row << 43 | (closeness >> 3) << 31 | known)
    nearest = others[order[_ranks(row[order]) < most - first]]
    return np.sort(np.concatenate((pairs[ranks < first], nearest)))


def _ranks(groups: Integers) -> Integers:
    """How many equal numbers stand before each, in sorted numbers."""
    places = np.arange(len(groups))
    fresh = np.diff(groups, prepend=-1) != 0
    return places - np.maximum.accumulate(np.where(fresh, places, 0))


def members_of(pairs: Packed, start: int, classes: Classes, bounds: Integers, most: int | None) -> Iterator[Found]:
    """Pairs of queries and classes of equal hashes as pairs of queries and hashes, a bounded number at a time.

    Args:
        pairs: Of some queries and classes, by the class's place.
        start: The index of the query in row 0.
        classes: What the pairs call known hashes.
        bounds: For each query, the known hash at which it stops looking.
        most: Pairs kept of a query.

    The closest `most` members of a class are its first ones: no others are looked at.
    """
    rows, owners = pairs >> 43, pairs >> 12 & NOBODY
    counts = classes.members_below(owners, bounds[rows + start])
    if most is not None:
        counts = np.minimum(counts, most)
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(pairs):
        stop = _stop(rows, ends - (ends[begin] - counts[begin]), begin)
        here = slice(begin, stop)
        before = ends[here] - counts[here] - (ends[begin] - counts[begin])
        places = np.arange(counts[here].sum()) + np.repeat(classes.starts[owners[here]] - before, counts[here])
        known = classes.members[places]
        found = np.sort(
            packed(np.repeat(rows[here], counts[here]), known, np.repeat(pairs[here] & 0xFFF, counts[here]))
        )
        yield unpacked(found if most is None else closest(found, most // 2, most), start)
        begin = stop


def _stop(rows: Integers, ends: Integers, begin: int) -> int:
    """Where to stop for not much more than `LARGE` pairs, behind the last pair of a row."""
    stop = int(np.searchsorted(ends, LARGE, side="right"))
    if stop == len(rows):
        return stop
    border = int(np.searchsorted(rows, rows[stop]))
    return border if border > begin else int(np.searchsorted(rows, rows[begin], side="right"))


def unpacked(pairs: Packed, start: int) -> Found:
    """Pairs for people."""
    closeness = pairs & 0xFFF
    bits, orientations = (closeness >> 3).astype(np.uint16), (closeness & 7).astype(np.uint8)
    return Found((pairs >> 43) + start, pairs >> 12 & NOBODY, bits, orientations)
