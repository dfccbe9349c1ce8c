"""Hazards 37 and 38: labels go where their picture goes, and what is protected stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from checking import KEEPER, SURPLUS, command, payloads, with_copy
from score import Faults
from support import Tree, tree

from indexer import Index

LAYOUTS = [
    pytest.param("{folder}/{stem}.txt", "a cat\n", "a dog\n", id="captions"),
    pytest.param("{folder}/{name}.xmp", "<x/>", "<y/>", id="of the whole name"),
    pytest.param("{folder}/{stem}.json", '{"a": 1}', '{"a": 2}', id="metadata"),
]


@pytest.mark.parametrize(("where", "text", "other"), LAYOUTS)
@pytest.mark.parametrize("agree", [True, False], ids=["agree", "disagree"])
def test_hazard_37_sidecars_travel_and_conflicts_stay(
    tmp_path: Path, index: Index, fault: Faults, where: str, text: str, other: str, agree: bool
) -> None:
    """Equal labels go with the surplus and come back; other labels keep the group as it is, with exit code 3."""
    photos = with_copy(tmp_path, index)
    for path, said in ((KEEPER, text), (SURPLUS, text if agree else other)):
        folder, name = path.split("/")
        (photos / where.format(folder=folder, name=name, stem=name.split(".")[0])).write_text(said)
    before = tree(photos)

    with fault(37, f"{where}, {'agree' if agree else 'disagree'}", root=photos) as case:
        ran = command(index, "prune", "--yes")
        pruned = tree(photos)
        case.undo(index)

    assert ran.returncode == (0 if agree else 3), ran.stderr
    assert len(before) - len(pruned) == (2 if agree else 0)
    assert ("conflict" in ran.stdout) is not agree


def test_hazard_37_labels_of_yolo_outside_the_root(tmp_path: Path, index: Index, fault: Faults) -> None:
    """The root is the folder of images; their labels lie beside it, and go and come back all the same."""
    data = with_copy(tmp_path, Index(tmp_path / "unused.db")).parent
    (data / "photos").rename(data / "images")
    for path in (KEEPER, SURPLUS):
        label = (data / "labels" / path).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 1 1\n")
    index.update(data / "images", jobs=0)
    before = without_quarantine(tree(data))

    with fault(37, "labels beside images", root=data / "images", others=[data / "labels"]):
        ran = command(index, "prune", "--yes")
        pruned = tree(data)
        index.undo()
        after = without_quarantine(tree(data))

    assert (ran.returncode, after) == (0, before)
    assert {path for path in before if path not in pruned} == {"images/z/copy.jpg", "labels/z/copy.txt"}


def without_quarantine(found: Tree) -> Tree:
    """A tree without the quarantine that lies in it."""
    return {path: file for path, file in found.items() if not path.startswith(".imgindex-quarantine/")}


def test_hazard_37_class_folders(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A picture that is a cat in one folder and a dog in another is left alone, and listed."""
    photos = with_copy(tmp_path, index)
    (photos / "a").rename(photos / "cat")
    (photos / "z").rename(photos / "dog")
    index.update(photos, jobs=0, confirm_missing=True)

    with fault(37, "cat and dog", root=photos) as case:
        left = command(index, "prune", "--yes")
        listed = command(index, "conflicts", "--json")
        case.undo(index)

    assert (left.returncode, payloads(photos)) == (3, [])
    assert "class 'dog' instead of 'cat'" in listed.stdout


@pytest.mark.parametrize(
    ("rules", "moved"),
    [
        pytest.param(["--protect", "aa"], True, id="aa is not a"),
        pytest.param(["--protect", "z", "--keep", "newest"], True, id="the protected one stays"),
        pytest.param(["--protect", "z", "--prefer", "a"], False, id="prefer does not outrank it"),
        pytest.param(["--protect", "z", "--protect", "a"], False, id="both"),
        pytest.param(["--protect", "*.jpg"], False, id="a glob"),
    ],
)
def test_hazard_38_protected(
    tmp_path: Path,
    index: Index,
    fault: Faults,
    rules: list[str],
    moved: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whole components count; no keep rule and no preference moves a protected file."""
    photos = with_copy(tmp_path, index)
    (photos / "aa").mkdir()
    monkeypatch.chdir(photos)

    with fault(38, " ".join(rules), root=photos) as case:
        ran = command(index, "prune", "--yes", *rules)
        left = [path for path in (KEEPER, SURPLUS) if (photos / path).exists()]
        case.undo(index)

    assert ran.returncode == 0, ran.stderr
    assert len(left) == (1 if moved else 2)
    assert "z" not in rules or SURPLUS in left


def test_hazard_38_protected_by_settings_against_a_plan_file(tmp_path: Path, index: Index, fault: Faults) -> None:
    """What the settings protect stays, also when a plan made before says otherwise."""
    photos = with_copy(tmp_path, index)
    command(index, "prune", "--plan-out", str(tmp_path / "plan.jsonl"))
    (tmp_path / "imgindex.toml").write_text('protect = ["data/photos/z"]\n')

    with fault(38, "settings and a plan file", root=photos):
        ran = command(index, "prune", "--plan", str(tmp_path / "plan.jsonl"), "--yes")

    assert (ran.returncode, (photos / SURPLUS).exists()) == (3, True)
    assert "protected" in ran.stderr
