"""Reads a refined data set in RecordIO; a chunk is a run of neighbouring records of one .rec file."""

import os
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.checksums import Checksums, read_checksums
from pipeline.sources.record_io.codec import DamagedRecord
from trainer.data.chunk import Chunk, IntArray

IDENTITIES = "identities.tsv"  # columns: label, identity, photos
RECORDS_PER_CHUNK = 128  # about 1 MB, which one read takes; a .rec is often sorted by identity, short chunks mix better


@dataclass(frozen=True)
class RecordFaces:
    """A data set in a .rec file: its records that hold a picture."""

    path: Path

    @cached_property
    def records(self) -> tuple[IntArray, IntArray, IntArray]:
        """Start and end in bytes, and label, of every record that holds a picture: three arrays [n]."""
        records = []
        with open(self.path, "rb") as stream:
            size = self.path.stat().st_size
            try:
                for start in _record_starts(self.path, stream.fileno(), size):
                    header, has_picture, end = codec.read_head(stream.fileno(), start, size)
                    if has_picture:
                        records.append((start, end, _label(header.labels[0], start)))
            except DamagedRecord as fault:
                raise UserError(f"{self.path} is damaged or cut off: {fault}: export it again") from None
        return tuple(np.array(records, np.int64).reshape(-1, 3).T)  # type: ignore[return-value]

    @property
    def labels(self) -> IntArray:
        """The label of every photo [n], in the file's order."""
        return self.records[2]

    @cached_property
    def chunk_sizes(self) -> IntArray:
        """The number of photos in each chunk."""
        full, rest = divmod(len(self.labels), RECORDS_PER_CHUNK)
        return np.array([RECORDS_PER_CHUNK] * full + [rest] * (rest > 0), np.int64)

    @cached_property
    def digest(self) -> str:
        """A digest of the labels and of where each record starts and ends."""
        return blake2b(b"".join(a.tobytes() for a in self.records), digest_size=10).hexdigest()

    @cached_property
    def names(self) -> dict[int, str]:
        """The identity of each label, from the identities.tsv that `refinery export` writes; {} without it."""
        file = self.path.with_name(IDENTITIES)
        if not file.is_file():
            return {}
        rows = [line.split("\t") for line in file.read_text("utf-8", "replace").splitlines()[1:]]
        return {int(row[0]): row[1] for row in rows if len(row) > 1 and row[0].isdecimal()}

    @cached_property
    def checksums(self) -> Checksums | None:
        """The checksums beside the .rec; None where it has none."""
        return read_checksums(self.path)

    def read(self, chunk: int) -> Chunk:
        """The photos of the chunk with this number.

        Raises UserError for a record whose bytes are not those of its checksum.
        """
        first = chunk * RECORDS_PER_CHUNK
        starts, ends, labels = (a[first : first + RECORDS_PER_CHUNK] for a in self.records)
        with open(self.path, "rb") as stream:
            raw = [os.pread(stream.fileno(), int(e - s), int(s)) for s, e in zip(starts, ends, strict=True)]
        if self.checksums:
            for start, record in zip(starts.tolist(), raw, strict=True):
                self.checksums.check(start, record)
        keys = [f"the record at byte {s}" for s in starts]
        return Chunk(labels, [codec.unpack(codec.join(r))[1] for r in raw], keys)


def _record_starts(file: Path, stream: int, size: int) -> list[int]:
    """The byte at which each record starts: from the .idx beside the file, or else by reading through the file."""
    index = file.with_suffix(".idx")
    if not index.is_file():
        return [start for start, _ in codec.scan(stream, size)]
    try:
        starts = sorted(int(line.split("\t")[1]) for line in index.read_text().splitlines() if line.strip())
        if starts and not 0 <= starts[0] <= starts[-1] < 1 << 62:
            raise ValueError("no file is so long")
        return starts
    except (ValueError, IndexError):
        raise UserError(
            f"{index} does not list where the records of the .rec start: remove it, then the .rec itself is searched"
        ) from None


def _label(value: float, start: int) -> int:
    if not abs(value) < 1 << 53 or not value.is_integer():  # a float holds whole numbers exactly up to 2^53
        raise DamagedRecord(f"the record at byte {start} has the label {value}, which is not a whole number")
    return int(value)
