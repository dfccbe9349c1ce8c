"""Hazards 54 to 57: plans that are old, edited or too big, dry runs, and runs without `--yes`."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checking import KEEPER, SURPLUS, payloads, with_copy
from score import Faults
from support import tree

from indexer import Index
from indexer.entry import run

MEMORY = Path("/dev/shm")  # noqa: S108 - nothing waits for a disk there


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory, or where temporary files lie."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def index(place: Path) -> Index:
    """An index in that folder."""
    return Index(place / "imgindex.db")


def pruned(index: Index, *options: str) -> int:
    """The exit code of a prune as a user types it."""
    return run(["prune", "--db", index.path, *options])


def written(index: Index, name: str, *options: str) -> Path:
    """A plan file beside an index."""
    plan = Path(index.path).with_name(name)
    assert pruned(index, "--quiet", "--plan-out", str(plan), *options) == 0
    return plan


def everything(folder: Path) -> dict[str, tuple[object, ...]]:
    """Kind, permissions, owner, times and bytes of all that lies in a folder, but for when it was read."""
    found = {}
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        data = path.read_bytes() if path.is_file() else None
        found[str(path)] = (seen.st_mode, seen.st_uid, seen.st_nlink, seen.st_mtime_ns, seen.st_ctime_ns, data)
    return found


# --- 54: plan files that are edited

Edit = Callable[[dict[str, Any], dict[str, Any]], object]
EDITS: list[Any] = [
    pytest.param(lambda head, _move: head.update(index="0" * 32), 4, id="another index"),
    pytest.param(lambda head, _move: head.update(after_run=99), 4, id="a later state of the index"),
    pytest.param(lambda head, _move: head.update(after_run=0), 4, id="an earlier state of the index"),
    pytest.param(lambda head, _move: head.update(form=2), 4, id="another form"),
    pytest.param(
        lambda head, _move: head.update(action="rewrite"),
        4,
        id="an action that is none of a plan",
    ),
    pytest.param(lambda head, _move: head.pop("on_conflict"), 4, id="half a header"),
    pytest.param(lambda head, _move: head.update(imgindex="plans"), 4, id="no header"),
    pytest.param(lambda _head, move: move.pop("keep"), 4, id="no keeper"),
    pytest.param(lambda _head, move: move.update(keep=None), 4, id="a keeper that is null"),
    pytest.param(lambda _head, move: move.update(keep=["a"]), 4, id="a keeper that is a list"),
    pytest.param(lambda _head, move: move.update(digest="zz"), 4, id="a digest that is none"),
    pytest.param(lambda _head, move: move.update(move="z/copy.jpg"), 4, id="a relative path"),
    pytest.param(
        lambda _head, move: move.update(move=move["move"].replace("/z/", "/b/../z/")), 4, id="a path that goes back"
    ),
    pytest.param(lambda _head, move: move.update(keep=move["move"]), 3, id="its own keeper"),
    pytest.param(
        lambda _head, move: move.update(keep=move["move"].replace("/z/", "/z//")),
        4,
        id="its own keeper, spelt otherwise",
    ),
    pytest.param(lambda _head, move: move.update(digest="0" * 64), 3, id="another digest"),
    pytest.param(lambda _head, move: move.update(keep_digest="0" * 64), 3, id="another digest of the keeper"),
    pytest.param(lambda _head, move: move.update(kind="flipped"), 3, id="another kind"),
    pytest.param(lambda _head, move: move.update(keep=move["keep"].replace("a/0", "b/1")), 3, id="an unlike keeper"),
    pytest.param(
        lambda _head, move: move.update(keep=move["keep"].replace("a/0", "b/1"), keep_digest=move["digest"]),
        3,
        id="an unlike keeper, the digest put right",
    ),
    pytest.param(lambda _head, move: move.update(keep="/etc/hostname"), 3, id="a keeper outside"),
    pytest.param(lambda _head, move: move.update(move="/etc/hostname"), 3, id="a file outside"),
    pytest.param(
        lambda _head, move: move["sidecars"].append({"path": move["keep"], "digest": move["digest"]}),
        3,
        id="the keeper as a sidecar",
    ),
    pytest.param(
        lambda _head, move: move["texts"].append({"path": move["keep"], "digest": move["digest"]}),
        3,
        id="the keeper as a text to rewrite",
    ),
]


@pytest.mark.parametrize(("edit", "expected"), EDITS)
def test_hazard_54_plan_that_was_edited(
    place: Path, index: Index, fault: Faults, request: pytest.FixtureRequest, edit: Edit, expected: int
) -> None:
    """A plan that says what the index does not is refused by the line (3), or as a whole when it is no plan (4)."""
    photos = with_copy(place, index)
    plan = written(index, "plan.jsonl")
    head, move = map(json.loads, plan.read_text().splitlines())
    edit(head, move)
    plan.write_text(f"{json.dumps(head)}\n{json.dumps(move)}\n")
    before = everything(photos)

    with fault(54, f"edited: {request.node.callspec.id}", root=photos):
        code = pruned(index, "--yes", "--quiet", "--plan", str(plan))

    assert code == expected
    assert everything(photos) == before


def exchanged(text: str) -> str:
    """A plan that moves what it kept."""
    return text.replace('"move"', '"hold"').replace('"keep"', '"move"').replace('"hold"', '"keep"')


@pytest.mark.parametrize(
    ("rewrite", "expected", "moved"),
    [
        pytest.param(lambda text: text[:-20], 4, 0, id="cut off"),
        pytest.param(lambda text: text.split("\n", 1)[1], 4, 0, id="the header taken out"),
        pytest.param(lambda _text: "", 4, 0, id="empty"),
        pytest.param(lambda text: text + text.split("\n", 1)[1], 3, 1, id="a line twice"),
        pytest.param(lambda text: text.replace('{"move"', '# {"move"'), 0, 0, id="the line commented out"),
        pytest.param(exchanged, 0, 1, id="keeper and surplus exchanged"),
    ],
)
def test_hazard_54_plan_file_that_was_rewritten(
    place: Path,
    index: Index,
    fault: Faults,
    request: pytest.FixtureRequest,
    rewrite: Callable[[str], str],
    expected: int,
    moved: int,
) -> None:
    """What is left of a plan moves no more than it says, and one file of two stays whatever it says."""
    photos = with_copy(place, index)
    plan = written(index, "plan.jsonl")
    plan.write_text(rewrite(plan.read_text()))

    with fault(54, f"rewritten: {request.node.callspec.id}", root=photos) as case:
        code = pruned(index, "--yes", "--quiet", "--plan", str(plan))
        taken = len(payloads(photos))
        case.undo(index)

    assert (code, taken) == (expected, moved)


@pytest.mark.parametrize("renamed", [False, True], ids=["as it was", "under a new name and state"])
def test_hazard_54_plan_that_was_carried_out_and_undone(
    place: Path, index: Index, fault: Faults, renamed: bool
) -> None:
    """A plan is good for one time: a second time it is refused, also when its header was put right by hand."""
    photos = with_copy(place, index)
    plan = written(index, "plan.jsonl")
    pruned(index, "--yes", "--quiet", "--plan", str(plan))
    index.undo()
    (photos / KEEPER).unlink()
    if renamed:
        head, *moves = plan.read_text().splitlines()
        plan.write_text("\n".join([json.dumps({**json.loads(head), "plan": "new", "after_run": 3}), *moves]))

    with fault(54, f"carried out and undone, its keeper gone, renamed: {renamed}", root=photos):
        code = pruned(index, "--yes", "--quiet", "--plan", str(plan))

    assert (code, (photos / SURPLUS).exists()) == (3 if renamed else 4, True)


# --- 55: the dry run


@pytest.mark.parametrize("json_", [False, True], ids=["text", "JSON"])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="plain"),
        pytest.param(("--link", "hard"), id="hard links"),
        pytest.param(("--update", "{list}"), id="a list"),
        pytest.param(("--on-conflict", "merge"), id="merge"),
        pytest.param(("--plan", "{plan}"), id="a plan file"),
        pytest.param(("--max-files", "0"), id="over the limit"),
    ],
)
def test_hazard_55_dry_run_says_what_the_real_run_says(
    place: Path,
    index: Index,
    fault: Faults,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    json_: bool,
) -> None:
    """The plan that is shown is, byte for byte, the one that is carried out; showing it leaves no trace on disk."""
    photos = with_copy(place, index, captions=True)
    shutil.copy2(photos / "b" / "1.jpg", photos / "z" / "other.jpg")
    (photos / "z" / "other.txt").write_text("only the copy says so")
    index.update(photos, jobs=0)
    (place / "list.txt").write_text(f"{photos / KEEPER}\n{photos / SURPLUS}\n")
    pruned(index, "--quiet", "--plan-out", str(place / "plan.jsonl"))
    options = tuple(one.format(list=place / "list.txt", plan=place / "plan.jsonl") for one in options)
    options += ("--json",) if json_ else ()
    before = everything(place)
    capsys.readouterr()

    with fault(55, " ".join(options).replace(str(place), ""), root=photos) as case:
        pruned(index, *options)
        dry, between = capsys.readouterr().out.splitlines(), everything(place)
        pruned(index, "--yes", *options)
        real = capsys.readouterr().out.splitlines()
        case.undo(index)

    told = [line for line in dry if line.startswith('{"keep"')] if json_ else dry[: dry.index("") + 1]
    assert between == before
    assert len(told) >= 1
    assert real[: len(told)] == told


# --- 56: plans that take too much


@pytest.mark.parametrize(
    "options",
    [(), ("--link", "symlink"), ("--plan", "{plan}"), ("{other}",), ("{data}", "{other}")],
    ids=["move", "link", "plan file", "the folder named", "all folders named"],
)
def test_hazard_56_runaway_plan(
    place: Path, index: Index, fault: Faults, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    """A plan for 60 % of one folder is refused, though it is a small part of all; the option in the hint lets it pass."""
    photos, other = with_copy(place, index), place / "other"
    make_copies(photos / "a" / "2.jpg", other, 10)
    shutil.move(other / "9.jpg", photos / "z" / "2.jpg")
    for number in range(4):
        (other / f"{number}.jpg").write_bytes((photos / "b" / "1.jpg").read_bytes() + bytes(number))
    index.update(other, photos, jobs=0)
    plan = written(index, "plan.jsonl")
    options = tuple(one.format(plan=plan, data=photos, other=other) for one in options)
    before = everything(place / "data") | everything(other)

    with fault(56, f"most files of a folder, {options[:1]}", root=other, others=[photos]) as case:
        refused = pruned(index, "--yes", "--quiet", *options)
        hint = capsys.readouterr().err
        between = everything(place / "data") | everything(other)
        passed = pruned(index, "--yes", "--quiet", "--max-share", hint.split("--max-share ")[1].split()[0], *options)
        case.undo(index)

    assert (refused, passed) == (4, 0)
    assert between == before


def make_copies(path: Path, folder: Path, number: int) -> None:
    """Copies of a file in a new folder."""
    folder.mkdir()
    for one in range(number):
        shutil.copy2(path, folder / f"{one}.jpg")


@pytest.mark.parametrize(
    ("settings", "options", "code"),
    [
        pytest.param("", ("--max-files", "0"), 4, id="option"),
        pytest.param("", ("--max-files", "1"), 0, id="just enough"),
        pytest.param("max-files = 0\n", (), 4, id="settings"),
        pytest.param("max-files = 0\n", ("--max-files", "1"), 0, id="option outranks settings"),
        pytest.param("max-share = 0.1\n", (), 4, id="share in settings"),
        pytest.param("max-share = 0.1\n", ("--max-share", "0.15"), 0, id="share outranks settings"),
    ],
)
def test_hazard_56_limits(
    place: Path, index: Index, fault: Faults, settings: str, options: tuple[str, ...], code: int
) -> None:
    """The largest number and share that are allowed are those of the options, else of the settings."""
    photos = with_copy(place, index)
    (place / "imgindex.toml").write_text(settings)

    with fault(56, f"limits {settings.strip()} {options}", root=photos) as case:
        ended = pruned(index, "--yes", "--quiet", *options)
        moved = len(payloads(photos))
        case.undo(index)

    assert (ended, moved) == (code, 0 if code else 1)


# --- 57: nobody said yes


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--plan", "{plan}"), id="a plan file"),
        pytest.param(("--link", "hard"), id="links"),
        pytest.param(("--update", "{list}"), id="a list"),
        pytest.param(("--on-conflict", "merge"), id="merge"),
        pytest.param(("--dry-run", "--yes"), id="yes, but a dry run"),
        pytest.param(("--quiet",), id="quiet"),
        pytest.param(("--json",), id="JSON"),
        pytest.param(("--plan-out", "-"), id="the plan printed"),
    ],
)
def test_hazard_57_nothing_happens_without_yes(
    place: Path, index: Index, fault: Faults, options: tuple[str, ...]
) -> None:
    """No option but `--yes` alone makes prune change anything, in the data set, beside it or in the index."""
    photos = with_copy(place, index, captions=True)
    (photos / SURPLUS).with_suffix(".txt").write_text("a mosaic\n\n")
    (place / "list.txt").write_text(f"{photos / SURPLUS}\n")
    plan = written(index, "plan.jsonl")
    options = tuple(one.format(plan=plan, list=place / "list.txt") for one in options)
    before = everything(place)

    with fault(57, " ".join(options).replace(str(place), ""), root=photos):
        code = pruned(index, *options)

    assert code == 0
    assert everything(place) == before
    assert tree(photos)
