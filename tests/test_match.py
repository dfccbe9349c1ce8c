"""The story from fingerprints to matches, told by real folders and what the table of matches holds after."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps, PngImagePlugin
from support import aged, make_photos, settle

from indexer import Index, candidates, database, match, matches
from indexer import index as story
from indexer.drawing import drawn, encoded
from indexer.executors import Inline
from indexer.groups import VERIFIED, Kind
from indexer.recipe import RECIPE
from indexer.records import Recipe, no_progress

SEED = 23
"""Of a picture with detail everywhere, which no turn or mirror makes like itself."""
Rows = dict[tuple[str, str], tuple[Any, ...]]


def variants(picture: Image.Image) -> dict[str, tuple[bytes, Kind]]:
    """Copies of a picture by file name, each with the kind that it is to a person."""
    width, height = picture.size
    left, top = round(width * 0.025), round(height * 0.025)
    text = picture.copy()
    ImageDraw.Draw(text).rectangle((width // 3, height // 2, width // 3 + width // 4, height // 2 + height // 5), "red")
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    return {
        "resaved.jpg": (encoded(picture, "JPEG", quality=50), Kind.SAME),
        "other.webp": (encoded(picture, "WEBP", quality=80), Kind.SAME),
        "half.png": (encoded(picture.resize((width // 2, height // 2)), "PNG"), Kind.SAME),
        "double.jpg": (encoded(picture.resize((width * 2, height * 2), Image.Resampling.BICUBIC)), Kind.SAME),
        "mirrored.jpg": (encoded(ImageOps.mirror(picture)), Kind.FLIPPED),
        "upside-down.jpg": (encoded(ImageOps.flip(picture)), Kind.FLIPPED),
        "turned.jpg": (encoded(turned), Kind.ROTATED),
        "half-turned.png": (encoded(picture.transpose(Image.Transpose.ROTATE_180), "PNG"), Kind.ROTATED),
        "cropped.jpg": (encoded(picture.crop((left, top, width - left, height - top))), Kind.EDITED),
        "bordered.jpg": (encoded(ImageOps.expand(picture, round(width * 0.05), "white")), Kind.EDITED),
        "marked.jpg": (encoded(text), Kind.EDITED),
        "grey.jpg": (encoded(picture.convert("L")), Kind.RECOLOURED),
    }


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """A folder with a drawn picture, copies of it, and pictures of other things."""
    folder = tmp_path / "copies"
    make_photos(folder, 4)
    (folder / "base.png").write_bytes(encoded(drawn(SEED), "PNG"))
    for name, (data, _kind) in variants(drawn(SEED)).items():
        (folder / name).write_bytes(data)
    return folder


def match_rows(index: Index) -> Rows:
    """The table of matches, by the names of files that have the two contents, in the table's order of the two."""
    with sqlite3.connect(index.path) as db:
        names = dict(db.execute("SELECT content_id, name FROM file ORDER BY name DESC"))
        found = db.execute('SELECT * FROM "match"').fetchall()
    db.close()
    return {(names[a_id], names[b_id]): tuple(rest) for a_id, b_id, *rest in found}


def unordered(rows: Rows) -> dict[frozenset[str], tuple[Any, ...]]:
    """Matches by what does not depend on which content is the first: kind, bits and evidence."""
    return {frozenset(names): (row[0], row[1], row[-1]) for names, row in rows.items()}


