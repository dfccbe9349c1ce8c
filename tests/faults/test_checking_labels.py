"""Hazards 37 and 38 in every layout and direction: who has which label, and what a protected folder stands against."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checking import KEEPER, SURPLUS, with_copy
from deciding import prune
from score import Faults
from support import Tree, aged, make_photos, tree

from indexer import Index
from indexer.entry import run

MEMORY = Path("/dev/shm")  # noqa: S108 - nothing waits for a disk there


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory, or where temporary files lie."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield Path(folder).resolve()


@pytest.fixture
def index(place: Path) -> Index:
    """An index in that folder."""
    return Index(place / "imgindex.db")


def data_of(place: Path) -> Tree:
    """What lies in the data set and beside it, but for the quarantine."""
    return {path: file for path, file in tree(place / "data").items() if not path.startswith(".imgindex-quarantine")}


# --- 37: labels

VOC = "<annotation><folder>{0}</folder><filename>{0}.jpg</filename><object>{1}</object></annotation>"
LAYOUTS = {
    "caption": ("{folder}/{stem}.txt", "{1}\n"),
    "caption of the whole name": ("{folder}/{stem}.jpg.caption", "{1}\n"),
    "XMP": ("{folder}/{stem}.xmp", "<x>{1}</x>"),
    "metadata": ("{folder}/{stem}.json", '{{"is": "{1}"}}'),
    "latents": ("{folder}/{stem}.npz", "{1}"),
    "YOLO": ("labels/{folder}/{stem}.txt", "{1} 0.5 0.5 1 1\n"),
    "Pascal VOC": ("Annotations/{folder}/{stem}.xml", VOC),
}
IMAGES = {"YOLO": "images", "Pascal VOC": "JPEGImages"}
CASES = [
    pytest.param("cat", "cat", True, id="agree"),
    pytest.param("cat", "dog", False, id="disagree"),
    pytest.param(None, "dog", False, id="only the surplus"),
    pytest.param("cat", None, True, id="only the keeper"),
]


def labelled(place: Path, index: Index, layout: str, says: dict[str, str | None], *, inside: bool) -> Path:
    """A data set in a layout in which keeper and surplus are labelled; the root that was indexed.

    Args:
        place: Where to make it.
        index: Of it.
        layout: One of `LAYOUTS`.
        says: The label of each picture, None for none.
        inside: Whether labels that have folders of their own lie in the root, or beside it.
    """
    home = place / "data" / ("set" if inside else "")
    photos = make_photos(home / IMAGES.get(layout, "photos"))
    (photos / "z").mkdir()
    shutil.copy2(photos / KEEPER, photos / SURPLUS)
    aged(photos / SURPLUS, seconds=-500)
    where, text = LAYOUTS[layout]
    for picture, label in says.items():
        path = (home if layout in IMAGES else photos) / where.format(
            folder=Path(picture).parent, stem=Path(picture).stem
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        if label:
            path.write_text(text.format(Path(picture).stem, label))
    root = home if inside else photos
    index.update(root, jobs=0)
    return root


@pytest.mark.parametrize(("keeper", "surplus", "moves"), CASES)
@pytest.mark.parametrize(
    ("layout", "inside"),
    [*((layout, True) for layout in LAYOUTS), *((layout, False) for layout in IMAGES)],
    ids=lambda value: value if isinstance(value, str) else "in the root" if value else "beside the root",
)
def test_hazard_37_labels_travel_and_conflicts_stay(
    place: Path,
    index: Index,
    fault: Faults,
    capsys: pytest.CaptureFixture[str],
    layout: str,
    inside: bool,
    keeper: str | None,
    surplus: str | None,
    moves: bool,
) -> None:
    """A label goes with its picture when the kept file says as much; else both stay, are listed, and the exit code is 3."""
    root = labelled(place, index, layout, {KEEPER: keeper, SURPLUS: surplus}, inside=inside)
    before = data_of(place)

    with fault(
        37, f"{layout}, keeper {keeper}, surplus {surplus}, inside {inside}", root=root, others=[place / "data"]
    ) as case:
        code = run(["prune", "--yes", "--db", index.path])
        listed = capsys.readouterr().out
        gone = before.keys() - data_of(place).keys()
        case.undo(index)

    assert code == (0 if moves else 3)
    assert len(gone) == (0 if not moves else 2 if surplus else 1)
    assert all(Path(path).stem in {"copy", "copy.jpg"} for path in gone)
    assert (str(root) in listed and "z/copy.jpg" in listed) is True
    assert ("its " in listed or "it has " in listed) is not moves
    assert data_of(place) == before


@pytest.mark.parametrize(
    ("answer", "gone", "said"),
    [
        pytest.param("prune", {"z/copy.jpg", "z/copy.txt"}, "a cat\n", id="prune"),
        pytest.param("merge", {"z/copy.jpg", "z/copy.txt"}, "a cat\na dog\n", id="merge"),
        pytest.param("skip", set(), "a cat\n", id="skip"),
    ],
)
def test_hazard_37_conflicts_as_the_user_says(
    place: Path, index: Index, fault: Faults, answer: str, gone: set[str], said: str
) -> None:
    """What is asked for is done with the whole group, and undo gives both captions back, times and all."""
    photos = with_copy(place, index)
    (photos / KEEPER).with_suffix(".txt").write_text("a cat\n")
    (photos / SURPLUS).with_suffix(".txt").write_text("a dog\n")
    aged((photos / KEEPER).with_suffix(".txt")).chmod(0o640)
    before = tree(photos)

    with fault(37, f"--on-conflict {answer}", root=photos) as case:
        code = prune(index, "--on-conflict", answer)
        after, caption = tree(photos), (photos / KEEPER).with_suffix(".txt").read_text()
        case.undo(index)

    assert (code, before.keys() - after.keys(), caption) == (0, gone, said)


@pytest.mark.parametrize("link", ["hard", "symlink"])
def test_hazard_37_links_leave_labels_where_they_are(place: Path, index: Index, fault: Faults, link: str) -> None:
    """The surplus keeps its name when it becomes a link, so that its other caption stays its own."""
    photos = with_copy(place, index)
    (photos / SURPLUS).with_suffix(".txt").write_text("a dog\n")

    with fault(37, f"labels and --link {link}", root=photos) as case:
        code = prune(index, "--link", link)
        said = (photos / SURPLUS).with_suffix(".txt").read_text()
        case.undo(index)

    assert (code, said) == (0, "a dog\n")


def _linked(path: Path) -> None:
    path.rename(path.with_name("real.txt"))
    path.symlink_to("real.txt")


def _beside_a_raw(path: Path) -> None:
    path.with_suffix(".cr2").write_bytes(b"raw")


def _beside_a_film(path: Path) -> None:
    path.with_suffix(".mov").write_bytes(b"film")


def _in_two_cases(path: Path) -> None:
    path.with_suffix(".TXT").write_text("a dog\n")


@pytest.mark.parametrize(
    ("change", "code", "stays"),
    [
        pytest.param(_linked, 3, {"copy.jpg", "copy.txt"}, id="a link"),
        pytest.param(_beside_a_raw, 0, {"copy.txt", "copy.cr2"}, id="shared with a raw file"),
        pytest.param(_beside_a_film, 0, {"copy.txt", "copy.mov"}, id="shared with a film"),
        pytest.param(_in_two_cases, 3, {"copy.jpg", "copy.txt", "copy.TXT"}, id="a second one in capitals"),
    ],
)
def test_hazard_37_captions_that_are_not_the_pictures_alone(
    place: Path, index: Index, fault: Faults, change: Callable[[Path], None], code: int, stays: set[str]
) -> None:
    """A caption that something else needs stays with it; one of which nobody can say what it holds keeps its picture."""
    photos = with_copy(place, index, captions=True)
    change((photos / SURPLUS).with_suffix(".txt"))

    with fault(37, f"caption {change.__name__}", root=photos) as case:
        ended = prune(index)
        left = {path.name for path in (photos / "z").iterdir()} - {"real.txt"}
        case.undo(index)

    assert (ended, left) == (code, stays)


@pytest.mark.parametrize("of", [KEEPER, SURPLUS])
def test_hazard_37_label_that_was_edited_after_the_plan(place: Path, index: Index, fault: Faults, of: str) -> None:
    """A plan file of this morning does not take a caption that disagrees by noon."""
    photos = with_copy(place, index, captions=True)
    assert run(["prune", "--quiet", "--plan-out", str(place / "plan"), "--db", index.path]) == 0
    (photos / of).with_suffix(".txt").write_text("not a mosaic\n")
    before = tree(photos)

    with fault(37, f"caption of {of} edited after the plan", root=photos):
        code = prune(index, "--plan", str(place / "plan"))

    assert (code, tree(photos)) == (3, before)


# --- 38: what is protected


@pytest.fixture
def twins(place: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture in `a` and its older twin in `aa`, so that the keep order would take the one in `a`."""
    photos = make_photos(place / "data" / "photos")
    (photos / "aa").mkdir()
    shutil.copy2(photos / KEEPER, photos / "aa" / "0.jpg")
    aged(photos / "aa" / "0.jpg", seconds=500)
    (place / "link-to-a").symlink_to(photos / "a")
    index.update(photos, jobs=0)
    monkeypatch.chdir(photos)
    return photos


