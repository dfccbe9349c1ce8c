"""Hazards 95, 96, 100, 102 to 104 and 107: what a picture can do to the worker that decodes it, and what comes of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pictures import environment, hostile, indexed, members, ran, reasons, survivors
from score import Faults
from support import make_photos

from indexer import Index
from indexer.executors import NO_ANSWER, local_pool

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is made of Linux's parts")
SLOW = "__import__('time').sleep(0.3)\n"
"""Pebble gives the pool up when it hears of a worker's end before it hears of its task; then files are run again."""


def with_hostile(photos: Path, programs: dict[str, str]) -> Path:
    """Photos among which some run programs where they are decoded."""
    for number, (name, program) in enumerate(programs.items()):
        (photos / "a" / name).write_bytes(hostile(program, 100 + number))
    return photos


# --- 95, 100: a picture costs itself


def test_hazard_95_a_picture_that_kills_its_worker(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Of 40 pictures, one of which ends in a segmentation fault and one in a failed assertion, 38 are indexed."""
    photos = make_photos(tmp_path / "photos", count=38)
    with_hostile(
        photos,
        {
            "segv.png": SLOW + "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "abort.png": SLOW + "import os; os.abort()",
        },
    )
    with fault(95, "SIGSEGV and abort while decoding", root=photos):
        done = indexed(index, photos, environ=environment(tmp_path))

        assert (done.code, done.report["decoded"], done.left) == (3, 38, []), done.error
        assert reasons(index) == {"segv.png": "decoding crashed (-11)", "abort.png": "decoding crashed (-6)"}
        assert "Traceback" not in done.error


RAISED = {
    "struct.error": "import struct; struct.unpack('>I', b'')",
    "RecursionError": "(deep := lambda: deep())()",
    "SyntaxError": "raise SyntaxError('broken PNG file')",
    "MemoryError": "bytearray(3 << 30)",
    "SystemExit": "raise SystemExit(3)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "StopIteration": "next(iter(()))",
    "no words": "raise type('Wordless', (Exception,), {'__str__': lambda self: 1 / 0})",
    "not to be pickled": "raise type('Local', (Exception,), {'__reduce__': lambda self: 1 / 0})(lambda: 0)",
    "two arguments": "raise type('Two', (Exception,), {'__init__': lambda self, one, two: None})(1, 2)",
    "a base of its own": "raise type('Odd', (BaseException,), {})('odd')",
    "control characters": "raise ValueError('\\x1b[2J\\u202e')",
}


def test_hazard_100_odd_exceptions(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Whatever a decoder raises costs its file, and the index has a reason that can be printed."""
    photos = with_hostile(make_photos(tmp_path / "photos", count=20), {f"{name}.png": RAISED[name] for name in RAISED})
    with fault(100, f"{len(RAISED)} kinds of exceptions", root=photos):
        done = indexed(index, photos, environ=environment(tmp_path))

        found = reasons(index)
        assert (done.code, done.report["decoded"], done.left) == (3, 20, []), done.error
        assert set(found) == {f"{name}.png" for name in RAISED}
        assert [reason for reason in found.values() if not reason.isprintable() or not reason] == []
        assert "Traceback" not in done.error
        assert found["MemoryError.png"] == "needs more memory than a worker may use"
        assert found["control characters.png"] == "cannot be decoded: \\x1b[2J\\u202e"


# --- 96: endless decoding

HANGING = """
import json, sys, time
from indexer import executors
from indexer.executors import local_pool, outcomes
from indexer.records import Task, Unreadable

executors.SLACK_S = 1
started = time.monotonic()
tasks = tuple(Task(number, path, 0, True) for number, path in enumerate(sys.argv[2:]))
with local_pool(2, timeout_s=float(sys.argv[1])) as executor:
    found = [one for batch in outcomes(executor, [(tasks, frozenset())]) for one in batch]
reasons = {one.file_id: getattr(one, "reason", "decoded") for one in found}
print(json.dumps([time.monotonic() - started, [reasons[task.file_id] for task in tasks]]))
"""


def test_hazard_96_endless_decoding(tmp_path: Path, fault: Faults) -> None:
    """A worker that spins is killed, and the picture is tried once more by itself: twice the limit and two seconds."""
    paths = [tmp_path / "good.png", tmp_path / "endless.png"]
    for path, program in zip(paths, ("", "while True: pass"), strict=True):
        path.write_bytes(hostile(program))
    with fault(96, "a decoder that spins", root=tmp_path):
        words = [sys.executable, "-c", HANGING, "2", *map(str, paths)]
        done = ran(words, environment(tmp_path))
        seconds, found = json.loads(done.out)

        assert found == ["decoded", "decoding took too long and was stopped"]
        assert (seconds < 2 * 2 + 2, done.left) == (True, [])


def test_hazard_96_a_worker_that_nobody_kills(tmp_path: Path, fault: Faults) -> None:
    """Where the program cannot, the kernel ends a worker that computes for too long, also one that was busy before."""
    program = (
        "import time\nfrom indexer.worker import allow_seconds\n"
        "allow_seconds(1)\nend = time.process_time() + 0.5\n"
        "while time.process_time() < end: pass\nallow_seconds(0)\nwhile True: pass\n"
    )
    with fault(96, "a decoder that spins while the program is stopped", root=tmp_path):
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-c", program], check=False, timeout=50)

        assert done.returncode == -signal.SIGXCPU
        assert time.monotonic() - started < 20


# --- 102: workers that would outlive the program


@linux_only
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_hazard_102_the_program_is_killed_while_workers_are_busy(
    tmp_path: Path, index: Index, fault: Faults, number: signal.Signals
) -> None:
    """No worker is there two seconds later, though a decoder spins and asked not to be killed with the program."""
    deaf = "import ctypes; ctypes.CDLL(None).prctl(1, 0)\nwhile True: pass"
    photos = with_hostile(make_photos(tmp_path / "photos"), {"spins.png": deaf})
    words = [sys.executable, "-m", "indexer", "index", str(photos), "--db", index.path, "--jobs", "2"]
    with fault(102, f"{number.name} while decoders spin", root=photos):
        process = subprocess.Popen(
            words,
            env=environment(tmp_path),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 20
        while not (busy := any(map(_is_busy, members(process.pid)))) and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(number)
        before = time.monotonic()
        process.wait(timeout=30)
        left = survivors(process.pid, within_s=max(0.1, 2 - (time.monotonic() - before)))

        assert (busy, left) == (True, [])


def _is_busy(process: int) -> bool:
    """True for a process that has computed for a while with a sandbox about it."""
    try:
        status = Path("/proc", str(process), "status").read_text()
        words = Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return "NoNewPrivs:\t1" in status and int(words[11]) > 50


# --- 103: a worker as a foothold

ATTEMPTS = """
import ctypes, fcntl, os, resource, socket, struct, subprocess, termios
place, parent, port = PLACE
victim = place + "/victim"
links = [f"/proc/self/fd/{one}" for one in os.listdir("/proc/self/fd")]
files = {os.readlink(link) for link in links if os.path.islink(link)}
pipes = {name for name in files if name.startswith("pipe:")}
libc = ctypes.CDLL(None, use_errno=True)

def called(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")

attempts = {
    "write": lambda: open(place + "/new", "wb").write(b"x"),
    "append": lambda: open(victim, "ab").write(b"x"),
    "truncate": lambda: os.truncate(victim, 0),
    "open to truncate": lambda: os.open(victim, os.O_RDONLY | os.O_TRUNC),
    "remove": lambda: os.unlink(victim),
    "rename": lambda: os.rename(victim, victim + "2"),
    "link": lambda: os.link(victim, victim + "2"),
    "symlink": lambda: os.symlink(victim, victim + "2"),
    "mkdir": lambda: os.mkdir(place + "/folder"),
    "mkfifo": lambda: os.mkfifo(place + "/fifo"),
    "chmod": lambda: os.chmod(victim, 0),
    "utime": lambda: os.utime(victim, (0, 0)),
    "xattr": lambda: os.setxattr(victim, "user.x", b"x"),
    "execute": lambda: os.execv("/bin/true", ["true"]),
    "start": lambda: subprocess.run(["/bin/true"]),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "fork": lambda: os.fork() or os._exit(0),
    "connect": lambda: socket.create_connection(("127.0.0.1", port)),
    "listen": lambda: socket.create_server(("127.0.0.1", 0)),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
    "signal the program": lambda: os.kill(parent, 0),
    "signal all": lambda: os.kill(-1, 0),
    "look into the program": lambda: open(f"/proc/{parent}/mem", "rb"),
    "trace": lambda: called(101 if os.uname().machine == "x86_64" else 117, 16, parent, 0, 0),
    "be root again": lambda: os.setuid(0),
    "more files of the parent": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE, (9, 9)),
    "terminal": lambda: fcntl.ioctl(os.open("/dev/tty", os.O_RDONLY), termios.TIOCSTI, b"x"),
    "attributes": lambda: fcntl.ioctl(os.open(victim, os.O_RDONLY), 0x40086602, struct.pack("L", 0x40)),
    "anonymous file": lambda: os.memfd_create("x"),
    "namespace": lambda: called(272 if os.uname().machine == "x86_64" else 97, 0x10000000),
    "ring": lambda: called(425, 1, ctypes.create_string_buffer(200)),
    "newer call": lambda: called(452, -100, victim.encode(), 0, 0),
}
allowed = []
for name, attempt in attempts.items():
    try:
        attempt()
        allowed.append(name)
    except OSError:
        pass
limits = [resource.getrlimit(one)[0] for one in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)]
raise ValueError(f"allowed {allowed} open {sorted(files - pipes)} and {len(pipes)} pipes, limits {limits}")
"""


@linux_only
def test_hazard_103_a_worker_as_a_foothold(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A decoder that was taken over changes nothing, starts nothing, reaches nobody, and holds no file of the program."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    os.utime(victim, (1, 1))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        known = (str(tmp_path), os.getpid(), listener.getsockname()[1])
        photos = with_hostile(
            make_photos(tmp_path / "photos"), {"foothold.png": ATTEMPTS.replace("PLACE", repr(known))}
        )
        with fault(103, "32 ways out of a worker", root=photos, others=[tmp_path]):
            before = {path: path.lstat() for path in photos.rglob("*")}
            done = indexed(index, photos, environ=environment(tmp_path))

            told = "cannot be decoded: allowed [] open ['/dev/null'] and 3 pipes, limits [0, 0, 64]"
            assert (done.code, reasons(index)) == (3, {"foothold.png": told}), done.error
            assert (victim.read_bytes(), victim.stat().st_mtime, victim.stat().st_nlink) == (b"precious", 1, 1)
            assert {path: path.lstat() for path in photos.rglob("*")}.keys() == before.keys()


@linux_only
@pytest.mark.parametrize("missing", ["_forbid_changes", "_forbid_calls"])
def test_hazard_103_either_layer_alone_keeps_files_and_programs(tmp_path: Path, fault: Faults, missing: str) -> None:
    """Where a kernel lacks Landlock or seccomp, the other one still refuses to write and to execute."""
    program = f"""
import os
from indexer import sandbox
sandbox.{missing} = lambda syscall: None
sandbox.restrict()
refused = 0
new, victim = {str(tmp_path / "new")!r}, {str(tmp_path / "victim")!r}
for attempt in (
    lambda: open(new, "wb"),
    lambda: os.open(victim, os.O_RDONLY | os.O_TRUNC),
    lambda: os.truncate(victim, 0),
    lambda: os.rename(victim, new),
    lambda: os.link(victim, new),
    lambda: os.mkdir(new),
    lambda: os.unlink(victim),
    lambda: os.execv("/bin/true", ["true"]),
):
    try:
        attempt()
    except OSError:
        refused += 1
print(refused)
"""
    (tmp_path / "victim").write_bytes(b"precious")
    with fault(103, f"no {missing}", root=tmp_path):
        done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

        assert done.stdout == "8\n", done.stderr


# --- 104: many jobs


def many_jobs(fault: Faults, root: Path, count: int) -> None:
    """Runs jobs, of which each hundredth kills its worker, under a watchdog."""
    watchdog = threading.Timer(120 + count / 20, lambda: os.kill(os.getpid(), signal.SIGABRT))
    watchdog.daemon = True
    watchdog.start()
    done = 0
    try:
        with fault(104, f"{count} jobs, of which some end their worker", root=root), local_pool(2) as executor:
            for start in range(0, count, 100):
                futures = [executor.submit(divmod, number, 7) for number in range(start, start + 99)]
                done += sum(future.result() == divmod(start + at, 7) for at, future in enumerate(futures))
                future = executor.submit(exec, SLOW + "import os; os._exit(1)")
                done += future.exception() is not None
            assert done == count
    finally:
        watchdog.cancel()


def test_hazard_104_a_thousand_jobs(tmp_path: Path, fault: Faults) -> None:
    """Workers are not replaced by their number of tasks, which can lock up, but only when they are lost."""
    many_jobs(fault, tmp_path, 1_000)


@pytest.mark.long
def test_hazard_104_ten_thousand_jobs(tmp_path: Path, fault: Faults) -> None:
    """The same for longer."""
    many_jobs(fault, tmp_path, 10_000)


# --- 107: answers that are none

OPENER = """
import indexer.decode as module
real = getattr(module.decode, "real", module.decode)
def forged(data):
    picture, _mark, answer = data.partition(b"HOSTILE:")
    is_answer = answer and b"module.decode" not in answer
    return eval(answer, {"sound": real(picture)}) if is_answer else real(picture)
forged.real = real
module.decode = forged
"""
CALL = "type('Call', (), {'__reduce__': lambda self: (__import__('os').system, ('touch MARKER',))})()"
JUNK = {
    "nothing": "None",
    "a text": "'decoded'",
    "a size of words": "sound._replace(width='large')",
    "a size of nothing": "sound._replace(height=0)",
    "a size beyond all": "sound._replace(width=10**30)",
    "a yes for a size": "sound._replace(width=True)",
    "a short hash": "sound._replace(phash=b'1234')",
    "a hash beyond 64 bits": "sound._replace(dhash=1 << 64)",
    "no number": "sound._replace(detail=float('nan'))",
    "short views": "sound._replace(views=sound.views[1:])",
    "a long look": "sound._replace(look=sound.look * 2)",
    "a huge thumbnail": "sound._replace(thumbnail=sound.thumbnail.replace(b'\\0\\x11\\x08', b'\\0\\x11\\x08\\x7f'))",
    "a thumbnail of noise": "sound._replace(thumbnail=b'<html>' * 100)",
    "a name of noise": "sound._replace(format='JPEG\\x1b[2J')",
    "unsendable, and last as it costs the worker": "__import__('threading').Lock()",
    "a call": CALL,
    "a call inside": f"sound._replace(look={CALL})",
}


def test_hazard_107_answers_that_are_none(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Junk in the place of a fingerprint costs that file; what it would call is not called."""
    marker = tmp_path / "was-called"
    programs = {f"{name}.png": answer.replace("MARKER", str(marker)) for name, answer in JUNK.items()}
    photos = with_hostile(make_photos(tmp_path / "photos", count=20), {"0 opener.png": OPENER, **programs})
    with fault(107, f"{len(JUNK)} answers that are none", root=photos):
        done = indexed(index, photos, "--jobs", "1", environ=environment(tmp_path))

        found = reasons(index)
        assert (done.code, done.report["decoded"], set(found)) == (3, 21, set(programs)), done.error
        assert {reason for name, reason in found.items() if not name.startswith("unsendable")} == {NO_ANSWER}
        assert ("Traceback" in done.error, marker.exists()) == (False, False)


SPEAKS = """
import os, struct, time
time.sleep(0.3)
for one in os.listdir("/proc/self/fd"):
    try:
        os.write(int(one), WORDS)
    except OSError:
        pass
time.sleep(60)
"""
WORDS = {
    "noise": "struct.pack('!i', 16) + b'x' * 16",
    "a call": "(lambda p: struct.pack('!i', len(p)) + p)(b'cos\\nsystem\\n(S\"touch MARKER\"\\ntR.')",
    "too much": "struct.pack('!i', 0x7fffffff)",
}


@linux_only
@pytest.mark.parametrize("said", WORDS)
def test_hazard_107_a_worker_that_speaks_past_the_pool(tmp_path: Path, index: Index, fault: Faults, said: str) -> None:
    """Noise on the pipe costs the picture that made it; nothing that it names is called."""
    marker = tmp_path / "was-called"
    program = SPEAKS.replace("WORDS", WORDS[said]).replace("MARKER", str(marker))
    photos = with_hostile(make_photos(tmp_path / "photos", count=20), {"speaks.png": program})
    with fault(107, f"{said} on the pipe", root=photos):
        done = indexed(index, photos, environ=environment(tmp_path))

        assert (done.code, done.report["decoded"], done.left) == (3, 20, []), done.error
        assert list(reasons(index)) == ["speaks.png"]
        assert ("Traceback" in done.error, marker.exists()) == (False, False)


@linux_only
def test_hazard_107_a_worker_that_stops_in_the_middle_of_a_word(tmp_path: Path, fault: Faults) -> None:
    """As one does that is killed for want of memory: the pool is given up when nothing ends in it any more."""
    paths = [tmp_path / "good.png", tmp_path / "speaks.png"]
    words = "struct.pack('!i', 200_000_000) + b'x'"
    for path, program in zip(paths, ("", SPEAKS.replace("WORDS", words)), strict=True):
        path.write_bytes(hostile(program))
    with fault(107, "half a message on the pipe", root=tmp_path):
        done = ran([sys.executable, "-c", HANGING, "2", *map(str, paths)], environment(tmp_path))
        _seconds, found = json.loads(done.out)

        assert (found, done.left) == (["decoded", "decoding took too long and was stopped"], [])
