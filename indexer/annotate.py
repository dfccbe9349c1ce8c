"""The story of annotation files after a prune: they lose the rows of pictures that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from indexer import ledger, queries
from indexer.annotations import names_in, without
from indexer.database import Database
from indexer.errors import SafetyError
from indexer.filesystem import digest_of, is_there, read_regular
from indexer.moves import Update
from indexer.naming import meant
from indexer.places import joined, split
from indexer.plans import MOVES, Plan, Rewrite
from indexer.rules import is_guarded
from indexer.text import printable


def updates(database: Database, files: Sequence[str], plan: Plan | None = None) -> list[Update]:
    """The new versions of annotation files, and what they lack; files that lack nothing are left out.

    Args:
        database: The index, which knows what was pruned, now or earlier.
        files: Absolute paths.
        plan: What is about to be pruned.

    Raises:
        UsageError: When a file cannot be read, or its form is unknown.
        SafetyError: When the plan's rules protect a file.
    """
    if not files:
        return []
    if plan is not None:
        _refuse_protected(files, plan)
    moving = set() if plan is None or plan.action not in MOVES else _going(plan)
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        gone = moving | {joined(bases[root_id], path) for root_id, path in ledger.pruned_paths(tx)}
        names = {split(path)[1] for path in gone}
        there = {joined(bases[root_id], path) for root_id, path in queries.files_named(tx, names)} - moving
    return [found for path in files for found in _update(path, [*bases.values()], gone, there)]


def _refuse_protected(files: Iterable[str], plan: Plan) -> None:
    guarded = next((path for path in files if is_guarded(path, plan.wanted.rules)), None)
    if guarded is not None:
        raise SafetyError(
            f"'{printable(guarded)}' is protected: it cannot be updated", "nothing was moved; leave it out"
        )


def _going(plan: Plan) -> set[str]:
    return {move.surplus.member.full_path for move in plan.moves}


def _update(path: str, bases: Sequence[str], gone: set[str], there: set[str]) -> Iterable[Update]:
    folder, name = split(path)
    data = read_regular(path)
    named = meant(names_in(data, name), [folder or "/", *bases], gone, there, is_there)
    if named.gone or named.ambiguous:
        shorter = without(data, name, named.gone)
        text = Rewrite(folder or "/", name, digest_of([data]), len(data), shorter.data)
        yield Update(text, shorter.rows, named.ambiguous)
