"""The story of people's judgements: on two files, to and from lines of JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator

from indexer import matches
from indexer.database import Database
from indexer.errors import UsageError
from indexer.groups import Decision, Verdict
from indexer.places import split
from indexer.quarantine import digest_at
from indexer.text import printable


def decide(database: Database, left: str, right: str, verdict: Verdict | None) -> Decision | None:
    """Remembers a judgement on what two files hold, or forgets it.

    Args:
        database: Open for writing.
        left: Absolute path.
        right: Absolute path.
        verdict: None to forget.

    Raises:
        UsageError: When a file cannot be read, or both hold the same bytes.
    """
    first, second = sorted(_digest(path) for path in (left, right))
    if first == second:
        raise UsageError("the two files hold the same bytes: there is nothing to decide")
    with database.writing() as tx:
        if verdict is None:
            if not matches.forget_decision(tx, first, second):
                raise UsageError("nothing was decided on these two files")
            return None
        decision = Decision(first, second, verdict, time.time_ns())
        matches.keep_decisions(tx, [decision])
        return decision


def decisions(database: Database) -> list[Decision]:
    """All judgements, by digest."""
    with database.reading() as tx:
        return matches.decisions(tx)


def take_in(database: Database, lines: Iterable[str]) -> int:
    """Adds judgements from lines of JSON; of two on the same contents the later one holds. Gives their number.

    Raises:
        UsageError: When a line is no judgement. Then nothing was added.
    """
    found = list(_parsed(lines))
    with database.writing() as tx:
        matches.keep_decisions(tx, found)
    return len(found)


def as_json(decision: Decision) -> dict[str, str | int]:
    """A judgement as an object: `a` and `b` (SHA-256), `verdict`, `decided` (nanoseconds since 1970)."""
    ends = {"a": decision.a_digest.hex(), "b": decision.b_digest.hex()}
    return {**ends, "verdict": str(decision.verdict), "decided": decision.decided_ns}


def _parsed(lines: Iterable[str]) -> Iterator[Decision]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            first, second = sorted(bytes.fromhex(fields[name]) for name in ("a", "b"))
            decision = Decision(first, second, Verdict(fields["verdict"]), int(fields["decided"]))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise UsageError(
                f"line {number} is no decision: {error}", "imgindex decide --export shows the form"
            ) from error
        if first == second or {len(first), len(second)} != {32} or not 0 <= decision.decided_ns < 1 << 63:
            raise UsageError(f"line {number} is no decision: two different SHA-256 digests and a time are needed")
        yield decision


def _digest(path: str) -> bytes:
    folder, name = split(path)
    digest = digest_at(folder or "/", name)
    if digest is None:
        raise UsageError(f"cannot read '{printable(path)}'", "name two files that exist")
    return digest
