"""The second look at pairs, from real files in a temporary folder."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from indexer import closeup as module
from indexer import hints
from indexer.closeup import MOST_CLOSEUPS, Judged, Proposal, closeup, judge_batch, shown, vetted_judged
from indexer.decode import decode
from indexer.drawing import drawn, encoded
from indexer.groups import Evidence, Kind
from indexer.hints import EVERY
from indexer.verify import Likeness, oriented

File = tuple[str, bytes]
UPRIGHT, TURNED = 1, 0b1111_1111


def large(seed: int = 0) -> Image.Image:
    """A picture of 1600 by 1200 pixels, as a camera makes them."""
    return drawn(seed).resize((1600, 1200), Image.Resampling.BICUBIC)


def with_digit(picture: Image.Image, digit: str) -> Image.Image:
    """A picture with a grey sign of 110 pixels and a digit on it."""
    signed = picture.copy()
    pen = ImageDraw.Draw(signed)
    pen.rectangle((800, 600, 910, 710), fill=(128, 128, 128))
    pen.text((822, 600), digit, fill=(0, 0, 0), font_size=100)
    return signed


def stored(folder: Path, name: str, data: bytes) -> File:
    """A file, and the digest of what it holds."""
    path = folder / name
    path.write_bytes(data)
    return os.fspath(path), hashlib.sha256(data).digest()


def proposal(left: File, right: File, hints: int = UPRIGHT, ids: tuple[int, int] = (1, 2)) -> Proposal:
    """A pair of files with the thumbnails that the index would have of them."""
    thumbnails = [decode(Path(path).read_bytes()).thumbnail for path, _digest in (left, right)]
    return Proposal(*ids, hints, (thumbnails[0], thumbnails[1]), (left, right))


def judged(left: File, right: File, hints: int = UPRIGHT) -> tuple[Kind | None, Evidence]:
    """The kind and the evidence of one pair."""
    (found,) = judge_batch([proposal(left, right, hints)])
    return found.likeness and found.likeness.kind, found.evidence


def without_files(asked: Proposal) -> Proposal:
    """The same pair when no file of it is known."""
    return asked._replace(files=(None, None))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[File, File]:
    """A photo, and its copy in another encoding and size."""
    return (
        stored(tmp_path, "a.jpg", encoded(large(), "JPEG", quality=92)),
        stored(tmp_path, "b.webp", encoded(large().resize((800, 600)), "WEBP", quality=80)),
    )


def test_judge_batch_says_same_from_the_files(pair: tuple[File, File]) -> None:
    """A pair that passes both looks rests on its files."""
    assert judged(*pair) == (Kind.SAME, Evidence.FILES)


@pytest.mark.parametrize("formats", [("PNG", "PNG"), ("PNG", "JPEG"), ("JPEG", "JPEG")])
def test_judge_batch_demotes_what_only_thumbnails_take_for_the_same(tmp_path: Path, formats: tuple[str, str]) -> None:
    """Another digit on a sign, which a thumbnail blurs, is seen close up: edited, not the same."""
    left = stored(tmp_path, "a", encoded(with_digit(large(), "1"), formats[0]))
    right = stored(tmp_path, "b", encoded(with_digit(large(), "7"), formats[1]))
    asked = proposal(left, right)

    (by_thumbnail,), (by_files,) = judge_batch([without_files(asked)]), judge_batch([asked])

    assert (by_thumbnail.likeness and by_thumbnail.likeness.kind, by_thumbnail.evidence) == (
        Kind.SAME,
        Evidence.THUMBNAIL,
    )
    assert (by_files.likeness and by_files.likeness.kind, by_files.evidence) == (Kind.EDITED, Evidence.FILES)


def test_judge_batch_looks_at_no_file_when_the_thumbnails_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other pictures, and edits that a thumbnail shows, need no second look: nothing is read."""
    files = [stored(tmp_path, f"{n}.png", encoded(drawn(n).resize((400, 300)), "PNG")) for n in (0, 1)]
    edited = drawn(0).resize((400, 300))
    edited.paste((255, 0, 200), (100, 100, 160, 160))
    files.append(stored(tmp_path, "2.png", encoded(edited, "PNG")))
    asked = [proposal(files[0], files[1], ids=(1, 2)), proposal(files[0], files[2], ids=(1, 3))]
    read = counted(monkeypatch)

    other, local = judge_batch(asked)

    assert read == []
    assert other == Judged(1, 2, None, Evidence.THUMBNAIL)
    assert (local.likeness and local.likeness.kind, local.evidence) == (Kind.EDITED, Evidence.THUMBNAIL)


def removed(path: str) -> None:
    """The file is gone."""
    os.unlink(path)


def rewritten(path: str) -> None:
    """The file holds another picture, which would pass."""
    Path(path).write_bytes(encoded(large(), "JPEG", quality=91))


