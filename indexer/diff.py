"""Found files against known files → changes: the rule that decides whether a file has to be read.

A file is unchanged when size, mtime, ctime and inode are all equal to what was stored, and it was not so fresh when it was
read that a later write could have left the stamp as it was (the racy-clean problem of Git's index). Times are compared
for equality only, so a clock that jumps cannot hide a change. An inode number of 0 is none: some file systems have no
numbers, or give others at each mount.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator

from indexer.records import Added, Altered, FileState, FolderChanges, Gone, KnownFile, Listing, Stamp

SETTLED_AFTER_NS = 3_000_000_000
"""A stamp younger than this may be shared by a later write: FAT stores 2 s, ext3 and HFS+ 1 s, and clocks differ."""
DATED_AHEAD_NS = 86_400_000_000_000
"""A modification time a day ahead of the clock was set by hand, not by a clock that runs fast."""
RENUMBERED_LEAST = 5
RENUMBERED_SHARE = 0.9
"""When of so many files nothing but the inode number is another, the file system gave them new ones."""


def is_unsettled(mtime_ns: int, ctime_ns: int, now_ns: int) -> bool:
    """True when a write after `now_ns` could leave the same stamp."""
    fresh = now_ns - SETTLED_AFTER_NS
    return ctime_ns >= fresh or fresh <= mtime_ns <= now_ns + DATED_AHEAD_NS


def listing_digest(listing: Listing) -> bytes:
    """Names and stamps of a folder in 16 bytes: while they agree, none of its rows has to be read."""
    digest = hashlib.blake2b(listing.stamps.tobytes(), digest_size=16)
    digest.update("/".join(listing.names).encode("utf-8", "surrogateescape"))
    return digest.digest()


def folder_changes(listing: Listing, folder_id: int | None, known: Iterable[KnownFile]) -> FolderChanges:
    """What differs between a folder on disk and the index.

    Args:
        listing: The folder as found.
        folder_id: The folder's row, None when it is new.
        known: Its files as the index remembers them, in any order.
    """
    settled = not any_unsettled(listing.stamps, listing.now_ns)
    renumbered: list[KnownFile] = []
    changes = tuple(_changes(listing, known, renumbered))
    calm = listing.whole and settled and not any(isinstance(change, Gone) for change in changes)
    return FolderChanges(listing, folder_id, changes, calm, len(renumbered))


def is_renumbered(renumbered: int, equal: int) -> bool:
    """True when a file system gave its files other inode numbers than at the last run, as some do at each mount.

    Args:
        renumbered: Files of which nothing but the number is another.
        equal: Files whose whole stamp is what it was.
    """
    return renumbered >= RENUMBERED_LEAST and renumbered >= RENUMBERED_SHARE * (renumbered + equal)


def any_unsettled(stamps: array[int], now_ns: int) -> bool:
    """True when one of the stamps is too fresh to be trusted later."""
    return any(map(is_unsettled, stamps[1::4], stamps[2::4], (now_ns for _ in stamps[::4])))


def _changes(
    listing: Listing, known: Iterable[KnownFile], renumbered: list[KnownFile]
) -> Iterator[Added | Altered | Gone]:
    """The changes; what has nothing but another inode number is put on a list as well."""
    positions = {name: index for index, name in enumerate(listing.names)}
    met = bytearray(len(positions))
    for row in known:
        position = positions.get(row.name)
        if position is not None:
            met[position] = 1
            stamp = listing.stamp(position)
            if row.state != FileState.DUE and (row.unsettled or not _equal(row.stamp, stamp)):
                yield Altered(row.file_id, stamp)
                if stamp.inode != row.stamp.inode and _equal(row.stamp, stamp._replace(inode=0)):
                    renumbered.append(row)
        elif listing.whole:
            yield Gone(row.file_id)
    for position, name in enumerate(listing.names):
        if not met[position]:
            yield Added(name, listing.stamp(position))


def _equal(known: Stamp, found: Stamp) -> bool:
    """True for equal stamps; a file that has no inode number now may have had any."""
    return known == found or (not found.inode and known[:3] == found[:3])
