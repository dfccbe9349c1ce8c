"""Damages pictures at random and indexes them all in one run: nothing may crash, hang, start a program or go unexplained.

    python tests/faults/mutants.py --count 20000 --json
    python tests/faults/mutants.py --seconds 60

A mutant is a picture, real and odd or small, or drawn, with flipped bits, a cut, another one's header, a part that stands
in it again, another's second half, or extreme numbers; half of the PNGs get the checksums of what they now hold, so that
damage comes further than to these. The same seed and count give the same mutants.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from pictures import indexed, killed
from PIL import Image
from support import DATA

from indexer import Index
from indexer.decode import formats
from indexer.drawing import drawn, encoded

FOLDERS = ("odd_files", "formats_imagers", "copies_pdq", "orientation_recurser", "lowinfo_silk")
SMALL = 64 << 10
"""Bytes; larger pictures would only make the damage rarer."""
ENDINGS = frozenset(
    (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heif", ".heic", ".jxl")
)
"""Names that end otherwise are not looked at; their mutants are called .jpg."""
DRAWN: tuple[tuple[str, dict[str, object]], ...] = (
    ("JPEG", {"quality": 80}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("GIF", {}),
    ("WEBP", {"quality": 70}),
    ("WEBP", {"lossless": True}),
    ("BMP", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "jpeg"}),
    ("AVIF", {"speed": 10}),
    ("HEIF", {"quality": 60}),
    ("JXL", {"quality": 70}),
)
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
PEAK_BYTES = 1 << 30
"""No process may have been larger."""


Parent = tuple[str, bytes]
"""How the name of a picture ends, and its bytes."""


def flipped(parent: bytes, _other: bytes, chance: random.Random) -> bytes:
    """Up to 8 bits are turned over."""
    damaged = bytearray(parent)
    for _bit in range(chance.randint(1, 8)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def truncated(parent: bytes, _other: bytes, chance: random.Random) -> bytes:
    """Its end is missing."""
    return parent[: chance.randrange(len(parent))]


def beheaded(parent: bytes, other: bytes, chance: random.Random) -> bytes:
    """It begins as another one does."""
    length = chance.choice((4, 8, 16, 33, 64))
    return other[:length] + parent[length:]


def repeated(parent: bytes, _other: bytes, chance: random.Random) -> bytes:
    """A part stands in it again, up to 50 times."""
    start = chance.randrange(len(parent))
    part = parent[start : start + chance.choice((12, 100, 1000))]
    return parent[:start] + part * chance.randint(2, 50) + parent[start:]


def spliced(parent: bytes, other: bytes, chance: random.Random) -> bytes:
    """It goes on as another one."""
    return parent[: chance.randrange(len(parent))] + other[chance.randrange(len(other)) :]


def extreme(parent: bytes, _other: bytes, chance: random.Random) -> bytes:
    """Numbers near its beginning, where sizes stand, are as small or large as they can be."""
    damaged = bytearray(parent)
    for _number in range(chance.randint(1, 3)):
        width = chance.choice((1, 2, 4))
        start = chance.randrange(min(len(damaged), 512))
        number = (chance.choice(EXTREMES) & ((1 << 8 * width) - 1)).to_bytes(width, chance.choice(("big", "little")))
        damaged[start : start + width] = number
    return bytes(damaged)


OPERATORS: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    *(flipped, truncated, beheaded, repeated, spliced, extreme),
)


def parents() -> list[Parent]:
    """The pictures that are damaged, in an order that does not depend on the machine."""
    paths = itertools.chain.from_iterable((DATA / folder).rglob("*") for folder in FOLDERS)
    small = (path for path in paths if path.is_file() and 0 < path.stat().st_size <= SMALL and path.suffix != ".csv")
    return [(path.suffix, path.read_bytes()) for path in sorted(small)] + list(drawings())


def drawings() -> Iterator[Parent]:
    """Sound pictures in every format that is decoded here, eight of each way, since most odd files break at once."""
    formats()
    for number, (name, options) in itertools.product(range(8), DRAWN):
        if name in Image.SAVE:
            yield f".{name.lower()}", encoded(drawn(number).resize((96, 64)), name, **options)


def mutants(pictures: Sequence[Parent], seed: int) -> Iterator[tuple[str, bytes]]:
    """Damaged pictures without end, by names that end as a picture's and say what was done."""
    chance = random.Random(seed)  # noqa: S311 - damage, no secrets
    for number in itertools.count():
        (ending, parent), (_ending, other) = chance.choice(pictures), chance.choice(pictures)
        operator = chance.choice(OPERATORS)
        data = operator(parent, other, chance)
        name = f"{number:06}-{operator.__name__}{ending if ending in ENDINGS else '.jpg'}"
        yield name, mended(data) if chance.random() < 0.5 else data


