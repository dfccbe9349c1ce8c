"""What reading and decoding one file gives, for every kind of picture and for all that is none.

Expected fingerprints are those of the pixels that a picture was saved from; Pillow wrote the files.
"""

from __future__ import annotations

import csv
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image, ImageCms, ImageDraw, ImageOps, features

from indexer import decode as module
from indexer.decode import decode, decode_batch, failure_reason, formats, unidentified_reason
from indexer.drawing import drawn, encoded, mosaic
from indexer.fingerprint import fingerprint
from indexer.records import (
    Fingerprint,
    Fingerprinted,
    NotPicture,
    Outcome,
    Reading,
    Recognised,
    Stamp,
    Task,
    Unreadable,
)

COLOUR = mosaic(4, 120, 90)
"""Small enough to be decoded without shrinking; hashes survive lossy formats."""
GREY = COLOUR.convert("L")
OTHER = drawn(1).resize(COLOUR.size)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation → how a picture that is to be shown upright is stored (Exif 2.3, tag 274, worked by hand)."""

LOSSLESS: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}}


@pytest.fixture(autouse=True)
def _hurry() -> Iterator[None]:
    """A test that waits for a FIFO fails instead."""

    def late(*_: object) -> None:
        raise TimeoutError("the test took more than 20 seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def taken(
    picture: Image.Image,
    *,
    format: str,  # noqa: A002 - Pillow's word
    mode: str,
    size: tuple[int, int] | None = None,
) -> Fingerprint:
    """The fingerprint of pixels that need no shrinking, or were shrunk from a size."""
    width, height = size or picture.size
    return fingerprint(np.asarray(picture), width=width, height=height, format=format, mode=mode)


def look(picture: Image.Image, format: str = "PNG", **options: Any) -> bytes:  # noqa: A002
    """The look of a picture that was saved in a format."""
    return decode(encoded(picture, format, **options)).look


def opaque() -> Image.Image:
    """The colours with an alpha channel that hides nothing."""
    layered = COLOUR.copy()
    layered.putalpha(255)
    return layered


def speckled(width: int, height: int) -> Image.Image:
    """A white page with three grey specks, too faint to be told from a blank one by its hashes."""
    picture = Image.new("RGB", (width, height), "white")
    for place in ((3, 5), (40, 7), (width - 2, height - 30)):
        picture.putpixel(place, (100, 100, 100))
    return picture


def strokes(mode: str = "RGBA", size: tuple[int, int] = (150, 120)) -> Image.Image:
    """Black strokes on transparent black, as icons are drawn: `convert("RGB")` makes a black square of it."""
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    width, height = size
    pen.line(
        [(width // 10, height // 8), (width // 2, height - 9), (width - 9, height // 3)], (0, 0, 0, 255), width // 12
    )
    pen.ellipse([width // 2, height // 8, width - 20, height // 2], outline=(0, 0, 0, 160), width=width // 20)
    return picture.convert(mode)


def on_white(picture: Image.Image) -> Image.Image:
    """The picture on a white page, in colour."""
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def lab() -> Image.Image:
    """The colours in CIELAB, by LittleCMS."""
    profiles = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
    return ImageCms.applyTransform(COLOUR, ImageCms.buildTransform(*profiles, "RGB", "LAB"))


def samples(kind: type[np.number], factor: float = 1) -> Image.Image:
    """The grey levels as wider numbers."""
    return Image.fromarray((np.asarray(GREY, dtype=np.float64) * factor).astype(kind))


def png_of_size(width: int, height: int) -> bytes:
    """The header of a huge grey PNG, with next to no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def jpeg_of_size(width: int, height: int) -> bytes:
    """A small JPEG whose header (SOF0: length, precision, height, width) was made to lie."""
    data = encoded(GREY)
    frame = data.index(b"\xff\xc0")
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment at its beginning; its pixels are the same."""
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + jpeg[2:]


def with_exif(jpeg: bytes, orientation: int = 1) -> bytes:
    """A JPEG with an EXIF segment."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return with_segment(jpeg, 0xE1, b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0"))


def planted(path: Path, data: bytes) -> Path:
    """A file that was there before the next tick of the file system's clock."""
    path.write_bytes(data)
    time.sleep(0.02)
    return path


def outcome(path: Path, *, claims_picture: bool = True, known: frozenset[bytes] = frozenset()) -> Outcome:
    """What a batch of this one file gives."""
    (only,) = decode_batch([Task(1, os.fspath(path), 0, claims_picture)], known)
    return only


def reading_of(path: Path, found: Outcome) -> Reading:
    """What a reading of a fresh file has to be; when it was born is asked elsewhere."""
    status = os.lstat(path)
    stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    assert found.reading is not None
    return Reading(stamp, unsettled=True, born_ns=found.reading.born_ns)


def bits_between(left: Fingerprint, right: Fingerprint) -> tuple[int, int]:
    """The Hamming distances of both hashes."""
    phashes = (int.from_bytes(one.phash, "big") for one in (left, right))
    first, second = phashes
    return (left.dhash ^ right.dhash).bit_count(), (first ^ second).bit_count()


