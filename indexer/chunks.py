"""Hashes word by word, how near they are, equal ones taken together, and tables of them by what a chunk of bits holds.

Two hashes within a radius are within a chunk's own radius in one chunk at least (the pigeonhole principle).

Source: Norouzi, Punjani and Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Columns = tuple[Words, ...]
"""Hashes word by word: all first words, all second words, …"""

WIDEST_CHUNK = 24
"""Bits; a table of 2^24 starts is as much as is still worth its memory."""
NOBODY = np.iinfo(np.int32).max
NANOSECONDS = {"probe": 4.0, "candidate": 20.0, "word": 1.0, "entry": 8.0, "known": 30.0}
"""Costs, measured on one core at 2.x GHz: only their ratios matter."""


class Chunk(NamedTuple):
    """Some neighbouring bits of one word, and within how many bits of each other they are looked for."""

    word: int
    shift: int
    width: int
    radius: int


class Classes(NamedTuple):
    """Known hashes, those that are equal taken together, in the order of their first members."""

    hashes: Words
    members: Integers
    """The hashes' indices, class by class, ascending in each."""
    starts: Integers
    """Where each class starts in `members`, and the end."""

    def members_below(self, owners: Integers, bounds: Integers) -> Integers:
        """How many members of a class have indices below a bound."""
        labels = np.repeat(np.arange(len(self.hashes)), np.diff(self.starts)) << 32
        return np.searchsorted(labels | self.members, owners << 32 | bounds) - self.starts[owners]


class Table(NamedTuple):
    """Known hashes by the value of a chunk."""

    chunk: Chunk
    masks: Integers
    """What turns a query's value into those to be looked for."""
    first: NDArray[np.int32]
    """The lowest known hash of each value, `NOBODY` without one: tells at a glance whether a query may look there."""
    starts: NDArray[np.int32]
    order: NDArray[np.int32]
    """Known hashes by value, ascending in each; those of value v are `order[starts[v] : starts[v + 1]]`."""
    tests: Words
    """Another word of them, in the same order: most candidates fail by it."""


