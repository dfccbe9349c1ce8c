"""What a picture's folder and sidecars say of it, and whether two pictures' labels agree.

A label that disagrees between two copies of a picture is worth a look for its own sake: one of them is wrong.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from indexer.groups import Member
from indexer.places import split
from indexer.plans import Sidecar
from indexer.text import printable

SIDECAR_ENDINGS = (".txt", ".caption", ".json", ".xmp", ".xml", ".npz")
"""Of files that come with a picture of the same stem (`a.txt`) or name (`a.jpg.txt`)."""
CAPTIONS = (".txt", ".caption")
"""Lines of text, which can be merged."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),  # behind that of UTF-32, which begins with it
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks and what they tell of."""
MIRRORS: Mapping[str, tuple[str, str]] = {"images": ("labels", ".txt"), "JPEGImages": ("Annotations", ".xml")}
"""Folders of pictures whose labels lie in a folder beside them, under the same path: YOLO's and Pascal VOC's layout."""
COMPANIONS = frozenset(
    "cr2 cr3 nef arw dng orf rw2 raf pef srw mov mp4 m4v avi mkv webm psd svg tga pdf".split()  # noqa: SIM905
)
"""Endings of files that are no pictures to imgindex, but that sidecars of the same stem belong to as well."""
SPLITS = frozenset("train training val valid validation test testing dev eval holdout unlabeled".split())  # noqa: SIM905

_NO_CLASS = frozenset(
    "a an the all any new old raw misc other others tmp temp data dataset datasets set sets part parts shard shards chunk"  # noqa: SIM905
    " chunks split splits batch batches run runs scrape scrapes scraped crawl crawled download downloads downloaded import"
    " imports imported export exported copy copies backup backups dup dups duplicate duplicates found again image images"
    " img imgs photo photos picture pictures pic pics jpg jpeg png thumb thumbs thumbnails small large folder dir source"
    " sources src bing google flickr duckduckgo unsplash pexels pixabay instagram reddit jpegimages files upload uploads"
    " incoming inbox archive archived full original originals resized cropped clean cleaned".split()
)
"""Words that name a batch, a source or a heap, not what a picture shows."""
_WORD = re.compile(r"[^\W\d_]+")
_SYNSET = re.compile(r"n\d{8}")
"""A class of ImageNet, named by its WordNet id."""
_FILE_NAMES = re.compile(rb"<(filename|path|folder)>[^<]*</\1>")
"""What Pascal VOC says of where the picture was, which differs between any two copies."""


def class_of(path: str, class_folders: bool | None = None) -> str | None:  # noqa: FBT001 - a setting with three values
    """The class that the folders of a picture give it, None for none.

    Args:
        path: Relative to the root.
        class_folders: True: the last folder is the class, whatever its name. False: folders are no classes. None: the
            folder below a split (`train/7`) is; elsewhere the nearest one whose name has a word that names no batch,
            source or heap: `cat`, `n01440764`, but not `scrape-3`, `2026-11-22`, `images` or a single letter.

    >>> class_of("cat/1.jpg"), class_of("scrape-3/1.jpg"), class_of("train/7/1.jpg"), class_of("bing/dog/1.jpg")
    ('cat', None, '7', 'dog')
    """
    folders = [component for component in split(path)[0].split("/") if component]
    if class_folders is not None:
        return folders[-1] if class_folders and folders else None
    splits = [number for number, folder in enumerate(folders) if folder.lower() in SPLITS]
    if splits:
        below = folders[splits[-1] + 1 :][:1]
        return next((folder for folder in below if folder not in MIRRORS), None)
    return next((folder for folder in reversed(folders) if _names_a_class(folder)), None)


def _names_a_class(folder: str) -> bool:
    words = [word for word in _WORD.findall(folder.lower()) if len(word) > 1]
    return bool(_SYNSET.fullmatch(folder)) or any(word not in _NO_CLASS for word in words)


def mirrored(path: str) -> tuple[str, str, str] | None:
    """Where the labels of a picture lie in a layout that keeps them in a folder of their own.

    Args:
        path: Absolute, of the picture.

    Returns:
        The folder that holds both, the labels' folder relative to it, and their ending; None in other layouts. Of several
        `images` in the path the last counts, as in YOLO.

    >>> mirrored("/data/images/train/1.jpg"), mirrored("/data/1.jpg")
    (('/data', 'labels/train', '.txt'), None)
    """
    components = split(path)[0].split("/")
    found = [number for number, component in enumerate(components) if component in MIRRORS]
    if not found:
        return None
    labels, ending = MIRRORS[components[found[-1]]]
    return "/".join(components[: found[-1]]) or "/", "/".join([labels, *components[found[-1] + 1 :]]), ending


def unmirrored(path: str) -> str | None:
    """The folder of pictures that a folder of labels mirrors; None for other folders.

    Args:
        path: Absolute, of the folder.

    >>> unmirrored("/data/labels/train"), unmirrored("/data/train")
    ('/data/images/train', None)
    """
    components = path.split("/")
    pictures = {labels: folder for folder, (labels, _ending) in MIRRORS.items()}
    found = [number for number, component in enumerate(components) if component in pictures]
    if not found:
        return None
    components[found[-1]] = pictures[components[found[-1]]]
    return "/".join(components)


def stem(name: str) -> str:
    """A file's name without its ending."""
    found, dot, _ending = name.rpartition(".")
    return found if dot and found else name