def mended(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they hold; anything else as it is."""
    whole = bytearray(data)
    position = 8 if data.startswith(b"\x89PNG") else len(data)
    while position + 12 <= len(whole):
        end = position + 8 + int.from_bytes(whole[position : position + 4], "big")
        if end + 4 <= len(whole):
            whole[end : end + 4] = zlib.crc32(whole[position + 4 : end]).to_bytes(4, "big")
        position = end + 4
    return bytes(whole)


def bred(folder: Path, seed: int, count: int | None, seconds: float) -> int:
    """Writes mutants into a folder, by number or for some time, and all odd files beside them; gives how many."""
    end = time.monotonic() + seconds
    made = 0
    for name, data in itertools.islice(mutants(parents(), seed), count):
        place = folder / f"{made // 1000:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
        made += 1
        if count is None and time.monotonic() > end:
            break
    shutil.copytree(DATA / "odd_files", folder / "odd_files")
    return made


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one run over the mutants was."""

    mutants: int
    files: int
    decoded: int
    unreadable: int
    unexplained: int
    """Unreadable files whose reason is none, or cannot be printed."""
    due: int
    """Files that were given up without a word."""
    lost_workers: int
    """Files that crashed their worker or were stopped."""
    exit_code: int
    traceback: bool
    executed: tuple[str, ...] | None
    """Programs that were started, other than this Python; None without strace."""
    peak_bytes: int
    left: int
    """Processes that were there two seconds after the run."""
    left_after_kill: int
    """The same, two seconds after another run was killed by SIGKILL."""
    seconds: float

    @property
    def is_good(self) -> bool:
        """True when nothing was wrong."""
        wrong = (self.unexplained, self.due, self.traceback, self.executed, self.left, self.left_after_kill)
        return not any(wrong) and self.exit_code == 3 and self.peak_bytes <= PEAK_BYTES


def judged(folder: Path, work: Path, made: int) -> Verdict:
    """Indexes a folder of mutants in one run, and kills another run over them."""
    index = Index(work / "imgindex.db")
    trace = work / "trace"
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=execve,execveat", "-o", str(trace)]
    done = indexed(index, folder, under=strace if shutil.which("strace") else ())
    found = index.unreadable()
    report = done.report if done.out else {"files": 0, "decoded": 0}
    return Verdict(
        mutants=made,
        files=report["files"],
        decoded=report["decoded"],
        unreadable=len(found),
        unexplained=sum(not one.reason or not one.reason.isprintable() for one in found),
        due=index.status().due,
        lost_workers=sum(
            one.reason.startswith(("decoding crashed", "decoding took", "decoding failed")) for one in found
        ),
        exit_code=done.code,
        traceback="Traceback" in done.error,
        executed=programs(trace.read_text()) if trace.exists() else None,
        peak_bytes=done.peak_bytes,
        left=len(done.left),
        left_after_kill=len(killed(Index(work / "killed.db"), folder, after_s=1.5)),
        seconds=round(done.seconds, 1),
    )


def programs(trace: str) -> tuple[str, ...]:
    """The programs, other than this Python, that a trace says were started."""
    called = {os.path.realpath(path) for path in re.findall(r'execve(?:at)?\((?:\d+, )?"([^"]*)"', trace)}
    return tuple(sorted(called - {os.path.realpath(sys.executable)}))


def main() -> int:
    """Breeds mutants, indexes them and prints what came of it; gives 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, help="so many mutants")
    parser.add_argument("--seconds", type=float, default=10, help="without a count: for so long they are made")
    parser.add_argument("--seed", type=int, default=94)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "mutants")
        made = bred(folder, options.seed, options.count, options.seconds)
        verdict = judged(folder, Path(work), made)
    if options.json:
        print(json.dumps(asdict(verdict)))
    else:
        print(*(f"{name:16} {value}" for name, value in asdict(verdict).items()), sep="\n")
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
