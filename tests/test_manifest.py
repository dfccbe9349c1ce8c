"""The way back without the database, and what the quarantine says of itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support import aged, make_photos, tree

from indexer import Index
from indexer.errors import UsageError
from indexer.undo import undo_from_manifest


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos, a copy with a caption that says more, and a list of all; pruned with everything that a prune can do."""
    folder = make_photos(tmp_path / "data" / "photos")
    (folder / "z").mkdir()
    shutil.copy2(folder / "a" / "0.jpg", folder / "z" / "copy.jpg")
    aged(folder / "z" / "copy.jpg", seconds=-500)
    (folder / "a" / "0.txt").write_text("a mosaic\n")
    (folder / "z" / "copy.txt").write_text("a mosaic\nof squares\n")
    (folder / "all.txt").write_text("a/0.jpg\nz/copy.jpg\n")
    index.update(folder, jobs=0)
    return folder


def pruned(photos: Path, index: Index) -> Path:
    """The quarantine after the prune."""
    index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"])
    return photos.parent / ".imgindex-quarantine"


def batch(quarantine: Path) -> Path:
    """The one folder in a quarantine."""
    (folder,) = quarantine.iterdir()
    return folder


@pytest.mark.parametrize(
    "place", [lambda q: q, batch, lambda q: batch(q) / "manifest.jsonl"], ids=["quarantine", "folder", "manifest"]
)
def test_manifest_brings_everything_back(photos: Path, index: Index, place: Callable[[Path], Path]) -> None:
    """Whichever of the three is named; a second time there is nothing to do."""
    before = tree(photos)
    quarantine = pruned(photos, index)
    Path(index.path).unlink()

    first = undo_from_manifest(str(place(quarantine)))
    after = tree(photos)
    second = undo_from_manifest(str(place(quarantine)))

    assert (len(first.moved), first.refused, after) == (2, (), before)
    assert second.moved == ()
    assert tree(photos) == before


def test_manifest_works_where_data_and_quarantine_were_moved_to(photos: Path, index: Index, tmp_path: Path) -> None:
    """The old place is gone; what lies as it did relative to the quarantine is meant."""
    before = tree(photos)
    pruned(photos, index)
    photos.parent.rename(tmp_path / "elsewhere")

    done = undo_from_manifest(str(tmp_path / "elsewhere" / ".imgindex-quarantine"))

    assert done.refused == ()
    assert tree(tmp_path / "elsewhere" / "photos") == before


def test_manifest_overwrites_nothing(photos: Path, index: Index) -> None:
    """A new file at the place stays; the pruned one, and its caption, stay in the quarantine."""
    quarantine = pruned(photos, index)
    (photos / "z" / "copy.jpg").write_bytes(b"new")

    done = undo_from_manifest(str(quarantine))

    assert str(photos / "z" / "copy.jpg") in [one.path for one in done.refused]
    assert (photos / "z" / "copy.jpg").read_bytes() == b"new"
    assert not (photos / "z" / "copy.txt").exists()


def test_index_copes_with_what_was_brought_back_behind_its_back(photos: Path, index: Index) -> None:
    """The journal is put right by the next undo, and the rows are right."""
    before = tree(photos)
    quarantine = pruned(photos, index)
    undo_from_manifest(str(quarantine))

    index.undo()
    report = index.update(photos, jobs=0)

    assert (tree(photos), index.status().quarantined, report.new, report.gone) == (before, 0, 0, 0)


def _cut(text: str) -> str:
    return text[:-20]


def test_last_line_that_was_cut_short_is_left_out(photos: Path, index: Index) -> None:
    """Its file had not been moved when the power went."""
    quarantine = pruned(photos, index)
    manifest = batch(quarantine) / "manifest.jsonl"
    manifest.write_text(_cut(manifest.read_text()))

    done = undo_from_manifest(str(quarantine))

    assert [Path(one.path).name for one in done.moved] == ["copy.jpg"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payload", "../../photos/a/0.jpg"),
        ("payload", "/etc/passwd"),
        ("payload", ""),
        ("payload", "manifest.jsonl"),
        ("path", "../outside.jpg"),
        ("path", "a/../../outside.jpg"),
        ("path", ""),
        ("digest", "zz"),
        ("action", "delete"),
        ("mode", "many"),
    ],
)
def test_manifest_that_was_tampered_with_moves_nothing(photos: Path, index: Index, field: str, value: str) -> None:
    """No name in it leads out of the folders."""
    quarantine = pruned(photos, index)
    manifest = batch(quarantine) / "manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    lines[1][field] = value
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    between = tree(photos.parent)

    with pytest.raises(UsageError, match="line 2 of the manifest"):
        undo_from_manifest(str(quarantine))

    assert tree(photos.parent) == between


