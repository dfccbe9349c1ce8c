"""Runs the command in forks of a process that has imported all of it, so that nothing but the command's own work is traced.

    with commands() as run:
        ended = run(["prune", "--yes"], ["-e", "trace=fsync", "-e", "inject=fsync:signal=KILL:when=3"])

A fork waits until strace has attached to it. Starting the interpreter takes most of a second and makes thousands of system
calls, which are neither made nor counted here.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, NoReturn

GO = signal.SIGUSR1
PR_SET_PTRACER, ANYBODY = 0x59616D61, -1
"""Where only a process's ancestors may trace it, it has to allow others."""


class Ended(NamedTuple):
    """What became of a command."""

    returncode: int
    """Negative for a signal."""
    stderr: str


Run = Callable[[Sequence[str], Sequence[str]], Ended]
"""Takes the words of a command and the options of strace."""


@contextlib.contextmanager
def commands() -> Iterator[Run]:
    """What runs commands, one after the other, as long as the context lasts."""
    with (
        tempfile.NamedTemporaryFile("r", errors="backslashreplace") as said,
        subprocess.Popen(
            [sys.executable, "-B", __file__, said.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as nursery,
    ):
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        asked, answers = nursery.stdin, nursery.stdout

        def run(words: Sequence[str], options: Sequence[str]) -> Ended:
            print(json.dumps(list(words)), file=asked, flush=True)
            pid = int(answers.readline())
            with subprocess.Popen(
                ["strace", "-f", *options, "-p", str(pid)], stderr=subprocess.PIPE, text=True
            ) as tracer:
                assert tracer.stderr is not None
                first = tracer.stderr.readline()
                assert "attached" in first, first
                os.kill(pid, GO)
                tracer.stderr.read()
            said.seek(0)
            return Ended(int(answers.readline()), said.read())

        yield run
        asked.close()


def _serve(said: str) -> None:
    """Forks for each command that comes, says its process, and when it ended, its exit code."""
    import indexer  # noqa: PLC0415 - only here, in a process of its own

    for module in pkgutil.iter_modules(indexer.__path__):
        if module.name != "__main__":
            importlib.import_module(f"indexer.{module.name}")
    signal.pthread_sigmask(signal.SIG_BLOCK, {GO})
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _command(json.loads(line), said)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _command(words: Sequence[str], said: str) -> NoReturn:
    """Becomes a command, as `python -m indexer` is one."""
    from indexer.__main__ import main  # noqa: PLC0415 - as above

    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        os.dup2(os.open(said, os.O_WRONLY | os.O_TRUNC), 2)
        os.closerange(3, 64)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
        signal.sigwait({GO})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {GO})
        sys.argv = ["imgindex", *words]
        code = main()
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
