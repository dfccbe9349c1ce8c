"""Plans as lines of JSON: a header that says for which index and state it was made, then an object a move.

A person or a script may take lines out, or edit them; `replay.py` believes none of it and checks each line anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from indexer.errors import SafetyError
from indexer.fields import Fields, bytes_of, fields_in, number_of, objects_of, text_of, truth_of, word_of
from indexer.groups import Evidence, Kind, MatchRule
from indexer.plans import LINKS, Action, Labelling, Move, OnConflict, Plan

FORM = 1
"""Of the file; another one is refused."""
Given = TypeVar("Given")
Formed = TypeVar("Formed")


@dataclass(frozen=True, slots=True)
class Header:
    """What a plan was made for."""

    index: str
    """Which index."""
    plan_id: str
    after_run: int
    """The newest run of that index when the plan was made."""
    action: Action
    match: MatchRule
    unconfirmed: bool
    labelling: Labelling


@dataclass(frozen=True, slots=True)
class Line:
    """A move as a plan file has it."""

    number: int
    """Of the line in the file."""
    path: str
    """Absolute."""
    digest: bytes
    keeper: str
    """Absolute."""
    keeper_digest: bytes
    kind: Kind
    bits: int
    evidence: Evidence
    why: str
    """The rule that chose the keeper."""
    sidecars: tuple[tuple[str, str], ...]
    """Absolute path and digest in hex of each file that goes with it."""
    texts: tuple[tuple[str, str], ...]
    """Absolute path of each caption that gets a new version, and its digest in hex."""


def plan_lines(plan: Plan, header: Header, made_ns: int) -> Iterator[str]:
    """A plan as lines of JSON, without line ends; bytes of paths that are not UTF-8 stand as lone surrogates."""
    reasons = {group.keeper.file_id: group.reason for group in plan.groups}
    yield json.dumps(
        {
            "imgindex": "plan",
            "form": FORM,
            "index": header.index,
            "plan": header.plan_id,
            "after_run": header.after_run,
            "made": made_ns,
            "action": str(header.action),
            "match": str(header.match),
            "unconfirmed": header.unconfirmed,
            "class_folders": header.labelling.class_folders,
            "on_conflict": header.labelling.on_conflict,
            "files": len(plan.moves),
        }
    )
    for move in plan.moves:
        yield json.dumps(move_object(move, reasons[move.keeper.file_id]))


def move_object(move: Move, why: str) -> dict[str, Any]:
    """A move as an object."""
    return {
        "move": move.surplus.member.full_path,
        "digest": move.surplus.member.digest.hex(),
        "keep": move.keeper.full_path,
        "keep_digest": move.keeper.digest.hex(),
        "kind": str(move.surplus.kind),
        "bits": move.surplus.bits,
        "evidence": str(move.surplus.evidence),
        "why": why,
        "sidecars": [{"path": one.full_path, "digest": one.digest.hex()} for one in move.sidecars],
        "texts": [{"path": one.full_path, "digest": one.after} for one in move.merges],
    }


def read_plan(lines: Iterable[str]) -> tuple[Header, list[Line]]:
    """A plan file's header and its moves; blank lines and lines that begin with `#` do not count.

    Raises:
        SafetyError: When it is no plan, or a line is not of the form: nobody can tell then what is meant.
    """
    objects = [(number, _formed(number, line, fields_in)) for number, line in enumerate(lines, 1) if _counts(line)]
    if not objects or objects[0][1].get("imgindex") != "plan":
        raise SafetyError("this is no plan of imgindex", "make one: imgindex prune --plan-out FILE")
    header = _formed(*objects[0], _header)
    return header, [_formed(number, fields, partial(_line, number)) for number, fields in objects[1:]]


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _formed(number: int, given: Given, form: Callable[[Given], Formed]) -> Formed:
    """What a form makes of a line, or of the fields in it.

    Raises:
        SafetyError: When the line is not of the form.
    """
    try:
        return form(given)
    except (ValueError, KeyError) as error:
        raise SafetyError(
            f"line {number} of the plan is damaged: {error}",
            "nothing was moved; take the line out, or make the plan anew",
        ) from error


def _header(fields: Fields) -> Header:
    if number_of(fields, "form") != FORM:
        raise ValueError(f"form {fields['form']}, this imgindex reads {FORM}")
    action = Action(text_of(fields, "action"))
    if action not in {Action.QUARANTINE, *LINKS}:
        raise ValueError(f"no action of a plan: '{action}'")
    return Header(
        index=word_of(fields, "index"),
        plan_id=word_of(fields, "plan"),
        after_run=number_of(fields, "after_run"),
        action=action,
        match=MatchRule(text_of(fields, "match")),
        unconfirmed=truth_of(fields, "unconfirmed"),
        labelling=Labelling(
            None if fields["class_folders"] is None else truth_of(fields, "class_folders"),
            None if fields["on_conflict"] is None else OnConflict(text_of(fields, "on_conflict")),
        ),
    )


def _line(number: int, fields: Fields) -> Line:
    return Line(
        number=number,
        path=_path(fields, "move"),
        digest=bytes_of(fields, "digest"),
        keeper=_path(fields, "keep"),
        keeper_digest=bytes_of(fields, "keep_digest"),
        kind=Kind(text_of(fields, "kind")),
        bits=number_of(fields, "bits"),
        evidence=Evidence(text_of(fields, "evidence")),
        why=text_of(fields, "why"),
        sidecars=_files(fields, "sidecars"),
        texts=_files(fields, "texts"),
    )


def _files(fields: Fields, name: str) -> tuple[tuple[str, str], ...]:
    return tuple((text_of(one, "path"), text_of(one, "digest")) for one in objects_of(fields, name))


def _path(fields: Fields, name: str) -> str:
    path = text_of(fields, name)
    if not path.startswith("/") or {"", ".", ".."} & set(path.split("/")[1:]):
        raise ValueError(f"no absolute path: {path!r}")
    return path
