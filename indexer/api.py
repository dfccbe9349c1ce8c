"""The Index facade: the same as the command, for Python."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import Unpack

from indexer import (
    annotate,
    backup,
    check_quarantine,
    decide,
    doctor,
    find,
    journal,
    ledger,
    plan,
    prune,
    purge,
    queries,
    rejects,
    replay,
    reviewed,
    similar,
    store,
    thumbnails,
    undo,
)
from indexer.asking import Wishes, asked, files_listed, limits_for, places, protected, settings_quarantine
from indexer.executors import local_pool
from indexer.groups import Group, Similar, Verdict
from indexer.improving import Improving
from indexer.locate import canonical, require_database
from indexer.moves import JournalEntry, MoveReport, Quarantined, Recovered, Update
from indexer.opening import Path
from indexer.plans import Plan, Refused, Wanted
from indexer.recipe import THUMBNAIL_SIDE
from indexer.records import (
    MAX_FILE_BYTES,
    Finding,
    IndexReport,
    IndexRequest,
    Preview,
    RunSummary,
    Status,
    Tick,
    UnreadableFile,
    no_progress,
)
from indexer.review import Review
from indexer.scrapes import checked_label

__all__ = ["Index", "Path"]


class Index(Improving):
    """An index of pictures.

    Each call opens the database and closes it; nothing but the path is needed between calls.

    Attributes:
        path: Where the database is, absolute.
        recovered: What the last writing call found half-done by an interrupted run.
    """

    def update(  # noqa: PLR0913 - one keyword a wish
        self,
        *folders: Path,
        files: Iterable[Path] | None = None,
        exclude: Iterable[str] = (),
        all_files: bool = False,
        retry: bool = False,
        confirm_missing: bool = False,
        max_file_bytes: int = MAX_FILE_BYTES,
        one_file_system: bool = False,
        label: str | None = None,
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
            max_file_bytes: A larger file is not read, and counts as unreadable.
            one_file_system: Do not enter folders below those given where another file system is mounted.
            label: What the run is called: `report` takes the name. Several runs may have one.
            jobs: Worker processes, None for one a processor, 0 to decode in this process.
            tick: Called with a stage, the files done since the last call, and the files in all when known.

        Raises:
            SafetyError: When a folder is missing.
            UsageError: When there is no folder, a listed file lies outside the folders, a folder shows the kernel or files
                that are indexed under another name, or the label cannot be one.
            DatabaseError: When the database cannot be used.
            LockedError: When another run is writing.
        """
        roots = places(folders)
        request = IndexRequest(
            folders=roots,
            exclude=tuple(exclude),
            files=files_listed(files, roots),
            all_files=all_files,
            retry=retry,
            confirm_missing=confirm_missing,
            max_file_bytes=max_file_bytes,
            one_file_system=one_file_system,
            label=checked_label(label),
        )
        return self._indexed(request, jobs, tick)

    def groups(self, *paths: Path, **wishes: Unpack[Wishes]) -> tuple[Group, ...]:
        """The groups of files that show the same picture, by the keeper's path; only the index is asked.

        Args:
            *paths: Only look at files at or below these.
            **wishes: See `Wishes`.
        """
        return self.wanted_groups(*paths, **wishes)[1]

    def wanted_groups(self, *paths: Path, **wishes: Unpack[Wishes]) -> tuple[Wanted, tuple[Group, ...]]:
        """As `groups`, with what options and settings together ask for."""
        wanted = asked(self.path, wishes).wanted
        with self._reading() as database:
            return wanted, find.groups(database, wanted, map(canonical, paths))

    def plan(self, *paths: Path, **wishes: Unpack[Wishes]) -> Plan:
        """What a prune would move with its captions and labels, and what it would keep; nothing is changed.

        Args:
            *paths: Only look at files at or below these.
            **wishes: See `Wishes`.
        """
        wish = asked(self.path, wishes)
        with self._reading() as database:
            return plan.plan(database, wish.wanted, wish.labelling, wish.action, map(canonical, paths))

    def plan_lines(self, made: Plan) -> list[str]:
        """A plan as the lines of a plan file, for this index as it stands."""
        with self._reading() as database:
            return replay.written(database, made)

    def plan_from(self, lines: Iterable[str], *, protect: Iterable[Path] = (), isolated: bool = False) -> Plan:
        """The plan in the lines of a plan file: what still holds as moves, what does not as refusals.

        Args:
            lines: Of the file.
            protect: Folders or globs whose files stay whatever the plan says, besides those of the settings.
            isolated: Pass the settings over.

        Raises:
            SafetyError: When the plan is not for this index as it stands, is damaged, or was carried out already.
        """
        rules = protected(self.path, protect, isolated=isolated)
        with self._reading() as database:
            return replay.read(database, lines, rules)

    def review(self, *paths: Path, **wishes: Unpack[Wishes]) -> Review:
        """A review of the groups: what `imgindex review` serves. Takes what `groups` takes."""
        wish = asked(self.path, wishes)
        require_database(self.path)
        return Review(self._reading, lambda: self._writing(existing=True), wish, [*map(canonical, paths)])

    def plan_reviewed(self, **wishes: Unpack[Wishes]) -> Plan:
        """What was chosen in reviews to be pruned, as far as it holds; of the wishes, those about labels and protection."""
        wish = asked(self.path, wishes)
        with self._reading() as database:
            return reviewed.plan(database, wish.wanted.rules, wish.labelling)

    def over_limits(
        self, made: Plan, *, max_files: int | None = None, max_share: float | None = None, isolated: bool = False
    ) -> tuple[str, str] | None:
        """In what a plan exceeds the limits, and what to do about it; None when it does not."""
        with self._reading() as database:
            return prune.over_limits(database, made, limits_for(self.path, max_files, max_share, isolated=isolated))

    def updates(self, made: Plan, files: Iterable[Path]) -> list[Update]:
        """What annotation files would lose if a plan were carried out; files that would lose nothing are left out."""
        with self._reading() as database:
            return annotate.updates(database, list(dict.fromkeys(map(canonical, files))), made)

    def carry_out(  # noqa: PLR0913 - one keyword a wish
        self,
        plan: Plan,
        *,
        quarantine: Path | None = None,
        max_files: int | None = None,
        max_share: float | None = None,
        update: Iterable[Path] = (),
        isolated: bool = False,
        tick: Tick = no_progress,
    ) -> MoveReport:
        """Moves the surplus of a plan into the quarantine, each file after it and its keeper were read and compared.

        Args:
            plan: What `plan`, `plan_from` or another method of that kind gave.
            quarantine: A folder for the surplus; None for one beside each root.
            max_files: Refuse a plan of more files.
            max_share: Refuse a plan that takes a larger share of a root's files; half of them when neither this nor the
                settings say otherwise.
            update: Annotation files that lose the rows of what is pruned.
            isolated: Pass the settings over.
            tick: As for `update`.

        Raises:
            SafetyError: When the plan is not sound or above the limits, or no quarantine can be made. Then nothing was
                moved.
        """
        limits = limits_for(self.path, max_files, max_share, isolated=isolated)
        place = quarantine or settings_quarantine(self.path, isolated=isolated)
        with self._writing(existing=True, moving=True) as database:
            return prune.carry_out(
                database,
                plan,
                None if place is None else canonical(place),
                limits=limits,
                update=list(dict.fromkeys(map(canonical, update))),
                tick=tick,
            )

    def undo(self, run: int | None = None, *, tick: Tick = no_progress) -> MoveReport:
        """Brings the files of a prune back to what and where they were; by default those of the newest prune."""
        with self._writing(existing=True, moving=True) as database:
            return undo.undo(database, run, tick)

    def purge(
        self, older_than_s: int, *, keep_bytes: int = 0, dry_run: bool = True, tick: Tick = no_progress
    ) -> MoveReport:
        """DELETES for good the quarantined files of prunes older than a span; by default only tells which.

        Args:
            older_than_s: Seconds.
            keep_bytes: Stop when no more than these are left in the quarantine.
            dry_run: Only tell.
            tick: As for `update`.
        """
        with self._reading() if dry_run else self._writing(existing=True, moving=True) as database:
            return purge.purge(database, older_than_s, keep_bytes, dry_run=dry_run, tick=tick)

    def quarantined(self, run: int | None = None) -> list[Quarantined]:
        """The files in the quarantine, the oldest first; of one run, or of all."""
        with self._reading() as database:
            return list(check_quarantine.quarantined(database, run))

    def verify_quarantine(self, *, tick: Tick = no_progress) -> tuple[int, tuple[Refused, ...]]:
        """Reads every file in the quarantine: their number, and what is altered, missing or unknown."""
        with self._reading() as database:
            return check_quarantine.verify(database, tick)

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

    def thumbnails(self, digests: Iterable[bytes], side: int = THUMBNAIL_SIDE) -> Iterator[Preview | None]:
        """The stored thumbnail of each content as RGB pixels, in order; None where there is none, or it is damaged.

        Args:
            digests: SHA-256 of the contents; their files need not be there.
            side: Pixels; larger thumbnails are shrunk.
        """
        with self._reading() as database, local_pool() as executor:
            yield from thumbnails.pixels(database, executor, digests, side)

    def thumbnails_webp(self, digests: Iterable[bytes], side: int = THUMBNAIL_SIDE) -> Iterator[Preview | None]:
        """As `thumbnails`, as WebP."""
        with self._reading() as database, local_pool() as executor:
            yield from thumbnails.webp(database, executor, digests, side)

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

    def misnamed(self, *paths: Path) -> list[tuple[str, str]]:
        """The pictures whose name ends like one of another format, by path, each with the format that it has."""
        with self._reading() as database:
            return find.misnamed(database, map(canonical, paths))

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
                rejected=rejects.count_marks(tx),
            )

    def backup(self, target: Path, *, tick: Tick = no_progress) -> int:
        """Writes a verified copy of the index, also while a run writes to it; its size in bytes.

        Folders inside the index's own folder are stored relative to it: the copy is for that place.

        Args:
            target: A new file.
            tick: As for `update`.

        Raises:
            UsageError: When something lies there already.
            DatabaseError: When it cannot be written, or is not what it should be. Then it is not there.
        """
        with self._reading() as database:
            return backup.backup(database, canonical(target), tick)

    def examine(self) -> list[Finding]:
        """What `doctor` finds about the program, the index, its folders and its quarantine; nothing is changed."""
        return list(doctor.examine(self.path))

    def journalled(self, run: int) -> list[JournalEntry]:
        """What a prune moved or changed, file by file, and what became of it since; captions before their picture."""
        with self._reading() as database:
            return journal.entries_of(database, run)

    def history(self, limit: int = 20) -> list[RunSummary]:
        """The latest runs, newest first."""
        with self._reading() as database, database.reading() as tx:
            return ledger.runs(tx, limit)
