"""A refined data set in Parquet: chunks are row groups of its files."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from json import JSONDecodeError, loads
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UserError
from trainer.data.chunk import Chunk, Int


@dataclass(frozen=True)
class ParquetFaces:
    """The row groups of refined Parquet files; path: the folder or manifest that they were listed by."""

    path: Path
    files: tuple[Path, ...] = field(repr=False)

    @cached_property
    def groups(self) -> list[tuple[int, int, int]]:
        """The file, the row group in it and the photos of every chunk."""
        groups = []
        for i, file in enumerate(self.files):
            metadata = _open(file).metadata
            groups += [(i, g, metadata.row_group(g).num_rows) for g in range(metadata.num_row_groups)]
        return groups

    @cached_property
    def labels(self) -> Int:
        """The label of every photo."""
        columns = [_labels(_read(f, ["label"])) for f in self.files]
        return np.concatenate(columns) if columns else np.zeros(0, np.int64)

    @cached_property
    def rows(self) -> Int:
        """How many photos each chunk has."""
        return np.array([n for *_, n in self.groups], np.int64)

    @cached_property
    def digest(self) -> str:
        """A digest of the labels, file sizes and file footers; footers say where each picture starts and ends."""
        ends = [f"{f.name} {f.stat().st_size}".encode() + _footer(f) for f in self.files]
        return blake2b(b"".join([self.labels.tobytes(), *ends]), digest_size=10).hexdigest()

    def read(self, chunk: int) -> Chunk:
        """The photos of one row group."""
        file, group, _ = self.groups[chunk]
        rows = _read(self.files[file], ["label", "jpeg", "key"], group)
        return Chunk(_labels(rows), rows["jpeg"].to_pylist(), rows["key"].to_pylist())


def parquet_files(place: Path) -> tuple[Path, ...]:
    """The Parquet files of a folder, or those that a table's manifest names. UserError when there are none."""
    if place.is_file() and place.suffix == ".json":
        return _of_manifest(place)
    files = tuple(sorted(place.glob("*.parquet"))) if place.is_dir() else ()
    if not files:
        hint = "run `refinery export` on it first" if (place / "refinement.json").exists() else "give an export"
        raise UserError(f"{place} holds neither Parquet files nor a .rec: {hint}")
    return files


def _of_manifest(manifest: Path) -> tuple[Path, ...]:
    try:
        listed = [s["path"] for s in loads(manifest.read_text())["shards"]]
        if not all(isinstance(name, str) for name in listed):
            raise TypeError(listed)
    except (JSONDecodeError, KeyError, TypeError, UnicodeDecodeError, RecursionError):
        raise UserError(f"{manifest} is no manifest of a table: give the one in ROOT/refined") from None
    base = manifest.parent
    if listed and not (base / listed[0]).exists():
        base = base.parent
    return tuple(base / name for name in listed)


def _open(file: Path) -> pq.ParquetFile:
    try:
        parquet = pq.ParquetFile(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"cannot read {file} ({error}): export the data set again") from None
    if missing := {"label", "jpeg", "key"} - set(parquet.schema_arrow.names):
        raise UserError(f"{file} has no column {', '.join(sorted(missing))}: expected a refined table")
    return parquet


def _footer(file: Path) -> bytes:
    """The metadata at a Parquet file's end; the last 8 bytes of the file are its length and "PAR1"."""
    with open(file, "rb") as stream:
        stream.seek(-8, os.SEEK_END)
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(-8 - length, os.SEEK_END)
        return stream.read(length)


def _read(file: Path, columns: list[str], group: int | None = None) -> pa.Table:
    """Columns of a file or of one row group, validated; labels are int64."""
    parquet = _open(file)
    try:
        groups = range(parquet.num_row_groups) if group is None else [group]
        rows = parquet.read_row_groups(list(groups), columns, use_threads=False)
        rows.validate(full=True)
        if rows["label"].null_count:
            raise ValueError("a photo has no label")
        return rows.set_column(rows.column_names.index("label"), "label", rows["label"].cast(pa.int64()))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"cannot read {file} ({error}): export the data set again") from None


def _labels(rows: pa.Table) -> Int:
    return np.asarray(rows["label"].to_numpy(), np.int64)
