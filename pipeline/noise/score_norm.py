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
from scipy.linalg.blas import dtrmm
from scipy.special import ndtr

Floats = NDArray[np.float64]
LEAST = 1e-9  # what a length or a variance is taken for when it vanishes
BLOCK = 2048  # rows worked on at a time: 8 MB of 512 float64, so that the memory is soon used again
FEW = 512  # rows for which the covariance is not worth taking apart
DECIMALS = 6  # likenesses are rounded, so that the order in which a BLAS adds never changes a byte


class View(NamedTuple):
    """What one embedder makes of strangers: mean [d] and covariance [d, d] of faces of many people."""

    mean: Floats
    covariance: Floats


class Seen(NamedTuple):
    """Faces as one embedder sees them: unit rows [n, d] of any float type, and the mean and the deviation [n] of their
    cosines to strangers."""

    x: NDArray[Any]
    mean: Floats
    deviation: Floats


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


def rate(tail: Tail, likeness: NDArray[np.floating[Any]]) -> Floats:
    """The share of strangers that reach each likeness [n]: the inverse of level(), between 1e-15 and 0.5."""
    low, high = np.zeros_like(likeness), np.full_like(likeness, 7.9)
    for _ in range(40):
        u = (low + high) / 2
        short = tail.a + tail.b * u + tail.c * u * u < likeness
        low, high = np.where(short, u, low), np.where(short, high, u)
    return np.asarray(np.maximum(ndtr(-low), 1e-15))


def seen(x: NDArray[Any], view: View) -> Seen:
    """Unit rows x [n, d] as an embedder with this view of strangers sees them, worked out in bounded memory."""
    mean, deviation = np.empty(len(x)), np.empty(len(x))
    factor = np.asfortranarray(np.linalg.cholesky(view.covariance)) if len(x) >= FEW else None
    for at in range(0, len(x), BLOCK):
        block = np.asarray(x[at : at + BLOCK], np.float64)
        mean[at : at + BLOCK] = block @ view.mean
        if factor is None:
            variance = np.einsum("nd,nd->n", block @ view.covariance, block)
        else:  # |L'x|^2 instead of x'Cx: a triangle is half a product
            along = dtrmm(1.0, factor, block.T, lower=1, trans_a=1)
            variance = np.einsum("dn,dn->n", along, along)
        deviation[at : at + BLOCK] = np.sqrt(np.maximum(variance, LEAST))
    return Seen(x, mean, deviation)


def some(faces: Seen, rows: NDArray[Any] | slice) -> Seen:
    """Some of the rows."""
    return Seen(*(column[rows] for column in faces))


def doubled(faces: Seen) -> Seen:
    """The same rows in double precision, once for many comparisons."""
    return faces._replace(x=np.asarray(faces.x, np.float64))


def middle(faces: Seen, weights: NDArray[Any], view: View) -> Seen:
    """The unit means [m] of rows under weights [m, n], as seen."""
    x = np.asarray(weights @ np.asarray(faces.x, np.float64))
    return seen(x / np.maximum(np.linalg.norm(x, axis=1), LEAST)[:, None], view)


def to_others(faces: Seen, view: View) -> Floats:
    """How alike each of several faces [n] is to the unit mean of the others: paired() of both, without making them.

    All is linear or quadratic in the sum of the faces, so the strangers are looked at once and not for every mean.
    """
    x = np.asarray(faces.x, np.float64)
    total = x.sum(0)
    through = view.covariance @ total
    along, own = x @ total, np.einsum("nd,nd->n", x, x)
    length = np.sqrt(np.maximum(total @ total - 2 * along + own, LEAST))
    variance = (total @ through - 2 * (x @ through) + faces.deviation**2) / length**2
    others = (faces.mean.sum() - faces.mean) / length
    z = ((along - own) / length - others) / np.sqrt(np.maximum(variance, LEAST))
    z += ((along - own) / length - faces.mean) / faces.deviation
    return np.asarray(np.round(0.5 * z, DECIMALS))


def likeness(a: Seen, b: Seen) -> Floats:
    """The likeness [n, m] of n and m faces: their cosines in units of strangers.

    The mean of (c - m) / s over both sides, m and s being mean and deviation of the side's cosines to strangers. A
    centre of several faces is read like a face: its own s is larger, and that is all that differs.
    """
    offset = (0.5 * a.mean / a.deviation)[:, None] + (0.5 * b.mean / b.deviation)[None]
    cosines = np.asarray(a.x, np.float64) @ np.asarray(b.x, np.float64).T
    return np.round(cosines * (0.5 / a.deviation[:, None] + 0.5 / b.deviation[None]) - offset, DECIMALS)


def paired(a: Seen, b: Seen) -> Floats:
    """The likeness [n] of two lists of n faces, row by row."""
    cosines = np.einsum("nd,nd->n", np.asarray(a.x, np.float64), np.asarray(b.x, np.float64))
    z = 0.5 * ((cosines - a.mean) / a.deviation + (cosines - b.mean) / b.deviation)
    return np.asarray(np.round(z, DECIMALS))


def fuse(values: Sequence[NDArray[Any]], weights: Sequence[float]) -> Floats:
    """One likeness from each embedder's, arrays of one shape; strangers keep a deviation of about one."""
    total = np.add.reduce([w * np.asarray(v, np.float64) for w, v in zip(weights, values, strict=True)])
    return np.asarray(np.round(total, DECIMALS))


def views(x: Sequence[NDArray[Any]], calibration: Calibration) -> list[Seen]:
    """The same faces as each embedder sees them; x: for each embedder [n, d] unit rows."""
    return [seen(rows, view) for rows, view in zip(x, calibration.views, strict=True)]


def together(a: Sequence[Seen], b: Sequence[Seen], calibration: Calibration) -> Floats:
    """The likeness [n, m] of n and m faces, seen by each embedder, in the eyes of all."""
    return fuse([likeness(one, two) for one, two in zip(a, b, strict=True)], calibration.weights)


def pairwise(a: Sequence[Seen], i: NDArray[Any], b: Sequence[Seen], j: NDArray[Any]) -> list[Floats]:
    """The likeness [n] of rows i [n] of a and j [n] of b in each embedder's view, in bounded memory."""
    parts = [slice(at, at + BLOCK) for at in range(0, len(i), BLOCK)]
    return [
        np.concatenate([np.empty(0), *(paired(some(one, i[part]), some(two, j[part])) for part in parts)])
        for one, two in zip(a, b, strict=True)
    ]


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
        one, two = one.astype(np.float64), two.astype(np.float64)
        parts = [slice(at, at + BLOCK) for at in range(0, len(i), BLOCK)]
        cosines = [np.einsum("nd,nd->n", one[i[part]], two[j[part]]) for part in parts]
        offset = (one @ mean)[i] + (two @ mean)[j]
        found.append((np.concatenate([np.empty(0), *cosines]) - offset / 2) / usual)
    return fuse(found, calibration.weights)
