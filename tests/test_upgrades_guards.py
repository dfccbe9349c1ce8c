"""What keeps an upgrade, its undo and a purge from going wrong: a test for each guard."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from checking import left_over, payloads
from PIL import Image
from support import settle, tree
from upgrading import BETTER, OLD, came, put, shrunk, with_better

from indexer import Index, deeds, filesystem, sharpness
from indexer.better import is_larger
from indexer.drawing import drawn
from indexer.entry import run
from indexer.errors import UsageError
from indexer.groups import Member
from indexer.moves import MoveReport
from indexer.plans import Action
from indexer.records import Stamp
from indexer.vetting import vetted_gain


def upgraded(index: Index, **options: float) -> MoveReport:
    """What carrying out all upgrades gives."""
    return index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)), **options)


def journal(index: Index, statement: str) -> None:
    """Changes the journal behind the index's back."""
    with contextlib.closing(sqlite3.connect(index.path)) as db, db:
        db.execute(statement)


# --- what counts


@pytest.mark.parametrize(
    ("size", "larger"),
    [
        pytest.param((200, 150), True, id="twice as wide and high"),
        pytest.param((100, 76), True, id="one side longer"),
        pytest.param((100, 75), False, id="as large"),
        pytest.param((99, 90), False, id="one side shorter"),
        pytest.param((200, 158), False, id="5.1 % higher"),
        pytest.param((200, 157), True, id="4.5 % higher"),
    ],
)
def test_larger_is_no_side_shorter_and_much_the_same_shape(size: tuple[int, int], larger: bool) -> None:
    """Compared with 100 × 75 pixels."""

    def member(width: int, height: int) -> Member:
        return Member(1, 1, 1, "/data", "1.jpg", Stamp(1, 1, 1, 1), b"", width, height, "JPEG")

    assert is_larger(member(*size), member(100, 75)) is larger


@pytest.mark.parametrize(
    ("answer", "believed"),
    [
        ((7, 0.5), (7, 0.5)),
        ((7, None), (7, None)),
        ((8, 0.5), None),
        ((7, float("nan")), None),
        ((7, -1.0), None),
        ((7, 1), None),
        ((7, "0.5"), None),
        ([7, 0.5], None),
        ((7, 0.5, 1), None),
        (None, None),
    ],
)
def test_a_worker_is_believed_when_its_answer_is_one(answer: object, believed: object) -> None:
    """A pair's key and a measure, or None for a pair that nobody can look at."""
    assert vetted_gain(7, answer) == believed


def test_pictures_of_too_many_pixels_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell then."""
    paths = [put(tmp_path / f"{number}.jpg", picture) for number, picture in enumerate((shrunk(2), drawn(2)))]
    old, new = [(str(path), _digest(path)) for path in paths]
    assert sharpness.gains_batch([(1, old, new)])[0][1]

    monkeypatch.setattr(sharpness, "MAX_PIXELS", 320 * 200 - 1)
    assert sharpness.gains_batch([(1, old, new)]) == [(1, None)]
    assert sharpness.gains_batch([(2, old, (str(tmp_path / "gone.jpg"), b""))]) == [(2, None)]


def _digest(path: Path) -> bytes:
    return filesystem.digest_of([path.read_bytes()])


def test_the_middle_of_a_large_picture_stands_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measure of a part is about that of the whole."""
    old, new = shrunk(2).convert("L"), drawn(2).convert("L")
    whole = sharpness.gain(old, new)
    monkeypatch.setattr(sharpness, "WINDOW", 160)

    assert sharpness.gain(old, new) == pytest.approx(whole, rel=0.3)


def test_pictures_turned_by_exif_are_upright(tmp_path: Path, index: Index) -> None:
    """Width and height are those that people see."""
    photos = tmp_path / "photos"
    put(photos / OLD, shrunk(2))
    came(index, photos)
    exif = Image.Exif()
    exif[274] = 6
    put(photos / BETTER, drawn(2))
    drawn(2).transpose(Image.Transpose.ROTATE_90).save(photos / BETTER, quality=90, exif=exif)
    came(index, photos)

    assert [one.problems for one in index.upgrades(jobs=0)] == [()]


