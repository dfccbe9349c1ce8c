"""A match + a rejected picture → whether the match shows it, and whether that is enough for a file to go by itself.

Reports, plans and the gate ask here, so that they agree.
"""

from __future__ import annotations

from indexer.groups import PRUNED, Comeback, Evidence, Kind


def shows_rejected(kind: Kind) -> bool:
    """True when what matches a rejected picture in this way shows it: the same bytes, or the same picture."""
    return kind in PRUNED


def came_back(kind: Kind, evidence: Evidence, *, pixels: int, rejected: int) -> Comeback:
    """How a rejected picture came back.

    Args:
        kind: Of the match with what was rejected.
        evidence: Of that match.
        pixels: Of what shows it.
        rejected: Pixels of what was rejected; of equal bytes, they need not be known.
    """
    if kind is Kind.BYTES:
        return Comeback.SURE
    if pixels > rejected:
        return Comeback.LARGER
    return Comeback.UNSURE if evidence is Evidence.THUMBNAIL else Comeback.SURE
