"""Hazards 19 to 23: what files are called, and files that are called twice."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from checking import KEEPER, SURPLUS, command, with_copy
from score import Faults
from shims import constant, lying
from support import make_photos

from indexer import Index
from indexer.drawing import drawn, encoded

ODD_NAMES = {
    "not UTF-8": b"caf\xe9.jpg",
    "a line feed": b"line\nfeed.jpg",
    "a leading dash": b"-rf.jpg",
    "quotes": b'it\'s "quoted".jpg',
    "a terminal's escape": b"\x1b[31mred\x1b[0m.jpg",
    "a formula": b"=1+1.jpg",
    "markup of rich": b"img[red].jpg",
    "text from right to left": "\u202egpj.jpg".encode(),
    "a C1 control": "\x9b2J.jpg".encode(),
    "blanks at both ends": b" a .jpg",
    "an emoji": "\U0001f600.jpg".encode(),
    "255 bytes": b"x" * 251 + b".jpg",
}


# --- 19, 20: two names of one file


def test_hazard_19_hard_links_are_no_copies(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Two names of one file free nothing, and neither is pruned in favour of the other."""
    photos = make_photos(tmp_path / "data" / "photos")
    (photos / "z").mkdir()
    (photos / SURPLUS).hardlink_to(photos / KEEPER)
    index.update(photos, jobs=0)
    with fault(19, "a pair of hard links", root=photos) as case:
        done = index.carry_out(index.plan())
        case.undo(index)

        assert (index.groups(), done.moved, index.plan().bytes) == ((), (), 0)


@pytest.mark.parametrize("linked", [KEEPER, SURPLUS])
def test_hazard_19_hard_links_and_a_true_copy(tmp_path: Path, index: Index, fault: Faults, linked: str) -> None:
    """A further name of the keeper stays and is shown as such; further names of the surplus go with it and count once."""
    photos = with_copy(tmp_path, index)
    (photos / "y").mkdir()
    (photos / "y" / "link.jpg").hardlink_to(photos / linked)
    index.update(photos, jobs=0)
    size = (photos / KEEPER).stat().st_size
    with fault(19, f"a copy, and a link to {linked}", root=photos) as case:
        (group,) = index.groups()
        moved = {answer.path for answer in index.carry_out(index.plan()).moved}
        kept = (photos / KEEPER).read_bytes()
        case.undo(index)

        assert len(kept) == group.bytes == size
        if linked == KEEPER:
            assert ([one.path for one in group.links], moved) == (["y/link.jpg"], {str(photos / SURPLUS)})
        else:
            assert (group.links, moved) == ((), {str(photos / SURPLUS), str(photos / "y/link.jpg")})


def test_hazard_20_composed_and_decomposed_names(tmp_path: Path, index: Index, fault: Faults) -> None:
    """On a file system that tells them apart they are two files, of which one may be a copy of the other."""
    photos = make_photos(tmp_path / "data" / "photos", count=2)
    names = [unicodedata.normalize(form, "café.jpg") for form in ("NFC", "NFD")]
    for name in names:
        shutil.copy2(photos / KEEPER, photos / name)
    if len(list(photos.glob("caf*"))) < 2:
        pytest.skip("this file system does not tell them apart")
    with fault(20, "NFC and NFD", root=photos) as case:
        report = index.update(photos, jobs=0)
        done = index.carry_out(index.plan(), max_share=1)
        case.undo(index)

        assert (report.files, len(done.moved)) == (4, 2)
        assert sorted(path.name for path in photos.glob("caf*")) == sorted(names)


