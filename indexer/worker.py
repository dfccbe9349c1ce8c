"""What a worker process is before it sees its first picture: few rights, little memory, no way to outlive the run."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
from multiprocessing import forkserver

from indexer import closeup
from indexer.decode import formats

MEMORY_BYTES = 2 << 30
"""Address space of a worker; a picture that needs more gets a MemoryError, and the worker goes on."""
_PR_SET_PDEATHSIG = 1

PRELOADED = (closeup, formats())
"""Code and plugins that are loaded once, in the server that workers are forked from."""


def confine() -> None:
    """Takes from this process what decoding does not need.

    Interrupts are the parent's business; a crash leaves no core file; decoders that print are not heard; and the process
    dies with the one that made it.
    """
    gc.freeze()  # what the server loaded is here to stay, and need not be looked at again
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for limit, value in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        _lower(limit, value)
    _let_go_of_the_program()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.__stderr__.fileno() if sys.__stderr__ else 2)
    os.close(silence)


def _let_go_of_the_program() -> None:
    """Closes the pipe by which the server that workers are forked from learns that the program is gone.

    Workers inherit their end of it; while one of them is busy, the server would go on for a program that was killed.
    """
    pipe = getattr(forkserver._forkserver, "_forkserver_alive_fd", None)  # noqa: SLF001 - there is no other way to it
    if pipe is not None:
        os.close(pipe)


def _lower(limit: int, value: int) -> None:
    """Lowers a resource limit; a stricter one that is in force stays."""
    soft, hard = (
        value if bound == resource.RLIM_INFINITY else min(value, bound) for bound in resource.getrlimit(limit)
    )
    resource.setrlimit(limit, (soft, hard))
