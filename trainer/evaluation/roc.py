"""From cosines and answers to the two rates of every threshold, and the figures that are read off them.

Every function takes weights through `rates`, so that a bootstrap sample is the same sorted cosines weighted anew and
nothing is sorted twice.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Ranking(NamedTuple):
    """Pairs in falling order of cosine: order [n], same [n] in that order, ends [k]: the last of equal cosines."""

    order: NDArray[np.intp]
    cosine: Floats  # [k], distinct
    same: Mask
    ends: NDArray[np.intp]


class Roc(NamedTuple):
    """False and true accept rate [k + 1] when cosines of at least `cosine` [k + 1] are accepted; the first: none is."""

    far: Floats
    tar: Floats
    cosine: Floats


def rank(cosine: NDArray[np.floating], same: Mask) -> Ranking:
    """The pairs of cosines [n] and answers [n], best first."""
    order = np.argsort(-cosine, kind="stable")
    falling = np.asarray(cosine, np.float64)[order]
    ends = np.flatnonzero(np.diff(falling, append=-np.inf))
    return Ranking(order, falling[ends], np.asarray(same, bool)[order], ends)


def rates(ranking: Ranking, weight: Floats | None = None) -> Roc:
    """The rates at every threshold; weight [n]: how often each pair counts, in the pairs' own order.

    A kind of pairs that has no weight has rates of nan.
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
    """The index of the lowest threshold that accepts no more than this share of the different pairs."""
    return int(np.searchsorted(roc.far, far * (1 + 1e-9), side="right")) - 1  # 6 of 600 is .01, whatever floats say


def area(roc: Roc) -> float:
    """The area under the curve: how often a same pair has the larger cosine, equal ones counting half."""
    return float(np.sum(np.diff(roc.far) * (roc.tar[1:] + roc.tar[:-1])) / 2)


def equal_error(roc: Roc) -> float:
    """The rate at which as many different pairs are accepted as same ones are not, between two thresholds by a line."""
    gap = roc.far - (1 - roc.tar)
    i = int(np.argmax(gap >= 0))
    part = -gap[i - 1] / (gap[i] - gap[i - 1])
    return float(roc.far[i - 1] + part * (roc.far[i] - roc.far[i - 1]))


def right(cosine: NDArray[np.floating], same: Mask, fold: NDArray[np.integer]) -> Mask:
    """Which pairs [n] are answered right when each fold's threshold is the best one of all other folds.

    The restricted protocol of Labeled Faces in the Wild (Huang et al. 2007, section 3). Where several thresholds are
    equally good the middle one is taken. A set of one fold is its own measure.
    """
    found = np.zeros(len(same), bool)
    folds = np.unique(fold)
    for k in folds:
        here = fold == k
        others = ~here if len(folds) > 1 else here
        found[here] = (cosine[here] >= best_threshold(cosine[others], same[others])) == same[here]
    return found


def best_threshold(cosine: NDArray[np.floating], same: Mask) -> float:
    """The threshold that answers most pairs right, half-way between two cosines; inf: best accept none."""
    ranking = rank(cosine, same)
    gained = np.cumsum(np.where(ranking.same, 1, -1))[ranking.ends]  # right answers more than by accepting none
    gained = np.append(0, gained)
    best = np.flatnonzero(gained == gained.max())
    i = int(best[len(best) // 2])
    edges = np.concatenate([[np.inf], ranking.cosine, [-np.inf]])
    return float((edges[i] + edges[i + 1]) / 2)
