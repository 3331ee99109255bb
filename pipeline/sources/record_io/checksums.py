"""The file train.crc32 beside a .rec: a checksum of each record, by which a reader notices bytes that have changed.

RecordIO itself has none, and other readers of a .rec pass the file over. It is an array of (start, CRC-32 of zlib) in
little-endian order, sorted by start: the byte of the .rec at which the record begins.
"""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

ENTRY = np.dtype([("start", "<u8"), ("crc32", "<u4")])
SUFFIX = ".crc32"


class Checksums(NamedTuple):
    """The entries [n] of a checksum file, and where it lies."""

    file: Path
    entries: NDArray[Any]

    def check(self, start: int, record: bytes) -> None:
        """Raise UserError unless the record that begins at this byte has the bytes that were written."""
        place = int(np.searchsorted(self.entries["start"], start))
        known = place < len(self.entries) and int(self.entries["start"][place]) == start
        if not known or int(self.entries["crc32"][place]) != zlib.crc32(record):
            rec = self.file.with_suffix(".rec")
            raise UserError(
                f"the record at byte {start} of {rec} is damaged (its bytes are not those that were written): export "
                f"it again; if another program wrote {rec.name} since, remove {self.file.name}"
            )


def entry(start: int, record: bytes) -> bytes:
    """The entry of one record."""
    return np.array((start, zlib.crc32(record)), ENTRY).tobytes()


def read_checksums(rec: Path) -> Checksums | None:
    """The checksums beside a .rec; None where there are none. Raises UserError for a damaged file."""
    file = rec.with_suffix(SUFFIX)
    if not file.is_file():
        return None
    data = file.read_bytes()
    entries = np.frombuffer(data[: len(data) // ENTRY.itemsize * ENTRY.itemsize], ENTRY)
    if len(data) % ENTRY.itemsize or (np.diff(entries["start"].astype(np.int64)) <= 0).any():
        raise UserError(f"{file} is damaged: export the data set again, or remove it to read {rec.name} unchecked")
    return Checksums(file, entries)
