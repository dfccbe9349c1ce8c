"""Hashes, grey levels and thumbnails, against Pillow, imagehash, scipy and sums worked by hand.

`imagehash` resizes with Pillow, which from version 13 on runs the vertical pass first when a picture is nearly twice as
tall as the target is (python-pillow/Pillow#9549). imgindex always runs the horizontal pass first, as all earlier versions
did, so tall pictures are compared with the two passes asked for one by one.
"""

from __future__ import annotations

import itertools
from io import BytesIO
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy.fftpack import dct

from indexer.drawing import drawn, mosaic
from indexer.fingerprint import fingerprint, grey_levels, reduction, thumbnail_jpeg
from indexer.records import Fingerprint

LANCZOS = Image.Resampling.LANCZOS
LENGTHS = (1, 2, 7, 8, 9, 10, 16, 17, 31, 63, 64, 65, 100, 191, 192)
SIDES = st.integers(1, 192)


def taken(picture: Image.Image) -> Fingerprint:
    """The fingerprint of a picture as it is."""
    return fingerprint(np.asarray(picture), width=4000, height=3000, format="JPEG", mode="RGB")


def grey(kind: str, width: int, height: int) -> Image.Image:
    """A grey picture of a given size."""
    if kind == "noise":
        samples = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width), dtype=np.uint8)
        return Image.fromarray(samples)
    return {"hills": drawn(1), "mosaic": mosaic(2)}[kind].convert("L").resize((width, height))


def dhash_of(picture: Image.Image) -> int:
    """The difference hash by Pillow: horizontal pass, vertical pass, neighbours compared."""
    small = np.asarray(picture.resize((9, picture.height), LANCZOS).resize((9, 8), LANCZOS)).tolist()
    return int("".join("01"[row[x + 1] > row[x]] for row in small for x in range(8)), 2)


def dhash_of_imagehash(picture: Image.Image) -> int:
    """The difference hash by imagehash."""
    return int(str(imagehash.dhash(picture)), 16)


def frequencies(picture: Image.Image) -> np.ndarray:
    """The 16×16 lowest terms of the orthonormal DCT-II of a 64×64 picture, by scipy in 64-bit floats."""
    samples = np.asarray(picture, dtype=np.float64)
    return dct(dct(samples, axis=0, norm="ortho"), axis=1, norm="ortho")[:16, :16]


def phash_of(picture: Image.Image) -> bytes:
    """The DCT hash by its definition: where a term exceeds a tenth of the root mean square of all but the mean."""
    terms = frequencies(picture).ravel()
    terms[0] = 0
    return np.packbits(terms > 0.1 * np.sqrt((terms**2).sum() / 255)).tobytes()


def symmetric(seed: int, side: int) -> Image.Image:
    """A drawing that is its own mirror image both ways: discs, bars and frames about the centre, as flags have them."""
    random = np.random.default_rng(seed)
    picture = Image.new("L", (4 * side, 4 * side), int(random.integers(256)))
    pen = ImageDraw.Draw(picture)
    for _ in range(4):
        half = [round(2 * side * float(share)) for share in random.uniform(0.1, 0.9, 2)]
        box = [2 * side - half[0], 2 * side - half[1], 2 * side + half[0] - 1, 2 * side + half[1] - 1]
        shape = (pen.ellipse, pen.rectangle)[int(random.integers(2))]
        shape(box, fill=int(random.integers(256)))
    return picture.reduce(4)


def bits_between(left: bytes, right: bytes) -> int:
    """The Hamming distance."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).bit_count()


def photos_in(data: Path) -> list[Image.Image]:
    """Real photos in grey at the reduced scale that libjpeg can decode them to."""
    found = []
    for path in sorted(data.glob("photos_*/**/*.jpg")):
        with Image.open(path) as picture:
            picture.draft("L", (64, 64))
            found.append(picture.convert("L"))
    return found


@pytest.mark.parametrize("kind", ["noise", "hills", "mosaic"])
def test_dhash_equals_pillows_two_passes_at_any_size(kind: str) -> None:
    """Every bit is what Pillow's LANCZOS gives, whatever the sides."""
    pictures = [grey(kind, width, height) for width, height in itertools.product(LENGTHS, repeat=2)]

    hashes = [taken(picture).dhash for picture in pictures]

    assert hashes == [dhash_of(picture) for picture in pictures]


