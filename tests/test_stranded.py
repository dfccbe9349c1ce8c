"""What took the place of a picture and was taken away since: undo says where it is, and nothing waits for it for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from rejecting import reject
from support import tree
from upgrading import came, put, shrunk

from indexer import Index
from indexer.drawing import drawn
from indexer.entry import run
from indexer.errors import SafetyError


@pytest.fixture
def roots(tmp_path: Path, index: Index) -> tuple[Path, Path]:
    """A picture in one root whose place a better one of another root takes, as `1.png`."""
    first, second = tmp_path / "first", tmp_path / "second"
    put(first / "1.jpg", shrunk(0))
    put(second / "z.jpg", drawn(8))
    for number in range(1, 4):
        put(first / f"k{number}.jpg", drawn(number))
    for root in (first, second):
        came(index, root)
    put(second / "n.png", drawn(0), "PNG")
    came(index, second)
    assert run(["upgrades", "--yes", "--quiet", "--db", index.path]) == 0
    assert (first / "1.png").exists()
    return first, second


def test_root_can_be_forgotten_when_what_came_from_it_was_deleted(roots: tuple[Path, Path], index: Index) -> None:
    """The undo brings the old picture back, and says that the better one is missing."""
    first, second = roots
    (first / "1.png").unlink()
    came(index, first)

    done = index.undo()

    assert [Path(one.path).name for one in done.moved] == ["1.jpg"]
    assert [(Path(one.path).name, "missing" in one.reason) for one in done.refused] == [("n.png", True)]
    assert index.forget_root(second) == 1


def test_undo_names_the_run_to_undo_first(roots: tuple[Path, Path], index: Index) -> None:
    """The better picture was rejected since; after that undo, it goes back to where it came from."""
    first, second = roots
    rejection = reject(index, first / "1.png").run_id
    upgrade = min(one.entry.run_id for one in index.quarantined())

    (refused,) = index.undo(upgrade).refused

    assert refused.reason == f"it lies in the quarantine: undo run {rejection}, which moved it there, first"
    with pytest.raises(SafetyError, match="could not be brought back"):
        index.forget_root(second)
    index.undo(rejection)
    away = first.rename(first.with_name("not mounted"))
    index.purge(0, dry_run=False)
    away.rename(first)
    index.undo(upgrade)
    assert (set(tree(second)), "1.jpg" in tree(first), "1.png" in tree(first)) == ({"n.png", "z.jpg"}, True, False)


def test_root_can_be_forgotten_after_a_purge_of_what_came_from_it(roots: tuple[Path, Path], index: Index) -> None:
    """It was rejected, and the old picture is back."""
    first, second = roots
    reject(index, first / "1.png")
    index.undo(min(one.entry.run_id for one in index.quarantined()))

    index.purge(0, dry_run=False)

    assert index.forget_root(second) == 1
