"""The statements about matching, on a real SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, update

from indexer import Index, conditions, database, matches, schema
from indexer.database import Database
from indexer.groups import Decision, Evidence, Judged, Kind, Linked, Match, Verdict
from indexer.matches import Place
from indexer.records import FileState

RECIPE, OTHER_RECIPE, MATCHING = 1, 2, 3
LEAST_DETAIL = 3.0
MATCH = Match(1, 2, Kind.FLIPPED, 7, 1, 2.5, 3.5, 0.75, Evidence.FILES)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Database]:
    """A database with recipes, a root and two folders in it."""
    with database.open_for_writing(str(tmp_path / "imgindex.db")) as opened:
        with opened.writing() as tx:
            keys = {RECIPE: "imgindex/2 now", OTHER_RECIPE: "imgindex/1 before", MATCHING: "match/1 now"}
            tx.execute(insert(schema.recipe), [{"id": number, "key": key} for number, key in keys.items()])
            tx.execute(insert(schema.root).values(id=1, path="photos"))
            tx.execute(
                insert(schema.folder), [{"id": 1, "root_id": 1, "path": ""}, {"id": 2, "root_id": 1, "path": "b"}]
            )
        yield opened


def digest(number: int) -> bytes:
    """A content's digest."""
    return bytes([number]) * 32


def look(number: int) -> bytes:
    """A content's look."""
    return bytes([number]) * 16


def add(tx: Connection, number: int, **values: object) -> None:
    """Adds a content with much detail and a look of its own, unless the values say otherwise."""
    usual = {
        "digest": digest(number),
        "size": 1000,
        "recipe_id": RECIPE,
        "dhash": number,
        "phash": bytes([number]) * 32,
        "width": 100,
        "height": 100,
        "format": "JPEG",
        "mode": "RGB",
        "detail": 20.0,
        "views": bytes([number]) * 192,
        "look": look(number),
    }
    tx.execute(insert(schema.content).values(**{**usual, "id": number, **values}))
    tx.execute(insert(schema.thumbnail).values(content_id=number, jpeg=b"jpeg %d" % number))


def add_file(
    tx: Connection, number: int, content: int, *, folder: int = 1, state: FileState = FileState.PICTURE
) -> None:
    """Adds a file of a content."""
    stamp = {"size": 1000, "mtime_ns": 1, "ctime_ns": 1, "inode": number, "unsettled": False}
    row = {"id": number, "folder_id": folder, "name": f"{number}.jpg", "state": state, "content_id": content}
    tx.execute(insert(schema.file).values(**row, **stamp))


def matched(tx: Connection) -> dict[int, int | None]:
    """By which recipe each content was matched."""
    return {row.id: row.matched for row in tx.execute(select(schema.content).order_by(schema.content.c.id))}


# --- what is due


def test_settle_plain_leaves_what_has_to_be_searched_for(opened: Database) -> None:
    """Broken, flat and stale contents, and later ones of a look, need no search."""
    with opened.writing() as tx:
        add(tx, 1)
        add(tx, 2, phash=None, look=None, detail=None, views=None, unreadable="truncated")
        add(tx, 3, detail=2.9)
        add(tx, 4, recipe_id=OTHER_RECIPE)
        add(tx, 5, look=look(1))
        add(tx, 6, detail=3.0)
        add(tx, 7, matched=MATCHING)
        for number in range(1, 8):
            add_file(tx, number, number)

        due = matches.settle_plain(tx, RECIPE, MATCHING, LEAST_DETAIL)

        assert due == 2
        assert matched(tx) == {1: None, 2: 3, 3: 3, 4: 3, 5: 3, 6: None, 7: 3}


def test_contents_that_no_file_shows_wait(opened: Database) -> None:
    """They are neither due nor matched; a file of a twin shows a content, one that is read anew or unreadable does not."""
    with opened.writing() as tx:
        for number in (1, 2, 4, 5):
            add(tx, number)
        add(tx, 3, look=look(2))
        add_file(tx, 1, 3)
        add_file(tx, 2, 4, state=FileState.DUE)
        add_file(tx, 3, 5, state=FileState.UNREADABLE)

        due = matches.settle_plain(tx, RECIPE, MATCHING, LEAST_DETAIL)
        rows = matches.hash_rows(tx, RECIPE, LEAST_DETAIL)

        assert due == 1
        assert matched(tx) == {1: None, 2: None, 3: 3, 4: None, 5: None}
        assert (rows.ids, rows.due) == ([1, 2, 4, 5], [False, True, False, False])


