"""The Index facade: the same as the command, for Python."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator

from indexer import decide, find, index, ledger, prune, queries, similar, store
from indexer.database import Database, open_for_reading, open_for_writing
from indexer.errors import UsageError
from indexer.executors import local_pool
from indexer.groups import PRUNED, Group, Kind, MatchRule, Similar, Verdict
from indexer.locate import canonical, database_path, require_database
from indexer.moves import MoveReport, Plan, Recovered, Wanted
from indexer.places import relative_to
from indexer.records import IndexReport, IndexRequest, RunSummary, Status, Tick, UnreadableFile, no_progress
from indexer.text import printable

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class Index:
    """An index of pictures.

    Each call opens the database and closes it; nothing but the path is needed between calls.

    Attributes:
        path: Where the database is, absolute.
        recovered: What the last writing call found half-done by an interrupted run.
    """

    def __init__(self, path: Path | None = None) -> None:
        """The index at a path.

        Args:
            path: The database, made by `update` when it does not exist. None for `IMGINDEX_DB`, else the nearest
                `imgindex.db` at or above the current folder, else a new one in the current folder.
        """
        self.path = database_path(None if path is None else os.fsdecode(path))
        self.recovered = Recovered()

    def update(  # noqa: PLR0913 - one keyword a wish
        self,
        *folders: Path,
        files: Iterable[Path] | None = None,
        exclude: Iterable[str] = (),
        all_files: bool = False,
        retry: bool = False,
        confirm_missing: bool = False,
        jobs: int | None = None,
        tick: Tick = no_progress,
    ) -> IndexReport:
        """Brings the index up to date with folders, reading only files that are new or have changed.

        Args:
            *folders: The folders to walk.
            files: Look at these files alone; they must lie in the folders.
            exclude: Glob patterns of names, or of paths relative to the folder, that are left out.
            all_files: Look at every file, whatever its name ends in.
            retry: Read files again that could not be read before.
            confirm_missing: Believe that many or all files of a folder are gone.
            jobs: Worker processes, None for one a processor, 0 to decode in this process.
            tick: Called with a stage, the files done since the last call, and the files in all when known.

        Raises:
            SafetyError: When a folder is missing.
            UsageError: When there is no folder, or a listed file lies outside the folders.
            DatabaseError: When the database cannot be used.
            LockedError: When another run is writing.
        """
        request = IndexRequest(_places(folders), tuple(exclude), _listed(files), all_files, retry, confirm_missing)
        _refuse_outside(request)
        with self._writing() as database, local_pool(jobs) as executor:
            return index.update(database, request, executor, tick)

    def groups(
        self,
        *paths: Path,
        match: MatchRule | str = MatchRule.VERIFIED,
        kinds: Iterable[Kind | str] = PRUNED,
        unconfirmed: bool = False,
    ) -> tuple[Group, ...]:
        """The groups of files that show the same picture, by the keeper's path.

        Args:
            *paths: Only look at files at or below these.
            match: `verified`, `bytes` (equal digest) or `hash` (equal dHash: unverified, finds look-alikes too).
            kinds: Which verified matches to take: bytes, same, recoloured, flipped, rotated, edited.
            unconfirmed: Take matches that rest on thumbnails alone, as a file could not be read.
        """
        return self.plan(*paths, match=match, kinds=kinds, unconfirmed=unconfirmed).groups

    def plan(
        self,
        *paths: Path,
        match: MatchRule | str = MatchRule.VERIFIED,
        kinds: Iterable[Kind | str] = PRUNED,
        unconfirmed: bool = False,
    ) -> Plan:
        """What a prune would move, and what it would keep; nothing is changed. Arguments as for `groups`."""
        wanted = Wanted(MatchRule(match), tuple(Kind(kind) for kind in kinds), unconfirmed)
        with self._reading() as database:
            return find.plan(database, wanted, map(canonical, paths))

    def carry_out(self, plan: Plan, *, quarantine: Path | None = None, tick: Tick = no_progress) -> MoveReport:
        """Moves the surplus of a plan into the quarantine, each file after it and its keeper were read and compared.

        Args:
            plan: What `plan` gave.
            quarantine: A folder for the surplus; None for one beside each root.
            tick: As for `update`.

        Raises:
            SafetyError: When no quarantine can be made. Then nothing was moved.
        """
        place = None if quarantine is None else canonical(quarantine)
        with self._writing(existing=True) as database:
            return prune.carry_out(database, plan, place, tick)

    def undo(self, run: int | None = None, *, tick: Tick = no_progress) -> MoveReport:
        """Moves the files of a prune back to where they were; by default those of the newest prune."""
        with self._writing(existing=True) as database:
            return prune.undo(database, run, tick)

    def purge(self, older_than_s: int, *, dry_run: bool = True, tick: Tick = no_progress) -> MoveReport:
        """DELETES for good the quarantined files of prunes older than a span; by default only tells which."""
        with self._reading() if dry_run else self._writing(existing=True) as database:
            return prune.purge(database, older_than_s, dry_run=dry_run, tick=tick)

    def recover(self) -> Recovered:
        """Brings to an end what an interrupted prune, undo or purge left; every writing call does so by itself."""
        with self._writing(existing=True):
            return self.recovered

    def similar(self, image: Path, count: int = 10) -> list[Similar]:
        """The indexed pictures that look most like a picture, the nearest first.

        Args:
            image: Need not be indexed.
            count: How many to give at most.

        Raises:
            UsageError: When it cannot be read.
        """
        with self._reading() as database, local_pool(1) as executor:
            return similar.similar(database, canonical(image), count, executor)

    def decide(self, left: Path, right: Path, verdict: Verdict | str | None) -> None:
        """Remembers a judgement on what two files hold: `same` or `different`; None forgets it."""
        chosen = None if verdict is None else Verdict(verdict)
        with self._writing(existing=True) as database:
            decide.decide(database, canonical(left), canonical(right), chosen)

    def decisions_json(self) -> list[str]:
        """All judgements as lines of JSON: `a` and `b` (SHA-256), `verdict`, `decided` (nanoseconds since 1970)."""
        with self._reading() as database:
            return [json.dumps(decide.as_json(decision)) for decision in decide.decisions(database)]

    def import_decisions(self, lines: Iterable[str]) -> int:
        """Adds judgements from lines as `decisions_json` gives them; gives their number."""
        with self._writing(existing=True) as database:
            return decide.take_in(database, lines)

    def unreadable(self, *paths: Path) -> list[UnreadableFile]:
        """The files that cannot be read or decoded, with the reason, by path."""
        with self._reading() as database:
            return find.unreadable(database, map(canonical, paths))

    def status(self) -> Status:
        """What the index holds."""
        with self._reading() as database, database.reading() as tx:
            count, size = ledger.quarantined(tx)
            return Status(
                database=self.path,
                database_bytes=os.path.getsize(self.path),
                roots=queries.root_summaries(tx, database.bases(queries.roots(tx))),
                contents=queries.count_contents(tx),
                due=store.count_due(tx, ()),
                quarantined=count,
                quarantined_bytes=size,
            )

    def history(self, limit: int = 20) -> list[RunSummary]:
        """The latest runs, newest first."""
        with self._reading() as database, database.reading() as tx:
            return ledger.runs(tx, limit)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Database]:
        with open_for_reading(require_database(self.path)) as database:
            yield database

    @contextlib.contextmanager
    def _writing(self, *, existing: bool = False) -> Iterator[Database]:
        """The database, recovered from an interrupted run, while nobody else writes."""
        with open_for_writing(require_database(self.path) if existing else self.path) as database:
            self.recovered = prune.recover(database)
            try:
                yield database
            except BaseException as stop:
                if not isinstance(stop, Exception):  # an interrupt or a termination
                    self.recovered = prune.recover(database)
                raise


def _places(folders: Iterable[Path]) -> tuple[str, ...]:
    """Folders in canonical form, each once."""
    places = tuple(dict.fromkeys(map(canonical, folders)))
    if not places:
        raise UsageError("no folder given", "imgindex index FOLDER")
    return places


def _listed(files: Iterable[Path] | None) -> tuple[str, ...] | None:
    """Files with their folders in canonical form; a file itself may be a link, which is not followed."""
    if files is None:
        return None
    split = (os.path.split(os.path.abspath(os.fsdecode(path))) for path in files)
    return tuple(os.path.join(os.path.realpath(folder), name) for folder, name in split)


def _refuse_outside(request: IndexRequest) -> None:
    """Refuses listed files that lie in none of the folders."""
    for path in request.files or ():
        if not any(relative_to(path, folder) for folder in request.folders):
            raise UsageError(f"'{printable(path)}' lies in none of the folders", "name the folder that holds it")
