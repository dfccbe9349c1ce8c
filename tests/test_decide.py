"""People's judgements: remembered with what the files hold, carried from index to index, stronger than the machine."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from PIL import Image
from support import make_photos

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.errors import UsageError
from indexer.groups import Verdict

SEED = 23


@pytest.fixture
def pictures(tmp_path: Path, index: Index) -> Path:
    """Four drawn pictures, and a fifth one with two copies that the machine takes for the same, indexed."""
    folder = make_photos(tmp_path / "pictures", 4)
    base = drawn(SEED)
    (folder / "base.png").write_bytes(encoded(base, "PNG"))
    (folder / "copy.jpg").write_bytes(encoded(base, "JPEG", quality=80))
    (folder / "small.jpg").write_bytes(encoded(base.resize((base.width // 2, base.height // 2)), "JPEG", quality=90))
    index.update(folder, jobs=0)
    return folder


def surplus(index: Index) -> dict[str, str]:
    """Keeper and evidence of each surplus file, by the last parts of their paths."""
    return {
        Path(one.member.path).name: f"{Path(group.keeper.path).name} by {one.evidence}"
        for group in index.groups()
        for one in group.surplus
    }


def digest(path: Path) -> str:
    """The SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_machine_joins_what_was_not_decided(pictures: Path, index: Index) -> None:
    """What the other tests start from."""
    assert surplus(index) == {"copy.jpg": "base.png by files", "small.jpg": "base.png by files"}


@pytest.mark.parametrize("swapped", [False, True])
def test_decided_different_keeps_two_files_apart(pictures: Path, index: Index, swapped: bool) -> None:
    """In whatever order they are named; both stay, and the third stays with the keeper."""
    named = [pictures / "base.png", pictures / "copy.jpg"]

    index.decide(*(named[::-1] if swapped else named), "different")

    assert "copy.jpg" not in {name for name, kept in surplus(index).items() if kept.startswith("base.png")}
    assert index.plan().moves


def test_decided_same_joins_two_pictures(pictures: Path, index: Index) -> None:
    """Which the machine would never have found; prune takes it like any other."""
    index.decide(pictures / "a" / "0.jpg", pictures / "b" / "1.jpg", Verdict.SAME)

    joined = {name: kept for name, kept in surplus(index).items() if "by person" in kept}
    done = index.carry_out(index.plan())

    assert list(joined.values()) in (["0.jpg by person"], ["1.jpg by person"])
    assert len(done.moved) == 3
    assert len(index.undo().moved) == 3


def test_later_decision_holds_and_can_be_forgotten(pictures: Path, index: Index) -> None:
    """Different, then the same after all, then whatever the machine says."""
    pair = (pictures / "base.png", pictures / "copy.jpg")
    found = []

    for verdict in ("different", "same", None):
        index.decide(*pair, verdict)
        found.append(surplus(index).get("copy.jpg"))

    assert found[0] != "base.png by files"
    assert found[1:] == ["base.png by person", "base.png by files"]
    assert index.decisions_json() == []


def test_decision_survives_renames_and_new_runs(pictures: Path, index: Index) -> None:
    """It is kept with what the files hold, not with their names."""
    index.decide(pictures / "a" / "0.jpg", pictures / "b" / "1.jpg", "same")
    (pictures / "a" / "0.jpg").rename(pictures / "renamed.jpg")
    (pictures / "b" / "1.jpg").rename(pictures / "elsewhere.jpg")

    index.update(pictures, jobs=0)

    assert {"renamed.jpg by person", "elsewhere.jpg by person"} & set(surplus(index).values())


@pytest.mark.parametrize("saved_again", [("copy.jpg",), ("copy.jpg", "base.png")], ids=["one", "both"])
def test_decision_survives_that_the_files_are_saved_again(
    pictures: Path, index: Index, saved_again: tuple[str, ...]
) -> None:
    """The paths hold other bytes now, each nearer to what it held when the two were judged than to the other picture."""
    (pictures / "small.jpg").unlink()
    (pictures / "copy.jpg").write_bytes(encoded(drawn(SEED), "JPEG", quality=30))
    index.update(pictures, jobs=0)
    joined = surplus(index)
    index.decide(pictures / "base.png", pictures / "copy.jpg", "different")
    for name in saved_again:
        with Image.open(pictures / name) as picture:
            picture.load()
        (pictures / name).write_bytes(encoded(picture, "JPEG", quality=96))

    report = index.update(pictures, jobs=0)

    assert joined == {"copy.jpg": "base.png by files"}
    assert (report.changed, report.decoded) == (len(saved_again), len(saved_again))
    assert report.matches >= 2 * len(saved_again)
    assert surplus(index) == {}


