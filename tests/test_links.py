"""Links instead of the quarantine: made in one step, taken back exactly."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from support import Tree, aged, make_photos, tree

from indexer import Index, links, recover, transfer
from indexer.errors import UsageError
from indexer.moves import Recovered

KEEPER, COPY = "a/0.jpg", "z/copy.jpg"
LINKS = ["hard", "symlink", "reflink"]


@pytest.fixture
def photos(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six photos and a copy of one, indexed, on a file system that is made to believe that it can share blocks."""

    def clone(source: int, target: int) -> None:
        os.write(target, os.pread(source, 1 << 24, 0))

    monkeypatch.setattr(links, "clone", clone)
    folder = make_photos(tmp_path / "data" / "photos")
    (folder / "z").mkdir()
    shutil.copy2(folder / KEEPER, folder / COPY)
    aged(folder / COPY, seconds=-500)
    (folder / COPY).chmod(0o640)
    index.update(folder, jobs=0)
    return folder


def left_over(photos: Path) -> list[Path]:
    """Files under temporary names."""
    return list(photos.parent.rglob("*.part"))


@pytest.mark.parametrize("link", LINKS)
def test_link_replaces_the_surplus_and_undo_makes_it_a_file_of_its_own(photos: Path, index: Index, link: str) -> None:
    """The path still leads to the bytes; a second plan is empty; afterwards all is what it was, times included."""
    before, inode = tree(photos), (photos / KEEPER).stat().st_ino

    done = index.carry_out(index.plan(link=link))
    place, data = photos / COPY, (photos / COPY).read_bytes()
    kind = (place.is_symlink(), place.stat().st_ino == inode)
    index.update(photos, jobs=0, confirm_missing=True)
    again = index.plan(link=link)
    undone = index.undo()

    assert (len(done.moved), done.refused, data) == (1, (), (photos / KEEPER).read_bytes())
    assert kind == {"hard": (False, True), "symlink": (True, True), "reflink": (False, False)}[link]
    assert again.moves == ()
    assert (len(undone.moved), undone.refused, tree(photos)) == (1, (), before)
    assert (place.stat().st_nlink, place.is_symlink(), left_over(photos)) == (1, False, [])
    assert not list((photos.parent / ".imgindex-quarantine").rglob("*.jpg"))


def test_symlink_is_relative_so_that_the_data_set_can_be_moved(photos: Path, index: Index, tmp_path: Path) -> None:
    """It still leads to its keeper when both lie elsewhere."""
    index.carry_out(index.plan(link="symlink"))

    photos.rename(tmp_path / "moved")

    assert os.readlink(tmp_path / "moved" / COPY) == "../a/0.jpg"
    assert (tmp_path / "moved" / COPY).read_bytes() == (tmp_path / "moved" / KEEPER).read_bytes()


@pytest.mark.parametrize("wishes", [{"kinds": ["same"]}, {"match": "hash"}], ids=["kinds", "hash"])
def test_link_takes_the_same_bytes_alone(photos: Path, index: Index, wishes: dict[str, object]) -> None:
    """A picture saved again is no link of its keeper."""
    with pytest.raises(UsageError, match="same bytes"):
        index.plan(link="hard", **wishes)  # type: ignore[arg-type]


