"""Is one model better than another? The difference of their figures, with a 95% interval.

Two models measured on the same pairs are compared on the same bootstrap samples: a sample that is easy for one is easy
for the other, which cancels in the difference. Several trainings of each kind are compared by Student's t interval.
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

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def compare(first: Verification, second: Verification) -> dict[str, Difference]:
    """Each figure of the first model minus the second's, by the figure's name: a paired bootstrap.

    Raises ValueError when they were not measured on the same pairs with the same samples and seed.
    """
    if first.draws_digest != second.draws_digest:
        raise ValueError("the two models were not verified on the same pairs with the same seed and samples")
    return {
        name: Difference(value - second.figures[name], *intervals.interval(first.draws[name] - second.draws[name]))
        for name, value in first.figures.items()
    }


def compare_seeds(a: Sequence[float], b: Sequence[float], *, paired: bool = False) -> Difference:
    """The mean of a minus the mean of b, one figure per seed, with a t interval (Welch's, or of paired differences).

    Trainings on different data are not paired by sharing a seed: order and number of their photos differ. Raises
    ValueError for fewer than two seeds on a side, which leave the spread between seeds unknown.
    """
    from scipy.stats import ttest_ind, ttest_rel  # takes a second to load, and few commands need it

    x, y = np.asarray(a, float), np.asarray(b, float)
    if min(len(x), len(y)) < 2 or (paired and len(x) != len(y)):
        raise ValueError(f"{len(x)} and {len(y)} seeds: expected two or more of each, as many when they are paired")
    value = float(x.mean() - y.mean())
    if not (np.ptp(x - y) if paired else np.ptp(x) + np.ptp(y)):  # without spread t is 0 / 0
        return Difference(value, value, value)
    test = ttest_rel(x, y) if paired else ttest_ind(x, y, equal_var=False)
    interval = test.confidence_interval(intervals.LEVEL)
    return Difference(value, float(interval.low), float(interval.high))
