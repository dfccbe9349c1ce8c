"""The part of the Index facade that remembers what was rejected: such pictures, and those that came back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from indexer import match, reject, rejected, returned, store
from indexer.asking import Place, protected
from indexer.executors import local_pool
from indexer.groups import Rejected, Returned, TakenIn
from indexer.locate import unfollowed
from indexer.marks import sound_reason
from indexer.opening import Path
from indexer.plans import Plan
from indexer.recipe import RECIPE
from indexer.records import Tick, no_progress
from indexer.scraping import Scraping


class Remembering(Scraping):
    """What should never be in the data set, and is recognised when it comes back."""

    def plan_rejection(self, *files: Path, reason: str, protect: Iterable[Place] = (), isolated: bool = False) -> Plan:
        """What rejecting files would move, for `carry_out`: they, their byte copies, and what comes with them.

        Their contents stay known as rejected from then on; `undo` brings the files back and takes that back.

        Args:
            *files: Pictures that the index knows; others are among what is refused.
            reason: Why, in one line.
            protect: Folders or globs whose files stay.
            isolated: Pass the settings over.

        Raises:
            UsageError: When the reason is none.
        """
        words, rules = sound_reason(reason), protected(self.path, protect, isolated=isolated)
        with self._reading() as database:
            return reject.rejection(database, map(unfollowed, files), words, time.time_ns(), rules)

    def returned(self) -> tuple[Returned, ...]:
        """The indexed files that show what was rejected, by path; only the index is asked."""
        with self._reading() as database:
            return returned.returned(database)

    def plan_returned(
        self, *, unconfirmed: bool = False, protect: Iterable[Place] = (), isolated: bool = False
    ) -> Plan:
        """What `prune --returned` would move, for `carry_out`: returned files that are no better than what was rejected.

        Args:
            unconfirmed: Take matches that rest on thumbnails alone, too.
            protect: As for `plan_rejection`.
            isolated: As for `plan_rejection`.
        """
        rules = protected(self.path, protect, isolated=isolated)
        with self._reading() as database:
            return reject.returned_plan(database, rules, unconfirmed=unconfirmed)

    def rejected(self) -> list[Rejected]:
        """The rejected contents, the oldest first."""
        with self._reading() as database:
            return rejected.rejected(database)

    def forget_rejected(self, *named: Path) -> int:
        """Takes back that contents are rejected; gives their number. Files in the quarantine stay there.

        Args:
            *named: SHA-256 digests in hex, or files: that are rejected, were rejected from there, or show what was.

        Raises:
            UsageError: When one of them names nothing that is rejected. Then all stays as it is.
        """
        with self._writing(existing=True) as database:
            return rejected.forget(database, [(os.fsdecode(one), unfollowed(one)) for one in named])

    def rejected_json(self) -> list[str]:
        """The rejected contents as lines of JSON, with what it takes to recognise them: `import_rejected` reads them."""
        with self._reading() as database:
            return list(rejected.exported(database))

    def import_rejected(self, lines: Iterable[str], *, jobs: int | None = None, tick: Tick = no_progress) -> TakenIn:
        """Rejects contents that another index rejected, and compares them with what is indexed here. Moves nothing.

        Args:
            lines: As `rejected_json` gives them.
            jobs: As for `update`.
            tick: As for `update`.

        Raises:
            UsageError: When a line is none. Then nothing was taken in.
        """
        with self._writing() as database, local_pool(jobs) as executor:
            found = rejected.take_in(database, lines)
            with database.writing() as tx:
                recipe_id = store.recipe_id(tx, RECIPE.key)
            match.match_due(database, recipe_id, executor, tick)
            return found
