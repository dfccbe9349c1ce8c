"""Another index becomes part of this one: contents, fingerprints, decisions; its files stay its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from support import make_photos, migrated

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.entry import run
from indexer.errors import CorruptDatabaseError, DatabaseError, UsageError
from indexer.groups import Evidence, Kind
from indexer.schema import SCHEMA_VERSION


@pytest.fixture
def other(tmp_path: Path) -> Index:
    """An index of eight photos, two of them decided on, made elsewhere; its files are gone."""
    folder = make_photos(tmp_path / "machine" / "theirs", 8)
    made = Index(tmp_path / "machine" / "imgindex.db")
    made.update(folder, jobs=0)
    made.decide(folder / "a" / "6.jpg", folder / "b" / "7.jpg", "different")
    shutil.rmtree(folder)
    return made


def sql(index: Index, statement: str) -> list[tuple[object, ...]]:
    """What a statement gives, or does."""
    with contextlib.closing(sqlite3.connect(index.path)) as db, db:
        return db.execute(statement).fetchall()


def test_what_another_index_knows_is_known_here(other: Index, index: Index, photos: Path) -> None:
    """Six of the eight were known; files of the other two are not decoded any more, and its files are none of ours."""
    index.update(photos, jobs=0)
    before = Path(other.path).read_bytes()

    merged = index.merge(other.path)

    assert (merged.contents, merged.known, merged.left_out, merged.decisions) == (2, 6, 0, 1)
    assert [root.path for root in index.status().roots] == [str(photos)]
    assert index.decisions_json() == other.decisions_json()
    rows = (
        "SELECT digest, size, dhash, phash, width, height, format, mode, detail, views, look, jpeg FROM content"
        " JOIN thumbnail ON content_id = content.id ORDER BY digest"
    )
    assert sql(index, rows) == sql(other, rows)
    answer = index.check(encoded(drawn(7)))
    assert (answer.kind, answer.path) == (Kind.BYTES, None)
    (photos / "seventh.jpg").write_bytes(encoded(drawn(7)))
    report = index.update(photos, jobs=0)
    assert (report.new, report.decoded) == (1, 0)
    assert Path(other.path).read_bytes() == before
    assert index.history(2)[1].command == "merge"


def test_merging_again_changes_nothing(other: Index, index: Index) -> None:
    """Into a new index, and once more."""
    assert index.merge(other.path).contents == 8
    merged = index.merge(other.path)

    assert (merged.contents, merged.known, merged.decisions) == (0, 8, 1)
    assert len(index.decisions_json()) == 1


def test_of_two_judgements_the_later_one_holds(other: Index, index: Index, photos: Path) -> None:
    """Whichever index it was made in."""
    make_photos(photos, 8)
    index.update(photos, jobs=0)
    index.decide(photos / "a" / "6.jpg", photos / "b" / "7.jpg", "same")
    ours = index.decisions_json()

    index.merge(other.path)
    other.merge(index.path)

    assert index.decisions_json() == other.decisions_json() == ours


def test_merged_contents_are_matched_by_their_files_when_these_come(other: Index, index: Index, photos: Path) -> None:
    """A match that was made without a file would rest on thumbnails for good, and never be pruned."""
    index.merge(other.path)
    again = photos / "again.webp"
    again.write_bytes(encoded(drawn(7).resize((200, 150)), "WEBP"))
    index.update(photos, jobs=0)
    assert index.groups() == ()

    (photos / "seventh.jpg").write_bytes(encoded(drawn(7)))
    index.update(photos, jobs=0)

    (group,) = index.groups()
    assert [surplus.evidence for surplus in group.surplus] == [Evidence.FILES]
    assert {group.keeper.path, *(surplus.member.path for surplus in group.surplus)} == {"again.webp", "seventh.jpg"}


def test_contents_without_files_wait_and_cost_no_search(other: Index, index: Index, photos: Path) -> None:
    """They stay unmatched; those that a file shows, also by a twin of equal pixels, are matched."""
    index.merge(other.path)
    twin = encoded(drawn(7)) + b"behind the end"
    (photos / "twin.jpg").write_bytes(twin)

    index.update(photos, jobs=0)

    unmatched = sql(index, "SELECT count(*) FROM content WHERE matched IS NULL")
    assert unmatched == [(1,)]
    assert index.check(twin).path == str(photos / "twin.jpg")


def test_what_has_not_the_form_of_a_fingerprint_is_left_out(
    other: Index, index: Index, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Hashes of other lengths, a thumbnail that is none, another recipe: the exit code is 3, the rest is taken in."""
    sql(other, "UPDATE content SET phash = x'00' WHERE id = 1")
    sql(other, "UPDATE content SET detail = 'much' WHERE id = 2")
    sql(other, "UPDATE thumbnail SET jpeg = x'47494638' WHERE content_id = 3")
    sql(other, "INSERT INTO recipe (key) VALUES ('another')")
    sql(other, "UPDATE content SET recipe_id = (SELECT id FROM recipe WHERE key = 'another') WHERE id = 4")
    monkeypatch.chdir(tmp_path)

    assert run(["merge", other.path, "--json", "--db", index.path]) == 3
    told = capsys.readouterr()
    assert json.loads(told.out) == {"contents": 4, "known": 0, "left_out": 4, "decisions": 1, "rejected": 0}
    assert "4 contents left out" in told.err
    assert sql(index, "SELECT count(*) FROM content") == [(4,)]


