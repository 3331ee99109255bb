"""Reads a refined data set in RecordIO; a chunk is a run of neighbouring records of one .rec file."""

import os
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np

from pipeline.sources.record_io import codec
from pipeline.sources.record_io.checksums import Checksums, read_checksums
from trainer.data.chunk import Chunk, IntArray
from trainer.data.record_index import read_index
from trainer.distributed.host_arrays import once_a_host

IDENTITIES = "identities.tsv"  # columns: label, identity, photos
RECORDS_PER_CHUNK = 128  # about 1 MB, which one read takes; a .rec is often sorted by identity, short chunks mix better


@dataclass(frozen=True)
class RecordFaces:
    """A data set in a .rec file: its records that hold a picture."""

    path: Path

    @cached_property
    def records(self) -> tuple[IntArray, IntArray, IntArray]:
        """Start and end in bytes, and label, of every record that holds a picture: three arrays [n].

        The ranks of a host index the file once; all ranks ask for it together, when the data set is opened.
        """
        starts, ends, labels = once_a_host(lambda: read_index(self.path))
        return starts, ends, labels

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
        hasher = blake2b(digest_size=10)
        for column in self.records:
            hasher.update(np.ascontiguousarray(column).data)
        return hasher.hexdigest()

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
