"""The story from folders to index, told by trees before and after."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from support import DATA, aged, make_photos, settle

from indexer import Index, batches, decode, scan
from indexer import index as story
from indexer.drawing import drawn, encoded
from indexer.errors import UsageError
from indexer.records import IndexReport, Recipe, Unlisted

Opened = list[str]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """The names of the files that were opened, when decoding in this process."""
    names: Opened = []
    read = decode.read_stable

    def noting(path: str, max_bytes: int) -> object:
        names.append(os.path.basename(path))
        return read(path, max_bytes)

    monkeypatch.setattr(decode, "read_stable", noting)
    return names


def counts(report: IndexReport) -> dict[str, float]:
    """The counts of a report that are not zero, without the seconds, and without what was read as it is fresh."""
    return {name: number for name, number in report.counts.items() if number and name not in {"seconds", "reread"}}


def rows(index: Index, statement: str) -> list[tuple[object, ...]]:
    """What a statement gives on the index's database."""
    with sqlite3.connect(index.path) as db:
        found = db.execute(statement).fetchall()
    db.close()
    return found


def test_update_reads_everything_once_when_the_index_is_new(photos: Path, index: Index) -> None:
    """The first run decodes each picture, and stores what the picture is."""
    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 6, "new": 6, "decoded": 6}
    stored = rows(index, "SELECT width, height, format, mode, length(digest), length(phash) FROM content ORDER BY id")
    assert stored == [(*_size(photos, number), "JPEG", "RGB", 32, 32) for number in (0, 2, 4, 1, 3, 5)]
    assert rows(index, "SELECT count(*) FROM thumbnail") == [(6,)]


def _size(photos: Path, number: int) -> tuple[int, int]:
    return drawn(number).size


def test_update_opens_nothing_when_nothing_changed(photos: Path, index: Index, opened: Opened) -> None:
    """A second run over settled files opens none of them."""
    index.update(photos, jobs=0)
    settle(index)
    opened.clear()

    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 6, "unchanged": 6}
    assert opened == []


def test_update_reads_again_but_does_not_decode_when_files_were_fresh(
    photos: Path, index: Index, opened: Opened
) -> None:
    """A file read within seconds of its last write may have been rewritten since with the same stamp: it is digested."""
    index.update(photos, jobs=0)
    opened.clear()

    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 6, "unchanged": 6}
    assert sorted(opened) == [f"{number}.jpg" for number in range(6)]


def test_update_reads_only_what_is_new_when_pictures_were_added(photos: Path, index: Index, opened: Opened) -> None:
    """An added scrape costs its own size."""
    index.update(photos, jobs=0)
    settle(index)
    opened.clear()
    (photos / "c").mkdir()
    (photos / "c" / "new.png").write_bytes(encoded(drawn(77), "PNG"))

    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 7, "new": 1, "unchanged": 6, "decoded": 1}
    assert opened == ["new.png"]


def test_update_opens_nothing_when_files_moved(photos: Path, index: Index, opened: Opened) -> None:
    """What moved with its folder keeps what is known of it without being opened; what was renamed itself is digested."""
    index.update(photos, jobs=0)
    settle(index)
    opened.clear()
    (photos / "a").rename(photos / "renamed")
    (photos / "b" / "1.jpg").rename(photos / "one.jpg")

    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 6, "moved": 4, "unchanged": 2}
    assert (report.reread, opened) == (1, ["one.jpg"])
    assert rows(index, "SELECT count(*) FROM file WHERE content_id IS NOT NULL") == [(6,)]


def test_update_does_not_decode_when_files_were_copied(photos: Path, index: Index) -> None:
    """A copy is read and recognised, not decoded."""
    index.update(photos, jobs=0)
    settle(index)
    shutil.copytree(photos / "a", photos / "copy of a")

    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 9, "new": 3, "unchanged": 6}


