"""Is one model better than another? The difference with an interval, over drawn test sets or over seeds.

Two models on the same pairs are compared on the same drawn sets: what makes a set easy makes it easy for both and falls
out of the difference. Several trainings of each kind are compared by a t interval over their figures.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainer.evaluation import intervals
from trainer.evaluation.verification import Verification


class Difference(NamedTuple):
    """One figure less the other and its 95% interval; sure when the interval leaves out 0."""

    value: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def compare(one: Verification, other: Verification) -> dict[str, Difference]:
    """Each figure of one model less that of the other, on the same pairs with the same draws: a paired bootstrap.

    Raises ValueError when they do not rest on the same pairs and draws.
    """
    if one.drawn != other.drawn:
        raise ValueError("the two models were not verified on the same pairs with the same seed and samples")
    return {
        name: Difference(value - other.figures[name], *intervals.interval(one.draws[name] - other.draws[name]))
        for name, value in one.figures.items()
    }


def over_seeds(a: Sequence[float], b: Sequence[float], *, paired: bool = False) -> Difference:
    """The mean of a less the mean of b, one figure a seed, with a t interval (Welch's, or of paired differences).

    A seed shared by trainings on different data does not pair them: order and number of photos differ. Raises
    ValueError for fewer than two seeds a side, where nothing says how far seeds differ.
    """
    x, y = np.asarray(a, float), np.asarray(b, float)
    if min(len(x), len(y)) < 2 or (paired and len(x) != len(y)):
        raise ValueError(f"{len(x)} and {len(y)} seeds: expected two or more of each, as many when they are paired")
    value = float(x.mean() - y.mean())
    if paired:
        error, freedom = float((x - y).std(ddof=1)) / math.sqrt(len(x)), len(x) - 1.0
    else:
        parts = [v.var(ddof=1) / len(v) for v in (x, y)]
        error = math.sqrt(sum(parts))
        below = sum(p**2 / (len(v) - 1) for p, v in zip(parts, (x, y), strict=True))
        freedom = float(error**4 / below) if below else 1.0  # Welch and Satterthwaite; without spread it matters not
    wide = t_quantile(freedom) * error
    return Difference(value, value - wide, value + wide)


def t_quantile(freedom: float, *, level: float = intervals.LEVEL) -> float:
    """The number that Student's t stays within, either side of 0, with this probability.

    With t = sqrt(freedom) tan(angle) the density is cos(angle)^(freedom - 1), which is summed up to the level.
    """
    angle = np.linspace(0, math.pi / 2, 200_001)
    density = np.cos(angle) ** (freedom - 1)
    mass = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2))
    return math.sqrt(freedom) * math.tan(float(np.interp(level, mass / mass[-1], angle)))
