"""The story of another index that becomes part of this one: what it knows of contents, and what people decided there.

Its files stay its own. What it says is believed as far as it has the form of what workers say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from indexer import ledger, matches, rejects, store
from indexer.database import Database
from indexer.errors import CorruptDatabaseError, UsageError
from indexer.groups import Decision, Mark
from indexer.marks import is_sound
from indexer.recipe import RECIPE
from indexer.records import Fingerprinted, Merged, Task, Tick, no_progress
from indexer.schema import SCHEMA_VERSION
from indexer.text import printable
from indexer.vetting import DIGEST_BYTES, vetted_outcome

PAGE = 5_000
"""Contents that are stored at once: what a stopped run loses."""
_TASK = Task(0, "", 0, claims_picture=True)


def merge(database: Database, other: Database, version: int, tick: Tick = no_progress) -> Merged:
    """Takes in what another index knows of contents, and the judgements in it; of two on the same contents the later holds.

    What was rejected there is rejected here, too; what was before keeps its reason.

    Args:
        database: Open for writing.
        other: Open for reading; nothing in it changes.
        version: Of its tables.
        tick: Told of progress.

    Raises:
        UsageError: When an older imgindex made the other index.
        CorruptDatabaseError: When it is damaged.
    """
    if version != SCHEMA_VERSION:
        name = printable(other.path)
        raise UsageError(f"an older imgindex made '{name}'", f"upgrade it: imgindex status --db {name}")
    other.refuse_damaged()
    decisions, marks = _decisions(other), _marks(other)
    with database.writing() as tx:
        run_id = ledger.start_run(tx, "merge", time.time_ns())
        recipe_id = store.recipe_id(tx, RECIPE.key)
    new = known = left_out = 0
    for page, claims in _pages(other):
        sound = [one for found in page if isinstance(one := vetted_outcome(_TASK, found), Fingerprinted)]
        with database.writing() as tx:
            digests = store.of_digests(one.digest for one in sound)
            here = {digest for _size, digest in store.known_digests(tx, recipe_id, digests, with_unreadable=True)}
            fresh = [one for one in sound if one.digest not in here | claims]
            store.keep_contents(tx, fresh, recipe_id)
            taken = len(fresh) + store.keep_claims(tx, [one for one in sound if one.digest in claims], recipe_id)
        new, known, left_out = new + taken, known + len(sound) - taken, left_out + len(page) - len(sound)
        tick("merge", len(page), None)
    with other.reading() as tx:
        left_out += store.count_stale(tx, matches.recipe_id(tx, RECIPE.key))
    with database.writing() as tx:
        matches.keep_decisions(tx, decisions)
        rejected = rejects.keep_marks(tx, marks)
        counts = {"contents": new, "decisions": len(decisions), "rejected": rejected}
        ledger.finish_run(tx, run_id, time.time_ns(), counts)
    return Merged(new, known, left_out, len(decisions), rejected)


def _pages(other: Database) -> Iterator[tuple[list[Fingerprinted], set[bytes]]]:
    """The contents of another index that were fingerprinted as it is done here; with the digests of those only claimed."""
    after = 0
    with other.reading() as tx:
        recipe_id = matches.recipe_id(tx, RECIPE.key)
        while rows := store.contents_after(tx, recipe_id, after, PAGE):
            after = rows[-1][0]
            yield [found for _key, found in rows], store.claims(tx, (found.digest for _key, found in rows))


def _decisions(other: Database) -> list[Decision]:
    """The judgements in another index.

    Raises:
        CorruptDatabaseError: When one is none.
    """
    try:
        with other.reading() as tx:
            found = matches.decisions(tx)
        if all(_is_sound(one) for one in found):
            return found
    except ValueError:  # no verdict
        pass
    raise CorruptDatabaseError(f"'{printable(other.path)}' holds judgements that are none", "leave it out")


def _marks(other: Database) -> list[Mark]:
    """What was rejected in another index.

    Raises:
        CorruptDatabaseError: When a mark is none.
    """
    with other.reading() as tx:
        found = rejects.marks(tx)
    if not all(map(is_sound, found)):
        raise CorruptDatabaseError(f"'{printable(other.path)}' holds rejected contents that are none", "leave it out")
    return found


def _is_sound(one: Decision) -> bool:
    ends = (one.a_digest, one.b_digest)
    whole = all(isinstance(end, bytes) and len(end) == DIGEST_BYTES for end in ends)
    return whole and one.a_digest < one.b_digest and 0 <= one.decided_ns < 1 << 63
