"""Hazards 29, 32, 33 and 36: hashes that are equal, or from another time, do not make two pictures one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from deciding import every_plan, names, planned, prune, rows
from PIL import Image
from score import Faults
from support import make_photos, settle, tree

from indexer import Index, batches, fingerprint, reading
from indexer import index as story
from indexer.drawing import drawn, encoded
from indexer.groups import VERIFIED
from indexer.recipe import RECIPE
from indexer.records import Recipe

# --- 29: pictures with hardly anything on them


def flat(*colours: object, mode: str = "RGB") -> list[Image.Image]:
    """A picture of each colour."""
    return [Image.new(mode, (640, 360), colour) for colour in colours]  # type: ignore[arg-type]


def specked() -> list[Image.Image]:
    """A white picture, and three with one pixel each that is a little off."""
    pictures = flat(*["white"] * 4)
    for number, picture in enumerate(pictures[1:]):
        picture.putpixel((100 * number, 50), (255, 255, 250))
    return pictures


def grained() -> list[Image.Image]:
    """Four grey pictures with different grain of one level."""
    grain = (np.random.default_rng(seed).integers(127, 129, (360, 640), dtype=np.uint8) for seed in range(4))
    return [Image.fromarray(levels) for levels in grain]


def gradients() -> list[Image.Image]:
    """Three gradients that are as light everywhere, in other colours."""
    ramp = Image.linear_gradient("L").point(lambda level: 60 + level // 2)
    colours = ((90, 128), (128, 90), (166, 128))
    layers = ([ramp, *(Image.new("L", ramp.size, level) for level in colour)] for colour in colours)
    return [Image.merge("YCbCr", bands).convert("RGB") for bands in layers]


FLAT = [
    pytest.param(flat("white", "blue", "green", (200, 30, 40)), "PNG", id="four flat colours, PNG"),
    pytest.param(flat("white", "blue", "green", (200, 30, 40)), "JPEG", id="four flat colours, JPEG"),
    pytest.param(flat("white", (254, 254, 254), (255, 255, 254)), "PNG", id="flat colours a level apart"),
    pytest.param(flat("black", "white"), "PNG", id="black and white"),
    pytest.param(flat(0, 1, mode="1"), "PNG", id="black and white of one bit"),
    pytest.param(flat((255, 0, 0, 0), (0, 255, 0, 0), mode="RGBA"), "PNG", id="transparent red and green"),
    pytest.param(specked(), "PNG", id="white with a speck"),
    pytest.param(grained(), "PNG", id="grey with grain of a level"),
]


@pytest.mark.parametrize(("pictures", "format_"), FLAT)
def test_hazard_29_flat_pictures_match_none_but_their_equals(
    photos: Path, index: Index, fault: Faults, pictures: list[Image.Image], format_: str, request: pytest.FixtureRequest
) -> None:
    """What has no detail matches what has every pixel in common with it, and nothing else, by any verified kind."""
    put_flat(photos, pictures, format_)
    with Image.open(photos / "flat-0") as first:
        (photos / "twin").write_bytes(encoded(first, "PNG", compress_level=0))

    with fault(29, str(request.node.callspec.id), root=photos) as case:
        index.update(photos, jobs=0)
        found = planned(index, kinds=VERIFIED)
        pruned = prune(index)
        left = names(photos)
        case.undo(index)

    assert (found, pruned) == ({("same", "twin", "flat-0")}, 0)
    assert left == names(photos) - {"flat-0"}


def test_hazard_29_gradients_that_differ_in_colour_are_not_pruned_unseen(
    photos: Path, index: Index, fault: Faults
) -> None:
    """They have the same hashes and enough detail to be compared; other colours are not the same picture."""
    put_flat(photos, gradients(), "JPEG")
    before = tree(photos)

    with fault(29, "gradients of three colours", root=photos) as case:
        index.update(photos, jobs=0)
        pruned = prune(index)
        after = tree(photos)
        case.undo(index)

    assert (pruned, after) == (0, before)


def put_flat(photos: Path, pictures: Iterable[Image.Image], format_: str) -> None:
    """Saves pictures as flat-0, flat-1 and so on."""
    for number, picture in enumerate(pictures):
        (photos / f"flat-{number}").write_bytes(encoded(picture, format_))


# --- 32: another recipe


def test_hazard_32_everything_is_read_again_when_the_recipe_is_another(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older imgindex found all pictures equal; not one of its fingerprints and matches outlives it."""
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "_look", lambda *_arguments: bytes(16))
        patch.setattr(fingerprint, "_cosine_hash", lambda _low: bytes(32))
        patch.setattr(story, "RECIPE", Recipe("imgindex", 0, "of old"))
        index.update(photos, jobs=0)
    settle(index)
    before = planned(index)

    with fault(32, "hashes of another recipe", root=photos) as case:
        report = index.update(photos, jobs=0)
        pruned = prune(index)
        case.undo(index)

    assert (len(before), report.decoded, report.changed, pruned, planned(index)) == (5, 6, 0, 0, set())
    assert rows(index, "SELECT count(*) FROM content WHERE look = zeroblob(16) OR phash = zeroblob(32)") == [(0,)]
    assert len(rows(index, "SELECT DISTINCT recipe_id FROM content")) == 1


