"""Reads and decodes one file: what workers run.

The bytes that are decoded are the bytes that were digested. Pillow's plugins are limited to an allow-list, by content and
not by name, so that no PostScript interpreter can be started and no rarely tested parser is reached. Whatever a picture
does to its decoder, the answer is a value.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import time
import warnings
from collections.abc import Sequence
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError
from simplejpeg import decode_jpeg, decode_jpeg_header

from indexer.diff import is_unsettled
from indexer.filesystem import born_ns, chunks, open_regular, stamp_from
from indexer.fingerprint import fingerprint, reduction
from indexer.modes import TRANSPARENT, TURNED, bands, flattened, reduced, upright
from indexer.recipe import HASH_SIDE, LOW_DETAIL, MAX_JPEG_PIXELS
from indexer.records import (
    MAX_FILE_BYTES,
    Fingerprint,
    Fingerprinted,
    NotPicture,
    Outcome,
    Reading,
    Recognised,
    Task,
    Unreadable,
)
from indexer.text import bytes_text

MAX_PIXELS = 100_000_000
"""A larger picture is not decoded: as RGBA it would fill 0.4 GB."""
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF")
"""What Pillow itself may decode. A JPEG with more pictures behind it opens as MPO."""
_PILLOW_MODULES = {"WEBP": "WebP", "DIB": "Bmp"}
PLUGINS = {"HEIF": ("pillow_heif", "heif"), "JXL": ("pillow_jxl", "jxl")}
"""Format → module that adds it, and the extra of imgindex that installs it."""
ORIENTATION = 0x0112
_METADATA = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))
"""Where Pillow finds an orientation; it turns TIFFs by itself when it loads them."""
_START_OF_SCAN, _APP1, _APP2 = b"\xda", b"\xe1", b"\xe2"
"""Markers of JPEG segments."""
_PLAIN_COLOURS = {"Gray": ("L", "GRAY"), "YCbCr": ("RGB", "RGB"), "RGB": ("RGB", "RGB")}
"""A JPEG's colour space → the mode Pillow gives it, and what to decode it to."""


class _ChangingError(Exception):
    """The file changed while it was being read."""


