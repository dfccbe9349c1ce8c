"""Hazard 60: what a power failure may take back, by a model of a disk that keeps only what was synced.

The model is strict: a new name is there after a power failure only when its folder was synced since, new bytes only when
their file was. Many file systems keep more than that, and none promises it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checking import KEEPER, SURPLUS, across, with_copy
from score import QUARANTINE, Faults
from support import tree

from indexer import Index, filesystem, ledger, transfer
from indexer.database import Database

Key = tuple[int, int]


class Disk:
    """Notes what was done to folders and files and not synced yet, and complains when something relies on it."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Listens to the calls that change anything below a folder."""
        self.data = data
        self.loose_names: dict[Key, set[str]] = {}
        """Folder → names that were made or taken away since it was synced."""
        self.loose_files: dict[Key, str] = {}
        self.complaints: list[str] = []
        self.events: list[str] = []
        self._patch = monkeypatch
        for module, name in ((os, "mkdir"), (os, "unlink"), (os, "rename"), (os, "open"), (os, "fsync"), (os, "link")):
            self._listen(module, name, getattr(self, f"_{name}"))
        self._listen(os, "symlink", self._link)
        self._listen(filesystem, "_renamed", self._renamed)

    def commit(self) -> None:
        """Takes a commit that says what was done for a promise: all of it must be on disk."""
        loose = sorted({name for names in self.loose_names.values() for name in names})
        if loose:
            self.complaints.append(f"committed while these names were not on disk: {', '.join(loose)}")
        if self.loose_files:
            self.complaints.append(f"committed while bytes of {', '.join(self.loose_files.values())} were not on disk")

    def _listen(self, module: Any, name: str, hear: Callable[..., None]) -> None:
        real = getattr(module, name)

        def heard(*arguments: Any, **options: Any) -> Any:
            if name == "unlink":
                hear(*arguments, **options)  # while the file is still there
                return real(*arguments, **options)
            answer = real(*arguments, **options)
            hear(*arguments, **options) if name != "open" else hear(answer, *arguments, **options)
            return answer

        self._patch.setattr(module, name, heard)

    def _changed(self, folder: int | None, name: str) -> None:
        path = Path(f"/proc/self/fd/{folder}").resolve() / name if folder is not None else Path(name).absolute()
        if path.is_relative_to(self.data):
            status = path.parent.stat()
            self.loose_names.setdefault((status.st_dev, status.st_ino), set()).add(str(path.relative_to(self.data)))

    def _mkdir(self, name: str, _mode: int = 0, *, dir_fd: int | None = None) -> None:
        self._changed(dir_fd, name)

    def _open(self, made: int, name: str, flags: int, _mode: int = 0, *, dir_fd: int | None = None) -> None:
        if flags & os.O_CREAT:
            status = os.fstat(made)
            self._changed(dir_fd, name)
            if Path(f"/proc/self/fd/{made}").resolve().is_relative_to(self.data):
                self.loose_files[status.st_dev, status.st_ino] = os.path.basename(name)

    def _fsync(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        key = status.st_dev, status.st_ino
        self.events.append(f"synced {Path(f'/proc/self/fd/{descriptor}').resolve().name}")
        self.loose_names.pop(key, None)
        self.loose_files.pop(key, None)

    def _link(self, _old: str, name: str, **folders: Any) -> None:
        self._changed(folders.get("dst_dir_fd", folders.get("dir_fd")), name)

    def _rename(self, old: str, new: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        self._changed(src_dir_fd, old)
        self._changed(dst_dir_fd, new)

    def _renamed(self, source: int, old: str, target: int, new: str, _how: int) -> None:
        self.events.append(f"renamed {old}")
        self._rename(old, new, src_dir_fd=source, dst_dir_fd=target)

    def _unlink(self, name: str, *, dir_fd: int | None = None) -> None:
        """Complains when bytes go of which nothing else on disk would survive a power failure."""
        path = Path(f"/proc/self/fd/{dir_fd}").resolve() / name if dir_fd is not None else Path(name).absolute()
        if path.is_relative_to(self.data) and path.is_file() and not path.is_symlink():
            twins = [one for one in self.data.rglob("*") if one != path and one.is_file() and not one.is_symlink()]
            twins = [one for one in twins if one.read_bytes() == path.read_bytes()]
            if twins and not any(self._lasts(twin) for twin in twins):
                self.complaints.append(f"'{name}' removed while its copies were not on disk")
        self._changed(dir_fd, name)

    def _lasts(self, path: Path) -> bool:
        folder, file = path.parent.stat(), path.stat()
        loose = self.loose_names.get((folder.st_dev, folder.st_ino), set())
        return str(path.relative_to(self.data)) not in loose and (file.st_dev, file.st_ino) not in self.loose_files


@pytest.fixture
def labelled(tmp_path: Path, index: Index) -> Path:
    """A copy that says something else than its keeper, and a list of pictures; no two texts ever become alike."""
    photos = with_copy(tmp_path, index, captions=True)
    (photos / SURPLUS).with_suffix(".txt").write_text("of squares\n")
    (photos / "all.txt").write_text(f"{KEEPER}\n{SURPLUS}\n")
    return photos


@pytest.fixture
def disk(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The model, listening; each durable commit relies on what was done before it."""
    disk = Disk(labelled.parent, monkeypatch)
    real = Database.writing

    @contextlib.contextmanager
    def writing(self: Database, *, durable: bool = False) -> Iterator[Any]:
        with real(self, durable=durable) as tx:
            yield tx
            if durable:
                disk.commit()

    monkeypatch.setattr(Database, "writing", writing)
    return disk


def prune(index: Index, photos: Path) -> None:
    """All that a prune can do besides links."""
    index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"])


@pytest.fixture
def quarantined_before(labelled: Path) -> None:
    """The quarantine is there already, from an earlier prune that reached the disk."""
    (labelled.parent / QUARANTINE).mkdir(0o700)


@pytest.mark.usefixtures("quarantined_before")
@pytest.mark.parametrize("way", ["rename", "copy"])
def test_hazard_60_moves_are_on_disk_before_the_journal_says_so(
    labelled: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, disk: Disk, way: str
) -> None:
    """Both folders of each file are synced, and no source goes before its copy would survive."""
    if way == "copy":
        monkeypatch.setattr(transfer, "rename_no_replace", across)
    with fault(60, f"strict disk, {way}", root=labelled) as case:
        index.carry_out(index.plan(on_conflict="prune"))
        case.undo(index)

    assert disk.complaints == []


@pytest.mark.usefixtures("quarantined_before")
@pytest.mark.parametrize("link", ["hard", "symlink"])
def test_hazard_60_links_are_on_disk_before_the_journal_says_so(
    labelled: Path, index: Index, fault: Faults, disk: Disk, link: str
) -> None:
    """The folder of a link is synced, there and back."""
    with fault(60, f"strict disk, {link} links", root=labelled) as case:
        index.carry_out(index.plan(link=link, on_conflict="prune"))
        case.undo(index)

    assert disk.complaints == []


@pytest.mark.usefixtures("quarantined_before")
def test_hazard_60_former_versions_are_on_disk_before_texts_are_replaced(
    labelled: Path, index: Index, fault: Faults, disk: Disk
) -> None:
    """The name of the former version's copy is synced before the former version goes."""
    with fault(60, "strict disk, texts", root=labelled) as case:
        prune(index, labelled)
        case.undo(index)

    assert disk.complaints == []


def test_hazard_60_the_quarantine_itself_is_on_disk(labelled: Path, index: Index, fault: Faults, disk: Disk) -> None:
    """The first prune makes the quarantine: its name beside the root is synced before anything goes into it."""
    with fault(60, "strict disk, the first quarantine", root=labelled) as case:
        index.carry_out(index.plan(on_conflict="prune"))
        case.undo(index)

    assert disk.complaints == []


@pytest.mark.usefixtures("quarantined_before")
def test_hazard_60_folders_that_undo_makes_are_on_disk(labelled: Path, index: Index, fault: Faults, disk: Disk) -> None:
    """A folder that is made again is synced into its parent before the journal says that its files are back."""
    with fault(60, "strict disk, a folder made again", root=labelled) as case:
        index.carry_out(index.plan(on_conflict="prune"))
        (labelled / "z").rmdir()
        case.undo(index)

    assert disk.complaints == []


@pytest.mark.usefixtures("quarantined_before")
def test_hazard_60_nothing_moves_before_its_intent_is_on_disk(
    labelled: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    """At the first rename others can read the intent, it was committed with full syncs, and the manifest is synced."""
    known: list[int] = []
    levels: list[int] = []
    renamed, planned, settled = filesystem._renamed, ledger.journal_plan, ledger.journal_set

    def looking(*arguments: Any) -> bool:
        with contextlib.closing(sqlite3.connect(index.path)) as db:
            known.append(db.execute("SELECT count(*) FROM journal WHERE state = 'planned'").fetchone()[0])
        return renamed(*arguments)

    def asking(real: Callable[..., None]) -> Callable[..., None]:
        def asked(tx: Any, values: Any) -> None:
            levels.append(tx.exec_driver_sql("PRAGMA synchronous").scalar())
            real(tx, values)

        return asked

    monkeypatch.setattr(filesystem, "_renamed", looking)
    monkeypatch.setattr(ledger, "journal_plan", asking(planned))
    monkeypatch.setattr(ledger, "journal_set", asking(settled))
    with fault(60, "intent and manifest before the first rename", root=labelled) as case:
        index.carry_out(index.plan(on_conflict="prune"))
        first = next(number for number, event in enumerate(disk.events) if event.startswith("renamed"))
        before = disk.events[:first]
        monkeypatch.setattr(filesystem, "_renamed", renamed)
        case.undo(index)

    assert known == [2, 2]
    assert set(levels) == {2}
    assert "synced manifest.jsonl" in before


def test_hazard_60_a_power_failure_takes_back_all_that_was_not_synced(
    labelled: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database as the intent left it, the files as they were before any rename: recover and undo are exact."""
    before = tree(labelled)
    real = Database.writing
    commits: list[bytes] = []

    @contextlib.contextmanager
    def writing(self: Database, *, durable: bool = False) -> Iterator[Any]:
        with real(self, durable=durable) as tx:
            yield tx
        commits.append(Path(index.path).read_bytes())

    with fault(60, "all renames lost, the database as the intent left it", root=labelled) as case:
        monkeypatch.setattr(Database, "writing", writing)
        index.carry_out(index.plan(on_conflict="prune"))
        monkeypatch.undo()
        for payload in (labelled.parent / QUARANTINE).rglob("0*.*"):
            payload.rename((labelled / SURPLUS).with_suffix(payload.suffix))
        Path(index.path).write_bytes(commits[1])  # the run, the intent, the result, the end of the run
        first, second = index.recover(), index.recover()
        case.undo(index, original=before)

    assert (first.settled, second.settled, first.missing) == (2, 0, ())
