"""The quarantine: what lies in it, and whether it is all there and as it was."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support import aged, make_photos, tree

from indexer import Index
from indexer.entry import run

KEYS = {"run", "since", "kind", "bytes", "path", "payload", "keeper", "digest", "action"}


@pytest.fixture
def photos(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six photos, a copy with a caption that says more, and a list of all, pruned; the folder above is the current one."""
    folder = make_photos(tmp_path / "data" / "photos")
    (folder / "z").mkdir()
    shutil.copy2(folder / "a" / "0.jpg", folder / "z" / "copy.jpg")
    aged(folder / "z" / "copy.jpg", seconds=-500)
    (folder / "a" / "0.txt").write_text("a mosaic\n")
    (folder / "z" / "copy.txt").write_text("a mosaic\nof squares\n")
    (folder / "all.txt").write_text("a/0.jpg\nz/copy.jpg\n")
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("IMGINDEX_DB", index.path)
    index.update(folder, jobs=0)
    index.carry_out(index.plan(on_conflict="merge"), update=[folder / "all.txt"])
    return folder


def batch(photos: Path) -> Path:
    """The folder in the quarantine that the prune made."""
    (folder,) = (photos.parent / ".imgindex-quarantine").iterdir()
    return folder


def lying(index: Index) -> dict[str, Path]:
    """Where the files in the quarantine lie, by the end of the paths that they had."""
    found = {}
    for one in index.quarantined():
        place = Path(one.entry.full_path)
        found["/".join(place.parts[-2:])] = Path(one.entry.payload_path)
    return found


# --- list


def test_list_tells_what_there_is_the_oldest_first(photos: Path, index: Index) -> None:
    """Pictures, sidecars, and former versions of texts, with where they lie now and since when."""
    found = index.quarantined()

    assert [one.entry.full_path.removeprefix(f"{photos}/") for one in found] == [
        "a/0.txt", "z/copy.txt", "z/copy.jpg", "all.txt",
    ]  # fmt: skip
    assert [one.entry.kind for one in found] == ["text", "sidecar", "bytes", "text"]
    assert all(Path(one.entry.payload_path).is_file() for one in found)
    assert {one.since_ns for one in found} == {index.history()[0].started_ns}
    assert (index.quarantined(run=2), index.quarantined(run=99)) == (found, [])