def test_update_drops_files_but_not_contents_when_they_are_gone(photos: Path, index: Index) -> None:
    """What was seen once is remembered."""
    index.update(photos, jobs=0)
    settle(index)
    (photos / "a" / "0.jpg").unlink()

    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 5, "unchanged": 5, "gone": 1}
    assert rows(index, "SELECT count(*) FROM content") == [(6,)]


def test_update_records_unreadable_files_and_reads_them_again_only_when_asked_or_changed(
    photos: Path, index: Index, opened: Opened
) -> None:
    """A broken file is listed with its reason, never grouped, and not tried again until there is a reason to."""
    broken = photos / "a" / "broken.jpg"
    for path in (broken, photos / "b" / "copy.jpg"):
        path.write_bytes(encoded(drawn(9))[:2000])
        aged(path)

    first = index.update(photos, jobs=0)
    settle(index)
    opened.clear()
    second = index.update(photos, jobs=0)
    untouched = list(opened)
    retried = index.update(photos, jobs=0, retry=True)
    broken.write_bytes(encoded(drawn(9)))
    mended = index.update(photos, jobs=0)

    assert counts(first) == {"files": 8, "new": 8, "decoded": 6, "unreadable": 2}
    assert "truncated" in first.unreadable_files[0].reason.lower()
    assert counts(second) == {"files": 8, "unchanged": 8, "unreadable": 2}
    assert untouched == []
    assert (retried.new, retried.unchanged) == (0, 8)
    assert (retried.unreadable, sorted(opened)[:2]) == (2, ["broken.jpg", "broken.jpg"])
    assert (mended.changed, mended.unreadable) == (1, 1)
    assert index.groups() == ()


def test_update_ignores_files_that_do_not_claim_to_be_pictures(photos: Path, index: Index) -> None:
    """A label or licence beside the pictures is no error, nor is it looked at twice."""
    (photos / "LICENSE").write_text("free")
    (photos / "a" / "0.txt").write_text("a cat")
    (photos / "noending").write_bytes(encoded(drawn(60)))

    report = index.update(photos, jobs=0)
    everything = index.update(photos, jobs=0, all_files=True)

    assert counts(report) == {"files": 7, "new": 7, "decoded": 7}
    assert everything.unreadable == 0
    assert everything.files == 7


def test_update_reports_a_file_that_lies_about_being_a_picture(photos: Path, index: Index) -> None:
    """An error page saved as a picture is unreadable, with a reason that says so."""
    (photos / "page.jpg").write_text("<html>404</html>")

    report = index.update(photos, jobs=0)

    assert [file.reason for file in report.unreadable_files] == [
        "not a picture: holds markup (a web page, an error message or SVG)"
    ]


def test_update_merges_roots_when_a_folder_around_them_is_indexed(photos: Path, index: Index) -> None:
    """A root inside a new root becomes part of it, and nothing is decoded again."""
    index.update(photos / "a", photos / "b", jobs=0)

    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 6, "unchanged": 6}
    assert [(root.path, root.files) for root in index.status().roots] == [(str(photos), 6)]


def test_update_takes_folders_in_any_order(photos: Path, index: Index) -> None:
    """A folder around one that was named before it takes it over within the same run."""
    report = index.update(photos / "b", photos, photos / "a", jobs=0)

    assert counts(report) == {"files": 6, "new": 6, "decoded": 6}


def test_update_drops_a_root_when_it_is_confirmed_to_be_gone(photos: Path, index: Index) -> None:
    """A folder that was deleted on purpose leaves the index when the user says so."""
    index.update(photos, jobs=0)
    shutil.rmtree(photos)

    report = index.update(photos, confirm_missing=True, jobs=0)

    assert counts(report) == {"gone": 6}
    assert rows(index, "SELECT count(*) FROM file") == [(0,)]


def test_update_looks_at_a_part_of_a_root_alone_when_given_a_folder_in_it(photos: Path, index: Index) -> None:
    """What lies outside the given folder is neither looked at nor forgotten."""
    index.update(photos, jobs=0)
    shutil.rmtree(photos / "b")
    (photos / "a" / "new.jpg").write_bytes(encoded(drawn(30)))

    report = index.update(photos / "a", jobs=0)

    assert counts(report) == {"files": 4, "new": 1, "unchanged": 3, "decoded": 1}
    assert rows(index, "SELECT count(*) FROM file") == [(7,)]


