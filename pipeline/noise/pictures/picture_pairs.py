"""Decides which candidate pairs are one picture: centres and scores of the faces reject most, pixels the rest."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.sketch import SIDE, SIDE_OF_TONES
from pipeline.noise.pictures.face_digests import (
    FaceDigests,
    FaceShards,
    Indices,
    candidate_pairs,
    read_digests,
    read_places,
)
from pipeline.noise.pictures.half_size import ComparedTones, compared_tones
from pipeline.noise.pictures.same_picture import picture_correlations, sketch_rows
from pipeline.noise.pictures.similar_faces import face_pairs
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, all_impostor_stats, fuse, pair_scores
from pipeline.noise.scores.score_norm import Floats
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.table import read_shard

BLOCK_PAIRS = 1 << 17  # pairs whose vectors are in memory at a time: 270 MB
BLOCK_TONES = 1 << 18  # pairs whose sketches' tones are in memory at a time: 210 MB
BLOCK_PICTURES = 1 << 15  # pairs whose sketches are in memory at a time: 100 MB


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
    alike = _alike_centres(root, sets, digests, *candidates)
    candidates = candidates[0][alike], candidates[1][alike]
    i, j, scores = _similar_faces(root, sets, digests, candidates, calibration, rule.far)
    ids, correlation = np.empty((2, len(i)), object), np.empty(len(i))
    for start in range(0, len(i), BLOCK_PICTURES):
        block = slice(start, start + BLOCK_PICTURES)
        rows, inverse = np.unique(np.concatenate([i[block], j[block]]), return_inverse=True)
        names, sha, sketches = _read_pictures(root, sets, digests.place[rows])
        one, two = np.split(inverse, 2)
        equal_bytes = (sha[one] == sha[two]).astype(bool)
        # two faces of one photo are two people: such a pair is one picture only if the same face was cut from it
        equal_bytes[equal_bytes] = (sketches[one[equal_bytes]] == sketches[two[equal_bytes]]).all(1)
        ids[:, block] = names[one], names[two]
        correlation[block] = np.where(equal_bytes, 1.0, picture_correlations(sketches, one, two))
    keep = correlation >= rule.min_correlation
    rows_kept, scores_kept = (i[keep], j[keep]), [by_embedder[keep] for by_embedder in scores]
    return PicturePairs(ids[0, keep], ids[1, keep], rows_kept, correlation[keep], scores_kept)


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
    scores: list[Floats] = [np.empty(0)] * len(calibration.impostors)
    similar = np.zeros(len(i), bool)
    for start in range(0, len(i), BLOCK_PAIRS):
        block = slice(start, start + BLOCK_PAIRS)
        rows, inverse = np.unique(np.concatenate([i[block], j[block]]), return_inverse=True)
        faces = all_impostor_stats(_read_vectors(root, sets, digests.place[rows]), calibration)
        one, two = np.split(inverse, 2)
        block_scores = pair_scores(faces, one, faces, two)
        similar[block] = fuse(block_scores, calibration.weights) >= limit
        added = [by_embedder[similar[block]] for by_embedder in block_scores]
        scores = [np.concatenate(both) for both in zip(scores, added, strict=True)]
    return i[similar], j[similar], scores


def _alike_centres(
    root: str, sets: Sequence[FaceShards], digests: FaceDigests, i: Indices, j: Indices
) -> NDArray[np.bool_]:
    """Which pairs have centres that are alike, as pictures must to be one, or equal bytes.

    Most pairs fall out here, by a quarter of the memory: each block of pairs reads all shards once more.
    """

    def read_tones(s: int, n: int, faces: Indices) -> ComparedTones:
        sketches = read_shard(root, sets[s].faces[n], ["sketch"]).take(pa.array(faces))["sketch"]
        return compared_tones(sketch_rows(sketches)[0])

    alike = digests.sha[i] == digests.sha[j]
    for start in range(0, len(i), BLOCK_TONES):
        block = slice(start, start + BLOCK_TONES)
        rows, inverse = np.unique(np.concatenate([i[block], j[block]]), return_inverse=True)
        tones, area = np.empty((len(rows), SIDE_OF_TONES**2), np.uint8), np.empty(len(rows), np.int64)
        for indices, pictures in read_places(digests.place[rows], read_tones):
            tones[indices], area[indices] = pictures
        alike[block] |= face_pairs(tones, area, *np.split(inverse, 2)).are_alike()
    return np.asarray(alike)


def _read_vectors(root: str, sets: Sequence[FaceShards], place: Indices) -> list[NDArray[Any]]:
    """For each embedder the vectors [n, d] of the faces at some places [n, 3]."""

    def read(s: int, n: int, faces: Indices) -> list[NDArray[Any]]:
        return [x[faces] for x in read_vectors(root, [shards[n] for shards in sets[s].embeddings])[0]]

    vectors: list[NDArray[Any]] = [np.zeros((0, 1))] * len(sets[0].embeddings)
    for indices, columns in read_places(place, read):
        for embedder, rows in enumerate(columns):
            if not len(vectors[embedder]):
                vectors[embedder] = np.empty((len(place), rows.shape[1]), rows.dtype)
            vectors[embedder][indices] = rows
    return vectors


def _read_pictures(
    root: str, sets: Sequence[FaceShards], place: Indices
) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.uint8]]:
    """face_id, SHA-256 and sketch of the faces at some places [n, 3]."""

    def read(s: int, n: int, faces: Indices) -> pa.Table:
        return read_shard(root, sets[s].faces[n], ["face_id", "sha", "sketch"]).take(pa.array(faces))

    ids, sha = np.empty(len(place), object), np.empty(len(place), object)
    sketches = np.zeros((len(place), SIDE * SIDE), np.uint8)
    for indices, rows in read_places(place, read):
        ids[indices], sha[indices] = texts(rows["face_id"]), texts(rows["sha"])
        sketches[indices], _ = sketch_rows(rows["sketch"])
    return ids, sha, sketches
