"""Leaks between the splits of a data set: found, reported, and parted without touching the pinned split."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image, ImageOps
from support import aged, make_photos, tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.entry import run
from indexer.errors import SafetyError, UsageError

SPLITS = ["--split", "train=set/train", "--split", "test=set/test"]
Pairs = set[tuple[str, str, str]]


@pytest.fixture
def planted(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pairs:
    """Real photos in class folders of two splits, three of them in both in another form; the pairs of names and kinds."""
    source = data / "photos_clothing"
    for split, most in (("train", 60), ("test", 39)):
        for path in sorted((source / split).rglob("*.jpg"))[:most]:
            target = tmp_path / "set" / split / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    train, test = tmp_path / "set" / "train", tmp_path / "set" / "test"
    first, second, third = (sorted(train.rglob("*.jpg"))[number] for number in (3, 20, 50))
    for path in (first, second, third):
        (test / path.parent.name).mkdir(exist_ok=True)
    shutil.copy(first, test / first.parent.name / "bytes.jpg")
    with Image.open(second) as picture:
        half = picture.convert("RGB").resize((picture.width // 2, picture.height // 2))
        half.save(test / second.parent.name / "same.jpg", quality=80)
    with Image.open(third) as picture:
        ImageOps.mirror(picture.convert("RGB")).save(test / third.parent.name / "flipped.png")
    monkeypatch.chdir(tmp_path)
    Index("imgindex.db").update("set", jobs=2)
    return {
        (first.name, "bytes.jpg", "bytes"),
        (second.name, "same.jpg", "same"),
        (third.name, "flipped.png", "flipped"),
    }


@pytest.fixture
def drawings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Index]:
    """Indexes drawn pictures of given numbers, each file with a neighbour of its own; the current folder."""
    monkeypatch.chdir(tmp_path)

    def draw(**files: int) -> Index:
        for name, number in {**files, "train__own": 90, "test__own": 91}.items():
            path = tmp_path / "set" / (name.replace("__", "/") + ".jpg")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(drawn(number)))
            aged(path)
        index = Index("imgindex.db")
        index.update("set", jobs=0)
        return index

    return draw


def found(out: str) -> list[dict[str, Any]]:
    """The objects of some output."""
    return [json.loads(line) for line in out.splitlines()]


def test_planted_leaks_are_found_with_their_kind_and_nothing_else(
    planted: Pairs, capsys: pytest.CaptureFixture[str]
) -> None:
    """A byte copy, one saved again at half the size and a mirrored one, among a hundred photos; the exit code is 10."""
    code = run(["leaks", *SPLITS, "--json"])
    leaks = found(capsys.readouterr().out)

    pairs = {
        (Path(str(leak["path"])).name, Path(other["path"]).name, other["kind"])
        for leak in leaks
        for other in leak["leaks"]
    }
    assert code == 10
    assert pairs == planted
    assert {leak["split"] for leak in leaks} == {"train"}


def test_fix_parts_the_splits_and_leaves_the_pinned_one_as_it_is(
    planted: Pairs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dry run moves nothing; `--yes` takes three out of train, though test has the smaller ones; undo brings them."""
    before = tree(tmp_path / "set")
    fix = ["leaks", *SPLITS, "--pin", "test", "--fix"]

    assert run(fix) == 10
    assert tree(tmp_path / "set") == before
    assert run([*fix, "--yes"]) == 0
    assert "No leaks between train, test." in capsys.readouterr().out
    after = tree(tmp_path / "set")
    assert {Path(name).name for name in before.keys() - after.keys()} == {pair[0] for pair in planted}
    assert {name: after[name] for name in after if name.startswith("test/")} == {
        name: before[name] for name in before if name.startswith("test/")
    }
    assert run(["undo"]) == 0
    assert tree(tmp_path / "set") == before