@pytest.mark.parametrize(
    ("format", "mode", "picture", "options", "phash_bits"),
    [
        pytest.param("JPEG", "L", GREY, {"quality": 95}, 20, id="JPEG grey"),
        pytest.param("JPEG", "RGB", COLOUR, {"quality": 95}, 20, id="JPEG colour"),
        pytest.param("JPEG", "RGB", COLOUR, {"quality": 95, "progressive": True}, 20, id="JPEG progressive"),
        pytest.param("JPEG", "RGB", COLOUR, {"quality": 95, "subsampling": 0}, 20, id="JPEG 4:4:4"),
        pytest.param("JPEG", "CMYK", COLOUR.convert("CMYK"), {"quality": 95}, 20, id="JPEG CMYK"),
        pytest.param("MPO", "RGB", COLOUR, {"save_all": True, "append_images": [OTHER]}, 20, id="MPO, first picture"),
        pytest.param("PNG", "1", COLOUR.convert("1"), {}, 70, id="PNG black and white, dithered"),
        pytest.param("PNG", "L", GREY, {}, 0, id="PNG grey"),
        pytest.param("PNG", "L", GREY, {"transparency": 255}, 0, id="PNG grey, an unused level transparent"),
        pytest.param("PNG", "LA", opaque().convert("LA"), {}, 0, id="PNG grey with alpha"),
        pytest.param("PNG", "P", COLOUR.quantize(256), {}, 40, id="PNG palette"),
        pytest.param("PNG", "P", COLOUR.quantize(255), {"transparency": 255}, 40, id="PNG palette, unused transparent"),
        pytest.param("PNG", "RGB", COLOUR, {}, 0, id="PNG colour"),
        pytest.param("PNG", "RGB", COLOUR, {"transparency": (1, 2, 3)}, 0, id="PNG, an unused colour transparent"),
        pytest.param("PNG", "RGBA", opaque(), {}, 0, id="PNG with alpha"),
        pytest.param("PNG", "I;16", samples(np.uint16, 257), {}, 0, id="PNG 16 bits"),
        pytest.param("GIF", "P", COLOUR, {}, 40, id="GIF colour"),
        pytest.param("GIF", "P", COLOUR, {"save_all": True, "append_images": [OTHER]}, 40, id="GIF, first frame"),
        pytest.param("WEBP", "RGB", COLOUR, {"lossless": True}, 0, id="WebP lossless"),
        pytest.param("WEBP", "RGB", COLOUR, {"quality": 90}, 40, id="WebP lossy"),
        pytest.param(
            "WEBP",
            "RGB",
            COLOUR,
            {"lossless": True, "save_all": True, "append_images": [OTHER]},
            0,
            id="WebP, first frame",
        ),
        pytest.param("BMP", "1", COLOUR.convert("1"), {}, 70, id="BMP black and white, dithered"),
        pytest.param("BMP", "L", GREY, {}, 0, id="BMP grey"),
        pytest.param("BMP", "P", COLOUR.quantize(256), {}, 40, id="BMP palette"),
        pytest.param("BMP", "RGB", COLOUR, {}, 0, id="BMP colour"),
        pytest.param("DIB", "RGB", COLOUR, {}, 0, id="DIB"),
        pytest.param("TIFF", "1", COLOUR.convert("1"), {}, 70, id="TIFF black and white, dithered"),
        pytest.param("TIFF", "L", GREY, {}, 0, id="TIFF grey"),
        pytest.param("TIFF", "LA", opaque().convert("LA"), {}, 0, id="TIFF grey with alpha"),
        pytest.param("TIFF", "P", COLOUR.quantize(256), {}, 40, id="TIFF palette"),
        pytest.param("TIFF", "RGB", COLOUR, {"compression": "tiff_lzw"}, 0, id="TIFF colour, LZW"),
        pytest.param("TIFF", "RGBA", opaque(), {}, 0, id="TIFF with alpha"),
        pytest.param("TIFF", "CMYK", COLOUR.convert("CMYK"), {}, 0, id="TIFF CMYK"),
        pytest.param("TIFF", "YCbCr", COLOUR.convert("YCbCr"), {}, 30, id="TIFF YCbCr"),
        pytest.param("TIFF", "LAB", lab(), {}, 20, id="TIFF Lab"),
        pytest.param("TIFF", "I;16", samples(np.uint16, 257), {}, 0, id="TIFF 16 bits"),
        pytest.param("TIFF", "I", samples(np.int32, 257), {}, 0, id="TIFF 32 bits that fill 16"),
        pytest.param("TIFF", "F", samples(np.float32), {}, 0, id="TIFF float up to 255"),
        pytest.param("TIFF", "F", samples(np.float32, 257), {}, 0, id="TIFF float up to 65,535"),
        pytest.param("TIFF", "F", samples(np.float32, 1 / 255), {}, 10, id="TIFF float up to 1"),
        pytest.param("TIFF", "F", samples(np.float32, 1e6), {}, 10, id="TIFF float beyond"),
        pytest.param("AVIF", "RGB", COLOUR, {"quality": 90}, 40, id="AVIF"),
        pytest.param("AVIF", "RGB", COLOUR, {"save_all": True, "append_images": [OTHER]}, 40, id="AVIF, first frame"),
        pytest.param("HEIF", "RGB", COLOUR, {"quality": 95}, 40, id="HEIF"),
        pytest.param("JXL", "RGB", COLOUR, {"quality": 95}, 40, id="JPEG XL"),
    ],
)  # fmt: skip
def test_decode_sees_the_same_picture_in_every_mode_and_format(
    format: str,  # noqa: A002 - Pillow's word
    mode: str,
    picture: Image.Image,
    options: dict[str, Any],
    phash_bits: int,
) -> None:
    """A picture has the dHash of the pixels it was saved from, and a pHash as close as its format keeps them."""
    if format not in {*formats(), "MPO"}:
        pytest.skip(f"{format} cannot be decoded here")

    found = decode(encoded(picture, format, **options))

    dhash, phash = bits_between(found, taken(COLOUR, format="", mode=""))
    assert found[2:6] == (120, 90, format, mode)
    assert (dhash, phash <= phash_bits) == (0, True), phash


def test_decode_gives_the_whole_fingerprint_of_pixels_that_need_no_shrinking() -> None:
    """Saved without loss, a picture has exactly the fingerprint of its pixels, thumbnail and all."""
    assert decode(encoded(COLOUR, "PNG")) == taken(COLOUR, format="PNG", mode="RGB")


