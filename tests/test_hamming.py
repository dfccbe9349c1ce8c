"""Search in Hamming space against brute force, and orientations against pictures that are really turned."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.fft import dct

from indexer import hamming, pairs
from indexer.chunks import Chunk, cheapest_scheme
from indexer.hamming import Tuning, oriented, pairs_among, pairs_between, turned_among, turned_between
from indexer.pairs import Found

Words = NDArray[np.uint64]
Table = dict[tuple[int, int], tuple[int, int]]
"""(query, known) → (bits, orientation)."""

RADII = [(1, 0), (1, 3), (1, 7), (1, 31), (2, 0), (2, 11), (2, 20), (4, 1), (4, 23), (4, 31)]
NARROW = {radius: 5 if radius < 12 else 8 for _words, radius in RADII}


def chunks(words: int, radius: int, parts: int = 5) -> tuple[Chunk, ...]:
    """A scheme for any radius by the pigeonhole alone: radius + 1 steps dealt out to the chunks in turn."""
    borders = [64 * part // parts for part in range(parts + 1)]
    spans = [(word, borders[i], borders[i + 1] - borders[i]) for i in range(parts) for word in range(words)]
    steps = [len(range(place, radius + 1, len(spans))) for place in range(len(spans))]
    return tuple(Chunk(*span, step - 1) for span, step in zip(spans, steps, strict=True) if step)


def ways_to_search(words: int, radius: int) -> list[Tuning]:
    """By tables in small blocks and in large ones, by comparing everything, and as the module chooses."""
    scheme = chunks(words, radius, NARROW.get(radius, 5))
    return [Tuning(block=7, scheme=scheme), Tuning(scheme=scheme), Tuning(block=7, scheme=()), Tuning()]


def flipped(hashes: Words, most: int, rng: np.random.Generator) -> Words:
    """Hashes with 0 to `most` bits turned each."""
    turned = hashes.copy()
    for row in turned:
        for bit in rng.choice(64 * len(row), rng.integers(0, most + 1), replace=False):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return turned


def random_hashes(count: int, words: int, rng: np.random.Generator) -> Words:
    """Hashes with no relation."""
    return rng.integers(0, 2**64, (count, words), dtype=np.uint64)


def hashes_of_all_kinds(count: int, words: int, radius: int, seed: int) -> Words:
    """Clusters with distances on both sides of the radius, strangers, repetitions, all zeros, all ones."""
    rng = np.random.default_rng(seed)
    centres = random_hashes(max(1, count // 12), words, rng)
    centres[0] = 0
    centres[-1] |= ~np.uint64(0) if len(centres) > 1 else np.uint64(0)
    mixed = flipped(centres[rng.integers(0, len(centres), count)], radius, rng)
    mixed[::5] = random_hashes(len(mixed[::5]), words, rng)
    for place in rng.integers(1, max(2, count), count // 8):
        mixed[place % count] = mixed[rng.integers(0, count)]
    return mixed


def turned_at_random(hashes: Words, seed: int) -> Words:
    """Each hash as it becomes in some orientation, by the unpacked bits."""
    turns = np.random.default_rng(seed).integers(0, 8, len(hashes))
    return bitwise_oriented(hashes, turns.tolist())


def bitwise_oriented(hashes: Words, turns: list[int]) -> Words:
    """Each hash as it becomes in an orientation of its own."""
    turned = np.empty_like(hashes)
    for place, turn in enumerate(turns):
        turned[place] = packed(turned_signs(signs(hashes[place]), turn))
    return turned


def signs(one: Words) -> NDArray[np.bool_]:
    """Shape (16, 16): the bit of each vertical and horizontal frequency, read off one by one."""
    return np.array(
        [[int(one[2 * (v % 2) + u % 2]) >> (8 * (v // 2) + u // 2) & 1 for u in range(16)] for v in range(16)], np.bool_
    )


def packed(bits: NDArray[np.bool_]) -> Words:
    """The four words of 16×16 bits."""
    words = [0, 0, 0, 0]
    for v, u in zip(*np.nonzero(bits), strict=True):
        words[2 * (v % 2) + u % 2] |= 1 << int(8 * (v // 2) + u // 2)
    return np.array(words, dtype=np.uint64)


def turned_signs(bits: NDArray[np.bool_], turn: int) -> NDArray[np.bool_]:
    """Transposed, then odd rows complemented, then odd columns."""
    turned = (bits.T if turn & 4 else bits).copy()
    if turn & 2:
        turned[1::2] ^= True
    if turn & 1:
        turned[:, 1::2] ^= True
    return turned


def by_brute_force(queries: Words, known: Words, radius: int, *, turning: bool, among: bool) -> Table:
    """All pairs by comparing each with each in each orientation."""
    found: Table = {}
    for turn in range(8 if turning else 1):
        turned = bitwise_oriented(queries, [turn] * len(queries)) if turn else queries
        apart = np.bitwise_count(turned[:, None] ^ known[None]).sum(axis=2, dtype=np.int64)
        for i, j in zip(*(axis.tolist() for axis in np.nonzero(apart <= radius)), strict=True):
            if not among or j < i:
                found[i, j] = min(found.get((i, j), (999, 9)), (int(apart[i, j]), turn))
    return found


def rows(blocks: Iterable[Found]) -> Iterator[tuple[int, int, int, int]]:
    """Found pairs one by one."""
    for block in blocks:
        turns = block.turns if len(block.turns) else np.zeros(len(block.bits), np.uint8)
        yield from zip(block.queries.tolist(), block.known.tolist(), block.bits.tolist(), turns.tolist(), strict=True)


def table(blocks: Iterable[Found]) -> Table:
    """Found pairs by query and known hash, which must ascend."""
    found = list(rows(blocks))
    places = [row[:2] for row in found]
    assert all(left < right for left, right in pairwise(places))
    return {row[:2]: row[2:] for row in found}


def thinned(found: Table, most: int) -> Table:
    """What `most` leaves of each query, said as plainly as its documentation says it."""
    kept: Table = {}
    for query in sorted({query for query, _ in found}):
        mine = sorted((known, value) for (one, known), value in found.items() if one == query)
        first, others = mine[: most // 2], mine[most // 2 :]
        nearest = sorted(others, key=lambda pair: (pair[1][0], pair[0]))[: most - len(first)]
        kept |= {(query, known): value for known, value in first + nearest}
    return kept


@pytest.mark.parametrize(("words", "radius"), RADII)
@pytest.mark.parametrize("count", [0, 1, 2, 13, 240])
def test_pairs_among_equal_brute_force(words: int, radius: int, count: int) -> None:
    """Every pair is found, once, with its distance, whatever the scheme and the block."""
    hashes = hashes_of_all_kinds(count, words, radius, seed=count + radius)

    expected = by_brute_force(hashes, hashes, radius, turning=False, among=True)

    assert len(expected) > 50 or count < 240
    for tuning in ways_to_search(words, radius):
        assert table(pairs_among(hashes, radius, tuning=tuning)) == expected


@pytest.mark.parametrize(("words", "radius"), RADII)
def test_pairs_between_equal_brute_force(words: int, radius: int) -> None:
    """Queries find all known hashes, those too that equal them."""
    known = hashes_of_all_kinds(240, words, radius, seed=1)
    queries = np.concatenate((flipped(known[:30], radius, np.random.default_rng(2)), known[20:40]))

    expected = by_brute_force(queries, known, radius, turning=False, among=False)

    assert len(expected) > 50
    for tuning in ways_to_search(words, radius):
        assert table(pairs_between(queries, known, radius, tuning=tuning)) == expected


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([1, 2, 4]), st.integers(0, 31), st.integers(0, 70), st.integers(0, 2**32 - 1))
def test_pairs_among_equal_brute_force_at_any_radius(words: int, radius: int, count: int, seed: int) -> None:
    """No radius up to 31 bits has a gap between its chunks."""
    hashes = hashes_of_all_kinds(count, words, radius, seed)

    found = table(pairs_among(hashes, radius, tuning=Tuning(block=16, scheme=chunks(words, radius, 8))))

    assert found == by_brute_force(hashes, hashes, radius, turning=False, among=True)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([0, 1, 3, 2**63, 2**64 - 1, 2**64 - 2, 0x5555 << 40]), max_size=40), st.integers(0, 64))
def test_extreme_hashes_are_found(numbers: list[int], radius: int) -> None:
    """Hashes of zeros, of ones and of single bits at either end, up to the radius that takes in all."""
    hashes = np.array(numbers, dtype=np.uint64).reshape(-1, 1)

    for scheme in (chunks(1, radius, 8), None):
        found = table(pairs_among(hashes, radius, tuning=Tuning(scheme=scheme)))

        assert found == by_brute_force(hashes, hashes, radius, turning=False, among=True)


@pytest.mark.parametrize("radius", [0, 5, 23])
@pytest.mark.parametrize("count", [0, 1, 2, 13, 160])
def test_turned_pairs_equal_brute_force(radius: int, count: int) -> None:
    """The least distance over eight orientations is found, with the lowest orientation of the query that has it."""
    hashes = turned_at_random(hashes_of_all_kinds(count, 4, radius, seed=count + radius), seed=3)
    queries = turned_at_random(hashes[: count // 3], seed=4)

    among = by_brute_force(hashes, hashes, radius, turning=True, among=True)
    between = by_brute_force(queries, hashes, radius, turning=True, among=False)

    assert {turn for _bits, turn in among.values()} == set(range(8)) or count < 160
    for tuning in ways_to_search(4, radius):
        assert table(turned_among(hashes, radius, tuning=tuning)) == among
        assert table(turned_between(queries, hashes, radius, tuning=tuning)) == between


@pytest.mark.parametrize("turn", range(8))
def test_turn_takes_the_query_to_the_known_hash(turn: int) -> None:
    """The reported orientation is that of the query: quarter turns have another inverse and tell the sides apart."""
    known = random_hashes(5, 4, np.random.default_rng(turn))
    inverse = {5: 6, 6: 5}.get(turn, turn)
    queries = bitwise_oriented(known, [inverse] * 5)

    for scheme in (chunks(4, 23), ()):
        among = table(turned_among(np.concatenate((known, queries)), 23, tuning=Tuning(scheme=scheme)))
        between = table(turned_between(queries, known, 23, tuning=Tuning(scheme=scheme)))

        assert among == {(5 + i, i): (0, turn) for i in range(5)}
        assert between == {(i, i): (0, turn) for i in range(5)}


def test_lowest_turn_is_reported_when_several_are_equally_near() -> None:
    """The hash of a flat picture is its own transposition, and so turn 0 and not 4."""
    flat = np.zeros((2, 4), dtype=np.uint64)

    assert table(turned_among(flat, 23)) == {(1, 0): (0, 0)}


def cosine_hash(picture: NDArray[np.float64]) -> Words:
    """The signs of the 16×16 lowest terms of the DCT-II by scipy, but for the mean, whose bit is 0."""
    bits = dct(dct(picture, axis=0), axis=1)[:16, :16] > 0
    bits[0, 0] = False
    return packed(bits)


@pytest.mark.parametrize("turn", range(8))
def test_oriented_equals_the_hash_of_the_turned_picture(turn: int) -> None:
    """Transposing, then flipping, then mirroring the pixels does to the hash what `oriented` does."""
    pictures = np.random.default_rng(turn).normal(size=(20, 64, 64))
    turned = pictures.transpose(0, 2, 1) if turn & 4 else pictures
    turned = turned[:, ::-1] if turn & 2 else turned
    turned = turned[:, :, ::-1] if turn & 1 else turned

    found = oriented(np.array([cosine_hash(one) for one in pictures]), turn)

    assert np.array_equal(found, np.array([cosine_hash(one) for one in turned]))


@given(st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4), st.integers(0, 7))
def test_oriented_moves_each_bit_to_its_place(words: list[int], turn: int) -> None:
    """Any hash becomes what its 256 bits become one by one."""
    hashes = np.array([words], dtype=np.uint64)

    assert oriented(hashes, turn)[0].tolist() == packed(turned_signs(signs(hashes[0]), turn)).tolist()


@pytest.mark.parametrize("most", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("spread", [0, 2, 10])
def test_most_keeps_the_first_and_the_nearest(most: int, spread: int) -> None:
    """What is dropped of a crowded query does not depend on blocks, threads or scheme, repeated hashes included."""
    rng = np.random.default_rng(most)
    cluster = flipped(np.repeat(random_hashes(2, 2, rng), 60, axis=0), spread, rng)
    hashes = rng.permutation(np.concatenate((cluster, cluster[:25], cluster[:25])))
    every = by_brute_force(hashes, hashes, 11, turning=False, among=True)

    expected = thinned(every, most)

    assert len(expected) < len(every)
    for tuning in ways_to_search(2, 11):
        for threads in (1, 2):
            assert table(pairs_among(hashes, 11, most=most, threads=threads, tuning=tuning)) == expected


def test_most_keeps_the_first_and_the_nearest_in_any_orientation() -> None:
    """The nearest are those by the least distance over the orientations."""
    rng = np.random.default_rng(5)
    hashes = turned_at_random(flipped(np.repeat(random_hashes(1, 4, rng), 120, axis=0), 11, rng), seed=6)

    expected = thinned(by_brute_force(hashes, hashes, 23, turning=True, among=True), 9)

    for tuning in ways_to_search(4, 23):
        assert table(turned_among(hashes, 23, most=9, tuning=tuning)) == expected


@pytest.fixture(scope="module")
def many() -> Words:
    """3,000 hashes: a crowd of 1,200 about one, 800 about others, strangers; half of them turned."""
    rng = np.random.default_rng(7)
    crowd = flipped(np.repeat(random_hashes(1, 4, rng), 1200, axis=0), 9, rng)
    groups = flipped(random_hashes(80, 4, rng).repeat(10, axis=0), 16, rng)
    hashes = rng.permutation(np.concatenate((crowd, groups, random_hashes(1000, 4, rng))))
    hashes[::2] = np.concatenate([oriented(hashes[i : i + 1], i // 2 % 8) for i in range(0, 3000, 2)])
    return hashes


@pytest.fixture(scope="module")
def pairs_of_many(many: Words) -> NDArray[np.int64]:
    """Shape (m, 4), sorted: query, known, bits, orientation, by comparing everything."""
    apart = np.zeros((8, len(many), len(many)), dtype=np.uint16)
    for turn, word in np.ndindex(8, 4):
        apart[turn] += np.bitwise_count(oriented(many, turn)[:, word, None] ^ many[:, word])
    queries, known = np.nonzero(np.tril(apart.min(axis=0) <= 23, -1))
    near = apart[:, queries, known]
    return np.stack((queries, known, near.min(axis=0), near.argmin(axis=0)), axis=1)


def joined(blocks: Iterable[Found]) -> NDArray[np.int64]:
    """Found pairs, one a row."""
    parts = [np.stack((f.queries, f.known, f.bits, f.turns), axis=1).astype(np.int64) for f in blocks]
    return np.concatenate(parts)


SCHEMES = [
    pytest.param(chunks(4, 23, 3), id="chunks of 21 bits"),
    pytest.param(chunks(4, 23, 6), id="chunks of 10 bits"),
    pytest.param((), id="no chunks"),
    pytest.param(None, id="chosen"),
]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_crowds_and_strangers_are_found_alike(
    many: Words, pairs_of_many: NDArray[np.int64], scheme: tuple[Chunk, ...] | None
) -> None:
    """A crowd, which is compared as a whole, and single pairs, which are looked up, are all found."""
    found = joined(turned_among(many, 23, threads=2, tuning=Tuning(scheme=scheme)))

    assert len(pairs_of_many) > 600_000
    assert np.array_equal(found, pairs_of_many)


@pytest.mark.parametrize("name", ["CROWD", "LARGE", "SLICE", "TILE"])
@pytest.mark.parametrize("scheme", [chunks(4, 23, 3), ()], ids=["chunks", "no chunks"])
def test_limits_change_nothing_that_is_found(
    monkeypatch: pytest.MonkeyPatch,
    many: Words,
    pairs_of_many: NDArray[np.int64],
    name: str,
    scheme: tuple[Chunk, ...],
) -> None:
    """With every bound of memory so low that it is met, the same pairs come."""
    monkeypatch.setattr(hamming, name, 3000)
    few = pairs_of_many[:, 0] < 600

    found = joined(turned_among(many[:600], 23, tuning=Tuning(scheme=scheme)))

    assert np.array_equal(found, pairs_of_many[few])


def test_blocks_come_in_order_and_same_with_two_threads(many: Words) -> None:
    """Threads change nothing, block by block."""
    alone, together = (
        list(turned_among(many, 23, most=20, threads=threads, tuning=Tuning(block=500, scheme=chunks(4, 23))))
        for threads in (1, 2)
    )

    assert len(alone) == 6
    for left, right in zip(alone, together, strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


def test_few_queries_find_what_many_would() -> None:
    """When the known hashes are filtered by what the queries look for, nothing is lost."""
    rng = np.random.default_rng(8)
    known = random_hashes(20_000, 4, rng)
    queries = np.concatenate([oriented(flipped(known[turn :: 8 * 250], 23, rng), turn) for turn in range(8)])

    found = table(turned_between(queries, known, 23, tuning=Tuning(scheme=chunks(4, 23, 3))))

    inverse = {5: 6, 6: 5}
    expected = {}
    for turn in range(8):
        for place, home in enumerate(range(turn, len(known), 8 * 250)):
            expected[turn * 10 + place, home] = inverse.get(turn, turn)
    assert {pair: turn for pair, (_bits, turn) in found.items()} == expected


def peak_of(blocks: Iterable[Found]) -> tuple[int, int]:
    """Pairs, and the most bytes allocated while they were found."""
    tracemalloc.start()
    count = sum(len(block.bits) for block in blocks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return count, peak


def test_a_crowd_needs_bounded_memory() -> None:
    """6,000 hashes within the radius of each other have 18 million pairs (288 MB), of which 16 a query are kept."""
    rng = np.random.default_rng(9)
    crowd = np.repeat(random_hashes(1, 2, rng), 6000, axis=0)
    for _ in range(5):
        bits = rng.integers(0, 128, len(crowd))
        crowd[np.arange(len(crowd)), bits // 64] ^= np.uint64(1) << (bits % 64).astype(np.uint64)

    count, peak = peak_of(pairs_among(crowd, 11, most=16, tuning=Tuning(scheme=chunks(2, 11, 4))))

    assert count == sum(min(16, place) for place in range(6000))
    assert peak < 100e6


def test_all_pairs_of_a_crowd_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `most`, blocks that find more than may be held are halved: 4 million pairs come with memory for less."""
    for module in (hamming, pairs):
        monkeypatch.setattr(module, "LARGE", 1 << 17)
    rng = np.random.default_rng(10)
    crowd = np.unique(flipped(np.repeat(random_hashes(1, 2, rng), 4000, axis=0), 6, rng), axis=0)

    count, peak = peak_of(pairs_among(crowd, 12, tuning=Tuning(scheme=())))

    assert count == len(crowd) * (len(crowd) - 1) // 2 > 4e6
    assert peak < 60e6


