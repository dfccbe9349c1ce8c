"""The command about splits: find the pictures that they share, and part them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from indexer import junit, output, showing
from indexer.errors import EXIT_DONE, EXIT_FOUND, EXIT_INCOMPLETE, UsageError
from indexer.locate import require_database
from indexer.options import ClassFolders, Database, Json, MaxShare, Quiet, Wait, Yes, listed, opened
from indexer.plans import Leak, Split
from indexer.pruning import Conflicts
from indexer.settling import settled
from indexer.text import count_text, printable

if TYPE_CHECKING:
    from indexer.api import Index
    from indexer.asking import Wishes

Splits = Annotated[
    list[str],
    typer.Option(
        "--split",
        metavar="NAME=DIR|LIST",
        help="A split: a folder, or a file that lists pictures (paths, CSV, JSON, COCO). Two at least.",
    ),
]


def leaks(
    split: Splits,
    pin: Annotated[
        str | None, typer.Option(metavar="NAME", help="The split that stays as it is; --fix needs it.")
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(metavar="KIND,…", help="Of the verified matches, take these; default: all, flips included."),
    ] = None,
    junit_to: Annotated[
        str | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report for CI as well.")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Show what would move out of the other splits; with --yes, move it.")
    ] = False,
    class_folders: ClassFolders = None,
    on_conflict: Conflicts = None,
    max_share: MaxShare = None,
    yes: Yes = False,
    json: Json = False,
    quiet: Quiet = False,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """List the pictures that several splits of a data set show. Changes nothing without --fix --yes.

    The exit code is 10 when there are some, and 3 when there are none, but not every file could be compared. What the
    index knows counts: run imgindex index first.
    """
    splits, chosen = _named(split), listed(kinds, "kind")
    if yes and not fix:
        raise UsageError("--yes carries out what --fix shows", "add --fix, or leave out --yes")
    pictures = opened(require_database(db), wait=wait)
    code = EXIT_DONE
    if fix:
        if pin is None:
            raise UsageError("--fix must know which split stays as it is", "name it: --pin test")
        wishes: Wishes = {"kinds": chosen, "class_folders": class_folders, "on_conflict": on_conflict}
        code = _fixed(pictures, splits, pin, wishes, max_share, yes=yes, json=json, quiet=quiet)
    parts, found = pictures.leaks(splits, pin=pin, kinds=chosen)
    if junit_to is not None:
        output.write_report(junit_to, junit.leaks_junit(parts, found))
    if json:
        for leak in () if fix else found:
            output.print_json(showing.leak_json(leak))
    elif not quiet:
        output.print_lines(() if fix else showing.leaks_text(found))
        output.print_lines([showing.leak_totals(found, parts)])
    return _exit(parts, found, code)


def _exit(parts: Sequence[Split], found: Sequence[Leak], code: int) -> int:
    """Warns of what was not compared, and gives the exit code."""
    unsure = [part for part in parts if part.unsure]
    for part in unsure:
        files = count_text(part.unsure, "file")
        output.warn(f"{printable(part.name)}: {files} not compared, as they are not indexed or unreadable")
    return EXIT_FOUND if found else EXIT_INCOMPLETE if unsure else code


def _fixed(
    pictures: Index,
    splits: dict[str, str],
    pin: str,
    wishes: Wishes,
    max_share: float | None,
    *,
    yes: bool,
    json: bool,
    quiet: bool,
) -> int:
    """Shows or carries out what parts the splits; the lists of the others lose the rows of what is moved."""
    made = pictures.leak_plan(splits, pin, **wishes)
    parts, _found = pictures.leaks(splits, pin=pin, kinds=wishes["kinds"])
    update = [part.source for part in parts if part.source is not None and part.name != pin]
    return settled(pictures, made, update=update, max_share=max_share, yes=yes, json=json, quiet=quiet)


def _named(given: list[str]) -> dict[str, str]:
    """The splits by name."""
    found: dict[str, str] = {}
    for text in given:
        name, sign, place = text.partition("=")
        if not (name and sign and place):
            raise UsageError(f"'{printable(text)}' is no split", "--split train=DIR --split test=DIR")
        if name in found:
            raise UsageError(f"the split '{printable(name)}' comes twice", "give each a name of its own")
        found[name] = place
    return found
