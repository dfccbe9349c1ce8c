"""What must hold of every upgrade, whatever the tree, the labels and the names that are taken."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import Tree, tree
from upgrading import came, shrunk

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.entry import run

NUMBERS = (1, 2, 6)
OLD = {number: encoded(shrunk(number), "JPEG") for number in NUMBERS}
BETTER = {
    (number, ending): encoded(drawn(number), form)
    for number in NUMBERS
    for ending, form in (("jpg", "JPEG"), ("png", "PNG"))
}
CAPTIONS = st.sampled_from((None, "a cat\n", "a dog\n"))
FOLDERS = ("train/cat", "train/dog", "images/train", "new", "")


@dataclass(frozen=True, slots=True)
class Came:
    """A picture that was there, and its larger version: where, by what name, with what captions."""

    number: int
    folders: tuple[str, str]
    ending: str
    captions: tuple[str | None, str | None]
    whole_names: bool
    """The captions bear the pictures' whole names: `1.jpg.txt`."""
    occupied: bool
    """Another file has the name that the better one is to get."""


ALL_THAT_CAME = st.lists(
    st.builds(
        Came,
        number=st.sampled_from(NUMBERS),
        folders=st.tuples(st.sampled_from(FOLDERS), st.sampled_from(FOLDERS)),
        ending=st.sampled_from(("jpg", "png")),
        captions=st.tuples(CAPTIONS, CAPTIONS),
        whole_names=st.booleans(),
        occupied=st.sampled_from((False, False, True)),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.number,
)


def write(path: Path, data: bytes, caption: str | None, *, whole_name: bool) -> None:
    """A picture with its caption."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if caption is not None:
        path.with_name(f"{path.name}.txt" if whole_name else f"{path.stem}.txt").write_text(caption)


def digests(*folders: Path) -> set[bytes]:
    """SHA-256 of every file below folders."""
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {hashlib.sha256(path.read_bytes()).digest() for path in found}


def arrange(photos: Path, index: Index, all_that_came: list[Came]) -> None:
    """The old pictures, indexed; then the better ones, indexed too."""
    for one in all_that_came:
        place = photos / one.folders[0] / f"{one.number}.jpg"
        write(place, OLD[one.number], one.captions[0], whole_name=one.whole_names)
    came(index, photos)
    for one in all_that_came:
        place = photos / one.folders[1] / f"new-{one.number}.{one.ending}"
        write(place, BETTER[one.number, one.ending], one.captions[1], whole_name=one.whole_names)
        if one.occupied and one.ending == "png":
            (photos / one.folders[0] / f"{one.number}.png").write_bytes(b"somebody else's")
    index.update(photos, jobs=0)


def assert_in_place(before: Tree, after: Tree, all_that_came: list[Came]) -> None:
    """Each picture is as it was, or the better one has the old one's stem, and its caption unchanged."""
    for one in all_that_came:
        old = f"{one.folders[0]}/{one.number}".lstrip("/")
        new = f"{one.folders[1]}/new-{one.number}".lstrip("/")
        if after.get(f"{new}.{one.ending}") == before[f"{new}.{one.ending}"]:
            assert after[f"{old}.jpg"] == before[f"{old}.jpg"]
            continue
        place = f"{old}.{one.ending}"
        assert after[place][0] == BETTER[one.number, one.ending]
        assert one.ending == "jpg" or f"{old}.jpg" not in after
        for caption in (f"{old}.txt", f"{old}.jpg.txt"):
            kept = caption.replace(".jpg.", f".{one.ending}.")
            assert caption not in before or after[kept] == before[caption]
        assert (one.captions[1] in {None, one.captions[0]}) or one.captions[0] is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(all_that_came=ALL_THAT_CAME, by_manifest=st.booleans())
def test_upgrades_keep_their_promises(all_that_came: list[Came], by_manifest: bool) -> None:
    """No content is lost, captions stay with their pictures, the index is right at once, and undo is exact."""
    place = Path(tempfile.mkdtemp(prefix="imgindex-property-"))
    try:
        photos, quarantine = place / "data" / "photos", place / "data" / ".imgindex-quarantine"
        index = Index(place / "imgindex.db")
        arrange(photos, index, all_that_came)
        before, held = tree(photos), digests(photos)

        found = index.upgrades(jobs=0)
        done = index.carry_out(index.plan_upgrades(found), max_share=1)
        after = tree(photos)
        lost = held - digests(photos, quarantine)
        again = index.upgrades(jobs=0)
        report = index.update(photos, jobs=0)
        if not by_manifest:
            undone = index.undo().refused if done.moved else ()
        else:
            undone = () if not done.moved or run(["undo", "--quiet", "--from-manifest", str(quarantine)]) == 0 else (1,)

        assert lost == set()
        assert len(found) == len(all_that_came)
        assert len(done.moved) == sum(not one.problems for one in found)
        assert [one.problems for one in again] == [one.problems for one in found if one.problems]
        assert (report.new, report.changed, report.gone, report.decoded) == (0, 0, 0, 0)
        assert undone == ()
        assert_in_place(before, after, all_that_came)
        assert tree(photos) == before
        assert not list(place.rglob("*.part"))
    finally:
        shutil.rmtree(place)
