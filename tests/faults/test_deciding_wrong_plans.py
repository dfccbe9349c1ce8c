"""Hazards 39 and 40: a plan that is wrong, by hand or by age, does not take the last file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deciding import names, prune
from score import Faults
from support import aged, tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.errors import SafetyError
from indexer.groups import Group, Member

# --- 39: every member is surplus


@pytest.fixture(params=["bytes", "same"])
def alike(request: pytest.FixtureRequest, photos: Path, index: Index) -> Group:
    """A group of three files that are copies, or one picture in three encodings, among six other pictures."""
    encodings = (
        [("PNG", {})] * 3 if request.param == "bytes" else [("PNG", {}), ("JPEG", {"quality": 95}), ("WEBP", {})]
    )
    for number, (format_, options) in enumerate(encodings):
        (photos / f"alike-{number}").write_bytes(encoded(drawn(33), format_, **options))
        aged(photos / f"alike-{number}")
    index.update(photos, jobs=0)
    (group,) = index.groups()
    return group


def taking(plan: Any, *pairs: tuple[Member, Member]) -> Any:
    """A plan made by hand: each file is surplus of the other one of its pair, whatever is known of the two."""
    like = plan.moves[0]
    moves = tuple(
        dataclasses.replace(like, surplus=dataclasses.replace(like.surplus, member=gone), keeper=kept)
        for gone, kept in pairs
    )
    groups = tuple(Group(move.keeper, (move.surplus,), (), "made by hand") for move in moves)
    keeps_moves = "moves" in {field.name for field in dataclasses.fields(plan)}  # else they are those of its groups
    return dataclasses.replace(plan, groups=groups, **({"moves": moves} if keeps_moves else {}))


def carried_out(index: Index, plan: Any) -> int:
    """How many files a plan moved; none when it was refused as a whole."""
    try:
        return len(index.carry_out(plan).moved)
    except SafetyError:
        return 0


def members(group: Group) -> list[Member]:
    """All files of a group, the keeper first."""
    return [group.keeper, *(surplus.member for surplus in group.surplus)]


@pytest.mark.parametrize("length", [1, 2, 3], ids=["its own keeper", "each other's keeper", "a ring of three"])
def test_hazard_39_one_file_stays_when_all_are_surplus(
    photos: Path, index: Index, fault: Faults, alike: Group, length: int
) -> None:
    """A plan by hand in which every file of a group is surplus of another moves all but one of them at most."""
    ring = members(alike)[:length]
    plan = taking(index.plan(), *zip(ring, ring[1:] + ring[:1], strict=True))

    with fault(39, f"{alike.surplus[0].kind}: a ring of {length}", root=photos) as case:
        moved = carried_out(index, plan)
        left = [member for member in ring if (photos / member.path).exists()]
        case.undo(index)

    assert left
    assert moved == length - len(left)


def test_hazard_39_one_file_stays_when_two_plans_together_take_all(
    photos: Path, index: Index, fault: Faults, alike: Group
) -> None:
    """Two sound plans of which each keeps what the other takes: the second finds its keeper gone and moves nothing."""
    one, other, third = members(alike)
    plans = [taking(index.plan(), (one, third), (other, third)), taking(index.plan(), (third, one))]

    with fault(39, f"{alike.surplus[0].kind}: two plans with opposite keepers", root=photos) as case:
        moved = [carried_out(index, plan) for plan in plans]
        left = names(photos)
        case.undo(index)

    assert moved == [2, 0]
    assert third.path in left


def test_hazard_39_a_file_stays_when_its_two_names_are_each_others_surplus(
    photos: Path, index: Index, fault: Faults
) -> None:
    """Two names of one file are no two copies: plans by hand that take each for the other move neither."""
    (photos / "name").write_bytes(encoded(drawn(33)))
    (photos / "copy").write_bytes(encoded(drawn(33)))
    index.update(photos, jobs=0)
    (group,) = index.groups()
    one, other = members(group)
    plans = [taking(index.plan(), pair) for pair in ((one, other), (other, one))]
    (photos / "copy").unlink()
    (photos / "copy").hardlink_to(photos / "name")

    with fault(39, "two names of one file", root=photos) as case:
        moved = [carried_out(index, plan) for plan in plans]
        left = names(photos)
        case.undo(index)

    assert moved == [0, 0]
    assert {"name", "copy"} <= left


# --- 40: stale rows


def _delete(*paths: Path) -> None:
    for path in paths:
        path.unlink()


def _rename(*paths: Path) -> None:
    for path in paths:
        path.rename(path.with_name(f"renamed-{path.name}"))


def _empty(*paths: Path) -> None:
    for path in paths:
        path.write_bytes(b"")


@pytest.mark.parametrize("change", [_delete, _rename, _empty], ids=["deleted", "renamed", "emptied"])
@pytest.mark.parametrize("gone", [(0,), (1,), (0, 1), (0, 2), (1, 2)], ids=str)
def test_hazard_40_the_last_copy_stays_when_the_index_is_stale(
    photos: Path, index: Index, fault: Faults, alike: Group, gone: tuple[int, ...], change: Callable[..., None]
) -> None:
    """Files change by hand after indexing; prune, without a new index, moves nothing whose keeper is not there."""
    files = [photos / member.path for member in members(alike)]
    change(*(files[number] for number in gone))
    before = tree(photos)
    kind = str(alike.surplus[0].kind)

    with fault(40, f"{kind}: {change.__name__} {gone} of keeper and two surplus", root=photos) as case:
        code = prune(index)
        after = tree(photos)
        case.undo(index)

    moved = before.keys() - after.keys()
    sound = {files[number].name for number in (1, 2) if number not in gone and 0 not in gone}
    assert moved == sound
    assert code == (3 if len(sound) < 2 else 0)
    assert any(path.exists() for number, path in enumerate(files) if number not in gone)