def test_update_looks_at_listed_files_alone_when_given_a_list(photos: Path, index: Index) -> None:
    """A list of files adds to the index and takes nothing away."""
    index.update(photos, files=[photos / "a" / "0.jpg"], jobs=0)

    report = index.update(photos, files=[photos / "b" / "1.jpg", photos / "missing.jpg"], jobs=0)

    assert counts(report) == {"files": 1, "new": 1, "decoded": 1}
    assert rows(index, "SELECT name FROM file ORDER BY name") == [("0.jpg",), ("1.jpg",)]
    (photos / "LICENSE").write_text("free")
    assert counts(index.update(photos, files=[photos / "LICENSE"], jobs=0)) == {}
    assert counts(index.update(photos, files=[photos / "a" / "2.jpg"], jobs=0)) == {"files": 1, "new": 1, "decoded": 1}
    with pytest.raises(UsageError, match="lies in none of the folders"):
        index.update(photos, files=["/etc/passwd"], jobs=0)


def test_update_leaves_out_what_is_excluded(photos: Path, index: Index) -> None:
    """Globs match names, paths and folders."""
    report = index.update(photos, exclude=["b", "2.*", "a/4.jpg"], jobs=0)

    assert counts(report) == {"files": 1, "new": 1, "decoded": 1}


def test_update_keeps_names_that_are_not_utf8(photos: Path, index: Index) -> None:
    """Hazard 21: bytes that are not UTF-8 come back as they are."""
    name = os.fsdecode(b"caf\xe9\n.jpg")
    (photos / "a" / "0.jpg").rename(photos / "a" / name)
    shutil.copy(photos / "a" / name, photos / "b" / "copy.jpg")

    index.update(photos, jobs=0)

    assert rows(index, "SELECT count(*) FROM file WHERE typeof(name) = 'blob'") == [(1,)]
    assert [group.keeper.full_path for group in index.groups()] == [f"{photos}/a/{name}"]


def test_update_recomputes_when_the_recipe_is_another(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 32: fingerprints of another recipe are never used."""
    index.update(photos, jobs=0)
    settle(index)
    monkeypatch.setattr(story, "RECIPE", Recipe("imgindex", 2, "other"))

    report = index.update(photos, jobs=0)
    again = index.update(photos, jobs=0)

    assert counts(report) == {"files": 6, "unchanged": 6, "decoded": 6}
    assert again.decoded == 0
    assert rows(index, "SELECT DISTINCT key FROM content JOIN recipe ON recipe.id = recipe_id") == [
        ("imgindex/2 other",)
    ]


def test_update_forgets_matches_when_the_recipe_is_another(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were found by hashes that are no more: they are found again, though their files did not change."""
    (photos / "copy.webp").write_bytes(encoded(drawn(0), "WEBP"))
    first = index.update(photos, jobs=0)
    monkeypatch.setattr(story, "RECIPE", Recipe("imgindex", 99, "other"))

    def interrupt(stage: str, _done: int, _total: int | None) -> None:
        if stage == "read":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(photos, jobs=0, tick=interrupt)
    between = rows(index, 'SELECT count(*) FROM "match"')
    second = index.update(photos, jobs=0)

    assert (first.matches, between, second.decoded, second.matches) == (1, [(0,)], 7, 1)


def test_update_notes_matches_in_the_history(photos: Path, index: Index) -> None:
    """With the other counts of the run."""
    (photos / "copy.webp").write_bytes(encoded(drawn(0), "WEBP"))

    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 7, "new": 7, "decoded": 7, "matches": 1}
    assert index.history()[0].counts["matches"] == 1


