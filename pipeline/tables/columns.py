"""Columns of tables as numpy arrays: vectors, strings, and runs of equal values.

A null vector becomes a row of zeros, so that array rows are table rows; a mask says which rows hold a vector.
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

    The column holds bytes of half precision numbers (see vector_column) or fixed-size lists of numbers.
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
    """Vectors [n, d] as a column of bytes, null where not valid [n]. Bytes are read three times as fast as lists."""
    column = pa.Array.from_buffers(pa.binary(2 * x.shape[1]), len(x), [None, pa.py_buffer(np.ascontiguousarray(x))])
    return column if valid is None else pc.if_else(pa.array(valid), column, None)


def read_vectors(root: str, shards: Sequence[Shard]) -> tuple[list[NDArray[Any]], Mask]:
    """For each embedder the vectors [n, d] of the same n faces, and which faces have a vector by every embedder [n].

    shards: each embedder's shard of embeddings.
    """
    columns = [vectors(read_shard(root, shard, ["x"])["x"]) for shard in shards]
    return [x for x, _ in columns], np.logical_and.reduce([valid for _, valid in columns])


def runs(column: pa.ChunkedArray) -> Iterator[tuple[Any, int, int]]:
    """Value, first row and row after the last of each run of equal values; runs of null are left out."""
    coded = column.combine_chunks().dictionary_encode() if not pa.types.is_dictionary(column.type) else column
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    edges = np.flatnonzero(np.diff(codes, prepend=-2, append=-2))
    values = coded.dictionary
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if codes[start] >= 0:
            yield values[int(codes[start])].as_py(), start, end


def texts(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """A column of strings as an array of objects, None for null."""
    return np.asarray(column.to_numpy(), dtype=object)
