"""The keep order and its words, and who may be keeper, surplus, or a pair; what is expected is worked by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import UsageError
from indexer.groups import Member
from indexer.plans import KEEP, KeepKey, KeepTerm, Pattern, Rules
from indexer.records import Stamp
from indexer.rules import (
    FORMATS,
    area,
    areas_of_surplus,
    in_keep_order,
    is_protected,
    keep_reason,
    keep_terms,
    may_keep,
)

FIRST = Member(
    file_id=1,
    content_id=1,
    root_id=1,
    root="/data",
    path="a/1.jpg",
    stamp=Stamp(size=1000, mtime_ns=50, ctime_ns=60, inode=11),
    digest=b"1" * 32,
    width=40,
    height=30,
    format="JPEG",
)
LATER = replace(FIRST, file_id=2, path="b/1.jpg")


def place(path: str) -> Pattern:
    """The rule for a folder or file that exists."""
    return Pattern(path, tuple(filter(None, path.split("/"))), literal=True)


def at(path: str, **changes: object) -> Member:
    """A member at a path of the root."""
    return replace(FIRST, path=path, **changes)  # type: ignore[arg-type]


# --- the words of the keep order


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        pytest.param(["pixels"], (KeepTerm(KeepKey.PIXELS),), id="one"),
        pytest.param(["-bytes"], (KeepTerm(KeepKey.BYTES, inverted=True),), id="inverted"),
        pytest.param(
            ["format", "-oldest", "path"],
            (KeepTerm(KeepKey.FORMAT), KeepTerm(KeepKey.OLDEST, inverted=True), KeepTerm(KeepKey.PATH)),
            id="in the order given",
        ),
        pytest.param([" pixels ", "", "newest"], (KeepTerm(KeepKey.PIXELS), KeepTerm(KeepKey.NEWEST)), id="blanks"),
        pytest.param(["oldest", "-newest"], (KeepTerm(KeepKey.OLDEST), KeepTerm(KeepKey.NEWEST, True)), id="two keys"),
    ],
)
def test_keep_terms(words: Iterable[str], terms: tuple[KeepTerm, ...]) -> None:
    """Words name keys of the keep order, and a dash inverts one."""
    assert keep_terms(words) == terms


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["size"], "unknown keep rule 'size'", id="unknown"),
        pytest.param(["pixels", "-size", "age"], "unknown keep rule 'size', 'age'", id="two unknown ones"),
        pytest.param(["--pixels"], "unknown keep rule '-pixels'", id="two dashes"),
        pytest.param(["Pixels"], "unknown keep rule 'Pixels'", id="upper case"),
        pytest.param(["pixels", "bytes", "pixels"], "a keep rule comes twice: pixels,bytes,pixels", id="twice"),
        pytest.param(["pixels", "-pixels"], "a keep rule comes twice: pixels,-pixels", id="twice, once inverted"),
        pytest.param([], "unknown keep rule ''", id="none"),
        pytest.param([" ", ""], "unknown keep rule ''", id="blanks alone"),
    ],
)
def test_keep_terms_refuses(words: Iterable[str], message: str) -> None:
    """A keep order that cannot be meant is an error that names the words, and the ones there are."""
    with pytest.raises(UsageError) as caught:
        keep_terms(words)

    assert str(caught.value) == message
    assert caught.value.hint == "use some of pixels,bytes,format,oldest,newest,path; a dash before one inverts it"


# --- the keep order


@pytest.mark.parametrize(
    ("key", "kept", "other", "words", "inverse"),
    [
        pytest.param("pixels", {"width": 41}, {}, "most pixels", "fewest pixels", id="pixels"),
        pytest.param("bytes", {"stamp": Stamp(1001, 50, 60, 11)}, {}, "most bytes", "fewest bytes", id="bytes"),
        pytest.param("format", {"format": "PNG"}, {}, "better format", "lesser format", id="format"),
        pytest.param("oldest", {"stamp": Stamp(1000, 49, 60, 11)}, {}, "oldest", "newest", id="oldest"),
        pytest.param("newest", {"stamp": Stamp(1000, 51, 60, 11)}, {}, "newest", "oldest", id="newest"),
        pytest.param("path", {"path": "a/1.jpg"}, {"path": "a/2.jpg"}, "first path", "last path", id="path"),
    ],
)
def test_each_key_decides_and_its_inverse_the_other_way(
    key: str, kept: dict[str, object], other: dict[str, object], words: str, inverse: str
) -> None:
    """A key puts one of two files first and says why; inverted, it puts the other one first."""
    best, second = replace(LATER, **kept), replace(LATER, file_id=3, **other)  # type: ignore[arg-type]
    plain, inverted = Rules(keep=keep_terms([key])), Rules(keep=keep_terms([f"-{key}"]))

    orders = in_keep_order([second, best], plain), in_keep_order([best, second], inverted)
    reasons = keep_reason(best, second, plain), keep_reason(second, best, inverted)

    assert orders == ([best, second], [second, best])
    assert reasons == (words, inverse)


@pytest.mark.parametrize("key", list(KeepKey))
@pytest.mark.parametrize("dash", ["", pytest.param("-", id="inverted")])
def test_ties_are_broken_by_the_path(key: KeepKey, dash: str) -> None:
    """Files in which every chosen key is equal are ordered by their path: first path first, whatever is inverted."""
    rules = Rules(keep=keep_terms([f"{dash}{key}"]))
    by_path = [at("a/1.jpg"), at("a/2.jpg", file_id=2), at("b/1.jpg", file_id=3)]
    expected = by_path[::-1] if (key, dash) == (KeepKey.PATH, "-") else by_path

    ordered = in_keep_order([by_path[1], by_path[2], by_path[0]], rules)

    assert ordered == expected


def test_paths_of_two_roots_are_compared_whole() -> None:
    """The root counts: what lies in `/data` comes before what lies in `/more`."""
    elsewhere = at("a/0.jpg", file_id=2, root_id=2, root="/more")

    ordered = in_keep_order([elsewhere, FIRST], Rules())

    assert ordered == [FIRST, elsewhere]


def test_two_names_of_one_place_have_no_reason() -> None:
    """Where no key differs, nothing chose the one or the other."""
    assert keep_reason(FIRST, FIRST, Rules()) == "the same file"


def test_formats_are_ordered_by_what_they_lose() -> None:
    """Without loss first, then by how widely a format is read, GIF last of the known, unknown ones after it."""
    names = ["XYZ", "GIF", "JXL", "HEIF", "AVIF", "WEBP", "MPO", "JPEG", "DIB", "BMP", "TIFF", "PNG"]
    members = [at(f"{number}.x", file_id=number, format=name) for number, name in enumerate(names)]

    ordered = in_keep_order(members, Rules(keep=keep_terms(["format"])))

    assert [member.format for member in ordered] == names[::-1]
    assert set(FORMATS) == set(names) - {"XYZ"}


# --- rules about places


A, AA, B = place("/data/a"), place("/data/aa"), place("/data/b")


@pytest.mark.parametrize(
    ("rules", "kept", "second", "reason"),
    [
        pytest.param(Rules(prefer=(B,)), at("b/1.jpg", width=1), FIRST, "preferred: /data/b", id="prefer over pixels"),
        pytest.param(Rules(prefer=(B, A)), LATER, FIRST, "preferred: /data/b", id="the first preferred"),
        pytest.param(Rules(prefer=(A, B)), FIRST, at("b/1.jpg", width=99), "preferred: /data/a", id="ordered"),
        pytest.param(
            Rules(prefer=(B, A)),
            at("a/1.jpg", width=1),
            at("c/1.jpg"),
            "preferred: /data/a",
            id="the pattern is the keeper's",
        ),
        pytest.param(Rules(prefer=(A,)), at("c/1.jpg", width=99), at("aa/1.jpg"), "most pixels", id="/a is not /aa"),
        pytest.param(Rules(prefer=(A,)), at("a/1.jpg", width=99), FIRST, "most pixels", id="both preferred"),
        pytest.param(Rules(protect=(B,)), at("b/1.jpg", width=1), FIRST, "protected", id="protect over pixels"),
        pytest.param(
            Rules(prefer=(A,), protect=(B,)), at("a/1.jpg", width=1), LATER, "preferred: /data/a", id="prefer, protect"
        ),
        pytest.param(
            Rules(only_if_in=(B,)), at("b/1.jpg", width=1), FIRST, "lies where it must", id="only-if-in over pixels"
        ),
        pytest.param(
            Rules(prefer=(A,), protect=(A,), only_if_in=(B,)),
            LATER,
            FIRST,
            "lies where it must",
            id="only-if-in over prefer and protect",
        ),
    ],
)
def test_places_outrank_keys(rules: Rules, kept: Member, second: Member, reason: str) -> None:
    """Where a file must lie comes first, then what is preferred, then what is protected, then the keys."""
    second = replace(second, file_id=9)

    ordered = in_keep_order([second, kept], rules)

    assert ordered == [kept, second]
    assert keep_reason(kept, second, rules) == reason


@pytest.mark.parametrize(
    ("path", "protected", "keeps"),
    [
        pytest.param("a/1.jpg", True, True, id="in the folder"),
        pytest.param("a/deep/1.jpg", True, True, id="below it"),
        pytest.param("aa/1.jpg", False, False, id="in one whose name begins so"),
        pytest.param("b/1.jpg", False, False, id="elsewhere"),
    ],
)
def test_protected_and_keeping_files(path: str, protected: bool, keeps: bool) -> None:
    """A folder stands for what lies in it, by whole components."""
    member = at(path)

    found = is_protected(member, Rules(protect=(A,))), may_keep(member, Rules(only_if_in=(A,)))

    assert found == (protected, keeps)


def test_without_rules_nothing_is_protected_and_all_may_keep() -> None:
    """No rule, no limit."""
    assert (is_protected(FIRST, Rules()), may_keep(FIRST, Rules())) == (False, True)
    assert Rules().keep == KEEP == keep_terms(["pixels", "bytes", "oldest"])


@pytest.mark.parametrize(
    ("rules", "areas"),
    [
        pytest.param(Rules(), [0, 0, 0, 0], id="no rule"),
        pytest.param(Rules(within=(A, B)), [0, None, 1, None], id="within"),
        pytest.param(Rules(across=(B, A)), [1, None, 0, None], id="across"),
        pytest.param(Rules(within=(place("/data"),)), [0, 0, 0, 0], id="within all of it"),
        pytest.param(Rules(within=(AA, place("/data"))), [1, 0, 1, 1], id="within: the first that fits"),
    ],
)
def test_area(rules: Rules, areas: list[int | None]) -> None:
    """A file counts to the first place that it lies in, under `within` and `across` to none when it lies in none."""
    members = [at("a/1.jpg"), at("aa/1.jpg"), at("b/1.jpg"), at("c/1.jpg")]

    assert [area(member, rules) for member in members] == areas


@pytest.mark.parametrize(
    ("rules", "areas"),
    [
        pytest.param(Rules(), [0], id="no rule"),
        pytest.param(Rules(within=(A, AA, B)), [1], id="within: its own"),
        pytest.param(Rules(across=(A, AA, B)), [0, 2], id="across: all others"),
    ],
)
def test_areas_of_surplus(rules: Rules, areas: list[int]) -> None:
    """Surplus lies in the keeper's own place under `within`, in any other one under `across`."""
    keeper_area = 1 if rules.within or rules.across else 0

    assert list(areas_of_surplus(keeper_area, rules)) == areas


