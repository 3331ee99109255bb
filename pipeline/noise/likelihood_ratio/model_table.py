"""The two_covariance table: the model that fits the data, and the faces that are compared by it.

It is fitted to a sample of fixed size, so that the cost does not grow with the data: the identities with the
lowest hashes of their names, as in the mixture table. Duplicates are left out, for each would confirm the other.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.likelihood_ratio.fit_two_covariance import fit_two_covariance
from pipeline.noise.likelihood_ratio.two_covariance import IdentitySums, TwoCovariance
from pipeline.noise.outliers.mixture_table import FACES, lowest_hashes
from pipeline.tables.columns import read_vectors
from pipeline.tables.table import Shard, read_shard

VectorShards = tuple[tuple[Shard, ...], Shard]  # of each kind of vector, and of copies
TWO_COVARIANCE = pa.schema(  # one row: see TwoCovariance
    [
        ("weights", pa.list_(pa.float64())),
        ("between", pa.float64()),
        ("dims", pa.float64()),
        ("prior", pa.float64()),
    ]
)


def two_covariance_shard(part: Sequence[VectorShards], *, root: str) -> pa.Table:
    """The model that fits a data set. part: for each shard of the data set those of its vectors and of copies."""
    names: set[str] = set()
    for _, copies in part:
        names |= set(read_shard(root, copies, ["identity"])["identity"].unique().to_pylist())
    drawn = lowest_hashes(sorted(names - {None}))
    samples = [_sample(root, shards, drawn) for shards in part]
    rows = pa.concat_tables([table for table, _ in samples])
    order = pc.sort_indices(rows, [("identity", "ascending"), ("face_id", "ascending")]).to_numpy()
    codes = rows["identity"].take(pa.array(order)).combine_chunks().dictionary_encode().indices.to_numpy()
    kinds = range(len(part[0][0]) if part else 0)
    vectors = [np.concatenate([x[kind] for _, x in samples])[order] for kind in kinds]
    model = fit_two_covariance(vectors, codes.astype(np.int64))
    return pa.Table.from_pylist([model._asdict()], schema=TWO_COVARIANCE)


def _sample(root: str, shards: VectorShards, drawn: pa.Array) -> tuple[pa.Table, list[NDArray[np.float32]]]:
    """The faces of the drawn identities in one shard, FACES of each with the lowest ids, and each kind's vectors."""
    rows, vectors = compared_faces(root, shards)
    rows = rows.append_column("row", pa.array(np.arange(len(rows))))
    rows = rows.filter(pc.is_in(rows["identity"], value_set=drawn))
    rows = rows.sort_by([("identity", "ascending"), ("face_id", "ascending")])
    codes = rows["identity"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    sums = IdentitySums(codes)
    rows = rows.filter(pa.array(np.arange(len(rows)) - sums.starts[sums.number] < FACES))
    return rows.select(["face_id", "identity"]), [x[rows["row"].to_numpy()] for x in vectors]


def compared_faces(root: str, shards: VectorShards) -> tuple[pa.Table, list[NDArray[np.float32]]]:
    """The faces of a shard that are compared, with face_id, identity and at (their row in the shard), and vectors.

    They have a vector of each kind and an identity, and are no duplicates.
    """
    x, valid = read_vectors(root, shards[0])
    rows = read_shard(root, shards[1], ["face_id", "identity", "copy_of"])
    used = valid & np.asarray(rows["identity"].is_valid()) & np.asarray(rows["copy_of"].is_null())
    at = np.flatnonzero(used)
    table = rows.select(["face_id", "identity"]).take(pa.array(at)).append_column("at", pa.array(at))
    return table, [np.asarray(v[at], np.float32) for v in x]


@lru_cache(maxsize=4)
def read_model(root: str, shard: Shard) -> TwoCovariance:
    """The model in the only shard of its table. Cached, because every shard of a stage needs it."""
    (row,) = read_shard(root, shard).to_pylist()
    return TwoCovariance(tuple(row["weights"]), row["between"], row["dims"], row["prior"])
