"""What the tests share besides fixtures: drawn folders, trees before and after, databases of older versions."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from indexer import Index, database
from indexer.drawing import drawn, encoded
from indexer.schema import APPLICATION_ID

DATA = Path(os.environ.get("IMGINDEX_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
"""Real pictures with ground truth; not part of the project."""
Tree = dict[str, tuple[bytes, int, int]]
"""Path → bytes, permission bits and modification time of every file below a folder."""


def make_photos(folder: Path, count: int = 6) -> Path:
    """Draws pictures into a folder's sub-folders a and b."""
    for number in range(count):
        place = folder / "ab"[number % 2] / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(encoded(drawn(number)))
        aged(place)
    return folder


def aged(path: Path, seconds: int = 1000) -> Path:
    """A file whose modification time lies in the past."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - seconds * 1_000_000_000))
    return path


def tree(folder: Path) -> Tree:
    """Every file below a folder, links not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            name = os.fsdecode(bytes(path.relative_to(folder)))
            found[name] = (path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_mtime_ns)
    return found


def settle(index: Index) -> None:
    """Makes the index believe that its files were old when they were read, as they are in life."""
    with sqlite3.connect(index.path) as db:
        db.execute("UPDATE file SET unsettled = 0")
    db.close()


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Columns and indexes of every table."""
    with sqlite3.connect(path) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        found = {name: sorted(db.execute(f"PRAGMA table_info({name})").fetchall()) for name in names}
        indexes = "SELECT name, tbl_name, lower(replace(replace(sql, ' ', ''), char(10), '')) FROM sqlite_schema"
        found["indexes"] = sorted(db.execute(f"{indexes} WHERE type = 'index' AND sql IS NOT NULL").fetchall())
    db.close()
    return found


def migrated(path: Path, revision: str) -> Path:
    """A database as the imgindex of a given revision made it."""
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(database.migrations_folder()))
    with engine.begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, revision)
    with engine.begin() as tx:
        tx.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        tx.exec_driver_sql(f"PRAGMA user_version = {int(revision)}")
    engine.dispose()
    return path


def version_of(path: Path) -> int:
    """The schema version that a database claims."""
    return int.from_bytes(path.read_bytes()[60:64], "big")


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
