"""The form of plan files: what is read, what is refused as nobody can tell what it means, and how they travel."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from support import tree

from indexer.drawing import drawn, encoded
from indexer.entry import run
from indexer.errors import SafetyError
from indexer.groups import Evidence, Kind, MatchRule
from indexer.planfile import Header, Line, read_plan
from indexer.plans import Action, Labelling, OnConflict

HEADER: dict[str, Any] = {
    "imgindex": "plan",
    "form": 1,
    "index": "0123456789abcdef",
    "plan": "c0ffee",
    "after_run": 3,
    "made": 1_700_000_000_000_000_000,
    "action": "quarantine",
    "match": "verified",
    "unconfirmed": False,
    "class_folders": None,
    "on_conflict": "merge",
    "files": 1,
}
MOVE: dict[str, Any] = {
    "move": "/data/z/copy.jpg",
    "digest": "aa" * 32,
    "keep": "/data/a/0.jpg",
    "keep_digest": "bb" * 32,
    "kind": "same",
    "bits": 2,
    "evidence": "pixels",
    "why": "oldest",
    "sidecars": [{"path": "/data/z/copy.txt", "digest": "cc" * 32}],
    "texts": [{"path": "/data/a/0.txt", "digest": "dd" * 32}],
}
NEEDED = [*HEADER.keys() - {"imgindex", "made", "files"}]


def lines(header: dict[str, Any] = HEADER, move: dict[str, Any] = MOVE) -> list[str]:
    """A plan file of one move."""
    return [json.dumps(header), json.dumps(move)]


def test_plan_file_is_read_as_it_was_written_by_hand() -> None:
    """The form of version 1, field by field: files that people have kept must stay readable."""
    header, moves = read_plan(lines())

    assert header == Header(
        index="0123456789abcdef",
        plan_id="c0ffee",
        after_run=3,
        action=Action.QUARANTINE,
        match=MatchRule.VERIFIED,
        unconfirmed=False,
        labelling=Labelling(None, OnConflict.MERGE),
    )
    assert moves == [
        Line(
            number=2,
            path="/data/z/copy.jpg",
            digest=b"\xaa" * 32,
            keeper="/data/a/0.jpg",
            keeper_digest=b"\xbb" * 32,
            kind=Kind.SAME,
            bits=2,
            evidence=Evidence.PIXELS,
            why="oldest",
            sidecars=(("/data/z/copy.txt", "cc" * 32),),
            texts=(("/data/a/0.txt", "dd" * 32),),
        )
    ]


def test_comments_and_blank_lines_count_for_line_numbers_alone() -> None:
    """So that a message names the line that an editor shows."""
    header, move = lines()

    _header, moves = read_plan(["# a plan", "", header, "   ", "#" + move, move])

    assert [line.number for line in moves] == [6]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("form", "1", id="a form that is a text"),
        pytest.param("form", -1, id="negative form"),
        pytest.param("form", 2, id="a newer form"),
        pytest.param("index", None, id="no index"),
        pytest.param("index", 5, id="an index that is a number"),
        pytest.param("plan", 5, id="a plan's name that is a number"),
        pytest.param("after_run", "1", id="a run that is a text"),
        pytest.param("after_run", 1.0, id="a run that is a fraction"),
        pytest.param("after_run", None, id="no run"),
        pytest.param("after_run", True, id="a run that is a truth"),
        pytest.param("after_run", 10**30, id="a run beyond 64 bits"),
        pytest.param("after_run", float("nan"), id="a run that is no number"),
        pytest.param("plan", "\ud800", id="a plan's name that cannot be stored"),
        pytest.param("action", ["hard"], id="a list of actions"),
        pytest.param("action", "delete", id="unknown action"),
        pytest.param("action", "rewrite", id="an action of texts, which undo would not understand"),
        pytest.param("match", None, id="no match"),
        pytest.param("unconfirmed", "no", id="a text for a truth"),
        pytest.param("unconfirmed", 0, id="a number for a truth"),
        pytest.param("class_folders", 1, id="a number for a truth or nothing"),
        pytest.param("on_conflict", "delete", id="unknown way with conflicts"),
    ],
)
def test_header_with_an_odd_value_is_refused(field: str, value: object) -> None:
    """Also where Python would take one type for another."""
    with pytest.raises(SafetyError, match="line 1 of the plan is damaged"):
        read_plan(lines(HEADER | {field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("bits", None, id="no bits"),
        pytest.param("bits", 1.5, id="half a bit"),
        pytest.param("bits", True, id="bits that are a truth"),
        pytest.param("bits", 10**30, id="bits beyond 64 bits"),
        pytest.param("move", "/a/\ud800", id="a path that no file can have"),
        pytest.param("sidecars", [{"path": None, "digest": "cc"}], id="a sidecar without a path"),
        pytest.param("texts", [{"path": "/a", "digest": 5}], id="a text's digest that is a number"),
        pytest.param("bits", "many", id="bits that are a text"),
        pytest.param("kind", [], id="a list of kinds"),
        pytest.param("kind", "alike", id="unknown kind"),
        pytest.param("evidence", {}, id="an object for evidence"),
        pytest.param("why", 3, id="a number for a reason"),
        pytest.param("digest", 5, id="a digest that is a number"),
        pytest.param("digest", "zz", id="a digest that is no hex"),
        pytest.param("keep_digest", True, id="a digest that is a truth"),
        pytest.param("move", "a/0.jpg", id="a relative path"),
        pytest.param("move", "/a\0b", id="NUL"),
        pytest.param("move", "/a/../../etc/passwd", id="a path that climbs"),
        pytest.param("move", ["/a"], id="a list of paths"),
        pytest.param("keep", "", id="no path"),
        pytest.param("keep", "/", id="no file"),
        pytest.param("keep", "/a//b.jpg", id="an empty component"),
        pytest.param("keep", "/a/./b.jpg", id="a dot"),
        pytest.param("sidecars", None, id="no sidecars"),
        pytest.param("sidecars", "ab", id="a text for sidecars"),
        pytest.param("sidecars", [1], id="a number for a sidecar"),
        pytest.param("texts", [{"path": "/a"}], id="a text without a digest"),
    ],
)
def test_move_with_an_odd_value_is_refused(field: str, value: object) -> None:
    """The whole plan, since nobody can tell what the line was to say."""
    with pytest.raises(SafetyError, match="line 2 of the plan is damaged"):
        read_plan(lines(move=MOVE | {field: value}))


@pytest.mark.parametrize("field", sorted(NEEDED))
def test_header_without_a_field_is_refused(field: str) -> None:
    """The message names it."""
    with pytest.raises(SafetyError, match=f"line 1 of the plan is damaged: '{field}'"):
        read_plan(lines({name: value for name, value in HEADER.items() if name != field}))


@pytest.mark.parametrize("field", MOVE)
def test_move_without_a_field_is_refused(field: str) -> None:
    """The message names it."""
    with pytest.raises(SafetyError, match=f"line 2 of the plan is damaged: '{field}'"):
        read_plan(lines(move={name: value for name, value in MOVE.items() if name != field}))


@pytest.mark.parametrize("text", ["{", "[1]", "null", "7", '"plan"', "[" * 100_000, "\ufeff{}", "}{", "NaN"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_line_that_is_no_object_is_refused_wherever_it_stands(text: str, place: int) -> None:
    """With an error of ours, whatever it is."""
    found = lines()
    found.insert(place, text)

    with pytest.raises(SafetyError, match=f"line {place + 1} of the plan is damaged"):
        read_plan(found)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([], id="nothing"),
        pytest.param(["", "# nothing"], id="comments alone"),
        pytest.param(lines()[1:], id="no header"),
        pytest.param(lines(HEADER | {"imgindex": "decision"}), id="another file of ours"),
        pytest.param(lines()[::-1], id="header last"),
    ],
)
def test_file_that_is_no_plan_is_refused(found: list[str]) -> None:
    """With what to do instead."""
    with pytest.raises(SafetyError, match="this is no plan of imgindex") as refusal:
        read_plan(found)
    assert "--plan-out" in str(refusal.value.hint)


def test_plan_file_keeps_odd_names_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written, printed, piped and carried out; undo gives all of them back."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"a.jpg", b"[red].jpg", b"new\nline.jpg", b"caf\xe9.jpg", "u\u2028sep\x85.jpg".encode()):
        (folder / os.fsdecode(name)).write_bytes(encoded(drawn(1)))
    monkeypatch.chdir(tmp_path)
    run(["index", "odd", "-q", "--jobs", "0"])
    before = tree(folder)

    run(["prune", "--plan-out", "p.jsonl"])
    run(["prune", "--plan-out", "-"])
    printed = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.StringIO(printed))
    piped = run(["prune", "--plan", "-"])
    shown = capsys.readouterr().out
    done = run(["prune", "--plan", "p.jsonl", "--yes", "-q", "--max-share", "1"])
    left = len(tree(folder))
    run(["undo", "-q"])

    assert (piped, done, left) == (0, 0, 1)
    assert "new\\nline.jpg" in shown
    assert "caf\\xe9.jpg" in shown
    assert tree(folder) == before
