"""imgindex beside what pip installs for the same job: time, memory, planted duplicates found, and wrong reports.

    python benchmarks/peers.py [--count 3000] [--rounds 3] [--folder /tmp/imgindex-peers]

Every tool has its own virtual environment and is run as whole programs, in turn, by its documented command or call, with
the settings that the table names; a tool that cannot be installed or fails keeps its row, with the reason.

The pictures are ninths of real photos that show different things, each enlarged to 400 to 500 pixels and saved as JPEG,
the most detailed ninths first. No two overlap, so a pair that is reported between two of them is wrong, however alike
they are. To these come copies of some of them, each edited in one way: the planted duplicates.

Memory is the largest sum, over the processes of a tool, of their proportional set sizes, so that a page which several
processes share is counted once.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

CHECKOUT = Path(__file__).resolve().parent.parent
GRID = 3
NEW_SHARE = 100
LIMIT_S = 120
SLOW_S = 60
KINDS = "bytes,same,recoloured,flipped,rotated,edited"

Groups = list[list[str]]
Truth = dict[str, tuple[str, str]]


# The pictures


def clothing_photos() -> list[Path]:
    """The photos that show different things: all of that folder but two shots of one garment."""
    import pictures

    home = pictures.DATA / "photos_clothing"
    with (home / "pairs_lookalike.csv").open(newline="") as stream:
        variants = {row[side] for row in csv.DictReader(stream) if row["label"] == "variant" for side in "ab"}
    return sorted(path for path in home.rglob("*.jpg") if str(path.relative_to(home)) not in variants)


def ninths(photo: Path) -> list[Image.Image]:
    """The parts of a photo that do not overlap, the one with the most detail first."""
    from PIL import Image, ImageStat

    with Image.open(photo) as picture:
        whole = picture.convert("RGB")
    width, height = whole.width // GRID, whole.height // GRID
    corners = [(column * width, row * height) for row in range(GRID) for column in range(GRID)]
    parts = [whole.crop((left, top, left + width, top + height)) for left, top in corners]
    return sorted(parts, key=lambda part: ImageStat.Stat(part.convert("L")).var[0], reverse=True)


def different_pictures(count: int) -> Iterator[Image.Image]:
    """A number of different pictures, 400 to 500 pixels long."""
    photos = [ninths(photo) for photo in clothing_photos()]
    parts = [photo[rank] for rank in range(GRID * GRID) for photo in photos]
    if count > len(parts):
        raise SystemExit(f"{len(photos)} photos give {len(parts)} different pictures, not {count}")
    for number, part in enumerate(parts[:count]):
        side = 400 + number * 37 % 101
        yield scaled(part, side / max(part.size))


def scaled(picture: Image.Image, scale: float) -> Image.Image:
    """The picture at another size."""
    return picture.resize((round(picture.width * scale), round(picture.height * scale)))


def save_again(picture: Image.Image, number: int) -> tuple[Image.Image, str, int]:
    """Half of them as JPEG of quality 40 to 85, a quarter each as PNG and WebP."""
    return picture, (".jpg", ".png", ".jpg", ".webp")[number % 4], 40 + number * 7 % 46


def resize(picture: Image.Image, number: int) -> tuple[Image.Image, str, int]:
    """Half of them at half the size, half at 150 pixels."""
    return scaled(picture, 0.5 if number % 2 else 150 / max(picture.size)), ".jpg", 90


def squeeze(picture: Image.Image, _number: int) -> tuple[Image.Image, str, int]:
    """A square, as loaders make it."""
    return picture.resize((min(picture.size),) * 2), ".jpg", 90


def mirror(picture: Image.Image, _number: int) -> tuple[Image.Image, str, int]:
    """Left and right exchanged."""
    from PIL import ImageOps

    return ImageOps.mirror(picture), ".jpg", 90


def turn(picture: Image.Image, number: int) -> tuple[Image.Image, str, int]:
    """Half of them a quarter turn left, half right."""
    return picture.rotate(90 if number % 2 else 270, expand=True), ".jpg", 90


def add_border(picture: Image.Image, number: int) -> tuple[Image.Image, str, int]:
    """5 % of the longer side, white or black."""
    from PIL import ImageOps

    return ImageOps.expand(picture, max(picture.size) // 20, ("white", "black")[number % 2]), ".jpg", 90


def add_text(picture: Image.Image, _number: int) -> tuple[Image.Image, str, int]:
    """A small mark in the lower right corner."""
    from PIL import ImageDraw, ImageFont

    marked = picture.copy()
    place = (picture.width - 8, picture.height - 8)
    ImageDraw.Draw(marked).text(
        place, "example.org", "white", ImageFont.load_default(16), "rs", stroke_width=1, stroke_fill="black"
    )
    return marked, ".jpg", 90


def crop(picture: Image.Image, _number: int) -> tuple[Image.Image, str, int]:
    """2.5 % off each side."""
    width, height = picture.width // 40, picture.height // 40
    return picture.crop((width, height, picture.width - width, picture.height - height)), ".jpg", 90


PLANTS: dict[str, tuple[int, Callable[[Image.Image, int], tuple[Image.Image, str, int]] | None]] = {
    "bytes": (60, None),
    "saved again": (60, save_again),
    "resized": (60, resize),
    "squeezed": (30, squeeze),
    "mirrored": (30, mirror),
    "turned": (30, turn),
    "border": (30, add_border),
    "text": (30, add_text),
    "cropped": (30, crop),
}


def make_pictures(home: Path, count: int) -> Truth:
    """Makes `home/set/pictures` and `home/new`, unless they are there; the source and kind of each planted file."""
    listing = home / "truth.json"
    if not listing.exists():
        shutil.rmtree(home, ignore_errors=True)
        place = home / "set" / "pictures"
        place.mkdir(parents=True)
        (home / "new").mkdir()
        for number, picture in enumerate(different_pictures(count + count // NEW_SHARE)):
            picture.save((place if number < count else home / "new") / f"{number:05}.jpg", quality=90)
        listing.write_text(json.dumps(plant(place, count)))
    return {name: (source, kind) for name, (source, kind) in json.loads(listing.read_text()).items()}


def plant(place: Path, count: int) -> Truth:
    """Adds the planted duplicates, each of a picture of its own."""
    from PIL import Image

    kinds = [kind for kind, (number, _edit) in PLANTS.items() for _ in range(number)]
    truth = {}
    for number, kind in enumerate(kinds):
        source = place / f"{number * (count // len(kinds)):05}.jpg"
        edit = PLANTS[kind][1]
        if edit is None:
            target = place / f"1{number:05}.jpg"
            shutil.copyfile(source, target)
        else:
            with Image.open(source) as picture:
                edited, ending, quality = edit(picture.convert("RGB"), number)
            target = place / f"1{number:05}{ending}"
            edited.save(target, quality=quality)
        truth[target.name] = (source.name, kind)
    return truth


# The peers' calls, run by the peers' own Python: each prints its groups as the last line


def run_imgdd(folder: str) -> Groups:
    """`imgdd.dupes` as its README has it: a dictionary of equal hashes."""
    import imgdd

    return list(imgdd.dupes(path=folder).values())


def run_imgcheck(folder: str, *, turned: bool = False, clustering: str = "single") -> Groups:
    """What `imgcheck clean` does, without its copies of the pictures and its spreadsheet."""
    import imgcheck

    paths = imgcheck.get_image_paths(os.path.join(folder, "pictures"), imgcheck.DEFAULT_EXTENSIONS)
    hashes = imgcheck.compute_hashes(paths, rotation_invariant=turned, use_cache=True)
    return [cluster.members for cluster in imgcheck.cluster_duplicates(hashes, threshold=3, method=clustering)]


def run_imgcheck_turned(folder: str) -> Groups:
    """The same, with the clustering that its README recommends."""
    return run_imgcheck(folder, turned=True, clustering="medoid")


def run_difpy(folder: str, **options: object) -> Groups:
    """`difPy.build` and `difPy.search`: pairs of a picture and each of its duplicates."""
    import difPy

    found = difPy.search(difPy.build(folder, show_progress=False), show_progress=False, **options).result
    return [[first, match[0]] for first, matches in found.items() for match in matches]


def run_difpy_similar(folder: str) -> Groups:
    """The same, with what its documentation offers for pictures that are alike: 5 is its own number."""
    return run_difpy(folder, similarity="similar", same_dim=False)


def run_imagededup(folder: str) -> Groups:
    """`PHash` as its quick start has it: pairs of a picture and each of its duplicates."""
    from imagededup.methods import PHash

    found = PHash(verbose=False).find_duplicates(image_dir=folder, recursive=True)
    return [[first, match] for first, matches in found.items() for match in matches]


CALLS = {
    "imgdd": run_imgdd,
    "imgcheck": run_imgcheck,
    "imgcheck-turned": run_imgcheck_turned,
    "difPy": run_difpy,
    "difPy-similar": run_difpy_similar,
    "imagededup": run_imagededup,
}


# The programs


@dataclass
class Tool:
    """A row of the table: a package, the settings it is run with, and what became of it."""

    package: str
    settings: str
    commands: list[list[str]]  # the first word is a program of the package's environment; {} is the folder
    groups: Callable[[str], Groups]
    version: str = ""
    failure: str = ""
    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    megabytes: float = 0
    found: Counter[str] = field(default_factory=Counter)
    wrong_pairs: int = 0
    wrong_files: int = 0

    def __str__(self) -> str:
        """Its latest times, for those who wait."""
        times = ", ".join(f"{taken[-1]:.1f} s" for taken in (self.first, self.again) if taken)
        return f"{self.package}, {self.settings}: {times} {self.failure}"


def last_line(output: str) -> Groups:
    """The groups that `--run` prints."""
    return json.loads(output.splitlines()[-1])


def imgindex_groups(output: str) -> Groups:
    """The groups of `imgindex dups --json`."""
    groups = map(json.loads, output.splitlines())
    return [[group["keep"], *(surplus["path"] for surplus in group["surplus"])] for group in groups]


def tools(environments: Path) -> list[Tool]:
    """All rows; needs the environment of imgindex, to ask it for its options."""
    index = ["imgindex", "index", "{}", "--db", "index.db", "-q"]
    dups = ["imgindex", "dups", "--db", "index.db", "--json"]
    rows = [Tool("imgindex", "default", [index, dups], imgindex_groups)]
    asked = subprocess.run(
        [program(environments, "imgindex", "imgindex"), "dups", "--help"], capture_output=True, check=False
    )
    if b"--kinds" in asked.stdout:
        rows.append(Tool("imgindex", "all kinds", [index, [*dups, "--kinds", KINDS]], imgindex_groups))
    find_dups = ["find-dups", "{}", "--parallel", "--hash-db", "hashes.json"]
    dedup_ai = ["image-dedup-ai", "{}", "--index", "photos.idx", "--json"]
    return [
        *rows,
        called("imgdd", "imgdd", "default: equal dHash; no cache"),
        called("imgcheck", "imgcheck", "default: pHash ≤ 3 bits, chained; cache"),
        called("imgcheck", "imgcheck-turned", "rotation-invariant, medoid; cache"),
        Tool("image-dedup-ai", "default: pHash ≥ 0.9; index", [dedup_ai], lambda output: json.loads(output)["groups"]),
        Tool(
            "duplicate-images",
            "default: equal pHash; parallel; hash-db",
            [find_dups],
            lambda output: [*map(str.split, output.splitlines())],
        ),
        called("imagededup", "imagededup", "PHash, default: ≤ 10 bits; no cache"),
        called("difPy", "difPy", "default: MSE 0, same size; no cache"),
        called("difPy", "difPy-similar", "similar: MSE ≤ 5, any size; no cache"),
    ]


def called(package: str, call: str, settings: str) -> Tool:
    """A row whose package is called from Python."""
    return Tool(package, settings, [["python", str(Path(__file__).resolve()), "--run", call, "{}"]], last_line)


def program(environments: Path, package: str, name: str) -> str:
    """The path of a program of a package's environment."""
    return str(environments / package / "bin" / name)


