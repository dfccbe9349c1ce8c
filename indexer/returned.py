"""The story of pictures that were rejected and are there again: indexed files that show one.

Only the index is asked. What people decided on two pictures outranks what the machine found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from indexer import matches, queries, rejects
from indexer.comeback import came_back, shows_rejected
from indexer.database import Database
from indexer.groups import Comeback, Evidence, Kind, Mark, Member, Returned
from indexer.relate import relations


def returned(database: Database) -> tuple[Returned, ...]:
    """The files that show what was rejected, by path; those that show several rejected pictures, the closest of them.

    A rejected picture that is smaller counts only when there is no other, and one that a thumbnail alone shows before that.
    """
    with database.reading() as tx:
        if not rejects.has_marks(tx):
            return ()
        pictures = rejects.pictures(tx)
        near = matches.around(tx, {member.look for _mark, member in pictures})
        ids = [member.content_id for _mark, member in pictures]
        files = queries.members_showing(tx, database.bases(queries.roots(tx)), ids, near.looks)
    best: dict[int, Returned] = {}
    for found in _found(pictures, files, near):
        known = best.get(found.file.file_id)
        if known is None or _rank(found) < _rank(known):
            best[found.file.file_id] = found
    return tuple(sorted(best.values(), key=lambda one: one.file.full_path))


def _found(
    pictures: Sequence[tuple[Mark, Member]], files: Sequence[Member], near: matches.Around
) -> Iterator[Returned]:
    """Each file with each rejected picture that it shows."""
    members = [*files, *(member for _mark, member in pictures)]
    related = relations(members, near.links, near.judged, unconfirmed=True)
    by_content: dict[int, list[Member]] = {}
    for file in files:
        by_content.setdefault(file.content_id, []).append(file)
    for mark, member in pictures:
        for file in by_content.get(member.content_id, ()):
            yield Returned(file, mark, Kind.BYTES, 0, Evidence.PIXELS, Comeback.SURE)
        for one in filter(lambda one: shows_rejected(one.kind), related(member)):
            for file in by_content.get(one.content_id, ()):
                how = came_back(one.kind, one.evidence, pixels=file.pixels, rejected=member.pixels)
                yield Returned(file, mark, one.kind, one.bits, one.evidence, how)


def _rank(found: Returned) -> tuple[Comeback, bool, int, int, bytes]:
    """The least for the closest: that by which it would go soonest, then equal bytes."""
    return found.comeback, found.kind is not Kind.BYTES, found.bits, found.mark.rejected_ns, found.mark.digest
