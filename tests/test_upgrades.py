"""Better versions: what counts as one, what it takes to put it in place, and the way back."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from checking import across, left_over, payloads
from PIL import Image
from support import tree
from upgrading import BETTER, OLD, came, put, shrunk, with_better

from indexer import Index, better, sharpness, transfer
from indexer.better import ENLARGED, UNKNOWN
from indexer.drawing import drawn
from indexer.entry import run
from indexer.errors import SafetyError
from indexer.plans import Upgrade


def names(found: tuple[Upgrade, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Old path, new path and what speaks against each upgrade."""
    return [(one.move.surplus.member.path, one.move.keeper.path, one.problems) for one in found]


def content(photos: Path, path: str) -> bytes:
    """The bytes of a file of a tree."""
    return (photos / path).read_bytes()


# --- what is a better version


def test_a_larger_copy_that_came_later_is_a_better_version(tmp_path: Path, index: Index) -> None:
    """The same picture with more pixels; it takes the old one's place and name."""
    photos = with_better(tmp_path, index)
    found = index.upgrades(jobs=0)

    assert names(found) == [(OLD, BETTER, ())]
    assert found[0].target == str(photos / OLD)


def test_a_smaller_copy_that_came_later_is_none(tmp_path: Path, index: Index) -> None:
    """Nor is one of as many pixels in another format."""
    photos = tmp_path / "photos"
    put(photos / "a/1.jpg", drawn(0))
    came(index, photos)
    put(photos / "b/1.jpg", shrunk(0))
    put(photos / "b/1.png", drawn(0), "PNG")
    came(index, photos)

    assert index.upgrades(jobs=0) == ()


def test_a_larger_copy_that_was_there_first_is_none(tmp_path: Path, index: Index) -> None:
    """What came later is smaller, whatever the paths and dates say."""
    photos = tmp_path / "photos"
    put(photos / "z/1.jpg", drawn(0))
    came(index, photos)
    put(photos / "a/1.jpg", shrunk(0))
    came(index, photos)

    assert index.upgrades(jobs=0) == ()


def test_a_larger_copy_of_the_same_run_is_none(tmp_path: Path, index: Index) -> None:
    """What came together has no old one; prune keeps the larger."""
    photos = tmp_path / "photos"
    put(photos / OLD, shrunk(0))
    put(photos / BETTER, drawn(0))
    came(index, photos)

    assert index.upgrades(jobs=0) == ()
    assert [move.surplus.member.path for move in index.plan(on_conflict="prune").moves] == [OLD]


def test_a_file_that_was_renamed_is_as_old_as_before(tmp_path: Path, index: Index) -> None:
    """Also beside a byte copy that came between: the first is upgraded under its new name."""
    photos = with_better(tmp_path, index)
    (photos / "train/cat/first.jpg").write_bytes(content(photos, OLD))
    came(index, photos)
    (photos / OLD).rename(photos / "train/cat/renamed.jpg")
    came(index, photos)

    assert names(index.upgrades(jobs=0)) == [("train/cat/renamed.jpg", BETTER, ())]


def test_of_several_better_versions_the_largest_is_taken(tmp_path: Path, index: Index) -> None:
    """Its byte copies, and the smaller ones, are surplus for prune."""
    photos = tmp_path / "photos"
    put(photos / OLD, shrunk(2, 0.4))
    came(index, photos)
    put(photos / "scrape/a.jpg", shrunk(2, 0.7))
    put(photos / "scrape/b.jpg", drawn(2))
    put(photos / "scrape/c.jpg", drawn(2))
    came(index, photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))

    assert sorted(tree(photos)) == ["scrape/a.jpg", "scrape/c.jpg", OLD]
    assert index.upgrades(jobs=0) == ()
    groups = index.groups()
    assert {surplus.member.path for surplus in groups[0].surplus} | {groups[0].keeper.path} == set(tree(photos))


