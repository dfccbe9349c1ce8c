"""Plans as files: what is believed of them, and what is refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
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


def _later_run(lines: Lines) -> None:
    lines[0]["after_run"] = 999


def _earlier_run(lines: Lines) -> None:
    lines[0]["after_run"] = -1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(_other_index, "another index", id="another index"),
        pytest.param(_later_run, "stale", id="made by a later state"),
        pytest.param(_earlier_run, "stale: run 1", id="made before the first run"),
    ],
)
def test_plan_is_refused_as_a_whole(photos: Path, index: Index, edit: Callable[[Lines], None], message: str) -> None:
    """Nobody can tell what is meant, or it is meant for something else."""
    lines = written(index)
    edit(lines)

    with pytest.raises(SafetyError, match=message):
        read(index, lines)


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


# --- more of what is refused


def _new_picture(photos: Path, index: Index) -> None:
    (photos / "new.jpg").write_bytes(encoded(drawn(77)))
    index.update(photos, jobs=0)


def _gone_picture(photos: Path, index: Index) -> None:
    (photos / "z" / "copy-1.jpg").unlink()
    index.update(photos, jobs=0)


def _renamed_picture(photos: Path, index: Index) -> None:
    (photos / "b" / "5.jpg").rename(photos / "b" / "six.jpg")
    index.update(photos, jobs=0)


def _other_prune(photos: Path, index: Index) -> None:
    index.carry_out(index.plan(kinds=["same"]))


def _other_prune_undone(photos: Path, index: Index) -> None:
    index.carry_out(index.plan(kinds=["same"]))
    index.undo()


def _killed_run(photos: Path, index: Index) -> None:
    index.update(photos, jobs=0)
    with contextlib.closing(sqlite3.connect(index.path)) as db, db:
        db.execute("UPDATE run SET finished_ns = NULL WHERE id = (SELECT max(id) FROM run)")


@pytest.mark.parametrize(
    "change", [_new_picture, _gone_picture, _renamed_picture, _other_prune, _other_prune_undone, _killed_run]
)
def test_plan_is_stale_after_a_run_that_changed_the_index(
    photos: Path, index: Index, change: Callable[[Path, Index], None]
) -> None:
    """Nobody has looked at the plan that would be made now."""
    lines = written(index)
    change(photos, index)

    with pytest.raises(SafetyError, match="this plan is stale: run 2"):
        read(index, lines)


def test_plan_outlives_a_purge(photos: Path, index: Index) -> None:
    """It leaves files and matches as they are."""
    index.carry_out(index.plan(kinds=["same"]))
    lines = written(index)
    index.purge(0, dry_run=False)

    plan = read(index, lines)

    assert (len(plan.moves), plan.refused) == (2, ())


def _kind_of_line(name: str, other: str) -> Callable[[Lines], None]:
    def edit(lines: Lines) -> None:
        next(line for line in lines[1:] if line["kind"] == name)["kind"] = other

    return edit


def _keeper_that_goes(lines: Lines) -> None:
    lines[2]["keep"], lines[2]["keep_digest"] = lines[1]["move"], lines[1]["digest"]


def _keeper_unknown(lines: Lines) -> None:
    lines[1]["keep"] += ".missing"


def _keeper_digest(lines: Lines) -> None:
    lines[1]["keep_digest"] = lines[2]["keep_digest"]


def _keeps_itself(lines: Lines) -> None:
    lines[1]["keep"], lines[1]["keep_digest"] = lines[1]["move"], lines[1]["digest"]


def _sidecar_digest(lines: Lines) -> None:
    next(line for line in lines[1:] if line["sidecars"])["sidecars"][0]["digest"] = "00" * 32


def _strange_sidecar(lines: Lines) -> None:
    next(line for line in lines[1:] if line["sidecars"])["sidecars"].append({"path": "/etc/passwd", "digest": ""})


def _strange_text(lines: Lines) -> None:
    lines[1]["texts"] = [{"path": "/etc/passwd", "digest": "00" * 32}]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        pytest.param(_digest, "holds other bytes", id="digest"),
        pytest.param(_keeper, "does not find it and its keeper to be", id="keeper"),
        pytest.param(_twice, "moves it already", id="the same file twice"),
        pytest.param(_unknown, "does not know it", id="no such file"),
        pytest.param(_sidecars, "no longer those of the plan", id="sidecars"),
        pytest.param(_kind_of_line("bytes", "same"), "to be 'same'", id="bytes made same"),
        pytest.param(_kind_of_line("same", "bytes"), "to be 'bytes'", id="same made bytes"),
        pytest.param(_kind_of_line("same", "flipped"), "to be 'flipped'", id="same made flipped"),
        pytest.param(_kind_of_line("same", "hash"), "to be 'hash'", id="same made hash"),
        pytest.param(_keeper_that_goes, "is to be moved by line 2", id="a keeper that goes"),
        pytest.param(_keeps_itself, "is to be moved by line 2", id="a keeper that is the file itself"),
        pytest.param(_keeper_unknown, "does not know its keeper", id="a keeper that does not exist"),
        pytest.param(_keeper_digest, "holds other bytes", id="a keeper's digest"),
        pytest.param(_sidecar_digest, "no longer those of the plan", id="a sidecar's digest"),
        pytest.param(_strange_sidecar, "no longer those of the plan", id="a stranger as sidecar"),
        pytest.param(_strange_text, "no longer those of the plan", id="a stranger as caption"),
    ],
)
def test_line_is_refused_by_itself(photos: Path, index: Index, edit: Callable[[Lines], None], reason: str) -> None:
    """With its number and the reason; neither its file nor another in its stead moves, and the other lines go on."""
    lines = written(index)
    edit(lines)
    before = tree(photos)

    plan = read(index, lines)
    done = index.carry_out(plan)

    assert [reason in one.reason for one in plan.refused] == [True]
    assert plan.refused[0].reason.startswith("line ")
    assert (len(done.moved), done.refused) == (len(lines) - 2, plan.refused)
    gone = {os.path.relpath(one.path, photos) for one in done.moved}
    gone |= {os.path.relpath(one.full_path, photos) for move in plan.moves for one in move.sidecars}
    assert set(before) - set(tree(photos)) == gone


@pytest.mark.parametrize(
    ("protect", "reason"),
    [
        pytest.param("photos/z/copy-1.jpg", "it is protected", id="the picture"),
        pytest.param("photos/z/*.txt", "its .txt is protected", id="its caption"),
    ],
)
def test_settings_protect_what_a_plan_file_would_move(
    photos: Path, index: Index, tmp_path: Path, protect: str, reason: str
) -> None:
    """Written down after the plan was made; only a run that passes the settings over does not care."""
    folder = photos.parent.rename(tmp_path / "moved")
    photos = folder / "photos"
    index = Index(folder / "imgindex.db")
    index.update(photos, jobs=0)
    lines = written(index)
    (folder / "imgindex.toml").write_text(f'protect = ["{protect}"]\n')

    plan = read(index, lines)
    isolated = index.plan_from(map(json.dumps, lines), isolated=True)

    assert str(photos / "z" / "copy-1.jpg") in [one.path for one in plan.refused]
    assert all(reason in one.reason for one in plan.refused)
    assert isolated.refused == ()


def test_text_that_changed_since_refuses_its_merge(photos: Path, index: Index) -> None:
    """The new version that was looked at would not be the one that is written."""
    (photos / "z" / "copy-1.txt").write_text("1\nmore\n")
    lines = written(index, on_conflict="merge")
    (photos / "b" / "1.txt").write_text("1\nother\n")

    plan = read(index, lines)

    assert [one.path for one in plan.refused] == [str(photos / "z" / "copy-1.jpg")]
    assert "no longer those of the plan" in plan.refused[0].reason


def test_file_that_changed_on_disk_is_refused_when_the_plan_is_carried_out(photos: Path, index: Index) -> None:
    """The index has not noticed yet; the disk decides."""
    lines = written(index)
    (photos / "z" / "copy-1.jpg").unlink()
    (photos / "a" / "4.jpg").write_bytes(b"something else")

    done = index.carry_out(read(index, lines))

    assert [Path(one.path).name for one in done.moved] == ["copy-0.jpg"]
    assert {Path(one.path).name: one.reason for one in done.refused} == {
        "copy-1.jpg": "it is gone",
        "smaller.webp": "its keeper changed since it was indexed",
    }


def test_plan_without_lines_moves_nothing(photos: Path, index: Index) -> None:
    """Every line was taken out."""
    plan = read(index, written(index)[:1])

    done = index.carry_out(plan)

    assert (plan.moves, plan.groups, plan.refused, done.moved) == ((), (), (), ())
