"""Makes a data set with class folders, captions and annotations from real photos, prunes it, and writes what was printed.

    python docs/record_prune.py [--data ../shared/data/photos_clothing] [--page docs/prune-run.md]

The photos are those of `clothing-dataset-small` (CC0); without them, nothing is written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

HOME = Path(__file__).parent.parent
TRAIN = "clothes/train"
SECOND = "clothes/scrape-2"


def make(data: Path, place: Path) -> None:
    """The data set: a training split in class folders, and a second scrape that brings some of it again."""
    names = []
    for source in sorted((data / "train").glob("*/*.jpg")):
        target = place / TRAIN / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        os.utime(target, (1_700_000_000, 1_700_000_000))
        target.with_suffix(".txt").write_text(f"a photo of a {source.parent.name}\n")
        names.append(target)
    chosen = names[:: len(names) // 10][:10]
    for number, source in enumerate(chosen):
        _scraped_again(place, source, number, [path for path in names if path.parent != source.parent][0].parent.name)
    (place / SECOND / "hat").mkdir(parents=True, exist_ok=True)
    shutil.copy(sorted((data / "test" / "hat").glob("*.jpg"))[0], place / SECOND / "hat" / "new.jpg")
    _annotate(place)


def _scraped_again(place: Path, source: Path, number: int, other_class: str) -> None:
    """A copy of a picture in the second scrape: as it is, saved again, smaller, better captioned, or in the wrong class."""
    wrong = number == 7
    target = place / SECOND / (other_class if wrong else source.parent.name) / f"again-{number}.jpg"
    target.parent.mkdir(parents=True, exist_ok=True)
    if number % 3 == 0 or wrong:
        shutil.copy(source, target)
    elif number % 3 == 1:
        Image.open(source).save(target, quality=60)
    else:
        picture = Image.open(source)
        picture.resize((picture.width * 3 // 4, picture.height * 3 // 4)).save(target, quality=85)
    caption = source.with_suffix(".txt").read_text()
    more = {4: "on a wooden floor\n", 5: "seen from the front\n"}.get(number, "")
    target.with_suffix(".txt").write_text(caption + more)


def _annotate(place: Path) -> None:
    """A list of all pictures, and the same as COCO."""
    names = [str(path.relative_to(place / "clothes")) for path in sorted((place / "clothes").rglob("*.jpg"))]
    (place / "clothes" / "all.txt").write_text("".join(f"{name}\n" for name in names))
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    boxes = [{"id": number, "image_id": number, "bbox": [10, 10, 200, 200]} for number in range(len(names))]
    (place / "clothes" / "coco.json").write_text(json.dumps({"images": images, "annotations": boxes}))


def tree(place: Path) -> str:
    """One digest of all paths, bytes, permissions and modification times below a folder."""
    digest = hashlib.sha256()
    for path in sorted(place.rglob("*")):
        if path.is_file():
            status = path.stat()
            digest.update(f"{path.relative_to(place)} {status.st_mode} {status.st_mtime_ns} ".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def steps(place: Path) -> Iterator[str]:
    """The page, piece by piece."""
    count = len(list((place / "clothes").rglob("*.jpg")))
    yield f"""# A prune of real photos with classes and captions

Recorded by `docs/record_prune.py`. {count} photos of clothes (clothing-dataset-small, CC0) lie in class folders under
`clothes/train`, each with a caption of the same name. `clothes/scrape-2` brings ten of them again: as they are, saved again, or
smaller, two with a caption that says more, one in the wrong class folder. `clothes/all.txt` lists every picture, and
`clothes/coco.json` has a box for each.
"""
    start = tree(place / "clothes")
    yield _ran(place, "index clothes")
    yield "\nWhat `prune` would do. Two captions and a class folder disagree: these groups are left alone, and the exit code is 3.\n"
    yield _ran(place, "prune --prefer clothes/train")
    yield "\nThe labels that disagree, as lines for a script:\n"
    yield _ran(place, "conflicts --json")
    yield "\nCaptions can be merged; a wrong class cannot, so that group stays. Annotation files lose the rows of what is pruned.\n"
    command = "--prefer clothes/train --on-conflict merge --update clothes/all.txt --update clothes/coco.json"
    yield _ran(place, f"prune {command} --yes --quiet")
    yield _ran(place, "history --limit 1")
    yield "\nWhat lies in the quarantine now: pictures, their captions, and the former versions of what was rewritten.\n"
    yield _ran(place, "quarantine list")
    yield _ran(place, "quarantine verify")
    yield "\nA second prune finds nothing but the conflict, and an undo brings everything back: paths, bytes, permissions and\ntimes of all files, captions and annotations have the same digest as before.\n"
    yield _ran(place, "prune --prefer clothes/train --on-conflict merge --yes")
    yield _ran(place, "undo")
    yield f"\nDigest of the tree before: `{start}`, after: `{tree(place / 'clothes')}`.\n"
    yield "\nThe same by a plan file that a person looked through, and took a line out of:\n"
    yield _ran(place, "prune --prefer clothes/train --plan-out plan.jsonl")
    lines = (place / "plan.jsonl").read_text().splitlines(keepends=True)
    (place / "plan.jsonl").write_text("".join([*lines[:1], *lines[2:]]))
    yield _ran(place, "prune --plan plan.jsonl --yes --json")
    yield _ran(place, "prune --plan plan.jsonl --yes")
    yield _ran(place, "undo")
    yield f"\nDigest of the tree: `{tree(place / 'clothes')}`.\n"


def _ran(place: Path, arguments: str) -> str:
    """A command with what it printed and its exit code, as a block of the page."""
    ran = subprocess.run(
        [sys.executable, "-m", "indexer", *arguments.split()], cwd=place, capture_output=True, text=True, check=False
    )
    printed = re.sub(r"/tmp/\S*?/\.imgindex", ".imgindex", ran.stdout + ran.stderr)
    code = f"[exit code {ran.returncode}]\n" if ran.returncode else ""
    return f"\n```console\n$ imgindex {arguments}\n{printed}{code}```\n"


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HOME.parent / "shared" / "data" / "photos_clothing")
    parser.add_argument("--page", type=Path, default=HOME / "docs" / "prune-run.md")
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"the photos are not here: {options.data}")
    with tempfile.TemporaryDirectory() as place:
        make(options.data, Path(place))
        options.page.write_text("".join(steps(Path(place))))


if __name__ == "__main__":
    main()
