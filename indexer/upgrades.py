"""The story of better versions: pictures that came later and are larger take the places of those that were there first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from indexer import better, find, plan, queries
from indexer.asking import Asked
from indexer.better import Candidates
from indexer.database import Database
from indexer.filesystem import is_there
from indexer.groups import Group, Member
from indexer.places import relative_to
from indexer.plans import Plan, Refused, Upgrade
from indexer.sidecars import Finder
from indexer.text import printable


def upgrades(
    database: Database, asked: Asked, paths: Iterable[str] = (), *, keep_labels: bool = False
) -> tuple[Upgrade, ...]:
    """The pictures that came later, are larger than what the index knew first, and may take its place, by the old path.

    Args:
        database: The index.
        asked: Which matches count, which files may go, and how labels are treated.
        paths: Absolute; only upgrades whose old or better file lies at or below one. None for all.
        keep_labels: Trust labels that may count in pixels.
    """
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        members, relations = find.related(tx, asked.wanted, bases)
    wanted = [*paths]
    found = list(better.candidates(members, relations, asked.wanted.rules))
    chosen = [one for one in found if not wanted or _lies_in(wanted, (one.old, one.better[0][0]))]
    made = _settled(database, chosen, asked, keep_labels=keep_labels)
    return tuple(sorted(made, key=lambda one: one.move.surplus.member.full_path))


def _lies_in(paths: Iterable[str], members: Iterable[Member]) -> bool:
    places = [*paths]
    return any(relative_to(member.full_path, place) is not None for member in members for place in places)


def _settled(database: Database, found: Iterable[Candidates], asked: Asked, *, keep_labels: bool) -> Iterator[Upgrade]:
    """The upgrades with what speaks against each: labels, names, folders that could not be listed."""
    finder = Finder()
    pairs = [one.upgrade_to(0) for one in found]
    groups = (Group(new, (old,), (), "most pixels") for old, new in pairs)
    waiting = {refused.path: refused.reason for refused in plan.without_unknown(database, groups)[1]}
    for old, new in pairs:
        made = better.upgrade(
            old,
            new,
            (finder(old.member), finder(new)),
            asked.wanted.rules,
            class_folders=asked.labelling.class_folders,
            keep_labels=keep_labels,
        )
        yield replace(made, problems=(*made.problems, *_problems(made, waiting)))


def _problems(made: Upgrade, waiting: Mapping[str, str]) -> Iterator[str]:
    """What the disk, and the last walk, have against an upgrade."""
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
