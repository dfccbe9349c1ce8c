"""Labels that could be lost or torn from their picture: a test for each way that was found."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from support import tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.groups import Member
from indexer.labels import differences
from indexer.plans import Plan
from indexer.records import Stamp


def put(root: Path, files: dict[str, bytes]) -> Index:
    """An index of a folder with some files."""
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        os.utime(root / name, (1_600_000_000, 1_600_000_000))
    index = Index(root.parent / "i.db")
    index.update(root, jobs=0)
    return index


P, Q = encoded(drawn(1)), encoded(drawn(2))


def sidecars(plan: Plan) -> list[str]:
    """The names of what goes with the pictures of a plan."""
    return sorted(os.path.basename(s.full_path) for m in plan.moves for s in m.sidecars)


def test_labels_folder_with_masks(tmp_path: Path) -> None:
    """A label beside a pruned mask stays while the picture that it labels is there."""
    index = put(
        tmp_path / "d", {"a-mask.png": P, "images/a.jpg": Q, "labels/a.png": P, "labels/a.txt": b"0 .5 .5 1 1\n"}
    )
    shutil.copy(tmp_path / "d/labels/a.txt", tmp_path / "d/a-mask.txt")
    index.update(tmp_path / "d", jobs=0)
    plan = index.plan()
    assert [m.surplus.member.path for m in plan.moves] == ["labels/a.png"]
    assert sidecars(plan) == []


def test_raw_shares_xmp(tmp_path: Path) -> None:
    """a.xmp stays while a.CR2 of the same stem is there."""
    index = put(tmp_path / "d", {"x/a.jpg": P, "x/a.xmp": b"<x/>", "y/a.jpg": P, "y/a.xmp": b"<x/>", "y/a.CR2": b"raw"})
    assert sidecars(index.plan()) == []


def test_picture_without_ending_shares(tmp_path: Path) -> None:
    """IMG_1.txt stays while the picture IMG_1 (no ending) is there."""
    index = put(tmp_path / "d", {"x/a.jpg": P, "x/a.txt": b"t", "y/IMG_1": Q, "y/IMG_1.jpg": P, "y/IMG_1.txt": b"t"})
    assert sidecars(index.plan()) == []


def test_name_and_stem_share(tmp_path: Path) -> None:
    """a.jpg.txt stays while a.jpg.png is there."""
    index = put(
        tmp_path / "d", {"x/a.jpg": P, "x/a.jpg.txt": b"t", "y/a.jpg": P, "y/a.jpg.png": Q, "y/a.jpg.txt": b"t"}
    )
    assert sidecars(index.plan()) == []


def test_two_roles_of_one_case(tmp_path: Path) -> None:
    """a.TXT is compared too."""
    index = put(tmp_path / "d", {"x/a.jpg": P, "x/a.txt": b"t", "y/a.jpg": P, "y/a.TXT": b"only here", "y/a.txt": b"t"})
    plan = index.plan()
    assert (plan.moves, len(plan.conflicts)) == ((), 1)


def test_equal_json_twice(tmp_path: Path) -> None:
    """Two surplus files with the same metadata, the keeper with none: the keeper gets it."""
    index = put(tmp_path / "d", {"a.jpg": P, "b.jpg": P, "b.json": b"{}", "c.jpg": P, "c.json": b"{}"})
    plan = index.plan(on_conflict="merge")
    assert (len(plan.moves), [d.what for c in plan.conflicts for d in c.differences]) == (2, [])


def test_two_roles_one_place(tmp_path: Path) -> None:
    """Caption and labels of a surplus file that would become one file of the keeper are no plan that always fails."""
    index = put(
        tmp_path / "d", {"best/a.jpg": P, "images/a.jpg": P, "images/a.txt": b"a cat\n", "labels/a.txt": b"0 1 1 1 1\n"}
    )
    plan = index.plan(on_conflict="merge")
    places = [r.full_path for m in plan.moves for r in m.merges]
    done = index.carry_out(plan)
    assert len(set(places)) == len(places), (places, done.refused)


def test_labels_into_place_taken(tmp_path: Path) -> None:
    """Labels are not planned onto a caption that is there already."""
    index = put(
        tmp_path / "d", {"best/a.jpg": P, "best/a.txt": b"a cat\n", "images/a.jpg": P, "labels/a.txt": b"0 1 1 1 1\n"}
    )
    plan = index.plan(on_conflict="merge")
    done = index.carry_out(plan)
    assert done.refused == (), done.refused


def test_two_groups_one_caption(tmp_path: Path) -> None:
    """Two keepers share a caption: what is said of one would be said of the other, so both groups are conflicts."""
    index = put(
        tmp_path / "d",
        {
            "a/1.jpg": P,
            "a/1.png": Q,
            "a/1.txt": b"x\n",
            "b/p.jpg": P,
            "b/p.txt": b"p\n",
            "c/q.jpg": Q,
            "c/q.txt": b"q\n",
        },
    )
    plan = index.plan(on_conflict="merge")
    assert plan.moves == ()
    assert [d.what for c in plan.conflicts for d in c.differences] == [
        f"its text would become that of '{tmp_path}/d/a/1.png', too",
        f"its text would become that of '{tmp_path}/d/a/1.jpg', too",
    ]


def test_merge_makes_no_caption_of_another_picture(tmp_path: Path) -> None:
    """The keeper has none, and the one that it would get is by its name that of its neighbour, too."""
    for number, (neighbour, caption) in enumerate([("a.png", "k.txt"), ("a.jpg.png", "k.jpg.txt")]):
        root = tmp_path / str(number) / "d"
        index = put(root, {"a/a.jpg": P, f"a/{neighbour}": Q, "z/k.jpg": P, f"z/{caption}": b"new\n"})
        plan = index.plan(on_conflict="merge")
        assert (plan.moves, len(plan.conflicts)) == ((), 1)


def test_merge_into_a_caption_shared_with_a_copy_that_goes(tmp_path: Path) -> None:
    """The other picture is of the same group: afterwards the caption is the keeper's alone."""
    index = put(tmp_path / "d", {"a/1.jpg": P, "a/1.jpeg": P, "a/1.txt": b"x\n", "b/p.jpg": P, "b/p.txt": b"p\n"})
    done = index.carry_out(index.plan(on_conflict="merge"), max_share=1)
    assert (len(done.moved), done.refused) == (2, ())
    assert (tmp_path / "d/a/1.txt").read_bytes() == b"x\np\n"


