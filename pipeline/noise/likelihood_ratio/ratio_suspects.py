"""Findings of outliers by likelihood ratios in place of those by scores with a person, and only splits that agree.

A weak embedder scores few photos so high that a cluster is a person, and a person is what the other rules compare
with. The likelihood ratio needs none: of an identity without two photos that are alike it says what each photo is.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.likelihood_ratio.model_table import VectorShards, compared_faces, read_model
from pipeline.noise.likelihood_ratio.two_covariance import (
    Codes,
    Floats,
    IdentitySums,
    TwoCovariance,
    joined,
    one_person_ratio,
    posteriors,
)
from pipeline.tables.columns import texts
from pipeline.tables.table import Shard, read_shard

REPLACED = ("outlier", "mixed", "split")  # kinds of findings that follow from scores with a person
Rows = NDArray[np.intp]


class ComparedFaces(NamedTuple):
    """The n faces of a shard that are compared: see compared_faces()."""

    row: Rows  # [n] in the shard
    face_id: list[str]
    identity: Codes  # [n]
    cluster: Codes  # [n] by the embedder's scores, -1: none
    x: list[NDArray[np.float32]]  # vectors [n, d] of each kind

    def of_cluster(self, face: int) -> Rows:
        """The faces in the cluster of a face."""
        same = (self.identity == self.identity[face]) & (self.cluster == self.cluster[face])
        return np.flatnonzero(same)


def ratio_suspect_shard(
    part: tuple[Shard, Shard, VectorShards], *, root: str, model: Shard, doubtful: float
) -> pa.Table:
    """The suspects of one shard, with outliers by likelihood ratios, and without identities that are "mixed".

    part: the shards of suspects and clusters, and those of vectors and copies; model: the shard of the two_covariance
    table. doubtful: a photo is reported that is an outlier with this probability. A split stays where the photos of
    both persons are likelier to show two persons than one; then each photo is compared with those of its own person.
    """
    suspects, clusters = (read_shard(root, shard) for shard in part[:2])
    faces, parameters = _faces(root, clusters, part[2]), read_model(root, model)
    splits = suspects.filter(pc.equal(suspects["kind"], "split"))
    further = [_further_person(faces, *sides, parameters) for sides in _sides(splits)]
    person = faces.identity.copy()
    for number, photos in enumerate(further):
        person[photos] = person.max(initial=0) + 1 + number
    confirmed = splits.filter(pa.array([len(photos) > 0 for photos in further], pa.bool_()))
    others = suspects.filter(pc.invert(pc.is_in(suspects["kind"], value_set=pa.array(REPLACED))))
    ratio, noise = likelihood_ratios(faces.x, person, parameters)
    with np.errstate(invalid="ignore"):
        reported = np.flatnonzero(noise >= doubtful)
    outliers = _outliers(clusters, faces.row[reported], ratio[reported], noise[reported])
    return combine_findings([others, confirmed, outliers])


def likelihood_ratios(x: list[NDArray[np.float32]], person: Codes, model: TwoCovariance) -> tuple[Floats, Floats]:
    """The log likelihood ratio [n] of each face against the others of its person, and the probability [n] of noise.

    x: vectors [n, d] of each kind; person [n]: the code of each face's person. A person's only face has nan.
    """
    order = np.argsort(person, kind="stable")
    sums = IdentitySums(person[order])
    ratio, posterior = posteriors(joined([v[order] for v in x], model.weights), sums, model)
    found = np.full((2, len(person)), np.nan)
    found[:, order] = np.where(sums.photos[sums.number] > 1, np.stack([ratio, 1 - posterior]), np.nan)
    return found[0], found[1]


def _faces(root: str, clusters: pa.Table, shards: VectorShards) -> ComparedFaces:
    rows, x = compared_faces(root, shards)
    row = rows["at"].to_numpy()
    identity = rows["identity"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    cluster = clusters["cluster"].fill_null(-1).to_numpy()[row].astype(np.int64)
    return ComparedFaces(row, rows["face_id"].to_pylist(), identity, cluster, x)


def _sides(splits: pa.Table) -> Iterator[tuple[str, str]]:
    """The medoids of both persons of each split."""
    yield from zip(splits["subject"].to_pylist(), splits["object"].to_pylist(), strict=True)


def _further_person(faces: ComparedFaces, first: str, further: str, model: TwoCovariance) -> Rows:
    """The faces of the further person of a split; none where the ratio says that both are one person."""
    one, two = (faces.of_cluster(faces.face_id.index(medoid)) for medoid in (first, further))
    x, y = (joined([v[photos] for v in faces.x], model.weights) for photos in (one, two))
    return two if one_person_ratio(x, y, model) < 0 else two[:0]


def _outliers(clusters: pa.Table, rows: Rows, ratio: Floats, noise: Floats) -> pa.Table:
    """The findings about these rows of clusters; their scores are those with the person, as of other outliers."""
    scores = [clusters[c].to_numpy(zero_copy_only=False)[rows] for c in ("core", "second")]
    evidence = [f"log likelihood ratio of showing the identity's person {value:.1f}" for value in ratio.tolist()]
    subjects, objects = texts(clusters["face_id"])[rows], texts(clusters["identity"])[rows]
    return findings_table("outlier", subjects, objects, scores, evidence, [noise, noise])
