"""WebP: the size, the transparency and the orientation in its chunks (RFC 9649, section 2)."""

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.faces.picture_formats import exif
from pipeline.faces.picture_formats.pixels import UnreadablePhoto

EXTENDED, LOSSY, LOSSLESS, EXIF = b"VP8X", b"VP8 ", b"VP8L", b"EXIF"
ALPHA_FLAG = 0x10  # of the chunk VP8X


class WebP(NamedTuple):
    """What the chunks of a WebP tell."""

    width: int
    height: int
    has_alpha: bool
    orientation: int


def is_webp(data: bytes) -> bool:
    """Whether a file is a WebP by its first bytes."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_webp(data: bytes) -> WebP:
    """What the chunks tell. Raises UnreadablePhoto when the file is shorter than it says, or has no picture."""
    if len(data) < int.from_bytes(data[4:8], "little") + 8:
        raise UnreadablePhoto(f"cut short after {len(data)} bytes")
    chunks = dict(reversed(list(_chunks(data))))  # of chunks of one kind the first counts
    extended, lossy, lossless = (chunks.get(kind, b"") for kind in (EXTENDED, LOSSY, LOSSLESS))
    bits = int.from_bytes(lossless[1:5], "little")  # width less 1, height less 1, in 14 bits each, and the alpha bit
    if len(extended) >= 10:
        width, height = (int.from_bytes(extended[at : at + 3], "little") + 1 for at in (4, 7))
    elif len(lossy) >= 10:
        width, height = (int.from_bytes(lossy[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    elif len(lossless) >= 5:
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise UnreadablePhoto("a WebP without a picture")
    has_alpha = bool(extended[0] & ALPHA_FLAG if extended else bits >> 28 & 1)
    return WebP(width, height, has_alpha, exif.orientation_of(chunks.get(EXIF, b"")))


def _chunks(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and the content of each chunk; of a chunk that is longer than the file what there is of it."""
    place = 12
    while place + 8 <= len(webp):
        length = int.from_bytes(webp[place + 4 : place + 8], "little")
        yield webp[place : place + 4], webp[place + 8 : place + 8 + length]
        place += 8 + length + length % 2