def test_place_without_a_manifest_is_an_error(tmp_path: Path) -> None:
    """A folder, and nothing at all."""
    with pytest.raises(UsageError, match="no manifest"):
        undo_from_manifest(str(tmp_path))
    with pytest.raises(UsageError, match="cannot look into"):
        undo_from_manifest(str(tmp_path / "missing"))


# --- list, verify, purge


def test_quarantine_is_listed_oldest_first(photos: Path, index: Index) -> None:
    """Pictures, sidecars, and former versions of texts, with where they lie now."""
    pruned(photos, index)

    found = index.quarantined()

    assert [Path(one.entry.full_path).name for one in found] == ["0.txt", "copy.txt", "copy.jpg", "all.txt"]
    assert all(Path(one.entry.payload_path).exists() for one in found)
    assert index.quarantined(run=99) == []


def test_verify_names_what_is_altered_missing_and_unknown(photos: Path, index: Index) -> None:
    """And nothing when all is well."""
    quarantine = pruned(photos, index)
    well = index.verify_quarantine()
    places = {Path(one.entry.full_path).name: Path(one.entry.payload_path) for one in index.quarantined()}
    places["copy.jpg"].write_bytes(b"altered")
    places["copy.txt"].unlink()
    (batch(quarantine) / "stranger.jpg").write_bytes(b"unknown")
    (quarantine / "other").mkdir()
    (quarantine / "other" / "00000001.jpg").write_bytes(b"of another index")

    number, problems = index.verify_quarantine()

    assert well == (4, ())
    assert number == 4
    wanted = {"00000001.jpg", places["copy.jpg"].name, places["copy.txt"].name, "stranger.jpg"}
    assert {Path(one.path).name for one in problems} == wanted


def test_purge_goes_until_enough_is_free_and_takes_sidecars_along(photos: Path, index: Index) -> None:
    """The oldest picture first, with its caption and the former version of its keeper's; a dry run tells the same."""
    pruned(photos, index)
    shutil.copy2(photos / "b" / "1.jpg", photos / "z" / "late.jpg")
    aged(photos / "z" / "late.jpg", seconds=-500)
    index.update(photos, jobs=0)
    index.carry_out(index.plan())
    late = (photos / "b" / "1.jpg").stat().st_size

    told = index.purge(0, keep_bytes=late + 30)
    done = index.purge(0, keep_bytes=late + 30, dry_run=False)

    assert [one.path for one in told.moved] == [one.path for one in done.moved] == [str(photos / "z" / "copy.jpg")]
    assert [Path(one.entry.full_path).name for one in index.quarantined()] == ["all.txt", "late.jpg"]
    assert index.purge(3600, keep_bytes=1, dry_run=False).moved == ()


def test_purge_keeps_the_former_version_of_a_list_that_is_gone(photos: Path, index: Index) -> None:
    """It may be the last one."""
    pruned(photos, index)
    (photos / "all.txt").unlink()

    done = index.purge(0, dry_run=False)

    assert [Path(one.path).name for one in done.refused] == ["all.txt"]


@pytest.mark.parametrize("name", ["all.txt", "a/0.txt"])
def test_undo_leaves_a_text_that_was_changed_since(photos: Path, index: Index, name: str) -> None:
    """What somebody wrote after the prune is not overwritten; the former version stays in the quarantine."""
    pruned(photos, index)
    (photos / name).write_text("mine\n")

    done = index.undo()

    assert [one.path for one in done.refused] == [str(photos / name)]
    assert "changed since" in done.refused[0].reason
    assert (photos / name).read_text() == "mine\n"
    assert (photos / "z" / "copy.jpg").exists()