def test_contents_that_cannot_be_read_here_stay_as_they_are(other: Index, index: Index, photos: Path) -> None:
    """As where a plugin is missing: the file's row says unreadable, and so does its content."""
    index.update(photos, jobs=0)
    sql(index, "UPDATE content SET unreadable = 'no plugin', look = NULL WHERE id = 1")

    merged = index.merge(other.path)

    assert merged.known == 6
    assert sql(index, "SELECT unreadable FROM content WHERE id = 1") == [("no plugin",)]


def test_indexes_that_cannot_be_merged_are_refused(other: Index, index: Index, tmp_path: Path) -> None:
    """Itself, an older one, another program's, none, a damaged one, one with junk for judgements: nothing changes."""
    index.merge(other.path)
    before = sql(index, "SELECT count(*) FROM content") + sql(index, "SELECT count(*) FROM decision")
    older = migrated(tmp_path / "older.db", f"{SCHEMA_VERSION - 1:04}")
    (tmp_path / "text.db").write_text("no database, but as long as the header of one would be" * 9)
    damaged = tmp_path / "damaged.db"
    data = bytearray(Path(other.path).read_bytes())
    data[3 * 4096 : 3 * 4096 + 60] = b"\xff" * 60
    damaged.write_bytes(data)
    sql(other, "UPDATE decision SET verdict = 'perhaps'")
    short = tmp_path / "short.db"
    shutil.copy(other.path, short)
    sql(Index(short), "UPDATE decision SET verdict = 'same', a_digest = x'00'")

    for path, error, words in (
        (index.path, UsageError, "is this index itself"),
        (older, UsageError, "an older imgindex made"),
        (tmp_path / "text.db", DatabaseError, "is not a database"),
        (tmp_path / "none.db", DatabaseError, "cannot open"),
        (damaged, CorruptDatabaseError, "damaged"),
        (other.path, CorruptDatabaseError, "judgements that are none"),
        (short, CorruptDatabaseError, "judgements that are none"),
    ):
        with pytest.raises(error, match=words):
            index.merge(path)
    assert sql(index, "SELECT count(*) FROM content") + sql(index, "SELECT count(*) FROM decision") == before
    assert older.read_bytes()[60:64] == (SCHEMA_VERSION - 1).to_bytes(4, "big")


def test_merge_says_what_it_took_in(other: Index, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence, or not at all."""
    assert run(["merge", other.path, "--db", index.path]) == 0
    assert capsys.readouterr().out == "8 new contents and 1 decision taken in; 0 contents known already.\n"
    assert run(["merge", other.path, "--db", index.path, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
