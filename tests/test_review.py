"""Reviews: what people choose for groups, where it is kept, and what `prune --reviewed` makes of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from reviewing import with_groups
from support import make_photos, tree

from indexer import Index
from indexer.drawing import encoded, mosaic
from indexer.entry import run
from indexer.errors import SafetyError, UsageError
from indexer.groups import VERIFIED
from indexer.plans import Fate
from indexer.review import Card, Review, Ruling


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Three groups, indexed."""
    return with_groups(tmp_path, index)


@pytest.fixture
def review(index: Index, photos: Path) -> Review:
    """Of all groups."""
    return index.review(kinds=VERIFIED)


def cards(review: Review) -> dict[str, Card]:
    """The groups by the name of the keep order's keeper."""
    return {card.group.keeper.path: card for card in review.cards(review.snapshot())}


def ruled(card: Card, fates: Mapping[str, str], keeper: str | None = None) -> Ruling:
    """A ruling in names of files."""
    ids = {member.path: member.file_id for member in card.members}
    kept = card.keeper.file_id if keeper is None else ids[keeper]
    return Ruling(card.number, card.version, kept, {ids[path]: Fate(fate) for path, fate in fates.items()})


def planned(index: Index) -> set[tuple[str, str, str]]:
    """Keeper, surplus and kind of what `prune --reviewed` would move."""
    return {(m.keeper.path, m.surplus.member.path, str(m.surplus.kind)) for m in index.plan_reviewed().moves}


def prune(index: Index, *options: str) -> int:
    """`prune --reviewed`, as a user types it."""
    return run(["prune", "--reviewed", "--yes", "--quiet", "--db", index.path, *options])


def test_groups_are_those_of_dups(review: Review, index: Index) -> None:
    """A review shows what `dups` shows, each group undecided."""
    found = review.cards(review.snapshot())

    assert [card.group for card in found] == list(index.groups(kinds=VERIFIED))
    assert sorted(cards(review)) == ["a/0.jpg", "b/1.jpg", "mosaic0.png"]
    assert [(card.decided, dict(card.fates)) for card in found] == [(False, {})] * 3


def test_nothing_is_planned_before_something_was_chosen(review: Review, index: Index) -> None:
    """A review that was only looked at prunes nothing."""
    assert planned(index) == set()
    assert prune(index) == 0


def test_exactly_what_was_chosen_is_pruned_and_comes_back(review: Review, index: Index, photos: Path) -> None:
    """One group is pruned of the two that could be, and undo gives it back to the byte."""
    before = tree(photos)
    review.rule([ruled(cards(review)["a/0.jpg"], {"z/0.jpg": "prune"})])

    assert planned(index) == {("a/0.jpg", "z/0.jpg", "bytes")}
    assert prune(index) == 0
    assert set(before) - set(tree(photos)) == {"z/0.jpg"}
    index.undo()
    assert tree(photos) == before


def test_chosen_keeper_stays_and_the_others_go(review: Review, index: Index, photos: Path) -> None:
    """The smallest of three is chosen to stay: the two larger ones go, though the keep order is for them."""
    before = tree(photos)
    fates = {"mosaic0.png": "prune", "mosaic1.png": "prune"}
    (card,) = review.rule([ruled(cards(review)["mosaic0.png"], fates, keeper="mosaic2.png")])

    assert (card.keeper.path, card.decided) == ("mosaic2.png", True)
    assert planned(index) == {("mosaic2.png", name, "same") for name in fates}
    assert prune(index) == 0
    assert set(before) - set(tree(photos)) == set(fates)
    index.undo()
    assert tree(photos) == before


def test_choices_follow_a_root_that_moved(review: Review, index: Index, photos: Path, tmp_path: Path) -> None:
    """What was chosen at the old place holds at the new one."""
    review.rule([ruled(cards(review)["a/0.jpg"], {"z/0.jpg": "prune"})])
    photos.rename(tmp_path / "pictures")
    index.move_root(photos, tmp_path / "pictures")

    assert planned(index) == {("a/0.jpg", "z/0.jpg", "bytes")}


def test_chosen_keeper_may_be_any_of_equal_copies(review: Review, index: Index, photos: Path) -> None:
    """Of two files of the same bytes, the chosen one stays: a choice is about places there."""
    review.rule([ruled(cards(review)["a/0.jpg"], {"a/0.jpg": "prune"}, keeper="z/0.jpg")])

    assert prune(index) == 0
    assert (photos / "z/0.jpg").exists()
    assert not (photos / "a/0.jpg").exists()


def test_only_chosen_files_of_a_group_go(review: Review, index: Index) -> None:
    """A group that is half decided is half pruned."""
    (card,) = review.rule([ruled(cards(review)["mosaic0.png"], {"mosaic2.png": "prune"})])

    assert not card.decided
    assert planned(index) == {("mosaic0.png", "mosaic2.png", "same")}