def due(index: Index) -> int:
    """The number of contents not yet matched against the rest."""
    with sqlite3.connect(index.path) as db:
        count = int(db.execute("SELECT count(*) FROM content WHERE matched IS NULL").fetchone()[0])
    db.close()
    return count


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The pairs of contents that are looked at, in a run without workers."""
    pairs: list[tuple[int, int]] = []
    judge = match._judge

    def noting(proposals: Any, extra: None) -> Any:
        pairs.extend((proposal.a_id, proposal.b_id) for proposal in proposals)
        return judge(proposals, extra)

    monkeypatch.setattr(match, "_judge", noting)
    return pairs


# --- kinds


def test_copies_of_a_picture_get_their_kinds(copies: Path, index: Index) -> None:
    """Whatever was done to it; and nothing else in the folder matches anything."""
    report = index.update(copies, jobs=0)

    rows = match_rows(index)
    with_base = {next(iter({*names} - {"base.png"})): row for names, row in rows.items() if "base.png" in names}
    assert {name: Kind(row[0]) for name, row in with_base.items()} == {
        name: kind for name, (_data, kind) in variants(drawn(SEED)).items()
    }
    assert {row[-1] for row in with_base.values() if Kind(row[0]) in {Kind.SAME, Kind.FLIPPED, Kind.ROTATED}} == {
        "files"
    }
    assert {row[-1] for row in with_base.values() if Kind(row[0]) in {Kind.EDITED, Kind.RECOLOURED}} == {"thumbnail"}
    assert not [names for names in rows if {*names} & {f"{number}.jpg" for number in range(4)}]
    assert report.matches == len(rows)


def test_turns_say_how_the_first_picture_lies_on_the_second(copies: Path, index: Index) -> None:
    """Left to right is 1, top to bottom 2, a half turn both, transposed 4; base.png is indexed before the others."""
    index.update(copies, files=[copies / "base.png"], jobs=0)
    index.update(copies, jobs=0)

    turns = {second: row[2] for (first, second), row in match_rows(index).items() if first == "base.png"}

    assert (turns["mirrored.jpg"], turns["upside-down.jpg"], turns["half-turned.png"]) == (1, 2, 3)
    assert turns["turned.jpg"] == 6  # against the clock: transposed, then top to bottom
    assert turns["resaved.jpg"] == 0


# --- only what is new


def test_second_run_searches_and_compares_nothing(copies: Path, index: Index, compared: list[tuple[int, int]]) -> None:
    """What was compared once is known."""
    index.update(copies, jobs=0)
    before = match_rows(index)
    compared.clear()
    stages: list[str] = []

    report = index.update(copies, jobs=0, tick=lambda stage, _done, _total: stages.append(stage))

    assert (report.matches, compared) == (0, [])
    assert {"search", "match"}.isdisjoint(stages)
    assert match_rows(index) == before


def test_added_copies_are_compared_with_all_and_nothing_else_is(
    copies: Path, index: Index, compared: list[tuple[int, int]]
) -> None:
    """An added scrape costs its own size: each pair that is looked at has a new picture, and rows of old ones stay."""
    late = {name: (copies / name).read_bytes() for name in ("half.png", "turned.jpg", "grey.jpg")}
    for name in late:
        (copies / name).unlink()
    first = index.update(copies, jobs=0)
    before = match_rows(index)
    with sqlite3.connect(index.path) as db:
        newest = db.execute("SELECT max(id) FROM content").fetchone()[0]
    db.close()
    compared.clear()
    for name, data in late.items():
        (copies / name).write_bytes(data)

    second = index.update(copies, jobs=0)

    after = match_rows(index)
    assert second.decoded == 3
    assert compared
    assert all(b_id > newest for _a_id, b_id in compared)
    assert {names: row for names, row in after.items() if not {*names} & {*late}} == before
    assert len(after) == first.matches + second.matches
    for name in late:
        assert {frozenset((name, "base.png")), frozenset((name, "resaved.jpg"))} <= {frozenset(pair) for pair in after}


def test_order_of_arrival_does_not_matter(copies: Path, tmp_path: Path) -> None:
    """All at once, one after the other, or backwards: the same pairs of the same kinds."""
    names = sorted(path.name for path in copies.glob("*.*"))
    found = []
    for number, order in enumerate(([names], [[name] for name in names], [[name] for name in names[::-1]])):
        index = Index(tmp_path / f"{number}.db")
        for some in order:
            index.update(copies, files=[copies / name for name in some], jobs=0)
        found.append(unordered(match_rows(index)))
        assert due(index) == 0

    assert len(found[0]) > 60
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("jobs", [1, 2])
def test_number_of_workers_does_not_matter(copies: Path, tmp_path: Path, jobs: int) -> None:
    """Row for row."""
    alone, pool = Index(tmp_path / "alone.db"), Index(tmp_path / "pool.db")

    alone.update(copies, jobs=0)
    pool.update(copies, jobs=jobs)

    assert match_rows(pool) == match_rows(alone)


# --- interruptions


def test_interrupted_run_goes_on_with_what_is_due(
    copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle again and again, the table ends up as that of a run that was not, row for row."""
    monkeypatch.setattr(match, "SLICE", 10)
    monkeypatch.setattr(match, "BATCH", 3)
    whole, broken = Index(tmp_path / "whole.db"), Index(tmp_path / "broken.db")
    whole.update(copies, jobs=0)
    left: list[int] = []

    while not left or left[-1]:
        looked_at = 0

        def interrupt(stage: str, done: int, _total: int | None) -> None:
            nonlocal looked_at
            looked_at += done if stage == "match" else 0
            if looked_at >= 25:
                raise KeyboardInterrupt

        try:
            broken.update(copies, jobs=0, tick=interrupt)
        except KeyboardInterrupt:
            left.append(due(broken))
            continue
        left.append(due(broken))

    assert len(left) >= 3
    assert left == sorted(set(left), reverse=True)
    assert match_rows(broken) == match_rows(whole)


