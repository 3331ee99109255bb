"""The calibration table: how scores are to be read on this data with these models (scores/fusion.Calibration).

It is measured on a sample of fixed size, so its cost does not grow with the data, and it is the first table of finding
noise: every threshold is a false accept rate read off it.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import groupby, islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.scores.calibrate import calibrate
from pipeline.noise.scores.far_curve import FarCurve
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.score_norm import ImpostorModel
from pipeline.tables.columns import texts, vectors
from pipeline.tables.prefetch import READ_THREADS, prefetch
from pipeline.tables.table import Shard, read_shard, read_shards

IDENTITIES, FACES = 1200, 3  # in the sample, of each identity: 6.5 million impostor pairs
CALIBRATION = pa.schema(
    [
        ("embedder", pa.int8()),  # 0 the first, 1 the second, -1 both fused
        ("weight", pa.float64()),
        ("a", pa.float64()),  # of the FAR curve
        ("b", pa.float64()),
        ("c", pa.float64()),
        ("same", pa.float64()),  # genuine_mean
        ("spread", pa.float64()),  # genuine_deviation
        ("share", pa.float64()),  # genuine_share
        ("mean", pa.list_(pa.float64())),  # of the impostor model
        ("covariance", pa.list_(pa.float64())),
    ]
)


class SampledFace(NamedTuple):
    """A face of the sample: its claimed identity, its id, and each embedder's vector."""

    identity: str
    face_id: str
    x: list[NDArray[Any]]


def calibration_shard(part: tuple[Sequence[Shard], ...], *, root: str) -> pa.Table:
    """The calibration of a data set; part: for each embedder the shards of embeddings, all of them.

    IDENTITIES identities are drawn by a hash of the name and FACES of each by face_id, so the result does not depend on
    how identities are assigned to shards.
    """
    names: set[str] = set()
    for table in read_shards(root, part[0], ["identity"]):
        names.update(n for n in table["identity"].unique().to_pylist() if n is not None)
    drawn = sorted(names, key=lambda n: blake2b(n.encode("utf-8", "surrogateescape")).digest())[:IDENTITIES]
    sample = partial(_sample, root, identities=pa.array(drawn, pa.string()))
    faces = [f for rows in prefetch(sample, zip(*part, strict=True), threads=READ_THREADS, per_thread=1) for f in rows]
    faces.sort(key=lambda f: f[:2])
    _, codes = np.unique([f.identity for f in faces], return_inverse=True) if faces else (None, np.empty(0, np.int64))
    x = [np.array([f.x[e] for f in faces]) for e in range(len(part))]
    if not faces:
        x = [vectors(read_shard(root, shards[0], ["x"])["x"])[0][:0] for shards in part]
    return to_table(calibrate(x, identity=codes))


def _sample(root: str, shards: Sequence[Shard], identities: pa.Array) -> list[SampledFace]:
    """The faces of the sample in one shard; shards: each embedder's; identities: those that were drawn."""
    first = read_shard(root, shards[0], ["face_id", "identity"])
    wanted = np.asarray(pc.is_in(first["identity"], value_set=identities))
    if not wanted.any():
        return []
    columns = [vectors(read_shard(root, shard, ["x"])["x"]) for shard in shards]
    wanted &= np.logical_and.reduce([valid for _, valid in columns])
    at = np.flatnonzero(wanted)
    names, ids = (texts(first[c].take(pa.array(at))) for c in ("identity", "face_id"))
    order = sorted(range(len(at)), key=lambda n: (names[n], ids[n]))
    chosen = [n for _, same in groupby(order, key=lambda n: names[n]) for n in islice(same, FACES)]
    # copied: a row of the shard's vectors would keep all of them in memory
    return [SampledFace(names[n], ids[n], [x[at[n]].copy() for x, _ in columns]) for n in chosen]


def to_table(calibration: Calibration) -> pa.Table:
    """A calibration as a table: a row for each embedder, and one, -1, for both fused."""
    each = zip(calibration.impostors, calibration.weights, calibration.far_curves, strict=True)
    rows: list[dict[str, Any]] = [
        {"embedder": e, "weight": w, **curve._asdict(), "mean": model.mean, "covariance": model.covariance.ravel()}
        for e, (model, w, curve) in enumerate(each)
    ]
    c = calibration
    genuine = {"same": c.genuine_mean, "spread": c.genuine_deviation, "share": c.genuine_share}
    rows.append({"embedder": -1, **c.fused_curve._asdict(), **genuine})
    return pa.Table.from_pylist(rows, schema=CALIBRATION)


def from_table(table: pa.Table) -> Calibration:
    """The calibration that to_table() wrote."""
    *each, fused = table.drop_columns(["mean", "covariance"]).to_pylist()
    means, covariances = (
        [column[e].values.to_numpy() for e in range(len(each))] for column in (table["mean"], table["covariance"])
    )
    models = tuple(ImpostorModel(m, c.reshape(len(m), len(m))) for m, c in zip(means, covariances, strict=True))
    curves = [FarCurve(row["a"], row["b"], row["c"]) for row in (*each, fused)]
    weights = tuple(row["weight"] for row in each)
    return Calibration(models, weights, tuple(curves[:-1]), curves[-1], fused["same"], fused["spread"], fused["share"])


@lru_cache(maxsize=4)
def read_calibration(root: str, shard: Shard) -> Calibration:
    """The calibration in the one shard of its table; kept by the process, for every shard of a stage needs it."""
    return from_table(read_shard(root, shard))
