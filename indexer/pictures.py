"""Pictures for the review page: decoded by the sandboxed workers, few at a time, the last ones kept."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from enum import Enum

from indexer.executors import Executor, results
from indexer.filesystem import open_regular, opened_folder, stamp_from
from indexer.groups import Member
from indexer.places import split
from indexer.records import Stamp

CACHE_BYTES = 48 << 20
QUEUE = 12
"""Pictures that may be asked for at once; a browser asks for six."""


class Trouble(Enum):
    """Why there is no picture."""

    CHANGED = "the file is no longer what was indexed"
    UNSHOWN = "the file cannot be decoded"
    BUSY = "too many pictures are asked for at once"


class Pictures:
    """Gives files as JPEG; may be used by several threads."""

    def __init__(self, executor: Executor) -> None:
        """Nothing is decoded yet.

        Args:
            executor: Where pictures are decoded, one after the other.
        """
        self._executor = executor
        self._decoding, self._lock = threading.Lock(), threading.Lock()
        self._places = threading.BoundedSemaphore(QUEUE)
        self._kept: OrderedDict[tuple[int, Stamp], bytes] = OrderedDict()

    def __call__(self, member: Member) -> bytes | Trouble:
        """A file's picture as the index knows it, or why it cannot be had."""
        stamp = _stamp(member)
        if stamp is None:
            return Trouble.CHANGED
        key = member.file_id, stamp
        kept = self._kept_one(key)
        if kept is not None:
            return kept
        if not self._places.acquire(blocking=False):
            return Trouble.BUSY
        try:
            with self._decoding:
                return self._kept_one(key) or self._decoded(member, key)
        finally:
            self._places.release()

    def _decoded(self, member: Member, key: tuple[int, Stamp]) -> bytes | Trouble:
        """What a worker makes of a file."""
        from indexer import reencode  # noqa: PLC0415 - it loads decoders, which this process needs for no picture

        def lost(_one: reencode.Wanted, _why: str) -> bytes:
            return reencode.UNSHOWN

        batch = ((reencode.Wanted(member.root, member.path, member.digest),), None)
        found = results(self._executor, reencode.reencode_batch, [batch], lost, reencode.vetted_picture)
        answer = next(iter(next(found)))
        if answer in {reencode.CHANGED, reencode.UNSHOWN}:
            return Trouble.CHANGED if answer == reencode.CHANGED else Trouble.UNSHOWN
        self._keep(key, answer)
        return answer

    def _kept_one(self, key: tuple[int, Stamp]) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[int, Stamp], jpeg: bytes) -> None:
        with self._lock:
            self._kept[key] = jpeg
            while sum(map(len, self._kept.values())) > CACHE_BYTES:
                self._kept.popitem(last=False)


def _stamp(member: Member) -> Stamp | None:
    """The stamp of the file that lies where a member was found, None when no regular file does; links are not followed."""
    parent, name = split(member.path)
    try:
        with opened_folder(member.root, parent) as folder:
            descriptor, status = open_regular(name, folder)
            os.close(descriptor)
            return stamp_from(status)
    except OSError:
        return None
