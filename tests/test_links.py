"""Links instead of the quarantine: made in one step, taken back exactly."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support import Tree, aged, make_photos, tree

from indexer import Index, filesystem, links, recover, transfer
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
    """The path still leads to the bytes; afterwards all is what it was, times included."""
    before, inode = tree(photos), (photos / KEEPER).stat().st_ino

    done = index.carry_out(index.plan(link=link))
    place, data = photos / COPY, (photos / COPY).read_bytes()
    kind = (place.is_symlink(), place.stat().st_ino == inode)
    index.update(photos, jobs=0, confirm_missing=True)
    undone = index.undo()

    assert (len(done.moved), done.refused, data) == (1, (), (photos / KEEPER).read_bytes())
    assert kind == {"hard": (False, True), "symlink": (True, True), "reflink": (False, False)}[link]
    assert (len(undone.moved), undone.refused, tree(photos)) == (1, (), before)
    assert (place.stat().st_nlink, place.is_symlink(), left_over(photos)) == (1, False, [])
    assert not list((photos.parent / ".imgindex-quarantine").rglob("*.jpg"))


def test_symlink_is_relative_so_that_the_data_set_can_be_moved(photos: Path, index: Index, tmp_path: Path) -> None:
    """It still leads to its keeper when both lie elsewhere."""
    index.carry_out(index.plan(link="symlink"))

    photos.rename(tmp_path / "moved")

    assert os.readlink(tmp_path / "moved" / COPY) == "../a/0.jpg"
    assert (tmp_path / "moved" / COPY).read_bytes() == (tmp_path / "moved" / KEEPER).read_bytes()


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

    def dying(folder: int, new: str, name: str, *_expected: object) -> None:
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


@pytest.mark.parametrize("link", LINKS)
def test_undo_of_a_link_gives_back_extended_attributes(photos: Path, index: Index, link: str) -> None:
    """Where the file system has them; the keeper's own stay with it."""
    try:
        os.setxattr(photos / COPY, "user.note", b"mine")
        os.setxattr(photos / KEEPER, "user.other", b"the keeper's")
    except OSError:
        pytest.skip("no extended attributes here")
    index.update(photos, jobs=0)
    before = tree(photos)

    index.carry_out(index.plan(link=link))
    index.undo()

    assert tree(photos) == before
    assert {name: os.getxattr(photos / COPY, name) for name in os.listxattr(photos / COPY)} == {"user.note": b"mine"}
    assert os.listxattr(photos / KEEPER) == ["user.other"]


@pytest.mark.parametrize("link", LINKS)
def test_link_leaves_captions_and_lists_alone(photos: Path, index: Index, link: str) -> None:
    """Every path is still there, so that no label is lost: captions may differ, and no list loses a row."""
    (photos / "a" / "0.txt").write_text("a mosaic\n")
    (photos / "z" / "copy.txt").write_text("something else\n")
    (photos / "all.txt").write_text(f"{KEEPER}\n{COPY}\n")
    texts = {name: file for name, file in tree(photos).items() if name.endswith(".txt")}

    told = index.updates(index.plan(link=link), [photos / "all.txt"])
    done = index.carry_out(index.plan(link=link), update=[photos / "all.txt"])
    index.update(photos, jobs=0, confirm_missing=True)
    later = index.carry_out(index.plan(link=link), update=[photos / "all.txt"])

    assert [one.path for one in done.moved] == [str(photos / COPY)]
    assert (told, done.updated, later.updated) == ([], (), ())
    assert {name: file for name, file in tree(photos).items() if name.endswith(".txt")} == texts


@pytest.mark.parametrize("link", LINKS)
def test_second_plan_is_empty_until_undo(photos: Path, index: Index, link: str) -> None:
    """Also right after the first, before any index run; what was undone is offered again."""
    index.carry_out(index.plan(link=link))
    right_after = index.plan(link=link)
    index.update(photos, jobs=0, confirm_missing=True)
    after_index = index.plan(link=link)
    index.undo()
    index.update(photos, jobs=0)

    assert (right_after.moves, after_index.moves) == ((), ())
    assert [move.surplus.member.path for move in index.plan(link=link).moves] == [COPY]


# --- the last moment, other file systems


