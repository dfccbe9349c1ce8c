"""What was rejected and stays known: listed, forgotten, exchanged with other indexes, and told by the gate."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageOps
from rejecting import (
    AGAIN,
    BAD,
    BIGGER,
    COPY,
    WHY,
    camera_picture,
    come_again,
    marks,
    names,
    reject,
    resaved,
    returned,
    with_bad,
    with_marked,
)
from support import make_photos

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.errors import CorruptDatabaseError, UsageError
from indexer.groups import Evidence, Kind, TakenIn


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Photos of which one, with a copy, was rejected."""
    photos = with_bad(tmp_path, index)
    reject(index, photos / BAD)
    return photos


@pytest.fixture
def other(tmp_path: Path) -> Index:
    """Another index, on another machine, of other photos and a picture that the first one rejected, saved again."""
    folder = make_photos(tmp_path / "other" / "photos", 3)
    (folder / BAD).unlink()
    (folder / "again.webp").write_bytes(resaved(0, 3 / 4))
    index = Index(tmp_path / "other" / "imgindex.db")
    index.update(folder, jobs=0)
    return index


def changed(line: str, **values: Any) -> str:
    """A line with other values; those of the fingerprint by their own names."""
    fields = json.loads(line)
    for name, value in values.items():
        (fields if name in fields else fields["fingerprint"])[name] = value
    return json.dumps(fields)


# --- forget


@pytest.mark.parametrize(
    "way", ["digest", "path", "copy's path", "returned file", "better file", "file with the bytes"]
)
def test_forget_by_digest_or_by_file(photos: Path, index: Index, way: str) -> None:
    """One that was rejected from there, one that shows it, one that holds it; the content stays known as content."""
    come_again(photos, index)
    (photos / "back.jpg").write_bytes(encoded(drawn(0)))
    named: dict[str, Path | str] = {
        "digest": index.rejected()[0].mark.digest.hex(),
        "path": photos / BAD,
        "copy's path": photos / COPY,
        "returned file": photos / AGAIN,
        "better file": photos / BIGGER,
        "file with the bytes": photos / "back.jpg",
    }

    assert index.forget_rejected(named[way]) == 1

    assert (index.rejected(), index.returned()) == ([], ())
    assert index.check(encoded(drawn(0))).kind is Kind.BYTES
    assert len(index.undo().moved) == 2


def test_forget_of_what_is_not_rejected_changes_nothing(photos: Path, index: Index) -> None:
    """All of them or none."""
    with pytest.raises(UsageError, match="is not rejected"):
        index.forget_rejected(photos / BAD, photos / "b" / "1.jpg")
    with pytest.raises(UsageError, match="is not rejected"):
        index.forget_rejected("0" * 64)

    assert len(marks(index)) == 1


def test_forget_takes_the_file_that_lies_there_now(photos: Path, index: Index) -> None:
    """Two pictures were rejected from one path, one after the other: the later one is meant."""
    shutil.copy2(photos / "b" / "1.jpg", photos / BAD)
    index.update(photos, jobs=0)
    reject(index, photos / BAD, reason="wrong")

    index.forget_rejected(photos / BAD)

    assert [one.mark.reason for one in index.rejected()] == [WHY]


# --- export and import


def test_import_finds_what_is_indexed_already(photos: Path, index: Index, other: Index) -> None:
    """Another encoding by its thumbnail, as the rejected file is elsewhere: it is left to the user."""
    found = other.import_rejected(index.rejected_json(), jobs=0)

    assert found == TakenIn(new=1, known=0, bytes_only=0)
    assert returned(other) == {"again.webp": ("same", "thumbnail", False)}
    assert other.plan_returned().moves == ()
    assert len(other.plan_returned(unconfirmed=True).moves) == 1
    (known,) = other.rejected()
    assert (known.path, known.width, known.is_held, known.mark.reason) == (None, 320, False, WHY)


def test_import_finds_the_bytes_and_looks_at_their_file(
    photos: Path, index: Index, other: Index, tmp_path: Path
) -> None:
    """A file of the rejected bytes is there: it is returned for sure, and by it the other encoding is."""
    shutil.copy2(index.quarantined()[0].entry.payload_path, tmp_path / "other" / "photos" / "bytes.jpg")
    other.update(tmp_path / "other" / "photos", jobs=0)

    other.import_rejected(index.rejected_json(), jobs=0)

    assert returned(other) == {"bytes.jpg": ("bytes", "pixels", False), "again.webp": ("same", "files", False)}


def test_export_and_import_give_the_same_lines(photos: Path, index: Index, other: Index) -> None:
    """Marks, fingerprints but for the look, and thumbnails; importing again adds nothing, and keeps the reason."""
    lines = index.rejected_json()
    other.import_rejected(lines, jobs=0)

    told = other.rejected_json()
    assert [without_look(line) for line in told] == [without_look(line) for line in lines]
    again = other.import_rejected([changed(lines[0], reason="another"), "", *lines], jobs=0)
    assert again == TakenIn(new=0, known=1, bytes_only=0)
    assert other.rejected_json() == told


