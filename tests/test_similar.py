"""What the index holds that looks like a picture, indexed or not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps
from support import make_photos

from indexer import Index, similar
from indexer.database import open_for_reading
from indexer.drawing import drawn, encoded
from indexer.errors import NoIndexError, UsageError
from indexer.executors import Inline, local_pool
from indexer.groups import Kind, Similar

SEED = 23
NAMES = ("base.png", "other.jpg", "grey.jpg", "mirrored.jpg", "turned.jpg", "bordered.jpg")


@pytest.fixture
def pictures(tmp_path: Path, index: Index) -> Path:
    """Drawn pictures and six copies of another one, indexed."""
    folder = make_photos(tmp_path / "pictures", 4)
    base = drawn(SEED)
    copies = (
        encoded(base, "PNG"),
        encoded(base, "JPEG", quality=60),
        encoded(base.convert("L")),
        encoded(ImageOps.mirror(base)),
        encoded(base.transpose(Image.Transpose.ROTATE_90)),
        encoded(ImageOps.expand(base, 8, "white")),
    )
    for name, data in zip(NAMES, copies, strict=True):
        (folder / name).write_bytes(data)
    index.update(folder, jobs=0)
    return folder


@pytest.fixture
def find(index: Index) -> Callable[..., list[tuple[str, Kind | None]]]:
    """Names and kinds of what looks like a picture, decoded in this process."""

    def found(path: Path, count: int = 10) -> list[tuple[str, Kind | None]]:
        with open_for_reading(index.path) as database, local_pool(0) as executor:
            return [(Path(one.path).name, one.kind) for one in similar.similar(database, str(path), count, executor)]

    return found


Find = Callable[..., list[tuple[str, Kind | None]]]


def test_similar_gives_kinds_by_their_rank_to_a_picture_that_is_not_indexed(
    pictures: Path, tmp_path: Path, index: Index
) -> None:
    """The closest kind first; then what only the hashes put near, the nearest first; with workers, as people call it."""
    asked = tmp_path / "asked.webp"
    asked.write_bytes(encoded(drawn(SEED).resize((200, 120)), "WEBP"))

    found = index.similar(asked)

    assert [(Path(one.path).name, one.kind) for one in found[:6]] == [
        *((Path(one.path).name, Kind.SAME) for one in found[:2]),
        ("grey.jpg", Kind.RECOLOURED),
        ("mirrored.jpg", Kind.FLIPPED),
        ("turned.jpg", Kind.ROTATED),
        ("bordered.jpg", Kind.EDITED),
    ]
    assert {Path(one.path).name for one in found[:2]} == {"base.png", "other.jpg"}
    assert [one.kind for one in found[6:]] == [None] * 4
    assert [one.bits for one in found[6:]] == sorted(one.bits for one in found[6:])
    assert all(Path(one.path).is_file() for one in found)


def test_similar_changes_nothing(pictures: Path, index: Index, tmp_path: Path) -> None:
    """The index is only read."""
    before = Path(index.path).read_bytes()

    index.similar(pictures / "base.png", 3)

    assert Path(index.path).read_bytes() == before


def test_similar_finds_an_indexed_picture_itself(pictures: Path, find: Find) -> None:
    """As bytes, before what is the same."""
    assert find(pictures / "other.jpg", 2) == [("other.jpg", Kind.BYTES), ("base.png", Kind.SAME)]


@pytest.mark.parametrize("asked", ["base.png", "twin.png"])
def test_similar_names_each_twin_once_and_for_what_it_is(pictures: Path, index: Index, find: Find, asked: str) -> None:
    """Of two files of equal pixels, the one with the same bytes is the copy, whichever was indexed first."""
    (pictures / "twin.png").write_bytes(encoded(drawn(SEED), "PNG", compress_level=1))
    index.update(pictures, jobs=0)

    found = find(pictures / asked, 3)

    other = ({"base.png", "twin.png"} - {asked}).pop()
    assert found == [(asked, Kind.BYTES), (other, Kind.SAME), ("other.jpg", Kind.SAME)]


def test_similar_takes_a_picture_that_lies_elsewhere_for_a_copy(pictures: Path, tmp_path: Path, find: Find) -> None:
    """The bytes count, not the name."""
    shutil.copy(pictures / "base.png", tmp_path / "outside.png")

    assert find(tmp_path / "outside.png", 1) == [("base.png", Kind.BYTES)]


def test_similar_gives_as_many_as_are_asked_for(pictures: Path, find: Find) -> None:
    """Or all there are."""
    assert [len(find(pictures / "base.png", count)) for count in (1, 4, 100)] == [1, 4, 10]


def test_similar_leaves_out_what_was_pruned(pictures: Path, index: Index, find: Find) -> None:
    """The index knows its content still, but there is no file to name; once it is back, it is listed again."""
    moved = [move.surplus.member.path for move in index.plan().moves]
    index.carry_out(index.plan())

    pruned = find(pictures / "base.png")
    index.undo()
    back = find(pictures / "base.png")

    assert moved == ["other.jpg"]
    assert "other.jpg" not in {name for name, _kind in pruned}
    assert len(pruned) == 9
    assert ("other.jpg", Kind.SAME) in back


def test_similar_names_a_copy_of_what_was_pruned(pictures: Path, index: Index, find: Find) -> None:
    """Asked for the very bytes that were pruned, it names the file that stands for them, as what that is."""
    (pictures / "twin.png").write_bytes(encoded(drawn(SEED), "PNG", compress_level=1))
    index.update(pictures, jobs=0)
    pruned = (pictures / "base.png").read_bytes()
    (pictures / "base.png").unlink()
    index.update(pictures, jobs=0)
    (pictures.parent / "asked.png").write_bytes(pruned)

    found = find(pictures.parent / "asked.png", 2)

    assert found == [("twin.png", Kind.SAME), ("other.jpg", Kind.SAME)]


def test_similar_compares_flat_pictures_by_their_pixels_alone(tmp_path: Path, index: Index, find: Find) -> None:
    """Their hashes are near those of every other flat picture."""
    folder = make_photos(tmp_path / "flat", 2)
    (folder / "red.png").write_bytes(encoded(Image.new("RGB", (60, 60), "red"), "PNG"))
    (folder / "blue.png").write_bytes(encoded(Image.new("RGB", (60, 60), "blue"), "PNG"))
    index.update(folder, jobs=0)
    (tmp_path / "asked.png").write_bytes(encoded(Image.new("RGB", (60, 60), "red"), "PNG", compress_level=0))

    assert find(tmp_path / "asked.png") == [("red.png", Kind.SAME)]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        pytest.param("missing.jpg", None, "cannot be read: No such file", id="missing"),
        pytest.param("page.jpg", b"<html>", "not a picture", id="no picture"),
        pytest.param("cut.jpg", encoded(drawn(9))[:2000], "truncated", id="cut short"),
        pytest.param("notes.txt", b"a cat", "", id="no name of a picture either"),
    ],
)
def test_similar_says_why_a_picture_cannot_be_read(
    pictures: Path, tmp_path: Path, find: Find, name: str, data: bytes | None, reason: str
) -> None:
    """An error that names it, not an empty answer."""
    if data is not None:
        (tmp_path / name).write_bytes(data)

    with pytest.raises(UsageError, match=rf"{name}' .*{reason}"):
        find(tmp_path / name)


def test_similar_needs_an_index(tmp_path: Path) -> None:
    """And makes none."""
    with pytest.raises(NoIndexError):
        Index(tmp_path / "none.db").similar(tmp_path / "any.jpg")

    assert not (tmp_path / "none.db").exists()


def test_similar_gives_nothing_when_the_index_is_empty(tmp_path: Path, index: Index, find: Find) -> None:
    """A folder without pictures."""
    (tmp_path / "empty").mkdir()
    index.update(tmp_path / "empty", jobs=0)
    (tmp_path / "asked.png").write_bytes(encoded(drawn(1), "PNG"))

    assert find(tmp_path / "asked.png") == []


class Poisoned(Inline):
    """Runs batches at once, but loses the worker of those that hold a pair with a poisonous file."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """A finished future."""
        if function.__name__ == "judge_batch" and any("grey" in one.files[1][0] for one in arguments[0]):
            future: Future[Any] = Future()
            future.set_exception(TimeoutError())
            return future
        return super().submit(function, *arguments)


def test_similar_goes_on_when_a_picture_costs_its_worker(pictures: Path, index: Index) -> None:
    """That one is listed without a kind; the others are compared as ever."""
    with open_for_reading(index.path) as database:
        found = similar.similar(database, str(pictures / "base.png"), 10, Poisoned())

    kinds = {Path(one.path).name: one.kind for one in found}
    assert (kinds["grey.jpg"], kinds["turned.jpg"], kinds["other.jpg"]) == (None, Kind.ROTATED, Kind.SAME)


def test_similar_tells_distances_in_bits_of_the_best_orientation(pictures: Path, index: Index) -> None:
    """A turned copy is as near as one that lies as it did."""
    found = {Path(one.path).name: one for one in index.similar(pictures / "base.png")}

    assert found["base.png"] == Similar(str(pictures / "base.png"), Kind.BYTES, 0)
    assert found["turned.jpg"].bits <= 8
    assert found["mirrored.jpg"].bits <= 8
    assert found["0.jpg"].bits > 60
