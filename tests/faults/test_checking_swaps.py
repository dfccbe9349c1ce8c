"""Hazard 52 together with a kill: a stranger's file takes the place at the last moment, and the run dies before it looks.

What two names exchanged is found out from the disk alone: by the recovery of a later run, or on the way out of this one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from checking import KEEPER, SURPLUS, left_over, with_copy
from score import Faults
from support import tree

from indexer import Index, deeds, links, prune, quarantine, recover, rewrites, transfer
from indexer.moves import MoveState, Recovered
from indexer.plans import Refused
from indexer.rewrites import rewrite

LINKS = ["hard", "symlink", "reflink"]
FORMER, NEWER, FOREIGN = b"a mosaic\n", b"a mosaic\nof squares\n", b"mine\n"


def state(index: Index) -> str:
    """Of the only entry of the journal."""
    with contextlib.closing(sqlite3.connect(index.path)) as db:
        return "".join(name for (name,) in db.execute("SELECT state FROM journal"))


class Died(BaseException):
    """Nothing of the program runs after this."""


@pytest.fixture
def photos(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos with a copy, on a file system that is made to believe that it can share blocks."""
    monkeypatch.setattr(links, "clone", lambda source, target: os.write(target, os.pread(source, 1 << 24, 0)))
    return with_copy(tmp_path, index)


def replaced(path: Path) -> None:
    """Somebody saves another file in the place of one."""
    path.with_name("intruder").write_bytes(b"intruder")
    path.with_name("intruder").replace(path)


def dies_after(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None], *, killed: bool) -> None:
    """A change right before two names are exchanged, and the end of the run right after."""

    def exchange(folder: int, new: str, name: str) -> bool:
        change()
        transfer_exchange(folder, new, name)
        raise Died

    transfer_exchange = transfer.exchange
    monkeypatch.setattr(transfer, "exchange", exchange)
    monkeypatch.setattr(recover, "recover", lambda _database: Recovered())
    if killed:
        monkeypatch.setattr(links, "_settle_link", lambda *_arguments: None)
        monkeypatch.setattr(links, "_settle_copy", lambda *_arguments: None)


@pytest.mark.parametrize("killed", [False, True], ids=["Ctrl-C", "kill"])
@pytest.mark.parametrize("back", [False, True], ids=["link", "undo"])
@pytest.mark.parametrize("link", LINKS)
def test_hazard_52_strangers_file_swapped_out_by_a_run_that_died(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, link: str, *, back: bool, killed: bool
) -> None:
    """It gets its name back, and the deed counts as not done."""
    plan = index.plan(link=link)
    if back:
        index.carry_out(plan)

    with fault(52, f"replaced, then {'killed' if killed else 'stopped'}: {link}", root=photos) as case:
        with monkeypatch.context() as patch:
            dies_after(patch, lambda: (replaced(photos / SURPLUS), case.snapshot())[0], killed=killed)
            with pytest.raises(Died):
                index.undo() if back else index.carry_out(plan)
        index.recover()

    assert (photos / SURPLUS).read_bytes() == b"intruder"
    assert left_over(photos) == []
    assert state(index) == ("moved" if back else "aborted")


