"""Hashes of parts of a picture, against those of parts that were really cut out, and the border that is found.

Direct computation is scipy's DCT of the cropped pixels; the distances that are allowed were measured on these pictures and
are well below the radii that matching uses.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from scipy.fft import dctn

from indexer.drawing import drawn, encoded, mosaic
from indexer.fingerprint import fingerprint, grey_levels
from indexer.modes import reduced
from indexer.thresholds import INNER_RADIUS, LOW_RADIUS, STRIP_RADIUS
from indexer.views import (
    CROP_WORDS,
    CROPS,
    INNER_WORDS,
    LOW_WORDS,
    SIGN_WORDS,
    STRIP_WORDS,
    STRIPS,
    WORDS,
    Box,
    Words,
    inner_box,
    unpacked,
)

FLIP_X, FLIP_Y, TRANSPOSE = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
)
ALL_ONES = np.uint64(2**64 - 1)
RED, WHITE, BLACK = (200, 30, 30), (255, 255, 255), (0, 0, 0)


def views_bytes(picture: Image.Image) -> bytes:
    """The views of a picture of any size."""
    return fingerprint(np.asarray(reduced(picture)), width=1, height=1, format="PNG", mode="RGB").views


def words(picture: Image.Image) -> Words:
    """The 24 words of a picture."""
    return unpacked(views_bytes(picture))[0]


def cut(picture: Image.Image, box: Box) -> Image.Image:
    """The part of a picture that a box of shares names."""
    left, top, right, bottom = box
    width, height = picture.size
    return picture.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


def bits_between(left: Words, right: Words) -> int:
    """The Hamming distance."""
    return int(np.bitwise_count(left ^ right).sum())


def strip_of(picture: Image.Image) -> Words:
    """The 8×8 lowest terms of a grey picture's DCT, bit by bit from the lowest: loud enough, and positive."""
    samples = np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.LANCZOS), dtype=np.float64)
    terms = dctn(samples, norm="ortho")[:8, :8].ravel() / 64
    terms[0] = 0
    loudness = np.sqrt((terms**2).mean())
    return np.packbits((terms > 0.1 * loudness) & (loudness >= 0.75), bitorder="little").view("<u8")


def levels_of(picture: Image.Image) -> np.ndarray:
    """Grey levels, as the border is looked for in."""
    return grey_levels(np.asarray(picture))


def photos_in(data: Path) -> list[Image.Image]:
    """Some real photos, in colour."""
    found = []
    for path in sorted(data.glob("photos_clothing/**/*.jpg"))[::6]:
        with Image.open(path) as picture:
            found.append(picture.convert("RGB"))
    return found


@cache
def even() -> tuple[Image.Image, ...]:
    """Drawn pictures whose crops and thirds fall on whole pixels."""
    return tuple(drawn(seed).resize((900, 900)) for seed in range(20))


@pytest.mark.parametrize("number", range(len(CROPS)))
def test_crop_words_are_the_low_words_of_the_cropped_picture(number: int) -> None:
    """Derived from the whole's frequencies, a crop hashes as if it were cut out, but for a few bits of 128."""
    pictures = even()

    distances = [
        bits_between(words(picture)[CROP_WORDS[number]], words(cut(picture, CROPS[number]))[LOW_WORDS])
        for picture in pictures
    ]

    assert max(distances) <= 5
    assert np.median(distances) <= 2


def test_crop_words_tell_the_crops_apart() -> None:
    """Each crop of a picture is nearest to its own view."""
    picture = drawn(0).resize((900, 900))
    views = words(picture)

    nearest = [
        min(range(len(CROPS)), key=lambda n: bits_between(views[CROP_WORDS[n]], words(cut(picture, crop))[LOW_WORDS]))
        for crop in CROPS
    ]

    assert nearest == list(range(len(CROPS)))


def test_crop_words_find_crops_of_real_photos(data: Path) -> None:
    """Of real photos, each crop lies within the radius that crops are searched at, most of them by far."""
    photos = photos_in(data)

    distances = [
        bits_between(words(photo)[of_crop], words(cut(photo, crop))[LOW_WORDS])
        for photo in photos
        for of_crop, crop in zip(CROP_WORDS, CROPS, strict=True)
    ]

    assert len(photos) > 50
    assert max(distances) <= LOW_RADIUS
    assert np.median(distances) <= 3