def install(environments: Path, package: str) -> str:
    """Makes a package's environment, unless it is there; why it failed, or nothing."""
    done = environments / package / "installed"
    if done.exists() and package != "imgindex":
        return ""
    subprocess.run([sys.executable, "-m", "venv", str(environments / package)], check=True)
    wanted = str(CHECKOUT) if package == "imgindex" else package
    pip = [program(environments, package, "python"), "-m", "pip", "install", "--quiet", wanted]
    run = subprocess.run(pip, capture_output=True, text=True, check=False)
    if run.returncode:
        return f"cannot be installed: {reason(run.stderr)}"
    done.touch()
    return ""


def version(environments: Path, package: str) -> str:
    """The version of an installed package."""
    ask = f"import importlib.metadata; print(importlib.metadata.version('{package}'))"
    command = [program(environments, package, "python"), "-c", ask]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def reason(text: str) -> str:
    """The last line of an error output."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "no message"


# Measuring


def memory_of(session: int) -> int:
    """Bytes of the processes of a session that are there now, shared pages counted once."""
    total = 0
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and int(entry) >= session and os.getsid(int(entry)) == session:
                rollup = Path(f"/proc/{entry}/smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0]) * 1024
        except (OSError, IndexError):  # it has ended
            continue
    return total


class Watch:
    """Samples the memory of a program every 20 ms, or more seldom where a sample takes more than 1 ms."""

    def __init__(self, session: int) -> None:
        """Starts to watch."""
        self.peak = 0
        self._session = session
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            started = time.perf_counter()
            self.peak = max(self.peak, memory_of(self._session))
            pause = max(0.02, 20 * (time.perf_counter() - started))

    def stop(self) -> int:
        """Stops to watch; the peak in bytes."""
        self._over.set()
        self._thread.join()
        return self.peak


def run(tool: Tool, environments: Path, folder: Path, state: Path) -> tuple[float, str]:
    """Runs the programs of a tool one after the other: their seconds, and what the last one printed."""
    seconds, output = 0.0, ""
    for first, *rest in tool.commands:
        command = [
            program(environments, tool.package, first),
            *(str(folder) if word == "{}" else word for word in rest),
        ]
        with (state / "output").open("w+") as out, (state / "errors").open("w+") as errors:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=out, stderr=errors, cwd=state, start_new_session=True)
            limit = threading.Timer(LIMIT_S, os.killpg, (process.pid, signal.SIGKILL))
            limit.start()
            watch = Watch(process.pid)
            code = process.wait()
            seconds += time.perf_counter() - started
            limit.cancel()
            tool.megabytes = max(tool.megabytes, watch.stop() / 1e6)
            output = (state / "output").read_text()
            if code:
                ran_out = time.perf_counter() - started >= LIMIT_S
                tool.failure = f"stopped after {LIMIT_S} s" if ran_out else reason((state / "errors").read_text())
                break
    return seconds, output


def measure(tool: Tool, environments: Path, home: Path, state: Path, truth: Truth) -> None:
    """One first run of a tool, and one after new pictures came."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    seconds, output = run(tool, environments, home / "set", state)
    if tool.failure:
        return
    tool.first.append(seconds)
    score(tool, tool.groups(output), truth)
    added = [Path(shutil.copy(path, home / "set" / "pictures")) for path in sorted((home / "new").iterdir())]
    try:
        seconds, _output = run(tool, environments, home / "set", state)
    finally:
        for path in added:
            path.unlink()
    if not tool.failure:
        tool.again.append(seconds)


