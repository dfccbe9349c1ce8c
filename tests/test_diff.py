"""The rule that decides whether a file has to be read, as a table, and against two dictionaries compared."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.diff import any_unsettled, folder_changes, is_renumbered, is_unsettled, listing_digest
from indexer.records import Added, Altered, FileState, FolderChanges, Gone, KnownFile, Listing, Stamp

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NOW = 1_800_000_000 * SECOND
OLD = Stamp(size=100, mtime_ns=NOW - DAY, ctime_ns=NOW - DAY + 5, inode=7)
FRESH = OLD._replace(mtime_ns=NOW - SECOND)

NAMES = st.text(st.sampled_from("ab./\udce9"), min_size=1, max_size=2).filter(lambda name: "/" not in name)
"""So few letters that the folder and the index often hold the same names."""
TIMES = st.sampled_from((NOW - DAY, NOW - DAY + 1, NOW - SECOND))
STAMPS = st.builds(Stamp, st.integers(0, 2), TIMES, TIMES, st.sampled_from((-5, 7)))
FOLDERS = st.dictionaries(NAMES, STAMPS, max_size=6)
KNOWN = st.dictionaries(NAMES, st.tuples(STAMPS, st.booleans(), st.sampled_from(FileState)), max_size=6)
SIGNED = st.integers(-(2**63), 2**63 - 1)
ANY_STAMPS = st.builds(Stamp, SIGNED, SIGNED, SIGNED, SIGNED)


def listing(files: Mapping[str, Stamp], *, whole: bool = True) -> Listing:
    """A folder as found at `NOW`."""
    names = sorted(files)
    stamps = array("q", [number for name in names for number in files[name]])
    return Listing("cats", names, stamps, NOW, whole)


def known(
    name: str = "a.jpg", stamp: Stamp = OLD, *, unsettled: bool = False, state: FileState = FileState.PICTURE
) -> KnownFile:
    """A row of the index; its id is 1 for a.jpg, 2 for b.jpg and so on."""
    return KnownFile(ord(name[0]) - ord("a") + 1, name, stamp, unsettled, state)


@pytest.mark.parametrize(
    ("found", "rows", "changes", "calm"),
    [
        pytest.param({}, [], (), True, id="empty folder"),
        pytest.param({"a.jpg": OLD}, [known()], (), True, id="same file"),
        pytest.param(
            {"a.jpg": OLD._replace(size=101)}, [known()], (Altered(1, OLD._replace(size=101)),), True, id="size only"
        ),
        pytest.param(
            {"a.jpg": OLD._replace(mtime_ns=OLD.mtime_ns + 1)},
            [known()],
            (Altered(1, OLD._replace(mtime_ns=OLD.mtime_ns + 1)),),
            True,
            id="written later, same size",
        ),
        pytest.param(
            {"a.jpg": OLD._replace(mtime_ns=OLD.mtime_ns - DAY)},
            [known()],
            (Altered(1, OLD._replace(mtime_ns=OLD.mtime_ns - DAY)),),
            True,
            id="older file copied over it",
        ),
        pytest.param(
            {"a.jpg": OLD._replace(ctime_ns=OLD.ctime_ns + 1)},
            [known()],
            (Altered(1, OLD._replace(ctime_ns=OLD.ctime_ns + 1)),),
            True,
            id="mtime reset, new content",
        ),
        pytest.param(
            {"a.jpg": OLD._replace(ctime_ns=OLD.ctime_ns - 1)},
            [known()],
            (Altered(1, OLD._replace(ctime_ns=OLD.ctime_ns - 1)),),
            True,
            id="clock set back",
        ),
        pytest.param(
            {"a.jpg": OLD._replace(inode=8)},
            [known()],
            (Altered(1, OLD._replace(inode=8)),),
            True,
            id="another file renamed into its place",
        ),
        pytest.param(
            {"a.jpg": OLD}, [known(unsettled=True)], (Altered(1, OLD),), True, id="same stamp, was too fresh to trust"
        ),
        pytest.param(
            {"a.jpg": FRESH}, [known(stamp=FRESH)], (), False, id="same stamp, fresh still, read when it was old"
        ),
        pytest.param(
            {"a.jpg": FRESH},
            [known(stamp=FRESH, unsettled=True)],
            (Altered(1, FRESH),),
            False,
            id="same stamp, fresh then and now",
        ),
        pytest.param(
            {"a.jpg": OLD._replace(size=9)}, [known(state=FileState.DUE)], (), True, id="due to be read anyway"
        ),
        pytest.param(
            {"a.jpg": OLD}, [known(unsettled=True, state=FileState.DUE)], (), True, id="due and unsettled: read once"
        ),
        pytest.param({"a.jpg": OLD}, [known(state=FileState.UNREADABLE)], (), True, id="unreadable, same stamp"),
        pytest.param(
            {"a.jpg": OLD._replace(size=9)},
            [known(state=FileState.UNREADABLE)],
            (Altered(1, OLD._replace(size=9)),),
            True,
            id="unreadable, replaced",
        ),
        pytest.param(
            {"a.jpg": OLD._replace(size=9)},
            [known(state=FileState.OTHER)],
            (Altered(1, OLD._replace(size=9)),),
            True,
            id="was no picture, replaced",
        ),
        pytest.param({}, [known()], (Gone(1),), False, id="gone"),
        pytest.param({}, [known(state=FileState.DUE)], (Gone(1),), False, id="gone before it was read"),
        pytest.param({"b.jpg": OLD}, [], (Added("b.jpg", OLD),), True, id="added"),
        pytest.param({"b.jpg": FRESH}, [], (Added("b.jpg", FRESH),), False, id="added a moment ago"),
        pytest.param(
            {"b.jpg": OLD}, [known("a.jpg")], (Gone(1), Added("b.jpg", OLD)), False, id="renamed: gone and added"
        ),
        pytest.param(
            {"a.jpg": OLD}, [known("A.jpg")], (Gone(-31), Added("a.jpg", OLD)), False, id="case of the name changed"
        ),
        pytest.param(
            {"a.jpg": OLD._replace(inode=8), "b.jpg": OLD},
            [known("b.jpg", OLD._replace(inode=8)), known("a.jpg", OLD)],
            (Altered(2, OLD), Altered(1, OLD._replace(inode=8))),
            True,
            id="two files changed places",
        ),
    ],
)
def test_folder_changes_when_the_whole_folder_was_listed(
    found: Mapping[str, Stamp], rows: Sequence[KnownFile], changes: tuple[Added | Altered | Gone, ...], calm: bool
) -> None:
    """Any part of a stamp that moved, and any stamp that could not be trusted, makes a file due."""
    on_disk = listing(found)

    result = folder_changes(on_disk, 3, rows)

    assert replace(result, renumbered=0) == FolderChanges(on_disk, 3, changes, calm)


@pytest.mark.parametrize(
    ("found", "row", "renumbered"),
    [
        pytest.param(OLD._replace(inode=8), known(), 1, id="another number, all else equal"),
        pytest.param(OLD._replace(inode=8), known(unsettled=True), 1, id="and not trusted besides"),
        pytest.param(OLD, known(unsettled=True), 0, id="the same number"),
        pytest.param(OLD._replace(inode=8, ctime_ns=1), known(), 0, id="changed besides"),
    ],
)
def test_folder_changes_count_what_got_another_inode_number(found: Stamp, row: KnownFile, renumbered: int) -> None:
    """Of which nothing else is another: that is the file system's doing."""
    assert folder_changes(listing({"a.jpg": found}), 3, [row]).renumbered == renumbered