@pytest.mark.parametrize("kind", ["noise", "hills", "mosaic"])
def test_dhash_equals_imagehash_when_the_picture_is_not_tall(kind: str) -> None:
    """Every bit is what `imagehash.dhash` gives; see above for tall pictures."""
    sizes = [(w, h) for w, h in itertools.product(LENGTHS, repeat=2) if w >= 9 and h <= 1.4 * w]
    pictures = [grey(kind, *size) for size in sizes]

    hashes = [taken(picture).dhash for picture in pictures]

    assert hashes == [dhash_of_imagehash(picture) for picture in pictures]


def test_dhash_equals_imagehash_on_real_photos(data: Path) -> None:
    """Real photos, drafted to a fraction of their size, hash alike bit for bit."""
    photos = [photo for photo in photos_in(data) if photo.height <= 1.4 * photo.width]

    hashes = [taken(photo).dhash for photo in photos]

    assert len(photos) > 500
    assert hashes == [dhash_of_imagehash(photo) for photo in photos]


@given(SIDES, SIDES, st.integers(0, 2**32 - 1))
@example(107, 162, 107)
def test_dhash_is_within_two_bits_of_pillows_two_passes_whatever_the_pixels(width: int, height: int, seed: int) -> None:
    """Noise hashes alike, but for sums so close to a half that 32-bit floats round them the other way.

    Of 30,000 pictures of noise, 24 differed in one bit and 2 in two (the example is one of them).
    """
    samples = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    picture = Image.fromarray(samples)

    assert (taken(picture).dhash ^ dhash_of(picture)).bit_count() <= 2


def test_dhash_has_its_first_bit_at_the_top_left() -> None:
    """A step up between the first two of nine columns sets the first bit of each row (worked by hand)."""
    samples = np.full((8, 9), 200, dtype=np.uint8)
    samples[:, 0] = 100
    samples[7, 8] = 255

    assert taken(Image.fromarray(samples)).dhash == 0x8080808080808081


def test_phash_equals_scipy_when_the_picture_is_64_by_64() -> None:
    """Without resampling, each bit tells whether a frequency exceeds a tenth of their root mean square."""
    pictures = [grey("noise", 64, 64), *(drawn(seed).convert("L").resize((64, 64)) for seed in range(100))]

    hashes = [taken(picture).phash for picture in pictures]

    assert hashes == [phash_of(picture) for picture in pictures]


def test_phash_is_close_to_scipy_on_real_photos(data: Path) -> None:
    """Rounding to whole levels after resampling, which Pillow does, turns no bit of most photos and 4 at most."""
    photos = photos_in(data)

    distances = [bits_between(taken(photo).phash, phash_of(photo.resize((64, 64), LANCZOS))) for photo in photos]

    assert len(photos) > 500
    assert max(distances) <= 4
    assert sum(distance == 0 for distance in distances) >= 0.6 * len(photos)


@pytest.mark.parametrize(
    ("down", "across", "place"),
    [
        pytest.param(0, 1, 1, id="half a wave across"),
        pytest.param(1, 0, 16, id="half a wave down"),
        pytest.param(15, 15, 255, id="highest frequency"),
        pytest.param(2, 3, 35, id="waves both ways"),
    ],
)
def test_phash_has_its_bits_row_by_row(down: int, across: int, place: int) -> None:
    """One wave that starts bright sets one bit, 16 × its vertical + its horizontal frequency; its negative sets none."""
    places = np.pi * (np.arange(64) + 0.5) / 64
    wave = 100 * np.outer(np.cos(down * places), np.cos(across * places))

    hashes = [taken(Image.fromarray((128 + sign * wave).round().astype(np.uint8))).phash for sign in (1, -1)]

    assert hashes == [(1 << 255 - place).to_bytes(32, "big"), bytes(32)]


@given(st.integers(0, 2**32 - 1), st.integers(64, 110), st.integers(120, 192))
def test_phash_is_stable_when_a_symmetric_drawing_changes_its_size(seed: int, small: int, large: int) -> None:
    """The odd frequencies of a symmetric drawing are nothing but rounding; they turn no bits."""
    hashes = [np.unpackbits(np.frombuffer(taken(symmetric(seed, side)).phash, np.uint8)) for side in (small, large)]

    odd = np.add.outer(np.arange(16) % 2, np.arange(16) % 2).ravel() > 0
    assert [int(bits[odd].sum()) for bits in hashes] == [0, 0]
    assert int((hashes[0] != hashes[1]).sum()) <= 23


