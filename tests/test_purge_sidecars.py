"""Purge: a sidecar stays while a picture that it belongs to stands without it, or may be brought back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rejecting import reject
from support import tree
from upgrading import came, put, shrunk

from indexer import Index
from indexer.drawing import drawn
from indexer.entry import run
from indexer.moves import MoveReport


def shared(place: Path, index: Index) -> Path:
    """`1.jpg` and `1.png` are two pictures with one caption, among others."""
    photos = place / "data" / "photos"
    put(photos / "1.jpg", drawn(0), caption="shared")
    put(photos / "1.png", drawn(1), "PNG")
    for number in range(2, 6):
        put(photos / f"{number}.jpg", drawn(number))
    came(index, photos)
    return photos


def rejected(index: Index, *files: Path) -> list[int]:
    """Rejects files one by one; gives the runs."""
    return [run_id for file in files if (run_id := reject(index, file).run_id)]


def names(report: MoveReport) -> tuple[list[str], list[str]]:
    """What was deleted, and what was not."""
    return _names(report.moved), _names(report.refused)


def _names(of: Iterable[object]) -> list[str]:
    return [Path(one.path).name for one in of]  # type: ignore[attr-defined]


def test_caption_of_a_picture_that_came_back_stays_until_it_is_back_too(tmp_path: Path, index: Index) -> None:
    """The other picture, with which it went, is deleted; then the caption is brought back alone."""
    photos = shared(tmp_path, index)
    before = tree(photos)
    first, second = rejected(index, photos / "1.jpg", photos / "1.png")
    index.undo(first)

    told, done = index.purge(0), index.purge(0, dry_run=False)
    again = index.purge(0, dry_run=False)

    assert names(told) == names(done) == (["1.png"], ["1.txt"])
    assert "'" + str(photos / "1.jpg") + "', which is there without it" in done.refused[0].reason
    assert names(again) == ([], ["1.txt"])
    index.undo(second)
    assert tree(photos) == {name: what for name, what in before.items() if "1.png" not in name}


def test_caption_is_deleted_once_no_picture_can_want_it(tmp_path: Path, index: Index) -> None:
    """The picture that it was kept for goes, too; what was left of an earlier purge goes by itself."""
    photos = shared(tmp_path, index)
    first, _second = rejected(index, photos / "1.jpg", photos / "1.png")
    index.undo(first)
    index.purge(0, dry_run=False)
    rejected(index, photos / "1.jpg")

    assert names(index.purge(0)) == names(index.purge(0, dry_run=False)) == (["1.jpg", "1.txt"], [])
    assert index.quarantined() == []


def test_caption_goes_with_all_its_pictures_in_one_purge(tmp_path: Path, index: Index) -> None:
    """Also when it was moved away before the last of them."""
    photos = shared(tmp_path, index)
    rejected(index, photos / "1.jpg", photos / "1.png")
    put(photos / "1.webp", drawn(9), "WEBP")
    came(index, photos)
    rejected(index, photos / "1.webp")

    told, done = index.purge(0), index.purge(0, dry_run=False)

    assert names(told) == names(done) == (["1.jpg", "1.png", "1.webp", "1.txt"], [])


def test_caption_of_an_old_version_that_stays_in_the_quarantine_stays(tmp_path: Path, index: Index) -> None:
    """The better version was rejected and took the caption; the old one may be the last copy, and comes back with it."""
    photos = tmp_path / "data" / "photos"
    for number in range(1, 6):
        put(photos / f"{number}.jpg", drawn(number))
    put(photos / "o.jpg", shrunk(0), caption="by hand")
    came(index, photos)
    before = tree(photos)
    put(photos / "s/n.jpg", drawn(0))
    came(index, photos)
    assert run(["upgrades", "--yes", "--quiet", "--db", index.path]) == 0
    upgraded = index.quarantined()[0].entry.run_id
    (later,) = rejected(index, photos / "o.jpg")

    done = index.purge(0, dry_run=False)

    assert (_names(done.moved), sorted(_names(done.refused))) == (["o.jpg"], ["o.jpg", "o.txt"])
    index.undo(upgraded)
    index.undo(later)
    assert {name: what for name, what in tree(photos).items() if name != "s"} == before


def test_caption_goes_when_another_lies_at_its_place(tmp_path: Path, index: Index) -> None:
    """A scrape brought a picture of the same name with a caption of its own: nothing lacks the old one."""
    photos = shared(tmp_path, index)
    rejected(index, photos / "1.png", photos / "1.jpg")
    put(photos / "1.jpg", drawn(8), caption="of another")
    came(index, photos)

    assert names(index.purge(0, dry_run=False)) == (["1.png", "1.jpg"], [])
    assert index.quarantined() == []


def test_label_in_a_folder_of_its_own_stays_for_a_picture_of_its_stem(tmp_path: Path, index: Index) -> None:
    """Labels mirror the folder of the images."""
    photos = tmp_path / "data" / "photos"
    for number in range(1, 6):
        put(photos / f"images/{number}.jpg", drawn(number))
    put(photos / "images/1.png", drawn(0), "PNG")
    (photos / "labels").mkdir()
    (photos / "labels/1.txt").write_text("0 0.5 0.5 1 1\n")
    came(index, photos)
    first, _second = rejected(index, photos / "images/1.jpg", photos / "images/1.png")

    assert names(index.purge(0))[1] == []
    index.forget_rejected(next(one.entry.digest.hex() for one in index.quarantined() if one.entry.run_id == first))
    assert names(index.purge(0)) == (["1.png"], ["1.jpg", "1.txt"])
    index.undo(first)
    assert names(index.purge(0, dry_run=False)) == (["1.png"], ["1.txt"])
