"""GIF, AVIF, HEIC and JPEG 2000, which Pillow decodes, and the few JPEGs that simplejpeg refuses.

Pillow is told the format, so that none of its fifty others is tried on a damaged file.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import PIL.AvifImagePlugin
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from pipeline.faces.picture_formats import heic
from pipeline.faces.picture_formats.pixels import BLOCK_PIXELS, MAX_PIXELS, Image, UnreadablePhoto, check_size, to_bgr8

# Bytes that a pixel takes while a picture of a format is decoded: Pillow stores colours in four channels of 8 bits;
# OpenJPEG decodes to four bytes a channel, and AVIF and HEIC may have 16 bits.
PIXEL_BYTES = {"GIF": 4, "AVIF": 8, "HEIF": 8, "JPEG2000": 12}
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "JPEG2000", "PPM")
SIDEWAYS = {5, 6, 7, 8}  # EXIF orientations of pictures that lie on their side
ALPHA_MODES = {"LA", "La", "PA", "RGBA", "RGBa"}
DRAFT_MODE = "RGB"
PIL.AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # shards are made in parallel already
# Pillow warns of what it finds odd in a file, and of large pictures, which are refused here by their size
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes, format_name: str) -> Image:
    """The upright first picture of a file in a format of PIXEL_BYTES. Raises UnreadablePhoto for too large a one."""
    with _open(data, format_name) as picture:
        width, height = picture.size
        check_size(width, height, PIXEL_BYTES[format_name])
        try:
            picture.load()
        except OSError as error:
            truncated = "truncated" in str(error)
            raise UnreadablePhoto(f"cut short after {len(data)} bytes" if truncated else "damaged inside") from None
        PIL.ImageOps.exif_transpose(picture, in_place=True)
        return _bgr8(picture)


def decode_jpeg(data: bytes, shrink: int) -> Image:
    """A JPEG as it is stored, not turned, each side `shrink` times shorter, rounded up."""
    with _open(data, "JPEG") as picture:
        picture.draft(DRAFT_MODE, tuple(max(1, side // shrink) for side in picture.size))
        return _bgr8(picture)


def size_of(data: bytes, format_name: str) -> tuple[int, int]:
    """Width and height in the header of a file. Raises UnreadablePhoto, or whatever Pillow raises for a damaged one."""
    with _open(data, format_name) as picture:
        width, height = picture.size
        return width, height


def upright_size(file: str) -> tuple[int, int] | None:
    """Width and height of the picture in a file as decode() would turn it; None where its header cannot be read.

    No pixel is decoded, and of most formats only the first bytes are read.
    """
    try:
        formats = (*PHOTO_FORMATS, "HEIF") if heic.is_installed() else PHOTO_FORMATS
        with PIL.Image.open(file, formats=formats) as picture:
            width, height = picture.size
            turned = picture.getexif().get(PIL.ExifTags.Base.Orientation, 1) in SIDEWAYS
    except Exception:  # noqa: BLE001  on damaged bytes a decoder raises anything
        return None
    return (height, width) if turned else (width, height)


@contextmanager
def _open(data: bytes, format_name: str) -> Iterator[Any]:
    try:
        with PIL.Image.open(io.BytesIO(data), formats=[format_name]) as picture:
            yield picture
    except PIL.Image.DecompressionBombError:
        raise UnreadablePhoto(f"it has more than {MAX_PIXELS} pixels") from None


def _bgr8(picture: Any) -> Image:
    """The pixels of a loaded picture, converted in blocks of rows."""
    width, height = picture.size
    mode = picture.mode
    if mode in ALPHA_MODES or "transparency" in picture.info:
        mode = "RGBA"
    elif not mode.startswith(("I", "F")):  # 16-bit grey, and floating-point numbers
        mode = "RGB"
    rows = max(1, BLOCK_PIXELS // width)
    image = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        block = picture.crop((0, top, width, min(height, top + rows)))
        image[top : top + rows] = to_bgr8(_pixels(block if block.mode == mode else block.convert(mode)))
    return image


def _pixels(block: Any) -> NDArray[Any]:
    """A part of a picture as an array [h, w] or [h, w, 3 or 4] in OpenCV's order of channels."""
    pixels = np.array(block)
    if pixels.ndim == 2:
        return pixels.astype(pixels.dtype.newbyteorder("="))
    return np.ascontiguousarray(pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]])