def without_look(line: str) -> dict[str, Any]:
    """What a line says, but for what only decoding tells."""
    fields: dict[str, Any] = json.loads(line)
    del fields["fingerprint"]["look"]
    return fields


def test_imported_pictures_meet_those_that_come_later(photos: Path, index: Index, other: Index, tmp_path: Path) -> None:
    """In the next scrape, as those that were rejected here do."""
    lines = index.rejected_json()
    fresh = Index(tmp_path / "fresh" / "imgindex.db")
    (tmp_path / "fresh").mkdir()
    fresh.import_rejected(lines, jobs=0)

    fresh.update(tmp_path / "other" / "photos", jobs=0)

    assert returned(fresh) == returned_by_import(other, lines)


def returned_by_import(other: Index, lines: list[str]) -> dict[str, tuple[str, str, bool]]:
    """What is returned when the files are there first."""
    other.import_rejected(lines, jobs=0)
    return returned(other)


def test_other_recipes_fingerprint_is_left_out_and_the_digest_taken(
    photos: Path, index: Index, other: Index, tmp_path: Path
) -> None:
    """The same bytes are recognised, and nothing else."""
    shutil.copy2(index.quarantined()[0].entry.payload_path, tmp_path / "other" / "photos" / "bytes.jpg")
    line = changed(index.rejected_json()[0], recipe="imgindex/1 of old", fingerprint={"whatever": 1}, thumbnail="?")

    assert other.import_rejected([line], jobs=0) == TakenIn(new=1, known=0, bytes_only=1)
    assert returned(other) == {}
    other.update(tmp_path / "other" / "photos", jobs=0)
    assert returned(other)["bytes.jpg"] == ("bytes", "pixels", False)


def test_digest_without_a_content_is_known_to_the_gate_and_to_the_next_index(
    photos: Path, index: Index, tmp_path: Path
) -> None:
    """No content has it yet: bytes are rejected all the same, before they are stored and after."""
    line = changed(index.rejected_json()[0], recipe=None, fingerprint=None, thumbnail=None, size=None)
    fresh = Index(tmp_path / "fresh.db")
    fresh.import_rejected([line], jobs=0)
    (known,) = fresh.rejected()
    assert (known.width, known.height, known.path) == (None, None, None)

    answer = fresh.check(encoded(drawn(0)))
    assert (answer.kind, answer.path, answer.rejected) == (Kind.BYTES, None, WHY)

    fresh.update(make_photos(tmp_path / "photos"), jobs=0)
    assert returned(fresh) == {"a/0.jpg": ("bytes", "pixels", False)}


def test_file_with_a_line_that_is_none_is_refused_as_a_whole(photos: Path, index: Index, other: Index) -> None:
    """Nobody can tell then what is meant; the message names the line."""
    (line,) = index.rejected_json()

    with pytest.raises(UsageError, match="line 2 is no rejected content"):
        other.import_rejected([line, changed(line, width=0)], jobs=0)

    assert marks(other) == []


def test_import_does_not_overwrite_what_is_known_of_a_content(photos: Path, index: Index) -> None:
    """A hostile list cannot give a picture of yours another fingerprint."""
    before = contents(index)
    line = changed(index.rejected_json()[0], width=99_999, phash="A" * 43 + "=")

    index.import_rejected([line], jobs=0)

    assert contents(index) == before


def contents(index: Index) -> list[tuple[object, ...]]:
    """What the index knows of contents."""
    with sqlite3.connect(index.path) as db:
        found = db.execute("SELECT digest, width, phash, look FROM content ORDER BY digest").fetchall()
    db.close()
    return found


def test_merge_takes_over_what_the_other_index_rejected(
    photos: Path, index: Index, other: Index, tmp_path: Path
) -> None:
    """With its reason; what was rejected here keeps its own, and the next index finds what is here already."""
    assert other.merge(index.path).rejected == 1
    other.update(tmp_path / "other" / "photos", jobs=0)

    assert marks(other) == marks(index)
    assert returned(other) == {"again.webp": ("same", "thumbnail", False)}
    assert other.merge(index.path).rejected == 0


@pytest.mark.parametrize("change", ["digest = x'00'", "reason = ''", "reason = x'ff'", "rejected_ns = -1"])
def test_merge_refuses_marks_that_are_none(photos: Path, index: Index, other: Index, change: str) -> None:
    """Nothing is taken in."""
    with sqlite3.connect(index.path) as db:
        db.execute(f"UPDATE rejected SET {change}")  # noqa: S608 - our own words
    db.close()

    with pytest.raises(CorruptDatabaseError, match="rejected contents that are none"):
        other.merge(index.path)
    assert marks(other) == []


# --- the gate


