"""Better versions as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from indexer.groups import Member
from indexer.output import named, shown
from indexer.plans import Rename, Upgrade
from indexer.showing import relation
from indexer.text import bytes_text, count_text


def upgrades_text(found: Sequence[Upgrade]) -> Iterator[str]:
    """Upgrades as `upgrades` shows them, each a block of lines: the old picture first."""
    for one in found:
        move = one.move
        yield _row("old", move.surplus.member)
        yield f"{_row('better', move.keeper)}  ({relation(move.surplus)})"
        for sidecar in move.sidecars:
            yield f"{_line('with old', sidecar.full_path)}  (the old one has it, too)"
        yield _line("becomes", one.target)
        for rename in companions(one):
            yield f"{_line('with it', rename.target)}  (from {named(rename.full_path)})"
        yield from (f"left alone: {problem}" for problem in one.problems)
        yield ""
    yield totals_text(found)


def _row(role: str, member: Member) -> str:
    pixels = f"{member.width}×{member.height}"
    return f"{role:8} {pixels:>11} {bytes_text(member.stamp.size):>8}  {named(member.full_path)}"


def _line(role: str, path: str) -> str:
    return f"{role:8} {'':>20}  {named(path)}"


def companions(one: Upgrade) -> tuple[Rename, ...]:
    """The sidecars that get another place for the sake of an upgrade."""
    return tuple(rename for rename in one.move.renames if rename != one.move.keeper_rename)


def totals_text(found: Sequence[Upgrade]) -> str:
    """How many better versions there are, in a sentence."""
    if not found:
        return "No better versions."
    left = sum(bool(one.problems) for one in found)
    alone = f", {left:,} left alone" if left else ""
    return f"{count_text(len(found), 'better version')}{alone}."


def upgrade_json(one: Upgrade) -> dict[str, Any]:
    """An upgrade as an object.

    Its keys: `old` and `better`, objects of `path`, `width`, `height`, `bytes`; `becomes`; `kind`, `bits`, `evidence`;
    `sidecars` that go into the quarantine; `renames`, objects of `path` and `becomes`; `problems`.
    """
    old = one.move.surplus
    return {
        "old": _member_json(old.member),
        "better": _member_json(one.move.keeper),
        "becomes": shown(one.target),
        "kind": str(old.kind),
        "bits": old.bits,
        "evidence": str(old.evidence),
        "sidecars": [shown(sidecar.full_path) for sidecar in one.move.sidecars],
        "renames": [{"path": shown(two.full_path), "becomes": shown(two.target)} for two in companions(one)],
        "problems": [*one.problems],
    }


def _member_json(member: Member) -> dict[str, Any]:
    path, size = shown(member.full_path), member.stamp.size
    return {"path": path, "width": member.width, "height": member.height, "bytes": size}
