"""Angles between embeddings, class centres and class weights, in degrees: ArcFace's Table 3 and Figures 6 and 7.

Deng et al., "ArcFace" (CVPR 2019), measures the angles of class weights to the centre of their class's embeddings
(W-EC) and to each other (W-Inter), of embeddings to their class centre (Intra), and of class centres to each other
(Inter).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation.finite_vectors import check_finite

ROWS_AT_ONCE = 2048  # rows that are compared with all other rows at a time
PAIRS_AT_ONCE = 1 << 16
Vectors = NDArray[np.float32]


class Angles(NamedTuple):
    """Mean angles in degrees; w_ec and w_inter are nan when no class weights were given."""

    faces: int  # number of embeddings
    classes: int
    w_ec: float  # of a class's weights to its centre
    w_inter: float  # of a class's weights to the nearest other class's weights
    intra: float  # of an embedding to its class's centre
    inter: float  # of a class's centre to the nearest other centre


def mean_angles(x: NDArray[Any], label: NDArray[np.integer], weights: NDArray[Any] | None = None) -> Angles:
    """The mean angles of embeddings x [n, d] with labels [n] in 0..c-1, and of class weights [c, d]; of any norm.

    The centre of a class is the mean of its embeddings, each first divided by its norm. Raises UserError for fewer than
    two classes, for a class without an embedding, for weights of another shape, and for numbers that are not finite.
    """
    check_finite(x, "embeddings")
    x = _l2_normalize(np.asarray(x, np.float32))
    count = np.bincount(label)
    if len(count) < 2 or not count.all():
        raise UserError(
            f"{int((count > 0).sum())} of {len(count)} classes have a face: expected two classes or more, "
            "and a face of each class"
        )
    centres: Vectors = np.zeros((len(count), x.shape[1]), np.float32)
    np.add.at(centres, label, x)
    centres = _l2_normalize(centres)
    intra = float(_degrees(np.einsum("nd,nd->n", x, centres[label])).mean())
    w_ec = w_inter = float("nan")
    if weights is not None:
        if weights.shape != centres.shape:
            shapes = f"the weights are {list(weights.shape)}, the centres {list(centres.shape)}"
            raise UserError(f"{shapes}: give the weights of the same training")
        check_finite(weights, "class weights")
        w = _l2_normalize(np.asarray(weights, np.float32))
        w_ec = float(_degrees(np.einsum("cd,cd->c", w, centres)).mean())
        w_inter = float(nearest_angles(w).mean())
    return Angles(len(x), len(centres), w_ec, w_inter, intra, float(nearest_angles(centres).mean()))


def nearest_angles(x: Vectors) -> NDArray[np.float64]:
    """The angle [n] in degrees of each row x [n, d] of norm 1 to the nearest other row."""
    largest = []
    for start in range(0, len(x), ROWS_AT_ONCE):
        cosines = x[start : start + ROWS_AT_ONCE] @ x.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -2  # a row is not its own neighbour
        largest.append(cosines.max(1))
    return _degrees(np.concatenate(largest))


def angle_histogram(
    x: NDArray[Any], label: NDArray[np.integer], *, bins: int = 180, pairs: int = 2_000_000, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """A histogram of the angles of genuine and of impostor pairs of embeddings x [n, d] (of any norm) with labels [n].

    Returns the edges of the bins [bins + 1] in degrees, and the numbers of genuine and of impostor pairs in each bin,
    [bins] each. Every pair is counted when there are at most `pairs`, else that many random pairs. Raises UserError for
    embeddings that are not finite.
    """
    check_finite(x, "embeddings")
    x = _l2_normalize(np.asarray(x, np.float32))
    edges: NDArray[np.float64] = np.linspace(0, 180, bins + 1, dtype=np.float64)
    genuine, impostor = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
    for i, j in _pairs(len(x), pairs, seed):
        degrees = _degrees(np.einsum("nd,nd->n", x[i], x[j]))
        same = label[i] == label[j]
        genuine += np.histogram(degrees[same], edges)[0]
        impostor += np.histogram(degrees[~same], edges)[0]
    return edges, genuine, impostor


def _pairs(n: int, max_pairs: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The rows i, j of every pair of n rows, in blocks of pairs; max_pairs random pairs when there are more."""
    if n * (n - 1) // 2 <= max_pairs:
        i, j = np.triu_indices(n, 1)
        for start in range(0, len(i), PAIRS_AT_ONCE):
            yield i[start : start + PAIRS_AT_ONCE], j[start : start + PAIRS_AT_ONCE]
        return
    rng = np.random.default_rng(seed)
    for start in range(0, max_pairs, PAIRS_AT_ONCE):
        count = min(PAIRS_AT_ONCE, max_pairs - start)
        i = rng.integers(0, n, count)
        yield i, (i + rng.integers(1, n, count)) % n


def _l2_normalize(x: Vectors) -> Vectors:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), np.float32)


def _degrees(cosine: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(np.degrees(np.arccos(np.clip(cosine.astype(np.float64), -1, 1))))
