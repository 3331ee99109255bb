"""Looks for what was removed in every file of a root: as bytes of the file, and in every column of Parquet files.

Columns are compressed, so the bytes of a Parquet file alone would show nothing.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.refinement import Refinement
from pipeline.tables.columns import non_null
from pipeline.tables.face_rows import rows_of_faces
from pipeline.tables.table import Table

NEAR = 0.9999  # cosine of a stored vector with a removed one from which on both are the same


def stored_bytes(refinement: Refinement, photos: Collection[str]) -> dict[str, set[bytes]]:
    """What a refinement stores of photos, by kind: aligned faces, sketches, vectors as float16 and as float32."""
    stored: dict[str, set[bytes]] = {"JPEG": set(), "sketch": set(), "float16": set(), "float32": set()}
    faces = [(t, photos) for t in (refinement.faces, refinement.main_faces) if t is not None]
    if refinement.candidates is not None:
        pairs = rows_of(refinement.candidates, "face_id", "photo")
        faces.append((refinement.candidates, {face for face, photo in pairs if photo in photos}))
    for table, ids in faces:
        for jpeg, sketch in rows_of_faces(table, ids, ["jpeg", "sketch"]):
            stored["JPEG"] |= {jpeg} - {None}
            stored["sketch"] |= {sketch} - {None}
    for table in (*refinement.embeddings, *refinement.main_embeddings):
        vectors = [x for (x,) in rows_of_faces(table, photos, ["x"]) if x is not None]
        stored["float16"].update(vectors)
        stored["float32"].update(np.frombuffer(x, "<f2").astype("<f4").tobytes() for x in vectors)
    return stored


def rows_of(table: Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The values of these columns, row by row."""
    for rows in table.batches(columns):
        yield from zip(*(rows[name].to_pylist() for name in columns), strict=True)


def traces(root: Path, removed: Mapping[str, Collection[bytes]]) -> list[str]:
    """Where something that was removed is still stored: the file, the column, the kind."""
    vectors = np.array([np.frombuffer(x, "<f2") for x in sorted(removed["float16"])], np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    found = []
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root).as_posix()
        data = path.read_bytes()
        found += [f"{name}: {kind}" for kind, values in removed.items() if any(value in data for value in values)]
        if path.suffix == ".parquet":
            found += [f"{name}: {trace}" for trace in _traces_in_columns(data, removed, vectors)]
    return found


def _traces_in_columns(
    data: bytes, removed: Mapping[str, Collection[bytes]], vectors: NDArray[np.float64]
) -> Iterator[str]:
    """The columns of a Parquet file that hold something that was removed, or a vector like a removed one."""
    table = pq.read_table(pa.BufferReader(data))
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_binary(column.type) or pa.types.is_fixed_size_binary(column.type):
            values = set(column.to_pylist())
            yield from (f"{name} holds a {kind}" for kind, those in removed.items() if values & set(those))
        elif pa.types.is_fixed_size_list(column.type) and column.type.list_size == vectors.shape[1]:
            x = np.asarray(non_null(column).flatten().to_numpy(zero_copy_only=False), np.float64)
            x = x.reshape(-1, vectors.shape[1])
            x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
            if len(x) and float((x @ vectors.T).max()) >= NEAR:
                yield f"{name} holds a vector"
