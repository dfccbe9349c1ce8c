"""imgindex: an index of a growing image data set that finds pictures kept twice and moves the surplus away, undoably."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.api import Index

__version__ = "0.1.0"
__all__ = ["Index", "__version__"]


def __getattr__(name: str) -> object:
    """Loads the public API when it is first asked for: importing the package alone costs next to nothing."""
    if name == "Index":
        from indexer.api import Index  # noqa: PLC0415

        return Index
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
