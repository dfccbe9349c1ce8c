"""Pictures that should never be in the data set: they go, stay known, and come back by undo with nothing left behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from rejecting import (
    AGAIN,
    BAD,
    BIGGER,
    COPY,
    WHY,
    camera_picture,
    come_again,
    marks,
    names,
    reject,
    resaved,
    returned,
    with_bad,
    with_marked,
)
from support import aged, digest, tree

from indexer import Index, confirm, looking
from indexer.drawing import encoded
from indexer.errors import SafetyError, UsageError
from indexer.groups import Evidence, Kind
from indexer.plans import Action
from indexer.records import Health
from indexer.undo import undo_from_manifest


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Photos of which one, with a copy, should not be there."""
    return with_bad(tmp_path, index)


def test_reject_moves_all_files_of_the_bytes_with_their_sidecars_and_remembers_why(photos: Path, index: Index) -> None:
    """The file that is named, its copy, the copy's caption; and nothing else."""
    before = tree(photos)

    done = reject(index, photos / BAD)

    assert names(done, photos) == [BAD, COPY]
    assert set(before) - set(tree(photos)) == {BAD, COPY, "z/copy.txt"}
    ((found, reason, _time),) = marks(index)
    assert (found, reason) == (hashlib.sha256(before[BAD][0]).digest(), WHY)
    (known,) = index.rejected()
    assert (known.width, known.height, known.is_held, known.mark.reason) == (320, 280, True, WHY)
    assert known.path in {str(photos / BAD), str(photos / COPY)}
    assert index.status().rejected == 1
    assert index.history()[0].command == "reject"


def test_undo_brings_the_files_back_and_takes_the_mark_back(photos: Path, index: Index) -> None:
    """Byte by byte, with permissions and times; nothing is rejected any more."""
    before = tree(photos)
    reject(index, photos / COPY)

    back = index.undo()

    assert len(back.moved) == 2
    assert tree(photos) == before
    assert marks(index) == []
    assert index.returned() == ()
    assert index.status().quarantined == 0
    assert index.update(photos, jobs=0).new == 0


def test_undo_leaves_marks_that_an_earlier_run_made(photos: Path, index: Index) -> None:
    """What was rejected before stays rejected, with its reason, when a copy that was rejected anew comes back."""
    reject(index, photos / BAD)
    earlier = marks(index)
    (photos / "b" / "late.jpg").write_bytes(held(index))
    index.update(photos, jobs=0)

    done = reject(index, photos / "b" / "late.jpg", reason="something else")
    index.undo(done.run_id)

    assert marks(index) == earlier
    assert returned(index) == {"b/late.jpg": ("bytes", "pixels", False)}


def held(index: Index) -> bytes:
    """The bytes of the first file in the quarantine."""
    return Path(index.quarantined()[0].entry.payload_path).read_bytes()


def test_undo_leaves_a_mark_that_was_made_anew(photos: Path, index: Index) -> None:
    """What its run had rejected was forgotten, and rejected again by an import: another mark on the same content."""
    reject(index, photos / BAD)
    line = json.dumps({**json.loads(index.rejected_json()[0]), "reason": "on the list", "rejected": 7})
    index.forget_rejected(photos / BAD)
    index.import_rejected([line], jobs=0)

    index.undo()

    assert [one.mark.reason for one in index.rejected()] == ["on the list"]
    assert returned(index).keys() == {BAD, COPY}


def test_mark_stays_while_one_file_of_the_run_stays_in_the_quarantine(photos: Path, index: Index) -> None:
    """Another file took the place of one: that one stays in the quarantine, and what it shows stays rejected."""
    reject(index, photos / BAD)
    (photos / COPY).write_bytes(b"somebody's")

    back = index.undo()

    assert names(back, photos) == [BAD]
    assert {Path(one.path).name for one in back.refused} == {"copy.jpg", "copy.txt"}
    assert len(marks(index)) == 1

    (photos / COPY).unlink()
    index.undo()
    assert marks(index) == []