def test_keep_both_is_a_judgement_for_every_prune(review: Review, index: Index) -> None:
    """Two pictures that both stay are different from then on, for `dups` too; taken back, they are not."""
    card = cards(review)["mosaic0.png"]
    names = {"mosaic1.png": "keep", "mosaic2.png": "keep"}
    (kept,) = review.rule([ruled(card, names)])

    assert kept.decided
    assert len(index.decisions_json()) == 2
    assert "mosaic0.png" not in {group.keeper.path for group in index.groups()}
    (back,) = review.rule([ruled(kept, {})])
    assert (back.decided, back.version) == (False, card.version)
    assert index.decisions_json() == []


def test_copies_that_both_stay_are_no_judgement(review: Review, index: Index) -> None:
    """Equal bytes cannot be different pictures: that both stay is remembered for the review alone."""
    (kept,) = review.rule([ruled(cards(review)["a/0.jpg"], {"z/0.jpg": "keep"})])

    assert kept.decided
    assert (index.decisions_json(), planned(index)) == ([], set())


def test_choice_on_a_former_state_is_refused(review: Review, index: Index) -> None:
    """Of two windows that show the same state, the second to choose is told to look again, and changes nothing."""
    card = cards(review)["a/0.jpg"]
    review.rule([ruled(card, {"z/0.jpg": "prune"})])

    with pytest.raises(SafetyError, match="changed since"):
        review.rule([ruled(card, {"z/0.jpg": "keep"})])
    assert planned(index) == {("a/0.jpg", "z/0.jpg", "bytes")}


def test_choices_are_stored_whole_or_not_at_all(review: Review, index: Index) -> None:
    """Of many groups decided at once, one that changed keeps all of them undecided."""
    found = cards(review)
    stale = Ruling(found["b/1.jpg"].number, "0" * 16, found["b/1.jpg"].keeper.file_id, {})

    with pytest.raises(SafetyError):
        review.rule([ruled(found["a/0.jpg"], {"z/0.jpg": "prune"}), stale])
    assert planned(index) == set()


def test_group_whose_file_changed_is_refused(review: Review, index: Index, photos: Path) -> None:
    """After another run indexed new bytes, a choice on the old ones is refused, and the groups are found anew."""
    card = cards(review)["a/0.jpg"]
    (photos / "z/0.jpg").write_bytes(encoded(mosaic(99)))
    index.update(photos, jobs=0)

    with pytest.raises(SafetyError, match="changed since"):
        review.rule([ruled(card, {"z/0.jpg": "prune"})])
    assert "a/0.jpg" not in cards(review)


def test_row_that_changed_while_the_snapshot_did_not_is_refused(review: Review, index: Index) -> None:
    """What the index knows of the files counts in the moment of the choice, not when the groups were found."""
    import sqlite3  # noqa: PLC0415

    card = cards(review)["a/0.jpg"]
    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE file SET state = 0 WHERE id = ?", (card.keeper.file_id,))
    db.close()

    with pytest.raises(SafetyError, match="changed since"):
        review.rule([ruled(card, {"z/0.jpg": "prune"})])


@pytest.mark.parametrize(
    ("fates", "keeper"),
    [
        pytest.param({"z/0.jpg": "prune"}, "z/0.jpg", id="the keeper goes"),
        pytest.param({"a/0.jpg": "prune", "z/0.jpg": "prune"}, None, id="all go"),
    ],
)
def test_senseless_choices_are_refused(review: Review, index: Index, fates: dict[str, str], keeper: str | None) -> None:
    """No ruling leaves a group without its keeper."""
    with pytest.raises(UsageError):
        review.rule([ruled(cards(review)["a/0.jpg"], fates, keeper)])
    assert planned(index) == set()


def test_ruling_on_a_file_of_another_group_is_refused(review: Review) -> None:
    """A ruling names files of its own group alone."""
    first, second = cards(review)["a/0.jpg"], cards(review)["b/1.jpg"]
    foreign = Ruling(first.number, first.version, first.keeper.file_id, {second.keeper.file_id: Fate.PRUNE})

    with pytest.raises(UsageError, match="not of its group"):
        review.rule([foreign])


def test_protected_files_cannot_be_chosen_to_go(index: Index, photos: Path) -> None:
    """What is protected stays: in the review, and when it was protected only later."""
    guarded = index.review(kinds=VERIFIED, protect=[photos / "a"])
    card = cards(guarded)["a/0.jpg"]
    with pytest.raises(UsageError, match="protected"):
        guarded.rule([ruled(card, {"a/0.jpg": "prune"}, keeper="z/0.jpg")])

    free = index.review(kinds=VERIFIED)
    free.rule([ruled(cards(free)["a/0.jpg"], {"a/0.jpg": "prune"}, keeper="z/0.jpg")])
    made = index.plan_reviewed(protect=[photos / "a"])
    assert (made.moves, [one.reason for one in made.refused]) == ((), ["it is protected"])


