"""What a worker process is before it sees its first picture: few rights, little memory, no way to outlive the run."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys

from indexer.decode import formats

MEMORY_BYTES = 2 << 30
"""Address space of a worker; a picture that needs more gets a MemoryError, and the worker goes on."""
_PR_SET_PDEATHSIG = 1

formats()  # plugins are loaded once, in the server that workers are forked from


def confine() -> None:
    """Takes from this process what decoding does not need.

    Interrupts are the parent's business; a crash leaves no core file; decoders that print are not heard; and the process
    dies with the one that made it.
    """
    gc.freeze()  # what the server loaded is here to stay, and need not be looked at again
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for limit, value in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        _lower(limit, value)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.__stderr__.fileno() if sys.__stderr__ else 2)
    os.close(silence)


def _lower(limit: int, value: int) -> None:
    """Lowers a resource limit; a stricter one that is in force stays."""
    _soft, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY or value < hard:
        resource.setrlimit(limit, (value, value))
