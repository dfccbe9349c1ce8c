"""What relates to a picture: the machine's matches, corrected by what people decided, and the groups that follow."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.choose import stars
from indexer.groups import PRUNED, VERIFIED, Evidence, Group, Judged, Kind, Linked, Member, Verdict
from indexer.plans import Rules
from indexer.records import Stamp
from indexer.relate import relations
from indexer.rules import in_keep_order

A, B, C, D = range(1, 5)
"""Contents; those with smaller numbers have more pixels, and each is the first of a look of its own."""
Pairs = set[tuple[int, int]]


def look(number: int) -> bytes:
    """A look's 16 bytes."""
    return bytes([number]) * 16


def member(content: int, of_look: int | None = None, *, copy: int = 0, inode: int | None = None) -> Member:
    """A file of a content, the given number of its copies."""
    number = 10 * content + copy
    return Member(
        file_id=number,
        content_id=content,
        root_id=1,
        root="/data",
        path=f"{number}.jpg",
        stamp=Stamp(1000, 50, 60, number if inode is None else inode),
        digest=bytes([content]) * 32,
        width=1000 - content,
        height=1,
        format="JPEG",
        look=look(content if of_look is None else of_look),
    )


def linked(
    a: int,
    b: int,
    kind: Kind = Kind.SAME,
    *,
    structure: float = 5.0,
    evidence: Evidence = Evidence.FILES,
    bits: int = 4,
) -> Linked:
    """A match of two looks."""
    return Linked((look(a), look(b)), kind, bits, structure, evidence)


def judged(a: int, b: int, verdict: Verdict, *, looks: tuple[int, int] | None = None) -> Judged:
    """A decision on two contents."""
    first, second = looks or (a, b)
    return Judged((a, b), (look(first), look(second)), verdict)


def grouped(
    members: Iterable[Member],
    links: Sequence[Linked],
    decisions: Sequence[Judged] = (),
    *,
    kinds: tuple[Kind, ...] = PRUNED,
    unconfirmed: bool = False,
) -> list[Group]:
    """The groups as `find` makes them, by the keeper's path."""
    ordered = list(members)
    related = relations(ordered, links, decisions, kinds=kinds, unconfirmed=unconfirmed)
    return sorted(stars(ordered, related, kinds), key=lambda group: group.keeper.full_path)


def pairs(groups: Iterable[Group]) -> Pairs:
    """Keeper and surplus of groups, by content."""
    return {(group.keeper.content_id, surplus.member.content_id) for group in groups for surplus in group.surplus}


# --- the machine's matches


def test_match_relates_both_ways_with_its_bits_and_evidence() -> None:
    """Whichever end is kept."""
    first, second = member(A), member(B)
    related = relations([first, second], [linked(A, B, Kind.FLIPPED, bits=7)], [])

    assert [(one.content_id, one.kind, one.bits, one.evidence) for one in related(first)] == [
        (B, Kind.FLIPPED, 7, Evidence.FILES)
    ]
    assert [(one.content_id, one.kind, one.bits, one.evidence) for one in related(second)] == [
        (A, Kind.FLIPPED, 7, Evidence.FILES)
    ]


def test_relations_come_nearest_first() -> None:
    """Those of equal bits by look, so that no order depends on that of the table."""
    members = [member(number) for number in (A, B, C, D)]
    links = [linked(A, D, bits=9), linked(A, C, bits=2), linked(B, A, bits=9)]

    related = relations(members, links, [])

    assert [(one.content_id, one.bits) for one in related(members[0])] == [(C, 2), (B, 9), (D, 9)]


def test_pictures_of_equal_pixels_are_the_same_without_a_match() -> None:
    """Twins share a look, and nothing had to be compared."""
    groups = grouped([member(A), member(B, A), member(C)], [])

    assert [(one.member.content_id, one.kind, one.bits, one.evidence) for one in groups[0].surplus] == [
        (B, Kind.SAME, 0, Evidence.PIXELS)
    ]
    assert pairs(groups) == {(A, B)}


def test_match_holds_for_every_content_of_the_two_looks() -> None:
    """Matching compares one content a look: what it finds is true of the twins."""
    members = [member(A), member(B), member(C, A), member(D, B)]

    assert pairs(grouped(members, [linked(A, B)])) == {(A, B), (A, C), (A, D)}


