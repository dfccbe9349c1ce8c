"""What a walk finds, in which order, and what it leaves alone."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import pytest

from indexer import scan
from indexer.records import Listing, Stamp, Unlisted
from indexer.scan import claims_picture, considered, excluded_names, listed, walk, wanted_files

CONSIDERED = wanted_files(all_files=False, exclude=())


def planted(root: Path, paths: Iterable[str]) -> Path:
    """A folder with files of one byte each."""
    root.mkdir(exist_ok=True)
    for path in paths:
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x")
    return root


def names(found: Iterable[Listing | Unlisted]) -> dict[str, list[str] | str]:
    """Each folder's path with the names in it, in the order found, or with the reason that there are none."""
    return {one.path: one.reason if isinstance(one, Unlisted) else list(one.names) for one in found}


def walked(root: Path, *, all_files: bool = False, exclude: Iterable[str] = ()) -> dict[str, list[str] | str]:
    """What a walk finds with the given options."""
    patterns = tuple(exclude)
    wanted = wanted_files(all_files=all_files, exclude=patterns)
    return names(walk(os.fspath(root), wanted=wanted, excluded=excluded_names(patterns)))


@pytest.mark.parametrize(
    ("name", "claims", "is_considered"),
    [
        pytest.param("a.jpg", True, True, id="jpg"),
        pytest.param("a.JPEG", True, True, id="upper case"),
        pytest.param("a.b.webp", True, True, id="two dots"),
        pytest.param("a.HEIC", True, True, id="phone"),
        pytest.param("a.jxl", True, True, id="new kind"),
        pytest.param("a.jpg.part", False, False, id="unfinished download"),
        pytest.param("a.txt", False, False, id="text"),
        pytest.param("a.eps", False, False, id="PostScript"),
        pytest.param("IMG_0001", False, True, id="no ending"),
        pytest.param("jpg", False, True, id="an ending alone is a name"),
        pytest.param(".jpg", False, False, id="hidden file called jpg"),
        pytest.param("._a.jpg", True, True, id="resource fork of macOS"),
        pytest.param("a.", False, False, id="dot at the end"),
        pytest.param("\udce9.png", True, True, id="not UTF-8"),
        pytest.param("a.jpg ", False, False, id="space at the end"),
    ],
)
def test_considered_and_claims_picture(name: str, claims: bool, is_considered: bool) -> None:
    """A name is considered when it ends like a picture's or has no ending; only the first claims anything."""
    assert (claims_picture(name), considered(name)) == (claims, is_considered)