def test_one_file_of_a_picture_is_upgraded(tmp_path: Path, index: Index) -> None:
    """That which the index knew first; its copies are surplus."""
    photos = tmp_path / "photos"
    put(photos / "b/1.jpg", shrunk(0))
    came(index, photos)
    put(photos / "a/1.jpg", shrunk(0))
    put(photos / BETTER, drawn(0))
    came(index, photos)

    assert names(index.upgrades(jobs=0)) == [("b/1.jpg", BETTER, ())]


def test_a_better_version_of_a_lesser_copy_is_none(tmp_path: Path, index: Index) -> None:
    """While the picture that was there first is larger than both."""
    photos = tmp_path / "photos"
    for number, share in enumerate((1.0, 0.4, 0.7)):
        put(photos / f"{number}/1.jpg", shrunk(0, share))
        came(index, photos)

    assert index.upgrades(jobs=0) == ()


def test_a_squeezed_version_is_none(tmp_path: Path, index: Index) -> None:
    """More pixels, but another shape."""
    photos = tmp_path / "photos"
    put(photos / OLD, shrunk(0))
    came(index, photos)
    side = max(drawn(0).size)
    put(photos / BETTER, drawn(0).resize((side, side)))
    came(index, photos)

    assert index.groups()
    assert index.upgrades(jobs=0) == ()


@pytest.mark.parametrize(
    ("wishes", "left"),
    [
        pytest.param({"protect": ["train"]}, 0, id="the old one is protected"),
        pytest.param({"protect": ["scrape"]}, 0, id="the better one is protected"),
        pytest.param({"only_if_in": ["scrape"]}, 1, id="the better one lies where it must"),
        pytest.param({"only_if_in": ["train"]}, 0, id="the better one lies elsewhere"),
        pytest.param({"within": ["train"]}, 0, id="not in one folder"),
        pytest.param({"within": ["train", "scrape"]}, 0, id="in two folders of their own"),
        pytest.param({"within": ["."]}, 1, id="in one folder"),
        pytest.param({"across": ["train", "scrape"]}, 1, id="across two"),
        pytest.param({"across": ["train/cat", "train"]}, 0, id="not across these two"),
    ],
)
def test_rules_of_places_hold(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch, wishes: dict[str, list[str]], left: int
) -> None:
    """As for prune: the old one is what would go, the better one what stands for it."""
    monkeypatch.chdir(with_better(tmp_path, index))

    assert len(index.upgrades(jobs=0, **wishes)) == left


@pytest.mark.parametrize(("path", "left"), [("scrape", 1), ("train/cat", 1), (OLD, 1), ("other", 0)])
def test_paths_choose_by_either_end(tmp_path: Path, index: Index, path: str, left: int) -> None:
    """An upgrade counts when its old or its better file lies there."""
    photos = with_better(tmp_path, index)
    (photos / "other").mkdir()

    assert len(index.upgrades(photos / path, jobs=0)) == left


# --- what was only enlarged


@pytest.mark.parametrize("jobs", [0, 1])
def test_what_was_only_enlarged_is_left_alone(tmp_path: Path, index: Index, jobs: int) -> None:
    """It has more pixels and shows no more; the user may want it all the same."""
    photos = tmp_path / "photos"
    old = put(photos / OLD, shrunk(2))
    came(index, photos)
    with Image.open(old) as picture:
        put(photos / BETTER, picture.resize(drawn(2).size, Image.Resampling.LANCZOS))
    came(index, photos)

    assert names(index.upgrades(jobs=jobs)) == [(OLD, BETTER, (ENLARGED,))]
    assert names(index.upgrades(jobs=jobs, enlarged=True)) == [(OLD, BETTER, ())]


def test_the_largest_that_was_not_only_enlarged_is_taken(tmp_path: Path, index: Index) -> None:
    """Though an enlarged one has more pixels."""
    photos = tmp_path / "photos"
    old = put(photos / OLD, shrunk(2, 0.3))
    came(index, photos)
    with Image.open(old) as picture:
        put(photos / "scrape/x.jpg", picture.resize(drawn(2).size, Image.Resampling.LANCZOS))
    put(photos / "scrape/y.jpg", shrunk(2, 0.8))
    came(index, photos)

    assert names(index.upgrades(jobs=0)) == [(OLD, "scrape/y.jpg", ())]


