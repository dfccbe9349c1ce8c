"""The story from groups to a plan: labels are compared, sidecars found, merges worked out.

A group whose labels disagree is left alone as a whole, unless the user says what to do with such groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from indexer import find, ledger, queries, roots, store
from indexer.database import Database
from indexer.groups import Evidence, Group
from indexer.labels import differences
from indexer.merging import merged_moves
from indexer.places import joined, relative_to
from indexer.plans import (
    LINKS,
    Action,
    Conflict,
    Difference,
    Labelling,
    Move,
    OnConflict,
    Plan,
    Refused,
    Rewrite,
    Rules,
    Sidecar,
    Wanted,
)
from indexer.returned import returned
from indexer.rules import is_guarded
from indexer.sidecars import Finder
from indexer.text import printable

RETURNED = "what would stay shows what was rejected: imgindex prune --returned first"


def plan(
    database: Database,
    wanted: Wanted,
    labelling: Labelling = Labelling(),
    action: Action = Action.QUARANTINE,
    paths: Iterable[str] = (),
) -> Plan:
    """What `prune` shows, and carries out when it is told to.

    Args:
        database: The index.
        wanted: Which groups.
        labelling: How labels are treated. Links leave every path in place, so that labels cannot be lost by them.
        action: What becomes of the surplus.
        paths: Absolute; only files at or below them are looked at.
    """
    return settled(database, wanted, find.groups(database, wanted, paths), labelling, action)


def settled(database: Database, wanted: Wanted, groups: Iterable[Group], labelling: Labelling, action: Action) -> Plan:
    """The plan that groups make: without those that have to wait, labels compared, sidecars found.

    Args:
        database: The index.
        wanted: What the groups were asked for by.
        groups: To be pruned.
        labelling: As for `plan`.
        action: As for `plan`.
    """
    known, unknown = without_unknown(database, groups)
    found, unwanted = without_returned(database, known)
    held_back = (*unknown, *unwanted)
    if action in LINKS:
        found = _not_yet_shared(database, found) if action is Action.REFLINK else found
        moves = tuple(Move(surplus, group.keeper) for group in found for surplus in group.surplus)
        return Plan(wanted, found, moves, labelling=labelling, action=action, refused=held_back)
    answers = list(judged(found, labelling, wanted.rules))
    conflicts = tuple(answer for answer in answers if isinstance(answer, Conflict))
    held = {conflict.group.keeper.file_id for conflict in conflicts}
    kept = tuple(group for group in found if group.keeper.file_id not in held)
    moves = with_own_sidecars(
        database, [move for answer in answers if not isinstance(answer, Conflict) for move in answer]
    )
    return Plan(wanted, kept, moves, conflicts, labelling, action, held_back)


def without_unknown(database: Database, groups: Iterable[Group]) -> tuple[tuple[Group, ...], tuple[Refused, ...]]:
    """Groups without those that have a file where the last walk could list nothing, and the surplus of these.

    What became of that file nobody knows: it may be gone, or changed.
    """
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        unknown = [joined(base, path) for key, base in bases.items() for path in roots.unlisted_folders(tx, key)]
    sound, refused = [], []
    for group in groups:
        members = (group.keeper, *group.links, *(surplus.member for surplus in group.surplus))
        where = next((at for at in unknown for one in members if relative_to(one.full_path, at) is not None), None)
        if where is None:
            sound.append(group)
        else:
            reason = f"'{printable(where)}' could not be listed: it waits until imgindex index can"
            refused += [Refused(surplus.member.full_path, reason) for surplus in group.surplus]
    return tuple(sound), tuple(refused)


def without_returned(database: Database, groups: Sequence[Group]) -> tuple[tuple[Group, ...], tuple[Refused, ...]]:
    """Groups without those whose keeper would go as returned, and the surplus of these.

    Nothing would be left of their picture then, though what goes may be the one that nobody rejected.
    """
    going = returning(database)
    sound = tuple(group for group in groups if group.keeper.file_id not in going)
    left = (surplus.member for group in groups if group.keeper.file_id in going for surplus in group.surplus)
    return sound, tuple(Refused(member.full_path, RETURNED) for member in left)


def returning(database: Database) -> frozenset[int]:
    """The ids of the files that `prune --returned` takes."""
    weak = Evidence.THUMBNAIL
    return frozenset(one.file.file_id for one in returned(database) if not one.better and one.evidence is not weak)


def _not_yet_shared(database: Database, groups: Iterable[Group]) -> tuple[Group, ...]:
    """Groups without the files that share their keeper's blocks already: there is nothing to free in them."""
    with database.reading() as tx:
        shared = ledger.shared_paths(tx)
    left = (
        replace(
            group, surplus=tuple(one for one in group.surplus if (one.member.root_id, one.member.path) not in shared)
        )
        for group in groups
    )
    return tuple(group for group in left if group.surplus)


def judged(groups: Iterable[Group], labelling: Labelling, rules: Rules) -> Iterator[list[Move] | Conflict]:
    """For each group its moves, or the conflict that keeps it as it is."""
    finder = Finder()
    merged: dict[str, Rewrite] = {}
    for group in groups:
        guarded = list(_guarded(group, finder, rules))
        differing = [*guarded, *_differing(group, labelling, finder)]
        if not differing or (labelling.on_conflict is OnConflict.PRUNE and not guarded):
            yield [Move(surplus, group.keeper, movable(finder(surplus.member))) for surplus in group.surplus]
        elif labelling.on_conflict is OnConflict.MERGE and not guarded:
            yield merged_moves(group, labelling, finder, merged, rules)
        else:
            yield Conflict(group, tuple(differing))


def with_own_sidecars(database: Database, moves: Sequence[Move]) -> tuple[Move, ...]:
    """Moves of which each takes only the sidecars that no picture needs any more once it has been made.

    A sidecar of several pictures stays while one of them does; else it goes with the last. What the index holds as a
    picture, whatever its name, goes by its own right alone.
    """
    going = {move.surplus.member.full_path for move in moves}
    with database.reading() as tx:
        pictures = store.picture_digests(tx, (sidecar.digest for move in moves for sidecar in move.sidecars))
    last = {sidecar.full_path: number for number, move in enumerate(moves) for sidecar in move.sidecars}
    return tuple(
        replace(
            move,
            sidecars=tuple(
                one
                for one in move.sidecars
                if going.issuperset(one.shared) and last[one.full_path] == number and one.digest not in pictures
            ),
        )
        for number, move in enumerate(moves)
    )


def movable(sidecars: Iterable[Sidecar]) -> tuple[Sidecar, ...]:
    """Those sidecars that can go: links, and what cannot be read, stay."""
    return tuple(sidecar for sidecar in sidecars if sidecar.digest)


def _guarded(group: Group, finder: Finder, rules: Rules) -> Iterator[Difference]:
    """Surplus files whose sidecars are protected: neither may go then."""
    for surplus in group.surplus:
        for sidecar in finder(surplus.member):
            if is_guarded(sidecar.full_path, rules):
                yield Difference(surplus.member.full_path, f"its {sidecar.role} is protected")


def _differing(group: Group, labelling: Labelling, finder: Finder) -> Iterator[Difference]:
    keeper = (group.keeper, finder(group.keeper))
    for surplus in group.surplus:
        member = surplus.member
        for what in differences(keeper, (member, finder(member)), labelling.class_folders):
            yield Difference(member.full_path, what)
