"""Known hashes that stand ready: tables made once, searched again and again for a few new pictures.

Only whole pictures are looked for, as they are and in eight orientations: what `candidates.py` finds by strips, crops and
borders is left to the next `index`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.candidates import Hashes
from indexer.chunks import Columns, Table, Words, cheapest_scheme, columns, full_table
from indexer.groups import Near
from indexer.hamming import pairs_in
from indexer.thresholds import MOST_CANDIDATES, RADIUS
from indexer.views import SIGN_WORDS, WORDS

SOME = 32
"""Pictures that are compared with all others before tables are made, which costs as much as comparing so many."""
AT_ONCE = 1 << 12
"""Queries that tables are made for: wider ones would be faster still, and take twice the memory."""
FRESH = 1 << 14
"""Hashes added since the tables were made, above which they are made anew."""


class _Side(NamedTuple):
    """Known hashes of one kind, word by word, and their tables."""

    known: Columns
    tables: tuple[Table, ...]
    turning: bool

    @staticmethod
    def of(hashes: Words, *, turning: bool, tabled: bool) -> _Side:
        """Hashes of four words, with tables where that is wanted and pays."""
        known = columns(hashes)
        reach = 1 << len(hashes).bit_length()
        scheme = cheapest_scheme(AT_ONCE, reach, len(known), RADIUS, turning=turning) if tabled else ()
        return _Side(known, tuple(full_table(known, chunk, turning=turning) for chunk in scheme), turning)


class Standing:
    """The hashes of contents, ready to be searched. Not for several threads."""

    def __init__(self, hashes: Hashes) -> None:
        """The hashes of contents, to which others can be added."""
        self._settled, self._fresh = hashes, hashes.part(np.zeros(len(hashes.ids), np.bool_))
        self._asked = 0
        self._sides: dict[bool, tuple[_Side, _Side]] = {}

    def add(self, hashes: Hashes) -> None:
        """Adds the hashes of further contents."""
        if not len(hashes.ids):
            return
        self._fresh = _together(self._fresh, hashes)
        if len(self._fresh.ids) > FRESH:
            self._settled = _together(self._settled, self._fresh)
            self._fresh = hashes.part(np.zeros(len(hashes.ids), np.bool_))
            self._sides.clear()

    def near(self, phashes: Sequence[bytes], views: Sequence[bytes]) -> list[list[Near]]:
        """For each picture the contents near it, the nearest first, at most 64 of each search."""
        whole = np.frombuffer(b"".join(phashes), "<u8").reshape(-1, 4)
        signs = np.frombuffer(b"".join(views), "<u8").reshape(-1, WORDS)[:, SIGN_WORDS]
        self._asked += len(phashes)
        found: list[dict[int, Near]] = [{} for _ in phashes]
        for hashes, sides in ((self._settled, self._tabled()), (self._fresh, _sides(self._fresh, tabled=False))):
            for side, queries in zip(sides, (whole, signs), strict=True):
                _note(found, hashes.ids, side, queries)
        return [sorted(near.values(), key=lambda one: (one.bits, one.content_id)) for near in found]

    def _tabled(self) -> tuple[_Side, _Side]:
        tabled = self._asked > SOME
        if tabled not in self._sides:
            self._sides = {tabled: _sides(self._settled, tabled=tabled)}
        return self._sides[tabled]


def _sides(hashes: Hashes, *, tabled: bool) -> tuple[_Side, _Side]:
    """The whole pictures, and those in any orientation."""
    signs = np.ascontiguousarray(hashes.views[:, SIGN_WORDS])
    return _Side.of(hashes.whole, turning=False, tabled=tabled), _Side.of(signs, turning=True, tabled=tabled)


def _note(found: list[dict[int, Near]], ids: NDArray[np.int64], side: _Side, queries: Words) -> None:
    """Adds what one search finds to what others found for each picture."""
    if not (len(ids) and len(queries)):
        return
    pairs = pairs_in(side.tables, side.known, queries, RADIUS, most=MOST_CANDIDATES, turning=side.turning)
    for query, place, bits, turn in zip(*(column.tolist() for column in pairs), strict=True):
        content_id = int(ids[place])
        known = found[query].get(content_id, Near(content_id, bits, 0))
        found[query][content_id] = Near(content_id, min(bits, known.bits), known.hints | 1 << turn)


def _together(first: Hashes, second: Hashes) -> Hashes:
    return Hashes(
        *(np.concatenate((getattr(first, name), getattr(second, name))) for name in ("ids", "due", "whole", "views"))
    )
