"""Pairs of hashes within some bits of each other, as they are or in eight orientations: all of them, never approximate.

Hashes are cut into chunks, each with a radius of its own, so that two hashes within the radius must be within a chunk's
radius in one chunk at least (the pigeonhole principle). Tables find what is close in a chunk; whole hashes decide.

Source: Norouzi, Punjani and Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from indexer.chunks import (
    Chunk,
    Columns,
    Integers,
    Table,
    Words,
    cheapest_scheme,
    classes_of,
    closeness_of,
    columns,
    keys,
    runs,
    single_classes,
    table_of,
    test_word,
    transposed,
)
from indexer.pairs import LARGE, LARGEST_BLOCK, Found, Packed, closest, each_once, members_of, packed, unpacked

SLICE = 1 << 20
"""Candidates looked at in one go."""
TILE = 1 << 17
"""Hashes compared in one go, so that their distances stay in the processor's cache."""
PROBES = 1 << 15
"""Looks into a table in one go; with fewer, their overhead would outweigh them."""
CROWD = 256
"""Known hashes that equal a query in one chunk, above which it is looked at together with its likes."""
CROWD_ROWS = 256
FEW = 32
"""With fewer queries than this share of the known hashes, finding out which of these are equal costs more than it saves."""
LEAST_BLOCK = 1 << 10
"""Queries; smaller blocks take longer than they gain."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What changes how long a search takes, and nothing that it finds."""

    block: int = 1 << 15
    """Queries searched at once, at most 2^20; what is yielded at once are the pairs of at most as many."""
    scheme: tuple[Chunk, ...] | None = None
    """The chunks to look in; None for the cheapest, empty to compare everything with everything."""


BY_COST = Tuning()


def pairs_among(
    hashes: Words, radius: int, *, most: int | None = None, threads: int = 1, tuning: Tuning = BY_COST
) -> Iterator[Found]:
    """All pairs of hashes within a radius, the later one as the query, each pair once, in blocks of ascending queries.

    Args:
        hashes: Shape (n, words), 1, 2 or 4 words a hash.
        radius: Hamming distance in bits.
        most: Pairs kept of a query: the first `most // 2` by known hash, then the nearest others, the first of those
            equally near; None for all.
        threads: How many blocks are searched at once.
        tuning: How to search.

    Raises:
        ValueError: When the hashes or the numbers are not of this kind.
    """
    return _found(hashes, None, radius, _Manner(most, threads, tuning))


def pairs_between(
    queries: Words, known: Words, radius: int, *, most: int | None = None, threads: int = 1, tuning: Tuning = BY_COST
) -> Iterator[Found]:
    """All pairs of a query and a known hash within a radius; the rest as in `pairs_among`."""
    return _found(queries, known, radius, _Manner(most, threads, tuning))


def turned_among(
    hashes: Words, radius: int, *, most: int | None = None, threads: int = 1, tuning: Tuning = BY_COST
) -> Iterator[Found]:
    """As `pairs_among`, for hashes of four words by parity, of which the query may be oriented in any of eight ways.

    For each pair, `oriented(hashes[query], turn)` is `bits` away from `hashes[known]`, and no other turn brings it nearer.
    """
    return _found(hashes, None, radius, _Manner(most, threads, tuning, turning=True))


def turned_between(
    queries: Words, known: Words, radius: int, *, most: int | None = None, threads: int = 1, tuning: Tuning = BY_COST
) -> Iterator[Found]:
    """As `pairs_between`, with the queries oriented as in `turned_among`."""
    return _found(queries, known, radius, _Manner(most, threads, tuning, turning=True))


def pairs_in(
    tables: tuple[Table, ...], known: Columns, queries: Words, radius: int, *, most: int, turning: bool = False
) -> Found:
    """The pairs of a few queries and known hashes in tables that were made before; the rest as in `pairs_between`.

    Equal known hashes are not taken together: with thousands of them, this takes longer. Without tables, all are compared.
    """
    plain = columns(queries)
    sides = (plain, transposed(plain)) if turning else (plain,)
    limits = np.full(len(queries), len(known[0]), dtype=np.int32)
    pairs = _pairs_of(_Search(sides, known, limits, radius, most, tables))
    return unpacked(np.empty(0, np.int64) if pairs is None else pairs, 0)


