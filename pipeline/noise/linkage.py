"""Average linkage of the faces of one identity, and the order in which its clusters are numbered."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage

from pipeline.noise.scores.score_norm import Floats

ROUNDING = 1e-9  # tolerance for the rounding of distances in the tree
Labels = NDArray[np.signedinteger[Any]]


def average_linkage(scores: Floats, min_score: float) -> Labels:
    """The cluster [n] of each of n faces, by their scores with each other [n, n].

    The two clusters with the highest score merge, until no score reaches min_score. The score of two clusters is the
    mean over their pairs of faces (UPGMA, Sokal and Michener 1958). A cluster's number is that of its lowest face.
    """
    n = len(scores)
    if n < 2:
        return np.zeros(n, np.int64)
    condensed = scores[~np.tri(n, dtype=bool)]
    top = condensed.max()
    tree = linkage(top - condensed, "average")  # distances, whose means follow those of the scores
    merged = np.flatnonzero(tree[:, 2] <= top - min_score + ROUNDING)
    parent: Labels = np.arange(2 * n - 1)
    parent[tree[merged, :2].astype(np.int64)] = n + merged[:, None]
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    lowest = np.empty(2 * n - 1, np.int64)
    lowest[parent[n - 1 :: -1]] = np.arange(n - 1, -1, -1)  # of several values for one place the last is kept
    return np.asarray(lowest[parent[:n]], np.int64)


def rank_by_size(labels: Labels, counted: NDArray[np.bool_] | None = None) -> Labels:
    """Clusters numbered 0, 1, ... by falling size, then by earlier number; a face without one (-1) is a cluster.

    counted [n]: the faces that count for the size; None: all do.
    """
    labels = np.where(labels < 0, labels.max(initial=0) + 1 + np.arange(len(labels)), labels)
    return _rank(labels, np.bincount(labels, counted))


def rank_by_cohesion(labels: Labels, scores: Floats) -> Labels:
    """Clusters numbered 0, 1, ... by falling mean score of their pairs; scores [n, n]: of all faces with each other."""
    size = np.bincount(labels)
    within = np.einsum("ij,ij->i", scores, labels[:, None] == labels[None]) - np.diag(scores)
    mean = np.round(np.bincount(labels, within) / np.maximum(size * (size - 1), 1), 6)
    return _rank(labels, np.where(size > 0, mean, -np.inf))


def _rank(labels: Labels, key: NDArray[Any]) -> Labels:
    """The same clusters, numbered by falling key [largest label + 1], then by their earlier number."""
    # for the few faces of an identity, a table of ranks is several times as fast as np.unique
    rank = np.empty(len(key), np.int64)
    rank[np.argsort(-key, kind="stable")] = np.arange(len(key))
    return rank[labels]