def test_hazard_20_two_names_that_the_disk_takes_for_one(
    tmp_path: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the index believes, two open files are compared by device and number before one is moved."""
    photos = make_photos(tmp_path / "data" / "photos")
    (photos / "a" / "0.JPG").hardlink_to(photos / KEEPER)
    with monkeypatch.context() as patch:
        lying(patch, constant(0))  # so that it looks like two files, as the names differ
        index.update(photos, jobs=0)
        plan = index.plan()
    with fault(20, "one file, two names", root=photos) as case:
        done = index.carry_out(plan)
        case.undo(index)

        assert len(plan.moves) == 1
        assert (done.moved, [one.reason for one in done.refused]) == (
            (),
            ["it and its keeper are two names of one file"],
        )


# --- 21, 22: odd names


def test_hazard_21_and_22_odd_names(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Through index, dups, plan file, prune, undo; exact in JSON and behind -0; no control code on a terminal."""
    photos = make_photos(tmp_path / "data" / "photos", count=2)
    odd = {kind: os.fsencode(photos) + b"/" + name for kind, name in ODD_NAMES.items()}
    for path in odd.values():
        shutil.copy2(photos / KEEPER, path)
        os.utime(path)
    index.update(photos, jobs=0)
    group = json.loads(command(index, "dups", "--json").stdout)
    nul = _raw(index, "dups", "-0").split(b"\0")
    shown = b"".join(_on_a_terminal(index, *words) for words in (("dups",), ("prune",)))
    planned = command(index, "prune", "--plan-out", str(tmp_path / "plan.jsonl"))
    plan = index.plan_from((tmp_path / "plan.jsonl").read_text().splitlines())
    with fault(22, "all of them at once", root=photos) as case:
        index.carry_out(plan, max_share=1)
        listed = _raw(index, "quarantine", "list", "-0").split(b"\0")
        case.undo(index)

        assert planned.returncode == 0
        assert _codes(shown) <= {"\r", "\n"}
        assert len(listed) == len(odd) + 1
    for kind, path in odd.items():
        with fault(21 if kind == "not UTF-8" else 22, kind, root=photos):
            assert path in {os.fsencode(one["path"]) for one in group["surplus"]}
            assert path in nul
            assert path in {os.fsencode(move.surplus.member.full_path) for move in plan.moves}


def test_hazard_22_names_beside_a_leading_dash_are_no_options(tmp_path: Path, index: Index, fault: Faults) -> None:
    """What `dups -0` prints can be handed to any command."""
    photos = make_photos(tmp_path / "data" / "photos", count=2)
    shutil.copy2(photos / KEEPER, photos / "-rf.jpg")
    os.utime(photos / "-rf.jpg")
    index.update(photos, jobs=0)
    with fault(22, "-rf.jpg, from the folder itself", root=photos):
        call = [sys.executable, "-m", "indexer", "dups", "-0", "--db", index.path]
        nul = subprocess.run(call, check=True, capture_output=True, cwd=photos).stdout

        assert nul == b"./-rf.jpg\0"


def _raw(index: Index, *arguments: str) -> bytes:
    call = [sys.executable, "-m", "indexer", *arguments, "--db", index.path]
    return subprocess.run(call, check=True, capture_output=True).stdout


def _on_a_terminal(index: Index, *arguments: str) -> bytes:
    """What a command prints on a pseudo-terminal."""
    ours, theirs = pty.openpty()
    call = [sys.executable, "-m", "indexer", *arguments, "--db", index.path]
    with subprocess.Popen(call, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL):
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    return shown


def _codes(shown: bytes) -> set[str]:
    """The control codes in a text, those of Unicode that turn its direction included."""
    text = shown.decode(errors="replace")
    return {c for c in text if unicodedata.category(c) in {"Cc", "Cf"} or c == "\ufffd"}


# --- 23: long names, long paths


def test_hazard_23_a_path_longer_than_the_system_takes(tmp_path: Path, index: Index, fault: Faults) -> None:
    """What lies deeper is named as a folder that cannot be listed; all else is indexed, pruned and brought back."""
    photos = with_copy(tmp_path, index)
    descriptor = os.open(photos, os.O_RDONLY)
    for _level in range(20):
        os.mkdir("d" * 250, dir_fd=descriptor)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    with open(os.open("deep.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor), "wb") as stream:
        stream.write(encoded(drawn(60)))
    os.close(descriptor)
    try:
        with fault(23, "5,000 bytes of folders", root=photos / "z"):
            ran = command(index, "index", str(photos), "--jobs", "0", "--json")
            pruned = command(index, "prune", "--yes", "--json")
            undone = command(index, "undo", "--json")

            assert (ran.returncode, json.loads(ran.stdout)["files"]) == (3, 7)
            assert "cannot be listed: File name too long" in ran.stderr
            assert (pruned.returncode, json.loads(pruned.stdout.splitlines()[-1])["moved"]) == (0, 1), pruned.stderr
            assert undone.returncode == 0
    finally:
        shutil.rmtree(photos / ("d" * 250))


def test_hazard_23_a_thousand_levels(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Depth by itself is no trouble: nothing recurses."""
    photos = make_photos(tmp_path / "data" / "photos", count=2)
    deep = f"{photos}{'/d' * 1_000}"
    for level in range(len(str(photos)) + 2, len(deep) + 1, 2):
        os.mkdir(deep[:level])
    shutil.copy2(photos / KEEPER, f"{deep}/copy.jpg")
    os.utime(f"{deep}/copy.jpg")
    try:
        with fault(23, "1,000 levels", root=photos / "a") as case:
            report = index.update(photos, jobs=0)
            done = index.carry_out(index.plan())
            case.undo(index)

            assert (report.files, len(done.moved), os.path.exists(f"{deep}/copy.jpg")) == (3, 1, True)
    finally:
        subprocess.run(["rm", "-rf", str(photos / "d")], check=True)  # shutil's way recurses