def test_update_finds_roots_again_when_the_whole_project_moved(tmp_path: Path) -> None:
    """Roots below the database's folder are stored relative to it."""
    project = tmp_path / "project"
    make_photos(project / "photos")
    Index(project / "imgindex.db").update(project / "photos", jobs=0)
    project.rename(tmp_path / "moved")

    index = Index(tmp_path / "moved" / "imgindex.db")
    report = index.update(tmp_path / "moved" / "photos", jobs=0)

    assert counts(report) == {"files": 6, "unchanged": 6}
    assert index.status().roots[0].path == str(tmp_path / "moved" / "photos")


def test_update_takes_times_beyond_the_year_2262(photos: Path, index: Index) -> None:
    """More nanoseconds than 64 bits hold are no reason to stop."""
    os.utime(photos / "a" / "0.jpg", (10_500_000_000, 10_500_000_000))
    index.update(photos, jobs=0)

    report = index.update(photos, jobs=0)

    assert counts(report) == {"files": 6, "unchanged": 6}


def test_update_looks_below_a_folder_at_names_that_are_not_utf8(photos: Path, index: Index) -> None:
    """A folder of raw bytes lies below its parent like any other."""
    odd = photos / "a" / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    shutil.copy(photos / "a" / "0.jpg", odd / "copy.jpg")
    index.update(photos, jobs=0)

    report = index.update(photos / "a", jobs=0)

    assert (report.files, report.new) == (4, 0)
    assert len(index.groups(photos / "a")) == 1


def test_update_gives_listed_files_to_the_folder_they_lie_in(photos: Path, index: Index) -> None:
    """Two folders of one root, and a list of files from both."""
    index.update(photos, jobs=0)
    listed = [photos / "a" / "0.jpg", photos / "b" / "1.jpg"]

    report = index.update(photos / "a", photos / "b", files=listed, jobs=0)

    assert counts(report) == {"files": 2, "unchanged": 2}


def test_update_takes_any_number_of_folders(tmp_path: Path, index: Index) -> None:
    """`imgindex index photos/*` on a data set of many classes."""
    photos = make_photos(tmp_path / "photos")
    classes = [photos / f"class-{number:04}" for number in range(1100)]
    for place in classes:
        place.mkdir()
    shutil.copy(photos / "a" / "0.jpg", classes[-1] / "0.jpg")
    index.update(photos, jobs=0)
    (classes[5] / "new.png").write_bytes(encoded(drawn(60), "PNG"))

    report = index.update(*classes, jobs=0)

    assert counts(report) == {"files": 2, "new": 1, "unchanged": 1, "decoded": 1}
    with pytest.raises(UsageError, match="too many at once"):
        index.groups(*classes)


def test_update_counts_a_file_with_two_new_names_as_moved_once(photos: Path, index: Index) -> None:
    """A file that was moved and hard-linked leaves one path behind."""
    index.update(photos, jobs=0)
    settle(index)
    (photos / "a" / "0.jpg").rename(photos / "n.jpg")
    (photos / "o.jpg").hardlink_to(photos / "n.jpg")

    report = index.update(photos, jobs=0)

    assert (report.files, report.moved, report.gone, report.decoded) == (7, 2, 0, 0)


