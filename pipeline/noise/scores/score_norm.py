"""Scores: cosines normalised by what each face's cosines to impostors look like (symmetric normalisation, s-norm).

A raw cosine means little, for impostor cosines differ between models, photos and groups of people. So a score is the
cosine in units of the two faces' impostor cosines (s-norm, Kenny 2010: there with a list of impostors, here with their
mean and covariance, which give the same two numbers in closed form). All here is of one embedder; see fusion.py.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dtrmm

from pipeline.noise.scores.far_curve import DECIMALS

Floats = NDArray[np.float64]
MIN_DIVISOR = 1e-9  # a vanishing length or variance is taken for this
BLOCK = 2048  # rows worked on at a time: 8 MB of 512 float64, so that the memory is soon used again
FEW_ROWS = 512  # rows for which the covariance is not worth factorising


class ImpostorModel(NamedTuple):
    """What one embedder gives for faces of many people: the mean [d] and covariance [d, d] of their unit vectors."""

    mean: Floats
    covariance: Floats


class FaceVectors(NamedTuple):
    """Unit vectors [n, d] of faces or of centres of faces, of any float type, by one embedder.

    With mean and standard deviation [n] of each one's cosines to impostors.
    """

    x: NDArray[Any]
    impostor_mean: Floats
    impostor_deviation: Floats


def impostor_stats(x: NDArray[Any], impostors: ImpostorModel) -> FaceVectors:
    """Unit vectors x [n, d] with mean and deviation of their cosines to impostors, computed in bounded memory."""
    mean, deviation = np.empty(len(x)), np.empty(len(x))
    factor = np.asfortranarray(np.linalg.cholesky(impostors.covariance)) if len(x) >= FEW_ROWS else None
    for start in range(0, len(x), BLOCK):
        block = np.asarray(x[start : start + BLOCK], np.float64)
        mean[start : start + BLOCK] = block @ impostors.mean
        if factor is None:
            variance = np.einsum("nd,nd->n", block @ impostors.covariance, block)
        else:  # |L'x|^2 instead of x'Cx: a triangle is half a product
            projected = dtrmm(1.0, factor, block.T, lower=1, trans_a=1)
            variance = np.einsum("dn,dn->n", projected, projected)
        deviation[start : start + BLOCK] = np.sqrt(np.maximum(variance, MIN_DIVISOR))
    return FaceVectors(x, mean, deviation)


def take(faces: FaceVectors, rows: NDArray[Any] | slice) -> FaceVectors:
    """Some of the rows."""
    return FaceVectors(*(column[rows] for column in faces))


def as_double(faces: FaceVectors) -> FaceVectors:
    """The same rows in double precision: converted once for many comparisons."""
    return faces._replace(x=np.asarray(faces.x, np.float64))


def weighted_means(faces: FaceVectors, weights: NDArray[Any], impostors: ImpostorModel) -> FaceVectors:
    """The means [m] of the rows under weights [m, n], made unit vectors, with their own impostor statistics."""
    x = np.asarray(weights @ np.asarray(faces.x, np.float64))
    return impostor_stats(x / np.maximum(np.linalg.norm(x, axis=1), MIN_DIVISOR)[:, None], impostors)


def score_matrix(a: FaceVectors, b: FaceVectors) -> Floats:
    """The scores [n, m] of every row of a with every row of b.

    The mean of (cosine - mean) / deviation over both sides, with each side's impostor statistics. A centre of several
    faces is scored like a face: its impostor cosines deviate more, and that is all that differs.
    """
    offset = (0.5 * a.impostor_mean / a.impostor_deviation)[:, None]
    offset = offset + (0.5 * b.impostor_mean / b.impostor_deviation)[None]
    cosines = np.asarray(a.x, np.float64) @ np.asarray(b.x, np.float64).T
    slope = 0.5 / a.impostor_deviation[:, None] + 0.5 / b.impostor_deviation[None]
    return np.round(cosines * slope - offset, DECIMALS)


def row_scores(a: FaceVectors, b: FaceVectors) -> Floats:
    """The scores [n] of row i of a with row i of b."""
    cosines = np.einsum("nd,nd->n", np.asarray(a.x, np.float64), np.asarray(b.x, np.float64))
    z = (cosines - a.impostor_mean) / a.impostor_deviation + (cosines - b.impostor_mean) / b.impostor_deviation
    return np.asarray(np.round(0.5 * z, DECIMALS))


def leave_one_out_scores(faces: FaceVectors, impostors: ImpostorModel) -> Floats:
    """The score of each face [n] with the unit mean of the other faces: row_scores() of both, without making the means.

    All is linear or quadratic in the sum of the faces, so the covariance is multiplied once and not for every mean.
    """
    x = np.asarray(faces.x, np.float64)
    total = x.sum(0)
    through = impostors.covariance @ total
    along, own = x @ total, np.einsum("nd,nd->n", x, x)
    length = np.sqrt(np.maximum(total @ total - 2 * along + own, MIN_DIVISOR))
    variance = (total @ through - 2 * (x @ through) + faces.impostor_deviation**2) / length**2
    others_mean = (faces.impostor_mean.sum() - faces.impostor_mean) / length
    z = ((along - own) / length - others_mean) / np.sqrt(np.maximum(variance, MIN_DIVISOR))
    z += ((along - own) / length - faces.impostor_mean) / faces.impostor_deviation
    return np.asarray(np.round(0.5 * z, DECIMALS))
