"""Scores of several embedders as one, by the weights and the curves that a calibration holds.

A vector that several embedders made of the same faces is a sequence of FaceVectors, one for each embedder, the better
one first. The fused score is the weighted sum; with one embedder it is that embedder's score times its weight.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.far_curve import DECIMALS, FarCurve
from pipeline.noise.scores.score_norm import (
    BLOCK,
    FaceVectors,
    Floats,
    ImpostorModel,
    impostor_stats,
    row_scores,
    score_matrix,
    take,
)


class Calibration(NamedTuple):
    """How scores are to be read on one data set: measured by noise/calibration.py.

    For each embedder an impostor model, a weight and a FAR curve; the FAR curve of the fused score; and mean and
    standard deviation of the fused score of genuine pairs (two photos of one person), with the share of the pairs
    within an identity that are genuine.
    """

    impostors: tuple[ImpostorModel, ...]
    weights: tuple[float, ...]
    far_curves: tuple[FarCurve, ...]
    fused_curve: FarCurve
    genuine_mean: float
    genuine_deviation: float
    genuine_share: float


def genuine_quantile(calibration: Calibration, share: float) -> float:
    """The fused score that all but a share of the genuine pairs reach."""
    return round(calibration.genuine_mean + NormalDist().inv_cdf(share) * calibration.genuine_deviation, DECIMALS)


def fuse(scores: Sequence[NDArray[Any]], weights: Sequence[float]) -> Floats:
    """The fused score of each embedder's scores, arrays of one shape; impostors keep a deviation of about one."""
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
        np.concatenate([np.empty(0), *(row_scores(take(one, i[rows]), take(two, j[rows])) for rows in blocks)])
        for one, two in zip(a, b, strict=True)
    ]


def mean_photo_scores(
    a: Sequence[NDArray[Any]], i: NDArray[Any], b: Sequence[NDArray[Any]], j: NDArray[Any], calibration: Calibration
) -> Floats:
    """The mean fused score [n] of the photos behind row i [n] of a with those behind row j [n] of b.

    a and b: for each embedder the means [., d] of unit vectors, of one photo or of many, not made unit vectors again:
    their inner product is the mean cosine over all pairs. Each photo's impostor cosines are taken to deviate as much as
    those of an average face.
    """
    scores = []
    for one, two, (mean, covariance) in zip(a, b, calibration.impostors, strict=True):
        deviation = np.sqrt((covariance**2).sum() + mean @ covariance @ mean)
        one, two = one.astype(np.float64), two.astype(np.float64)
        blocks = [slice(start, start + BLOCK) for start in range(0, len(i), BLOCK)]
        cosines = [np.einsum("nd,nd->n", one[i[rows]], two[j[rows]]) for rows in blocks]
        offset = (one @ mean)[i] + (two @ mean)[j]
        scores.append((np.concatenate([np.empty(0), *cosines]) - offset / 2) / deviation)
    return fuse(scores, calibration.weights)