def test_match_holds_for_twins_of_pictures_whose_files_are_gone() -> None:
    """The contents that were compared need not be there any more."""
    members = [member(C, A), member(D, B)]

    assert pairs(grouped(members, [linked(A, B)])) == {(C, D)}


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        pytest.param((Kind.BYTES,), {(A, A)}, id="bytes"),
        pytest.param((Kind.SAME,), {(A, B), (A, C)}, id="same"),
        pytest.param(PRUNED, {(A, A), (A, B), (A, C)}, id="default"),
        pytest.param((Kind.EDITED,), {(A, D)}, id="edited"),
        pytest.param(VERIFIED, {(A, A), (A, B), (A, C), (A, D)}, id="all"),
        pytest.param((Kind.ROTATED,), set(), id="none of that kind"),
    ],
)
def test_groups_hold_wanted_kinds_alone(kinds: tuple[Kind, ...], found: Pairs) -> None:
    """A has a copy, a twin B, the same picture C and an edited copy D."""
    members = [member(A), member(A, copy=1), member(B, A), member(C), member(D)]
    links = [linked(A, C), linked(A, D, Kind.EDITED)]

    assert pairs(grouped(members, links, kinds=kinds)) == found


@pytest.mark.parametrize("looks", [(A, A), (A, B)], ids=["one look", "two looks that match"])
def test_thousands_of_twins_are_not_paired_when_nobody_asks_for_them(looks: tuple[int, int]) -> None:
    """Files of one picture, and a question about another kind: the answer does not grow with the square of their number."""
    members = [
        Member(
            number,
            number,
            1,
            "/data",
            f"{number}.png",
            Stamp(1, 1, 1, number),
            b"%032d" % number,
            9,
            9,
            "PNG",
            look(looks[number % 2]),
        )
        for number in range(5_000)
    ]
    started = time.monotonic()

    groups = grouped(members, [linked(A, B)], kinds=(Kind.BYTES, Kind.EDITED))

    assert groups == []
    assert time.monotonic() - started < 3


def test_hard_links_of_a_kept_file_are_no_surplus() -> None:
    """A second name of the keeper is listed beside it; a second name of a surplus file is surplus."""
    members = [member(A), member(A, copy=1, inode=10), member(B), member(B, copy=1, inode=20)]

    groups = grouped(members, [linked(A, B)])

    assert [link.path for link in groups[0].links] == ["11.jpg"]
    assert [surplus.member.path for surplus in groups[0].surplus] == ["20.jpg", "21.jpg"]


# --- what rests on thumbnails alone


@pytest.mark.parametrize("kind", [Kind.SAME, Kind.FLIPPED, Kind.ROTATED])
def test_unconfirmed_matches_of_whole_pictures_wait_until_they_are_asked_for(kind: Kind) -> None:
    """A file could not be read when they were compared, so they were not looked at closely."""
    members, links = [member(A), member(B)], [linked(A, B, kind, evidence=Evidence.THUMBNAIL)]

    assert grouped(members, links, kinds=VERIFIED) == []
    assert pairs(grouped(members, links, kinds=VERIFIED, unconfirmed=True)) == {(A, B)}


@pytest.mark.parametrize("kind", [Kind.EDITED, Kind.RECOLOURED])
def test_matches_that_are_never_looked_at_closely_need_no_confirmation(kind: Kind) -> None:
    """The thumbnails are all that edited and recoloured copies are judged by."""
    links = [linked(A, B, kind, evidence=Evidence.THUMBNAIL)]

    assert pairs(grouped([member(A), member(B)], links, kinds=VERIFIED)) == {(A, B)}


# --- judgements


def test_judged_same_joins_what_the_machine_did_not() -> None:
    """Without a match, with one of another kind, and with one that rests on thumbnails alone."""
    members = [member(A), member(B), member(C), member(D)]
    links = [linked(A, C, Kind.EDITED, bits=9), linked(A, D, evidence=Evidence.THUMBNAIL, bits=3)]
    decisions = [judged(A, other, Verdict.SAME) for other in (B, C, D)]

    groups = grouped(members, links, decisions)

    assert [(one.member.content_id, one.kind, one.bits, one.evidence) for one in groups[0].surplus] == [
        (B, Kind.SAME, 0, Evidence.PERSON),
        (C, Kind.SAME, 9, Evidence.PERSON),
        (D, Kind.SAME, 3, Evidence.PERSON),
    ]


def test_judged_same_makes_no_chain() -> None:
    """A person said nothing about A and C."""
    decisions = [judged(A, B, Verdict.SAME), judged(B, C, Verdict.SAME)]

    assert pairs(grouped([member(A), member(B), member(C)], [], decisions)) == {(A, B)}


