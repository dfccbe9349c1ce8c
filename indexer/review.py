"""The story of a review: groups as they stand, what people choose for each, and the choices in the index.

What is shown is a snapshot of the groups, taken anew when a run changed the index. Choices are always those of the index:
each says which state of its group it was made on, and one on a former state is refused, so that two windows, or a window
and a run, do not overwrite each other. Nothing here moves a file.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection

from indexer import choices, find, ledger, matches, reviewed
from indexer.asking import Asked
from indexer.database import Database
from indexer.errors import SafetyError, UsageError
from indexer.groups import VERIFIED, Decision, Group, Kind, Member, Surplus, Verdict
from indexer.labels import differences
from indexer.places import relative_to, split
from indexer.plans import Choice, Fate, Plan
from indexer.rules import is_protected
from indexer.sidecars import Finder
from indexer.text import printable

Opener = Callable[[], AbstractContextManager[Database]]
Standing = Mapping[str, Choice]
"""What was chosen, by absolute path."""


@dataclass(frozen=True, slots=True)
class Card:
    """A group, and what was chosen for its files so far."""

    number: int
    """Of the group, in its snapshot."""
    group: Group
    keeper: Member
    """The file that stays: chosen by a person, else by the keep order."""
    fates: Mapping[int, Fate]
    """What becomes of the others, by file id, as far as it was chosen."""

    @property
    def members(self) -> tuple[Member, ...]:
        """The files in which somebody has a choice, the keeper of the keep order first."""
        return self.group.keeper, *(surplus.member for surplus in self.group.surplus)

    @property
    def decided(self) -> bool:
        """True when nothing of the group is left to be chosen."""
        return len(self.fates) == len(self.group.surplus)

    @property
    def kind(self) -> Kind:
        """The one that the most differs, of its surplus."""
        return max((surplus.kind for surplus in self.group.surplus), key=VERIFIED.index)

    @property
    def version(self) -> str:
        """A digest of all of it: another one when a file, the keeper or a choice is another."""
        files = ((one.file_id, one.full_path, one.digest, self.fates.get(one.file_id)) for one in self.members)
        return hashlib.sha256(repr((self.keeper.file_id, *files)).encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person chose for a group as it was shown."""

    number: int
    version: str
    """Of the card that was shown."""
    keeper: int
    """The file that stays, by id."""
    fates: Mapping[int, Fate]
    """What becomes of the others; those left out are undecided."""


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which groups are shown."""

    kind: Kind | None = None
    folder: int | None = None
    """The number of a folder of the snapshot that one of the files lies in, or below."""
    conflict: bool = False
    """Only those whose labels disagree."""
    undecided: bool = False
    """Only those that are not decided yet."""
    text: str = ""
    """That the path of one of the files contains, in upper or lower case."""


@dataclass(frozen=True)
class Snapshot:
    """The groups at one moment."""

    run: object
    """The newest run then."""
    groups: tuple[Group, ...]
    asked: Asked
    finder: Finder = field(default_factory=Finder)

    @cached_property
    def members(self) -> dict[int, Member]:
        """All files with a choice, by id."""
        return {one.file_id: one for group in self.groups for one in _members(group)}

    @cached_property
    def folders(self) -> list[str]:
        """Their folders, absolute, in order."""
        return sorted({split(member.full_path)[0] for member in self.members.values()})

    @cached_property
    def disagreeing(self) -> dict[int, dict[int, list[str]]]:
        """What was looked up of labels, by the group's number."""
        return {}

    def labels(self, number: int) -> dict[int, list[str]]:
        """In what the labels of a group's files differ from those of its keeper, by file id."""
        if number not in self.disagreeing:
            group, folders = self.groups[number], self.asked.labelling.class_folders
            ours = (group.keeper, self.finder(group.keeper))
            others = ((one.member.file_id, (one.member, self.finder(one.member))) for one in group.surplus)
            found = {file_id: differences(ours, theirs, folders) for file_id, theirs in others}
            self.disagreeing[number] = {file_id: words for file_id, words in found.items() if words}
        return self.disagreeing[number]