@pytest.mark.parametrize("most", [None, 7])
def test_equal_hashes_are_told_apart_in_pieces(monkeypatch: pytest.MonkeyPatch, most: int | None) -> None:
    """When pairs of classes stand for more pairs than are held at once, none is lost, and no query is cut in two."""
    monkeypatch.setattr(pairs, "LARGE", 50)
    rng = np.random.default_rng(11)
    distinct = flipped(np.repeat(random_hashes(1, 1, rng), 6, axis=0), 3, rng)
    hashes = distinct[rng.integers(0, 6, 150)]
    every = by_brute_force(hashes, hashes, 7, turning=False, among=True)

    blocks = list(pairs_among(hashes, 7, most=most))

    assert table(blocks) == (thinned(every, most) if most else every)
    assert len(blocks) > 10
    assert max(len(block.bits) for block in blocks) <= 150


def test_equal_hashes_need_memory_for_what_is_kept_only() -> None:
    """50,000 times the same hash: the first 16 for each, in time and memory in proportion to what is kept."""
    same = np.full((50_000, 4), 12345, dtype=np.uint64)

    count, peak = peak_of(turned_among(same, 23, most=16, tuning=Tuning(block=4096)))

    assert count == sum(min(16, place) for place in range(50_000))
    assert peak < 100e6


