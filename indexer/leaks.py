"""The story of splits: what they are, and which pictures they share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from indexer import find, queries
from indexer.annotations import names_in
from indexer.database import Database
from indexer.errors import UsageError
from indexer.filesystem import read_regular
from indexer.groups import Group, Member
from indexer.locate import canonical
from indexer.naming import paths_meant
from indexer.patterns import matches, pattern
from indexer.places import joined, places_of, split
from indexer.plans import Leak, Pattern, Rules, Split, Wanted
from indexer.rules import area
from indexer.text import printable


def splits(database: Database, given: Mapping[str, str]) -> tuple[Split, ...]:
    """The splits of a data set, in order.

    Args:
        database: The index.
        given: For each name a folder, or a file that lists pictures: a line a path, or what `--update` takes.

    Raises:
        UsageError: When there is but one, when one has no indexed file, and when two lists share a file.
    """
    if len(given) < 2:
        raise UsageError("leaks are between splits: name two at least", "--split train=DIR --split test=DIR")
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        unsure = [joined(bases[root_id], path) for root_id, path in queries.unsure_files(tx)]
    found = tuple(_split(database, bases, name, text, unsure) for name, text in given.items())
    for left, right in combinations(found, 2):
        _refuse_shared(left, right)
    return found


def leaks(database: Database, wanted: Wanted, parts: Sequence[Split]) -> tuple[Leak, ...]:
    """The groups of files that show one picture in several splits, by path; each such file is in one at least.

    Args:
        database: The index.
        wanted: Which matches; the rules' `across` has the places of the splits, in their order.
        parts: The splits.
    """
    groups = sorted(find.crossing(database, wanted), key=lambda group: group.keeper.full_path)
    return tuple(Leak(group, _names(group, wanted.rules, parts)) for group in groups)


def _names(group: Group, rules: Rules, parts: Sequence[Split]) -> tuple[str, ...]:
    return tuple(_name(member, rules, parts) for member in (group.keeper, *(one.member for one in group.surplus)))


def _name(member: Member, rules: Rules, parts: Sequence[Split]) -> str:
    number = area(member, rules)
    return "" if number is None else parts[number].name


def _split(database: Database, bases: Mapping[int, str], name: str, text: str, unsure: Iterable[str]) -> Split:
    """The split that a folder or a list makes."""
    path = canonical(text)
    if os.path.isfile(path):
        return _listed(database, bases, name, path, unsure)
    place = pattern(text, canonical("."), found=lambda path: canonical(path) if os.path.isdir(path) else None)
    if not place.literal:
        raise UsageError(
            f"there is no folder '{printable(text)}'", "a split is a folder, or a file that lists pictures"
        )
    with database.reading() as tx:
        known = sum(queries.count_files(tx, *at) for at in places_of(bases, [path]))
    if not known:
        raise UsageError(
            f"the index knows no file of the split '{printable(name)}'", f"imgindex index {printable(text)}"
        )
    return Split(name, place, None, sum(matches(place, one) for one in unsure))


def _listed(database: Database, bases: Mapping[int, str], name: str, path: str, unsure: Iterable[str]) -> Split:
    """The split of the pictures that a file lists."""
    folder, file_name = split(path)
    names = names_in(read_regular(path), file_name)
    with database.reading() as tx:
        ends = {split(os.path.normpath(one))[1] for one in names}
        there = {joined(bases[root_id], below) for root_id, below in queries.files_named(tx, ends)}
    meant = paths_meant(names, [folder or "/", *bases.values()], there)
    files = frozenset(meant.values())
    if not files:
        raise UsageError(f"the index knows no file that '{printable(path)}' lists", "imgindex index FOLDER")
    place = Pattern(path, (), literal=True, files=files)
    return Split(name, place, path, len(names) - len(meant) + len(files.intersection(unsure)))


def _refuse_shared(left: Split, right: Split) -> None:
    shared = left.place.files & right.place.files
    if shared:
        raise UsageError(
            f"'{printable(min(shared))}' is in the lists of both {printable(left.name)} and {printable(right.name)}"
            + (f", as are {len(shared) - 1:,} more" if len(shared) > 1 else ""),
            "take it out of one of them",
        )
