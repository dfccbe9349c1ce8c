"""Runs a command: the only place where errors become messages and exit codes."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Any

from typer.exceptions import TyperException

from indexer import output
from indexer.cli import app
from indexer.errors import EXIT_DONE, EXIT_HUNG_UP, EXIT_INTERRUPTED, EXIT_TERMINATED, ImgindexError, UsageError


def run(arguments: list[str]) -> int:
    """Runs a command and gives its exit code."""
    _hear_signals()
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code: Any = app(arguments, standalone_mode=False)
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - what is not ours is raised again
        return _failed(error)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except _TerminatedError as stop:
        code = stop.code
    if code in {EXIT_INTERRUPTED, EXIT_TERMINATED, EXIT_HUNG_UP}:  # typer, too, turns an interrupt into that exit code
        output.warn("stopped; what was finished is stored, and the next run goes on from there")
    return code if isinstance(code, int) else EXIT_DONE


def _open_closed_streams() -> None:
    """A standard stream that is closed becomes the null device: the next file opened would get its number, and text."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


class _TerminatedError(BaseException):
    """SIGTERM, or SIGHUP when a terminal closes: stops a run as an interrupt does."""

    def __init__(self, code: int) -> None:
        """Keep the exit code."""
        super().__init__()
        self.code = code


def _hear_signals() -> None:
    """Has Ctrl-C, SIGTERM and a closing terminal stop the run, but those that are ignored, as by nohup."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _frame: object) -> None:
    """Raises what stops the run; while that brings to an end what it was at, more of the same is not heard."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else _TerminatedError(128 + number)


def _failed(error: Exception) -> int:
    """Tells what went wrong, and gives the exit code."""
    match error:
        case ImgindexError():
            output.warn(f"imgindex: {error.message}")
            if error.hint:
                output.warn(f"  {error.hint}")
            return error.exit_code
        case TyperException():
            error.show()  # type: ignore[attr-defined]
            return UsageError.exit_code
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        case OSError():  # of a standard stream: what concerns files is a value or an error of ours by now
            output.warn(f"imgindex: cannot go on: {error.strerror or error}")
            return ImgindexError.exit_code
    raise error
