"""Finds the best match of each query in a gallery: faiss proposes the nearest rows by cosine, exact scores decide.

For the search the impostors' mean is subtracted from all vectors, because what all faces have in common does not
distinguish people.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.fusion import Calibration, fuse, pair_scores
from pipeline.noise.scores.score_norm import FaceVectors, Floats, ImpostorModel
from pipeline.noise.search.neighbours import Index, nearest

Rows = NDArray[np.int64]


class Matches(NamedTuple):
    """Pairs of a query and a gallery row, with their scores; row i of each attribute is about pair i."""

    query: Rows  # the row of the query
    row: Rows  # the row in the gallery
    scores: list[Floats]  # by each embedder
    fused: Floats  # the fused score

    def select(self, pairs: NDArray[Any]) -> "Matches":
        """Some of the pairs, chosen by a mask or by their numbers."""
        return Matches(self.query[pairs], self.row[pairs], [z[pairs] for z in self.scores], self.fused[pairs])

    def best(self) -> "Matches":
        """For each query its pair with the highest fused score; of equal scores, that with the lowest gallery row."""
        order = np.lexsort((self.row, -self.fused, self.query))
        query = self.query[order]
        return self.select(order[np.append(True, np.diff(query) > 0)] if len(order) else order)


def without_impostor_mean(x: NDArray[Any], impostors: ImpostorModel) -> NDArray[np.float32]:
    """Unit rows x [n, d] minus the mean of the impostors, normalised again."""
    x = np.asarray(x, np.float32) - impostors.mean.astype(np.float32)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.float32(1e-9))
    return x


def nearest_pairs(
    queries: Sequence[NDArray[np.float32]],
    gallery: Sequence[Index],
    *,
    k: int,
    memory_bytes: int | None = None,
) -> tuple[Rows, Rows]:
    """All pairs of a query row i and one of its k nearest gallery rows j, by any embedder; sorted, each pair once.

    queries and gallery: for each embedder rows [n, d] of without_impostor_mean(). memory_bytes: how much the blocks of
    the search may take.
    """
    pair_codes = []
    for query, index in zip(queries, gallery, strict=True):
        _, rows = nearest(query, index, k, memory_bytes=memory_bytes)
        i = np.repeat(np.arange(len(rows)), k)
        pair_codes.append((i * len(index) + rows.ravel())[rows.ravel() >= 0])
    pairs = np.unique(np.concatenate(pair_codes)) if pair_codes else np.empty(0, np.int64)
    i, j = np.divmod(pairs, max(1, len(gallery[0])))
    return i, j


def matches_of_pairs(
    queries: Sequence[FaceVectors], i: Rows, gallery: Sequence[FaceVectors], j: Rows, calibration: Calibration
) -> Matches:
    """The pairs of row i of the queries with row j of the gallery, with their scores."""
    scores = pair_scores(queries, i, gallery, j)
    return Matches(i, j, scores, fuse(scores, calibration.weights))


class Gallery(NamedTuple):
    """The faces or persons that queries are compared with, by each embedder."""

    vectors: Sequence[FaceVectors]
    indexes: Sequence[Index]  # of the vectors without the impostors' mean


def find_candidates(
    queries: Sequence[FaceVectors],
    gallery: Gallery,
    calibration: Calibration,
    *,
    k: int,
    memory_bytes: int | None = None,
) -> tuple[Rows, Rows]:
    """nearest_pairs() of the queries and the gallery; queries: for each embedder the vectors of the same faces."""
    centred = [without_impostor_mean(q.x, m) for q, m in zip(queries, calibration.impostors, strict=True)]
    return nearest_pairs(centred, gallery.indexes, k=k, memory_bytes=memory_bytes)


def best_matches(
    queries: Sequence[FaceVectors],
    gallery: Gallery,
    calibration: Calibration,
    *,
    k: int,
    memory_bytes: int | None = None,
) -> Matches:
    """For each query its best match in the gallery among the k nearest by cosine."""
    i, j = find_candidates(queries, gallery, calibration, k=k, memory_bytes=memory_bytes)
    return matches_of_pairs(queries, i, gallery.vectors, j, calibration).best()
