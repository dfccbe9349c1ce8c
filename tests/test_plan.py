"""Groups → a plan: conflicts of labels, merges, sidecars and settings, on real folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.errors import UsageError
from indexer.plans import Action, Plan

ONE, TWO, THREE = (encoded(drawn(seed)) for seed in (1, 2, 3))
"""Pictures of which none is like another."""
LONG_AGO_NS = 1_600_000_000 * 10**9


def indexed(root: Path, files: Mapping[str, bytes]) -> Index:
    """An index beside a folder of files of one age, so that the first path is kept."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    index = Index(root.parent / "imgindex.db")
    index.update(root, jobs=0)
    return index


def moves(plan: Plan) -> list[tuple[str, str]]:
    """The path of each file that goes, with that of its keeper."""
    return [(move.surplus.member.path, move.keeper.path) for move in plan.moves]


def sidecars(plan: Plan) -> list[list[str]]:
    """The names of the sidecars that go with each file."""
    return [[os.path.basename(one.path) for one in move.sidecars] for move in plan.moves]


def conflicts(plan: Plan) -> list[tuple[str, list[str]]]:
    """The keeper of each conflict, and what is wrong with its surplus files."""
    return [
        (one.group.keeper.path, [f"{os.path.basename(each.path)}: {each.what}" for each in one.differences])
        for one in plan.conflicts
    ]


def merges(plan: Plan) -> list[tuple[str, bytes]]:
    """The texts that get a new version, in order."""
    return [(merge.path, merge.data) for move in plan.moves for merge in move.merges]


# --- conflicts


@pytest.mark.parametrize(
    ("files", "class_folders", "problems"),
    [
        pytest.param({"a/1.txt": b"a cat", "b/1.txt": b"a cat\n"}, None, [], id="captions agree"),
        pytest.param({"a/1.txt": b"a cat"}, None, [], id="the keeper says more"),
        pytest.param({"a/1.txt": b"a cat", "b/1.txt": b"a dog"}, None, ["1.jpg: its .txt differs"], id="captions"),
        pytest.param({"b/1.txt": b"a cat"}, None, ["1.jpg: it has .txt, the kept file has none"], id="keeper has none"),
        pytest.param({}, True, ["1.jpg: class 'b' instead of 'a'"], id="folders are classes"),
        pytest.param({}, None, [], id="folders that do not look like classes"),
        pytest.param(
            {"a/1.json": b'{"x": 1}', "b/1.json": b'{"x": 2}', "b/1.jpg.xmp": b"x"},
            False,
            ["1.jpg: its .json differs", "1.jpg: it has +.xmp, the kept file has none"],
            id="two",
        ),
    ],
)
def test_groups_whose_labels_disagree_are_left(
    tmp_path: Path, files: dict[str, bytes], class_folders: bool | None, problems: list[str]
) -> None:
    """A group is pruned when nothing is lost with its surplus, else it is a conflict and none of its files move."""
    index = indexed(tmp_path / "data", {"a/1.jpg": ONE, "b/1.jpg": ONE, **files})

    plan = index.plan(class_folders=class_folders)

    assert conflicts(plan) == ([("a/1.jpg", problems)] if problems else [])
    assert moves(plan) == ([] if problems else [("b/1.jpg", "a/1.jpg")])
    assert [group.keeper.path for group in plan.groups] == ([] if problems else ["a/1.jpg"])


def test_classes_are_those_of_the_folders(tmp_path: Path) -> None:
    """A copy in another class is a conflict; copies in a batch's folder are none."""
    files = {"cat/1.jpg": ONE, "dog/1.jpg": ONE, "cat/2.jpg": TWO, "scrape-3/2.jpg": TWO}
    index = indexed(tmp_path / "data", files)

    plan = index.plan()

    assert conflicts(plan) == [("cat/1.jpg", ["1.jpg: class 'dog' instead of 'cat'"])]
    assert moves(plan) == [("scrape-3/2.jpg", "cat/2.jpg")]


def test_one_file_that_disagrees_holds_its_whole_group(tmp_path: Path) -> None:
    """A copy without labels stays, too, when another copy of its keeper has labels of its own."""
    index = indexed(tmp_path / "data", {"a.jpg": ONE, "b.jpg": ONE, "c.jpg": ONE, "c.txt": b"a cat"})

    plan = index.plan()

    assert (moves(plan), conflicts(plan)) == ([], [("a.jpg", ["c.jpg: it has .txt, the kept file has none"])])