def test_folder_changes_when_the_file_system_has_no_inode_numbers() -> None:
    """Whatever number was known, none is no difference; any other part of the stamp is."""
    none = OLD._replace(inode=0)

    assert folder_changes(listing({"a.jpg": none}), 3, [known()]).changes == ()
    assert folder_changes(listing({"a.jpg": none._replace(ctime_ns=1)}), 3, [known()]).changes != ()


@pytest.mark.parametrize(
    ("renumbered", "equal", "drift"), [(5, 0, True), (4, 0, False), (9, 1, True), (8, 1, False), (900, 101, False)]
)
def test_is_renumbered(renumbered: int, equal: int, drift: bool) -> None:
    """Nine of ten files of which nothing else changed, and five at least: fewer may have been replaced."""
    assert is_renumbered(renumbered, equal) is drift


@pytest.mark.parametrize(
    ("found", "rows", "changes"),
    [
        pytest.param({}, [known()], (), id="the others are not gone"),
        pytest.param({"b.jpg": OLD}, [known()], (Added("b.jpg", OLD),), id="added"),
        pytest.param(
            {"a.jpg": OLD._replace(size=9)}, [known()], (Altered(1, OLD._replace(size=9)),), id="still sees a change"
        ),
        pytest.param({"a.jpg": OLD}, [known()], (), id="unchanged"),
    ],
)
def test_folder_changes_when_only_some_files_were_looked_for(
    found: Mapping[str, Stamp], rows: Sequence[KnownFile], changes: tuple[Added | Altered | Gone, ...]
) -> None:
    """A partial listing takes nothing away, and never lets the folder be skipped later."""
    partial = listing(found, whole=False)

    result = folder_changes(partial, None, rows)

    assert result == FolderChanges(partial, None, changes, calm=False)


