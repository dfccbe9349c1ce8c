"""The way back without the database: the manifest beside quarantined files is enough."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support import aged, make_photos, tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.entry import run
from indexer.errors import SafetyError, UsageError
from indexer.manifest import read_manifest
from indexer.undo import undo_from_manifest


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Six photos, a copy with a caption that says more, and a list of all; pruned with everything that a prune can do."""
    folder = make_photos(tmp_path / "data" / "photos")
    (folder / "z").mkdir()
    shutil.copy2(folder / "a" / "0.jpg", folder / "z" / "copy.jpg")
    aged(folder / "z" / "copy.jpg", seconds=-500)
    (folder / "a" / "0.txt").write_text("a mosaic\n")
    (folder / "z" / "copy.txt").write_text("a mosaic\nof squares\n")
    (folder / "all.txt").write_text("a/0.jpg\nz/copy.jpg\n")
    index.update(folder, jobs=0)
    return folder


def pruned(photos: Path, index: Index) -> Path:
    """The quarantine after the prune."""
    index.carry_out(index.plan(on_conflict="merge"), update=[photos / "all.txt"])
    return photos.parent / ".imgindex-quarantine"


def batch(quarantine: Path) -> Path:
    """The one folder in a quarantine."""
    (folder,) = quarantine.iterdir()
    return folder


@pytest.mark.parametrize(
    "place", [lambda q: q, batch, lambda q: batch(q) / "manifest.jsonl"], ids=["quarantine", "folder", "manifest"]
)
def test_manifest_brings_everything_back(photos: Path, index: Index, place: Callable[[Path], Path]) -> None:
    """Whichever of the three is named; a second time there is nothing to do."""
    before = tree(photos)
    quarantine = pruned(photos, index)
    Path(index.path).unlink()

    first = undo_from_manifest(str(place(quarantine)))
    after = tree(photos)
    second = undo_from_manifest(str(place(quarantine)))

    assert (len(first.moved), first.refused, after) == (2, (), before)
    assert second.moved == ()
    assert tree(photos) == before


def test_manifest_works_where_data_and_quarantine_were_moved_to(photos: Path, index: Index, tmp_path: Path) -> None:
    """The old place is gone; what lies as it did relative to the quarantine is meant."""
    before = tree(photos)
    pruned(photos, index)
    photos.parent.rename(tmp_path / "elsewhere")

    done = undo_from_manifest(str(tmp_path / "elsewhere" / ".imgindex-quarantine"))

    assert done.refused == ()
    assert tree(tmp_path / "elsewhere" / "photos") == before


@pytest.mark.parametrize("link", [None, "symlink"])
@pytest.mark.parametrize("copy", [False, True], ids=["moved", "copied"])
def test_manifest_of_a_project_elsewhere_means_the_files_there(
    photos: Path, index: Index, tmp_path: Path, link: str | None, copy: bool
) -> None:
    """A copy of data and quarantine is undone in the copy; the original, if there is one, is not touched."""
    before = tree(photos)
    if link:
        index.carry_out(index.plan(link=link))
    else:
        pruned(photos, index)
    if copy:
        shutil.copytree(photos.parent, tmp_path / "elsewhere", symlinks=True)
    else:
        photos.parent.rename(tmp_path / "elsewhere")
    original = tree(tmp_path / "data")

    done = undo_from_manifest(str(tmp_path / "elsewhere" / ".imgindex-quarantine"))

    assert done.refused == ()
    assert tree(tmp_path / "elsewhere" / "photos") == before
    assert tree(tmp_path / "data") == original
    assert bool(original) == copy


def test_manifest_in_a_quarantine_that_is_a_link_means_the_files_that_it_names(
    photos: Path, index: Index, tmp_path: Path
) -> None:
    """What lies beside the folder that the link leads to is somebody else's, whatever its name."""
    before = tree(photos)
    (tmp_path / "big" / "photos").mkdir(parents=True)
    (tmp_path / "big" / "held").mkdir()
    (photos.parent / ".imgindex-quarantine").symlink_to(tmp_path / "big" / "held")
    quarantine = pruned(photos, index)

    done = undo_from_manifest(str(quarantine.resolve()))

    assert done.refused == ()
    assert tree(photos) == before
    assert tree(tmp_path / "big" / "photos") == {}