def oriented(hashes: Words, orientation: int) -> Words:
    """What hashes by parity become when their pictures are transposed (4), flipped top-bottom (2), mirrored left-right (1).

    Args:
        hashes: Shape (n, 4): the signs of 16×16 DCT terms; word 2 · (v % 2) + u % 2 holds the term of vertical frequency v
            and horizontal frequency u in bit 8 · (v // 2) + u // 2, the lowest bit being 0.
        orientation: 0 to 7, the sum of what is done, in this order.

    A mirror image has the terms of odd frequency along the mirrored axis negated.
    """
    words = transposed(tuple(hashes.T)) if orientation & 4 else tuple(hashes.T)
    every = ~np.uint64(0)
    down, across = every * np.uint64(orientation >> 1 & 1), every * np.uint64(orientation & 1)
    return np.stack((words[0], words[1] ^ across, words[2] ^ down, words[3] ^ across ^ down), axis=1)


@dataclass(frozen=True, slots=True)
class _Manner:
    """How to search."""

    most: int | None
    threads: int
    tuning: Tuning
    turning: bool = False


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for in what."""

    sides: tuple[Columns, ...]
    """The queries, and when they may turn the transposed queries."""
    known: Columns
    limits: NDArray[np.int32]
    """For each query, the known hash at which it stops looking."""
    radius: int
    most: int | None
    """Pairs kept of a query; see `_kept`."""
    tables: tuple[Table, ...] = ()

    @property
    def turning(self) -> bool:
        """True when the queries may be oriented in any way."""
        return len(self.sides) == 2

    def part(self, start: int, stop: int) -> _Search:
        """The same search for some of the queries."""
        sides = tuple(tuple(word[start:stop] for word in side) for side in self.sides)
        return replace(self, sides=sides, limits=self.limits[start:stop])


def _found(queries: Words, others: Words | None, radius: int, manner: _Manner) -> Iterator[Found]:
    """The search in order: equal hashes together, tables, blocks of queries, single hashes again."""
    known = queries if others is None else others
    _check(queries, known, radius, manner)
    if not (len(queries) and len(known)):
        return
    classes = classes_of(known) if FEW * len(queries) >= len(known) else single_classes(known)
    bounds = np.arange(len(queries)) if others is None else np.full(len(queries), len(known))
    limits = np.searchsorted(classes.members[classes.starts[:-1]], bounds).astype(np.int32)
    plain = columns(queries)
    sides = (plain, transposed(plain)) if manner.turning else (plain,)
    search = _Search(sides, columns(classes.hashes), limits, radius, manner.most)
    scheme = manner.tuning.scheme
    if scheme is None:
        reach = len(classes.hashes) // (2 if others is None else 1)
        size, reach = 1 << len(queries).bit_length(), 1 << reach.bit_length()  # so that few schemes are worked out
        scheme = cheapest_scheme(size, reach, len(plain), radius, turning=manner.turning)
    with ThreadPoolExecutor(manner.threads) as pool:
        tables = pool.map(partial(table_of, sides, search.known), scheme)
        search = replace(search, tables=tuple(tables))
        for start, pairs in _block_by_block(search, manner, pool):
            for found in members_of(pairs, start, classes, bounds, manner.most):
                yield found if manner.turning else found._replace(turns=found.turns[:0])


def _check(queries: Words, known: Words, radius: int, manner: _Manner) -> None:
    """Raises a ValueError for what cannot be searched."""
    for hashes in (queries, known):
        if (
            hashes.ndim != 2
            or hashes.dtype != np.uint64
            or hashes.shape[1] not in ({4} if manner.turning else {1, 2, 4})
        ):
            raise ValueError(f"not an array of hashes: {hashes.dtype} of shape {hashes.shape}")
    if queries.shape[1] != known.shape[1]:
        raise ValueError("queries and known hashes differ in length")
    if not 0 <= radius <= 64 * queries.shape[1]:
        raise ValueError(f"no radius of such hashes: {radius}")
    if not 1 <= manner.tuning.block <= LARGEST_BLOCK or (manner.most is not None and manner.most < 1):
        raise ValueError(f"neither a block nor a number of pairs to keep: {manner}")


def _block_by_block(search: _Search, manner: _Manner, pool: ThreadPoolExecutor) -> Iterator[tuple[int, Packed]]:
    """The pairs of blocks of queries in order, each with the block's first query; few blocks are under way at a time."""
    count = len(search.limits)
    block = _block(count, manner)
    waiting = deque((start, min(start + block, count)) for start in range(0, count, block))
    running: deque[tuple[int, int, Future[Packed | None]]] = deque()
    while waiting or running:
        while waiting and len(running) <= manner.threads:
            start, stop = waiting.popleft()
            running.append((start, stop, pool.submit(_pairs_of, search.part(start, stop))))
        start, stop, future = running.popleft()
        pairs = future.result()
        if pairs is not None:
            yield start, pairs
            continue
        middle = (start + stop) // 2
        for span in ((middle, stop), (start, middle)):
            running.appendleft((*span, pool.submit(_pairs_of, search.part(*span))))


