"""PNG, WebP, BMP, PNM (PGM, PPM) and TIFF, which OpenCV decodes. Their headers are read before OpenCV is called.

OpenCV decodes these faster than Pillow does. It turns a TIFF upright by itself, and keeps quiet about damaged ones.
"""

import re
import struct
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.faces.picture_formats import pillow
from pipeline.faces.picture_formats.pixels import Image, UnreadablePhoto, check_size, to_bgr8, upright
from pipeline.faces.picture_formats.png import SIGNATURE, read_png
from pipeline.faces.picture_formats.tiff import SIGNATURES, read_tiff
from pipeline.faces.picture_formats.webp import is_webp, read_webp

PNM = re.compile(rb"P[1-6][\s#]")
OLD_BMP_HEADER = 12  # bytes; it has sides of 16 bits
COLOR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
cv2.setNumThreads(1)  # shards are made in parallel already
cv2.setLogLevel(0)  # OpenCV would print what it finds odd in a file, without the file's name


class Header(NamedTuple):
    """What is known of a picture before it is decoded."""

    width: int
    height: int
    pixel_bytes: int = 3  # that a pixel takes while it is decoded
    flags: int = COLOR
    orientation: int = 1
    data: bytes = b""  # what OpenCV gets in place of the file; empty: the file


def decode(data: bytes) -> Image | None:
    """The upright picture; None for bytes in none of these formats, or that OpenCV refuses.

    Raises UnreadablePhoto for a file that is cut short, damaged or too large.
    """
    header = read_header(data)
    if header is None:
        return None
    check_size(header.width, header.height, header.pixel_bytes)
    image = cv2.imdecode(np.frombuffer(header.data or data, np.uint8), header.flags)
    return None if image is None else upright(to_bgr8(image), header.orientation)


def read_header(data: bytes) -> Header | None:
    """What the header of a file tells; None for bytes in none of these formats.

    Raises UnreadablePhoto for a file that is cut short or damaged.
    """
    if data.startswith(SIGNATURE):
        png = read_png(data)
        pixel_bytes, flags = (4 * max(1, png.depth // 8), cv2.IMREAD_UNCHANGED) if png.has_alpha else (3, COLOR)
        return Header(png.width, png.height, pixel_bytes, flags, png.orientation, png.data)
    if is_webp(data):
        webp = read_webp(data)
        pixel_bytes, flags = (4, cv2.IMREAD_UNCHANGED) if webp.has_alpha else (3, COLOR)
        return Header(webp.width, webp.height, pixel_bytes, flags, webp.orientation)
    if data.startswith(b"BM"):
        return Header(*_bmp_size(data))
    if data.startswith(SIGNATURES):
        tiff = read_tiff(data)
        check_size(*tiff.tile, tiff.pixel_bytes)
        return Header(tiff.width, tiff.height, tiff.pixel_bytes)
    if PNM.match(data):
        return Header(*pillow.size_of(data, "PPM"))
    return None


def _bmp_size(data: bytes) -> tuple[int, int]:
    """Width and height in the header of a BMP. Raises UnreadablePhoto when the file is shorter than it says."""
    if len(data) < max(26, int.from_bytes(data[2:6], "little")):
        raise UnreadablePhoto(f"cut short after {len(data)} bytes")
    old = int.from_bytes(data[14:18], "little") == OLD_BMP_HEADER
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return abs(width), abs(height)  # a negative height: the rows go from top to bottom