@pytest.mark.parametrize("link", LINKS)
def test_link_leaves_the_file_when_the_file_system_refuses(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    """Another file system, or one that shares no blocks: a reason, nothing changed, nothing left behind."""
    before = tree(photos)

    def refused(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(links, "clone", refused)
    monkeypatch.setattr(links.os, "link", refused)
    monkeypatch.setattr(links.os, "symlink", refused)
    done = index.carry_out(index.plan(link=link))

    assert [one.reason for one in done.refused] == ["cannot be replaced by a link: Operation not supported"]
    assert (tree(photos), left_over(photos)) == (before, [])


@pytest.mark.parametrize("link", LINKS)
def test_link_and_undo_work_where_names_cannot_be_exchanged(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    """The new file is renamed over the old one instead."""
    monkeypatch.setattr(transfer, "exchange", lambda *_arguments: False)
    before = tree(photos)

    index.carry_out(index.plan(link=link))
    index.undo()

    assert (tree(photos), left_over(photos)) == (before, [])


@pytest.mark.parametrize(
    ("link", "reason"),
    [("hard", "no longer the link"), ("symlink", "no longer holds its bytes"), ("reflink", "no longer the link")],
)
def test_undo_leaves_a_link_whose_bytes_have_changed(photos: Path, index: Index, link: str, reason: str) -> None:
    """What was written through the link, or into its keeper, is not overwritten."""
    index.carry_out(index.plan(link=link))
    place = photos / (COPY if link == "reflink" else KEEPER)
    with place.open("r+b") as stream:
        stream.write(b"changed")
    between = tree(photos)

    undone = index.undo()

    assert (undone.moved, len(undone.refused)) == ((), 1)
    assert reason in undone.refused[0].reason
    assert (tree(photos), left_over(photos)) == (between, [])


def test_undo_leaves_a_strangers_link(photos: Path, index: Index) -> None:
    """Somebody made the link lead elsewhere."""
    index.carry_out(index.plan(link="symlink"))
    (photos / COPY).unlink()
    (photos / COPY).symlink_to("/etc/hostname")

    undone = index.undo()

    assert "no longer the link" in undone.refused[0].reason
    assert os.readlink(photos / COPY) == "/etc/hostname"


@pytest.mark.parametrize("link", LINKS)
def test_undo_makes_the_file_again_when_the_link_is_gone(photos: Path, index: Index, link: str) -> None:
    """Its keeper has the bytes."""
    before = tree(photos)
    index.carry_out(index.plan(link=link))
    (photos / COPY).unlink()

    index.undo()

    assert tree(photos) == before


def _set_state(index: Index, state: str) -> None:
    with contextlib.closing(sqlite3.connect(index.path)) as db, db:
        db.execute("UPDATE journal SET state = ?", (state,))


def _state(index: Index) -> str:
    with contextlib.closing(sqlite3.connect(index.path)) as db:
        return str(db.execute("SELECT state FROM journal").fetchone()[0])


def _crashed(photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch, link: str, *, swapped: bool) -> Tree:
    """A prune that died with the link made, before or after it took the file's place."""

    class Died(BaseException):
        """Nothing of the program runs after this."""

    def dying(folder: int, new: str, name: str, _expected: object) -> None:
        if swapped:
            transfer.exchange(folder, new, name)
        raise Died

    before = tree(photos)
    monkeypatch.setattr(links, "swap_in", dying)
    monkeypatch.setattr(links, "drop_partial", lambda *_arguments: None)
    monkeypatch.setattr(recover, "recover", lambda _database: Recovered())
    with pytest.raises(Died):
        index.carry_out(index.plan(link=link))
    monkeypatch.undo()
    return before


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("swapped", [False, True], ids=["before the swap", "after it"])
def test_recover_ends_what_a_crash_left(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch, link: str, swapped: bool
) -> None:
    """Before the swap the file is as it was; after it, it is a link; nothing is left behind, and undo is exact."""
    before = _crashed(photos, index, monkeypatch, link, swapped=swapped)

    index.recover()
    state, kept = _state(index), tree(photos)
    index.update(photos, jobs=0, confirm_missing=True)
    if state == "moved":
        index.undo()

    assert state == ("moved" if swapped else "aborted")
    assert left_over(photos) == []
    assert (kept == before) is not swapped or link == "reflink"
    assert tree(photos) == before


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_recover_finds_how_far_an_undo_came(photos: Path, index: Index, link: str, done: bool) -> None:
    """A link that is still one can be undone again; a file of its own is restored."""
    before = tree(photos)
    index.carry_out(index.plan(link=link))
    if done:
        index.undo()
    _set_state(index, "returning")

    index.recover()
    state = _state(index)
    if state == "moved":
        index.undo()

    assert state == ("restored" if done or link == "reflink" else "moved")
    assert tree(photos) == before
