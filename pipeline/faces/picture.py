"""Decodes the bytes of a photo to pixels, with the reason where that fails; encodes a face as JPEG.

Every photo format of the web becomes an upright picture in 8-bit BGR: EXIF orientation is applied, CMYK and greyscale
become colour, 16 bits become 8, transparent pixels are blended with grey, and of an animation the first frame is taken.
The format is recognised by a file's first bytes, and a picture's size is checked before its decoder takes the memory.
"""

import cv2

from pipeline.errors import UserError
from pipeline.faces.picture_formats import heic, jpeg, opencv, pillow
from pipeline.faces.picture_formats.heic import MissingDecoder
from pipeline.faces.picture_formats.pixels import MAX_PIXELS, Image, UnreadablePhoto
from pipeline.sources.photo_kinds import AVIF_BRANDS, HEIC_BRANDS, brands

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "Image",
    "MissingDecoder",
    "UnreadablePhoto",
    "check_file_size",
    "decode",
    "decode_shrink",
    "decoded_bytes",
    "encode_jpeg",
    "is_portable",
    "lacks_decoder",
]
MAX_FILE_BYTES = 1 << 27  # a photo with the video of a phone behind it stays below
SHRINKS = (1, 2, 4, 8)  # what JPEG's decoder can divide a picture's sides by
JPEG_QUALITY = 95  # of faces cut from photos
# formats that Pillow decodes, by a file's first bytes
PILLOW_FORMATS = {
    b"GIF8": "GIF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
}


def check_file_size(size: int) -> None:
    """Raise UnreadablePhoto for a file of so many bytes that it is no photo, before it is read into memory."""
    if size > MAX_FILE_BYTES:
        raise UnreadablePhoto(f"{size} bytes are more than {MAX_FILE_BYTES}, the most of a photo's file")


def decode(data: bytes, shrink: int = 1) -> Image:
    """The pixels [height, width, 3] of a photo in 8-bit BGR; data: the bytes of its file.

    shrink: 1, or what decode_shrink() returned; the factor by which each side becomes shorter, rounded up. Raises
    UnreadablePhoto, and nothing else, for bytes that are empty, truncated, damaged, not a picture, or too large a one;
    MissingDecoder, which is one, for a HEIC where pillow-heif is not installed.
    """
    if not data:
        raise UnreadablePhoto("the file is empty")
    try:
        image = _decode(data, shrink)
    except UnreadablePhoto:
        raise
    except Exception:  # noqa: BLE001  on damaged bytes a decoder raises anything, even MemoryError
        image = None  # what it says may hold an address in memory, which a table must not
    if image is None or not image.size:
        raise UnreadablePhoto(f"no picture that can be decoded ({_description(data)})")
    return image


def _decode(data: bytes, shrink: int) -> Image | None:
    if data.startswith(jpeg.START):
        return jpeg.decode(data, shrink)
    if lacks_decoder(data):
        raise MissingDecoder(heic.HINT)
    if format_name := _pillow_format(data):
        return pillow.decode(data, format_name)
    return opencv.decode(data)


def decode_shrink(data: bytes, side: int) -> int:
    """The largest of 1, 2, 4 and 8 by which a JPEG's longer side can be divided and keep `side` pixels; else 1.

    A smaller picture can be decoded from the low frequencies of a JPEG's blocks alone, in a fraction of the time.
    """
    longest = max((jpeg.size_of(data) if data.startswith(jpeg.START) else None) or (0,))
    return max(n for n in SHRINKS if n == 1 or longest >= n * side)


def decoded_bytes(data: bytes) -> int:
    """The memory that a photo takes when it is decoded, by its header; 0 for a file that decode() refuses."""
    try:
        if data.startswith(jpeg.START):
            width, height, pixel_bytes = *(jpeg.size_of(data) or (0, 0)), 3
        elif format_name := _pillow_format(data):
            width, height, pixel_bytes = *pillow.size_of(data, format_name), pillow.PIXEL_BYTES[format_name]
        else:
            width, height, pixel_bytes, *_ = opencv.read_header(data) or (0, 0, 0)
    except Exception:  # noqa: BLE001  decode() gives the reason
        return 0
    return width * height * pixel_bytes


def is_portable(data: bytes) -> bool:
    """Whether other decoders read a photo as decode() does, and without a warning; data: of a photo that is decoded.

    They warn of a JPEG without an end marker, most of them do not turn other formats, and they blend transparent pixels
    with other colours.
    """
    if data.startswith(jpeg.START):
        return jpeg.read_stream(data).ended
    header = opencv.read_header(data)
    return header is not None and header.orientation == 1 and header.flags == opencv.COLOR


def lacks_decoder(data: bytes) -> bool:
    """Whether a file is HEIC, and its decoder is not installed; where it is installed later, the photo can be read."""
    return bool(HEIC_BRANDS & brands(data)) and not heic.is_installed()


def _pillow_format(data: bytes) -> str | None:
    """Pillow's name of the format, where it is one that Pillow decodes."""
    if AVIF_BRANDS & brands(data):
        return "AVIF"
    if HEIC_BRANDS & brands(data):
        return "HEIF" if heic.is_installed() else None
    return next((name for signature, name in PILLOW_FORMATS.items() if data.startswith(signature)), None)


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
