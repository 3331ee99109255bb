"""Searches for the best match: faiss proposes the nearest rows by cosine, exact scores decide among them.

Candidates are looked for among vectors from which the impostors' mean is taken away: what all faces have in common
tells nobody apart.
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
    """Pairs of a query and a gallery row with their scores, row by row."""

    query: Rows
    row: Rows
    scores: list[Floats]  # by each embedder
    fused: Floats

    def where(self, mask: NDArray[Any]) -> "Matches":
        """Some of the pairs, by a mask or by row numbers."""
        return Matches(self.query[mask], self.row[mask], [z[mask] for z in self.scores], self.fused[mask])

    def best(self) -> "Matches":
        """For each query the pair with the highest fused score, the lowest gallery row of equals."""
        order = np.lexsort((self.row, -self.fused, self.query))
        query = self.query[order]
        return self.where(order[np.append(True, np.diff(query) > 0)] if len(order) else order)


def without_impostor_mean(x: NDArray[Any], impostors: ImpostorModel) -> NDArray[np.float32]:
    """Unit rows x [n, d] less the mean of impostors, made unit rows again."""
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
    """Query and gallery rows (i, j) of which j is among the k nearest to i for any embedder; sorted, each pair once.

    queries and gallery: for each embedder rows [n, d] of without_impostor_mean(). memory_bytes: of the blocks of the
    search.
    """
    found = []
    for query, index in zip(queries, gallery, strict=True):
        _, rows = nearest(query, index, k, memory_bytes=memory_bytes)
        i = np.repeat(np.arange(len(rows)), k)
        found.append((i * len(index) + rows.ravel())[rows.ravel() >= 0])
    pairs = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    i, j = np.divmod(pairs, max(1, len(gallery[0])))
    return i, j


def score_pairs(
    queries: Sequence[FaceVectors], i: Rows, gallery: Sequence[FaceVectors], j: Rows, calibration: Calibration
) -> Matches:
    """Rows i of the queries and j of the gallery with their scores."""
    scores = pair_scores(queries, i, gallery, j)
    return Matches(i, j, scores, fuse(scores, calibration.weights))


class Gallery(NamedTuple):
    """What queries are compared with: for each embedder the vectors, and an index of them without impostors' mean."""

    vectors: Sequence[FaceVectors]
    indexes: Sequence[Index]


def find_candidates(
    queries: Sequence[FaceVectors],
    gallery: Gallery,
    calibration: Calibration,
    *,
    k: int,
    memory_bytes: int | None = None,
) -> tuple[Rows, Rows]:
    """nearest_pairs() of queries and a gallery, both as each embedder's vectors."""
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
    return score_pairs(queries, i, gallery.vectors, j, calibration).best()
