"""Thumbnails from the index to the page, from a real index."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import make_photos

from indexer import Index, thumbnails
from indexer.database import open_for_reading
from indexer.decode import decode
from indexer.executors import Inline
from indexer.previews import pixels_batch, webp_batch
from indexer.records import Preview
from indexer.vetting import vetted_pixels, vetted_webp


@pytest.fixture
def filled(index: Index, photos: Path) -> Index:
    """An index of the photos, whose files are gone."""
    index.update(photos, jobs=0)
    for path in photos.rglob("*.jpg"):
        path.unlink()
    return index


def stored(index: Index) -> dict[bytes, bytes]:
    """Digest → thumbnail, as they lie in the index."""
    with sqlite3.connect(index.path) as db:
        found = db.execute("SELECT digest, jpeg FROM content JOIN thumbnail ON content_id = content.id").fetchall()
    db.close()
    return dict(found)


def damage(index: Index, digest: bytes, jpeg: bytes) -> None:
    """Puts other bytes in a thumbnail's place."""
    with sqlite3.connect(index.path) as db:
        query = "UPDATE thumbnail SET jpeg = ? WHERE content_id = (SELECT id FROM content WHERE digest = ?)"
        db.execute(query, (jpeg, digest))
    db.close()


def shown(index: Index, digests: list[bytes], *, side: int = 192) -> list[Preview | None]:
    """The thumbnails as pixels, decoded in this process."""
    with open_for_reading(index.path) as database:
        return list(thumbnails.pixels(database, Inline(), digests, side))


def test_thumbnails_come_in_the_order_asked_for_also_when_the_files_are_gone(filled: Index) -> None:
    """Each is what Pillow makes of the stored JPEG, a digest may come twice, and one that nobody knows gives None."""
    found = stored(filled)
    digests = [*sorted(found, reverse=True), b"?" * 32, min(found)]

    given = list(filled.thumbnails(digests))

    expected = [Image.open(BytesIO(found[digest])) if digest in found else None for digest in digests]
    assert [one and (one.width, one.height, one.data) for one in given] == [
        picture and (*picture.size, picture.convert("RGB").tobytes()) for picture in expected
    ]


def test_webp_is_webp_of_the_size_asked_for(filled: Index) -> None:
    """Width and height are those of the picture, and the longer of them is what was asked for."""
    for one in filled.thumbnails_webp(sorted(stored(filled)), 64):
        assert one
        with Image.open(BytesIO(one.data), formats=["WEBP"]) as picture:
            assert picture.size == (one.width, one.height)
        assert max(one.width, one.height) == 64