@given(SIDES, SIDES, st.integers(0, 255))
def test_fingerprint_of_a_flat_picture_holds_no_noise(width: int, height: int, level: int) -> None:
    """One level gives no detail and no bit, whatever the size."""
    flat = taken(Image.new("L", (width, height), level))

    assert (flat.dhash, flat.phash, flat.views) == (0, bytes(32), bytes(192))
    assert flat.detail == pytest.approx(0, abs=0.01)


@given(st.tuples(*[st.integers(0, 255)] * 3), SIDES, SIDES)
def test_fingerprint_of_one_colour_holds_no_noise(colour: tuple[int, int, int], width: int, height: int) -> None:
    """One colour is as flat as one grey."""
    flat = taken(Image.new("RGB", (width, height), colour))

    assert (flat.dhash, flat.phash, flat.views) == (0, bytes(32), bytes(192))
    assert flat.detail == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("horizontal", "vertical", "detail"),
    [
        pytest.param(1, 0, 100 / 2**0.5, id="half a wave across"),
        pytest.param(0, 7, 100 / 2**0.5, id="waves down"),
        pytest.param(15, 0, 100 / 2**0.5, id="highest frequency of the hash"),
        pytest.param(3, 4, 100 / 2, id="waves both ways"),
        pytest.param(16, 0, 0, id="higher than the hash hears"),
    ],
)
def test_detail_is_the_contrast_of_a_wave(horizontal: int, vertical: int, detail: float) -> None:
    """A cosine of amplitude 100 has a root mean square of 100/√2, its product with another 100/2 (by hand)."""
    places = 2 * np.arange(64) + 1
    across, down = (np.cos(np.pi * count * places / 128) for count in (horizontal, vertical))
    wave = 128 + 100 * down[:, None] * across[None, :]

    found = taken(Image.fromarray(wave.round().astype(np.uint8))).detail

    assert found == pytest.approx(detail, abs=0.1)


@pytest.mark.parametrize("shown", ["noise", "hills", "mosaic"])
def test_detail_equals_the_root_mean_square_by_scipy(shown: str) -> None:
    """The energy of the orthonormal DCT without the mean, by Parseval's theorem, in grey levels."""
    picture = grey(shown, 64, 64)
    samples = np.asarray(picture, dtype=np.float64)
    energy = dct(dct(samples, axis=0, norm="ortho"), axis=1, norm="ortho")[:16, :16] ** 2

    assert taken(picture).detail == pytest.approx(np.sqrt((energy.sum() - energy[0, 0]) / 4096), rel=1e-4)


@pytest.mark.parametrize("red", range(0, 256, 32))
def test_grey_levels_equal_pillows_for_every_colour(red: int) -> None:
    """All 16,777,216 colours, in eight parts, have the level that `convert("L")` gives them."""
    levels = np.arange(256, dtype=np.uint8)
    every = np.stack(np.meshgrid(np.arange(red, red + 32, dtype=np.uint8), levels, levels, indexing="ij"), axis=-1)
    colours = every.reshape(32 * 256, 256, 3)

    found = grey_levels(colours)

    assert np.array_equal(found, np.asarray(Image.fromarray(colours).convert("L")))


def test_grey_levels_are_the_samples_when_the_picture_is_grey() -> None:
    """Grey samples stay."""
    samples = np.asarray(grey("noise", 20, 10))

    assert np.array_equal(grey_levels(samples), samples)


def test_fingerprint_is_the_same_for_grey_in_one_channel_and_in_three() -> None:
    """Saving a grey picture in colour changes nothing but the thumbnail, and with it the look."""
    picture = grey("hills", 150, 120)

    found = taken(picture.convert("RGB"))

    assert found == taken(picture)._replace(thumbnail=found.thumbnail, look=found.look)


