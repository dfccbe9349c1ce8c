"""Hazards 94, 97 to 99, 101, 105 and 106: what a picture can be, from PostScript in disguise to bombs of every kind."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sqlite3
import struct
import sys
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from pictures import indexed, ran, reasons
from PIL import Image
from score import Faults

from indexer import Index, decode
from indexer.drawing import drawn, encoded
from indexer.entry import run

GIB = 1 << 30
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
TOO_LARGE = "more pixels than imgindex decodes (100,000,000; JPEG 250,000,000)"


# --- 94: formats in disguise


def disguised(folder: Path) -> set[str]:
    """A picture in each format that Pillow can write, and EPS, called .jpg; gives the names of those to refuse."""
    Image.init()
    folder.mkdir()
    allowed = {*decode.FORMATS, "MPO", *decode.PLUGINS}
    refused = set()
    for name in sorted(Image.SAVE):
        for mode in ("RGB", "L", "1"):
            data = BytesIO()
            try:
                drawn(3).convert(mode).save(data, name)
            except (OSError, ValueError, KeyError, AttributeError, RuntimeError, DeprecationWarning):
                continue
            (folder / f"{name}.jpg").write_bytes(data.getvalue())
            if name not in allowed:
                refused.add(f"{name}.jpg")
            break
    (folder / "EPS.jpg").write_bytes(EPS)
    return refused | {"EPS.jpg"}


def test_hazard_94_formats_in_disguise_start_no_program(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Of all that Pillow can write, called .jpg, only what is on the list is decoded; nothing but Python is executed."""
    photos = tmp_path / "photos"
    refused = disguised(photos)
    words = [sys.executable, "-m", "indexer", "index", str(photos), "--db", index.path, "--json", "--jobs", "2"]
    trace = tmp_path / "trace"
    strace = (
        ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=execve,execveat", "-o", str(trace)]
        if shutil.which("strace")
        else []
    )
    with fault(94, f"{len(list(photos.iterdir()))} formats called .jpg", root=photos):
        done = ran([*strace, *words])

        assert (done.code, done.left) == (3, []), done.error
        assert len(refused) > 10
        found = reasons(index)
        assert {found.get(name) for name in refused} == {"not a picture of a known format"}
        assert done.report["decoded"] >= 7
        if strace:
            started = set(re.findall(r'execve(?:at)?\("([^"]*)"', trace.read_text()))
            assert {os.path.realpath(path) for path in started} == {os.path.realpath(sys.executable)}


# --- 97: bombs of pixels


