"""Pictures that are handed over as bytes, as files that workers can read; they are gone again soon."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence

from indexer.errors import ImgindexError

Picture = bytes | str | os.PathLike[str]
"""Bytes are the picture itself, anything else is its path."""


@contextlib.contextmanager
def as_files(pictures: Sequence[Picture]) -> Iterator[list[str]]:
    """Absolute paths of some pictures, of which those that were given as bytes exist meanwhile.

    Raises:
        ImgindexError: When such a file cannot be written.
    """
    with contextlib.ExitStack() as files:
        try:
            paths = [_path(picture, files) for picture in pictures]
        except OSError as error:
            folder = tempfile.gettempdir()
            raise ImgindexError(f"cannot write to '{folder}': {error.strerror}", "free space, or set TMPDIR") from error
        yield paths


def name_of(picture: Picture) -> str:
    """The path of a picture as it was given, empty for bytes."""
    return "" if isinstance(picture, bytes) else os.fspath(picture)


def _path(picture: Picture, files: contextlib.ExitStack) -> str:
    """The path of a picture, of which bytes are written to a file first: one alone, as making folders takes longer."""
    if not isinstance(picture, bytes):
        return os.path.abspath(picture)
    descriptor, path = tempfile.mkstemp(prefix="imgindex-")
    files.callback(_removed, path)
    with open(descriptor, "wb") as stream:
        stream.write(picture)
    return path


def _removed(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # who cleans up old files may have been quicker
        os.unlink(path)