@pytest.mark.parametrize("number", range(len(STRIPS)))
def test_strip_words_are_those_of_scipy_on_the_cut_out_strip(number: int) -> None:
    """Derived from the whole's frequencies, a strip hashes as if it were cut out, but for a few bits of 63."""
    pictures = even()

    distances = [
        bits_between(words(picture)[STRIP_WORDS[number]], strip_of(cut(picture, STRIPS[number])))
        for picture in pictures
    ]

    assert max(distances) <= 4
    assert sum(distance <= 1 for distance in distances) >= 0.8 * len(pictures)


def test_strip_words_survive_a_mark_on_a_tenth_of_a_photo(data: Path) -> None:
    """Wherever a plain rectangle of a tenth of the area lies, one strip is within the radius, on 95 % of photos or more."""
    random = np.random.default_rng(7)
    distances = []
    for photo in photos_in(data)[::2]:
        strips = words(photo)[list(STRIP_WORDS)]
        for _ in range(4):
            width = float(np.sqrt(0.1 * np.exp(random.uniform(-1, 1))))
            left, top = random.uniform(0, (1 - width, 1 - 0.1 / width))
            marked = photo.copy()
            colour = tuple(int(level) for level in random.integers(0, 256, 3))
            marked.paste(colour, cut_box(photo, (left, top, left + width, top + 0.1 / width)))
            kept = zip(strips, words(marked)[list(STRIP_WORDS)], strict=True)
            distances.append(min(bits_between(one, other) for one, other in kept if one))

    assert len(distances) > 100
    assert sum(distance <= STRIP_RADIUS for distance in distances) >= 0.95 * len(distances)


def cut_box(picture: Image.Image, box: Box) -> tuple[int, int, int, int]:
    """A box of shares in pixels."""
    left, top, right, bottom = box
    width, height = picture.size
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


