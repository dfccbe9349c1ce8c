"""Groups of duplicates, and what a prune moved, as rows of cards: what pages and contact sheets show.

A card is a picture and what is written under it, fit to print. Each row begins with the picture that stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from indexer.brought import Arrival, Brought, Tally
from indexer.groups import Group, Kind, Member, Surplus
from indexer.journal import is_indexed
from indexer.moves import JournalEntry, MoveState
from indexer.output import named
from indexer.plans import Action
from indexer.showing import RELATIONS, relation
from indexer.tallies import OUTCOMES
from indexer.text import bytes_text, count_text


@dataclass(frozen=True, slots=True)
class Card:
    """A picture with what is written under it."""

    digest: bytes
    """SHA-256 of the content whose thumbnail is shown."""
    stays: bool
    role: str
    """What becomes of it, in a word or two."""
    why: str
    name: str
    facts: str = ""
    also: tuple[str, ...] = ()
    """Further names of the same file."""


@dataclass(frozen=True, slots=True)
class Row:
    """A picture that stays, and those that it stands for."""

    title: str
    kinds: tuple[str, ...]
    """Of the pictures that it stands for, each once."""
    cards: tuple[Card, ...]
    rest: tuple[str, ...]
    """Names for which there was no room among the cards."""


def group_rows(groups: Iterable[Group], most: int) -> Iterator[Row]:
    """A row for each group.

    Args:
        groups: In order.
        most: Cards in a row.
    """
    for group in groups:
        shown, rest = group.surplus[: most - 1], group.surplus[most - 1 :]
        yield Row(
            title=f"{named(group.keeper.full_path)}: {count_text(len(group.surplus), 'surplus file')},"
            f" {bytes_text(group.bytes)} to be freed",
            kinds=tuple(sorted({str(surplus.kind) for surplus in group.surplus})),
            cards=(_keeper(group), *map(_surplus, shown)),
            rest=tuple(named(surplus.member.full_path) for surplus in rest),
        )


def _keeper(group: Group) -> Card:
    member = group.keeper
    also = tuple(named(link.full_path) for link in group.links)
    return Card(member.digest, True, "keep", group.reason, named(member.full_path), _facts(member), also)  # noqa: FBT003 - a field


def _surplus(surplus: Surplus) -> Card:
    member = surplus.member
    words = relation(surplus)
    return Card(member.digest, False, "surplus", words, named(member.full_path), _facts(member))  # noqa: FBT003


def _facts(member: Member) -> str:
    return f"{member.width}×{member.height} · {bytes_text(member.stamp.size)} · {member.format}"


_ROLES = {
    MoveState.MOVED: "in the quarantine",
    MoveState.RESTORED: "brought back",
    MoveState.PURGED: "deleted for good",
    MoveState.ABORTED: "left in its place",
    MoveState.MISSING: "missing",
}
_LINKED = {
    Action.HARD: "a hard link",
    Action.SYMLINK: "a symbolic link",
    Action.REFLINK: "a file that shares its blocks",
}


def move_rows(entries: Sequence[JournalEntry], most: int) -> Iterator[Row]:
    """A row for each file that others were moved away or replaced in favour of, from the journal of a run.

    Args:
        entries: In the order in which they were done; what belongs to a picture has a smaller id than it.
        most: Cards in a row.
    """
    owners = Counter(entry.owner_id for entry in entries if entry.kind == "sidecar")
    pictures = filter(is_indexed, entries)
    for keeper, together in groupby(pictures, key=lambda entry: (entry.keeper, entry.keeper_digest)):
        found = tuple(together)
        kept = (Card(keeper[1], True, "kept", "", named(keeper[0])),) if keeper[1] else ()  # noqa: FBT003 - a field
        count = count_text(len(found), "file")
        yield Row(
            title=f"{named(keeper[0])} stands for {count}" if kept else f"{count} rejected",
            kinds=tuple(sorted({entry.kind for entry in found})),
            cards=(
                *kept,
                *(_moved(entry, owners[entry.entry_id]) for entry in found[: most - 1]),
            ),
            rest=tuple(named(entry.full_path) for entry in found[most - 1 :]),
        )


def _moved(entry: JournalEntry, sidecars: int) -> Card:
    back = entry.state in {MoveState.RESTORED, MoveState.ABORTED}
    with_it = f" · with {count_text(sidecars, 'sidecar')}" if sidecars else ""
    facts = bytes_text(entry.stamp.size) + with_it
    return Card(entry.digest, back, role_of(entry), RELATIONS[Kind(entry.kind)], named(entry.full_path), facts)


def role_of(entry: JournalEntry) -> str:
    """What became of a file, in a word or two."""
    if entry.state is MoveState.MOVED and entry.action in _LINKED:
        return f"now {_LINKED[entry.action]}"
    return _ROLES.get(entry.state, "interrupted")


def arrival_rows(totals: Tally, examples: Mapping[Brought, Sequence[Arrival]]) -> Iterator[Row]:
    """A row for each outcome of files that came, with some of them.

    Args:
        totals: How many there are.
        examples: Those that are shown.
    """
    for outcome, some in examples.items():
        count = totals.files[outcome]
        shown = f", {len(some)} of them here" if count > len(some) else ""
        yield Row(
            title=f"{outcome}: {OUTCOMES[outcome]} ({count_text(count, 'file')}{shown})",
            kinds=(str(outcome),),
            cards=tuple(map(_arrived, some)),
            rest=(),
        )


def _arrived(arrival: Arrival) -> Card:
    fresh = arrival.outcome in {Brought.NEW, Brought.BETTER}
    why = "" if arrival.known_as is None else f"as {named(arrival.known_as)}"
    return Card(arrival.digest or b"", fresh, str(arrival.outcome), why, named(arrival.path), bytes_text(arrival.size))


def kind_counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows have a picture of each kind, in the order of the kinds."""
    counts = Counter(kind for row in rows for kind in row.kinds)
    return {str(kind): counts[kind] for kind in Kind if counts[kind]}


def digests(rows: Iterable[Row]) -> Iterator[bytes]:
    """The contents whose thumbnails a page of rows shows, in the order in which it shows them."""
    return (card.digest for row in rows for card in row.cards)
