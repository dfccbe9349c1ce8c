"""Members + matches → pictures that came later and are larger; and what it takes to put one in the place of the old one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from indexer.choose import Relation, Relations
from indexer.groups import Evidence, Kind, Member, Surplus
from indexer.labels import class_of, disagreeing, mirrored, sidecar_ending, stem
from indexer.places import joined, split
from indexer.plans import Move, Rename, Rules, Sidecar, Upgrade
from indexer.rules import area, areas_of_surplus, in_keep_order, is_guarded, is_protected, may_keep
from indexer.text import printable

MOST_STRETCHED = 0.05
"""A larger picture may be this much wider or narrower than the old one, as one that was cropped a little is."""
LEAST_JUDGED = 0.75
"""The old picture's share of the larger one's width above which nobody measured how enlarging shows."""
ENLARGED = "the better one was only enlarged: it shows no more than the old one"
UNKNOWN = "nobody can tell whether the better one was only enlarged: it cannot be looked at closely"
PIXEL_LABELS = (".json", ".xml", ".npz")
"""Sidecars that may say where in the picture something is in pixels, which a larger picture puts elsewhere."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The picture that the index knew first, and what came later and is larger."""

    old: Member
    better: tuple[tuple[Member, Relation], ...]
    """The largest first."""

    def surplus_of(self, number: int) -> Surplus:
        """The old one as surplus of one of the better ones."""
        found = self.better[number][1]
        return Surplus(self.old, found.kind, found.bits, found.evidence)


def candidates(
    members: Iterable[Member], relations: Relations, rules: Rules, came: Mapping[int, int]
) -> Iterator[Candidates]:
    """For each picture, a file of what the index knew first, where a later run brought larger versions of it.

    One file of a picture is upgraded: the others are surplus, and `prune` knows what to do with them.

    Args:
        members: All that match others.
        relations: What is known of each.
        rules: Which files may go, may stay, or may stand for each other.
        came: By file id, the run that brought a file.
    """
    placed = [member for member in members if area(member, rules) is not None]
    placed.sort(key=lambda member: (came[member.file_id], member.file_id))
    files: dict[int, list[Member]] = defaultdict(list)
    for member in placed:
        files[member.content_id].append(member)
    told: set[int] = set()
    for old in placed:
        if old.file_id in told:
            continue
        own = Relation(old.content_id, Kind.BYTES, 0, Evidence.PIXELS)
        related = [(file, found) for found in (own, *relations(old)) for file in files[found.content_id]]
        later = (one for one in related if came[one[0].file_id] > came[old.file_id] and one[0].file_id not in told)
        better = [one for one in later if _is_better(one[0], old, rules)]
        told.update(file.file_id for file, _found in related)
        if better and not is_protected(old, rules):
            yield Candidates(old, _largest_first(better, rules))


def _is_better(new: Member, old: Member, rules: Rules) -> bool:
    """True for a larger picture that may take the old one's place."""
    here, there = area(old, rules), area(new, rules)
    paired = here is not None and there is not None and here in areas_of_surplus(there, rules)
    return paired and is_larger(new, old) and may_keep(new, rules) and not is_protected(new, rules)


def is_larger(new: Member, old: Member) -> bool:
    """True when no side is shorter, there are more pixels, and the shape is much the same."""
    longer = new.width >= old.width and new.height >= old.height and new.pixels > old.pixels
    ours, theirs = new.width * old.height, old.width * new.height
    return longer and abs(ours - theirs) <= MOST_STRETCHED * max(ours, theirs)


def sharpness_problem(new: Member, old: Member, gain: float | None) -> str:
    """Why a larger picture may show no more than the old one, empty when it does.

    Args:
        new: The larger picture.
        old: The one that the index knew first.
        gain: What `sharpness.gain` gives; None when nobody can tell.
    """
    share = old.width / new.width
    if share > LEAST_JUDGED:
        return ""
    if gain is None:
        return UNKNOWN
    return ENLARGED if is_only_enlarged(share, gain) else ""


def is_only_enlarged(share: float, gain: float) -> bool:
    """True for a larger picture that shows no more than a smaller one.

    The bound was set on photos in six sizes, enlarged by three filters; docs/upgrades.md says how often it is wrong.

    Args:
        share: The smaller one's width as a share of the larger one's.
        gain: What `sharpness.gain` gives.
    """
    return gain < max(0.28, 0.1 + 0.6 * share)


def _largest_first(better: Sequence[tuple[Member, Relation]], rules: Rules) -> tuple[tuple[Member, Relation], ...]:
    found = {member.file_id: (member, relation) for member, relation in better}
    ordered = in_keep_order((member for member, _relation in better), rules)
    return tuple(found[member.file_id] for member in sorted(ordered, key=lambda member: -member.pixels))


# --- what goes where