def score(tool: Tool, groups: Groups, truth: Truth) -> None:
    """Counts the planted pairs that were reported, and the pairs of files that do not come from the same picture."""
    names = [sorted({Path(path).name for path in group}) for group in groups]
    pairs = {pair for group in names for pair in itertools.combinations(group, 2)}
    planted = {tuple(sorted((name, source))): kind for name, (source, kind) in truth.items()}
    wrong = pairs - planted.keys()
    tool.found = Counter(planted[pair] for pair in pairs & planted.keys())
    tool.wrong_pairs, tool.wrong_files = len(wrong), len(set(itertools.chain(*wrong)))


# The tables


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main_row(tool: Tool) -> list[str]:
    """What a tool took and reported, or why it did not."""
    name = [f"{tool.package} {tool.version}", tool.settings]
    if not tool.first:
        return [*name, tool.failure, "", "", "", ""]
    return [
        *name,
        f"{statistics.median(tool.first):.1f} s",
        tool.failure or f"{statistics.median(tool.again):.1f} s",
        f"{tool.megabytes:.0f} MB",
        str(tool.found.total()),
        f"{tool.wrong_pairs} ({tool.wrong_files})",
    ]


def kinds_row(tool: Tool) -> list[str]:
    """How many of each kind of planted duplicate a tool found."""
    return [tool.package, tool.settings, *(str(tool.found[kind]) if tool.first else "" for kind in PLANTS)]


