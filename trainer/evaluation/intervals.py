"""Confidence intervals by the bootstrap: a figure computed again on many resamples of a test set, by whole people.

Pairs that share a person are no independent evidence; drawing people keeps their pairs together (Efron and Tibshirani
1993, chapter 8). Where a test set compares all pairs of its photos, a pair belongs to two people and is weighted by how
often both were drawn (Owen, "The pigeonhole bootstrap", 2007: such intervals are a little wide, never narrow).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


def bootstrap_weights(unit: NDArray[np.integer], *, samples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each pair counts [n] in one bootstrap sample after the other.

    unit: the person [n] that a pair is drawn with, or the two persons [n, 2] that it belongs to. The same units and
    seed give the same samples whatever the model, which is what pairs two models' differences.
    """
    units = int(unit.max()) + 1
    for i in range(samples):
        drawn = np.random.default_rng([seed, i]).integers(0, units, units)
        times = np.bincount(drawn, minlength=units).astype(np.float64)
        if unit.ndim == 1:
            yield times[unit]
        else:
            a, b = unit.T
            yield times[a] * np.where(a == b, 1, times[b])


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The percentile interval of a figure's values on bootstrap samples [samples].

    Samples on which the figure is nan are left out; without any other the interval is nan.
    """
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def ratio_with_interval(
    hits: NDArray[Any], trials: NDArray[Any], *, samples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """All hits divided by all trials, and the bounds of its interval over people drawn whole.

    hits, trials: the numbers [people] of each person. All three are nan without any trial.
    """
    hits, trials = np.asarray(hits, np.float64), np.asarray(trials, np.float64)
    if not trials.sum():
        return float("nan"), float("nan"), float("nan")
    with np.errstate(invalid="ignore"):
        weights = bootstrap_weights(np.arange(len(trials)), samples=samples, seed=seed)
        draws = [(w @ hits) / (w @ trials) for w in weights]
    return float(hits.sum() / trials.sum()), *interval(np.array(draws, np.float64))
