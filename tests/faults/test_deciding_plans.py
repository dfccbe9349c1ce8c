"""Hazards 30, 31 and 35: what a plan holds, and that it is the same every time."""

from __future__ import annotations

import csv
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from deciding import planned, prune, rows
from PIL import Image, ImageDraw
from score import Faults
from support import tree

from indexer import Index, closeup
from indexer.drawing import drawn, encoded
from indexer.groups import VERIFIED

# --- 30: chains


def chain(format_: str, step: int, length: int = 10) -> dict[str, bytes]:
    """Pictures of which each has a patch that is some levels lighter than that of the one before."""
    dimmed = np.asarray(drawn(5).point(lambda level: level * 3 // 5 + 30))
    options = {"quality": 95} if format_ != "PNG" else {}
    files = {}
    for number in range(length):
        levels = dimmed.copy()
        levels[60:120, 60:120] += np.uint8(number * step)
        files[f"link-{number}"] = encoded(Image.fromarray(levels), format_, **options)
    return files


@pytest.mark.parametrize(("format_", "step"), [("JPEG", 3), ("WEBP", 3), ("PNG", 1)])
def test_hazard_30_surplus_matches_its_own_keeper_in_a_chain(
    photos: Path, index: Index, fault: Faults, format_: str, step: int
) -> None:
    """Each of ten pictures matches the next; what is moved matches its keeper itself, and the ends stay apart."""
    for name, data in chain(format_, step).items():
        (photos / name).write_bytes(data)

    with fault(30, f"a chain of ten in {format_}", root=photos) as case:
        index.update(photos, jobs=0)
        matched, moves = same_pairs(index), planned(index)
        pruned = prune(index)
        again = planned(index)
        case.undo(index)

    neighbours = {frozenset((f"link-{number}", f"link-{number + 1}")) for number in range(9)}
    assert (pruned, again) == (0, set())
    assert neighbours <= matched
    assert 3 < len(moves) < 9
    for kind, keeper, surplus in moves:
        assert kind == "same"
        assert frozenset((keeper, surplus)) in matched
        assert abs(int(keeper[-1]) - int(surplus[-1])) <= 2


def same_pairs(index: Index) -> set[frozenset[object]]:
    """The names of the files of each two contents that were found to be the same picture."""
    found = rows(
        index,
        'SELECT a.name, b.name FROM "match" JOIN file a ON a.content_id = a_id JOIN file b ON b.content_id = b_id'
        " WHERE kind = 'same'",
    )
    return {frozenset(pair) for pair in found}


# --- 31: order

SHUFFLES = 20


@pytest.fixture(scope="module")
def varied() -> dict[str, bytes]:
    """Fourteen files: a chain, copies that nothing but their names tells apart, and every kind of match."""
    picture = drawn(7)
    half = picture.resize((picture.width // 2, picture.height // 2))
    return {
        **chain("JPEG", 3, length=3),
        **dict.fromkeys(("é.jpg", "z.jpg", os.fsdecode(b"caf\xe9.jpg"), "A.jpg"), encoded(drawn(3))),
        **{f"{name}.png": encoded(changed, "PNG") for name, changed in changes(picture).items()},
        "half.webp": encoded(half, "WEBP"),
        "resaved.jpg": encoded(picture),
        "other.jpg": encoded(drawn(12)),
    }


def test_hazard_31_plan_is_the_same_whatever_the_order(tmp_path: Path, fault: Faults, varied: dict[str, bytes]) -> None:
    """Twenty orders in which files are made and indexed, each fourth with workers, give one plan of all kinds."""
    photos, expected = tmp_path / "photos", None
    for seed, jobs in zip(range(SHUFFLES), itertools.cycle((0, 0, 0, 2)), strict=False):
        order = [sorted(varied)[place] for place in np.random.default_rng(seed).permutation(len(varied))]
        shutil.rmtree(photos, ignore_errors=True)
        make(photos, {name: varied[name] for name in order})
        index = Index(tmp_path / f"{seed}-{jobs}.db")
        with fault(31, f"order {seed}, {jobs} workers", root=photos):
            for part in np.array_split(np.arange(len(order)), 1 if jobs else 1 + seed % 3):
                index.update(photos, files=[photos / order[place] for place in part], jobs=jobs)
            found = described(index)
            expected = expected or found
            assert found == expected

    kinds = {kind for _keeper, _why, surplus in expected or () for _path, kind, *_rest in surplus}
    assert kinds == set(map(str, VERIFIED))


def make(photos: Path, files: dict[str, bytes]) -> None:
    """Writes files with one modification time, in the order given."""
    photos.mkdir()
    for name, data in files.items():
        (photos / name).write_bytes(data)
        os.utime(photos / name, (1_000_000_000, 1_000_000_000))


def described(index: Index) -> list[tuple[str, str, list[tuple[str, str, int, str]]]]:
    """A plan of all kinds, in all its words."""
    return [
        (
            group.keeper.path,
            group.reason,
            [(one.member.path, str(one.kind), one.bits, str(one.evidence)) for one in group.surplus],
        )
        for group in index.groups(kinds=VERIFIED)
    ]


def test_hazard_31_plan_is_the_same_whatever_the_environment(
    tmp_path: Path, fault: Faults, varied: dict[str, bytes]
) -> None:
    """Neither the seed of Python's hashes nor language or time zone decides anything."""
    make(tmp_path / "photos", varied)
    told = set()
    for number, (language, zone) in enumerate((("C", "UTC"), ("tr_TR.UTF-8", "Asia/Tokyo"))):
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "LC_ALL": language, "TZ": zone}
        with fault(31, f"language {language}, time zone {zone}, hash seed {number}", root=tmp_path / "photos"):
            for command in (
                ["index", "photos", "--jobs", "1", "-q"],
                ["dups", "--kinds", ",".join(VERIFIED), "--json"],
            ):
                line = [sys.executable, "-m", "indexer", *command, "--db", f"{number}.db"]
                done = subprocess.run(line, check=True, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
            told.add(done.stdout)

    assert len(told) == 1
    assert told != {b""}


# --- 35: near duplicates


def changes(picture: Image.Image) -> dict[str, Image.Image]:
    """What is not the same picture to everyone, by the kind of match that it is."""
    marked = picture.copy()
    ImageDraw.Draw(marked).rectangle((20, 20, 70, 60), fill="white", outline="black", width=3)
    lightness, blueness, redness = picture.convert("YCbCr").split()
    return {
        "flipped": picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "rotated": picture.transpose(Image.Transpose.ROTATE_90),
        "recoloured": Image.merge("YCbCr", (lightness, redness, blueness)).convert("RGB"),
        "edited": marked,
    }


def test_hazard_35_prune_takes_nothing_but_copies_and_the_same_picture(
    photos: Path, index: Index, fault: Faults
) -> None:
    """Of all kinds that matching gives, `prune --yes` takes bytes and same; the design's words for what was verified."""
    picture = drawn(7)
    for name, changed in changes(picture).items():
        (photos / name).write_bytes(encoded(changed, "PNG"))
    (photos / "0-picture").write_bytes(encoded(picture, "PNG", compress_level=0))
    shutil.copy2(photos / "0-picture", photos / "copy")
    (photos / "resaved").write_bytes(encoded(picture, "WEBP"))

    with fault(35, "every kind of match", root=photos) as case:
        index.update(photos, jobs=0)
        found = {kind: surplus for kind, _keeper, surplus in planned(index, kinds=VERIFIED)}
        before = tree(photos)
        pruned = prune(index)
        gone = before.keys() - tree(photos).keys()
        case.undo(index)

    assert found == {"bytes": "copy", "same": "resaved", **{kind: kind for kind in changes(picture)}}
    assert (pruned, gone) == (0, {"copy", "resaved"})


def test_hazard_35_prune_leaves_what_was_compared_by_thumbnails_alone(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A match that was not verified on the two files, as one could not be read then, is not pruned unless asked for."""
    (photos / "resaved.webp").write_bytes(encoded(drawn(0), "WEBP"))
    monkeypatch.setattr(closeup, "closeup", lambda _path, _digest: None)

    with fault(35, "no second look at the files", root=photos) as case:
        index.update(photos, jobs=0)
        pruned = prune(index)
        left = tree(photos)
        case.undo(index)

    assert (pruned, "resaved.webp" in left) == (0, True)
    assert planned(index, unconfirmed=True) == {("same", "a/0.jpg", "resaved.webp")}


def test_hazard_35_prune_takes_a_near_duplicate_once_a_person_said_so(
    photos: Path, index: Index, fault: Faults
) -> None:
    """A recorded judgement makes a mirrored copy the same picture, and keeps apart what was found to be the same."""
    (photos / "flipped.png").write_bytes(encoded(drawn(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"))
    (photos / "resaved.webp").write_bytes(encoded(drawn(2), "WEBP"))

    with fault(35, "judgements against the machine's", root=photos) as case:
        index.update(photos, jobs=0)
        before = planned(index)
        index.decide(photos / "a" / "0.jpg", photos / "flipped.png", "same")
        index.decide(photos / "a" / "2.jpg", photos / "resaved.webp", "different")
        pruned = prune(index)
        left = tree(photos)
        case.undo(index)

    assert before == {("same", "a/2.jpg", "resaved.webp")}
    assert (pruned, len(left), "resaved.webp" in left) == (0, 7, True)


@pytest.mark.parametrize("folder", ["photos_clothing", "photos_caltech_pairs"])
def test_hazard_35_prune_takes_no_real_pictures_that_people_call_distinct(
    data: Path, tmp_path: Path, index: Index, fault: Faults, folder: str
) -> None:
    """Of the real pairs that hashes call alike and people do not, not one is pruned."""
    photos = tmp_path / "photos"
    shutil.copytree(data / folder, photos)
    apart = distinct_pairs(photos)

    with fault(35, f"look-alikes of {folder}", root=photos) as case:
        index.update(photos, jobs=2)
        taken = {frozenset(pair) for _kind, *pair in planned(index)}
        pruned = prune(index)
        case.undo(index)

    assert (pruned, len(apart) > 20) == (0, True)
    assert taken & apart == set()


APART = ("distinct", "different", "recoloured")
"""Labels of pairs of which neither may be pruned for the other."""


def distinct_pairs(folder: Path) -> set[frozenset[str]]:
    """The pairs that are labelled as different pictures."""
    found = set()
    for table in folder.glob("pairs*.csv"):
        with table.open(newline="") as stream:
            labelled = [row for row in csv.DictReader(stream) if row["label"] in APART]
        found |= {frozenset((row["a"], row["b"])) for row in labelled}
    return found
