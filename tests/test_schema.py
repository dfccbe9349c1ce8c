"""The column types, through a real SQLite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Integer, MetaData, Table, create_engine, insert, select

from indexer.records import signed64
from indexer.schema import APPLICATION_ID, PathText, Unsigned64, path_value

TABLE = Table(
    "kept", MetaData(), Column("id", Integer, primary_key=True), Column("path", PathText), Column("bits", Unsigned64)
)
PATHS = st.one_of(st.text(), st.binary().map(os.fsdecode))
UNSIGNED = st.integers(0, 2**64 - 1)


@pytest.fixture(scope="module")
def db() -> Iterator[Connection]:
    """A database with one table of all the types."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        TABLE.metadata.create_all(connection)
        yield connection
    engine.dispose()


def stored(db: Connection, path: str | None, bits: int | None) -> tuple[object, ...]:
    """A row written through the types and read back through them, then as SQLite holds it."""
    key = db.execute(insert(TABLE).values(path=path, bits=bits)).inserted_primary_key[0]
    typed = db.execute(select(TABLE.c.path, TABLE.c.bits).where(TABLE.c.id == key)).one()
    raw = db.exec_driver_sql("SELECT typeof(path), CAST(path AS BLOB), bits FROM kept WHERE id = ?", (key,)).one()
    db.rollback()
    return (*typed, *raw)


@given(PATHS, UNSIGNED)
@example("", 0)
@example("a\x00b\ufeff\udcff", 2**63)
@example("é", 2**63 - 1)
@example(os.fsdecode(b"\xed\xb3\xbf"), 2**64 - 1)
def test_types_give_back_what_was_stored(db: Connection, path: str, bits: int) -> None:
    """Any name that a file can have and any 64 bits come back; what is UTF-8 is TEXT, and the bytes are the name's."""
    path_back, bits_back, kind, raw, signed = stored(db, path, bits)

    name = os.fsencode(path)
    try:
        name.decode()
        expected = "text"
    except UnicodeDecodeError:
        expected = "blob"
    assert (path_back, bits_back) == (path, bits)
    assert (kind, raw, signed) == (expected, name, int.from_bytes(bits.to_bytes(8, "big"), "big", signed=True))


def test_types_keep_null(db: Connection) -> None:
    """None is NULL both ways."""
    assert stored(db, None, None) == (None, None, "null", None, None)


@given(PATHS, UNSIGNED)
def test_types_find_what_is_asked_for(db: Connection, path: str, bits: int) -> None:
    """A comparison with a value finds the row that holds it."""
    db.execute(insert(TABLE).values(id=1, path=path, bits=bits))

    found = db.execute(select(TABLE.c.id).where(TABLE.c.path == path, TABLE.c.bits == bits)).all()

    db.rollback()
    assert found == [(1,)]


@given(st.sets(PATHS, max_size=8))
def test_paths_sort_by_their_bytes_text_before_blob(db: Connection, paths: set[str]) -> None:
    """SQLite's order is that of the names' bytes, those that are UTF-8 first."""
    db.execute(insert(TABLE), [{"path": path} for path in paths] or [{"path": None}])

    found = [row.path for row in db.execute(select(TABLE.c.path).order_by(TABLE.c.path)) if row.path is not None]

    db.rollback()
    assert found == sorted(paths, key=lambda path: (isinstance(path_value(path), bytes), os.fsencode(path)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("", "", id="the root itself"),
        pytest.param("cats/a b.jpg", "cats/a b.jpg", id="ASCII"),
        pytest.param("Größe/写真.jpg", "Größe/写真.jpg", id="UTF-8"),
        pytest.param("caf\udce9.jpg", b"caf\xe9.jpg", id="Latin-1"),
        pytest.param("Größe/caf\udce9.jpg", "Größe/caf".encode() + b"\xe9.jpg", id="UTF-8 folder, Latin-1 name"),
        pytest.param("\udced\udca0\udc80", b"\xed\xa0\x80", id="bytes of a surrogate, which are not UTF-8"),
    ],
)
def test_path_value(path: str, value: str | bytes) -> None:
    """A path is text where its bytes are UTF-8, else its bytes (worked by hand)."""
    assert path_value(path) == value


@pytest.mark.parametrize(
    ("number", "signed"),
    [
        pytest.param(0, 0, id="zero"),
        pytest.param(2**63 - 1, 2**63 - 1, id="largest that stays"),
        pytest.param(2**63, -(2**63), id="smallest that wraps"),
        pytest.param(2**64 - 1, -1, id="all ones"),
    ],
)
def test_signed64(number: int, signed: int) -> None:
    """The two's complement has the same bits (worked by hand)."""
    assert signed64(number) == signed


@given(UNSIGNED)
def test_signed64_keeps_the_bits(number: int) -> None:
    """The bytes of the signed number are those of the unsigned one."""
    assert signed64(number).to_bytes(8, "big", signed=True) == number.to_bytes(8, "big")


def test_application_id_reads_imgx() -> None:
    """The number in the header is four letters, and SQLite takes it as it is."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

        (kept,) = connection.execute("PRAGMA application_id").fetchone()

    connection.close()
    assert kept.to_bytes(4, "big") == b"imgx"
