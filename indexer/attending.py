"""The command `index --watch`: a run, then one for each batch of changes, until it is stopped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from indexer import output, report, showing
from indexer.errors import EXIT_DONE
from indexer.options import refuse_disbelieved, told_index, warn_all
from indexer.records import WAITING, IndexReport, Tick, no_progress

if TYPE_CHECKING:
    from indexer.api import Index


@dataclass(slots=True)
class _Stage:
    """What a watch is at."""

    show: Tick = no_progress
    waiting: bool = False

    def tick(self, stage: str, done: int, total: int | None) -> None:
        """Note it, and show it unless it is nothing but waiting."""
        self.waiting = stage == WAITING
        if not self.waiting:
            self.show(stage, done, total)


def attend(pictures: Index, folders: Iterable[str], wishes: dict[str, Any], *, json: bool, quiet: bool) -> int:
    """Watches folders until Ctrl-C or a termination, and tells of each batch; the exit code.

    Whatever stops it while it waits is its regular end. In the middle of a batch it is what it is for any run.

    Raises:
        SafetyError: When a folder is missing, or the first run does not believe that files are gone.
    """
    stage = _Stage()
    reports = pictures.watch(*folders, **wishes, tick=stage.tick)
    try:
        with output.progress(wanted=not quiet) as stage.show:
            first = next(reports)
        stage.waiting = True  # what is told now is stored
        stage.show = no_progress
        told_index(first, pictures.recovered, json=json, quiet=quiet)
        refuse_disbelieved(first)
        if not quiet:
            output.warn("Watching; stop with Ctrl-C.")
        for found in reports:
            stage.waiting = True
            _tell(pictures, found, json=json, quiet=quiet)
    except BaseException as stop:
        if isinstance(stop, Exception) or not stage.waiting:
            raise
    if not quiet:
        output.warn("Stopped watching; what came before is indexed.")
    return EXIT_DONE


def _tell(pictures: Index, found: IndexReport, *, json: bool, quiet: bool) -> None:
    """Tells of a batch: a line on standard error, and an object on standard output where that is wanted."""
    warn_all(showing.recovered_text(pictures.recovered))
    warn_all(
        f"{reason}: they stay in the index; if they are gone, imgindex index --confirm-missing"
        for reason in found.refused
    )
    warn_all(report.unreadable_text((*found.unlisted, *found.unreadable_files)))
    if json:
        output.print_json(report.index_json(found))
        output.flush()
    if not quiet:
        output.warn(report.batch_text(found))
