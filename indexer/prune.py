"""The story from plan to quarantine: check the plan, and carry it out batch by batch.

The promises, each with a test: the last copy of a content is never removed; nothing is overwritten; every prune can be
undone exactly; a stale index cannot lose data; only `purge` deletes.

Each batch of files goes through the same steps, in this order, so that a kill at any system call leaves a state from which
`recover` goes on: confirm the files, write the intent to the journal and to the manifest, move, sync the folders, write
what was done.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import count

from sqlalchemy import Connection

from indexer import annotate, ledger, queries, rejects
from indexer.confirm import confirm
from indexer.database import Database
from indexer.deeds import do, state_after
from indexer.diff import is_unsettled
from indexer.errors import SafetyError, UsageError
from indexer.intents import Run, deed_of, text_entry
from indexer.journal import batches, finished, is_replacement, row_of, started, sync, told, write_states
from indexer.labels import class_of
from indexer.manifest import write_manifest
from indexer.moves import Checked, Deed, Done, Moved, MoveReport, MoveState, Updated
from indexer.places import joined
from indexer.plans import Action, Limits, Plan, Refused, Rewrite
from indexer.quarantine import make_batch_folder, quarantine_for, stamp_of_payload
from indexer.records import Tick, no_progress
from indexer.rewrites import rewrite
from indexer.rules import innermost
from indexer.text import count_text, printable


def carry_out(
    database: Database,
    plan: Plan,
    quarantine: str | None = None,
    *,
    limits: Limits = Limits(),
    update: Sequence[str] = (),
    tick: Tick = no_progress,
) -> MoveReport:
    """Moves a plan's surplus into the quarantine, or makes it links; each file only after it and its keeper were compared.

    Args:
        database: Open for writing.
        plan: What `plan.plan` or `replay.read` gave.
        quarantine: A folder for the surplus of all roots; None for one beside each root.
        limits: Above which nothing is moved.
        update: Absolute paths of annotation files that lose the rows of what is pruned.
        tick: Told of progress.

    Raises:
        SafetyError: When the plan is not sound or above the limits, it protects an annotation file, or no quarantine can be
            made. Then nothing was moved.
        UsageError: When an annotation file cannot be read. Then nothing was moved.
    """
    started_s = time.monotonic()
    refuse_unsound(database, plan, limits)
    foreseen = annotate.updates(database, update, plan)
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
    roots = {move.surplus.member.root for move in plan.moves} or set([*bases.values()][:1] if foreseen else ())
    folders = {root: make_batch_folder(quarantine_for(root, quarantine)) for root in sorted(roots)}
    run = Run(started(database, command_of(plan)), plan.action, folders, frozenset(plan.marks))
    done: list[Moved | Refused | Updated] = list(plan.refused)
    tick("move", 0, len(plan.moves))
    for moves in batches(plan.moves):
        answers = [confirm(move) for move in moves]
        done += [answer for answer in answers if isinstance(answer, Refused)]
        done += _carry_out_batch(database, run, bases, [answer for answer in answers if isinstance(answer, Checked)])
        tick("move", len(moves), len(plan.moves))
    if foreseen:
        for path in update:
            done += _updated(database, run, bases, path)
    return finished(database, run.run_id, done, started_s)


def command_of(plan: Plan) -> str:
    """What `history` calls the run of a plan."""
    return f"{plan.command} plan {plan.plan_id}" if plan.plan_id else plan.command


def refuse_unsound(database: Database, plan: Plan, limits: Limits) -> None:
    """Refuses a plan that would move what stands for something else, or more than the limits allow.

    Raises:
        SafetyError: Then nothing was moved.
    """
    going = [move.surplus.member.full_path for move in plan.moves]
    if len(set(going)) < len(going):
        raise SafetyError("the plan moves a file twice", "make it anew: imgindex prune --plan-out FILE")
    alone = plan.action is Action.REJECT and all(move.is_alone for move in plan.moves)
    torn = set() if alone else set(going) & {move.keeper.full_path for move in plan.moves}
    if torn:
        raise SafetyError(f"the plan moves '{printable(min(torn))}', which it also keeps", "make it anew")
    problem = over_limits(database, plan, limits)
    if problem:
        raise SafetyError(*problem)
    with database.reading() as tx:
        earlier = plan.plan_id and ledger.carried_out(tx, command_of(plan))
    if earlier:
        raise SafetyError(f"this plan was carried out already, as run {earlier}", "make a new one: --plan-out FILE")


def over_limits(database: Database, plan: Plan, limits: Limits) -> tuple[str, str] | None:
    """In what a plan exceeds the limits, and what to do about it; None when it does not."""
    number = len(plan.moves)
    if limits.max_files is not None and number > limits.max_files:
        message = f"the plan has {count_text(number, 'file')}, more than --max-files {limits.max_files:,}"
        return message, "nothing was moved; look at the plan, then raise the limit"
    with database.reading() as tx:
        roots = queries.root_summaries(tx, database.bases(queries.roots(tx)))
    for root in roots:
        going = sum(move.surplus.member.root == root.path for move in plan.moves)
        if going > limits.max_share * root.files + 1e-6:  # 0.58 of 50 is 28.999…
            share = going / max(root.files, 1)
            message = (
                f"the plan would take {going:,} of the {root.files:,} files of '{printable(root.path)}' ({share:.0%})"
            )
            return message, _confirm(going, root.files)
    return _over_split(database, plan, limits) if plan.parts else None


def _over_split(database: Database, plan: Plan, limits: Limits) -> tuple[str, str] | None:
    """In what a plan exceeds the limits within one of the splits that it parts, or leaves nothing of a class of it."""
    members = [move.surplus.member for move in plan.moves]
    going = Counter(_heaps(plan, ((one.full_path, one.path) for one in members)))
    with database.reading() as tx:
        bases = database.bases(queries.roots(tx))
        having = Counter(_heaps(plan, ((joined(bases[key], path), path) for key, path in queries.picture_files(tx))))
    for (name, label), number in sorted(going.items()):
        whole, split = having[name, label], f"the split '{printable(name)}'"
        if not label and number > limits.max_share * whole + 1e-6:
            message = f"the plan would take {number:,} of the {whole:,} pictures of {split} ({number / whole:.0%})"
            return message, _confirm(number, whole)
        if label and number >= whole and limits.max_share < 1:
            return f"the plan would leave no picture of the class '{printable(label)}' in {split}", _confirm(1, 1)
    return None


def _heaps(plan: Plan, files: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What files, by absolute path and path within the root, count to: their split as a whole, and their class in it."""
    places = [part.place for part in plan.parts]
    for full_path, path in files:
        number = innermost(places, full_path)
        if number is not None:
            yield plan.parts[number].name, ""
            label = class_of(path, plan.labelling.class_folders)
            if label is not None:
                yield plan.parts[number].name, label


