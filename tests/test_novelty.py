"""What an arrival brought, by rules alone: contents, how they relate, and which were there before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.brought import Brought, Due, Known
from indexer.choose import Relation
from indexer.groups import Evidence, Judged, Kind, Linked, Verdict
from indexer.novelty import assessed, representatives
from indexer.relate import relations

Links = dict[frozenset[int], tuple[Kind, int]]
"""The kind and the distance of two contents that relate."""


def content(  # noqa: D103
    content_id: int, pixels: int = 100, *, before: bool = True, kept: bool = False, rejected: bool = False
) -> Known:
    return Known(content_id, bytes([content_id]), bytes([content_id]), pixels, before, kept, rejected)


def came(due: Sequence[Due], contents: Iterable[Known], links: Links) -> dict[str, tuple[Brought, int | None]]:
    """The outcome of each arrival, by path, and the content that it is known as."""
    names = {one.arrival_id: one.path for one in due}

    def related(own: Known) -> Iterator[Relation]:
        for ends, (kind, bits) in links.items():
            if own.content_id in ends:
                (other,) = ends - {own.content_id}
                yield Relation(other, kind, bits, Evidence.FILES)

    found = assessed(due, {one.content_id: one for one in contents}, related)
    return {names[one.arrival_id]: (one.outcome, one.known_id) for one in found}


def outcome(own: Known, *others: tuple[Known, Kind]) -> tuple[Brought, int | None]:
    """That of one arrival, of a content that relates to others."""
    links: Links = {frozenset((own.content_id, other.content_id)): (kind, 3) for other, kind in others}
    return came([Due(1, "a", own.content_id)], [own, *(other for other, _kind in others)], links)["a"]


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        pytest.param(content(9, before=False), [], (Brought.NEW, None), id="nothing relates to it"),
        pytest.param(content(9, kept=True), [], (Brought.BYTES, 9), id="a file holds it"),
        pytest.param(content(9), [], (Brought.SEEN, 9), id="it was known, and no file holds it"),
        pytest.param(content(9, rejected=True), [], (Brought.RETURNED, 9), id="it was rejected"),
        pytest.param(
            content(9, rejected=True, kept=True), [], (Brought.RETURNED, 9), id="rejected, and a file holds it"
        ),
        pytest.param(
            content(9, before=False),
            [(content(1, kept=True), Kind.SAME), (content(2, rejected=True), Kind.SAME)],
            (Brought.RETURNED, 2),
            id="the same as something rejected, and as a file",
        ),
        pytest.param(
            content(9, before=False),
            [(content(1, 50, kept=True, rejected=True), Kind.SAME), (content(2, rejected=True), Kind.SAME)],
            (Brought.RETURNED, 2),
            id="larger than something rejected, but not than something else",
        ),
        pytest.param(
            content(9, before=False), [(content(1, kept=True), Kind.SAME)], (Brought.SAME, 1), id="the same as a file"
        ),
        pytest.param(
            content(9, 101, before=False),
            [(content(1, kept=True), Kind.SAME), (content(2, 50, kept=True), Kind.SAME)],
            (Brought.BETTER, 1),
            id="larger than all files of it",
        ),
        pytest.param(
            content(9, 101, before=False),
            [(content(1, kept=True), Kind.SAME), (content(2, 101, kept=True), Kind.SAME)],
            (Brought.SAME, 2),
            id="larger than one file of it",
        ),
        pytest.param(
            content(9, 101, before=False),
            [(content(1, kept=True), Kind.SAME), (content(2, 500), Kind.SAME)],
            (Brought.BETTER, 1),
            id="larger than all files of it, but not than one that is gone",
        ),
        pytest.param(
            content(9), [(content(1, kept=True), Kind.SAME)], (Brought.SAME, 1), id="pruned, and its keeper is there"
        ),
        pytest.param(
            content(9, before=False), [(content(1), Kind.SAME)], (Brought.SEEN, 1), id="the same as a gone file"
        ),
        pytest.param(
            content(9, before=False),
            [(content(1, before=False), Kind.SAME)],
            (Brought.NEW, None),
            id="the same as what a gate admitted and nobody stored",
        ),
        pytest.param(
            content(9, before=False),
            [(content(1), Kind.SAME), (content(2, kept=True), Kind.FLIPPED)],
            (Brought.SEEN, 1),
            id="the same as a gone file, and the mirror image of one",
        ),
        pytest.param(
            content(9, before=False),
            [(content(1, kept=True), Kind.EDITED), (content(2, kept=True), Kind.ROTATED)],
            (Brought.ROTATED, 2),
            id="turned before edited",
        ),
        pytest.param(
            content(9, before=False),
            [(content(1, kept=True), Kind.FLIPPED), (content(2, kept=True), Kind.RECOLOURED)],
            (Brought.RECOLOURED, 2),
            id="recoloured before mirrored",
        ),
        pytest.param(
            content(9, before=False), [(content(1), Kind.EDITED)], (Brought.NEW, None), id="an edit of a gone file"
        ),
        pytest.param(
            content(9, before=False),
            [(content(1, rejected=True), Kind.EDITED)],
            (Brought.NEW, None),
            id="an edit of a reject",
        ),
    ],
)
def test_first_outcome_that_holds_counts(
    own: Known, others: list[tuple[Known, Kind]], expected: tuple[Brought, int | None]
) -> None:
    """What a single arrival brought, and as what it is known."""
    assert outcome(own, *others) == expected


def test_what_cannot_be_read_is_unreadable() -> None:
    """An arrival without a content that could be decoded."""
    assert came([Due(1, "a", None)], [], {}) == {"a": (Brought.UNREADABLE, None)}


def test_of_new_files_of_one_picture_the_largest_is_new() -> None:
    """Of equally large ones it is the first path; the others are known as it, byte copies too."""
    large, small, equal = content(5, 400, before=False), content(6, 100, before=False), content(4, 400, before=False)
    same: Links = {frozenset(ends): (Kind.SAME, 0) for ends in combinations((4, 5, 6), 2)}
    due = [Due(1, "a", 6), Due(2, "c", 4), Due(3, "b", 5), Due(4, "d", 5)]

    assert came(due, [large, small, equal], same) == {
        "b": (Brought.NEW, None),
        "c": (Brought.SAME, 5),
        "d": (Brought.BYTES, 5),
        "a": (Brought.SAME, 4),
    }


def test_what_a_picture_is_beside_what_was_there_counts_more_than_beside_what_came_with_it() -> None:
    """The mirror image of a file, and of the shapes of an arrival in other colours: it is mirrored."""
    before, grey, mirrored = content(1, kept=True), content(2, 100, before=False), content(3, 50, before=False)
    links: Links = {
        frozenset((1, 2)): (Kind.RECOLOURED, 0),
        frozenset((1, 3)): (Kind.FLIPPED, 9),
        frozenset((2, 3)): (Kind.RECOLOURED, 0),
    }

    assert came([Due(1, "a", 3), Due(2, "b", 2)], [before, grey, mirrored], links) == {
        "b": (Brought.RECOLOURED, 1),
        "a": (Brought.FLIPPED, 1),
    }


def test_copies_of_a_gone_picture_come_back_once() -> None:
    """The first is a picture that was seen, the other a copy of it."""
    assert came([Due(1, "b", 9), Due(2, "a", 9)], [content(9)], {}) == {
        "a": (Brought.SEEN, 9),
        "b": (Brought.BYTES, 9),
    }


def test_what_was_there_before_comes_before_what_came_with_it() -> None:
    """A picture that is the same as a file and as a larger arrival is known as the file, and no better than it all."""
    before, large, middle = content(1, 50, kept=True), content(2, 400, before=False), content(3, 100, before=False)
    same: Links = {frozenset(ends): (Kind.SAME, 0) for ends in combinations((1, 2, 3), 2)}

    assert came([Due(1, "a", 3), Due(2, "b", 2)], [before, large, middle], same) == {
        "b": (Brought.BETTER, 1),
        "a": (Brought.SAME, 1),
    }


def test_many_pictures_of_equal_pixels_are_not_paired() -> None:
    """Of 20,000 contents of one look, some arrivals, each is compared with as few as it takes."""
    contents = {
        number: Known(
            number, number.to_bytes(3), b"look", 100, before=number < 9_000, kept=number < 9_000, rejected=False
        )
        for number in range(1, 20_001)
    }
    due = [Due(number, f"{number:05}.jpg", number) for number in range(9_000, 20_001)]
    few = representatives(due, contents, [])

    outcomes = Counter(one.outcome for one in assessed(due, contents, relations(few, [], [])))

    assert len(few) == 2
    assert outcomes == {Brought.SAME: 11_001}


@given(st.data())
def test_representatives_stand_for_all(data: st.DataObject) -> None:
    """Every arrival has the outcome that it has beside all contents, whatever people told apart."""
    flags = data.draw(st.lists(st.tuples(st.sampled_from(b"ab"), *[st.booleans()] * 3), min_size=1, max_size=8))
    contents = {
        number: Known(number, bytes([number]), bytes([look]), look, before, kept, rejected)
        for number, (look, before, kept, rejected) in enumerate(flags)
    }
    pairs = data.draw(st.lists(st.sampled_from([*combinations(range(8), 2)]), max_size=3))
    judged = [
        Judged(pair, (contents[pair[0]].look, contents[pair[1]].look), Verdict.DIFFERENT)
        for pair in pairs
        if max(pair) in contents
    ]
    kind = data.draw(st.sampled_from((Kind.SAME, Kind.FLIPPED)))
    links = [Linked((b"a", b"b"), kind, 3, 1.0, Evidence.FILES)]
    held = data.draw(st.lists(st.sampled_from([*contents]), min_size=1, max_size=6))
    due = [Due(number, f"{number}.jpg", content_id) for number, content_id in enumerate(held)]

    def told(members: Iterable[Known]) -> dict[int, Brought]:
        found = assessed(due, contents, relations(members, links, judged))
        return {one.arrival_id: one.outcome for one in found}

    assert told(representatives(due, contents, judged)) == told(contents.values())


_FLAGS = st.tuples(st.sampled_from((100, 200)), st.booleans(), st.booleans(), st.booleans())
_KINDS = st.sampled_from((None, Kind.SAME, Kind.SAME, Kind.FLIPPED, Kind.EDITED))


@given(st.data())
def test_outcomes_do_not_depend_on_ids_or_order(data: st.DataObject) -> None:
    """Contents get other ids, arrivals come in another order: each path has the same outcome, known as the same content."""
    flags = data.draw(st.lists(_FLAGS, min_size=1, max_size=6))
    numbers = range(len(flags))
    kinds = {ends: data.draw(_KINDS) for ends in combinations(numbers, 2)}
    held = data.draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=6))
    shuffled, order = data.draw(st.permutations(numbers)), data.draw(st.permutations(range(len(held))))

    def told(ids: list[int], turn: list[int]) -> dict[str, tuple[Brought, bytes | None]]:
        contents = {
            ids[number]: Known(ids[number], bytes([number]), bytes([number]), pixels, before, kept, rejected)
            for number, (pixels, before, kept, rejected) in enumerate(flags)
        }
        links: Links = {frozenset((ids[a], ids[b])): (kind, 2) for (a, b), kind in kinds.items() if kind is not None}
        due = [Due(place, f"{number}.jpg", ids[held[number]]) for place, number in enumerate(turn)]
        found = came(due, contents.values(), links)
        return {path: (one, None if known is None else contents[known].digest) for path, (one, known) in found.items()}

    assert told([*numbers], [*range(len(held))]) == told(list(shuffled), list(order))