def test_manifest_that_does_not_say_where_it_was_written_is_read(photos: Path, index: Index) -> None:
    """As those of earlier versions do not."""
    before = tree(photos)
    manifest = batch(pruned(photos, index)) / "manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    for line in lines:
        del line["here"]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))

    done = undo_from_manifest(str(manifest))

    assert done.refused == ()
    assert tree(photos) == before


def test_manifest_of_a_quarantine_that_was_moved_alone_means_the_files_where_they_were(
    photos: Path, index: Index, tmp_path: Path
) -> None:
    """Nothing lies beside it as the data did."""
    before = tree(photos)
    pruned(photos, index).rename(tmp_path / "here" / ".imgindex-quarantine")

    done = undo_from_manifest(str(tmp_path / "here" / ".imgindex-quarantine"))

    assert done.refused == ()
    assert tree(photos) == before


def test_manifest_overwrites_nothing(photos: Path, index: Index) -> None:
    """A new file at the place stays; the pruned one, and its caption, stay in the quarantine."""
    quarantine = pruned(photos, index)
    (photos / "z" / "copy.jpg").write_bytes(b"new")

    done = undo_from_manifest(str(quarantine))

    assert str(photos / "z" / "copy.jpg") in [one.path for one in done.refused]
    assert (photos / "z" / "copy.jpg").read_bytes() == b"new"
    assert not (photos / "z" / "copy.txt").exists()


def test_index_copes_with_what_was_brought_back_behind_its_back(photos: Path, index: Index) -> None:
    """The journal is put right by the next undo, and the rows are right."""
    before = tree(photos)
    quarantine = pruned(photos, index)
    undo_from_manifest(str(quarantine))

    index.undo()
    report = index.update(photos, jobs=0)

    assert (tree(photos), index.status().quarantined, report.new, report.gone) == (before, 0, 0, 0)


def _cut(text: str) -> str:
    return text[:-20]


def test_last_line_that_was_cut_short_is_left_out(photos: Path, index: Index) -> None:
    """Its file had not been moved when the power went."""
    quarantine = pruned(photos, index)
    manifest = batch(quarantine) / "manifest.jsonl"
    manifest.write_text(_cut(manifest.read_text()))

    done = undo_from_manifest(str(quarantine))

    assert [Path(one.path).name for one in done.moved] == ["copy.jpg"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payload", "../../photos/a/0.jpg"),
        ("payload", "/etc/passwd"),
        ("payload", ""),
        ("payload", "manifest.jsonl"),
        ("path", "../outside.jpg"),
        ("path", "a/../../outside.jpg"),
        ("path", ""),
        ("digest", "zz"),
        ("action", "delete"),
        ("mode", "many"),
    ],
)
def test_manifest_that_was_tampered_with_moves_nothing(photos: Path, index: Index, field: str, value: str) -> None:
    """No name in it leads out of the folders."""
    quarantine = pruned(photos, index)
    manifest = batch(quarantine) / "manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    lines[1][field] = value
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    between = tree(photos.parent)

    with pytest.raises(SafetyError, match="line 2 of the manifest"):
        undo_from_manifest(str(quarantine))

    assert tree(photos.parent) == between


def test_place_without_a_manifest_is_an_error(tmp_path: Path) -> None:
    """A folder, and nothing at all."""
    with pytest.raises(UsageError, match="no manifest"):
        undo_from_manifest(str(tmp_path))
    with pytest.raises(UsageError, match="cannot look into"):
        undo_from_manifest(str(tmp_path / "missing"))


@pytest.mark.parametrize("name", ["all.txt", "a/0.txt"])
def test_undo_leaves_a_text_that_was_changed_since(photos: Path, index: Index, name: str) -> None:
    """What somebody wrote after the prune is not overwritten; the former version stays in the quarantine."""
    pruned(photos, index)
    (photos / name).write_text("mine\n")

    done = index.undo()

    assert [one.path for one in done.refused] == [str(photos / name)]
    assert "changed since" in done.refused[0].reason
    assert (photos / name).read_text() == "mine\n"
    assert (photos / "z" / "copy.jpg").exists()