def test_choice_whose_keeper_is_gone_is_refused(review: Review, index: Index, photos: Path) -> None:
    """A file that was to go stays when the one that was to stand for it is not there any more."""
    review.rule([ruled(cards(review)["a/0.jpg"], {"z/0.jpg": "prune"})])
    os.remove(photos / "a/0.jpg")
    index.update(photos, jobs=0)

    assert prune(index) == 3
    assert (photos / "z/0.jpg").exists()


def test_choice_whose_bytes_changed_is_refused(review: Review, index: Index, photos: Path) -> None:
    """A choice is about what the files held: other bytes under the same name stay."""
    review.rule([ruled(cards(review)["a/0.jpg"], {"z/0.jpg": "prune"})])
    (photos / "z/0.jpg").write_bytes(encoded(mosaic(99)))
    index.update(photos, jobs=0)

    (refused,) = index.plan_reviewed().refused
    assert "holds other bytes than when it was reviewed" in refused.reason
    assert prune(index) == 3


def test_later_judgement_outranks_a_choice(review: Review, index: Index, photos: Path) -> None:
    """Two pictures that were decided to be different after the review are not pruned for each other."""
    review.rule([ruled(cards(review)["mosaic0.png"], {"mosaic1.png": "prune"})])
    index.decide(photos / "mosaic0.png", photos / "mosaic1.png", "different")

    (refused,) = index.plan_reviewed().refused
    assert "decided to be different" in refused.reason


def test_keeper_that_was_chosen_to_go_later_stands_for_nothing(index: Index, photos: Path, review: Review) -> None:
    """A file that stays for another is not moved itself: the first of the two choices is refused."""
    review.rule([ruled(cards(review)["mosaic0.png"], {"mosaic2.png": "prune"}, keeper="mosaic1.png")])
    other = index.review(photos / "mosaic0.png", photos / "mosaic1.png", kinds=VERIFIED)
    other.rule([ruled(cards(other)["mosaic0.png"], {"mosaic1.png": "prune"})])

    assert planned(index) == {("mosaic0.png", "mosaic1.png", "same")}
    (refused,) = index.plan_reviewed().refused
    assert "chosen to go later" in refused.reason


def test_pruned_choices_have_nothing_left_to_do(review: Review, index: Index) -> None:
    """After the prune, the same command finds nothing and complains of nothing."""
    review.rule([ruled(cards(review)["a/0.jpg"], {"z/0.jpg": "prune"})])

    assert (prune(index), prune(index)) == (0, 0)
    assert "a/0.jpg" not in cards(review)


def test_groups_whose_labels_disagree_wait(review: Review, index: Index, photos: Path) -> None:
    """A reviewed group with captions that differ is left, with exit code 3, unless the user says what to do with such."""
    (photos / "a/0.txt").write_text("a cat\n")
    (photos / "z/0.txt").write_text("a dog\n")
    review.rule([ruled(cards(review)["a/0.jpg"], {"z/0.jpg": "prune"})])

    assert prune(index) == 3
    assert (photos / "z/0.jpg").exists()
    assert prune(index, "--on-conflict", "merge") == 0
    assert (photos / "a/0.txt").read_text() == "a cat\na dog\n"


def test_further_names_of_a_keeper_that_goes_go_with_it(tmp_path: Path, index: Index) -> None:
    """When another file is chosen, the hard links of the first keeper are surplus as well."""
    photos = make_photos(tmp_path / "photos")
    (photos / "copy.jpg").write_bytes((photos / "a/0.jpg").read_bytes())
    os.link(photos / "a/0.jpg", photos / "a/link.jpg")
    index.update(photos, jobs=0)
    review = index.review(kinds=VERIFIED)
    (card,) = review.cards(review.snapshot())
    assert [member.path for member in card.group.links] == ["a/link.jpg"]

    review.rule([ruled(card, {"a/0.jpg": "prune"}, keeper="copy.jpg")])

    assert planned(index) == {("copy.jpg", "a/0.jpg", "bytes"), ("copy.jpg", "a/link.jpg", "bytes")}


@pytest.mark.parametrize(
    "options", [["--kinds", "same"], ["--keep", "oldest"], ["--link", "hard"], ["--plan-out", "-"], ["."]]
)
def test_reviewed_goes_with_nothing_that_decides(review: Review, index: Index, options: list[str]) -> None:
    """What was decided in a review is not decided anew."""
    assert run(["prune", "--reviewed", "--db", index.path, *options]) == 2
