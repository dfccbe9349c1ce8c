"""Every statement about matching: which contents are due, what is known of each, what was found, what people decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, delete, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from indexer.conditions import execute_many, in_parts, new_id
from indexer.groups import WHOLE_PICTURES, Decision, Evidence, Judged, Kind, Linked, Match, Verdict
from indexer.places import joined
from indexer.records import FileState
from indexer.schema import content, decision, file, folder, match, recipe, rejected, thumbnail

ROWS = 50_000
"""Rows fetched at a time."""


class HashRows(NamedTuple):
    """The hashes of contents, the ones with the most pixels first, each look once."""

    ids: list[int]
    due: list[bool]
    """True for those not yet matched against the rest."""
    phashes: bytes
    """32 bytes each."""
    views: bytes
    """192 bytes each."""


class Place(NamedTuple):
    """Where a file with a content lies, and the digest that it must have."""

    root_id: int
    path: str
    """Relative to the root."""
    digest: bytes


def matching_id(tx: Connection, key: str, name: str) -> int:
    """The id of the recipe of matching in force; when it is another than before, what was found is forgotten.

    Args:
        tx: A writing transaction.
        key: Of the recipe.
        name: What the keys of all recipes of matching begin with.
    """
    found = tx.execute(select(recipe.c.id).where(recipe.c.key == key)).scalar()
    if found is None:
        tx.execute(delete(match))
        tx.execute(update(content).values(matched=None))
        tx.execute(delete(recipe).where(recipe.c.key.startswith(f"{name}/", autoescape=True)))
        found = new_id(tx.execute(insert(recipe).values(key=key)))
    return int(found)


def settle_plain(tx: Connection, recipe_id: int, matching_id: int, least_detail: float) -> int:
    """Marks the contents as matched that need no search; gives the number of those that do.

    Contents that no file shows wait until one does: a match of theirs would rest on thumbnails alone, for good. Those that
    were rejected do not wait, as they must be recognised. Need none:
    contents that cannot be decoded, those with too little detail for their hashes to mean anything, and those of which an
    earlier one looks alike, pixel by pixel.
    """
    earlier = content.alias("earlier")
    before = and_(earlier.c.look == content.c.look, earlier.c.id < content.c.id, earlier.c.recipe_id == recipe_id)
    alike = select(earlier.c.id).where(before).exists()
    plain = or_(content.c.phash.is_(None), content.c.detail < least_detail, content.c.recipe_id != recipe_id, alike)
    tx.execute(update(content).where(_unmatched(), plain).values(matched=matching_id))
    return int(tx.execute(select(func.count()).select_from(content).where(_unmatched(), _shown(tx))).scalar_one())


def hash_rows(tx: Connection, recipe_id: int | None, least_detail: float, after: int = 0) -> HashRows:
    """The hashes of all contents that matching is about; of those with larger ids than a given one, also twins."""
    known = and_(content.c.look.is_not(None), content.c.recipe_id == recipe_id)
    first = select(func.min(content.c.id)).where(known).group_by(content.c.look)
    # by id: one recipe has nearly all, and SQLite would look through them
    late = and_(content.c.id > after, content.c.look.is_not(None), content.c.recipe_id + 0 == recipe_id)
    query = (
        select(content.c.id, and_(content.c.matched.is_(None), _shown(tx)), content.c.phash, content.c.views)
        .where(late if after else content.c.id.in_(first), content.c.detail >= least_detail)
        .order_by((content.c.width * content.c.height).desc(), content.c.id)
    )
    ids: list[int] = []
    due: list[bool] = []
    phashes, views = bytearray(), bytearray()
    for rows in tx.execute(query.execution_options(yield_per=ROWS)).partitions():
        some_ids, some_due, some_phashes, some_views = zip(*rows, strict=True)
        ids += some_ids
        due += some_due
        phashes += b"".join(some_phashes)
        views += b"".join(some_views)
    return HashRows(ids, due, bytes(phashes), bytes(views))


def recipe_id(tx: Connection, key: str) -> int | None:
    """The id of a recipe, None when nothing was fingerprinted by it."""
    return tx.execute(select(recipe.c.id).where(recipe.c.key == key)).scalar()


def contents_of(tx: Connection, digest: bytes, look: bytes) -> dict[int, bytes]:
    """The contents of a digest or a look, by id, with their digests."""
    query = select(content.c.id, content.c.digest).where(or_(content.c.digest == digest, content.c.look == look))
    return {row.id: row.digest for row in tx.execute(query.order_by(content.c.id))}


def newest_content(tx: Connection) -> int:
    """The largest id of a content given so far."""
    return tx.execute(select(func.max(content.c.id))).scalar() or 0


def thumbnails(tx: Connection, content_ids: Iterable[int]) -> dict[int, bytes]:
    """The thumbnails of contents, as JPEG."""
    columns = (thumbnail.c.content_id, thumbnail.c.jpeg)
    return {row.content_id: row.jpeg for row in in_parts(tx, select(*columns), thumbnail.c.content_id, content_ids)}


def thumbnails_of(tx: Connection, digests: Iterable[bytes]) -> dict[bytes, bytes]:
    """The thumbnails of contents, as JPEG, by SHA-256 digest."""
    query = select(content.c.digest, thumbnail.c.jpeg).select_from(content.join(thumbnail))
    return {row.digest: row.jpeg for row in in_parts(tx, query, content.c.digest, digests)}


def places(tx: Connection, content_ids: Iterable[int]) -> dict[int, Place]:
    """For each content, a file that shows it pixel by pixel: its own where there is one, else a twin's; the first found."""
    query, wanted = _shown_at()
    rows = in_parts(tx, query, wanted, content_ids)
    return {row.id: Place(row.root_id, joined(row.path, row.name), row.digest) for row in rows}


