"""JPEG: whether all pixels are there, judged by the picture's own segments and by decoding, not by the file's end.

One idea: the stream is walked from segment to segment (ITU-T T.81, annex B) until all coefficients were seen or the end
marker comes. What lies behind, such as the video of a Motion Photo or a phone's trailer, is not part of the picture. A
copy of the stream with an end marker is decoded, so a decoder that misses data says so, as a warning.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import simplejpeg

from pipeline.faces.picture_formats import exif, pillow
from pipeline.faces.picture_formats.pixels import MAX_PIXELS, Image, UnreadablePhoto, check_size, upright

START, END = b"\xff\xd8", b"\xff\xd9"
MARKER = re.compile(rb"\xff([^\x00\xff])", re.DOTALL)  # FF may be repeated before a marker
END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # within a scan FF is escaped, or restarts it
SOS, APP0, APP1 = 0xDA, 0xE0, 0xE1
JFIF = b"JFIF\0"
BARE_MARKERS = {0x01, *range(0xD0, 0xD8)}  # without a segment
FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # a frame's header gives the picture's size
PROGRESSIVE_FRAMES = {0xC2, 0xCA}
# what decoding needs: the frame, the tables, and the two application segments that tell the colour space
KEPT_MARKERS = FRAME_MARKERS | {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE}
SKIPPED_MARKERS = {*range(0xE0, 0xF0), 0xFE, 0xDC, 0xDE, 0xDF}  # metadata, comments, and what libjpeg ignores
SEGMENT_MARKERS = KEPT_MARKERS | SKIPPED_MARKERS | {SOS}

# libjpeg's warnings (jerror.h); the first one says nothing about the pixels
HARMLESS_WARNING = "Invalid SOS parameters"
EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
DAMAGE = ("Corrupt JPEG data", "Premature end", "Inconsistent progression", "Unsupported marker", "Invalid JPEG file")
# what TurboJPEG refuses, but not libjpeg: a sampling of colours that has no name, an odd mark of the colour space
REFUSED_BY_TURBOJPEG = ("Could not determine subsampling", "Unknown Adobe color transform")

MAX_SCANNED_PIXELS = 20 * MAX_PIXELS  # of all scans: each passes through the whole picture, however little it holds


class Stream(NamedTuple):
    """The bytes of a picture, without all that decoding does not need, and with an end marker."""

    data: bytes
    width: int
    height: int
    orientation: int
    ended: bool  # the end marker was there
    cut: str  # the reason if pixels turn out to be missing and the file ends with the picture; else empty


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height in a JPEG's frame header; None where there is none."""
    for marker, start, end in _segments(data, len(START)):
        if marker in FRAME_MARKERS and end - start >= 9:
            height, width = struct.unpack_from(">HH", data, start + 4)
            return width, height
        if marker == SOS:
            break
    return None


def decode(data: bytes, shrink: int) -> Image:
    """The upright picture, each side `shrink` times shorter (1, 2, 4 or 8), rounded up.

    Raises UnreadablePhoto where pixels are missing: the file is cut short, or damaged inside.
    """
    stream = read_stream(data)
    check_size(stream.width, stream.height, 3)
    try:
        image = _decode(stream, shrink, strict=True)
    except ValueError as error:
        image = _decode_despite(str(error), stream, shrink)
    return upright(image, stream.orientation)


def read_stream(data: bytes) -> Stream:
    """The picture at the beginning of a file.

    Raises UnreadablePhoto when the file ends before its last scan begins, or has more scans than can be decoded.
    """
    frame, orientation, kept = None, None, [START]
    for marker, start, segment_end in _segments(data, len(START)):
        segment = data[start:segment_end]
        if marker == APP1 and orientation is None and segment[3:].startswith(exif.PREFIX):
            orientation = exif.orientation_of(segment[3:])
        if marker == APP0 and segment[3:].startswith(JFIF):  # of another revision than 1.0 libjpeg warns
            segment = segment[:8] + b"\1\1" + segment[10:]
        if marker in FRAME_MARKERS and frame is None:
            frame = _Frame(segment)
        if marker in KEPT_MARKERS:
            kept += b"\xff", segment
        if marker == SOS and frame is not None:
            frame.add_scan(segment, _scan_end(data, segment_end), data)
            kept += b"\xff", segment, data[segment_end : frame.end]
            if frame.ended or not frame.missing:
                break
    if frame is None or not frame.scans:
        raise UnreadablePhoto(f"cut short after {len(data)} bytes, before the first pixels")
    frame.check(len(data))
    cut = f"cut short after {len(data)} bytes" if frame.end == len(data) else ""
    return Stream(b"".join([*kept, END]), frame.width, frame.height, orientation or 1, frame.ended, cut)


