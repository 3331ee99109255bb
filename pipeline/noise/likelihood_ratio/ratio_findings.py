"""Findings of outliers by likelihood ratios in place of those by scores with a person, and only splits that agree.

A weak embedder scores few photos so high that a cluster is a person, and a person is what the other rules compare
with. The likelihood ratio needs none: of an identity without two photos that are alike it says what each photo is.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.likelihood_ratio.ratio_tables import VectorShards, compared_faces, read_model
from pipeline.noise.likelihood_ratio.two_covariance import joined, one_person_ratio
from pipeline.tables.columns import texts
from pipeline.tables.table import Shard, read_shard

REPLACED = ("outlier", "mixed", "split")  # kinds of findings that follow from scores with a person
MAX_NOISE = 0.5  # mean probability of noise of a further person's photos; with more they are outliers of the first


def ratio_suspect_shard(
    part: tuple[Shard, Shard, Shard, VectorShards], *, root: str, model: Shard, doubtful: float
) -> pa.Table:
    """The suspects of one shard, with outliers by likelihood ratios, and without identities that are "mixed".

    part: the shards of suspects, clusters and ratios, and those from which the ratios were made. doubtful: a photo is
    reported that is an outlier with this probability. A split stays where the photos of both persons are likelier to
    show two persons than one, and those of the further person to be right than to be noise.
    """
    suspects, clusters, ratios = (read_shard(root, shard) for shard in part[:3])
    others = suspects.filter(pc.invert(pc.is_in(suspects["kind"], value_set=pa.array(REPLACED))))
    splits = suspects.filter(pc.equal(suspects["kind"], "split"))
    if len(splits):
        splits = splits.filter(pa.array(list(_confirmed(splits, clusters, ratios, root, (part[3], model)))))
    return combine_findings([others, splits, _outliers(clusters, ratios, doubtful)])


def _outliers(clusters: pa.Table, ratios: pa.Table, doubtful: float) -> pa.Table:
    """The findings about photos that are outliers with at least this probability; their scores are with the person."""
    noise = _numbers(ratios["noise"])
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero(noise >= doubtful)
    scores = [_numbers(clusters[c])[rows] for c in ("core", "second")]
    evidence = [
        f"log likelihood ratio of showing the identity's person {r:.1f}" for r in _numbers(ratios["ratio"])[rows]
    ]
    faces, identities = texts(ratios["face_id"])[rows], texts(ratios["identity"])[rows]
    return findings_table("outlier", faces, identities, scores, evidence, [noise[rows], noise[rows]])


def _confirmed(
    splits: pa.Table, clusters: pa.Table, ratios: pa.Table, root: str, compared: tuple[VectorShards, Shard]
) -> Iterator[bool]:
    """For each split whether the ratios confirm it. compared: the shards of vectors, and that of the model."""
    model = read_model(root, compared[1])
    rows, vectors = compared_faces(root, compared[0])
    at = rows["at"].to_numpy()
    identity, cluster = texts(rows["identity"]), clusters["cluster"].fill_null(-1).to_numpy()[at]
    noise = _numbers(ratios["noise"])[at]
    row_of = {face: i for i, face in enumerate(rows["face_id"].to_pylist())}
    for first, further in zip(splits["subject"].to_pylist(), splits["object"].to_pylist(), strict=True):
        same = identity == identity[row_of[first]]
        one, two = (np.flatnonzero(same & (cluster == cluster[row_of[face]])) for face in (first, further))
        x, y = (joined([v[photos] for v in vectors], model.weights) for photos in (one, two))
        yield bool(one_person_ratio(x, y, model) < 0 and noise[two].mean() < MAX_NOISE)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """A column of numbers, nan for null."""
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
