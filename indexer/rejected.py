"""The story of what was rejected and stays known: listed, forgotten, and exchanged with other indexes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from indexer import matches, queries, rejects, store
from indexer.database import Database
from indexer.errors import UsageError
from indexer.groups import Rejected, TakenIn
from indexer.marks import Line, line_of, read_line
from indexer.places import joined, split
from indexer.quarantine import digest_at
from indexer.recipe import RECIPE
from indexer.returned import returned
from indexer.text import printable

_DIGITS = frozenset("0123456789abcdefABCDEF")


def rejected(database: Database) -> list[Rejected]:
    """The rejected contents, the oldest mark first."""
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        pictures = {mark.digest: member for mark, member in rejects.pictures(tx)}
        places = rejects.held(tx)
        marks = rejects.marks(tx)
    found = []
    for mark in marks:
        picture, place = pictures.get(mark.digest), places.get(mark.digest)
        width, height = (picture.width, picture.height) if picture else (None, None)
        path = None
        if place:
            root_id, base, below, _held = place
            path = joined(bases[root_id] if base is None else database.absolute(base), below)
        found.append(Rejected(mark, path, width, height, bool(place and place[3])))
    return found


def forget(database: Database, named: Iterable[tuple[str, str]]) -> int:
    """Takes back that contents are rejected, and nothing else: their files stay where they are. Gives their number.

    Args:
        database: Open for writing.
        named: SHA-256 digests in hex, or files: that are rejected, were rejected from there, or show what was rejected.
            Each with the absolute path that it is when it is a file.

    Raises:
        UsageError: When one of them names nothing that is rejected. Then all stays as it is.
    """
    known = rejected(database)
    shown = {one.file.full_path: one.mark.digest for one in returned(database)}
    digests = {_meant(name, path, known, shown) for name, path in named}
    with database.writing() as tx:
        return sum(rejects.forget_mark(tx, digest) for digest in digests)


def _meant(name: str, path: str, known: Iterable[Rejected], shown: dict[str, bytes]) -> bytes:
    """The rejected content that a digest or a file names.

    Raises:
        UsageError: When it names none.
    """
    marked = {one.mark.digest: one for one in known}
    folder, own = split(path)
    is_digest = len(name) == 64 and _DIGITS.issuperset(name)
    digest = bytes.fromhex(name) if is_digest else digest_at(folder or "/", own)
    if digest is not None and digest in marked:
        return digest
    if path in shown:
        return shown[path]
    was = [one.mark.digest for one in marked.values() if one.path is not None and one.path == path]
    if not was:
        raise UsageError(f"'{printable(name)}' is not rejected", "imgindex rejected list")
    return was[-1]


def exported(database: Database) -> Iterator[str]:
    """The rejected contents as lines of JSON, each with the fingerprint and the thumbnail that it is recognised by."""
    with database.reading() as tx:
        recipe_id = matches.recipe_id(tx, RECIPE.key)
        marks = rejects.marks(tx)
        found = {one.digest: one for one in store.decoded(tx, recipe_id, [mark.digest for mark in marks])}
    return (line_of(Line(mark, RECIPE.key, found.get(mark.digest))) for mark in marks)


def take_in(database: Database, lines: Iterable[str]) -> TakenIn:
    """Adds rejected contents from lines of JSON; what is rejected already keeps the reason that it has.

    A content that is known here keeps the fingerprint that it has.

    Args:
        database: Open for writing.
        lines: As `exported` gives them.

    Raises:
        UsageError: When a line is none. Then nothing was added.
    """
    found = list(_parsed(lines))
    with database.writing() as tx:
        recipe_id = store.recipe_id(tx, RECIPE.key)
        new = rejects.keep_marks(tx, [line.mark for line in found])
        fresh = {line.found.digest: line.found for line in found if line.found is not None}
        known = store.known_digests(tx, recipe_id, store.of_digests(fresh), with_unreadable=True)
        here = {digest for _size, digest in known}
        store.keep_contents(tx, [one for digest, one in fresh.items() if digest not in here], recipe_id)
    return TakenIn(new, len({line.mark.digest for line in found}) - new, sum(line.found is None for line in found))


def _parsed(lines: Iterable[str]) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield read_line(line, RECIPE.key)
        except (ValueError, KeyError) as error:
            hint = "nothing was taken in; imgindex rejected export shows the form"
            raise UsageError(f"line {number} is no rejected content: {error}", hint) from error