# --- links, several prunes, names


@pytest.mark.parametrize("link", ["hard", "symlink"])
def test_manifest_makes_links_files_of_their_own_again(photos: Path, index: Index, link: str) -> None:
    """With the bytes, permissions and times that they had, though nothing of them lies in the quarantine."""
    copy = photos / "z" / "copy.jpg"
    copy.chmod(0o604)
    before = tree(photos)
    index.carry_out(index.plan(link=link))
    linked = copy.samefile(photos / "a" / "0.jpg")
    Path(index.path).unlink()

    done = undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))

    assert linked
    assert (len(done.moved), done.refused, tree(photos)) == (1, (), before)
    assert (copy.stat().st_nlink, copy.is_symlink()) == (1, False)


def test_manifest_leaves_what_took_the_place_of_a_link(photos: Path, index: Index) -> None:
    """It is no longer the link that was made."""
    index.carry_out(index.plan(link="hard"))
    (photos / "z" / "copy.jpg").unlink()
    (photos / "z" / "copy.jpg").write_bytes(b"new")
    between = tree(photos)

    done = undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))

    assert (done.moved, len(done.refused)) == ((), 1)
    assert tree(photos) == between


def test_manifests_are_taken_back_newest_first(photos: Path, index: Index) -> None:
    """Two prunes wrote to the same caption: each finds it as it left it."""
    before = tree(photos)
    quarantine = pruned(photos, index)
    late, text = photos / "z" / "late.jpg", photos / "z" / "late.txt"
    shutil.copy2(photos / "a" / "0.jpg", late)
    aged(late, seconds=-500)
    text.write_text("seen from above\n")
    between = {name: file for name, file in tree(photos).items() if name.startswith("z/")}
    index.update(photos, jobs=0)
    index.carry_out(index.plan(on_conflict="merge"))
    merged = (photos / "a" / "0.txt").read_text()
    Path(index.path).unlink()

    done = undo_from_manifest(str(quarantine))

    assert merged == "a mosaic\nof squares\nseen from above\n"
    assert done.refused == ()
    assert tree(photos) == before | between


def test_manifest_gives_back_odd_names(tmp_path: Path, index: Index) -> None:
    """Bytes that are not UTF-8, newlines, quotes, and a sidecar with such a name."""
    folder = tmp_path / "odd"
    for name in (b"a.jpg", b"caf\xe9.jpg", b"new\nline.jpg", b'quote".jpg', b"caf\xe9.txt"):
        place = folder / os.fsdecode(name)
        folder.mkdir(exist_ok=True)
        place.write_bytes(encoded(drawn(1)) if name.endswith(b".jpg") else b"coffee\n")
    (folder / "a.txt").write_text("coffee\n")
    index.update(folder, jobs=0)
    before = tree(folder)
    done = index.carry_out(index.plan(on_conflict="prune"), max_share=1)
    Path(index.path).unlink()

    undone = undo_from_manifest(str(tmp_path / ".imgindex-quarantine"))

    assert (len(done.moved), len(undone.moved), undone.refused) == (3, 3, ())
    assert tree(folder) == before


def test_manifest_makes_folders_that_are_gone(photos: Path, index: Index) -> None:
    """With the permissions that they had."""
    (photos / "z").chmod(0o750)
    before = tree(photos)
    quarantine = pruned(photos, index)
    (photos / "z").rmdir()

    done = undo_from_manifest(str(quarantine))

    assert done.refused == ()
    assert tree(photos) == before
    assert (photos / "z").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("harm", ["altered", "gone"])
def test_manifest_names_what_is_not_as_it_was(photos: Path, index: Index, harm: str) -> None:
    """The picture stays away, and what belongs to it stays with it; the list comes back."""
    quarantine = pruned(photos, index)
    (payload,) = quarantine.rglob("*.jpg")
    payload.unlink() if harm == "gone" else payload.write_bytes(b"altered")

    done = undo_from_manifest(str(quarantine))

    assert [Path(one.path).name for one in done.moved] == ["all.txt"]
    assert [Path(one.path).name for one in done.refused] == ["copy.jpg", "copy.txt", "0.txt"]
    assert payload.name in done.refused[0].reason
    assert {one.reason for one in done.refused[1:]} == {"it stays with its picture"}


