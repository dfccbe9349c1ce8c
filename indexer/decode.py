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
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from simplejpeg import decode_jpeg, decode_jpeg_header

from indexer.diff import is_unsettled
from indexer.filesystem import born_ns, chunks, open_regular, stamp_from
from indexer.fingerprint import fingerprint, reduction
from indexer.recipe import GROUND, HASH_SIDE, LOW_DETAIL, MAX_JPEG_PIXELS
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
TRANSPARENT = frozenset(("LA", "La", "RGBA", "RGBa", "PA"))
"""Modes with a layer of opacity."""
_PIXELS_AT_ONCE = 1 << 20
"""So many pixels of a large picture are converted and digested at a time."""
ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what makes the picture upright. Source: Exif 2.3, tag 274."""
_METADATA = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))
"""Where Pillow finds an orientation; it turns TIFFs by itself when it loads them."""
_START_OF_SCAN, _APP1, _APP2 = b"\xda", b"\xe1", b"\xe2"
"""Markers of JPEG segments."""
_PLAIN_COLOURS = {"Gray": ("L", "GRAY"), "YCbCr": ("RGB", "RGB"), "RGB": ("RGB", "RGB")}
"""A JPEG's colour space → the mode Pillow gives it, and what to decode it to."""
TURNED = (5, 6, 7, 8)
"""With these orientations, width and height change places."""


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
        for band in _bands(pixels):
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


def reduced(picture: Image.Image) -> Image.Image:
    """The picture shrunk to thumbnail size by whole numbers, averaging."""
    picture = levelled(picture)
    factors = reduction(*picture.size)
    return picture if factors == (1, 1) else picture.reduce(factors)


def levelled(picture: Image.Image) -> Image.Image:
    """The picture in a mode whose samples can be averaged, at most 8 bits each."""
    if picture.mode in {"P", "PA", "1"} or (picture.mode in {"L", "RGB"} and "transparency" in picture.info):
        return picture.convert("RGBA" if _has_alpha(picture) else "L" if picture.mode == "1" else "RGB")
    if picture.mode == "I" or picture.mode.startswith(("I;", "F")):
        return _as_grey(picture)
    return picture


def flattened(picture: Image.Image) -> Image.Image:
    """The picture in mode L or RGB, transparent parts on `GROUND`."""
    if picture.mode in {"L", "RGB"}:
        return picture
    if picture.mode in TRANSPARENT:
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (*GROUND, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    if picture.mode == "LAB":
        return _from_lab(picture)
    return picture.convert("RGB")


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as its EXIF orientation, 1 to 8, says."""
    method = _UPRIGHT.get(orientation)
    return picture if method is None else picture.transpose(method)


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


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode == "PA" or "transparency" in picture.info


def _as_grey(picture: Image.Image) -> Image.Image:
    """A picture of 16-bit, 32-bit or float samples in mode L.

    Samples up to 255 or 65,535 are taken to have that white; others are stretched from their darkest to their brightest.
    """
    extremes = [one for band in _bands(picture) for one in _extremes(np.asarray(band, dtype=np.float32))]
    low, high = (min(extremes), max(extremes)) if extremes else (0.0, 0.0)
    if picture.mode.startswith("I;16"):
        low, high = 0.0, 65_535.0
    elif low >= 0 and 1 < high <= 65_535:
        low, high = 0.0, 255.0 if high <= 255 else 65_535.0
    grey = np.empty((picture.height, picture.width), dtype=np.uint8)
    top = 0
    for band in _bands(picture):
        samples = np.asarray(band, dtype=np.float32)
        scaled = np.nan_to_num((samples - low) * (255.0 / (high - low or 1.0)))
        grey[top : top + band.height] = np.clip(scaled + 0.5, 0, 255).astype(np.uint8)
        top += band.height
    return Image.fromarray(grey)


def _extremes(samples: NDArray[np.float32]) -> tuple[float, ...]:
    """The least and the largest finite sample, where there is one."""
    finite = samples[np.isfinite(samples)]
    return (float(finite.min()), float(finite.max())) if finite.size else ()


def _bands(picture: Image.Image) -> Iterator[Image.Image]:
    """A picture in bands of about a million pixels, from the top: what is made of a band is small beside the picture."""
    rows = max(1, _PIXELS_AT_ONCE // picture.width)
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _from_lab(picture: Image.Image) -> Image.Image:
    """A CIELAB picture (D50, 8 bits a channel) in sRGB.

    Source: CIE 15:2004 for Lab to XYZ; Lindbloom's D50 matrix for XYZ to linear sRGB; IEC 61966-2-1 for its curve.
    """
    lab = np.asarray(picture, dtype=np.int16).astype(np.float32)
    lightness = (lab[..., 0] * (100 / 255) + 16) / 116
    a, b = (np.where(lab[..., i] > 127, lab[..., i] - 256, lab[..., i]) for i in (1, 2))
    cubes = np.stack((lightness + a / 500, lightness, lightness - b / 200), axis=-1)
    white = np.array([0.9642, 1.0, 0.8251], dtype=np.float32)
    xyz = np.where(cubes > 6 / 29, cubes**3, 3 * (6 / 29) ** 2 * (cubes - 4 / 29)) * white
    matrix = np.array(
        [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]], dtype=np.float32
    )
    linear = np.clip(xyz @ matrix.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.clip(encoded * 255 + 0.5, 0, 255).astype(np.uint8))
