"""What the program runs on, and which versions of it have known faults."""

from __future__ import annotations

import importlib.metadata
import platform
import sqlite3
from collections.abc import Iterator

from PIL import features

from indexer.records import Finding, Health

_SOUND_SINCE = {
    "pillow": ((12, 3), "earlier ones have known holes in decoders", "pip install --upgrade pillow"),
    "libwebp": ((1, 3, 2), "a picture can take over earlier ones (CVE-2023-4863)", "pip install --upgrade pillow"),
    "sqlite": ((3, 37), "earlier ones are untested", "install a newer Python"),
}
"""The first version without a known fault, what earlier ones have, and what to do."""
_LIBRARIES = {
    "libjpeg-turbo": "libjpeg_turbo",
    "libwebp": "webp",
    "libtiff": "libtiff",
    "openjpeg": "jpg_2000",
    "libavif": "avif",
}
_PLUGINS = {"pillow-heif": "heif", "pillow-jxl-plugin": "jxl"}


def versions() -> Iterator[Finding]:
    """What the program runs on; versions with known faults are named."""
    yield Finding("imgindex", Health.FINE, importlib.metadata.version("imgindex"))
    yield Finding("python", Health.FINE, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _version("sqlite", sqlite3.sqlite_version)
    yield _version("pillow", importlib.metadata.version("pillow"))
    for name, feature in _LIBRARIES.items():
        found = features.version(feature)
        if found is None:
            yield Finding(name, Health.NOTE, "is missing in this Pillow: pictures that need it are unreadable")
        else:
            yield _version(name, str(found))
    for name, extra in _PLUGINS.items():
        try:
            yield _version(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            advice = f"to read such pictures: pip install 'imgindex[{extra}]'"
            yield Finding(name, Health.NOTE, "is not installed", advice)


def _version(name: str, found: str) -> Finding:
    first, fault, advice = _SOUND_SINCE.get(name, ((), "", ""))
    if _numbers(found) < first:
        return Finding(name, Health.WARNING, f"{found}: {fault}", advice)
    return Finding(name, Health.FINE, found)


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
