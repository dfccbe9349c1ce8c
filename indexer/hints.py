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
