"""The part of the Index facade that puts better versions in the places of old ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from indexer import prune, upgrades
from indexer.asking import Wishes, asked, limits_for, settings_quarantine
from indexer.executors import local_pool
from indexer.groups import PRUNED
from indexer.locate import canonical
from indexer.moves import MoveReport
from indexer.opening import Path
from indexer.plans import Plan, Upgrade
from indexer.records import Tick, no_progress
from indexer.remembering import Remembering


class Improving(Remembering):
    """What makes a data set better."""

    def upgrades(
        self,
        *paths: Path,
        keep_labels: bool = False,
        enlarged: bool = False,
        jobs: int | None = None,
        **wishes: Unpack[Wishes],
    ) -> tuple[Upgrade, ...]:
        """The pictures that came later and are larger than the same picture that was known first; nothing is changed.

        Args:
            *paths: Only upgrades whose old or better file lies at or below these.
            keep_labels: Trust labels that may count in pixels.
            enlarged: Take what was only enlarged, and shows no more than the old one, too.
            jobs: As for `update`.
            **wishes: See `Wishes`; `match`, `kinds`, `link` and `on_conflict` do not count.
        """
        wish = asked(self.path, {**wishes, **_FIXED})
        with self._reading() as database, local_pool(jobs) as executor:
            return upgrades.upgrades(
                database, wish, map(canonical, paths), executor, keep_labels=keep_labels, enlarged=enlarged
            )

    def upgrade_plan(self, found: Iterable[Upgrade], *, isolated: bool = False) -> Plan:
        """The plan that carries upgrades out, for `over_limits`; those that something speaks against are refused in it."""
        return upgrades.planned(found, asked(self.path, {**_FIXED, "isolated": isolated}))

    def upgrade(
        self,
        found: Iterable[Upgrade],
        *,
        quarantine: Path | None = None,
        max_files: int | None = None,
        max_share: float | None = None,
        isolated: bool = False,
        tick: Tick = no_progress,
    ) -> MoveReport:
        """Puts better pictures in the places of old ones, which go into the quarantine; `undo` takes it back.

        Args:
            found: What `upgrades` gave, or some of it; what something speaks against is refused.
            quarantine: As for `carry_out`.
            max_files: Likewise.
            max_share: Likewise.
            isolated: Pass the settings over.
            tick: As for `update`.

        Raises:
            SafetyError: When the plan is not sound or above the limits, or no quarantine can be made. Then nothing was
                moved.
        """
        made = self.upgrade_plan(found, isolated=isolated)
        limits = limits_for(self.path, max_files, max_share, isolated=isolated)
        place = quarantine or settings_quarantine(self.path, isolated=isolated)
        with self._writing(existing=True, moving=True) as database:
            return prune.carry_out(
                database, made, None if place is None else canonical(place), limits=limits, tick=tick
            )


_FIXED: Wishes = {"match": "verified", "kinds": PRUNED, "link": None, "on_conflict": None}
"""Whatever the settings say: an upgrade shows the same picture."""
