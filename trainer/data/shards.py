"""A refined data set on disk as chunks that are read one at a time: Parquet row groups, or runs of RecordIO records.

What is known beforehand is a label a photo (to count the classes) and where each chunk lies; pictures are read when
their turn comes. Nothing here knows in which order that is.
"""

import os
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import DamagedRecord

RECORDS_A_CHUNK = 128  # a classic .rec is sorted by identity: short chunks mix better, and 1 MB still reads in one go

Int = NDArray[np.int64]


class Content(NamedTuple):
    """The photos of a chunk: labels [n], the bytes of n pictures, and what to call each in a message."""

    label: Int
    jpeg: list[bytes]
    name: list[str]


@dataclass(frozen=True)
class ParquetFaces:
    """Row groups of refined Parquet shards."""

    path: Path
    files: tuple[Path, ...] = field(repr=False)

    @cached_property
    def groups(self) -> list[tuple[int, int, int]]:
        """File, row group and rows of every chunk."""
        found = []
        for i, file in enumerate(self.files):
            meta = _parquet(file).metadata
            found += [(i, g, meta.row_group(g).num_rows) for g in range(meta.num_row_groups)]
        return found

    @cached_property
    def labels(self) -> Int:
        """The label of every photo."""
        columns = [_column(_rows(f, ["label"])) for f in self.files]
        return np.concatenate(columns) if columns else np.zeros(0, np.int64)

    @cached_property
    def rows(self) -> Int:
        """Photos in each chunk."""
        return np.array([n for *_, n in self.groups], np.int64)

    @cached_property
    def digest(self) -> str:
        """Of labels and of the files' sizes and footers, which say where each picture starts and ends."""
        ends = [f"{f.name} {f.stat().st_size}".encode() + _footer(f) for f in self.files]
        return blake2b(b"".join([self.labels.tobytes(), *ends]), digest_size=10).hexdigest()

    def read(self, chunk: int) -> Content:
        """One row group."""
        file, group, _ = self.groups[chunk]
        rows = _rows(self.files[file], ["label", "jpeg", "key"], group)
        return Content(_column(rows), rows["jpeg"].to_pylist(), rows["key"].to_pylist())


@dataclass(frozen=True)
class RecordFaces:
    """Runs of neighbouring records of one .rec file, without the records that hold no picture."""

    path: Path

    @cached_property
    def places(self) -> tuple[Int, Int, Int]:
        """Offset, end and label of every record that holds a picture."""
        found = []
        with open(self.path, "rb") as stream:
            size = self.path.stat().st_size
            try:
                for offset in _offsets(self.path, stream.fileno(), size):
                    header, filled, end = codec.read_head(stream.fileno(), offset, size)
                    if filled:
                        found.append((offset, end, _label(header.labels[0], offset)))
            except DamagedRecord as fault:
                raise UserError(f"{self.path} is damaged or cut off: {fault}: export it again") from None
        return tuple(np.array(found, np.int64).reshape(-1, 3).T)  # type: ignore[return-value]

    @property
    def labels(self) -> Int:
        """The label of every photo."""
        return self.places[2]

    @cached_property
    def rows(self) -> Int:
        """Photos in each chunk."""
        whole, rest = divmod(len(self.labels), RECORDS_A_CHUNK)
        return np.array([RECORDS_A_CHUNK] * whole + [rest] * (rest > 0), np.int64)

    @cached_property
    def digest(self) -> str:
        """Of labels and of where each record starts and ends."""
        return blake2b(b"".join(a.tobytes() for a in self.places), digest_size=10).hexdigest()

    def read(self, chunk: int) -> Content:
        """One run of records."""
        first = chunk * RECORDS_A_CHUNK
        offsets, ends, labels = (a[first : first + RECORDS_A_CHUNK] for a in self.places)
        with open(self.path, "rb") as stream:
            raw = [os.pread(stream.fileno(), int(e - o), int(o)) for o, e in zip(offsets, ends, strict=True)]
        names = [f"the record at byte {o}" for o in offsets]
        return Content(labels, [codec.unpack(codec.join(r))[1] for r in raw], names)


Faces = ParquetFaces | RecordFaces