# --- a total order


MEMBERS = st.lists(
    st.builds(
        lambda folder, name, width, size, mtime, kind: (folder, name, width, size, mtime, kind),
        st.sampled_from(("a", "aa", "b", "a/b")),
        st.sampled_from(("1.jpg", "2.jpg", "\udce9.jpg")),
        st.integers(1, 2),
        st.integers(1, 2),
        st.integers(1, 2),
        st.sampled_from(("PNG", "JPEG", "XYZ")),
    ),
    max_size=6,
    unique_by=lambda made: made[:2],
).map(
    lambda made: [
        at(f"{folder}/{name}", file_id=number, width=width, stamp=Stamp(size, mtime, 0, number), format=kind)
        for number, (folder, name, width, size, mtime, kind) in enumerate(made)
    ]
)
PLACES = st.lists(st.sampled_from((A, AA, B, place("/data/a/b"))), max_size=2, unique=True).map(tuple)
RULES = st.builds(
    Rules,
    keep=st.lists(
        st.builds(KeepTerm, st.sampled_from(list(KeepKey)), st.booleans()), max_size=3, unique_by=lambda term: term.key
    ).map(tuple),
    prefer=PLACES,
    protect=PLACES,
    only_if_in=PLACES,
)


@given(MEMBERS, RULES, st.randoms(use_true_random=False))
def test_keep_order_is_the_same_for_any_shuffle(members: list[Member], rules: Rules, random: Random) -> None:
    """Rules and paths decide, not the order in which files come."""
    shuffled = list(members)
    random.shuffle(shuffled)

    ordered = in_keep_order(shuffled, rules)

    assert ordered == in_keep_order(members, rules)
    assert sorted(member.file_id for member in ordered) == [member.file_id for member in members]
