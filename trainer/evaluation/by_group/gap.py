"""The gap of a figure between the best and the worst group of people, with a 95% interval.

The groups hold different people, so their figures are independent. The interval of the difference follows from those of
the two figures (Zou and Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 2008,
equation 3; of Wilson's intervals it is Newcombe's). Which groups are the best and the worst is read from the same data,
so among many groups of few people a gap is expected though there is none: compare it with the groups' own intervals.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

SMALLER_IS_BETTER = ("EER", "FAR")  # the beginning of a figure's name


class Estimate(NamedTuple):
    """A figure with the bounds of its 95% interval; nan where there is no interval."""

    value: float
    low: float = math.nan
    high: float = math.nan


class Gap(NamedTuple):
    """How much better a figure is in the best group than in the worst one, with the bounds of the 95% interval."""

    best: str
    worst: str
    value: float
    low: float
    high: float


def gap_of(figure: str, groups: Mapping[str, Estimate]) -> Gap | None:
    """The gap of a figure between groups, by its name; None for fewer than two groups.

    Of groups with equal figures the first in the order of their names is the best, the last one the worst.
    """
    if len(groups) < 2:
        return None
    sign = -1 if figure.startswith(SMALLER_IS_BETTER) else 1
    order = sorted(groups, key=lambda name: (-sign * groups[name].value, name))
    best, worst = order[0], order[-1]
    larger, smaller = (groups[name] for name in (order[0], order[-1])[::sign])
    value = larger.value - smaller.value
    below = math.hypot(larger.value - larger.low, smaller.high - smaller.value)
    above = math.hypot(larger.high - larger.value, smaller.value - smaller.low)
    return Gap(best, worst, value, value - below, value + above)
