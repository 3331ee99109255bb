"""The clusters table: which faces of one identity show the same human being.

Faces are clustered by average linkage: it compares clusters as a whole, so that one lookalike photo does not join two
people. The threshold of the linkage rises with the number of faces, because an identity of 100 photos has 4,950 pairs
that may be linked falsely. So a second person may fall into fragments, whose robust centres are compared again: the
centre of several faces is more like its person than a face is. Then single faces join the cluster with the nearest
centre.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.copies import impostor_columns, stored_face_vectors
from pipeline.noise.face_quality.quality import founding_faces, weak_faces
from pipeline.noise.groups.calibrations import read_calibrations
from pipeline.noise.linkage import Labels, average_linkage, rank_by_cohesion, rank_by_size
from pipeline.noise.scores.centres import centre_scores, robust_centres
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, fused_scores
from pipeline.noise.scores.score_norm import (
    FaceVectors,
    ImpostorModel,
    as_double,
    take_rows,
)
from pipeline.tables.columns import Mask, read_vectors, runs
from pipeline.tables.table import Shard, read_shard

# expected false links in an identity; the linkage's FAR is this divided by the number of pairs: 0.1 for two photos
FALSE_LINKS = 0.1
JOIN_FAR = 3e-3  # for a single face to join a cluster; the same FAR as that of the outlier rule (policy.Rates)
ABSORB_FAR = 3e-4  # for a whole cluster to join the largest one; lower, because it may be a second person
MAX_FRAGMENTS = 200  # clusters of an identity whose centres are compared with each other, the largest ones
MAX_LINKED = 1000  # faces of an identity that are linked, in about a second; further ones join the nearest cluster
CLUSTERS = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("cluster", pa.int32()),  # 0 is the person that the identity stands for
        ("core", pa.float32()),  # score with the centre of the other faces of cluster 0, first embedder
        ("second", pa.float32()),  # the same, second embedder
    ]
)


class ClusterRates(NamedTuple):
    """The rates from which the thresholds of the clustering follow."""

    false_links: float = FALSE_LINKS  # expected in an identity
    join_far: float = JOIN_FAR  # for a single face to join a cluster
    absorb_far: float = ABSORB_FAR  # for a cluster to join the largest one


DEFAULT_RATES = ClusterRates()


def cluster_shard(
    part: tuple[tuple[Shard, ...], Shard, *tuple[Shard, ...]],
    *,
    root: str,
    calibration: Shard,
    link: float,
    join: float,
    absorb: float,
    groups: Sequence[Shard] | None = None,
) -> pa.Table:
    """The clusters of one shard; part: the shards of each embedder's embeddings, of copies, and perhaps of qualities.

    Duplicates are not clustered: each gets the cluster of its original. Weak faces (face_quality/quality.py) found no
    cluster. link, join, absorb: the ClusterRates. groups: the GroupShards, if identities have groups.
    """
    embeddings, copies, *quality = part
    calibrations, rates = read_calibrations(root, calibration, groups), ClusterRates(link, join, absorb)
    x, embedded = read_vectors(root, embeddings)
    rows = read_shard(root, copies, ["face_id", "identity", "copy_of", *impostor_columns(len(x))])
    group = calibrations.numbers(rows["identity"])
    vectors = calibrations.vectors(stored_face_vectors(x, rows), group)
    original = pc.index_in(rows["copy_of"], value_set=rows["face_id"].combine_chunks(), skip_nulls=True)
    duplicate = np.asarray(original.is_valid())
    original = np.where(duplicate, original.fill_null(0).to_numpy(), np.arange(len(rows)))
    labels, core = np.full(len(rows), -1, np.int64), np.full((len(x), len(rows)), np.nan)
    weak = weak_faces(root, quality, faces=len(rows))
    for _, start, end in runs(rows["identity"]):
        faces = start + np.flatnonzero(embedded[start:end])
        is_original = ~duplicate[faces]
        if is_original.any():
            score_calibration = calibrations.of(int(group[start]))
            of_identity = [as_double(take_rows(v, faces)) for v in vectors]
            originals = of_identity if is_original.all() else [take_rows(v, is_original) for v in of_identity]
            founds = founding_faces(weak[faces] & is_original)
            labels[faces[is_original]] = cluster(originals, score_calibration, rates, founds=founds[is_original])
            labels[faces] = labels[original[faces]]
            member = (labels[faces] == 0) & is_original
            sharp = member & founds
            core[:, faces] = centre_scores(of_identity, sharp if sharp.any() else member, score_calibration)
    cores = [pa.array(c, pa.float32(), from_pandas=True) for c in core]
    cores += [pa.nulls(len(rows), pa.float32())] * (2 - len(cores))
    numbers = pa.array(labels, pa.int32(), mask=labels < 0)
    return pa.table([rows["face_id"], rows["identity"], numbers, *cores], schema=CLUSTERS)


def cluster(
    faces: Sequence[FaceVectors],
    calibration: Calibration,
    rates: ClusterRates = DEFAULT_RATES,
    *,
    founds: Mask | None = None,
) -> Labels:
    """The cluster [n] of each of the n faces of one identity.

    Clusters are numbered by size, then by cohesion; cluster 0 is the person that the identity stands for. faces: for
    each embedder the vectors of the n faces. founds [n]: the faces that clusters are made of, which alone count for
    size and centre; other faces may join a cluster.
    """
    n = len(faces[0].x)
    founds = np.ones(n, bool) if founds is None else founds
    founders = np.flatnonzero(founds)
    linked = founders if len(founders) <= MAX_LINKED else _spread(founders, MAX_LINKED)
    curve = calibration.fused_curve
    linked_faces = faces if n == len(linked) else [take_rows(f, linked) for f in faces]
    scores = fused_scores(linked_faces, linked_faces, calibration)
    pairs = len(linked) * (len(linked) - 1) / 2
    labels: Labels = np.full(n, -1, np.int64)
    linked_labels = average_linkage(scores, threshold_at_far(curve, rates.false_links / max(pairs, 1)))
    labels[linked] = rank_by_cohesion(linked_labels, scores) if len(linked) == len(founders) else linked_labels
    labels = _unite_fragments(faces, rank_by_size(labels, founds), calibration, rates, founds=founds)
    min_face, min_cluster = threshold_at_far(curve, rates.join_far), threshold_at_far(curve, rates.absorb_far)
    for _ in range(2):
        joined = _join_nearest(faces, labels, calibration, founds=founds, min_face=min_face, min_cluster=min_cluster)
        unchanged, labels = np.array_equal(joined, labels), joined
        if unchanged:
            break
    return labels


def _unite_fragments(
    faces: Sequence[FaceVectors], labels: Labels, calibration: Calibration, rates: ClusterRates, *, founds: Mask
) -> Labels:
    """Further clusters of several faces unite, the pair of centres with the highest score first, while one reaches the
    threshold: the FAR of false links among so many clusters, at most that of a cluster that joins the largest one.
    founds [n]: the faces that alone count for the size of a cluster."""
    sizes = np.bincount(labels)
    fragments = np.flatnonzero(sizes > 1)[:MAX_FRAGMENTS]
    fragments = fragments[fragments > 0]
    if len(fragments) < 2:
        return labels
    far = min(rates.absorb_far, rates.false_links / (len(fragments) * (len(fragments) - 1) / 2))
    min_score = threshold_at_far(calibration.fused_curve, far)
    of_fragments = [labels == c for c in fragments]
    centres = [robust_centres(f, of_fragments, m) for f, m in zip(faces, calibration.impostors, strict=True)]
    members = [np.flatnonzero(of_fragment) for of_fragment in of_fragments]
    scores = fused_scores(centres, centres, calibration)
    np.fill_diagonal(scores, -np.inf)
    while scores.max() >= min_score:
        one, two = sorted(divmod(int(scores.argmax()), len(members)))
        labels[members[two]] = labels[members[one][0]]
        members[one] = np.concatenate([members[one], members[two]])
        for column, f, m in zip(centres, faces, calibration.impostors, strict=True):
            for values, value in zip(column, _centre(f, members[one], m), strict=True):
                values[one] = value[0]
        scores[two], scores[:, two] = -np.inf, -np.inf
        row = fused_scores([take_rows(c, np.array([one])) for c in centres], centres, calibration)[0]
        scores[one] = scores[:, one] = np.where(np.isneginf(scores[one]), -np.inf, row)
    return rank_by_size(labels, founds)


def _spread(rows: Labels, count: int) -> Labels:
    """About `count` of the rows [n], evenly spread."""
    return np.asarray(rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(int))])


def _centre(faces: FaceVectors, rows: NDArray[Any], impostors: ImpostorModel) -> FaceVectors:
    """The robust centre of the faces in these rows."""
    return robust_centres(take_rows(faces, rows), [np.ones(len(rows), bool)], impostors)


def _join_nearest(
    faces: Sequence[FaceVectors],
    labels: Labels,
    calibration: Calibration,
    *,
    founds: Mask,
    min_face: float,
    min_cluster: float,
) -> Labels:
    """Clusters join the largest one if their centres score at least min_cluster; then single faces join the cluster
    with the nearest centre if they score at least min_face with it. founds [n]: the faces that centres are made of."""
    sizes = np.bincount(labels)
    clusters = np.flatnonzero(sizes > 1)
    if not len(clusters):
        return labels
    members = [(labels == c) & founds for c in clusters]
    centres = [robust_centres(f, members, m) for f, m in zip(faces, calibration.impostors, strict=True)]
    with_largest = fused_scores([take_rows(c, np.array([0])) for c in centres], centres, calibration)[0]
    joins_largest = np.zeros(len(sizes), bool)
    joins_largest[clusters[with_largest >= min_cluster]] = True
    labels = np.where(joins_largest[labels], 0, labels)
    single = np.flatnonzero(sizes[labels] == 1)
    if not len(single):
        return rank_by_size(labels, founds)
    scores = fused_scores([take_rows(f, single) for f in faces], centres, calibration)
    best, highest = scores.argmax(1), scores.max(1)
    joins = highest >= min_face
    labels[single[joins]] = np.where(with_largest[best] >= min_cluster, 0, clusters[best])[joins]
    return rank_by_size(labels, founds)