def test_reencoded_copy_is_returned_and_pruned_and_a_better_one_is_left(photos: Path, index: Index) -> None:
    """The look at the quarantined file confirms both; the one with more pixels is named, and the user decides."""
    reject(index, photos / BAD)
    come_again(photos, index)
    before = tree(photos)

    assert returned(index) == {AGAIN: ("same", "files", False), BIGGER: ("same", "files", True)}
    plan = index.plan_returned()
    done = index.carry_out(plan)

    assert names(done, photos) == [AGAIN]
    (left,) = done.refused
    assert left.path == str(photos / BIGGER)
    assert "more pixels than what was rejected" in left.reason
    assert index.history()[0].command == "prune returned"
    index.undo()
    assert tree(photos) == before
    assert len(marks(index)) == 1


@pytest.mark.parametrize("jobs", [0, 2])
def test_picture_without_the_mark_is_not_removed(tmp_path: Path, index: Index, jobs: int) -> None:
    """Their thumbnails agree; the quarantined file is looked at, and its copy alone is the same picture."""
    photos = with_marked(tmp_path / "other", index)
    (photos / "clean.jpg").write_bytes(encoded(camera_picture(), "JPEG", quality=92))
    (photos / "again.jpg").write_bytes(encoded(camera_picture("© me"), "JPEG", quality=92))
    index.update(photos, jobs=jobs)

    assert returned(index) == {"again.jpg": ("same", "files", False)}
    assert names(index.carry_out(index.plan_returned()), photos) == ["again.jpg"]


@pytest.mark.parametrize("change", ["purged", "altered", "swapped for a link"])
def test_without_the_rejected_file_thumbnails_are_no_reason_to_move(tmp_path: Path, index: Index, change: str) -> None:
    """What looks like it is listed then, and taken when the user says so."""
    photos = with_marked(tmp_path / "other", index)
    payload = Path(index.quarantined()[0].entry.payload_path)
    if change == "purged":
        index.purge(0, dry_run=False)
    else:
        payload.rename(tmp_path / "elsewhere.png")
        payload.write_bytes(b"altered") if change == "altered" else payload.symlink_to(tmp_path / "elsewhere.png")
    (photos / "clean.jpg").write_bytes(encoded(camera_picture(), "JPEG", quality=92))
    index.update(photos, jobs=0)

    assert returned(index) == {"clean.jpg": ("same", "thumbnail", False)}
    plan = index.plan_returned()
    assert (plan.moves, [one.path for one in plan.refused]) == ((), [str(photos / "clean.jpg")])
    assert "--unconfirmed" in plan.refused[0].reason
    assert [move.surplus.evidence for move in index.plan_returned(unconfirmed=True).moves] == [Evidence.THUMBNAIL]


def test_decision_of_a_person_outranks_what_was_found(photos: Path, index: Index) -> None:
    """Two pictures that were called different stay so when one of them is rejected; and the same likewise."""
    (photos / AGAIN).write_bytes((photos / "b" / "1.jpg").read_bytes() + b"behind the end")
    come_again(photos, index)
    index.decide(photos / BAD, photos / AGAIN, "different")
    index.decide(photos / BAD, photos / "b" / "3.jpg", "same")

    reject(index, photos / BAD)

    assert returned(index) == {BIGGER: ("same", "files", True), "b/3.jpg": ("same", "person", False)}


def test_decision_follows_a_picture_that_is_saved_again(photos: Path, index: Index) -> None:
    """What is a copy of a picture that was told from the rejected one, rather than of that, did not return."""
    (photos / AGAIN).write_bytes(resaved(0, 2 / 3))
    with Image.open(photos / AGAIN) as picture:
        (photos / "copy.jpg").write_bytes(encoded(picture.convert("RGB"), "JPEG", quality=97))
    index.update(photos, jobs=0)
    index.decide(photos / BAD, photos / AGAIN, "different")

    reject(index, photos / BAD)

    assert returned(index) == {}


