"""What an undo by the manifests alone took back is noticed, also when it moved on before the next run of `index`."""

from __future__ import annotations

from pathlib import Path

import pytest
from rejecting import AGAIN, BAD, marks, reject, with_bad
from support import tree
from upgrading import came, put, shrunk

from indexer import Index
from indexer.drawing import drawn
from indexer.entry import run
from indexer.errors import UsageError
from indexer.undo import undo_from_manifest


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos, one of them twice, with a caption."""
    return with_bad(tmp_path, index)


def test_undo_by_the_manifests_alone_counts_when_the_file_was_renamed_since(photos: Path, index: Index) -> None:
    """It is known by number and times under its new name, and so is nothing else; its caption may be anywhere."""
    reject(index, photos / BAD)
    undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))
    for name in ("0.jpg", "copy.jpg", "copy.txt"):
        next(photos.rglob(name)).rename(photos / f"renamed {name}")

    index.update(photos, jobs=0)

    assert marks(index) == []
    assert index.returned() == ()
    assert index.quarantined() == []


def test_mark_stays_when_a_copy_comes_and_somebody_deleted_what_was_quarantined(photos: Path, index: Index) -> None:
    """The bytes are back, but no undo brought them."""
    bad = (photos / BAD).read_bytes()
    reject(index, photos / BAD)
    for one in index.quarantined():
        Path(one.entry.payload_path).unlink()
    (photos / AGAIN).with_suffix(".jpg").write_bytes(bad)

    index.update(photos, jobs=0)

    assert len(marks(index)) == 1
    assert [one.file.path for one in index.returned()] == ["z/again.jpg"]


def test_undo_by_the_manifests_alone_of_an_upgrade_and_the_rejection_of_what_it_brought(
    tmp_path: Path, index: Index
) -> None:
    """Where the better picture was rejected, the old one lies again."""
    photos = tmp_path / "data" / "photos"
    for number in range(1, 5):
        put(photos / f"{number}.jpg", drawn(number))
    put(photos / "o.jpg", shrunk(0))
    came(index, photos)
    put(photos / "s/n.jpg", drawn(0))
    came(index, photos)
    before = tree(photos)
    assert run(["upgrades", "--yes", "--quiet", "--db", index.path]) == 0
    reject(index, photos / "o.jpg")

    undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))
    assert tree(photos) == before
    index.update(photos, jobs=0)

    assert (marks(index), index.returned(), index.quarantined()) == ([], (), [])
    with pytest.raises(UsageError, match="there is nothing to bring back"):
        index.undo()
