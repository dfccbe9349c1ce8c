"""The part of the Index facade that watches folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from indexer import index, watch
from indexer.asking import places
from indexer.executors import local_pool
from indexer.guarding import Guarding
from indexer.opening import Path
from indexer.records import MAX_FILE_BYTES, IndexReport, IndexRequest, Tick, no_progress
from indexer.scrapes import checked_label


class Watching(Guarding):
    """What goes on for as long as it is let."""

    def watch(  # noqa: PLR0913 - one keyword a wish
        self,
        *folders: Path,
        exclude: Iterable[str] = (),
        all_files: bool = False,
        retry: bool = False,
        confirm_missing: bool = False,
        max_file_bytes: int = MAX_FILE_BYTES,
        one_file_system: bool = False,
        label: str | None = None,
        jobs: int | None = None,
        tick: Tick = no_progress,
    ) -> Iterator[IndexReport]:
        """Brings the index up to date with folders, then again whenever files come, change or go, until it is closed.

        Gives the report of the first run, then one for each batch of changes, once nothing happened for a second, or after
        thirty. Between batches, nothing is locked; when another run writes, it is waited for.

        Args:
            *folders: The folders to watch, with all below them.
            exclude: As for `update`.
            all_files: As for `update`.
            retry: As for `update`; in the first run alone.
            confirm_missing: As for `update`; in the first run alone.
            max_file_bytes: As for `update`.
            one_file_system: As for `update`.
            label: As for `update`; each batch is a run of that name.
            jobs: As for `update`.
            tick: As for `update`; called with the stage `wait` when all that came so far is stored.

        Raises:
            SafetyError: When a folder is missing, also later.
            UsageError: As `update` does, and when watchfiles is not installed.
            ImgindexError: When the system watches no further folder.
        """
        request = IndexRequest(
            folders=places(folders),
            exclude=tuple(exclude),
            all_files=all_files,
            retry=retry,
            confirm_missing=confirm_missing,
            max_file_bytes=max_file_bytes,
            one_file_system=one_file_system,
            label=checked_label(label),
        )
        update = partial(self._indexed, jobs=jobs, tick=tick, patient=True)
        return watch.watch(request, update, self._reading, tick)

    def _indexed(self, request: IndexRequest, jobs: int | None, tick: Tick, *, patient: bool = False) -> IndexReport:
        """Carries out a run, and waits for another one first when it is patient."""
        with self._writing(patient=patient) as database, local_pool(jobs) as executor:
            return index.update(database, request, executor, tick)