def open_faces(path: str | Path) -> Faces:
    """The data set at a path: a folder of `refinery export` (Parquet or RecordIO), a .rec, or a table's manifest.

    Raises UserError when there is none, or when nothing can be learnt from it: no photo, one class, or labels that are
    not 0, 1, 2...
    """
    place = Path(path)
    if not place.exists():
        raise UserError(f"there is no {place}: give a folder that `refinery export` wrote")
    records = [place] if place.suffix == ".rec" else sorted(place.glob("*.rec"))
    faces = RecordFaces(records[0]) if records else ParquetFaces(place, _shards(place))
    _check(faces)
    return faces


def _shards(place: Path) -> tuple[Path, ...]:
    """The Parquet files of a folder, or those that a manifest in a root names."""
    if place.is_file() and place.suffix == ".json":
        from json import JSONDecodeError, loads

        try:
            listed = [s["path"] for s in loads(place.read_text())["shards"]]
            if not all(isinstance(name, str) for name in listed):
                raise TypeError(listed)
        except (JSONDecodeError, KeyError, TypeError, UnicodeDecodeError, RecursionError):
            raise UserError(f"{place} is no manifest of a table: give the one in ROOT/refined") from None
        base = place.parent if not listed or (place.parent / listed[0]).exists() else place.parent.parent
        return tuple(base / name for name in listed)
    found = tuple(sorted(place.glob("*.parquet"))) if place.is_dir() else ()
    if not found:
        hint = "run `refinery export` on it first" if (place / "refinement.json").exists() else "give an export"
        raise UserError(f"{place} holds neither Parquet files nor a .rec: {hint}")
    return found


def _check(faces: Faces) -> None:
    labels = faces.labels
    if not len(labels):
        raise UserError(f"{faces.path} holds no photo: nothing can be learnt from it")
    below = labels[(labels >= 0) & (labels < len(labels))]  # without a gap, there is none beyond
    counts = np.bincount(below, minlength=1)
    if len(below) < len(labels) or not counts.all():
        wrong = int(labels.min()) if labels.min() < 0 else int(counts.argmin()) if not counts.all() else len(counts)
        raise UserError(f"the labels in {faces.path} are not 0, 1, 2... without a gap (label {wrong}): export it again")
    if len(counts) < 2:
        raise UserError(f"{faces.path} holds one class: telling people apart takes two or more")
    if counts.max() == 1:
        raise UserError(f"every class in {faces.path} has a single photo: nothing says what one person has in common")


def _offsets(file: Path, stream: int, size: int) -> list[int]:
    listed = file.with_suffix(".idx")
    if not listed.is_file():
        return [offset for offset, _ in codec.scan(stream, size)]
    try:
        found = sorted(int(line.split("\t")[1]) for line in listed.read_text().splitlines() if line.strip())
        if found and not 0 <= found[0] <= found[-1] < 1 << 62:
            raise ValueError("no file is so long")
        return found
    except (ValueError, IndexError):
        raise UserError(f"{listed} is no index of records: remove it, and the .rec is walked through") from None


def _label(value: float, offset: int) -> int:
    if not abs(value) < 1 << 53 or not value.is_integer():
        raise DamagedRecord(f"the record at byte {offset} has the label {value}, which is no number of an identity")
    return int(value)


def _parquet(file: Path) -> pq.ParquetFile:
    try:
        found = pq.ParquetFile(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"cannot read {file} ({error}): export the data set again") from None
    if missing := {"label", "jpeg", "key"} - set(found.schema_arrow.names):
        raise UserError(f"{file} has no column {', '.join(sorted(missing))}: expected a refined table")
    return found


def _footer(file: Path) -> bytes:
    """The metadata at a Parquet file's end, whose last 8 bytes are its length and "PAR1"."""
    with open(file, "rb") as stream:
        stream.seek(-8, os.SEEK_END)
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(-8 - length, os.SEEK_END)
        return stream.read(length)


def _rows(file: Path, columns: list[str], group: int | None = None) -> pa.Table:
    """Columns of a file or of one row group, checked to be what they are said to be."""
    found = _parquet(file)
    try:
        groups = range(found.num_row_groups) if group is None else [group]
        rows = found.read_row_groups(list(groups), columns, use_threads=False)
        rows.validate(full=True)
        if rows["label"].null_count:
            raise ValueError("a photo has no label")
        return rows.set_column(rows.column_names.index("label"), "label", rows["label"].cast(pa.int64()))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"cannot read {file} ({error}): export the data set again") from None


def _column(rows: pa.Table) -> Int:
    return np.asarray(rows["label"].to_numpy(), np.int64)
