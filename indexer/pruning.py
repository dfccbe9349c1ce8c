"""The commands about duplicates: show them, move the surplus away, list where labels disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from indexer import output, showing
from indexer.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from indexer.groups import MatchRule
from indexer.locate import require_database
from indexer.moves import MoveReport
from indexer.options import (
    Across,
    ClassFolders,
    Database,
    Isolated,
    Json,
    Keep,
    Kinds,
    Match,
    OnlyIfIn,
    Paths,
    Prefer,
    Protect,
    Quiet,
    Unconfirmed,
    Wait,
    Within,
    Yes,
    listed,
    opened,
    told,
    warn_all,
)
from indexer.plans import Action, OnConflict, Plan

if TYPE_CHECKING:
    from indexer.api import Index
    from indexer.asking import Wishes

DEEDS = {
    Action.QUARANTINE: "moved to the quarantine",
    Action.HARD: "replaced by hard links to the kept files",
    Action.SYMLINK: "replaced by symbolic links to the kept files",
    Action.REFLINK: "made to share the blocks of the kept files",
}
Conflicts = Annotated[
    OnConflict | None,
    typer.Option(
        "--on-conflict",
        help="Groups whose labels disagree: prune them all the same; merge: give the kept file the caption lines that it"
        " lacks, then prune; skip them. Without this they are left alone, listed, and the exit code is 3.",
    ),
]
Link = Annotated[
    str | None,
    typer.Option(
        "--link", metavar="hard|symlink|reflink", help="Replace the surplus by links to the kept file; same bytes only."
    ),
]
PlanOut = Annotated[str | None, typer.Option("--plan-out", metavar="FILE", help="Write the plan; - prints it.")]
PlanIn = Annotated[
    str | None,
    typer.Option("--plan", metavar="FILE", help="Take the plan from a file; each line is checked anew. - reads it."),
]
Reviewed = Annotated[
    bool,
    typer.Option("--reviewed", help="Take exactly what was chosen in imgindex review, with the files chosen to stay."),
]
MaxFiles = Annotated[
    int | None, typer.Option("--max-files", min=0, metavar="N", help="Move nothing when the plan has more files.")
]
MaxShare = Annotated[
    float | None,
    typer.Option(
        "--max-share",
        min=0,
        max=1,
        metavar="X",
        help="Move nothing when the plan takes a larger share of a folder that was indexed; default: 0.5.",
    ),
]
Updates = Annotated[
    list[str] | None,
    typer.Option(
        "--update",
        metavar="FILE",
        help="Drop the rows of pruned pictures from COCO .json, metadata.jsonl or .csv, or a list of paths.",
    ),
]

_NOT_GIVEN = dict.fromkeys(("kinds", "keep", "class_folders", "on_conflict", "link")) | {
    "match": MatchRule.VERIFIED,
    "unconfirmed": False,
}
"""What an option is when nobody gave it, where that is not an empty list."""


def dups(
    paths: Paths = None,
    kinds: Kinds = None,
    match: Match = MatchRule.VERIFIED,
    unconfirmed: Unconfirmed = False,
    keep: Keep = None,
    prefer: Prefer = None,
    protect: Protect = None,
    only_if_in: OnlyIfIn = None,
    within: Within = None,
    across: Across = None,
    isolated: Isolated = False,
    format: Annotated[str, typer.Option(metavar="table|fdupes", help="How to print groups.")] = "table",  # noqa: A002
    json: Json = False,
    null: Annotated[bool, typer.Option("--null", "-0", help="Print the surplus alone, ended by NULs.")] = False,
    db: Database = None,
) -> int:
    """Show the groups of files that are duplicates, the keeper first. Changes nothing."""
    if format not in {"table", "fdupes"}:
        raise UsageError(f"unknown format {format!r}", "use table or fdupes")
    wishes = _wishes(
        kinds, match, keep, prefer, protect, only_if_in, within, across, unconfirmed=unconfirmed, isolated=isolated
    )
    wanted, groups = opened(require_database(db)).wanted_groups(*(paths or ()), **wishes)
    if json:
        for group in groups:
            output.print_json(showing.group_json(group))
    elif null:
        output.print_nul(showing.surplus_paths(groups))
    elif format == "fdupes":
        output.print_lines(showing.groups_fdupes(groups))
    else:
        output.print_lines(showing.dups_text(groups, wanted))
    return EXIT_DONE


def prune(
    paths: Paths = None,
    kinds: Kinds = None,
    match: Match = MatchRule.VERIFIED,
    unconfirmed: Unconfirmed = False,
    keep: Keep = None,
    prefer: Prefer = None,
    protect: Protect = None,
    only_if_in: OnlyIfIn = None,
    within: Within = None,
    across: Across = None,
    class_folders: ClassFolders = None,
    on_conflict: Conflicts = None,
    link: Link = None,
    update: Updates = None,
    plan_out: PlanOut = None,
    plan: PlanIn = None,
    reviewed: Reviewed = False,
    max_files: MaxFiles = None,
    max_share: MaxShare = None,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show the plan, even with --yes.")] = False,
    quarantine: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where the surplus goes; default: beside each indexed folder.")
    ] = None,
    isolated: Isolated = False,
    json: Json = False,
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Move surplus files into the quarantine. Without --yes, show the plan and change nothing.

    Each file is moved only after it and its keeper were read and compared. Captions, labels and metadata of the same name
    go with it. Kept is the file with the most pixels, then the most bytes, then the oldest, then the first path, unless
    --keep and --prefer, or an imgindex.toml beside the index, say otherwise.
    """
    pictures = opened(require_database(db), wait=wait)
    wishes = _wishes(
        kinds, match, keep, prefer, protect, only_if_in, within, across, unconfirmed=unconfirmed, isolated=isolated
    )
    wishes |= {"class_folders": class_folders, "on_conflict": on_conflict, "link": link}
    _refuse_contradictions(wishes, paths, plan, plan_out, yes=yes)
    if reviewed:
        _refuse_undecided(wishes, paths, plan, plan_out)
        made = pictures.plan_reviewed(**wishes)
    elif plan is None:
        made = pictures.plan(*(paths or ()), **wishes)
    else:
        made = pictures.plan_from(output.read_lines(plan), protect=protect or (), isolated=isolated)
    if plan_out is not None:
        output.write_lines(plan_out, pictures.plan_lines(made))
        if plan_out != "-" and not quiet:
            output.warn(f"{showing.totals_text(made.groups, made.wanted)} Written to {output.named(plan_out)}")
        return _exit(made)
    _show(made, json=json, quiet=quiet)
    if dry_run or not yes:
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
    code = told(done, f"{DEEDS[made.action]} as run {done.run_id}", pictures.recovered, json=json, quiet=quiet)
    if (done.moved or done.updated) and not (json or quiet):
        free = "" if made.action is not Action.QUARANTINE else " To free the space: imgindex purge"
        output.print_lines([f"To take it back: imgindex undo {done.run_id}.{free}"])
    return max(code, _exit(made))