def report(rows: list[Tool], count: int, rounds: int) -> None:
    """Prints the tables."""
    planted, new = sum(number for number, _edit in PLANTS.values()), count // NEW_SHARE
    print(f"\n{count:,} different pictures and {planted} planted duplicates; then {new} new pictures more.")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(tz=UTC):%B %Y};", end=" ")
    print(f"medians of {rounds} rounds, one round where a run takes more than {SLOW_S} s.")
    print("Each is what pip installs in full: imagededup with torch, which its hashing loads and does not use.\n")
    head = ["tool", "settings", "first run", f"{new} new", "memory", f"found of {planted}", "wrong pairs (files)"]
    print(table(head, map(main_row, rows)))
    print("\nPlanted duplicates found, by kind:\n")
    head = ["tool", "settings", *(f"{kind} ({number})" for kind, (number, _edit) in PLANTS.items())]
    print(table(head, map(kinds_row, rows)))


def main() -> None:
    """Installs the tools, makes the pictures and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/imgindex-peers"))
    parser.add_argument("--run", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print("\n" + json.dumps(CALLS[options.run[0]](options.run[1])))
        return
    if options.count < sum(number for number, _edit in PLANTS.values()):
        parser.error("too few pictures to plant a duplicate of each kind")
    environments, home = options.folder / "venvs", options.folder / f"pictures-{options.count}"
    failures = {"imgindex": install(environments, "imgindex")}
    truth = make_pictures(home, options.count)
    rows = tools(environments)
    for tool in rows:
        if tool.package not in failures:
            failures[tool.package] = install(environments, tool.package)
        tool.failure = failures[tool.package]
        tool.version = version(environments, tool.package)
    for turn_number, tool in itertools.product(range(options.rounds), rows):
        if not tool.failure and not (turn_number and max(tool.first + tool.again) > SLOW_S):
            measure(tool, environments, home, options.folder / "state", truth)
            print(f"round {turn_number + 1}: {tool}", file=sys.stderr, flush=True)
    report(rows, options.count, options.rounds)


if __name__ == "__main__":
    main()