def test_slices_and_batches_lose_nothing(filled: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are held at once, the same come in the same order."""
    digests = sorted(stored(filled)) * 3
    whole = shown(filled, digests)

    monkeypatch.setattr(thumbnails, "SLICE", 4)
    monkeypatch.setattr(thumbnails, "BATCH", 3)

    assert shown(filled, digests) == whole
    assert len(whole) == len(digests)


def test_digests_are_taken_a_slice_at_a_time(filled: Index) -> None:
    """The first thumbnail comes before the last digest is asked for: memory does not grow with their number."""
    taken = 0

    def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield min(found)

    found = stored(filled)
    with open_for_reading(filled.path) as database:
        assert next(thumbnails.pixels(database, Inline(), endless(), 192))

    assert taken == thumbnails.SLICE


@pytest.mark.parametrize(
    "jpeg",
    [b"", b"no JPEG", b"\xff\xd8\xff\xd9", b"%!PS-Adobe-3.0", b"\x89PNG\r\n\x1a\n"],
    ids=["empty", "text", "no frame", "PostScript", "PNG"],
)
def test_damaged_thumbnail_costs_itself_alone(filled: Index, jpeg: bytes) -> None:
    """The others are shown."""
    digests = sorted(stored(filled))
    damage(filled, digests[2], jpeg)

    assert [one is None for one in shown(filled, digests)] == [number == 2 for number in range(len(digests))]


def test_thumbnail_that_is_larger_than_any_is_not_decoded(filled: Index) -> None:
    """An index may have been altered: a picture of 400 million pixels in a thumbnail's place costs no memory."""
    buffer = BytesIO()
    Image.new("L", (200, 10)).save(buffer, "JPEG")
    digests = sorted(stored(filled))
    damage(filled, digests[0], buffer.getvalue())

    assert [one is None for one in shown(filled, digests)] == [number == 0 for number in range(len(digests))]


def test_thumbnail_that_kills_its_worker_costs_itself_alone(filled: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program decodes nothing: a worker dies of it, and the others are shown."""
    digests = sorted(stored(filled))
    damage(filled, digests[2], b"lethal")
    monkeypatch.setattr(thumbnails, "_pixels", _lethal)

    given = list(filled.thumbnails(digests))

    assert [one is None for one in given] == [number == 2 for number in range(len(digests))]


def _lethal(items: Any, side: int) -> Any:
    """What a worker does whose decoder crashes on one of the thumbnails."""
    import os  # noqa: PLC0415

    from indexer.previews import pixels_batch as decoded  # noqa: PLC0415

    if any(jpeg == b"lethal" for _digest, jpeg in items):
        os._exit(9)
    return decoded(items, side)


def test_program_loads_no_decoder_for_them(filled: Index) -> None:
    """Thumbnails are decoded by workers and nowhere else: no decoder is even imported here."""
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    program = (
        "import sys; from indexer import Index; digests = [bytes.fromhex(word) for word in sys.argv[2:]];"
        " found = list(Index(sys.argv[1]).thumbnails_webp(digests));"
        " print(all(found), len(found), 'PIL.JpegImagePlugin' in sys.modules, 'simplejpeg' in sys.modules)"
    )
    words = [digest.hex() for digest in stored(filled)]
    done = subprocess.run(
        [sys.executable, "-c", program, filled.path, *words], capture_output=True, text=True, check=True
    )

    assert done.stdout == "True 6 False False\n"


WEBP = b"RIFF\0\0\0\0WEBP"


@pytest.mark.parametrize(
    ("vetted", "answer", "believed"),
    [
        pytest.param(vetted_pixels, (2, 1, b"123456"), True, id="pixels"),
        pytest.param(vetted_pixels, (2, 1, b"12345"), False, id="a byte too few"),
        pytest.param(vetted_pixels, (0, 1, b""), False, id="no width"),
        pytest.param(vetted_pixels, (193, 1, b"123" * 193), False, id="too wide"),
        pytest.param(vetted_pixels, (True, 1, b"123"), False, id="a width that is no number"),
        pytest.param(vetted_pixels, (1, 1, "123"), False, id="text"),
        pytest.param(vetted_pixels, [1, 1, b"123"], False, id="a list"),
        pytest.param(vetted_pixels, (1, 1), False, id="too short"),
        pytest.param(vetted_pixels, None, False, id="nothing"),
        pytest.param(vetted_webp, (2, 1, WEBP), True, id="WebP"),
        pytest.param(vetted_webp, (2, 1, b"<svg onload=alert(1)>"), False, id="no WebP"),
        pytest.param(vetted_webp, (2, 1, WEBP + bytes(3 * 192 * 192)), False, id="WebP that is too long"),
        pytest.param(vetted_webp, (2, -1, WEBP), False, id="WebP of no height"),
    ],
)
def test_answers_are_believed_as_far_as_they_are_pictures(
    vetted: Callable[[object], Preview | None], answer: object, believed: bool
) -> None:
    """Whatever else a worker sends is no thumbnail."""
    found = vetted(answer)

    assert (found is not None) == believed
    if found:
        assert (found.width, found.height, found.data) == answer


def test_workers_answer_plain_values(tmp_path: Path) -> None:
    """What comes through the inbox is made of tuples, numbers and bytes."""
    photos = make_photos(tmp_path / "more", 1)
    jpeg = decode(next(photos.rglob("*.jpg")).read_bytes()).thumbnail

    for answers in (pixels_batch([(b"d", jpeg), (b"e", b"?")], 64), webp_batch([(b"d", jpeg), (b"e", b"?")], 64)):
        assert [type(part) for part in answers[0] or ()] == [int, int, bytes]
        assert answers[1] is None
