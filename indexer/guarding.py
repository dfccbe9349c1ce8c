"""The part of the Index facade that guards a data set: leaks, pictures before they are stored, roots, other indexes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Unpack

from indexer import leaks, merge, plan, queries, rehome
from indexer.asking import Wishes, asked
from indexer.database import Database, open_as_it_is, probe, writer_to
from indexer.errors import UsageError
from indexer.executors import local_pool
from indexer.gate import Gate
from indexer.groups import PRUNED, VERIFIED, Answer, Kind
from indexer.incoming import Picture
from indexer.locate import canonical, require_database
from indexer.opening import Opening, Path
from indexer.plans import Leak, Pattern, Plan, Split
from indexer.records import Merged, Tick, no_progress
from indexer.text import printable


class Guarding(Opening):
    """What keeps a data set clean."""

    def leaks(
        self, splits: Mapping[str, Path], *, pin: str | None = None, kinds: Iterable[Kind | str] | None = None
    ) -> tuple[tuple[Split, ...], tuple[Leak, ...]]:
        """The splits as they were understood, and the groups of files that show one picture in several of them.

        Each file that leaks is in one group at least. Only the index is asked; settings do not count.

        Args:
            splits: For each name a folder, or a file that lists pictures.
            pin: The split that comes first in each group; else it is the first that was given.
            kinds: Which matches to take, None for all.

        Raises:
            UsageError: When a split has no indexed file, or two lists share one.
        """
        with self._reading() as database:
            parts = leaks.splits(database, {name: os.fsdecode(path) for name, path in splits.items()})
            wishes: Wishes = {**_between(parts, pin), "kinds": VERIFIED if kinds is None else kinds, "isolated": True}
            return parts, leaks.leaks(database, asked(self.path, wishes).wanted, parts)

    def leak_plan(self, splits: Mapping[str, Path], pin: str, **wishes: Unpack[Wishes]) -> Plan:
        """What a prune would move so that the splits share no picture, with nothing of the pinned one; for `carry_out`.

        Of two other splits, the first that was given keeps its picture.

        Args:
            splits: As for `leaks`.
            pin: The split that stays as it is.
            **wishes: See `Wishes`; all kinds of matches are taken unless `kinds` says otherwise.
        """
        with self._reading() as database:
            parts = leaks.splits(database, {name: os.fsdecode(path) for name, path in splits.items()})
            pinned = _in_order(parts, pin)[0].place
            wished: Wishes = {**wishes, **_between(parts, pin), "protect": [*wishes.get("protect", ()), pinned]}
            if wished.get("kinds") is None:
                wished["kinds"] = VERIFIED
            wish = asked(self.path, wished)
            made = plan.plan(database, wish.wanted, wish.labelling, wish.action)
            return replace(made, parts=parts)

    @contextlib.contextmanager
    def gate(self, *, kinds: Iterable[Kind | str] | None = None, jobs: int | None = None) -> Iterator[Gate]:
        """A gate that says of pictures whether the index knows them, and admits those that are new.

        It keeps the hashes in memory, and workers ready: the first picture takes longer than those that follow. Pictures
        are decoded in the sandbox of the workers. The index is made when there is none.

        Args:
            kinds: The matches that make a picture known; None for bytes and same. What was rejected is known by these
                two in any case.
            jobs: As for `update`.
        """
        wanted = asked(self.path, {"kinds": PRUNED if kinds is None else kinds, "isolated": True}).wanted.kinds
        if not os.path.exists(self.path):
            with self._writing(patient=True):
                pass
        writing = partial(self._writing, existing=True, patient=True, writer=writer_to(self.path))
        with self._reading() as database, local_pool(jobs) as executor:
            yield Gate(database, writing, executor, wanted)

    def check(self, picture: Picture, *, kinds: Iterable[Kind | str] | None = None) -> Answer:
        """What the index says of one picture, as bytes or by its path; nothing is changed. For more, open a `gate`.

        Raises:
            NoIndexError: When there is no index.
        """
        require_database(self.path)
        with self.gate(kinds=kinds, jobs=1) as gate:
            return gate.check(picture)

    def admit(self, picture: Picture, *, kinds: Iterable[Kind | str] | None = None) -> Answer:
        """As `check`; a picture that is new becomes known in the same transaction, whoever else asks. See `Gate.admit`."""
        with self.gate(kinds=kinds, jobs=1) as gate:
            return gate.admit(picture)

    def move_root(self, old: Path, new: Path) -> None:
        """Has the index know an indexed folder, with all that it knows of its files, where it is now. Nothing is read.

        Raises:
            UsageError: When `old` was not indexed as such, or `new` cannot be.
            SafetyError: When `new` is missing, or does not hold the files.
        """
        with self._writing(existing=True) as database:
            rehome.move(database, _unresolved(database, old), canonical(new))

    def forget_root(self, folder: Path) -> int:
        """Forgets an indexed folder and its files, none of which is touched; gives their number.

        Raises:
            UsageError: When it was not indexed as such.
            SafetyError: When files of it are in the quarantine, or links.
        """
        with self._writing(existing=True) as database:
            return rehome.forget(database, _unresolved(database, folder))

    def merge(self, other: Path, *, tick: Tick = no_progress) -> Merged:
        """Takes in what another index, such as one made on another machine, knows of contents, and what was decided there.

        Its files stay its own: `check` knows what they show, and files of the same bytes are not decoded here any more.

        Args:
            other: The database; nothing in it changes.
            tick: As for `update`.

        Raises:
            UsageError: When it is this index, or an older imgindex made it.
            DatabaseError: When it cannot be used.
        """
        path = canonical(other)
        if path == canonical(self.path):
            raise UsageError(f"'{printable(path)}' is this index itself", "name another one")
        version = probe(path)
        with open_as_it_is(path) as source, self._writing() as database:
            return merge.merge(database, source, version, tick)


def _unresolved(database: Database, path: Path) -> str:
    """A root's path as it is known; a link may be at it by now, which leads to where it went."""
    plain = os.path.abspath(os.fsdecode(path))
    with database.reading() as tx:
        known = database.bases(queries.roots(tx)).values()
    return plain if plain in known else canonical(path)


def _between(parts: Sequence[Split], pin: str | None) -> Wishes:
    """What asks for copies across splits, and prefers those that come first."""
    order: list[Pattern] = [part.place for part in _in_order(parts, pin)]
    return {"across": [part.place for part in parts], "prefer": order}


def _in_order(parts: Sequence[Split], pin: str | None) -> list[Split]:
    """The splits, the pinned one first."""
    if pin is not None and pin not in {part.name for part in parts}:
        known = ", ".join(printable(part.name) for part in parts)
        raise UsageError(f"there is no split '{printable(pin)}' to pin", f"there are {known}")
    return sorted(parts, key=lambda part: part.name != pin)