def decode_batch(tasks: Sequence[Task], known: frozenset[bytes]) -> list[Outcome]:
    """The outcome of each file, in order; never raises for the sake of a file.

    Args:
        tasks: The files.
        known: SHA-256 digests of contents that need no decoding.
    """
    met: set[bytes] = set(known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return [_outcome(task, met) for task in tasks]


def _outcome(task: Task, known: set[bytes]) -> Outcome:
    """What reading and decoding one file gives; a content that it fingerprints joins the known ones."""
    try:
        data, reading = read_stable(task.path, task.max_bytes)
    except OSError as error:
        return Unreadable(task.file_id, f"cannot be read: {error.strerror or error}")
    except _ChangingError:
        return Unreadable(task.file_id, "changed while it was being read")
    digest = hashlib.sha256(data).digest()
    if digest in known:
        return Recognised(task.file_id, reading, digest)
    outcome = _decoded(task, data, reading, digest)
    if isinstance(outcome, Fingerprinted):
        known.add(digest)
    return outcome


def _decoded(task: Task, data: bytes, reading: Reading, digest: bytes) -> Outcome:
    """What decoding a file's bytes gives."""
    if not (data or task.claims_picture):
        return NotPicture(task.file_id, reading)
    try:
        return Fingerprinted(task.file_id, reading, digest, decode(data))
    except UnidentifiedImageError:
        if not task.claims_picture:
            return NotPicture(task.file_id, reading)
        return Unreadable(task.file_id, unidentified_reason(data), reading, digest)
    except Exception as error:  # noqa: BLE001 - decoders raise anything, and one bad file must not stop a million
        return Unreadable(task.file_id, failure_reason(error), reading, digest)


def read_stable(path: str, max_bytes: int = MAX_FILE_BYTES) -> tuple[bytes, Reading]:
    """The bytes of a file that did not change while they were read; one that did is read once more.

    Raises:
        OSError: When it cannot be read, is no regular file or has more bytes than it may.
        _ChangingError: When it changed both times.
    """
    for _attempt in range(2):
        descriptor, before = open_regular(path)
        try:
            if before.st_size > max_bytes:
                raise OSError(
                    f"larger than --max-file-size ({bytes_text(max_bytes)}); raise it, with --retry, to read it"
                )
            data = os.read(descriptor, before.st_size + 1)
            if 0 < len(data) < before.st_size:
                data = b"".join(chunks(descriptor))
            after = stamp_from(os.fstat(descriptor))
            if after == stamp_from(before) and len(data) == after.size:
                unsettled = is_unsettled(after.mtime_ns, after.ctime_ns, time.time_ns())
                return data, Reading(after, unsettled, born_ns(descriptor))
        finally:
            os.close(descriptor)
    raise _ChangingError


def decode(data: bytes) -> Fingerprint:
    """The fingerprint of a picture in memory.

    Raises:
        UnidentifiedImageError: When the bytes are none of the formats.
        Exception: Whatever the decoder raises.
    """
    if not data:
        raise ValueError("empty file")
    return _decode_plain_jpeg(data) or _decode_any(data)


def _decode_plain_jpeg(data: bytes) -> Fingerprint | None:
    """The fingerprint of a JPEG in grey or colour without metadata that could turn it; None for all else.

    It calls libjpeg-turbo with less around it than Pillow has, which halves what imgindex adds to decoding. Whatever is
    odd about the bytes is left to Pillow to judge.
    """
    if not _has_plain_header(data):
        return None
    try:
        height, width, colours, _subsampling = decode_jpeg_header(data)
        if colours not in _PLAIN_COLOURS or width * height > MAX_JPEG_PIXELS:
            return None
        mode, space = _PLAIN_COLOURS[colours]
        scale = _jpeg_scale(width, height)
        pixels = decode_jpeg(data, space, min_height=-(-height // scale), min_width=-(-width // scale))
    except ValueError:
        return None
    picture = pixels[:, :, 0] if mode == "L" else pixels
    if reduction(picture.shape[1], picture.shape[0]) != (1, 1):
        picture = np.asarray(reduced(Image.fromarray(picture)))
    found = fingerprint(picture, width=width, height=height, format="JPEG", mode=mode)
    return None if found.detail < LOW_DETAIL else found


def _jpeg_scale(width: int, height: int) -> int:
    """By what to shrink a JPEG while it is decoded: as Pillow's `draft` does, so that both ways see the same pixels."""
    room = min(width, height) // HASH_SIDE
    return next(scale for scale in (8, 4, 2, 1) if scale <= max(room, 1))


def _has_plain_header(data: bytes) -> bool:
    """True for a JPEG whose segments before the picture cannot hold an orientation (APP1) or name more pictures (MPF).

    Source: ITU-T T.81, annex B: each segment is FF, a marker, and two bytes of length that count themselves.
    """
    if data[:2] != b"\xff\xd8":
        return False
    position = 2
    while data[position : position + 1] == b"\xff":
        marker = data[position + 1 : position + 2]
        if marker == _START_OF_SCAN:
            return True
        if marker == _APP1 or (marker == _APP2 and data[position + 4 : position + 8] == b"MPF\0"):
            return False
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False


def _decode_any(data: bytes) -> Fingerprint:
    """The fingerprint of a picture of any format, by Pillow."""
    found, unseen = _decode_by_pillow(data)
    return found if found.detail >= LOW_DETAIL else found._replace(look=_look_of_all(data, unseen))


def _decode_by_pillow(data: bytes) -> tuple[Fingerprint, bytes]:
    """The fingerprint of a picture, and what its pixels do not show; on return, its memory is free again."""
    Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS
    with Image.open(BytesIO(data), formats=formats()) as picture:
        width, height, mode, name = *picture.size, picture.mode, picture.format or ""
        is_jpeg = name in {"JPEG", "MPO"}
        if not is_jpeg and width * height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if is_jpeg:
            picture.draft("RGB" if mode == "RGB" else "L", (HASH_SIDE, HASH_SIDE))
        picture.load()
        orientation = orientation_of(picture)
        layers = reduced(picture)
        small = upright(flattened(layers), orientation)
        unseen = b"" if is_jpeg else _unseen(picture, layers, data)
        if orientation in TURNED:
            width, height = height, width
        found = fingerprint(np.asarray(small), width=width, height=height, format=name, mode=mode, unseen=unseen)
        return found, unseen


def _unseen(picture: Image.Image, layers: Image.Image, data: bytes) -> bytes:
    """What the pixels on white of a picture's first frame do not show: its transparency, and that it has more frames.

    A picture of more than one frame has the digest of its file here, so that it looks like its byte copies alone.
    """
    if getattr(picture, "is_animated", False):
        return hashlib.sha256(data).digest()
    if layers.mode not in TRANSPARENT:
        return b""
    opacity = layers.convert("RGBA").getchannel("A")
    return b"" if opacity.getextrema() == (255, 255) else hashlib.sha256(opacity.tobytes()).digest()


def _look_of_all(data: bytes, unseen: bytes) -> bytes:
    """The look of a picture with hardly anything on it: of every pixel, as a speck would vanish at any smaller scale."""
    with Image.open(BytesIO(data), formats=formats()) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            return hashlib.sha256(data).digest()[:16]
        picture.load()
        pixels = upright(picture, orientation_of(picture))
        mode = pixels.mode if pixels.mode.startswith(("I", "F")) else "RGBA"
        look = hashlib.sha256(f"{mode} {pixels.size} ".encode() + unseen)
        for band in bands(pixels):
            look.update((band if band.mode == mode else band.convert(mode)).tobytes())
        return look.digest()[:16]


@cache
def formats() -> tuple[str, ...]:
    """The formats that can be decoded here: Pillow's allow-list, and those of the plugins that are installed."""
    found = list(FORMATS)
    for name, (module, _extra) in PLUGINS.items():
        try:
            plugin = importlib.import_module(module)
        except ImportError:
            continue
        if name == "HEIF":
            plugin.register_heif_opener()
        found.append(name)
    for name in FORMATS:
        importlib.import_module(f"PIL.{_PILLOW_MODULES.get(name, name.title())}ImagePlugin")
    return tuple(name for name in found if name in Image.OPEN)


def unidentified_reason(data: bytes) -> str:
    """Why bytes that claim to be a picture are none that can be decoded, with the remedy where there is one."""
    brand = data[8:12]
    if data[4:8] == b"ftyp" and brand in {b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"}:
        return _plugin_reason("HEIF")
    if data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return _plugin_reason("JXL")
    if data.lstrip()[:1] == b"<":
        return "not a picture: holds markup (a web page, an error message or SVG)"
    return "not a picture of a known format"


def failure_reason(error: Exception) -> str:
    """An exception of a decoder in a line."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more pixels than imgindex decodes ({MAX_PIXELS:,}; JPEG {MAX_JPEG_PIXELS:,})"
    if isinstance(error, MemoryError):
        return "needs more memory than a worker may use"
    try:
        words = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - one whose words cannot be had, either
        words = ""
    return f"cannot be decoded: {words or type(error).__name__}"[:300]


def _plugin_reason(name: str) -> str:
    if name in formats():
        return f"cannot be decoded: damaged {name}"
    return f"{name} needs a plugin: pip install 'imgindex[{PLUGINS[name][1]}]', then imgindex index --retry"


def orientation_of(picture: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be parsed: broken metadata is no broken picture."""
    if picture.info.keys().isdisjoint(_METADATA):
        return 1
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - Pillow's EXIF parser raises half a dozen kinds on junk
        return 1
    return value if isinstance(value, int) else 1