class _Frame:
    """A frame, and the coefficients of it that no scan has brought so far.

    A scan of a sequential frame brings its components whole; one of a progressive frame brings some coefficients, down
    to a bit.
    """

    def __init__(self, header: bytes) -> None:
        """header: the segment of the frame's header."""
        self.height, self.width = struct.unpack_from(">HH", header.ljust(9, b"\0"), 4)
        components = header[9::3][: header[8] if len(header) > 8 else 0]
        self.missing = set(components)
        self.progressive = header[0] in PROGRESSIVE_FRAMES
        self.lowest_bits = {c: bytearray(b"\xff" * 64) for c in components} if self.progressive else {}
        self.scans, self.end, self.ended = 0, 0, False  # end: where the last scan ends; ended: at the end marker

    def add_scan(self, header: bytes, end: int, data: bytes) -> None:
        """Note what a scan brings. header: the segment of its header, which lists components and ranges."""
        self.scans, self.end, self.ended = self.scans + 1, end, data[end : end + 2] == END
        count = header[3] if len(header) > 3 else 0
        if len(header) < 7 + 2 * count:
            return
        components = header[4 : 4 + 2 * count : 2]
        if self.progressive:
            first, last, low = header[4 + 2 * count], min(63, header[5 + 2 * count]), header[6 + 2 * count] & 15
            for bits in (self.lowest_bits[c] for c in components if c in self.lowest_bits):
                bits[first : last + 1] = bytes([low]) * (last + 1 - first)
            components = bytes(c for c, bits in self.lowest_bits.items() if not any(bits))
        self.missing.difference_update(components)

    def check(self, file_bytes: int) -> None:
        """Raise UnreadablePhoto when a scan is missing, or decoding all of them would take minutes."""
        if self.missing and not (self.ended and self.progressive):
            raise UnreadablePhoto(
                "damaged inside (a scan is missing)" if self.ended else f"cut short after {file_bytes} bytes"
            )
        if self.scans * self.width * self.height > MAX_SCANNED_PIXELS:
            raise UnreadablePhoto(f"{self.scans} scans of {self.width}x{self.height} pixels would take minutes")


def _segments(data: bytes, place: int) -> Iterator[tuple[int, int, int]]:
    """The segments from a place on, up to the end marker or what is no segment; a scan's data is passed over.

    Of each the marker's last byte, its place, and where the segment ends. Plain numbers: a photo has ten of them, and
    every photo passes here.
    """
    size = len(data)
    while True:
        # a marker follows a segment at once, but for rare padding
        if place + 1 < size and data[place] == 0xFF and 0 < data[place + 1] < 0xFF:
            marker, place = data[place + 1], place + 2
        elif match := MARKER.search(data, place):
            marker, place = match[1][0], match.end()
        else:
            return
        if marker in BARE_MARKERS:
            continue
        length = data[place] << 8 | data[place + 1] if place + 1 < size else 0
        if marker not in SEGMENT_MARKERS or length < 2 or place + length > size:
            return
        yield marker, place - 1, place + length
        place += length
        if marker == SOS:
            place = _scan_end(data, place)


def _scan_end(data: bytes, place: int) -> int:
    """Where the data of a scan ends that begins at a place: at a marker, or at the end of the file."""
    found = END_OF_SCAN.search(data, place)
    return found.start() if found else len(data)


def _decode(stream: Stream, shrink: int, *, strict: bool) -> Image:
    """strict: libjpeg's first warning is raised as a ValueError."""
    width, height = (-(-side // shrink) for side in (stream.width, stream.height))
    image = simplejpeg.decode_jpeg(
        stream.data, "BGR", min_width=width, min_height=height, min_factor=shrink, strict=strict
    )
    return np.asarray(image, np.uint8)


def _decode_despite(message: str, stream: Stream, shrink: int) -> Image:
    """The picture in spite of libjpeg's message where that is not about its pixels; else raises UnreadablePhoto."""
    if any(words in message for words in REFUSED_BY_TURBOJPEG):
        if not stream.ended:  # Pillow does not tell whether pixels are missing
            raise UnreadablePhoto(stream.cut or "damaged inside (it has no end marker)")
        return pillow.decode_jpeg(stream.data, shrink)
    if HARMLESS_WARNING in message:
        return _decode(stream, shrink, strict=False)
    if match := EXTRANEOUS.search(message):
        # Behind the last pixel comes padding, or a trailer without an end marker before it. Anything else means that a
        # damaged code made the decoder skip blocks, and so the rest of the picture is at a wrong place.
        scan = stream.data.removesuffix(END)
        if not stream.ended or len(scan) - len(scan.rstrip(b"\0")) >= int(match[1]):
            return _decode(stream, shrink, strict=False)
    if message.startswith(DAMAGE):
        raise UnreadablePhoto(stream.cut or f"damaged inside ({message})")
    raise UnreadablePhoto(f"a JPEG that cannot be decoded ({message})")