@pytest.mark.parametrize("number", range(8))
def test_decode_shrinks_by_averaging(number: int) -> None:
    """A larger picture has the fingerprint of what `Image.reduce` makes of it."""
    picture = drawn(number).resize((700, 500 + number))

    found = decode(encoded(picture, "PNG"))

    assert found == taken(picture.reduce(4), format="PNG", mode="RGB", size=picture.size)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3, 2), (3000, 8), (8, 3000)])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_decode_takes_pictures_of_odd_sizes(format: str, size: tuple[int, int]) -> None:  # noqa: A002
    """A line, a dot and a strip are pictures; the thumbnail is no longer than 192 pixels."""
    found = decode(encoded(mosaic(1).resize(size), format))

    with Image.open(BytesIO(found.thumbnail)) as thumbnail:
        assert max(thumbnail.size) <= 192
    assert found[2:6] == (*size, format, "RGB")


@pytest.mark.parametrize(
    ("data", "size"),
    [
        pytest.param(lambda jpeg: jpeg, (4000, 3000), id="plain"),
        pytest.param(with_exif, (4000, 3000), id="with EXIF"),
        pytest.param(lambda jpeg: with_exif(jpeg, 6), (3000, 4000), id="turned by EXIF"),
    ],
)
def test_decode_reports_the_size_before_it_decodes_at_a_reduced_scale(
    data: Callable[[bytes], bytes], size: tuple[int, int]
) -> None:
    """Width and height are those of the file, upright, not of the eighth that was decoded."""
    photo = encoded(COLOUR.resize((4000, 3000)))

    found = decode(data(photo))

    assert found[2:6] == (*size, "JPEG", "RGB")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_decode_turns_a_picture_upright_as_exif_says(format: str, orientation: int) -> None:  # noqa: A002
    """However a picture is stored, it has the hash and the size of the upright one."""
    turn = TURNS[orientation]
    if format not in formats():
        pytest.skip(f"{format} cannot be decoded here")
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if format == "WEBP" else {} if format in {"PNG", "TIFF"} else {"quality": 95}
    stored = encoded(COLOUR if turn is None else COLOUR.transpose(turn), format, exif=exif, **lossless)

    found = decode(stored)

    dhash, phash = bits_between(found, taken(COLOUR, format="", mode=""))
    assert found[2:6] == (120, 90, format, "RGB")
    assert (dhash, phash <= (30 if "quality" in lossless else 0)) == (0, True), phash


@pytest.mark.parametrize("orientation", range(1, 9))
def test_decode_agrees_with_pillow_on_what_is_upright(orientation: int) -> None:
    """The fingerprint is that of `ImageOps.exif_transpose`, pixel for pixel."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = encoded(drawn(1).resize((160, 100)), "PNG", exif=exif)

    found = decode(stored)

    with Image.open(BytesIO(stored)) as picture:
        assert found == taken(ImageOps.exif_transpose(picture), format="PNG", mode="RGB")


def test_decode_sees_one_photo_in_all_orientations(data: Path) -> None:
    """One photo stored in nine ways is within a few bits of itself; only a digit drawn on it differs."""
    found = [decode((data / "orientation_recurser" / f"Portrait_{number}.jpg").read_bytes()) for number in range(9)]

    distances = [bits_between(one, found[0]) for one in found]

    assert {one[2:6] for one in found} == {(1200, 1800, "JPEG", "RGB")}
    assert max(dhash for dhash, _ in distances) <= 2
    assert max(phash for _, phash in distances) <= 12


@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Exif\0\0", id="nothing behind its name"),
        pytest.param(b"Exif\0\0II*\0\xff\xff\xff\x7f", id="points outside"),
        pytest.param(b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04six\0\0\0\0\0", id="orientation is a word"),
        pytest.param(
            b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0\0\0\0\0",
            id="orientation is 9",
        ),
        pytest.param(b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0", id="orientation is 0"),
        pytest.param(b"Exif\0\0" + bytes(range(256)), id="junk"),
    ],
)
def test_decode_leaves_a_picture_as_it_is_when_its_exif_is_broken(exif: bytes) -> None:
    """Metadata that cannot be parsed does not make a picture unreadable."""
    jpeg = encoded(COLOUR.resize((80, 70)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        found = decode(with_segment(jpeg, 0xE1, exif))

    assert found == decode(jpeg)


@pytest.mark.parametrize("size", [(600, 512), (900, 1400), (70, 65), (50, 400)])
def test_decode_gives_the_same_when_only_metadata_differs(size: tuple[int, int]) -> None:
    """An EXIF header without an orientation changes nothing of a JPEG's fingerprint."""
    jpeg = encoded(drawn(1).resize(size))

    assert decode(with_exif(jpeg)) == decode(jpeg)


def test_decode_gives_the_same_when_only_metadata_differs_at_middle_sizes() -> None:
    """The same holds for JPEGs whose short side is between 74 and 511 pixels."""
    jpegs = [encoded(drawn(number)) for number in range(30)]

    found = [decode(jpeg) for jpeg in jpegs]

    assert [one.dhash for one in found] == [decode(with_exif(jpeg)).dhash for jpeg in jpegs]


@pytest.mark.parametrize(
    ("format", "picture", "options"),
    [
        pytest.param("PNG", strokes(), {}, id="PNG with alpha"),
        pytest.param("PNG", strokes("LA"), {}, id="PNG grey with alpha"),
        pytest.param("PNG", strokes().quantize(16), {}, id="PNG palette with alpha"),
        pytest.param(
            "PNG",
            ImageOps.posterize(GREY, 2),
            {"transparency": 0},
            id="PNG grey, black transparent",
        ),
        pytest.param(
            "PNG",
            strokes("LA").getchannel("A").convert("1"),
            {"transparency": 0},
            id="PNG black and white, black transparent",
        ),
        pytest.param("PNG", ImageOps.posterize(COLOUR, 2), {"transparency": (0, 0, 0)}, id="PNG, black transparent"),
        pytest.param("GIF", strokes(), {}, id="GIF"),
        pytest.param("WEBP", strokes(), {"lossless": True, "exact": True}, id="WebP"),
        pytest.param("TIFF", strokes(), {}, id="TIFF"),
        pytest.param("AVIF", strokes(), {"quality": 100}, id="AVIF"),
    ],
)
def test_decode_puts_transparent_pictures_on_white(
    format: str,  # noqa: A002 - Pillow's word
    picture: Image.Image,
    options: dict[str, Any],
) -> None:
    """What is transparent is white, whatever colour hides there: all but the look is that of the flattened pixels."""
    if format not in formats():
        pytest.skip(f"{format} cannot be decoded here")
    stored = encoded(picture, format, **options)

    found = decode(stored)

    with Image.open(BytesIO(stored)) as opened:
        expected = taken(on_white(opened), format=format, mode=opened.mode)
    assert found == expected._replace(look=found.look)
    assert found.look != expected.look


