"""The textures table: a unit vector for each face that describes its texture, made without a trained model.

The histograms of local binary patterns are reduced to their principal components on faces of the same data, each scaled
to the same variance (whitening). So what all these photos have in common counts as little as what lies in few of them.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.rows.stored_faces import decode_faces
from pipeline.faces.texture.local_binary_patterns import LENGTH, pattern_histograms
from pipeline.tables.columns import vector_column, vectors
from pipeline.tables.table import Shard, read_shard, read_shards

DIMS = 300  # of a texture; 200 to 400 find as many outliers within 0.01 of F1
SAMPLE = 2000  # faces from which the components are computed: 90 MB of histograms, and 3 s
FACES_A_DIM = 4  # at least; components of fewer faces would describe single faces, which are then all equally unlike
LEAST_VARIANCE = 1e-6  # of a component, as a share of the largest; beyond it is only rounding
BATCH = 128  # faces whose histograms are held at a time: 6 MB
# one row for each component, after a row with the mean of the histograms
BASIS = pa.schema([("x", pa.list_(pa.float32(), LENGTH))])
TEXTURES = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("x", pa.binary(2 * DIMS)),  # as in embeddings; of few faces the last numbers are 0
    ]
)


def basis_shard(part: Sequence[Shard], *, root: str) -> pa.Table:
    """The mean histogram, and the components that whiten; part: all shards of faces.

    The sample is of the faces with the lowest ids, which are digests.
    """
    tables = (table.filter(table["jpeg"].is_valid()) for table in read_shards(root, part, ["face_id", "jpeg"]))
    sample = pa.table({"face_id": pa.array([], pa.string()), "jpeg": pa.array([], pa.binary())})
    for table in tables:
        sample = pa.concat_tables([sample, table]).sort_by("face_id").slice(0, SAMPLE)
    if not len(sample):
        return BASIS.empty_table()
    histograms = np.concatenate([h for _, h in _histograms(sample["jpeg"], np.arange(len(sample)))])
    rows = np.concatenate(whitening(histograms))
    return pa.table([pa.FixedSizeListArray.from_arrays(rows.ravel(), LENGTH)], schema=BASIS)


def whitening(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean [1, d] of rows x [n, d], and the principal components [k, d] divided by their standard deviations.

    The components follow from the products of rows, because there are fewer rows than columns (Sirovich and Kirby
    1987). x is changed.
    """
    mean = x.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    x -= mean
    variance, rows = np.linalg.eigh((x @ x.T).astype(np.float64))
    largest = np.argsort(variance)[::-1][: min(DIMS, max(1, len(x) // FACES_A_DIM))]
    largest = largest[variance[largest] > LEAST_VARIANCE * max(variance.max(), LEAST_VARIANCE)]
    scaled = rows[:, largest] * (np.sqrt(len(x)) / variance[largest])
    return mean, np.asarray(scaled.T.astype(np.float32) @ x)


def texture_shard(part: Shard, *, root: str, basis: Shard) -> pa.Table:
    """The textures of one shard of faces, row by row; null where there is no face."""
    faces = read_shard(root, part, ["face_id", "identity", "jpeg"])
    mean, components = _read_basis(root, basis)
    x = np.zeros((len(faces), DIMS), np.float16)
    has_face = np.asarray(faces["jpeg"].is_valid())
    for rows, histograms in _histograms(faces["jpeg"], np.flatnonzero(has_face)):
        texture = (histograms - mean) @ components.T
        length = np.linalg.norm(texture, axis=1, keepdims=True)
        x[rows, : len(components)] = texture / np.maximum(length, 1e-12)
    return pa.table([faces["face_id"], faces["identity"], vector_column(x, has_face)], schema=TEXTURES)


@lru_cache(maxsize=1)
def _read_basis(root: str, shard: Shard) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean [1, LENGTH] and the components [k, LENGTH]. Cached, because every shard of faces needs them."""
    rows = vectors(read_shard(root, shard)["x"])[0]
    return rows[:1], rows[1:]


def _histograms(
    jpegs: pa.ChunkedArray, rows: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Batches of these rows of stored faces, and their histograms [n, LENGTH]."""
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        yield batch, pattern_histograms(decode_faces([jpegs[int(i)].as_buffer() for i in batch]))