def test_update_does_not_decode_copies_when_very_many_contents_have_their_size(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bitmaps of one size: known digests are then asked for by digest instead of by size."""
    index.update(photos, jobs=0)
    shutil.copytree(photos / "a", photos / "c")
    monkeypatch.setattr(batches, "KNOWN_LIMIT", 1)

    report = index.update(photos, jobs=0)

    assert (report.new, report.decoded) == (3, 0)


def test_update_skips_what_a_listing_digest_vouches_for(photos: Path, index: Index) -> None:
    """Once every row of a folder equals the disk, a digest of its listing stands for all of them."""
    index.update(photos, jobs=0)
    settle(index)
    rewind = time.time_ns() - 10 * 10**9
    for path in photos.rglob("*.jpg"):
        assert path.stat().st_mtime_ns < rewind

    story_time, story.scan.time = story.scan.time, _Later()
    try:
        index.update(photos, jobs=0)
        digests = rows(index, "SELECT count(*) FROM folder WHERE listing IS NOT NULL")
        index.update(photos, jobs=0)
    finally:
        story.scan.time = story_time

    assert digests == [(2,)]


class _Later:
    """A clock that is ten seconds ahead."""

    @staticmethod
    def time_ns() -> int:
        return time.time_ns() + 10 * 10**9


def test_update_resumes_when_it_was_killed(tmp_path: Path) -> None:
    """Kill -9 at any moment leaves an index from which the next run goes on without decoding again what was stored."""
    photos = make_photos(tmp_path / "photos", count=300)
    index = Index(tmp_path / "imgindex.db")
    command = [sys.executable, "-m", "indexer", "index", str(photos), "--db", index.path, "--jobs", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    stored = 0
    while process.poll() is None and not stored:
        time.sleep(0.01)
        try:
            stored = rows(index, "SELECT count(*) FROM content")[0][0] if Path(index.path).exists() else 0
        except sqlite3.OperationalError:
            continue
    process.kill()
    process.wait()
    stored = rows(index, "SELECT count(*) FROM content")[0][0]

    report = index.update(photos)

    assert report.decoded == 300 - stored
    assert rows(index, "SELECT count(*) FROM file WHERE state = 1") == [(300,)]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, IndexReport]:
    """An index of the real pictures and the report of its first run: once for all tests, since it takes a while."""
    if not DATA.is_dir():
        pytest.skip(f"the real pictures are not here: {DATA} (set IMGINDEX_TEST_DATA)")
    index = Index(tmp_path_factory.mktemp("real") / "real.db")
    return index, index.update(DATA)


def test_update_ends_well_on_every_real_picture(real: tuple[Index, IndexReport]) -> None:
    """Everything that can be thrown at it is indexed or named as unreadable; a second run decodes and compares nothing."""
    index, first = real

    second = index.update(DATA)

    assert first.decoded > 3_500
    assert first.unreadable == len(first.unreadable_files) == len(index.unreadable())
    assert all(file.reason for file in first.unreadable_files)
    assert (second.decoded, second.matches, second.new, second.changed, second.gone) == (0, 0, 0, 0, 0)
    assert second.files == first.files
    assert rows(index, "SELECT count(*) FROM content WHERE matched IS NULL") == [(0,)]


def test_groups_are_the_true_byte_copies_of_the_real_pictures(real: tuple[Index, IndexReport]) -> None:
    """Among the files that could be read, exactly those that `same_bytes.csv` lists."""
    index, data = real[0], DATA
    readable = {
        f"{root}/{folder}/{name}" if folder else f"{root}/{name}"
        for root, folder, name in rows(
            index,
            "SELECT root.path, folder.path, name FROM file JOIN folder ON folder.id = folder_id"
            " JOIN root ON root.id = root_id WHERE state = 1",
        )
    }
    truth = defaultdict(set)
    with (data / "same_bytes.csv").open() as stream:
        for row in csv.DictReader(stream):
            if f"{data.resolve()}/{row['path']}" in readable:
                truth[row["group"]].add(f"{data.resolve()}/{row['path']}")

    groups = index.groups(match="bytes")

    found = {
        frozenset((group.keeper.full_path, *(surplus.member.full_path for surplus in group.surplus)))
        for group in groups
    }
    assert found == {frozenset(paths) for paths in truth.values() if len(paths) > 1}


def test_update_knows_an_unlisted_folder_when_it_is_the_root_itself(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A root that exists but cannot be read keeps all its rows."""
    index.update(photos, jobs=0)
    monkeypatch.setattr(scan, "walk", lambda *_arguments, **_options: iter([Unlisted("", "cannot be listed: no")]))

    report = index.update(photos, jobs=0)

    assert (report.gone, report.refused, len(report.unlisted)) == (0, (), 1)
    assert rows(index, "SELECT count(*) FROM file") == [(6,)]