def test_content_is_searched_for_when_only_a_stale_one_looks_like_it(opened: Database) -> None:
    """A pruned file's content keeps the fingerprint of an older recipe, which nothing is compared with."""
    with opened.writing() as tx:
        add(tx, 1, recipe_id=OTHER_RECIPE)
        add(tx, 2, look=look(1))
        add_file(tx, 1, 2)

        due = matches.settle_plain(tx, RECIPE, MATCHING, LEAST_DETAIL)
        rows = matches.hash_rows(tx, RECIPE, LEAST_DETAIL)

        assert due == 1
        assert (rows.ids, rows.due) == ([2], [True])


def test_hash_rows_hold_each_look_once_the_most_pixels_first(opened: Database) -> None:
    """Equal numbers of pixels by id; flat, broken and stale contents are left out."""
    with opened.writing() as tx:
        add(tx, 1, width=10, matched=MATCHING)
        add(tx, 2, width=30)
        add(tx, 3, width=20, matched=MATCHING)
        add(tx, 4, width=15, height=200)
        add(tx, 5, width=900, look=look(1))
        add(tx, 6, detail=1.0)
        add(tx, 7, recipe_id=OTHER_RECIPE)
        add(tx, 8, phash=None, look=None, detail=None, views=None, unreadable="truncated")
        for number in range(1, 9):
            add_file(tx, number, number)

        rows = matches.hash_rows(tx, RECIPE, LEAST_DETAIL)

        assert rows.ids == [2, 4, 3, 1]
        assert rows.due == [True, True, False, False]
        assert rows.phashes == b"".join(bytes([number]) * 32 for number in (2, 4, 3, 1))
        assert rows.views == b"".join(bytes([number]) * 192 for number in (2, 4, 3, 1))