@given(FOLDERS, KNOWN, st.booleans(), st.randoms(use_true_random=False))
def test_folder_changes_agree_with_two_dictionaries_compared(
    found: dict[str, Stamp], remembered: dict[str, tuple[Stamp, bool, FileState]], whole: bool, random: object
) -> None:
    """The changes are those that comparing name by name finds, whatever the order of the rows."""
    ids = {name: number for number, name in enumerate(remembered)}
    rows = [KnownFile(ids[name], name, *row) for name, row in remembered.items()]
    random.shuffle(rows)  # type: ignore[attr-defined]

    result = folder_changes(listing(found, whole=whole), 3, rows)

    gone = {Gone(ids[name]) for name in remembered.keys() - found.keys() if whole}
    added = {Added(name, found[name]) for name in found.keys() - remembered.keys()}
    altered = {
        Altered(ids[name], found[name])
        for name, (stamp, unsettled, state) in remembered.items()
        if name in found
        and state != FileState.DUE
        and (unsettled or stamp[:3] != found[name][:3] or found[name].inode not in {0, stamp.inode})
    }
    calm = whole and not gone and not any(NOW - SECOND in stamp[1:3] for stamp in found.values())
    assert (set(result.changes), len(result.changes), result.calm) == (
        gone | added | altered,
        len(gone) + len(added) + len(altered),
        calm,
    )


@pytest.mark.parametrize(
    ("mtime_ns", "ctime_ns", "unsettled"),
    [
        pytest.param(NOW - DAY, NOW - DAY, False, id="old"),
        pytest.param(NOW, NOW, True, id="written now"),
        pytest.param(NOW - 2 * SECOND, NOW - 2 * SECOND, True, id="within the 2 s of FAT"),
        pytest.param(NOW - 3 * SECOND, NOW - DAY, True, id="mtime 3 s old"),
        pytest.param(NOW - 3 * SECOND - 1, NOW - 3 * SECOND - 1, False, id="older than 3 s"),
        pytest.param(NOW - DAY, NOW - 3 * SECOND, True, id="mtime reset 3 s ago"),
        pytest.param(NOW - DAY, NOW - 3 * SECOND - 1, False, id="mtime reset longer ago"),
        pytest.param(NOW - SECOND, NOW - DAY, True, id="network file system with two clocks"),
        pytest.param(NOW + 3600 * SECOND, NOW - DAY, True, id="clock an hour ahead"),
        pytest.param(NOW + DAY, NOW - DAY, True, id="mtime a day ahead"),
        pytest.param(NOW + DAY + 1, NOW - DAY, False, id="mtime dated further ahead, by hand"),
        pytest.param(NOW + DAY + 1, NOW - SECOND, True, id="dated ahead a second ago"),
        pytest.param(NOW - DAY, NOW + SECOND, True, id="ctime ahead"),
        pytest.param(NOW - DAY, NOW + 400 * DAY, True, id="ctime a year ahead: the clock was wrong, not a hand"),
        pytest.param(0, 0, False, id="epoch"),
        pytest.param(-(2**63), -(2**63), False, id="before 1970"),
    ],
)
def test_is_unsettled(mtime_ns: int, ctime_ns: int, unsettled: bool) -> None:
    """A stamp is unsettled while a later write could still be given the same one (worked by hand)."""
    assert is_unsettled(mtime_ns, ctime_ns, NOW) == unsettled


@given(FOLDERS)
def test_any_unsettled_agrees_with_each_stamp_asked(found: dict[str, Stamp]) -> None:
    """Stamps in one array answer as they do one by one."""
    expected = any(is_unsettled(stamp.mtime_ns, stamp.ctime_ns, NOW) for stamp in found.values())

    assert any_unsettled(listing(found).stamps, NOW) == expected


@given(st.dictionaries(NAMES, ANY_STAMPS, max_size=4), st.dictionaries(NAMES, ANY_STAMPS, max_size=4))
@example({}, {"a": Stamp(0, 0, 0, 0)})
@example({"ab": OLD}, {"ba": OLD})
@example({"a": OLD, "b": OLD}, {"ab": OLD})
@example({"a": OLD, "b": FRESH}, {"a": FRESH, "b": OLD})
@example({"\udce9": OLD}, {"é": OLD})
def test_listing_digest_differs_when_anything_does(left: dict[str, Stamp], right: dict[str, Stamp]) -> None:
    """Two folders have the same digest only when they hold the same names with the same stamps."""
    assert (listing_digest(listing(left)) == listing_digest(listing(right))) == (left == right)


@given(st.dictionaries(NAMES, ANY_STAMPS, min_size=1, max_size=4), st.data())
def test_listing_digest_differs_when_one_number_of_a_stamp_does(files: dict[str, Stamp], draw: st.DataObject) -> None:
    """One number, one higher, is seen."""
    name = draw.draw(st.sampled_from(sorted(files)))
    field = draw.draw(st.sampled_from(Stamp._fields))
    other = (getattr(files[name], field) + 1) % 2**62
    altered = {**files, name: files[name]._replace(**{field: other})}

    assert listing_digest(listing(altered)) != listing_digest(listing(files))


def test_listing_digest_is_the_same_when_only_the_clock_and_the_place_differ() -> None:
    """It is 16 bytes of names and stamps, and of nothing else."""
    files = {"a.jpg": OLD, "b.jpg": FRESH}
    elsewhere = Listing("dogs", *(getattr(listing(files), part) for part in ("names", "stamps")), now_ns=0)

    digest = listing_digest(elsewhere)

    assert digest == listing_digest(listing(files))
    assert len(digest) == 16