@pytest.mark.parametrize("link", LINKS)
def test_hazard_52_written_through_an_open_descriptor_by_a_run_that_died(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    """A file that was written in place keeps what was written: only the very bytes that were compared are replaced."""
    plan = index.plan(link=link)

    def written() -> None:
        with (photos / SURPLUS).open("r+b") as stream:
            stream.write(b"written")
        shutil.copystat(photos / KEEPER, photos / SURPLUS)

    with fault(52, f"written, then killed: {link}", root=photos) as case:
        with monkeypatch.context() as patch:
            dies_after(patch, lambda: (written(), case.snapshot())[0], killed=True)
            with pytest.raises(Died):
                index.carry_out(plan)
        index.recover()

    assert (photos / SURPLUS).read_bytes().startswith(b"written")
    assert (left_over(photos), state(index)) == ([], "aborted")


@pytest.mark.parametrize("killed", [False, True], ids=["Ctrl-C", "kill"])
@pytest.mark.parametrize("back", [False, True], ids=["merge", "undo"])
def test_hazard_52_strangers_text_swapped_out_by_a_run_that_died(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, *, back: bool, killed: bool
) -> None:
    """The same for a list that loses the rows of what was pruned: what somebody else wrote stays."""
    text = photos / "list.txt"
    text.write_text(f"{KEEPER}\n{SURPLUS}\n")
    plan = index.plan()
    if back:
        index.carry_out(plan, update=[text])

    with fault(52, f"list replaced, then {'killed' if killed else 'stopped'}", root=photos) as case:
        with monkeypatch.context() as patch:
            dies_after(patch, lambda: (replaced(text), case.snapshot())[0], killed=killed)
            if killed:
                patch.setattr(rewrites, "settle_swap", lambda *_arguments, **_options: False)
            with pytest.raises(Died):
                index.undo() if back else index.carry_out(plan, update=[text])
        index.recover()

    assert text.read_bytes() == b"intruder"
    assert left_over(photos) == []


def test_hazard_52_strangers_file_moved_by_a_run_that_died(
    photos: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was moved in the place of the surplus goes back where it was."""
    plan, before = index.plan(), tree(photos)
    transfer_it = quarantine.transfer

    def dying(source: int, name: str, target: int, new_name: str, entry: quarantine.JournalEntry) -> bool:
        replaced(photos / SURPLUS)
        case.snapshot()
        transfer_it(source, name, target, new_name, entry)
        raise Died

    with fault(52, "replaced, moved, then killed", root=photos) as case:
        with monkeypatch.context() as patch:
            patch.setattr(quarantine, "transfer", dying)
            patch.setattr(recover, "recover", lambda _database: Recovered())
            with pytest.raises(Died):
                index.carry_out(plan)
        index.recover()

    assert (photos / SURPLUS).read_bytes() == b"intruder"
    assert {path: one for path, one in tree(photos).items() if path != SURPLUS} == {
        path: one for path, one in before.items() if path != SURPLUS
    }
    assert index.verify_quarantine() == (0, ())


# --- texts that say what ours would say, by another hand


def test_hazard_52_text_of_the_same_words_that_came_into_being(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caption that somebody else wrote first is theirs: the merge is refused, and undo leaves it."""
    photos = with_copy(tmp_path, index)
    (photos / SURPLUS).with_suffix(".txt").write_bytes(NEWER)
    plan, caption = index.plan(on_conflict="merge"), (photos / KEEPER).with_suffix(".txt")
    write = prune.write_manifest

    def theirs(*arguments: object) -> None:
        write(*arguments)  # type: ignore[arg-type]
        caption.write_bytes(NEWER)
        case.snapshot()

    with fault(52, "the same caption came into being", root=photos) as case:
        monkeypatch.setattr(prune, "write_manifest", theirs)
        done = index.carry_out(plan)
        case.undo(index)

    assert (done.moved, len(done.refused), caption.read_bytes()) == ((), 1, NEWER)
    assert index.quarantined() == []


def test_hazard_52_rewrite_that_was_refused_is_not_asked_for(tmp_path: Path) -> None:
    """The answer says by itself that nothing was done, whatever lies there."""
    from test_rewrites import entry_for  # noqa: PLC0415 - its folders and entry fit

    places = tmp_path / "data", tmp_path / "batch"
    for folder in places:
        folder.mkdir()
    (places[0] / "a.txt").write_bytes(NEWER)
    entry = entry_for(places, former=b"")

    refused = rewrite(entry, NEWER)

    assert isinstance(refused, Refused)
    assert deeds.state_after(entry, refused) is MoveState.ABORTED


# --- sidecars


def test_hazard_52_sidecar_swapped_at_the_last_moment(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was moved is looked at; another file goes back, and the picture stays with its sidecar."""
    photos = with_copy(tmp_path, index, captions=True)
    plan, caption = index.plan(), (photos / SURPLUS).with_suffix(".txt")
    rename, calls = transfer.rename_no_replace, []

    def late(source: int, name: str, target: int, new_name: str) -> None:
        if not calls:
            replaced(caption)
            case.snapshot()
        calls.append(name)
        rename(source, name, target, new_name)

    with fault(52, "caption replaced at the last moment", root=photos) as case:
        monkeypatch.setattr(transfer, "rename_no_replace", late)
        done = index.carry_out(plan)

    assert (done.moved, len(done.refused)) == ((), 1)
    assert "another file took its place at the last moment" in done.refused[0].reason
    assert (caption.read_bytes(), (photos / SURPLUS).exists()) == (b"intruder", True)


def test_hazard_52_sidecar_whose_other_name_was_moved(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Two pictures whose captions are two names of one file both go: a change time alone is no change."""
    photos = with_copy(tmp_path, index, captions=True)
    shutil.copy2(photos / SURPLUS, photos / "z/other.jpg")
    (photos / "z/other.txt").hardlink_to((photos / SURPLUS).with_suffix(".txt"))
    index.update(photos, jobs=0)

    with fault(52, "captions are hard links", root=photos) as case:
        done = index.carry_out(index.plan(), max_share=1)
        case.undo(index)

    assert (len(done.moved), done.refused) == (2, ())
