"""Cards of a review as JSON, and what the page sends back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indexer import showing
from indexer.groups import Kind, Member
from indexer.places import split
from indexer.plans import Fate, Plan
from indexer.review import Card, Ruling, Sieve, Snapshot, surplus_of
from indexer.reviewed import REASON
from indexer.rules import is_protected
from indexer.text import bytes_text, printable, time_text

MOST_RULINGS = 100_000


def card_json(card: Card, snapshot: Snapshot) -> dict[str, Any]:
    """A card as an object; `files` has the keeper of the keep order first."""
    labels = snapshot.labels(card.number)
    chosen = card.keeper.file_id != card.group.keeper.file_id
    return {
        **brief_json(card),
        "reason": REASON if chosen else card.group.reason,
        "decided": card.decided,
        "conflict": bool(labels),
        "links": [printable(member.full_path) for member in card.group.links],
        "files": [_file_json(member, card, labels, snapshot) for member in card.members],
    }


def brief_json(card: Card) -> dict[str, Any]:
    """What a decision has to say of a card: `number`, `version`, `keeper`, `fates` and all `ids`, with its `kind`."""
    return {
        "kind": str(card.kind),
        "number": card.number,
        "version": card.version,
        "keeper": card.keeper.file_id,
        "fates": {str(file_id): str(fate) for file_id, fate in card.fates.items()},
        "ids": [member.file_id for member in card.members],
    }


def _file_json(member: Member, card: Card, labels: Mapping[int, list[str]], snapshot: Snapshot) -> dict[str, Any]:
    folder, name = split(member.full_path)
    surplus = surplus_of(card, member)
    return {
        "id": member.file_id,
        "name": printable(name),
        "folder": printable(folder),
        "width": member.width,
        "height": member.height,
        "format": member.format,
        "bytes": member.stamp.size,
        "size": bytes_text(member.stamp.size),
        "date": time_text(member.stamp.mtime_ns),
        "kind": str(surplus.kind) if surplus else "",
        "bits": surplus.bits if surplus else 0,
        "evidence": str(surplus.evidence) if surplus else "",
        "labels": labels.get(member.file_id, []),
        "protected": is_protected(member, snapshot.asked.wanted.rules),
    }


def folders_json(snapshot: Snapshot) -> list[str]:
    """The folders of a snapshot, fit to print, in the order of their numbers."""
    return [printable(folder) for folder in snapshot.folders]


def plan_json(plan: Plan) -> dict[str, Any]:
    """What `prune --reviewed` would do, in words."""
    return {
        "files": len(plan.moves),
        "totals": showing.totals_text(plan.groups, plan.wanted) if plan.groups else "Nothing is chosen to go yet.",
        "conflicts": len(plan.conflicts),
        "refused": list(showing.refused_text(plan.refused)),
    }


def sieve(asked: Mapping[str, str]) -> Sieve:
    """The sieve that a query names; what makes no sense in it lets all through."""
    kind, folder = asked.get("kind", ""), asked.get("folder", "")
    return Sieve(
        kind=Kind(kind) if kind in list(Kind) else None,
        folder=int(folder) if folder.isascii() and folder.isdigit() and len(folder) < 10 else None,
        conflict=asked.get("conflict") == "1",
        undecided=asked.get("undecided") == "1",
        text=asked.get("text", "")[:200],
    )


def rulings(sent: Any) -> list[Ruling]:
    """The rulings in what the page sent.

    Raises:
        ValueError: When there is anything else in it.
    """
    if not isinstance(sent, dict) or not isinstance(sent.get("rulings"), list) or len(sent["rulings"]) > MOST_RULINGS:
        raise ValueError("no list of rulings")
    found = [_ruling(one) for one in sent["rulings"]]
    if len({one.number for one in found}) < len(found):
        raise ValueError("a group is ruled on twice")
    return found


def _ruling(sent: Any) -> Ruling:
    match sent:
        case {"number": int(number), "version": str(version), "keeper": int(keeper), "fates": dict(fates)}:
            chosen = {int(file_id): Fate(fate) for file_id, fate in fates.items()}
            return Ruling(number, version, keeper, chosen)
    raise ValueError("no ruling")
