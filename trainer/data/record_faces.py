"""A refined data set in RecordIO: chunks are runs of neighbouring records of one .rec file."""

import os
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import DamagedRecord
from trainer.data.chunk import Chunk, Int

RECORDS_A_CHUNK = 128  # a classic .rec is sorted by identity: short chunks mix better, and 1 MB is still one read


@dataclass(frozen=True)
class RecordFaces:
    """The records of a .rec file that hold a picture."""

    path: Path

    @cached_property
    def places(self) -> tuple[Int, Int, Int]:
        """Offset, end and label of every record that holds a picture."""
        places = []
        with open(self.path, "rb") as stream:
            size = self.path.stat().st_size
            try:
                for offset in _offsets(self.path, stream.fileno(), size):
                    header, filled, end = codec.read_head(stream.fileno(), offset, size)
                    if filled:
                        places.append((offset, end, _label(header.labels[0], offset)))
            except DamagedRecord as fault:
                raise UserError(f"{self.path} is damaged or cut off: {fault}: export it again") from None
        return tuple(np.array(places, np.int64).reshape(-1, 3).T)  # type: ignore[return-value]

    @property
    def labels(self) -> Int:
        """The label of every photo."""
        return self.places[2]

    @cached_property
    def rows(self) -> Int:
        """How many photos each chunk has."""
        full, rest = divmod(len(self.labels), RECORDS_A_CHUNK)
        return np.array([RECORDS_A_CHUNK] * full + [rest] * (rest > 0), np.int64)

    @cached_property
    def digest(self) -> str:
        """A digest of the labels and of where each record starts and ends."""
        return blake2b(b"".join(a.tobytes() for a in self.places), digest_size=10).hexdigest()

    def read(self, chunk: int) -> Chunk:
        """The photos of one run of records."""
        first = chunk * RECORDS_A_CHUNK
        offsets, ends, labels = (a[first : first + RECORDS_A_CHUNK] for a in self.places)
        with open(self.path, "rb") as stream:
            raw = [os.pread(stream.fileno(), int(e - o), int(o)) for o, e in zip(offsets, ends, strict=True)]
        names = [f"the record at byte {o}" for o in offsets]
        return Chunk(labels, [codec.unpack(codec.join(r))[1] for r in raw], names)


def _offsets(file: Path, stream: int, size: int) -> list[int]:
    """Where records start: as the .idx beside the file lists them, or by walking through the file."""
    index = file.with_suffix(".idx")
    if not index.is_file():
        return [offset for offset, _ in codec.scan(stream, size)]
    try:
        offsets = sorted(int(line.split("\t")[1]) for line in index.read_text().splitlines() if line.strip())
        if offsets and not 0 <= offsets[0] <= offsets[-1] < 1 << 62:
            raise ValueError("no file is so long")
        return offsets
    except (ValueError, IndexError):
        raise UserError(f"{index} is no index of records: remove it, and the .rec is walked through") from None


def _label(value: float, offset: int) -> int:
    if not abs(value) < 1 << 53 or not value.is_integer():
        raise DamagedRecord(f"the record at byte {offset} has the label {value}, which is no number of an identity")
    return int(value)
