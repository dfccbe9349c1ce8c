"""What the tests of rows 94 to 107 share: pictures that run code in the worker that decodes them, and a watch on processes.

A stand-in for a decoder with holes: behind a PNG's end stands a program, and whatever opens the picture runs it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer import Index
from indexer.drawing import drawn, encoded

PROJECT = Path(__file__).parent.parent.parent
MARK = b"HOSTILE:"
_DECODER = f"""
import PIL.Image

real = PIL.Image.open

def opened(stream, *arguments, **options):
    program = stream.getvalue().partition({MARK!r})[2].decode()
    exec(program, {{"__name__": "hostile"}})
    return real(stream, *arguments, **options)

PIL.Image.open = opened
"""


def hostile(program: str, number: int = 0) -> bytes:
    """A picture whose program runs where it is decoded."""
    return encoded(drawn(number), "PNG") + MARK + program.encode()


def environment(place: Path) -> dict[str, str]:
    """The environment of a program whose decoder has holes."""
    (place / "holes").mkdir(exist_ok=True)
    (place / "holes" / "sitecustomize.py").write_text(_DECODER)
    return {**os.environ, "PYTHONPATH": f"{place / 'holes'}:{PROJECT}"}


@dataclass
class Ran:
    """A command that has ended, and what its processes were."""

    code: int
    out: str
    error: str
    seconds: float
    peak_bytes: int
    """The largest resident set of any of its processes."""
    left: list[int]
    """Its processes that were there two seconds after it ended."""

    @property
    def report(self) -> dict[str, Any]:
        """What `--json` printed."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Watch:
    """Looks at all processes of a session every few milliseconds."""

    session: int
    peak_bytes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Until it is stopped."""
        while not self._stop.wait(0.02):
            self.peak_bytes = max([self.peak_bytes, *map(high_water, members(self.session))])

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Looks in the background."""
        thread = threading.Thread(target=self.look)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


def ran(words: Sequence[str], environ: dict[str, str] | None = None) -> Ran:
    """Runs a command in a session of its own and watches it."""
    started = time.monotonic()
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )
    watch = Watch(process.pid)
    with watch.looking():
        out, error = process.communicate()
    seconds = time.monotonic() - started
    return Ran(process.returncode, out, error, seconds, watch.peak_bytes, survivors(process.pid))


def indexed(
    index: Index, photos: Path, *options: str, environ: dict[str, str] | None = None, under: Sequence[str] = ()
) -> Ran:
    """Runs `imgindex index` on two workers, under another program when wanted."""
    return ran([*under, *_words(index, photos), "--json", *options], environ)


def killed(index: Index, photos: Path, after_s: float) -> list[int]:
    """Starts `imgindex index`, kills it by SIGKILL after some time, and gives what is there of it two seconds later."""
    process = subprocess.Popen(
        _words(index, photos), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(after_s)
    process.kill()
    process.wait()
    return survivors(process.pid)


def _words(index: Index, photos: Path) -> list[str]:
    return [sys.executable, "-m", "indexer", "index", str(photos), "--db", index.path, "--jobs", "2"]


def reasons(index: Index) -> dict[str, str]:
    """The unreadable files that an index holds, by name."""
    return {os.path.basename(one.path): one.reason for one in index.unreadable()}


def members(session: int) -> list[int]:
    """The processes of a session that run."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
            if int(words[3]) == session and words[0] not in {"Z", "X"}:
                found.append(int(name))
    return found


def high_water(process: int) -> int:
    """The largest resident set that a process had, in bytes; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path("/proc", str(process), "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


def survivors(session: int, within_s: float = 2.0) -> list[int]:
    """The processes of a session that are still there after some time."""
    end = time.monotonic() + within_s
    while (left := members(session)) and time.monotonic() < end:
        time.sleep(0.02)
    return left
