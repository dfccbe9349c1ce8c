"""The recipe of the fingerprint: every number that decides what a picture's hashes and thumbnail are.

Light to import, so that runs that decode nothing need not load what decodes.
"""

from __future__ import annotations

from indexer.records import Recipe

THUMBNAIL_SIDE = 192
"""Longest side of a thumbnail, in pixels: enough to compare by region and to show in a page of hundreds."""
THUMBNAIL_QUALITY = 75
HASH_SIDE = 64
"""Side of the square that the DCT hash is taken from, and the shortest side that decoding must leave."""
FREQUENCIES = 16
"""The DCT hash holds FREQUENCIES² bits."""
SPECTRUM = 24
"""Frequencies a side that the hashes of parts of the picture are derived from."""
DEAD_ZONE = 0.1
"""A frequency is heard when it exceeds this share of their root mean square. Symmetric drawings have many that are nothing
but rounding: of the 135 pairs of one flag in two sizes, 53 % lie within 23 bits without a dead zone, all with this one."""
LOW_DETAIL = 3.0
"""Grey levels of contrast below which hashes say nothing: such pictures are compared by their pixels alone. Of the test
pictures, every photo has more than 9."""
THIN_SIDE = 32
"""A long strip is not made thinner than this while it is made shorter."""
MAX_JPEG_PIXELS = 250_000_000
"""A JPEG with more pixels is not decoded, even at a reduced scale; the largest phone cameras make 200 million."""
GROUND = (255, 255, 255)
"""What shows through transparent pixels: white, as on most pages."""

RECIPE = Recipe(
    name="imgindex",
    version=2,
    parameters=f"lanczos3 dhash8 dct{FREQUENCIES}of{HASH_SIDE} dead{DEAD_ZONE} views{SPECTRUM} flat{LOW_DETAIL}"
    f" thumb{THUMBNAIL_SIDE}q{THUMBNAIL_QUALITY} ground255",
)