def test_gate_says_why_a_picture_was_rejected(photos: Path, index: Index) -> None:
    """For its bytes and for another encoding; other pictures have no reason."""
    with index.gate(jobs=0) as gate:
        same, other_encoding, fine, new = gate.check_all(
            [encoded(drawn(0)), resaved(0, 2 / 3), encoded(drawn(1)), resaved(77, 1)]
        )

    assert (same.kind, same.rejected, same.path) == (Kind.BYTES, WHY, None)
    assert (other_encoding.kind, other_encoding.rejected, other_encoding.evidence) == (Kind.SAME, WHY, Evidence.FILES)
    assert (fine.kind, fine.rejected) == (Kind.BYTES, None)
    assert (new.is_new, new.rejected) == (True, None)


def test_gate_admits_nothing_that_was_rejected(photos: Path, index: Index) -> None:
    """As `check`, whoever asks."""
    answer = index.admit(resaved(0, 2 / 3))

    assert (answer.is_new, answer.rejected) == (False, WHY)
    assert index.status().contents == 5


def test_gate_tells_of_files_that_returned_and_of_those_that_were_moved_away_again(photos: Path, index: Index) -> None:
    """The index knows their bytes by themselves; what they show was rejected all the same."""
    come_again(photos, index)
    data = (photos / AGAIN).read_bytes()

    assert index.check(data).rejected == WHY
    index.carry_out(index.plan_returned())
    assert index.check(data).rejected == WHY


def test_gate_looks_at_the_rejected_file_in_the_quarantine(tmp_path: Path, index: Index) -> None:
    """A picture without the mark is new; without the file, a thumbnail says that it is known."""
    with_marked(tmp_path / "data", index)
    clean = encoded(camera_picture(), "JPEG", quality=92)

    assert index.check(clean).is_new
    index.purge(0, dry_run=False)
    answer = index.check(clean)
    assert (answer.rejected, answer.evidence) == (WHY, Evidence.THUMBNAIL)


def test_gate_tells_of_an_indexed_file_before_what_a_thumbnail_alone_says(tmp_path: Path, index: Index) -> None:
    """The rejected file is gone, and a picture without its mark is in the data set: it is known as that."""
    photos = with_marked(tmp_path / "data", index)
    index.purge(0, dry_run=False)
    (photos / "clean.jpg").write_bytes(encoded(camera_picture(), "JPEG", quality=92))
    index.update(photos, jobs=0)

    answer = index.check(photos / "clean.jpg")

    assert (answer.kind, answer.path, answer.rejected) == (Kind.BYTES, str(photos / "clean.jpg"), None)


def test_gate_does_not_call_a_mirror_image_rejected(photos: Path, index: Index) -> None:
    """It is known as what the user asks for, and shows something else than what was thrown out."""
    mirrored = encoded(ImageOps.mirror(drawn(0)), "JPEG", quality=92)

    with index.gate(kinds=["bytes", "same", "flipped"], jobs=0) as gate:
        answer = gate.check(mirrored)

    assert (answer.kind, answer.rejected) == (Kind.FLIPPED, None)


@pytest.mark.parametrize("kind", ["bytes", "flipped"])
def test_gate_knows_what_was_rejected_whatever_kinds_are_asked_for(photos: Path, index: Index, kind: str) -> None:
    """Another encoding and the bytes themselves; other pictures are new unless they are of the kind."""
    with index.gate(kinds=[kind], jobs=0) as gate:
        again, itself, fine = gate.admit_all([resaved(0, 2 / 3), encoded(drawn(0)), resaved(1, 2 / 3)])

    assert (again.kind, again.rejected, again.better) == (Kind.SAME, WHY, False)
    assert (itself.kind, itself.rejected) == (Kind.BYTES, WHY)
    assert (fine.is_new, fine.rejected) == (True, None)


@pytest.mark.parametrize("kinds", [["bytes", "same"], ["bytes"]])
def test_gate_says_when_a_picture_has_more_pixels_than_what_was_rejected(
    photos: Path, index: Index, kinds: list[str]
) -> None:
    """It is known, and the user decides; once a file of it is there, it is known as that."""
    larger = resaved(0, 3 / 2, "PNG")
    with index.gate(kinds=kinds, jobs=0) as gate:
        answer = gate.admit(larger)
    come_again(photos, index)
    stored = index.check(larger, kinds=kinds)

    assert (answer.kind, answer.rejected, answer.better) == (Kind.SAME, WHY, True)
    assert (stored.kind, stored.path) == (Kind.BYTES, str(photos / BIGGER))
    assert (stored.rejected, stored.better) == (None, False)


def test_gate_lets_a_decision_outrank_a_rejection(photos: Path, index: Index) -> None:
    """Two pictures that a person calls different are so, also when one was rejected."""
    come_again(photos, index)
    data = (photos / AGAIN).read_bytes()
    index.undo()
    index.decide(photos / BAD, photos / AGAIN, "different")
    reject(index, photos / BAD)

    assert index.check(data).rejected is None


def test_rejected_again_keeps_the_first_reason(photos: Path, index: Index) -> None:
    """A copy that came back is rejected by hand."""
    (photos / "back.jpg").write_bytes(encoded(drawn(0)))
    index.update(photos, jobs=0)

    done = reject(index, photos / "back.jpg", reason="another")

    assert names(done, photos) == ["back.jpg"]
    assert [one.mark.reason for one in index.rejected()] == [WHY]