def test_look_is_equal_when_the_pixels_are() -> None:
    """Format and mode of the file do not count."""
    pixels = np.asarray(drawn(3).resize((120, 90)))

    looks = [
        fingerprint(pixels.copy(), width=120, height=90, format=format_, mode=mode).look
        for format_, mode in (("PNG", "RGB"), ("BMP", "RGB"), ("PNG", "P"))
    ]

    assert looks == [looks[0]] * 3
    assert len(looks[0]) == 16


@pytest.mark.parametrize(
    ("change", "options"),
    [
        pytest.param((0, 0, 0), {"width": 121}, id="width"),
        pytest.param((0, 0, 0), {"height": 91}, id="height"),
        pytest.param((0, 0, 0), {"unseen": b"transparency"}, id="what is not seen"),
        pytest.param((0, 0, 1), {}, id="one level of one channel of one pixel"),
    ],
)
def test_look_differs_when_anything_differs(change: tuple[int, int, int], options: dict[str, Any]) -> None:
    """A size, a transparency or a pixel that differs by one level, which its JPEG does not show, gives another look."""
    pixels = np.full((90, 120, 3), 128, dtype=np.uint8)
    changed = pixels.copy()
    changed[40, 60] += np.array(change, dtype=np.uint8)
    defaults: dict[str, Any] = {"width": 120, "height": 90, "format": "PNG", "mode": "RGB"}

    looks = [fingerprint(pixels, **defaults).look, fingerprint(changed, **defaults | options).look]

    assert looks[0] != looks[1]


@given(SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_fingerprint_is_the_same_each_time(width: int, height: int, seed: int) -> None:
    """Equal pixels, at other addresses in memory, give equal records."""
    samples = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    elsewhere = np.empty(samples.size + 1, dtype=np.uint8)[1:].reshape(samples.shape)
    elsewhere[:] = samples

    records = [fingerprint(one, width=9, height=8, format="PNG", mode="RGBA") for one in (samples, elsewhere)]

    assert records[0] == records[1]
    assert records[0][2:6] == (9, 8, "PNG", "RGBA")


@pytest.mark.parametrize(
    ("size", "factors"),
    [
        pytest.param((1, 1), (1, 1), id="one pixel"),
        pytest.param((192, 192), (1, 1), id="largest that stays"),
        pytest.param((193, 100), (2, 2), id="smallest that is halved"),
        pytest.param((384, 384), (2, 2), id="largest that is halved"),
        pytest.param((385, 100), (3, 3), id="smallest that is cut to a third"),
        pytest.param((500, 375), (3, 3), id="both sides by the same"),
        pytest.param((10_000, 100), (53, 3), id="a strip keeps 32 rows"),
        pytest.param((100, 10_000), (3, 53), id="a strip on end keeps 32 columns"),
        pytest.param((10_000, 20), (53, 1), id="a thin strip keeps all its rows"),
        pytest.param((10_000, 1), (53, 1), id="a line keeps its one row"),
    ],
)
def test_reduction(size: tuple[int, int], factors: tuple[int, int]) -> None:
    """The factors are the smallest that make a picture fit into 192 pixels (worked by hand)."""
    assert reduction(*size) == factors


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_reduction_fits_and_keeps_what_it_can(width: int, height: int) -> None:
    """The result fits, would not with less, and has 32 pixels across wherever the picture has."""
    factors = reduction(width, height)

    small = [-(-side // factor) for side, factor in zip((width, height), factors, strict=True)]
    longest = max(width, height)
    assert max(small) <= 192
    assert max(factors) == 1 or -(-longest // (max(factors) - 1)) > 192
    assert min(small) >= min(32, width, height)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(192, 144), (33, 192), (1, 1), (7, 5)])
def test_thumbnail_is_a_jpeg_that_looks_like_the_picture(mode: str, size: tuple[int, int]) -> None:
    """Pillow opens it as a JPEG of the same size and mode, and finds nearly the same pixels."""
    picture = mosaic(2).resize(size).convert(mode)

    thumbnail = thumbnail_jpeg(np.asarray(picture))

    with Image.open(BytesIO(thumbnail)) as found:
        assert (found.format, found.size, found.mode) == ("JPEG", size, mode)
        assert np.abs(np.asarray(found, dtype=int) - np.asarray(picture, dtype=int)).mean() < 12
    assert taken(picture).thumbnail == thumbnail
