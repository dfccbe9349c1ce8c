"""Which file of a group stays, which are surplus, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.choose import Relation, equal_hashes, stars
from indexer.groups import PRUNED, Evidence, Group, Kind, Member, Surplus
from indexer.plans import Pattern, Rules
from indexer.records import Stamp
from indexer.rules import in_keep_order, keep_reason

KEEPER = Member(
    file_id=1,
    content_id=1,
    root_id=1,
    root="/data",
    path="a.jpg",
    stamp=Stamp(size=1000, mtime_ns=50, ctime_ns=60, inode=11),
    digest=b"k" * 32,
    width=40,
    height=30,
    format="JPEG",
)
COPY = replace(KEEPER, file_id=2, path="b.jpg", stamp=Stamp(1000, 50, 70, 12))
SMALLER = replace(
    COPY, file_id=3, content_id=2, path="c.jpg", digest=b"s" * 32, width=20, height=15, stamp=Stamp(300, 20, 70, 13)
)
LINK = replace(KEEPER, file_id=4, path="d.jpg")
LINK_OF_COPY = replace(COPY, file_id=5, path="e.jpg")
OTHER_ROOT = replace(KEEPER, file_id=6, root_id=2, root="/more")
INODE_REUSED = replace(KEEPER, file_id=7, content_id=3, path="g.jpg", digest=b"r" * 32)


@pytest.mark.parametrize(
    ("members", "group"),
    [
        pytest.param(
            [KEEPER, COPY],
            Group(KEEPER, (Surplus(COPY, Kind.BYTES, 0),), (), "first path"),
            id="a copy",
        ),
        pytest.param(
            [KEEPER, SMALLER],
            Group(KEEPER, (Surplus(SMALLER, Kind.HASH, 0),), (), "most pixels"),
            id="other bytes, same hash",
        ),
        pytest.param(
            [KEEPER, COPY, SMALLER],
            Group(KEEPER, (Surplus(COPY, Kind.BYTES, 0), Surplus(SMALLER, Kind.HASH, 0)), (), "first path"),
            id="both, in the order given",
        ),
        pytest.param(
            [KEEPER, LINK, COPY],
            Group(KEEPER, (Surplus(COPY, Kind.BYTES, 0),), (LINK,), "first path"),
            id="a hard link of the keeper is no surplus",
        ),
        pytest.param(
            [KEEPER, LINK, SMALLER],
            Group(KEEPER, (Surplus(SMALLER, Kind.HASH, 0),), (LINK,), "most pixels"),
            id="the reason is against the first surplus, not a link",
        ),
        pytest.param(
            [KEEPER, COPY, LINK_OF_COPY],
            Group(
                KEEPER,
                (Surplus(COPY, Kind.BYTES, 0), Surplus(LINK_OF_COPY, Kind.BYTES, 0)),
                (),
                "first path",
            ),
            id="hard links of a copy are both surplus",
        ),
        pytest.param(
            [KEEPER, OTHER_ROOT],
            Group(KEEPER, (Surplus(OTHER_ROOT, Kind.BYTES, 0),), (), "first path"),
            id="same inode number in another root is another file",
        ),
        pytest.param(
            [KEEPER, INODE_REUSED],
            Group(KEEPER, (Surplus(INODE_REUSED, Kind.HASH, 0),), (), "first path"),
            id="same inode number with other bytes is no link",
        ),
        pytest.param([KEEPER, LINK], None, id="two names of one file"),
        pytest.param([KEEPER, LINK, replace(LINK, file_id=8, path="h.jpg")], None, id="three names of one file"),
    ],
)
def test_stars_of_equal_hashes(members: Sequence[Member], group: Group | None) -> None:
    """The best member stays; the others are surplus unless they are names of its own file."""
    assert equal_group(members) == group


def equal_group(members: Sequence[Member]) -> Group | None:
    """The one group of members that share a hash, if there is one."""
    return next(stars(members, equal_hashes(members), (Kind.BYTES, Kind.HASH)), None)


@given(
    st.lists(st.sampled_from((COPY, SMALLER, LINK, LINK_OF_COPY, OTHER_ROOT, INODE_REUSED)), min_size=1, unique=True)
)
def test_stars_of_equal_hashes_lose_no_member(others: list[Member]) -> None:
    """Every member is in exactly one place of the group, and there is a group whenever a byte could be freed."""
    group = equal_group([KEEPER, *others])

    if group is None:
        assert set(others) == {LINK}
    else:
        placed = [surplus.member for surplus in group.surplus] + list(group.links)
        assert sorted(placed, key=lambda member: member.file_id) == sorted(others, key=lambda member: member.file_id)
        assert group.keeper == KEEPER
        assert set(group.links) <= {LINK}


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        pytest.param({"width": 39}, "most pixels", id="fewer pixels"),
        pytest.param({"width": 39, "stamp": Stamp(2000, 1, 60, 12)}, "most pixels", id="pixels come before bytes"),
        pytest.param({"stamp": Stamp(999, 50, 60, 12)}, "most bytes", id="fewer bytes"),
        pytest.param({"stamp": Stamp(999, 1, 60, 12)}, "most bytes", id="bytes come before age"),
        pytest.param({"stamp": Stamp(1000, 51, 60, 12)}, "oldest", id="younger"),
        pytest.param({"path": "b.jpg"}, "first path", id="equal but for the path"),
        pytest.param({"width": 30, "height": 40, "path": "b.jpg"}, "first path", id="same number of pixels, turned"),
        pytest.param({"stamp": Stamp(1000, 50, 1, 12), "path": "b.jpg"}, "first path", id="ctime does not count"),
    ],
)
def test_keep_reason(second: dict[str, object], reason: str) -> None:
    """The reason is the first part of the keep rule in which the two differ."""
    assert keep_reason(KEEPER, replace(KEEPER, **second), Rules()) == reason  # type: ignore[arg-type]


# --- stars


def shown(content_id: int, pixels: int, path: str = "", *, inode: int = 0) -> Member:
    """A file of a content, with some pixels."""
    stamp = Stamp(1000, 50, 60, inode or content_id)
    digest = bytes([content_id]) * 32
    return replace(
        KEEPER,
        file_id=content_id,
        content_id=content_id,
        path=path or f"{content_id}.jpg",
        stamp=stamp,
        digest=digest,
        width=pixels,
        height=1,
    )


A, B, C, D = (shown(number, 100 - number) for number in (1, 2, 3, 4))
"""Four pictures; A has the most pixels."""


def found_stars(
    members: Iterable[Member],
    matches: dict[tuple[int, int], Kind],
    kinds: tuple[Kind, ...] = PRUNED,
    rules: Rules = Rules(),
) -> list[Group]:
    """The stars among members by matches of contents, each in 3 bits and seen in the files."""

    def related(member: Member) -> list[Relation]:
        ends = [
            (({*pair} - {member.content_id}).pop(), kind) for pair, kind in matches.items() if member.content_id in pair
        ]
        return [Relation(other, kind, 3, Evidence.FILES) for other, kind in ends]

    return list(stars(members, related, kinds, rules))


def same(member: Member, kind: Kind = Kind.SAME) -> Surplus:
    """Surplus by one of these matches."""
    return Surplus(member, kind, 3, Evidence.FILES)


COPY_OF_A = replace(A, file_id=11, path="copy.jpg", stamp=Stamp(1000, 50, 60, 11))
LINK_OF_A = replace(A, file_id=12, path="link.jpg")
COPY_OF_B = replace(B, file_id=13, path="b-copy.jpg", stamp=Stamp(1000, 50, 60, 13))


@pytest.mark.parametrize(
    ("members", "matches", "groups"),
    [
        pytest.param([A, B], {(1, 2): Kind.SAME}, [Group(A, (same(B),), (), "most pixels")], id="a match"),
        pytest.param([A, B], {}, [], id="no match"),
        pytest.param(
            [A, B, C],
            {(1, 2): Kind.SAME, (2, 3): Kind.SAME},
            [Group(A, (same(B),), (), "most pixels")],
            id="no chain: C matches B alone, and B is surplus",
        ),
        pytest.param(
            [A, B, C],
            {(1, 2): Kind.SAME, (2, 3): Kind.SAME, (1, 3): Kind.SAME},
            [Group(A, (same(B), same(C)), (), "most pixels")],
            id="C matches the keeper too",
        ),
        pytest.param(
            [A, B, C, D],
            {(1, 2): Kind.SAME, (2, 3): Kind.SAME, (3, 4): Kind.SAME},
            [Group(A, (same(B),), (), "most pixels"), Group(C, (same(D),), (), "most pixels")],
            id="what no better keeper takes may keep others",
        ),
        pytest.param(
            [A, B, C],
            {(1, 3): Kind.SAME, (2, 3): Kind.SAME},
            [Group(A, (same(C),), (), "most pixels")],
            id="the best keeper takes what two could",
        ),
        pytest.param([A, B], {(1, 2): Kind.EDITED}, [], id="a kind that is not wanted"),
        pytest.param(
            [A, B, C],
            {(1, 2): Kind.EDITED, (2, 3): Kind.SAME},
            [Group(B, (same(C),), (), "most pixels")],
            id="what is not wanted takes nothing away",
        ),
        pytest.param(
            [A, COPY_OF_A, B, COPY_OF_B],
            {(1, 2): Kind.SAME},
            [Group(A, (Surplus(COPY_OF_A, Kind.BYTES, 0), same(B), same(COPY_OF_B)), (), "first path")],
            id="copies of both, in the order of the keep rule",
        ),
        pytest.param(
            [A, LINK_OF_A, B],
            {(1, 2): Kind.SAME},
            [Group(A, (same(B),), (LINK_OF_A,), "most pixels")],
            id="another name of the keeper is no surplus",
        ),
        pytest.param([A, LINK_OF_A], {}, [], id="two names of one file"),
        pytest.param([A], {(1, 2): Kind.SAME}, [], id="a match without a file"),
    ],
)
def test_stars(members: list[Member], matches: dict[tuple[int, int], Kind], groups: list[Group]) -> None:
    """Each surplus file has a match of its own with the keeper; nothing follows from a match with another surplus file."""
    assert found_stars(members, matches) == groups


def test_stars_leave_copies_alone_when_only_another_kind_is_wanted() -> None:
    """Copies of the keeper are surplus by their bytes; copies of what matches it are surplus by the match."""
    members = [A, COPY_OF_A, B, COPY_OF_B]

    groups = found_stars(members, {(1, 2): Kind.EDITED}, kinds=(Kind.EDITED,))

    assert groups == [Group(A, (same(B, Kind.EDITED), same(COPY_OF_B, Kind.EDITED)), (), "most pixels")]


def test_keep_order_is_the_keep_rule() -> None:
    """Most pixels, most bytes, oldest, first path."""
    ordered = [
        replace(A, width=9, height=9, path="z.jpg", stamp=Stamp(1, 99, 60, 1)),
        replace(A, width=8, height=9, path="y.jpg", stamp=Stamp(5, 99, 60, 1)),
        replace(A, width=9, height=8, path="x.jpg", stamp=Stamp(4, 10, 60, 1)),
        replace(A, width=9, height=8, path="b.jpg", stamp=Stamp(4, 11, 60, 1)),
        replace(A, width=9, height=8, path="c.jpg", stamp=Stamp(4, 11, 1, 1)),
    ]

    shuffled = [ordered[place] for place in (3, 0, 4, 2, 1)]

    assert in_keep_order(shuffled, Rules()) == ordered


# --- stars with rules


def places(*folders: str) -> tuple[Pattern, ...]:
    """The rules for folders of the root that exist."""
    return tuple(Pattern(f"/data/{folder}", ("data", *folder.split("/")), literal=True) for folder in folders)


def copies(paths: str) -> list[Member]:
    """Files of equal bytes, none a link of another, with blanks between their paths."""
    return [
        replace(A, file_id=number, path=path, stamp=Stamp(1000, 50, 60, number))
        for number, path in enumerate(paths.split(), start=20)
    ]


def pairs(groups: Iterable[Group]) -> str:
    """The path of each surplus file with that of its keeper."""
    return " ".join(f"{one.member.path}>{group.keeper.path}" for group in groups for one in group.surplus)


IN_A, IN_AA, IN_B = places("a"), places("aa"), places("b")


@pytest.mark.parametrize(
    ("paths", "rules", "surplus"),
    [
        pytest.param("a/1 b/1", Rules(protect=IN_B), "a/1>b/1", id="a protected file is kept"),
        pytest.param("a/1 b/1 b/2", Rules(protect=IN_B), "a/1>b/1", id="two protected copies stay"),
        pytest.param("a/1 aa/1", Rules(protect=IN_AA + IN_A), "", id="all protected"),
        pytest.param("a/1 aa/1", Rules(protect=IN_A), "aa/1>a/1", id="/a does not protect /aa"),
        pytest.param("a/1 b/1", Rules(prefer=IN_A, protect=IN_B), "", id="protected beside what is preferred"),
        pytest.param("a/1 b/1", Rules(prefer=IN_B), "a/1>b/1", id="preferred"),
        pytest.param("a/1 aa/1 b/1", Rules(prefer=IN_B + IN_AA), "aa/1>b/1 a/1>b/1", id="preferred, in order"),
        pytest.param("a/1 aa/1", Rules(only_if_in=IN_AA), "a/1>aa/1", id="only-if-in: the keeper is in"),
        pytest.param("a/1 b/1", Rules(only_if_in=IN_AA), "", id="only-if-in: no member is in"),
        pytest.param("a/1 a/2", Rules(only_if_in=IN_A), "a/2>a/1", id="only-if-in: both are in"),
        pytest.param("a/1 b/1 b/2", Rules(only_if_in=IN_B), "b/2>b/1 a/1>b/1", id="only-if-in: inside and outside"),
        pytest.param("a/1 b/1", Rules(only_if_in=IN_B, protect=IN_A), "", id="only-if-in: protected outside"),
        pytest.param("a/1 a/2", Rules(only_if_in=IN_B, protect=places("a/1")), "", id="only-if-in: it keeps nothing"),
        pytest.param("a/1 b/1", Rules(within=IN_A + IN_B), "", id="within: copies in two folders"),
        pytest.param("a/1 a/2 b/1 b/2 c/1 c/2", Rules(within=IN_A + IN_B), "a/2>a/1 b/2>b/1", id="within: one in each"),
        pytest.param("a/1 aa/1", Rules(within=IN_A), "", id="within: /aa is not in /a"),
        pytest.param("a/1 b/1", Rules(across=IN_A + IN_B), "b/1>a/1", id="across: one in each"),
        pytest.param("a/1 a/2", Rules(across=IN_A + IN_B), "", id="across: copies in one folder"),
        pytest.param("a/1 a/2 b/1 c/1", Rules(across=IN_A + IN_B), "b/1>a/1", id="across: the keeper's folder is left"),
        pytest.param("a/1 aa/1 b/1", Rules(across=IN_A + IN_AA + IN_B), "aa/1>a/1 b/1>a/1", id="across: three folders"),
        pytest.param("a/1 b/1 b/2", Rules(across=IN_A + IN_B, prefer=IN_B), "a/1>b/1", id="across: prefer takes sides"),
    ],
)
def test_stars_of_copies_with_rules(paths: str, rules: Rules, surplus: str) -> None:
    """Rules say which of equal files may stay, go, or stand for one another (worked by hand)."""
    assert pairs(found_stars(copies(paths), {}, rules=rules)) == surplus


@pytest.mark.parametrize(
    ("rules", "surplus"),
    [
        pytest.param(Rules(), "b/small>a/large", id="no rule: the most pixels"),
        pytest.param(Rules(prefer=IN_B), "a/large>b/small", id="prefer beats more pixels"),
        pytest.param(Rules(protect=IN_B), "a/large>b/small", id="so does protect"),
        pytest.param(Rules(only_if_in=IN_B), "a/large>b/small", id="so does only-if-in"),
    ],
)
def test_stars_of_matches_with_rules(rules: Rules, surplus: str) -> None:
    """Places outrank what the pictures are, for matches as for copies."""
    members = [shown(1, 100, "a/large"), shown(2, 10, "b/small")]

    assert pairs(found_stars(members, {(1, 2): Kind.SAME}, rules=rules)) == surplus


def test_a_protected_file_of_a_lesser_rank_keeps_what_matches_it_alone() -> None:
    """A matches B and B matches C: B, protected, is not surplus of A, and stands for C."""
    members = [shown(1, 100, "a/1"), shown(2, 50, "b/2"), shown(3, 10, "c/3")]
    rules = Rules(prefer=IN_A, protect=IN_B)

    groups = found_stars(members, {(1, 2): Kind.SAME, (2, 3): Kind.SAME}, rules=rules)

    assert (pairs(groups), groups[0].reason) == ("c/3>b/2", "protected")


FOLDERS = ("a", "aa", "b", "a/b")
CHOSEN = st.lists(st.sampled_from(FOLDERS), max_size=3, unique=True).map(lambda folders: places(*folders))
ONE_RULE = CHOSEN | st.just(())
ANY_RULES = st.builds(Rules, prefer=ONE_RULE, protect=ONE_RULE, only_if_in=ONE_RULE, within=CHOSEN) | st.builds(
    Rules, prefer=ONE_RULE, protect=ONE_RULE, only_if_in=ONE_RULE, across=CHOSEN
)
ANY_MEMBERS = st.sets(st.tuples(st.integers(1, 4), st.sampled_from(FOLDERS), st.integers(1, 3)), max_size=9).map(
    lambda made: [
        replace(shown(content, 10 * content, f"{folder}/{content}-{name}", inode=number), file_id=number)
        for number, (content, folder, name) in enumerate(sorted(made), start=1)
    ]
)
ANY_PAIR = st.sampled_from([(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)])
ANY_MATCHES = st.dictionaries(ANY_PAIR, st.sampled_from((Kind.SAME, Kind.EDITED)))
ANY_KINDS = st.sampled_from((PRUNED, (Kind.SAME,), (Kind.EDITED,), (Kind.BYTES,)))


def lies_in(member: Member, folders: Iterable[Pattern]) -> list[int]:
    """Which of some folders a file lies in, by the text of its path."""
    return [number for number, one in enumerate(folders) if member.full_path.startswith(f"{one.text}/")]


def innermost(member: Member, among: tuple[Pattern, ...]) -> list[int]:
    """Of the places that a file lies in, the one that lies in all others."""
    return sorted(lies_in(member, among), key=lambda number: -len(among[number].parts))[:1]


@given(ANY_MEMBERS, ANY_MATCHES, ANY_KINDS, ANY_RULES, st.randoms(use_true_random=False))
def test_stars_hold_their_promises(
    members: list[Member], matches: dict[tuple[int, int], Kind], kinds: tuple[Kind, ...], rules: Rules, random: Random
) -> None:
    """No file in two places; each surplus file has a wanted relation with its keeper and may go in its favour."""
    ranks = {member.file_id: number for number, member in enumerate(in_keep_order(members, rules))}
    shuffled = random.sample(members, len(members))

    groups = found_stars(members, matches, kinds, rules)

    assert found_stars(shuffled, matches, kinds, rules) == groups
    placed = [file for group in groups for file in (group.keeper, *(one.member for one in group.surplus), *group.links)]
    assert len({file.file_id for file in placed}) == len(placed)
    for keeper, one in ((group.keeper, one) for group in groups for one in group.surplus):
        ends = sorted((keeper.content_id, one.member.content_id))
        assert one.kind == (Kind.BYTES if ends[0] == ends[1] else matches[ends[0], ends[1]])
        assert one.kind in kinds
        assert ranks[keeper.file_id] < ranks[one.member.file_id]
        assert not lies_in(one.member, rules.protect)
        assert not rules.only_if_in or lies_in(keeper, rules.only_if_in)
        areas = [innermost(file, rules.within or rules.across) for file in (keeper, one.member)]
        assert not rules.within or (areas[0] and areas[0] == areas[1])
        assert not rules.across or (all(areas) and areas[0] != areas[1])
