"""95% confidence intervals by the bootstrap: a figure is computed again on many samples of a test set's people.

A bootstrap sample draws people with replacement and takes all pairs of each person it draws, because pairs that share a
person are not independent (Efron and Tibshirani 1993, chapter 8). In a test set that compares all pairs of its photos
a pair belongs to two people and is weighted by how often both were drawn (Owen, "The pigeonhole bootstrap", 2007: such
intervals are a little too wide, never too narrow).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


def bootstrap_weights(unit: NDArray[np.integer], *, samples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """For each bootstrap sample the weight of every pair [n]: how often the sample holds it.

    unit: the number of the person [n] that a pair belongs to, or of its two persons [n, 2]. The same units and seed
    give the same samples for every model, so two models can be compared sample by sample.
    """
    people = int(unit.max()) + 1
    for i in range(samples):
        drawn = np.random.default_rng([seed, i]).integers(0, people, people)
        times_drawn = np.bincount(drawn, minlength=people).astype(np.float64)
        if unit.ndim == 1:
            yield times_drawn[unit]
        else:
            a, b = unit.T
            yield times_drawn[a] * np.where(a == b, 1, times_drawn[b])


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The bounds of the percentile interval of a figure; values [samples]: the figure on each bootstrap sample.

    Samples on which the figure is nan are left out. The bounds are nan when no sample is left.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def ratio_with_interval(
    hits: NDArray[Any], trials: NDArray[Any], *, samples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """The sum of hits divided by the sum of trials, and the bounds of its interval over bootstrap samples of people.

    hits, trials [people]: the numbers of each person. All three returned numbers are nan when there are no trials.
    """
    hits, trials = np.asarray(hits, np.float64), np.asarray(trials, np.float64)
    if not trials.sum():
        return float("nan"), float("nan"), float("nan")
    with np.errstate(invalid="ignore"):
        weights = bootstrap_weights(np.arange(len(trials)), samples=samples, seed=seed)
        ratios = [(w @ hits) / (w @ trials) for w in weights]
    return float(hits.sum() / trials.sum()), *interval(np.array(ratios, np.float64))
