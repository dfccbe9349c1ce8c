"""A plan is shown, carried out when that is wanted, and its exit code given: what the commands that plan end with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from indexer import output, showing
from indexer.errors import EXIT_DONE, EXIT_INCOMPLETE
from indexer.moves import MoveReport
from indexer.options import told, warn_all
from indexer.plans import MOVES, Action, OnConflict, Plan

if TYPE_CHECKING:
    from indexer.api import Index

DEEDS: dict[str, str] = {
    **dict.fromkeys(MOVES, "moved to the quarantine"),
    Action.HARD: "replaced by hard links to the kept files",
    Action.SYMLINK: "replaced by symbolic links to the kept files",
    Action.REFLINK: "made to share the blocks of the kept files",
    "upgrades": "replaced by better versions and moved to the quarantine",
}
"""What was done, by what the plan is: its command where that has words of its own, else its action."""


def settled(
    pictures: Index,
    made: Plan,
    *,
    update: list[str] | None,
    max_files: int | None = None,
    max_share: float | None = None,
    quarantine: str | None = None,
    yes: bool,
    isolated: bool = False,
    json: bool,
    quiet: bool,
    show: Callable[[], None] | None = None,
) -> int:
    """Shows a plan, as `prune` does or in another way, carries it out when that is wanted, and gives the exit code."""
    if show is None:
        _show(made, json=json, quiet=quiet)
    else:
        show()
    if not yes:
        return _dry(pictures, made, update, max_files, max_share, isolated=isolated, json=json, quiet=quiet)
    if not (made.moves or update):
        warn_all(showing.refused_text(made.refused))
        return _nothing(made, json=json)
    with output.progress(wanted=not quiet) as tick:
        done = pictures.carry_out(
            made,
            quarantine=quarantine,
            max_files=max_files,
            max_share=max_share,
            update=update or (),
            isolated=isolated,
            tick=tick,
        )
    code = told(done, f"{DEEDS[_words_of(made)]} as run {done.run_id}", pictures.recovered, json=json, quiet=quiet)
    if (done.moved or done.updated) and not (json or quiet):
        free = " To free the space: imgindex purge" if made.action in MOVES else ""
        output.print_lines([f"To take it back: imgindex undo {done.run_id}.{free}"])
    return max(code, exit_code(made))


def _show(plan: Plan, *, json: bool, quiet: bool) -> None:
    """The plan, and the lines of its file that no longer hold."""
    if json:
        for group in showing.plan_json(plan):
            output.print_json(group)
    elif not quiet:
        output.print_lines(showing.plan_text(plan))


def _dry(
    pictures: Index,
    plan: Plan,
    update: list[str] | None,
    max_files: int | None,
    max_share: float | None,
    *,
    isolated: bool,
    json: bool,
    quiet: bool,
) -> int:
    """What would happen besides: limits, annotation files, lines refused."""
    warn_all(showing.refused_text(plan.refused))
    problem = pictures.over_limits(plan, max_files=max_files, max_share=max_share, isolated=isolated)
    if problem:
        output.warn(f"with --yes, this would be refused: {problem[0]}")
        output.warn(f"  {problem[1]}")
    updates = pictures.updates(plan, update or ())
    if json:
        return _nothing(plan, json=True)
    if not quiet:
        output.print_lines(showing.updates_text(updates, done=False))
        if plan.moves:
            output.print_lines([_HOW[_words_of(plan)]])
    return exit_code(plan)


_HOW: dict[str, str] = {
    Action.QUARANTINE: "Nothing was moved. To move the surplus into the quarantine, add --yes",
    Action.REJECT: "Nothing was moved. To move these files into the quarantine, add --yes",
    **dict.fromkeys(
        (Action.HARD, Action.SYMLINK, Action.REFLINK), "Nothing was changed. To replace the surplus by links, add --yes"
    ),
    "upgrades": "Nothing was moved. To put the better versions in their places, add --yes",
}


def _words_of(plan: Plan) -> str:
    return plan.command if plan.command in DEEDS else plan.action


def _nothing(plan: Plan, *, json: bool) -> int:
    """The answer of a run that had nothing to do, or was not to do it."""
    if json:
        output.print_json(showing.moves_json(MoveReport(None, (), plan.refused, 0.0)))
    return exit_code(plan)


def exit_code(plan: Plan) -> int:
    """The exit code for what a plan leaves undone."""
    left = plan.conflicts and plan.labelling.on_conflict is not OnConflict.SKIP
    return EXIT_INCOMPLETE if left or plan.refused else EXIT_DONE
