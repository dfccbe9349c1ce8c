"""Precision and recall of matching by kind, on labelled pairs and on edits made from real photos, beside plain rules.

    python benchmarks/accuracy.py [--photos 200] [--part set|check|all] [--markdown FILE]

Everything goes through the index as a user's pictures do. Thresholds may be set on the part `set` of the labelled pairs;
`check` is the rest. The plain rules are those that people use: equal dHash, pHash of 64 bits within 10, pHash of 256 bits
within 31, all by imagehash on the same files.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from edits import EDITS, saved
from labels import Pair, labelled_pairs
from pictures import DATA
from PIL import Image, ImageOps

from indexer import Index

AT_ONCE = 4
"""Edits that are indexed together; all of them are matched with each other too."""
PLAIN = ("equal dHash", "pHash-64 ≤ 10", "pHash-256 ≤ 31")
FOUND_LABELS = ("same_bytes", "same_pixels", "near", "same")
SAME_LABELS = ("same_bytes", "same_pixels", "same")
WRONG_LABELS = ("distinct", "different", "recoloured")
DOUBTFUL_LABELS = ("edited", "variant")


class Kinds:
    """What an index says of pairs of files."""

    def __init__(self, path: Path, base: Path) -> None:
        """Reads an index; paths are relative to `base`."""
        self._base = base
        with contextlib.closing(sqlite3.connect(path)) as db:
            rows = db.execute(
                "SELECT root.path, folder.path, file.name, content.id, content.digest, content.look FROM file"
                " JOIN folder ON folder.id = folder_id JOIN root ON root.id = root_id"
                " JOIN content ON content.id = content_id WHERE file.state = 1"
            )
            self._files = {
                Path(path.parent, *map(_text, parts)).resolve(): rest
                for *parts, rest in ((r[0], r[1], r[2], r[3:]) for r in rows)
            }
            self._looks = dict(db.execute("SELECT id, look FROM content"))
            self._matches = {
                frozenset((self._looks[a], self._looks[b])): (kind, evidence)
                for a, b, kind, evidence in db.execute('SELECT a_id, b_id, kind, evidence FROM "match"')
            }

    def __call__(self, left: str, right: str) -> str | None:
        """The kind of match, `-` for none, None when a file cannot be read."""
        found = [self._files.get((self._base / path).resolve()) for path in (left, right)]
        if found[0] is None or found[1] is None:
            return None
        if found[0][1] == found[1][1]:
            return "bytes"
        if found[0][2] == found[1][2]:
            return "same"
        return self._matches.get(frozenset((found[0][2], found[1][2])), ("-", ""))[0]


def _text(value: str | bytes) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


def plain_hashes(path: Path) -> tuple[object, ...] | None:
    """dHash, pHash of 64 bits and pHash of 256 bits, as people take them."""
    import imagehash

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                upright = ImageOps.exif_transpose(picture).convert("RGB")
    except Exception:  # noqa: BLE001 - whatever Pillow raises, there is no hash
        return None
    return imagehash.dhash(upright), imagehash.phash(upright), imagehash.phash(upright, hash_size=16)


def plain_answers(left: tuple | None, right: tuple | None) -> tuple[bool, ...]:
    """What each plain rule says."""
    if left is None or right is None:
        return (False,) * len(PLAIN)
    distances = [a - b for a, b in zip(left, right, strict=True)]
    return distances[0] == 0, distances[1] <= 10, distances[2] <= 31


def indexed(folder: Path, database: Path) -> Kinds:
    """The kinds of all pairs in a folder."""
    Index(database).update(folder)
    return Kinds(database, folder)


def measure_labels(kinds: Callable[[str, str], str | None], part: str) -> Iterator[str]:
    """The table of labelled pairs, and how they stand to what is asked."""
    pairs = [pair for pair in labelled_pairs() if part == "all" or pair.sets_thresholds == (part == "set")]
    answers = [(pair, kind) for pair in pairs if (kind := kinds(pair.left, pair.right)) is not None]
    hashes: dict[str, tuple | None] = {}
    for pair, _kind in answers:
        for path in pair[:2]:
            if path not in hashes:
                hashes[path] = plain_hashes(DATA / path)
    columns = ("bytes", "same", "recoloured", "flipped", "rotated", "edited", "-")
    yield f"Labelled pairs ({part})\n"
    yield "| label | pairs | " + " | ".join((*columns[:-1], "none", *PLAIN)) + " |"
    yield "|---|" + "--:|" * (len(columns) + 1 + len(PLAIN))
    for label in sorted({pair.label for pair in pairs}):
        some = [(pair, kind) for pair, kind in answers if pair.label == label]
        counts = collections.Counter(kind for _pair, kind in some)
        plain = np.sum([plain_answers(hashes[p.left], hashes[p.right]) for p, _ in some] or [(0, 0, 0)], axis=0)
        yield (
            f"| {label} | {len(some)} | "
            + " | ".join(str(n or "") for n in (*(counts[c] for c in columns), *plain))
            + " |"
        )
    yield ""
    yield from _against_aims(answers)


def _against_aims(answers: list[tuple[Pair, str]]) -> Iterator[str]:
    def share(labels: Iterable[str], right: Callable[[str], bool]) -> str:
        some = [right(kind) for pair, kind in answers if pair.label in labels]
        return f"{sum(some)} of {len(some)} ({100 * sum(some) / max(1, len(some)):.1f} %)"

    pruned = {"bytes", "same"}
    yield f"- {', '.join(FOUND_LABELS)}: matched with some kind {share(FOUND_LABELS, lambda kind: kind != '-')}"
    yield f"- {', '.join(SAME_LABELS)}: bytes or same {share(SAME_LABELS, pruned.__contains__)}"
    yield f"- {', '.join(WRONG_LABELS)}: bytes or same {share(WRONG_LABELS, pruned.__contains__)}"
    yield f"- {', '.join(DOUBTFUL_LABELS)}: bytes or same {share(DOUBTFUL_LABELS, pruned.__contains__)}"
    wrong = [pair for pair, kind in answers if kind in pruned and pair.label in WRONG_LABELS + DOUBTFUL_LABELS]
    missed = [pair for pair, kind in answers if kind == "-" and pair.label in FOUND_LABELS]
    yield from (f"  - wrong: {pair.label}: {pair.left} {pair.right}" for pair in wrong)
    yield from (f"  - missed: {pair.label}: {pair.left} {pair.right}" for pair in missed)


def photos(count: int) -> list[Path]:
    """Different photos, spread over the classes."""
    paths = sorted(DATA.glob("photos_clothing/**/*.jpg"))
    return [paths[i] for i in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)]


def measure_edits(folder: Path, count: int) -> Iterator[str]:
    """The table of edits: how many are found with a right kind, and by each plain rule."""
    chosen = photos(count)
    first = [plain_hashes(path) for path in chosen]
    yield f"Edits of {len(chosen)} photos\n"
    yield "| edit | found as wanted | asked | found as another kind | not found | " + " | ".join(PLAIN) + " |"
    yield "|---|--:|--:|---|--:|" + "--:|" * len(PLAIN)
    names = list(EDITS)
    wrong: collections.Counter[str] = collections.Counter()
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        place = folder / str(start)
        _write_edits(place, chosen, some)
        kinds = indexed(place, folder / f"{start}.db")
        for name in some:
            yield _edit_row(name, place, kinds, first)
        wrong += _between_photos(kinds, place, len(chosen))
        shutil.rmtree(place)
    told = ", ".join(f"{kind} {number}" for kind, number in wrong.items()) or "none"
    yield f"\nPairs of different photos among them that were given a kind: {told}"


def _write_edits(place: Path, chosen: list[Path], names: list[str]) -> None:
    """Each photo in a folder of its own, with some edits of it."""
    for number, path in enumerate(chosen):
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
        (place / f"{number}").mkdir(parents=True)
        shutil.copy(path, place / f"{number}" / "photo.jpg")
        for name in names:
            random = np.random.default_rng((number, list(EDITS).index(name)))
            data = saved(EDITS[name].change(picture, random), EDITS[name])
            _edited(place, number, name).write_bytes(data)


def _edited(place: Path, number: int, name: str) -> Path:
    ending = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif"}[EDITS[name].format]
    return place / f"{number}" / f"{list(EDITS).index(name)}.{ending}"


def _edit_row(name: str, place: Path, kinds: Kinds, first: list[tuple | None]) -> str:
    edit = EDITS[name]
    files = [_edited(place, number, name) for number in range(len(first))]
    found = [kinds(str(file.parent / "photo.jpg"), str(file)) or "-" for file in files]
    plain = np.mean([plain_answers(a, plain_hashes(b)) for a, b in zip(first, files, strict=True)], axis=0)
    right = sum(kind in edit.right for kind in found) / len(found)
    others = collections.Counter(kind for kind in found if kind not in edit.right and kind != "-")
    told = ", ".join(f"{kind} {number}" for kind, number in others.most_common())
    aim = f"{100 * edit.aim:.1f}" if edit.aim else ""
    return (
        f"| {name} | {100 * right:.1f} | {aim} | {told} | {found.count('-') or ''} | "
        + " | ".join(f"{100 * share:.0f}" for share in plain)
        + " |"
    )


def _between_photos(kinds: Kinds, folder: Path, count: int) -> collections.Counter[str]:
    """The kinds that pairs of different photos were given."""
    names = [str(folder / f"{number}" / "photo.jpg") for number in range(count)]
    counts = collections.Counter(kinds(a, b) or "-" for place, a in enumerate(names) for b in names[place + 1 :])
    del counts["-"]
    return counts


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--part", choices=["set", "check", "all"], default="all")
    parser.add_argument("--only", choices=["labels", "edits"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if options.only != "edits":
            kinds = indexed(DATA, Path(place) / "labels.db")
            for part in ("set", "check") if options.part == "all" else (options.part,):
                for line in measure_labels(kinds, part):
                    print(line)
                print()
        if options.only != "labels":
            for line in measure_edits(Path(place) / "edits", options.photos):
                print(line)


if __name__ == "__main__":
    main()
