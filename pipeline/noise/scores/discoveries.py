"""The threshold of a search among many pairs, by the share of its discoveries that may be false.

A fixed number of expected false alarms asks the same of data that share half of their people with a test set and of
data that share nobody. The false discovery rate (Benjamini and Hochberg, 1995) looks at what was found: if ten times
as many pairs reach a score as impostors alone would, a tenth of them may be impostors.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.far_curve import FarCurve, far_at, threshold_at_far


def discovery_threshold(scores: NDArray[Any], curve: FarCurve, *, comparisons: int, fdr: float) -> float:
    """The lowest threshold at which the expected share of false ones among the pairs that reach it is at most fdr.

    scores [n]: of the pairs that were found, at least all that reach the threshold, at most one for each query; curve:
    of the scores of impostor pairs; comparisons: how many pairs the search compared. With no pair below the rate, the
    threshold at which a single discovery would be: the FAR fdr / comparisons.
    """
    descending = np.sort(np.asarray(scores, np.float64)[~np.isnan(scores)])[::-1]
    rank = np.arange(1, len(descending) + 1)
    passes = np.flatnonzero(comparisons * far_at(curve, descending) <= fdr * rank)
    discoveries = int(rank[passes[-1]]) if len(passes) else 1
    return threshold_at_far(curve, fdr * discoveries / max(1, comparisons))
