"""The story of pictures that were rejected and are there again: indexed files that show what was thrown out.

Only the index is asked. What people decided on two pictures outranks what the machine found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from indexer import matches, queries, rejects
from indexer.database import Database
from indexer.groups import PRUNED, Evidence, Judged, Kind, Linked, Mark, Member, Returned
from indexer.relate import relations


def returned(database: Database) -> tuple[Returned, ...]:
    """The files that show what was rejected, by path; those that show several rejected pictures, the closest of them.

    A rejected picture that is smaller counts only when there is no other: then the file is better than what was rejected.
    """
    with database.reading() as tx:
        if not rejects.has_marks(tx):
            return ()
        thrown_out = rejects.pictures(tx)
        links, judged = matches.links(tx), matches.judgements(tx)
        looks = _near({member.look for _mark, member in thrown_out}, links, judged)
        ids = [member.content_id for _mark, member in thrown_out]
        files = queries.members_showing(tx, database.bases(queries.roots(tx)), ids, looks)
    best: dict[int, Returned] = {}
    for found in _found(thrown_out, files, links, judged):
        known = best.get(found.file.file_id)
        if known is None or _rank(found) < _rank(known):
            best[found.file.file_id] = found
    return tuple(sorted(best.values(), key=lambda one: one.file.full_path))


def _near(looks: set[bytes], links: Iterable[Linked], judged: Iterable[Judged]) -> set[bytes]:
    """Looks, and those that the machine or a person joined with one of them."""
    pairs = [link.looks for link in links if link.kind in PRUNED] + [one.looks for one in judged]
    return looks | {look for pair in pairs if looks.intersection(pair) for look in pair}


def _found(
    thrown_out: Sequence[tuple[Mark, Member]],
    files: Sequence[Member],
    links: Sequence[Linked],
    judged: Sequence[Judged],
) -> Iterator[Returned]:
    """Each file with each rejected picture that it shows."""
    members = [*files, *(member for _mark, member in thrown_out)]
    related = relations(members, links, judged, kinds=PRUNED, unconfirmed=True)
    by_content: dict[int, list[Member]] = {}
    for file in files:
        by_content.setdefault(file.content_id, []).append(file)
    for mark, member in thrown_out:
        for file in by_content.get(member.content_id, ()):
            yield Returned(file, mark, Kind.BYTES, 0, Evidence.PIXELS, better=False)
        for one in related(member):
            for file in by_content.get(one.content_id, ()):
                better = file.pixels > member.pixels
                yield Returned(file, mark, one.kind, one.bits, one.evidence, better)


def _rank(found: Returned) -> tuple[bool, bool, bool, int, int, bytes]:
    """The least for the closest: not better, then equal bytes, then what more than thumbnails says."""
    weak, other = found.evidence is Evidence.THUMBNAIL, found.kind is not Kind.BYTES
    return found.better, other, weak, found.bits, found.mark.rejected_ns, found.mark.digest