def read_by(index: Index, recipe: str) -> set[object]:
    """The files, relative to their roots, whose content was fingerprinted by a recipe."""
    statement = f"""
        SELECT ltrim(folder.path || '/' || name, '/') FROM file JOIN folder ON folder.id = folder_id
        JOIN content ON content.id = content_id JOIN recipe ON recipe.id = recipe_id WHERE key = '{recipe}'
    """  # noqa: S608 - a recipe of ours
    return {row[0] for row in rows(index, statement)}


@pytest.fixture
def two_roots(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of different pictures; the second has three of the first again, in another encoding."""
    first, second = make_photos(tmp_path / "first"), tmp_path / "second"
    second.mkdir()
    for number in range(3):
        (second / f"resaved-{number}.webp").write_bytes(encoded(drawn(number), "WEBP"))
        (second / f"other-{number}.jpg").write_bytes(encoded(drawn(20 + number)))
    return first, second


def test_hazard_32_nothing_is_compared_across_recipes_when_one_folder_was_read_again(
    two_roots: tuple[Path, Path], index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the second folder still waits, none of its files is in a group; then all is found as before."""
    first, second = two_roots
    index.update(first, second, jobs=0)
    settle(index)
    before = planned(index)
    monkeypatch.setattr(story, "RECIPE", Recipe("imgindex", 99, "to come"))

    with fault(32, "one of two folders read again", root=first, others=[second]) as case:
        report = index.update(first, jobs=0)
        between = every_plan(index)
        pruned = prune(index)
        case.undo(index)

    assert (len(before), report.decoded, report.matches, between, pruned) == (3, 6, 0, set(), 0)
    assert rows(index, 'SELECT * FROM "match"') == []
    index.update(second, jobs=0)
    assert planned(index) == before


def test_hazard_32_nothing_is_compared_across_recipes_when_reading_again_is_interrupted(
    two_roots: tuple[Path, Path], index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the files carry the new recipe: no plan holds a file of the other half."""
    first, second = two_roots
    index.update(first, second, jobs=0)
    settle(index)
    before = planned(index)
    monkeypatch.setattr(story, "RECIPE", Recipe("imgindex", 99, "to come"))
    monkeypatch.setattr(reading, "STORE_OUTCOMES", 1)
    monkeypatch.setattr(batches, "BATCH_FILES", 4)
    stages = iter(range(100))

    def interrupt(stage: str, _done: int, _total: int | None) -> None:
        if stage == "read" and next(stages) == 3:
            raise KeyboardInterrupt

    with fault(32, "reading again was interrupted", root=first, others=[second]) as case:
        with pytest.raises(KeyboardInterrupt):
            index.update(first, second, jobs=0, tick=interrupt)
        read, waiting = read_by(index, "imgindex/99 to come"), read_by(index, RECIPE.key)
        between = {path for _kind, *pair in every_plan(index) for path in pair}
        pruned = prune(index)
        case.undo(index)

    assert (len(before), len(read), len(waiting), pruned) == (3, 8, 4, 0)
    assert between <= read
    index.update(first, second, jobs=0)
    assert planned(index) == before


# --- 33: hashes that collide


class _Colliding:
    """SHA-256, but for some contents that all have one digest."""

    def __init__(self, alike: set[bytes] | None, real: Callable[[bytes], object], data: bytes = b"") -> None:
        self._alike, self._real, self._data = alike, real, data

    def update(self, data: bytes) -> None:
        self._data += bytes(data)

    def digest(self) -> bytes:
        alike = self._alike is None or self._data in self._alike
        return b"\x33" * 32 if alike else self._real(self._data).digest()  # type: ignore[attr-defined,no-any-return]


def collide(monkeypatch: pytest.MonkeyPatch, alike: set[bytes] | None) -> None:
    """Gives some contents one SHA-256, all of them for None."""
    real = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda data=b"": _Colliding(alike, real, bytes(data)))


@pytest.mark.parametrize("which", ["two contents", "all contents"])
def test_hazard_33_nothing_is_moved_when_digests_collide(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """Different files whose SHA-256 is one are planned as copies; then their bytes are compared, and they stay."""
    alike = {path.read_bytes() for path in sorted(photos.glob("a/*"))[:2]} if which == "two contents" else None
    before = tree(photos)

    with fault(33, f"SHA-256 of {which} is one", root=photos) as case:
        with monkeypatch.context() as patch:
            collide(patch, alike)
            index.update(photos, jobs=0)
            wrong = planned(index)
            code = prune(index)
        after = tree(photos)
        case.undo(index)

    assert len(wrong) == (1 if alike else 5)
    assert code in ({3} if alike else {3, 4})
    assert after == before


@pytest.mark.parametrize("hash_", ["_difference_hash", "_cosine_hash", "views_of", "all of them"])
def test_hazard_33_nothing_is_moved_when_perceptual_hashes_collide(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, hash_: str
) -> None:
    """A hash that is the same for all pictures proposes every pair, and each is looked at and refused."""
    constant = {"_difference_hash": 0x55, "_cosine_hash": b"\x55" * 32, "views_of": b"\x55" * 192}
    for name in constant if hash_ == "all of them" else [hash_]:
        monkeypatch.setattr(fingerprint, name, lambda *_arguments, value=constant[name]: value)
    before = tree(photos)

    with fault(33, f"perceptual hashes are one: {hash_}", root=photos) as case:
        index.update(photos, jobs=0)
        hashes = rows(index, "SELECT count(DISTINCT dhash), count(DISTINCT phash), count(DISTINCT views) FROM content")
        code = prune(index)
        after = tree(photos)
        case.undo(index)

    assert 1 in hashes[0]
    assert (code, after) == (0, before)


# --- 36: EXIF orientation

_LYING = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation → how pixels must lie for it to turn them upright. Source: Exif 2.3, tag 274."""


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_hazard_36_pictures_turned_by_exif_are_the_same_picture(
    photos: Path, index: Index, fault: Faults, format_: str
) -> None:
    """Eight files of one picture, one an orientation, make one group of kind same, with the same distances every time."""
    make_photos(photos, count=12)
    for orientation, turn in _LYING.items():
        picture = drawn(37) if turn is None else drawn(37).transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"lossless": True} if format_ == "WEBP" else {"quality": 95} if format_ == "JPEG" else {}
        (photos / f"turned-{orientation}").write_bytes(encoded(picture, format_, exif=exif.tobytes(), **options))

    with fault(36, f"EXIF orientations of {format_}", root=photos) as case:
        index.update(photos, jobs=0)
        groups = index.groups(kinds=VERIFIED)
        pruned = prune(index)
        left = names(photos)
        case.undo(index)

    again = Index(photos.parent / "again.db")
    again.update(photos, jobs=0)
    assert [(len(group.surplus), {str(one.kind) for one in group.surplus}) for group in groups] == [(7, {"same"})]
    assert (pruned, len(names(photos) - left)) == (0, 7)
    assert all(one.bits <= 8 for one in groups[0].surplus)
    assert [one.bits for one in again.groups()[0].surplus] == [one.bits for one in groups[0].surplus]
