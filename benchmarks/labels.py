"""The labelled pairs of the test pictures in `../shared/data` (or IMGINDEX_TEST_DATA), under one set of labels."""

from __future__ import annotations

import csv
import itertools
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pictures import DATA

PHOTO_FOLDERS = ("photos_caltech_pairs", "photos_clothing", "photos_trashnet_pairs", "copies_lene")
NOT_JUDGED = ("unsure", "burst", "not_comparable_sizes_differ")
"""Left out of scores, as the data's own README says."""


class Pair(NamedTuple):
    """Two files and what people say of them."""

    left: str
    """Relative to `DATA`."""
    right: str
    label: str

    @property
    def sets_thresholds(self) -> bool:
        """True for the half of the pairs that thresholds may be set on; the other half checks them."""
        return zlib.crc32("|".join(sorted(self[:2])).encode()) % 2 == 0


def labelled_pairs() -> list[Pair]:
    """Every pair that is judged, once; finer labels outrank coarse ones."""
    found: dict[frozenset[str], Pair] = {}
    for pair in (*_finer(), *_listed(), *_formats(), *_grouped()):
        found.setdefault(frozenset(pair[:2]), pair)
    return [pair for pair in found.values() if pair.label not in NOT_JUDGED and not pair.label.startswith("pillow")]


def _rows(name: str) -> list[dict[str, str]]:
    with open(DATA / name, newline="") as stream:
        return list(csv.DictReader(stream))


def _finer() -> Iterator[Pair]:
    for folder in PHOTO_FOLDERS[:2]:
        for row in _rows(f"{folder}/pairs_kinds.csv"):
            yield Pair(f"{folder}/{row['a']}", f"{folder}/{row['b']}", row["label"])


def _listed() -> Iterator[Pair]:
    for folder, name in zip(PHOTO_FOLDERS, ("pairs", "pairs_lookalike", "pairs", "pairs"), strict=True):
        for row in _rows(f"{folder}/{name}.csv"):
            label = {"mirror": "flipped"}.get(row["label"], row["label"])
            yield Pair(f"{folder}/{row['a']}", f"{folder}/{row['b']}", label)


def _formats() -> Iterator[Pair]:
    for row in _rows("formats_imagers/pairs.csv"):
        label = row["label_measured_with_pillow13"]
        yield Pair(f"formats_imagers/{row['a']}", f"formats_imagers/{row['b']}", label)


def _grouped() -> Iterator[Pair]:
    for name, label in (
        ("copies_rand_resize/groups.csv", "near"),
        ("orientation_recurser/groups.csv", "near"),
        ("lowinfo_flags/groups.csv", "near"),
        ("lowinfo_plots/same_pixels.csv", "same_pixels"),
        ("lowinfo_tabler/same_pixels.csv", "same_pixels"),
        ("same_bytes.csv", "same_bytes"),
    ):
        groups: dict[str, list[str]] = defaultdict(list)
        for row in _rows(name):
            groups[row["group"]].append(str(Path(name).parent / row["path"]))
        for members in groups.values():
            yield from (Pair(*two, label) for two in itertools.combinations(members, 2))
    bridge = [row for row in _rows("copies_pdq/groups.csv") if row["group"] == "bridge"]
    for row in bridge[1:]:
        yield Pair(f"copies_pdq/{bridge[0]['path']}", f"copies_pdq/{row['path']}", row["relation_to_original"])
