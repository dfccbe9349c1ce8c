"""Which pairs the hashes propose, how they may lie on each other, and in which slices they are looked at."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer import candidates as search
from indexer.candidates import SEARCHES, Candidates, Hashes, candidates, hashes_of, nearest
from indexer.drawing import drawn
from indexer.fingerprint import fingerprint, reduction
from indexer.hamming import oriented as oriented_hashes
from indexer.hints import CROP_OF_LEFT, CROP_OF_RIGHT, INNER, TURNS
from indexer.records import Fingerprint
from indexer.thresholds import (
    INNER_RADIUS,
    LOW_BITS,
    LOW_RADIUS,
    RADIUS,
    STRIP_BITS,
    STRIP_RADIUS,
    STRIP_SHARED,
    STRIP_WHOLE,
)
from indexer.verify import oriented
from indexer.views import CROP_WORDS, CROPS, INNER_WORDS, LOW_WORDS, SIGN_WORDS, STRIP_WORDS, WORDS

Pair = tuple[int, int]


def seen(picture: Image.Image) -> Fingerprint:
    """The fingerprint of a picture."""
    small = picture.reduce(reduction(*picture.size))
    return fingerprint(np.asarray(small), width=picture.width, height=picture.height, format="PNG", mode="RGB")


def of_pictures(*pictures: Image.Image, due: list[bool] | None = None) -> Hashes:
    """The hashes of pictures, with ids from 1."""
    found = [seen(picture) for picture in pictures]
    joined = (b"".join(one.phash for one in found), b"".join(one.views for one in found))
    return hashes_of(list(range(1, len(found) + 1)), due or [True] * len(found), *joined)


def proposed(found: Candidates) -> dict[Pair, int]:
    """The hints of each pair; no pair stands there twice."""
    pairs = list(zip(found.left.tolist(), found.right.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    return dict(zip(pairs, found.hints.tolist(), strict=True))


def bits_of(hints: int) -> set[int]:
    """The numbers of the bits that are set."""
    return {bit for bit in range(64) if hints >> bit & 1}


# --- pictures


@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.parametrize(
    "due", [[True, True], [False, True], [True, False]], ids=["both new", "second new", "first new"]
)
def test_hint_turns_the_picture_with_the_smaller_id_onto_the_other(turn: int, due: list[bool]) -> None:
    """A quarter turn is undone by the opposite one, whichever of the two pictures was searched for."""
    first = drawn(23)
    second = oriented(first, turn)
    back = next(way for way in range(TURNS) if oriented(second, way).tobytes() == first.tobytes())

    there = proposed(candidates(of_pictures(first, second, due=due), 1))
    and_back = proposed(candidates(of_pictures(second, first, due=due), 1))

    assert bits_of(there[1, 2]) & set(range(TURNS)) == {turn}
    assert bits_of(and_back[1, 2]) & set(range(TURNS)) == {back}


@pytest.mark.parametrize("crop", range(len(CROPS)))
@pytest.mark.parametrize(
    "due", [[True, True], [False, True], [True, False]], ids=["both new", "second new", "first new"]
)
def test_hint_says_which_of_the_two_was_cropped(crop: int, due: list[bool]) -> None:
    """The bit is that of the crop which shows what the other picture shows, on the side where it is taken."""
    whole = drawn(20).resize((400, 400))
    left, top, right, bottom = (round(400 * share) for share in CROPS[crop])
    part = whole.crop((left, top, right, bottom))

    cut_second = proposed(candidates(of_pictures(whole, part, due=due), 1))
    cut_first = proposed(candidates(of_pictures(part, whole, due=due), 1))

    assert CROP_OF_LEFT + crop in bits_of(cut_second[1, 2])
    assert CROP_OF_RIGHT + crop not in bits_of(cut_second[1, 2])
    assert CROP_OF_RIGHT + crop in bits_of(cut_first[1, 2])
    assert CROP_OF_LEFT + crop not in bits_of(cut_first[1, 2])


@pytest.mark.parametrize("framed", [(True, False), (False, True), (True, True)], ids=["first", "second", "both"])
@pytest.mark.parametrize(
    "due", [[True, True], [False, True], [True, False]], ids=["both new", "second new", "first new"]
)
def test_hint_says_that_a_border_may_enclose_the_other_picture(framed: tuple[bool, bool], due: list[bool]) -> None:
    """Whichever picture has it, or both have one of another width."""
    pictures = []
    for number, has_frame in enumerate(framed):
        picture = Image.new("RGB", (300 + 40 * number, 300 + 40 * number), (250, 250, 250))
        inside = drawn(20).resize((240, 240))
        picture.paste(inside, ((picture.width - 240) // 2, (picture.height - 240) // 2))
        pictures.append(picture if has_frame else inside)

    found = proposed(candidates(of_pictures(*pictures, due=due), 1))

    assert INNER in bits_of(found[1, 2])


# --- brute force


def flipped(random: np.random.Generator, words: np.ndarray, count: int) -> np.ndarray:
    """Words with some bits flipped, each once."""
    changed = words.copy()
    for bit in random.choice(64 * len(words), count, replace=False):
        changed[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return changed


def related(random: np.random.Generator, first: Hashes, one: int, other: int) -> None:
    """Makes one of some hashes like another in one way, a little within or a little beyond the radius."""
    whole, views = first.whole, first.views
    match int(random.integers(6)):
        case 0:
            whole[one] = flipped(random, whole[other], int(random.integers(RADIUS - 3, RADIUS + 3)))
        case 1:
            turned = oriented_hashes(views[[other], SIGN_WORDS], int(random.integers(TURNS)))[0]
            views[one, SIGN_WORDS] = flipped(random, turned, int(random.integers(RADIUS - 3, RADIUS + 3)))
        case 2:
            word = int(random.choice(STRIP_WORDS))
            whole[one] = flipped(random, whole[other], int(random.integers(STRIP_WHOLE - 3, STRIP_WHOLE + 3)))
            views[one, [word]] = flipped(random, views[other, [word]], int(random.integers(STRIP_RADIUS + 2)))
        case 3:
            crop = CROP_WORDS[int(random.integers(len(CROPS)))]
            views[one, LOW_WORDS] = flipped(
                random, views[other, crop], int(random.integers(LOW_RADIUS - 2, LOW_RADIUS + 2))
            )
        case 4:
            words = (INNER_WORDS, LOW_WORDS)[int(random.integers(2))]
            count = int(random.integers(INNER_RADIUS - 2, INNER_RADIUS + 2))
            views[one, words] = flipped(random, views[other, INNER_WORDS], count)
        case _:  # with few bits, which say little
            words = (INNER_WORDS, LOW_WORDS, STRIP_WORDS[:1], STRIP_WORDS[1:2])[int(random.integers(4))]
            few = int(random.integers(5, 18))
            views[[one, other], words] = flipped(random, np.zeros_like(views[one, words]), few)


def random_hashes(seed: int, count: int = 60) -> Hashes:
    """Hashes of which many are alike in one way or another, with ids in no order."""
    random = np.random.default_rng(seed)
    made = Hashes(
        ids=random.choice(np.arange(1, 1000), count, replace=False).astype(np.int64),
        due=random.random(count) < random.choice((0.1, 0.5, 1.0)),
        whole=random.integers(0, 1 << 64, (count, 4), dtype=np.uint64),
        views=random.integers(0, 1 << 64, (count, WORDS), dtype=np.uint64),
    )
    for one, other in random.integers(0, count, (count, 2)):
        if one != other:
            related(random, made, one, other)
    return made


def apart(left: np.ndarray, right: np.ndarray) -> int:
    """Bits by which words differ."""
    return sum((int(a) ^ int(b)).bit_count() for a, b in zip(left, right, strict=True))


def rich(words: np.ndarray, least: int) -> bool:
    """True when words have enough bits to tell anything."""
    return sum(int(word).bit_count() for word in words) >= least


def expected(hashes: Hashes) -> dict[Pair, tuple[set[int], set[int]]]:
    """For each pair with a due end: the hints that it has beside its turn, and the turns of which it has one, or none."""
    found = {}
    rows = sorted(range(len(hashes.ids)), key=lambda row: hashes.ids[row])
    for left, right in combinations(rows, 2):
        if not (hashes.due[left] or hashes.due[right]):
            continue
        bits, turns = hints_beside_turns(hashes, left, right), turns_of(hashes, left, right)
        if bits or turns:
            found[int(hashes.ids[left]), int(hashes.ids[right])] = (bits, turns)
    return found


def turns_of(hashes: Hashes, left: int, right: int) -> set[int]:
    """The turns of the left picture that bring it nearest to the right one, when that is near enough."""
    signs = hashes.views[:, SIGN_WORDS]
    distances = [apart(oriented_hashes(signs[[left]], turn)[0], signs[right]) for turn in range(TURNS)]
    return {turn for turn in range(TURNS) if distances[turn] == min(distances) <= RADIUS}


def hints_beside_turns(hashes: Hashes, left: int, right: int) -> set[int]:
    """The other hints of a pair; that of whole pictures as they are is 0."""
    of_left, of_right = hashes.views[left], hashes.views[right]
    wholes = apart(hashes.whole[left], hashes.whole[right])
    strips = wholes <= STRIP_WHOLE and any(
        close(of_left[[word]], of_right[[word]], STRIP_BITS, STRIP_RADIUS) for word in STRIP_WORDS
    )
    bits = {0} if wholes <= RADIUS or strips else set()
    for cut, whole, start in ((of_left, of_right, CROP_OF_LEFT), (of_right, of_left, CROP_OF_RIGHT)):
        crops = (close(cut[words], whole[LOW_WORDS], LOW_BITS, LOW_RADIUS) for words in CROP_WORDS)
        bits |= {start + index for index, is_close in enumerate(crops) if is_close}
        if any(close(cut[INNER_WORDS], whole[words], LOW_BITS, INNER_RADIUS) for words in (LOW_WORDS, INNER_WORDS)):
            bits.add(INNER)
    return bits


def close(first: np.ndarray, second: np.ndarray, least: int, radius: int) -> bool:
    """True for words within a radius that have enough bits to tell anything."""
    return rich(first, least) and rich(second, least) and apart(first, second) <= radius


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_candidates_are_those_of_brute_force(seed: int, threads: int) -> None:
    """Every source finds all that lies within its radius and nothing else; pairs of old contents are never proposed."""
    hashes = random_hashes(seed)
    wanted = expected(hashes)

    found = proposed(candidates(hashes, threads))

    assert set(found) == set(wanted)
    for pair, hints in found.items():
        bits, turns = wanted[pair]
        turned = bits_of(hints) & set(range(TURNS))
        assert bits_of(hints) - set(range(TURNS)) == bits - {0}
        assert turned - {0} <= turns
        assert len(turned - bits) == (1 if turns - bits else 0)


def test_every_source_takes_part_in_the_comparison_with_brute_force() -> None:
    """The random hashes have pairs of each kind, within the radius and just beyond it."""
    kinds: defaultdict[str, int] = defaultdict(int)
    for seed in range(6):
        for bits, turns in expected(random_hashes(seed)).values():
            kinds["whole"] += 0 in bits
            kinds["turned"] += bool(turns - {0})
            kinds["left"] += any(CROP_OF_LEFT <= bit < CROP_OF_RIGHT for bit in bits)
            kinds["right"] += any(CROP_OF_RIGHT <= bit < INNER for bit in bits)
            kinds["inner"] += INNER in bits

    assert min(kinds[kind] for kind in ("whole", "turned", "left", "right", "inner")) >= 5


def test_candidates_are_none_when_nothing_is_due_or_there() -> None:
    """Old contents were compared long ago, and each search reports that it is done."""
    hashes = random_hashes(1)
    old = Hashes(hashes.ids, np.zeros_like(hashes.due), hashes.whole, hashes.views)
    ticks: list[int] = []

    nothing_due = candidates(old, 1, lambda: ticks.append(1))
    nothing_there = candidates(hashes_of([], [], b"", b""), 1)

    assert (proposed(nothing_due), proposed(nothing_there), len(ticks)) == ({}, {}, SEARCHES)


def test_candidates_pair_no_picture_with_itself() -> None:
    """A smooth one is much like its own crops, and like what a border encloses in it."""
    random = np.random.default_rng(9)
    views = np.repeat(random.integers(0, 1 << 64, (2, 1), dtype=np.uint64), WORDS, axis=1)
    whole = random.integers(0, 1 << 64, (2, 4), dtype=np.uint64)

    found = candidates(Hashes(np.array([1, 2]), np.array([True, False]), whole, views), 1)

    assert proposed(found) == {}


@pytest.mark.parametrize(
    ("sharing", "pairs"), [(STRIP_SHARED, STRIP_SHARED * (STRIP_SHARED - 1) // 2), (STRIP_SHARED + 1, 0)]
)
def test_strips_that_many_pictures_share_propose_nothing(sharing: int, pairs: int) -> None:
    """They are a frame or a ground; as few as the limit says are looked at, pair by pair."""
    random = np.random.default_rng(7)
    base = random.integers(0, 1 << 64, 4, dtype=np.uint64)
    views = random.integers(0, 1 << 64, (sharing, WORDS), dtype=np.uint64)
    views[:, STRIP_WORDS[2]] = views[0, STRIP_WORDS[2]]
    whole = np.stack([flipped(random, base, 40) for _ in range(sharing)])
    ids = np.arange(1, sharing + 1)

    found = candidates(Hashes(ids, np.ones(sharing, np.bool_), whole, views), 1)

    assert len(proposed(found)) == pairs


def test_strips_with_few_frequencies_propose_nothing() -> None:
    """A strip that shows next to nothing looks like thousands of others."""
    random = np.random.default_rng(8)
    for bits, pairs in ((STRIP_BITS, {(1, 2): 1}), (STRIP_BITS - 1, {})):
        views = random.integers(0, 1 << 64, (2, WORDS), dtype=np.uint64)
        views[:, STRIP_WORDS[0]] = (1 << bits) - 1
        base = random.integers(0, 1 << 64, 4, dtype=np.uint64)
        whole = np.stack([base, flipped(random, base, 60)])

        found = candidates(Hashes(np.array([1, 2]), np.ones(2, np.bool_), whole, views), 1)

        assert proposed(found) == pairs


# --- slices


@given(
    st.sets(st.tuples(st.integers(1, 30), st.integers(1, 30)).filter(lambda pair: pair[0] < pair[1]), max_size=60),
    st.sets(st.integers(1, 30)),
    st.integers(1, 20),
)
def test_slices_hold_every_pair_once_and_settle_nothing_too_early(pairs: set[Pair], due: set[int], size: int) -> None:
    """Whenever a run stops, each pair was looked at or has an end that is due still; in the end, none is due."""
    ids = np.arange(30, 0, -1)
    nothing = np.empty((30, 0), np.uint64)
    hashes = Hashes(ids, np.isin(ids, list(due)), nothing, nothing)
    ordered = sorted(pair for pair in pairs if due & {*pair})
    columns = np.array(ordered, np.int64).reshape(-1, 2)
    given_pairs = Candidates(columns[:, 0], columns[:, 1], np.arange(len(ordered)) + 100)

    looked_at: list[Pair] = []
    settled: list[int] = []
    for part, ended in given_pairs.slices(hashes, size):
        looked_at += zip(part.left.tolist(), part.right.tolist(), strict=True)
        settled += ended
        assert [ordered[hint - 100] for hint in part.hints.tolist()] == looked_at[len(looked_at) - len(part.left) :]
        left = set(ordered) - set(looked_at)
        assert all({*pair} & due - set(settled) for pair in left)

    assert sorted(looked_at) == ordered
    assert sorted(settled) == sorted(due)


def test_slices_are_of_the_size_that_is_asked_for() -> None:
    """A slice ends with the first content whose pairs fill it: what a killed run loses is bounded."""
    pairs = [(left, right) for right in range(2, 102) for left in range(1, right)]
    columns = np.array(pairs, np.int64)
    ids, nothing = np.arange(1, 102), np.empty((101, 0), np.uint64)
    hashes = Hashes(ids, np.ones(101, np.bool_), nothing, nothing)

    sizes = [len(part.left) for part, _ in Candidates(*columns.T, columns[:, 0]).slices(hashes, 200)]

    assert sum(sizes) == len(pairs)
    assert all(200 <= size < 300 for size in sizes[:-2])


def test_slices_settle_new_contents_one_after_another() -> None:
    """Where thousands of old ones are compared with each, a killed run keeps what it has done."""
    pairs = [(old, new) for new in range(11, 21) for old in range(1, 11)]
    columns = np.array(pairs, np.int64)
    ids, nothing = np.arange(1, 21), np.empty((20, 0), np.uint64)
    hashes = Hashes(ids, ids > 10, nothing, nothing)

    slices = Candidates(columns[:, 0], columns[:, 1], columns[:, 0]).slices(hashes, 10)

    assert [settled for _part, settled in slices] == [*([new] for new in range(11, 21)), []]


# --- similar


def test_nearest_ranks_by_the_least_distance_in_any_orientation() -> None:
    """As brute force does: of the hash as it is and of the signs in eight orientations; then by id."""
    hashes = random_hashes(3)
    query, known = 5, hashes.views[:, SIGN_WORDS]
    distances = []
    for row, content_id in enumerate(hashes.ids.tolist()):
        turned = (apart(oriented_hashes(known[[query]], turn)[0], known[row]) for turn in range(TURNS))
        distances.append((min(apart(hashes.whole[query], hashes.whole[row]), *turned), content_id))

    found = nearest(hashes, hashes.whole[query].tobytes(), hashes.views[query].tobytes(), 20)

    assert found == [(content_id, bits) for bits, content_id in sorted(distances)[:20]]
    assert found[0] == (hashes.ids[query], 0)


def test_nearest_finds_a_turned_picture() -> None:
    """Of drawn pictures, the one that was turned comes first."""
    pictures = [drawn(number) for number in range(6)]
    hashes = of_pictures(*pictures)
    turned = seen(pictures[3].transpose(Image.Transpose.ROTATE_90))

    found = nearest(hashes, turned.phash, turned.views, 10)

    assert found[0][0] == 4
    assert found[0][1] <= 8
    assert found[1][1] > 60
    assert len(found) == 6


def test_distance_is_of_the_wholes_as_they_are_and_of_the_signs_when_turned() -> None:
    """What is stored with a match: worked out from the two pictures' own hashes."""
    first = drawn(23)
    second = oriented(first, 5)
    hashes = of_pictures(first, second, first)

    assert hashes.distance(1, 3, 0) == 0
    assert hashes.distance(1, 2, 5) <= 8
    assert hashes.distance(1, 2, 0) > 60


def test_sources_are_five() -> None:
    """Each of them is tested here: a new one needs its own brute force."""
    assert [source.__name__ for source in search._SEARCHES] == ["_whole", "_turned", "_strips", "_crops", "_inner"]
