"""The ROC curve of scored pairs (false and true accept rate at every threshold), and figures computed from it.

Pairs are sorted by cosine once. A bootstrap sample consists of the same sorted pairs with other weights, so `roc_curve`
takes weights and does not sort again.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
# how the threshold of a false accept rate is chosen: the lowest one at which the rate is not above the one asked for,
# or the one whose rate is nearest to it, as InsightFace's scripts for IJB do (recognition/_evaluation_/ijb/ijb_11.py)
NOT_ABOVE, NEAREST = FAR_RULES = ("not-above", "nearest")


class Ranking(NamedTuple):
    """n pairs sorted by falling cosine.

    order [n]: the numbers of the pairs in this order. same [n]: whether they are genuine, in this order. cosine [k]:
    the distinct cosines, falling. ends [k]: for each of them the position in the order of the last pair that has it.
    """

    order: NDArray[np.intp]
    cosine: Floats
    same: Mask
    ends: NDArray[np.intp]


class Roc(NamedTuple):
    """False and true accept rates [k + 1] when pairs with at least `cosine` [k + 1] are accepted; the first is inf."""

    far: Floats
    tar: Floats
    cosine: Floats


def rank_pairs(cosine: NDArray[np.floating], same: Mask) -> Ranking:
    """The pairs with these cosines [n], sorted by falling cosine; same [n]: which of them are genuine."""
    order = np.argsort(-cosine, kind="stable")
    falling = np.asarray(cosine, np.float64)[order]
    ends = np.flatnonzero(np.diff(falling, append=-np.inf))
    return Ranking(order, falling[ends], np.asarray(same, bool)[order], ends)


def roc_curve(ranking: Ranking, weight: Floats | None = None) -> Roc:
    """The rates at every threshold; weight [n]: how often each pair counts, in the order before the sorting.

    tar is nan when no genuine pair has a positive weight, far when no impostor pair has one.
    """
    counts = np.ones(len(ranking.order)) if weight is None else weight[ranking.order]
    accepted = np.cumsum(counts)
    true = np.cumsum(np.where(ranking.same, counts, 0))
    false = (accepted - true)[ranking.ends]
    true = true[ranking.ends]
    with np.errstate(invalid="ignore"):
        far, tar = false / false[-1], true / true[-1]
    return Roc(np.append(0, far), np.append(0, tar), np.append(np.inf, ranking.cosine))


def index_at_far(roc: Roc, far: float, rule: str = NOT_ABOVE) -> int:
    """The index in the curve of the threshold of a false accept rate.

    rule: NOT_ABOVE: the lowest threshold that accepts at most this share of the impostor pairs. NEAREST: the lowest of
    those that accept the share nearest to it; of two shares as near the larger one.
    """
    below = _last_index(roc, far)
    if rule == NOT_ABOVE or below + 1 == len(roc.far):
        return below
    above = roc.far[below + 1]
    return _last_index(roc, above) if above - far <= (far - roc.far[below]) * (1 + 1e-9) else below


def _last_index(roc: Roc, far: float) -> int:
    return int(np.searchsorted(roc.far, far * (1 + 1e-9), side="right")) - 1  # so 6 / 600 counts as .01, though rounded


def area_under_curve(roc: Roc) -> float:
    """The probability that a genuine pair's cosine is larger than an impostor pair's; equal cosines count half."""
    return float(np.trapezoid(roc.tar, roc.far))


def equal_error_rate(roc: Roc) -> float:
    """The rate at which far equals 1 - tar, interpolated linearly between the two thresholds where they cross."""
    excess = roc.far - (1 - roc.tar)
    i = int(np.argmax(excess >= 0))
    fraction = -excess[i - 1] / (excess[i] - excess[i - 1])
    return float(roc.far[i - 1] + fraction * (roc.far[i] - roc.far[i - 1]))


def correct_pairs(cosine: NDArray[np.floating], same: Mask, fold: NDArray[np.integer]) -> Mask:
    """Which pairs [n] are classified correctly when each fold is classified with the best threshold of all other folds.

    The restricted protocol of Labeled Faces in the Wild (Huang et al. 2007, section 3). When several thresholds are
    equally good, the middle one is taken. A test set of one fold uses its own best threshold.
    """
    correct = np.zeros(len(same), bool)
    folds = np.unique(fold)
    for k in folds:
        inside = fold == k
        others = ~inside if len(folds) > 1 else inside
        correct[inside] = (cosine[inside] >= best_threshold(cosine[others], same[others])) == same[inside]
    return correct


def best_threshold(cosine: NDArray[np.floating], same: Mask) -> float:
    """The threshold that classifies most pairs correctly, half-way between two cosines.

    It is inf when rejecting all pairs is best, -inf when accepting all is.
    """
    ranking = rank_pairs(cosine, same)
    gain = np.cumsum(np.where(ranking.same, 1, -1))[ranking.ends]  # more correct pairs than when all are rejected
    gain = np.append(0, gain)
    best = np.flatnonzero(gain == gain.max())
    i = int(best[len(best) // 2])
    edges = np.concatenate([[np.inf], ranking.cosine, [-np.inf]])
    return float((edges[i] + edges[i + 1]) / 2)