def test_hash_rows_are_read_in_parts(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows are not held twice; the parts join without a gap."""
    monkeypatch.setattr(matches, "ROWS", 3)
    with opened.writing() as tx:
        for number in range(1, 9):
            add(tx, number)

        rows = matches.hash_rows(tx, RECIPE, LEAST_DETAIL)

        assert (rows.ids, len(rows.phashes), len(rows.views)) == (list(range(1, 9)), 8 * 32, 8 * 192)


def test_hash_rows_are_none_when_nothing_was_fingerprinted(opened: Database) -> None:
    """`similar` asks before anything was indexed by the recipe in force."""
    with opened.writing() as tx:
        add(tx, 1)

        assert matches.recipe_id(tx, "imgindex/3 later") is None
        assert matches.hash_rows(tx, None, LEAST_DETAIL).ids == []
        assert matches.recipe_id(tx, "imgindex/2 now") == RECIPE


# --- the recipe of matching


def test_matching_id_keeps_what_was_found_while_the_recipe_stands(opened: Database) -> None:
    """Nothing is done twice."""
    with opened.writing() as tx:
        add(tx, 1, matched=MATCHING)
        add(tx, 2, matched=MATCHING)
        matches.keep_matches(tx, [MATCH])

        assert matches.matching_id(tx, "match/1 now", "match") == MATCHING
        assert matched(tx) == {1: MATCHING, 2: MATCHING}
        assert len(matches.links(tx)) == 1


def test_matching_id_forgets_what_was_found_by_another_recipe(opened: Database) -> None:
    """Matches and marks go, with the old recipe; people's decisions and the fingerprints' recipes stay."""
    decided = Decision(digest(1), digest(2), Verdict.SAME, 5)
    with opened.writing() as tx:
        add(tx, 1, matched=MATCHING)
        add(tx, 2, matched=MATCHING)
        matches.keep_matches(tx, [MATCH])
        matches.keep_decisions(tx, [decided])

        new_id = matches.matching_id(tx, "match/2 now", "match")

        assert matched(tx) == {1: None, 2: None}
        assert matches.links(tx) == []
        assert matches.decisions(tx) == [decided]
        keys = {row.id: row.key for row in tx.execute(select(schema.recipe))}
        assert keys == {RECIPE: "imgindex/2 now", OTHER_RECIPE: "imgindex/1 before", new_id: "match/2 now"}


# --- what is known of contents


def test_contents_of_are_those_of_the_bytes_and_of_the_pixels(opened: Database) -> None:
    """A picture that is looked for may be indexed, or be a twin of one that is."""
    with opened.writing() as tx:
        add(tx, 1)
        add(tx, 2, look=look(1))
        add(tx, 3)

        assert matches.contents_of(tx, digest(2), look(1)) == {1: digest(1), 2: digest(2)}
        assert matches.contents_of(tx, digest(3), look(9)) == {3: digest(3)}
        assert matches.contents_of(tx, digest(9), look(9)) == {}


def test_thumbnails_are_found_for_any_number_of_contents(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite takes a limited number of values in one question."""
    monkeypatch.setattr(conditions, "IN_ONE", 2)
    with opened.writing() as tx:
        for number in range(1, 6):
            add(tx, number)

        assert matches.thumbnails(tx, iter([5, 1, 2, 1, 4])) == {number: b"jpeg %d" % number for number in (1, 2, 4, 5)}


def test_places_are_the_first_file_of_the_content_itself(opened: Database) -> None:
    """Though a twin's file was found earlier."""
    with opened.writing() as tx:
        add(tx, 1)
        add(tx, 2, look=look(1))
        for number, content, folder in ((1, 1, 1), (2, 2, 2), (3, 2, 1), (4, 1, 1)):
            add_file(tx, number, content, folder=folder)

        assert matches.places(tx, [1, 2]) == {1: Place(1, "1.jpg", digest(1)), 2: Place(1, "b/2.jpg", digest(2))}


def test_places_are_a_twins_file_when_the_content_has_none(opened: Database) -> None:
    """With the twin's digest, as that is what the file must hold."""
    with opened.writing() as tx:
        add(tx, 1)
        add(tx, 2, look=look(1))
        add_file(tx, 1, 2)

        assert matches.places(tx, [1]) == {1: Place(1, "1.jpg", digest(2))}


@pytest.mark.parametrize("state", [FileState.DUE, FileState.UNREADABLE])
def test_places_are_files_that_hold_what_was_fingerprinted(opened: Database, state: FileState) -> None:
    """A file that has to be read again, or cannot be, is none; neither has a content whose file is gone."""
    with opened.writing() as tx:
        add(tx, 1)
        add(tx, 2, look=look(1))
        add(tx, 3)
        add_file(tx, 1, 1, state=state)
        add_file(tx, 2, 2)
        add_file(tx, 3, 3, state=state)

        assert matches.places(tx, [1, 3]) == {1: Place(1, "2.jpg", digest(2))}


# --- matches


def test_matches_are_kept_as_they_are_found(opened: Database) -> None:
    """And come back by looks; a pair that is looked at again takes the place of its row."""
    with opened.writing() as tx:
        add(tx, 1)
        add(tx, 2)
        matches.keep_matches(tx, [MATCH])
        row = tuple(tx.exec_driver_sql('SELECT * FROM "match"').one())
        linked = matches.links(tx)
        matches.keep_matches(tx, [Match(1, 2, Kind.SAME, 3, evidence=Evidence.THUMBNAIL)])
        again = matches.links(tx)

    assert row == (1, 2, "flipped", 7, 1, 2.5, 3.5, 0.75, "files")
    assert linked == [Linked((look(1), look(2)), Kind.FLIPPED, 7, 2.5, Evidence.FILES)]
    assert again == [Linked((look(1), look(2)), Kind.SAME, 3, 0.0, Evidence.THUMBNAIL)]


def test_mark_matched_notes_which_contents_are_done(opened: Database) -> None:
    """The others stay due; none is fine."""
    with opened.writing() as tx:
        for number in (1, 2, 3):
            add(tx, number)

        matches.mark_matched(tx, [1, 3], MATCHING)
        matches.mark_matched(tx, [], MATCHING)

        assert matched(tx) == {1: MATCHING, 2: None, 3: MATCHING}


# --- decisions


@pytest.mark.parametrize(
    ("later", "holds"),
    [
        pytest.param(Decision(digest(1), digest(2), Verdict.DIFFERENT, 11), True, id="later"),
        pytest.param(Decision(digest(1), digest(2), Verdict.DIFFERENT, 10), True, id="at once"),
        pytest.param(Decision(digest(1), digest(2), Verdict.DIFFERENT, 9), False, id="earlier, from another index"),
    ],
)
def test_later_decision_takes_the_place_of_an_earlier_one(opened: Database, later: Decision, holds: bool) -> None:
    """Whatever the order in which they come in."""
    first = Decision(digest(1), digest(2), Verdict.SAME, 10)
    with opened.writing() as tx:
        matches.keep_decisions(tx, [first])
        matches.keep_decisions(tx, [later])

        assert matches.decisions(tx) == [later if holds else first]


def test_decisions_are_sorted_by_digest_and_forgotten_one_by_one(opened: Database) -> None:
    """The number says whether there was one."""
    ends = [(3, 4), (1, 9), (1, 2)]
    with opened.writing() as tx:
        matches.keep_decisions(tx, [Decision(digest(a), digest(b), Verdict.SAME, 1) for a, b in ends])
        ordered = [(one.a_digest[0], one.b_digest[0]) for one in matches.decisions(tx)]
        dropped = [matches.forget_decision(tx, digest(1), digest(other)) for other in (9, 9)]
        left = [(one.a_digest[0], one.b_digest[0]) for one in matches.decisions(tx)]

    assert ordered == [(1, 2), (1, 9), (3, 4)]
    assert dropped == [1, 0]
    assert left == [(1, 2), (3, 4)]


def test_decisions_on_a_picture_name_the_others_that_are_here(opened: Database) -> None:
    """Whether its digest is the less or the greater of the two; it need not be here itself."""
    with opened.writing() as tx:
        add(tx, 1)
        add(tx, 4)
        add(tx, 5)
        ends = {(1, 3): Verdict.SAME, (3, 4): Verdict.DIFFERENT, (3, 6): Verdict.SAME, (1, 5): Verdict.SAME}
        matches.keep_decisions(tx, [Decision(digest(a), digest(b), verdict, 1) for (a, b), verdict in ends.items()])

        assert matches.decided_on(tx, digest(3)) == {1: Verdict.SAME, 4: Verdict.DIFFERENT}


def test_judgements_are_decisions_on_contents_that_were_decoded_here(opened: Database) -> None:
    """Others are remembered, and do nothing until their picture is indexed."""
    with opened.writing() as tx:
        add(tx, 1)
        add(tx, 2)
        add(tx, 3, look=None, phash=None, detail=None, views=None, unreadable="truncated")
        ends = [(1, 2, Verdict.DIFFERENT), (1, 3, Verdict.SAME), (2, 8, Verdict.SAME), (8, 9, Verdict.SAME)]
        matches.keep_decisions(tx, [Decision(digest(a), digest(b), verdict, 1) for a, b, verdict in ends])

        assert matches.judgements(tx) == [Judged((1, 2), (look(1), look(2)), Verdict.DIFFERENT)]
        assert len(matches.decisions(tx)) == 4


# --- plans of the statements


@pytest.mark.parametrize("marks", [0, 1])
def test_statements_about_due_contents_use_the_indexes(opened: Database, marks: int) -> None:
    """A run without news does not read a table of a million contents to find that out."""
    with opened.writing() as tx:
        rows = [
            (
                number,
                os.urandom(32),
                number,
                os.urandom(32),
                os.urandom(192),
                os.urandom(16),
                None if number < 10 else 3,
            )
            for number in range(1, 20_000)
        ]
        tx.exec_driver_sql(
            "INSERT INTO content (id, digest, size, recipe_id, dhash, phash, width, height, detail, views, look, matched)"
            " VALUES (?, ?, 1, 1, ?, ?, 9, 9, 20.0, ?, ?, ?)",
            rows,
        )
        for number in range(1, 10):
            add_file(tx, number, number)
        for number in range(marks):
            tx.exec_driver_sql("INSERT INTO rejected VALUES (?, 'blurred', 0)", (digest(number),))
    plans = []
    with opened.writing() as tx:

        def explain(_tx: Connection, cursor: sqlite3.Cursor, statement: str, parameters: Any, *_: object) -> None:
            found = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.append([row[3] for row in found])

        event.listen(tx, "before_cursor_execute", explain)
        due = matches.settle_plain(tx, RECIPE, MATCHING, LEAST_DETAIL)
        settle, _any, count = plans
        matches.hash_rows(tx, RECIPE, LEAST_DETAIL)
        hashes = plans[-1]

    assert due == 9
    assert "content_unmatched" in settle[0]
    assert any("earlier" in step and "content_look" in step for step in settle)
    assert "content_unmatched" in count[0]
    assert any("rejected" in step for step in count) is bool(marks)
    assert not [step for step in hashes if step.startswith("SCAN content")]


def test_update_without_news_asks_for_no_hashes(photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it load what searches and compares."""
    index.update(photos, jobs=0)
    asked: list[object] = []
    monkeypatch.setattr(matches, "hash_rows", lambda *arguments: asked.append(arguments))

    report = index.update(photos, jobs=0)

    assert (report.matches, asked) == (0, [])


def test_decoding_again_makes_a_content_due_again(photos: Path, index: Index) -> None:
    """Its hashes may be others: what was known of its matches says nothing."""
    index.update(photos, jobs=0)
    with database.open_for_writing(index.path) as opened, opened.writing() as tx:
        tx.execute(update(schema.content).values(recipe_id=insert_recipe(tx)))
    asked: list[str] = []

    report = index.update(photos, jobs=0, tick=lambda stage, _done, _total: asked.append(stage))

    assert report.decoded == 6
    assert "search" in asked


def insert_recipe(tx: Connection) -> int:
    """The id of the recipe of an older imgindex."""
    return int(
        tx.execute(insert(schema.recipe).values(key="imgindex/1 before").returning(schema.recipe.c.id)).scalar_one()
    )