def to_folder(path: str) -> None:
    """A folder is in its place."""
    os.unlink(path)
    os.mkdir(path)


def to_fifo(path: str) -> None:
    """A FIFO that nobody writes to is in its place."""
    os.unlink(path)
    os.mkfifo(path)


@pytest.mark.parametrize("change", [removed, rewritten, to_folder, to_fifo])
@pytest.mark.parametrize("side", [0, 1])
def test_judge_batch_rests_on_the_thumbnails_when_a_file_is_not_what_it_was(
    pair: tuple[File, File], change: Callable[[str], None], side: int
) -> None:
    """A file that is gone, or holds other bytes than were fingerprinted, is no evidence."""
    asked = proposal(*pair)
    change(pair[side][0])

    (found,) = judge_batch([asked])

    assert (found.likeness and found.likeness.kind, found.evidence) == (Kind.SAME, Evidence.THUMBNAIL)


@pytest.mark.parametrize("known", [(None, 1), (0, None), (None, None)])
def test_judge_batch_rests_on_the_thumbnails_when_no_file_is_known(
    pair: tuple[File, File], known: tuple[int | None, int | None]
) -> None:
    """A content may have no file any more."""
    left, right = (None if place is None else pair[place] for place in known)

    (found,) = judge_batch([proposal(*pair)._replace(files=(left, right))])

    assert (found.likeness and found.likeness.kind, found.evidence) == (Kind.SAME, Evidence.THUMBNAIL)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="no picture"),
        pytest.param(encoded(drawn(0))[:900], id="cut off"),
        pytest.param(encoded(drawn(0), "PNG")[:300], id="PNG cut off"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", id="PostScript"),
        pytest.param(b"\xff\xd8\xff\xe1" + bytes(100), id="a JPEG of zeros"),
    ],
)
def test_judge_batch_never_raises_when_a_file_cannot_be_decoded(
    pair: tuple[File, File], tmp_path: Path, data: bytes
) -> None:
    """A file whose digest is right but which does not decode leaves the thumbnails; the next pair is judged."""
    hostile = stored(tmp_path, "hostile", data)
    asked = proposal(*pair)

    first, second = judge_batch([asked._replace(files=(hostile, pair[1])), asked])

    assert (first.likeness and first.likeness.kind, first.evidence) == (Kind.SAME, Evidence.THUMBNAIL)
    assert (second.likeness and second.likeness.kind, second.evidence) == (Kind.SAME, Evidence.FILES)


def test_closeup_never_raises_on_odd_files(data: Path) -> None:
    """Truncated, fuzzed and huge files are shown or are not, without a word."""
    paths = [path for path in sorted(data.glob("odd_files/**/*")) if path.is_file()][::3]

    with module.warnings.catch_warnings():
        module.warnings.simplefilter("ignore")
        found = [closeup(os.fspath(path), hashlib.sha256(path.read_bytes()).digest()) for path in paths]

    assert len(paths) > 100
    assert any(one is None for one in found)
    assert all(one.pixels.mode == "RGB" for one in found if one is not None)


def animation(*frames: Image.Image) -> bytes:
    """A GIF of some frames."""
    return encoded(frames[0], "GIF", save_all=True, append_images=list(frames[1:]), duration=100)


def test_judge_batch_never_says_same_of_animations(tmp_path: Path) -> None:
    """Thumbnails show the first frames alone; the files tell that there are more."""
    first, *others = (drawn(n).resize((300, 200)) for n in range(3))
    still = stored(tmp_path, "still.gif", encoded(first, "GIF"))
    moving = [stored(tmp_path, f"{n}.gif", animation(first, other)) for n, other in enumerate(others)]

    kinds = [judged(still, moving[0]), judged(moving[0], moving[1])]

    assert kinds == [(Kind.EDITED, Evidence.FILES)] * 2


def test_judge_batch_never_says_same_when_the_opacity_differs(tmp_path: Path) -> None:
    """A white part that is opaque in one file and transparent in the other is white on both thumbnails."""
    picture = drawn(0).resize((300, 200)).convert("RGBA")
    cut_out = picture.copy()
    cut_out.paste((255, 255, 255, 0), (40, 40, 120, 120))
    filled = picture.copy()
    filled.paste((255, 255, 255, 255), (40, 40, 120, 120))
    files = [stored(tmp_path, f"{n}.png", encoded(one, "PNG")) for n, one in enumerate((cut_out, filled))]
    copy = stored(tmp_path, "copy.webp", encoded(cut_out, "WEBP", lossless=True))

    assert judged(files[0], files[1]) == (Kind.EDITED, Evidence.FILES)
    assert judged(files[0], copy) == (Kind.SAME, Evidence.FILES)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_judge_batch_compares_upright_pictures(tmp_path: Path, orientation: int) -> None:
    """A photo stored turned, with the EXIF tag that says so, is the same as the upright one."""
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = stored(tmp_path, "a.jpg", encoded(large(), "JPEG", quality=90))
    turned = stored(tmp_path, "b.jpg", encoded(large().transpose(turn), "JPEG", quality=85, exif=exif))

    assert judged(upright, turned) == (Kind.SAME, Evidence.FILES)


