"""Hazards 75 to 77: what purge leaves alone, who may look into the quarantine, and who removes files at all."""

from __future__ import annotations

import ast
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from checking import KEEPER, SURPLUS, across, command, payloads, with_copy
from score import QUARANTINE, Faults
from support import aged, tree

import indexer
from indexer import Index, transfer
from indexer.drawing import drawn, encoded

REMOVERS = {"unlink", "remove", "rmtree", "rmdir", "removedirs", "replace", "rename", "truncate"}
ALLOWED = {
    ("backup.py", "backup"),  # the partial file of a backup that failed
    ("database.py", "_copy"),  # a backup that is complete gets its name
    ("filesystem.py", "rename_no_replace"),  # the old name of a file that has its new one
    ("incoming.py", "_removed"),  # a picture that was handed over as bytes
    ("output.py", "new_file"),  # a page or a sheet that could not be written to the end
    ("quarantine.py", "drop_payload_name"),  # purge, recover, and what was put back from a copy
    ("rewrites.py", "_go_back"),  # a caption that the prune itself had made
    ("transfer.py", "_copy_over"),  # the source of a verified copy
    ("transfer.py", "copy_verified"),  # a copy that came out wrong
    ("transfer.py", "_drop"),  # files that have names of our own
    ("transfer.py", "swap_in"),  # the file that a verified one replaced
    ("transfer.py", "write_new"),  # a file that could not be written to the end
}
"""Who may remove a file, and which one."""


# --- 75: the last content


def _emptied(keeper: Path, _payload: Path) -> None:
    keeper.write_bytes(b"")


def _with_one_bit_less(keeper: Path, _payload: Path) -> None:
    status, data = keeper.stat(), bytearray(keeper.read_bytes())
    data[-1] ^= 1
    keeper.write_bytes(data)
    os.utime(keeper, ns=(status.st_atime_ns, status.st_mtime_ns))


def _moved_into_the_quarantine(keeper: Path, payload: Path) -> None:
    keeper.rename(payload.with_name("by-hand.jpg"))


def _a_link_to_the_payload(keeper: Path, payload: Path) -> None:
    keeper.unlink()
    keeper.symlink_to(payload)


def _behind_a_link_to_the_quarantine(keeper: Path, payload: Path) -> None:
    for path in (keeper.parent / "2.jpg", keeper.parent / "4.jpg"):
        path.rename(payload.parent.parent.parent / path.name)
    keeper.rename(payload.with_name(keeper.name))
    shutil.rmtree(keeper.parent)
    keeper.parent.symlink_to(payload.parent)


def _a_folder(keeper: Path, _payload: Path) -> None:
    keeper.unlink()
    keeper.mkdir()


def _a_fifo(keeper: Path, _payload: Path) -> None:
    keeper.unlink()
    os.mkfifo(keeper)


@pytest.mark.parametrize("resaved", [False, True], ids=["bytes", "same"])
@pytest.mark.parametrize(
    "change",
    [
        Path.unlink,
        _emptied,
        _with_one_bit_less,
        _moved_into_the_quarantine,
        _a_link_to_the_payload,
        _behind_a_link_to_the_quarantine,
        _a_folder,
        _a_fifo,
    ],
)
def test_hazard_75_purge_needs_the_keeper_itself(
    tmp_path: Path, index: Index, fault: Faults, change: Callable[..., None], resaved: bool
) -> None:
    """Whatever lies in its place, or when it lies in the quarantine itself, the payload stays, and undo is exact."""
    photos = with_copy(tmp_path, index, resaved=resaved)
    index.carry_out(index.plan())
    (payload,) = payloads(photos)
    change(photos / KEEPER, payload) if change is not Path.unlink else (photos / KEEPER).unlink()

    with fault(75, f"{'same' if resaved else 'bytes'}, keeper {change.__name__}", root=photos):
        done = index.purge(0, dry_run=False)

    assert (done.moved, [one.path for one in done.refused]) == ((), [str(photos / SURPLUS)])
    assert payload.exists()


def test_hazard_75_a_hard_link_of_the_payload_stands_for_it(tmp_path: Path, index: Index, fault: Faults) -> None:
    """The keeper is by now another name of the quarantined file: one name may go, the content stays."""
    photos = with_copy(tmp_path, index)
    index.carry_out(index.plan())
    (photos / KEEPER).unlink()
    os.link(payloads(photos)[0], photos / KEEPER)

    with fault(75, "keeper is a hard link of the payload", root=photos):
        index.purge(0, dry_run=False)

    assert (photos / KEEPER).exists()