def png(width: int, height: int, *, bits: int = 1, colour: int = 0) -> bytes:
    """A PNG of one colour, whole and small on disk however large it is."""
    packer = zlib.compressobj(9)
    samples = {0: 1, 6: 4}[colour]
    row = bytes(1 + (width * bits * samples + 7) // 8)
    body = b"".join(packer.compress(row * min(64, height - top)) for top in range(0, height, 64)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_hazard_97_bombs_of_pixels(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Over the limit they are refused by their header; under it they are decoded, or not, within a gigabyte."""
    photos = tmp_path / "photos"
    photos.mkdir()
    bombs = {
        "177-million-bits.png": png(13_300, 13_300),
        "180-million-bits.png": png(20_000, 9_000),
        "89-million-bits.png": png(9_440, 9_440),
        "100-million-rgba.png": png(10_000, 10_000, bits=8, colour=6),
        "49-million-16-bit-grey.png": png(7_000, 7_000, bits=16),
    }
    for name, data in bombs.items():
        (photos / name).write_bytes(data)
    with fault(97, "PNGs of 89 to 180 million pixels", root=photos):
        done = indexed(index, photos)

        found = reasons(index)
        assert (done.code, done.left, "Traceback" in done.error) == (3, [], False)
        assert {name for name, reason in found.items() if reason == TOO_LARGE} == {
            "177-million-bits.png",
            "180-million-bits.png",
        }
        assert set(found.values()) <= {TOO_LARGE, "needs more memory than a worker may use"}
        assert done.peak_bytes < GIB


# --- 98: bombs of frames


def tiny_frames(count: int) -> bytes:
    """A GIF of many frames of one pixel."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame * count + b";"


def large_frames() -> bytes:
    """A GIF of 60 frames of four million pixels."""
    frames = [Image.new("P", (2000, 2000), number) for number in range(60)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def many_pages(count: int) -> bytes:
    """A TIFF of many pages of one pixel, each pointing at the next."""
    tags = ((256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 4), (277, 1), (278, 1), (279, 1))
    size = 2 + 12 * len(tags) + 4
    pages = [b"II*\0" + struct.pack("<I", 8)]
    for page in range(count):
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        following = 8 + size * (page + 1) if page + 1 < count else 0
        pages.append(struct.pack("<H", len(tags)) + entries + struct.pack("<I", following))
    return b"".join(pages)


def frames_of(format: str) -> bytes:  # noqa: A002 - Pillow's word
    """An animation of 300 frames."""
    frames = [Image.fromarray(np.full((8, 8), number % 256, np.uint8)).convert("RGB") for number in range(300)]
    return encoded(frames[0], format, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("what", "made"),
    [
        ("60 GIF frames of 4 million pixels", large_frames),
        ("200,000 GIF frames of a pixel", lambda: tiny_frames(200_000)),
        ("20,000 pages of TIFF", lambda: many_pages(20_000)),
        ("300 frames of APNG", lambda: frames_of("PNG")),
        ("300 frames of WebP", lambda: frames_of("WEBP")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hazard_98_bombs_of_frames(tmp_path: Path, fault: Faults, what: str, made: Callable[[], bytes]) -> None:
    """The first frame is decoded and no other is walked to, in a fifth of a second."""
    data = made()
    with fault(98, what, root=tmp_path):
        taken = []
        for _attempt in range(3):
            started = time.process_time()
            found = decode.decode(data)
            taken.append(time.process_time() - started)

        assert found.width > 0
        assert min(taken) < 0.2


# --- 99: bombs of metadata, and junk


def cyclic_tiff() -> bytes:
    """A TIFF whose only page names itself as the next."""
    return many_pages(1)[:-4] + struct.pack("<I", 8)


def junk() -> dict[str, bytes]:
    """Pictures whose metadata are too large, point at themselves or say nothing."""
    whole = encoded(drawn(0), "PNG")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20)))
    jpeg = encoded(drawn(1))
    segment = lambda body: jpeg[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(body) + 2) + body + jpeg[2:]  # noqa: E731
    looping = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    return {
        "70 texts of a megabyte.png": whole[:33] + text * 70 + whole[33:],
        "a text of 64 MiB.png": whole[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(64 << 20))) + whole[33:],
        "a page that follows itself.tif": cyclic_tiff(),
        "EXIF that holds itself.jpg": segment(looping),
        "EXIF of noise.jpg": segment(b"Exif\0\0MM\0*" + bytes(range(256)) * 8),
        "EXIF of 64 kB of ones.jpg": segment(b"Exif\0\0II*\0" + b"\xff" * 65_000),
        "a profile of noise.png": encoded(drawn(2), "PNG", icc_profile=bytes(range(256)) * 4000),
    }


def test_hazard_99_junk_in_metadata(tmp_path: Path, index: Index, fault: Faults) -> None:
    """It costs that file at most: either the picture is decoded all the same, or the reason is told."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, data in junk().items():
        (photos / name).write_bytes(data)
    with fault(99, "bombs and junk in metadata", root=photos):
        done = indexed(index, photos)

        found = reasons(index)
        assert (done.report["decoded"] + len(found), done.left) == (len(junk()), [])
        assert "Traceback" not in done.error
        assert {name: reason for name, reason in found.items() if not reason.startswith("cannot be decoded: ")} == {}
        assert set(found) <= {"70 texts of a megabyte.png", "a text of 64 MiB.png", "a page that follows itself.tif"}
        assert "70 texts of a megabyte.png" in found
        assert done.peak_bytes < GIB // 2


# --- 101, 105, 106


def test_hazard_101_a_bad_file_is_not_tried_again(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a copy of it; only `--retry` decodes it once more."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "copy.png"):
        (photos / name).write_bytes(encoded(drawn(0), "PNG")[:300])
    tried: list[int] = []
    real = decode.decode
    monkeypatch.setattr(decode, "decode", lambda data: (tried.append(len(data)), real(data))[1])
    with fault(101, "a poisoned file on each run", root=photos):
        index.update(photos, jobs=0)
        first = len(tried)
        (photos / "later.png").write_bytes((photos / "a.png").read_bytes())
        reports = [index.update(photos, jobs=0) for _run in range(3)]
        after = len(tried)
        index.update(photos, jobs=0, retry=True)

        assert (after - first, [report.unreadable for report in reports]) == (0, [3, 3, 3])
        assert len(tried) > after


LIES = [("liar.gif", "JPEG"), ("liar.jpg", "PNG"), ("liar.png", "WEBP")]


def test_hazard_105_a_name_that_lies(
    tmp_path: Path, index: Index, fault: Faults, capsys: pytest.CaptureFixture[str]
) -> None:
    """The content says what a picture is, that is what the index holds, and names that say something else are listed."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, format_ in (*LIES, ("honest.jpeg", "JPEG")):
        (photos / name).write_bytes(encoded(drawn(len(format_)), format_))
    with fault(105, "names that lie", root=photos):
        index.update(photos, jobs=0)
        with sqlite3.connect(index.path) as db:
            found = db.execute("SELECT name, format FROM file JOIN content ON content.id = content_id ORDER BY name")
            assert found.fetchall() == [("honest.jpeg", "JPEG"), *LIES]
        db.close()
        assert [(Path(path).name, form) for path, form in index.misnamed()] == LIES
        assert run(["status", "--misnamed", "--db", index.path]) == 0
        assert capsys.readouterr().out.splitlines()[0] == f"{photos / 'liar.gif'}: holds JPEG"


def test_hazard_106_an_old_pillow_is_not_installed(tmp_path: Path, fault: Faults) -> None:
    """The package asks for 12.3.0 or newer: before it, decoders that imgindex uses have known holes."""
    with fault(106, "Pillow before 12.3.0", root=tmp_path):
        wanted = [Requirement(line) for line in importlib.metadata.requires("imgindex") or ()]
        pillow = next(one.specifier for one in wanted if one.name.lower() == "pillow")

        assert [version for version in ("11.3.0", "12.2.9", "12.3.0", "13.0.0") if version in pillow] == [
            "12.3.0",
            "13.0.0",
        ]
