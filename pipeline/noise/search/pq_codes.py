"""Short codes of vectors (product quantisation), by which the best candidates in a large gallery are found quickly.

Face vectors vary much along a few axes and little along the others. So the bits of a code are given to the axes with
the largest variance (reverse water filling, Cover and Thomas 10.3.3): 4 bits to each of the first axes, 2 bits to each
of the next, none to the rest. The quantisation levels are the best ones for a normal distribution; they are computed,
not trained. So codes depend on the gallery alone, not on a seed or a clustering.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
SAMPLE = 20_000  # rows from which the axes are computed, in 0.3 s on one core
STEP = 16  # codes have a multiple of this many pairs of numbers; a pair has 4 bits
# How far impostor cosines computed from codes may deviate from the exact cosines, in units of the deviation of the
# exact ones. A value a quarter larger loses one finding in two hundred among 100,000 drawn persons with vectors of 512
# numbers (`refinery benchmark search`), this value hardly any.
MAX_ERROR = 0.25


class Layout(NamedTuple):
    """How a vector becomes a code of m pairs: it is multiplied by the axes, and each pair of numbers is replaced by the
    nearest of its 16 points."""

    axes: Floats  # [d, 2m]
    points: Floats  # [m, 16, 2]
    error: float  # see MAX_ERROR


def code_layout(x: NDArray[Any]) -> Layout | None:
    """The shortest codes for unit rows x [n, d] with an error up to MAX_ERROR.

    None where even codes of d / 2 pairs are too inexact; longer ones would hardly save time, because comparing codes of
    m pairs takes as long as an inner product of 1.2 m numbers (measured with 512 numbers).
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
    """How many axes get 4 bits, how many get 2, and the error, for codes of 4 * pairs bits."""
    d, power = len(variance), np.append(0.0, np.cumsum(variance**2))
    fine = np.arange(max(0, 2 * pairs - d), min(pairs, d) + 1)
    end = 2 * pairs - fine
    lost = _lost_variance(16) * power[fine] + _lost_variance(4) * (power[end] - power[fine]) + power[-1] - power[end]
    best = int(lost.argmin())
    return int(fine[best]), int(end[best] - fine[best]), float(np.sqrt(lost[best] / max(power[-1], 1e-30)))


def _pair_axes(axes: Floats, fine: int, coarse: int) -> Floats:
    """The axes in pairs [d, 2m]: each axis of 4 bits with a column of zeros, then the axes of 2 bits two by two."""
    alone = np.stack([axes[:, :fine], np.zeros((len(axes), fine))], axis=2).reshape(len(axes), 2 * fine)
    return np.concatenate([alone, axes[:, fine : fine + coarse]], axis=1)


def _points(deviation: Floats, fine: int, coarse: int) -> Floats:
    """The 16 points of each pair [m, 16, 2]: on a line for an axis of 4 bits, on a grid for two axes of 2 bits."""
    line = np.stack([levels(16), np.zeros(16)], axis=1)
    grid = np.stack(np.meshgrid(levels(4), levels(4), indexing="ij"), axis=-1).reshape(16, 2)
    pairs = deviation[fine : fine + coarse].reshape(-1, 1, 2)
    return np.concatenate([deviation[:fine, None, None] * line, pairs * grid])


@cache
def levels(n: int) -> Floats:
    """The n levels that approximate a standard normal variable best (Max 1960): each the mean of its nearest values."""
    x = np.linspace(-2, 2, n)
    for _ in range(3000):
        edge = np.concatenate([[-np.inf], (x[1:] + x[:-1]) / 2, [np.inf]])
        height = np.exp(-(edge**2) / 2) / np.sqrt(2 * np.pi)
        x = (height[:-1] - height[1:]) / np.diff(ndtr(edge))
    return np.round(x, 9)


@cache
def _lost_variance(n: int) -> float:
    """The share of its variance that a normal variable loses when it is rounded to the nearest of n levels."""
    x = levels(n)
    edge = np.concatenate([[-np.inf], (x[1:] + x[:-1]) / 2, [np.inf]])
    return float(1 - (np.diff(ndtr(edge)) * x**2).sum())
