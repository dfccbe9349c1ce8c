"""The story of what was rejected and stays known: listed, forgotten, and exchanged with other indexes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from indexer import matches, queries, rejects, release, store
from indexer.database import Database
from indexer.errors import UsageError
from indexer.groups import Mark, Member, Rejected, TakenIn
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
        pictures = {mark.digest: member for mark, member in rejects.pictures(tx)}
        marks = rejects.marks(tx)
    paths: dict[bytes, str] = {}
    held = set()
    for path, place in _places(database):
        paths.setdefault(place.digest, path)
        held |= {place.digest} if place.is_held else set()
    return [_rejected(mark, pictures.get(mark.digest), paths.get(mark.digest), held) for mark in marks]


def _rejected(mark: Mark, picture: Member | None, path: str | None, held: Container[bytes]) -> Rejected:
    width, height = (picture.width, picture.height) if picture else (None, None)
    return Rejected(mark, path, width, height, mark.digest in held)


def _places(database: Database) -> list[tuple[str, rejects.Place]]:
    """The absolute paths from which files were rejected, of the latest run first."""
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        found = rejects.places(tx)
    return [
        (joined(bases[one.root_id] if one.base is None else database.absolute(one.base), one.path), one)
        for one in found
    ]


def forget(database: Database, named: Iterable[tuple[str, str]]) -> int:
    """Takes back that contents are rejected; their files stay where they are. Gives their number.

    Of those that no file holds, thumbnails and hashes go.

    Args:
        database: Open for writing.
        named: SHA-256 digests in hex, or files: that are rejected, were rejected from there, or show what was rejected.
            Each with the absolute path that it is when it is a file.

    Raises:
        UsageError: When one of them names nothing that is rejected. Then all stays as it is.
    """
    with database.reading() as tx:
        marked = {mark.digest for mark in rejects.marks(tx)}
    shown = {path: place.digest for path, place in reversed(_places(database)) if place.digest in marked}
    shown |= {one.file.full_path: one.mark.digest for one in returned(database)}
    digests = {_meant(name, path, marked, shown) for name, path in named}
    with database.writing() as tx:
        count = sum(rejects.forget_mark(tx, digest) for digest in digests)
        release.release_pictures(tx, digests)
        return count


def _meant(name: str, path: str, marked: Container[bytes], shown: Mapping[str, bytes]) -> bytes:
    """The rejected content that a digest or a file names.

    Args:
        name: As it was given.
        path: The absolute path that it is when it is a file.
        marked: The digests of all that is rejected.
        shown: What is rejected by the paths of files that show it, or were rejected from there.

    Raises:
        UsageError: When it names none.
    """
    folder, own = split(path)
    is_digest = len(name) == 64 and _DIGITS.issuperset(name)
    digest = bytes.fromhex(name) if is_digest else digest_at(folder or "/", own)
    if digest is not None and digest in marked:
        return digest
    if path not in shown:
        raise UsageError(f"'{printable(name)}' is not rejected", "imgindex rejected list")
    return shown[path]


def exported(database: Database) -> Iterator[str]:
    """The rejected contents as lines of JSON, each with the fingerprint and the thumbnail that it is recognised by."""
    with database.reading() as tx:
        recipe_id = matches.recipe_id(tx, RECIPE.key)
        marks = rejects.marks(tx)
        found = {one.digest: one for one in store.decoded(tx, recipe_id, [mark.digest for mark in marks])}
    return (line_of(Line(mark, RECIPE.key, found.get(mark.digest))) for mark in marks)


def take_in(database: Database, lines: Iterable[str]) -> TakenIn:
    """Adds rejected contents from lines of JSON; what is rejected already keeps the reason that it has.

    A content that is known here keeps the fingerprint that it has; what a line says of others is no more than a claim.

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
        store.keep_claims(tx, [line.found for line in found if line.found is not None], recipe_id)
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