@cache
def _shown_at() -> tuple[Any, Any]:
    """The question for `places` and the column that it is put for; made once, as making it takes longer than asking it."""
    shown = content.alias("shown")
    query = (
        select(shown.c.id, folder.c.root_id, folder.c.path, file.c.name, content.c.digest)
        .select_from(shown)
        .join(content, content.c.look == shown.c.look)
        .join(file, and_(file.c.content_id == content.c.id, file.c.state == FileState.PICTURE))
        .join(folder, folder.c.id == file.c.folder_id)
        .order_by(content.c.id == shown.c.id, file.c.id.desc())
    )
    return query, shown.c.id


def keep_matches(tx: Connection, found: Sequence[Match]) -> None:
    """Stores matches."""
    rows = [
        (
            one.a_id,
            one.b_id,
            str(one.kind),
            one.bits,
            one.turn,
            one.structure,
            one.colour,
            one.agreement,
            str(one.evidence),
        )
        for one in found
    ]
    execute_many(tx, _KEEP, rows)


def by_thumbnails(tx: Connection, looks: Iterable[bytes]) -> list[Match]:
    """The matches of pictures of some looks that rest on thumbnails, where a look at two files would say more."""
    first, second = content.alias("first"), content.alias("second")
    query = (
        select(match)
        .join(first, first.c.id == match.c.a_id)
        .join(second, second.c.id == match.c.b_id)
        .where(match.c.evidence == Evidence.THUMBNAIL, match.c.kind.in_(WHOLE_PICTURES))
    )
    wanted = list(looks)
    rows = {row for end in (first, second) for row in in_parts(tx, query, end.c.look, wanted)}
    return [
        Match(a_id, b_id, Kind(kind), *rest, Evidence(evidence))  # type: ignore[call-arg]  # the rest: the columns between
        for a_id, b_id, kind, *rest, evidence in sorted(rows)
    ]


