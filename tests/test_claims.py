"""What a list of rejected pictures says of pictures that the index has not seen: a claim, and never more than that."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from rejecting import WHY, returned
from support import make_photos
from upgrading import came, put

from indexer import Index
from indexer.drawing import drawn, encoded, mosaic

PICTURE, UNRELATED = "good/k.jpg", "new/v.jpg"


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """An indexed data set with a picture of which somebody else rejected the like."""
    photos = make_photos(tmp_path / "data" / "photos", 3)
    put(photos / PICTURE, mosaic(5))
    came(index, photos)
    return photos


@pytest.fixture
def line(tmp_path: Path) -> str:
    """A line that gives an unrelated picture the fingerprint of another, and more pixels than that has."""
    photos = tmp_path / "theirs" / "photos"
    put(photos / "k.jpg", mosaic(5))
    for number in range(3):
        put(photos / f"{number}.jpg", drawn(number))
    theirs = Index(tmp_path / "theirs" / "imgindex.db")
    came(theirs, photos)
    theirs.carry_out(theirs.plan_rejection(photos / "k.jpg", reason=WHY))
    fields = json.loads(theirs.rejected_json()[0])
    data = encoded(mosaic(33))
    fields |= {"digest": hashlib.sha256(data).hexdigest(), "size": len(data)}
    fields["fingerprint"] |= {"width": 5_000, "height": 3_750}
    return json.dumps(fields)


def rows(index: Index, query: str) -> list[tuple[Any, ...]]:
    """What a question to the database gives."""
    with sqlite3.connect(index.path) as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def test_claimed_look_makes_no_match_by_pixels(photos: Path, index: Index, line: str) -> None:
    """A list says that a picture of yours shows what was rejected: thumbnails say so too, and no more is believed."""
    index.import_rejected([line], jobs=0)

    assert returned(index) == {PICTURE: ("same", "thumbnail", False)}
    assert index.plan_returned().moves == ()


def test_file_of_a_claimed_content_is_decoded_when_it_comes(photos: Path, index: Index, line: str) -> None:
    """It shows something else than the list says: it stands for nothing, and the matches of the claim go."""
    index.import_rejected([line], jobs=0)
    assert len(rows(index, 'SELECT 1 FROM "match"')) == 1

    put(photos / UNRELATED, mosaic(33))
    came(index, photos)

    assert (index.groups(), index.plan().moves) == ((), ())
    assert returned(index) == {UNRELATED: ("bytes", "pixels", False)}
    assert rows(index, "SELECT width FROM content WHERE width = 5000 OR claimed") == []
    assert rows(index, 'SELECT 1 FROM "match"') == []


def test_unreadable_file_of_a_claimed_content_keeps_nothing_of_the_claim(photos: Path, index: Index, line: str) -> None:
    """What cannot be decoded shows nothing."""
    broken = encoded(mosaic(33))[:200]
    fields = json.loads(line) | {"digest": hashlib.sha256(broken).hexdigest(), "size": len(broken)}
    index.import_rejected([json.dumps(fields)], jobs=0)

    put(photos / UNRELATED, mosaic(33)).write_bytes(broken)
    came(index, photos)

    assert len(index.unreadable()) == 1
    assert (returned(index), rows(index, 'SELECT 1 FROM "match"')) == ({}, [])


def test_claims_are_merged_as_claims(photos: Path, index: Index, line: str, tmp_path: Path) -> None:
    """An own index that took a list in knows no more of it than the list said; what is known here stays."""
    index.import_rejected([line], jobs=0)
    fresh = Index(tmp_path / "fresh.db")

    merged = fresh.merge(index.path)

    assert (merged.contents, merged.known, merged.rejected) == (5, 0, 1)
    assert rows(fresh, "SELECT width FROM content WHERE claimed") == [(5_000,)]
    again = fresh.merge(index.path)
    assert (again.contents, again.known) == (0, 5)


def test_caption_with_claimed_bytes_is_no_picture(photos: Path, index: Index, line: str) -> None:
    """A list cannot say of your captions that they are pictures, which would stay when their picture goes."""
    caption = (photos / PICTURE).with_suffix(".txt")
    caption.write_text("a mosaic\n")
    fields = json.loads(line) | {"digest": hashlib.sha256(b"a mosaic\n").hexdigest(), "size": 9}
    index.import_rejected([json.dumps(fields)], jobs=0)

    (move,) = index.plan_rejection(photos / PICTURE, reason=WHY).moves

    assert [one.full_path for one in move.sidecars] == [str(caption)]
