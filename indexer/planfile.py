"""Plans as lines of JSON: a header that says for which index and state it was made, then an object a move.

A person or a script may take lines out, or edit them; `replay.py` believes none of it and checks each line anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from indexer.errors import SafetyError
from indexer.groups import Evidence, Kind, MatchRule
from indexer.plans import LINKS, Action, Labelling, Move, OnConflict, Plan

FORM = 1
"""Of the file; another one is refused."""


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
    objects = [(number, _object(number, line)) for number, line in enumerate(lines, 1) if _counts(line)]
    if not objects or objects[0][1].get("imgindex") != "plan":
        raise SafetyError("this is no plan of imgindex", "make one: imgindex prune --plan-out FILE")
    header = _formed(objects[0], _header)
    return header, [_formed(one, lambda fields, number=one[0]: _line(fields, number)) for one in objects[1:]]


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _object(number: int, line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _damaged(number, error) from error
    if not isinstance(found, dict):
        raise _damaged(number, "not an object")
    return found


def _formed(numbered: tuple[int, Mapping[str, Any]], form: Any) -> Any:
    number, fields = numbered
    try:
        return form(fields)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(number, error) from error


def _damaged(number: int, error: object) -> SafetyError:
    return SafetyError(
        f"line {number} of the plan is damaged: {error}", "nothing was moved; take the line out, or make the plan anew"
    )


def _header(fields: Mapping[str, Any]) -> Header:
    if fields["form"] != FORM:
        raise ValueError(f"form {fields['form']!r}, this imgindex reads {FORM}")
    if fields["action"] not in {Action.QUARANTINE, *LINKS}:
        raise ValueError(f"no action of a plan: {fields['action']!r}")
    conflict, folders = fields["on_conflict"], fields["class_folders"]
    labelling = Labelling(_typed(folders, bool | None), None if conflict is None else OnConflict(conflict))
    return Header(
        index=_typed(fields["index"], str),
        plan_id=_typed(fields["plan"], str),
        after_run=_typed(fields["after_run"], int),
        action=Action(fields["action"]),
        match=MatchRule(fields["match"]),
        unconfirmed=_typed(fields["unconfirmed"], bool),
        labelling=labelling,
    )


def _line(fields: Mapping[str, Any], number: int) -> Line:
    return Line(
        number=number,
        path=_path(fields["move"]),
        digest=bytes.fromhex(fields["digest"]),
        keeper=_path(fields["keep"]),
        keeper_digest=bytes.fromhex(fields["keep_digest"]),
        kind=Kind(fields["kind"]),
        bits=_typed(fields["bits"], int),
        evidence=Evidence(fields["evidence"]),
        why=_typed(fields["why"], str),
        sidecars=tuple((one["path"], one["digest"]) for one in fields["sidecars"]),
        texts=tuple((one["path"], one["digest"]) for one in fields["texts"]),
    )


def _path(value: object) -> str:
    path = _typed(value, str)
    if not path.startswith("/") or "\0" in path or {"", ".", ".."} & set(path.split("/")[1:]):
        raise ValueError(f"no absolute path: {path!r}")
    return str(path)


def _typed(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"unexpected {value!r}")
    return value
