"""The files that come with pictures, found on a real disk."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest

from indexer import sidecars
from indexer.filesystem import open_regular
from indexer.groups import Member
from indexer.labels import meaning
from indexer.plans import Rewrite, Sidecar
from indexer.records import Stamp
from indexer.sidecars import Finder, merge_of

Found = list[tuple[str, str, tuple[str, ...]]]
"""Path, role and other pictures of each sidecar, paths relative to the folder of the test."""


def write(folder: Path, *names: str) -> None:
    """Files that hold their own names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


def member(folder: Path, path: str, root: str = "") -> Member:
    """A picture below a folder, in a root below it."""
    base = str(folder / root) if root else str(folder)
    return Member(1, 1, 1, base, path, Stamp(1, 2, 3, 4), b"d" * 32, 1, 1, "JPEG")


def found(folder: Path, path: str, root: str = "") -> Found:
    """What comes with a picture."""
    cut = len(str(folder)) + 1
    return [
        (one.full_path[cut:], one.role, tuple(other[cut:] for other in one.shared))
        for one in Finder()(member(folder, path, root))
    ]


@pytest.mark.parametrize(
    ("files", "picture", "expected"),
    [
        pytest.param("a.jpg a.txt", "a.jpg", [("a.txt", ".txt")], id="caption"),
        pytest.param("a.jpg a.TXT", "a.jpg", [("a.TXT", ".txt")], id="upper case"),
        pytest.param("a.JPG a.txt", "a.JPG", [("a.txt", ".txt")], id="a picture in upper case"),
        pytest.param(
            "a.jpg a.caption a.json a.npz a.txt a.xml a.xmp",
            "a.jpg",
            [(f"a.{ending}", f".{ending}") for ending in ("caption", "json", "npz", "txt", "xml", "xmp")],
            id="each ending",
        ),
        pytest.param("a.jpg a.jpg.txt", "a.jpg", [("a.jpg.txt", "+.txt")], id="name and ending"),
        pytest.param("a.jpg a.jpg.TXT a.txt", "a.jpg", [("a.txt", ".txt"), ("a.jpg.TXT", "+.txt")], id="both forms"),
        pytest.param("a.jpg b.txt ab.txt A.txt a.txt.bak a.doc a", "a.jpg", [], id="other names and endings"),
        pytest.param("a.jpg b/a.txt", "a.jpg", [], id="another folder"),
        pytest.param("x/y/a.jpg x/y/a.txt x/a.txt", "x/y/a.jpg", [("x/y/a.txt", ".txt")], id="the folder it lies in"),
        pytest.param("IMG_1 IMG_1.txt", "IMG_1", [("IMG_1.txt", ".txt")], id="a picture without an ending, once"),
        pytest.param("a.b.jpg a.b.txt a.txt", "a.b.jpg", [("a.b.txt", ".txt")], id="a dot in the name"),
        pytest.param("images/a.jpg labels/a.txt", "images/a.jpg", [("labels/a.txt", "labels.txt")], id="YOLO"),
        pytest.param(
            "d/images/val/a.jpg d/labels/val/a.txt d/labels/a.txt",
            "d/images/val/a.jpg",
            [("d/labels/val/a.txt", "labels.txt")],
            id="YOLO, split below",
        ),
        pytest.param(
            "images/a.jpg images/a.txt labels/a.txt",
            "images/a.jpg",
            [("images/a.txt", ".txt"), ("labels/a.txt", "labels.txt")],
            id="YOLO and a caption",
        ),
        pytest.param("images/a.jpg labels/a.json labels/a.jpg.txt", "images/a.jpg", [], id="other labels than YOLO's"),
        pytest.param(
            "VOC/JPEGImages/a.jpg VOC/Annotations/a.xml VOC/Annotations/a.txt VOC/labels/a.txt",
            "VOC/JPEGImages/a.jpg",
            [("VOC/Annotations/a.xml", "labels.xml")],
            id="VOC",
        ),
    ],
)
def test_sidecars_are_found_by_name(tmp_path: Path, files: str, picture: str, expected: list[tuple[str, str]]) -> None:
    """Beside a picture count its stem and its name, in the folder that mirrors its own its stem alone."""
    write(tmp_path, *files.split())

    assert found(tmp_path, picture) == [(path, role, ()) for path, role in expected]


def test_labels_lie_outside_a_root_that_is_the_folder_of_images(tmp_path: Path) -> None:
    """Labels are known by the folder that holds both, whatever the root is."""
    write(tmp_path, "set/images/val/a.jpg", "set/labels/val/a.txt")
    data = b"set/labels/val/a.txt"

    answer = Finder()(member(tmp_path, "val/a.jpg", root="set/images"))

    digest = hashlib.sha256(data).digest()
    base = str(tmp_path / "set")
    assert answer == (Sidecar(base, "labels/val/a.txt", "labels.txt", digest, meaning("labels.txt", data)),)