def _intruding(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody puts another file in the place of the copy right before two names are exchanged."""
    exchange, calls = transfer.exchange, []

    def late(folder: int, left: str, right: str) -> bool:
        if not calls:
            (photos / "intruder").write_bytes(b"intruder")
            (photos / "intruder").replace(photos / COPY)
        calls.append(right)
        return exchange(folder, left, right)

    monkeypatch.setattr(transfer, "exchange", late)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("back", [False, True], ids=["link", "undo"])
def test_what_takes_the_place_at_the_last_moment_is_put_back(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch, link: str, back: bool
) -> None:
    """Hazard 52, for links and for their undoing, which can be tried again."""
    plan = index.plan(link=link)
    if back:
        index.carry_out(plan)
    _intruding(photos, monkeypatch)

    done = index.undo() if back else index.carry_out(plan)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert "last moment" in done.refused[0].reason
    assert (photos / COPY).read_bytes() == b"intruder"
    assert (_state(index), left_over(photos)) == ("moved" if back else "aborted", [])


def test_hard_link_of_a_file_that_took_the_keepers_place_is_not_made(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was linked is checked to be what was read."""
    before, link = tree(photos), os.link

    def late(name: str, new: str, **options: Any) -> None:
        (photos / "intruder").write_bytes(b"intruder")
        (photos / "intruder").replace(photos / KEEPER)
        link(name, new, **options)

    monkeypatch.setattr(links.os, "link", late)
    done = index.carry_out(index.plan(link="hard"))

    assert (done.moved, len(done.refused)) == ((), 1)
    assert "another file took the place" in done.refused[0].reason
    assert tree(photos)[COPY] == before[COPY]
    assert left_over(photos) == []


def test_reflink_of_a_keeper_that_changed_is_not_made(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shared file is read before it takes the place."""
    before = tree(photos)

    monkeypatch.setattr(links, "clone", lambda _source, target: os.write(target, b"other bytes"))
    done = index.carry_out(index.plan(link="reflink"))

    assert done.refused[0].reason.endswith("the kept file changed at the last moment")
    assert (tree(photos), left_over(photos)) == (before, [])


def test_reflink_is_made_or_refused_with_the_systems_reason(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the call itself, whatever file system this is; undo is exact where it can be done."""
    monkeypatch.setattr(links, "clone", filesystem.clone)
    before = tree(photos)

    done = index.carry_out(index.plan(link="reflink"))
    if done.moved:
        index.undo()

    reasons = [one.reason for one in done.refused]
    assert len(done.moved) + len(reasons) == 1
    assert all(reason.startswith("cannot be replaced by a link: ") for reason in reasons)
    assert (tree(photos), left_over(photos)) == (before, [])


def test_hard_link_to_another_file_system_is_refused(photos: Path, index: Index) -> None:
    """Hazard 64, for links: EXDEV is a reason, and nothing is changed."""
    elsewhere = Path("/dev/shm") / f"imgindex-links-{os.getpid()}"  # noqa: S108 - another file system
    if not elsewhere.parent.is_dir() or elsewhere.parent.stat().st_dev == photos.stat().st_dev:
        pytest.skip("there is no second file system here")
    try:
        elsewhere.mkdir()
        shutil.copy2(photos / "b" / "1.jpg", elsewhere / "1.jpg")
        aged(elsewhere / "1.jpg", seconds=-500)
        index.update(elsewhere, photos, jobs=0)
        before = tree(elsewhere)
        done = index.carry_out(index.plan(elsewhere, photos / "b", link="hard"), max_share=1)
        after = tree(elsewhere)
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)

    assert [one.reason for one in done.refused] == ["cannot be replaced by a link: Invalid cross-device link"]
    assert after == before


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("file", [False, True], ids=["link", "file"])
def test_undo_leaves_what_a_stranger_put_in_a_links_place(photos: Path, index: Index, link: str, file: bool) -> None:
    """A link that leads elsewhere, or a file of other bytes: it is somebody's work."""
    index.carry_out(index.plan(link=link))
    (photos / COPY).unlink()
    (photos / COPY).write_bytes(b"stranger") if file else (photos / COPY).symlink_to("/etc/hostname")
    between = tree(photos)

    undone = index.undo()

    assert (undone.moved, len(undone.refused)) == ((), 1)
    assert "no longer the link" in undone.refused[0].reason
    assert (tree(photos), _state(index)) == (between, "moved")
    assert file or os.readlink(photos / COPY) == "/etc/hostname"


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("taken", [False, True], ids=["the link is gone", "a stranger took its place"])
def test_recover_after_the_swap_loses_neither_the_file_nor_a_strangers(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch, link: str, taken: bool
) -> None:
    """The replaced file still lies under the temporary name: it gets its own back where that is free."""
    before = _crashed(photos, index, monkeypatch, link, swapped=True)
    (photos / COPY).unlink()
    if taken:
        (photos / COPY).write_bytes(b"stranger")

    index.recover()

    assert _state(index) == "aborted"
    if taken:
        assert (photos / COPY).read_bytes() == b"stranger"
        assert before[COPY] in tree(photos).values()
    else:
        assert (tree(photos), left_over(photos)) == (before, [])
