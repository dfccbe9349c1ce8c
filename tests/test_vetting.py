"""Which answers of workers are believed."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest

from indexer import decode
from indexer.drawing import drawn, encoded
from indexer.records import Fingerprinted, NotPicture, Outcome, Reading, Recognised, Stamp, Task, Unreadable
from indexer.vetting import VIEWS_BYTES, jpeg_size, vetted_outcome
from indexer.views import WORDS

TASK = Task(7, "/photos/a.jpg", 100, claims_picture=True)
READING = Reading(Stamp(1, -1, 3, (1 << 63) - 1), unsettled=True, born_ns=None)
DIGEST = bytes(32)
FOUND = decode.decode(encoded(drawn(1)))
WHOLE = Fingerprinted(7, READING, DIGEST, FOUND)


@pytest.mark.parametrize(
    "outcome",
    [
        WHOLE,
        Recognised(7, READING, DIGEST),
        NotPicture(7, READING._replace(born_ns=5)),
        Unreadable(7, "cannot be read: not a regular file"),
        Unreadable(7, "cannot be decoded: broken", READING, DIGEST),
    ],
    ids=lambda outcome: type(outcome).__name__,
)
def test_vetted_outcome_believes_what_workers_answer(outcome: Outcome) -> None:
    """Each kind of outcome comes through as it was."""
    assert vetted_outcome(TASK, outcome) == outcome


def test_vetted_outcome_believes_every_answer_about_odd_files(data: Path) -> None:
    """However odd a file is, what decoding it gives is an answer."""
    paths = [path for path in sorted((data / "odd_files").rglob("*")) if path.is_file()]
    tasks = [Task(number, os.fspath(path), 0, claims_picture=True) for number, path in enumerate(paths)]
    found = decode.decode_batch(tasks, frozenset())

    vetted = [vetted_outcome(task, outcome) for task, outcome in zip(tasks, found, strict=True)]

    assert vetted == found


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="nothing"),
        pytest.param(tuple(WHOLE), id="a tuple"),
        pytest.param(WHOLE._replace(file_id=8), id="another file"),
        pytest.param(WHOLE._replace(digest=b"short"), id="short digest"),
        pytest.param(WHOLE._replace(digest=bytearray(32)), id="digest that can change"),
        pytest.param(WHOLE._replace(reading=None), id="never read"),
        pytest.param(WHOLE._replace(reading=READING._replace(stamp=(1, 2, 3, 4))), id="stamp of another kind"),
        pytest.param(WHOLE._replace(reading=READING._replace(stamp=Stamp(1, 2, 3, 1 << 63))), id="stamp too large"),
        pytest.param(WHOLE._replace(reading=READING._replace(stamp=Stamp(1, 2.0, 3, 4))), id="time of a fraction"),
        pytest.param(WHOLE._replace(reading=READING._replace(unsettled=1)), id="settled or not"),
        pytest.param(WHOLE._replace(reading=READING._replace(born_ns="now")), id="born now"),
        pytest.param(Unreadable(7, b"reason"), id="reason of bytes"),
        pytest.param(Unreadable(7, "reason", READING, "digest"), id="digest of a text"),
        pytest.param(WHOLE._replace(fingerprint=None), id="no fingerprint"),
        pytest.param(WHOLE._replace(fingerprint=tuple(FOUND)), id="fingerprint of another kind"),
        pytest.param(WHOLE._replace(fingerprint=FOUND._replace(width=250_000_001)), id="too wide"),
        pytest.param(WHOLE._replace(fingerprint=FOUND._replace(height=-1)), id="height below nothing"),
        pytest.param(WHOLE._replace(fingerprint=FOUND._replace(dhash=-1)), id="negative hash"),
        pytest.param(WHOLE._replace(fingerprint=FOUND._replace(detail=math.inf)), id="endless detail"),
        pytest.param(WHOLE._replace(fingerprint=FOUND._replace(detail=-0.5)), id="negative detail"),
        pytest.param(WHOLE._replace(fingerprint=FOUND._replace(mode="")), id="no mode"),
        pytest.param(WHOLE._replace(fingerprint=FOUND._replace(mode="M" * 17)), id="long mode"),
        pytest.param(WHOLE._replace(fingerprint=FOUND._replace(thumbnail=b"")), id="no thumbnail"),
        pytest.param(
            WHOLE._replace(fingerprint=FOUND._replace(thumbnail=encoded(drawn(0).resize((193, 10))))),
            id="thumbnail of 193 pixels",
        ),
        pytest.param(
            WHOLE._replace(fingerprint=FOUND._replace(thumbnail=encoded(drawn(0), "PNG"))), id="thumbnail of a PNG"
        ),
        pytest.param(
            WHOLE._replace(fingerprint=FOUND._replace(thumbnail=FOUND.thumbnail[:-2])), id="thumbnail cut off"
        ),
    ],
)
def test_vetted_outcome_believes_nothing_else(answer: Any) -> None:
    """One part that is not what it has to be is enough."""
    assert vetted_outcome(TASK, answer) is None


def test_vetted_outcome_makes_reasons_printable() -> None:
    """A reason neither moves the cursor nor fills the index."""
    found = vetted_outcome(TASK, Unreadable(7, "\x1b[2J" + "x" * 1000))

    assert found == Unreadable(7, "\\x1b[2J" + "x" * 293)


@pytest.mark.parametrize(
    ("jpeg", "size"),
    [
        (encoded(drawn(0).resize((33, 44))), (33, 44)),
        (encoded(drawn(0).resize((50, 60)), progressive=True), (50, 60)),
        (b"\xff\xd8\xff\xd9", None),
        (b"\xff\xd8\xff\xe0\0\0" + b"\xff" * 50 + b"\xff\xd9", None),
        (b"", None),
    ],
)
def test_jpeg_size(jpeg: bytes, size: tuple[int, int] | None) -> None:
    """Width and height stand in the header, however the picture is encoded; noise has none."""
    assert jpeg_size(jpeg) == size


def test_sizes_are_those_of_what_is_stored() -> None:
    """Hashes of parts are as long as they are made."""
    assert VIEWS_BYTES == 8 * WORDS == len(FOUND.views)