def test_index_is_right_after_a_manifest_without_an_undo(photos: Path, index: Index) -> None:
    """The files are found again, nothing is decoded, and the plan is what it was."""
    plan = index.plan()
    undo_from_manifest(str(pruned(photos, index)))

    report = index.update(photos, jobs=0)

    assert (report.files, report.new, report.decoded, report.gone) == (7, 1, 0, 0)
    assert [one.surplus.member.path for one in index.plan().moves] == [one.surplus.member.path for one in plan.moves]
    assert index.plan().conflicts[0].differences == plan.conflicts[0].differences


@pytest.mark.parametrize("link", ["hard", "symlink"])
def test_manifest_of_links_that_were_undone_leaves_the_files_alone(photos: Path, index: Index, link: str) -> None:
    """They are files of their own again, and got another time since."""
    index.carry_out(index.plan(link=link))
    index.undo()
    aged(photos / "z" / "copy.jpg")
    before = tree(photos)

    done = undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))

    assert (done.moved, done.refused) == ((), ())
    assert tree(photos) == before


def states(index: Index) -> list[str]:
    """Where each journalled deed stands."""
    with contextlib.closing(sqlite3.connect(index.path)) as db:
        return [state for (state,) in db.execute("SELECT state FROM journal ORDER BY id")]


@pytest.mark.parametrize("link", [None, "hard", "symlink"])
def test_next_index_run_sees_what_the_manifest_brought_back(photos: Path, index: Index, link: str | None) -> None:
    """Pictures, sidecars, texts and links: the run is named as undone, and nothing is missed in the quarantine."""
    before = tree(photos)
    if link:
        index.carry_out(index.plan(link=link))
    else:
        pruned(photos, index)
    undo_from_manifest(str(photos.parent / ".imgindex-quarantine"))

    index.update(photos, jobs=0)
    index_run, prune_run, _first = index.history()

    assert {*states(index)} == {"restored"}
    assert (index_run.command, prune_run.brought_back) == ("index", 1 if link else 2)
    assert (index.status().quarantined, index.verify_quarantine()) == (0, (0, ()))
    assert tree(photos) == before
    with pytest.raises(UsageError, match="nothing to bring back"):
        index.undo()


def test_index_run_takes_nothing_for_brought_back_that_is_not(photos: Path, index: Index, tmp_path: Path) -> None:
    """A copy of the file lies there while the file is in the quarantine, or while that is not there at all."""
    quarantine = pruned(photos, index)
    (photos / "z" / "copy.jpg").write_bytes((photos / "a" / "0.jpg").read_bytes())

    index.update(photos, jobs=0)
    quarantine.rename(tmp_path / "away")
    index.update(photos, jobs=0)

    assert {*states(index)} == {"moved"}


@pytest.mark.parametrize("link", ["hard", "symlink"])
def test_index_run_leaves_links_as_they_are(photos: Path, index: Index, link: str) -> None:
    """Nobody undid them."""
    index.carry_out(index.plan(link=link))

    index.update(photos, jobs=0)

    assert states(index) == ["moved"]
    assert len(index.undo().moved) == 1