@pytest.mark.parametrize(
    ("on_conflict", "gone", "held", "new"),
    [
        pytest.param(None, [], ["a.jpg", "m.jpg"], [], id="left"),
        pytest.param("skip", [], ["a.jpg", "m.jpg"], [], id="skip"),
        pytest.param("prune", ["b.jpg", "n.jpg"], [], [], id="prune"),
        pytest.param("merge", ["b.jpg"], ["m.jpg"], [("a.txt", b"a cat\nasleep\n")], id="merge"),
    ],
)
def test_on_conflict(
    tmp_path: Path, on_conflict: str | None, gone: list[str], held: list[str], new: list[tuple[str, bytes]]
) -> None:
    """Groups that disagree are left, pruned with their labels, or merged where captions can be."""
    files = {"a.txt": b"a cat\n", "b.txt": b"asleep\n", "m.json": b"1", "n.json": b"2"}
    index = indexed(tmp_path / "data", {"a.jpg": ONE, "b.jpg": ONE, "m.jpg": TWO, "n.jpg": TWO, **files})

    plan = index.plan(on_conflict=on_conflict)

    assert [surplus for surplus, _keeper in moves(plan)] == gone
    assert [keeper for keeper, _problems in conflicts(plan)] == held
    assert merges(plan) == new
    assert sidecars(plan) == [[f"{name[0]}.{'txt' if name == 'b.jpg' else 'json'}"] for name in gone]


def test_merges_chain_over_the_surplus_and_come_back(tmp_path: Path) -> None:
    """Each merge builds on the one before; carried out, the keeper says it all, and undo gives every byte back."""
    texts = {"a.txt": b"a cat", "b.txt": b"asleep\na cat\n", "c.txt": b"asleep\r\non a sofa\r\n", "d.txt": b"a cat\n"}
    index = indexed(tmp_path / "data", {"a.jpg": ONE, "b.jpg": ONE, "c.jpg": ONE, "d.jpg": ONE, **texts})
    before = tree(tmp_path / "data")

    plan = index.plan(on_conflict="merge")
    done = index.carry_out(plan, max_share=1.0)
    after = tree(tmp_path / "data")
    index.undo()

    assert merges(plan) == [("a.txt", b"a cat\nasleep\n"), ("a.txt", b"a cat\nasleep\non a sofa\n")]
    assert (len(done.moved), done.refused) == (3, ())
    assert {name: data for name, (data, _mode, _time) in after.items()} == {
        "a.jpg": ONE,
        "a.txt": b"a cat\nasleep\non a sofa\n",
    }
    assert tree(tmp_path / "data") == before


def test_a_keeper_without_a_caption_gets_one_and_loses_it_by_undo(tmp_path: Path) -> None:
    """The first caption of a keeper is its surplus file's; undo removes it again."""
    index = indexed(tmp_path / "data", {"a.jpg": ONE, "b.jpg": ONE, "b.txt": b"a cat\n"})
    before = tree(tmp_path / "data")

    index.carry_out(index.plan(on_conflict="merge"))
    after = tree(tmp_path / "data")
    index.undo()

    assert {name: data for name, (data, _mode, _time) in after.items()} == {"a.jpg": ONE, "a.txt": b"a cat\n"}
    assert tree(tmp_path / "data") == before


@pytest.mark.parametrize("on_conflict", [None, "skip", "merge"])
def test_another_class_cannot_be_merged(tmp_path: Path, on_conflict: str | None) -> None:
    """Nobody but a person knows which of two classes is right."""
    index = indexed(tmp_path / "data", {"cat/1.jpg": ONE, "dog/1.jpg": ONE, "dog/1.txt": b"a dog"})

    plan = index.plan(on_conflict=on_conflict)

    assert (moves(plan), merges(plan)) == ([], [])
    assert conflicts(plan)[0][1][0] == "1.jpg: class 'dog' instead of 'cat'"


# --- sidecars


