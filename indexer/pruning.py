"""The commands about duplicates: show them, move the surplus away, list where labels disagree."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from indexer import output, report, showing
from indexer.errors import EXIT_DONE, UsageError
from indexer.groups import Group, MatchRule
from indexer.locate import require_database
from indexer.options import (
    Across,
    ClassFolders,
    Database,
    DryRun,
    Isolated,
    Json,
    Keep,
    Kinds,
    Match,
    MaxFiles,
    MaxShare,
    OnlyIfIn,
    Paths,
    Prefer,
    Protect,
    Quarantine,
    Quiet,
    Typed,
    Unconfirmed,
    Wait,
    Within,
    Yes,
    listed,
    opened,
    typed,
    warn_all,
)
from indexer.plans import OnConflict, Wanted
from indexer.settling import exit_code, settled

if TYPE_CHECKING:
    from indexer.api import Index
    from indexer.asking import Wishes

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
Returned = Annotated[
    bool,
    typer.Option(
        "--returned", help="Take the files that show what was rejected (imgindex reject); nothing stands for them."
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
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write a page with pictures instead; - prints it.")
    ] = None,
    montage: Annotated[
        str | None,
        typer.Option("--montage", metavar="FILE.png", help="Write contact sheets instead: FILE.png, FILE-2.png …"),
    ] = None,
    db: Database = None,
) -> int:
    """Show the groups of files that are duplicates, the keeper first. Changes nothing."""
    if format not in {"table", "fdupes"}:
        raise UsageError(f"unknown format {format!r}", "use table or fdupes")
    wishes = _wishes(
        kinds, match, keep, prefer, protect, only_if_in, within, across, unconfirmed=unconfirmed, isolated=isolated
    )
    pictured = html is not None or montage is not None
    if pictured and (json or null or format != "table"):
        raise UsageError(
            "--html and --montage write files instead of printing groups", "leave out --json, -0 or --format"
        )
    pictures = opened(require_database(db))
    wanted, groups = pictures.wanted_groups(*(paths or ()), **wishes)
    if pictured:
        _picture(pictures, wanted, groups, html, montage, typed(paths, wishes, db))
    elif json:
        for group in groups:
            output.print_json(showing.group_json(group))
    elif null:
        output.print_nul(showing.surplus_paths(groups))
    elif format == "fdupes":
        output.print_lines(showing.groups_fdupes(groups))
    else:
        output.print_lines(showing.dups_text(groups, wanted))
    return EXIT_DONE


def _picture(
    pictures: Index, wanted: Wanted, groups: tuple[Group, ...], html: str | None, montage: str | None, typed: Typed
) -> None:
    """Writes the page and the contact sheets that are wanted, and says so."""
    from indexer import looking  # noqa: PLC0415 - what nothing else here needs

    written: list[str] = []
    if montage is not None:
        written += looking.write_sheets(pictures, montage, wanted, groups)
    if html is not None:
        looking.write_page(pictures, html, wanted, groups, typed, time.time_ns())
        written += [html] if html != "-" else []
    told = f" Written to {', '.join(map(output.named, written))}" if written else ""
    output.warn(f"{showing.totals_text(groups, wanted)}{told}")


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
    returned: Returned = False,
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
    if returned:
        _refuse_undecided("--returned", {"unconfirmed"}, wishes, paths, plan, plan_out, reviewed=reviewed)
        made = pictures.plan_returned(unconfirmed=unconfirmed, protect=protect or (), isolated=isolated)
    elif reviewed:
        _refuse_undecided("--reviewed", {"class_folders", "on_conflict"}, wishes, paths, plan, plan_out)
        made = pictures.plan_reviewed(**wishes)
    elif plan is None:
        made = pictures.plan(*(paths or ()), **wishes)
    else:
        made = pictures.plan_from(output.read_lines(plan), protect=protect or (), isolated=isolated)
    if plan_out is not None:
        output.write_lines(plan_out, pictures.plan_lines(made))
        if plan_out != "-" and not quiet:
            output.warn(f"{showing.totals_text(made.groups, made.wanted)} Written to {output.named(plan_out)}")
        return exit_code(made)
    if made.groups:
        warn_all(report.kept_returned_text(made.groups, pictures.returned()))
    return settled(
        pictures,
        made,
        update=update,
        max_files=max_files,
        max_share=max_share,
        quarantine=quarantine,
        yes=yes and not dry_run,
        isolated=isolated,
        json=json,
        quiet=quiet,
    )


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


def _refuse_undecided(
    option: str,
    allowed: set[str],
    wishes: Wishes,
    paths: list[str] | None,
    plan: str | None,
    plan_out: str | None,
    *,
    reviewed: bool = False,
) -> None:
    """Refuses what would decide anew what an option says that was decided already."""
    settled = {"isolated", "protect", *allowed}
    decided = _deciding({name: value for name, value in wishes.items() if name not in settled}, paths, plan_out)
    decided += ["--plan"] if plan is not None else []
    decided += ["--reviewed"] if reviewed else []
    if decided:
        raise UsageError(f"{option} decides everything: it cannot go with {', '.join(decided)}", "leave that out")


def _deciding(wishes: Mapping[str, object], paths: list[str] | None, plan_out: str | None) -> list[str]:
    """The options and arguments that were given and that decide what a plan is."""
    given = {name: value for name, value in wishes.items() if value != _NOT_GIVEN.get(name, ())}
    names = [f"--{'no-' if value is False else ''}{name.replace('_', '-')}" for name, value in given.items()]
    return [*names, *(["PATH"] if paths else ()), *(["--plan-out"] if plan_out is not None else ())]