class Review:
    """A review of the groups of an index; may be used by several threads."""

    def __init__(self, reading: Opener, writing: Opener, asked: Asked, paths: Sequence[str]) -> None:
        """Nothing is read yet.

        Args:
            reading: Opens the index.
            writing: Opens the index while nobody else writes.
            asked: Which groups, and how labels are treated.
            paths: Absolute; only files at or below them are looked at.
        """
        self._reading, self._writing, self._asked, self._paths = reading, writing, asked, paths
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """The groups, found anew when a run changed the index since."""
        with self._lock, self._reading() as database:
            with database.reading() as tx:
                run = ledger.runs(tx, 1)
            if self._snapshot is None or self._snapshot.run != run:
                groups = find.groups(database, self._asked.wanted, self._paths)
                self._snapshot = Snapshot(run, groups, self._asked)
            return self._snapshot

    def cards(self, snapshot: Snapshot) -> list[Card]:
        """All groups, in order, as they stand."""
        with self._reading() as database, database.reading() as tx:
            standing = _standing(tx, database)
        return [card_of(number, group, standing) for number, group in enumerate(snapshot.groups)]

    def card(self, snapshot: Snapshot, number: int) -> Card:
        """One group as it stands."""
        with self._reading() as database, database.reading() as tx:
            group = snapshot.groups[number]
            return card_of(number, group, _standing(tx, database, [group]))

    def thumbnail(self, member: Member) -> bytes | None:
        """The stored thumbnail of a file, as JPEG."""
        with self._reading() as database, database.reading() as tx:
            return matches.thumbnails(tx, [member.content_id]).get(member.content_id)

    def rule(self, rulings: Sequence[Ruling]) -> list[Card]:
        """Stores what was chosen, all of it or nothing; gives the groups as they stand then.

        Raises:
            SafetyError: When a group is no longer what it was when it was shown.
            UsageError: When a ruling makes no sense, or has a protected file go.
        """
        snapshot = self.snapshot()
        with self._writing() as database, database.writing() as tx:
            groups = [snapshot.groups[one.number] for one in rulings if 0 <= one.number < len(snapshot.groups)]
            standing = _standing(tx, database, groups)
            cards = [_ruled_on(ruling, snapshot, standing) for ruling in rulings]
            _refuse_changed(tx, cards)
            for card, ruling in zip(cards, rulings, strict=True):
                _refuse_senseless(card, ruling, self._asked)
            _store(tx, database, cards, rulings)
            standing = _standing(tx, database, groups)
        return [card_of(ruling.number, snapshot.groups[ruling.number], standing) for ruling in rulings]

    def plan(self) -> Plan:
        """What `prune --reviewed` would do."""
        with self._reading() as database:
            return reviewed.plan(database, self._asked.wanted.rules, self._asked.labelling)


def card_of(number: int, group: Group, standing: Standing) -> Card:
    """A group with what was chosen for it: choices count while both files are of the group and hold what they held."""
    by_path = {member.full_path: member for member in _members(group)}
    holding = []
    for path, member in by_path.items():
        one = standing.get(path)
        keeper = one and by_path.get(one.keeper)
        if one and keeper and (one.digest, one.keeper_digest) == (member.digest, keeper.digest):
            holding.append((one.decided_ns, member.file_id, keeper, one.fate))
    if not holding:
        return Card(number, group, group.keeper, {})
    chosen = max(holding, key=lambda held: held[0])[2]
    fates = {file_id: fate for _when, file_id, keeper, fate in holding if keeper is chosen}
    fates.pop(chosen.file_id, None)
    return Card(number, group, chosen, fates)


def sifted(cards: Iterable[Card], snapshot: Snapshot, sieve: Sieve) -> list[Card]:
    """The groups that a sieve lets through, in order."""
    return [card for card in cards if _passes(card, snapshot, sieve)]


def _members(group: Group) -> Iterator[Member]:
    yield group.keeper
    yield from (surplus.member for surplus in group.surplus)


def _passes(card: Card, snapshot: Snapshot, sieve: Sieve) -> bool:
    if (sieve.undecided and card.decided) or (sieve.kind is not None and card.kind is not sieve.kind):
        return False
    if sieve.text and not any(sieve.text.casefold() in printable(one.path).casefold() for one in card.members):
        return False
    if sieve.folder is not None and not _lies_in(card, snapshot.folders, sieve.folder):
        return False
    return not sieve.conflict or bool(snapshot.labels(card.number))


def _lies_in(card: Card, folders: Sequence[str], number: int) -> bool:
    if not 0 <= number < len(folders):
        return False
    return any(relative_to(one.full_path, folders[number]) is not None for one in card.members)


