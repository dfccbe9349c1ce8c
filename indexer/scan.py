"""Walks folders and yields what lies in each: stamps only, no file is opened and no link is followed.

A folder that cannot be listed is a value of its own (`Unlisted`), never an empty folder.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import stat
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from indexer.filesystem import FOLDER_FLAGS, stamp_from
from indexer.places import joined, relative_to, split
from indexer.records import Listing, Unlisted

ENDINGS = {
    **dict.fromkeys(("JPEG", "MPO"), frozenset(("jpg", "jpeg", "jpe", "jfif", "mpo"))),
    "PNG": frozenset(("png", "apng")),
    "GIF": frozenset(("gif",)),
    "WEBP": frozenset(("webp",)),
    **dict.fromkeys(("BMP", "DIB"), frozenset(("bmp", "dib"))),
    "TIFF": frozenset(("tif", "tiff")),
    "AVIF": frozenset(("avif", "avifs", "heif")),  # a .heif is a container that may hold either
    "HEIF": frozenset(("heic", "heif", "hif")),
    "JXL": frozenset(("jxl",)),
}
"""Format, as Pillow calls it → how names of such files end, in lower case."""
PICTURE_ENDINGS = frozenset().union(*ENDINGS.values())
"""Endings, in lower case, of the names that claim to be a picture of a kind imgindex can read."""

QUARANTINE = ".imgindex-quarantine"
SKIPPED_FOLDERS = frozenset((QUARANTINE, ".git", ".hg", ".svn", "$RECYCLE.BIN", ".Trashes", "lost+found"))
"""Never entered: quarantines, version control's own stores, trash cans."""
_OWN_FILE = re.compile(r"imgindex\.db([-.].*)?|.*\.db-journal|.*\.db-wal|.*\.db-shm|manifest\.jsonl")

Wanted = Callable[[str, str], bool]
"""Says of a folder's path relative to the root, and a name in it, whether the file is considered."""


def claims_picture(name: str) -> bool:
    """True when a name ends like a picture's.

    >>> claims_picture("a.JPG"), claims_picture("a.txt"), claims_picture("jpg"), claims_picture(".png")
    (True, False, False, False)
    """
    stem, dot, ending = name.rpartition(".")
    return bool(stem and dot) and ending.lower() in PICTURE_ENDINGS


def misleads(name: str, form: str) -> bool:
    """True when a name ends like a picture's of another format than it has.

    >>> misleads("a.jpg", "PNG"), misleads("a.JPEG", "MPO"), misleads("IMG_0001", "PNG")
    (True, False, False)
    """
    return claims_picture(name) and name.rpartition(".")[2].lower() not in ENDINGS.get(form, PICTURE_ENDINGS)


def considered(name: str) -> bool:
    """True for names with a picture's ending or none at all.

    >>> considered("a.jpg"), considered("IMG_0001"), considered("a.txt"), considered(".DS_Store")
    (True, True, False, False)
    """
    return "." not in name or claims_picture(name)


def wanted_files(*, all_files: bool, exclude: Iterable[str]) -> Wanted:
    """The test for the files that are considered.

    Args:
        all_files: Consider every name but those of imgindex itself.
        exclude: Glob patterns, matched against the name and against the path relative to the root.
    """
    by_name = (lambda name: not _OWN_FILE.fullmatch(name)) if all_files else considered
    excluded = excluded_names(exclude)
    if excluded is None:
        return lambda _folder, name: by_name(name)
    return lambda folder, name: by_name(name) and not excluded(folder, name)


def excluded_names(patterns: Iterable[str]) -> Wanted | None:
    """The test for excluded files and folders, None when nothing is."""
    translated = [fnmatch.translate(pattern.rstrip("/")) for pattern in patterns]
    if not translated:
        return None
    excluded = re.compile("|".join(translated))
    return lambda folder, name: bool(excluded.fullmatch(name) or excluded.fullmatch(joined(folder, name)))


def left_out(root: str, closed: Iterable[str], patterns: Iterable[str]) -> Wanted | None:
    """The test for folders that are not entered, None when all are.

    Args:
        root: Absolute path.
        closed: Absolute paths of folders.
        patterns: Glob patterns, as for `excluded_names`.
    """
    excluded = excluded_names(patterns)
    paths = frozenset(relative_to(path, root) for path in closed)
    if not paths:
        return excluded
    return lambda folder, name: joined(folder, name) in paths or bool(excluded and excluded(folder, name))


