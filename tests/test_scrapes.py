"""What scrapes brought, told by real folders: each outcome, what was interrupted, moved, pruned, and which run is meant."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageOps
from support import aged, migrated, settle

from indexer import Index
from indexer.brought import Brought
from indexer.drawing import drawn, encoded
from indexer.errors import UsageError

SEED = 23
"""Of a picture with detail everywhere, which no turn or mirror makes like itself."""
HELD = 5
"""Files that hold pictures from the beginning, besides the picture of the seed."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of six pictures, one of which lies at `base.png`."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(HELD):
        put(folder / f"{number}.jpg", drawn(number))
    put(folder / "base.png", drawn(SEED))
    return folder


def put(path: Path, picture: Image.Image, **options: object) -> Path:
    """A picture in a file that has been there for a while."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture, {"png": "PNG", "webp": "WEBP"}.get(path.suffix[1:], "JPEG"), **options))
    return aged(path)


def resized(picture: Image.Image, share: float) -> Image.Image:
    """A picture in another size."""
    return picture.resize((round(picture.width * share), round(picture.height * share)), Image.Resampling.BICUBIC)


def marked(picture: Image.Image) -> Image.Image:
    """A picture with a red rectangle on it."""
    copy, (width, height) = picture.copy(), picture.size
    ImageDraw.Draw(copy).rectangle((width // 3, height // 2, width // 3 + width // 4, height // 2 + height // 5), "red")
    return copy


def told(index: Index, which: str | int = "last") -> dict[str, tuple[str, str | None]]:
    """The outcome of each file that came, by name, and the name of the file that it is known as."""
    return {
        os.path.basename(one.path): (str(one.outcome), one.known_as and os.path.basename(one.known_as))
        for one in index.arrivals(which)
    }


def execute(index: Index, statement: str, *values: object) -> list[tuple[object, ...]]:
    """What a statement gives, or does, in the database."""
    with contextlib.closing(sqlite3.connect(index.path)) as db, db:
        return db.execute(statement, values).fetchall()


def reject(index: Index, name: str) -> None:
    """Notes that what a file holds should not be there."""
    statement = """
        INSERT INTO rejected SELECT digest, 'wrong', 1 FROM content JOIN file ON file.content_id = content.id WHERE name = ?
    """
    execute(index, statement, name)


def variants(folder: Path) -> dict[str, tuple[str, str | None]]:
    """Puts copies and versions of `base.png` and others into a folder; what each of them brings."""
    base, width = drawn(SEED), drawn(SEED).width
    shutil.copy2(folder / "base.png", folder / "copy.png")
    put(folder / "better.jpg", resized(base, 2))
    put(folder / "saved.webp", base)
    put(folder / "grey.jpg", base.convert("L"))
    put(folder / "mirrored.jpg", ImageOps.mirror(base))
    put(folder / "turned.jpg", base.transpose(Image.Transpose.ROTATE_90))
    put(folder / "marked.jpg", marked(base))
    put(folder / "new.jpg", drawn(40))
    put(folder / "new-too.jpg", resized(drawn(40), 0.5))
    aged(folder / "broken.jpg" if (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken") else folder)
    assert width < 400
    return {
        "copy.png": ("bytes", "base.png"),
        "better.jpg": ("better", "base.png"),
        "saved.webp": ("same", "base.png"),
        "grey.jpg": ("recoloured", "base.png"),
        "mirrored.jpg": ("flipped", "base.png"),
        "turned.jpg": ("rotated", "base.png"),
        "marked.jpg": ("edited", "base.png"),
        "new.jpg": ("new", None),
        "new-too.jpg": ("same", "new.jpg"),
        "broken.jpg": ("unreadable", None),
    }


# --- outcomes


@pytest.mark.parametrize("jobs", [0, 2])
def test_each_file_is_what_it_is_beside_what_was_there(photos: Path, index: Index, jobs: int) -> None:
    """Copies, versions, what is new and what cannot be read, however many workers looked at them."""
    index.update(photos, jobs=jobs)
    expected = variants(photos)

    report = index.update(photos, jobs=jobs)

    assert told(index) == expected
    assert report.new + report.changed == len(expected)


def test_first_run_brings_its_pictures(photos: Path, index: Index) -> None:
    """All are new, but for copies among them."""
    shutil.copy2(photos / "0.jpg", photos / "9.jpg")

    report = index.update(photos, jobs=0)

    found = told(index)
    assert found.pop("9.jpg") == ("bytes", "0.jpg")
    assert set(found.values()) == {("new", None)}
    assert len(found) + 1 == report.new


def test_deleted_pictures_that_come_back_were_seen(photos: Path, index: Index) -> None:
    """In the same bytes, and saved again; a copy that comes with one is a copy of it."""
    index.update(photos, jobs=0)
    settle(index)
    (photos / "base.png").unlink()
    (photos / "1.jpg").rename(photos.parent / "1.jpg")
    index.update(photos, jobs=0)
    put(photos / "back.jpg", drawn(SEED))
    shutil.copy2(photos.parent / "1.jpg", photos / "one.jpg")
    shutil.copy2(photos.parent / "1.jpg", photos / "one-more.jpg")

    index.update(photos, jobs=0)

    assert told(index) == {
        "back.jpg": ("seen", None),
        "one-more.jpg": ("seen", None),
        "one.jpg": ("bytes", "one-more.jpg"),
    }


def test_pruned_pictures_that_come_back_are_what_their_keeper_is(photos: Path, index: Index) -> None:
    """Their bytes are known, and the keeper shows the same picture; without the keeper they were seen."""
    small = put(photos / "small.jpg", resized(drawn(SEED), 0.5)).read_bytes()
    index.update(photos, jobs=0)
    settle(index)
    assert [os.path.basename(one.path) for one in index.carry_out(index.plan()).moved] == ["small.jpg"]
    (photos / "again.jpg").write_bytes(small)
    index.update(photos, jobs=0)
    assert told(index) == {"again.jpg": ("same", "base.png")}

    (photos / "again.jpg").unlink()
    (photos / "base.png").unlink()
    index.update(photos, jobs=0)
    (photos / "once-more.jpg").write_bytes(small)
    index.update(photos, jobs=0)

    assert told(index) == {"once-more.jpg": ("seen", None)}


def test_rejected_pictures_that_come_back_have_returned(photos: Path, index: Index) -> None:
    """In the same bytes, saved again and smaller; what only resembles them has not."""
    index.update(photos, jobs=0)
    settle(index)
    for name in ("base.png", "1.jpg"):
        reject(index, name)
        (photos / name).rename(photos.parent / name)
    index.update(photos, jobs=0)
    shutil.copy2(photos.parent / "1.jpg", photos / "one.jpg")
    put(photos / "small.jpg", resized(drawn(SEED), 0.5))
    put(photos / "marked.jpg", marked(drawn(SEED)))

    index.update(photos, jobs=0)

    assert told(index) == {"one.jpg": ("returned", None), "small.jpg": ("returned", None), "marked.jpg": ("new", None)}


def test_what_people_decided_outranks_what_is_seen(photos: Path, index: Index) -> None:
    """One that looks the same was judged different; one that does not was judged the same."""
    index.update(photos, jobs=0)
    twin, other = put(photos.parent / "twin.jpg", drawn(SEED)), put(photos.parent / "other.jpg", drawn(41))
    index.decide(twin, photos / "base.png", "different")
    index.decide(other, photos / "0.jpg", "same")
    for path in (twin, other):
        path.rename(photos / path.name)

    index.update(photos, jobs=0)

    assert told(index) == {"twin.jpg": ("new", None), "other.jpg": ("same", "0.jpg")}


def test_judgements_follow_copies_of_what_was_judged(tmp_path: Path, index: Index) -> None:
    """B and T were judged different, b is a copy of B, and what comes one of T: it is not known as b, which is larger."""
    folder = tmp_path / "photos"
    for name, seed, share in (("B", 0, 1), ("b", 1, 3), ("T", 2, 1)):
        put(folder / f"{name}.jpg", resized(drawn(seed), share))
    index.update(folder, jobs=0)
    index.decide(folder / "B.jpg", folder / "T.jpg", "different")
    put(folder / "came.jpg", drawn(3))
    index.update(folder, jobs=0)
    ids = dict(execute(index, "SELECT substr(name, 1, 1), content_id FROM file"))
    for ends, structure in (("cT", 1), ("cB", 5), ("Bb", 1), ("Tb", 3), ("cb", 2)):
        values = (*sorted(ids[end] for end in ends), structure)
        execute(index, "INSERT INTO match VALUES (?, ?, 'same', 2, 0, ?, 0, 1, 'files')", *values)
    rewind(index, "came.jpg")

    index.update(folder, jobs=0)

    assert told(index) == {"came.jpg": ("same", "T.jpg")}


def rewind(index: Index, name: str) -> None:
    """Has a new picture be judged once more by the next run."""
    statement = (
        "UPDATE arrival SET outcome = NULL, known_id = NULL, file_id = file.id FROM file WHERE path LIKE '%/' || ?"
    )
    execute(index, f"{statement} AND name = ?", name, name)


def test_changed_files_arrive_and_those_that_only_moved_do_not(photos: Path, index: Index) -> None:
    """Renamed, touched and read again: nothing came; replaced: what the file holds now."""
    index.update(photos, jobs=0)
    settle(index)
    (photos / "0.jpg").rename(photos / "renamed.jpg")
    (photos / "sub").mkdir()
    (photos / "1.jpg").rename(photos / "sub" / "1.jpg")
    os.utime(photos / "2.jpg")
    put(photos / "3.jpg", drawn(50))
    shutil.copy2(photos / "base.png", photos / "4.jpg")

    report = index.update(photos, jobs=0)

    assert told(index) == {"3.jpg": ("new", None), "4.jpg": ("bytes", "base.png")}
    assert (report.new, report.changed, report.moved) == (0, 2, 2)


def test_what_is_no_picture_does_not_arrive(photos: Path, index: Index) -> None:
    """Neither at first nor later; what becomes a picture does."""
    index.update(photos, jobs=0)
    (photos / "notes").write_text("no picture")
    report = index.update(photos, jobs=0)
    assert (report.new, index.report().totals.count) == (0, 0)

    (photos / "notes").write_bytes(encoded(drawn(60)))
    report = index.update(photos, jobs=0)

    assert told(index) == {"notes": ("new", None)}
    assert report.new + report.changed == 1


def test_pictures_that_a_gate_admitted_are_new_when_their_file_comes(photos: Path, index: Index) -> None:
    """Until then they are not there: a version of one that was never stored is new as well. Later they are known."""
    index.update(photos, jobs=0)
    stored, lost = put(photos.parent / "stored.jpg", drawn(61)), put(photos.parent / "lost.jpg", drawn(62))
    assert index.admit(stored).is_new
    assert index.admit(lost).is_new
    shutil.copy2(stored, photos / "stored.jpg")
    put(photos / "smaller.jpg", resized(drawn(62), 0.5))

    index.update(photos, jobs=0)
    assert told(index) == {"stored.jpg": ("new", None), "smaller.jpg": ("new", None)}

    settle(index)
    (photos / "stored.jpg").unlink()
    index.update(photos, jobs=0)
    shutil.copy2(stored, photos / "stored-again.jpg")
    index.update(photos, jobs=0)
    assert told(index) == {"stored-again.jpg": ("seen", None)}


def test_outcomes_do_not_depend_on_the_order_in_which_files_are_read(photos: Path, tmp_path: Path) -> None:
    """The same files under ids in another order, by workers or not, are the same arrivals when they are judged together."""
    first = Index(tmp_path / "first.db")
    first.update(photos, jobs=0)
    second = Index(tmp_path / "second.db")
    second.update(photos, jobs=2)
    expected = variants(photos)
    names = [photos / name for name in expected]
    random.Random(7).shuffle(names)  # noqa: S311 - no secret

    first.update(photos, jobs=0)
    for number in range(0, len(names), 3):  # in parts, and judged together
        second.update(photos, files=names[number : number + 3], jobs=2)
    for name in expected:
        rewind(second, name)
    execute(second, "UPDATE arrival SET known_id = content_id WHERE path = 'photos/copy.png'")
    second.update(photos, jobs=2)

    assert told(first) == expected
    assert told(second) == expected


# --- interruptions


@pytest.mark.parametrize("stage", ["read", "search", "match"])
def test_a_run_that_finishes_what_was_interrupted_brought_it(photos: Path, index: Index, stage: str) -> None:
    """Whenever the first one was stopped, all arrivals are told once, and by the second run."""
    index.update(photos, jobs=0)
    expected = variants(photos)

    def interrupt(now: str, done: int, _total: int | None) -> None:
        if now == stage and (done or now != "read"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(photos, jobs=0, label="stopped", tick=interrupt)
    put(photos / "late.jpg", drawn(70))
    index.update(photos, jobs=0)

    assert told(index, 2) == {}
    assert told(index) == {**expected, "late.jpg": ("new", None)}
    assert [(one.run_id, one.finished_ns is None) for one in index.report("stopped").scrapes] == [(2, True)]
    assert [one.run_id for one in index.scrapes()] == [1, 3]
    index.update(photos, jobs=0)
    assert told(index) == {}


def test_a_run_that_was_killed_between_reading_and_judging_loses_nothing(photos: Path, index: Index) -> None:
    """Kill -9 when all is read: the next run decodes nothing, and tells of all of it."""
    index.update(photos, jobs=0)
    expected = variants(photos)
    program = (
        "import os, sys\nfrom indexer import Index\n"
        "die = lambda stage, *_: stage == 'search' and os.kill(os.getpid(), 9)\n"
        "Index(sys.argv[1]).update(sys.argv[2], jobs=0, tick=die)"
    )
    killed = subprocess.run([sys.executable, "-c", program, index.path, str(photos)], check=False)
    assert killed.returncode == -signal.SIGKILL

    report = index.update(photos, jobs=0)

    assert report.decoded == 0
    assert told(index) == expected


def test_arrivals_of_a_stopped_run_that_moved_or_went_meanwhile_are_told(photos: Path, index: Index) -> None:
    """One was renamed, another deleted, before the run that tells of them."""
    index.update(photos, jobs=0)
    settle(index)
    shutil.copy2(photos / "base.png", photos / "copy.png")
    put(photos / "new.jpg", drawn(71))

    def interrupt(now: str, _done: int, _total: int | None) -> None:
        if now == "search":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(photos, jobs=0, tick=interrupt)
    settle(index)
    (photos / "copy.png").rename(photos / "renamed.png")
    (photos / "new.jpg").unlink()
    index.update(photos, jobs=0)

    assert told(index) == {"copy.png": ("bytes", "base.png"), "new.jpg": ("new", None)}


# --- reports


def test_report_counts_by_source_and_folder(tmp_path: Path, index: Index) -> None:
    """The source is the first folder below the root, or the root; the folder is that of the file."""
    root = tmp_path / "data"
    paths = ["top.jpg", "bing/cats/1.jpg", "bing/cats/2.jpg", "bing/dogs/3.jpg", "flickr/4.jpg"]
    sizes = {name: put(root / name, drawn(number)).stat().st_size for number, name in enumerate(paths)}
    shutil.copy2(root / paths[1], root / "flickr" / "copy.jpg")
    index.update(root, jobs=0, label="all")

    report = index.report("all")

    def by_path(tallies: object) -> dict[str, tuple[int, int]]:
        return {one.path.removeprefix(f"{tmp_path}/"): (one.count, one.files[Brought.NEW]) for one in tallies}

    assert by_path(report.sources) == {"data/bing": (3, 3), "data/flickr": (2, 1), "data": (1, 1)}
    assert by_path(report.folders) == {
        "data/bing/cats": (2, 2),
        "data/flickr": (2, 1),
        "data": (1, 1),
        "data/bing/dogs": (1, 1),
    }
    assert (report.totals.count, report.totals.files[Brought.BYTES]) == (6, 1)
    assert report.totals.bytes[Brought.NEW] == sum(sizes.values())
    assert report.totals.size == sum(sizes.values()) + sizes[paths[1]]
    assert [one.label for one in report.scrapes] == ["all"]


@pytest.fixture
def year(photos: Path, index: Index) -> Index:
    """An index of six runs: 1 and 2 are called `first`, 3 brings nothing, 4 is a prune, 5 is called `May`, 6 is not."""
    index.update(photos, jobs=0, label="first")
    shutil.copy2(photos / "0.jpg", photos / "copy.jpg")
    index.update(photos, jobs=0, label="first")
    settle(index)
    index.update(photos, jobs=0)
    index.carry_out(index.plan())
    put(photos / "may.jpg", drawn(80))
    index.update(photos, jobs=0, label="May")
    put(photos / "june.jpg", drawn(81))
    index.update(photos, jobs=0)
    return index


@pytest.mark.parametrize(
    ("which", "runs", "files"),
    [
        ("last", [6], 1),
        (6, [6], 1),
        ("3", [3], 0),
        ("first", [1, 2], 7),
        ("May", [5], 1),
        ("first..May", [1, 2, 3, 5], 8),
        ("2..last", [2, 3, 5, 6], 3),
        ("May..May", [5], 1),
        ("last..last", [6], 1),
    ],
)
def test_runs_are_meant_by_number_and_label(year: Index, which: str | int, runs: list[int], files: int) -> None:
    """A label stands for all runs that have it; a range for all between its ends, prunes left out."""
    report = year.report(which)

    assert [one.run_id for one in report.scrapes] == runs
    assert report.totals.count == files == len(list(year.arrivals(which)))


@pytest.mark.parametrize("which", ["4", "99", "June", "may", "", "last..first", "..", "1..", "June..last", "-1"])
def test_runs_that_are_not_there_are_refused_with_those_that_are(year: Index, which: str) -> None:
    """Of another command, of no run, in the wrong order: the answer names what there is."""
    with pytest.raises(UsageError) as refused:
        year.report(which)

    assert "6, 5 (May), 3, 2 (first), 1 (first)" in refused.value.hint or "first..last" in refused.value.hint


def test_trend_has_the_runs_that_brought_something(year: Index) -> None:
    """Run 3 brought nothing and has no name."""
    assert [(one.run_id, one.label, one.count) for one in year.scrapes()] == [
        (1, "first", 6),
        (2, "first", 1),
        (5, "May", 1),
        (6, None, 1),
    ]


@pytest.mark.parametrize("label", ["", " ", "12", "last", "a..b", "two\nlines", "\x1b[2J", " a", "x" * 201])
def test_labels_that_would_mean_something_else_are_refused(photos: Path, index: Index, label: str) -> None:
    """Before anything is done."""
    with pytest.raises(UsageError, match="cannot be a label"):
        index.update(photos, jobs=0, label=label)

    assert not os.path.exists(index.path)


def test_a_label_that_nothing_was_brought_under_is_in_the_trend(photos: Path, index: Index) -> None:
    """Somebody will ask for it."""
    index.update(photos, jobs=0)
    index.update(photos, jobs=0, label="Ünïcode scrape #2")

    assert [(one.label, one.count) for one in index.scrapes()] == [(None, 6), ("Ünïcode scrape #2", 0)]
    assert index.report("Ünïcode scrape #2").totals.count == 0


def test_runs_of_an_older_imgindex_are_told_apart(photos: Path, tmp_path: Path) -> None:
    """They brought something, and nobody knows what; a run that brought nothing is no such run."""
    path = migrated(tmp_path / "old.db", "0006")
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO run VALUES (1, 'index', 1, 2, '{\"new\": 5, \"changed\": 0}')")
        db.execute("INSERT INTO run VALUES (2, 'index', 3, 4, '{\"new\": 0, \"changed\": 0}')")
    index = Index(path)

    index.update(photos, jobs=0)

    assert [(one.run_id, one.remembered, one.count) for one in index.scrapes()] == [(1, False, 0), (3, True, 6)]


# --- what becomes of the files later


def test_arrivals_outlive_their_files(photos: Path, index: Index) -> None:
    """Deleted, pruned, and in a folder that is forgotten: what a run brought stays what it was."""
    shutil.copy2(photos / "0.jpg", photos / "copy.jpg")
    index.update(photos, jobs=0)
    settle(index)
    before = {name: outcome for name, (outcome, _known) in told(index).items()}
    index.carry_out(index.plan())
    (photos / "1.jpg").unlink()
    index.update(photos, jobs=0)
    assert {name: outcome for name, (outcome, _known) in told(index, 1).items()} == before

    index.undo()
    index.forget_root(photos)

    assert {name: outcome for name, (outcome, _known) in told(index, 1).items()} == before
    assert [one.path for one in index.report(1).sources] == [str(photos)]


def test_arrivals_of_a_moved_root_are_known_where_it_is(photos: Path, tmp_path: Path, index: Index) -> None:
    """Beside the index and elsewhere; those of other roots stay as they were, also of one whose name begins alike."""
    shutil.copy2(photos / "0.jpg", photos / "copy.jpg")
    shutil.copytree(photos, tmp_path / "photos2")
    os.mkdir(photos / os.fsdecode(b"bad\xff"))
    put(photos / os.fsdecode(b"bad\xff") / "x.jpg", drawn(90))
    index.update(photos, tmp_path / "photos2", jobs=0)
    settle(index)
    before = [one.path for one in index.arrivals()]
    place = tmp_path / "elsewhere" / "pictures"
    place.parent.mkdir()
    photos.rename(place)

    index.move_root(photos, place)

    expected = {path.replace(f"{photos}/", f"{place}/") for path in before}
    assert {one.path for one in index.arrivals()} == expected
    assert {one.path for one in index.report().sources} == {
        str(place),
        str(place / os.fsdecode(b"bad\xff")),
        str(photos) + "2",
    }


def test_merged_contents_were_seen_elsewhere(photos: Path, tmp_path: Path, index: Index) -> None:
    """Another index's runs are not taken; its pictures are known here, without a file."""
    other = Index(tmp_path / "other" / "other.db")
    shutil.copytree(photos, tmp_path / "other" / "photos")
    other.update(tmp_path / "other" / "photos", jobs=0, label="theirs")
    index.merge(other.path)
    put(photos / "own.jpg", drawn(91))

    index.update(photos, jobs=0)

    assert [one.label for one in index.scrapes()] == [None]
    found = told(index)
    assert found.pop("own.jpg") == ("new", None)
    assert set(found.values()) == {("seen", None)}


