"""TIFF: what a picture takes in memory, by the tags of its first directory (TIFF 6.0, sections 2 and 15)."""

import io
from typing import Any, NamedTuple

from PIL.TiffImagePlugin import ImageFileDirectory_v2

# the last two are BigTIFF, with offsets of 64 bits
SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, LENGTH, BITS, SAMPLES, TILE_WIDTH, TILE_LENGTH = 256, 257, 258, 277, 322, 323


class Tiff(NamedTuple):
    """Width and height of a picture, what a pixel takes while it is decoded, and width and height of a tile."""

    width: int
    height: int
    pixel_bytes: int
    tile: tuple[int, int]  # decoded as a whole, even if it is larger than the picture; 0, 0: there are no tiles


def read_tiff(data: bytes) -> Tiff:
    """The first picture of a TIFF. Raises UnreadablePhoto, or whatever Pillow raises for damaged tags."""
    big = data[2:4] in (b"+\0", b"\0+")
    directory: Any = ImageFileDirectory_v2(data[: 16 if big else 8])
    stream = io.BytesIO(data)
    stream.seek(directory.next)
    directory.load(stream)
    bits = directory.get(BITS, (8,))
    pixel_bytes = int(directory.get(SAMPLES, 1)) * -(-int(max(bits)) // 8)
    tile = (int(directory.get(TILE_WIDTH, 0)), int(directory.get(TILE_LENGTH, 0)))
    return Tiff(int(directory[WIDTH]), int(directory[LENGTH]), max(4, pixel_bytes), tile)
