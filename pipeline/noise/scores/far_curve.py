"""The FAR curve: which threshold on the score has which false accept rate.

FAR is the share of impostor pairs (photos of two people) whose score reaches a threshold. The curve is a parabola over
the normal quantile of 1 - FAR, a straight line where impostor scores are normally distributed.
"""

from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
DECIMALS = 6  # of scores: rounding hides the order in which a BLAS adds, so that tables have the same bytes everywhere
FARS = np.geomspace(0.3, 0.01, 16)  # at which the curve is fitted: see fit_far_curve()
MIN_FAR, MAX_FAR = 1e-15, 0.5  # beyond which no threshold is computed
MAX_QUANTILE = 7.9  # about the normal quantile of 1 - MIN_FAR


class FarCurve(NamedTuple):
    """The score that a share FAR of impostor pairs reaches: a + b u + c u^2, u being the normal quantile of 1 - FAR."""

    a: float
    b: float
    c: float


def threshold_at_far(curve: FarCurve, far: float) -> float:
    """The score that a share `far` of impostor pairs reaches; far is limited to 1e-15 .. 0.5."""
    u = NormalDist().inv_cdf(1 - min(max(far, MIN_FAR), MAX_FAR))
    return round(curve.a + curve.b * u + curve.c * u * u, DECIMALS)


def far_at(curve: FarCurve, scores: NDArray[np.floating[Any]]) -> Floats:
    """The share [n] of impostor pairs that reaches each score [n], limited to 1e-15 .. 0.5; by bisection."""
    low, high = np.zeros_like(scores), np.full_like(scores, MAX_QUANTILE)
    for _ in range(40):
        u = (low + high) / 2
        below = curve.a + curve.b * u + curve.c * u * u < scores
        low, high = np.where(below, u, low), np.where(below, high, u)
    return np.asarray(np.maximum(ndtr(-low), MIN_FAR))


def fit_far_curve(scores: Floats, pairs: int) -> FarCurve:
    """The FAR curve of impostor scores, fitted between FAR 0.3 and 0.01 and extrapolated below.

    pairs: number of impostor pairs; scores: the highest ones of their scores, at least the share 0.3 of them; they are
    partly sorted in place. The highest 0.01 of the scores is not used, because it holds the pairs of one person under
    two identities, which are genuine.
    """
    return fit_quantiles(far_quantiles(scores, pairs))


def far_quantiles(scores: Floats, pairs: int) -> Floats:
    """The scores [len(FARS)] that the shares FARS of at least two impostor pairs reach; parameters as above."""
    place = (pairs - 1) * (1 - FARS) - (pairs - len(scores))  # of the quantiles in the sorted scores
    low = place.astype(int)
    scores.partition(np.unique([low, low + 1]))
    return np.asarray(scores[low] + (place - low) * (scores[low + 1] - scores[low]))


def fit_quantiles(quantiles: Floats) -> FarCurve:
    """The curve through the scores [len(FARS)] that the shares FARS of impostor pairs reach."""
    u = np.array([NormalDist().inv_cdf(1 - far) for far in FARS])
    c, b, a = np.polyfit(u, quantiles, 2)
    if c < 0:  # a parabola that opens downwards would give lower thresholds for small FARs
        (b, a), c = np.polyfit(u, quantiles, 1), 0.0
    return FarCurve(round(float(a), 6), round(float(b), 6), round(float(c), 6))


def fit_line(quantiles: Floats, c: float) -> tuple[float, float]:
    """a and b of the curve of curvature c through the scores [len(FARS)] that the shares FARS of pairs reach."""
    u = np.array([NormalDist().inv_cdf(1 - far) for far in FARS])
    b, a = np.polyfit(u, quantiles - c * u * u, 1)
    return float(a), float(b)
