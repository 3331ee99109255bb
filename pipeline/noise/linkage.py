"""Average linkage of the faces of one identity, and the numbering of the clusters that it gives."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage

from pipeline.noise.scores.score_norm import Floats

ROUNDING = 1e-9  # what the arithmetic of a tree may lose
Labels = NDArray[np.signedinteger[Any]]


def average_linkage(scores: Floats, min_score: float) -> Labels:
    """Clusters [n] of n things with scores [n, n]: the two clusters with the highest score merge while it reaches
    min_score.

    The score of two clusters is the mean over their pairs (UPGMA, Sokal and Michener 1958). A cluster is named by its
    lowest member.
    """
    n = len(scores)
    if n < 2:
        return np.zeros(n, np.int64)
    condensed = scores[~np.tri(n, dtype=bool)]
    top = condensed.max()
    tree = linkage(top - condensed, "average")  # distances that average as the scores do
    merged = np.flatnonzero(tree[:, 2] <= top - min_score + ROUNDING)
    parent: Labels = np.arange(2 * n - 1)
    parent[tree[merged, :2].astype(np.int64)] = n + merged[:, None]
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    lowest = np.empty(2 * n - 1, np.int64)
    lowest[parent[n - 1 :: -1]] = np.arange(n - 1, -1, -1)  # where several are written to one place the last one stays
    return np.asarray(lowest[parent[:n]], np.int64)


def rank_by_size(labels: Labels) -> Labels:
    """Clusters numbered 0, 1, ... by falling size, then by their own number; faces in none (-1) are clusters of one."""
    labels = np.where(labels < 0, labels.max(initial=0) + 1 + np.arange(len(labels)), labels)
    return _rank(labels, np.bincount(labels))


def rank_by_cohesion(labels: Labels, scores: Floats) -> Labels:
    """Clusters numbered 0, 1, ... by falling mean score of their pairs; scores: of all faces with all [n, n]."""
    size = np.bincount(labels)
    within = np.einsum("ij,ij->i", scores, labels[:, None] == labels[None]) - np.diag(scores)
    mean = np.round(np.bincount(labels, within) / np.maximum(size * (size - 1), 1), 6)
    return _rank(labels, np.where(size > 0, mean, -np.inf))


def _rank(labels: Labels, worth: NDArray[Any]) -> Labels:
    """The same clusters, numbered by falling worth [largest label + 1], then by their own number.

    Counting is several times as fast as np.unique on the few faces of an identity, and so is a table as np.isin.
    """
    rank = np.empty(len(worth), np.int64)
    rank[np.argsort(-worth, kind="stable")] = np.arange(len(worth))
    return rank[labels]
