"""Where two pictures lie on each other, against crops, shifts and stretches that were made to measure."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from indexer.drawing import drawn, encoded
from indexer.register import overlapping, resemblance
from indexer.views import WHOLE, Box

BOTH_WHOLE = (WHOLE, WHOLE)
CUTS: list[Box] = [
    (0.03, 0, 1, 1),
    (0, 0, 0.96, 1),
    (0.02, 0.03, 0.98, 0.96),
    (0, 0.05, 0.95, 1),
    (0.05, 0.05, 0.95, 0.95),
    (0, 0, 1, 0.9),
]
NEAR = 0.005
"""Half a per cent of a side."""


def scene(seed: int) -> Image.Image:
    """A drawn picture whose crops fall on whole pixels."""
    return drawn(seed).resize((600, 400))


def cut(picture: Image.Image, box: Box) -> tuple[Image.Image, Box]:
    """A part of a picture, and the box that it really is after rounding to pixels."""
    left, top, right, bottom = box
    width, height = picture.size
    pixels = round(left * width), round(top * height), round(right * width), round(bottom * height)
    return picture.crop(pixels), (pixels[0] / width, pixels[1] / height, pixels[2] / width, pixels[3] / height)


def farthest(found: tuple[Box, Box], expected: tuple[Box, Box]) -> float:
    """The largest distance of a border from where it should be, as a share of a side."""
    return float(np.abs(np.array(found) - np.array(expected)).max())


def photos_in(data: Path) -> list[Image.Image]:
    """Some real photos, in colour."""
    found = []
    for path in sorted(data.glob("photos_clothing/**/*.jpg"))[::25]:
        with Image.open(path) as picture:
            found.append(picture.convert("RGB"))
    return found


@pytest.mark.parametrize("box", CUTS)
def test_overlapping_finds_a_crop(box: Box) -> None:
    """The crop's box on the picture, and the whole of the crop, within half a per cent, whichever comes first."""
    pictures = [scene(seed) for seed in range(10)]

    for picture in pictures:
        part, expected = cut(picture, box)
        assert farthest(overlapping(picture, part, BOTH_WHOLE), (expected, WHOLE)) < NEAR
        assert farthest(overlapping(part, picture, BOTH_WHOLE), (WHOLE, expected)) < NEAR


def test_overlapping_finds_crops_of_real_photos(data: Path) -> None:
    """The same for photos, made smaller, of another aspect and brighter: 95 % are within half a per cent."""
    errors = []
    for photo in photos_in(data):
        for box in CUTS:
            part, expected = cut(photo, box)
            changed = part.resize((240, 180)).point(lambda level: round(0.9 * level + 20))
            errors.append(farthest(overlapping(photo, changed, BOTH_WHOLE), (expected, WHOLE)))

    assert len(errors) > 60
    assert sum(error < NEAR for error in errors) >= 0.95 * len(errors)


@pytest.mark.parametrize("size", [(600, 600), (200, 300), (64, 64), (1800, 300)])
def test_overlapping_of_stretched_pictures_is_the_whole(size: tuple[int, int]) -> None:
    """Another size or aspect of the same picture lies on all of it."""
    for seed in range(10):
        found = overlapping(scene(seed), scene(seed).resize(size), BOTH_WHOLE)

        assert farthest(found, BOTH_WHOLE) < NEAR


@pytest.mark.parametrize("shift", [(0.03, 0.0), (0.0, 0.05), (0.03, 0.04)])
def test_overlapping_finds_a_shift(shift: tuple[float, float]) -> None:
    """Two views of one scene, the second further right and down, overlap in what both show."""
    for seed in range(10):
        picture = scene(seed)
        right, down = round(shift[0] * picture.width), round(shift[1] * picture.height)
        width, height = picture.width - right, picture.height - down
        first, second = (picture.crop((x, y, x + width, y + height)) for x, y in ((0, 0), (right, down)))

        found = overlapping(first, second, BOTH_WHOLE)

        across, along = right / width, down / height
        assert farthest(found, ((across, along, 1, 1), (0, 0, 1 - across, 1 - along))) < NEAR


def test_overlapping_finds_what_a_border_was_put_around() -> None:
    """From a guess one pixel of a thumbnail within, most are found to half a per cent, none is farther than the guess.

    The border bleeds into what it encloses when that is made small, so a guess within may look as good as the truth.
    """
    errors = []
    for seed in range(15):
        picture = scene(seed)
        framed = ImageOps.expand(picture, 40, (255, 255, 255))
        exact = (40 / 680, 40 / 480, 640 / 680, 440 / 480)
        guess = (exact[0] + 0.006, exact[1] + 0.006, exact[2] - 0.006, exact[3] - 0.006)
        errors.append(farthest(overlapping(framed, picture, (guess, WHOLE)), (exact, WHOLE)))

    assert max(errors) < 0.0061
    assert sum(error < NEAR for error in errors) >= 12