def _standing(tx: Connection, database: Database, groups: Iterable[Group] | None = None) -> Standing:
    """What was chosen for the files of some groups, or for all."""
    paths = None
    if groups is not None:
        paths = [database.stored(member.full_path) for group in groups for member in _members(group)]
    return {one.path: one for one in choices.choices(tx, database.folder, paths)}


def _ruled_on(ruling: Ruling, snapshot: Snapshot, standing: Standing) -> Card:
    """The card that a ruling is about, as it stands."""
    if 0 <= ruling.number < len(snapshot.groups):
        card = card_of(ruling.number, snapshot.groups[ruling.number], standing)
        if card.version == ruling.version:
            return card
    raise _stale()


def _refuse_changed(tx: Connection, cards: Iterable[Card]) -> None:
    """Refuses when the index knows a file of a card no longer as it was."""
    digests = {member.file_id: member.digest for card in cards for member in card.members}
    if ledger.live_files(tx, digests) != digests:
        raise _stale()


def _stale() -> SafetyError:
    return SafetyError("this group was changed since it was shown", "look at it again, then choose")


def _refuse_senseless(card: Card, ruling: Ruling, asked: Asked) -> None:
    members = {member.file_id: member for member in card.members}
    if ruling.keeper not in members or ruling.keeper in ruling.fates or not members.keys() >= ruling.fates.keys():
        raise UsageError("a choice names a file that is not of its group")
    for file_id, fate in ruling.fates.items():
        if fate is Fate.PRUNE and is_protected(members[file_id], asked.wanted.rules):
            raise UsageError(f"'{printable(members[file_id].full_path)}' is protected: it stays")


def _store(tx: Connection, database: Database, cards: Sequence[Card], rulings: Sequence[Ruling]) -> None:
    """Puts rulings in the place of what was chosen before; `keep` of two contents is a judgement on them, too."""
    now_ns = time.time_ns()
    for card in cards:
        for pair in _kept_apart(card.keeper, card.fates, card.members):
            matches.forget_decision(tx, *pair)
    choices.drop_choices(tx, (database.stored(path) for card in cards for path in _paths(card)))
    pairs = list(zip(cards, rulings, strict=True))
    choices.keep_choices(tx, (one for pair in pairs for one in _choices(*pair, now_ns)), database.stored)
    made = [
        Decision(*ends, Verdict.DIFFERENT, now_ns)
        for card, ruling in pairs
        for ends in _kept_apart(_by_id(card, ruling.keeper), ruling.fates, card.members)
    ]
    matches.keep_decisions(tx, made)


def _paths(card: Card) -> Iterator[str]:
    yield from (member.full_path for member in (*card.members, *card.group.links))


def _by_id(card: Card, file_id: int) -> Member:
    return next(member for member in card.members if member.file_id == file_id)


def _kept_apart(keeper: Member, fates: Mapping[int, Fate], members: Iterable[Member]) -> Iterator[tuple[bytes, bytes]]:
    """The pairs of different contents that are both to stay."""
    for member in members:
        if fates.get(member.file_id) is Fate.KEEP and member.digest != keeper.digest:
            yield min(member.digest, keeper.digest), max(member.digest, keeper.digest)


def _choices(card: Card, ruling: Ruling, now_ns: int) -> Iterator[Choice]:
    """A choice for each file that has a fate; further names of a keeper that goes go with it."""
    keeper = _by_id(card, ruling.keeper)
    kinds = {surplus.member.file_id: surplus.kind for surplus in card.group.surplus}
    first = ruling.fates.get(card.group.keeper.file_id)
    linked = [(member, first) for member in card.group.links]
    for member, fate in (*((one, ruling.fates.get(one.file_id)) for one in card.members), *linked):
        if fate is not None:
            kind = _kind(member, keeper, kinds)
            yield Choice(member.full_path, member.digest, keeper.full_path, keeper.digest, fate, kind, now_ns)


def _kind(member: Member, keeper: Member, kinds: Mapping[int, Kind]) -> Kind:
    """How a file relates to one that was chosen to stay, of what is known of their relations to the first keeper."""
    if member.digest == keeper.digest:
        return Kind.BYTES
    known = [kinds[one.file_id] for one in (member, keeper) if one.file_id in kinds]
    return max((*known, Kind.SAME), key=VERIFIED.index)


def surplus_of(card: Card, member: Member) -> Surplus | None:
    """How the machine relates a file of a card to the first keeper, None for that one itself."""
    return next((one for one in card.group.surplus if one.member.file_id == member.file_id), None)