def test_decision_on_unknown_files_is_remembered_until_they_are_indexed(
    pictures: Path, index: Index, tmp_path: Path
) -> None:
    """Files need not be indexed to be judged; until they are, the judgement does nothing."""
    late = []
    for number in (8, 9):
        path = tmp_path / f"{number}.png"
        path.write_bytes(encoded(drawn(number), "PNG"))
        late.append(path)
    before = surplus(index)

    index.decide(*late, "same")
    unknown = surplus(index)
    for path in late:
        path.rename(pictures / path.name)
    index.update(pictures, jobs=0)

    assert unknown == before
    assert [kept for name, kept in surplus(index).items() if name in {"8.png", "9.png"}] in (
        ["8.png by person"],
        ["9.png by person"],
    )


def test_decide_refuses_what_cannot_be_decided(pictures: Path, index: Index) -> None:
    """The same bytes, a missing file, a folder, a judgement that does not exist; nothing is remembered."""
    (pictures / "twin.png").write_bytes((pictures / "base.png").read_bytes())
    os.mkfifo(pictures / "fifo")

    with pytest.raises(UsageError, match="same bytes"):
        index.decide(pictures / "base.png", pictures / "twin.png", "different")
    for name in ("missing.png", "a", "fifo"):
        with pytest.raises(UsageError, match=f"cannot read '.*{name}'"):
            index.decide(pictures / "base.png", pictures / name, "different")
    with pytest.raises(UsageError, match="nothing was decided"):
        index.decide(pictures / "base.png", pictures / "copy.jpg", None)
    with pytest.raises(ValueError, match="perhaps"):
        index.decide(pictures / "base.png", pictures / "copy.jpg", "perhaps")
    assert index.decisions_json() == []


# --- export and import


def test_decisions_are_lines_of_json(pictures: Path, index: Index) -> None:
    """Two digests, the smaller first, the verdict and when."""
    index.decide(pictures / "base.png", pictures / "copy.jpg", "different")

    line = json.loads(index.decisions_json()[0])

    first, second = sorted(digest(pictures / name) for name in ("base.png", "copy.jpg"))
    assert {**line, "decided": 0} == {"a": first, "b": second, "verdict": "different", "decided": 0}
    assert line["decided"] > 1_700_000_000 * 10**9


def test_decisions_hold_in_another_index_that_takes_them_in(pictures: Path, index: Index, tmp_path: Path) -> None:
    """Export and import carry them over, unchanged."""
    index.decide(pictures / "base.png", pictures / "copy.jpg", "different")
    index.decide(pictures / "a" / "0.jpg", pictures / "b" / "1.jpg", "same")
    other = Index(tmp_path / "other.db")
    other.update(pictures, jobs=0)
    before = surplus(other)

    count = other.import_decisions(index.decisions_json())

    assert count == 2
    assert other.decisions_json() == index.decisions_json()
    assert surplus(other) == surplus(index) != before


def test_import_keeps_the_later_of_two_decisions(pictures: Path, index: Index) -> None:
    """Whichever index it comes from, and in whatever order; the digests may come the other way round."""
    first, second = "11" * 32, "22" * 32
    lines = [
        json.dumps({"a": first, "b": second, "verdict": "same", "decided": 5}),
        "",
        json.dumps({"a": second, "b": first, "verdict": "different", "decided": 7}),
        json.dumps({"a": first, "b": second, "verdict": "same", "decided": 6}),
    ]

    index.import_decisions(lines)
    index.import_decisions(lines[::-1])

    assert [json.loads(line) for line in index.decisions_json()] == [
        {"a": first, "b": second, "verdict": "different", "decided": 7}
    ]


GOOD = {"a": "11" * 32, "b": "22" * 32, "verdict": "same", "decided": 1}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("no json", id="no JSON"),
        pytest.param("5", id="no object"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="empty"),
        pytest.param(json.dumps({**GOOD, "verdict": "perhaps"}), id="no verdict"),
        pytest.param(json.dumps({**GOOD, "verdict": ["same"]}), id="a list of verdicts"),
        pytest.param(json.dumps({**GOOD, "a": "xyz"}), id="no digest"),
        pytest.param(json.dumps({**GOOD, "a": 5}), id="a number for a digest"),
        pytest.param(json.dumps({**GOOD, "a": "11" * 31}), id="a short digest"),
        pytest.param(json.dumps({**GOOD, "b": "11" * 32}), id="one digest twice"),
        pytest.param(json.dumps({**GOOD, "decided": "today"}), id="no time"),
        pytest.param(json.dumps({**GOOD, "decided": None}), id="null for a time"),
        pytest.param(json.dumps({**GOOD, "decided": -1}), id="before 1970"),
        pytest.param(json.dumps({**GOOD, "decided": 1 << 63}), id="more than SQLite holds"),
        pytest.param(json.dumps({**GOOD, "decided": float("inf")}), id="at infinity"),
        pytest.param(json.dumps({**GOOD, "decided": float("nan")}), id="at no number"),
    ],
)
def test_import_names_a_bad_line_and_adds_nothing(pictures: Path, index: Index, line: str) -> None:
    """All or none, so that a corrected file can be taken in again."""
    with pytest.raises(UsageError, match="line 3 is no decision"):
        index.import_decisions([json.dumps(GOOD), "", line, json.dumps(GOOD)])

    assert index.decisions_json() == []