def test_overlapping_finds_a_large_crop_from_a_guess() -> None:
    """A crop that a step of 3 % a round would not reach is found from a box that names it roughly."""
    picture = scene(0)
    part, expected = cut(picture, (0.3, 0.25, 0.8, 0.75))

    found = overlapping(picture, part, ((0.28, 0.27, 0.82, 0.74), WHOLE))

    assert farthest(found, (expected, WHOLE)) < NEAR


def test_overlapping_is_not_pulled_by_a_mark() -> None:
    """An opaque mark on a tenth of the cropped picture moves its borders by less than one per cent."""
    for seed in range(15):
        picture = scene(seed)
        part, expected = cut(picture, (0.04, 0.02, 1, 0.97))
        ImageDraw.Draw(part).rectangle((300, 200, 500, 310), fill=(255, 255, 0))

        assert farthest(overlapping(picture, part, BOTH_WHOLE), (expected, WHOLE)) < 2 * NEAR


def test_overlapping_takes_the_noise_of_a_low_quality() -> None:
    """A crop that was re-encoded at a quality of 20 is found as well."""
    for seed in range(5):
        picture = scene(seed)
        part, expected = cut(picture, (0.05, 0, 0.98, 1))
        with Image.open(BytesIO(encoded(part, "JPEG", quality=20))) as noisy:
            found = overlapping(picture, noisy.convert("RGB"), BOTH_WHOLE)

        assert farthest(found, (expected, WHOLE)) < NEAR


def is_box(box: Box) -> bool:
    """True for a box within a picture that is not empty."""
    return bool(np.isfinite(box).all()) and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 50), st.integers(51, 100))
def test_overlapping_gives_boxes_when_the_pictures_have_nothing_in_common(left: int, right: int) -> None:
    """It gives up without an exception, with two boxes that can be compared and lost little of either picture."""
    found = overlapping(drawn(left), drawn(right), BOTH_WHOLE)

    assert all(is_box(box) for box in found)
    assert min(min(box[2] - box[0], box[3] - box[1]) for box in found) > 0.35


@pytest.mark.parametrize("left", [(1, 1), (3, 2), (1, 500), (500, 1)])
@pytest.mark.parametrize("right", [(1, 1), (2, 3), (300, 200)])
@pytest.mark.parametrize("flat", [False, True])
def test_overlapping_takes_tiny_and_flat_pictures(left: tuple[int, int], right: tuple[int, int], flat: bool) -> None:
    """Dots, lines and one colour give boxes, without a warning."""
    first = Image.new("RGB", left, "red") if flat else drawn(0).resize(left)

    found = overlapping(first, drawn(1).resize(right), BOTH_WHOLE)

    assert all(is_box(box) for box in found)


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param(((0.4, 0.4, 0.6, 0.6), WHOLE), id="a fifth of the left"),
        pytest.param((WHOLE, (0.4, 0.4, 0.6, 0.6)), id="a fifth of the right"),
        pytest.param(((0.5, 0.5, 0.501, 0.501), WHOLE), id="next to nothing of the left"),
        pytest.param((WHOLE, (0.5, 0.5, 0.501, 0.501)), id="next to nothing of the right"),
        pytest.param(((0, 0, 0.01, 1), (0, 0, 1, 0.01)), id="a line across on a line down"),
        pytest.param(((0, 0, 0.2, 0.2), (0.8, 0.8, 1, 1)), id="opposite corners"),
    ],
)
def test_overlapping_takes_degenerate_boxes(boxes: tuple[Box, Box]) -> None:
    """A guess that leaves hardly anything to register by comes back as boxes all the same."""
    found = overlapping(drawn(0), drawn(0), boxes)

    assert all(np.isfinite(box).all() and min(box) >= 0 and max(box) <= 1 for box in found)


def test_resemblance_is_high_in_the_right_placement_only() -> None:
    """At a glance, a crop looks most like the box that it was cut from; a mirrored or a negative one is told by size."""
    for seed in range(10):
        picture = scene(seed)
        part, box = cut(picture, (0.1, 0.1, 0.9, 0.9))

        right_place = resemblance(picture, part, (box, WHOLE))
        wrong_place = resemblance(picture, part, BOTH_WHOLE)

        assert right_place > 0.98
        assert wrong_place < right_place
        assert resemblance(picture, ImageOps.invert(part), (box, WHOLE)) == pytest.approx(right_place, abs=0.02)


def test_resemblance_is_low_when_the_pictures_are_others(data: Path) -> None:
    """Photos that have nothing in common correlate little; the same one fully."""
    photos = photos_in(data)

    pairs = [resemblance(one, photos[n - 1], BOTH_WHOLE) for n, one in enumerate(photos)]

    assert np.median(pairs) < 0.6
    assert [round(resemblance(one, one, BOTH_WHOLE), 3) for one in photos] == [1.0] * len(photos)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (100, 80)])
def test_resemblance_takes_flat_and_tiny_pictures(size: tuple[int, int]) -> None:
    """Without contrast nothing looks alike; there is no division by nothing."""
    assert resemblance(Image.new("L", size, 76), drawn(0).convert("L"), BOTH_WHOLE) == 0
