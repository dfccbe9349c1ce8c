"""Ways in which a last copy went in the end, each found by an attack: it stays now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support import aged, make_photos, tree

from indexer import Index, deeds
from indexer.drawing import drawn, encoded
from indexer.undo import undo_from_manifest

KEEPER, COPY = "a/0.jpg", "z/copy.jpg"


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos and a copy of one, indexed."""
    folder = make_photos(tmp_path / "data" / "photos")
    (folder / "z").mkdir()
    shutil.copy2(folder / KEEPER, folder / COPY)
    aged(folder / COPY, seconds=-500)
    index.update(folder, jobs=0)
    return folder


def test_file_that_links_lead_to_is_not_pruned(photos: Path, index: Index) -> None:
    """A better copy arrives: the link's target stays, and the link goes on leading to it."""
    index.carry_out(index.plan(link="symlink"))
    picture = drawn(0)
    (photos / "better.png").write_bytes(encoded(picture.resize((picture.width * 2, picture.height * 2)), "PNG"))
    index.update(photos, jobs=0)
    plan = index.plan()

    done = index.carry_out(plan)

    assert [move.surplus.member.path for move in plan.moves] == [KEEPER]
    assert [one.reason for one in done.refused] == ["symbolic links lead to it: undo the run that made them first"]
    assert (photos / COPY).read_bytes() == (photos / KEEPER).read_bytes()


def test_purge_takes_no_payload_for_its_own_copy(photos: Path, index: Index, tmp_path: Path) -> None:
    """The quarantine is a link into an indexed folder, so that its files are indexed under another name."""
    (photos / "inside").mkdir()
    (photos.parent / ".imgindex-quarantine").symlink_to(photos / "inside")
    index.carry_out(index.plan())
    (photos / KEEPER).rename(tmp_path / "away.jpg")
    index.update(photos, jobs=0, confirm_missing=True)

    done = index.purge(0, dry_run=False)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert [path.name for path in (photos / "inside").rglob("*.jpg")] == ["00000001.jpg"]


def test_merged_caption_stays_when_its_source_cannot_come_back(photos: Path, index: Index) -> None:
    """It is all that is left of the text."""
    (photos / COPY).with_suffix(".txt").write_text("only here\n")
    index.carry_out(index.plan(on_conflict="merge"))
    payload = next(Path(one.entry.payload_path) for one in index.quarantined() if one.entry.full_path.endswith(".txt"))
    payload.unlink()

    done = index.undo()

    assert len(done.refused) == 2
    assert (photos / KEEPER).with_suffix(".txt").read_text() == "only here\n"


def test_recover_drops_no_payload_that_is_somebody_elses(photos: Path, index: Index) -> None:
    """The planned file is at its place, and what lies in the quarantine is another one."""
    index.carry_out(index.plan())
    (held,) = index.quarantined()
    payload = Path(held.entry.payload_path)
    shutil.copy2(payload, photos / COPY)
    payload.write_bytes(b"a stranger")

    state = deeds.found_state(held.entry)

    assert str(state) == "moved"
    assert payload.read_bytes() == b"a stranger"


def test_undo_by_the_index_after_one_by_the_manifest_is_no_error_for_texts(photos: Path, index: Index) -> None:
    """The list is back already: the journal is put right, and nothing is refused."""
    (photos / "all.txt").write_text(f"{KEEPER}\n{COPY}\n")
    before = tree(photos)
    index.carry_out(index.plan(), update=[photos / "all.txt"])
    undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))

    done = index.undo()

    assert done.refused == ()
    assert tree(photos) == before
    assert index.verify_quarantine() == (0, ())


def test_manifest_of_an_undone_run_removes_no_new_caption(photos: Path, index: Index) -> None:
    """Somebody wrote the very text of the merge, after that run had been undone."""
    (photos / COPY).with_suffix(".txt").write_text("only here\n")
    index.carry_out(index.plan(on_conflict="merge"))
    index.undo()
    (photos / COPY).with_suffix(".txt").rename((photos / KEEPER).with_suffix(".txt"))
    before = tree(photos)

    done = undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))

    assert done.moved == ()
    assert tree(photos) == before


@pytest.mark.parametrize("by", ["index", "manifest"])
def test_undo_brings_back_texts_that_somebody_deleted(photos: Path, index: Index, by: str) -> None:
    """The merged caption and the list are gone: both come back in their former versions, and the quarantine is empty."""
    (photos / KEEPER).with_suffix(".txt").write_text("a mosaic\n")
    (photos / COPY).with_suffix(".txt").write_text("only here\n")
    (photos / "all.txt").write_text(f"{KEEPER}\n{COPY}\n")
    before = tree(photos)
    index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"])
    (photos / KEEPER).with_suffix(".txt").unlink()
    (photos / "all.txt").unlink()

    done = index.undo() if by == "index" else undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))
    index.update(photos, jobs=0)

    assert done.refused == ()
    assert tree(photos) == before
    assert index.verify_quarantine() == (0, ())
