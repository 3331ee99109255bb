"""Columns of tables as arrays: vectors, and where one identity ends and the next begins."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.table import Shard, read_shard

Mask = NDArray[np.bool_]


def vectors(column: pa.ChunkedArray) -> tuple[NDArray[Any], Mask]:
    """The rows of a column of fixed-size lists as [n, d], zeros for null, and which rows are there [n]."""
    there = column.is_valid().to_numpy(zero_copy_only=False).astype(bool)
    d = column.type.list_size
    flat = pc.list_flatten(column.drop_null()).to_numpy()
    x = np.zeros((len(there), d), flat.dtype)
    x[there] = flat.reshape(-1, d)
    return x, there


def views_of(root: str, shards: Sequence[Shard]) -> tuple[list[NDArray[Any]], Mask]:
    """The same shard of each embedder's embeddings, x [n, d] each, and which rows all of them have [n]."""
    found = [vectors(read_shard(root, shard, ["x"])["x"]) for shard in shards]
    return [x for x, _ in found], np.logical_and.reduce([there for _, there in found])


def runs(column: pa.ChunkedArray) -> Iterator[tuple[Any, int, int]]:
    """Value, start and end of each run of equal values; runs of null are left out."""
    values = column.combine_chunks().dictionary_encode() if not pa.types.is_dictionary(column.type) else column
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    edges = np.flatnonzero(np.diff(codes, prepend=-2, append=-2))
    names = values.dictionary
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if codes[start] >= 0:
            yield names[int(codes[start])].as_py(), start, end


def texts(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """A column of strings as an array of objects, None for null."""
    return np.asarray(column.to_numpy(), dtype=object)
