"""The numbers that decide what a match is; light to import, as `recipe.py` is.

The measures and their orders of size were chosen with all labelled pairs of the test pictures in view: at the few hundred
pixels of the second look, the worst patch of 31 pairs labelled as the same picture differed by at most 14.9 grey levels and
the common ones by 4.4; of 225 labelled distinct, the worst patch by at least 17.7. The values were then set on every second
pair and on edits made from 60 photos and some drawings; `benchmarks/accuracy.py` measures them on each half by itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from indexer.records import Recipe


@dataclass(frozen=True, slots=True)
class Limits:
    """What a pair that shows the same picture may differ by, in grey levels of a patch (see `compare.Comparison`)."""

    worst: float
    """The worst patch, in a pair that differs much everywhere."""
    least: float
    """The worst patch, in a pair that differs nowhere else."""
    per_common: float
    """What is added to that for each level by which patches of the pair commonly differ."""
    common: float
    colour: float
    colour_common: float


CLOSE = Limits(worst=16.0, least=3.0, per_common=10.0, common=5.0, colour=22.0, colour_common=10.0)
"""For the second look, from the two files."""
THUMBNAIL = Limits(worst=22.0, least=8.0, per_common=6.0, common=6.0, colour=26.0, colour_common=12.0)
"""For stored thumbnails, whose own encoding differs."""

MOST_GAIN = 1.6
"""Largest factor between the contrasts of two files of the same picture; +20 % against -20 % is 1.5."""
MOST_SHIFT = 64.0
"""Largest change of a middle grey, in levels."""
MOST_LOSS = 0.03
"""Share of a side that may be missing from one picture for both to be the same picture."""
LEAST_OVERLAP = 0.4
"""Share of a side that must be on both pictures to call one an edited copy of the other when they do not agree there."""
GREY = 0.6
"""Mean chroma, in levels, below which a picture is a grey one, and..."""
COLOURFUL = 2.5
"""... by which a tenth of the patches of its coloured copy differ from it."""
PLAIN_LEVELS = 8
"""Levels of lightness that nine tenths of the pixels have, up to which a picture has so little on it that stretching it may
make another one: flags of two stripes."""
MOST_STRETCH = 0.04
"""Share by which the aspects of two such pictures may differ."""
UNTOUCHED = 1.0
"""Grey levels, and..."""
UNTOUCHED_COLOUR = 3.0
"""... levels of chroma by which a patch may differ in two lossless files of one size when..."""
UNTOUCHED_SHARE = 0.25
"""... this share of the patches is equal: a re-encoding would differ nowhere, so what differs was changed."""
LEAST_SIDE = 32
"""Pixels a side that the smaller picture must have to be the same as one of another size."""
SHAPES_AGREE = 0.9
"""Agreement of the shapes from which a pair that differs in tone nearly everywhere is the same drawing in other colours."""
WIDE = 5.0
"""Grey levels: a tenth of the patches differ by more in such a pair, and..."""
WIDESPREAD = 0.3
"""... half of them by more than this; a mark on a corner leaves most of them alone."""
MOSTLY_AGREES = 0.75
"""Agreement of the shapes from which a pair is an edited copy: 2 of 225 distinct pairs have more."""
PARTLY_AGREES = 0.5
"""The same for a pair of which at least half of the patches agree within..."""
NEARLY_EQUAL = 1.2
"""... this many grey levels."""
TURNED_AGREES = 0.9
"""Agreement from which a picture in another orientation is an edited copy."""

RADIUS = 23
"""Bits of 256 within which hashes of whole pictures propose a match. Of re-encoded, resized and toned copies of 250 photos,
99.2 % lie within (brightness +20 %, the worst) and the strips find the rest."""
LOW_RADIUS = 11
"""Bits of 128 for crops."""
INNER_RADIUS = 15
"""Bits of 128 for what borders enclose, whose edges are known to a pixel of the thumbnail only."""
STRIP_RADIUS = 3
"""Bits of 63: of 250 photos with an opaque mark on a tenth of the area, 99 % keep a strip within."""
STRIP_BITS = 9
"""Frequencies that a strip must have for it to tell pictures apart; with fewer, one in fifty of the pairs that share a
strip match, with more, nine in ten."""
LOW_BITS = 15
"""The same for crops and what borders enclose, of 128; 95 % of photos have 23."""
STRIP_WHOLE = 96
"""Bits of 256 by which pictures that share a strip may differ as a whole: unrelated ones differ by some 127."""
STRIP_SHARED = 64
"""A strip that more pictures than this have is a frame or a ground, and proposes nothing."""
MOST_CANDIDATES = 64
"""Matches that one picture is proposed in each search: the half with the most pixels, which keepers are chosen from, and
the nearest others. It bounds what a folder of thousands of near copies costs."""

MATCHING = Recipe(
    name="match",
    version=2,
    parameters=" ".join(
        [
            f"radius {RADIUS} {LOW_RADIUS} {INNER_RADIUS} {STRIP_RADIUS} bits {STRIP_BITS} {LOW_BITS}",
            f"strips {STRIP_WHOLE} {STRIP_SHARED} most {MOST_CANDIDATES}",
            *(str(value) for limits in (CLOSE, THUMBNAIL) for value in asdict(limits).values()),
            f"gain {MOST_GAIN} {MOST_SHIFT} grey {GREY} {COLOURFUL} plain {PLAIN_LEVELS} {MOST_STRETCH}",
            f"untouched {UNTOUCHED} {UNTOUCHED_COLOUR} {UNTOUCHED_SHARE} loss {MOST_LOSS} {LEAST_OVERLAP} {LEAST_SIDE}",
            f"shapes {SHAPES_AGREE} {WIDE} {WIDESPREAD} {MOSTLY_AGREES} {PARTLY_AGREES} {NEARLY_EQUAL} {TURNED_AGREES}",
        ]
    ),
)
"""Another one makes every content due to be matched again."""
