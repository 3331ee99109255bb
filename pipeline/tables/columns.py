"""Columns of tables as numpy arrays: vectors, texts, and the rows of each identity.

A null vector becomes a row of zeros, so rows keep their place; a mask says which rows hold one.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.tables.table import Shard, read_shard

Mask = NDArray[np.bool_]


def vectors(column: pa.ChunkedArray) -> tuple[NDArray[Any], Mask]:
    """The vectors of a column as [n, d], zeros for null, and which rows are not null [n].

    A column of bytes holds half precision numbers (see vector_column); one of fixed-size lists any numbers.
    """
    valid = np.asarray(column.is_valid())
    values = non_null(column)
    if pa.types.is_fixed_size_binary(column.type):
        d = column.type.byte_width // 2
        flat = np.frombuffer(values.buffers()[1], np.float16, len(values) * d, values.offset * 2 * d)
    else:
        d, flat = column.type.list_size, pc.list_flatten(values).to_numpy()
    if valid.all():
        return flat.reshape(-1, d), valid
    x = np.zeros((len(valid), d), flat.dtype)
    x[valid] = flat.reshape(-1, d)
    return x, valid


def non_null(column: pa.ChunkedArray) -> pa.Array:
    """The values of a column that are not null, as one array; a column of one chunk is not copied."""
    column = column.drop_null() if column.null_count else column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def vector_column(x: NDArray[np.float16], valid: Mask | None = None) -> pa.Array:
    """Vectors [n, d] as a column of bytes, null where not valid [n]: read three times as fast as lists are."""
    column = pa.Array.from_buffers(pa.binary(2 * x.shape[1]), len(x), [None, pa.py_buffer(np.ascontiguousarray(x))])
    return column if valid is None else pc.if_else(pa.array(valid), column, None)


def read_vectors(root: str, shards: Sequence[Shard]) -> tuple[list[NDArray[Any]], Mask]:
    """The vectors [n, d] of the same faces in each embedder's shard, and which faces have one from every embedder."""
    columns = [vectors(read_shard(root, shard, ["x"])["x"]) for shard in shards]
    return [x for x, _ in columns], np.logical_and.reduce([valid for _, valid in columns])


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