@pytest.mark.parametrize("radius", [*range(12), 23, 31])
@pytest.mark.parametrize("words", [1, 2, 4])
@pytest.mark.parametrize("turning", [False, True])
def test_schemes_leave_no_gap(words: int, radius: int, turning: bool) -> None:
    """The chunks are apart from each other and narrow, and hashes more than each radius apart are apart by more in all."""
    for count in (1000, 10**5, 10**7):
        scheme = cheapest_scheme(count, count, words, radius, turning=turning)

        places = [(c.word, bit) for c in scheme for bit in range(c.shift, c.shift + c.width)]
        assert not scheme or sum(c.radius + 1 for c in scheme) > radius
        assert len(set(places)) == len(places)
        assert all(word < words and bit < 64 for word, bit in places)
        assert max((c.width for c in scheme), default=0) <= 24


def test_large_searches_are_not_done_by_comparing_everything() -> None:
    """At a million, tables are used for all searches of the tool, with chunks about as wide as a million is long."""
    for words, radius, turning in ((4, 23, True), (2, 11, False), (1, 3, False)):
        scheme = cheapest_scheme(10**6, 10**6, words, radius, turning=turning)

        assert {chunk.width for chunk in scheme} == {21, 22}


@pytest.mark.parametrize(
    ("hashes", "radius", "options"),
    [
        pytest.param(np.zeros((3, 3), np.uint64), 3, {}, id="three words"),
        pytest.param(np.zeros(3, np.uint64), 3, {}, id="one axis"),
        pytest.param(np.zeros((3, 1), np.int64), 3, {}, id="signed"),
        pytest.param(np.zeros((3, 1), np.uint64), -1, {}, id="negative radius"),
        pytest.param(np.zeros((3, 1), np.uint64), 65, {}, id="radius beyond the hash"),
        pytest.param(np.zeros((3, 1), np.uint64), 3, {"most": 0}, id="nothing to keep"),
        pytest.param(np.zeros((3, 1), np.uint64), 3, {"tuning": Tuning(block=0)}, id="empty block"),
        pytest.param(np.zeros((3, 1), np.uint64), 3, {"tuning": Tuning(block=1 << 21)}, id="block too large to pack"),
    ],
)
def test_what_cannot_be_searched_is_refused(hashes: Words, radius: int, options: dict[str, object]) -> None:
    """A ValueError, and no wrong pairs."""
    with pytest.raises(ValueError, match=r"hashes|radius|block"):
        list(pairs_among(hashes, radius, **options))


def test_turning_needs_four_words_and_a_join_equal_lengths() -> None:
    """Hashes that are not by parity cannot be turned, and those of other lengths not compared."""
    one, two = np.zeros((3, 1), np.uint64), np.zeros((3, 2), np.uint64)

    with pytest.raises(ValueError, match="hashes"):
        list(turned_among(two, 3))
    with pytest.raises(ValueError, match="length"):
        list(pairs_between(one, two, 3))
