"""What names in annotation files mean, and the files without what is gone: real files, and what undo makes of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.errors import UsageError
from indexer.moves import MoveReport, Updated
from indexer.naming import Named, meant, paths_meant

GONE = ("/data/x/a.jpg", "/data/y/b.jpg")
THERE = ("/data/x/c.jpg", "/data/z/b.jpg", "/data/xa.jpg")


@pytest.mark.parametrize(
    ("names", "bases", "gone", "ambiguous"),
    [
        pytest.param(["a.jpg", "c.jpg"], ["/data/x"], ["a.jpg"], (), id="from the annotation file's folder"),
        pytest.param(["x/a.jpg", "x/c.jpg"], ["/lists", "/data"], ["x/a.jpg"], (), id="from a root"),
        pytest.param(
            ["./x/a.jpg", "x//a.jpg"], ["/data"], ["./x/a.jpg", "x//a.jpg"], (), id="not in its plainest form"
        ),
        pytest.param(["../x/a.jpg"], ["/data/y"], ["../x/a.jpg"], (), id="up and down again"),
        pytest.param(["../x/a.jpg"], ["/lists"], [], (), id="up and down to nowhere"),
        pytest.param(["/data/x/a.jpg"], ["/lists"], ["/data/x/a.jpg"], (), id="absolute"),
        pytest.param(["/data/x/../x/a.jpg"], ["/lists"], ["/data/x/../x/a.jpg"], (), id="absolute, not plain"),
        pytest.param(["/a.jpg", "/x/a.jpg"], ["/lists"], [], (), id="absolute means all of the path"),
        pytest.param(["a.jpg", "x/a.jpg"], ["/lists"], ["a.jpg", "x/a.jpg"], (), id="by the end of the path"),
        pytest.param(["data/x/a.jpg"], ["/lists"], ["data/x/a.jpg"], (), id="all but the slash"),
        pytest.param(["./x//a.jpg"], ["/lists"], ["./x//a.jpg"], (), id="by the end, not in its plainest form"),
        pytest.param(["jpg", ".jpg", "-a.jpg", "/a.jpg"], ["/lists"], [], (), id="by whole components"),
        pytest.param(["z/a.jpg", "A.jpg", "a.JPG"], ["/lists"], [], (), id="another folder, upper case"),
        pytest.param(["b.jpg"], ["/lists"], [], ("b.jpg",), id="ambiguous"),
        pytest.param(["y/b.jpg", "z/b.jpg"], ["/lists"], ["y/b.jpg"], (), id="the folder tells which"),
        pytest.param(["b.jpg"], ["/data/y", "/data/z"], ["b.jpg"], (), id="the likeliest base first: gone"),
        pytest.param(["b.jpg"], ["/data/z", "/data/y"], [], (), id="the likeliest base first: there"),
        pytest.param(["", ".", "..", "/", "x/", "x"], ["/data"], [], (), id="names of nothing"),
        pytest.param([], ["/data"], [], (), id="no names"),
        pytest.param(["a.jpg"], [], ["a.jpg"], (), id="no bases"),
    ],
)
def test_meant(names: Sequence[str], bases: Sequence[str], gone: Sequence[str], ambiguous: tuple[str, ...]) -> None:
    """A name is a path from the likeliest base, else the end of one, by whole components (worked by hand)."""
    assert meant(names, bases, GONE, THERE) == Named(frozenset(gone), ambiguous)


def test_meant_takes_whole_components_where_names_end_alike() -> None:
    """`a.jpg` is never `xa.jpg`, and `x/a.jpg` never `ax/a.jpg`."""
    named = meant(["a.jpg", "x/b.jpg"], [], ["/data/xa.jpg", "/data/ax/b.jpg"], [])

    assert named == Named(frozenset(), ())


@pytest.mark.parametrize("name", ["x/a.jpg", "/data/x/a.jpg", "a.jpg"])
def test_a_path_that_is_gone_and_there_again_is_there(name: str) -> None:
    """Another file took the place, and the row may be about that one."""
    named = meant([name], ["/data"], ["/data/x/a.jpg"], ["/data/x/a.jpg"])

    assert named == Named(frozenset(), ())


# --- annotation files of a prune

ONE, TWO = (encoded(drawn(seed)) for seed in (1, 2))
FILES = {"x/a.jpg": ONE, "y/b.jpg": ONE, "y/c.jpg": TWO}
"""Of which `y/b.jpg` is pruned."""
COCO: dict[str, list[dict[str, object]]] = {
    "images": [{"id": number, "file_name": name} for number, name in enumerate(FILES)],
    "annotations": [{"id": 10 + number, "image_id": number % 3} for number in range(6)],
}
COCO_LEFT = {
    "images": [COCO["images"][0], COCO["images"][2]],
    "annotations": [row for row in COCO["annotations"] if row["image_id"] != 1],
}
LISTS = {
    "coco.json": (json.dumps(COCO).encode(), json.dumps(COCO_LEFT).encode()),
    "y/metadata.jsonl": (
        b'{"file_name": "b.jpg", "text": "a"}\r\n{"file_name": "c.jpg"}\n',
        b'{"file_name": "c.jpg"}\n',
    ),
    "metadata.csv": (b"file_name,text\ny/b.jpg,a\ny/c.jpg,b", b"file_name,text\ny/c.jpg,b"),
    "train.txt": (b"x/a.jpg 0\ny/b.jpg 1\n# y/b.jpg\n", b"x/a.jpg 0\n# y/b.jpg\n"),
}
"""Annotation files, and what is left of them without `y/b.jpg`: COCO's as `json` writes it."""


