"""The part of the Index facade that puts better versions in the places of old ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from indexer import upgrades
from indexer.asking import Wishes, asked
from indexer.executors import local_pool
from indexer.groups import PRUNED
from indexer.locate import canonical
from indexer.opening import Path
from indexer.plans import Plan, Upgrade
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

    def plan_upgrades(self, found: Iterable[Upgrade], *, isolated: bool = False) -> Plan:
        """What putting better pictures in the places of old ones would move, for `carry_out`; `undo` takes it back.

        Args:
            found: What `upgrades` gave, or some of it; what something speaks against is refused.
            isolated: Pass the settings over.
        """
        return upgrades.planned(found, asked(self.path, {**_FIXED, "isolated": isolated}))


_FIXED: Wishes = {"match": "verified", "kinds": PRUNED, "link": None, "on_conflict": None}
"""Whatever the settings say: an upgrade shows the same picture."""