def walk(
    root: str, *, below: str = "", wanted: Wanted, excluded: Wanted | None = None, numbered: bool = True
) -> Iterator[Listing | Unlisted]:
    """Each folder at or below a root, parents first, sorted.

    Args:
        root: Absolute path.
        below: Where to start, relative to the root.
        wanted: Which files are considered.
        excluded: Which folders are not entered.
        numbered: False where inode numbers mean nothing: the stamps have none then.
    """
    waiting = [below]
    while waiting:
        path = waiting.pop()
        try:
            names, folders = _names(os.path.join(root, path), path, wanted)
            yield _stamped(root, path, names, numbered=numbered)
        except OSError as error:
            yield Unlisted(path, _reason(error))
            continue
        deeper = (name for name in folders if not (_skipped(name) or (excluded and excluded(path, name))))
        waiting.extend(joined(path, name) for name in sorted(deeper, key=os.fsencode, reverse=True))


def listed(
    root: str, paths: Iterable[str], *, wanted: Wanted, excluded: Wanted | None = None, numbered: bool = True
) -> Iterator[Listing | Unlisted]:
    """The folders of given files, with those files alone.

    Args:
        root: Absolute path.
        paths: Relative to the root.
        wanted: Which files are considered.
        excluded: Which folders are passed over, with all in them.
        numbered: As for `walk`.
    """
    folders = defaultdict(set)
    for path in paths:
        folder, name = split(path)
        if wanted(folder, name) and not passed_over(folder, excluded):
            folders[folder].add(name)
    for folder in sorted(folders, key=os.fsencode):
        try:
            yield _stamped(root, folder, sorted(folders[folder]), whole=False, numbered=numbered)
        except OSError as error:
            yield Unlisted(folder, _reason(error))


def passed_over(folder: str, excluded: Wanted | None) -> bool:
    """True for a folder that `walk` would not enter, or that lies in one.

    Args:
        folder: Relative to the root.
        excluded: As for `walk`.
    """
    while folder:
        folder, name = split(folder)
        if _skipped(name) or (excluded and excluded(folder, name)):
            return True
    return False


def _names(absolute: str, path: str, wanted: Wanted) -> tuple[list[str], list[str]]:
    """The considered files of a folder, sorted, and its sub-folders."""
    names, folders = [], []
    with os.scandir(absolute) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif not entry.is_symlink() and wanted(path, entry.name):
                names.append(entry.name)
    return sorted(names), folders


def _stamped(root: str, path: str, names: list[str], *, whole: bool = True, numbered: bool = True) -> Listing:
    """The listing of a folder whose names are known.

    Files that vanished meanwhile are left out; links and special files are not files.
    """
    stamps: array[int] = array("q")
    now_ns = time.time_ns()
    missing = set()
    folder = os.open(os.path.join(root, path), FOLDER_FLAGS if path else os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in names:
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                missing.add(name)
                continue
            if not stat.S_ISREG(status.st_mode):
                missing.add(name)
                continue
            try:
                stamps.extend((status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
            except OverflowError:  # a time after the year 2262, or an inode above 2⁶³
                del stamps[len(stamps) // 4 * 4 :]
                stamps.extend(stamp_from(status))
        found = [name for name in names if name not in missing] if missing else names
        misnumbered = numbered and _misnumbered(folder, found, stamps[3::4])
    finally:
        os.close(folder)
    if not numbered:
        stamps[3::4] = array("q", bytes(2 * len(stamps)))
    return Listing(path, found, stamps, now_ns, whole, misnumbered)


def _misnumbered(folder: int, names: list[str], inodes: array[int]) -> bool:
    """True when files that are no hard links of each other have one number: their file system has none to give."""
    if len(set(inodes)) == len(inodes):
        return False
    shared = Counter(inodes)
    for name, inode in zip(names, inodes, strict=True):
        with contextlib.suppress(FileNotFoundError):
            if shared[inode] > 1 and os.stat(name, dir_fd=folder, follow_symlinks=False).st_nlink == 1:
                return True
    return False


def _skipped(name: str) -> bool:
    return name in SKIPPED_FOLDERS or name.startswith(".Trash-")


def _reason(error: OSError) -> str:
    return f"cannot be listed: {error.strerror or error}"
