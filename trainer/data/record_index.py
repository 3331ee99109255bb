"""The index of a .rec: where each record that holds a picture starts and ends, and its label.

Heads of records are read one after the other and decoded many at once, as columns of numbers. A record whose head is
not that of almost all records (it is cut into frames, is damaged, or has a label that is no whole number) is read by
codec.py, which also says what is wrong with it.
"""

import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import DamagedRecord
from trainer.data.chunk import IntArray

HEAD = 36  # bytes of a record that are read: the head of its frame (8), the image header (24) and a label behind it
IMAGE_HEADER = 24
MAGIC = int.from_bytes(codec.MAGIC, "little")
AT_ONCE = 1024  # records
LISTED_AT_ONCE = 1 << 16  # bytes of an .idx
LARGEST_LABEL = 1 << 53  # a float holds whole numbers exactly up to it


class RecordIndex(NamedTuple):
    """Start and end in bytes, and label, of every record that holds a picture: three arrays [n]."""

    starts: IntArray
    ends: IntArray
    labels: IntArray


def read_index(rec: Path) -> RecordIndex:
    """The index of a .rec, in the order of the file; it takes 24 bytes for each record, and little more while read.

    The records' starts are those in the .idx beside the file; without one they are found from record to record. Raises
    UserError for a file that is damaged or cut off, and for a damaged .idx.
    """
    columns = tuple(array("q") for _ in RecordIndex._fields)  # grows in place
    listed = rec.with_suffix(".idx")
    size = rec.stat().st_size
    with open(rec, "rb") as file:
        stream = file.fileno()
        blocks = _listed_heads(stream, _listed_starts(listed)) if listed.is_file() else _walked_heads(stream, size)
        try:
            for starts, heads in blocks:
                for column, values in zip(columns, _decoded(stream, size, starts, heads), strict=True):
                    column.frombytes(values.tobytes())
        except DamagedRecord as fault:
            raise UserError(f"{rec} is damaged or cut off: {fault}: export it again") from None
    return RecordIndex(*(np.frombuffer(column, np.int64) for column in columns))


def _listed_starts(listed: Path) -> Iterator[IntArray]:
    """The byte at which each record starts, in ascending order, from the lines of an .idx: number, tab, byte."""
    last, is_ascending = -1, True
    for starts in _starts_as_listed(listed):
        is_ascending = is_ascending and last <= starts[0] and not (starts[1:] < starts[:-1]).any()
        last = int(starts[-1])
        if starts.max() >= 1 << 62:  # no file is so long
            raise _not_a_list(listed)
    if is_ascending:
        yield from _starts_as_listed(listed)
    else:
        yield np.sort(np.concatenate(list(_starts_as_listed(listed))))


def _starts_as_listed(listed: Path) -> Iterator[IntArray]:
    """The starts of the records in many lines, again and again."""
    rest = b""
    with open(listed, "rb") as stream:
        while block := stream.read(LISTED_AT_ONCE):
            lines, newline, rest = (rest + block).rpartition(b"\n")
            if len(starts := _second_numbers(lines + newline, listed)):
                yield starts
    if len(starts := _second_numbers(rest, listed)):
        yield starts


def _second_numbers(lines: bytes, listed: Path) -> IntArray:
    """The second number of each of these lines."""
    is_numbers = not lines.translate(None, b"0123456789\t\r\n ")
    values = np.fromstring(lines, np.int64, sep=" ") if is_numbers else np.empty(0, np.int64)
    if not is_numbers or len(values) != 2 * lines.count(b"\t"):
        raise _not_a_list(listed)
    return values[1::2]


def _not_a_list(listed: Path) -> UserError:
    return UserError(
        f"{listed} does not list where the records of the .rec start: remove it, then the .rec itself is searched"
    )


def _listed_heads(stream: int, starts: Iterator[IntArray]) -> Iterator[tuple[IntArray, list[bytes]]]:
    """The starts of many records and the bytes of their heads, again and again."""
    for listed in starts:
        for first in range(0, len(listed), AT_ONCE):
            block = listed[first : first + AT_ONCE]
            yield block, [os.pread(stream, HEAD, start) for start in block.tolist()]


def _walked_heads(stream: int, size: int) -> Iterator[tuple[IntArray, list[bytes]]]:
    """As _listed_heads, without a list: each record starts where the one before it ends."""
    position = 0
    while position < size:
        starts: list[int] = []
        heads: list[bytes] = []
        while position < size and len(starts) < AT_ONCE:
            head = os.pread(stream, HEAD, position)
            starts.append(position)
            heads.append(head)
            length = int.from_bytes(head[4:8], "little")
            if head[:4] == codec.MAGIC and length >> codec.LENGTH_BITS == codec.WHOLE:
                position += (8 + length + 3) // 4 * 4
            else:
                position = codec.record_end(stream, position, size)
        yield np.array(starts, np.int64), heads


def _decoded(stream: int, size: int, starts: IntArray, heads: list[bytes]) -> tuple[IntArray, IntArray, IntArray]:
    """Start, end and label of those records [n] that hold a picture; heads: their first bytes, fewer at the file's end.

    Raises DamagedRecord for the first record that is damaged.
    """
    joined = b"".join(heads)
    if len(joined) < HEAD * len(heads):
        joined = b"".join(head.ljust(HEAD, b"\0") for head in heads)
    words = np.frombuffer(joined, "<u4").reshape(-1, HEAD // 4)
    word, listed_labels = words[:, 1], words[:, 2]  # the frame's flag and length; the number of labels behind the head
    header = IMAGE_HEADER + 4 * listed_labels.astype(np.int64)
    label = np.where(listed_labels > 0, words[:, 8], words[:, 3]).view("<f4").astype(np.float64)
    ends = (starts + 8 + word + 3) // 4 * 4
    ordinary = (words[:, 0] == MAGIC) & (word >> codec.LENGTH_BITS == codec.WHOLE) & (starts % 4 == 0)
    ordinary &= (header <= word) & (ends <= size) & _is_whole(label)
    held = ordinary & (header < word)
    for row in np.flatnonzero(~ordinary).tolist():
        head = codec.read_head(stream, int(starts[row]), size)
        held[row], ends[row] = head.has_payload, head.end
        label[row] = _checked_label(head.header.labels[0], int(starts[row])) if head.has_payload else 0
    return starts[held], ends[held], label[held].astype(np.int64)


def _is_whole(label: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(label) < LARGEST_LABEL) & (np.floor(label) == label))


def _checked_label(value: float, start: int) -> int:
    if not abs(value) < LARGEST_LABEL or not value.is_integer():
        raise DamagedRecord(f"the record at byte {start} has the label {value}, which is not a whole number")
    return int(value)
