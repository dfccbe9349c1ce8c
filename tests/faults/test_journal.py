"""Hazards 60 and 62 to 67: the order of what is written, names, other file systems, full disks."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checking import SURPLUS, across, command, left_over, payloads, with_copy
from score import Faults
from support import aged, tree

from indexer import Index, journal, ledger, manifest, prune, transfer
from indexer.database import Database
from indexer.drawing import drawn, encoded
from indexer.errors import ImgindexError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def journal_states(index: Index) -> list[str]:
    """The states in the journal, in its order."""
    with contextlib.closing(sqlite3.connect(index.path)) as db:
        return [row[0] for row in db.execute("SELECT state FROM journal ORDER BY id")]


@contextlib.contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[Path]:
    """A file system mounted at a folder for a while; skips where that is not possible."""
    place.mkdir(exist_ok=True)
    if subprocess.run(["mount", *arguments, str(place)], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_hazard_60_order_of_what_reaches_the_disk(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Intent in the journal, synced; manifest, synced; move; folders, synced; and only then the word that it was moved."""
    photos = with_copy(tmp_path, index, captions=True)
    log: list[str] = []

    def logged(module: object, name: str, word: str) -> None:
        real = getattr(module, name)

        def wrapper(*arguments: object, **options: object) -> object:
            answer = real(*arguments, **options)
            log.append(word)
            return answer

        monkeypatch.setattr(module, name, wrapper)

    logged(ledger, "journal_plan", "intent")
    logged(prune, "write_manifest", "manifest")
    logged(transfer, "rename_no_replace", "move")
    logged(prune, "sync", "sync")
    logged(ledger, "journal_set", "moved")
    real_writing = Database.writing

    @contextlib.contextmanager
    def writing(self: Database, *, durable: bool = False) -> Iterator[object]:
        with real_writing(self, durable=durable) as tx:
            yield tx
        log.append("synced commit" if durable else "commit")

    monkeypatch.setattr(Database, "writing", writing)
    with fault(60, "the order of a batch", root=photos) as case:
        index.carry_out(index.plan())
        order = [word for word in log if word != "commit"]
        monkeypatch.undo()
        case.undo(index)

    assert order == ["intent", "synced commit", "manifest", "move", "move", "sync", "moved", "synced commit"]


@pytest.mark.parametrize("lost", ["both moves", "the sidecar's", "the picture's"])
def test_hazard_60_moves_that_a_power_failure_took_back(tmp_path: Path, index: Index, fault: Faults, lost: str) -> None:
    """The intent is on disk, the renames are not, or not all: recover finds what is where, and undo is exact."""
    photos = with_copy(tmp_path, index, captions=True)
    before = tree(photos)
    with fault(60, f"power failure, {lost} not on disk", root=photos) as case:
        index.carry_out(index.plan())
        for payload in payloads(photos):
            is_text = payload.suffix == ".txt"
            if lost == "both moves" or (lost == "the sidecar's") == is_text:
                payload.rename((photos / SURPLUS).with_suffix(payload.suffix))
        with contextlib.closing(sqlite3.connect(index.path)) as db, db:
            db.execute("UPDATE journal SET state = 'planned'")
        index.recover()
        recovered = journal_states(index)
        case.undo(index, original=before)

    together = {"both moves": "aborted", "the picture's": "aborted"}.get(lost)
    assert recovered == ([together] * 2 if together else ["aborted", "moved"])  # a sidecar stays with its picture
    assert tree(photos) == before