def _block(queries: int, manner: _Manner) -> int:
    """Queries in a block: as asked for, but fewer where their pairs could be too many or threads would run out of work."""
    holding = LARGE // manner.most if manner.most else LARGE
    sharing = queries // (8 * manner.threads)
    return min(manner.tuning.block, max(LEAST_BLOCK, min(holding, sharing)))


def _pairs_of(search: _Search) -> Packed | None:
    """All pairs of some queries but for what `most` drops; None when that are too many to hold, for several queries."""
    kept = np.empty(0, dtype=np.int64)
    fresh: list[Packed] = []
    for batch in _batches(search):
        fresh.append(batch)
        if sum(map(len, fresh)) > LARGE // 2:
            kept = _kept(search, [kept, *fresh])
            fresh = []
            if len(kept) > LARGE and len(search.limits) > 1:
                return None
    return _kept(search, [kept, *fresh])


def _kept(search: _Search, batches: list[Packed]) -> Packed:
    """Pairs, each once, that the final choice among single hashes may need; see `members_of`.

    A known hash that stands for several equal ones is the first of them. So the first `most // 2` of all are among those
    that the first `most // 2` of these stand for, and what is nearest of the others among those that the nearest stand for.
    """
    pairs = each_once(batches)
    return pairs if search.most is None else closest(pairs, search.most // 2, search.most)


def _batches(search: _Search) -> Iterator[Packed]:
    """The pairs of some queries as they are found, in no order, some of them twice."""
    rows = np.flatnonzero(search.limits)
    if not search.tables:
        yield from _compared(search, rows, np.arange(len(search.known[0])))
        return
    sizes, homes = _homes(search, rows)
    yield from _looked_up(search, rows[sizes <= CROWD])
    crowded = np.flatnonzero(sizes > CROWD)
    crowded = rows[crowded[np.argsort(homes[crowded], kind="stable")]]
    for start in range(0, len(crowded), CROWD_ROWS):
        yield from _compared_in_crowd(search, np.sort(crowded[start : start + CROWD_ROWS]))


def _homes(search: _Search, rows: Integers) -> tuple[Integers, Integers]:
    """For each query, how many known hashes equal it in the chunk where most do, and a number for that place."""
    sizes, homes = np.zeros((2, len(rows)), dtype=np.int64)
    for number, table in enumerate(search.tables):
        values = keys(search.sides[0][table.chunk.word][rows], table.chunk)
        found = table.starts[values + 1] - table.starts[values]
        larger = found > sizes
        sizes = np.where(larger, found, sizes)
        homes = np.where(larger, values << 8 | number, homes)
    return sizes, homes


def _looked_up(search: _Search, rows: Integers) -> Iterator[Packed]:
    """The pairs of queries by the tables: candidates, those that pass the test once each, whole hashes."""
    passed: list[Integers] = []
    for side, table in product(search.sides, search.tables):
        owners, buckets = _probed(search, side, table, rows)
        for candidates in _tested(search, side, table, owners, buckets):
            passed.append(candidates)
            if sum(map(len, passed)) > SLICE:
                yield _measured(search, each_once(passed))
                passed = []
    if passed:
        yield _measured(search, each_once(passed))


def _probed(search: _Search, side: Columns, table: Table, rows: Integers) -> tuple[Integers, Integers]:
    """Queries and the values where they find known hashes before their limits, once a query and value.

    The queries are sorted by value first, so that the table is read in order.
    """
    values = keys(side[table.chunk.word][rows], table.chunk)
    order = np.argsort(values)
    rows, values = rows[order], values[order]
    limits = search.limits[rows]
    count = max(1, len(rows))
    width = max(1, PROBES // count)
    owners, buckets = [], []
    for start in range(0, len(table.masks), width):  # few queries: many masks at once, as each step has its price
        wanted = values ^ table.masks[start : start + width, None]
        hits = np.flatnonzero(table.first.take(wanted) < limits)
        owners.append(hits if width == 1 else hits % count)
        buckets.append(wanted.ravel()[hits])
    return rows[np.concatenate(owners)], np.concatenate(buckets)


def _tested(search: _Search, side: Columns, table: Table, owners: Integers, buckets: Integers) -> Iterator[Integers]:
    """Candidates that may be within the radius by one more word, as query << 32 | known hash, a slice at a time."""
    test = test_word(table.chunk, len(search.known), turning=search.turning)
    starts = table.starts[buckets]
    counts = table.starts[buckets + 1] - starts
    ends = np.cumsum(counts, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.unique(np.searchsorted(ends, [*range(0, total, SLICE), total + 1]))
    for start, stop in pairwise(cuts):
        here = counts[start:stop]
        places = runs(starts[start:stop], here)
        queries = np.repeat(owners[start:stop], here)
        bits = np.bitwise_count(side[test].take(queries) ^ table.tests.take(places))
        if search.turning and test:
            bits = np.minimum(bits, 64 - bits)
        near = np.flatnonzero(bits <= search.radius)
        queries, known = queries[near], table.order[places[near]]
        yield (queries << 32 | known)[known < search.limits[queries]]


def _measured(search: _Search, candidates: Integers) -> Packed:
    """Those candidates whose whole hashes are within the radius."""
    queries, known = candidates >> 32, candidates & 0xFFFFFFFF
    sides = [tuple(word[queries] for word in side) for side in search.sides]
    closeness = closeness_of(sides, tuple(word[known] for word in search.known))
    near = closeness >> 3 <= search.radius
    return packed(queries[near], known[near], closeness[near])


def _compared_in_crowd(search: _Search, rows: Integers) -> Iterator[Packed]:
    """The pairs of like queries: the known hashes that any of them finds in the tables, compared with all of them.

    Where they are not so alike that this is less work, they are looked up as others are.
    """
    wanted = np.zeros(len(search.known[0]), dtype=np.bool_)
    candidates = 0
    for side, table in product(search.sides, search.tables):
        buckets, queries = np.unique(_probed(search, side, table, rows)[1], return_counts=True)
        sizes = table.starts[buckets + 1] - table.starts[buckets]
        candidates += int(sizes @ queries)
        wanted[table.order[runs(table.starts[buckets], sizes)]] = True
    known = np.flatnonzero(wanted)
    if len(rows) * len(known) < candidates:
        yield from _compared(search, rows, known)
    else:
        yield from _looked_up(search, rows)


def _compared(search: _Search, rows: Integers, known: Integers) -> Iterator[Packed]:
    """The pairs of some queries and some known hashes, compared each with each, those that `most` drops left out."""
    words = tuple(word[known] for word in search.known)
    height = max(1, TILE // max(1, len(known)))
    for start in range(0, len(rows), height):
        here = rows[start : start + height]
        limits = search.limits[here]
        width = int(np.searchsorted(known, limits.max()))
        sides = [tuple(word[here, None] for word in side) for side in search.sides]
        closeness = closeness_of(sides, tuple(word[:width] for word in words))
        near = (closeness >> 3 <= search.radius) & (known[:width] < limits[:, None])
        if search.most is not None:
            near = _thinned(near, closeness >> 3, search.most)
        row, column = np.divmod(np.flatnonzero(near), max(1, width))
        yield packed(here[row], known[column], closeness[row, column])


def _thinned(near: NDArray[np.bool_], bits: NDArray[np.integer], most: int) -> NDArray[np.bool_]:
    """Without pairs that are neither among a row's first `most // 2` nor within the distance in which there are `most`."""
    if most >= near.shape[1]:
        return near
    limit = np.partition(np.where(near, bits, 0xFFFF), most - 1, axis=1)[:, most - 1, None]
    return near & ((bits <= limit) | (np.cumsum(near, axis=1, dtype=np.int32) <= most // 2))
