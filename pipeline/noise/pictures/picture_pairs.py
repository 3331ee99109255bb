"""Decides which candidate pairs are one picture: scores of the faces reject most, pixels decide about the rest."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.sketch import SIDE
from pipeline.noise.pictures.face_digests import (
    FaceDigests,
    FaceShards,
    Indices,
    candidate_pairs,
    read_digests,
    shards_of,
)
from pipeline.noise.pictures.same_picture import picture_correlation, sketch_rows
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, all_impostor_stats, fuse, pair_scores
from pipeline.noise.scores.score_norm import Floats
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.table import read_shard

BLOCK_PAIRS = 1 << 17  # pairs whose vectors are in memory at a time: 270 MB


class PicturePairs(NamedTuple):
    """Pairs of faces that are one picture; row i of each attribute is about pair i."""

    one: NDArray[np.object_]  # face_id of one face
    two: NDArray[np.object_]  # face_id of the other
    rows: tuple[Indices, Indices]  # the rows of both in FaceDigests
    correlation: Floats  # of the sketches; 1 for equal bytes
    scores: list[Floats]  # by each embedder


class SamePictureRule(NamedTuple):
    """When two faces are one picture: their fused score reaches the threshold for the FAR `far`, and their sketches
    correlate at least `min_correlation`."""

    far: float
    min_correlation: float


def unnamed_duplicates(
    root: str, shards: FaceShards, calibration: Calibration, rule: SamePictureRule
) -> list[tuple[str, str]]:
    """Pairs of unnamed faces, by face_id, that are one picture: equal bytes, or recompressed or cropped duplicates."""
    digests = read_digests(root, [shards])
    i, j = candidate_pairs(digests)
    both = (digests.identity[i] < 0) & (digests.identity[j] < 0)
    pairs = compare_pictures(root, [shards], digests, (i[both], j[both]), calibration=calibration, rule=rule)
    return [(str(a), str(b)) for a, b in zip(pairs.one, pairs.two, strict=True)]


def compare_pictures(
    root: str,
    sets: Sequence[FaceShards],
    digests: FaceDigests,
    candidates: tuple[Indices, Indices],
    *,
    calibration: Calibration,
    rule: SamePictureRule,
) -> PicturePairs:
    """The candidates that are one picture. candidates: the rows i and j of each pair in `digests`."""
    i, j, z = _similar_faces(root, sets, digests, candidates, calibration, rule.far)
    rows, inverse = np.unique(np.concatenate([i, j]), return_inverse=True)
    ids, sha, sketches = _read_pictures(root, sets, digests.place[rows])
    a, b = np.split(inverse, 2)
    equal = (sha[a] == sha[b]).astype(bool).tolist()
    r = np.array(
        [1.0 if e else picture_correlation(sketches[m], sketches[n]) for m, n, e in zip(a, b, equal, strict=True)],
        np.float64,
    )
    keep = r >= rule.min_correlation
    return PicturePairs(ids[a[keep]], ids[b[keep]], (i[keep], j[keep]), r[keep], [c[keep] for c in z])


def _similar_faces(
    root: str,
    sets: Sequence[FaceShards],
    digests: FaceDigests,
    candidates: tuple[Indices, Indices],
    calibration: Calibration,
    far: float,
) -> tuple[Indices, Indices, list[Floats]]:
    """The candidates whose fused score reaches the threshold for this FAR, and their scores by each embedder."""
    i, j = candidates
    limit = threshold_at_far(calibration.fused_curve, far)
    z: list[Floats] = [np.empty(0)] * len(calibration.impostors)
    similar = np.zeros(len(i), bool)
    for start in range(0, len(i), BLOCK_PAIRS):
        block = slice(start, start + BLOCK_PAIRS)
        rows, inverse = np.unique(np.concatenate([i[block], j[block]]), return_inverse=True)
        faces = all_impostor_stats(_read_vectors(root, sets, digests.place[rows]), calibration)
        a, b = np.split(inverse, 2)
        scores = pair_scores(faces, a, faces, b)
        similar[block] = fuse(scores, calibration.weights) >= limit
        z = [np.concatenate([c, new[similar[block]]]) for c, new in zip(z, scores, strict=True)]
    return i[similar], j[similar], z


def _read_vectors(root: str, sets: Sequence[FaceShards], place: Indices) -> list[NDArray[Any]]:
    """For each embedder the vectors [n, d] of the faces at some places [n, 3]."""
    x: list[NDArray[Any]] = [np.zeros((0, 1))] * len(sets[0].embeddings)
    for s, n, indices in shards_of(place):
        columns, _ = read_vectors(root, [e[n] for e in sets[s].embeddings])
        for e, rows in enumerate(columns):
            if not len(x[e]):
                x[e] = np.empty((len(place), rows.shape[1]), rows.dtype)
            x[e][indices] = rows[place[indices, 2]]
    return x


def _read_pictures(
    root: str, sets: Sequence[FaceShards], place: Indices
) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.uint8]]:
    """face_id, SHA-256 and sketch of the faces at some places [n, 3]."""
    ids, sha = np.empty(len(place), object), np.empty(len(place), object)
    sketches = np.zeros((len(place), SIDE * SIDE), np.uint8)
    for s, n, indices in shards_of(place):
        rows = read_shard(root, sets[s].faces[n], ["face_id", "sha", "sketch"]).take(pa.array(place[indices, 2]))
        ids[indices], sha[indices] = texts(rows["face_id"]), texts(rows["sha"])
        sketches[indices], _ = sketch_rows(rows["sketch"])
    return ids, sha, sketches