def test_list_is_empty_after_undo(photos: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """What was brought back, and links, do not lie in the quarantine."""
    index.undo()
    index.update(photos, jobs=0)
    index.carry_out(index.plan(link="hard"))

    code = run(["quarantine", "list"])

    assert (code, capsys.readouterr().out) == (0, "The quarantine is empty.\n")


def test_list_for_people_names_run_kind_size_and_path(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a file, and a line with the totals."""
    code = run(["quarantine", "list"])

    *lines, totals = capsys.readouterr().out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines] == ["2"] * 4
    assert [line.split()[3] for line in lines] == ["text", "sidecar", "bytes", "text"]
    assert [line.split()[-1] for line in lines] == [
        "photos/a/0.txt", "photos/z/copy.txt", "photos/z/copy.jpg", "photos/all.txt",
    ]  # fmt: skip
    assert totals.startswith("4 files, 17.")


def test_list_for_scripts_has_stable_keys(photos: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """An object a line; paths below the current folder are short; a text has no keeper."""
    code = run(["quarantine", "list", "--json"])
    found = {one["path"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    run(["quarantine", "list", "--json", "--run", "1"])
    none = capsys.readouterr().out

    picture = found["photos/z/copy.jpg"]
    assert (code, none) == (0, "")
    assert {frozenset(one) for one in found.values()} == {frozenset(KEYS)}
    assert picture["keeper"] == "photos/a/0.jpg"
    assert (picture["run"], picture["kind"]) == (2, "bytes")
    assert picture["bytes"] == Path(picture["payload"]).stat().st_size
    assert picture["since"] == index.history()[0].started_ns
    assert found["photos/all.txt"]["keeper"] is None


def test_list_gives_bare_paths_ended_by_nuls(photos: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Of where the files lie now, for xargs -0."""
    code = run(["quarantine", "list", "-0"])

    found = capfdbinary.readouterr().out
    assert code == 0
    assert found.endswith(b"\0")
    assert len(found.split(b"\0")) == 5
    assert all(os.path.isfile(path) for path in found.split(b"\0")[:-1])


# --- verify


def test_verify_is_content_when_all_is_well(photos: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """It reads every file, changes nothing, and the exit code is 0."""
    before = tree(photos.parent)

    well = index.verify_quarantine()
    code = run(["quarantine", "verify"])

    assert (well, code) == ((4, ()), 0)
    assert capsys.readouterr().out == "4 files in the quarantine, all as they were.\n"
    assert tree(photos.parent) == before


def _altered(photos: Path, index: Index) -> Path:
    place = lying(index)["z/copy.jpg"]
    data = bytearray(place.read_bytes())
    data[100] ^= 1
    place.write_bytes(data)
    return place


def _missing(_photos: Path, index: Index) -> Path:
    place = lying(index)["z/copy.txt"]
    place.unlink()
    return place


def _a_link(photos: Path, index: Index) -> Path:
    place = lying(index)["z/copy.jpg"]
    place.unlink()
    place.symlink_to(photos / "a" / "0.jpg")
    return place


def _former_text(_photos: Path, index: Index) -> Path:
    place = lying(index)["photos/all.txt"]
    place.write_bytes(b"")
    return place


def _stranger(photos: Path, _index: Index) -> Path:
    place = batch(photos) / "stranger [x]\n.jpg"
    place.write_bytes(b"unknown")
    return place


def _other_index(photos: Path, _index: Index) -> Path:
    place = photos.parent / ".imgindex-quarantine" / "0123" / "00000001.jpg"
    place.parent.mkdir()
    (place.parent / "manifest.jsonl").write_text("")
    place.write_bytes(b"of another index")
    return place


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        pytest.param(_altered, "was altered", id="one bit flipped"),
        pytest.param(_missing, "is missing; it is what is left of", id="missing"),
        pytest.param(_a_link, "cannot be read", id="a link in its place"),
        pytest.param(_former_text, "was altered", id="former text emptied"),
        pytest.param(_stranger, "unknown to the journal", id="unknown file"),
        pytest.param(_other_index, "another index", id="folder of another index"),
    ],
)
def test_verify_names_what_is_not_as_it_should_be(
    photos: Path, index: Index, capsys: pytest.CaptureFixture[str], harm: object, reason: str
) -> None:
    """Hazard 73: through Python, for people and for scripts, with exit code 3; nothing is changed."""
    place = harm(photos, index)  # type: ignore[operator]
    before = tree(photos.parent)

    number, problems = index.verify_quarantine()
    told = run(["quarantine", "verify"])
    shown = capsys.readouterr()
    asked = run(["quarantine", "verify", "--json"])
    found = json.loads(capsys.readouterr().out)

    assert number == 4
    assert [one.path for one in problems] == [str(place)]
    assert reason in problems[0].reason
    assert (told, asked) == (3, 3)
    assert shown.err.count("\n") == 1
    assert reason in shown.err
    assert found.keys() == {"files", "problems"}
    assert [one.keys() for one in found["problems"]] == [{"path", "reason"}]
    assert found["problems"][0]["path"] == str(place.relative_to(photos.parent))
    assert tree(photos.parent) == before


def test_verify_of_a_text_that_a_prune_made_looks_for_no_former_version(photos: Path, index: Index) -> None:
    """There is none."""
    index.undo()
    (photos / "a" / "0.txt").unlink()
    index.update(photos, jobs=0)
    index.carry_out(index.plan(on_conflict="merge"))

    found = index.verify_quarantine()

    assert (photos / "a" / "0.txt").exists()
    assert found == (2, ())


def test_verify_finds_a_quarantine_that_was_named(tmp_path: Path, photos: Path, index: Index) -> None:
    """Strangers in it are told of too, but never what else lies in the folder that it is in."""
    index.undo()
    index.update(photos, jobs=0)
    index.carry_out(index.plan(on_conflict="prune"), quarantine=tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("not in the quarantine")
    (tmp_path / "out" / ".imgindex-quarantine" / "stray").write_text("in it")

    number, problems = index.verify_quarantine()

    assert number == 2
    assert [Path(one.path).name for one in problems] == ["stray"]


def test_verify_and_list_need_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, and no index is made."""
    monkeypatch.chdir(tmp_path / "here")

    codes = [run(["quarantine", word]) for word in ("list", "verify")]

    assert codes == [2, 2]
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("harm", [_altered, _missing, _a_link], ids=["altered", "missing", "a link"])
def test_verify_says_which_file_it_was_and_what_to_do(photos: Path, index: Index, harm: object) -> None:
    """And what it says to do is what helps: the file's bytes are put in its place, and undo brings it back."""
    before = {name: data for name, (data, _mode, _mtime) in tree(photos).items()}
    place = harm(photos, index)  # type: ignore[operator]
    name = "z/copy.txt" if place.suffix == ".txt" else "z/copy.jpg"
    source = "a backup" if place.suffix == ".txt" else f"a copy of the kept file '{photos}/a/0.jpg'"

    (problem,) = index.verify_quarantine()[1]
    place.unlink(missing_ok=True)
    place.write_bytes(b"a mosaic\nof squares\n" if place.suffix == ".txt" else before["a/0.jpg"])

    assert f"what is left of '{photos}/{name}', which undo brings back when {source} is put in" in problem.reason
    assert index.verify_quarantine() == (4, ())
    assert index.undo().refused == ()
    assert (photos / name).exists()


def test_verify_prints_no_name_that_could_move_the_cursor(
    tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hazard 22: neither where the file lies nor which one it was."""
    folder = make_photos(tmp_path / "odd")
    copy = folder / "z\x1b[2J.jpg"
    shutil.copy2(folder / "a" / "0.jpg", copy)
    aged(copy, seconds=-500)
    index.update(folder, jobs=0)
    index.carry_out(index.plan())
    next(iter(lying(index).values())).write_bytes(b"altered")

    run(["quarantine", "verify", "--db", index.path])
    run(["doctor", "--db", index.path])

    said = capsys.readouterr()
    assert "z\\x1b[2J.jpg" in said.err
    assert "\x1b" not in said.err + said.out
