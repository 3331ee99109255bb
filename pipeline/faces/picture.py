"""From the bytes of a photo to its pixels, or to the reason why there are none; and from a face to a JPEG.

Every format that the web serves as a photo becomes upright 8-bit BGR: EXIF orientation applied, CMYK and greyscale
converted to colour, 16 bits to 8, transparency laid over grey, of an animation the first frame.
"""

import io
import struct
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from pipeline.errors import UserError

Image = NDArray[np.uint8]  # [height, width, 3], BGR
BACKDROP = 127.5  # what shows through transparent pixels: neither a dark nor a light edge around a face
FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of JPEG that begin a frame
SEGMENT_MARKERS = {0xC4, 0xCC, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE}  # those that may precede it, each with a length
SHRINK_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
JPEG_QUALITY = 95  # of faces cut from photos
MAX_PIXELS = 1 << 27  # 134 megapixels, 400 MB decoded: no face photo needs more, a decompression bomb does
cv2.setNumThreads(1)  # the shards of a table run in parallel; threads of OpenCV would only compete with them


class UnreadablePhoto(ValueError):  # noqa: N818  a fact about a photo, kept in its row
    """The bytes are no whole picture; the message says why."""


def decode(data: bytes, shrink: int = 1) -> Image:
    """The picture [height, width, 3] in 8-bit BGR of a photo's bytes.

    shrink: 1, or what `decode_shrink` returned: each side becomes that many times shorter, rounded up. Raises
    UnreadablePhoto when they are empty, cut short, no picture, or more than MAX_PIXELS.
    """
    if not data:
        raise UnreadablePhoto("the file is empty")
    _check_whole(data)
    _check_size(data)
    flags = cv2.IMREAD_UNCHANGED if _may_have_alpha(data) else SHRINK_FLAGS[shrink]
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise UnreadablePhoto(f"no picture that can be decoded ({_looks_like(data)})")
    return _bgr8(image)


def decode_shrink(data: bytes, side: int) -> int:
    """The largest shrink, 1, 2, 4 or 8, at which a JPEG's longer side still has `side` pixels; 1 for other formats.

    A JPEG's blocks hold 8x8 frequencies; the lower ones alone give the smaller picture in a fraction of the time.
    """
    longest = max(_jpeg_size(data) or (0,))
    return max(n for n in SHRINK_FLAGS if n == 1 or longest >= n * side)


def _check_size(data: bytes) -> None:
    """Raise UnreadablePhoto for more than MAX_PIXELS, by the file's header: decoding them would fill the memory."""
    width, height = _size(data) or (0, 0)
    if width * height > MAX_PIXELS:
        raise UnreadablePhoto(f"{width}x{height} pixels are more than {MAX_PIXELS}")


def pixel_count(data: bytes) -> int:
    """The number of pixels in a photo by its header, without decoding it; MAX_PIXELS where the header is not known.

    Raises UnreadablePhoto for far too many.
    """
    width, height = _size(data) or (MAX_PIXELS, 1)
    return width * height


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height in a file's header; None for a format that Pillow does not know, which is left to OpenCV."""
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
    """Width and height in a JPEG's first frame header (ITU-T T.81, B.2), far faster than Pillow; None if not found."""
    place = 2
    while data[:2] == b"\xff\xd8" and data[place : place + 1] == b"\xff" and place + 9 <= len(data):
        if data[place + 1] in FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        if data[place + 1] not in SEGMENT_MARKERS:
            break
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
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


def _check_whole(data: bytes) -> None:
    """Raise UnreadablePhoto for a file that was cut short: decoders fill the rest with grey without an error."""
    if data.startswith(b"\xff\xd8"):
        # coded data never hold an unescaped FF, so an end marker after the start of the last scan is the real end
        short = data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    elif data.startswith(b"\x89PNG"):
        short = not _png_ends(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        short = len(data) < int.from_bytes(data[4:8], "little") + 8
    elif data.startswith(b"BM"):
        short = len(data) < int.from_bytes(data[2:6], "little")
    else:
        short = False
    if short:
        raise UnreadablePhoto(f"cut short after {len(data)} bytes")


def _png_ends(png: bytes) -> bool:
    """Whether a PNG's chunks lead to the final one; a decoder reserves memory for any length that a chunk claims."""
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


def to_jpeg(face: Image) -> bytes:
    """A face [h, w, 3] as JPEG bytes. Raises UserError when OpenCV was built without JPEG."""
    written, data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not written:
        raise UserError("this OpenCV cannot write JPEG: install opencv-python from PyPI")
    return bytes(data)
