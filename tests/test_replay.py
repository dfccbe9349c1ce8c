"""Plans as files: what is believed of them, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import aged, make_photos, tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.errors import SafetyError

Lines = list[dict[str, Any]]


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos, copies of two of them with captions, and one saved again, indexed."""
    folder = make_photos(tmp_path / "data" / "photos")
    (folder / "z").mkdir()
    for number in (0, 1):
        source = folder / "ab"[number] / f"{number}.jpg"
        shutil.copy2(source, folder / "z" / f"copy-{number}.jpg")
        aged(folder / "z" / f"copy-{number}.jpg", seconds=-500)
        source.with_suffix(".txt").write_text(f"{number}\n")
        (folder / "z" / f"copy-{number}.txt").write_text(f"{number}\n")
    picture = drawn(4)
    smaller = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))
    (folder / "z" / "smaller.webp").write_bytes(encoded(smaller, "WEBP"))
    index.update(folder, jobs=0)
    return folder


def written(index: Index, **wishes: Any) -> Lines:
    """A plan's lines as objects."""
    return [json.loads(line) for line in index.plan_lines(index.plan(**wishes))]


def read(index: Index, lines: Lines) -> Any:
    """The plan in such lines."""
    return index.plan_from(map(json.dumps, lines))


@pytest.mark.parametrize(
    "wishes", [{}, {"match": "hash"}, {"match": "bytes"}, {"link": "hard"}, {"on_conflict": "merge"}]
)
def test_plan_is_the_same_after_a_file(photos: Path, index: Index, wishes: dict[str, Any]) -> None:
    """Moves, sidecars, merges and the action; carrying it out and undoing it is exact."""
    (photos / "z" / "copy-1.txt").write_text("1\nmore\n")
    before, plan = tree(photos), index.plan(**wishes)

    again = index.plan_from(index.plan_lines(plan))
    done = index.carry_out(again)
    index.undo()

    assert (again.moves, again.action, again.refused) == (plan.moves, plan.action, ())
    assert (len(done.moved), done.refused) == (len(plan.moves), ())
    assert tree(photos) == before


