"""Reads what workers send so that it can do nothing here but be looked at.

Messages between processes are pickles, and a pickle can call whatever it names. One that comes from a worker, in which a
hostile picture may have taken over its decoder, may name the records that workers answer with, the envelopes of the pool
and Python's own exceptions, and nothing else. What has the form of an answer is decided by `vetting.py`.
"""

from __future__ import annotations

import builtins
import importlib
import io
import pickle
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

MOST_BYTES = 256 << 20
"""Of a message: a batch of pictures takes some 500 kB."""
_RECORDS = {
    "indexer.records": {"Fingerprint", "Fingerprinted", "NotPicture", "Reading", "Recognised", "Stamp", "Unreadable"},
    "indexer.closeup": {"Judged"},
    "indexer.verify": {"Likeness"},
    "pebble.common.types": {"Result"},
    "pebble.pool.process": {"Acknowledgement", "TaskProblem", "TaskResult"},
}
_NUMBERS = {("pebble.common.types", "ResultStatus"): int}
_TEXTS = {("indexer.groups", "Kind"): str, ("indexer.groups", "Evidence"): str}
_PLAIN = {**_NUMBERS, **_TEXTS}
"""Enumerations stand for themselves as what they are made of."""


def received(connection: Connection) -> Any:
    """The next message of a worker.

    Raises:
        PicklingError: When it is none; what is left of the pool is then given up.
        OSError: When the worker's pipe broke, or the message is too long.
        EOFError: When all workers are gone.
    """
    data = connection.recv_bytes(MOST_BYTES)
    try:
        return _sound(_Reader(io.BytesIO(data)).load())
    except (
        Exception
    ) as error:  # whatever else were raised would end the thread that reads, and the run would wait for ever
        raise pickle.PicklingError("a worker sent what no worker sends") from error


def _sound(message: Any) -> Any:
    """A message of the pool whose parts are what the pool relies on.

    Raises:
        TypeError: When they are not.
        AttributeError: When they are missing.
    """
    kind = type(message).__name__
    if kind not in _RECORDS["pebble.pool.process"] or type(message.task) is not int:
        raise TypeError("no message of the pool")
    if kind == "Acknowledgement" and type(message.worker) is not int:
        raise TypeError("no worker")
    if kind == "TaskProblem":
        message.error = OSError("a result that cannot be sent")  # as when the worker is lost
    if kind == "TaskResult":
        result = message.result
        if type(result).__name__ != "Result" or (result.status != 0 and not isinstance(result.value, BaseException)):
            raise TypeError("no result")
    return message


class _Reader(pickle.Unpickler):
    """Unpickles messages that name nothing but what workers may send."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name: never the thing itself, as a pickle may also set attributes of what it names."""
        if name in _RECORDS.get(module, ()):
            original = getattr(importlib.import_module(module), name)
            return type(name, (original,), {"__slots__": ()})
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        if (module, name) == ("pebble.common.types", "RemoteException.rebuild_exception"):
            return _raised
        known = getattr(builtins, name, None) if module == "builtins" else None
        if isinstance(known, type) and issubclass(known, BaseException):
            return known
        return _stranger(f"{module}.{name}")


def _raised(error: object, trace: object) -> BaseException:
    """An exception that a task raised, with a note of where."""
    if not isinstance(error, BaseException):
        raise TypeError("a worker raised what is no exception")
    error.add_note(str(trace))
    return error


def _stranger(name: str) -> Callable[..., Exception]:
    """What stands for an exception that is not Python's own: one that says its name; for all else, a refusal."""

    def told(*words: object) -> Exception:
        return RuntimeError(f"{name}: {' '.join(map(str, words))}")

    return told
