"""PNG: all its chunks are checked before it is decoded, and only those that make the picture are given to the decoder.

Its checksums tell damage, which libpng would print and answer with nothing. Decoders reserve memory for any length that
a chunk claims.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from pipeline.faces.picture_formats import exif
from pipeline.faces.picture_formats.pixels import UnreadablePhoto, check_size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
PICTURE_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
METADATA_CHUNKS = set(
    b"tEXt zTXt iTXt eXIf pHYs tIME gAMA cHRM sRGB iCCP sBIT bKGD hIST sPLT oFFs pCAL sCAL acTL fcTL fdAT".split()
)  # sloppy writers give them wrong checksums, which decoders do not mind
# ImageMagick's names for EXIF in a text chunk, from before PNG had a chunk for it
RAW_PROFILES = (b"Raw profile type exif", b"Raw profile type APP1")
MAX_PROFILE = 1 << 20  # bytes of text


class Png(NamedTuple):
    """A PNG's size and depth, and its bytes without all that decoding does not need."""

    width: int
    height: int
    depth: int  # bits of a channel
    has_alpha: bool
    orientation: int
    data: bytes


class Chunk(NamedTuple):
    """The type of a chunk, its content, and its bytes as they are in the file."""

    kind: bytes
    content: bytes
    data: bytes


def read_png(data: bytes) -> Png:
    """The parts of a PNG. Raises UnreadablePhoto when pixels are missing, a checksum is wrong, or it is too large."""
    header, kept, orientation, kinds = b"", [SIGNATURE], 0, set()
    for chunk in _chunks(data):
        kinds.add(chunk.kind)
        wrong = zlib.crc32(chunk.kind + chunk.content) != int.from_bytes(chunk.data[-4:], "big")
        if wrong and chunk.kind not in METADATA_CHUNKS:  # one with a wrong name may have been pixels
            raise UnreadablePhoto(f"damaged inside (the checksum of chunk {len(kept)} is wrong)")
        if chunk.kind in PICTURE_CHUNKS:
            kept.append(chunk.data)
            if not header:
                header = chunk.content.ljust(13, b"\0")
                width, height, depth, colour = struct.unpack_from(">IIBB", header)
                check_size(width, height, 1)  # before its data is looked at
        elif chunk.kind == b"eXIf":
            orientation = exif.orientation_of(chunk.content)
        elif chunk.kind in (b"tEXt", b"zTXt") and not orientation:
            orientation = exif.orientation_of(_raw_profile(chunk))
    if not header or b"IDAT" not in kinds or (b"IEND" not in kinds and not _is_whole(kept)):
        raise UnreadablePhoto(f"cut short after {len(data)} bytes")
    has_alpha = bool(colour & 4) or b"tRNS" in kinds
    return Png(width, height, depth, has_alpha, orientation or 1, b"".join([*kept, END]))


def _chunks(png: bytes) -> Iterator[Chunk]:
    """The chunks that are in the file as a whole, up to the end chunk."""
    place, kind = len(SIGNATURE), b""
    while kind != b"IEND" and (length := int.from_bytes(png[place : place + 4], "big")) <= len(png) - place - 12:
        kind = png[place + 4 : place + 8]
        yield Chunk(kind, png[place + 8 : place + 8 + length], png[place : place + 12 + length])
        place += 12 + length


def _is_whole(chunks: list[bytes]) -> bool:
    """Whether the compressed pixels have their end, for a file that has lost its last bytes only."""
    inflater = zlib.decompressobj()
    with suppress(zlib.error):
        for chunk in chunks:
            data = chunk[8:-4] if chunk[4:8] == b"IDAT" else b""
            while data and not inflater.eof:
                inflater.decompress(data, 1 << 20)
                data = inflater.unconsumed_tail
    return inflater.eof


def _raw_profile(chunk: Chunk) -> bytes:
    """The EXIF in a text chunk, in hexadecimal digits after a line with its name and one with its length; or b""."""
    name, _, text = chunk.content.partition(b"\0")
    if name not in RAW_PROFILES:
        return b""
    with suppress(zlib.error, ValueError):
        if chunk.kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], MAX_PROFILE)
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii", "replace"))
    return b""