def upgrade(
    old: Surplus,
    new: Member,
    sidecars: tuple[Sequence[Sidecar], Sequence[Sidecar]],
    rules: Rules,
    *,
    class_folders: bool | None = None,
    keep_labels: bool = False,
) -> Upgrade:
    """What it takes to put a better picture in the place of an old one, and what speaks against it.

    The old one's sidecars stay and belong to the new one. Those of the new one go into the quarantine when they say the
    same, and come along when the old one has none of their role.

    Args:
        old: The old picture, and how the two are related.
        new: The better one.
        sidecars: Of the old one, and of the new one.
        rules: What is protected stays.
        class_folders: As for `labels.class_of`.
        keep_labels: Trust labels that may count in pixels.
    """
    member, (kept, theirs) = old.member, sidecars
    target = target_of(member, new)
    own = [sidecar for sidecar in theirs if sidecar.full_path not in {one.full_path for one in kept}]
    disputed = {role for role, _other in disagreeing(kept, own)}
    renames = [*_renamed(kept, member, target), *_brought(own, kept, member, target)]
    spare = tuple(one for one in own if one.role not in disputed and one.digest and not one.shared)
    place = Rename(new.root, new.path, new.digest, member.root, target)
    problems = [
        *_class_problems(member, new, class_folders),
        *([] if keep_labels else _pixel_problems(kept)),
        *_label_problems(own, kept),
        *_name_problems(kept, own, member, target),
        *_guard_problems([*spare, *renames], place.target, rules),
    ]
    places = () if place.target == new.full_path else (place,)
    return Upgrade(Move(old, new, spare, (), (*renames, *places)), tuple(dict.fromkeys(problems)))


def target_of(old: Member, new: Member) -> str:
    """The path, relative to the old one's root, that a better picture gets: the old one's, but for another format's ending.

    >>> from dataclasses import replace
    >>> from indexer.records import Stamp
    >>> old = Member(1, 1, 1, "/data", "cat/1.jpg", Stamp(1, 1, 1, 1), b"", 8, 8, "JPEG")
    >>> target_of(old, replace(old, path="new/x.PNG", format="PNG")), target_of(old, replace(old, path="new/x.jpeg"))
    ('cat/1.PNG', 'cat/1.jpg')
    """
    parent, name = split(old.path)
    return old.path if old.format == new.format else joined(parent, stem(name) + _ending(new.path))


def _ending(path: str) -> str:
    name = split(path)[1]
    return name[len(stem(name)) :]


def _renamed(kept: Iterable[Sidecar], old: Member, target: str) -> Iterator[Rename]:
    """The old picture's sidecars that are named after its whole name, when that changes: `1.jpg.txt`."""
    name = split(target)[1]
    if name == split(old.path)[1]:
        return
    for one in kept:
        if one.role.startswith("+") and one.digest and not one.shared:
            parent = split(one.path)[0]
            yield Rename(one.base, one.path, one.digest, one.base, joined(parent, name + _ending(one.path)))


def _brought(own: Iterable[Sidecar], kept: Iterable[Sidecar], old: Member, target: str) -> Iterator[Rename]:
    """The better picture's sidecars of roles that the old one has none of, renamed after it."""
    known = {one.role for one in kept}
    for one in own:
        place = _place_for(one, old, target)
        if one.role not in known and one.digest and not one.shared and place:
            yield Rename(one.base, one.path, one.digest, *place)


def _place_for(sidecar: Sidecar, old: Member, target: str) -> tuple[str, str] | None:
    """Where a sidecar of the picture at the old one's place lies; None when there is no such place."""
    parent, name = split(target)
    if not sidecar.role.startswith("labels"):
        return old.root, joined(parent, (name if sidecar.role.startswith("+") else stem(name)) + _ending(sidecar.path))
    labels = mirrored(old.full_path)
    return labels and (labels[0], joined(labels[1], stem(name) + _ending(sidecar.path)))


def _class_problems(old: Member, new: Member, class_folders: bool | None) -> Iterator[str]:  # noqa: FBT001
    ours, theirs = (class_of(member.path, class_folders) for member in (old, new))
    if ours is not None and theirs is not None and ours != theirs:
        yield f"class '{printable(theirs)}' instead of '{printable(ours)}'"


def _pixel_problems(kept: Iterable[Sidecar]) -> Iterator[str]:
    """Labels that may count in pixels: nobody can tell, and in a larger picture they would mean another place."""
    for one in kept:
        if sidecar_ending(split(one.path)[1]) in PIXEL_LABELS:
            yield f"its {one.role} may count in pixels, which would be wrong for a larger picture"


def _label_problems(own: Sequence[Sidecar], kept: Sequence[Sidecar]) -> Iterator[str]:
    known = {one.role: one for one in own}
    for role, other in disagreeing(kept, own):
        one = known[role]
        if not one.digest:
            yield f"the better one's {role} is a link, or cannot be read"
        elif other:
            yield f"the better one's {role} differs"
        elif one.shared:
            yield f"the better one's {role} belongs to other files, too"


def _name_problems(kept: Sequence[Sidecar], own: Sequence[Sidecar], old: Member, target: str) -> Iterator[str]:
    if not _ending(target):
        yield "the better one's name has no ending"
    if split(target)[1] != split(old.path)[1]:
        stuck = (one for one in kept if one.role.startswith("+") and (one.shared or not one.digest))
        yield from (f"its {one.role} bears its whole name, and cannot be renamed" for one in stuck)
    known = {one.role for one in kept}
    homeless = (one for one in own if one.role not in known and _place_for(one, old, target) is None)
    yield from (f"there is no place for the better one's {one.role}" for one in homeless)


def _guard_problems(moving: Iterable[Sidecar | Rename], target: str, rules: Rules) -> Iterator[str]:
    paths = [path for one in moving for path in (one.full_path, getattr(one, "target", one.full_path))]
    for path in (*paths, target):
        if is_guarded(path, rules):
            yield f"'{printable(path)}' is protected"