@pytest.mark.parametrize("ends", [(A, B), (B, A)])
def test_judged_different_keeps_apart_what_the_machine_joined(ends: tuple[int, int]) -> None:
    """Whichever was named first, and for every kind."""
    members, links = [member(A), member(B), member(C)], [linked(A, B), linked(A, C)]

    assert pairs(grouped(members, links, [judged(*ends, Verdict.DIFFERENT)], kinds=VERIFIED)) == {(A, C)}


def test_judged_different_keeps_the_twins_of_both_apart() -> None:
    """Pictures of equal pixels are judged alike."""
    members = [member(C, A), member(D, B)]
    decision = judged(A, B, Verdict.DIFFERENT)

    assert grouped(members, [linked(A, B)], [decision]) == []


def test_judged_different_keeps_two_contents_of_one_look_apart_and_no_others() -> None:
    """The pixels say nothing then: the person's word is about these two."""
    members = [member(A), member(B, A), member(C, A)]
    decision = judged(A, B, Verdict.DIFFERENT, looks=(A, A))

    assert pairs(grouped(members, [], [decision])) == {(A, C)}


def test_judged_different_does_not_part_copies() -> None:
    """Equal bytes are equal whatever was decided about others."""
    members = [member(A), member(A, copy=1), member(B)]

    assert pairs(grouped(members, [linked(A, B)], [judged(A, B, Verdict.DIFFERENT)])) == {(A, A)}


@pytest.mark.parametrize(
    ("to_a", "to_b", "found"),
    [
        pytest.param(2.0, 8.0, {(A, C)}, id="a copy of A stays away from B"),
        pytest.param(8.0, 2.0, {(B, C)}, id="a copy of B stays away from A"),
        pytest.param(5.0, 5.0, set(), id="as near to both: away from both"),
    ],
)
def test_judged_different_follows_a_picture_that_is_saved_again(to_a: float, to_b: float, found: Pairs) -> None:
    """C is a later copy of A or of B that the machine takes for both."""
    members = [member(A), member(B), member(C)]
    links = [linked(A, B), linked(A, C, structure=to_a), linked(B, C, structure=to_b)]

    assert pairs(grouped(members, links, [judged(A, B, Verdict.DIFFERENT)])) == found


def test_judged_different_follows_when_the_judged_files_are_gone() -> None:
    """The path of A was saved again as C: the decision is on what it held before."""
    links = [linked(A, B), linked(A, C, structure=2.0), linked(B, C, structure=8.0)]

    assert grouped([member(B), member(C)], links, [judged(A, B, Verdict.DIFFERENT)]) == []


@pytest.mark.parametrize("seen_with_others", [True, False])
def test_judged_different_follows_when_both_pictures_are_saved_again(seen_with_others: bool) -> None:
    """C is a copy of A and D one of B: they are as different as A and B."""
    links = [linked(A, B), linked(A, C, structure=2.0), linked(B, D, structure=2.0), linked(C, D)]
    if seen_with_others:
        links += [linked(B, C, structure=8.0), linked(A, D, structure=8.0)]

    assert grouped([member(C), member(D)], links, [judged(A, B, Verdict.DIFFERENT)]) == []


def test_judged_different_does_not_follow_edited_copies() -> None:
    """C is an edited copy of A, not A saved again: what it has to do with B is the machine's matter."""
    members = [member(B), member(C)]
    links = [linked(A, C, Kind.EDITED, structure=2.0), linked(B, C, structure=8.0)]

    assert pairs(grouped(members, links, [judged(A, B, Verdict.DIFFERENT)])) == {(B, C)}


def test_judged_same_takes_the_place_of_the_machines_kind() -> None:
    """They are no edited copies of each other any more."""
    links, decisions = [linked(A, B, Kind.EDITED)], [judged(A, B, Verdict.SAME)]

    assert grouped([member(A), member(B)], links, decisions, kinds=(Kind.EDITED,)) == []


def test_judged_same_outranks_what_follows_from_another_judgement() -> None:
    """A person's word on these two is not overruled by a conclusion from their word on others."""
    links = [linked(A, B), linked(A, C, structure=2.0), linked(B, C, structure=8.0)]
    decisions = [judged(A, B, Verdict.DIFFERENT), judged(B, C, Verdict.SAME)]

    assert pairs(grouped([member(B), member(C)], links, decisions)) == {(B, C)}


# --- properties