@pytest.mark.parametrize(
    ("mark", "untouched"),
    [
        pytest.param((0, 0, 120, 30), 1, id="at the top left: the bottom stays"),
        pytest.param((0, 90, 120, 120), 0, id="along the bottom: the top stays"),
        pytest.param((0, 0, 30, 120), 3, id="along the left: the right stays"),
        pytest.param((90, 0, 120, 120), 2, id="along the right: the left stays"),
    ],
)
def test_strip_words_are_laid_out_top_bottom_left_right(mark: tuple[int, int, int, int], untouched: int) -> None:
    """A mark along one edge leaves the strip on the other side as it was, and changes its own."""
    picture = drawn(0).resize((120, 120))
    marked = picture.copy()
    marked.paste(WHITE, mark)
    marked.paste(BLACK, tuple(10 + place // 2 for place in mark[:2]) + tuple(max(side - 10, 20) for side in mark[2:]))

    before, after = (words(one)[list(STRIP_WORDS)] for one in (picture, marked))

    distances = [bits_between(*pair) for pair in zip(before, after, strict=True)]
    touched = untouched ^ 1
    assert distances[untouched] <= STRIP_RADIUS
    assert distances[touched] > STRIP_RADIUS


@pytest.mark.parametrize(
    ("contrast", "silent"),
    [pytest.param(2, True, id="hardly any contrast"), pytest.param(40, False, id="some contrast")],
)
def test_strip_words_are_silent_when_a_strip_has_hardly_any_contrast(contrast: int, silent: bool) -> None:
    """A strip with less than 6 grey levels of contrast is all zeros; the others speak."""
    samples = np.asarray(drawn(0).convert("L").resize((120, 120))).copy()
    wave = np.cos(np.pi * 3 * (np.arange(120) + 0.5) / 120)
    samples[:60] = (128 + contrast * wave[None, :]).round()

    top, bottom = words(Image.fromarray(samples))[list(STRIP_WORDS[:2])]

    assert (top == 0) == silent
    assert bottom != 0


@given(st.integers(1, 192), st.integers(1, 192), st.integers(0, 255))
def test_views_of_a_plain_picture_are_silent(width: int, height: int, level: int) -> None:
    """One level says nothing anywhere, whatever the size."""
    assert views_bytes(Image.new("L", (width, height), level)) == bytes(8 * WORDS)


@given(st.integers(0, 2**32 - 1), st.integers(64, 120), st.integers(64, 120))
def test_sign_words_are_complemented_by_mirrors_and_moved_by_transposing(seed: int, width: int, height: int) -> None:
    """Words 0 to 3 hold frequencies even both ways, odd across, odd down, odd both ways.

    A mirror changes the sign of what is odd in its direction; transposing exchanges directions, so that words 1 and 2
    change places and the 8×8 bits of each are transposed. A sum may be rounded to the other side of 0: allow 2 bits.
    """
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    picture = Image.fromarray(noise)

    plain, across, down, transposed = (
        words(one)[SIGN_WORDS]
        for one in (picture, *(picture.transpose(method) for method in (FLIP_X, FLIP_Y, TRANSPOSE)))
    )

    grids = np.unpackbits(plain.view(np.uint8), bitorder="little").reshape(4, 8, 8)
    moved = np.packbits(grids[[0, 2, 1, 3]].transpose(0, 2, 1), bitorder="little").view(np.uint64)
    assert bits_between(across, plain ^ np.array([0, ALL_ONES, 0, ALL_ONES], np.uint64)) <= 2
    assert bits_between(down, plain ^ np.array([0, 0, ALL_ONES, ALL_ONES], np.uint64)) <= 2
    assert bits_between(transposed, moved) <= 2


def test_unpacked_gives_a_row_of_words_for_each_picture() -> None:
    """Joined views come back as 24 little-endian words each, in order."""
    views = [views_bytes(mosaic(seed)) for seed in range(5)]

    found = unpacked(b"".join(views))

    assert (found.shape, [len(one) for one in views]) == ((5, WORDS), [192] * 5)
    assert [row.astype("<u8").tobytes() for row in found] == views
    assert int(found[2, 1]) == int.from_bytes(views[2][8:16], "little")


def bordered(picture: Image.Image, border: tuple[int, int, int, int], fill: tuple[int, int, int]) -> Image.Image:
    """A picture with a border: left, top, right, bottom, in pixels."""
    return ImageOps.expand(picture, border, fill)


BORDERS = [
    pytest.param((10, 10, 10, 10), WHITE, id="white on all sides"),
    pytest.param((10, 10, 10, 10), BLACK, id="black on all sides"),
    pytest.param((4, 4, 4, 4), RED, id="narrow, red"),
    pytest.param((1, 1, 1, 1), WHITE, id="one pixel"),
    pytest.param((60, 45, 60, 45), WHITE, id="wide"),
    pytest.param((0, 30, 0, 30), BLACK, id="letterbox"),
    pytest.param((30, 0, 30, 0), BLACK, id="pillarbox"),
    pytest.param((0, 0, 0, 25), WHITE, id="below, as captions have it"),
    pytest.param((25, 0, 0, 0), RED, id="left"),
    pytest.param((0, 3, 0, 0), BLACK, id="a line above"),
    pytest.param((3, 20, 9, 6), WHITE, id="each side another width"),
]


def assert_encloses(found: tuple[int, int, int, int] | None, border: tuple[int, int, int, int], size: Box) -> None:
    """A box lies where a border ends, at most one pixel, which is mixed with the border, further in."""
    width, height = size[2:]
    exact = np.array([border[0], border[1], width - border[2], height - border[3]])
    assert found is not None
    further_in = (np.array(found) - exact) * [1, 1, -1, -1]
    assert ((further_in >= 0) & (further_in <= (np.array(border) > 0))).all(), (found, exact.tolist())


@pytest.mark.parametrize(("border", "fill"), BORDERS)
@pytest.mark.parametrize("seed", [0, 4, 5])
def test_inner_box_finds_what_a_plain_border_encloses(
    seed: int, border: tuple[int, int, int, int], fill: tuple[int, int, int]
) -> None:
    """Whatever its width, colour and sides."""
    framed = bordered(drawn(seed).resize((111, 91)), border, fill)

    found = inner_box(levels_of(framed))

    assert_encloses(found, border, (0, 0, *framed.size))


@pytest.mark.parametrize("quality", [30, 75])
def test_inner_box_finds_a_border_through_the_noise_of_a_jpeg(quality: int) -> None:
    """Ringing along the inner edge makes it at most two pixels narrower or wider."""
    framed = bordered(drawn(0).resize((112, 92)), (12, 8, 20, 16), WHITE)
    noisy = Image.open(BytesIO(encoded(framed, "JPEG", quality=quality)))

    found = inner_box(levels_of(noisy))

    assert found is not None
    assert np.abs(np.array(found) - [12, 8, 124, 100]).max() <= 2


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(Image.new("RGB", (100, 80), RED), id="plain"),
        pytest.param(Image.new("RGB", (1, 1)), id="one pixel"),
        pytest.param(bordered(drawn(0).resize((3, 3)), (2, 2, 2, 2), WHITE), id="tiny, framed"),
        pytest.param(bordered(drawn(0).resize((300, 2)), (2, 2, 2, 2), WHITE), id="a strip, framed"),
        pytest.param(
            bordered(drawn(0).resize((38, 38)), (31, 31, 31, 31), WHITE), id="frame of more than 60 % of a side"
        ),
        pytest.param(bordered(drawn(0).resize((100, 30)), (0, 40, 0, 40), BLACK), id="letterbox of more than 60 %"),
        pytest.param(drawn(0), id="no border"),
    ],
)
def test_inner_box_finds_nothing_when_there_is_no_border_to_speak_of(picture: Image.Image) -> None:
    """Plain pictures, tiny ones, and those that are mostly border have none."""
    assert inner_box(levels_of(picture)) is None


