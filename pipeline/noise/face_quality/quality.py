"""The quality table: how much information about its person each face holds.

The quality is the score that the face is expected to have with a sharp photo of the same person, as a share of a sharp
face's score with itself. A face with much less than 1 is weak: it founds no person and is no evidence about one. Its
vector says how it was blurred rather than whom it shows, so that weak faces of many people match each other.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.noise.face_quality.foretold_score import MeasuredFaces, read_foretold_score
from pipeline.noise.scores.far_curve import DECIMALS
from pipeline.noise.scores.score_norm import BLOCK
from pipeline.tables.columns import Mask, vectors
from pipeline.tables.table import Shard, Table, read_shard

# a face is weak if its quality is less than this. Not the threshold of a FAR: the tail of the impostor scores is not
# known before weak faces, which match each other, are left out. With 0.55 to 0.65 one of 420 planted faces is kept (at
# 0.5: 27), and of noisy real data as many clean photos are lost as without qualities
WEAK_SHARE = 0.55
# share of weak faces from which the calibration is measured again without them: 1% of the faces are 0.01% of the pairs
RECALIBRATED = 0.01
QUALITY = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("quality", pa.float32()),  # null: there is no face, or nothing from which qualities could be learned
        ("weak", pa.bool_()),  # whether the quality is below the threshold for weak faces; false without a quality
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
    params = {"calibration": calibration, "degraded": quality.degraded.shards[0], "weak": WEAK_SHARE}
    return make("quality", quality_shard, parts, schema=QUALITY, params=params)


def quality_shard(
    part: tuple[tuple[Shard, ...], Shard, Shard | None], *, root: str, calibration: Shard, degraded: Shard, weak: float
) -> pa.Table:
    """The quality of each face of one shard.

    part: the shards of each embedder's embeddings, of faces, and of measures (None without a face-quality model). weak:
    the quality below which a face is weak.
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
            if outputs is not None:
                measured = measured._replace(measure=outputs[block].astype(np.float64))
            quality[block] = np.round(foretold(measured) / foretold.full, DECIMALS)
    with np.errstate(invalid="ignore"):
        is_weak = quality < weak
    columns = [pa.array(quality, pa.float32(), from_pandas=True), pa.array(is_weak)]
    return pa.table([rows["face_id"], rows["identity"], *columns], schema=QUALITY)


def weak_faces(root: str, quality: Sequence[Shard], *, faces: int) -> Mask:
    """Which faces [faces] of a shard are weak; quality: the shard of qualities, or none."""
    return np.asarray(read_shard(root, quality[0], ["weak"])["weak"]) if quality else np.zeros(faces, bool)


def founding_faces(weak: Mask) -> Mask:
    """Which of an identity's faces [n] clusters and persons are made of; weak [n]: which are weak.

    All but the weak ones. A single weak face is no exception from the others: there is no second one that it could
    match for being as blurred, so that a match says something.
    """
    return np.ones(len(weak), bool) if weak.sum() == 1 else ~weak


def weak_share(quality: Table) -> float:
    """The share of weak faces among all rows of a table of qualities."""
    return sum(int(np.asarray(rows["weak"]).sum()) for rows in quality.batches(["weak"])) / max(1, len(quality))