def test_names_survive_a_plan_file(tmp_path: Path, index: Index) -> None:
    """Bytes that are not UTF-8, newlines and quotes."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"a.jpg", b"caf\xe9.jpg", b"new\nline.jpg", b'quote".jpg'):
        (folder / os.fsdecode(name)).write_bytes(encoded(drawn(1)))
    index.update(folder, jobs=0)
    plan = index.plan()

    again = index.plan_from(index.plan_lines(plan))

    assert again.moves == plan.moves


def test_lines_may_be_taken_out_and_comments_put_in(photos: Path, index: Index) -> None:
    """What is left is carried out."""
    header, *lines = index.plan_lines(index.plan())

    plan = index.plan_from([header, "# looked at by hand", "", *lines[1:]])

    assert [move.surplus.member.path for move in plan.moves] == [
        os.path.relpath(json.loads(line)["move"], photos) for line in lines[1:]
    ]


def _other_index(lines: Lines) -> None:
    lines[0]["index"] = "0" * 32


def _other_form(lines: Lines) -> None:
    lines[0]["form"] = 2


def _without_header(lines: Lines) -> None:
    del lines[0]


def _later_run(lines: Lines) -> None:
    lines[0]["after_run"] = 999


def _odd_type(lines: Lines) -> None:
    lines[1]["bits"] = "many"


def _missing_field(lines: Lines) -> None:
    del lines[2]["keep_digest"]


def _climbing_path(lines: Lines) -> None:
    lines[1]["move"] = f"{lines[1]['move']}/../../x.jpg"


def _no_digest(lines: Lines) -> None:
    lines[1]["digest"] = "zz"


def _unknown_action(lines: Lines) -> None:
    lines[0]["action"] = "delete"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(_other_index, "another index", id="another index"),
        pytest.param(_other_form, "form 2", id="another form"),
        pytest.param(_without_header, "no plan of imgindex", id="no header"),
        pytest.param(_later_run, "stale", id="made by a later state"),
        pytest.param(_odd_type, "line 2 of the plan is damaged", id="odd type"),
        pytest.param(_missing_field, "line 3 of the plan is damaged", id="missing field"),
        pytest.param(_climbing_path, "no absolute path", id="a path that climbs"),
        pytest.param(_no_digest, "line 2 of the plan is damaged", id="no digest"),
        pytest.param(_unknown_action, "line 1 of the plan is damaged", id="unknown action"),
    ],
)
def test_plan_is_refused_as_a_whole(photos: Path, index: Index, edit: Callable[[Lines], None], message: str) -> None:
    """Nobody can tell what is meant, or it is meant for something else."""
    lines = written(index)
    edit(lines)

    with pytest.raises(SafetyError, match=message):
        read(index, lines)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000])
def test_what_is_no_json_is_refused(photos: Path, index: Index, text: str) -> None:
    """With an error of ours, whatever it is."""
    with pytest.raises(SafetyError):
        index.plan_from([text])


def test_stale_plan_is_refused_and_a_run_without_news_makes_none_stale(photos: Path, index: Index) -> None:
    """Only a run that changed the index counts."""
    lines = written(index)
    index.update(photos, jobs=0)
    fine = read(index, lines)
    (photos / "new.jpg").write_bytes(encoded(drawn(77)))
    index.update(photos, jobs=0)

    with pytest.raises(SafetyError, match="stale"):
        read(index, lines)
    assert len(fine.moves) == 3


def _digest(lines: Lines) -> None:
    lines[1]["digest"] = lines[2]["digest"]


def _kind(lines: Lines) -> None:
    lines[1]["kind"] = "bytes" if lines[1]["kind"] == "same" else "same"


def _keeper(lines: Lines) -> None:
    lines[1]["keep"], lines[1]["keep_digest"] = lines[2]["keep"], lines[2]["keep_digest"]


def _twice(lines: Lines) -> None:
    lines.insert(1, {**lines[1]})
    lines[1], lines[2] = lines[2], lines[1]


def _unknown(lines: Lines) -> None:
    lines[1]["move"] = lines[1]["move"].replace("photos", "elsewhere")


def _sidecars(lines: Lines) -> None:
    line = next(line for line in lines[1:] if line["sidecars"])
    lines.remove(line)
    lines.insert(1, {**line, "sidecars": []})


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        pytest.param(_digest, "holds other bytes", id="digest"),
        pytest.param(_kind, "does not find it and its keeper to be", id="kind"),
        pytest.param(_keeper, "does not find it and its keeper to be", id="keeper"),
        pytest.param(_twice, "moves it already", id="the same file twice"),
        pytest.param(_unknown, "does not know it", id="no such file"),
        pytest.param(_sidecars, "no longer those of the plan", id="sidecars"),
    ],
)
def test_line_is_refused_by_itself(photos: Path, index: Index, edit: Callable[[Lines], None], reason: str) -> None:
    """With its number and the reason; the others are carried out."""
    lines = written(index)
    edit(lines)

    plan = read(index, lines)
    done = index.carry_out(plan)

    assert [reason in one.reason for one in plan.refused] == [True]
    assert plan.refused[0].reason.startswith("line ")
    assert len(done.moved) == len(lines) - 2
    assert done.refused == plan.refused


def test_opposite_keepers_refuse_each_other(photos: Path, index: Index) -> None:
    """A keeps B and B keeps A: neither line holds."""
    lines = written(index, match="bytes")[:2]
    line = lines[1]
    turned = {"move": line["keep"], "keep": line["move"], "digest": line["keep_digest"], "keep_digest": line["digest"]}
    lines.append({**line, **turned})

    plan = read(index, lines)

    assert (plan.moves, len(plan.refused)) == ((), 2)
    assert all("is to be moved by line" in one.reason for one in plan.refused)


def test_caption_that_changed_since_refuses_its_line(photos: Path, index: Index) -> None:
    """Labels that disagree by now are a conflict that nobody has looked at."""
    lines = written(index)
    (photos / "z" / "copy-1.txt").write_text("something else\n")

    plan = read(index, lines)

    assert [one.path for one in plan.refused] == [str(photos / "z" / "copy-1.jpg")]
    assert "labels disagree" in plan.refused[0].reason


def test_plan_of_links_takes_the_same_bytes_alone(photos: Path, index: Index) -> None:
    """An edited header does not make links of pictures that were saved again."""
    lines = written(index)
    lines[0]["action"] = "hard"

    plan = read(index, lines)

    assert [one.path for one in plan.refused] == [str(photos / "z" / "smaller.webp")]
    assert "only files of the same bytes" in plan.refused[0].reason


def test_plan_is_carried_out_once(photos: Path, index: Index) -> None:
    """Also when it was undone since."""
    lines = written(index)
    plan = read(index, lines)
    index.carry_out(plan)
    index.undo()

    with pytest.raises(SafetyError, match="carried out already"):
        read(index, lines)
    with pytest.raises(SafetyError, match="carried out already"):
        index.carry_out(plan)
