"""The ROC curve of scored pairs (far and tar at every threshold), and the figures that are read off it.

Pairs are sorted by cosine once. A bootstrap sample is the same sorted pairs with other weights, so `roc_curve` takes
weights and nothing is sorted again.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Ranking(NamedTuple):
    """Pairs by falling cosine: order [n] of the pairs, same [n] in that order, the k distinct cosines.

    ends [k]: the place in the order of the last pair that has each of these cosines.
    """

    order: NDArray[np.intp]
    cosine: Floats
    same: Mask
    ends: NDArray[np.intp]


class Roc(NamedTuple):
    """False and true accept rates [k + 1] when pairs of at least `cosine` [k + 1] are accepted; at first none is."""

    far: Floats
    tar: Floats
    cosine: Floats


def rank_pairs(cosine: NDArray[np.floating], same: Mask) -> Ranking:
    """The pairs of these cosines [n] sorted, the largest first; same [n]: which of them are genuine."""
    order = np.argsort(-cosine, kind="stable")
    falling = np.asarray(cosine, np.float64)[order]
    ends = np.flatnonzero(np.diff(falling, append=-np.inf))
    return Ranking(order, falling[ends], np.asarray(same, bool)[order], ends)


def roc_curve(ranking: Ranking, weight: Floats | None = None) -> Roc:
    """The rates at every threshold; weight [n]: how often each pair counts, in the pairs' own order.

    Without a genuine pair of positive weight tar is nan, without such an impostor pair far is.
    """
    counts = np.ones(len(ranking.order)) if weight is None else weight[ranking.order]
    accepted = np.cumsum(counts)
    true = np.cumsum(np.where(ranking.same, counts, 0))
    false = (accepted - true)[ranking.ends]
    true = true[ranking.ends]
    with np.errstate(invalid="ignore"):
        far, tar = false / false[-1], true / true[-1]
    return Roc(np.append(0, far), np.append(0, tar), np.append(np.inf, ranking.cosine))


def index_at_far(roc: Roc, far: float) -> int:
    """The index of the lowest threshold that accepts at most this share of the impostor pairs."""
    return int(np.searchsorted(roc.far, far * (1 + 1e-9), side="right")) - 1  # 6 of 600 is .01, rounded or not


def area_under_curve(roc: Roc) -> float:
    """The probability that a genuine pair's cosine is larger than an impostor pair's; equal ones count half."""
    return float(np.trapezoid(roc.tar, roc.far))


def equal_error_rate(roc: Roc) -> float:
    """The rate at which far equals 1 - tar, on the straight line between the two thresholds where they cross."""
    excess = roc.far - (1 - roc.tar)
    i = int(np.argmax(excess >= 0))
    part = -excess[i - 1] / (excess[i] - excess[i - 1])
    return float(roc.far[i - 1] + part * (roc.far[i] - roc.far[i - 1]))


def correct_pairs(cosine: NDArray[np.floating], same: Mask, fold: NDArray[np.integer]) -> Mask:
    """Which pairs [n] are classified right when each fold's threshold is the best one of all other folds.

    The restricted protocol of Labeled Faces in the Wild (Huang et al. 2007, section 3). Of several equally good
    thresholds the middle one is taken. A set of one fold uses its own best threshold.
    """
    correct = np.zeros(len(same), bool)
    folds = np.unique(fold)
    for k in folds:
        inside = fold == k
        others = ~inside if len(folds) > 1 else inside
        correct[inside] = (cosine[inside] >= best_threshold(cosine[others], same[others])) == same[inside]
    return correct


def best_threshold(cosine: NDArray[np.floating], same: Mask) -> float:
    """The threshold that classifies most pairs right, half-way between two cosines; inf where accepting none does."""
    ranking = rank_pairs(cosine, same)
    gain = np.cumsum(np.where(ranking.same, 1, -1))[ranking.ends]  # pairs right, more than by accepting none
    gain = np.append(0, gain)
    best = np.flatnonzero(gain == gain.max())
    i = int(best[len(best) // 2])
    edges = np.concatenate([[np.inf], ranking.cosine, [-np.inf]])
    return float((edges[i] + edges[i + 1]) / 2)