def test_decode_puts_large_transparent_pictures_on_white() -> None:
    """Shrinking before flattening gives the hash that flattening before shrinking gives."""
    picture = strokes(size=(900, 720))

    found = decode(encoded(picture, "PNG"))

    dhash, phash = bits_between(found, taken(on_white(picture).reduce(5), format="", mode=""))
    assert (dhash <= 1, phash <= 10) == (True, True), (dhash, phash)
    assert found.detail > 10


@pytest.mark.parametrize(
    ("format", "picture", "options"),
    [
        pytest.param("PNG", COLOUR, {"compress_level": 1}, id="PNG packed otherwise"),
        pytest.param("PNG", COLOUR, {"transparency": (1, 2, 3)}, id="PNG, an unused colour transparent"),
        pytest.param("PNG", opaque(), {}, id="PNG with alpha that hides nothing"),
        pytest.param("BMP", COLOUR, {}, id="BMP"),
        pytest.param("TIFF", COLOUR, {"compression": "tiff_lzw"}, id="TIFF"),
        pytest.param("WEBP", COLOUR, {"lossless": True}, id="WebP"),
    ],
)
@pytest.mark.parametrize("size", [(120, 90), (1000, 750)])
def test_look_is_equal_when_the_pixels_are(
    format: str,  # noqa: A002
    picture: Image.Image,
    options: dict[str, Any],
    size: tuple[int, int],
) -> None:
    """The same pixels look the same in every format that keeps them."""
    assert look(picture.resize(size), format, **options) == look(COLOUR.resize(size))


@pytest.mark.parametrize("blank", [False, True])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_look_is_equal_when_exif_makes_the_picture_upright(
    format: str,  # noqa: A002
    orientation: int,
    blank: bool,
) -> None:
    """However the pixels are stored, the upright picture looks the same, also when there is hardly anything on it."""
    picture = speckled(120, 90) if blank else COLOUR
    turn = TURNS[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation

    stored = look(picture if turn is None else picture.transpose(turn), format, exif=exif, **LOSSLESS.get(format, {}))

    assert stored == look(picture)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(COLOUR.resize((121, 90)), id="one column more"),
        pytest.param(COLOUR.resize((240, 180)), id="double"),
        pytest.param(COLOUR.transpose(Image.Transpose.FLIP_LEFT_RIGHT), id="mirrored"),
        pytest.param(OTHER, id="another picture"),
    ],
)
def test_look_differs_when_size_or_pixels_do(picture: Image.Image) -> None:
    """Another size, or other pixels, looks different."""
    assert look(picture) != look(COLOUR)


