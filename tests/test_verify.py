"""Which kind a pair of pictures is, on copies and edits that were made for it.

What a pair should be called follows from how it was made (see the kinds in `moves.py`), not from what is measured on it.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from indexer.drawing import drawn, encoded
from indexer.groups import Kind
from indexer.hints import CROP_OF_LEFT, CROP_OF_RIGHT, EVERY, INNER
from indexer.thresholds import CLOSE, THUMBNAIL, Limits
from indexer.verify import Likeness, Shown, inner_of, oriented, verified
from indexer.views import WHOLE

Change = Callable[[Image.Image], Image.Image]
UPRIGHT = 1
TURNED = 0b1111_1111
BUSY = (0, 5, 8, 10, 14)
"""Drawn pictures that have edges all over."""
TRANSPOSES = {
    0: None,
    1: Image.Transpose.FLIP_LEFT_RIGHT,
    2: Image.Transpose.FLIP_TOP_BOTTOM,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.TRANSPOSE,
    5: Image.Transpose.ROTATE_270,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
}
"""Orientation → the one step that does it, by Pillow, which turns against the clock (worked by hand on four corners)."""
INVERSE = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 5, 7: 7}
"""Only quarter turns are not their own inverse."""
BOTH_LIMITS = pytest.mark.parametrize("limits", [pytest.param(CLOSE, id="close"), pytest.param(THUMBNAIL, id="thumb")])


def scene(seed: int) -> Image.Image:
    """A drawn picture of a size that comparing has to shrink."""
    return drawn(seed).resize((420, 320))


def judged(left: Image.Image, right: Image.Image, hints: int = UPRIGHT, limits: Limits = CLOSE) -> Likeness | None:
    """How two opaque pictures match."""
    return verified(Shown(left), Shown(right), hints, limits)


def kind_of(left: Image.Image, right: Image.Image, hints: int = UPRIGHT, limits: Limits = CLOSE) -> Kind | None:
    """The kind alone."""
    found = judged(left, right, hints, limits)
    return found and found.kind


def saved(format_: str, **options: object) -> Change:
    """What a picture looks like after it was saved in a format."""

    def change(picture: Image.Image) -> Image.Image:
        with Image.open(BytesIO(encoded(picture, format_, **options))) as found:
            return found.convert("RGB")

    return change


def sized(factor: float, method: Image.Resampling) -> Change:
    """A picture at another size, of the same aspect."""
    return lambda picture: picture.resize((round(factor * picture.width), round(factor * picture.height)), method)


def faintly_marked(picture: Image.Image, levels: float) -> Image.Image:
    """A picture of which a square of 30 pixels is brighter by some levels."""
    samples = np.asarray(picture, dtype=np.float32).copy()
    samples[100:130, 200:230] += levels
    return Image.fromarray(samples.clip(0, 255).astype(np.uint8))


def noisy(picture: Image.Image, levels: float) -> Image.Image:
    """A picture whose blocks of 10 pixels are brighter or darker by up to some levels, as a poor encoder leaves them."""
    blocks = np.random.default_rng(0).uniform(-levels, levels, (picture.height // 10, picture.width // 10))
    samples = np.asarray(picture, dtype=np.float32) + np.kron(blocks, np.ones((10, 10)))[:, :, None]
    return Image.fromarray(samples.clip(0, 255).astype(np.uint8))


def with_text(picture: Image.Image) -> Image.Image:
    """A picture with words written over it."""
    marked = picture.copy()
    ImageDraw.Draw(marked).text((120, 130), "SALE 50%", fill="white", font_size=36, stroke_width=2, stroke_fill="black")
    return marked


def with_patch(picture: Image.Image) -> Image.Image:
    """A picture with a square of another colour pasted in."""
    marked = picture.copy()
    marked.paste((255, 0, 200), (140, 110, 190, 150))
    return marked


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    """A picture without some shares of its sides."""
    return lambda picture: picture.crop(
        (
            round(left * picture.width),
            round(top * picture.height),
            round((1 - right) * picture.width),
            round((1 - bottom) * picture.height),
        )
    )


def framed(share: float, fill: str = "white") -> Change:
    """A picture with a border as wide as a share of its width."""
    return lambda picture: ImageOps.expand(picture, round(share * picture.width), fill)


def grey(picture: Image.Image) -> Image.Image:
    """A greyscale copy."""
    return picture.convert("L").convert("RGB")


def other_hue(picture: Image.Image) -> Image.Image:
    """A picture whose hues went a quarter round."""
    hue, saturation, value = picture.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda level: (level + 64) % 256), saturation, value)).convert("RGB")


def photos_in(data: Path) -> list[Image.Image]:
    """Some real photos, in colour."""
    found = []
    for path in sorted(data.glob("photos_clothing/**/*.jpg"))[::40]:
        with Image.open(path) as picture:
            found.append(picture.convert("RGB"))
    return found


SAME = [
    pytest.param(lambda picture: picture.copy(), id="a copy"),
    pytest.param(saved("JPEG", quality=75), id="JPEG"),
    pytest.param(saved("JPEG", quality=30), id="JPEG of low quality"),
    pytest.param(saved("WEBP", quality=60), id="WebP"),
    pytest.param(sized(0.5, Image.Resampling.BICUBIC), id="half the size"),
    pytest.param(sized(0.36, Image.Resampling.LANCZOS), id="150 pixels"),
    pytest.param(sized(2, Image.Resampling.BICUBIC), id="double the size"),
    pytest.param(lambda picture: ImageEnhance.Brightness(picture).enhance(0.8), id="darker"),
    pytest.param(lambda picture: ImageEnhance.Contrast(picture).enhance(1.2), id="more contrast"),
    pytest.param(lambda picture: ImageEnhance.Contrast(picture).enhance(0.8), id="less contrast"),
    pytest.param(lambda picture: picture.filter(ImageFilter.GaussianBlur(1)), id="slightly blurred"),
    pytest.param(lambda picture: picture.filter(ImageFilter.UnsharpMask(1, 80)), id="slightly sharpened"),
    pytest.param(cropped(0.027, 0, 0, 0), id="2.7 % less on one side"),
    pytest.param(cropped(0.012, 0.012, 0.012, 0.012), id="1.2 % less all around"),
]
EDITED = [
    pytest.param(with_text, UPRIGHT, id="text"),
    pytest.param(with_patch, UPRIGHT, id="a patch pasted in"),
    pytest.param(cropped(0.05, 0, 0, 0.05), UPRIGHT, id="5 % less on two sides"),
    pytest.param(cropped(0.05, 0.05, 0.05, 0.05), EVERY, id="10 % less"),
    pytest.param(framed(0.05), UPRIGHT | 1 << INNER, id="a white border"),
    pytest.param(framed(0.1, "black"), UPRIGHT | 1 << INNER, id="a black border"),
]


@BOTH_LIMITS
@pytest.mark.parametrize("change", SAME)
def test_verified_says_same(change: Change, limits: Limits) -> None:
    """What encoding, size, tone, slight filters and slight crops do to a drawing leaves it the same, in either order."""
    for seed in range(5):
        picture = scene(seed)
        kinds = kind_of(picture, change(picture), UPRIGHT, limits), kind_of(change(picture), picture, UPRIGHT, limits)

        assert kinds == (Kind.SAME, Kind.SAME), seed


@pytest.mark.parametrize("change", [*SAME, pytest.param(lambda picture: picture.resize((300, 300)), id="squeezed")])
def test_verified_says_same_of_real_photos(data: Path, change: Change) -> None:
    """The same holds for photos."""
    photos = photos_in(data)

    kinds = [kind_of(photo, change(photo)) for photo in photos]

    assert len(photos) > 8
    assert kinds.count(Kind.SAME) >= len(photos) - 1


@BOTH_LIMITS
@pytest.mark.parametrize("seed", BUSY)
def test_verified_says_same_when_a_picture_is_squeezed(seed: int, limits: Limits) -> None:
    """A picture with something all over is the same at another aspect."""
    assert kind_of(scene(seed), scene(seed).resize((300, 300)), UPRIGHT, limits) == Kind.SAME


@BOTH_LIMITS
def test_verified_says_edited_when_a_plain_drawing_is_squeezed(limits: Limits) -> None:
    """Flags of two stripes differ in their aspect alone: 2:3 is one, 1:2 another. Another size is the same."""
    flag = Image.new("RGB", (300, 200), "white")
    flag.paste((206, 17, 38), (0, 100, 300, 200))

    assert kind_of(flag, flag.resize((300, 150)), UPRIGHT, limits) == Kind.EDITED
    assert kind_of(flag, flag.resize((240, 160)), UPRIGHT, limits) == Kind.SAME


@BOTH_LIMITS
@pytest.mark.parametrize(("change", "hints"), EDITED)
def test_verified_says_edited(change: Change, hints: int, limits: Limits) -> None:
    """Where a part differs, or more than 3 % of a side is missing, the pair is edited, in either order."""
    for seed in range(5):
        picture = scene(seed)
        kinds = kind_of(picture, change(picture), hints, limits), kind_of(change(picture), picture, hints, limits)

        assert kinds == (Kind.EDITED, Kind.EDITED), seed


@pytest.mark.parametrize(("change", "hints"), EDITED)
def test_verified_says_edited_of_real_photos(data: Path, change: Change, hints: int) -> None:
    """The same holds for photos."""
    photos = photos_in(data)

    kinds = [kind_of(photo, change(photo), hints) for photo in photos]

    assert kinds == [Kind.EDITED] * len(photos)


@BOTH_LIMITS
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(grey, id="grey"),
        pytest.param(ImageOps.invert, id="negative"),
        pytest.param(lambda picture: picture.point(lambda level: level * 0.4), id="dim"),
        pytest.param(lambda picture: picture.point(lambda level: 64 + level * 0.5), id="of half the contrast"),
    ],
)
def test_verified_says_recoloured(change: Change, limits: Limits) -> None:
    """A grey copy, a negative and one with far less contrast show the same shapes in other colours."""
    for seed in range(5):
        picture = scene(seed)
        kinds = kind_of(picture, change(picture), UPRIGHT, limits), kind_of(change(picture), picture, UPRIGHT, limits)

        assert kinds == (Kind.RECOLOURED, Kind.RECOLOURED), seed


@BOTH_LIMITS
def test_verified_says_recoloured_when_a_grey_picture_is_tinted(limits: Limits) -> None:
    """Between grey and a few per cent of colour there is no encoding: one of the two was made from the other."""
    for seed in range(4):
        tinted = ImageEnhance.Color(scene(seed)).enhance(0.1)

        assert kind_of(grey(tinted), tinted, UPRIGHT, limits) == Kind.RECOLOURED
        assert kind_of(saved("JPEG", quality=75)(tinted), tinted, UPRIGHT, limits) == Kind.SAME


def colourful_photos_in(data: Path) -> list[Image.Image]:
    """Those of the photos that a change of colour changes."""
    return [photo for photo in photos_in(data) if np.asarray(photo.convert("HSV"))[:, :, 1].mean() > 50]


def test_verified_says_recoloured_of_grey_copies_of_real_photos(data: Path) -> None:
    """Photos in grey are recoloured."""
    photos = colourful_photos_in(data)

    assert len(photos) > 5
    assert [kind_of(photo, grey(photo)) for photo in photos] == [Kind.RECOLOURED] * len(photos)


def test_verified_never_says_same_of_photos_in_other_hues(data: Path) -> None:
    """Hues a quarter round are another picture of the same shapes, which most are found to be."""
    photos = colourful_photos_in(data)

    kinds = [kind_of(photo, other_hue(photo)) for photo in photos]

    assert set(kinds) <= {Kind.RECOLOURED, Kind.EDITED, None}
    assert kinds.count(Kind.RECOLOURED) >= 0.75 * len(photos)


@pytest.mark.parametrize(("turn", "method"), TRANSPOSES.items())
def test_oriented_is_one_of_pillows_transposes(turn: int, method: Image.Transpose | None) -> None:
    """Transposed (4), then top to bottom (2), then left to right (1)."""
    corners = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))

    expected = corners if method is None else corners.transpose(method)
    assert np.array_equal(np.asarray(oriented(corners, turn)), np.asarray(expected))


@BOTH_LIMITS
@pytest.mark.parametrize("turn", range(8))
def test_verified_names_the_orientation(turn: int, limits: Limits) -> None:
    """Half and quarter turns are rotated, the four mirrors flipped; `turn` is what brings the left onto the right."""
    kind = {0: Kind.SAME, 3: Kind.ROTATED, 5: Kind.ROTATED, 6: Kind.ROTATED}.get(turn, Kind.FLIPPED)
    for seed in range(5):
        left = scene(seed)
        right = saved("JPEG", quality=80)(oriented(left, turn))
        there, back = judged(left, right, TURNED, limits), judged(right, left, TURNED, limits)

        assert (there and (there.kind, there.turn)) == (kind, turn)
        assert (back and (back.kind, back.turn)) == (kind, INVERSE[turn])


@BOTH_LIMITS
def test_verified_says_nothing_of_other_pictures(limits: Limits) -> None:
    """Drawings that have nothing in common do not match, however they may lie on each other."""
    for seed in range(15):
        assert judged(scene(seed), scene(seed + 1), EVERY, limits) is None


def test_verified_says_nothing_of_other_photos(data: Path) -> None:
    """Nor do photos."""
    photos = photos_in(data)

    assert [judged(photo, photos[number - 1], EVERY) for number, photo in enumerate(photos)] == [None] * len(photos)


@pytest.mark.parametrize("seed", range(5))
def test_verified_judges_a_change_against_the_pairs_own_noise(seed: int) -> None:
    """A change of 7 levels in one place is an edit where all else is equal; as noise all over, more than that is none."""
    picture = scene(seed)

    in_one_place = judged(picture, faintly_marked(picture, 8 if seed == 4 else 7))
    all_over = judged(picture, noisy(picture, 10))

    assert in_one_place is not None
    assert all_over is not None
    assert (in_one_place.kind, all_over.kind) == (Kind.EDITED, Kind.SAME)
    assert all_over.structure > in_one_place.structure


def test_verified_finds_an_edit_in_a_poor_encoding() -> None:
    """Noise does not cover a change that is far stronger than it."""
    for seed in range(5):
        picture = scene(seed)

        assert kind_of(picture, saved("JPEG", quality=30)(with_text(picture))) == Kind.EDITED


@pytest.mark.parametrize("seed", range(4))
def test_verified_is_stricter_close_up_than_on_thumbnails(seed: int) -> None:
    """A change of 7 levels passes on thumbnails, whose own encoding does as much; of 12 levels it does not."""
    picture = scene(seed)

    slight, strong = (
        [kind_of(picture, faintly_marked(picture, levels), UPRIGHT, limits) for limits in (CLOSE, THUMBNAIL)]
        for levels in (7, 12)
    )

    assert slight == [Kind.EDITED, Kind.SAME]
    assert strong == [Kind.EDITED, Kind.EDITED]


def exactly(picture: Image.Image, size: tuple[int, int] | None = None) -> Shown:
    """A picture from a lossless file."""
    return Shown(picture, exact=size or picture.size)


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        pytest.param(exactly(scene(0)), exactly(faintly_marked(scene(0), 3)), Kind.EDITED, id="both keep every pixel"),
        pytest.param(Shown(scene(0)), exactly(faintly_marked(scene(0), 3)), Kind.SAME, id="one is lossy"),
        pytest.param(
            exactly(scene(0)), exactly(faintly_marked(scene(0), 3), (840, 640)), Kind.SAME, id="one was larger"
        ),
        pytest.param(exactly(scene(0)), exactly(noisy(scene(0), 3)), Kind.SAME, id="hardly a patch is equal"),
        pytest.param(exactly(scene(0)), exactly(scene(0).copy()), Kind.SAME, id="equal"),
    ],
)
def test_verified_says_edited_when_lossless_files_differ_in_one_place(left: Shown, right: Shown, kind: Kind) -> None:
    """No encoding explains 3 levels in one place of two lossless files of one size that are equal elsewhere."""
    for first, second in ((left, right), (right, left)):
        found = verified(first, second, UPRIGHT, CLOSE)

        assert found is not None
        assert found.kind == kind


def test_verified_compares_the_sizes_of_lossless_files_as_they_lie() -> None:
    """A quarter turn exchanges width and height before they are compared."""
    left, right = scene(0), oriented(faintly_marked(scene(0), 3), 5)

    found = verified(exactly(left), exactly(right), TURNED, CLOSE)

    assert found is not None
    assert (found.kind, found.turn) == (Kind.EDITED, 5)


def hole(picture: Image.Image, box: tuple[int, int, int, int], level: int = 0) -> Image.Image:
    """An opacity with a hole in it."""
    opacity = Image.new("L", picture.size, 255)
    opacity.paste(level, box)
    return opacity


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        pytest.param(None, (10, 10, 60, 60), Kind.EDITED, id="one is opaque"),
        pytest.param((10, 10, 60, 60), (10, 10, 60, 60), Kind.SAME, id="the same hole"),
        pytest.param((10, 10, 60, 60), (200, 10, 250, 60), Kind.EDITED, id="another hole"),
        pytest.param(None, (0, 0, 0, 0), Kind.SAME, id="an opacity that hides nothing"),
        pytest.param(None, (200, 150, 206, 156), Kind.EDITED, id="a small hole"),
    ],
)
def test_verified_says_edited_when_the_opacity_differs(
    left: tuple[int, int, int, int] | None, right: tuple[int, int, int, int], kind: Kind
) -> None:
    """What the pixels on white do not show makes two pictures all the same."""
    picture = scene(0)
    first = Shown(picture, left and hole(picture, left))
    second = Shown(picture, hole(picture, right))

    there, back = verified(first, second, UPRIGHT, CLOSE), verified(second, first, UPRIGHT, CLOSE)

    assert (there and there.kind, back and back.kind) == (kind, kind)


def test_verified_turns_the_opacity_with_the_picture() -> None:
    """Mirrored with its hole it is flipped; when the hole stays where it was it is edited."""
    picture = scene(0)
    left = Shown(picture, hole(picture, (10, 10, 60, 60)))
    mirrored = ImageOps.mirror(picture)

    with_it = verified(left, Shown(mirrored, hole(picture, (360, 10, 410, 60))), TURNED, CLOSE)
    without = verified(left, Shown(mirrored, hole(picture, (10, 10, 60, 60))), TURNED, CLOSE)

    assert (with_it and with_it.kind, without and without.kind) == (Kind.FLIPPED, Kind.EDITED)


@pytest.mark.parametrize(
    ("frames", "kind"),
    [
        pytest.param((False, False), Kind.SAME, id="stills"),
        pytest.param((True, False), Kind.EDITED, id="the left moves"),
        pytest.param((False, True), Kind.EDITED, id="the right moves"),
        pytest.param((True, True), Kind.EDITED, id="both move"),
    ],
)
@pytest.mark.parametrize("turn", [0, 1, 3])
def test_verified_says_edited_when_there_are_more_frames(frames: tuple[bool, bool], kind: Kind, turn: int) -> None:
    """Of animations but one frame is compared, so they are never taken for the same, nor for turned copies."""
    left, right = Shown(scene(0), frames=frames[0]), Shown(oriented(scene(0), turn), frames=frames[1])

    found = verified(left, right, TURNED, CLOSE)

    assert found is not None
    whole = {0: Kind.SAME, 1: Kind.FLIPPED, 3: Kind.ROTATED}[turn]
    assert found.kind == (whole if kind == Kind.SAME else Kind.EDITED)


@pytest.mark.parametrize(
    ("sizes", "kind"),
    [
        pytest.param(((20, 20), (40, 40)), Kind.EDITED, id="an icon and its double"),
        pytest.param(((31, 31), (300, 300)), Kind.EDITED, id="just too small"),
        pytest.param(((32, 32), (300, 300)), Kind.SAME, id="just large enough"),
        pytest.param(((16, 16), (16, 16)), Kind.SAME, id="small, of one size"),
    ],
)
def test_verified_never_says_same_of_a_small_picture_of_another_size(
    sizes: tuple[tuple[int, int], tuple[int, int]], kind: Kind
) -> None:
    """Sixteen pixels do not tell an icon from the one with a small sign on it."""
    left, right = (scene(0).resize(size, Image.Resampling.LANCZOS) for size in sizes)

    assert kind_of(left, right) == kind_of(right, left) == kind


@pytest.mark.parametrize(
    ("change", "hints"),
    [
        pytest.param(lambda picture: picture, 0, id="none at all"),
        pytest.param(lambda picture: picture, 1 << 1, id="equal, but only mirrored may it lie"),
        pytest.param(ImageOps.mirror, 1 << 0, id="mirrored, but only upright may it lie"),
        pytest.param(framed(0.3), 1 << 0, id="framed, but only as a whole may it lie"),
        pytest.param(lambda picture: picture, 1 << INNER, id="no border to take off"),
    ],
)
def test_verified_tries_no_placement_that_is_not_hinted(change: Change, hints: int) -> None:
    """A match that would be found in another placement is not found."""
    for seed in (0, 5, 10):
        assert judged(scene(seed), change(scene(seed)), hints) is None


@pytest.mark.parametrize(
    ("left", "right", "hints"),
    [
        pytest.param(lambda picture: picture, framed(0.3), 1 << INNER, id="the right is framed"),
        pytest.param(framed(0.3), lambda picture: picture, 1 << INNER, id="the left is framed"),
        pytest.param(framed(0.3), framed(0.15, "black"), 1 << INNER, id="both are, unlike"),
        pytest.param(lambda p: p, cropped(0.05, 0.05, 0.05, 0.05), 1 << CROP_OF_LEFT + 1, id="the right is a crop"),
        pytest.param(cropped(0.05, 0.05, 0.05, 0.05), lambda p: p, 1 << CROP_OF_RIGHT + 1, id="the left is a crop"),
        pytest.param(lambda p: p, cropped(0.05, 0, 0, 0), 1 << CROP_OF_LEFT + 2, id="the right lacks its left edge"),
    ],
)
def test_verified_looks_where_hints_say(left: Change, right: Change, hints: int) -> None:
    """The one placement that a hint names suffices."""
    for seed in (0, 1, 2, 3, 5):
        assert kind_of(left(scene(seed)), right(scene(seed)), hints) == Kind.EDITED


def test_verified_prefers_the_closest_kind() -> None:
    """A picture that is its own mirror image is the same, not flipped, when all placements are tried."""
    half = scene(0)
    whole = Image.new("RGB", (840, 320))
    whole.paste(half, (0, 0))
    whole.paste(ImageOps.mirror(half), (420, 0))

    found = judged(whole, saved("JPEG", quality=85)(whole), EVERY)

    assert found is not None
    assert (found.kind, found.turn) == (Kind.SAME, 0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(8, 500), st.integers(8, 500), st.sampled_from([CLOSE, THUMBNAIL]))
def test_verified_says_same_of_a_picture_and_itself(seed: int, width: int, height: int, limits: Limits) -> None:
    """Whatever is drawn, and at whatever size."""
    picture = drawn(seed).resize((width, height))

    found = judged(picture, picture.copy(), UPRIGHT, limits)

    assert found is not None
    assert (found.kind, found.turn) == (Kind.SAME, 0)
    assert (found.structure, found.colour) == pytest.approx((0, 0), abs=0.2)


@pytest.mark.parametrize("left", [(1, 1), (3, 2), (1, 300), (64, 64)])
@pytest.mark.parametrize("right", [(1, 1), (2, 3), (300, 1), (200, 150)])
@pytest.mark.parametrize("flat", [False, True])
def test_verified_takes_tiny_and_flat_pictures(left: tuple[int, int], right: tuple[int, int], flat: bool) -> None:
    """Dots, lines and one colour neither raise nor warn, in any placement."""
    first = Image.new("RGB", left, "teal") if flat else drawn(0).resize(left)
    second = Image.new("RGB", right, "teal") if flat else drawn(1).resize(right)

    found = judged(first, second, EVERY)

    assert found is None or isinstance(found.kind, Kind)


def test_measures_of_a_likeness_go_by_name() -> None:
    """What is stored of it."""
    likeness = Likeness(Kind.SAME, 3, 1.5, 2.5, 0.9)

    assert likeness.measures == {
        "kind": Kind.SAME,
        "turn": 3,
        "structure": 1.5,
        "colour": 2.5,
        "agreement": 0.9,
    }


def test_inner_of_gives_shares() -> None:
    """A border of a tenth of the width, and nothing where there is none."""
    picture = drawn(0).resize((80, 80))

    assert inner_of(ImageOps.expand(picture, 10, "white")) == pytest.approx((0.1, 0.1, 0.9, 0.9), abs=0.011)
    assert inner_of(picture) == WHOLE
