"""Vectors as codes of a few bits, which tell the rows of a large gallery that are worth comparing in full.

Face vectors vary much along few axes and little along the rest. So the bits of a code go where the variance is (reverse
water filling, Cover and Thomas 10.3.3): 4 for each of the first axes, 2 for each of the next, none for the rest. The
levels of a number are those that are best for a normal distribution, computed and not trained: a code depends on the
gallery alone, with no seed and no clustering in it.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
SAMPLE = 20_000  # rows that the axes are taken from: 0.3 s on one core
STEP = 16  # pairs of numbers, 4 bits each, by which codes grow
# How far impostors' cosines by codes may deviate from the exact ones, in units of their own deviation. A quarter more
# loses one finding in two hundred among 100,000 drawn persons of 512 numbers (`refinery benchmark search`), this hardly
# any.
MAX_ERROR = 0.25


class Layout(NamedTuple):
    """How vectors become codes: multiplied by axes [d, 2m], and each pair of numbers the nearest of its points.

    points [m, 16, 2]; error: the deviation of impostors' cosines by codes from the exact ones, in units of their own.
    """

    axes: Floats
    points: Floats
    error: float


def code_layout(x: NDArray[Any]) -> Layout | None:
    """The shortest codes for unit rows x [n, d] with an error up to MAX_ERROR; None: they would be no gain.

    A code of m pairs takes as long to compare as 1.2 m numbers do in a product, measured with 512.
    """
    sample = np.asarray(x[:: max(1, len(x) // SAMPLE)], np.float64)
    variance, axes = np.linalg.eigh(sample.T @ sample / len(sample))
    variance, axes = np.maximum(variance[::-1], 0.0), axes[:, ::-1]
    for pairs in range(STEP, len(variance) // 2 + 1, STEP):
        fine, coarse, error = _allot_bits(variance, pairs)
        if error <= MAX_ERROR:
            return Layout(_pair_axes(axes, fine, coarse), _points(np.sqrt(variance), fine, coarse), error)
    return None


def _allot_bits(variance: Floats, pairs: int) -> tuple[int, int, float]:
    """How many axes get 4 bits and how many 2, of `pairs` times 4 bits in all, and the error that remains."""
    d, power = len(variance), np.append(0.0, np.cumsum(variance**2))
    fine = np.arange(max(0, 2 * pairs - d), min(pairs, d) + 1)
    end = 2 * pairs - fine
    lost = _lost_variance(16) * power[fine] + _lost_variance(4) * (power[end] - power[fine]) + power[-1] - power[end]
    best = int(lost.argmin())
    return int(fine[best]), int(end[best] - fine[best]), float(np.sqrt(lost[best] / max(power[-1], 1e-30)))


def _pair_axes(axes: Floats, fine: int, coarse: int) -> Floats:
    """The axes in pairs [d, 2m]: each fine one with a column of zeros, then the coarse ones two by two."""
    alone = np.stack([axes[:, :fine], np.zeros((len(axes), fine))], axis=2).reshape(len(axes), 2 * fine)
    return np.concatenate([alone, axes[:, fine : fine + coarse]], axis=1)


def _points(deviation: Floats, fine: int, coarse: int) -> Floats:
    """The 16 points of each pair [m, 16, 2]: on a line for a fine axis, on a grid for two coarse ones."""
    line = np.stack([levels(16), np.zeros(16)], axis=1)
    grid = np.stack(np.meshgrid(levels(4), levels(4), indexing="ij"), axis=-1).reshape(16, 2)
    pairs = deviation[fine : fine + coarse].reshape(-1, 1, 2)
    return np.concatenate([deviation[:fine, None, None] * line, pairs * grid])


@cache
def levels(n: int) -> Floats:
    """The n numbers that approximate a normal variable best (Max 1960): each the mean of the values nearest to it."""
    x = np.linspace(-2, 2, n)
    for _ in range(3000):
        edge = np.concatenate([[-np.inf], (x[1:] + x[:-1]) / 2, [np.inf]])
        height = np.exp(-(edge**2) / 2) / np.sqrt(2 * np.pi)
        x = (height[:-1] - height[1:]) / np.diff(ndtr(edge))
    return np.round(x, 9)


@cache
def _lost_variance(n: int) -> float:
    """The share of its variance that a normal variable loses when it is rounded to n levels."""
    x = levels(n)
    edge = np.concatenate([[-np.inf], (x[1:] + x[:-1]) / 2, [np.inf]])
    return float(1 - (np.diff(ndtr(edge)) * x**2).sum())