@cache
def cheapest_scheme(queries: int, known: int, words: int, radius: int, *, turning: bool) -> tuple[Chunk, ...]:
    """The chunks by which a search is expected to take least time; none where comparing everything is cheaper.

    Args:
        queries: How many.
        known: How many of them a query is compared with, on average.
        words: Of a hash.
        radius: In bits.
        turning: True when all orientations are looked for.
    """

    def price(chunk: Chunk) -> float:
        """Nanoseconds that a chunk costs: its table, and for each query probes and what they find in random hashes."""
        if chunk.radius < 0:
            return 0.0
        size = 1 << chunk.width
        probes = queries * _volume(chunk) * (1 if not turning else 2 if chunk.word == 0 else 4)
        seeking = probes * (NANOSECONDS["probe"] + NANOSECONDS["candidate"] * known / size)
        return seeking + size * NANOSECONDS["entry"] + known * NANOSECONDS["known"]

    schemes = [_shared_out(_cut(words, parts), radius, price) for parts in range(-(-64 // WIDEST_CHUNK), 9)]
    best = min(schemes, key=lambda scheme: sum(map(price, scheme)))
    comparing = queries * known * NANOSECONDS["word"] * words * (2 if turning else 1)
    return best if sum(map(price, best)) < comparing else ()


def _cut(words: int, parts: int) -> list[Chunk]:
    """Each word in parts of nearly equal width, with radii that say: not looked at."""
    borders = [64 * part // parts for part in range(parts + 1)]
    return [Chunk(word, start, end - start, -1) for word in range(words) for start, end in pairwise(borders)]


def _shared_out(chunks: list[Chunk], radius: int, price: Callable[[Chunk], float]) -> tuple[Chunk, ...]:
    """The chunks with radii r for which the sum of r + 1 is radius + 1, one step at a time where it costs least.

    Were each chunk of two hashes more than its r apart, then the hashes would be more than the radius apart.
    """
    chunks = list(chunks)

    def step(index: int) -> float:
        """What the next bit costs in a chunk."""
        chunk = chunks[index]
        wider = chunk._replace(radius=chunk.radius + 1)
        return math.inf if chunk.radius == chunk.width else price(wider) - price(chunk)

    for _ in range(radius + 1):
        cheapest = min(range(len(chunks)), key=step)
        chunks[cheapest] = chunks[cheapest]._replace(radius=chunks[cheapest].radius + 1)
    return tuple(chunk for chunk in chunks if chunk.radius >= 0)


def _volume(chunk: Chunk) -> int:
    """How many values are within a chunk's radius of one."""
    return sum(math.comb(chunk.width, bits) for bits in range(chunk.radius + 1))


def columns(hashes: Words) -> Columns:
    """Hashes word by word, each contiguous."""
    return tuple(np.ascontiguousarray(hashes.T))


def transposed(words: Columns) -> Columns:
    """Hashes by parity of the transposed pictures.

    Source: Warren, "Hacker's Delight", 2002, 7-3: an 8×8 matrix of bits is transposed by swapping ever larger blocks.
    """
    turned = []
    for word in (words[0], words[2], words[1], words[3]):
        bits = word
        for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0)):
            swapped = (bits ^ (bits >> np.uint64(shift))) & np.uint64(mask)
            bits = bits ^ swapped ^ (swapped << np.uint64(shift))
        turned.append(bits)
    return tuple(turned)


def closeness_of(sides: Sequence[Columns], known: Columns) -> NDArray[np.uint16]:
    """Eight times the distance plus the orientation, least over the orientations.

    Args:
        sides: The queries, and when they may be oriented in any way, the transposed queries.
        known: The known hashes; their arrays and those of the queries broadcast to the result's shape.
    """
    if len(sides) == 1:
        first, *others = _apart(sides[0], known)
        return sum(others, start=first) * 8
    ways: list[NDArray[np.uint16]] = []
    for number, side in enumerate(sides):
        a, b, c, d = _apart(side, known)
        mirrored = (a + b + c + d, a + c + 128 - b - d, a + b + 128 - c - d, a + d + 128 - b - c)
        ways += [total * 8 + (4 * number + mirror) for mirror, total in enumerate(mirrored)]
    least = ways[0]
    for other in ways[1:]:
        np.minimum(least, other, out=least)
    return least


def _apart(side: Columns, known: Columns) -> list[NDArray[np.uint16]]:
    """The distances word by word."""
    return [np.bitwise_count(left ^ right).astype(np.uint16) for left, right in zip(side, known, strict=True)]


def classes_of(hashes: Words) -> Classes:
    """Equal hashes taken together.

    They are sorted by a checksum with the index in its low bits. Should two hashes share a checksum, then some that are
    equal may end up in several classes, which makes the search slower but not wrong.
    """
    count = len(hashes)
    index_bits = np.uint64((1 << count.bit_length()) - 1)
    checksums = np.zeros(count, dtype=np.uint64)
    for word in hashes.T:
        checksums = (checksums ^ word) * np.uint64(0x9E3779B97F4A7C15)
        checksums ^= checksums >> np.uint64(32)
    order = (np.sort((checksums & ~index_bits) | np.arange(count, dtype=np.uint64)) & index_bits).astype(np.int64)
    fresh = np.ones(count, dtype=np.bool_)
    fresh[1:] = (hashes[order[1:]] != hashes[order[:-1]]).any(axis=1)
    if fresh.all():
        return single_classes(hashes)
    firsts = order[fresh]
    owners = np.sort(firsts[np.cumsum(fresh) - 1] << 32 | order)
    starts = np.append(np.searchsorted(owners, np.sort(firsts) << 32), count)
    return Classes(hashes[np.sort(firsts)], owners & 0xFFFFFFFF, starts)


def single_classes(hashes: Words) -> Classes:
    """Each hash by itself."""
    return Classes(hashes, np.arange(len(hashes)), np.arange(len(hashes) + 1))


def keys(words: Words, chunk: Chunk) -> Integers:
    """The values of a chunk."""
    return ((words >> np.uint64(chunk.shift)) & np.uint64((1 << chunk.width) - 1)).view(np.int64)


def runs(starts: NDArray[np.integer], counts: NDArray[np.integer]) -> Integers:
    """The numbers of runs, each from its start on, one run after the other."""
    ends = np.cumsum(counts, dtype=np.int64)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)


def _masks(chunk: Chunk, *, turning: bool) -> Integers:
    """All values with few bits; for words that mirroring may complement, their complements too."""
    places = [1 << place for place in range(chunk.width)]
    masks = [sum(chosen) for bits in range(chunk.radius + 1) for chosen in combinations(places, bits)]
    mirrored = [(1 << chunk.width) - 1 - mask for mask in masks] if turning and chunk.word else []
    return np.unique(np.array(masks + mirrored))


def test_word(chunk: Chunk, words: int, *, turning: bool) -> int:
    """The word by which candidates of a chunk are tested first: one that the chunk says nothing of."""
    return (chunk.word + 1) % words if not turning else 0 if chunk.word else 3


def table_of(sides: tuple[Columns, ...], known: Columns, chunk: Chunk) -> Table:
    """The table of a chunk of the known hashes, without those that no query looks for when there are few queries.

    Args:
        sides: The queries, and when they may be oriented in any way, the transposed queries.
        known: The known hashes.
        chunk: What they are sorted by.
    """
    turning = len(sides) == 2
    masks = _masks(chunk, turning=turning)
    size = 1 << chunk.width
    if 4 * len(sides) * len(sides[0][0]) * len(masks) >= size:
        return full_table(known, chunk, turning=turning)
    wanted = np.zeros(size, dtype=np.bool_)
    for side in sides:
        wanted[keys(side[chunk.word], chunk)[:, None] ^ masks] = True
    chosen = np.flatnonzero(wanted.take(keys(known[chunk.word], chunk)))
    return _table(known, chunk, chosen, turning=turning)


def full_table(known: Columns, chunk: Chunk, *, turning: bool) -> Table:
    """The table of a chunk of all known hashes, whatever will be looked for."""
    return _table(known, chunk, np.arange(len(known[0])), turning=turning)


def _table(known: Columns, chunk: Chunk, chosen: Integers, *, turning: bool) -> Table:
    """The table of a chunk of some known hashes."""
    size = 1 << chunk.width
    entries = np.sort(keys(known[chunk.word][chosen], chunk) << 32 | chosen)
    order = (entries & 0xFFFFFFFF).astype(np.int32)
    starts = np.zeros(size + 1, dtype=np.int32)
    np.cumsum(np.bincount(entries >> 32, minlength=size), out=starts[1:])
    first = np.append(order, np.int32(NOBODY)).take(starts[:-1])
    first[starts[1:] == starts[:-1]] = NOBODY
    test = test_word(chunk, len(known), turning=turning)
    return Table(chunk, _masks(chunk, turning=turning), first, starts, order, known[test].take(order))
