"""Reads a refined data set in Parquet; a chunk is a row group of one of its files."""

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
from pipeline.tables.digests import content_digest
from trainer.data.chunk import Chunk, IntArray

MANIFEST = "manifest.json"  # of an export


@dataclass(frozen=True)
class ParquetFaces:
    """A data set in Parquet files; path: the folder or the table's manifest that lists the files."""

    path: Path
    files: tuple[Path, ...] = field(repr=False)
    digests: tuple[str, ...] = field(default=(), repr=False)  # of the files, where a manifest lists them
    _checked: set[int] = field(default_factory=set, repr=False, compare=False)

    @cached_property
    def row_groups(self) -> list[tuple[int, int, int]]:
        """Of each chunk the number of its file, of its row group in the file, and of photos."""
        groups = []
        for i, file in enumerate(self.files):
            metadata = _open(file).metadata
            groups += [(i, g, metadata.row_group(g).num_rows) for g in range(metadata.num_row_groups)]
        return groups

    @cached_property
    def labels(self) -> IntArray:
        """The label of every photo [n], chunk by chunk."""
        columns = [_labels(_read(f, ["label"])) for f in self.files]
        return np.concatenate(columns) if columns else np.zeros(0, np.int64)

    @cached_property
    def chunk_sizes(self) -> IntArray:
        """The number of photos in each chunk."""
        return np.array([n for *_, n in self.row_groups], np.int64)

    @cached_property
    def digest(self) -> str:
        """A digest of the labels, file sizes and file footers; a footer lists where each picture starts and ends."""
        footers = [f"{f.name} {f.stat().st_size}".encode() + _footer(f) for f in self.files]
        return blake2b(b"".join([self.labels.tobytes(), *footers]), digest_size=10).hexdigest()

    @cached_property
    def names(self) -> dict[int, str]:
        """The identity of each label; {} where the files do not name identities."""
        names: dict[int, str] = {}
        for file in self.files:
            if "identity" not in _open(file).schema_arrow.names:
                return {}
            rows = _read(file, ["label", "identity"]).group_by("label").aggregate([("identity", "min")])
            names |= dict(zip(rows["label"].to_pylist(), map(str, rows["identity_min"].to_pylist()), strict=True))
        return names

    def read(self, chunk: int) -> Chunk:
        """The photos of the chunk with this number.

        When the first chunk of a file is read, the file is checked against its digest. Raises UserError when it has
        another one.
        """
        file, group, _ = self.row_groups[chunk]
        if file not in self._checked:
            _check_digest(self.files[file], self.digests[file] if self.digests else "")
            self._checked.add(file)
        rows = _read(self.files[file], ["label", "jpeg", "key"], group)
        return Chunk(_labels(rows), rows["jpeg"].to_pylist(), rows["key"].to_pylist())


def parquet_faces(path: Path) -> ParquetFaces:
    """The data set of an export's folder, of any folder of Parquet files, or of a table's manifest.

    Raises UserError when there are no files, and for a damaged manifest.
    """
    if path.is_file() and path.suffix == ".json":
        return ParquetFaces(path, *_files_of_manifest(path))
    if (path / MANIFEST).exists():
        return ParquetFaces(path, *_files_of_manifest(path / MANIFEST))
    files = tuple(sorted(path.glob("*.parquet"))) if path.is_dir() else ()
    if not files:
        hint = "run `refinery export` on it first" if (path / "refinement.json").exists() else "give an export"
        raise UserError(f"{path} holds neither Parquet files nor a .rec: {hint}")
    return ParquetFaces(path, files)


def _files_of_manifest(manifest: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files that a manifest lists, and their digests."""
    try:
        shards = loads(manifest.read_text())["shards"]
        listed, digests = [s["path"] for s in shards], tuple(s.get("digest", "") for s in shards)
        if not all(isinstance(word, str) for word in (*listed, *digests)):
            raise TypeError(listed)
    except (JSONDecodeError, KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError):
        raise UserError(f"{manifest} is not the manifest of a table: give one of ROOT/refined, or an export") from None
    if not all(name.endswith(".parquet") for name in listed):
        raise UserError(f"{manifest.parent} is no data set to train on: export it with --format parquet or recordio")
    folder = manifest.parent
    if listed and not (folder / listed[0]).exists():  # a manifest in ROOT/refined lists paths from ROOT
        folder = folder.parent
    return tuple(folder / name for name in listed), digests


def _check_digest(file: Path, digest: str) -> None:
    if digest and content_digest(file.read_bytes()) != digest:
        raise UserError(f"{file} is damaged: its bytes are not those that were exported: export the data set again")


def _open(file: Path) -> pq.ParquetFile:
    try:
        parquet = pq.ParquetFile(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"cannot read {file} ({error}): export the data set again") from None
    if missing := {"label", "jpeg", "key"} - set(parquet.schema_arrow.names):
        raise UserError(
            f"{file} has no column {', '.join(sorted(missing))}: give an export with --format parquet or recordio"
        )
    return parquet


def _footer(file: Path) -> bytes:
    """The metadata at a Parquet file's end. The last 8 bytes of the file are the length of this metadata and "PAR1"."""
    with open(file, "rb") as stream:
        stream.seek(-8, os.SEEK_END)
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(-8 - length, os.SEEK_END)
        return stream.read(length)


def _read(file: Path, columns: list[str], group: int | None = None) -> pa.Table:
    """The columns of one row group, or of all (None), validated; labels as int64."""
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


def _labels(rows: pa.Table) -> IntArray:
    return np.asarray(rows["label"].to_numpy(), np.int64)