def test_file_is_no_better_when_it_shows_a_larger_rejected_picture_too(photos: Path, index: Index) -> None:
    """Of several, the one counts that it is not better than, whichever was rejected first."""
    for number, factor in ((40, 0.4), (41, 2)):
        (photos / f"{number}.webp").write_bytes(resaved(number, factor))
    index.update(photos, jobs=0)
    for number in (40, 41):
        index.decide(photos / "b" / "1.jpg", photos / f"{number}.webp", "same")
        reject(index, photos / f"{number}.webp")
        found = returned(index)
        assert found.pop("b/1.jpg") == ("same", "person", number == 40)

    assert found == {}


def test_nothing_is_returned_before_anything_is_rejected(photos: Path, index: Index) -> None:
    """Copies are no matter of this."""
    come_again(photos, index)

    assert index.returned() == ()
    assert index.plan_returned().moves == ()


def test_files_that_are_not_indexed_or_protected_are_refused(photos: Path, index: Index, tmp_path: Path) -> None:
    """Each with its reason; the others go, and what stays of a rejected content is a returned file."""
    (tmp_path / "stranger.jpg").write_bytes(b"x")
    (tmp_path / "link.jpg").symlink_to(photos / BAD)
    plan = index.plan_rejection(
        photos / BAD, tmp_path / "stranger.jpg", tmp_path / "link.jpg", reason=WHY, protect=[photos / "z"]
    )

    done = index.carry_out(plan)

    assert names(done, photos) == [BAD]
    reasons = {Path(one.path).name: one.reason for one in done.refused}
    assert reasons.keys() == {"stranger.jpg", "link.jpg", "copy.jpg"}
    assert reasons["copy.jpg"] == "it is protected"
    assert "imgindex index" in reasons["stranger.jpg"]
    assert returned(index) == {COPY: ("bytes", "pixels", False)}


def test_protected_sidecar_keeps_its_picture(photos: Path, index: Index) -> None:
    """Neither may go then; nothing is marked when nothing goes."""
    plan = index.plan_rejection(photos / COPY, reason=WHY, protect=[photos / "z" / "copy.txt", photos / "a"])

    assert (plan.moves, plan.marks) == ((), ())
    assert {one.reason for one in plan.refused} == {"its .txt is protected", "it is protected"}
    index.carry_out(plan)
    assert marks(index) == []


def test_settings_protect_here_too(photos: Path, index: Index) -> None:
    """As for a prune; `isolated` passes them over."""
    Path(index.path).with_name("imgindex.toml").write_text(f'protect = ["{photos}"]\n')

    assert index.plan_rejection(photos / BAD, reason=WHY).moves == ()
    assert len(index.plan_rejection(photos / BAD, reason=WHY, isolated=True).moves) == 2


def test_changed_file_stays_and_is_not_marked(photos: Path, index: Index) -> None:
    """It no longer is what the index says, and so nobody knows whether it should go."""
    plan = index.plan_rejection(photos / "b" / "1.jpg", reason=WHY)
    (photos / "b" / "1.jpg").write_bytes(b"another picture")

    done = index.carry_out(plan)

    assert [one.reason for one in done.refused] == ["it changed since it was indexed"]
    assert marks(index) == []
    assert (photos / "b" / "1.jpg").read_bytes() == b"another picture"


@pytest.mark.parametrize("way", ["gone", "a link", "behind a link"])
def test_file_that_is_not_what_it_was_stays(photos: Path, index: Index, way: str) -> None:
    """Links are not followed."""
    plan = index.plan_rejection(photos / "b" / "1.jpg", reason=WHY)
    if way == "behind a link":
        (photos / "b").rename(photos / "elsewhere")
        (photos / "b").symlink_to(photos / "elsewhere")
    else:
        (photos / "b" / "1.jpg").rename(photos / "moved.jpg")
    if way == "a link":
        (photos / "b" / "1.jpg").symlink_to(photos / "moved.jpg")

    done = index.carry_out(plan)

    assert (len(done.moved), len(done.refused), marks(index)) == (0, 1, [])


