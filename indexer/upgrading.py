"""The command about better versions."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from indexer import output, replaced
from indexer.locate import require_database
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
)
from indexer.plans import Upgrade
from indexer.settling import settled


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
    return settled(
        pictures,
        pictures.plan_upgrades(found, isolated=isolated),
        update=None,
        max_files=max_files,
        max_share=max_share,
        quarantine=quarantine,
        yes=yes and not dry_run,
        isolated=isolated,
        json=json,
        quiet=quiet,
        show=partial(_show, found, json=json, quiet=quiet),
    )


def _show(found: tuple[Upgrade, ...], *, json: bool, quiet: bool) -> None:
    if json:
        for one in found:
            output.print_json(replaced.upgrade_json(one))
    elif not quiet:
        output.print_lines(replaced.upgrades_text(found))
