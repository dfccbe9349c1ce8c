"""A file that shows what was rejected stands for no other: that would leave nothing when it goes, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rejecting import WHY
from support import aged, make_photos, tree
from upgrading import came, put, shrunk

from indexer import Index
from indexer.drawing import drawn
from indexer.entry import run
from indexer.plan import RETURNED

AGAIN, BIG = "pref/again.jpg", "big.jpg"


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """A small picture was rejected and came back, older than a larger version of it that came, too."""
    photos = make_photos(tmp_path / "data" / "photos")
    put(photos / "bad.jpg", shrunk(9))
    came(index, photos)
    index.carry_out(index.plan_rejection(photos / "bad.jpg", reason=WHY))
    aged(put(photos / AGAIN, shrunk(9)), 9_000)
    put(photos / BIG, drawn(9))
    came(index, photos)
    return photos


@pytest.mark.parametrize("by", ["age", "place"])
def test_prune_moves_nothing_in_favour_of_what_was_rejected(photos: Path, index: Index, by: str) -> None:
    """The better picture stays; when the rejected one is gone, there is nothing left to prune."""
    wishes: dict[str, Any] = {"keep": ["oldest"]} if by == "age" else {"prefer": [photos / "pref"]}
    before = tree(photos)

    plan = index.plan(**wishes)

    assert plan.moves == ()
    assert [(one.path, one.reason) for one in plan.refused] == [(str(photos / BIG), RETURNED)]
    index.carry_out(plan)
    assert tree(photos) == before
    index.carry_out(index.plan_returned(), max_share=1)
    assert ((photos / BIG).exists(), (photos / AGAIN).exists()) == (True, False)
    assert (index.plan(**wishes).moves, index.plan(**wishes).refused) == ((), ())


@pytest.mark.parametrize("more", [[], ["--yes"]])
def test_prune_says_so_and_is_incomplete(
    photos: Path, index: Index, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    """Exit code 3, and the reason on standard error."""
    assert run(["prune", "--keep", "oldest", *more, "--db", index.path, "--quiet"]) == 3

    assert f"{BIG}: {RETURNED}" in capsys.readouterr().err


def test_rejected_surplus_still_goes(photos: Path, index: Index) -> None:
    """In favour of a picture that may stay; what was rejected stays so."""
    (move,) = index.plan().moves

    assert (move.surplus.member.path, move.keeper.path) == (AGAIN, BIG)


def test_plan_file_is_refused_where_its_keeper_was_rejected_since(tmp_path: Path, index: Index) -> None:
    """Each such line with its reason; marks that a list brought change nothing that makes a plan stale."""
    photos = make_photos(tmp_path / "data" / "photos")
    put(photos / "again.jpg", shrunk(9))
    put(photos / BIG, drawn(9))
    came(index, photos)
    plan = index.plan()
    lines = index.plan_lines(plan)
    (move,) = plan.moves
    nothing = dict.fromkeys(("recipe", "size", "fingerprint", "thumbnail"))
    line = {"digest": move.keeper.digest.hex(), "reason": WHY, "rejected": 1, **nothing}
    index.import_rejected([json.dumps(line)], jobs=0)

    read = index.plan_from(lines)

    assert read.moves == ()
    assert [one.reason for one in read.refused] == [f"line 2: {RETURNED}"]


def test_upgrade_to_what_was_rejected_is_left_alone(tmp_path: Path, index: Index) -> None:
    """A larger version that was rejected, and came back, takes no place; without the mark it would."""
    photos = make_photos(tmp_path / "data" / "photos")
    put(photos / "train/1.jpg", shrunk(9))
    came(index, photos)
    put(photos / "scrape/n.jpg", drawn(9))
    came(index, photos)
    (before,) = index.upgrades(jobs=0)
    assert before.problems == ()
    nothing = dict.fromkeys(("recipe", "size", "fingerprint", "thumbnail"))
    line = {"digest": before.move.keeper.digest.hex(), "reason": WHY, "rejected": 1, **nothing}
    index.import_rejected([json.dumps(line)], jobs=0)

    (found,) = index.upgrades(jobs=0)

    assert found.problems == (RETURNED,)
    assert index.carry_out(index.plan_upgrades([found])).moved == ()