def test_look_differs_when_only_the_transparency_does() -> None:
    """A white icon on nothing, a white page, and a page of nothing are the same on white, and yet not the same."""
    page = Image.new("RGBA", (240, 240), "white")
    icon = page.copy()
    icon.putalpha(strokes(size=(240, 240)).getchannel("A"))
    other_icon = page.copy()
    other_icon.putalpha(strokes(size=(240, 240)).getchannel("A").transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    nothing = Image.new("RGBA", (240, 240), (255, 255, 255, 0))

    looks = [look(picture) for picture in (page, icon, other_icon, nothing, page.convert("RGB"))]

    assert looks[4] == looks[0]
    assert len(set(looks)) == 4


def test_look_differs_when_the_transparency_of_a_picture_with_detail_does() -> None:
    """White parts that are opaque here and transparent there make as many pictures as there are ways."""
    holes = ((10, 10, 40, 40), (60, 10, 90, 40))
    pictures = [COLOUR.convert("RGBA") for _ in range(4)]
    for number, picture in enumerate(pictures):
        for bit, hole in enumerate(holes):
            picture.paste((255, 255, 255, 0 if number >> bit & 1 else 255), hole)

    found = [decode(encoded(picture, "PNG")) for picture in pictures]

    assert len({one.phash for one in found}) == 1
    assert len({one.look for one in found}) == 4


@pytest.mark.parametrize("format", ["GIF", "WEBP", "AVIF"])
def test_look_of_an_animation_is_that_of_its_file(format: str) -> None:  # noqa: A002
    """Animations that begin alike, and the still picture that they begin with, look different; byte copies do not."""
    if format not in formats():
        pytest.skip(f"{format} cannot be decoded here")
    options = LOSSLESS.get(format, {})
    frames = [OTHER, GREY.convert("RGB"), COLOUR.transpose(Image.Transpose.ROTATE_180)]
    files = [
        encoded(COLOUR, format, **options),
        *(encoded(COLOUR, format, save_all=True, append_images=[frame], **options) for frame in frames),
    ]

    looks = [decode(data).look for data in files]

    assert len(set(looks)) == 4
    assert [decode(data).look for data in files] == looks


def test_look_of_blank_animations_is_that_of_their_files() -> None:
    """Animations that begin with the same blank picture look different."""
    blank = Image.new("RGB", (300, 200), "white")

    looks = {look(blank, "GIF", save_all=True, append_images=[frame]) for frame in (COLOUR, OTHER)}

    assert len(looks | {look(blank, "GIF")}) == 3


@pytest.mark.parametrize(
    ("format", "options", "speck"),
    [
        pytest.param("PNG", {}, 254, id="PNG, by one level"),
        pytest.param("JPEG", {"quality": 90}, 0, id="JPEG, by all"),
    ],
)
def test_look_differs_when_one_pixel_of_a_large_blank_picture_does(
    format: str,  # noqa: A002
    options: dict[str, Any],
    speck: int,
) -> None:
    """One pixel in four million, which no thumbnail shows, makes another picture; a copy with other metadata does not."""
    blank = Image.new("RGB", (2000, 2000), "white")
    specked = blank.copy()
    specked.putpixel((1001, 777), (255, 255, speck))

    looks = [look(picture, format, **options) for picture in (blank, specked)]

    assert looks[0] != looks[1]
    assert look(blank, format, dpi=(300, 300), **options) == looks[0]


@pytest.mark.parametrize(
    ("format", "mode", "options"),
    [
        pytest.param("BMP", "RGB", {}, id="BMP"),
        pytest.param("TIFF", "RGB", {"compression": "tiff_lzw"}, id="TIFF"),
        pytest.param("WEBP", "RGB", {"lossless": True}, id="WebP"),
        pytest.param("JPEG", "RGB", {"quality": 95}, id="JPEG"),
        pytest.param("PNG", "L", {}, id="PNG grey"),
        pytest.param("PNG", "1", {}, id="PNG black and white"),
        pytest.param("PNG", "RGBA", {}, id="PNG with alpha"),
        pytest.param("GIF", "P", {}, id="GIF"),
    ],
)
def test_look_is_equal_when_large_blank_pictures_have_the_same_pixels(
    format: str,  # noqa: A002
    mode: str,
    options: dict[str, Any],
) -> None:
    """White is white in every format and mode."""
    blank = Image.new("RGB", (1500, 1100), "white")

    assert look(blank.convert(mode), format, **options) == look(blank)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process has had")
def test_decode_takes_large_blank_pictures_within_a_workers_memory() -> None:
    """Looking at each of 50 million pixels takes under 600 MiB; twice that is the most that is decoded, in 2 GiB."""
    blank = encoded(Image.new("RGB", (10_000, 5_000), "white"), "PNG", compress_level=1)
    script = (
        "import sys; from indexer.decode import decode; decode(sys.stdin.buffer.read());"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"  # ru_maxrss is the parent's at first
    )

    ran = subprocess.run([sys.executable, "-c", script], input=blank, capture_output=True, check=True)

    assert int(ran.stdout) < 600 << 10


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0.0, 0.0], id="black"),
        pytest.param([7.5, 7.5], id="one level"),
        pytest.param([np.nan, np.nan], id="not a number"),
        pytest.param([np.inf, -np.inf], id="infinite"),
        pytest.param([np.nan, 1.0], id="partly not a number"),
        pytest.param([-3e38, 3e38], id="as far apart as floats go"),
    ],
)
def test_decode_takes_any_float(tmp_path: Path, values: list[float]) -> None:
    """A picture of arbitrary 32-bit floats is a picture."""
    path = planted(tmp_path / "a.tif", encoded(Image.fromarray(np.array([values] * 2, dtype=np.float32)), "TIFF"))

    found = outcome(path)

    assert isinstance(found, Fingerprinted)
    assert found.fingerprint[2:6] == (2, 2, "TIFF", "F")


def test_decode_batch_gives_reading_digest_and_fingerprint(tmp_path: Path) -> None:
    """The record of a picture holds the stamp, the SHA-256 of the bytes, and what decoding them gives."""
    data = encoded(COLOUR)
    path = planted(tmp_path / "a.jpg", data)

    found = outcome(path)

    assert found == Fingerprinted(1, reading_of(path, found), hashlib.sha256(data).digest(), decode(data))


def test_decode_batch_goes_by_content_and_not_by_name(tmp_path: Path) -> None:
    """A PNG called .jpg, or called nothing, is a PNG."""
    data = encoded(COLOUR, "PNG")
    paths = [planted(tmp_path / name, data) for name in ("a.jpg", "b")]

    found = [outcome(path, claims_picture=path.suffix != "") for path in paths]

    assert [one.fingerprint.format for one in found if isinstance(one, Fingerprinted)] == ["PNG", "PNG"]


def test_decode_batch_decodes_copies_once(tmp_path: Path) -> None:
    """The first of equal files is decoded, the others are recognised by their bytes; the order is kept."""
    one, other = encoded(COLOUR), encoded(GREY)
    paths = [planted(tmp_path / f"{n}.jpg", data) for n, data in enumerate((one, other, one, one))]
    tasks = [Task(n, os.fspath(path), 0, claims_picture=True) for n, path in enumerate(paths)]

    found = decode_batch(tasks, frozenset())

    digests = [hashlib.sha256(data).digest() for data in (one, other)]
    readings = [reading_of(path, outcome) for path, outcome in zip(paths, found, strict=True)]
    assert found == [
        Fingerprinted(0, readings[0], digests[0], decode(one)),
        Fingerprinted(1, readings[1], digests[1], decode(other)),
        Recognised(2, readings[2], digests[0]),
        Recognised(3, readings[3], digests[0]),
    ]


