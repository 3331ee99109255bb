"""The difference between the figures of two models, with a 95% interval.

Two models that were measured on the same pairs are compared on the same bootstrap samples. A sample that is easy for
one model is easy for the other, so this part of the variation cancels in the difference. Two groups of trainings, each
with several seeds, are compared by a t interval.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainer.evaluation import intervals
from trainer.evaluation.verification import Verification


class Difference(NamedTuple):
    """One model's figure minus another's, with the bounds of its 95% interval."""

    value: float
    low: float
    high: float


def compare(first: Verification, second: Verification) -> dict[str, Difference]:
    """Each figure of the first model minus that of the second, by the figure's name, with a paired bootstrap interval.

    Raises ValueError when the models were not measured on the same pairs with the same number of samples and seed.
    """
    if first.samples_digest != second.samples_digest:
        raise ValueError("the two models were not verified on the same pairs with the same seed and samples")
    differences = {n: first.bootstrap_figures[n] - second.bootstrap_figures[n] for n in first.figures}
    return {
        name: Difference(value - second.figures[name], *intervals.interval(differences[name]))
        for name, value in first.figures.items()
    }


def compare_seeds(a: Sequence[float], b: Sequence[float], *, paired: bool = False) -> Difference:
    """The mean of a minus the mean of b, which hold a figure per seed, with a t interval.

    paired: whether a and b at the same position are compared with each other; else the interval is Welch's. Trainings
    on different data are not paired, also with the same seed, because order and number of their photos differ. Raises
    ValueError for fewer than two seeds in a or b, from which the variation between seeds cannot be known.
    """
    from scipy.stats import ttest_ind, ttest_rel  # takes a second to load, and few commands need it

    x, y = np.asarray(a, float), np.asarray(b, float)
    if min(len(x), len(y)) < 2 or (paired and len(x) != len(y)):
        raise ValueError(f"{len(x)} and {len(y)} seeds: expected two or more of each, and equally many when paired")
    value = float(x.mean() - y.mean())
    if not (np.ptp(x - y) if paired else np.ptp(x) + np.ptp(y)):  # all figures are equal, and t would be 0 / 0
        return Difference(value, value, value)
    test = ttest_rel(x, y) if paired else ttest_ind(x, y, equal_var=False)
    interval = test.confidence_interval(intervals.LEVEL)
    return Difference(value, float(interval.low), float(interval.high))
