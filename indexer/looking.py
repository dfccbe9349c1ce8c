"""Groups, scrapes and runs as pages and contact sheets, written to files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from indexer import __version__, gallery, output, showing, tallies
from indexer.brought import ScrapeReport
from indexer.errors import UsageError
from indexer.groups import Group, MatchRule
from indexer.journal import is_indexed
from indexer.markup import Html
from indexer.moves import JournalEntry, MoveState
from indexer.options import Typed
from indexer.plans import Action, Wanted
from indexer.rows import Row, arrival_rows, digests, group_rows, kind_counts, move_rows, role_of
from indexer.tables import report_tables
from indexer.text import bytes_text, count_text, printable, shell_word, time_text

if TYPE_CHECKING:
    from indexer.api import Index

MOST_GROUPS = 5_000
"""On a page: with more, browsers become slow."""
MOST_SHEETS = 25
"""Files of a contact sheet: 1,000 groups."""
MANY_CARDS = 1_000
"""On a page of more pictures they are smaller, so that 2,000 groups stay within 15 MB."""
MOST_EXAMPLES = 12
"""Pictures of each outcome on a page about scrapes."""
SIDE, SMALL_SIDE = 192, 128
_NOTHING = Html()
Commands = tuple[tuple[str, str], ...]
"""What to type, with what it does."""


def write_page(
    pictures: Index, target: str, wanted: Wanted, groups: tuple[Group, ...], typed: Typed, made_ns: int
) -> None:
    """Writes groups as a page to a new file, or to standard output.

    Args:
        pictures: The index.
        target: The file; `-` prints it.
        wanted: What was asked for.
        groups: In order; beyond `MOST_GROUPS` they are left out, and the page says so.
        typed: The words of the command that asked for them.
        made_ns: The time now.

    Raises:
        UsageError: When the file exists, or cannot be written.
    """
    rows = list(group_rows(groups[:MOST_GROUPS], gallery.MOST_CARDS))
    heading = gallery.Heading(
        title="Pictures kept twice" if groups else "No picture is kept twice",
        lines=(showing.totals_text(groups, wanted), _origin(pictures, made_ns)),
        warnings=(*_left_out(len(groups), MOST_GROUPS, "on this page", _FOLDER), *_unverified(wanted, groups)),
        commands=_next_commands(typed) if groups else (),
        kinds=kind_counts(rows),
    )
    _write(pictures, target, heading, rows)


def write_sheets(pictures: Index, target: str, wanted: Wanted, groups: tuple[Group, ...]) -> tuple[str, ...]:
    """Writes groups as contact sheets to new files: FILE.png, FILE-2.png and so on; their names.

    Groups for which `MOST_SHEETS` have no room are left out, and a warning says so.

    Raises:
        UsageError: When the name is none of a PNG, one of the files exists, or cannot be written.
    """
    from indexer import montage  # noqa: PLC0415 - Pillow, which nothing else here needs

    stem, ending = os.path.splitext(target)
    if ending.lower() != ".png":
        raise UsageError("a contact sheet is a PNG", "name it so: --montage FILE.png")
    most = MOST_SHEETS * montage.MOST_ROWS
    shown = groups[:most]
    count = -(-len(shown) // montage.MOST_ROWS)
    targets = (target, *(f"{stem}-{number}{ending}" for number in range(2, count + 1)))[:count]
    output.refuse_existing(targets)
    rows = list(group_rows(shown, montage.MOST_CARDS))
    previews = pictures.thumbnails(digests(rows))
    drawn = montage.sheets(rows, previews, showing.totals_text(groups, wanted))
    for name, sheet in zip(targets, drawn, strict=True):
        with output.new_file(name) as stream:
            sheet.save(stream, "PNG")
    for line in _left_out(len(groups), most, "on the sheets", _FOLDER):
        output.warn(line)
    return targets


def write_run(pictures: Index, target: str, run: int, db: Sequence[str], made_ns: int) -> None:
    """Writes what a run moved, and what stands for it, as a page to a new file, or to standard output.

    Args:
        pictures: The index.
        target: The file; `-` prints it.
        run: The run's id.
        db: The words of the command that name the index.
        made_ns: The time now.

    Raises:
        UsageError: When there is no such run, or it moved nothing; when the file exists, or cannot be written.
    """
    entries = pictures.journalled(run)
    rows = list(move_rows(entries, gallery.MOST_CARDS))
    if not rows:
        raise UsageError(f"run {run} moved no pictures", "imgindex history lists the runs")
    heading = gallery.Heading(
        title=f"What run {run} moved",
        lines=(_states(entries), _origin(pictures, made_ns)),
        warnings=_left_out(len(rows), MOST_GROUPS, "on this page", f"imgindex history {run} lists all files"),
        commands=_commands_after(run, db) if any(entry.state is MoveState.MOVED for entry in entries) else (),
    )
    _write(pictures, target, heading, rows[:MOST_GROUPS])


def write_report(pictures: Index, target: str, report: ScrapeReport, words: tuple[str, ...], made_ns: int) -> None:
    """Writes what scrapes brought as a page to a new file, or to standard output.

    Args:
        pictures: The index.
        target: The file; `-` prints it.
        report: What they brought.
        words: Of the command: which scrapes, and which index.
        made_ns: The time now.

    Raises:
        UsageError: When the file exists, or cannot be written.
    """
    heading = gallery.Heading(
        title="What the scrapes brought" if len(report.scrapes) > 1 else "What the scrape brought",
        lines=(tallies.headline(report), _origin(pictures, made_ns)),
        warnings=tuple(tallies.remarks(report)),
        commands=(
            (_command("report", *words, "--files"), "lists the files, with what each is known as"),
            (_command("report", "--trend", *words[1:]), "shows what each run brought"),
        ),
    )
    examples = {
        outcome: list(islice(pictures.arrivals(words[0], only=[outcome]), MOST_EXAMPLES))
        for outcome in tallies.came(report.totals.files)
    }
    _write(
        pictures, target, heading, [*arrival_rows(report.totals, examples)], report_tables(report, pictures.scrapes())
    )


def _write(
    pictures: Index, target: str, heading: gallery.Heading, rows: Sequence[Row], tables: Html = _NOTHING
) -> None:
    """Writes a page with its thumbnails."""
    side = SIDE if sum(len(row.cards) for row in rows) <= MANY_CARDS else SMALL_SIDE
    previews = pictures.thumbnails_webp(digests(rows), side)
    output.write_pieces(target, gallery.page(heading, rows, previews, tables))


def run_text(entries: Sequence[JournalEntry]) -> Iterator[str]:
    """What a run moved, and what stands for it, a file a line."""
    for entry in filter(is_indexed, entries):
        kept = f"kept: {output.named(entry.keeper)}" if entry.keeper_digest else "rejected: nothing stands for it"
        size, name = bytes_text(entry.stamp.size), output.named(entry.full_path)
        yield f"{role_of(entry):18} {size:>8}  {name}  ({kept})"
    yield _states(entries)


def _states(entries: Sequence[JournalEntry]) -> str:
    """How many files of a run became what, in a sentence."""
    roles = Counter(role_of(entry) for entry in entries if is_indexed(entry))
    words = [f"{count_text(number, 'file')} {role}" for role, number in roles.items()]
    texts = sum(entry.action is Action.REWRITE for entry in entries)
    words += [f"{count_text(texts, 'text')} rewritten"] if texts else []
    return f"{', '.join(words) or 'Nothing moved'}."


def _next_commands(typed: Typed) -> Commands:
    return (
        (_command("prune", *typed.groups, *typed.index), "shows what would be moved"),
        (_command("prune", *typed.groups, "--yes", *typed.index), "moves the surplus into the quarantine"),
        (_command("undo", *typed.index), "brings it back"),
        (
            _command("decide", "A", "B", "--different", *typed.index),
            "remembers that two of these are different pictures",
        ),
    )


def _commands_after(run: int, db: Sequence[str]) -> Commands:
    return (
        (_command("undo", str(run), *db), "brings these files back"),
        (_command("quarantine", "list", "--run", str(run), *db), "says where they lie"),
        (_command("purge", "--older-than", "30d", *db), "says what could be deleted for good"),
    )


def _command(*words: str) -> str:
    return " ".join(("imgindex", *map(shell_word, words)))


def _origin(pictures: Index, made_ns: int) -> str:
    place = f"Names are relative to {printable(os.getcwd())}."
    return f"Made by imgindex {__version__} from {printable(pictures.path)} on {time_text(made_ns)}. {place}"


def _left_out(count: int, most: int, where: str, way: str) -> tuple[str, ...]:
    """How many groups have no room, and how to see them; nothing when all have."""
    if count <= most:
        return ()
    return (f"{count_text(count - most, 'group')} left out, as there is room for {most:,} {where}: {way}.",)


_FOLDER = "name a folder to see those in it"


def _unverified(wanted: Wanted, groups: Sequence[Group]) -> tuple[str, ...]:
    return (showing.UNVERIFIED,) if wanted.match is MatchRule.HASH and groups else ()