def test_decode_batch_recognises_what_is_known(tmp_path: Path) -> None:
    """A content that was decoded by an earlier run is digested only."""
    data = encoded(COLOUR)
    path = planted(tmp_path / "a.jpg", data)
    digest = hashlib.sha256(data).digest()

    found = outcome(path, known=frozenset((digest,)))

    assert found == Recognised(1, reading_of(path, found), digest)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "cannot be decoded: empty file", id="empty"),
        pytest.param(b"hello\n", "not a picture of a known format", id="text"),
        pytest.param(bytes(5000), "not a picture of a known format", id="zeros, as after a crash"),
        pytest.param(
            b"\n <!DOCTYPE html><p>404",
            "not a picture: holds markup (a web page, an error message or SVG)",
            id="web page",
        ),
        pytest.param(
            b'<svg xmlns="http://www.w3.org/2000/svg"/>',
            "not a picture: holds markup (a web page, an error message or SVG)",
            id="SVG",
        ),
        pytest.param(encoded(COLOUR)[:-500], "cannot be decoded: ", id="JPEG truncated at the end"),
        pytest.param(encoded(COLOUR)[:900], "cannot be decoded: ", id="JPEG with a header alone"),
        pytest.param(with_exif(encoded(COLOUR))[:-500], "cannot be decoded: ", id="JPEG with EXIF, truncated"),
        pytest.param(b"\xff\xd8\xff", "", id="JPEG of three bytes"),
        pytest.param(encoded(COLOUR, "PNG")[:-900], "cannot be decoded: ", id="PNG truncated"),
        pytest.param(encoded(COLOUR, "PNG")[:30], "", id="PNG with half a header"),
        pytest.param(encoded(COLOUR, "GIF")[:900], "cannot be decoded: ", id="GIF truncated"),
        pytest.param(encoded(COLOUR, "WEBP")[:500], "", id="WebP truncated"),
        pytest.param(encoded(COLOUR, "BMP")[:900], "cannot be decoded: ", id="BMP truncated"),
        pytest.param(encoded(COLOUR, "TIFF")[:900], "", id="TIFF truncated"),
        pytest.param(encoded(COLOUR, "PPM"), "not a picture of a known format", id="a format not allowed"),
        pytest.param(
            png_of_size(12_000, 10_000),
            "more pixels than imgindex decodes (100,000,000; JPEG 250,000,000)",
            id="PNG of 120 million pixels",
        ),
        pytest.param(
            png_of_size(16_000, 16_000),
            "more pixels than imgindex decodes (100,000,000; JPEG 250,000,000)",
            id="PNG of 256 million pixels",
        ),
        pytest.param(
            png_of_size(2**31 - 1, 2**31 - 1),
            "more pixels than imgindex decodes (100,000,000; JPEG 250,000,000)",
            id="PNG as large as its format goes",
        ),
        pytest.param(
            jpeg_of_size(16_000, 16_000),
            "more pixels than imgindex decodes (100,000,000; JPEG 250,000,000)",
            id="JPEG of 256 million pixels",
        ),
        pytest.param(
            jpeg_of_size(65_000, 65_000),
            "more pixels than imgindex decodes (100,000,000; JPEG 250,000,000)",
            id="JPEG as large as its format goes",
        ),
    ],
)
def test_decode_batch_says_unreadable_when_the_bytes_are_no_whole_picture(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    """Damaged, disguised and oversized files are values with a reason in one line, and with their digest."""
    path = planted(tmp_path / "a.jpg", data)

    found = outcome(path)

    assert isinstance(found, Unreadable)
    assert found == Unreadable(1, found.reason, reading_of(path, found), hashlib.sha256(data).digest())
    assert found.reason.startswith(reason)
    assert found.reason.isprintable()


def test_decode_batch_decodes_jpegs_larger_than_other_pictures_may_be(tmp_path: Path) -> None:
    """A JPEG of 120 million pixels is decoded at an eighth of its size."""
    path = planted(tmp_path / "a.jpg", encoded(Image.new("L", (12_000, 10_000), 90), "JPEG"))

    found = outcome(path)

    assert isinstance(found, Fingerprinted)
    assert found.fingerprint[2:6] == (12_000, 10_000, "JPEG", "L")


@pytest.mark.parametrize("data", [b"#!/bin/sh\n", b"<html>", bytes(100), b"\x7fELF"])
def test_decode_batch_says_not_picture_when_the_name_claims_nothing(tmp_path: Path, data: bytes) -> None:
    """A file without an ending that is no picture is no error."""
    path = planted(tmp_path / "README", data)

    found = outcome(path, claims_picture=False)

    assert found == NotPicture(1, reading_of(path, found))


def test_decode_batch_says_not_picture_when_an_empty_file_claims_nothing(tmp_path: Path) -> None:
    """A marker such as Spark's `_SUCCESS` is no error either."""
    path = planted(tmp_path / "_SUCCESS", b"")

    found = outcome(path, claims_picture=False)

    assert found == NotPicture(1, reading_of(path, found))


def test_decode_batch_starts_no_process_for_postscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EPS called .jpg is refused, while Pillow left to itself would start Ghostscript (the control)."""
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    path = planted(tmp_path / "a.jpg", eps)
    marker = tmp_path / "ghostscript-was-started"
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch '{marker}'\nexit 1\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ghostscript.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)

    found = outcome(path)

    assert found == Unreadable(
        1, "not a picture of a known format", reading_of(path, found), hashlib.sha256(eps).digest()
    )
    assert not marker.exists()
    with (
        Image.open(path) as picture,
        pytest.raises(subprocess.CalledProcessError, match="returned non-zero exit status 1"),
    ):
        picture.load()
    assert marker.exists()


def test_decode_batch_says_unreadable_when_it_is_no_regular_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FIFOs, folders, sockets, devices and links are not opened for good, and nothing waits for them."""
    monkeypatch.chdir(tmp_path)
    planted(tmp_path / "real.jpg", encoded(COLOUR))
    os.mkfifo("fifo.jpg")
    os.mkdir("folder.jpg")
    os.symlink("real.jpg", "link.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
        names = ("fifo.jpg", "folder.jpg", "link.jpg", "socket.jpg", "/dev/zero", "missing.jpg", "real.jpg/a.jpg")

        found = decode_batch([Task(n, name, 0, claims_picture=True) for n, name in enumerate(names)], frozenset())

    assert found == [
        Unreadable(0, "cannot be read: not a regular file"),
        Unreadable(1, "cannot be read: not a regular file"),
        Unreadable(2, "cannot be read: Too many levels of symbolic links"),
        Unreadable(3, "cannot be read: No such device or address"),
        Unreadable(4, "cannot be read: not a regular file"),
        Unreadable(5, "cannot be read: No such file or directory"),
        Unreadable(6, "cannot be read: Not a directory"),
    ]


def test_decode_batch_does_not_read_a_file_beyond_its_limit(tmp_path: Path) -> None:
    """A file of more than 512 MiB is no picture; this one has no blocks on disk."""
    path = tmp_path / "a.tif"
    with path.open("wb") as stream:
        stream.truncate((512 << 20) + 1)

    assert outcome(path) == Unreadable(
        1, "cannot be read: larger than --max-file-size (537 MB); raise it, with --retry, to read it"
    )


def test_decode_batch_goes_on_when_one_file_is_bad(tmp_path: Path) -> None:
    """Each file has its outcome, whatever its neighbours are."""
    good = encoded(COLOUR)
    contents = {"a.jpg": good[:400], "b.jpg": good, "c.jpg": png_of_size(16_000, 16_000), "d.jpg": encoded(GREY)}
    paths = [planted(tmp_path / name, data) for name, data in contents.items()]

    found = decode_batch([Task(1, os.fspath(path), 0, claims_picture=True) for path in paths], frozenset())

    assert [type(one) for one in found] == [Unreadable, Fingerprinted, Unreadable, Fingerprinted]


def changing(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object], times: int) -> list[int]:
    """Lets a change happen right after the first reads of files, as another program might.

    Returns:
        The sizes of what was read.
    """
    read: list[int] = []
    real = os.read

    def reading(descriptor: int, size: int) -> bytes:
        data = real(descriptor, size)
        if len(read) < times:
            change()
        read.append(len(data))
        return data

    monkeypatch.setattr(module.os, "read", reading)
    return read


def rewritten(path: Path, data: bytes) -> None:
    """The file with other bytes, its modification time put back, a tick of the clock later."""
    status = path.stat()
    time.sleep(0.02)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_decode_batch_reads_again_when_the_file_changed_while_it_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digest, stamp and pixels are all of the second reading."""
    before, after = encoded(COLOUR), encoded(drawn(1))
    path = planted(tmp_path / "a.jpg", before)
    read = changing(monkeypatch, lambda: rewritten(path, after), times=1)

    found = outcome(path)

    assert found == Fingerprinted(1, reading_of(path, found), hashlib.sha256(after).digest(), decode(after))
    assert read == [len(before), len(after)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_bytes(path.read_bytes() + b"x"), id="grows"),
        pytest.param(lambda path: os.truncate(path, path.stat().st_size - 1), id="shrinks"),
        pytest.param(lambda path: rewritten(path, path.read_bytes()[::-1]), id="same size, mtime put back"),
    ],
)
def test_decode_batch_says_unreadable_when_the_file_changes_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    """A file that is still being written is left to the next run; nothing is said of its content."""
    path = planted(tmp_path / "a.jpg", encoded(COLOUR))
    read = changing(monkeypatch, lambda: change(path), times=2)

    found = outcome(path)

    assert found == Unreadable(1, "changed while it was being read")
    assert len(read) == 2


def test_decode_batch_reads_the_new_file_when_one_is_renamed_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stamp never belongs to another file than the bytes."""
    after = encoded(drawn(1))
    path = planted(tmp_path / "a.jpg", encoded(COLOUR))
    other = planted(tmp_path / "new", after)
    changing(monkeypatch, lambda: other.rename(path), times=1)

    found = outcome(path)

    assert found == Fingerprinted(1, reading_of(path, found), hashlib.sha256(after).digest(), decode(after))


def test_decode_batch_reads_all_of_a_file_when_reads_come_back_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system may give less than was asked for."""
    data = encoded(COLOUR)
    path = planted(tmp_path / "a.jpg", data)
    real = os.read
    monkeypatch.setattr(module.os, "read", lambda descriptor, _size: real(descriptor, 1000))

    found = outcome(path)

    assert found == Fingerprinted(1, reading_of(path, found), hashlib.sha256(data).digest(), decode(data))


def test_decode_batch_trusts_a_stamp_when_the_file_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was not touched for a while is settled."""
    path = planted(tmp_path / "a.jpg", encoded(COLOUR))
    os.utime(path, ns=(0, 0))
    later = time.time_ns() + 10 * 10**9
    monkeypatch.setattr(module.time, "time_ns", lambda: later)

    found = outcome(path)

    assert found.reading == reading_of(path, found)._replace(unsettled=False)


def test_plain_jpegs_are_described_as_pillow_describes_them(data: Path) -> None:
    """The way around Pillow agrees with it on size, format and mode, and takes nothing that it refuses."""
    jpegs = [path.read_bytes() for path in sorted(data.rglob("*")) if path.suffix.lower() in {".jpg", ".jpeg"}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        plain = [(jpeg, found) for jpeg in jpegs if (found := module._decode_plain_jpeg(jpeg))]

        by_pillow = [module._decode_any(jpeg) for jpeg, _ in plain]
    assert len(plain) > 700
    assert [found[2:6] for _, found in plain] == [found[2:6] for found in by_pillow]


@pytest.mark.parametrize(
    ("jpeg", "plain"),
    [
        pytest.param(encoded(COLOUR), True, id="as Pillow writes it"),
        pytest.param(with_segment(encoded(COLOUR), 0xFE, b"a comment"), True, id="comment"),
        pytest.param(encoded(COLOUR, icc_profile=PROFILE), True, id="APP2 that is no MPF"),
        pytest.param(with_exif(encoded(COLOUR)), False, id="EXIF"),
        pytest.param(with_segment(encoded(COLOUR), 0xE1, b"http://ns.adobe.com/xap/1.0/\0"), False, id="XMP"),
        pytest.param(encoded(COLOUR, "MPO", save_all=True, append_images=[GREY]), False, id="MPO"),
        pytest.param(encoded(COLOUR.convert("CMYK")), False, id="CMYK"),
        pytest.param(encoded(COLOUR)[:-200], False, id="truncated"),
        pytest.param(encoded(COLOUR)[:15], False, id="first bytes"),
        pytest.param(b"\xff\xd8", False, id="two bytes"),
        pytest.param(b"\xff\xd8\xff\xe0\0\0", False, id="segment of no length"),
        pytest.param(b"\xff\xd8" + b"\xff" * 100, False, id="fill bytes"),
        pytest.param(jpeg_of_size(16_000, 16_000), False, id="too many pixels"),
        pytest.param(encoded(COLOUR, "PNG"), False, id="PNG"),
    ],
)
def test_plain_jpegs_are_those_without_anything_odd(jpeg: bytes, plain: bool) -> None:
    """Metadata that could turn a picture, further pictures and damage are left to Pillow."""
    assert (module._decode_plain_jpeg(jpeg) is not None) == plain


@given(st.integers(2, 3000), st.integers(0, 255))
def test_plain_jpegs_never_fail_when_a_byte_is_damaged(position: int, value: int) -> None:
    """Whatever a byte is changed to, the way around Pillow gives a fingerprint or leaves the file to Pillow."""
    jpeg = bytearray(encoded(COLOUR))
    jpeg[position % len(jpeg)] = value

    found = module._decode_plain_jpeg(bytes(jpeg))

    assert found is None or isinstance(found, Fingerprint)


def test_decode_batch_never_raises_on_odd_files(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Fuzzed, truncated and hostile files of six projects each have an outcome, in one printable line."""
    paths = [path for path in sorted((data / "odd_files").rglob("*")) if path.is_file()]
    tasks = [Task(number, os.fspath(path), 0, claims_picture=True) for number, path in enumerate(paths)]

    found = decode_batch(tasks, frozenset())

    assert len(found) > 400
    assert [one.file_id for one in found] == list(range(len(paths)))
    assert [one.reason for one in found if isinstance(one, Unreadable) and not one.reason.isprintable()] == []


def test_decode_batch_agrees_with_pillow_on_odd_files(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What Pillow loads is decoded, with its format, mode and size; what it refuses is unreadable (manifest.csv).

    Left out are files with an orientation, files that plugins add, and three PNGs that the manifest's Pillow took.
    """
    with (data / "odd_files" / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    left_out = {
        "badadler.png",
        "chunk_no_fctl.png",
        "broken_data_stream.png",
        "id_001827_src_001672_op_flip1_pos_615.gif",
    }
    rows = [
        row
        for row in rows
        if Path(row["path"]).name not in left_out
        and not row["path"].endswith(".heif")
        and row["exif_orientation"] in {"", "1"}
    ]
    allowed = {*module.FORMATS, "MPO"}

    found = [outcome(data / "odd_files" / row["path"]) for row in rows]

    described = [
        (one.fingerprint.format, one.fingerprint.mode, f"{one.fingerprint.width}x{one.fingerprint.height}")
        if isinstance(one, Fingerprinted)
        else None
        for one in found
    ]
    assert described == [
        (row["format"], row["mode"], row["size"]) if row["pillow13_load"] == "ok" and row["format"] in allowed else None
        for row in rows
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(MemoryError(), "needs more memory than a worker may use", id="memory"),
        pytest.param(
            Image.DecompressionBombError("x"),
            "more pixels than imgindex decodes (100,000,000; JPEG 250,000,000)",
            id="bomb",
        ),
        pytest.param(
            Image.DecompressionBombWarning("x"),
            "more pixels than imgindex decodes (100,000,000; JPEG 250,000,000)",
            id="warning of a bomb",
        ),
        pytest.param(ValueError("two\n  lines\t"), "cannot be decoded: two lines", id="more than one line"),
        pytest.param(IndexError(), "cannot be decoded: IndexError", id="no words"),
        pytest.param(OSError("x" * 1000), "cannot be decoded: " + "x" * 281, id="long"),
    ],
)
def test_failure_reason(error: Exception, reason: str) -> None:
    """Whatever a decoder raises becomes one short line."""
    assert failure_reason(error) == reason


@pytest.mark.parametrize(
    ("data", "installed", "missing"),
    [
        pytest.param(
            b"\0\0\0\x18ftypheic\0\0\0\0",
            "cannot be decoded: damaged HEIF",
            "HEIF needs a plugin: pip install 'imgindex[heif]', then imgindex index --retry",
            id="HEIF",
        ),
        pytest.param(
            b"\xff\x0a\xfa\x1f",
            "cannot be decoded: damaged JXL",
            "JXL needs a plugin: pip install 'imgindex[jxl]', then imgindex index --retry",
            id="JPEG XL codestream",
        ),
        pytest.param(
            b"\0\0\0\x0cJXL \r\n\x87\n",
            "cannot be decoded: damaged JXL",
            "JXL needs a plugin: pip install 'imgindex[jxl]', then imgindex index --retry",
            id="JPEG XL container",
        ),
    ],
)
def test_unidentified_reason_names_the_plugin_when_there_is_one(
    monkeypatch: pytest.MonkeyPatch, data: bytes, installed: str, missing: str
) -> None:
    """A file of a kind that an extra decodes says which to install; where it is there, the file is damaged."""
    pytest.importorskip("pillow_heif")
    pytest.importorskip("pillow_jxl")
    with_plugins = unidentified_reason(data)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pillow_heif", None)
        patch.setitem(sys.modules, "pillow_jxl", None)
        formats.cache_clear()

        without = unidentified_reason(data)

    formats.cache_clear()
    assert (with_plugins, without) == (installed, missing)


def test_formats_are_an_allow_list() -> None:
    """Nothing is decoded by a plugin that is not named, however many Pillow has loaded."""
    Image.init()

    assert set(formats()) <= {"JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF", "HEIF", "JXL"}
    assert set(formats()) >= {"JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF"}
    assert ("AVIF" in formats(), "WEBP" in formats()) == (features.check("avif"), features.check("webp"))
