"""The commands about single pictures: what looks like one, and what people decide on two."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from indexer import output, report
from indexer.errors import EXIT_DONE, EXIT_FOUND, EXIT_INCOMPLETE, UsageError
from indexer.groups import Verdict
from indexer.locate import require_database
from indexer.options import Database, Json, Kinds, Null, Quiet, Wait, listed, opened, paths_in
from indexer.text import count_text

Export = Annotated[str | None, typer.Option("--export", metavar="FILE", help="Write all decisions; - prints them.")]
Import = Annotated[str | None, typer.Option("--import", metavar="FILE", help="Add decisions; - reads standard input.")]
Two = Annotated[list[str] | None, typer.Argument(metavar="A B", help="Two files.")]


def similar(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A picture; it need not be indexed.")],
    count: Annotated[int, typer.Option("-k", min=1, max=1_000, metavar="N", help="How many to list.")] = 10,
    json: Json = False,
    db: Database = None,
) -> int:
    """List what the index holds that looks like a picture, the nearest first. Changes nothing.

    The kind says what was verified; without one, only the hashes are near. The distance is in bits of 256.
    """
    for found in opened(require_database(db)).similar(image, count):
        if json:
            output.print_json(report.similar_json(found))
        else:
            output.print_lines([report.similar_text(found)])
    return EXIT_DONE


def check(
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE…", help="Pictures; - reads one.")] = None,
    files_from: Annotated[
        str | None, typer.Option(metavar="LIST", help="Take the paths from a file; - reads standard input.")
    ] = None,
    null: Null = False,
    kinds: Kinds = None,
    json: Json = False,
    quiet: Quiet = False,
    db: Database = None,
) -> int:
    """Say of pictures whether the index knows them, before they are stored. Changes nothing.

    The exit code is 0 when all are new, 10 when some are known, and 3 when none is known, but some are unreadable. What
    was indexed once is known, also when its file is gone.
    """
    if bool(files) == (files_from is not None):
        raise UsageError("name pictures, or a list of them", "imgindex check FILE…; see --help")
    names: list[str] = files or [os.fsdecode(path) for path in paths_in(str(files_from), null=null)]
    pictures = [sys.stdin.buffer.read() if name == "-" and files else name for name in names]
    codes = {EXIT_DONE}
    with opened(require_database(db)).gate(kinds=listed(kinds, "kind")) as gate:
        for answer in gate.check_all(pictures):
            codes.add(EXIT_INCOMPLETE if answer.reason else EXIT_DONE if answer.is_new else EXIT_FOUND)
            if json:
                output.print_json(report.answer_json(answer))
            elif not quiet:
                output.print_lines([report.answer_text(answer)])
    return max(codes)


def decide(
    files: Two = None,
    different: Annotated[bool, typer.Option("--different", help="They are different pictures.")] = False,
    same: Annotated[bool, typer.Option("--same", help="They show the same picture.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Take back what was decided.")] = False,
    export: Export = None,
    take: Import = None,
    wait: Wait = False,
    db: Database = None,
) -> int:
    """Remember your judgement on two pictures; it outranks the machine's from then on.

    It is kept with what the files hold, not with their names: it survives renames and moves.
    """
    verdicts = {Verdict.DIFFERENT: different, Verdict.SAME: same, None: forget}
    chosen = [verdict for verdict, wanted in verdicts.items() if wanted]
    deeds = (bool(files), export is not None, take is not None)
    if sum(deeds) != 1 or (bool(files) != bool(chosen)) or len(chosen) > 1 or (files and len(files) != 2):
        raise UsageError("say what to decide", "imgindex decide A B --different, or --same, --forget; see --help")
    index = opened(require_database(db), wait=wait)
    if files:
        index.decide(files[0], files[1], chosen[0])
    elif export is not None:
        output.write_lines(export, index.decisions_json())
    elif take is not None:
        output.print_lines([f"{count_text(index.import_decisions(output.read_lines(take)), 'decision')} taken in."])
    return EXIT_DONE