def sidecar_ending(name: str) -> str | None:
    """The ending, in lower case, of a name that may be a sidecar's, else None.

    >>> sidecar_ending("a.TXT"), sidecar_ending("a.jpg"), sidecar_ending(".txt")
    ('.txt', None, None)
    """
    ending = name[len(stem(name)) :].lower()
    return ending if ending in SIDECAR_ENDINGS else None


def meaning(role: str, data: bytes) -> bytes:
    """A digest of what a sidecar says.

    It leaves out what differs between any two copies: blanks around lines of text, the layout of JSON, and what an XML
    annotation of Pascal VOC says of the picture's file.
    """
    return hashlib.sha256(_bare(role, data)).digest()


def _bare(role: str, data: bytes) -> bytes:
    if role.endswith(CAPTIONS):
        return b"\n".join(caption_lines(data))
    if role.endswith(".json"):
        try:
            return json.dumps(json.loads(data, object_pairs_hook=_sorted_pairs)).encode()
        except (ValueError, RecursionError):
            return data
    return b" ".join(_FILE_NAMES.sub(b"", data).split()) if role.endswith(".xml") else data


def _sorted_pairs(pairs: list[tuple[str, object]]) -> tuple[str, list[tuple[str, object]]]:
    """An object whose keys have an order, a key that comes twice included."""
    return "object", sorted(pairs, key=lambda pair: pair[0])


def caption_lines(data: bytes) -> list[bytes]:
    """The lines of a caption that say something, without blanks at their ends and a byte order mark.

    They are in UTF-8 when its mark says how it is encoded, else as they are.
    """
    try:
        return _lines(_plain(data))
    except ValueError:
        return _lines(data)


def _lines(data: bytes) -> list[bytes]:
    return [line.strip() for line in data.splitlines() if line.strip()]


def _encoding(data: bytes) -> tuple[bytes, str]:
    """A byte order mark, empty when there is none, and the encoding that it tells of."""
    return next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))


def _plain(data: bytes) -> bytes:
    """A text without its mark, in UTF-8, or as it is when it has no mark.

    Raises:
        ValueError: When it is not what its mark says, or holds NULs, as UTF-16 without a mark does.
    """
    mark, encoding = _encoding(data)
    plain = data.removeprefix(mark)
    try:
        plain = plain if encoding == "utf-8" else plain.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise ValueError(f"one of them is not {encoding}, as its mark says") from error
    if b"\0" in plain:
        raise ValueError("nobody can tell how one of them is encoded")
    return plain


def merged(keeper: bytes | None, surplus: bytes) -> bytes:
    r"""A keeper's caption with the lines that it lacks, in its own encoding, or its first one.

    Raises:
        ValueError: When that cannot be, as nobody can tell how they are encoded, or the result would mix encodings.

    >>> merged(b"a cat", b"a cat\nasleep\n"), merged(None, b"a dog\n")
    (b'a cat\nasleep\n', b'a dog\n')
    """
    if keeper is None:
        return surplus
    own, theirs = _plain(keeper), _lines(_plain(surplus))
    known = set(_lines(own))
    lacking = [line for line in dict.fromkeys(theirs) if line not in known]
    if not lacking:
        return keeper
    added = b"\n".join([*([b""] if own and not own.endswith(b"\n") else ()), *lacking, b""])
    encoding = _encoding(keeper)[1]
    if {encoding != "utf-8" or _is_utf8(own), _is_utf8(added)} >= {True, False}:
        raise ValueError("the kept one is in another encoding")
    return keeper + (added if encoding == "utf-8" else added.decode().encode(encoding))


def _is_utf8(text: bytes) -> bool | None:
    """True or False for a text that is or is not in UTF-8, None for ASCII, which goes with either."""
    try:
        return None if text.isascii() else bool(text.decode())
    except UnicodeDecodeError:
        return False


def differences(
    keeper: tuple[Member, Sequence[Sidecar]],
    surplus: tuple[Member, Sequence[Sidecar]],
    class_folders: bool | None,  # noqa: FBT001
) -> list[str]:
    """In what the labels of a surplus file differ from its keeper's, a clause each; empty when nothing is lost with it.

    A keeper may say more than its surplus: what the surplus lacks is not lost.
    """
    found = [_difference(role, other, surplus[1]) for role, other in disagreeing(keeper[1], surplus[1])]
    ours, theirs = (class_of(member.path, class_folders) for member, _sidecars in (keeper, surplus))
    if ours is not None and theirs is not None and ours != theirs:
        found.insert(0, f"class '{printable(theirs)}' instead of '{printable(ours)}'")
    return found


def _difference(role: str, keepers: Sidecar | None, surplus: Sequence[Sidecar]) -> str:
    if not next(one for one in surplus if one.role == role).digest:
        return f"its {role} is a link, or cannot be read"
    return f"its {role} differs" if keepers else f"it has {role}, the kept file has none"


def disagreeing(keeper: Sequence[Sidecar], surplus: Sequence[Sidecar]) -> list[tuple[str, Sidecar | None]]:
    """The roles in which a surplus file's sidecars say something else than its keeper's, with the keeper's, if any."""
    kept, paths = {sidecar.role: sidecar for sidecar in keeper}, {sidecar.full_path for sidecar in keeper}
    ones = {sidecar.role: sidecar for sidecar in surplus if sidecar.full_path not in paths}  # what is shared stays
    return [
        (role, kept.get(role)) for role, one in ones.items() if role not in kept or kept[role].meaning != one.meaning
    ]
