"""What can go wrong with a whole run, with exit codes and hints.

The failure of one file is never an exception of this tree: it is a value (`Unreadable`, `Refused`), counted and listed.

    ImgindexError           1  failed
    ├── UsageError          2  the call does not make sense as typed
    │   └── NoIndexError    2  there is no index to read
    ├── SafetyError         4  refused, because carrying on could lose data
    ├── LockedError         5  another run is writing to the index
    └── DatabaseError       6  the database cannot be used
        ├── NewerDatabaseError   made by a newer imgindex
        ├── ForeignDatabaseError not an index of imgindex
        └── CorruptDatabaseError damaged
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_INCOMPLETE = 3
"""Done, but something was unreadable, skipped or not moved."""
EXIT_FOUND = 10
"""Done, and what was asked about is there: leaks between splits, pictures that the index knows."""
EXIT_HUNG_UP = 129
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class ImgindexError(Exception):
    """A run that could not be carried out."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep the message, and what the user can do about it."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ImgindexError):
    """A call that does not make sense as typed."""

    exit_code = 2


class NoIndexError(UsageError):
    """No index was found where one is needed."""


class SafetyError(ImgindexError):
    """A refusal: carrying on could lose data."""

    exit_code = 4


class LockedError(ImgindexError):
    """Another run is writing to the index."""

    exit_code = 5


class DatabaseError(ImgindexError):
    """The database cannot be used."""

    exit_code = 6


class NewerDatabaseError(DatabaseError):
    """The database was made by a newer imgindex."""


class ForeignDatabaseError(DatabaseError):
    """The file is not an index of imgindex."""


class CorruptDatabaseError(DatabaseError):
    """The database is damaged."""
