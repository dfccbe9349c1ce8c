"""How two pictures differ on one grid: tone, patches, edges, shapes.

Expected values are worked by hand from drawn planes, or by the plain loop that the fast sums stand for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from indexer.compare import GRID_PIXELS, Comparison, Tone, compared, fitted_tone, grid_size, in_pixels, patch_means
from indexer.drawing import drawn
from indexer.views import WHOLE

BOTH_WHOLE = (WHOLE, WHOLE)


def plane(seed: int, rows: int = 90, columns: int = 120) -> np.ndarray:
    """A drawn picture as float levels, shape (rows, columns, 3)."""
    return np.asarray(drawn(seed).resize((columns, rows)), dtype=np.float32)


def whole(left: Image.Image, right: Image.Image) -> Comparison:
    """Two pictures compared as they are."""
    return compared(left, right, BOTH_WHOLE)


def toned(picture: Image.Image, gain: float, offset: float) -> Image.Image:
    """A picture in another brightness and contrast, cut off at black and white."""
    return picture.point(lambda level: round(gain * level + offset))


def recoloured(picture: Image.Image) -> Image.Image:
    """A picture whose channels changed places, so that lightness changes with them."""
    red, green, blue = picture.split()
    return Image.merge("RGB", (green, blue, red))


@pytest.mark.parametrize(
    ("gain", "offset"),
    [
        pytest.param(1.0, 0.0, id="none"),
        pytest.param(1.2, 0.0, id="contrast, cut off at white"),
        pytest.param(0.8, 0.0, id="darker"),
        pytest.param(1.0, 40.0, id="brighter, cut off at white"),
        pytest.param(1.0, -40.0, id="darker, cut off at black"),
        pytest.param(0.7, 38.0, id="flatter"),
        pytest.param(1.5, -64.0, id="steeper, cut off at both"),
        pytest.param(-1.0, 255.0, id="negative"),
    ],
)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.0, 6.0])
def test_fitted_tone_finds_brightness_and_contrast(seed: int, gain: float, offset: float, noise: float) -> None:
    """The line that the levels were mapped by comes back, whatever was cut off and through some noise."""
    before = plane(seed)
    random = np.random.default_rng(seed)
    after = (np.clip(gain * before + offset, 0, 255) + random.normal(0, noise, before.shape)).astype(np.float32)

    found = fitted_tone(before, np.clip(after, 0, 255))

    tolerance = 0.02 + 0.01 * noise
    assert found.gain == pytest.approx(gain, abs=tolerance)
    assert found.shift == pytest.approx(offset + (gain - 1) * 128, abs=2 + noise / 2)


@pytest.mark.parametrize("fill", [(255, 255, 255), (0, 0, 0), (250, 20, 20)])
@pytest.mark.parametrize("seed", range(5))
def test_fitted_tone_is_not_pulled_by_a_large_opaque_mark(seed: int, fill: tuple[int, int, int]) -> None:
    """A mark on 15 % of the picture leaves the line where it was."""
    before = plane(seed)
    after = 0.9 * before + 10
    after[50:, 60:100] = fill

    found = fitted_tone(before, after.astype(np.float32))

    assert found.gain == pytest.approx(0.9, abs=0.02)
    assert found.shift == pytest.approx(10 - 12.8, abs=2)


@pytest.mark.parametrize("before", [0.0, 100.0, 255.0])
@pytest.mark.parametrize("after", [0.0, 100.0, 255.0])
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 3, 3), (40, 50, 3), (40, 50)])
def test_fitted_tone_of_flat_pictures_maps_one_level_to_the_other(
    before: float, after: float, shape: tuple[int, ...]
) -> None:
    """Without contrast there is no slope to be had; the levels are met all the same, without a division by nothing."""
    found = fitted_tone(np.full(shape, before, np.float32), np.full(shape, after, np.float32))

    assert found.gain * before + found.offset == pytest.approx(after, abs=0.01)


@pytest.mark.parametrize(
    ("tone", "shift"),
    [
        pytest.param(Tone(1.0, 12.0), 12.0, id="brighter"),
        pytest.param(Tone(2.0, -128.0), 0.0, id="steeper about the middle"),
        pytest.param(Tone(0.5, 0.0), -64.0, id="half as bright"),
    ],
)
def test_shift_is_what_a_middle_grey_gains(tone: Tone, shift: float) -> None:
    """Level 128 is mapped to 128 + shift (worked by hand)."""
    assert tone.shift == shift


@given(st.integers(1, 25), st.integers(1, 25), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_patch_means_equal_the_plain_loop(rows: int, columns: int, side: int, seed: int) -> None:
    """The mean of each square at every place; a side that is longer than the plane is cut to it."""
    levels = np.random.default_rng(seed).uniform(0, 255, (rows, columns)).astype(np.float32)

    found = patch_means(levels, side)

    high, wide = min(side, rows), min(side, columns)
    means = [
        [levels[y : y + high, x : x + wide].mean(dtype=np.float64) for x in range(columns - wide + 1)]
        for y in range(rows - high + 1)
    ]
    assert found.shape == (rows - high + 1, columns - wide + 1)
    assert np.allclose(found, means, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("boxes", "size"),
    [
        pytest.param([(0, 0, 100, 80)], (100, 80), id="small ones are not made larger"),
        pytest.param([(0, 0, 240, 180)], (240, 180), id="just as large"),
        pytest.param([(0, 0, 480, 360)], (240, 180), id="twice as large"),
        pytest.param([(0, 0, 360, 480)], (180, 240), id="on end"),
        pytest.param([(0, 0, 480, 360), (10, 10, 60, 90)], (50, 80), id="no more columns or rows than either has"),
        pytest.param([(0, 0, 900, 30), (0, 0, 20, 800)], (20, 30), id="columns of one, rows of the other"),
        pytest.param([(0.0, 0.0, 0.2, 0.2)], (1, 1), id="less than a pixel"),
    ],
)
def test_grid_size(boxes: list[tuple[float, float, float, float]], size: tuple[int, int]) -> None:
    """The smaller in each direction, shrunk to some 43,200 pixels of the same aspect (worked by hand)."""
    assert grid_size(*boxes) == size


@given(st.tuples(*[st.integers(1, 20_000)] * 4))
def test_grid_size_keeps_to_what_both_have_and_to_its_bound(sides: tuple[int, int, int, int]) -> None:
    """Neither picture is enlarged, and however large they are, the grid is not, but for rounding to whole pixels."""
    columns, rows = grid_size((0, 0, sides[0], sides[1]), (0, 0, sides[2], sides[3]))

    assert 1 <= columns <= min(sides[0], sides[2])
    assert 1 <= rows <= min(sides[1], sides[3])
    assert (columns - 0.5) * (rows - 0.5) <= GRID_PIXELS or min(rows, columns) == 1


def test_in_pixels_scales_by_width_and_height() -> None:
    """Shares become pixels, not rounded."""
    assert in_pixels(Image.new("RGB", (200, 50)), (0.25, 0.1, 1.0, 0.5)) == (50, 5, 200, 25)


def test_compared_looks_at_the_boxes_only() -> None:
    """The right half of one picture is the whole of the other."""
    picture = drawn(0).resize((200, 100))
    right = picture.crop((100, 0, 200, 100))

    found = compared(picture, right, ((0.5, 0, 1, 1), WHOLE))

    assert found.worst == 0
    assert found.tone.gain == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("seed", range(10))
def test_equal_pictures_do_not_differ(seed: int) -> None:
    """A picture differs from itself by nothing, and its shapes agree wherever they are more than faint."""
    picture = drawn(seed)

    found = whole(picture, picture.copy())

    assert (found.worst, found.common, found.typical, found.colour) == pytest.approx((0, 0, 0, 0), abs=0.05)
    assert found.agreement > 0.75


@pytest.mark.parametrize("gain", [0.8, 1.2])
def test_a_change_of_tone_does_not_count(gain: float) -> None:
    """Brightness and contrast are taken away before the pictures are compared, also where they were cut off."""
    pictures = [drawn(seed) for seed in range(10)]

    worst = [whole(picture, toned(picture, gain, 0)).worst for picture in pictures]

    assert max(worst) < 3


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(ImageOps.invert, id="negative"),
        pytest.param(recoloured, id="other colours"),
        pytest.param(ImageOps.grayscale, id="grey"),
        pytest.param(lambda picture: toned(picture, 0.4, 20), id="flat"),
        pytest.param(lambda picture: picture.filter(ImageFilter.GaussianBlur(1)), id="blurred"),
    ],
)
def test_agreement_is_high_when_the_shapes_are_the_same(change: object) -> None:
    """Shapes agree whatever their colour and sign."""
    assert callable(change)
    pictures = [drawn(seed) for seed in (1, 2, 6, 7, 11, 12)]

    found = [whole(picture, change(picture).convert("RGB")).agreement for picture in pictures]

    assert min(found) > 0.75
    assert np.median(found) > 0.85


def test_agreement_is_low_when_the_pictures_are_others() -> None:
    """Drawings that have nothing in common agree on little of their detail."""
    pictures = [drawn(seed).resize((240, 180)) for seed in range(12)]

    found = [whole(pictures[n], pictures[m]).agreement for n in range(12) for m in range(n)]

    assert max(found) < 0.65
    assert np.median(found) < 0.2


def test_agreement_separates_negatives_from_other_photos(data: Path) -> None:
    """On real photos too: the negative agrees, another photo does not."""
    paths = sorted(data.glob("photos_clothing/**/*.jpg"))[::40]
    photos = [Image.open(path).convert("RGB") for path in paths]

    negatives = [whole(photo, ImageOps.invert(photo)).agreement for photo in photos]
    others = [whole(photo, photos[n - 1]).agreement for n, photo in enumerate(photos)]

    assert len(photos) > 8
    assert min(negatives) > 0.8
    assert max(others) < 0.4


@pytest.mark.parametrize(
    ("steps", "counts"), [pytest.param(1, False, id="half a pixel"), pytest.param(2, True, id="one pixel")]
)
def test_an_edge_half_a_pixel_out_of_place_does_not_count(steps: int, counts: bool) -> None:
    """Half a pixel is what resampling does; a whole one is a change."""
    large = Image.new("L", (480, 360), 40)
    ImageDraw.Draw(large).polygon([(100, 20), (400, 150), (200, 340)], fill=210)
    moved = ImageOps.expand(large, (0, 0, 4, 0), 40).crop((steps, 0, 480 + steps, 360))

    left, right = (picture.reduce(2).convert("RGB") for picture in (large, moved))
    found = whole(left, right)

    assert (found.worst > 4) == counts
    assert (found.worst < 0.5) != counts


@pytest.mark.parametrize("place", [(20, 30), (150, 40), (200, 150)])
def test_differences_are_found_where_they_are(place: tuple[int, int]) -> None:
    """A change of 12 by 12 pixels shows in the patches that cover it, and in no other."""
    picture = drawn(0).resize((240, 180))
    changed = picture.copy()
    x, y = place
    ImageDraw.Draw(changed).rectangle((x, y, x + 11, y + 11), fill=(255, 255, 0))

    found = whole(picture, changed)

    row, column = np.unravel_index(found.differences.argmax(), found.differences.shape)
    assert abs(column - x) <= 8
    assert abs(row - y) <= 8
    assert found.worst > 20
    assert found.common < 0.1
    far = np.ones(found.differences.shape, dtype=bool)
    far[max(y - 12, 0) : y + 14, max(x - 12, 0) : x + 14] = False
    assert found.differences[far].max() < 0.2
    assert found.equal < 1


@pytest.mark.parametrize(
    ("level", "share"), [pytest.param(255, 0.3, id="highlight"), pytest.param(128, 1.0, id="middle grey")]
)
def test_a_difference_counts_less_where_brightening_cut_levels_off(level: int, share: float) -> None:
    """Of 25 levels on a square of 12 pixels, highlights keep three tenths; a middle grey keeps all of it."""
    for seed in range(5):
        dark = toned(drawn(seed).resize((240, 180)), 0.8, 0)
        bright = toned(dark, 1.25, 0)
        square = (100, 100, 111, 111)
        ImageDraw.Draw(dark).rectangle(square, fill=(round(0.8 * level),) * 3)
        ImageDraw.Draw(bright).rectangle(square, fill=(level - 25,) * 3)

        found = whole(dark, bright)

        assert found.worst == pytest.approx(share * 23, abs=2 * share)


def test_colours_are_found_where_lightness_is_the_same() -> None:
    """A patch of another hue but equal luma (0.299 R + 0.587 G + 0.114 B = 105.6) differs in colour alone."""
    picture = Image.new("RGB", (240, 180), (106, 106, 106))
    ImageDraw.Draw(picture).polygon([(0, 0), (240, 60), (0, 180)], fill=(180, 180, 180))
    changed = picture.copy()
    ImageDraw.Draw(changed).rectangle((180, 130, 199, 149), fill=(196, 79, 6))

    found = whole(picture, changed)

    row, column = np.unravel_index(found.colours.argmax(), found.colours.shape)
    assert found.colour > 40
    assert found.worst < 4
    assert abs(column - 185) <= 8
    assert abs(row - 135) <= 8


@pytest.mark.parametrize(
    ("stripes", "levels"),
    [
        pytest.param([120], 1, id="flat"),
        pytest.param([60, 60], 2, id="two stripes"),
        pytest.param([40, 40, 40], 3, id="three stripes"),
        pytest.param([112, 8], 1, id="a tenth does not count"),
    ],
)
def test_levels_are_those_of_nine_tenths_of_the_pixels(stripes: list[int], levels: int) -> None:
    """Of a flag, its stripes; what blurring mixes at their edges is less than a tenth. The simpler picture counts."""
    flag = Image.fromarray(np.repeat(np.arange(len(stripes)) * 60 + 40, stripes).astype(np.uint8)[:, None])
    flag = flag.resize((160, 120), Image.Resampling.NEAREST).convert("RGB")
    busy = drawn(0).resize((160, 120))

    assert whole(flag, toned(flag, 0.9, 10)).levels == levels
    assert whole(busy, busy).levels > 30
    assert whole(flag, busy).levels <= levels


@pytest.mark.parametrize(
    ("colours", "saturation"),
    [
        pytest.param(((90, 90, 90), (200, 10, 10)), 0.0, id="the greyer of the two"),
        pytest.param(((255, 0, 0), (255, 0, 0)), 0.713 * 178.755, id="red"),
    ],
)
def test_saturation_is_the_chroma_of_the_greyer_picture(
    colours: tuple[tuple[int, int, int], tuple[int, int, int]], saturation: float
) -> None:
    """Grey has none; of red, Cr is 0.713 × (255 − 76.245) and Cb 0.564 × −76.245 (BT.601, by hand)."""
    left, right = (Image.new("RGB", (60, 60), colour) for colour in colours)

    expected = np.hypot(saturation, 0.564 * 76.245) if saturation else 0.0
    assert whole(left, right).saturation == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_compared_gives_the_same_whichever_comes_first(seed: int) -> None:
    """The darker or flatter picture is brought to the other in either order."""
    left = drawn(seed).resize((200, 150))
    right = toned(left.resize((300, 225)), 0.8, 5)
    ImageDraw.Draw(right).rectangle((40, 40, 90, 80), fill=(0, 0, 255))

    there, back = whole(left, right), whole(right, left)

    assert there.worst == pytest.approx(back.worst, rel=0.02, abs=0.05)
    assert there.common == pytest.approx(back.common, rel=0.02, abs=0.05)
    assert there.colour == pytest.approx(back.colour, rel=0.02, abs=0.05)
    assert there.agreement == pytest.approx(back.agreement, abs=0.02)
    assert there.tone.gain == pytest.approx(back.tone.gain, abs=0.02)


def measures(found: Comparison) -> list[float]:
    """All that a comparison can be asked."""
    return [
        found.worst,
        found.common,
        found.typical,
        found.equal,
        found.colour,
        found.colour_common,
        float(found.levels),
        found.saturation,
        found.agreement,
        found.tone.gain,
        found.tone.shift,
        float(found.side),
    ]


@pytest.mark.parametrize("left", [(1, 1), (3, 2), (2, 3), (1, 300), (5, 5), (49, 47), (2000, 1)])
@pytest.mark.parametrize("right", [(1, 1), (3, 2), (300, 1), (64, 64)])
def test_tiny_pictures_can_be_compared(left: tuple[int, int], right: tuple[int, int]) -> None:
    """Dots and lines give finite numbers; warnings are errors here."""
    found = whole(drawn(0).resize(left), drawn(1).resize(right))

    assert np.isfinite(measures(found)).all()


@pytest.mark.parametrize("left", ["black", "white", "grey"])
@pytest.mark.parametrize("right", ["black", "white", "grey", "red"])
@pytest.mark.parametrize("side", [1, 3, 100])
def test_flat_pictures_can_be_compared(left: str, right: str, side: int) -> None:
    """Pictures without contrast give finite numbers, and no agreement of shapes."""
    found = whole(Image.new("RGB", (side, side), left), Image.new("RGB", (100, 80), right))

    assert np.isfinite(measures(found)).all()
    assert found.agreement == 0