@pytest.fixture
def root(tmp_path: Path, index: Index) -> Path:
    """A folder with a copy and annotation files, all old and of unusual permissions, indexed."""
    root = tmp_path / "data"
    for name, data in {**FILES, **{name: data for name, (data, _left) in LISTS.items()}}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o640)
        os.utime(path, ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))
    index.update(root, jobs=0)
    return root


def pruned(index: Index, *files: Path) -> MoveReport:
    """What a prune did that brings annotation files up to date."""
    return index.carry_out(index.plan(), update=files)


@pytest.mark.parametrize("name", LISTS)
def test_rows_of_pruned_pictures_go_and_come_back(root: Path, index: Index, name: str) -> None:
    """The file keeps every other byte and its permissions; undo gives back bytes, permissions and time."""
    before = tree(root)

    done = pruned(index, root / name)
    after = tree(root)
    back = index.undo()

    assert done.updated == (Updated(str(root / name), 1),)
    assert after.pop(name)[:2] == (LISTS[name][1], 0o640)
    assert after == {path: state for path, state in before.items() if path not in {name, "y/b.jpg"}}
    assert ({moved.path for moved in back.moved}, back.refused) == ({str(root / "y/b.jpg"), str(root / name)}, ())
    assert tree(root) == before


def test_several_files_are_told_of_before_and_after(root: Path, index: Index) -> None:
    """A dry run tells the same rows and the same new bytes as the real run leaves; files that lose nothing are silent."""
    (root / "other.txt").write_bytes(b"x/a.jpg\n")
    files = [root / name for name in LISTS] + [root / "other.txt"]
    before = tree(root)

    told = index.updates(index.plan(), files)
    untouched = tree(root)
    done = pruned(index, *files)

    assert untouched == before
    assert [Updated(one.text.full_path, one.rows) for one in told] == list(done.updated)
    assert [one.text.data for one in told] == [(root / name).read_bytes() for name in LISTS]
    assert sum(one.rows for one in told) == 4


def test_names_of_two_pictures_are_told_of_and_stay(root: Path, index: Index) -> None:
    """A row that may be about a picture that is there is left alone, and said to be; the file is not written to."""
    (root / "z").mkdir()
    (root / "z" / "b.jpg").write_bytes(encoded(drawn(3)))
    (root.parent / "lists").mkdir()
    (root.parent / "lists" / "list.txt").write_bytes(b"b.jpg\n")
    index.update(root, jobs=0)
    before = tree(root.parent / "lists")

    done = pruned(index, root.parent / "lists" / "list.txt")

    assert done.updated == (Updated(str(root.parent / "lists" / "list.txt"), 0, ("b.jpg",)),)
    assert tree(root.parent / "lists") == before


@pytest.mark.parametrize(
    ("place", "name"),
    [
        pytest.param("data/y/list.txt", "b.jpg", id="from its own folder"),
        pytest.param("data/list.txt", "y/b.jpg", id="from the root that it lies in"),
        pytest.param("list.txt", "y/b.jpg", id="from a root"),
    ],
)
def test_the_folder_of_a_file_and_the_roots_tell_which_picture_is_meant(
    root: Path, index: Index, place: str, name: str
) -> None:
    """Pictures whose paths end alike are told apart by what a name is relative to."""
    (root / "z" / "y").mkdir(parents=True)
    (root / "z" / "y" / "b.jpg").write_bytes(encoded(drawn(3)))
    (root.parent / place).write_text(f"{name}\n")
    index.update(root, jobs=0)

    done = pruned(index, root.parent / place)

    assert done.updated == (Updated(str(root.parent / place), 1),)


def test_a_picture_that_somebody_else_removed_keeps_its_row(root: Path, index: Index) -> None:
    """Only what a prune moved away, and no undo brought back, loses its rows."""
    pruned(index)
    index.undo()
    (root / "y/b.jpg").unlink()
    index.update(root, jobs=0)

    assert index.updates(index.plan(), [root / "train.txt"]) == []