def test_inner_box_finds_nothing_on_most_photos(data: Path) -> None:
    """Photos have no border, but for a few that were taken before a plain wall."""
    photos = photos_in(data)

    boxes = [inner_box(levels_of(reduced(photo))) for photo in photos]

    assert len(photos) > 50
    assert boxes.count(None) >= 0.95 * len(photos)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_inner_box_lies_within_the_picture(width: int, height: int, seed: int, framed: bool) -> None:
    """Whatever the pixels, a box is smaller than the picture and not empty."""
    random = np.random.default_rng(seed)
    levels = random.integers(0, random.integers(1, 256), (height, width)).astype(np.float32)
    if framed:
        levels = np.pad(levels, random.integers(0, 9, (2, 2)).tolist(), constant_values=float(random.integers(256)))

    found = inner_box(levels)

    if found is not None:
        left, top, right, bottom = found
        assert 0 <= left < right <= levels.shape[1]
        assert 0 <= top < bottom <= levels.shape[0]
        assert (right - left, bottom - top) != levels.shape[::-1]


@pytest.mark.parametrize("fill", [WHITE, BLACK, RED])
def test_inner_words_are_near_the_low_words_of_what_was_framed(fill: tuple[int, int, int]) -> None:
    """A border of 5 to 15 % is taken off before hashing, so that the framed picture is found by what it encloses."""
    pictures = [drawn(seed).resize((168, 140)) for seed in range(20) if seed % 5 in {0, 3, 4}]

    distances = [
        bits_between(words(bordered(picture, (margin,) * 4, fill))[INNER_WORDS], words(picture)[LOW_WORDS])
        for picture in pictures
        for margin in (4, 8, 12)
    ]

    assert max(distances) <= INNER_RADIUS
    assert np.median(distances) <= 4


def test_inner_words_find_framed_photos(data: Path) -> None:
    """Of real photos with a white border of 5 %, 95 % are within the radius that borders are searched at."""
    distances = []
    for photo in photos_in(data):
        margin = round(0.05 * max(photo.size))
        framed = words(bordered(photo, (margin,) * 4, WHITE))[INNER_WORDS]
        distances.append(bits_between(framed, words(photo)[LOW_WORDS]))

    assert sum(distance <= INNER_RADIUS for distance in distances) >= 0.95 * len(distances)


def test_inner_words_are_silent_when_there_is_no_border() -> None:
    """All zeros, which is never searched for."""
    assert words(drawn(0))[INNER_WORDS].tolist() == [0, 0]
