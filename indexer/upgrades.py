"""The story of better versions: pictures that came later and are larger take the places of those that were there first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from indexer import arrivals, better, find, plan, queries
from indexer.asking import Asked
from indexer.better import Candidates
from indexer.database import Database
from indexer.executors import Executor, results
from indexer.filesystem import is_there
from indexer.groups import Group, Member
from indexer.places import relative_to
from indexer.plans import Plan, Refused, Upgrade
from indexer.sidecars import Finder
from indexer.text import printable
from indexer.vetting import vetted_gain

Chosen = tuple[Candidates, int, str]
"""A picture, which of its larger versions is to take its place, and what speaks against that one, if anything."""
Pair = tuple[int, tuple[str, bytes], tuple[str, bytes]]
"""A key; absolute path and SHA-256 of a picture, and of a larger one."""
Gain = tuple[int, float | None]
"""The key of a pair, and what `sharpness.gain` says of it."""


def upgrades(
    database: Database, asked: Asked, paths: Iterable[str], executor: Executor, *, keep_labels: bool, enlarged: bool
) -> tuple[Upgrade, ...]:
    """The pictures that came later, are larger than what the index knew first, and may take its place, by the old path.

    Args:
        database: The index.
        asked: Which matches count, which files may go, and how labels are treated.
        paths: Absolute; only upgrades whose old or better file lies at or below one. None for all.
        executor: Where pictures are looked at.
        keep_labels: Trust labels that may count in pixels.
        enlarged: Take what was only enlarged, too.
    """
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        members, relations = find.related(tx, asked.wanted, bases)
        arrived = list(arrivals.of_contents(tx, (member.content_id for member in members)))
    came, wanted = _runs(database, arrived, members), [*paths]
    found = [
        one
        for one in better.candidates(members, relations, asked.wanted.rules, came)
        if not wanted or _lies_in(wanted, (one.old, one.better[0][0]))
    ]
    chosen = [(one, 0, "") for one in found] if enlarged else list(_sharp(found, executor))
    made = _settled(database, chosen, asked, keep_labels=keep_labels)
    return tuple(sorted(made, key=lambda one: one.move.surplus.member.full_path))


def _runs(database: Database, arrived: Sequence[tuple[int, int, str]], members: Iterable[Member]) -> dict[int, int]:
    """For each file, the run that brought it; 0 for what was there before runs remembered that.

    Of a file that lies where it did not arrive, as it was renamed or moved, the first run that brought what it holds.
    """
    there = {(content_id, database.absolute(path)): run_id for content_id, run_id, path in arrived}
    first: dict[int, int] = {}
    for content_id, run_id, _path in arrived:
        first[content_id] = min(run_id, first.get(content_id, run_id))
    return {one.file_id: there.get((one.content_id, one.full_path), first.get(one.content_id, 0)) for one in members}


def _lies_in(paths: Iterable[str], members: Iterable[Member]) -> bool:
    places = [*paths]
    return any(relative_to(member.full_path, place) is not None for member in members for place in places)


def _sharp(found: Sequence[Candidates], executor: Executor) -> Iterator[Chosen]:
    """For each picture the largest version that was not only enlarged; when all were, the largest, and the reason."""
    waiting = dict.fromkeys(range(len(found)), 0)
    reasons: dict[int, str] = {}
    while waiting:
        gains = _gains([_pair(key, found[key], number) for key, number in waiting.items()], executor)
        later = {}
        for key, number in waiting.items():
            one = found[key]
            problem = better.sharpness_problem(one.better[number][0], one.old, gains[key])
            reasons.setdefault(key, problem)
            if not problem:
                yield one, number, ""
            elif number + 1 < len(one.better):
                later[key] = number + 1
            else:
                yield one, 0, reasons[key]
        waiting = later


def _pair(key: int, one: Candidates, number: int) -> Pair:
    new = one.better[number][0]
    return key, (one.old.full_path, one.old.digest), (new.full_path, new.digest)


def _gains(pairs: Iterable[Pair], executor: Executor) -> dict[int, float | None]:
    found: dict[int, float | None] = {}
    for answers in results(executor, _look, (((pair,), None) for pair in pairs), _lost, _vetted):
        found.update(answers)
    return found


def _look(pairs: Sequence[Pair], _extra: None) -> Sequence[Gain]:
    """What workers run; imported there."""
    from indexer.sharpness import gains_batch  # noqa: PLC0415

    return gains_batch(pairs)


def _lost(pair: Pair, _reason: str) -> Gain:
    """The answer for a pair that cost its worker."""
    return pair[0], None


def _vetted(pair: Pair, answer: object) -> Gain | None:
    return vetted_gain(pair[0], answer)


def _settled(database: Database, found: Sequence[Chosen], asked: Asked, *, keep_labels: bool) -> Iterator[Upgrade]:
    """The upgrades with what speaks against each: labels, names, folders that could not be listed."""
    finder = Finder()
    pairs = [(one.surplus_of(number), one.better[number][0], problem) for one, number, problem in found]
    groups = [Group(new, (old,), (), "most pixels") for old, new, _problem in pairs]
    held_back = (*plan.without_returned(database, groups)[1], *plan.without_unknown(database, groups)[1])
    waiting = {refused.path: refused.reason for refused in held_back}
    for old, new, problem in pairs:
        made = better.upgrade(
            old,
            new,
            (finder(old.member), finder(new)),
            asked.wanted.rules,
            class_folders=asked.labelling.class_folders,
            keep_labels=keep_labels,
        )
        problems = filter(None, (problem, *made.problems, *_problems(made, waiting)))
        yield replace(made, problems=tuple(problems))


def _problems(made: Upgrade, waiting: Mapping[str, str]) -> Iterator[str]:
    """What the disk, the last walk and what was rejected have against an upgrade."""
    place = made.move.surplus.member.full_path
    for rename in made.move.renames:
        if rename.target != place and is_there(rename.target):
            yield f"another file lies at '{printable(rename.target)}'"
    if place in waiting:
        yield waiting[place]


def planned(upgrades: Iterable[Upgrade], asked: Asked) -> Plan:
    """The plan that carries upgrades out; those that something speaks against are refused."""
    ready, refused = [], []
    for one in upgrades:
        if one.problems:
            refused.append(Refused(one.move.surplus.member.full_path, "; ".join(one.problems)))
        else:
            ready.append(one.move)
    return Plan(asked.wanted, (), tuple(ready), labelling=asked.labelling, refused=tuple(refused), command="upgrades")