@pytest.mark.parametrize(
    ("files", "picture", "expected"),
    [
        pytest.param("a.jpg a.png a.txt", "a.jpg", [("a.txt", ".txt", ("a.png",))], id="two pictures"),
        pytest.param("a.jpg a.png a.txt", "a.png", [("a.txt", ".txt", ("a.jpg",))], id="the other one"),
        pytest.param(
            "a.jpg a.jpg.jpg a.jpg.txt",
            "a.jpg.jpg",
            [("a.jpg.txt", ".txt", ("a.jpg",))],
            id="the whole name of another",
        ),
        pytest.param(
            "a.jpg a.jpg.jpg a.jpg.txt", "a.jpg", [("a.jpg.txt", "+.txt", ("a.jpg.jpg",))], id="the stem of another"
        ),
        pytest.param("a.png a.jpg.jpg a.jpg.txt", "a.jpg.jpg", [("a.jpg.txt", ".txt", ())], id="neither of another"),
        pytest.param("a.GIF a.jpg a.png a.txt", "a.jpg", [("a.txt", ".txt", ("a.GIF", "a.png"))], id="three"),
        pytest.param("a.jpg a.png a.jpg.txt", "a.jpg", [("a.jpg.txt", "+.txt", ())], id="of a name: one picture's"),
        pytest.param("a.jpg b.png a.txt", "a.jpg", [("a.txt", ".txt", ())], id="another stem"),
        pytest.param(
            "images/a.jpg images/a.png labels/a.txt",
            "images/a.jpg",
            [("labels/a.txt", "labels.txt", ("images/a.png",))],
            id="YOLO labels",
        ),
    ],
)
def test_pictures_of_one_stem_share_sidecars(tmp_path: Path, files: str, picture: str, expected: Found) -> None:
    """A sidecar of a stem belongs to every picture of that stem in the folder."""
    write(tmp_path, *files.split())

    assert found(tmp_path, picture) == expected


def test_links_have_no_digest_and_what_is_no_file_is_no_sidecar(tmp_path: Path) -> None:
    """Links are not followed, a FIFO does not block, and a folder is none."""
    write(tmp_path, "a.jpg", "elsewhere.txt")
    (tmp_path / "a.txt").symlink_to(tmp_path / "elsewhere.txt")
    (tmp_path / "a.json").symlink_to(tmp_path / "nothing")
    (tmp_path / "a.xml").mkdir()
    os.mkfifo(tmp_path / "a.npz")

    seen = Finder()(member(tmp_path, "a.jpg"))

    assert [(one.path, one.digest) for one in seen] == [("a.json", b""), ("a.txt", b"")]


def test_labels_in_a_linked_folder_have_no_digest(tmp_path: Path) -> None:
    """No link is followed on the way to a label, and it is not passed over either."""
    write(tmp_path, "images/a.jpg", "real/a.txt")
    (tmp_path / "labels").symlink_to(tmp_path / "real")

    seen = Finder()(member(tmp_path, "images/a.jpg"))

    assert [(one.path, one.digest) for one in seen] == [("labels/a.txt", b"")]


def test_a_folder_that_cannot_be_listed_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing folder, and one that the disk refuses to list, have no sidecars; the call does not fail."""
    write(tmp_path, "images/a.jpg", "images/a.txt")
    scandir = os.scandir

    def refused(path: str) -> os._ScandirIterator[str]:
        if path.endswith("images"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    missing = found(tmp_path, "gone/a.jpg")
    monkeypatch.setattr(os, "scandir", refused)

    assert (missing, found(tmp_path, "images/a.jpg")) == ([], [])


def test_a_sidecar_that_cannot_be_read_has_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read cannot be compared or moved; what lies beside it can."""
    write(tmp_path, "a.jpg", "a.json", "a.txt")

    def refused(name: str, folder: int | None = None) -> tuple[int, os.stat_result]:
        if name == "a.json":
            raise PermissionError(13, "Permission denied", name)
        return open_regular(name, folder)

    monkeypatch.setattr(sidecars, "open_regular", refused)

    digests = {one.path: one.digest for one in Finder()(member(tmp_path, "a.jpg"))}
    assert (set(digests), digests["a.json"], len(digests["a.txt"])) == ({"a.json", "a.txt"}, b"", 32)