def test_judging_costs_what_arrived_and_not_what_is_there(photos: Path, index: Index) -> None:
    """No statement about arrivals reads a table from end to end, but for those of what arrived and what people decided."""
    from indexer import assess, database  # noqa: PLC0415

    index.update(photos, jobs=0)
    variants(photos)
    index.update(photos, jobs=0)
    execute(index, "UPDATE arrival SET outcome = NULL WHERE run_id = 2")
    with database.open_for_writing(index.path) as opened, opened.writing() as tx:
        statements: list[tuple[str, object]] = []
        from sqlalchemy import event  # noqa: PLC0415

        def note(_connection: object, _cursor: object, statement: str, values: object, *_rest: object) -> None:
            statements.append((statement, values))

        event.listen(tx, "before_cursor_execute", note)
        assess.judge_arrivals(tx, 2)
        event.remove(tx, "before_cursor_execute", note)
        plans = [
            step[3]
            for statement, values in statements
            if not isinstance(values, list)
            for step in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]

    assert len(plans) > 10
    scans = {plan for plan in plans if plan.startswith("SCAN ") and "arrival_due" not in plan}
    assert scans <= {"SCAN decision"}, scans


def test_times_of_runs_are_those_of_the_clock(photos: Path, index: Index) -> None:
    """A scrape says when it began and ended."""
    before = time.time_ns()

    index.update(photos, jobs=0)

    (one,) = index.scrapes()
    assert one.finished_ns is not None
    assert before <= one.started_ns <= one.finished_ns <= time.time_ns()