def test_walk_yields_names_and_stamps_of_each_folder(tmp_path: Path) -> None:
    """A listing holds what `os.lstat` says of each file, and the clock before the first was looked at."""
    root = planted(tmp_path / "root", ["b.jpg", "a.jpg"])
    (root / "b.jpg").write_bytes(b"longer")
    before = time.time_ns()

    (found,) = walk(os.fspath(root), wanted=CONSIDERED)

    expected = array("q")
    for name in ("a.jpg", "b.jpg"):
        status = os.lstat(root / name)
        expected.extend((status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
    assert found == Listing("", ["a.jpg", "b.jpg"], expected, found.now_ns)
    assert found.stamp(1) == Stamp(*expected[4:])
    assert before <= found.now_ns <= time.time_ns()


def test_walk_yields_parents_first_and_sorts(tmp_path: Path) -> None:
    """Folders come in the order of their names, each followed by what lies in it; empty ones come too."""
    root = planted(tmp_path / "root", ["b/x/2.jpg", "b/x/1.jpg", "b/1.jpg", "a/1.jpg", "a-/1.jpg", "B/1.jpg", "z.jpg"])
    (root / "empty").mkdir()

    found = walked(root)

    assert list(found.items()) == [
        ("", ["z.jpg"]),
        ("B", ["1.jpg"]),
        ("a", ["1.jpg"]),
        ("a-", ["1.jpg"]),
        ("b", ["1.jpg"]),
        ("b/x", ["1.jpg", "2.jpg"]),
        ("empty", []),
    ]


def test_walk_starts_below_the_root_when_told(tmp_path: Path) -> None:
    """Only the given folder is walked, and its paths are relative to the root."""
    root = planted(tmp_path / "root", ["a/1.jpg", "a/b/2.jpg", "c/3.jpg"])

    found = names(walk(os.fspath(root), below="a", wanted=CONSIDERED))

    assert found == {"a": ["1.jpg"], "a/b": ["2.jpg"]}


def test_walk_follows_no_link(tmp_path: Path) -> None:
    """Links to files, to folders, to nothing and in circles are neither files nor folders."""
    elsewhere = planted(tmp_path / "elsewhere", ["out.jpg", "deep/out.jpg"])
    root = planted(tmp_path / "root", ["a/in.jpg"])
    (root / "file.jpg").symlink_to(elsewhere / "out.jpg")
    (root / "inner.jpg").symlink_to("a/in.jpg")
    (root / "folder").symlink_to(elsewhere)
    (root / "a" / "loop").symlink_to("..")
    (root / "dangling.jpg").symlink_to("nowhere")
    (root / "self.jpg").symlink_to("self.jpg")

    found = walked(root, all_files=True)

    assert found == {"": [], "a": ["in.jpg"]}


def test_walk_follows_the_root_when_it_is_a_link(tmp_path: Path) -> None:
    """The user named the root."""
    planted(tmp_path / "real", ["a.jpg", "b/c.jpg"])
    (tmp_path / "link").symlink_to("real")

    found = walked(tmp_path / "link")

    assert found == {"": ["a.jpg"], "b": ["c.jpg"]}


def test_walk_leaves_special_files_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FIFOs, sockets and folders are no pictures, whatever they are called, and nothing waits for them."""
    root = planted(tmp_path / "root", ["real.jpg"])
    os.mkfifo(root / "a.jpg")
    (root / "folder.jpg").mkdir()
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")

        found = walked(root, all_files=True)

    assert found == {"": ["real.jpg"], "folder.jpg": []}


@pytest.mark.parametrize(
    "folder",
    [".imgindex-quarantine", ".git", ".hg", ".svn", "$RECYCLE.BIN", ".Trashes", ".Trash-1000", "lost+found"],
)
def test_walk_does_not_enter_quarantine_trash_and_version_control(tmp_path: Path, folder: str) -> None:
    """Files there are not part of the data set, at any depth."""
    root = planted(tmp_path / "root", ["a/in.jpg", f"{folder}/1.jpg", f"a/{folder}/b/2.jpg"])

    found = walked(root, all_files=True)

    assert found == {"": [], "a": ["in.jpg"]}


def test_walk_enters_folders_that_are_only_called_alike(tmp_path: Path) -> None:
    """Hidden folders, and names that contain those of skipped ones, are walked."""
    root = planted(tmp_path / "root", [".hidden/1.jpg", ".gitea/2.jpg", "git/3.jpg", ".Trash/4.jpg"])

    found = walked(root)

    assert found == {"": [], ".Trash": ["4.jpg"], ".gitea": ["2.jpg"], ".hidden": ["1.jpg"], "git": ["3.jpg"]}


def test_walk_finds_names_that_are_not_utf8(tmp_path: Path) -> None:
    """Such names stand as `os.fsdecode` gives them, and folders sort by their bytes."""
    root = tmp_path / "root"
    for folder in (b"\xff", "ÿ".encode(), b"a"):
        place = os.path.join(os.fsencode(root), folder)
        os.makedirs(place)
        with open(os.path.join(place, b"caf\xe9\n.jpg"), "wb"):
            pass

    found = walked(root)

    name = "caf\udce9\n.jpg"
    assert list(found.items()) == [("", []), ("a", [name]), ("ÿ", [name]), ("\udcff", [name])]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(errno.EIO, "cannot be listed: Input/output error", id="broken disk"),
        pytest.param(errno.EACCES, "cannot be listed: Permission denied", id="no permission"),
        pytest.param(errno.ESTALE, "cannot be listed: Stale file handle", id="network share gone"),
    ],
)
def test_walk_says_unlisted_when_a_folder_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    """A folder that cannot be listed is never an empty one, and the walk goes on behind it."""
    root = planted(tmp_path / "root", ["a/1.jpg", "bad/2.jpg", "bad/deep/3.jpg", "c/4.jpg"])
    real = os.scandir

    def failing(path: str) -> object:
        if path.endswith("/bad"):
            raise OSError(code, os.strerror(code), path)
        return real(path)

    monkeypatch.setattr(os, "scandir", failing)

    found = walked(root)

    assert found == {"": [], "a": ["1.jpg"], "bad": reason, "c": ["4.jpg"]}


def test_walk_says_unlisted_when_reading_breaks_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a folder is not taken for all of it."""
    root = planted(tmp_path / "root", ["1.jpg", "2.jpg"])

    class Breaking:
        """Entries that end in an error after the first."""

        def __init__(self, path: str) -> None:
            self._entries = real(path)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._entries.close()

        def __iter__(self) -> Iterator[os.DirEntry[str]]:
            yield next(self._entries)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    real = os.scandir
    monkeypatch.setattr(os, "scandir", Breaking)

    found = walked(root)

    assert found == {"": "cannot be listed: Input/output error"}


def test_walk_says_unlisted_when_a_file_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there but cannot be looked at is not gone: nothing is concluded of its folder."""
    root = planted(tmp_path / "root", ["1.jpg", "2.jpg"])
    real = os.stat

    def failing(path: str, **options: object) -> os.stat_result:
        if path == "2.jpg":
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(path, **options)

    monkeypatch.setattr(os, "stat", failing)

    found = walked(root)

    assert found == {"": "cannot be listed: Input/output error"}


def test_walk_says_unlisted_when_the_root_is_missing(tmp_path: Path) -> None:
    """A root that is not mounted is not an empty one."""
    assert walked(tmp_path / "nowhere") == {"": "cannot be listed: No such file or directory"}


def test_walk_leaves_a_file_out_when_it_vanishes_after_its_name_was_read(tmp_path: Path) -> None:
    """The names and stamps of the others stay together."""
    root = planted(tmp_path / "root", ["1.jpg", "2.jpg", "3.jpg"])

    def wanted(_folder: str, name: str) -> bool:
        if name == "2.jpg":
            (root / name).unlink()
        return True

    (found,) = walk(os.fspath(root), wanted=wanted)

    inodes = [os.lstat(root / name).st_ino for name in ("1.jpg", "3.jpg")]
    assert isinstance(found, Listing)
    assert (found.names, found.stamps[3::4].tolist()) == (["1.jpg", "3.jpg"], inodes)


def test_walk_leaves_a_file_out_when_a_link_takes_its_place(tmp_path: Path) -> None:
    """A file that becomes a link after its name was read is not followed."""
    root = planted(tmp_path / "root", ["1.jpg", "2.jpg"])

    def wanted(_folder: str, name: str) -> bool:
        if name == "2.jpg":
            (root / name).unlink()
            (root / name).symlink_to("1.jpg")
        return True

    assert names(walk(os.fspath(root), wanted=wanted)) == {"": ["1.jpg"]}


def test_walk_says_unlisted_when_a_folder_vanishes_before_its_turn(tmp_path: Path) -> None:
    """A folder that was deleted meanwhile is the next run's to judge."""
    root = planted(tmp_path / "root", ["a/1.jpg", "b/2.jpg"])
    found = walk(os.fspath(root), wanted=CONSIDERED)
    next(found)
    shutil.rmtree(root / "a")

    assert names(found) == {"a": "cannot be listed: No such file or directory", "b": ["2.jpg"]}


def test_walk_says_unlisted_when_a_link_takes_a_folders_place(tmp_path: Path) -> None:
    """A folder that becomes a link after its name was read is not followed."""
    planted(tmp_path / "elsewhere", ["out.jpg"])
    root = planted(tmp_path / "root", ["a/1.jpg"])
    found = walk(os.fspath(root), wanted=CONSIDERED)
    next(found)
    shutil.rmtree(root / "a")
    (root / "a").symlink_to(tmp_path / "elsewhere")

    assert names(found) == {"a": "cannot be listed: Not a directory"}


@pytest.mark.parametrize(
    ("exclude", "found"),
    [
        pytest.param([], {"": ["1.jpg", "2.png"], "a": ["1.jpg"], "a/thumbs": ["3.jpg"]}, id="nothing excluded"),
        pytest.param(["*.png"], {"": ["1.jpg"], "a": ["1.jpg"], "a/thumbs": ["3.jpg"]}, id="names"),
        pytest.param(["thumbs"], {"": ["1.jpg", "2.png"], "a": ["1.jpg"]}, id="a folder's name at any depth"),
        pytest.param(["thumbs/"], {"": ["1.jpg", "2.png"], "a": ["1.jpg"]}, id="a folder with its separator"),
        pytest.param(["a/thumbs"], {"": ["1.jpg", "2.png"], "a": ["1.jpg"]}, id="a folder's path"),
        pytest.param(["a"], {"": ["1.jpg", "2.png"]}, id="a folder with all below"),
        pytest.param(["a/1.jpg"], {"": ["1.jpg", "2.png"], "a": [], "a/thumbs": ["3.jpg"]}, id="one file's path"),
        pytest.param(["[12].*"], {"": [], "a": [], "a/thumbs": ["3.jpg"]}, id="a set of characters"),
        pytest.param(["*.png", "thumbs"], {"": ["1.jpg"], "a": ["1.jpg"]}, id="two patterns"),
        pytest.param(
            ["1"], {"": ["1.jpg", "2.png"], "a": ["1.jpg"], "a/thumbs": ["3.jpg"]}, id="part of a name is not"
        ),
    ],
)
def test_walk_leaves_out_what_is_excluded(tmp_path: Path, exclude: list[str], found: dict[str, list[str]]) -> None:
    """A pattern matches a whole name, or a whole path relative to the root; excluded folders are not entered."""
    root = planted(tmp_path / "root", ["1.jpg", "2.png", "a/1.jpg", "a/thumbs/3.jpg"])

    assert walked(root, exclude=exclude) == found


def test_walk_finds_every_name_when_all_files_are_wanted(tmp_path: Path) -> None:
    """With all files, only those of imgindex itself and databases' side files are left out."""
    own = ["imgindex.db", "imgindex.db-wal", "imgindex.db.bak", "manifest.jsonl", "other.db-wal", "other.db-shm"]
    root = planted(tmp_path / "root", ["a.jpg", "b.txt", "c", ".hidden", "my-imgindex.db", "other.db", *own])

    found = (walked(root), walked(root, all_files=True), walked(root, all_files=True, exclude=["*.txt"]))

    assert found == (
        {"": ["a.jpg", "c"]},
        {"": [".hidden", "a.jpg", "b.txt", "c", "my-imgindex.db", "other.db"]},
        {"": [".hidden", "a.jpg", "c", "my-imgindex.db", "other.db"]},
    )


def test_listed_yields_the_given_files_alone(tmp_path: Path) -> None:
    """Each folder is partial, and files that are missing, links or not considered are left out."""
    root = planted(tmp_path / "root", ["1.jpg", "2.jpg", "b/3.jpg", "b/4.jpg", "a/5.jpg", "a/note.txt"])
    (root / "link.jpg").symlink_to("1.jpg")
    paths = ["b/4.jpg", "1.jpg", "b/3.jpg", "1.jpg", "a/note.txt", "link.jpg", "missing.jpg"]

    found = list(listed(os.fspath(root), paths, wanted=CONSIDERED))

    inodes = [[os.lstat(root / path).st_ino for path in folder] for folder in (["1.jpg"], ["b/3.jpg", "b/4.jpg"])]
    assert [
        (one.path, one.names, one.stamps[3::4].tolist(), one.whole) for one in found if isinstance(one, Listing)
    ] == [("", ["1.jpg"], inodes[0], False), ("b", ["3.jpg", "4.jpg"], inodes[1], False)]
    assert len(found) == 2


def test_listed_says_unlisted_when_a_folder_is_missing_or_a_link(tmp_path: Path) -> None:
    """A folder of a given file that cannot be opened is a value, and the others are still listed."""
    planted(tmp_path / "elsewhere", ["out.jpg"])
    root = planted(tmp_path / "root", ["b/1.jpg"])
    (root / "link").symlink_to(tmp_path / "elsewhere")

    found = names(listed(os.fspath(root), ["a/1.jpg", "b/1.jpg", "link/out.jpg"], wanted=CONSIDERED))

    assert found == {
        "a": "cannot be listed: No such file or directory",
        "b": ["1.jpg"],
        "link": "cannot be listed: Not a directory",
    }


def test_walk_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamps are all a scan takes: what is opened are folders, one each."""
    root = planted(tmp_path / "root", ["1.jpg", "a/2.jpg"])
    opened = []
    real = os.open

    def noting(path: str, *arguments: object, **options: object) -> int:
        opened.append(os.path.relpath(path, root))
        return real(path, *arguments, **options)

    monkeypatch.setattr(scan.os, "open", noting)

    walked(root)

    assert opened == [".", "a"]


@pytest.mark.parametrize("path", [".imgindex-quarantine/1/a.jpg", "b/.git/a.jpg", "thumbs/a.jpg", "b/thumbs/c/a.jpg"])
def test_listed_leaves_out_what_a_walk_does_not_enter(tmp_path: Path, path: str) -> None:
    """Files in a quarantine, or in an excluded folder, are not part of the data set however they are given."""
    root = planted(tmp_path / "root", ["b/1.jpg", path])
    wanted = wanted_files(all_files=False, exclude=["thumbs"])

    found = names(listed(os.fspath(root), ["b/1.jpg", path], wanted=wanted, excluded=excluded_names(["thumbs"])))

    assert found == {"b": ["1.jpg"]}
