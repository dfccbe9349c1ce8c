"""Paths by whole components, against `pathlib`."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import UsageError
from indexer.places import Place, joined, outermost, places_of, relative_to, split

NAMES = st.text(st.sampled_from("ab.\udce9"), min_size=1, max_size=2).filter(lambda name: name not in {".", ".."})
RELATIVE = st.lists(NAMES, max_size=4).map("/".join)
"""Paths of so few letters that many lie in one another, or nearly do."""
ABSOLUTE = RELATIVE.map(lambda path: f"/{path}")
PLACES = st.lists(st.tuples(st.integers(1, 2), RELATIVE), max_size=8)


@pytest.mark.parametrize(
    ("path", "base", "relative"),
    [
        pytest.param("/a/b/c.jpg", "/a", "b/c.jpg", id="two levels below"),
        pytest.param("/a", "/a", "", id="itself"),
        pytest.param("/aa", "/a", None, id="begins with the same letters"),
        pytest.param("/aa/b", "/a", None, id="below one that begins with the same letters"),
        pytest.param("/a", "/a/b", None, id="above"),
        pytest.param("/b", "/a", None, id="elsewhere"),
        pytest.param("/a/b", "/", "a/b", id="in the root of the file system"),
        pytest.param("/", "/", "", id="root of the file system itself"),
        pytest.param("a/b", "", "a/b", id="relative to all of it"),
        pytest.param("", "", "", id="all of it"),
        pytest.param("", "a", None, id="all of it is not in a part"),
        pytest.param("/a/\udce9/x", "/a/\udce9", "x", id="not UTF-8"),
    ],
)
def test_relative_to(path: str, base: str, relative: str | None) -> None:
    """A path is relative to a folder at or above it, and to no other (worked by hand)."""
    assert relative_to(path, base) == relative


@given(ABSOLUTE, ABSOLUTE)
def test_relative_to_agrees_with_pathlib(path: str, base: str) -> None:
    """The same paths are below the same folders as for `PurePosixPath`."""
    inside = PurePosixPath(path).is_relative_to(base)
    expected = str(PurePosixPath(path).relative_to(base)) if inside else None

    assert relative_to(path, base) == ("" if expected == "." else expected)


@pytest.mark.parametrize(
    ("folder", "name", "path"),
    [
        pytest.param("", "a.jpg", "a.jpg", id="in the root itself"),
        pytest.param("cats", "a.jpg", "cats/a.jpg", id="one level"),
        pytest.param("cats/b", "a.jpg", "cats/b/a.jpg", id="two levels"),
        pytest.param("/", "a", "/a", id="in the root of the file system"),
        pytest.param("/data", "a", "/data/a", id="absolute"),
    ],
)
def test_joined(folder: str, name: str, path: str) -> None:
    """A folder and a name make a path with one separator (worked by hand)."""
    assert joined(folder, name) == path


@given(RELATIVE, NAMES)
def test_split_undoes_joined(folder: str, name: str) -> None:
    """A relative path falls back into the folder and the name it was made of."""
    assert split(joined(folder, name)) == (folder, name)


@given(ABSOLUTE, RELATIVE.filter(bool))
def test_relative_to_undoes_joined(base: str, path: str) -> None:
    """A path joined to a base is that path relative to the base."""
    assert relative_to(joined(base, path), base) == path


@pytest.mark.parametrize(
    ("places", "kept"),
    [
        pytest.param([], [], id="none"),
        pytest.param([(1, "a"), (1, "a")], [(1, "a")], id="twice the same"),
        pytest.param([(1, "a/b"), (1, "a")], [(1, "a")], id="one in the other"),
        pytest.param([(1, "aa"), (1, "a")], [(1, "aa"), (1, "a")], id="begins with the same letters"),
        pytest.param([(1, "a"), (2, "a/b")], [(1, "a"), (2, "a/b")], id="other root"),
        pytest.param([(1, "a"), (1, "")], [(1, "")], id="in the root itself"),
        pytest.param([(1, "b"), (1, "a")], [(1, "b"), (1, "a")], id="order as given"),
    ],
)
def test_outermost(places: list[Place], kept: list[Place]) -> None:
    """Places that lie in another one are left out (worked by hand)."""
    assert outermost(places) == kept


@given(PLACES)
def test_outermost_covers_the_same_and_nothing_twice(places: list[Place]) -> None:
    """Every place lies in exactly one of those kept (`PurePosixPath` says which lie in which)."""
    kept = outermost(places)

    covering = [
        [other for other in kept if other[0] == root and PurePosixPath(path).is_relative_to(other[1])]
        for root, path in places
    ]
    assert [len(found) for found in covering] == [1] * len(places)
    assert set(kept) <= set(places)


@pytest.mark.parametrize(
    ("paths", "places"),
    [
        pytest.param([], [], id="no path"),
        pytest.param(["/data/cats"], [(1, "")], id="a root"),
        pytest.param(["/data/cats/a/b.jpg"], [(1, "a/b.jpg")], id="below a root"),
        pytest.param(["/data"], [(1, ""), (2, "")], id="above two roots"),
        pytest.param(["/"], [(1, ""), (2, ""), (3, "")], id="above all"),
        pytest.param(["/x/y", "/data/dogs/a"], [(3, "y"), (2, "a")], id="two paths, in their order"),
    ],
)
def test_places_of(paths: list[str], places: list[Place]) -> None:
    """A path in a root is one place, a path above roots is those roots."""
    assert places_of({1: "/data/cats", 2: "/data/dogs", 3: "/x"}, paths) == places


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/data/catsanddogs", id="begins like a root"),
        pytest.param("/dat", id="begins like what is above a root"),
        pytest.param("/elsewhere", id="elsewhere"),
    ],
)
def test_places_of_refuses_a_path_outside_every_root(path: str) -> None:
    """A path that is not in the index is a mistake of the call, with a hint."""
    with pytest.raises(UsageError) as caught:
        places_of({1: "/data/cats"}, ["/data/cats", path])

    assert (caught.value.message, caught.value.hint) == (
        f"'{path}' is not in the index",
        "index it first: imgindex index FOLDER",
    )


def test_places_of_prints_no_control_character_when_it_refuses() -> None:
    """The path in the message cannot move the cursor."""
    with pytest.raises(UsageError) as caught:
        places_of({}, ["/\x1b[2J\udce9"])

    assert caught.value.message == "'/\\x1b[2J\\xe9' is not in the index"
