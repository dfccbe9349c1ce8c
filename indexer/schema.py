"""The tables, as SQLAlchemy declarations.

The migrations in `migrations/` make and change them; a test holds that the two agree. `SCHEMA_VERSION` is the number of
the newest migration and stands in the database's `user_version`, `APPLICATION_ID` in its `application_id`, where both can
be read from the file's first 100 bytes without opening it.
"""

from __future__ import annotations

import os

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect

from indexer.records import signed64

APPLICATION_ID = 0x696D6778
"""The letters `imgx`."""
SCHEMA_VERSION = 7


def path_value(path: str) -> str | bytes:
    """A path as it is stored: TEXT where its bytes are UTF-8, BLOB of the raw bytes elsewhere."""
    if path.isascii():
        return path
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


class PathText(TypeDecorator[str]):
    """A path: TEXT where its bytes are UTF-8, so that people can read the database, BLOB of the raw bytes elsewhere.

    SQLite sorts every TEXT before every BLOB; both sort by their bytes.
    """

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | bytes | None:
        """TEXT, or BLOB for names with lone surrogates."""
        return None if value is None else path_value(value)

    def process_result_value(self, value: str | bytes | None, dialect: Dialect) -> str | None:
        """The path as `os.fsdecode` gives it."""
        return os.fsdecode(value) if isinstance(value, bytes) else value