def conflicts(
    paths: Paths = None,
    kinds: Kinds = None,
    unconfirmed: Unconfirmed = False,
    class_folders: ClassFolders = None,
    isolated: Isolated = False,
    json: Json = False,
    db: Database = None,
) -> int:
    """List copies of a picture whose labels disagree: captions, annotations, class folders. Changes nothing.

    One of two labels is wrong, or says what the other lacks: worth a look for its own sake.
    """
    found = opened(require_database(db)).plan(
        *(paths or ()),
        kinds=listed(kinds, "kind"),
        unconfirmed=unconfirmed,
        class_folders=class_folders,
        on_conflict=OnConflict.SKIP,
        isolated=isolated,
    )
    if json:
        for conflict in found.conflicts:
            output.print_json(showing.conflict_json(conflict))
    else:
        output.print_lines(showing.conflicts_text(found.conflicts))
        output.print_lines([showing.conflict_totals(found.conflicts)])
    return EXIT_DONE


def _wishes(
    kinds: str | None,
    match: MatchRule,
    keep: str | None,
    prefer: list[str] | None,
    protect: list[str] | None,
    only_if_in: list[str] | None,
    within: list[str] | None,
    across: tuple[str, str] | None,
    *,
    unconfirmed: bool,
    isolated: bool,
) -> Wishes:
    """The options that say which files are looked at, and which are kept."""
    return {
        "match": match,
        "kinds": listed(kinds, "kind"),
        "unconfirmed": unconfirmed,
        "keep": listed(keep, "keep rule"),
        "prefer": prefer or (),
        "protect": protect or (),
        "only_if_in": only_if_in or (),
        "within": within or (),
        "across": across or (),
        "isolated": isolated,
    }


def _refuse_contradictions(
    wishes: Wishes, paths: list[str] | None, plan: str | None, plan_out: str | None, *, yes: bool
) -> None:
    if plan_out is not None and yes:
        raise UsageError(
            "--plan-out writes a plan and --yes carries one out", "write it, look at it, then: --plan FILE --yes"
        )
    if plan is None:
        return
    deciding = {name: value for name, value in wishes.items() if name not in {"isolated", "protect"}}
    decided = _deciding(deciding, paths, plan_out)
    if decided:
        raise UsageError(f"--plan FILE decides everything: it cannot go with {', '.join(decided)}", "leave that out")


def _refuse_undecided(wishes: Wishes, paths: list[str] | None, plan: str | None, plan_out: str | None) -> None:
    """Refuses what would decide anew what was decided in a review."""
    settled = {"isolated", "protect", "class_folders", "on_conflict"}
    decided = _deciding({name: value for name, value in wishes.items() if name not in settled}, paths, plan_out)
    decided += ["--plan"] if plan is not None else []
    if decided:
        raise UsageError(f"--reviewed decides everything: it cannot go with {', '.join(decided)}", "leave that out")


def _deciding(wishes: Mapping[str, object], paths: list[str] | None, plan_out: str | None) -> list[str]:
    """The options and arguments that were given and that decide what a plan is."""
    given = {name: value for name, value in wishes.items() if value != _NOT_GIVEN.get(name, ())}
    names = [f"--{'no-' if value is False else ''}{name.replace('_', '-')}" for name, value in given.items()]
    return [*names, *(["PATH"] if paths else ()), *(["--plan-out"] if plan_out is not None else ())]


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
            output.print_lines([_HOW[plan.action]])
    return _exit(plan)


_HOW = {
    Action.QUARANTINE: "Nothing was moved. To move the surplus into the quarantine, add --yes",
    **dict.fromkeys(
        (Action.HARD, Action.SYMLINK, Action.REFLINK), "Nothing was changed. To replace the surplus by links, add --yes"
    ),
}


def _nothing(plan: Plan, *, json: bool) -> int:
    """The answer of a run that had nothing to do, or was not to do it."""
    if json:
        output.print_json(showing.moves_json(MoveReport(None, (), plan.refused, 0.0)))
    return _exit(plan)


def _exit(plan: Plan) -> int:
    """The exit code for what a plan leaves undone."""
    left = plan.conflicts and plan.labelling.on_conflict is not OnConflict.SKIP
    return EXIT_INCOMPLETE if left or plan.refused else EXIT_DONE
