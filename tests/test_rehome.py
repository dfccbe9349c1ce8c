"""Roots that move, and roots that are forgotten: nothing is read anew, and nothing that was pruned is lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support import make_photos, settle, tree

from indexer import Index
from indexer.entry import run
from indexer.errors import SafetyError, UsageError


@pytest.fixture
def indexed(photos: Path, index: Index) -> Index:
    """The index of six photos and a copy, in `photos`."""
    shutil.copy2(photos / "a" / "0.jpg", photos / "copy.jpg")
    index.update(photos, jobs=0)
    settle(index)
    return index


def test_a_moved_root_is_known_where_it_is_and_no_file_is_read(indexed: Index, photos: Path, tmp_path: Path) -> None:
    """The next run finds all files unchanged."""
    place = tmp_path / "elsewhere" / "pictures"
    place.parent.mkdir()
    photos.rename(place)

    indexed.move_root(photos, place)
    report = indexed.update(place, jobs=0)

    assert [root.path for root in indexed.status().roots] == [str(place)]
    assert (report.files, report.unchanged, report.new, report.gone, report.reread, report.decoded) == (
        7,
        7,
        0,
        0,
        0,
        0,
    )
    assert [group.surplus[0].member.root for group in indexed.groups()] == [str(place)]


@pytest.mark.parametrize("quarantine", ["stays behind", "moves beside it", "moves in it"])
def test_what_was_pruned_comes_back_to_where_the_root_is(
    indexed: Index, photos: Path, tmp_path: Path, quarantine: str
) -> None:
    """Wherever its quarantine is by then."""
    before = tree(photos)
    inside = photos if quarantine == "moves in it" else None
    done = indexed.carry_out(indexed.plan(), quarantine=inside)
    assert len(done.moved) == 1
    place = tmp_path / "elsewhere" / "pictures"
    place.parent.mkdir()
    photos.rename(place)
    if quarantine == "moves beside it":
        (tmp_path / ".imgindex-quarantine").rename(place.parent / ".imgindex-quarantine")

    indexed.move_root(photos, place)
    back = indexed.undo()

    assert (len(back.moved), back.refused) == (1, ())
    assert {name: data for name, data in tree(place).items() if not name.startswith(".")} == before


@pytest.mark.parametrize("there", ["copied", "away for now"])
def test_a_quarantine_counts_where_it_was_while_it_may_be_there(
    indexed: Index, photos: Path, tmp_path: Path, there: str
) -> None:
    """A copy beside the new place is not taken for it, nor is it given up when it is not there at the moment."""
    indexed.carry_out(indexed.plan())
    quarantine, place = tmp_path / ".imgindex-quarantine", tmp_path / "elsewhere" / "pictures"
    place.parent.mkdir()
    photos.rename(place)
    if there == "copied":
        shutil.copytree(quarantine, place.parent / quarantine.name)
    else:
        quarantine.rename(tmp_path / "unmounted")

    indexed.move_root(photos, place)
    if there != "copied":
        (tmp_path / "unmounted").rename(quarantine)

    assert os.path.commonpath([indexed.quarantined()[0].entry.payload_path, quarantine]) == str(quarantine)
    assert len(indexed.undo().moved) == 1


def test_texts_and_keepers_of_a_moved_root_are_known_where_they_are(
    indexed: Index, photos: Path, tmp_path: Path
) -> None:
    """A list in the root that lost a row gets it back at the new place; the quarantine names the keeper there."""
    listed = "a/0.jpg\ncopy.jpg\n"
    (photos / "lists").mkdir()
    (photos / "lists" / "all.txt").write_text(listed)
    indexed.carry_out(indexed.plan(), update=[photos / "lists" / "all.txt"])
    assert (photos / "lists" / "all.txt").read_text() != listed
    place = tmp_path / "pictures"
    photos.rename(place)

    indexed.move_root(photos, place)
    keepers = [one.entry.keeper for one in indexed.quarantined() if one.entry.keeper_digest]
    back = indexed.undo()

    assert keepers == [str(place / "a" / "0.jpg")]
    assert back.refused == ()
    assert (place / "lists" / "all.txt").read_text() == listed
    assert not photos.exists()


def test_purge_finds_the_keepers_of_a_moved_root(indexed: Index, photos: Path, tmp_path: Path) -> None:
    """A file of the moved root stands for the one that goes."""
    indexed.carry_out(indexed.plan())
    place = tmp_path / "pictures"
    photos.rename(place)

    indexed.move_root(photos, place)
    done = indexed.purge(0, dry_run=False)

    assert (len(done.moved), done.refused) == (1, ())


def test_a_link_left_at_the_old_place_does_not_matter(indexed: Index, photos: Path, tmp_path: Path) -> None:
    """The root is named by the path that the index knows."""
    place = tmp_path / "pictures"
    photos.rename(place)
    photos.symlink_to(place)

    indexed.move_root(photos, place)

    assert [root.path for root in indexed.status().roots] == [str(place)]


def test_a_root_can_be_named_by_a_link_that_leads_to_it(indexed: Index, photos: Path, tmp_path: Path) -> None:
    """As it could be when it was indexed."""
    (tmp_path / "link").symlink_to(photos)

    assert indexed.forget_root(tmp_path / "link") == 7


def test_places_that_cannot_be_the_root_are_refused(indexed: Index, photos: Path, tmp_path: Path) -> None:
    """Missing, of other files, a quarantine, in or around another root; nothing is changed then."""
    other = make_photos(tmp_path / "other", 2)
    indexed.update(other, jobs=0)
    (tmp_path / "empty").mkdir()
    (other / "inner").mkdir()
    (tmp_path / ".imgindex-quarantine").mkdir()
    resized = tmp_path / "resized"
    shutil.copytree(photos, resized)
    for path in sorted(resized.rglob("*.jpg"))[:4]:
        path.write_bytes(path.read_bytes() + b"more")
    before = indexed.status().roots

    for place, error, words in (
        (tmp_path / "missing", SafetyError, "missing or not a folder"),
        (tmp_path / "empty", SafetyError, "0 of 7"),
        (resized, SafetyError, "3 of 7"),
        (tmp_path / ".imgindex-quarantine", UsageError, "quarantine"),
        (other / "inner", UsageError, "lie in one another"),
        (tmp_path, UsageError, "lie in one another"),
    ):
        with pytest.raises(error, match=words):
            indexed.move_root(photos, place)
    with pytest.raises(UsageError, match="is no folder that was indexed"):
        indexed.move_root(photos / "a", resized)
    with pytest.raises(UsageError, match="shows what the kernel"):
        indexed.move_root(make_empty_root(indexed, tmp_path), "/proc")
    assert indexed.status().roots[:2] == before


def make_empty_root(index: Index, tmp_path: Path) -> Path:
    """A root without files, which no sample can speak against."""
    place = tmp_path / "without"
    place.mkdir()
    index.update(place, jobs=0)
    return place


def test_a_forgotten_root_is_gone_and_its_files_are_not(indexed: Index, photos: Path, tmp_path: Path) -> None:
    """What they showed is still known; indexing them again decodes nothing."""
    other = make_photos(tmp_path / "other", 2)
    indexed.update(other, jobs=0)
    before = tree(photos)

    count = indexed.forget_root(photos)

    assert count == 7
    assert [(root.path, root.files) for root in indexed.status().roots] == [(str(other), 2)]
    assert tree(photos) == before
    assert indexed.check(photos / "a" / "4.jpg").kind == "bytes"
    report = indexed.update(photos, jobs=0)
    assert (report.new, report.decoded) == (7, 0)


def test_a_root_is_not_forgotten_while_its_files_are_in_quarantine(indexed: Index, photos: Path) -> None:
    """Nor when they are links; once they are back, it is."""
    for link in (None, "hard"):
        indexed.carry_out(indexed.plan(link=link))
        with pytest.raises(SafetyError, match="could not be brought back"):
            indexed.forget_root(photos)
        indexed.undo()

    assert indexed.forget_root(photos) == 7
    assert indexed.status().roots == ()
    with pytest.raises(UsageError, match="is no folder that was indexed"):
        indexed.forget_root(photos)


def test_root_commands_say_what_they_did(
    indexed: Index, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """List tells what is missing; move and forget take paths as list names them."""
    monkeypatch.chdir(tmp_path)
    size = sum(os.path.getsize(path) for path in photos.rglob("*.jpg"))
    photos.rename(tmp_path / "pictures")

    assert run(["root", "list"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("(missing)")
    assert run(["root", "move", "photos", "pictures"]) == 0
    assert capsys.readouterr().out == "pictures is known as photos was.\n"
    assert run(["root", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"path": "pictures", "files": 7, "bytes": size, "unreadable": 0, "there": True}
    assert run(["root", "move", "photos", "pictures"]) == 2
    assert run(["root", "forget", "pictures"]) == 0
    assert capsys.readouterr().out == "pictures and its 7 files are no longer in the index.\n"
    assert run(["root", "list"]) == 0
    assert capsys.readouterr().out == ""
