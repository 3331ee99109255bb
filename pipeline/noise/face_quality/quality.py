"""The quality table: how much information about its person each face holds.

The quality is the fused score that the face is expected to have with a sharp photo of the same person. A face that
would score like an impostor even then is weak: it founds no person and is no evidence about one. Its vector says how
it was blurred, not whom it shows, so that weak faces of many people match each other.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.noise.calibration import read_calibration
from pipeline.noise.face_quality.foretold_score import MeasuredFaces, read_foretold_score
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.score_norm import BLOCK, Floats
from pipeline.tables.columns import Mask, vectors
from pipeline.tables.table import Shard, Table, read_shard

WEAK_FAR = 1e-4  # a face is weak if its quality is below the threshold with this FAR; PERSON_FAR is the same
QUALITY = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("quality", pa.float32()),  # null: there is no face, or nothing from which the quality could be learned
    ]
)


class QualityTables(NamedTuple):
    """The tables from which qualities are computed: see faces/face_quality."""

    degraded: Table
    measures: Table | None = None  # the outputs of a face-quality model; None: without one


def build_quality(
    make: Callable[..., Table],
    quality: QualityTables,
    faces: Table,
    embeddings: Sequence[Table],
    *,
    calibration: Shard,
) -> Table:
    """The quality table of a data set; make: builds a table from its name, function and parts."""
    measures = quality.measures.shards if quality.measures else [None] * len(faces.shards)
    parts = list(zip(zip(*(t.shards for t in embeddings), strict=True), faces.shards, measures, strict=True))
    params = {"calibration": calibration, "degraded": quality.degraded.shards[0]}
    return make("quality", quality_shard, parts, schema=QUALITY, params=params)


def quality_shard(
    part: tuple[tuple[Shard, ...], Shard, Shard | None], *, root: str, calibration: Shard, degraded: Shard
) -> pa.Table:
    """The quality of each face of one shard.

    part: the shards of each embedder's embeddings, of faces, and of measures (None without a face-quality model).
    """
    embeddings, faces, measures = part
    rows = read_shard(root, faces, ["face_id", "identity", "sharpness"])
    foretold = read_foretold_score(root, degraded, calibration)
    quality = np.full(len(rows), np.nan)
    if foretold is not None:
        embedded = [read_shard(root, shard, ["x", "norm"]) for shard in embeddings]
        x, norm = [vectors(t["x"])[0] for t in embedded], [t["norm"].to_numpy(zero_copy_only=False) for t in embedded]
        sharpness = rows["sharpness"].to_numpy(zero_copy_only=False)
        measure = read_shard(root, measures, ["measure"])["measure"] if measures else None
        outputs = None if measure is None else measure.to_numpy(zero_copy_only=False)
        known = np.flatnonzero(~np.isnan(sharpness) & np.logical_and.reduce([~np.isnan(n) for n in norm]))
        for start in range(0, len(known), BLOCK):
            block = known[start : start + BLOCK]
            measured = MeasuredFaces(sharpness[block], [v[block] for v in x], [n[block] for n in norm])
            quality[block] = foretold(
                measured if outputs is None else measured._replace(measure=outputs[block].astype(np.float64))
            )
    column = pa.array(quality, pa.float32(), from_pandas=True)
    return pa.table([rows["face_id"], rows["identity"], column], schema=QUALITY)


def weak_qualities(
    root: str, quality: Sequence[Shard], calibration: Shard, *, weak: float | None, faces: int
) -> Floats:
    """The quality of each weak face of a shard [faces]; nan for other faces, and where no qualities are known.

    quality: the shard of qualities, or none. weak: FAR of the threshold below which a face is weak.
    """
    if not quality or weak is None:
        return np.full(faces, np.nan)
    values = read_shard(root, quality[0], ["quality"])["quality"].to_numpy(zero_copy_only=False).astype(np.float64)
    with np.errstate(invalid="ignore"):
        is_weak = values < threshold_at_far(read_calibration(root, calibration).fused_curve, weak)
    return np.where(is_weak, values, np.nan)


def weak_faces(root: str, quality: Sequence[Shard], calibration: Shard, *, weak: float | None, faces: int) -> Mask:
    """Which faces [faces] of a shard are weak; for the parameters see weak_qualities()."""
    return ~np.isnan(weak_qualities(root, quality, calibration, weak=weak, faces=faces))