# --- what speaks against an upgrade


def test_a_better_one_that_links_lead_to_stays(tmp_path: Path, index: Index) -> None:
    """The links would lead nowhere."""
    photos = with_better(tmp_path, index)
    shutil.copy2(photos / BETTER, photos / "scrape/z.jpg")
    came(index, photos)
    linking = index.plan("/".join((str(photos), "scrape")), link="symlink")
    index.carry_out(linking, max_share=1)
    found = index.upgrades(jobs=0)
    kept = os.path.relpath(linking.moves[0].keeper.full_path, photos)
    before = tree(photos)
    done = index.carry_out(index.plan_upgrades(found))

    assert found[0].move.keeper.path == kept
    assert done.refused[0].reason == "symbolic links lead to it: undo the run that made them first"
    assert tree(photos) == before


def test_a_folder_that_could_not_be_listed_makes_an_upgrade_wait(tmp_path: Path, index: Index) -> None:
    """Nobody knows what became of the files in it."""
    photos = with_better(tmp_path, index)
    journal(index, "INSERT INTO unlisted (root_id, path) VALUES (1, 'scrape')")

    assert index.upgrades(jobs=0)[0].problems == (
        f"'{photos}/scrape' could not be listed: it waits until imgindex index can",
    )


def test_a_protected_place_is_not_taken(tmp_path: Path, index: Index) -> None:
    """Though neither picture is protected."""
    photos = with_better(tmp_path, index, form="PNG")

    (found,) = index.upgrades(jobs=0, protect=[photos / "train/cat/*.png"])
    assert found.problems == (f"'{photos}/train/cat/1.png' is protected",)


def test_a_caption_that_cannot_follow_its_picture_is_a_problem(tmp_path: Path, index: Index) -> None:
    """It bears the old one's whole name, and is a link."""
    photos = with_better(tmp_path, index, form="PNG")
    (photos / "train/cat/1.jpg.txt").symlink_to(tmp_path / "nowhere")

    (found,) = index.upgrades(jobs=0)
    assert found.problems == ("its +.txt bears its whole name, and cannot be renamed",)


