"""The statements about reading start from the index made for them, whatever the size of the table."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from indexer import Index, database, store
from indexer.places import Place


@pytest.mark.parametrize("places", [[], [(1, "")], [(1, "a")], [(1, "a/0.jpg")]], ids=["all", "root", "folder", "file"])
def test_statements_about_states_use_the_index_of_the_state(photos: Path, index: Index, places: list[Place]) -> None:
    """Reading a million files asks for the next few thousands of times: a scan each time would make that quadratic."""
    index.update(photos, jobs=0)
    plans: list[str] = []
    with database.open_for_reading(index.path) as opened, opened.reading() as tx:

        def explain(_tx: Connection, cursor: sqlite3.Cursor, statement: str, parameters: Any, *_: object) -> None:
            if statement.startswith("SELECT"):
                rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans.append(" ".join(row[3] for row in rows))

        event.listen(tx, "before_cursor_execute", explain)
        store.due_files(tx, places, 0)
        store.count_due(tx, places)
        store.count_unreadable(tx, places)
        store.unreadable_files(tx, {1: str(photos)}, places)
        store.count_other(tx, places)

    names = ["file_due", "file_due", "file_unreadable", "file_unreadable", "file_other"]
    assert [name in plan for name, plan in zip(names, plans, strict=True)] == [True] * 5
    assert not any("sqlite_autoindex_file" in plan or "TEMP B-TREE" in plan for plan in plans)
