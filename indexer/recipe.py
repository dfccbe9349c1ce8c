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
THIN_SIDE = 32
"""A long strip is not made thinner than this while it is made shorter."""
GROUND = (255, 255, 255)
"""What shows through transparent pixels: white, as on most pages."""

RECIPE = Recipe(
    name="imgindex",
    version=1,
    parameters=f"lanczos3 dhash8 dct{FREQUENCIES}of{HASH_SIDE} thumb{THUMBNAIL_SIDE}q{THUMBNAIL_QUALITY} ground255",
)
