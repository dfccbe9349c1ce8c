"""What a worker process is before it sees its first picture: few rights, little memory, no way to outlive the run."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import resource
import signal
import sys
from multiprocessing import forkserver, resource_tracker

from indexer import closeup, sandbox
from indexer.decode import formats

MEMORY_BYTES = 2 << 30
"""Address space of a worker; a picture that needs more gets a MemoryError, and the worker goes on."""
OPEN_FILES = 64
"""Descriptors of a worker: two pipes, the null device, a picture, and what a decoder's threads may want."""
_PR_SET_PDEATHSIG = 1

_LIMITS = (
    (resource.RLIMIT_AS, MEMORY_BYTES),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_NOFILE, OPEN_FILES),
)

PRELOADED = (closeup, formats())
"""Code and plugins that are loaded once, in the server that workers are forked from."""


def confine() -> None:
    """Takes from this process what decoding does not need.

    Interrupts are the parent's business; a crash leaves no core file; decoders that print are not heard; the process dies
    with the one that made it, and changes no file, starts no program and reaches no network (`sandbox.py`).
    """
    gc.freeze()  # what the server loaded is here to stay, and need not be looked at again
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for limit, value in _LIMITS:
        _lower(limit, value)
    _let_go_of_the_program()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _hear_and_say_nothing()
    sandbox.restrict()


def allow_seconds(seconds: float) -> None:
    """Has the kernel kill this process when it computes for longer from now on, should nobody else."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = math.ceil(usage.ru_utime + usage.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _let_go_of_the_program() -> None:
    """Closes what workers inherit from the server that they are forked from.

    By one pipe the server learns that the program is gone: while a worker is busy, the server would go on for a program
    that was killed. By the other, names are told that are to be removed from shared memory when the program ends.
    """
    for owner, name in ((forkserver._forkserver, "_forkserver_alive_fd"), (resource_tracker._resource_tracker, "_fd")):  # noqa: SLF001 - there is no other way to them
        pipe = getattr(owner, name, None)
        if pipe is not None:
            os.close(pipe)
            setattr(owner, name, None)


def _hear_and_say_nothing() -> None:
    """Puts the null device in the place of the standard streams, which may be the user's terminal or a report."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    os.close(nothing)


def _lower(limit: int, value: int) -> None:
    """Lowers a resource limit; a stricter one that is in force stays."""
    soft, hard = (
        value if bound == resource.RLIM_INFINITY else min(value, bound) for bound in resource.getrlimit(limit)
    )
    resource.setrlimit(limit, (soft, hard))
