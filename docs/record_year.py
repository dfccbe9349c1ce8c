"""Lives through a year of twenty scrapes, compares every report with the truth, and writes what was found.

    python docs/record_year.py [--data ../shared/data/photos_clothing] [--size 4] [--page docs/year.md]

The scrapes are those of `tests/year.py`, `--size` times as large; the photos those of `clothing-dataset-small` (CC0).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import mean

HOME = Path(__file__).parent.parent
sys.path.insert(0, str(HOME / "tests"))

from support import settle
from test_year import SCRAPES, tend, told
from year import Year

from indexer import Index
from indexer.brought import Brought

INTRODUCTION = """# A year of scrapes

Recorded by `docs/record_year.py`. Twenty scrapes come into one data set; each brings, of real photos (clothing-dataset-small,
CC0) and drawn pictures, {size} times: 6 new pictures, 2 byte copies of what is there, 3 pictures that are there saved again (one of
them smaller), one in full size of which there was a smaller version, one mirrored, one turned, one in grey, one with words written
on it, one that somebody deleted by hand before, one that was rejected before, and one file that is cut off or no picture.
Before each scrape, {twice} files are renamed into other folders, and {size} pictures are deleted with all their files.
After it, what returned is pruned; after every third one, {size} pictures are rejected; now and then `upgrades` puts larger versions
in place, and `prune` takes the surplus.

What each file is, is known because the simulation made it (`tests/year.py`). A report is right when it says just that of each file.
The tests live through the same year in a smaller size at each change of the code, and compare what moved, too.
"""


def lived(place: Path, data: Path, size: int) -> tuple[Year, list[str], list[float], list[float]]:
    """The year, a line for each scrape, and the seconds of each run and of one more that finds nothing new."""
    year = Year(place / "photos", sorted((data / "train").rglob("*.jpg")), size=size)
    index, lines, runs, idle = Index(place / "imgindex.db"), [], [], []
    for number in range(SCRAPES):
        year.between()
        scrape = year.scrape()
        label = f"scrape-{number + 1:02}"
        found = index.update(year.photos, label=label)
        settle(index)
        right = sum(told(year, index, label).get(path) == outcome for path, outcome in scrape.outcomes.items())
        truth = Counter(scrape.outcomes.values())
        tend(year, index, number)
        settle(index)
        again = index.update(year.photos)
        assert (again.new, again.decoded) == (0, 0)
        runs.append(found.seconds)
        idle.append(again.seconds)
        counts = " | ".join(str(truth[outcome]) for outcome in Brought)
        lines.append(
            f"| {number + 1} | {found.files} | {counts} | {right} of {len(scrape.outcomes)} | {found.decoded} of"
            f" {scrape.decoded} | {found.seconds:.2f} | {again.seconds:.2f} |"
        )
    return year, lines, runs, idle


def page(place: Path, data: Path, size: int) -> str:
    """The page."""
    _year, lines, runs, idle = lived(place, data, size)
    names = " | ".join(str(outcome) for outcome in Brought)
    head = f"| scrape | files | {names} | right | decoded | s | no-op, s |\n|{'---|' * (len(list(Brought)) + 6)}"
    early, late = slice(2, 7), slice(-5, None)
    times = (
        f"Runs 3 to 7 took {mean(runs[early]):.2f} s on average and the last five {mean(runs[late]):.2f} s; runs that find"
        f" nothing new {mean(idle[early]):.2f} s and {mean(idle[late]):.2f} s."
    )
    return (
        f"{INTRODUCTION.format(size=size, twice=2 * size)}\n{head}\n"
        + "\n".join(lines)
        + "\n\n*Right*: files of which the report says what is true. *Decoded*: pictures that the run decoded, of those whose bytes\n"
        f"were never there. {times}\n\nThe trend, as `imgindex report --trend` prints it:\n\n```console\n"
        f"$ imgindex report --trend\n{printed(place, 'report', '--trend')}```\n"
    )


def printed(place: Path, *arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "indexer", *arguments, "--db", str(place / "imgindex.db")]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HOME.parent / "shared" / "data" / "photos_clothing")
    parser.add_argument("--size", type=int, default=4)
    parser.add_argument("--page", type=Path, default=HOME / "docs" / "year.md")
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"the photos are not here: {options.data}")
    with tempfile.TemporaryDirectory() as place:
        options.page.write_text(page(Path(place), options.data, options.size))


if __name__ == "__main__":
    main()
