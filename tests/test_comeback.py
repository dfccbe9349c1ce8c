"""What shows a rejected picture, and whether that is enough for a file to go by itself."""

from __future__ import annotations

import pytest

from indexer.comeback import came_back, shows_rejected
from indexer.groups import Comeback, Evidence, Kind


@pytest.mark.parametrize(
    ("kind", "evidence", "pixels", "expected"),
    [
        pytest.param(Kind.SAME, Evidence.FILES, 100, Comeback.SURE, id="as large, seen in the files"),
        pytest.param(Kind.SAME, Evidence.PERSON, 99, Comeback.SURE, id="smaller, by a person's word"),
        pytest.param(Kind.SAME, Evidence.THUMBNAIL, 100, Comeback.UNSURE, id="as large, by thumbnails"),
        pytest.param(Kind.SAME, Evidence.FILES, 101, Comeback.LARGER, id="larger"),
        pytest.param(Kind.SAME, Evidence.PERSON, 101, Comeback.LARGER, id="larger, by a person's word"),
        pytest.param(Kind.SAME, Evidence.THUMBNAIL, 101, Comeback.LARGER, id="larger, by thumbnails"),
        pytest.param(Kind.BYTES, Evidence.PIXELS, 101, Comeback.SURE, id="equal bytes, of which no pixels are known"),
    ],
)
def test_larger_ones_and_those_that_thumbnails_show_are_not_sure(
    kind: Kind, evidence: Evidence, pixels: int, expected: Comeback
) -> None:
    """A picture beside a rejected one of 100 pixels."""
    assert came_back(kind, evidence, pixels=pixels, rejected=100) is expected


def test_only_equal_bytes_and_the_same_picture_show_what_was_rejected() -> None:
    """A mirrored or edited one is another picture."""
    assert [kind for kind in Kind if shows_rejected(kind)] == [Kind.BYTES, Kind.SAME]
