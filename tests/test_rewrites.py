"""Texts that get a new version: put in place in one step, taken back exactly, and never over what somebody else wrote."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from support import aged, tree

from indexer import transfer
from indexer.deeds import take_back
from indexer.moves import JournalEntry, MoveState
from indexer.plans import Action, Refused
from indexer.records import Stamp
from indexer.rewrites import found_rewrite, rewrite, rewrite_back

FORMER, NEWER, FOREIGN = b"a mosaic\n", b"a mosaic\nof squares\n", b"mine\n"
PAYLOAD = "00000007.txt"


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A folder for texts, and one for their former versions."""
    data, quarantine = tmp_path / "data", tmp_path / "quarantine" / "batch"
    data.mkdir()
    quarantine.mkdir(parents=True)
    return data, quarantine


def digest(data: bytes) -> bytes:
    """The SHA-256 of a text, empty for the empty one, which stands for none."""
    return hashlib.sha256(data).digest() if data else b""


def entry_for(
    places: tuple[Path, Path], path: str = "a.txt", *, former: bytes = FORMER, state: MoveState = MoveState.PLANNED
) -> JournalEntry:
    """The journal's entry of a text that becomes `NEWER`."""
    data, quarantine = places
    return JournalEntry(
        entry_id=7,
        run_id=1,
        state=state,
        kind="text",
        root_id=1,
        root=str(data),
        path=path,
        quarantine=str(quarantine),
        payload=PAYLOAD,
        stamp=Stamp(len(former), 0, 0, 0),
        mode=0o644,
        folder_mode=0o755,
        digest=digest(former),
        keeper="",
        keeper_digest=b"",
        action=Action.REWRITE,
        extra={"after": digest(NEWER).hex()},
    )


def text_at(places: tuple[Path, Path], data: bytes = FORMER, mode: int = 0o640) -> Path:
    """The text, with permissions and a time that nobody would guess."""
    path = places[0] / "a.txt"
    path.write_bytes(data)
    path.chmod(mode)
    return aged(path, seconds=4321)


def all_files(places: tuple[Path, Path]) -> dict[str, bytes]:
    """The bytes of all files of both folders, temporary ones too, by name."""
    return {path.name: path.read_bytes() for folder in places for path in folder.rglob("*") if path.is_file()}


# --- rewrite


def test_rewrite_puts_the_new_version_in_place_and_the_former_one_aside(places: tuple[Path, Path]) -> None:
    """The new version has the permissions of the former one, which lies in the quarantine as it was."""
    text = text_at(places)
    before = tree(places[0])["a.txt"]

    refused = rewrite(entry_for(places), NEWER)

    assert refused is None
    assert all_files(places) == {"a.txt": NEWER, PAYLOAD: FORMER}
    assert text.stat().st_mode & 0o777 == 0o640
    assert tree(places[1])[PAYLOAD] == before


def test_rewrite_makes_a_text_that_did_not_exist_with_its_folders(places: tuple[Path, Path]) -> None:
    """There is nothing to put aside."""
    entry = entry_for(places, "deep/er/a.txt", former=b"")

    refused = rewrite(entry, NEWER)

    assert refused is None
    assert all_files(places) == {"a.txt": NEWER}
    assert (places[0] / "deep" / "er").stat().st_mode & 0o777 == 0o755


def test_rewrite_leaves_a_text_that_is_another_by_now(places: tuple[Path, Path]) -> None:
    """A reason is given, and no copy is left in the quarantine."""
    text_at(places, FOREIGN)
    before = tree(places[0])

    refused = rewrite(entry_for(places), NEWER)

    assert isinstance(refused, Refused)
    assert "cannot be written" in refused.reason
    assert (tree(places[0]), all_files(places)) == (before, {"a.txt": FOREIGN})


def test_rewrite_leaves_a_text_that_came_into_being(places: tuple[Path, Path]) -> None:
    """Nothing was there when the plan was made; by now something is."""
    text_at(places, FOREIGN)
    before = tree(places[0])

    refused = rewrite(entry_for(places, former=b""), NEWER)

    assert isinstance(refused, Refused)
    assert (tree(places[0]), all_files(places)) == (before, {"a.txt": FOREIGN})


@pytest.mark.parametrize("kind", ["gone", "link", "folder", "fifo"])
def test_rewrite_refuses_what_is_no_regular_file(places: tuple[Path, Path], kind: str) -> None:
    """Nothing is followed, nothing is waited for, and no copy is left behind."""
    place = places[0] / "a.txt"
    (places[0] / "other.txt").write_bytes(FORMER)
    if kind == "link":
        place.symlink_to("other.txt")
    elif kind == "folder":
        place.mkdir()
    elif kind == "fifo":
        os.mkfifo(place)

    refused = rewrite(entry_for(places), NEWER)

    assert isinstance(refused, Refused)
    assert all_files(places) == {"other.txt": FORMER} | ({"a.txt": FORMER} if kind == "link" else {})