def test_sidecars_go_with_their_picture_and_come_back(tmp_path: Path) -> None:
    """Caption and labels of a surplus file go with it, those of the keeper stay; undo brings all back exactly."""
    files = {"images/a.txt": b"x", "images/b.txt": b"x\n", "labels/a.txt": b"0 1", "labels/b.txt": b"0 1"}
    index = indexed(tmp_path / "data", {"images/a.jpg": ONE, "images/b.jpg": ONE, **files})
    before = tree(tmp_path / "data")

    plan = index.plan()
    index.carry_out(plan)
    after = tree(tmp_path / "data")
    index.undo()

    assert sidecars(plan) == [["b.txt", "b.txt"]]
    assert sorted(after) == ["images/a.jpg", "images/a.txt", "labels/a.txt"]
    assert tree(tmp_path / "data") == before


@pytest.mark.parametrize(
    ("copies", "going", "left"),
    [
        pytest.param({"k/1.jpg": ONE}, [[]], ["z/1.png", "z/1.txt"], id="another picture needs it"),
        pytest.param({"k/1.jpg": ONE, "k/2.png": TWO}, [[], ["1.txt"]], [], id="it goes with the last"),
    ],
)
def test_a_shared_sidecar_goes_with_the_last_of_its_pictures(
    tmp_path: Path, copies: dict[str, bytes], going: list[list[str]], left: list[str]
) -> None:
    """The sidecar of `1.jpg` and `1.png` stays for as long as one of them does."""
    captions = {f"{os.path.splitext(name)[0]}.txt": b"both" for name in copies}
    index = indexed(tmp_path / "data", {**copies, **captions, "z/1.jpg": ONE, "z/1.png": TWO, "z/1.txt": b"both"})
    before = tree(tmp_path / "data")

    plan = index.plan()
    index.carry_out(plan)
    after = tree(tmp_path / "data")
    index.undo()

    assert sidecars(plan) == going
    assert sorted(after) == sorted([*copies, *captions, *left])
    assert tree(tmp_path / "data") == before


def test_a_link_leaves_labels_and_conflicts_alone(tmp_path: Path) -> None:
    """A picture that becomes a link keeps its path, so that its labels stay true."""
    index = indexed(tmp_path / "data", {"cat/1.jpg": ONE, "dog/1.jpg": ONE, "dog/1.txt": b"a dog"})

    plan = index.plan(link="hard")

    assert (plan.action, moves(plan), sidecars(plan)) == (Action.HARD, [("dog/1.jpg", "cat/1.jpg")], [[]])
    assert (merges(plan), conflicts(plan)) == ([], [])


# --- settings


@pytest.fixture
def copied(tmp_path: Path) -> Index:
    """One picture in three folders, two of whose names begin alike, and another one."""
    return indexed(tmp_path / "data", {"a/1.jpg": ONE, "aa/1.jpg": ONE, "b/1.jpg": ONE, "b/2.jpg": THREE})


KEPT_IN_A = [("aa/1.jpg", "a/1.jpg"), ("b/1.jpg", "a/1.jpg")]
KEPT_IN_B = [("a/1.jpg", "b/1.jpg"), ("aa/1.jpg", "b/1.jpg")]


@pytest.mark.parametrize(
    ("settings", "wishes", "gone"),
    [
        pytest.param("", {}, KEPT_IN_A, id="none"),
        pytest.param('keep = "-path"', {}, KEPT_IN_B[::-1], id="keep"),
        pytest.param('keep = "-path"', {"keep": ["path"]}, KEPT_IN_A, id="keep, option outranks"),
        pytest.param('prefer = ["data/b"]', {}, KEPT_IN_B, id="prefer, relative to the file"),
        pytest.param('prefer = ["data/b"]', {"prefer": ["../data/a"]}, KEPT_IN_A, id="prefer, option outranks"),
        pytest.param('protect = ["data/a"]', {}, KEPT_IN_A, id="protect: /a is not /aa"),
        pytest.param('protect = ["data/a"]', {"protect": ["../data/b"]}, [("aa/1.jpg", "a/1.jpg")], id="it adds up"),
        pytest.param(
            'protect = ["data/a"]\nprefer = ["data/b"]', {}, [("aa/1.jpg", "b/1.jpg")], id="prefer beside protect"
        ),
        pytest.param('prefer = ["data/b"]\nprotect = "data/aa"', {"isolated": True}, KEPT_IN_A, id="isolated"),
        pytest.param('only-if-in = "data/b"', {}, KEPT_IN_B, id="only-if-in"),
        pytest.param('within = ["data/a", "data/b"]', {}, [], id="within"),
        pytest.param(
            'within = ["data/a", "data/b"]',
            {"across": ["../data/a", "../data/b"]},
            [("b/1.jpg", "a/1.jpg")],
            id="across",
        ),
        pytest.param('kinds = "edited"', {}, [], id="kinds"),
        pytest.param('kinds = "edited"', {"kinds": ["bytes"]}, KEPT_IN_A, id="kinds, option outranks"),
        pytest.param("class-folders = true", {}, [], id="class folders"),
        pytest.param("class-folders = true", {"class_folders": False}, KEPT_IN_A, id="class folders, option outranks"),
        pytest.param('class-folders = true\non-conflict = "prune"', {}, KEPT_IN_A, id="on conflict"),
        pytest.param(
            'class-folders = true\non-conflict = "prune"',
            {"on_conflict": "merge"},
            [],
            id="on conflict, option outranks",
        ),
    ],
)
def test_settings_beside_the_index(
    tmp_path: Path, copied: Index, settings: str, wishes: dict[str, Any], gone: Sequence[tuple[str, str]]
) -> None:
    """What is not asked for is as the settings say; what they protect is added to, never taken away."""
    (tmp_path / "imgindex.toml").write_text(settings)

    assert moves(copied.plan(**wishes)) == list(gone)