@pytest.mark.parametrize("now", ["no picture", "another picture"])
def test_a_better_one_that_cannot_be_looked_at_is_left_alone(tmp_path: Path, index: Index, now: str) -> None:
    """Nobody can tell then what it shows."""
    photos = with_better(tmp_path, index)
    if now == "no picture":
        (photos / BETTER).write_bytes(b"something else")
    else:
        put(photos / BETTER, drawn(2))

    assert names(index.upgrades(jobs=0)) == [(OLD, BETTER, (UNKNOWN,))]


@pytest.mark.parametrize("folder", ["photos_caltech_pairs", "photos_clothing"])
def test_real_photos_are_told_from_enlarged_ones(data: Path, folder: str) -> None:
    """Twenty photos at half the size: all of the true larger ones are taken, none of those that were enlarged."""
    judged = []
    for path in sorted((data / folder).rglob("*.jp*g"))[:200:10]:
        with Image.open(path) as picture:
            full = picture.convert("L")
        small = full.resize((full.width // 2, full.height // 2), Image.Resampling.LANCZOS)
        enlarged = small.resize(full.size, Image.Resampling.BICUBIC)
        judged.append([better.is_only_enlarged(0.5, sharpness.gain(small, one)) for one in (full, enlarged)])

    assert judged == [[False, True]] * len(judged)


# --- what is done


def test_an_upgrade_puts_the_better_one_in_place(tmp_path: Path, index: Index) -> None:
    """Under the old name, with the old caption, in its class and split; the old one lies in the quarantine."""
    photos = with_better(tmp_path, index, caption="a cat\n")
    old, better = content(photos, OLD), content(photos, BETTER)
    modified = (photos / BETTER).stat().st_mtime_ns
    done = index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))

    assert [moved.path for moved in done.moved] == [str(photos / OLD)]
    assert sorted(tree(photos)) == [OLD, "train/cat/1.txt"]
    assert content(photos, OLD) == better
    assert (photos / OLD).stat().st_mtime_ns == modified
    assert content(photos, "train/cat/1.txt") == b"a cat\n"
    assert [payload.read_bytes() for payload in payloads(photos)] == [old]
    assert index.history(1)[0].command == "upgrades"


def test_another_format_keeps_its_own_ending(tmp_path: Path, index: Index) -> None:
    """The stem is the old one's, so that the caption stays its caption."""
    photos = with_better(tmp_path, index, form="PNG", caption="a cat\n")
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))

    assert sorted(tree(photos)) == ["train/cat/1.png", "train/cat/1.txt"]


def test_the_index_needs_no_new_look(tmp_path: Path, index: Index) -> None:
    """The rows are right at once; a run after it finds nothing new or gone and decodes nothing."""
    photos = with_better(tmp_path, index, form="PNG")
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    with contextlib.closing(sqlite3.connect(index.path)) as db:
        rows = db.execute(
            "SELECT path, name, digest FROM file JOIN folder ON folder.id = folder_id JOIN content"
        ).fetchall()
    status = (photos / "train/cat/1.png").stat()
    with contextlib.closing(sqlite3.connect(index.path)) as db:
        stamps = db.execute("SELECT size, mtime_ns, ctime_ns, inode FROM file").fetchall()
    report = index.update(photos, jobs=0)

    assert {row[:2] for row in rows} == {("train/cat", "1.png")}
    assert stamps == [(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)]
    assert (report.files, report.new, report.changed, report.moved, report.gone, report.decoded) == (1, 0, 0, 0, 0, 0)
    assert index.verify_quarantine() == (1, ())


