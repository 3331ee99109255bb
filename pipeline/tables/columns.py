"""Columns of tables as arrays: vectors, and where one identity ends and the next begins."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.tables.table import Shard, read_shard

Mask = NDArray[np.bool_]


def vectors(column: pa.ChunkedArray) -> tuple[NDArray[Any], Mask]:
    """The vectors of a column as [n, d], zeros for null, and which rows are there [n].

    A column of bytes holds half precision numbers, as packed() has them; one of lists of one length whatever it says.
    """
    there = np.asarray(column.is_valid())
    found = present(column)
    if pa.types.is_fixed_size_binary(column.type):
        d = column.type.byte_width // 2
        flat = np.frombuffer(found.buffers()[1], np.float16, len(found) * d, found.offset * 2 * d)
    else:
        d, flat = column.type.list_size, pc.list_flatten(found).to_numpy()
    if there.all():
        return flat.reshape(-1, d), there
    x = np.zeros((len(there), d), flat.dtype)
    x[there] = flat.reshape(-1, d)
    return x, there


def present(column: pa.ChunkedArray) -> pa.Array:
    """The values of a column that are there, in one piece; what is in one already is not copied."""
    column = column.drop_null() if column.null_count else column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def packed(x: NDArray[np.float16], there: Mask | None = None) -> pa.Array:
    """Vectors [n, d] as a column of bytes, null where they are not there: read three times as fast as lists are."""
    column = pa.Array.from_buffers(pa.binary(2 * x.shape[1]), len(x), [None, pa.py_buffer(np.ascontiguousarray(x))])
    return column if there is None else pc.if_else(pa.array(there), column, None)


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