def test_judge_batch_looks_closer_in_the_orientation_that_was_found(tmp_path: Path) -> None:
    """A turned copy passes both looks, and its `turn` comes with it; a turned copy with another digit is demoted."""
    left = stored(tmp_path, "a.png", encoded(with_digit(large(), "1"), "PNG"))
    turn = Image.Transpose.ROTATE_270
    copy = stored(tmp_path, "b.png", encoded(with_digit(large(), "1").transpose(turn), "PNG"))
    other = stored(tmp_path, "c.png", encoded(with_digit(large(), "7").transpose(turn), "PNG"))

    same, demoted = judge_batch([proposal(left, copy, TURNED), proposal(left, other, TURNED, (1, 3))])

    assert (same.likeness and (same.likeness.kind, same.likeness.turn), same.evidence) == (
        (Kind.ROTATED, 5),
        Evidence.FILES,
    )
    assert demoted.evidence == Evidence.FILES
    assert demoted.likeness is None or demoted.likeness.kind == Kind.EDITED


def test_judge_batch_keeps_the_order_of_its_proposals(pair: tuple[File, File]) -> None:
    """Each answer names its pair."""
    asked = [proposal(*pair, ids=ids) for ids in ((5, 9), (1, 2), (3, 8))]

    assert [(one.a_id, one.b_id) for one in judge_batch(asked)] == [(5, 9), (1, 2), (3, 8)]


def test_judge_batch_of_nothing_is_nothing() -> None:
    """No pair, no answer."""
    assert judge_batch([]) == []


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are read from now on."""
    read: list[str] = []
    genuine = module.read_stable

    def counting(path: str) -> Any:
        read.append(path)
        return genuine(path)

    monkeypatch.setattr(module, "read_stable", counting)
    return read


def test_judge_batch_reads_a_file_once_when_it_stands_in_many_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are remembered for the length of a batch, and no longer."""
    files = [stored(tmp_path, f"{n}.jpg", encoded(drawn(0), "JPEG", quality=80 + n)) for n in range(5)]
    asked = [proposal(files[0], other) for other in files[1:]]
    read = counted(monkeypatch)

    judge_batch(asked)
    once = sorted(read)
    judge_batch(asked[:1])

    assert once == sorted(path for path, _digest in files)
    assert sorted(read[len(once) :]) == sorted([files[0][0], files[1][0]])


def test_judge_batch_remembers_a_bounded_number_of_files(tmp_path: Path) -> None:
    """The memory that a batch takes does not grow with its pairs."""
    data = encoded(drawn(0).resize((400, 300)), "PNG", compress_level=1)
    first = stored(tmp_path, "first.png", data)
    (tmp_path / "others").mkdir()
    others = [stored(tmp_path / "others", f"{n}.png", data) for n in range(MOST_CLOSEUPS + 40)]
    asked = proposal(first, others[0])
    seen: dict[str, Any] = {}

    for other in others:
        module._judged(asked._replace(files=(first, other)), seen)

    assert len(seen) == MOST_CLOSEUPS
    assert list(seen)[-1] == others[-1][0]