def test_file_that_changes_while_it_is_read_stays(photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are those that were indexed, but nobody knows whether all of them still are."""
    plan = index.plan_rejection(photos / "b" / "1.jpg", reason=WHY)
    real = confirm.digest_of

    def changing(chunks: Iterable[bytes]) -> bytes:
        found = real(chunks)
        aged(photos / "b" / "1.jpg")
        return found

    monkeypatch.setattr(confirm, "digest_of", changing)

    assert [one.reason for one in index.carry_out(plan).refused] == ["it changed while it was read"]


def test_limits_hold(photos: Path, index: Index) -> None:
    """More than half of a folder is refused as a whole, and so is more than the user allows."""
    every = index.plan_rejection(*photos.rglob("*.jpg"), reason=WHY)

    with pytest.raises(SafetyError, match="would take 7 of the 7 files"):
        index.carry_out(every)
    with pytest.raises(SafetyError, match="more than --max-files 1"):
        index.carry_out(index.plan_rejection(photos / BAD, reason=WHY), max_files=1)
    assert marks(index) == []
    assert len(index.carry_out(every, max_share=1).moved) == 7


def test_plan_that_moves_a_file_alone_as_if_it_were_surplus_is_refused(photos: Path, index: Index) -> None:
    """Nothing but a rejection removes the last copy of a content."""
    plan = replace(index.plan_rejection(photos / "b" / "1.jpg", reason=WHY), action=Action.QUARANTINE)

    with pytest.raises(SafetyError, match="which it also keeps"):
        index.carry_out(plan)


def test_rejection_that_was_forgotten_meanwhile_moves_nothing(photos: Path, index: Index) -> None:
    """A plan of returned files is carried out as far as what they show still is rejected."""
    reject(index, photos / BAD)
    come_again(photos, index)
    plan = index.plan_returned()
    index.forget_rejected(photos / BAD)

    done = index.carry_out(plan)

    assert done.moved == ()
    assert "what it shows is no longer rejected" in {one.reason for one in done.refused}


def test_plan_of_it_cannot_be_written_to_a_file(photos: Path, index: Index) -> None:
    """It says so."""
    with pytest.raises(UsageError, match="cannot be written to a plan file"):
        index.plan_lines(index.plan_rejection(photos / BAD, reason=WHY))


def test_reason_is_one_printable_line(photos: Path, index: Index) -> None:
    """Nothing else is remembered and printed for years."""
    with pytest.raises(UsageError, match="a reason is one line"):
        index.plan_rejection(photos / BAD, reason="two\nlines")
    assert index.plan_rejection(photos / BAD, reason="  opted out ").marks[0].reason == "opted out"


def test_two_names_of_one_file_both_go_and_come_back_as_one(photos: Path, index: Index) -> None:
    """Hard links hold the same bytes."""
    os.link(photos / "b" / "1.jpg", photos / "b" / "second.jpg")
    index.update(photos, jobs=0)
    before = tree(photos)

    done = reject(index, photos / "b" / "second.jpg")
    assert names(done, photos) == ["b/1.jpg", "b/second.jpg"]

    index.undo()
    assert tree(photos) == before
    assert (photos / "b" / "1.jpg").samefile(photos / "b" / "second.jpg")


def test_annotation_files_lose_the_rows_and_get_them_back(photos: Path, index: Index) -> None:
    """As after a prune."""
    (photos / "all.txt").write_text("a/0.jpg\nb/1.jpg\nz/copy.jpg\n")
    before = tree(photos)

    index.carry_out(index.plan_rejection(photos / BAD, reason=WHY), update=[photos / "all.txt"])
    assert (photos / "all.txt").read_text() == "b/1.jpg\n"

    index.undo()
    assert tree(photos) == before


# --- the end of the quarantine


def test_purge_deletes_what_was_rejected_though_nothing_stands_for_it(photos: Path, index: Index) -> None:
    """The content stays known; undo says that there is nothing to bring back."""
    done = reject(index, photos / BAD)

    purged = index.purge(0, dry_run=False)

    assert (len(purged.moved), purged.refused) == (2, ())
    assert len(marks(index)) == 1
    (known,) = index.rejected()
    assert known.is_held is False
    with pytest.raises(UsageError, match="nothing to bring back"):
        index.undo(done.run_id)


def test_purge_of_returned_files_needs_nothing_that_stands_for_them_either(photos: Path, index: Index) -> None:
    """They show what was rejected."""
    reject(index, photos / BAD)
    come_again(photos, index)
    index.carry_out(index.plan_returned())

    assert len(index.purge(0, dry_run=False).moved) == 3


def test_purge_leaves_the_last_copy_of_what_is_no_longer_rejected(photos: Path, index: Index) -> None:
    """Nobody says any more that it should go; another copy of its bytes would do."""
    reject(index, photos / "b" / "1.jpg")
    index.forget_rejected(photos / "b" / "1.jpg")

    (left,) = index.purge(0, dry_run=False).refused
    assert "last copy" in left.reason

    shutil.copy2(index.quarantined()[0].entry.payload_path, photos / "copy-of-1.jpg")
    index.update(photos, jobs=0)
    assert len(index.purge(0, dry_run=False).moved) == 1


def test_surplus_of_a_file_that_was_rejected_since_goes_as_returned(photos: Path, index: Index) -> None:
    """It was pruned as a file stood for it, and none does now: a purge leaves it, and says how it goes all the same."""
    pruned = index.carry_out(index.plan(on_conflict="prune"))
    assert names(pruned, photos) == [COPY]
    assert names(reject(index, photos / BAD), photos) == [BAD]

    purged = index.purge(0, dry_run=False)
    assert (names(purged, photos), len(purged.refused)) == ([BAD], 1)
    assert f"undo run {pruned.run_id}, then imgindex prune --returned" in purged.refused[0].reason

    index.undo(pruned.run_id)
    index.update(photos, jobs=0)
    assert names(index.carry_out(index.plan_returned()), photos) == [COPY]
    assert len(index.purge(0, dry_run=False).moved) == 1


def test_mark_from_elsewhere_lets_no_purge_delete_the_last_copy(photos: Path, index: Index) -> None:
    """A list that names what a prune moved away is no reason to delete it when its keeper is gone."""
    assert names(index.carry_out(index.plan(on_conflict="prune")), photos) == [COPY]
    digest = index.quarantined()[0].entry.digest.hex()
    nothing = dict.fromkeys(("recipe", "size", "fingerprint", "thumbnail"))
    index.import_rejected([json.dumps({"digest": digest, "reason": WHY, "rejected": 1, **nothing})], jobs=0)
    (photos / BAD).unlink()

    purged = index.purge(0, dry_run=False)

    assert (len(purged.moved), len(purged.refused)) == (0, 1)


def test_quarantine_and_doctor_know_the_files(photos: Path, index: Index) -> None:
    """Nothing is missing, altered or unknown; what is altered is named."""
    reject(index, photos / BAD)

    assert index.verify_quarantine() == (3, ())
    assert {one.health for one in index.examine() if one.about in {"quarantine", "journal"}} == {Health.FINE}
    assert [one.entry.action for one in index.quarantined() if one.entry.owner_id is None] == [Action.REJECT] * 2

    Path(index.quarantined()[0].entry.payload_path).write_bytes(b"altered")
    (problem,) = index.verify_quarantine()[1]
    assert "was altered" in problem.reason
    assert "a backup" in problem.reason


def test_undo_by_the_manifests_alone_takes_the_mark_back_at_the_next_index(photos: Path, index: Index) -> None:
    """The database is not asked then; `index` notices what is back."""
    before = tree(photos)
    reject(index, photos / BAD)

    undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))
    assert tree(photos) == before
    index.update(photos, jobs=0)

    assert marks(index) == []
    assert index.returned() == ()


@pytest.mark.parametrize("words", [('"shows": "', '"shows": "x'), ('"rejected_ns": ', '"rejected_ns": 0.')])
def test_damaged_manifest_line_of_a_rejected_file_is_refused(
    photos: Path, index: Index, words: tuple[str, str]
) -> None:
    """What it shows must be a digest, and the time of its mark a whole number."""
    reject(index, photos / BAD)
    (manifest,) = (photos.parent / ".imgindex-quarantine").rglob("manifest.jsonl")
    manifest.write_text(manifest.read_text().replace(*words))

    with pytest.raises(SafetyError, match="damaged"):
        undo_from_manifest(str(manifest))


def test_recover_marks_what_was_moved_and_no_more(photos: Path, index: Index) -> None:
    """A run that was killed before its first move leaves no mark, one that was killed after it does."""
    reject(index, photos / BAD)
    payloads = {one.entry.path: Path(one.entry.payload_path) for one in index.quarantined()}
    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE journal SET state = 'planned'")
    db.close()
    payloads[BAD].rename(photos / BAD)

    index.recover()
    assert len(marks(index)) == 1

    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE journal SET state = 'planned' WHERE path = 'z/copy.jpg'")
    db.close()
    payloads[COPY].rename(photos / COPY)
    index.recover()
    assert marks(index) == []


def test_history_of_the_run_says_that_nothing_stands_for_the_files(photos: Path, index: Index, tmp_path: Path) -> None:
    """In text, and on the page."""
    done = reject(index, photos / BAD)
    assert done.run_id is not None

    lines = list(looking.run_text(index.journalled(done.run_id)))
    looking.write_run(index, str(tmp_path / "run.html"), done.run_id, (), 0)

    assert sum("nothing stands for it" in line for line in lines) == 2
    assert "2 files rejected" in (tmp_path / "run.html").read_text()


def test_rejected_file_that_links_lead_to_stays(photos: Path, index: Index) -> None:
    """The links would lead nowhere."""
    index.carry_out(index.plan(link="symlink"))

    done = reject(index, photos / BAD)

    assert done.moved == ()
    assert "symbolic links lead to it" in {one.reason for one in done.refused}.pop()
    assert marks(index) == []


def test_unchanged_files_are_not_marked_as_better_by_equal_pixels(photos: Path, index: Index) -> None:
    """Better is more pixels, not as many."""
    (photos / AGAIN).write_bytes((photos / BAD).read_bytes() + b"behind the end")
    aged(photos / AGAIN)
    index.update(photos, jobs=0)
    reject(index, photos / BAD)

    (found,) = index.returned()
    assert (found.kind, found.better, found.reason) == (Kind.SAME, False, WHY)
    assert digest(photos / AGAIN) == found.file.digest.hex()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_was_rejected_in_whatever_order_undo_ends_where_it_began(
    photos: Path, index: Index, seed: int
) -> None:
    """Rejections, returned files, prunes and undos at random: files and marks of before, and a mark for what is away."""
    come_again(photos, index)
    before, dice = tree(photos), random.Random(seed)  # noqa: S311 - no secret
    deeds: list[Callable[[], object]] = [
        lambda: reject(index, dice.choice(sorted(photos.rglob("*.jpg"))), reason=f"reason {dice.random()}"),
        lambda: index.carry_out(index.plan_returned()),
        lambda: index.carry_out(index.plan(on_conflict="prune"), max_share=1),
        index.undo,
    ]
    for _step in range(6):
        with contextlib.suppress(SafetyError, UsageError):  # above the limit; nothing to bring back
            dice.choice(deeds)()
        away = {one.entry.extra["shows"] for one in index.quarantined() if one.entry.action is Action.REJECT}
        made = {one.mark.digest.hex() for one in index.rejected()}
        assert made <= away
    while index.status().quarantined:
        index.undo()

    assert tree(photos) == before
    assert marks(index) == []
