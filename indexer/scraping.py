"""The part of the Index facade that tells what scrapes brought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from indexer import scrapes
from indexer.brought import LAST, Arrival, Brought, Scrape, ScrapeReport
from indexer.watching import Watching


class Scraping(Watching):
    """What each run of `update` brought; only the index is asked, and the files need not be there any more."""

    def report(self, which: str | int = LAST) -> ScrapeReport:
        """What runs brought: new pictures, copies, better versions and so on, in all, by source and by folder.

        Args:
            which: A run's number or label, `last` for the newest finished one, or two of these with `..` between them.

        Raises:
            UsageError: When there is no such run.
        """
        with self._reading() as database:
            return scrapes.report(database, str(which))

    def arrivals(self, which: str | int = LAST, *, only: Iterable[Brought | str] = ()) -> Iterator[Arrival]:
        """The files that runs brought, by run and path, each with what it is known as.

        Args:
            which: As for `report`.
            only: The outcomes that are wanted, none for all.

        Raises:
            UsageError: When there is no such run.
        """
        with self._reading() as database:
            yield from scrapes.brought(database, str(which), [Brought(outcome) for outcome in only])

    def scrapes(self) -> list[Scrape]:
        """The finished runs that brought something, or have a label, oldest first, each with its counts."""
        with self._reading() as database:
            return scrapes.scrapes(database)
