"""How two pictures may lie on each other, as the bits of a number.

Bits 0 to 7 are orientations of the left picture, as `verify.oriented` numbers them. Then come, for each of `views.CROPS`, a
bit that says that the crop of the left picture is the whole of the right one, and one that says so the other way round;
then one that says that what plain borders enclose should be compared.
"""

from __future__ import annotations

from indexer.views import CROPS

TURNS = 8
CROP_OF_LEFT = TURNS
CROP_OF_RIGHT = CROP_OF_LEFT + len(CROPS)
INNER = CROP_OF_RIGHT + len(CROPS)
EVERY = (1 << INNER + 1) - 1
"""All of them, for a picture that nothing is known of."""
_SIDE = (1 << len(CROPS)) - 1
BACK = (0, 1, 2, 3, 4, 6, 5, 7)
"""For each orientation, the one that takes it back: only quarter turns are not their own."""


def swapped(hints: int) -> int:
    """The same hints with the pictures' sides exchanged."""
    turns = sum(1 << BACK[turn] for turn in range(TURNS) if hints >> turn & 1)
    of_left, of_right = hints >> CROP_OF_LEFT & _SIDE, hints >> CROP_OF_RIGHT & _SIDE
    return turns | of_right << CROP_OF_LEFT | of_left << CROP_OF_RIGHT | (hints >> INNER & 1) << INNER