def test_interrupted_search_loses_nothing(copies: Path, tmp_path: Path) -> None:
    """Before the first pair was looked at, everything is due still."""
    whole, broken = Index(tmp_path / "whole.db"), Index(tmp_path / "broken.db")
    whole.update(copies, jobs=0)

    def interrupt(stage: str, _done: int, _total: int | None) -> None:
        if stage == "search":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.update(copies, jobs=0, tick=interrupt)
    assert match_rows(broken) == {}
    report = broken.update(copies, jobs=0)

    assert report.decoded == 0
    assert match_rows(broken) == match_rows(whole)


class Poisoned(Inline):
    """Runs batches at once, but loses the worker of those that hold a pair of poisonous files."""

    def __init__(self, *names: str) -> None:
        """Note which files are poison when they meet."""
        self.names = names

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """A finished future."""
        proposals, _extra = arguments
        for proposal in proposals:
            if {os.path.basename(file[0]) for file in proposal.files} == {*self.names}:
                future: Future[Any] = Future()
                future.set_exception(TimeoutError())
                return future
        return super().submit(function, *arguments)


def test_lost_worker_costs_one_pair(copies: Path, tmp_path: Path) -> None:
    """The pair is taken for no match and not looked at again; all others of its batch are matched."""
    whole, poisoned = Index(tmp_path / "whole.db"), Index(tmp_path / "poisoned.db")
    whole.update(copies, jobs=0)
    poisoned.update(copies, jobs=0)
    pair = frozenset(("base.png", "resaved.jpg"))
    with database.open_for_writing(poisoned.path) as opened:
        with opened.writing() as tx:
            tx.exec_driver_sql('DELETE FROM "match"')
            tx.exec_driver_sql("UPDATE content SET matched = NULL")
        with opened.reading() as tx:
            recipe_id = matches.recipe_id(tx, RECIPE.key)
        assert recipe_id is not None

        found = match.match_due(opened, recipe_id, Poisoned(*pair), no_progress)

    expected = {names: row for names, row in match_rows(whole).items() if frozenset(names) != pair}
    assert found == len(expected) == len(match_rows(whole)) - 1
    assert match_rows(poisoned) == expected
    assert due(poisoned) == 0


# --- another recipe


def test_another_recipe_of_matching_matches_again_and_decodes_nothing(
    copies: Path, index: Index, monkeypatch: pytest.MonkeyPatch, compared: list[tuple[int, int]]
) -> None:
    """Other thresholds: every pair is looked at again, once."""
    first = index.update(copies, jobs=0)
    before, pairs = match_rows(index), sorted(compared)
    compared.clear()
    monkeypatch.setattr(match, "MATCHING", Recipe("match", 99, "other"))

    second = index.update(copies, jobs=0)
    again = index.update(copies, jobs=0)

    assert (second.decoded, second.matches, again.matches) == (0, first.matches, 0)
    assert sorted(compared) == pairs
    assert match_rows(index) == before