def test_hazard_62_a_hundred_files_of_one_name(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Names in the quarantine do not collide, captions' neither."""
    photos = tmp_path / "data" / "photos"
    for number in range(101):
        (photos / f"{number:03}").mkdir(parents=True)
        (photos / f"{number:03}" / "1.png").write_bytes(encoded(drawn(3), "PNG"))
        (photos / f"{number:03}" / "1.txt").write_text("the same\n")
        aged(photos / f"{number:03}" / "1.png", seconds=1000 - number)
    index.update(photos, jobs=0)

    with fault(62, "1.png a hundred times", root=photos) as case:
        done = index.carry_out(index.plan(), max_share=1)
        inside = len(payloads(photos))
        case.undo(index)

    assert (len(done.moved), inside) == (100, 200)


def test_hazard_63_a_hard_link_of_the_surplus_in_the_quarantine(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renaming onto another name of the same file is a silent no-op for rename(2); here it is a refusal."""
    photos = with_copy(tmp_path, index)
    write = manifest.write_manifest

    def linking(folder: str, entries: object) -> None:
        listed = list(entries)  # type: ignore[call-overload]
        write(folder, listed)
        os.link(photos / SURPLUS, listed[0].payload_path)

    monkeypatch.setattr(prune, "write_manifest", linking)
    with fault(63, "payload name taken by a hard link", root=photos):
        done = index.carry_out(index.plan())

    assert (done.moved, len(done.refused), (photos / SURPLUS).exists()) == ((), 1, True)


@pytest.mark.parametrize("captions", [False, True])
def test_hazard_64_another_file_system(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, captions: bool
) -> None:
    """EXDEV means copy, sync, verify, rename, look again, remove; undo brings all of it back."""
    photos = with_copy(tmp_path, index, captions=captions)
    (photos / SURPLUS).chmod(0o604)

    with fault(64, f"EXDEV, captions {captions}", root=photos) as case:
        monkeypatch.setattr(transfer, "rename_no_replace", across)
        done = index.carry_out(index.plan())
        gone = not (photos / SURPLUS).exists()
        case.undo(index)

    assert (len(done.moved), gone, left_over(tmp_path)) == (1, True, [])


@needs_root
def test_hazard_64_bind_mount_with_an_equal_device(tmp_path: Path, index: Index, fault: Faults) -> None:
    """rename(2) fails across a bind mount of the same file system, whose device number is equal."""
    photos = with_copy(tmp_path, index)
    (tmp_path / "source").mkdir()
    with (
        mounted(tmp_path / "bound", "--bind", str(tmp_path / "source")) as place,
        fault(64, "a bind mount", root=photos, others=[place]) as case,
    ):
        done = index.carry_out(index.plan(), quarantine=place)
        case.undo(index)

    assert (len(done.moved), done.refused) == (1, ())


@needs_root
def test_hazard_65_full_disk_while_copying(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A quarantine without space: the surplus stays, nothing partial is left, exit code 3."""
    photos = with_copy(tmp_path, index)
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "tmpfs") as place:
        (place / "filler").write_bytes(bytes(50_000))
        with fault(65, "a full tmpfs", root=photos, others=[place]):
            ran = command(index, "prune", "--yes", "--quarantine", str(place))
        inside = [path for path in place.rglob("*.jpg*") if path.is_file()]

    assert (ran.returncode, (photos / SURPLUS).exists(), inside) == (3, True, []), ran.stderr
    assert "No space left" in ran.stderr


def test_hazard_65_full_disk_while_the_manifest_is_written(tmp_path: Path, index: Index, fault: Faults) -> None:
    """No byte is left where the quarantine is: nothing moves, and the message says why; with space the next run goes on."""
    photos = with_copy(tmp_path, index)
    before = tree(photos)
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "tmpfs") as place:
        (place / "filler").write_bytes(bytes(65_536))
        with fault(65, "a full tmpfs, at the manifest", root=photos) as case:
            ran = command(index, "prune", "--yes", "--quarantine", str(place))
            between, states = tree(photos), journal_states(index)
            (place / "filler").unlink()
            again = command(index, "prune", "--yes", "--quarantine", str(place))
            moved = not (photos / SURPLUS).exists()
            case.undo(index)

    assert (ran.returncode, between, states) == (1, before, ["planned"]), ran.stderr
    assert "cannot write the manifest in" in ran.stderr
    assert "No space left" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert (again.returncode, moved) == (0, True), again.stderr


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_hazard_65_manifest_that_is_cut_short_in_the_second_batch(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """Half of its line is written: the batch before stays undoable by the manifest alone, and the next run goes on."""
    photos = with_copy(tmp_path, index)
    shutil.copy2(photos / "b" / "1.jpg", photos / "z" / "other.jpg")
    index.update(photos, jobs=0)
    before = tree(photos)
    calls = []

    def cut(descriptor: int, data: bytes) -> None:
        calls.append(data)
        os.write(descriptor, data if len(calls) == 1 else data[:-20])
        if len(calls) > 1:
            raise OSError(error, os.strerror(error))

    with fault(65, f"{errno.errorcode[error]} at the manifest of the second batch", root=photos) as case:
        monkeypatch.setattr(journal, "BATCH", 1)
        monkeypatch.setattr(manifest, "write_all", cut)
        with pytest.raises(ImgindexError, match="cannot write the manifest") as stop:
            index.carry_out(index.plan())
        monkeypatch.undo()
        moved = len(payloads(photos))
        index.recover()
        states = journal_states(index)
        case.undo(index, original=before)

    assert (stop.value.exit_code, moved, states) == (1, 1, ["moved", "aborted"])
    assert tree(photos) == before


def failing(error: int) -> Callable[..., None]:
    """A function that fails as the system would."""

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(error, os.strerror(error))

    return fail


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_hazard_66_database_fails_at_the_intent(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """Nothing moves before the intent is on disk."""
    photos = with_copy(tmp_path, index)
    before = tree(photos)
    with fault(66, f"{errno.errorcode[error]} at the intent", root=photos):
        monkeypatch.setattr(ledger, "journal_plan", failing(error))
        with pytest.raises(OSError, match=os.strerror(error)):
            index.carry_out(index.plan())

    assert (tree(photos), payloads(photos)) == (before, [])


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("when", range(1, 7))
def test_hazard_66_and_67_database_cannot_be_synced(tmp_path: Path, index: Index, fault: Faults, when: int) -> None:
    """EIO at one of the syncs of the database: a clear end, and the next run recovers what was half-way."""
    photos = with_copy(tmp_path, index)
    before = tree(photos)
    under = ("strace", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, "-P", index.path, "-e", "trace=fdatasync,fsync")
    with fault(67 if when > 3 else 66, f"EIO at sync {when} of the database", root=photos) as case:
        inject = ("-e", f"inject=fdatasync:error=EIO:when={when}")
        ran = command(index, "prune", "--yes", under=(*under, *inject))
        case.undo(index, original=before)

    assert "Traceback" not in ran.stderr
    assert tree(photos) == before


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_hazard_67_database_fails_after_the_move(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """The intent tells the next run where the file is."""
    photos = with_copy(tmp_path, index, captions=True)
    with fault(67, f"{errno.errorcode[error]} after the move", root=photos) as case:
        monkeypatch.setattr(prune, "_write_result", failing(error))
        with pytest.raises(OSError, match=os.strerror(error)):
            index.carry_out(index.plan())
        monkeypatch.undo()
        between = journal_states(index)
        case.undo(index)

    assert between == ["planned", "planned"]