CONTENTS = range(1, 9)
any_links = st.lists(
    st.builds(
        lambda ends, kind, structure, evidence, bits: linked(
            *sorted(ends), kind, structure=structure, evidence=evidence, bits=bits
        ),
        st.lists(st.integers(1, 5), min_size=2, max_size=2, unique=True),
        st.sampled_from([Kind.SAME, Kind.EDITED, Kind.FLIPPED]),
        st.sampled_from([1.0, 2.0, 3.0]),
        st.sampled_from([Evidence.FILES, Evidence.THUMBNAIL]),
        st.integers(0, 3),
    ),
    unique_by=lambda link: link.looks,
)
any_members = st.lists(st.tuples(st.sampled_from(CONTENTS), st.integers(0, 2)), unique=True, min_size=1).map(
    lambda files: [member(content, 1 + content % 5, copy=copy) for content, copy in files]
)
any_judgements = st.lists(
    st.builds(
        lambda ends, verdict: judged(*ends, verdict, looks=(1 + ends[0] % 5, 1 + ends[1] % 5)),
        st.lists(st.sampled_from(CONTENTS), min_size=2, max_size=2, unique=True).map(sorted),
        st.sampled_from(Verdict),
    ),
    unique_by=lambda one: one.contents,
    max_size=4,
)


@given(any_members, any_links, any_judgements, st.sampled_from([PRUNED, VERIFIED, (Kind.EDITED,)]), st.booleans())
def test_every_surplus_file_has_a_relation_of_its_own_with_its_keeper(
    members: list[Member], links: list[Linked], decisions: list[Judged], kinds: tuple[Kind, ...], unconfirmed: bool
) -> None:
    """Of a wanted kind; no file is in two places, no keeper is surplus, and the keeper is the better of the two."""
    groups = grouped(members, links, decisions, kinds=kinds, unconfirmed=unconfirmed)

    placed = [one for group in groups for one in (group.keeper, *group.links, *(s.member for s in group.surplus))]
    assert len({one.file_id for one in placed}) == len(placed)
    known = {frozenset(link.looks): link for link in links}
    decided = {frozenset(one.contents): one.verdict for one in decisions}
    said_same = {frozenset(one.looks) for one in decisions if one.verdict is Verdict.SAME}
    for group in groups:
        for surplus in group.surplus:
            assert surplus.kind in kinds
            assert in_keep_order([surplus.member, group.keeper], Rules())[0] == group.keeper
            if surplus.kind is Kind.BYTES:
                assert surplus.member.digest == group.keeper.digest
                continue
            looks = frozenset((group.keeper.look, surplus.member.look))
            contents = frozenset((group.keeper.content_id, surplus.member.content_id))
            if surplus.evidence is Evidence.PERSON:
                assert looks in said_same
                continue
            assert decided.get(contents) is not Verdict.DIFFERENT
            if len(looks) == 1:
                assert (surplus.kind, surplus.bits, surplus.evidence) == (Kind.SAME, 0, Evidence.PIXELS)
                continue
            link = known[looks]
            assert (surplus.kind, surplus.bits, surplus.evidence) == (link.kind, link.bits, link.evidence)
            assert unconfirmed or link.kind is Kind.EDITED or link.evidence is Evidence.FILES


@given(any_members, any_links, any_judgements, st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_any_order(
    members: list[Member], links: list[Linked], decisions: list[Judged], shuffled: random.Random
) -> None:
    """Of files, of matches and their ends, and of decisions and theirs."""
    groups = grouped(members, links, decisions, kinds=VERIFIED)

    turned = [
        Linked((link.looks[1], link.looks[0]), link.kind, link.bits, link.structure, link.evidence) for link in links
    ]
    swapped = [
        Judged((one.contents[1], one.contents[0]), (one.looks[1], one.looks[0]), one.verdict) for one in decisions
    ]
    for values in (members, turned, swapped):
        shuffled.shuffle(values)
    assert grouped(members, turned, swapped, kinds=VERIFIED) == groups


@given(any_members, any_links)
def test_nothing_that_matches_a_keeper_is_left_over(members: list[Member], links: list[Linked]) -> None:
    """Two files that stay never match each other: one of them would have been surplus."""
    groups = grouped(members, links, kinds=VERIFIED, unconfirmed=True)

    moved = {surplus.member.file_id for group in groups for surplus in group.surplus}
    stays = [one for one in members if one.file_id not in moved]
    matched = {frozenset(link.looks) for link in links}
    assert not [
        (one.path, other.path)
        for one, other in combinations(stays, 2)
        if one.look == other.look or frozenset((one.look, other.look)) in matched
    ]