def test_undo_is_exact(tmp_path: Path, index: Index) -> None:
    """Both files are where they were, with their captions, and the same upgrades are found again."""
    photos = with_better(tmp_path, index, form="PNG", numbers=(0, 1, 4), caption="a cat\n")
    (photos / "scrape/y.txt").write_text("a cat\n")
    (photos / "scrape/y.json").write_text("{}")
    before, found = tree(photos), names(index.upgrades(jobs=0))
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    between = tree(photos)
    index.undo()

    assert len(found) == 3
    assert "train/cat/2.json" in between
    assert tree(photos) == before
    assert names(index.upgrades(jobs=0)) == found
    report = index.update(photos, jobs=0)
    assert (report.new, report.changed, report.gone, report.decoded) == (0, 0, 0, 0)
    assert index.verify_quarantine() == (0, ())


def test_undo_without_the_database_is_exact(tmp_path: Path, index: Index) -> None:
    """By the manifests alone, also a second time; and the index notices."""
    photos = with_better(tmp_path, index, numbers=(0, 1), caption="a cat\n")
    before = tree(photos)
    done = index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    quarantine = photos.parent / ".imgindex-quarantine"
    first = run(["undo", "--from-manifest", str(quarantine)])
    second = run(["undo", "--from-manifest", str(quarantine)])

    assert (first, second) == (0, 0)
    assert tree(photos) == before
    index.update(photos, jobs=0)
    assert {entry.state for entry in index.journalled(done.run_id or 0)} == {"restored"}


def test_data_that_moved_with_its_quarantine_is_undone_where_it_is(tmp_path: Path, index: Index) -> None:
    """By the manifests; the place that they were written in is left alone."""
    photos = with_better(tmp_path, index)
    before = tree(photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    upgraded = tree(photos)
    moved = tmp_path / "elsewhere"
    shutil.copytree(photos.parent, moved)
    code = run(["undo", "--from-manifest", str(moved / ".imgindex-quarantine")])

    assert code == 0
    assert tree(moved / "photos") == before
    assert tree(photos) == upgraded


def test_a_root_that_moved_is_undone_where_it_is(tmp_path: Path, index: Index) -> None:
    """The journal follows `root move`."""
    photos = with_better(tmp_path, index)
    before = tree(photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    photos.parent.rename(tmp_path / "elsewhere")
    index.move_root(photos, tmp_path / "elsewhere/photos")
    index.undo()

    assert tree(tmp_path / "elsewhere/photos") == before


def test_purge_deletes_the_old_one_and_nothing_else(tmp_path: Path, index: Index) -> None:
    """The better one stands for it; after that, there is nothing to take back."""
    photos = with_better(tmp_path, index)
    done = index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    upgraded = tree(photos)
    index.purge(0, dry_run=False)

    assert tree(photos) == upgraded
    assert payloads(photos) == []
    assert {entry.state for entry in index.journalled(done.run_id or 0)} == {"purged"}
    assert index.forget_root(photos) == 1


def test_roots_of_their_own(tmp_path: Path, index: Index) -> None:
    """The old one lies in one root, the better one in another."""
    train, scrape = tmp_path / "one/train", tmp_path / "two/scrape"
    put(train / "1.jpg", shrunk(0))
    came(index, train)
    put(scrape / "x.jpg", drawn(0))
    came(index, scrape)
    before = tree(train), tree(scrape)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)), max_share=1)
    report = index.update(train, scrape, jobs=0)
    upgraded = sorted(tree(train)), sorted(tree(scrape))
    index.undo()

    assert (report.files, report.new, report.gone) == (1, 0, 0)
    assert upgraded == (["1.jpg"], [])
    assert (tree(train), tree(scrape)) == before