@pytest.mark.parametrize(
    ("picture", "format_", "options", "size"),
    [
        pytest.param(large(), "PNG", {}, (267, 200), id="PNG, by averaging"),
        pytest.param(large(), "JPEG", {"quality": 90}, (400, 300), id="JPEG, a quarter"),
        pytest.param(drawn(0).resize((200, 150)), "PNG", {}, (200, 150), id="small"),
        pytest.param(drawn(0).resize((200, 150)), "JPEG", {"quality": 90}, (200, 150), id="small JPEG"),
    ],
)
def test_shown_is_a_few_hundred_pixels_long(
    picture: Image.Image, format_: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    """Not less than the 43,200 pixels that are compared, and not much more (1600 × 1200 by 6, or by 4; worked by hand)."""
    found = shown(encoded(picture, format_, **options))

    assert (found.pixels.size, found.pixels.mode, found.opacity, found.frames) == (size, "RGB", None, False)


@pytest.mark.parametrize(
    ("format_", "options", "exact"),
    [
        pytest.param("PNG", {}, (300, 200), id="PNG"),
        pytest.param("BMP", {}, (300, 200), id="BMP"),
        pytest.param("JPEG", {"quality": 95}, None, id="JPEG"),
        pytest.param("WEBP", {"quality": 95}, None, id="WebP"),
    ],
)
def test_shown_tells_which_files_keep_every_pixel(
    format_: str, options: dict[str, Any], exact: tuple[int, int] | None
) -> None:
    """The size of the file, upright, for lossless formats; nothing for others."""
    assert shown(encoded(drawn(0).resize((300, 200)), format_, **options)).exact == exact


def test_shown_turns_pixels_opacity_and_size_upright() -> None:
    """All that is known of a picture is turned as EXIF says."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = drawn(0).resize((90, 60)).convert("RGBA")
    opacity = Image.new("L", (90, 60), 255)
    opacity.paste(0, (0, 0, 30, 10))
    picture.putalpha(opacity)

    found = shown(encoded(picture, "PNG", exif=exif))

    assert found.exact == found.pixels.size == (60, 90)
    assert found.opacity is not None
    assert np.array_equal(np.asarray(found.opacity), np.asarray(opacity.transpose(Image.Transpose.ROTATE_270)))


def test_shown_has_no_opacity_when_nothing_is_hidden() -> None:
    """An alpha channel of 255 all over is none."""
    picture = drawn(0).resize((90, 60)).convert("RGBA")

    assert shown(encoded(picture, "PNG")).opacity is None


def test_shown_of_large_files_stays_small() -> None:
    """A batch holds 64 of them: together less than 64 MB, whatever the size of the files."""
    data = encoded(Image.new("RGB", (6000, 4000), "teal"), "JPEG", quality=50)

    found = shown(data)

    width, height = found.pixels.size
    assert width * height * 3 < 1_000_000


PROPOSAL = Proposal(1, 2, 1, (b"", b""), (None, None))
LIKENESS = Likeness(Kind.SAME, 3, 1.0, 0.0, 0.75)


@pytest.mark.parametrize("likeness", [None, LIKENESS], ids=["no match", "a match"])
def test_vetted_judged_believes_what_workers_answer(likeness: Likeness | None) -> None:
    """A judgement of the pair comes through as it was."""
    judged = Judged(1, 2, likeness, Evidence.FILES)

    assert vetted_judged(PROPOSAL, judged) == judged


@pytest.mark.parametrize(
    "judged",
    [
        pytest.param(None, id="nothing"),
        pytest.param((1, 2, None, Evidence.FILES), id="a tuple"),
        pytest.param(Judged(1, 3, None, Evidence.FILES), id="another pair"),
        pytest.param(Judged(1, 2, None, Evidence.PERSON), id="a person's word"),
        pytest.param(Judged(1, 2, "same", Evidence.FILES), id="a likeness of words"),  # type: ignore[arg-type]
        pytest.param(Judged(1, 2, replace(LIKENESS, kind=Kind.BYTES), Evidence.FILES), id="the same bytes"),
        pytest.param(Judged(1, 2, replace(LIKENESS, turn=8), Evidence.FILES), id="a ninth orientation"),
        pytest.param(Judged(1, 2, replace(LIKENESS, structure=math.nan), Evidence.FILES), id="no number"),
        pytest.param(Judged(1, 2, replace(LIKENESS, agreement=1), Evidence.FILES), id="an int"),
        pytest.param(Judged(1, 2, object.__new__(Likeness), Evidence.FILES), id="an empty likeness"),
    ],
)
def test_vetted_judged_believes_nothing_else(judged: object) -> None:
    """One part that is not what it has to be is enough."""
    assert vetted_judged(PROPOSAL, judged) is None


def test_hints_of_sides_exchanged_come_back() -> None:
    """Exchanging twice changes nothing; a quarter turn becomes the other one, and a crop of the left one of the right."""
    assert all(hints.swapped(hints.swapped(1 << bit)) == 1 << bit for bit in range(hints.INNER + 1))
    assert hints.swapped(1 << 5 | 1 << 3) == 1 << 6 | 1 << 3
    assert hints.swapped(1 << hints.CROP_OF_LEFT) == 1 << hints.CROP_OF_RIGHT


@pytest.mark.parametrize("turn", range(8))
def test_judge_batch_says_the_same_whichever_picture_is_the_left_one(turn: int) -> None:
    """Kind and measures are the same, and the orientation is the one that leads back."""
    picture = drawn(3)
    pair = [encoded(picture), encoded(oriented(picture, turn), quality=70)]
    one, other = judge_batch(
        [
            Proposal(1, 2, EVERY, (pair[0], pair[1]), (None, None)),
            Proposal(1, 2, EVERY, (pair[1], pair[0]), (None, None)),
        ]
    )

    assert one.likeness is not None
    assert other.likeness is not None
    assert one.likeness == replace(other.likeness, turn=hints.BACK[other.likeness.turn])
    assert one.likeness.turn == turn
