"""The clusters table: which faces of one identity are one human being.

Average linkage asks how similar two clusters are on the whole, so one lookalike photo does not chain two people
together; then every face goes to the nearest robust centre. How similar is enough follows from the number of pairs: an
identity of 100 photos has 4,950 chances of a false link.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.copies import impostor_columns, stored_face_vectors
from pipeline.noise.linkage import Labels, average_linkage, rank_by_cohesion, rank_by_size
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, fused_scores
from pipeline.noise.scores.score_norm import (
    FaceVectors,
    Floats,
    ImpostorModel,
    as_double,
    leave_one_out_scores,
    score_matrix,
    take,
    weighted_means,
)
from pipeline.tables.columns import read_vectors, runs
from pipeline.tables.table import Shard, read_shard

FALSE_LINKS = 0.1  # to expect in an identity, spread over its pairs: of two photos, a link is made at FAR 0.1
JOIN_FAR = 3e-3  # for a single face to join a centre; an outlier does not reach it either
ABSORB_FAR = 3e-4  # for a whole cluster to join the largest: stricter, for it may be a second person
MAX_LINKED = 1000  # faces of an identity that are linked pair by pair, about a second; others join the nearest cluster
MANY_FACES = 50  # of a cluster, of which one no longer moves the centre
CENTRE_FACES = 5  # below which all faces make the centre
CLUSTERS = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("cluster", pa.int32()),  # 0 is the person that the identity stands for
        ("core", pa.float32()),  # score with the centre of the person's other faces, first embedder
        ("second", pa.float32()),  # the same, second embedder
    ]
)


class ClusterRates(NamedTuple):
    """What clusters are made by: false links to expect in an identity, and the FAR for a face or a cluster to join."""

    false_links: float = FALSE_LINKS
    join_far: float = JOIN_FAR
    absorb_far: float = ABSORB_FAR


DEFAULT_RATES = ClusterRates()


def cluster_shard(
    part: tuple[tuple[Shard, ...], Shard], *, root: str, calibration: Shard, link: float, join: float, absorb: float
) -> pa.Table:
    """The clusters of one shard; part: each embedder's shard of embeddings, and the shard of copies.

    A duplicate does not count: it goes where its original goes. link, join and absorb: see ClusterRates.
    """
    embeddings, copies = part
    score_calibration, rates = read_calibration(root, calibration), ClusterRates(link, join, absorb)
    x, embedded = read_vectors(root, embeddings)
    rows = read_shard(root, copies, ["face_id", "identity", "copy_of", *impostor_columns(len(x))])
    vectors = stored_face_vectors(x, rows)
    original = pc.index_in(rows["copy_of"], value_set=rows["face_id"].combine_chunks(), skip_nulls=True)
    duplicate = np.asarray(original.is_valid())
    original = np.where(duplicate, original.fill_null(0).to_numpy(), np.arange(len(rows)))
    labels, core = np.full(len(rows), -1, np.int64), np.full((len(x), len(rows)), np.nan)
    for _, start, end in runs(rows["identity"]):
        faces = start + np.flatnonzero(embedded[start:end])
        counts = ~duplicate[faces]
        if counts.any():
            of_identity = [as_double(take(v, faces)) for v in vectors]
            counted = of_identity if counts.all() else [take(v, counts) for v in of_identity]
            labels[faces[counts]] = cluster(counted, score_calibration, rates)
            labels[faces] = labels[original[faces]]
            core[:, faces] = centre_scores(of_identity, (labels[faces] == 0) & counts, score_calibration)
    cores = [pa.array(c, pa.float32(), from_pandas=True) for c in core]
    cores += [pa.nulls(len(rows), pa.float32())] * (2 - len(cores))
    numbers = pa.array(labels, pa.int32(), mask=labels < 0)
    return pa.table([rows["face_id"], rows["identity"], numbers, *cores], schema=CLUSTERS)


def cluster(faces: Sequence[FaceVectors], calibration: Calibration, rates: ClusterRates = DEFAULT_RATES) -> Labels:
    """The cluster [n] of each face of one identity; 0 is the person, others follow by size, then by cohesion.

    faces: each embedder's vectors of the same n faces.
    """
    n = len(faces[0].x)
    linked = np.arange(n) if n <= MAX_LINKED else np.unique(np.linspace(0, n - 1, MAX_LINKED).astype(int))
    curve = calibration.fused_curve
    linked_faces = faces if n == len(linked) else [take(f, linked) for f in faces]
    scores = fused_scores(linked_faces, linked_faces, calibration)
    pairs = len(linked) * (len(linked) - 1) / 2
    labels: Labels = np.full(n, -1, np.int64)
    labels[linked] = average_linkage(scores, threshold_at_far(curve, rates.false_links / max(pairs, 1)))
    if n == len(linked):
        labels = rank_by_cohesion(labels, scores)
    labels = rank_by_size(labels)
    min_face, min_cluster = threshold_at_far(curve, rates.join_far), threshold_at_far(curve, rates.absorb_far)
    for _ in range(2):
        before, labels = labels, _join(faces, labels, calibration, min_face=min_face, min_cluster=min_cluster)
        if np.array_equal(before, labels):
            break
    return labels


def _join(
    faces: Sequence[FaceVectors], labels: Labels, calibration: Calibration, *, min_face: float, min_cluster: float
) -> Labels:
    """Clusters whose centre scores min_cluster with the largest one's merge with it; single faces that score min_face
    with a centre join the nearest cluster."""
    sizes = np.bincount(labels)
    clusters = np.flatnonzero(sizes > 1)
    if not len(clusters):
        return labels
    members = [labels == c for c in clusters]
    middles = [centres(f, members, m) for f, m in zip(faces, calibration.impostors, strict=True)]
    between = fused_scores([take(m, np.array([0])) for m in middles], middles, calibration)[0]
    person = np.zeros(len(sizes), bool)
    person[clusters[between >= min_cluster]] = True
    labels = np.where(person[labels], 0, labels)
    single = np.flatnonzero(sizes[labels] == 1)
    if not len(single):
        return rank_by_size(labels)
    scores = fused_scores([take(f, single) for f in faces], middles, calibration)
    best, highest = scores.argmax(1), scores.max(1)
    joins = highest >= min_face
    labels[single[joins]] = np.where(between[best] >= min_cluster, 0, clusters[best])[joins]
    return rank_by_size(labels)


def inner_faces(x: NDArray[Any], *, rounds: int = 2, trim: float = 0.2) -> NDArray[np.bool_]:
    """Which unit rows x [n, d] make the robust centre: twice all but the share `trim` farthest from the last mean."""
    keep = np.ones(len(x), bool)
    for _ in range(rounds if len(x) >= CENTRE_FACES else 0):
        order = np.argsort(-np.round(x @ (keep.astype(np.float64) @ x / keep.sum()), 9), kind="stable")
        keep = np.zeros(len(x), bool)
        keep[order[: max(3, int(np.ceil(len(x) * (1 - trim))))]] = True
    return keep


def centre(x: NDArray[Any]) -> Floats:
    """The robust centre [d] of unit rows x [n, d], a unit vector."""
    mean = np.asarray(x[inner_faces(x)], np.float64).mean(0)
    return np.asarray(mean / max(np.linalg.norm(mean), 1e-9))


def centres(faces: FaceVectors, members: Sequence[NDArray[np.bool_]], impostors: ImpostorModel) -> FaceVectors:
    """The robust centres of several clusters; members: for each cluster which faces [n] are in it."""
    weights = np.zeros((len(members), len(faces.x)))
    for row, member in zip(weights, members, strict=True):
        row[np.flatnonzero(member)[inner_faces(faces.x[member])]] = 1
    return weighted_means(faces, weights, impostors)


def centre_scores(faces: Sequence[FaceVectors], member: NDArray[np.bool_], calibration: Calibration) -> list[Floats]:
    """The score of each face [n] with the centre of the members, one array for each embedder.

    A member is compared with the mean of the other members, so that its own vector does not raise its score; the only
    member of a cluster has nothing to be compared with and gets nan.
    """
    return [_centre_scores(f, member, m) for f, m in zip(faces, calibration.impostors, strict=True)]


def _centre_scores(faces: FaceVectors, member: NDArray[np.bool_], impostors: ImpostorModel) -> Floats:
    z = score_matrix(faces, centres(faces, [member], impostors))[:, 0]
    count = int(member.sum())
    if count == 1:
        z[member] = np.nan
    elif count < MANY_FACES:
        z[member] = leave_one_out_scores(take(faces, member), impostors)
    return z
