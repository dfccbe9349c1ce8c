"""The command about better versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from indexer import output, replaced, showing
from indexer.errors import EXIT_DONE, EXIT_INCOMPLETE
from indexer.locate import require_database
from indexer.moves import MoveReport
from indexer.options import (
    Across,
    ClassFolders,
    Database,
    DryRun,
    Isolated,
    Jobs,
    Json,
    MaxFiles,
    MaxShare,
    OnlyIfIn,
    Paths,
    Protect,
    Quarantine,
    Quiet,
    Unconfirmed,
    Wait,
    Within,
    Yes,
    opened,
    told,
    warn_all,
)
from indexer.plans import Plan, Upgrade

if TYPE_CHECKING:
    from indexer.api import Index


def upgrades(
    paths: Paths = None,
    unconfirmed: Unconfirmed = False,
    protect: Protect = None,
    only_if_in: OnlyIfIn = None,
    within: Within = None,
    across: Across = None,
    class_folders: ClassFolders = None,
    keep_labels: Annotated[
        bool,
        typer.Option(
            "--keep-labels",
            help="Also where the old picture has a .json, .xml or .npz, which may count in pixels; they stay as they are.",
        ),
    ] = False,
    enlarged: Annotated[
        bool, typer.Option("--enlarged", help="Also take what was only enlarged, and shows no more than the old one.")
    ] = False,
    jobs: Jobs = None,
    max_files: MaxFiles = None,
    max_share: MaxShare = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    quarantine: Quarantine = None,
    isolated: Isolated = False,
    json: Json = False,
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Put larger versions of pictures in the places of the old ones. Without --yes, show them and change nothing.

    A better version is the same picture, came later and has more pixels. It gets the old one's place and name, with the
    ending of its own format; captions and labels there stay and are its own from then on. The old one goes into the
    quarantine, and undo takes all of it back.
    """
    pictures = opened(require_database(db), wait=wait)
    found = pictures.upgrades(
        *(paths or ()),
        keep_labels=keep_labels,
        enlarged=enlarged,
        jobs=jobs,
        unconfirmed=unconfirmed,
        protect=protect or (),
        only_if_in=only_if_in or (),
        within=within or (),
        across=across or (),
        class_folders=class_folders,
        isolated=isolated,
    )
    _show(found, json=json, quiet=quiet)
    made = pictures.upgrade_plan(found, isolated=isolated)
    if not made.moves or dry_run or not yes:
        problem = pictures.over_limits(made, max_files=max_files, max_share=max_share, isolated=isolated)
        return _left(made, problem, json=json, quiet=quiet)
    with output.progress(wanted=not quiet) as tick:
        done = pictures.upgrade(
            found, quarantine=quarantine, max_files=max_files, max_share=max_share, isolated=isolated, tick=tick
        )
    return _told(pictures, done, json=json, quiet=quiet)


def _show(found: tuple[Upgrade, ...], *, json: bool, quiet: bool) -> None:
    if json:
        for one in found:
            output.print_json(replaced.upgrade_json(one))
    elif not quiet:
        output.print_lines(replaced.upgrades_text(found))


def _left(made: Plan, problem: tuple[str, str] | None, *, json: bool, quiet: bool) -> int:
    """The answer of a run that moved nothing, and what would stand in the way of one that did."""
    warn_all(showing.refused_text(made.refused))
    if problem:
        warn_all([f"with --yes, this would be refused: {problem[0]}", f"  {problem[1]}"])
    if json:
        output.print_json(showing.moves_json(MoveReport(None, (), made.refused, 0.0)))
    elif made.moves and not quiet:
        output.print_lines(["Nothing was moved. To put the better versions in their places, add --yes"])
    return EXIT_INCOMPLETE if made.refused else EXIT_DONE


def _told(pictures: Index, done: MoveReport, *, json: bool, quiet: bool) -> int:
    deed = f"replaced by better versions and moved to the quarantine as run {done.run_id}"
    code = told(done, deed, pictures.recovered, json=json, quiet=quiet)
    if done.moved and not (json or quiet):
        output.print_lines([f"To take it back: imgindex undo {done.run_id}. To free the space: imgindex purge"])
    return code
