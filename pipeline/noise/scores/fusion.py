"""Fuses the scores of several embedders into one, with the weights of a calibration.

The same faces embedded by several embedders are a sequence of FaceVectors, one for each embedder, the better embedder
first. The fused score is the weighted sum; with one embedder it is that embedder's score times its weight.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.basis import CalibrationBasis
from pipeline.noise.scores.far_curve import DECIMALS, FarCurve
from pipeline.noise.scores.score_norm import (
    BLOCK,
    MIN_DIVISOR,
    FaceVectors,
    Floats,
    ImpostorModel,
    impostor_stats,
    row_scores,
    score_matrix,
    take_rows,
)


class Calibration(NamedTuple):
    """What impostor and genuine scores look like on one data set with these embedders (scores/calibrate.py)."""

    impostors: tuple[ImpostorModel, ...]  # for each embedder
    weights: tuple[float, ...]  # of each embedder in the fused score
    far_curves: tuple[FarCurve, ...]  # of each embedder's own score
    fused_curve: FarCurve  # of the fused score
    genuine_mean: float  # of the fused scores of genuine pairs (two photos of one person)
    genuine_deviation: float  # standard deviation of the same
    genuine_share: float  # share of the pairs within identities that are genuine
    basis: CalibrationBasis = CalibrationBasis()  # what it was measured on


def genuine_quantile(calibration: Calibration, share: float) -> float:
    """The fused score that all but this share of the genuine pairs reach: the threshold with this FRR."""
    return round(calibration.genuine_mean + NormalDist().inv_cdf(share) * calibration.genuine_deviation, DECIMALS)


def fuse(scores: Sequence[NDArray[Any]], weights: Sequence[float]) -> Floats:
    """The fused scores: the weighted sum of each embedder's scores, arrays of one shape."""
    total = np.add.reduce([w * np.asarray(z, np.float64) for w, z in zip(weights, scores, strict=True)])
    return np.asarray(np.round(total, DECIMALS))


def all_impostor_stats(x: Sequence[NDArray[Any]], calibration: Calibration) -> list[FaceVectors]:
    """impostor_stats() for each embedder; x: each embedder's unit vectors [n, d] of the same faces."""
    return [impostor_stats(rows, impostors) for rows, impostors in zip(x, calibration.impostors, strict=True)]


def fused_scores(a: Sequence[FaceVectors], b: Sequence[FaceVectors], calibration: Calibration) -> Floats:
    """The fused scores [n, m] of every row of a with every row of b."""
    return fuse([score_matrix(one, two) for one, two in zip(a, b, strict=True)], calibration.weights)


def pair_scores(a: Sequence[FaceVectors], i: NDArray[Any], b: Sequence[FaceVectors], j: NDArray[Any]) -> list[Floats]:
    """For each embedder the scores [n] of rows i [n] of a with rows j [n] of b, computed in bounded memory."""
    blocks = [slice(start, start + BLOCK) for start in range(0, len(i), BLOCK)]
    return [
        np.concatenate(
            [np.empty(0), *(row_scores(take_rows(one, i[rows]), take_rows(two, j[rows])) for rows in blocks)]
        )
        for one, two in zip(a, b, strict=True)
    ]


def mean_photo_scores(
    a: Sequence[NDArray[Any]], i: NDArray[Any], b: Sequence[NDArray[Any]], j: NDArray[Any], calibration: Calibration
) -> Floats:
    """The mean fused score [n] over all pairs of a photo of person i [n] with a photo of person j [n].

    a and b: for each embedder a row for each person: the mean [d] of its photos' unit vectors, not normalised again, so
    that the inner product of two means is the mean cosine over all pairs of photos. All photos of a person are taken to
    have the impostor deviation that photo_deviations() gives.
    """
    scores = []
    for one, two, impostors in zip(a, b, calibration.impostors, strict=True):
        one, two = one.astype(np.float64), two.astype(np.float64)
        slope, offset = np.zeros(len(i)), np.zeros(len(i))
        for means, rows in ((one, i), (two, j)):
            deviation = photo_deviations(means, impostors)
            slope += (0.5 / deviation)[rows]
            offset += (0.5 * (means @ impostors.mean) / deviation)[rows]
        blocks = [slice(start, start + BLOCK) for start in range(0, len(i), BLOCK)]
        cosines = [np.einsum("nd,nd->n", one[i[rows]], two[j[rows]]) for rows in blocks]
        scores.append(np.concatenate([np.empty(0), *cosines]) * slope - offset + impostors.shift)
    return fuse(scores, calibration.weights)


def photo_deviations(means: Floats, impostors: ImpostorModel) -> Floats:
    """The root mean square [n] of the impostor deviations of a person's photos, for n persons.

    means [n, d]: of the photos' unit vectors; of a single photo its vector, for which the result is exact. The photos'
    differences from their mean have the mean square 1 - |mean|^2, and are taken to lie evenly in all directions. Not
    taken from the covariance alone: of few identities its trace is not that of unit vectors (few_identities.py).
    """
    variance = np.einsum("nd,nd->n", means @ impostors.covariance, means)
    scatter = np.maximum(1 - np.einsum("nd,nd->n", means, means), 0)
    variance += scatter * (np.trace(impostors.covariance) / means.shape[1])
    return np.asarray(np.sqrt(np.maximum(variance, MIN_DIVISOR)))
