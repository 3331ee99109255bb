"""Decodes the bytes of a photo to pixels, with the reason where that fails; encodes a face as JPEG.

Every photo format of the web becomes an upright picture in 8-bit BGR: EXIF orientation is applied, CMYK and greyscale
become colour, 16 bits become 8, transparent pixels are blended with grey, and of an animation the first frame is taken.
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
BACKGROUND = 127.5  # grey behind transparent pixels, so that a face gets neither a dark nor a light edge
FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # of JPEG; a frame's header gives the picture's size
SEGMENT_MARKERS = {0xC4, 0xCC, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE}  # JPEG markers of segments before a frame
SHRINK_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
JPEG_QUALITY = 95  # of faces cut from photos
MAX_PIXELS = 1 << 27  # 134 megapixels, 400 MB decoded: more than any face photo, less than a decompression bomb
cv2.setNumThreads(1)  # shards are made in parallel already


class UnreadablePhoto(ValueError):  # noqa: N818  a result, which the photo's row records
    """The bytes cannot be decoded as a complete picture; the message says why."""


def decode(data: bytes, shrink: int = 1) -> Image:
    """The pixels [height, width, 3] of a photo in 8-bit BGR; data: the bytes of its file.

    shrink: 1, or what decode_shrink() returned; the factor by which each side becomes shorter, rounded up. Raises
    UnreadablePhoto for bytes that are empty, truncated, not a picture, or a picture of more than MAX_PIXELS.
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
        raise UnreadablePhoto(f"no picture that can be decoded ({_description(data)})")
    return _to_bgr8(image)


def decode_shrink(data: bytes, side: int) -> int:
    """The largest of 1, 2, 4 and 8 by which a JPEG's longer side can be divided and keep `side` pixels; else 1.

    A smaller picture can be decoded from the low frequencies of a JPEG's blocks alone, in a fraction of the time.
    """
    longest = max(_jpeg_size(data) or (0,))
    return max(n for n in SHRINK_FLAGS if n == 1 or longest >= n * side)


def _check_size(data: bytes) -> None:
    """Raise UnreadablePhoto when the header gives more than MAX_PIXELS: decoding them could fill the memory."""
    width, height = _size(data) or (0, 0)
    if width * height > MAX_PIXELS:
        raise UnreadablePhoto(f"{width}x{height} pixels are more than {MAX_PIXELS}")


def pixel_count(data: bytes) -> int:
    """The number of pixels of a photo, read from its header; MAX_PIXELS where the format is unknown.

    Raises UnreadablePhoto when Pillow refuses the file because of its number of pixels.
    """
    width, height = _size(data) or (MAX_PIXELS, 1)
    return width * height


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height in a file's header; None for formats that Pillow does not know; OpenCV may know them."""
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
    """Width and height in a JPEG's first frame header (ITU-T T.81, B.2), read much faster than by Pillow; else None."""
    place = 2
    while data[:2] == b"\xff\xd8" and data[place : place + 1] == b"\xff" and place + 9 <= len(data):
        if data[place + 1] in FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        if data[place + 1] not in SEGMENT_MARKERS:
            break
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def _to_bgr8(image: NDArray[Any]) -> Image:
    """A picture of any depth and number of channels as 8-bit BGR."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype != np.uint8:
        image = np.clip(image * 255.0, 0, 255).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    if image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.float32) / 255
        blended = image[:, :, :3] * alpha + BACKGROUND * (1 - alpha)
        return np.asarray(np.rint(blended), np.uint8)
    return np.asarray(image, np.uint8)


def _may_have_alpha(data: bytes) -> bool:
    return data.startswith(b"\x89PNG") or (
        data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and bool(data[20:21] and data[20] & 0x10)
    )


def _check_whole(data: bytes) -> None:
    """Raise UnreadablePhoto for a truncated file: decoders would fill the missing part with grey, without an error."""
    if data.startswith(b"\xff\xd8"):
        # in coded data FF is escaped, so an end marker after the start of the last scan is the real end
        truncated = data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    elif data.startswith(b"\x89PNG"):
        truncated = not _has_png_end(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        truncated = len(data) < int.from_bytes(data[4:8], "little") + 8
    elif data.startswith(b"BM"):
        truncated = len(data) < int.from_bytes(data[2:6], "little")
    else:
        truncated = False
    if truncated:
        raise UnreadablePhoto(f"cut short after {len(data)} bytes")


def _has_png_end(png: bytes) -> bool:
    """Whether a PNG has all its chunks up to the last, IEND; decoders reserve memory for any length a chunk claims."""
    place = 8
    while (length := int.from_bytes(png[place : place + 4], "big")) <= len(png) - place - 12:
        if png[place + 4 : place + 8] == b"IEND":
            return True
        place += length + 12
    return False


def _description(data: bytes) -> str:
    """What the bytes are, if not a picture, for the reason in `failure`."""
    head = data[:256].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "it is a web page"
    return f"{len(data)} bytes that begin with {data[:8].hex(' ')}"


def encode_jpeg(face: Image) -> bytes:
    """A face [h, w, 3] in BGR as the bytes of a JPEG. Raises UserError when OpenCV was built without JPEG."""
    written, data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not written:
        raise UserError("this OpenCV cannot write JPEG: install opencv-python from PyPI")
    return bytes(data)
