"""The story from what people chose in a review to a plan: exactly that, as far as it still holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from indexer import choices, matches, queries
from indexer.database import Database
from indexer.groups import VERIFIED, Evidence, Group, Member, Surplus, Verdict
from indexer.plan import settled
from indexer.plans import Action, Choice, Fate, Labelling, Plan, Refused, Rules, Wanted
from indexer.rules import is_protected
from indexer.text import printable

REASON = "chosen in the review"


def plan(database: Database, rules: Rules, labelling: Labelling) -> Plan:
    """What was chosen to be pruned, each file in favour of the one that was chosen to stay.

    A choice on a file that the index no longer has was carried out, or has nothing to do; what else does not hold any more
    is refused, with the reason.

    Args:
        database: The index.
        rules: What is protected stays so.
        labelling: How labels are treated.
    """
    with database.reading() as tx:
        made = choices.choices(tx, database.folder)
        going = {one.path: one for one in made if one.fate is Fate.PRUNE}
        paths = dict.fromkeys(path for one in going.values() for path in (one.path, one.keeper))
        members = queries.members_at(tx, database.bases(queries.roots(tx)), paths)
        apart = {(one.a_digest, one.b_digest) for one in matches.decisions(tx) if one.verdict is Verdict.DIFFERENT}
    due = {path: one for path, one in going.items() if path in members}
    problems = {path: _problem(one, members, due, apart, rules) for path, one in due.items()}
    sound = [one for path, one in due.items() if not problems[path]]
    refused = tuple(Refused(path, problem) for path, problem in problems.items() if problem)
    wanted = Wanted(kinds=VERIFIED, unconfirmed=True, rules=rules)
    found = settled(database, wanted, _groups(sound, members), labelling, Action.QUARANTINE)
    return replace(found, refused=(*refused, *found.refused))


def _problem(
    one: Choice,
    members: Mapping[str, Member],
    going: Mapping[str, Choice],
    apart: set[tuple[bytes, bytes]],
    rules: Rules,
) -> str:
    """Why a choice does not hold any more, empty when it does."""
    keeper, name = members.get(one.keeper), printable(one.keeper)
    if keeper is None:
        return f"the index does not know '{name}', which was to stay for it, as a picture"
    if (members[one.path].digest, keeper.digest) != (one.digest, one.keeper_digest):
        return f"it or '{name}', which was to stay for it, holds other bytes than when it was reviewed"
    if one.keeper in going:
        return f"'{name}', which was to stay for it, was chosen to go later"
    if (min(one.digest, one.keeper_digest), max(one.digest, one.keeper_digest)) in apart:
        return f"it and '{name}' were decided to be different"
    return "it is protected" if is_protected(members[one.path], rules) else ""


def _groups(sound: Iterable[Choice], members: Mapping[str, Member]) -> Iterator[Group]:
    """The groups of choices, by the keeper's path."""
    by_keeper: dict[str, list[Surplus]] = {}
    for one in sound:
        surplus = Surplus(members[one.path], one.kind, 0, Evidence.PERSON)
        by_keeper.setdefault(one.keeper, []).append(surplus)
    for path, others in sorted(by_keeper.items()):
        yield Group(members[path], tuple(others), (), REASON)
