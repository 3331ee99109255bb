"""How alike two faces are, in units of how alike strangers look.

A raw cosine means little: how alike strangers look differs between models, photos and groups of people. So a cosine is
put in units of what the two faces show against strangers (s-norm, Kenny 2010: there with a list of strangers, here
with their mean and covariance, which give the same two numbers in closed form). Two embedders add up.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BLOCK = 16384  # pairs compared at a time: 128 MB of 512 float64 on both sides
DECIMALS = 6  # likenesses are rounded, so that the order in which a BLAS adds never changes a byte


class View(NamedTuple):
    """What one embedder makes of strangers: mean [d] and covariance [d, d] of faces of many people."""

    mean: Floats
    covariance: Floats


class Tail(NamedTuple):
    """Likeness as a function of the normal quantile u of 1 - FAR: a + b u + c u^2."""

    a: float
    b: float
    c: float


class Calibration(NamedTuple):
    """How to read likeness: a view, a weight and a tail for each embedder, the tail of their sum.

    same and spread: mean and standard deviation of the likeness of two photos of one person, as the names in this
    data show it; share: the share of pairs under one name that are one person.
    """

    views: tuple[View, ...]
    weights: tuple[float, ...]
    tails: tuple[Tail, ...]
    tail: Tail
    same: float
    spread: float
    share: float


def level(tail: Tail, far: float) -> float:
    """The likeness that a share `far` of strangers reaches."""
    u = NormalDist().inv_cdf(1 - min(max(far, 1e-15), 0.5))
    return round(tail.a + tail.b * u + tail.c * u * u, DECIMALS)


def usual(calibration: Calibration, share: float) -> float:
    """The likeness that all but a share of the pairs of one person's photos reach."""
    return round(calibration.same + NormalDist().inv_cdf(share) * calibration.spread, DECIMALS)


def rate(tail: Tail, likeness: float) -> float:
    """The share of strangers that reach a likeness: the inverse of level(), between 1e-15 and 0.5."""
    low, high = 0.0, 7.9
    for _ in range(40):
        u = (low + high) / 2
        low, high = (u, high) if tail.a + tail.b * u + tail.c * u * u < likeness else (low, u)
    return max(1 - NormalDist().cdf(low), 1e-15)


def likeness(a: NDArray[Any], b: NDArray[Any], view: View) -> Floats:
    """The likeness [n, m] of unit vectors a [n, d] and b [m, d]: their cosines in units of strangers.

    The mean of (c - m) / s over both sides, m and s being mean and deviation of the side's cosines to strangers. A
    centre of several faces is read like a face: its own s is larger, and that is all that differs.
    """
    (a, ma, sa), (b, mb, sb) = _standard(a, view), _standard(b, view)
    z = (a @ b.T) * (0.5 / sa[:, None] + 0.5 / sb[None]) - (0.5 * ma / sa)[:, None] - (0.5 * mb / sb)[None]
    return np.round(z, DECIMALS)


def paired(a: NDArray[Any], b: NDArray[Any], view: View) -> Floats:
    """The likeness [n] of a [n, d] and b [n, d] row by row."""
    (a, ma, sa), (b, mb, sb) = _standard(a, view), _standard(b, view)
    cosines = np.einsum("nd,nd->n", a, b)
    return np.asarray(np.round(0.5 * ((cosines - ma) / sa + (cosines - mb) / sb), DECIMALS))


def fuse(values: Sequence[NDArray[Any]], weights: Sequence[float]) -> Floats:
    """One likeness from each embedder's, arrays of one shape; strangers keep a deviation of about one."""
    total = np.add.reduce([w * np.asarray(v, np.float64) for w, v in zip(weights, values, strict=True)])
    return np.asarray(np.round(total, DECIMALS))


def together(a: Sequence[NDArray[Any]], b: Sequence[NDArray[Any]], calibration: Calibration) -> Floats:
    """The likeness [n, m] that all embedders see together; a and b: for each embedder [n, d] and [m, d] unit rows."""
    each = [likeness(one, two, v) for one, two, v in zip(a, b, calibration.views, strict=True)]
    return fuse(each, calibration.weights)


def pairwise(
    a: Sequence[NDArray[Any]], i: NDArray[Any], b: Sequence[NDArray[Any]], j: NDArray[Any], calibration: Calibration
) -> list[Floats]:
    """The likeness [n] of rows i [n] of a and j [n] of b in each embedder's view, in bounded memory.

    a and b: for each embedder [., d] unit rows.
    """
    found = []
    for one, two, v in zip(a, b, calibration.views, strict=True):
        blocks = [paired(one[i[at : at + BLOCK]], two[j[at : at + BLOCK]], v) for at in range(0, len(i), BLOCK)]
        found.append(np.concatenate(blocks) if blocks else np.empty(0))
    return found


def on_average(
    a: Sequence[NDArray[Any]], i: NDArray[Any], b: Sequence[NDArray[Any]], j: NDArray[Any], calibration: Calibration
) -> Floats:
    """The mean likeness [n] of the faces behind row i [n] of a to those behind row j [n] of b, all embedders together.

    a and b: for each embedder means [., d] of unit rows, of one row or of many, not made unit again: their inner
    product is the mean cosine over all pairs. Faces' own deviations are taken to be the usual one.
    """
    found = []
    for one, two, view in zip(a, b, calibration.views, strict=True):
        mean, covariance = view
        usual = np.sqrt((covariance**2).sum() + mean @ covariance @ mean)
        cosines = [
            np.einsum(
                "nd,nd->n", one[i[at : at + BLOCK]].astype(np.float64), two[j[at : at + BLOCK]].astype(np.float64)
            )
            for at in range(0, len(i), BLOCK)
        ]
        offset = (one.astype(np.float64) @ mean)[i] + (two.astype(np.float64) @ mean)[j]
        found.append((np.concatenate([np.empty(0), *cosines]) - offset / 2) / usual)
    return fuse(found, calibration.weights)


def _standard(x: NDArray[Any], view: View) -> tuple[Floats, Floats, Floats]:
    x = np.asarray(x, np.float64)
    deviation = np.sqrt(np.maximum(np.einsum("nd,nd->n", x @ view.covariance, x), 1e-9))
    return x, x @ view.mean, deviation
