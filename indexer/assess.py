"""The story of arrivals once they are matched: what each brought."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection

from indexer import arrivals, matches
from indexer.groups import Comeback
from indexer.novelty import assessed, representatives
from indexer.relate import relations


def judge_arrivals(tx: Connection, run_id: int) -> Counter[Comeback]:
    """Judges all arrivals that are not judged yet, also of interrupted runs; gives how many were rejected.

    Takes as long as they are many.

    Args:
        tx: A writing transaction, after matching.
        run_id: The run that brought them.
    """
    due = arrivals.due(tx)
    if not due:
        return Counter()
    looks = arrivals.due_looks(tx)
    near = matches.around(tx, looks)
    contents = arrivals.known(tx, near.looks)
    members = representatives(due, contents, near.judged)
    related = relations(members, near.links, near.judged, unconfirmed=True)  # also with what no file shows any more
    found = list(assessed(due, contents, related))
    arrivals.keep_outcomes(tx, run_id, found)
    return Counter(one.comeback for one in found if one.comeback is not None)