def test_hazard_75_a_keeper_that_was_pruned_later(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A chain of prunes: a file whose keeper went to the quarantine stays when nothing outside holds what it stood for."""
    photos = with_copy(tmp_path, index, resaved=True)
    index.carry_out(index.plan())
    picture = drawn(0)
    larger = picture.resize((picture.width * 2, picture.height * 2))
    (photos / "larger.png").write_bytes(encoded(larger, "PNG"))
    index.update(photos, jobs=0)
    second = index.carry_out(index.plan())
    assert [one.path for one in second.moved] == [str(photos / KEEPER)]
    (photos / "larger.png").write_bytes(b"gone")

    with fault(75, "all keepers in the quarantine or gone", root=photos):
        done = index.purge(0, dry_run=False)

    assert (done.moved, len(payloads(photos))) == ((), 2)


def test_hazard_75_a_keeper_that_links_lead_to(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A file was replaced by a symlink to its keeper, which is pruned later: purge must not take what the link needs."""
    photos = with_copy(tmp_path, index)
    data = (photos / SURPLUS).read_bytes()
    index.carry_out(index.plan(link="symlink"))
    picture = drawn(0)
    larger = picture.resize((picture.width * 2, picture.height * 2))
    (photos / "larger.png").write_bytes(encoded(larger, "PNG"))
    index.update(photos, jobs=0)
    index.carry_out(index.plan())

    with fault(75, "a link of an earlier prune leads to the payload", root=photos):
        index.purge(0, dry_run=False)
        index.undo()  # whichever is the newest that can be taken back
        index.undo() if index.quarantined() else None

    assert any(path.is_file() and path.read_bytes() == data for path in photos.rglob("*"))


# --- 76: private, and no part of the data set


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_hazard_76_modes_whatever_the_umask(tmp_path: Path, index: Index, fault: Faults, umask: int) -> None:
    """Folders 0700 and manifests 0600; the payloads keep their permissions, and undo gives them back."""
    photos = with_copy(tmp_path, index)
    before = os.umask(umask)
    try:
        with fault(76, f"umask {umask:03o}", root=photos) as case:
            index.carry_out(index.plan())
            place = photos.parent / QUARANTINE
            folders = {stat.S_IMODE(path.stat().st_mode) for path in (place, *place.iterdir())}
            manifests = {stat.S_IMODE(path.stat().st_mode) for path in place.rglob("manifest.jsonl")}
            case.undo(index)
    finally:
        os.umask(before)

    assert (folders, manifests) == ({0o700}, {0o600})


def test_hazard_76_never_indexed(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Neither by a scan of the folder above, nor by name, nor from a list of files."""
    photos = with_copy(tmp_path, index)
    with fault(76, "index the folder above, the quarantine, a payload", root=photos) as case:
        index.carry_out(index.plan())
        (payload,) = payloads(photos)
        above = Index(tmp_path / "above.db").update(photos.parent, jobs=0)
        codes = [
            command(Index(tmp_path / "other.db"), "index", str(place), "--jobs", "0").returncode
            for place in (payload.parent, payload.parent.parent)
        ]
        case.undo(index)

    assert (above.files, codes) == (6, [2, 2])


# --- 77: who removes files


def test_hazard_77_the_places_in_the_code_that_remove_a_file(tmp_path: Path, index: Index, fault: Faults) -> None:
    """The list of them, each with its reason; a new one is a reason to stop and think."""
    found = {
        (path.name, function.name)
        for path in Path(indexer.__file__).parent.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in REMOVERS
        if isinstance(call.func.value, ast.Name) and call.func.value.id in {"os", "shutil"}
    }
    hidden = {
        f"{path.name}: {line.strip()}"
        for path in Path(indexer.__file__).parent.rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"from (os|shutil|pathlib) import .*(unlink|remove|rm|replace|rename|move)|import os as", line)
        or re.search(r"\.unlink\((missing_ok|\))|\.rmdir\(\)|shutil\.move|send2trash", line)
    }
    photos = with_copy(tmp_path, index)
    with fault(77, "the code as it is written", root=photos) as case:
        index.carry_out(index.plan())
        case.undo(index)

    assert (found, hidden) == (ALLOWED, set())


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("way", [(), ("--link", "hard"), ("--link", "symlink")], ids=["quarantine", "hard", "symlink"])
def test_hazard_77_prune_unlinks_names_of_its_own_only(
    tmp_path: Path, index: Index, fault: Faults, way: tuple[str, ...]
) -> None:
    """Watched from outside: whatever a prune and its undo unlink has a name that imgindex made."""
    photos = with_copy(tmp_path, index, captions=True)
    (photos / SURPLUS).with_suffix(".txt").write_text("a mosaic\nof squares\n")
    (photos / "all.txt").write_text(f"{KEEPER}\n{SURPLUS}\n")
    trace = tmp_path / "trace"
    under = (
        "strace",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-A",
        "-o",
        str(trace),
        "-e",
        "trace=unlink,unlinkat,rename,renameat,rmdir,truncate",
    )
    wish = way or ("--update", str(photos / "all.txt"))
    conflicts = "prune" if way else "merge"

    with fault(77, f"strace of prune {' '.join(way)} and undo", root=photos) as case:
        original = tree(photos)
        ran = [
            command(index, "prune", "--yes", "--on-conflict", conflicts, *wish, under=under),
            command(index, "undo", under=under),
        ]
        case.undo(index, original)

    removed = re.findall(r'(?:unlink|unlinkat|rmdir|rename|renameat|truncate)\((?:[^"]*)"([^"]*)"', trace.read_text())
    own = re.compile(r"\.imgindex-[0-9a-f]{32}-\d{8}[^/]*\.part|.*imgindex\.db-journal|\d{8}(\.\w+)?")
    assert [one.returncode for one in ran] == [0, 0]
    assert [name for name in removed if not own.fullmatch(name)] == []


def test_hazard_77_another_disk_unlinks_the_source_of_its_copy_only(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Across file systems the source goes, when its copy has the bytes; nothing else does."""
    photos = with_copy(tmp_path, index, captions=True)
    aged(photos / KEEPER)
    index.update(photos, jobs=0)
    unlink = os.unlink
    gone: list[str] = []

    def watched(name: str, *, dir_fd: int | None = None) -> None:
        gone.append(name)
        unlink(name, dir_fd=dir_fd)

    with fault(77, "unlinks across file systems", root=photos) as case:
        monkeypatch.setattr(transfer, "rename_no_replace", across)
        monkeypatch.setattr(os, "unlink", watched)
        index.carry_out(index.plan())
        monkeypatch.setattr(os, "unlink", unlink)
        case.undo(index)

    assert sorted(gone) == ["copy.jpg", "copy.txt"]