@pytest.mark.parametrize(
    ("settings", "wishes", "message"),
    [
        pytest.param("keep =", {}, "invalid TOML", id="broken"),
        pytest.param('protct = ["data/a"]', {}, "unknown key 'protct'", id="misspelt key"),
        pytest.param('protect = ["data/c"]', {}, "there is no 'data/c'", id="what it protects is not there"),
        pytest.param(
            "", {"protect": ["../data/c"]}, "there is no '../data/c'", id="what an option protects is not there"
        ),
        pytest.param('keep = ["size"]', {}, "unknown keep rule 'size'", id="unknown keep rule"),
        pytest.param("", {"across": ["../data/a"]}, "--across needs two folders", id="one folder for two"),
        pytest.param("", {"within": [".."], "across": [".", ".."]}, "exclude each other", id="within and across"),
        pytest.param("", {"link": "hard", "kinds": ["same"]}, "same bytes can become links", id="links of other bytes"),
        pytest.param("", {"on_conflict": "ask"}, "unknown way with conflicts 'ask'", id="unknown way with conflicts"),
        pytest.param("", {"kinds": ["alike"]}, "unknown kind 'alike'", id="unknown kind"),
    ],
)
def test_what_cannot_be_meant_is_no_plan(
    tmp_path: Path, copied: Index, settings: str, wishes: dict[str, Any], message: str
) -> None:
    """A rule that cannot be understood is never passed over: what it protects would be lost."""
    (tmp_path / "imgindex.toml").write_text(settings)

    with pytest.raises(UsageError) as caught:
        copied.plan(**wishes)

    assert message in str(caught.value)


def test_isolated_passes_a_broken_settings_file_over(tmp_path: Path, copied: Index) -> None:
    """Whoever asks for no settings is not stopped by them."""
    (tmp_path / "imgindex.toml").write_text("keep =")

    assert moves(copied.plan(isolated=True)) == KEPT_IN_A


@pytest.mark.parametrize(
    ("wishes", "gone"),
    [
        pytest.param({"within": ["to-a", "../data/b"]}, [], id="within"),
        pytest.param({"across": ["to-a", "../data/aa"]}, [("aa/1.jpg", "a/1.jpg")], id="across"),
        pytest.param({"only_if_in": ["to-a"]}, KEPT_IN_A, id="only-if-in"),
        pytest.param({"only_if_in": ["../data/b/2.jpg"]}, [], id="only-if-in a file that has no copies"),
        pytest.param({"prefer": ["../data/b*"]}, KEPT_IN_B, id="a glob"),
    ],
)
def test_rules_name_places_as_the_shell_does(
    tmp_path: Path, copied: Index, wishes: dict[str, Any], gone: Sequence[tuple[str, str]]
) -> None:
    """A place may be named relative to the current folder, and through a link."""
    (tmp_path / "here" / "to-a").symlink_to(tmp_path / "data" / "a")

    assert moves(copied.plan(**wishes)) == list(gone)
