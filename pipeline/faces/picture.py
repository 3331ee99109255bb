"""From the bytes of a photo to its pixels, or to the reason why there are none.

Whatever the web serves as a photo comes out as 8-bit BGR the right way up: EXIF orientation applied, CMYK and greyscale
turned to colour, 16 bits to 8, alpha laid over grey, the first frame of an animation.
"""

import io
import struct
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # [height, width, 3], BGR
BACKDROP = 127.5  # what shows through transparent pixels: neither a dark nor a light edge around a face
cv2.setNumThreads(
    1
)  # the shards of a table are what runs in parallel; OpenCV's own threads would only stand in their way
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of JPEG that begin a frame
SEGMENTS = {0xC4, 0xCC, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE}  # those that may stand before it, each with its length
SHRUNK = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
MAX_PIXELS = 1 << 27  # 134 megapixels, 400 MB decoded: no face photo needs more, a decompression bomb does


class UnreadablePhoto(ValueError):  # noqa: N818
    """The bytes are no whole picture; the message says why."""


def decode(data: bytes, shrink: int = 1) -> Image:
    """The picture [height, width, 3] in 8-bit BGR that the bytes of a photo hold.

    shrink: 1, or what `shrinks` gave: each side comes out so many times shorter, rounded up.

    Raises UnreadablePhoto when they are empty, cut short, no picture, or more than MAX_PIXELS.
    """
    if not data:
        raise UnreadablePhoto("the file is empty")
    _whole(data)
    _small_enough(data)
    flags = cv2.IMREAD_UNCHANGED if _may_have_alpha(data) else SHRUNK[shrink]
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise UnreadablePhoto(f"no picture that can be decoded ({_looks_like(data)})")
    return _bgr8(image)


def decode_shrink(data: bytes, side: int) -> int:
    """How many times smaller a JPEG may be decoded with its longer side still of so many pixels: 1, 2, 4 or 8.

    A JPEG's blocks are of 8x8 frequencies, and the lower ones alone make the smaller picture, in a part of the time.
    """
    longest = max(_jpeg_size(data) or (0,))
    return max(n for n in SHRUNK if n == 1 or longest >= n * side)


def _small_enough(data: bytes) -> None:
    """Raise UnreadablePhoto for more than MAX_PIXELS by the file's own header: decoding them would fill memory."""
    width, height = _size(data) or (0, 0)
    if width * height > MAX_PIXELS:
        raise UnreadablePhoto(f"{width}x{height} pixels are more than {MAX_PIXELS}")


def pixels(data: bytes) -> int:
    """How many pixels a photo says it has, without decoding it; MAX_PIXELS where that cannot be told.

    Raises UnreadablePhoto for far too many.
    """
    width, height = _size(data) or (MAX_PIXELS, 1)
    return width * height


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a file says; None: it is not of a format that Pillow knows, OpenCV says what it is."""
    try:
        if size := _jpeg_size(data):
            return size
        with PIL.Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except PIL.Image.DecompressionBombError:
        raise UnreadablePhoto(f"it has more than {MAX_PIXELS} pixels") from None
    except (OSError, ValueError, SyntaxError):
        return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG's first frame says (ITU-T T.81, B.2), far faster than Pillow; None: ask Pillow."""
    at = 2
    while data[:2] == b"\xff\xd8" and data[at : at + 1] == b"\xff" and at + 9 <= len(data):
        if data[at + 1] in FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if data[at + 1] not in SEGMENTS:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _bgr8(image: NDArray[Any]) -> Image:
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype != np.uint8:
        image = np.clip(image * 255.0, 0, 255).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    if image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.float32) / 255
        blended = image[:, :, :3] * alpha + BACKDROP * (1 - alpha)
        return np.asarray(np.rint(blended), np.uint8)
    return np.asarray(image, np.uint8)


def _may_have_alpha(data: bytes) -> bool:
    return data.startswith(b"\x89PNG") or (
        data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and bool(data[20:21] and data[20] & 0x10)
    )


def _whole(data: bytes) -> None:
    """Raise UnreadablePhoto for a file that was cut short: decoders would fill the rest with grey and say nothing."""
    if data.startswith(b"\xff\xd8"):
        # within coded data FF is always stuffed, so an end marker after the last scan's start is the real end
        short = data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    elif data.startswith(b"\x89PNG"):
        short = not _ends(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        short = len(data) < int.from_bytes(data[4:8], "little") + 8
    elif data.startswith(b"BM"):
        short = len(data) < int.from_bytes(data[2:6], "little")
    else:
        short = False
    if short:
        raise UnreadablePhoto(f"cut short after {len(data)} bytes")


def _ends(png: bytes) -> bool:
    """Whether a PNG's chunks follow one another up to the last: decoders make room for any length that one claims."""
    place = 8
    while (length := int.from_bytes(png[place : place + 4], "big")) <= len(png) - place - 12:
        if png[place + 4 : place + 8] == b"IEND":
            return True
        place += length + 12
    return False


def _looks_like(data: bytes) -> str:
    head = data[:256].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "it is a web page"
    return f"{len(data)} bytes that begin with {data[:8].hex(' ')}"
