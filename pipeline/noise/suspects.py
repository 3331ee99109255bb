"""The suspects table: all findings that follow from the tables of a single shard, without pixels or vectors.

These are photos without a face, poor faces, duplicates, outliers, identities without a clear person (mixed) and
identities of two people (split).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.conflicts import correlation_evidence
from pipeline.noise.face_quality.poor_faces import poor_faces
from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.groups.calibrations import read_calibrations
from pipeline.noise.groups.group_mixture import GroupMixtures, read_group_mixtures
from pipeline.noise.outliers.mixture_table import PersonScores, person_scores, read_mixtures
from pipeline.noise.person_gallery import comparable
from pipeline.noise.persons import PERSON_COLUMNS
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.score_norm import Floats
from pipeline.tables.columns import texts
from pipeline.tables.table import Shard, read_shard

DOUBTFUL = 0.02  # probability of being an outlier from which a face of the person's cluster is reported


def suspect_shard(
    part: tuple[Shard, Shard, Shard, Shard, *tuple[Shard, ...]],
    *,
    root: str,
    calibration: Shard,
    mixture: Shard,
    odd: float,
    doubtful: float,
    poor_px: float,
    groups: Sequence[Shard] | None = None,
    group_mixture: Shard | None = None,
) -> pa.Table:
    """The findings of one shard; part: the shards of faces, copies, clusters, persons, and perhaps of qualities.

    mixture: the shard of that table. odd: FAR; a face in the person's cluster is reported as an outlier if one embedder
    scores it below the threshold. doubtful: so it is if it is an outlier with this probability. poor_px: a face that is
    smaller than this in its photo is reported as poor, and so is a weak face (face_quality/quality.py) that belongs to
    no person of its identity. groups, group_mixture: the GroupShards and the shard of that table, if identities have
    groups.
    """
    shards, quality = part[:4], part[4:]
    faces, copies, clusters, persons = (
        read_shard(root, shard, columns)
        for shard, columns in zip(
            shards,
            (
                ["face_id", "identity", "size_px", "failure"],
                ["face_id", "copy_of", "correlation"],
                None,
                PERSON_COLUMNS,
            ),
            strict=True,
        )
    )
    score_calibration = read_calibration(root, calibration)
    scored = person_scores(clusters, copies, persons, score_calibration)
    mixtures = GroupMixtures(read_mixtures(root, mixture, calibration))
    if group_mixture is not None:
        mixtures = read_group_mixtures(
            root, group_mixture, mixture=mixture, calibration=calibration, groups=groups or ()
        )
    number = read_calibrations(root, calibration, groups).numbers(clusters["identity"])
    probabilities = mixtures.probabilities(scored, number)
    qualities = read_shard(root, quality[0]) if quality else None
    return combine_findings(
        [
            *_without_face(faces),
            *poor_faces(faces, clusters, persons, qualities, min_px=poor_px),
            _duplicates(copies),
            _outliers(clusters, scored, probabilities, score_calibration, odd=odd, doubtful=doubtful),
            _mixed(persons, score_calibration),
            _splits(persons),
        ]
    )


def _without_face(faces: pa.Table) -> Iterator[pa.Table]:
    """Findings about photos that were erased on request, unreadable photos and photos without a detected face."""
    failure, ids = texts(faces["failure"]), texts(faces["face_id"])
    reason = np.array([None if f is None else f.split(":")[0] for f in failure], object)
    for kind in ("erased", "unreadable", "no_face"):
        rows = np.flatnonzero(reason == kind)
        yield findings_table(kind, ids[rows], [None] * len(rows), [np.ones(len(rows))], failure[rows])


def _duplicates(copies: pa.Table) -> pa.Table:
    """Faces that have a better duplicate within their identity."""
    rows = copies.filter(copies["copy_of"].is_valid())
    r = rows["correlation"].to_numpy(zero_copy_only=False)
    evidence = [correlation_evidence(v) for v in r.tolist()]
    return findings_table("duplicate", rows["face_id"].to_pylist(), rows["copy_of"].to_pylist(), [r], evidence)


def _outliers(
    clusters: pa.Table,
    scored: PersonScores,
    probabilities: Sequence[Floats],
    calibration: Calibration,
    *,
    odd: float,
    doubtful: float,
) -> pa.Table:
    """Faces outside the cluster of their identity's person, and faces in it that score low or may be outliers."""
    cluster = clusters["cluster"].fill_null(-1).to_numpy()[scored.row]
    z = scored.by_embedder
    low = [c < threshold_at_far(curve, odd) for c, curve in zip(z, calibration.far_curves, strict=True)]
    may_be = np.nan_to_num(probabilities[0][scored.row]) >= doubtful
    reported = np.flatnonzero((cluster > 0) | may_be | np.logical_or.reduce(low))
    rows, z = scored.row[reported], [c[reported] for c in z]
    evidence = [_outlier_evidence([c[i] for c in z], int(k)) for i, k in enumerate(cluster[reported])]
    faces, identities = texts(clusters["face_id"])[rows], texts(clusters["identity"])[rows]
    return findings_table("outlier", faces, identities, z, evidence, [p[rows] for p in probabilities])


def _outlier_evidence(z: list[float], cluster: int) -> str:
    words = "likeness to the person " + ", by the second embedder ".join(f"{v:.1f}" for v in z)
    return words + (f"; group {cluster}" if cluster else "; inside the person's group")


def _scores(table: pa.Table, columns: Sequence[str], calibration: Calibration) -> list[NDArray[np.float64]]:
    """These columns of scores, one for each embedder, with nan for null."""
    used = columns[: len(calibration.far_curves)]
    return [table[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in used]


def _mixed(persons: pa.Table, calibration: Calibration) -> pa.Table:
    """Identities of several photos whose most similar faces are hardly similar, so that no cluster is a person."""
    first = (persons["cluster"].to_numpy() == 0) & (persons["of"].to_numpy() > 1)
    rows = persons.filter(pa.array(first & ~comparable(persons, calibration)))
    evidence = [
        f"the likest {max(n, 2)} of {of} faces are hardly alike"
        for n, of in zip(rows["size"].to_pylist(), rows["of"].to_pylist(), strict=True)
    ]
    z = _scores(rows, ("cohesion", "cohesion_second"), calibration)
    return findings_table("mixed", rows["identity"].to_pylist(), [None] * len(rows), z, evidence)


def _splits(persons: pa.Table) -> pa.Table:
    """Identities that two or more persons share; subject and object are the medoids of both persons."""
    cluster, size = persons["cluster"].to_numpy(), persons["size"].to_numpy()
    rows = np.flatnonzero(cluster > 0)
    first = np.maximum.accumulate(np.where(cluster == 0, np.arange(len(cluster)), 0))[rows]
    evidence = [f"{m} faces and {n} faces" for m, n in zip(size[first], size[rows], strict=True)]
    z = [persons[c].to_numpy(zero_copy_only=False)[rows] for c in ("likeness", "second")]
    medoid = texts(persons["medoid"])
    return findings_table("split", medoid[first], medoid[rows], z, evidence)
