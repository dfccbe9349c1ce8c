"""What must hold of every prune, whatever the tree, the rules, the conflicts, the links and the plan file."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import Tree, tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.groups import Kind
from indexer.plans import LINKS, Action, Plan


def _contents() -> tuple[bytes, ...]:
    """Three pictures, one of them also smaller and as WebP, and one also as PNG."""
    first, second, third = (drawn(number) for number in (0, 1, 4))
    smaller = first.resize((first.width * 2 // 3, first.height * 2 // 3))
    pictures = encoded(first), encoded(second), encoded(third)
    return (*pictures, encoded(smaller, "WEBP", quality=70), encoded(second, "PNG"))


CONTENTS = _contents()
FOLDERS = ("a", "aa", "cat", "dog", "a/cat", "images/train", "")
CAPTIONS = (None, None, "a cat\n", "a dog\n", "a cat\nasleep\n")
KEYS = ("pixels", "bytes", "format", "oldest", "newest", "path")


@dataclass(frozen=True, slots=True)
class File:
    """A picture to be written: where, what, how old, its caption, and whether it is a hard link of an earlier one."""

    folder: str
    content: int
    age: int
    caption: str | None
    linked: bool


FILES = st.lists(
    st.builds(
        File,
        folder=st.sampled_from(FOLDERS),
        content=st.integers(0, len(CONTENTS) - 1),
        age=st.integers(0, 5),
        caption=st.sampled_from(CAPTIONS),
        linked=st.booleans() if hasattr(os, "link") else st.just(value=False),
    ),
    min_size=1,
    max_size=10,
)
PLACES = st.lists(st.sampled_from(FOLDERS[:-1]), max_size=2, unique=True)
WISHES = st.fixed_dictionaries(
    {
        "keep": st.none()
        | st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True).flatmap(
            lambda keys: st.tuples(*(st.sampled_from((key, f"-{key}")) for key in keys))
        ),
        "prefer": PLACES,
        "protect": PLACES,
        "only_if_in": st.just([]) | PLACES,
        "on_conflict": st.sampled_from((None, "prune", "merge", "skip")),
        "link": st.sampled_from((None, None, "hard", "symlink")),
        "class_folders": st.sampled_from((None, True, False)),
    }
)
PAIRS = st.sampled_from(({}, {}, {"within": ["a", "cat"]}, {"across": ["cat", "dog"]}, {"across": ["a", "aa", "dog"]}))


def write(photos: Path, files: list[File]) -> None:
    """The tree of some files; the folders are all there."""
    for folder in FOLDERS:
        (photos / folder).mkdir(parents=True, exist_ok=True)
    made: dict[int, Path] = {}
    for number, file in enumerate(files):
        path = photos / file.folder / f"{number}.jpg"
        if file.linked and file.content in made:
            path.hardlink_to(made[file.content])
        else:
            path.write_bytes(CONTENTS[file.content])
            os.utime(path, (1_000_000_000 + file.age, 1_000_000_000 + file.age))
        made.setdefault(file.content, path)
        if file.caption is not None:
            path.with_suffix(".txt").write_text(file.caption)


def digests(*folders: Path) -> set[bytes]:
    """SHA-256 of every regular file below folders."""
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {hashlib.sha256(path.read_bytes()).digest() for path in found}


def assert_kept(plan: Plan, photos: Path) -> None:
    """Each surplus file has a keeper of its own, verified, outside the surplus, which still holds its bytes."""
    going = {move.surplus.member.full_path for move in plan.moves}
    for move in plan.moves:
        assert move.keeper.full_path not in going
        assert move.surplus.kind in {Kind.BYTES, Kind.SAME}
        assert (move.surplus.kind is Kind.BYTES) == (move.surplus.member.digest == move.keeper.digest)
        assert hashlib.sha256(Path(move.keeper.full_path).read_bytes()).digest() == move.keeper.digest
        assert Path(move.keeper.full_path).is_relative_to(photos)


def assert_protected(before: Tree, after: Tree, protect: list[str]) -> None:
    """Pictures in protected folders are where they were and what they were."""
    for path, file in before.items():
        lies_in = any(path.startswith(f"{folder}/") for folder in protect)
        if lies_in and path.endswith(".jpg"):
            assert after[path][0] == file[0]


def assert_nothing_else_changed(before: Tree, after: Tree, plan: Plan, photos: Path) -> None:
    """What is not in the plan has the same bytes; links change permissions and times of nothing else."""
    touched = {move.surplus.member.full_path for move in plan.moves}
    touched |= {one.full_path for move in plan.moves for one in (*move.sidecars, *move.merges)}
    named = {os.path.relpath(path, photos) for path in touched}
    untouched = {path: file for path, file in before.items() if path not in named}
    assert {path: after.get(path) for path in untouched} == untouched
    assert set(after) - set(before) <= named  # a caption that the keeper lacked


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(files=FILES, wishes=WISHES, pairs=PAIRS, dropped=st.none() | st.integers(0, 9))
def test_prune_keeps_its_promises(
    files: list[File], wishes: dict[str, Any], pairs: dict[str, Any], dropped: int | None
) -> None:
    """No content is lost, protected files stay, each surplus has its keeper, undo is exact, a second prune is empty."""
    place = Path(tempfile.mkdtemp(prefix="imgindex-property-"))
    try:
        photos = place / "data" / "photos"
        write(photos, files)
        index = Index(place / "imgindex.db")
        index.update(photos, jobs=0)
        before, held = tree(photos), digests(photos)
        wishes = {
            key: [str(photos / folder) for folder in value] if key in {"prefer", "protect", "only_if_in"} else value
            for key, value in wishes.items()
        }
        wishes |= {key: [str(photos / folder) for folder in value] for key, value in pairs.items()}

        plan = index.plan(**wishes)
        plan = plan if dropped is None else _through_a_file(index, plan, dropped)
        done = index.carry_out(plan, max_share=1)
        after = tree(photos)
        lost = held - digests(photos, place / "data" / ".imgindex-quarantine")
        assert_kept(plan, photos)
        index.update(photos, jobs=0, confirm_missing=True)
        again = index.plan(**wishes)
        undone = index.undo(done.run_id) if done.moved else None

        assert (lost, done.refused, len(done.moved)) == (set(), (), len(plan.moves))
        if plan.action is Action.QUARANTINE and all(move.surplus.kind is Kind.BYTES for move in plan.moves):
            pictures = {hashlib.sha256(CONTENTS[file.content]).digest() for file in files}
            assert pictures <= {hashlib.sha256(data).digest() for data, _mode, _mtime in after.values()}
        assert_protected(before, after, [os.path.relpath(path, photos) for path in wishes["protect"]])
        if plan.action not in LINKS:
            assert_nothing_else_changed(before, after, plan, photos)
        assert again.moves == () or dropped is not None
        assert undone is None or undone.refused == ()
        assert tree(photos) == before
        assert not list(place.rglob("*.part"))
    finally:
        shutil.rmtree(place)


def _through_a_file(index: Index, plan: Plan, dropped: int) -> Plan:
    """The plan after it was written to a file, a line was taken out, and it was read again."""
    header, *lines = index.plan_lines(plan)
    read = index.plan_from([header, *(line for number, line in enumerate(lines) if number != dropped)])
    left = [move.surplus.member.full_path for number, move in enumerate(plan.moves) if number != dropped]
    assert [*(move.surplus.member.full_path for move in read.moves), *(one.path for one in read.refused)] == left
    return read