def test_caption_of_a_name_stays_when_the_picture_of_that_stem_goes(tmp_path: Path) -> None:
    """a.jpg.txt is the caption of a.jpg as well as of a.jpg.jpg, by either convention: it stays while one of them does."""
    for kept, gone in (("a.jpg", "a.jpg.jpg"), ("a.jpg.jpg", "a.jpg")):
        root = tmp_path / kept / "d"
        files = {
            "a/k.jpg": P,
            "a/k.txt": b"t",
            "a/k.jpg.txt": b"t",
            f"z/{kept}": Q,
            f"z/{gone}": P,
            "z/a.jpg.txt": b"t",
        }
        index = put(root, files)
        before = tree(root)

        done = index.carry_out(index.plan())
        left = tree(root)
        index.undo()

        assert [Path(moved.path).name for moved in done.moved] == [gone]
        assert (root / "z/a.jpg.txt").exists()
        assert {*before} - {*left} == {f"z/{gone}"}
        assert tree(root) == before


def test_caption_that_keeper_and_surplus_share_is_no_conflict(tmp_path: Path) -> None:
    """It is by its stem the caption of the one, by its name that of the other: it stays, and nothing is lost."""
    index = put(tmp_path / "d", {"a.jpg": P, "a.jpg.jpg": P, "a.jpg.txt": b"t", "b.jpg": Q})
    done = index.carry_out(index.plan())
    assert [Path(moved.path).name for moved in done.moved] == ["a.jpg.jpg"]
    assert {*tree(tmp_path / "d")} == {"a.jpg", "a.jpg.txt", "b.jpg"}


def test_protected_labels(tmp_path: Path) -> None:
    """What is protected never moves, also as a sidecar."""
    index = put(tmp_path / "d", {"best/a.jpg": P, "best/a.txt": b"0\n", "images/a.jpg": P, "images/a.txt": b"0\n"})
    plan = index.plan(protect=[str(tmp_path / "d/images/a.txt")])
    assert sidecars(plan) == []


def test_named_picture_on_disk_unindexed(tmp_path: Path) -> None:
    """A row that leads to a file beside the list keeps its row, though the index does not know that file."""
    index = put(tmp_path / "d", {"x/1.jpg": P, "y/2.jpg": P, "z.jpg": Q})
    (tmp_path / "other").mkdir()
    (tmp_path / "other/2.jpg").write_bytes(Q)
    (tmp_path / "other/train.txt").write_bytes(b"2.jpg\n")
    assert index.updates(index.plan(), [tmp_path / "other/train.txt"]) == []


def test_same_annotation_file_twice(tmp_path: Path) -> None:
    """A file that is named twice is rewritten once and refused never."""
    index = put(tmp_path / "d", {"x/1.jpg": P, "y/2.jpg": P, "z.jpg": Q})
    (tmp_path / "t.txt").write_bytes(b"y/2.jpg\n")
    done = index.carry_out(index.plan(), update=[tmp_path / "t.txt", tmp_path / "t.txt"])
    assert done.refused == (), done.refused


