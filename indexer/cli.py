"""The commands: parse, tell one story, print, exit code."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from indexer import (
    __version__,
    attending,
    judging,
    keeping,
    leaking,
    output,
    pruning,
    rejecting,
    report,
    reporting,
    reviewing,
    showing,
    upgrading,
    upkeep,
)
from indexer.errors import (
    EXIT_DONE,
    EXIT_INCOMPLETE,
    UsageError,
)
from indexer.locate import canonical, database_path, require_database
from indexer.options import (
    EXITS,
    Database,
    Jobs,
    Json,
    Null,
    Quiet,
    Wait,
    index_words,
    opened,
    paths_in,
    refuse_disbelieved,
    size_from,
    told_index,
)

if TYPE_CHECKING:
    from indexer.api import Index

app = typer.Typer(
    name="imgindex",
    help="Index a growing data set of pictures, find those kept twice, and move the surplus away so that it can be"
    " taken back.",
    epilog=EXITS,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature
    if wanted:
        output.print_lines([f"imgindex {__version__}"])
        raise typer.Exit


_One = TypeVar("_One")


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Hold the options that come before a command."""


@app.command(
    epilog="\b\nExamples:\n  imgindex index photos/\n  imgindex index photos/ --exclude 'thumb*' --json\n"
    "  imgindex index photos/ --label 2026-11-22-bing && imgindex report 2026-11-22-bing\n"
    "  find photos/ -name '*.jpg' -print0 | imgindex index photos/ --files-from - -0\n"
    "  imgindex index scraped/ --watch\n\n" + EXITS
)
def index(
    folders: Annotated[
        list[str] | None, typer.Argument(metavar="DIR", help="Folders of pictures; none: all that are indexed.")
    ] = None,
    jobs: Jobs = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Leave out names or paths; may be repeated.")
    ] = None,
    files_from: Annotated[
        str | None, typer.Option(metavar="FILE", help="Look at the files listed here alone; - reads standard input.")
    ] = None,
    null: Null = False,
    all_files: Annotated[bool, typer.Option("--all-files", help="Look at every file, whatever its name.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Read files again that were unreadable.")] = False,
    confirm_missing: Annotated[
        bool, typer.Option("--confirm-missing", help="Believe that files are gone, however many.")
    ] = False,
    max_file_size: Annotated[
        str, typer.Option(metavar="SIZE", help="Do not read larger files; they count as unreadable.")
    ] = "512MiB",
    one_file_system: Annotated[
        bool, typer.Option("--one-file-system", help="Do not enter folders where another file system is mounted.")
    ] = False,
    label: Annotated[
        str | None, typer.Option(metavar="NAME", help="Call the run so: imgindex report NAME says what it brought.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: index pictures as they come, until Ctrl-C. Needs imgindex[watch].")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Bring the index up to date: read files that are new or have changed, and nothing else.

    Makes imgindex.db in the current folder when there is no index yet. With --watch, Ctrl-C or SIGTERM while it waits is
    the regular end, with exit code 0; --retry and --confirm-missing hold for the first run alone.
    """
    if watch and files_from is not None:
        raise UsageError("--watch looks at folders, --files-from at files", "leave out one of them")
    pictures = opened(database_path(db), wait=wait or watch)
    listed = None if files_from is None else paths_in(files_from, null=null)
    wishes: dict[str, Any] = {
        "exclude": exclude or (),
        "all_files": all_files,
        "retry": retry,
        "confirm_missing": confirm_missing,
        "max_file_bytes": size_from(max_file_size),
        "one_file_system": one_file_system,
        "label": label,
        "jobs": jobs,
    }
    if watch:
        return attending.attend(pictures, folders or _known_folders(pictures), wishes, json=json, quiet=quiet)
    with output.progress(wanted=not quiet) as tick:
        found = pictures.update(*(folders or _known_folders(pictures)), files=listed, **wishes, tick=tick)
    told_index(found, pictures.recovered, json=json, quiet=quiet)
    refuse_disbelieved(found)
    return EXIT_INCOMPLETE if found.unreadable or found.unlisted or pictures.recovered.missing else EXIT_DONE


app.command(
    epilog="\b\nExamples:\n  imgindex dups\n  imgindex dups photos/cats --kinds edited,flipped\n"
    "  imgindex dups --json | jq .keep\n  imgindex dups -0 | xargs -0 ls -l\n\n" + EXITS
)(pruning.dups)
app.command(
    epilog="\b\nExamples:\n  imgindex prune                             show what would be moved\n"
    "  imgindex prune --yes                       move it; imgindex undo brings it back\n"
    "  imgindex prune --prefer clean/ --protect test/ --yes\n"
    "  imgindex prune --on-conflict merge --update annotations.json --yes\n"
    "  imgindex prune --plan-out plan.jsonl       write the plan, edit it, then:\n"
    "  imgindex prune --plan plan.jsonl --yes\n"
    "  imgindex prune --reviewed --yes            what was chosen in imgindex review\n"
    "  imgindex prune --returned --yes            what shows a rejected picture\n\n" + EXITS
)(pruning.prune)
app.command(
    epilog="\b\nExamples:\n  imgindex upgrades                          show what came in a larger version\n"
    "  imgindex upgrades scrape-3/ --yes          put it in place; imgindex undo brings the old ones back\n"
    "  imgindex upgrades --protect test/ --json\n\n" + EXITS
)(upgrading.upgrades)
app.command(
    epilog="\b\nExamples:\n  imgindex review\n  imgindex review photos/cats --kinds edited --no-browser\n"
    "  imgindex prune --reviewed                  what would be moved then\n\n" + EXITS
)(reviewing.review)
app.command(epilog="\b\nExamples:\n  imgindex conflicts\n  imgindex conflicts --json | jq .differences\n\n" + EXITS)(
    pruning.conflicts
)
app.command(
    epilog="\b\nExamples:\n  imgindex leaks --split train=data/train --split test=data/test --junit leaks.xml\n"
    "  imgindex leaks --split train=train.txt --split val=val.txt --kinds bytes,same --json\n"
    "  imgindex leaks --split train=train/ --split test=test/ --pin test --fix --yes\n\n" + EXITS
)(leaking.leaks)
app.command(
    epilog="\b\nExamples:\n  imgindex report\n  imgindex report 2026-11-22-bing --by folder\n"
    "  imgindex report 3..last --html report.html\n  imgindex report --files --only new,better --json | jq .path\n"
    "  imgindex report --trend\n\n" + EXITS
)(reporting.report)
app.command(
    epilog="\b\nExamples:\n  imgindex similar new/picture.jpg\n  imgindex similar picture.jpg -k 3 --json\n\n" + EXITS
)(judging.similar)
app.command(
    epilog="\b\nExamples:\n  imgindex check new/*.jpg\n  imgindex check - < picture.jpg && mv picture.jpg photos/\n"
    "  find new/ -type f -print0 | imgindex check --files-from - -0 --json\n\n" + EXITS
)(judging.check)
app.command(
    epilog="\b\nExamples:\n  imgindex decide a.jpg b.jpg --different\n  imgindex decide --export decisions.jsonl\n"
    "  imgindex decide --import decisions.jsonl\n\n" + EXITS
)(judging.decide)


app.command(
    epilog="\b\nExamples:\n  imgindex undo\n  imgindex undo 7\n"
    "  imgindex undo --from-manifest .imgindex-quarantine     without the database\n\n" + EXITS
)(keeping.undo)
app.command(
    epilog="\b\nExamples:\n  imgindex purge --older-than 30d\n  imgindex purge --older-than 30d --yes\n"
    "  imgindex purge --keep-bytes 10GB --yes\n\n" + EXITS
)(keeping.purge)
app.command(
    epilog="\b\nExamples:\n  imgindex reject cat.jpg --reason 'has a watermark'             show what would be moved\n"
    "  imgindex reject cat.jpg --reason 'has a watermark' --yes\n"
    "  imgindex reject --files-from opted-out.txt --reason 'opted out' --yes\n\n" + EXITS
)(rejecting.reject)
app.add_typer(rejecting.rejected, name="rejected")
app.add_typer(keeping.quarantine, name="quarantine")
app.add_typer(upkeep.root, name="root")


@app.command(
    epilog="\b\nExamples:\n  imgindex status\n  imgindex status --unreadable\n  imgindex status --misnamed\n\n" + EXITS
)
def status(
    unreadable: Annotated[
        bool, typer.Option("--unreadable", help="List the unreadable files, with the reason.")
    ] = False,
    misnamed: Annotated[
        bool, typer.Option("--misnamed", help="List pictures whose name says another format than they have.")
    ] = False,
    json: Json = False,
    db: Database = None,
) -> int:
    """Say what the index holds. Changes nothing."""
    if unreadable and misnamed:
        raise UsageError("--unreadable and --misnamed are two lists", "ask for one of them")
    pictures = opened(require_database(db))
    if unreadable:
        return _listed(pictures.unreadable(), report.unreadable_json, report.unreadable_text, json=json)
    if misnamed:
        return _listed(pictures.misnamed(), report.misnamed_json, report.misnamed_text, json=json)
    found = pictures.status()
    if json:
        output.print_json(report.status_json(found))
    else:
        output.print_lines(report.status_text(found))
    return EXIT_DONE


def _listed(
    found: list[_One], as_json: Callable[[_One], Any], as_text: Callable[[list[_One]], Iterable[str]], *, json: bool
) -> int:
    """Prints what was found, an item a line."""
    if json:
        for one in found:
            output.print_json(as_json(one))
    else:
        output.print_lines(as_text(found))
    return EXIT_DONE


@app.command(
    epilog="\b\nExamples:\n  imgindex history\n  imgindex history --limit 100 --json\n"
    "  imgindex history 7                   what run 7 moved\n  imgindex history 7 --html run-7.html\n\n" + EXITS
)
def history(
    run: Annotated[int | None, typer.Argument(min=1, max=1 << 62, metavar="RUN", help="What this run moved.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, metavar="N", help="How many runs, newest first.")] = 20,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Write what RUN moved, with pictures, as a page; - prints it."),
    ] = None,
    json: Json = False,
    db: Database = None,
) -> int:
    """Say what was done, newest first, or what a run moved, and what stands for it. Changes nothing."""
    if html is not None and (run is None or json):
        raise UsageError("--html writes the page of one run", "imgindex history RUN --html FILE")
    pictures = opened(require_database(db))
    if run is not None:
        return _run_told(pictures, run, html, json=json, db=db)
    runs = pictures.history(limit)
    if json:
        for one in runs:
            output.print_json(report.run_json(one))
    else:
        output.print_lines(report.history_text(runs))
    return EXIT_DONE


def _run_told(pictures: Index, run: int, html: str | None, *, json: bool, db: str | None) -> int:
    """What a run moved, as lines, objects or a page."""
    from indexer import looking  # noqa: PLC0415 - what nothing else here needs

    if html is not None:
        looking.write_run(pictures, html, run, index_words(db), time.time_ns())
        if html != "-":
            output.warn(f"Written to {output.named(html)}")
        return EXIT_DONE
    entries = pictures.journalled(run)
    if json:
        for entry in entries:
            output.print_json(showing.journalled_json(entry))
    else:
        output.print_lines(looking.run_text(entries))
    return EXIT_DONE


app.command(epilog="\b\nExamples:\n  imgindex doctor\n  imgindex doctor --json | jq -c 'select(.advice)'\n\n" + EXITS)(
    upkeep.doctor
)
app.command(
    epilog="\b\nExamples:\n  imgindex merge /mnt/other-machine/imgindex.db\n  imgindex merge other.db --json\n\n"
    + EXITS
)(upkeep.merge)
app.command(epilog="\b\nExamples:\n  imgindex backup ~/backups/photos-2026-11-25.db\n\n" + EXITS)(upkeep.backup)


@app.command(epilog="\b\nExamples:\n  imgindex demo demo-pictures\n\n" + EXITS)
def demo(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A new folder.")],
    db: Database = None,
) -> int:
    """Draw 1,000 pictures, 7 of them duplicates, into a new folder, and show index, dups and prune on them."""
    from indexer.demo import draw_into  # noqa: PLC0415 - nothing else draws

    if os.path.exists(database_path(db)):
        raise UsageError(
            f"there is an index already: {output.named(database_path(db))}",
            "run the demo in another folder, or give it an index of its own: --db demo.db",
        )
    with output.progress() as tick:
        draw_into(canonical(folder), tick)
    imgindex = "imgindex" if shutil.which("imgindex") else output.named(os.path.abspath(sys.argv[0]))
    place, option = output.named(canonical(folder)), f" --db {output.named(database_path(db))}" if db else ""
    for command, answer in (
        (f"{imgindex} index {place}{option}", lambda: index([folder], db=db)),
        (f"{imgindex} dups{option}", lambda: pruning.dups(db=db)),
        (f"{imgindex} prune{option}", lambda: pruning.prune(db=db)),
    ):
        output.print_lines(["", f"$ {command}"])
        answer()
    output.print_lines(["", "Type next:", f"  {imgindex} prune --yes{option}", f"  {imgindex} undo{option}"])
    return EXIT_DONE


def _known_folders(pictures: Index) -> list[str]:
    """The folders to index when none was named: those that are indexed and have files."""
    if not os.path.exists(pictures.path):
        return []
    return [root.path for root in pictures.status().roots if root.files]