def drop_matches(tx: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """Forgets the matches of pairs of contents."""
    execute_many(tx, 'DELETE FROM "match" WHERE a_id = ? AND b_id = ?', pairs)


def mark_matched(tx: Connection, content_ids: Sequence[int], matching_id: int) -> None:
    """Notes that contents were matched against all others."""
    execute_many(tx, "UPDATE content SET matched = ? WHERE id = ?", [(matching_id, one) for one in content_ids])


def dhashes(tx: Connection, content_ids: Iterable[int]) -> dict[int, int]:
    """The dHash of contents that have one, by id."""
    query = select(content.c.id, content.c.dhash).where(content.c.dhash.is_not(None))
    return {row.id: row.dhash for row in in_parts(tx, query, content.c.id, content_ids)}


def links(tx: Connection) -> list[Linked]:
    """All matches, by the looks of their contents."""
    first, second = content.alias("first"), content.alias("second")
    return [_linked(row) for row in tx.execute(_links(first, second))]


def links_of(tx: Connection, looks: Iterable[bytes]) -> list[Linked]:
    """The matches of pictures of some looks; those of two of them come twice."""
    first, second = content.alias("first"), content.alias("second")
    wanted, query = list(looks), _links(first, second)
    return [_linked(row) for end in (first, second) for row in in_parts(tx, query, end.c.look, wanted)]


def _links(first: Any, second: Any) -> Select[Any]:
    """Matches with the looks of their contents."""
    return (
        select(match, first.c.look.label("a_look"), second.c.look.label("b_look"))
        .join(first, first.c.id == match.c.a_id)
        .join(second, second.c.id == match.c.b_id)
    )


def _linked(row: Any) -> Linked:
    return Linked((row.a_look, row.b_look), Kind(row.kind), row.bits, row.structure, Evidence(row.evidence))


# --- decisions


def keep_decisions(tx: Connection, decisions: Iterable[Decision]) -> None:
    """Stores judgements; a later one on the same two contents takes the place of an earlier one."""
    for one in decisions:
        statement = upsert(decision).values(
            a_digest=one.a_digest, b_digest=one.b_digest, verdict=str(one.verdict), decided_ns=one.decided_ns
        )
        taken = {"verdict": statement.excluded.verdict, "decided_ns": statement.excluded.decided_ns}
        newer = statement.excluded.decided_ns >= decision.c.decided_ns
        tx.execute(statement.on_conflict_do_update(index_elements=["a_digest", "b_digest"], set_=taken, where=newer))


def decisions(tx: Connection) -> list[Decision]:
    """All judgements, by digest."""
    rows = tx.execute(select(decision).order_by(decision.c.a_digest, decision.c.b_digest))
    return [Decision(row.a_digest, row.b_digest, Verdict(row.verdict), row.decided_ns) for row in rows]


def decided_on(tx: Connection, digest: bytes) -> dict[int, Verdict]:
    """The judgements on a digest and contents that the index holds, by the content's id."""
    ends = ((decision.c.a_digest, decision.c.b_digest), (decision.c.b_digest, decision.c.a_digest))
    return {
        row.id: Verdict(row.verdict)
        for this, other in ends
        for row in tx.execute(
            select(content.c.id, decision.c.verdict).join(content, content.c.digest == other).where(this == digest)
        )
    }


def forget_decision(tx: Connection, a_digest: bytes, b_digest: bytes) -> int:
    """Drops a judgement; gives the number of those dropped."""
    which = and_(decision.c.a_digest == a_digest, decision.c.b_digest == b_digest)
    return tx.execute(delete(decision).where(which)).rowcount


def judgements(tx: Connection) -> list[Judged]:
    """The judgements on contents that were decoded here."""
    first, second = content.alias("first"), content.alias("second")
    query = (
        select(
            decision.c.verdict, first.c.id.label("a"), second.c.id.label("b"), first.c.look, second.c.look.label("to")
        )
        .join(first, first.c.digest == decision.c.a_digest)
        .join(second, second.c.digest == decision.c.b_digest)
        .where(first.c.look.is_not(None), second.c.look.is_not(None))
    )
    return [Judged((row.a, row.b), (row.look, row.to), Verdict(row.verdict)) for row in tx.execute(query)]


class Around(NamedTuple):
    """What is known of some looks."""

    links: list[Linked]
    """Their matches, and those by which judgements are followed."""
    judged: list[Judged]
    """The judgements on them and on what they match."""
    looks: set[bytes]
    """They, and all that these are about."""


def around(tx: Connection, looks: set[bytes]) -> Around:
    """The matches of some looks, and the judgements on them and on what they match, with what these need to be followed."""
    found = dict.fromkeys(links_of(tx, looks))
    near = looks.union(chain.from_iterable(link.looks for link in found))
    judged = [one for one in judgements(tx) if near.intersection(one.looks)]
    apart = chain.from_iterable(one.looks for one in judged if one.verdict is Verdict.DIFFERENT)
    found |= dict.fromkeys(links_of(tx, set(apart) - looks))
    ends = chain.from_iterable([*(link.looks for link in found), *(one.looks for one in judged)])
    return Around([*found], judged, looks.union(ends))


def _unmatched() -> Any:
    """The condition in the words of the partial index."""
    return content.c.matched.is_(literal_column("NULL"))


def _shown(tx: Connection) -> Any:
    """The condition that some file shows a content, pixel by pixel, or that the picture was rejected."""
    twin = content.alias("twin")
    files = select(file.c.id).join(twin, twin.c.id == file.c.content_id)
    is_there = files.where(twin.c.look == content.c.look, file.c.state == FileState.PICTURE).exists()
    if tx.execute(select(rejected.c.digest).limit(1)).first() is None:
        return is_there  # what no file shows is not looked for once more
    marked = select(rejected.c.digest).join(twin, twin.c.digest == rejected.c.digest)
    return or_(is_there, marked.where(twin.c.look == content.c.look).exists())


_KEEP = """
    INSERT OR REPLACE INTO "match" (a_id, b_id, kind, bits, turn, structure, colour, agreement, evidence)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
