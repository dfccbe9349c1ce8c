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
    with tempfile.TemporaryDirectory(prefix="imgindex-") as folder:
        try:
            paths = [_path(picture, os.path.join(folder, str(number))) for number, picture in enumerate(pictures)]
        except OSError as error:
            raise ImgindexError(f"cannot write to '{folder}': {error.strerror}", "free space, or set TMPDIR") from error
        yield paths


def name_of(picture: Picture) -> str:
    """The path of a picture as it was given, empty for bytes."""
    return "" if isinstance(picture, bytes) else os.fspath(picture)


def _path(picture: Picture, target: str) -> str:
    """The path of a picture, of which bytes are written to a file first."""
    if not isinstance(picture, bytes):
        return os.path.abspath(picture)
    with open(target, "xb") as stream:
        stream.write(picture)
    return target
