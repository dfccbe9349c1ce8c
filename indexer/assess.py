"""The story of arrivals once they are matched: what each brought."""

from __future__ import annotations

from itertools import chain

from sqlalchemy import Connection

from indexer import arrivals, matches
from indexer.brought import Brought
from indexer.groups import Judged, Linked, Verdict
from indexer.novelty import assessed, representatives
from indexer.relate import relations


def judge_arrivals(tx: Connection, run_id: int) -> int:
    """Judges all arrivals that are not judged yet, also of interrupted runs; gives how many of them show what was rejected.

    Takes as long as they are many.

    Args:
        tx: A writing transaction, after matching.
        run_id: The run that brought them.
    """
    due = arrivals.due(tx)
    if not due:
        return 0
    looks = arrivals.due_looks(tx)
    links, judged = _about(tx, looks)
    ends = chain.from_iterable([*(link.looks for link in links), *(one.looks for one in judged)])
    contents = arrivals.known(tx, looks.union(ends))
    members = representatives(due, contents, judged)
    related = relations(members, links, judged, unconfirmed=True)  # also with what no file shows any more
    found = list(assessed(due, contents, related))
    arrivals.keep_outcomes(tx, run_id, found)
    return sum(one.outcome is Brought.RETURNED for one in found)


def _about(tx: Connection, looks: set[bytes]) -> tuple[list[Linked], list[Judged]]:
    """The matches of some looks, and the judgements on them and on what they match, with what these need to be followed."""
    links = dict.fromkeys(matches.links_of(tx, looks))
    near = looks.union(chain.from_iterable(link.looks for link in links))
    judged = [one for one in matches.judgements(tx) if near.intersection(one.looks)]
    apart = chain.from_iterable(one.looks for one in judged if one.verdict is Verdict.DIFFERENT)
    links |= dict.fromkeys(matches.links_of(tx, set(apart) - looks))
    return [*links], judged
