"""Pixels and their limits: how large a picture may be, and how any picture becomes upright 8-bit BGR.

Convention: a picture is [height, width, channels] with the origin top left, its channels in OpenCV's order (BGR, BGRA).
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # [height, width, 3], BGR
BACKGROUND = 127.5  # grey behind transparent pixels, so that a face gets neither a dark nor a light edge
MAX_PIXELS = 1 << 27  # 134 megapixels, 400 MB decoded: more than any face photo, less than a decompression bomb
MAX_BYTES = 1 << 29  # of a decoded picture: MAX_PIXELS in four channels of 8 bits
BLOCK_PIXELS = 1 << 20  # converted at a time: as floating-point numbers they take 16 MB


class UnreadablePhoto(ValueError):  # noqa: N818  a result, which the photo's row records
    """The bytes cannot be decoded as a complete picture; the message says why."""


def check_size(width: int, height: int, pixel_bytes: int) -> None:
    """Raise UnreadablePhoto for a picture that is too large to be decoded, before its decoder takes the memory.

    pixel_bytes: what one pixel takes while it is decoded: channels times bytes of each.
    """
    if width * height > MAX_PIXELS:
        raise UnreadablePhoto(f"{width}x{height} pixels are more than {MAX_PIXELS}")
    if width * height * pixel_bytes > MAX_BYTES:
        raise UnreadablePhoto(f"{width}x{height} pixels of {pixel_bytes} bytes are more than {MAX_BYTES} bytes")


def to_bgr8(image: NDArray[Any]) -> Image:
    """A decoded picture [h, w] or [h, w, 1, 3 or 4] of any depth as 8-bit BGR; it may be written over.

    16 bits lose the lower 8, floating-point numbers count from 0 to 1, transparent pixels are blended with BACKGROUND.
    Only one block of rows is in memory besides the picture: four channels become three where they are.
    """
    height, width = image.shape[:2]
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return image
    if image.ndim == 3 and image.shape[2] == 4 and image.flags.c_contiguous and image.flags.writeable:
        # three bytes of a pixel never reach beyond the place of its four channels, so no row is lost before it is read
        bgr = image.reshape(-1).view(np.uint8)[: height * width * 3].reshape(height, width, 3)
    else:
        bgr = np.empty((height, width, 3), np.uint8)
    rows = max(1, BLOCK_PIXELS // width)
    for top in range(0, height, rows):
        bgr[top : top + rows] = _block_to_bgr8(image[top : top + rows])
    return bgr


def _block_to_bgr8(block: NDArray[Any]) -> NDArray[np.uint8]:
    if block.dtype == np.uint16:
        block = (block >> 8).astype(np.uint8)
    elif block.dtype != np.uint8:
        block = (np.clip(np.nan_to_num(block), 0, 1) * 255.0).astype(np.uint8)
    if block.ndim == 2 or block.shape[2] == 1:
        return np.asarray(cv2.cvtColor(block, cv2.COLOR_GRAY2BGR), np.uint8)
    if block.shape[2] == 4:
        alpha = block[:, :, 3:].astype(np.float32) / 255
        return np.asarray(np.rint(block[:, :, :3] * alpha + BACKGROUND * (1 - alpha)), np.uint8)
    return np.asarray(block, np.uint8)


# by the value of EXIF's tag Orientation (TIFF 6.0, page 36): from the stored picture to the upright one
_TURNS: dict[int, Callable[[Image], Any]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.flip(cv2.transpose(image), -1),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def upright(image: Image, orientation: int) -> Image:
    """The picture as it is to be seen; orientation: see exif.orientation_of()."""
    return np.asarray(_TURNS[orientation](image), np.uint8) if orientation in _TURNS else image