def test_labels_that_have_no_place_beside_the_old_one_are_a_problem(tmp_path: Path, index: Index) -> None:
    """The better one's lie in a folder of their own, the old one's layout has none."""
    photos = with_better(tmp_path, index)
    (photos / "images").mkdir()
    (photos / "labels").mkdir()
    (photos / BETTER).rename(photos / "images/x.jpg")
    (photos / "labels/x.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    came(index, photos)

    (found,) = index.upgrades(jobs=0)
    assert found.problems == ("there is no place for the better one's labels.txt",)


def test_rows_of_files_that_are_gone_stand_in_no_way(tmp_path: Path, index: Index) -> None:
    """Files lay where the better one goes, and where it comes back to; the index does not know yet that they are gone."""
    photos = with_better(tmp_path, index, form="PNG")
    put(photos / "train/cat/1.png", drawn(7), "PNG")
    came(index, photos)
    (photos / "train/cat/1.png").unlink()
    before = tree(photos)
    done = upgraded(index)
    put(photos / "scrape/x.png", drawn(7), "PNG")
    came(index, photos)
    (photos / "scrape/x.png").unlink()
    undone = index.undo()

    assert (len(done.moved), len(undone.moved)) == (1, 1)
    assert tree(photos) == before
    report = index.update(photos, jobs=0)
    assert (report.new, report.gone, report.decoded) == (0, 0, 0)


# --- what is half-done


HALF_DONE = {
    "planned": "UPDATE journal SET state = 'planned'",
    "returning": "UPDATE journal SET state = 'returning'",
}


@pytest.mark.parametrize("state", HALF_DONE)
@pytest.mark.parametrize("half", ["linked", "copied"])
def test_a_half_made_move_is_taken_back(tmp_path: Path, index: Index, state: str, half: str) -> None:
    """The better one has both names, or a copy lies at its new place: it ends where it came from, once."""
    photos = with_better(tmp_path, index, form="PNG")
    before = tree(photos)
    done = upgraded(index)
    new, old = photos / "train/cat/1.png", photos / "scrape/x.png"
    if half == "linked":
        old.hardlink_to(new)
    else:
        shutil.copy2(new, old)
    journal(index, HALF_DONE[state])
    index.recover()

    assert tree(photos) == before
    assert {entry.state for entry in index.journalled(done.run_id or 0)} <= {"aborted", "restored"}
    assert left_over(tmp_path) == []


def test_where_renaming_cannot_be_told_not_to_replace(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are linked and unlinked instead, there and back."""
    photos = with_better(tmp_path, index, form="PNG")
    before = tree(photos)
    monkeypatch.setattr(filesystem, "_renameat2", lambda: None)
    done = upgraded(index)
    between = sorted(tree(photos))
    index.undo()

    assert len(done.moved) == 1
    assert between == ["train/cat/1.png"]
    assert tree(photos) == before


# --- the way back


def test_what_replaced_a_picture_that_was_deleted_for_good_stays(tmp_path: Path, index: Index) -> None:
    """Also when a crash kept the journal from saying so: its place would be left empty."""
    photos = with_better(tmp_path, index)
    done = upgraded(index)
    index.purge(0, dry_run=False)
    journal(index, "UPDATE journal SET state = 'moved' WHERE action = 'rename'")
    before = tree(photos)

    with pytest.raises(UsageError, match="nothing to bring back"):
        index.undo()
    assert index.undo(done.run_id).refused[0].reason == f"'{photos}/{OLD}', which it replaced, is no longer there"
    assert tree(photos) == before


def test_purge_notes_that_the_better_one_stays(tmp_path: Path, index: Index) -> None:
    """Also when it was killed before, so that the next command recovers."""
    photos = with_better(tmp_path, index)
    done = upgraded(index)
    journal(index, "UPDATE journal SET state = 'purging' WHERE action = 'quarantine'")
    payloads(photos)[0].unlink()
    index.recover()

    assert {entry.state for entry in index.journalled(done.run_id or 0)} == {"purged"}


def test_nothing_in_the_data_set_is_ever_deleted_as_a_payload(tmp_path: Path, index: Index) -> None:
    """What deletes for good passes over what has another place in the data set."""
    photos = with_better(tmp_path, index)
    done = upgraded(index)
    (renamed,) = [entry for entry in index.journalled(done.run_id or 0) if entry.action is Action.RENAME]

    assert (deeds.altered(renamed), deeds.delete(renamed)) == (None, None)
    assert (photos / OLD).exists()


def test_a_plan_tells_the_bytes_that_go(tmp_path: Path, index: Index) -> None:
    """Those of the old pictures; two names of one file count once."""
    photos = with_better(tmp_path, index)
    size = (photos / OLD).stat().st_size
    os.link(photos / OLD, photos / "train/cat/again.jpg")
    index.update(photos, jobs=0)

    assert index.plan_upgrades(index.upgrades(jobs=0)).bytes == size
    assert index.plan_rejection(photos / OLD, photos / "train/cat/again.jpg", reason="blurred").bytes == size


def test_purge_counts_what_lies_in_the_quarantine_alone(tmp_path: Path, index: Index) -> None:
    """The better one takes no space there."""
    photos = with_better(tmp_path, index)
    size = (photos / OLD).stat().st_size
    upgraded(index)

    assert index.status().quarantined_bytes == size
    assert index.purge(0, keep_bytes=size).moved == ()


@pytest.mark.parametrize("folder", ["", "train/cat/"])
def test_the_index_notices_an_undo_without_it(tmp_path: Path, index: Index, folder: str) -> None:
    """Also when the old one has its former name again, right in the root."""
    photos = tmp_path / "data/photos"
    put(photos / f"{folder}1.jpg", shrunk(2))
    came(index, photos)
    put(photos / BETTER, drawn(2))
    came(index, photos)
    done = upgraded(index)
    run(["undo", "--from-manifest", str(photos.parent / ".imgindex-quarantine")])
    index.update(photos, jobs=0)

    assert {entry.state for entry in index.journalled(done.run_id or 0)} == {"restored"}
    with pytest.raises(UsageError, match="nothing to bring back"):
        index.undo()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures and captions that were opened."""
    names: list[str] = []
    real = os.open

    def noting(path: str, *arguments: int, **options: int) -> int:
        if isinstance(path, str) and path.endswith((".jpg", ".png", ".txt")):
            names.append(os.path.basename(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", noting)
    return names


def settled(index: Index, photos: Path) -> None:
    """Runs until nothing is fresh any more."""
    index.update(photos, jobs=0)
    settle(index)


@pytest.mark.parametrize(
    ("form", "taken"),
    [
        pytest.param("JPEG", [], id="same names"),
        pytest.param("PNG", [], id="other endings"),
        pytest.param("JPEG", ["larger"], id="a larger file lies where the better one came from"),
        pytest.param("JPEG", ["as large"], id="a file as large lies there"),
        pytest.param("PNG", ["larger", "as large"], id="both, and other endings"),
    ],
)
def test_runs_after_upgrades_open_nothing(
    tmp_path: Path, index: Index, opened: list[str], form: str, taken: list[str]
) -> None:
    """Neither better pictures nor captions that were renamed, as often as it is asked whether they came back."""
    photos = with_better(tmp_path, index, form=form, numbers=(0, 2))
    for path in ("scrape/x.txt", "scrape/y.txt"):
        (photos / path).write_text("a cat")
    for path in photos.glob("train/cat/*.jpg"):
        path.with_name(f"{path.name}.txt").write_text("named after the whole name")
    came(index, photos)
    better = sorted(photos.glob("scrape/*.[jp][pn]g"))
    sizes = [path.stat().st_size for path in better]
    assert len(upgraded(index).moved) == 2
    for path, size, kind in zip(better, sizes, taken, strict=False):
        path.write_bytes(b"x" * (size if kind == "as large" else size + 1))
    settled(index, photos)
    opened.clear()

    index.update(photos, jobs=0)

    assert opened == []


def test_the_first_run_after_an_upgrade_digests_what_moved_once(
    tmp_path: Path, index: Index, opened: list[str]
) -> None:
    """Its change time is fresh: it could have been rewritten since. It is not decoded."""
    photos = with_better(tmp_path, index)
    upgraded(index)
    opened.clear()

    report = index.update(photos, jobs=0)

    assert (opened, report.reread, report.decoded, report.new) == (["1.jpg"], 1, 0, 0)


@pytest.mark.parametrize("by", ["journal", "manifest"])
def test_a_caption_that_two_upgrades_renamed_goes_back_as_it_came(tmp_path: Path, index: Index, by: str) -> None:
    """The second gives it the name that it had before the first; a run meanwhile does not take it for brought back."""
    photos = tmp_path / "data/photos"
    put(photos / OLD, shrunk(0, 0.3))
    (photos / f"{OLD}.txt").write_text("a cat")
    came(index, photos)
    put(photos / "scrape/x.png", shrunk(0, 0.6), "PNG")
    came(index, photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0, enlarged=True)))
    put(photos / "scrape/y.jpg", drawn(0))
    came(index, photos)
    before = tree(photos)
    again = index.carry_out(index.plan_upgrades(index.upgrades(jobs=0, enlarged=True)))
    index.update(photos, jobs=0)
    assert sorted(tree(photos)) == [OLD, f"{OLD}.txt"]

    if by == "journal":
        index.undo(again.run_id)
        assert tree(photos) == before
        index.undo()
    else:
        run(["undo", "--from-manifest", str(photos.parent / ".imgindex-quarantine")])

    assert sorted(tree(photos)) == ["scrape/x.png", "scrape/y.jpg", OLD, f"{OLD}.txt"]


@pytest.mark.parametrize("path", ["../../outside.jpg", "/outside.jpg", "train/../../x.jpg", ""])
def test_a_manifest_names_no_place_outside(
    tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    """A line that does is damaged, and nothing moves."""
    photos = with_better(tmp_path, index)
    upgraded(index)
    (manifest,) = photos.parent.glob(".imgindex-quarantine/*/manifest.jsonl")
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    lines[-1]["payload"] = path
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = tree(tmp_path / "data")
    code = run(["undo", "--from-manifest", str(manifest)])

    assert code == 4
    assert "damaged" in capsys.readouterr().err
    assert tree(tmp_path / "data") == before