def test_annotation_file_that_is_a_sidecar(tmp_path: Path) -> None:
    """A list that goes with a picture of its name is gone when it is to be rewritten: a refusal, undone exactly."""
    rows = b"b/train.jpg\n"
    index = put(tmp_path / "d", {"a/1.jpg": P, "a/1.txt": rows, "b/train.jpg": P, "b/train.txt": rows})
    before = tree(tmp_path / "d")

    done = index.carry_out(index.plan(), update=[tmp_path / "d/b/train.txt"])
    index.undo()

    assert (len(done.moved), [one.path for one in done.refused]) == (1, [str(tmp_path / "d/b/train.txt")])
    assert tree(tmp_path / "d") == before


def test_nested_across(tmp_path: Path) -> None:
    """--across data data/sub: one file in each."""
    index = put(tmp_path / "d", {"a.jpg": P, "sub/b.jpg": P})
    assert len(index.plan(across=[str(tmp_path / "d"), str(tmp_path / "d/sub")]).moves) == 1


def test_unreadable_caption(tmp_path: Path) -> None:
    """A caption behind a link that the kept file lacks is worth a word."""
    index = put(tmp_path / "d", {"x/1.jpg": P, "y/2.jpg": P, "z.jpg": Q})
    (tmp_path / "cap.txt").write_bytes(b"a cat")
    (tmp_path / "d/y/2.txt").symlink_to(tmp_path / "cap.txt")
    assert index.plan().moves == ()


def test_caption_bom(tmp_path: Path) -> None:
    """A byte order mark says nothing."""
    index = put(tmp_path / "d", {"x/1.jpg": P, "x/1.txt": b"a cat", "y/2.jpg": P, "y/2.txt": b"\xef\xbb\xbfa cat"})
    assert len(index.plan().moves) == 1


def test_json_duplicate_keys(tmp_path: Path) -> None:
    """JSON with a key twice loses nothing silently."""
    index = put(tmp_path / "d", {"x/1.jpg": P, "x/1.json": b'{"a":2}', "y/2.jpg": P, "y/2.json": b'{"a":1,"a":2}'})
    assert index.plan().moves == ()


def test_class_names_are_printed_once_escaped() -> None:
    """A control character in a folder's name prints as one escape."""
    one, two = (Member(1, 1, 1, "/d", path, Stamp(1, 2, 3, 4), b"", 1, 1, "JPEG") for path in ("cat/1", "dog\x1b/1"))
    assert differences((one, ()), (two, ()), None) == [r"class 'dog\x1b' instead of 'cat'"]


def test_rules_take_paths(tmp_path: Path) -> None:
    """Places may be paths, as everywhere else in the API."""
    index = put(tmp_path / "d", {"x/1.jpg": P, "y/2.jpg": P})
    assert len(index.plan(prefer=[tmp_path / "d/y"]).moves) == 1


def test_picture_that_is_named_like_a_caption_is_none(tmp_path: Path) -> None:
    """With --all-files, a picture called `copy.txt` beside a surplus `copy.jpg` stays: it may be all that is left of it."""
    root = tmp_path / "data"
    index = put(root, {"a/one.jpg": P, "z/copy.jpg": P, "z/copy.txt": Q})
    index.update(root, jobs=0, all_files=True)
    before = tree(root)

    done = index.carry_out(index.plan(on_conflict="prune"))
    left = tree(root)
    index.undo()

    assert [Path(moved.path).name for moved in done.moved] == ["copy.jpg"]
    assert {*left} == {"a/one.jpg", "z/copy.txt"}
    assert tree(root) == before


def test_captions_of_two_encodings_are_a_conflict_or_one_encoding(tmp_path: Path) -> None:
    """UTF-16 of the kept file gets the line in UTF-16; what nobody can tell stays a conflict, and is undone exactly."""
    for number, (kept, surplus, result) in enumerate(
        [
            ("a cat\n".encode("utf-16"), "a caf\u00e9\n".encode(), "a cat\na caf\u00e9\n".encode("utf-16")),
            ("a caf\u00e9\n".encode(), b"a caf\xe9 again\n", None),
        ]
    ):
        root = tmp_path / str(number) / "d"
        index = put(root, {"x/1.jpg": P, "x/1.txt": kept, "y/2.jpg": P, "y/2.txt": surplus, "z.jpg": Q})
        before = tree(root)
        plan = index.plan(on_conflict="merge")
        assert len(plan.conflicts) == (result is None)
        if result is not None:
            index.carry_out(plan)
            assert (root / "x/1.txt").read_bytes() == result
            index.undo()
        assert tree(root) == before