def test_undo_does_not_overwrite_a_file_that_was_changed(root: Path, index: Index) -> None:
    """What somebody wrote since stays, which is reported; the picture comes back all the same."""
    before = tree(root)
    pruned(index, root / "train.txt")
    (root / "train.txt").write_bytes(b"new\n")

    done = index.undo()

    [refused] = done.refused
    assert refused.path == str(root / "train.txt")
    assert refused.reason.startswith("it was changed since; its former version stays at '")
    kept = Path(refused.reason.split("'")[1])
    assert kept.read_bytes() == LISTS["train.txt"][0]
    assert (root / "train.txt").read_bytes() == b"new\n"
    assert {**tree(root), "train.txt": before["train.txt"]} == before


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("broken.json", b'{"images": [', id="broken"),
        pytest.param("other.csv", b"a,b\n1,2\n", id="no column for a picture"),
        pytest.param("missing.txt", None, id="missing"),
    ],
)
def test_a_file_that_is_not_understood_stops_before_anything_moves(
    root: Path, index: Index, name: str, data: bytes | None
) -> None:
    """The prune does not begin when one of several annotation files could not follow it."""
    if data is not None:
        (root / name).write_bytes(data)
    before = tree(root.parent)

    for attempt in (pruned, lambda index, *files: index.updates(index.plan(), files)):
        with pytest.raises(UsageError, match=name):
            attempt(index, root / "train.txt", root / name)

    assert tree(root) == {
        path.removeprefix("data/"): state for path, state in before.items() if path.startswith("data/")
    }
    assert not (root.parent / ".imgindex-quarantine").exists()
    assert index.history()[0].command == "index"


def test_a_link_in_the_place_of_an_annotation_file_is_followed_once_named(root: Path, index: Index) -> None:
    """The file that a link leads to is the one that changes; the link stays one."""
    (root.parent / "link.txt").symlink_to(root / "train.txt")

    done = pruned(index, root.parent / "link.txt")

    assert done.updated == (Updated(str(root / "train.txt"), 1),)
    assert (root.parent / "link.txt").is_symlink()


def test_what_was_pruned_earlier_goes_too(root: Path, index: Index) -> None:
    """A later prune without a move of its own still brings a file up to date, and undo takes just that back."""
    pruned(index)

    done = index.carry_out(index.plan(), update=[root / "train.txt"])
    shorter = (root / "train.txt").read_bytes()
    index.undo()

    assert (done.moved, done.updated) == ((), (Updated(str(root / "train.txt"), 1),))
    assert shorter == LISTS["train.txt"][1]
    assert (root / "train.txt").read_bytes() == LISTS["train.txt"][0]
    assert not (root / "y/b.jpg").exists()


def test_a_picture_that_came_back_keeps_its_row(root: Path, index: Index) -> None:
    """After undo every name leads to a picture again; what is about to go is another file."""
    pruned(index)
    index.undo()

    told = index.updates(index.plan(prefer=[str(root / "y")]), [root / "train.txt"])

    assert [one.text.data for one in told] == [b"y/b.jpg 1\n# y/b.jpg\n"]


def test_a_picture_that_became_a_link_keeps_its_row(root: Path, index: Index) -> None:
    """A link in the place of a picture is where its name leads."""
    plan = index.plan(link="hard")

    told = index.updates(plan, [root / "train.txt"])
    done = index.carry_out(plan, update=[root / "train.txt"])

    assert (told, len(done.moved), done.updated) == ([], 1, ())
    assert (root / "train.txt").read_bytes() == LISTS["train.txt"][0]


def test_a_refused_picture_keeps_its_row(root: Path, index: Index) -> None:
    """What was not moved after all is still there, and so is its row."""
    plan = index.plan()
    (root / "y/b.jpg").write_bytes(TWO)
    os.utime(root / "y/b.jpg", ns=(time.time_ns(), time.time_ns()))

    done = index.carry_out(plan, update=[root / "train.txt"])

    assert (done.moved, len(done.refused), done.updated) == ((), 1, ())
    assert (root / "train.txt").read_bytes() == LISTS["train.txt"][0]


def test_paths_meant_are_the_first_base_s_or_the_only_end() -> None:
    """The list's own folder comes first; a name that two paths end in, or none, means nothing."""
    there = ["/d/a/1.jpg", "/d/b/1.jpg", "/d/a/2.jpg", "/r/3.jpg"]

    found = paths_meant(["./a/1.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg"], ["/d", "/r"], there)

    assert found == {"./a/1.jpg": "/d/a/1.jpg", "2.jpg": "/d/a/2.jpg", "3.jpg": "/r/3.jpg"}