def test_picture_that_comes_back_after_another_recipe_is_matched(
    copies: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content was left behind with the fingerprint of the recipe before, which counted as matched."""
    index.update(copies, jobs=0)
    (copies / "base.png").rename(copies.parent / "away.png")
    index.update(copies, jobs=0)
    monkeypatch.setattr(story, "RECIPE", Recipe("imgindex", 99, "other"))
    without = index.update(copies, jobs=0)
    (copies.parent / "away.png").rename(copies / "base.png")

    report = index.update(copies, jobs=0)

    assert (without.decoded, report.decoded, report.new) == (16, 1, 1)
    assert report.matches == len(variants(drawn(SEED)))


# --- files that are away


def test_match_of_a_picture_whose_file_is_away_waits_to_be_asked_for(copies: Path, index: Index) -> None:
    """Only the thumbnails can be compared: such a pair is in no plan by default."""
    index.update(copies, files=[copies / "base.png"], jobs=0)
    (copies / "base.png").rename(copies.parent / "away.png")

    index.update(copies, files=[copies / "resaved.jpg"], jobs=0)
    (copies.parent / "away.png").rename(copies / "base.png")

    assert match_rows(index)[("base.png", "resaved.jpg")][-1] == "thumbnail"
    assert index.plan().moves == ()
    moves = index.plan(unconfirmed=True).moves
    assert [(move.keeper.path, move.surplus.member.path) for move in moves] == [("base.png", "resaved.jpg")]


def test_file_that_changed_since_it_was_indexed_is_no_evidence(
    copies: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is looked at closely are the bytes that were fingerprinted, or nothing."""

    def overwritten(*arguments: Any) -> Any:
        (copies / "base.png").write_bytes(encoded(drawn(SEED + 1), "PNG"))
        return search(*arguments)

    search = candidates.candidates
    monkeypatch.setattr(candidates, "candidates", overwritten)
    index.update(copies, files=[copies / "base.png", copies / "resaved.jpg", copies / "half.png"], jobs=0)

    evidence = {names: row[-1] for names, row in unordered(match_rows(index)).items()}
    assert evidence == {
        frozenset(("base.png", "resaved.jpg")): "thumbnail",
        frozenset(("base.png", "half.png")): "thumbnail",
        frozenset(("half.png", "resaved.jpg")): "files",
    }


def test_twin_stands_in_for_a_picture_whose_file_is_away(copies: Path, index: Index) -> None:
    """It shows the same pixels, so the second look can be taken at it."""
    twin = copies / "twin.png"
    twin.write_bytes(encoded(drawn(SEED), "PNG", compress_level=1))
    index.update(copies, files=[copies / "base.png"], jobs=0)
    index.update(copies, files=[twin], jobs=0)
    settle(index)
    (copies / "base.png").unlink()
    report = index.update(copies, exclude=["*.jpg", "*.webp", "half*"], jobs=0, confirm_missing=True)

    index.update(copies, files=[copies / "resaved.jpg"], jobs=0)

    assert report.gone == 1
    with sqlite3.connect(index.path) as db:
        assert db.execute('SELECT kind, evidence FROM "match"').fetchall() == [("same", "files")]
    db.close()
    assert [group.keeper.path for group in index.groups()] == ["twin.png"]


# --- pictures that would match by the thousand


def written(folder: Path, pictures: Iterator[bytes]) -> Path:
    """Writes files by number."""
    folder.mkdir()
    for number, data in enumerate(pictures):
        (folder / f"{number:03}.png").write_bytes(data)
    return folder


def test_blank_pictures_do_not_match_each_other(tmp_path: Path, index: Index) -> None:
    """200 flat or nearly flat pictures, no two alike: no pair is proposed and no row is kept, but copies are copies."""

    def nearly_blank() -> Iterator[bytes]:
        random = np.random.default_rng(1)
        for number in range(200):
            shade = (number, 255 - number, 128)
            picture = Image.new("RGB", (64 + number % 3, 64), shade)
            if number % 2:
                noise = random.integers(-2, 3, (64, picture.width, 3)) + np.array(shade)
                picture = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
            yield encoded(picture, "PNG")

    folder = written(tmp_path / "blank", nearly_blank())
    stages: list[str] = []
    first = index.update(folder, jobs=0, tick=lambda stage, _done, _total: stages.append(stage))
    shutil.copy(folder / "007.png", folder / "copy.png")

    report = index.update(folder, jobs=0)

    assert (first.decoded, first.matches, report.decoded, report.matches, due(index)) == (200, 0, 0, 0, 0)
    assert stages
    assert "search" not in stages
    assert match_rows(index) == {}
    assert [[one.kind for one in group.surplus] for group in index.groups(kinds=VERIFIED)] == [[Kind.BYTES]]


def test_files_of_equal_pixels_make_one_group_without_any_row(
    tmp_path: Path, index: Index, compared: list[tuple[int, int]]
) -> None:
    """300 files that differ in their metadata: one of them is compared with the rest of the index."""
    picture = drawn(SEED).resize((120, 90))

    def with_metadata() -> Iterator[bytes]:
        for number in range(300):
            comment = PngImagePlugin.PngInfo()
            comment.add_text("Comment", str(number))
            yield encoded(picture, "PNG", pnginfo=comment)

    folder = written(tmp_path / "twins", with_metadata())
    (folder / "other.jpg").write_bytes(encoded(picture, "JPEG"))

    report = index.update(folder, jobs=0)

    groups = index.groups()
    assert (report.decoded, report.matches, len(compared)) == (301, 1, 1)
    assert len(match_rows(index)) == 1
    assert len(groups) == 1
    assert len(groups[0].surplus) == 300
    assert {(one.kind, one.bits, str(one.evidence)) for one in groups[0].surplus if one.member.format == "PNG"} == {
        (Kind.SAME, 0, "pixels")
    }


def test_flat_pictures_of_equal_pixels_are_the_same(tmp_path: Path, index: Index) -> None:
    """Too flat for their hashes to mean anything; their pixels do. One level of one pixel is enough to differ."""
    flat = Image.new("RGB", (80, 60), (200, 10, 10))
    other = flat.copy()
    other.putpixel((3, 3), (201, 10, 10))
    folder = written(
        tmp_path / "flat",
        iter([encoded(flat, "PNG"), encoded(flat, "PNG", compress_level=1), encoded(other, "PNG")]),
    )
    aged(folder / "000.png", 5000)

    index.update(folder, jobs=0)

    found = [[(one.member.path, one.kind, str(one.evidence)) for one in group.surplus] for group in index.groups()]
    assert found in ([[("000.png", Kind.SAME, "pixels")]], [[("001.png", Kind.SAME, "pixels")]])
    assert match_rows(index) == {}


def test_unreadable_and_flat_pictures_are_never_due(photos: Path, index: Index) -> None:
    """They are marked as matched, or each run would ask for them again."""
    (photos / "broken.jpg").write_bytes(encoded(drawn(9))[:2000])
    (photos / "flat.png").write_bytes(encoded(Image.new("RGB", (80, 60)), "PNG"))

    index.update(photos, jobs=0)

    assert due(index) == 0


def test_weak_match_is_looked_at_again_when_a_file_shows_the_picture_again(photos: Path, index: Index) -> None:
    """It was found while a file was away; the bytes, or a twin of equal pixels, come back, and both files are compared."""
    pictures = {"base.png": drawn(21), "sign.png": sign("7")}
    for name, picture in pictures.items():
        (photos / name).write_bytes(encoded(picture, "PNG"))
    index.update(photos, jobs=0)
    for name in pictures:
        (photos / name).unlink()
    index.update(photos, jobs=0)
    (photos / "resaved.jpg").write_bytes(encoded(drawn(21), quality=80))
    (photos / "other.png").write_bytes(encoded(sign("1"), "PNG"))
    index.update(photos, jobs=0)
    assert stored_matches(index) == [("same", "thumbnail"), ("same", "thumbnail")]

    (photos / "back.png").write_bytes(encoded(drawn(21), "PNG"))
    (photos / "twin.png").write_bytes(encoded(sign("7"), "PNG", compress_level=1))
    index.update(photos, jobs=0)

    assert stored_matches(index) == [("edited", "files"), ("same", "files")]
    assert len(index.plan().moves) == 1


def sign(digit: str) -> Image.Image:
    """A large picture with a digit on it, which a thumbnail blurs."""
    picture = drawn(20).resize((1600, 1200), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((800, 600, 910, 710), fill="grey")
    pen.text((822, 600), digit, fill="black", font_size=100)
    return picture


def stored_matches(index: Index) -> list[tuple[str, str]]:
    """The kind and the evidence of all matches."""
    with sqlite3.connect(index.path) as db:
        found = db.execute('SELECT kind, evidence FROM "match" ORDER BY kind').fetchall()
    db.close()
    return found