def _confirm(going: int, whole: int) -> str:
    confirmed = min(1.0, -(-going * 100 // max(whole, 1)) / 100)
    return f"nothing was moved; if that is what you want: --max-share {confirmed:g}"


def _carry_out_batch(
    database: Database, run: Run, bases: Mapping[int, str], checked: Sequence[Checked]
) -> list[Moved | Refused]:
    """Carries out the confirmed moves of a batch: intent, deeds, sync, result."""
    deeds, refused = _planned(database, run, bases, checked)
    if not deeds:
        return list(refused)
    entries = [entry for deed in deeds for entry in deed.entries]
    for folder in sorted({deed.picture.quarantine for deed in deeds}):
        here = (deed for deed in deeds if deed.picture.quarantine == folder)
        write_manifest(folder, (entry for deed in here for entry in deed.entries))
    answers = [(deed, do(deed)) for deed in deeds]
    sync(entries)
    with database.writing(durable=True) as tx:
        for deed, done in answers:
            _write_result(tx, bases, deed, done)
    return [*refused, *(told(deed.picture, done.refused, len(deed.sidecars)) for deed, done in answers)]


def _planned(
    database: Database, run: Run, bases: Mapping[int, str], checked: Sequence[Checked]
) -> tuple[list[Deed], list[Refused]]:
    """The deeds of a batch, their intent in the journal and on disk, and what is refused as nothing would be left of it.

    The same transaction sees that the index still knows each keeper as a file that stays, and writes the marks of what is
    rejected: no file lies in the quarantine for the sake of a mark that is not there.
    """
    with database.writing(durable=True) as tx:
        alive = ledger.live_files(tx, [answer.move.keeper.file_id for answer in checked])
        led_to = ledger.linked_keepers(tx)
        problems = [_problem(database, one, alive, led_to) for one in checked]
        problems = _unless_pardoned(tx, run, checked, problems)
        sound = [one for one, problem in zip(checked, problems, strict=True) if not problem]
        ids = count(ledger.next_entry(tx))
        deeds = [deed_of(run, ids, one) for one in sound]
        rows = [row_of(database, entry, bases) for deed in deeds for entry in deed.entries]
        if rows:
            ledger.journal_plan(tx, rows)
    told_apart = zip(checked, problems, strict=True)
    return deeds, [Refused(one.move.surplus.member.full_path, problem) for one, problem in told_apart if problem]


def _problem(database: Database, checked: Checked, alive: Mapping[int, bytes], led_to: Container[str]) -> str:
    """Why the index is against a move, empty when it is not."""
    if alive.get(checked.move.keeper.file_id) != checked.move.keeper.digest:
        return f"the index no longer knows {'it' if checked.move.is_alone else 'its keeper'} as it was"
    going = [checked.move.surplus.member.full_path, *(rename.full_path for rename in checked.move.renames)]
    if any(database.stored(path) in led_to for path in going):
        return "symbolic links lead to it: undo the run that made them first"
    return ""


def _unless_pardoned(tx: Connection, run: Run, checked: Sequence[Checked], problems: Sequence[str]) -> list[str]:
    """Why each file must stay, also when what it shows is no longer rejected; what goes is marked where that is due."""
    going = [one.move.mark for one, problem in zip(checked, problems, strict=True) if one.move.mark and not problem]
    rejects.keep_marks(tx, run.marks.intersection(going))
    marked = rejects.marked(tx, [mark.digest for mark in going])
    return [problem or _pardon(one, marked) for one, problem in zip(checked, problems, strict=True)]


def _pardon(checked: Checked, marked: Container[bytes]) -> str:
    """Why a file need not go that nothing stands for, empty when it has to, or something does."""
    mark = checked.move.mark
    if not checked.move.is_alone or (mark and mark.digest in marked):
        return ""
    return "what it shows is no longer rejected"


def _write_result(tx: Connection, bases: Mapping[int, str], deed: Deed, done: Done) -> None:
    """Writes down where the files of a deed are now."""
    ledger.journal_set(tx, done.states)
    if done.states[deed.picture.entry_id] is MoveState.MOVED:
        ledger.forget_paths(tx, [(deed.picture.root_id, deed.picture.path)])
    else:
        rejects.release(tx, [deed.picture])
    now_ns = time.time_ns()
    for entry in filter(is_replacement, deed.renames):
        stamp = stamp_of_payload(entry) if done.states[entry.entry_id] is MoveState.MOVED else None
        if stamp:
            unsettled = is_unsettled(stamp.mtime_ns, stamp.ctime_ns, now_ns)
            places = entry.full_path, entry.payload_path
            ledger.relocate_path(tx, bases, places, stamp, unsettled=unsettled, file_id=entry.extra["takes_id"])


def _updated(database: Database, run: Run, bases: Mapping[int, str], path: str) -> Iterator[Updated | Refused]:
    """Takes the rows of what was pruned out of an annotation file, which may have changed or gone meanwhile."""
    try:
        updates = annotate.updates(database, [path])
    except UsageError as error:
        yield Refused(path, error.message)
        return
    root_id = next(root_id for root_id, base in bases.items() if base in run.folders)
    for update in updates:
        refused = _rewritten(database, run, bases, root_id, update.text) if update.rows else None
        yield refused or Updated(update.text.full_path, update.rows, update.ambiguous)


def _rewritten(database: Database, run: Run, bases: Mapping[int, str], root_id: int, text: Rewrite) -> Refused | None:
    """Gives a text its new version: intent, deed, sync, result."""
    folder = run.folders[bases[root_id]]
    with database.writing(durable=True) as tx:
        entry = text_entry(run, ledger.next_entry(tx), root_id, folder, text)
        ledger.journal_plan(tx, [row_of(database, entry, bases)])
    write_manifest(folder, [entry])
    refused = rewrite(entry, text.data)
    state = state_after(entry, refused)
    sync([entry])
    write_states(database, {entry.entry_id: state})
    return None if state is MoveState.MOVED else refused
