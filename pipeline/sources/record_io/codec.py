"""RecordIO as dmlc and mxnet write it, byte for byte, and the image record header that mxnet puts before a photo.

A record in a file is one frame: u32 magic, u32 (flag << 29 | length), payload, zeros to the next multiple of 4. A
payload that holds the magic at a multiple of 4 is cut there into frames of flag 1 (first), 2 (between) and 3 (last);
the writer leaves the magic out, and the reader puts it back (dmlc-core, recordio.h). So a magic at a multiple of 4
always begins a frame. Imports only the standard library, so that the trainer can read the files without the pipeline.
"""

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = struct.pack("<I", 0xCED7230A)
WHOLE, FIRST, BETWEEN, LAST = range(4)
LENGTH_BITS = 29
PEEK = 72  # bytes: a frame's head, an image header and ten labels
_FRAME = struct.Struct("<4sI")
_HEADER = struct.Struct("<IfQQ")


class DamagedRecord(ValueError):  # noqa: N818  a fact about a file
    """Bytes that are not RecordIO; the message says where and what was expected."""


class Header(NamedTuple):
    """mxnet's IRHeader: with flag 0 one label lies in the header, with flag n > 0 n labels follow the header."""

    labels: tuple[float, ...]  # as float32: whole numbers are exact up to 2^24
    id: int = 0
    id2: int = 0
    flag: int = 0


class RecordHead(NamedTuple):
    """A record's header, whether a payload follows it, and the byte of the file where the next record begins."""

    header: Header
    has_payload: bool
    end: int


def pack(header: Header, payload: bytes) -> bytes:
    """A record of a header and a payload, such as the bytes of a JPEG; ValueError when flag and labels disagree."""
    if len(header.labels) != (header.flag or 1):
        raise ValueError(f"{len(header.labels)} labels under flag {header.flag}: expected {header.flag or 1}")
    if header.flag == 0:
        return _HEADER.pack(0, header.labels[0], header.id, header.id2) + payload
    labels = struct.pack(f"<{header.flag}f", *header.labels)
    return _HEADER.pack(header.flag, 0.0, header.id, header.id2) + labels + payload


def unpack(record: bytes) -> tuple[Header, bytes]:
    """The header and the payload of a record; DamagedRecord when it is too short for its header."""
    if len(record) < _HEADER.size:
        raise DamagedRecord(f"a record of {len(record)} bytes has no image header of {_HEADER.size}")
    flag, label, id1, id2 = _HEADER.unpack_from(record)
    start = _HEADER.size + 4 * flag
    if len(record) < start:
        raise DamagedRecord(f"a record of {len(record)} bytes cannot hold the {flag} labels its header announces")
    labels = struct.unpack_from(f"<{flag}f", record, _HEADER.size) if flag else (label,)
    return Header(labels, id1, id2, flag), record[start:]


def frame(record: bytes) -> bytes:
    """The bytes of a record in a file: cut into frames at its aligned magics, with heads and padding.

    Raises ValueError for a record of 512 MiB or more, which the format cannot hold.
    """
    if len(record) >= 1 << LENGTH_BITS:
        raise ValueError(f"a record of {len(record)} bytes: RecordIO holds less than {1 << LENGTH_BITS}")
    cuts = list(_aligned_magics(record))
    if not cuts:
        return _one_frame(WHOLE, record)
    starts, ends = [0, *(c + 4 for c in cuts)], [*cuts, len(record)]
    flags = [FIRST, *[BETWEEN] * (len(cuts) - 1), LAST]
    return b"".join(_one_frame(flag, record[a:b]) for flag, a, b in zip(flags, starts, ends, strict=True))


def join(framed: bytes) -> bytes:
    """The record that was cut into these frames by frame(); DamagedRecord when they are not one whole record."""
    pieces: list[bytes] = []
    position, flag = 0, FIRST
    while flag in (FIRST, BETWEEN):
        start, flag, length = _frame_at(framed[position : position + 8], position, continued=bool(pieces))
        pieces.append(framed[start : start + length])
        position = _aligned(start + length)
    if position != len(framed):
        raise DamagedRecord(f"a record of {position} bytes where {len(framed)} were expected")
    return MAGIC.join(pieces)


def record_end(stream: int, offset: int, size: int) -> int:
    """The byte at which the record that begins at offset ends, padding included.

    stream: a file descriptor; size: of its file in bytes. Reads only the heads of frames. Raises DamagedRecord when no
    record begins at offset or the file ends before the record does.
    """
    flag, position = FIRST, offset
    while flag in (FIRST, BETWEEN):
        start, flag, length = _frame_at(os.pread(stream, 8, position), position, continued=position > offset)
        position = _aligned(start + length)
        if position > size:
            raise DamagedRecord(f"the record at byte {offset} ends at byte {position}, the file at {size}")
    return position


def scan(stream: int, size: int) -> Iterator[tuple[int, int]]:
    """Offset and end of every record of a file, in order; raises DamagedRecord where none begins."""
    position = 0
    while position < size:
        end = record_end(stream, position, size)
        yield position, end
        position = end


def read_head(stream: int, offset: int, size: int) -> RecordHead:
    """The head of a record, for most records by a single read of PEEK bytes.

    stream: a file descriptor; size: of its file in bytes. Raises DamagedRecord as record_end() and unpack() do.
    """
    head = os.pread(stream, PEEK, offset)
    start, flag, length = _frame_at(head[:8], offset, continued=False)
    end = record_end(stream, offset, size) if flag == FIRST else _aligned(start + length)
    if end > size:
        raise DamagedRecord(f"the record at byte {offset} ends at byte {end}, the file at {size}")
    if flag == FIRST:
        header, payload = unpack(join(os.pread(stream, end - offset, offset)))
        return RecordHead(header, bool(payload), end)
    labels = int.from_bytes(head[8:12], "little") if length >= _HEADER.size else 0
    header_size = min(length, _HEADER.size + 4 * labels)
    record = head[8 : 8 + header_size] if header_size <= PEEK - 8 else os.pread(stream, header_size, start)
    return RecordHead(unpack(record)[0], length > header_size, end)


def _frame_at(head: bytes, position: int, *, continued: bool) -> tuple[int, int, int]:
    if len(head) < 8:
        raise DamagedRecord(f"the file ends within the head of the record at byte {position}")
    magic, word = _FRAME.unpack(head)
    flag, length = word >> LENGTH_BITS, word & ((1 << LENGTH_BITS) - 1)
    if position % 4:  # frames are padded to multiples of 4, so a magic elsewhere is part of a payload
        raise DamagedRecord(f"no record begins at byte {position}, which is no multiple of 4")
    if magic != MAGIC:
        raise DamagedRecord(f"no record begins at byte {position}: found {magic.hex()}, expected {MAGIC.hex()}")
    if flag not in ((BETWEEN, LAST) if continued else (WHOLE, FIRST)):
        raise DamagedRecord(f"the record at byte {position} has the flag {flag}, which cannot stand there")
    return position + 8, flag, length


def _one_frame(flag: int, payload: bytes) -> bytes:
    return _FRAME.pack(MAGIC, flag << LENGTH_BITS | len(payload)) + payload + bytes(-len(payload) % 4)


def _aligned(position: int) -> int:
    return (position + 3) // 4 * 4


def _aligned_magics(record: bytes) -> Iterator[int]:
    position = record.find(MAGIC)
    while position >= 0:
        if position % 4 == 0:
            yield position
        position = record.find(MAGIC, position + 1)  # magics cannot overlap: their four bytes differ