def test_another_file_system_between_the_two(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """The better one is copied and verified, there and back."""
    photos = with_better(tmp_path, index, caption="a cat\n")
    before = tree(photos)
    monkeypatch.setattr(transfer, "rename_no_replace", across)
    done = index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    upgraded = sorted(tree(photos))
    report = index.update(photos, jobs=0)
    index.undo()

    assert len(done.moved) == 1
    assert upgraded == [OLD, "train/cat/1.txt"]
    assert (report.new, report.gone) == (0, 0)
    assert tree(photos) == before
    assert left_over(tmp_path) == []


# --- labels


def better_with(photos: Path, name: str, text: str) -> None:
    """A sidecar beside the better picture."""
    (photos / "scrape" / name).write_text(text)


def test_equal_captions_of_the_better_one_go_into_the_quarantine(tmp_path: Path, index: Index) -> None:
    """What it says is said already."""
    photos = with_better(tmp_path, index, caption="a cat\n")
    better_with(photos, "x.txt", "a cat\n\n")
    before = tree(photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    upgraded = tree(photos)
    index.undo()

    assert sorted(upgraded) == [OLD, "train/cat/1.txt"]
    assert upgraded["train/cat/1.txt"][0] == b"a cat\n"
    assert tree(photos) == before


def test_captions_that_the_old_one_lacks_come_along(tmp_path: Path, index: Index) -> None:
    """Under its name."""
    photos = with_better(tmp_path, index, form="PNG")
    better_with(photos, "x.txt", "a cat\n")
    better_with(photos, "x.png.xmp", "<x/>")
    before = tree(photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    upgraded = tree(photos)
    index.undo()

    assert {path: file[0] for path, file in upgraded.items() if not path.endswith(".png")} == {
        "train/cat/1.txt": b"a cat\n",
        "train/cat/1.png.xmp": b"<x/>",
    }
    assert tree(photos) == before


def test_captions_that_bear_the_whole_name_get_the_new_one(tmp_path: Path, index: Index) -> None:
    """`1.jpg.txt` becomes `1.png.txt`."""
    photos = with_better(tmp_path, index, form="PNG")
    (photos / "train/cat/1.jpg.txt").write_text("a cat\n")
    before = tree(photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    upgraded = sorted(tree(photos))
    index.undo()

    assert upgraded == ["train/cat/1.png", "train/cat/1.png.txt"]
    assert tree(photos) == before


def test_labels_of_yolo_stay(tmp_path: Path, index: Index) -> None:
    """They count in shares of the picture; those of the better one come along when the old one has none."""
    photos = tmp_path / "photos"
    put(photos / "images/train/1.jpg", shrunk(0))
    put(photos / "images/train/2.jpg", shrunk(1))
    (photos / "labels/train").mkdir(parents=True)
    (photos / "labels/train/1.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    came(index, photos)
    put(photos / "images/new/x.jpg", drawn(0))
    put(photos / "images/new/y.jpg", drawn(1))
    (photos / "labels/new").mkdir()
    (photos / "labels/new/y.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    came(index, photos)
    before = tree(photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    upgraded = tree(photos)
    index.undo()

    assert sorted(upgraded) == [
        "images/train/1.jpg",
        "images/train/2.jpg",
        "labels/train/1.txt",
        "labels/train/2.txt",
    ]
    assert upgraded["labels/train/2.txt"][0] == b"1 0.5 0.5 0.2 0.2\n"
    assert tree(photos) == before


def conflict(tmp_path: Path, index: Index, photos: Path, **wishes: bool) -> tuple[str, ...]:
    """What speaks against the only upgrade; nothing changes when it is asked for all the same."""
    (found,) = index.upgrades(jobs=0, **wishes)
    before = tree(photos)
    done = index.carry_out(index.plan_upgrades([found]))

    assert [refused.reason for refused in done.refused] == ["; ".join(found.problems)]
    assert done.moved == ()
    assert tree(photos) == before
    return found.problems


def test_captions_that_differ_are_a_conflict(tmp_path: Path, index: Index) -> None:
    """One of the two is wrong, or says what the other lacks."""
    photos = with_better(tmp_path, index, caption="a cat\n")
    better_with(photos, "x.txt", "a dog\n")

    assert conflict(tmp_path, index, photos) == ("the better one's .txt differs",)


def test_another_class_is_a_conflict_another_split_is_none(tmp_path: Path, index: Index) -> None:
    """A picture that came in `dog` is not put into `cat`."""
    photos = tmp_path / "photos"
    put(photos / "train/cat/1.jpg", shrunk(0))
    put(photos / "train/cat/2.jpg", shrunk(1))
    came(index, photos)
    put(photos / "val/dog/1.jpg", drawn(0))
    put(photos / "val/cat/2.jpg", drawn(1))
    came(index, photos)

    assert names(index.upgrades(jobs=0)) == [
        ("train/cat/1.jpg", "val/dog/1.jpg", ("class 'dog' instead of 'cat'",)),
        ("train/cat/2.jpg", "val/cat/2.jpg", ()),
    ]
    assert [one.problems for one in index.upgrades(jobs=0, class_folders=False)] == [(), ()]


@pytest.mark.parametrize("ending", [".xml", ".json", ".npz"])
def test_labels_that_may_count_in_pixels_are_left_alone(tmp_path: Path, index: Index, ending: str) -> None:
    """They would mean another place in a larger picture; the user may know better."""
    photos = with_better(tmp_path, index)
    (photos / OLD).with_suffix(ending).write_text("{}")
    problem = f"its {ending} may count in pixels, which would be wrong for a larger picture"

    assert conflict(tmp_path, index, photos) == (problem,)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0, keep_labels=True)))
    assert sorted(tree(photos)) == sorted([OLD, str(Path(OLD).with_suffix(ending))])


def test_a_caption_that_is_a_link_is_a_conflict(tmp_path: Path, index: Index) -> None:
    """Nobody can say what it says."""
    photos = with_better(tmp_path, index)
    (photos / "scrape/x.txt").symlink_to(tmp_path / "nowhere")

    assert conflict(tmp_path, index, photos) == ("the better one's .txt is a link, or cannot be read",)


def test_a_caption_of_several_pictures_stays_with_them(tmp_path: Path, index: Index) -> None:
    """It is a conflict when the old one lacks it, and stays where it is when the old one has it."""
    photos = with_better(tmp_path, index)
    shutil.copy2(photos / "scrape/x.jpg", photos / "scrape/x.cr2")
    better_with(photos, "x.txt", "a cat\n")

    assert conflict(tmp_path, index, photos) == ("the better one's .txt belongs to other files, too",)
    (photos / "train/cat/1.txt").write_text("a cat\n")
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    assert sorted(tree(photos)) == ["scrape/x.cr2", "scrape/x.txt", OLD, "train/cat/1.txt"]


def test_a_caption_of_both_stays(tmp_path: Path, index: Index) -> None:
    """Old and better one lie side by side and share a stem."""
    photos = tmp_path / "photos"
    put(photos / "a/1.jpg", shrunk(0), caption="a cat\n")
    came(index, photos)
    put(photos / "a/1.png", drawn(0), "PNG")
    came(index, photos)
    before = tree(photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    upgraded = sorted(tree(photos))
    index.undo()

    assert upgraded == ["a/1.png", "a/1.txt"]
    assert tree(photos) == before


def test_protected_labels_are_a_conflict(tmp_path: Path, index: Index) -> None:
    """They cannot come along."""
    photos = with_better(tmp_path, index)
    better_with(photos, "x.txt", "a cat\n")
    (found,) = index.upgrades(jobs=0, protect=[photos / "scrape/*.txt"])

    assert found.problems == (f"'{photos}/scrape/x.txt' is protected",)


# --- names


def test_an_occupied_name_is_left_alone(tmp_path: Path, index: Index) -> None:
    """Whatever lies there, a link that leads nowhere included."""
    photos = with_better(tmp_path, index, form="PNG")
    (photos / "train/cat/1.png").symlink_to(tmp_path / "nowhere")

    assert conflict(tmp_path, index, photos) == (f"another file lies at '{photos}/train/cat/1.png'",)


def test_a_name_that_is_taken_at_the_last_moment_is_left_alone(tmp_path: Path, index: Index) -> None:
    """The old one is put back, and the newcomer stays."""
    photos = with_better(tmp_path, index, form="PNG", caption="a cat\n")
    better_with(photos, "x.txt", "a cat\n")
    found = index.upgrades(jobs=0)
    (photos / "train/cat/1.png").write_bytes(b"a newcomer")
    before = tree(photos)
    done = index.carry_out(index.plan_upgrades(found))

    assert [refused.reason for refused in done.refused] == [
        f"'scrape/x.png': another file lies at '{photos}/train/cat/1.png'"
    ]
    assert tree(photos) == before
    assert index.verify_quarantine() == (0, ())
    assert index.recover().settled == 0


def test_a_better_one_that_changed_is_left_alone(tmp_path: Path, index: Index) -> None:
    """It is read once more before anything moves."""
    photos = with_better(tmp_path, index)
    found = index.upgrades(jobs=0)
    (photos / BETTER).write_bytes(b"something else")
    before = tree(photos)
    done = index.carry_out(index.plan_upgrades(found))

    assert [refused.reason for refused in done.refused] == ["its keeper changed since it was indexed"]
    assert tree(photos) == before


def test_a_caption_that_changed_is_not_brought_along(tmp_path: Path, index: Index) -> None:
    """Nor is its picture."""
    photos = with_better(tmp_path, index)
    better_with(photos, "x.txt", "a cat\n")
    found = index.upgrades(jobs=0)
    better_with(photos, "x.txt", "a dog\n")
    before = tree(photos)
    done = index.carry_out(index.plan_upgrades(found))

    assert [refused.reason for refused in done.refused] == [
        f"its sidecar '{photos}/scrape/x.txt' changed since the plan was made"
    ]
    assert tree(photos) == before


def test_a_name_without_ending_is_left_alone(tmp_path: Path, index: Index) -> None:
    """Nobody would take the file for a picture any more."""
    photos = tmp_path / "photos"
    put(photos / OLD, shrunk(0))
    came(index, photos)
    put(photos / "scrape/x", drawn(0), "PNG")
    index.update(photos, all_files=True, jobs=0)

    assert conflict(tmp_path, index, photos) == ("the better one's name has no ending",)


def test_names_that_are_not_utf8(tmp_path: Path, index: Index) -> None:
    """They are bytes, in the journal and the manifest too."""
    photos = tmp_path / "photos"
    put(photos / "a" / os.fsdecode(b"caf\xe9.jpg"), shrunk(0))
    came(index, photos)
    put(photos / os.fsdecode(b"\xff") / os.fsdecode(b"th\xe9.png"), drawn(0), "PNG")
    came(index, photos)
    before = tree(photos)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    upgraded = sorted(tree(photos))
    index.undo()

    assert upgraded == [os.fsdecode(b"a/caf\xe9.png")]
    assert tree(photos) == before


# --- undo that cannot be whole


def test_undo_keeps_both_when_the_better_ones_place_is_taken(tmp_path: Path, index: Index) -> None:
    """Nothing is overwritten, and nothing is left half-way."""
    photos = with_better(tmp_path, index)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    (photos / BETTER).write_bytes(b"a newcomer")
    upgraded = tree(photos)
    done = index.undo()

    assert done.moved == ()
    assert {refused.path for refused in done.refused} == {str(photos / OLD), str(photos / BETTER)}
    assert tree(photos) == upgraded
    (photos / BETTER).unlink()
    assert len(index.undo().moved) == 1


@pytest.mark.parametrize("change", ["old place taken", "payload altered", "caption altered", "better altered"])
def test_undo_is_whole_or_not_at_all(tmp_path: Path, index: Index, change: str) -> None:
    """The better one stays where it is while anything of what was done with it cannot be taken back."""
    photos = with_better(tmp_path, index, form="PNG")
    better_with(photos, "x.txt", "a cat\n")
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    path = {
        "old place taken": photos / OLD,
        "payload altered": payloads(photos)[0],
        "caption altered": photos / "train/cat/1.txt",
        "better altered": photos / "train/cat/1.png",
    }[change]
    path.write_bytes(b"something else")
    upgraded = tree(photos)
    done = index.undo()

    assert done.moved == ()
    assert tree(photos) == upgraded


def test_undo_brings_the_old_one_back_when_the_better_one_is_gone(tmp_path: Path, index: Index) -> None:
    """Nothing is in its way then."""
    photos = with_better(tmp_path, index)
    old = content(photos, OLD)
    index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)))
    (photos / OLD).unlink()
    done = index.undo()

    assert len(done.moved) == 1
    assert content(photos, OLD) == old
    assert [refused.path for refused in done.refused] == [str(photos / BETTER)]


def test_limits_hold(tmp_path: Path, index: Index) -> None:
    """They count the pictures that are replaced."""
    photos = with_better(tmp_path, index, numbers=(0, 1))
    before = tree(photos)
    with pytest.raises(SafetyError, match="more than --max-files 1"):
        index.carry_out(index.plan_upgrades(index.upgrades(jobs=0)), max_files=1)

    assert tree(photos) == before


# --- the command


def ran(capsys: pytest.CaptureFixture[str], index: Index, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    code = run([*words, "--db", index.path])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_dry_run_shows_and_changes_nothing(
    tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block an upgrade, the same with `--yes --dry-run`."""
    photos = with_better(tmp_path, index, form="PNG")
    monkeypatch.chdir(photos)
    before = tree(photos)
    code, out, _err = ran(capsys, index, "upgrades")

    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["old", "160×140", "7.1", "kB", OLD],
        ["better", "320×280", *out.splitlines()[1].split()[2:4], "scrape/x.png", "(same", "picture,", "3", "bits)"],
        ["becomes", "train/cat/1.png"],
        [],
        ["1", "better", "version."],
        [
            "Nothing",
            "was",
            "moved.",
            "To",
            "put",
            "the",
            "better",
            "versions",
            "in",
            "their",
            "places,",
            "add",
            "--yes",
        ],
    ]
    assert ran(capsys, index, "upgrades", "--yes", "--dry-run")[:2] == (code, out)
    assert tree(photos) == before


def test_yes_does_it_and_says_how_to_take_it_back(
    tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """And `undo` does."""
    photos = with_better(tmp_path, index)
    before = tree(photos)
    code, out, err = ran(capsys, index, "upgrades", "--yes")
    upgraded = sorted(tree(photos))
    ran(capsys, index, "undo")

    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "To take it back: imgindex undo 3. To free the space: imgindex purge"
    assert upgraded == [OLD]
    assert tree(photos) == before


def test_json_has_an_object_an_upgrade_and_one_for_what_was_done(
    tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the documented keys; a conflict makes the exit code 3."""
    photos = with_better(tmp_path, index, numbers=(0, 1), caption="a cat\n")
    better_with(photos, "y.txt", "a dog\n")
    better_with(photos, "x.txt", "a cat\n")
    code, out, err = ran(capsys, index, "upgrades", "--yes", "--json", "--quiet")
    first, second, done = map(json.loads, out.splitlines())

    assert code == 3
    assert first == {
        "old": {"path": str(photos / OLD), "width": 160, "height": 140, "bytes": first["old"]["bytes"]},
        "better": {"path": str(photos / BETTER), "width": 320, "height": 280, "bytes": first["better"]["bytes"]},
        "becomes": str(photos / OLD),
        "kind": "same",
        "bits": first["bits"],
        "evidence": "files",
        "sidecars": [str(photos / "scrape/x.txt")],
        "renames": [],
        "problems": [],
    }
    assert second["problems"] == ["the better one's .txt differs"]
    assert (done["moved"], done["sidecars"], [one["path"] for one in done["refused"]]) == (
        1,
        1,
        [str(photos / "train/cat/2.jpg")],
    )
    assert "left alone" in err


def test_nothing_to_do_is_no_failure(photos: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0."""
    index.update(photos, jobs=0)

    assert ran(capsys, index, "upgrades", "--yes") == (0, "No better versions.\n", "")
    assert ran(capsys, index, "upgrades", "--quiet") == (0, "", "")