SPELLINGS = ["a", "./a/", "../photos/a", "{photos}/a", "aa/../a", "{place}/link-to-a", "a/*.jpg", "a/**", "a/0.jpg"]
WISHES = [(), ("--keep", "oldest"), ("--prefer", "aa"), ("--only-if-in", "aa"), ("--on-conflict", "prune")]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("link", [None, "symlink"])
def test_hazard_38_protected_outranks_what_is_wished(
    place: Path, index: Index, fault: Faults, twins: Path, spelling: str, link: str | None
) -> None:
    """However a folder is named, nothing in it moves or becomes a link, whatever rules say that its twin is to be kept."""
    named = spelling.format(photos=twins, place=place)
    assert {move.surplus.member.path for move in index.plan(link=link).moves} == {"a/0.jpg"}

    for wish in WISHES:
        options = (*wish, *(["--link", link] if link else []))
        with fault(38, f"--protect {spelling} {' '.join(options)}", root=twins) as case:
            code = prune(index, "--protect", named, *options)
            kept, twin = ((twins / name / "0.jpg") for name in ("a", "aa"))
            stays, goes = kept.is_file() and not kept.is_symlink(), twin.is_symlink() or not twin.exists()
            case.undo(index)
            assert (code, stays, goes) == (0, True, "aa" not in wish)


