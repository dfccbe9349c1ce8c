"""Which file of a group stays, which are surplus, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.choose import group_of, keep_reason
from indexer.moves import Group, Kind, Member, Surplus
from indexer.records import Stamp

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
SMALLER = replace(COPY, file_id=3, path="c.jpg", digest=b"s" * 32, width=20, height=15, stamp=Stamp(300, 20, 70, 13))
LINK = replace(KEEPER, file_id=4, path="d.jpg")
LINK_OF_COPY = replace(COPY, file_id=5, path="e.jpg")
OTHER_ROOT = replace(KEEPER, file_id=6, root_id=2, root="/more")
INODE_REUSED = replace(KEEPER, file_id=7, path="g.jpg", digest=b"r" * 32)


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
def test_group_of(members: Sequence[Member], group: Group | None) -> None:
    """The first member stays; the others are surplus unless they are names of its own file."""
    assert group_of(members) == group


@given(st.lists(st.sampled_from((COPY, SMALLER, LINK, LINK_OF_COPY, OTHER_ROOT, INODE_REUSED)), min_size=1))
def test_group_of_loses_no_member(others: list[Member]) -> None:
    """Every member is in exactly one place of the group, and there is a group whenever a byte could be freed."""
    group = group_of([KEEPER, *others])

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
    assert keep_reason(KEEPER, replace(KEEPER, **second)) == reason  # type: ignore[arg-type]