def test_kinds_choose_which_matches_are_leaks(planted: Pairs, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--kinds bytes` only the byte copy is one."""
    code = run(["leaks", *SPLITS, "--kinds", "bytes", "--json"])

    assert code == 10
    assert [leak["leaks"][0]["kind"] for leak in found(capsys.readouterr().out)] == ["bytes"]


def test_junit_report_has_a_case_for_each_two_splits(planted: Pairs, tmp_path: Path) -> None:
    """Train and test fail with a line a leak, the empty third split with neither; an earlier report is replaced."""
    (tmp_path / "set" / "val").mkdir()
    (tmp_path / "set" / "val" / "own.jpg").write_bytes(encoded(drawn(5)))
    Index("imgindex.db").update("set", jobs=0)
    (tmp_path / "leaks.xml").write_text("<?xml an earlier and longer one" + "x" * 10_000)

    code = run(["leaks", *SPLITS, "--split", "val=set/val", "--junit", "leaks.xml"])

    suite = ET.parse(tmp_path / "leaks.xml").getroot()[0]  # noqa: S314 - our own
    failed = {case.get("name"): (case[0].text or "").count("\n") + 1 for case in suite if len(case)}
    assert code == 10
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert failed == {"train and test share no picture": 3}


def test_junit_never_replaces_what_is_no_report(drawings: Callable[..., Index], tmp_path: Path) -> None:
    """A picture that is named by mistake stays."""
    drawings()
    picture = tmp_path / "set" / "train" / "own.jpg"
    before = picture.read_bytes()

    assert run(["leaks", *SPLITS, "--junit", str(picture)]) == 2
    assert picture.read_bytes() == before


def test_each_file_that_leaks_is_in_a_group(drawings: Callable[..., Index]) -> None:
    """One train picture that test has twice, and one test picture that train has twice: all six files are named."""
    index = drawings(train__a=1, test__b=1, test__c=1, train__d=2, train__e=2, test__f=2)

    _parts, leaks = index.leaks({"train": "set/train", "test": "set/test"})

    groups = [(leak.group.keeper, *(one.member for one in leak.group.surplus)) for leak in leaks]
    assert {member.path for group in groups for member in group} == {
        *("train/a.jpg", "test/b.jpg", "test/c.jpg", "train/d.jpg", "train/e.jpg", "test/f.jpg")
    }
    assert all(leak.splits[0] == "train" and set(leak.splits[1:]) == {"test"} for leak in leaks)


def test_copies_within_a_split_are_no_leak(drawings: Callable[..., Index], capsys: pytest.CaptureFixture[str]) -> None:
    """Train may have a picture twice."""
    drawings(train__a=1, train__b=1)

    assert run(["leaks", *SPLITS]) == 0
    assert capsys.readouterr().out == "No leaks between train, test.\n"


def test_two_names_of_one_file_are_a_leak_that_fix_leaves(drawings: Callable[..., Index], tmp_path: Path) -> None:
    """A hard link from one split into the other: prune does not move names of the kept file, so the exit code stays 10."""
    index = drawings(train__a=1)
    os.link(tmp_path / "set" / "train" / "a.jpg", tmp_path / "set" / "test" / "b.jpg")
    index.update("set", jobs=0)
    before = tree(tmp_path / "set")

    assert run(["leaks", *SPLITS]) == 10
    assert run(["leaks", *SPLITS, "--pin", "test", "--fix", "--yes"]) == 10
    assert tree(tmp_path / "set") == before


def test_protected_files_leak_like_all_others_and_stay(drawings: Callable[..., Index], tmp_path: Path) -> None:
    """What the settings protect in both splits is a leak, and --fix does not move it."""
    drawings(train__a=1, test__b=1)
    (tmp_path / "imgindex.toml").write_text('protect = ["set"]\n')
    before = tree(tmp_path / "set")

    assert run(["leaks", *SPLITS]) == 10
    assert run(["leaks", *SPLITS, "--pin", "test", "--fix", "--yes"]) == 10
    assert tree(tmp_path / "set") == before


def test_the_pinned_split_stays_whatever_the_settings_say(drawings: Callable[..., Index], tmp_path: Path) -> None:
    """Where settings let nothing go but what train stands for, test would lose its copy; nothing moves."""
    drawings(train__a=1, test__b=1)
    (tmp_path / "imgindex.toml").write_text('only-if-in = ["set/train"]\n')
    before = tree(tmp_path / "set")

    assert run(["leaks", *SPLITS, "--pin", "test", "--fix", "--yes"]) == 10
    assert tree(tmp_path / "set") == before


def test_of_two_unpinned_splits_the_first_keeps_its_picture(drawings: Callable[..., Index], tmp_path: Path) -> None:
    """Val and train share a picture that test has not: it stays in val, which was named before train."""
    drawings(train__a=1, val__b=1)
    splits = ["--split", "val=set/val", "--split", "train=set/train", "--split", "test=set/test"]

    assert run(["leaks", *splits, "--pin", "test", "--fix", "--yes"]) == 0
    assert {*tree(tmp_path / "set")} == {"val/b.jpg", "train/own.jpg", "test/own.jpg"}


def in_classes(tmp_path: Path, **files: int) -> Index:
    """Indexes drawn pictures: `val__cat__1=5` is drawing 5 as val/cat/1.jpg, of 30 others in train/dog."""
    everything = {**files, **{f"train__dog__own{number}": 100 + number for number in range(30)}}
    for name, number in everything.items():
        path = tmp_path / "set" / f"{name.replace('__', '/')}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(drawn(number)))
        aged(path)
    index = Index(tmp_path / "imgindex.db")
    index.update(tmp_path / "set", jobs=0)
    return index


FIX = ["--pin", "test", "--fix", "--yes", "--quiet"]


def test_a_fix_that_would_take_most_of_a_split_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though it is a small share of all files: three of the four of val; until --max-share confirms it."""
    monkeypatch.chdir(tmp_path)
    shared = {f"{split}__{number}": number for split in ("val", "test") for number in range(3)}
    in_classes(tmp_path, **shared, val__own=50)
    splits = ["--split", "train=set/train", "--split", "val=set/val", "--split", "test=set/test"]
    before = tree(tmp_path / "set")

    dry = run(["leaks", *splits, *FIX[:-2]])
    told = capsys.readouterr().err
    refused = run(["leaks", *splits, *FIX])
    error = capsys.readouterr().err

    assert (dry, refused) == (10, 4)
    assert "with --yes, this would be refused: the plan would take 3 of the 4 pictures of the split 'val' (75%)" in told
    assert "the plan would take 3 of the 4 pictures of the split 'val' (75%)" in error
    assert "--max-share 0.75" in error
    assert tree(tmp_path / "set") == before
    assert run(["leaks", *splits, *FIX, "--max-share", "0.75"]) == 0
    assert {name for name in tree(tmp_path / "set") if name.startswith("val")} == {"val/own.jpg"}


def test_a_fix_that_would_leave_nothing_of_a_class_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both cats of train, of 32 pictures; half of a class may go, and folders are no classes when that is said."""
    monkeypatch.chdir(tmp_path)
    cats = {f"{split}__cat__{number}": number for split in ("train", "test") for number in range(2)}
    index = in_classes(tmp_path, **cats, train__cow__1=60, train__cow__2=61, test__cow__1=60)
    splits = {"train": tmp_path / "set" / "train", "test": tmp_path / "set" / "test"}

    assert run(["leaks", *SPLITS, *FIX]) == 4
    error = capsys.readouterr().err
    assert "the plan would leave no picture of the class 'cat' in the split 'train'" in error
    assert "--max-share 1\n" in error
    with pytest.raises(SafetyError, match="no picture of the class 'cat'"):
        index.carry_out(index.leak_plan(splits, "test"))
    assert run(["leaks", *SPLITS, *FIX, "--no-class-folders"]) == 0
    assert {*tree(tmp_path / "set" / "train")} == {"cow/2.jpg", *(f"dog/own{number}.jpg" for number in range(30))}
    assert run(["undo"]) == 0
    assert run(["leaks", *SPLITS, *FIX, "--max-share", "1"]) == 0


@pytest.fixture
def yolo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One folder of images with labels beside it, and a list for each split; 1.jpg of train is 9.jpg of test."""
    home = tmp_path / "yolo"
    make_photos(home / "images", 6)
    names = sorted(path for path in (home / "images").rglob("*.jpg"))
    shutil.copy2(names[0], home / "images" / "copy.jpg")
    for path in (*names, home / "images" / "copy.jpg"):
        label = Path(str(path).replace("/images/", "/labels/")).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 0.1 0.1\n")
    (home / "train.txt").write_text("".join(f"./{path.relative_to(home)}\n" for path in names))
    (home / "test.txt").write_text("./images/copy.jpg\n")
    monkeypatch.chdir(home)
    Index("imgindex.db").update("images", jobs=0)
    return home


LISTS = ["--split", "train=train.txt", "--split", "test=test.txt"]


def test_splits_can_be_lists_and_fix_keeps_them_true(yolo: Path) -> None:
    """The picture and its label leave, and so does its line of train.txt; undo brings back all three."""
    before = tree(yolo)
    first = (yolo / "train.txt").read_text().splitlines()[0]

    assert run(["leaks", *LISTS]) == 10
    assert run(["leaks", *LISTS, "--pin", "test", "--fix", "--yes"]) == 0

    after = tree(yolo)
    label = first[2:].replace("images/", "labels/").replace(".jpg", ".txt")
    gone = {name for name in before.keys() - after.keys() if not name.startswith("imgindex")}
    assert gone == {first[2:], label}
    assert first not in (yolo / "train.txt").read_text()
    assert len((yolo / "train.txt").read_text().splitlines()) == 5
    assert (yolo / "test.txt").read_text() == "./images/copy.jpg\n"
    assert run(["undo"]) == 0
    assert {name: tree(yolo)[name] for name in gone} == {name: before[name] for name in gone}
    assert tree(yolo)["train.txt"] == before["train.txt"]


def test_the_list_of_the_pinned_split_is_not_rewritten(yolo: Path) -> None:
    """Not even when it names a picture that was pruned before, whose row `prune --update` would drop."""
    (yolo / "images" / "z.jpg").write_bytes((yolo / "images" / "a" / "2.jpg").read_bytes() + b"again")
    Index("imgindex.db").update("images", jobs=0)
    assert run(["prune", "images", "--only-if-in", "images/a", "--within", "images", "--yes", "-q"]) == 0
    (yolo / "test.txt").write_text("./images/b/1.jpg\n./images/z.jpg\n./images/copy.jpg\n")
    (yolo / "train.txt").write_text("./images/a/0.jpg\n./images/a/2.jpg\n")
    before = (yolo / "test.txt").read_bytes()

    run(["leaks", *LISTS, "--pin", "test", "--fix", "--yes"])

    assert not (yolo / "images" / "z.jpg").exists()
    assert (yolo / "test.txt").read_bytes() == before


def test_a_list_and_the_folder_it_lies_in_can_be_splits(yolo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the list names is its own, all the rest the folder's."""
    code = run(["leaks", "--split", "train=images", "--split", "test=test.txt", "--json"])

    (leak,) = found(capsys.readouterr().out)
    assert code == 10
    assert leak["split"] == "train"
    assert leak["leaks"][0]["path"] == "images/copy.jpg"


@pytest.mark.parametrize("what", ["a line that the index does not know", "an unreadable file"])
def test_no_leaks_among_what_was_compared_is_exit_code_3(
    yolo: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gate that passes although a picture was not compared would be none."""
    (yolo / "images" / "copy.jpg").write_bytes(encoded(drawn(70)))
    if what.startswith("a line"):
        (yolo / "test.txt").write_text("images/copy.jpg\nimages/missing.jpg\n")
    else:
        (yolo / "images" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
        (yolo / "test.txt").write_text("images/copy.jpg\nimages/broken.jpg\n")
    Index("imgindex.db").update("images", jobs=0)

    assert run(["leaks", *LISTS]) == 3
    assert "test: 1 file not compared" in capsys.readouterr().err


def test_an_unreadable_file_of_a_folder_is_exit_code_3(drawings: Callable[..., Index], tmp_path: Path) -> None:
    """As for lists."""
    index = drawings()
    (tmp_path / "set" / "test" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    index.update("set", jobs=0)

    assert run(["leaks", *SPLITS]) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--split", "train=set/train"], "name two at least", id="one split"),
        pytest.param([*SPLITS, "--split", "test=set/train"], "comes twice", id="twice"),
        pytest.param(["--split", "set/train", "--split", "test=set/test"], "is no split", id="no name"),
        pytest.param([*SPLITS, "--split", "val=set/val"], "there is no 'set/val'", id="missing"),
        pytest.param([*SPLITS, "--split", "val=set/empty"], "knows no file of the split 'val'", id="empty"),
        pytest.param([*SPLITS, "--split", "val=."], "", id="above the root"),
        pytest.param([*SPLITS, "--split", "val=elsewhere"], "is not in the index", id="not indexed"),
        pytest.param([*SPLITS, "--split", "a=a.txt", "--split", "b=b.txt"], "lists of both a and b", id="shared"),
        pytest.param([*SPLITS, "--split", "a=c.txt"], "knows no file that", id="unknown list"),
        pytest.param([*SPLITS, "--pin", "val"], "no split 'val' to pin", id="unknown pin"),
        pytest.param([*SPLITS, "--fix"], "--pin test", id="fix without pin"),
        pytest.param([*SPLITS, "--yes"], "--yes carries out what --fix shows", id="yes without fix"),
    ],
)
def test_what_makes_no_sense_is_refused(
    drawings: Callable[..., Index],
    tmp_path: Path,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, with what to do; a misspelt split never passes for one without leaks."""
    drawings()
    for name in ("set/empty", "elsewhere"):
        (tmp_path / name).mkdir()
    for name, line in (("a.txt", "set/train/own.jpg"), ("b.txt", "train/own.jpg"), ("c.txt", "x.jpg")):
        (tmp_path / name).write_text(line + "\n")

    code = run(["leaks", *arguments])

    assert code == (2 if words else 0)
    assert words in capsys.readouterr().err


def test_plan_for_python_takes_the_kinds_that_it_is_given(drawings: Callable[..., Index], tmp_path: Path) -> None:
    """All of them when it is given none."""
    index = drawings(train__a=1, test__b=1, train__c=2)
    (tmp_path / "set" / "test" / "c.jpg").write_bytes(encoded(ImageOps.mirror(drawn(2))))
    index.update("set", jobs=0)
    splits = {"train": "set/train", "test": "set/test"}

    assert len(index.leak_plan(splits, "test").moves) == 2
    assert len(index.leak_plan(splits, "test", kinds=["bytes"]).moves) == 1


def test_plan_for_python_needs_a_split_that_exists(drawings: Callable[..., Index]) -> None:
    """As the command."""
    index = drawings(train__a=1, test__b=1)

    assert [
        move.surplus.member.path for move in index.leak_plan({"train": "set/train", "test": "set/test"}, "test").moves
    ] == ["train/a.jpg"]
    assert index.leak_plan({"train": "set/train", "test": "set/test"}, "test", protect=["set/train/a.jpg"]).moves == ()
    with pytest.raises(UsageError, match="no split 'val'"):
        index.leak_plan({"train": "set/train", "test": "set/test"}, "val")