def test_rewrite_puts_back_what_took_the_place_at_the_last_moment(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody saves the text between the look at it and the exchange of the names; nothing temporary stays."""
    text = text_at(places)
    exchange, calls = transfer.exchange, []

    def late(folder: int, left: str, right: str) -> bool:
        if not calls:
            (places[0] / "intruder").write_bytes(FOREIGN)
            (places[0] / "intruder").replace(text)
        calls.append(left)
        return exchange(folder, left, right)

    monkeypatch.setattr(transfer, "exchange", late)
    refused = rewrite(entry_for(places), NEWER)
    found_rewrite(entry_for(places))

    assert isinstance(refused, Refused)
    assert "last moment" in refused.reason
    assert {path.name: path.read_bytes() for path in places[0].iterdir()} == {"a.txt": FOREIGN}


def test_rewrite_and_back_work_where_names_cannot_be_exchanged(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new version is renamed over the former one, of which a verified copy exists."""
    text_at(places)
    before = tree(places[0])
    monkeypatch.setattr(transfer, "exchange", lambda *_arguments: False)

    there = rewrite(entry_for(places), NEWER)
    between = all_files(places)
    back = rewrite_back(entry_for(places))

    assert (there, back) == (None, None)
    assert between == {"a.txt": NEWER, PAYLOAD: FORMER}
    assert (tree(places[0]), tree(places[1])) == (before, {})


# --- rewrite_back


def test_rewrite_back_gives_the_former_version_with_its_mode_and_time(places: tuple[Path, Path]) -> None:
    """Nothing is left in the quarantine."""
    text_at(places)
    before = tree(places[0])
    rewrite(entry_for(places), NEWER)

    refused = rewrite_back(entry_for(places))

    assert refused is None
    assert (tree(places[0]), tree(places[1])) == (before, {})


def test_rewrite_back_removes_a_text_that_the_prune_made(places: tuple[Path, Path]) -> None:
    """It did not exist before."""
    entry = entry_for(places, former=b"")
    rewrite(entry, NEWER)

    refused = rewrite_back(entry)

    assert refused is None
    assert all_files(places) == {}


@pytest.mark.parametrize("former", [FORMER, b""], ids=["existing", "new"])
def test_rewrite_back_leaves_a_text_that_was_changed_since(places: tuple[Path, Path], former: bytes) -> None:
    """What somebody wrote stays, and so does the former version, of which the reason says where it is."""
    if former:
        text_at(places)
    rewrite(entry_for(places, former=former), NEWER)
    (places[0] / "a.txt").write_bytes(FOREIGN)
    before = all_files(places)

    refused = rewrite_back(entry_for(places, former=former))

    assert isinstance(refused, Refused)
    assert "it was changed since" in refused.reason
    assert (str(places[1] / PAYLOAD) in refused.reason) is bool(former)
    assert all_files(places) == before


def test_rewrite_back_leaves_what_took_the_place_at_the_last_moment(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former version stays in the quarantine, too."""
    text = text_at(places)
    rewrite(entry_for(places), NEWER)
    exchange, calls = transfer.exchange, []

    def late(folder: int, left: str, right: str) -> bool:
        if not calls:
            (places[0] / "intruder").write_bytes(FOREIGN)
            (places[0] / "intruder").replace(text)
        calls.append(left)
        return exchange(folder, left, right)

    monkeypatch.setattr(transfer, "exchange", late)
    refused = rewrite_back(entry_for(places))

    assert isinstance(refused, Refused)
    assert all_files(places) == {"a.txt": FOREIGN, PAYLOAD: FORMER}


@pytest.mark.parametrize("harm", ["altered", "gone"])
def test_rewrite_back_refuses_when_the_former_version_is_not_what_it_was(places: tuple[Path, Path], harm: str) -> None:
    """The new version stays in its place, and nothing temporary beside it."""
    text_at(places)
    rewrite(entry_for(places), NEWER)
    payload = places[1] / PAYLOAD
    payload.unlink() if harm == "gone" else payload.write_bytes(b"altered")

    refused = rewrite_back(entry_for(places))

    assert isinstance(refused, Refused)
    assert (places[0] / "a.txt").read_bytes() == NEWER
    assert len(list(places[0].iterdir())) == 1


def test_rewrite_back_gives_a_text_that_is_gone_its_former_version(places: tuple[Path, Path]) -> None:
    """With its folder, permissions and time; nothing stays in the quarantine."""
    (places[0] / "b").mkdir()
    text = text_at(places).rename(places[0] / "b" / "a.txt")
    before = tree(places[0])
    entry = entry_for(places, "b/a.txt")
    rewrite(entry, NEWER)
    text.unlink()
    text.parent.rmdir()

    refused = rewrite_back(entry)

    assert (refused, tree(places[0]), all_files(places)) == (None, before, {"a.txt": FORMER})


def test_rewrite_back_names_a_text_that_is_gone_with_its_former_version(places: tuple[Path, Path]) -> None:
    """Nothing can be brought back, and nothing is said to be."""
    text = text_at(places)
    entry = entry_for(places)
    rewrite(entry, NEWER)
    text.unlink()
    (places[1] / PAYLOAD).unlink()

    answer = take_back(entry)

    assert isinstance(answer, Refused)
    assert answer.path == str(text)
    assert all_files(places) == {}


def test_rewrite_back_of_a_new_text_that_is_gone_is_done(places: tuple[Path, Path]) -> None:
    """There was none before."""
    entry = entry_for(places, former=b"")
    rewrite(entry, NEWER)
    (places[0] / "a.txt").unlink()

    assert (rewrite_back(entry), all_files(places)) == (None, {})


# --- found_rewrite


PART = transfer.partial_name
PLANNED, RETURNING = MoveState.PLANNED, MoveState.RETURNING


@pytest.mark.parametrize(
    ("state", "former", "text", "payload", "part", "found", "left"),
    [
        pytest.param(PLANNED, FORMER, FORMER, b"", b"", "aborted", {"a.txt": FORMER}, id="before anything"),
        pytest.param(PLANNED, FORMER, FORMER, FORMER, b"", "aborted", {"a.txt": FORMER}, id="after the copy"),
        pytest.param(PLANNED, FORMER, FORMER, FORMER, b"a m", "aborted", {"a.txt": FORMER}, id="half a new version"),
        pytest.param(PLANNED, FORMER, FORMER, FORMER, NEWER, "aborted", {"a.txt": FORMER}, id="before the swap"),
        pytest.param(
            PLANNED, FORMER, NEWER, FORMER, FORMER, "moved", {"a.txt": NEWER, PAYLOAD: FORMER}, id="after the swap"
        ),
        pytest.param(
            PLANNED, FORMER, FOREIGN, FORMER, b"", "moved", {"a.txt": FOREIGN, PAYLOAD: FORMER}, id="written since"
        ),
        pytest.param(PLANNED, FORMER, b"", FORMER, b"", "aborted", {PAYLOAD: FORMER}, id="somebody took the text"),
        pytest.param(PLANNED, b"", b"", b"", b"a m", "aborted", {}, id="new text, half written"),
        pytest.param(PLANNED, b"", NEWER, b"", b"", "moved", {"a.txt": NEWER}, id="new text in place"),
        pytest.param(PLANNED, b"", FOREIGN, b"", NEWER, "aborted", {"a.txt": FOREIGN}, id="new text, place taken"),
        pytest.param(
            RETURNING,
            FORMER,
            NEWER,
            FORMER,
            b"a m",
            "moved",
            {"a.txt": NEWER, PAYLOAD: FORMER},
            id="back, half written",
        ),
        pytest.param(RETURNING, FORMER, FORMER, FORMER, NEWER, "restored", {"a.txt": FORMER}, id="back, swapped"),
        pytest.param(RETURNING, FORMER, FORMER, b"", b"", "restored", {"a.txt": FORMER}, id="back, done"),
        pytest.param(RETURNING, FORMER, b"", FORMER, b"a m", "moved", {PAYLOAD: FORMER}, id="back, the text is gone"),
        pytest.param(RETURNING, FORMER, b"", b"", b"", "missing", {}, id="back, both are gone"),
        pytest.param(RETURNING, b"", NEWER, b"", b"", "moved", {"a.txt": NEWER}, id="new text, still there"),
        pytest.param(RETURNING, b"", b"", b"", b"", "restored", {}, id="new text, removed"),
        pytest.param(
            PLANNED, FORMER, NEWER, b"", b"", "aborted", {"a.txt": NEWER}, id="the same text, by another hand"
        ),
        pytest.param(PLANNED, FORMER, NEWER, FORMER, NEWER, "aborted", {"a.txt": NEWER}, id="the same, ours waits"),
        pytest.param(
            PLANNED, FORMER, NEWER, FORMER, FOREIGN, "moved", {"a.txt": FOREIGN, PAYLOAD: FORMER}, id="theirs swapped"
        ),
        pytest.param(
            RETURNING, FORMER, FORMER, FORMER, FOREIGN, "moved", {"a.txt": FOREIGN, PAYLOAD: FORMER}, id="back, theirs"
        ),
    ],
)
def test_found_rewrite_knows_how_far_a_killed_run_came(
    places: tuple[Path, Path],
    state: MoveState,
    former: bytes,
    text: bytes,
    payload: bytes,
    part: bytes,
    found: str,
    left: dict[str, bytes],
) -> None:
    """The disk decides, what was half-made goes, and looking again finds the same."""
    entry = entry_for(places, former=former, state=state)
    for folder, name, data in ((0, "a.txt", text), (1, PAYLOAD, payload), (0, PART(entry), part)):
        if data:
            (places[folder] / name).write_bytes(data)

    first, after = found_rewrite(entry), all_files(places)
    second = found_rewrite(entry)

    assert (first, after) == (found, left)
    assert (second, all_files(places)) == (found, left)


def test_found_rewrite_takes_no_text_of_the_same_words_for_its_own(places: tuple[Path, Path]) -> None:
    """While the new text waits under its temporary name, what lies at its place is by another hand."""
    entry = entry_for(places, former=b"")
    for name in ("a.txt", PART(entry)):
        (places[0] / name).write_bytes(NEWER)

    assert (found_rewrite(entry), all_files(places)) == ("aborted", {"a.txt": NEWER})