def test_history_tells_how_much_of_a_prune_came_back(
    photos: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of two did: the list was changed since."""
    pruned(photos, index)
    (photos / "all.txt").write_text("mine\n")
    index.undo()

    run(["history", "--db", index.path])
    told = capsys.readouterr().out.splitlines()
    run(["history", "--db", index.path, "--json"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert told[1].endswith("; 1 brought back since")
    assert [one["brought_back"] for one in found] == [0, 1, 0]


# --- damage


FIELDS = (
    "id", "action", "payload", "base", "base_from_here", "path", "digest", "size", "mtime_ns", "inode", "mode",
    "folder_mode", "kind", "keeper", "keeper_digest", "owner", "extra",
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_manifest_without_a_field_moves_nothing(photos: Path, index: Index, field: str) -> None:
    """Each field is needed."""
    quarantine = pruned(photos, index)
    manifest = batch(quarantine) / "manifest.jsonl"
    *lines, last = [json.loads(line) for line in manifest.read_text().splitlines()]
    del last[field]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in (*lines, last)))
    between = tree(photos.parent)

    with pytest.raises(SafetyError, match=f"line 4 of the manifest.*damaged.*{field}"):
        undo_from_manifest(str(quarantine))

    assert tree(photos.parent) == between


@pytest.mark.parametrize("line", [b"{", b"null", b"[]", b"7", b'"a"', b"\xff\xfe", b"{}", b""], ids=str)
def test_one_damaged_manifest_of_several_moves_nothing(photos: Path, index: Index, line: bytes) -> None:
    """All are read before the first file is moved."""
    quarantine = pruned(photos, index)
    (quarantine / "0123").mkdir()
    (quarantine / "0123" / "manifest.jsonl").write_bytes(line + b"\n")
    between = tree(photos.parent)

    with pytest.raises(SafetyError, match="line 1 of the manifest"):
        undo_from_manifest(str(quarantine))

    assert tree(photos.parent) == between


LINE = {
    "id": 1, "action": "quarantine", "payload": "00000001.jpg", "here": "/q/1", "base": "/data",
    "base_from_here": "../../data", "path": "z/copy.jpg", "digest": "aa" * 32, "size": 5, "mtime_ns": 7, "inode": 9,
    "mode": 420, "folder_mode": 493, "kind": "bytes",
    "keeper": "/data/a/0.jpg", "keeper_digest": "aa" * 32, "owner": None, "extra": {},
}  # fmt: skip
HARD = LINE | {"action": "hard", "extra": {"owner": [0, 0], "attributes": {}, "inode": 5}}
ODD = [
    *((LINE, field, None) for field in LINE if field != "owner"),
    *((LINE, field, [[]]) for field in LINE),
    *((LINE, field, float("nan")) for field in LINE),
    *((LINE, field, 10**30) for field in LINE),
    *((LINE, field, "5") for field in ("id", "size", "mtime_ns", "inode", "mode", "folder_mode", "owner", "extra")),
    *((LINE, field, "a\0b") for field in ("payload", "base", "base_from_here", "path", "kind", "keeper")),
    *((LINE, field, "\ud800") for field in ("payload", "base", "base_from_here", "path", "kind", "keeper")),
    (LINE, "base", "data"),
    (LINE, "keeper", "data/a/0.jpg"),
    (LINE, "action", "rewrite"),
    (LINE, "action", "hard"),
    (HARD, "action", "symlink"),
    (HARD, "extra", HARD["extra"] | {"inode": "5"}),
    (HARD, "extra", HARD["extra"] | {"owner": [0]}),
    (HARD, "extra", HARD["extra"] | {"owner": [0, 1 << 32]}),
    (HARD, "extra", HARD["extra"] | {"attributes": {"user.a": 5}}),
    (HARD, "extra", HARD["extra"] | {"attributes": {"user.\ud800": "00"}}),
]


@pytest.mark.parametrize(("line", "field", "value"), ODD)
def test_line_of_a_manifest_with_an_odd_value_is_refused(
    tmp_path: Path, line: dict[str, object], field: str, value: object
) -> None:
    """With the line's number, before anything is moved; without the odd value it would be read."""
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(json.dumps(line) + "\n")
    sound = read_manifest(str(tmp_path))
    manifest.write_text(json.dumps(line) + "\n" + json.dumps(line | {field: value}) + "\n")

    with pytest.raises(SafetyError, match=r"line 2 of the manifest in .* is damaged"):
        read_manifest(str(tmp_path))

    assert len(sound) == 1


def test_manifest_with_a_damaged_line_is_refused_for_safety(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 4, and the message says what to do."""
    (tmp_path / "manifest.jsonl").write_text("[" * 100_000 + "\n")

    code = run(["undo", "--from-manifest", str(tmp_path)])

    assert code == 4
    assert "put the line right" in capsys.readouterr().err