def test_hazard_38_twin_in_a_folder_of_a_longer_name_is_not_protected(index: Index, fault: Faults, twins: Path) -> None:
    """`--protect a` says nothing of `aa`, and `--protect aa` nothing of `a`."""
    with fault(38, "a and aa", root=twins) as case:
        prune(index, "--protect", "a")
        first = sorted(path.name for path in twins.rglob("0.jpg")), (twins / "aa" / "0.jpg").exists()
        index.undo()
        prune(index, "--protect", "aa")
        second = (twins / "a" / "0.jpg").exists(), (twins / "aa" / "0.jpg").exists()
        case.undo(index)

    assert first == (["0.jpg"], False)
    assert second == (False, True)


SETTINGS = [
    pytest.param('protect = ["data/photos/a"]\n', id="settings"),
    pytest.param(
        'protect = ["data/photos/a"]\nprefer = ["data/photos/aa"]\nkeep = ["oldest"]\n', id="against settings"
    ),
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("way", ["options", "a plan file"])
def test_hazard_38_protected_by_settings(
    place: Path, index: Index, fault: Faults, twins: Path, settings: str, way: str
) -> None:
    """What the settings protect stays against options, other settings, and plan files of before."""
    assert run(["prune", "--quiet", "--plan-out", str(place / "plan"), "--db", index.path]) == 0
    (place / "imgindex.toml").write_text(settings)
    options = ("--plan", str(place / "plan")) if way == "a plan file" else ("--prefer", "aa", "--protect", "b")

    with fault(38, f"settings of {len(settings)} characters against {way}", root=twins):
        code = prune(index, *options)

    assert (code, (twins / "a" / "0.jpg").exists()) == (3 if way == "a plan file" else 0, True)


def test_hazard_38_protected_beside_a_plan_file(place: Path, index: Index, fault: Faults, twins: Path) -> None:
    """`--protect` beside `--plan` protects, or is refused as a contradiction; it is not passed over in silence."""
    assert run(["prune", "--quiet", "--plan-out", str(place / "plan"), "--db", index.path]) == 0

    with fault(38, "--protect beside --plan", root=twins):
        code = prune(index, "--plan", str(place / "plan"), "--protect", "a")

    assert code in {2, 3}
    assert (twins / "a" / "0.jpg").exists()


def test_hazard_38_label_that_is_protected_keeps_its_picture(
    place: Path, index: Index, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture whose labels lie in a protected folder is not torn from them."""
    root = labelled(place, index, "YOLO", {KEEPER: "cat", SURPLUS: "cat"}, inside=True)
    monkeypatch.chdir(root)
    before = data_of(place)

    with fault(38, "labels protected", root=root):
        code = prune(index, "--protect", "labels", "--on-conflict", "prune")

    assert (code, data_of(place)) == (3, before)