def test_names_that_are_not_utf8_have_sidecars(tmp_path: Path) -> None:
    """Latin-1 names are names."""
    name = os.fsdecode(b"caf\xe9")
    write(tmp_path, f"{name}.jpg", f"{name}.png", f"{name}.txt")

    assert found(tmp_path, f"{name}.jpg") == [(f"{name}.txt", ".txt", (f"{name}.png",))]


def test_a_folder_is_listed_once_for_all_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty pictures cost one listing of their folder and one of their labels' folder."""
    pictures = [f"images/{number}.jpg" for number in range(50)]
    write(tmp_path, *pictures, *(f"labels/{number}.txt" for number in range(50)))
    scandir, listed = os.scandir, Counter[str]()

    def counting(path: str) -> os._ScandirIterator[str]:
        listed[os.path.relpath(path, tmp_path)] += 1
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counting)
    finder = Finder()
    answers = [finder(member(tmp_path, picture)) for picture in pictures]

    assert [len(answer) for answer in answers] == [1] * 50
    assert listed == {"images": 1, "labels": 1}


def test_a_large_sidecar_is_compared_by_its_bytes(tmp_path: Path) -> None:
    """Above a megabyte, blanks count; up to it they do not."""
    write(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    whole = b"a" * ((1 << 20) - 1) + b"\n"
    for name, data in (("a", whole), ("b", whole[:-1]), ("c", whole + b"\n"), ("d", whole + b" ")):
        (tmp_path / f"{name}.txt").write_bytes(data)

    small, smaller, large, other = (Finder()(member(tmp_path, f"{name}.jpg"))[0] for name in ("a", "b", "c", "d"))

    assert small.meaning == smaller.meaning
    assert len({small.meaning, large.meaning, other.meaning}) == 3
    assert large.meaning == large.digest == hashlib.sha256(whole + b"\n").digest()


# --- merging


@pytest.mark.parametrize(
    ("keeper", "surplus", "place"),
    [
        pytest.param("k/a.jpg", "s/b.jpg s/b.txt", "k/a.txt", id="caption"),
        pytest.param("k/a.jpg", "s/b.jpg s/b.TXT", "k/a.TXT", id="its ending stays"),
        pytest.param("k/a.jpg", "s/b.jpg s/b.jpg.caption", "k/a.jpg.caption", id="of a name"),
        pytest.param("k/images/x/a.jpg", "images/b.jpg labels/b.txt", "k/labels/x/a.txt", id="labels among labels"),
        pytest.param("k/images/a.jpg", "s/b.jpg s/b.txt", "k/images/a.txt", id="caption beside an image"),
    ],
)
def test_merge_gives_a_keeper_its_first_sidecar(tmp_path: Path, keeper: str, surplus: str, place: str) -> None:
    """What the keeper has none of lies where its own would, byte for byte, and nothing may be there before."""
    picture, text = surplus.split()
    write(tmp_path, keeper, picture, text)
    [theirs] = Finder()(member(tmp_path, picture))

    merge = merge_of(member(tmp_path, keeper), None, theirs, None)

    assert merge is not None
    assert merge.full_path == str(tmp_path / place)
    assert (merge.before, merge.size, merge.data) == (None, 0, text.encode())


def test_merge_builds_on_an_earlier_one(tmp_path: Path) -> None:
    """The second of two merges expects what the first one leaves; the same lines once more are no merge."""
    write(tmp_path, "a.jpg", "a.txt", "b.jpg", "b.txt")
    keeper = member(tmp_path, "a.jpg")
    [own], [theirs] = Finder()(keeper), Finder()(member(tmp_path, "b.jpg"))
    earlier = Rewrite(str(tmp_path), "a.txt", own.digest, 5, b"a.txt\nz\n")

    second = merge_of(keeper, own, theirs, earlier)
    again = merge_of(keeper, own, theirs, second)

    before = hashlib.sha256(b"a.txt\nz\n").digest()
    assert second == Rewrite(str(tmp_path), "a.txt", before, 8, b"a.txt\nz\nb.txt\n")
    assert again is None


@pytest.mark.parametrize("changed", ["a.txt", "b.txt"])
def test_merge_refuses_texts_that_changed(tmp_path: Path, changed: str) -> None:
    """What is merged is what was compared."""
    write(tmp_path, "a.jpg", "a.txt", "b.jpg", "b.txt")
    keeper = member(tmp_path, "a.jpg")
    [own], [theirs] = Finder()(keeper), Finder()(member(tmp_path, "b.jpg"))
    (tmp_path / changed).write_bytes(b"new")

    with pytest.raises(OSError, match=f"'{changed}' changed while it was looked at"):
        merge_of(keeper, own, theirs, None)
