"""The story of the thumbnails that pages and contact sheets show: from the index, through the workers, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from indexer import matches
from indexer.database import Database
from indexer.executors import Executor, results
from indexer.records import Preview
from indexer.vetting import vetted_pixels, vetted_webp

SLICE = 256
"""Thumbnails held at once: as pixels, 28 MB."""
BATCH = 8
"""Thumbnails that a worker gets at once."""

_Stored = tuple[bytes, bytes]
_Work = Callable[[Sequence[_Stored], int], Sequence[Any]]


def pixels(database: Database, executor: Executor, digests: Iterable[bytes], side: int) -> Iterator[Preview | None]:
    """The thumbnail of each content as RGB pixels, in order; None where there is none, or it is damaged.

    Args:
        database: The index.
        executor: Where they are decoded.
        digests: SHA-256 of the contents, taken some hundred at a time.
        side: Pixels; larger thumbnails are shrunk.
    """
    return _in_order(database, executor, digests, side, (_pixels, vetted_pixels))


def webp(database: Database, executor: Executor, digests: Iterable[bytes], side: int) -> Iterator[Preview | None]:
    """The same as WebP."""
    return _in_order(database, executor, digests, side, (_webp, vetted_webp))


def _in_order(
    database: Database,
    executor: Executor,
    digests: Iterable[bytes],
    side: int,
    way: tuple[_Work, Callable[[object], Preview | None]],
) -> Iterator[Preview | None]:
    work, believed = way
    rest = iter(digests)
    while part := list(islice(rest, SLICE)):
        with database.reading() as tx:
            stored = sorted(matches.thumbnails_of(tx, part).items())
        batches = ((tuple(stored[start : start + BATCH]), side) for start in range(0, len(stored), BATCH))
        found: dict[bytes, Preview | None] = {}
        for answers in results(executor, work, batches, _lost, lambda item, answer: (item[0], believed(answer))):
            found.update(answers)
        yield from map(found.get, part)


def _lost(item: _Stored, _reason: str) -> tuple[bytes, None]:
    """The answer for a thumbnail that cost its worker."""
    return item[0], None


def _pixels(stored: Sequence[_Stored], side: int) -> Sequence[Any]:
    """What workers run; imported there."""
    from indexer.previews import pixels_batch  # noqa: PLC0415

    return pixels_batch(stored, side)


def _webp(stored: Sequence[_Stored], side: int) -> Sequence[Any]:
    """What workers run; imported there."""
    from indexer.previews import webp_batch  # noqa: PLC0415

    return webp_batch(stored, side)
