"""Intervals by the bootstrap: the figure again on many sets drawn from the test set, whole people at a time.

Pairs that share a person are no independent evidence; drawing people keeps them together (Efron and Tibshirani 1993,
chapter 8). Where all pairs of some photos are asked, a pair hangs on two people, and counts as often as both were drawn
(Owen, "The pigeonhole bootstrap", 2007: such intervals are a little wide, never narrow).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


def weights(unit: NDArray[np.integer], *, samples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each pair counts [n], for one drawn set after the other.

    unit: [n] what is drawn with a pair, or [n, 2] where it hangs on two. The same units and seed give the same draws,
    whatever the model: differences between models are paired by that.
    """
    of = int(unit.max()) + 1
    for i in range(samples):
        drawn = np.random.default_rng([seed, i]).integers(0, of, of)
        times = np.bincount(drawn, minlength=of).astype(np.float64)
        if unit.ndim == 1:
            yield times[unit]
        else:
            a, b = unit.T
            yield times[a] * np.where(a == b, 1, times[b])


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The percentile interval of a figure on drawn sets [samples]; nan without any. Sets it has no value on are left
    out."""
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def share(
    hits: NDArray[Any], trials: NDArray[Any], *, samples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """What part of all trials were hits, with the interval over sets of units (people, say) drawn whole.

    hits and trials: [units], of each. nan without any trial.
    """
    made, of = np.asarray(hits, np.float64), np.asarray(trials, np.float64)
    if not of.sum():
        return float("nan"), float("nan"), float("nan")
    with np.errstate(invalid="ignore"):
        draws = [(w @ made) / (w @ of) for w in weights(np.arange(len(of)), samples=samples, seed=seed)]
    return float(made.sum() / of.sum()), *interval(np.array(draws, np.float64))
