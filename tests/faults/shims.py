"""A file system that lies: what `os.stat` and `os.fstat` say of regular files, changed as a test wishes.

The shim is for what no disk of this machine does: times rounded to seconds, numbers that are constant, absent or given
anew. The birth time, which is asked for by another call, stays true unless the test says otherwise.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

Lie = Callable[[Any], None]
"""Changes the fields of a copy of a stat result."""


def lying(monkeypatch: pytest.MonkeyPatch, lie: Lie) -> None:
    """Lets the system lie about every regular file from now on."""
    monkeypatch.setattr(os, "stat", _lied(REAL_STAT, lie))
    monkeypatch.setattr(os, "fstat", _lied(REAL_FSTAT, lie))


def coarse(seconds: int) -> Lie:
    """Times to whole seconds, or to two, as FAT keeps them."""

    def lie(status: Any) -> None:
        unit = seconds * 1_000_000_000
        status.st_mtime_ns -= status.st_mtime_ns % unit
        status.st_ctime_ns -= status.st_ctime_ns % unit

    return lie


def constant(number: int) -> Lie:
    """One inode number for all files, as rclone gives."""

    def lie(status: Any) -> None:
        status.st_ino = number

    return lie


def renumbered(step: int) -> Lie:
    """Other inode numbers than the true ones, as after another mount."""

    def lie(status: Any) -> None:
        status.st_ino += step

    return lie


def without_change_times(status: Any) -> None:
    """No ctime but a constant, and no inode number: nothing but size and mtime is left."""
    status.st_ctime_ns, status.st_ino = 1_000_000_000, 0


def _lied(genuine: Callable[..., os.stat_result], lie: Lie) -> Callable[..., Any]:
    def asked(*arguments: Any, **options: Any) -> Any:
        status = genuine(*arguments, **options)
        if not stat.S_ISREG(status.st_mode):
            return status
        copy = SimpleNamespace(**dict(_fields(status)))
        lie(copy)
        return copy

    return asked


def _fields(status: os.stat_result) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(status, name)) for name in dir(status) if name.startswith("st_"))


REAL_STAT, REAL_FSTAT = os.stat, os.fstat