class Unsigned64(TypeDecorator[int]):
    """An unsigned 64-bit number in SQLite's signed 64 bits (two's complement)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """The signed number with the same bits."""
        return None if value is None else signed64(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:
        """The unsigned number with the same bits."""
        return value if value is None or value >= 0 else value + (1 << 64)


metadata = MetaData()

root = Table(
    "root",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("path", PathText, nullable=False, unique=True, doc="relative to the database's folder when below it"),
    Column("numberless", Boolean, nullable=False, server_default="0", doc="inode numbers mean nothing there"),
)

unlisted = Table(
    "unlisted",
    metadata,
    Column("root_id", ForeignKey("root.id"), primary_key=True, nullable=False),
    Column("path", PathText, primary_key=True, doc="of a folder that the last walk could not list, as folder.path"),
)

folder = Table(
    "folder",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("root_id", ForeignKey("root.id"), nullable=False),
    Column("path", PathText, nullable=False, doc="relative to the root, '' for the root itself"),
    Column("listing", LargeBinary, doc="digest of names and stamps when every row equals the disk, else NULL"),
    UniqueConstraint("root_id", "path", name="folder_path"),
)

file = Table(
    "file",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("folder_id", ForeignKey("folder.id"), nullable=False),
    Column("name", PathText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("born_ns", BigInteger, doc="when the file was made, where the file system says so"),
    Column("unsettled", Boolean, nullable=False, doc="too fresh when read for its stamp to be trusted"),
    Column("state", Integer, nullable=False, doc="records.FileState"),
    Column("content_id", ForeignKey("content.id")),
    Column("reason", Text, doc="why it is unreadable"),
    UniqueConstraint("folder_id", "name", name="file_name"),
)
Index("file_content", file.c.content_id)
Index("file_due", file.c.id, sqlite_where=file.c.state == 0)
Index("file_unreadable", file.c.id, sqlite_where=file.c.state == 2)
Index("file_other", file.c.id, sqlite_where=file.c.state == 3)

recipe = Table(
    "recipe",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True, doc="records.Recipe.key"),
)

content = Table(
    "content",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True, doc="SHA-256 of the file's bytes"),
    Column("size", BigInteger, nullable=False),
    Column("recipe_id", ForeignKey("recipe.id"), nullable=False),
    Column("unreadable", Text, doc="why these bytes cannot be decoded; the columns below are then NULL"),
    Column("dhash", Unsigned64),
    Column("phash", LargeBinary, doc="256 bits"),
    Column("width", Integer),
    Column("height", Integer),
    Column("format", Text),
    Column("mode", Text),
    Column("detail", Float),
    Column("views", LargeBinary, doc="hashes of parts of the picture, see views.py"),
    Column("look", LargeBinary, doc="equal for equal pixels"),
    Column("matched", ForeignKey("recipe.id"), doc="the recipe by which it was matched against all others, else NULL"),
    Column("admitted", Boolean, nullable=False, server_default="0", doc="promised by a gate, and no file arrived yet"),
    Column(
        "claimed", Boolean, nullable=False, server_default="0", doc="by a list of rejected contents; not decoded here"
    ),
)
Index("content_look", content.c.look)
Index("content_unmatched", content.c.id, sqlite_where=content.c.matched.is_(None))
Index("content_dhash", content.c.dhash)
Index("content_known", content.c.recipe_id, content.c.size)
Index("content_claimed", content.c.id, sqlite_where=content.c.claimed == 1)

thumbnail = Table(
    "thumbnail",
    metadata,
    Column("content_id", ForeignKey("content.id"), primary_key=True),
    Column("jpeg", LargeBinary, nullable=False),
)

match = Table(
    "match",
    metadata,
    Column("a_id", ForeignKey("content.id"), primary_key=True, doc="the first content of its look; less than b_id"),
    Column("b_id", ForeignKey("content.id"), primary_key=True, doc="likewise"),
    Column("kind", Text, nullable=False, doc="groups.Kind"),
    Column("bits", Integer, nullable=False, doc="Hamming distance of the whole pictures, one turned as said"),
    Column("turn", Integer, nullable=False, doc="orientation of a that lies on b, see verify.oriented"),
    Column("structure", Float, nullable=False, doc="largest difference of a patch in lightness, levels"),
    Column("colour", Float, nullable=False, doc="largest difference of a patch in chroma, levels"),
    Column("agreement", Float, nullable=False, doc="share of the detail whose shapes agree"),
    Column("evidence", Text, nullable=False, doc="groups.Evidence"),
)
Index("match_b", match.c.b_id)

decision = Table(
    "decision",
    metadata,
    Column("a_digest", LargeBinary, primary_key=True, doc="less than b_digest"),
    Column("b_digest", LargeBinary, primary_key=True),
    Column("verdict", Text, nullable=False, doc="groups.Verdict"),
    Column("decided_ns", BigInteger, nullable=False),
)

choice = Table(
    "choice",
    metadata,
    Column("path", PathText, primary_key=True, nullable=False, doc="relative to the database's folder when below it"),
    Column("digest", LargeBinary, nullable=False, doc="what the file held when it was reviewed"),
    Column("keeper", PathText, nullable=False, doc="the file that stays, stored like path"),
    Column("keeper_digest", LargeBinary, nullable=False),
    Column("fate", Text, nullable=False, doc="plans.Fate"),
    Column("kind", Text, nullable=False, doc="groups.Kind"),
    Column("decided_ns", BigInteger, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("command", Text, nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("finished_ns", BigInteger),
    Column("counts", Text, nullable=False, doc="a JSON object"),
    Column("label", Text, doc="what the user calls the scrape"),
)

arrival = Table(
    "arrival",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("run.id"), nullable=False, doc="the run that finished it, as far as there is one"),
    Column("path", PathText, nullable=False, doc="of a new or changed file, stored like choice.path"),
    Column("size", BigInteger, nullable=False),
    Column("content_id", ForeignKey("content.id"), doc="NULL when it could not be read"),
    Column("file_id", Integer, doc="while outcome is NULL: the row of the file; it may be gone"),
    Column("outcome", Text, doc="brought.Brought, NULL until its content was matched"),
    Column(
        "known_id", ForeignKey("content.id"), doc="what it is known as; while outcome is NULL: itself when known before"
    ),
)
Index("arrival_run", arrival.c.run_id)
Index("arrival_content", arrival.c.content_id)
Index("arrival_due", arrival.c.id, sqlite_where=arrival.c.outcome.is_(None))

rejected = Table(
    "rejected",
    metadata,
    Column("digest", LargeBinary, primary_key=True, doc="of a content that should not be in the data set"),
    Column("reason", Text, nullable=False),
    Column("rejected_ns", BigInteger, nullable=False),
)

identity = Table(
    "identity",
    metadata,
    Column("name", Text, primary_key=True, doc="32 hex digits in one row: which index this is, for plans made by it"),
)

alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), primary_key=True, doc="the newest migration"),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("run.id"), nullable=False),
    Column("state", Text, nullable=False, doc="moves.MoveState"),
    Column("kind", Text, nullable=False),
    Column("root_id", ForeignKey("root.id"), nullable=False),
    Column("path", PathText, nullable=False, doc="where the file was, relative to the root"),
    Column("quarantine", PathText, nullable=False, doc="relative to the database's folder when below it"),
    Column("payload", PathText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("mode", Integer, nullable=False),
    Column("folder_mode", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("keeper", PathText, nullable=False, doc="relative to the database's folder when below it"),
    Column("keeper_digest", LargeBinary, nullable=False),
    Column("action", Text, nullable=False, server_default="quarantine", doc="moves.Action"),
    Column("base", PathText, doc="what path is relative to when that is not the root; stored like keeper"),
    Column("owner_id", Integer, doc="the entry of the picture that this file comes with; it has a larger id"),
    Column("extra", Text, nullable=False, server_default="{}", doc="a JSON object, see moves.JournalEntry"),
)
Index("journal_state", journal.c.state)
Index("journal_run", journal.c.run_id)
