"""Scores of one embedder: cosines normalised by the two faces' cosines to impostors (s-norm); fusion.py fuses several.

A raw cosine is hard to interpret, because impostor cosines differ between models, photos and groups of people. The
score is the mean over both faces of (cosine - mean) / deviation, where mean and deviation are those of the face's
cosines to impostors (symmetric normalisation, Kenny 2010). He measures them on a list of impostors; here they follow in
closed form from the mean and covariance of the impostors' vectors.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dtrmm

from pipeline.noise.scores.far_curve import DECIMALS

Floats = NDArray[np.float64]
MIN_DIVISOR = 1e-9  # replaces smaller lengths and variances
BLOCK = 2048  # rows computed at a time: 8 MB of 512 float64, a block of memory that is reused quickly
FEW_ROWS = 512  # for fewer rows, factorising the covariance takes longer than it saves


class ImpostorModel(NamedTuple):
    """Mean [d] and covariance [d, d] of one embedder's unit vectors of many people's faces.

    shift: is added to all scores; it brings those of one group of people to the FAR curve of all (scores/pooling.py).
    """

    mean: Floats
    covariance: Floats
    shift: float = 0.0


class FaceVectors(NamedTuple):
    """One embedder's unit vectors [n, d] of n faces (or centres of faces), of any float type.

    impostor_mean, impostor_deviation [n]: mean and standard deviation of each face's cosines to impostors.
    """

    x: NDArray[Any]
    impostor_mean: Floats
    impostor_deviation: Floats


def impostor_stats(x: NDArray[Any], impostors: ImpostorModel) -> FaceVectors:
    """Unit vectors x [n, d] with mean and deviation of their cosines to impostors; computed in blocks."""
    mean, deviation = np.empty(len(x)), np.empty(len(x))
    factor = np.asfortranarray(np.linalg.cholesky(impostors.covariance)) if len(x) >= FEW_ROWS else None
    for start in range(0, len(x), BLOCK):
        block = np.asarray(x[start : start + BLOCK], np.float64)
        mean[start : start + BLOCK] = block @ impostors.mean
        if factor is None:
            variance = np.einsum("nd,nd->n", block @ impostors.covariance, block)
        else:  # |L'x|^2 instead of x'Cx: the triangular product takes half the time
            projected = dtrmm(1.0, factor, block.T, lower=1, trans_a=1)
            variance = np.einsum("dn,dn->n", projected, projected)
        deviation[start : start + BLOCK] = np.sqrt(np.maximum(variance, MIN_DIVISOR))
    if impostors.shift:  # (cosine - mean) / deviation rises by the shift
        mean -= impostors.shift * deviation
    return FaceVectors(x, mean, deviation)


def take_rows(faces: FaceVectors, rows: NDArray[Any] | slice) -> FaceVectors:
    """The faces in these rows."""
    return FaceVectors(*(column[rows] for column in faces))


def as_double(faces: FaceVectors) -> FaceVectors:
    """The same faces in double precision, converted once for many comparisons."""
    return faces._replace(x=np.asarray(faces.x, np.float64))


def weighted_means(faces: FaceVectors, weights: NDArray[Any], impostors: ImpostorModel) -> FaceVectors:
    """The m weighted means of the n faces, weights [m, n], as unit vectors with their impostor statistics."""
    x = np.asarray(weights @ np.asarray(faces.x, np.float64))
    return impostor_stats(x / np.maximum(np.linalg.norm(x, axis=1), MIN_DIVISOR)[:, None], impostors)


def score_matrix(a: FaceVectors, b: FaceVectors) -> Floats:
    """The scores [n, m] of every row of a with every row of b.

    A centre of several faces is scored like a face; its impostor cosines just have a larger deviation.
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
    """The score [n] of each face with the normalised mean of all other faces.

    It equals row_scores() with the n means, but these are not computed: each is the sum of all faces less one face, so
    one product with the covariance is enough.
    """
    x = np.asarray(faces.x, np.float64)
    total = x.sum(0)
    with_total, squared = x @ total, np.einsum("nd,nd->n", x, x)  # products with the sum of all faces, and with itself
    length = np.sqrt(np.maximum(total @ total - 2 * with_total + squared, MIN_DIVISOR))
    total_covariance = impostors.covariance @ total
    variance = (total @ total_covariance - 2 * (x @ total_covariance) + faces.impostor_deviation**2) / length**2
    means = faces.impostor_mean
    if impostors.shift:  # the means without it: only these add up to the mean of the sum
        means = means + impostors.shift * faces.impostor_deviation
    others_mean = (means.sum() - means) / length
    cosines = (with_total - squared) / length  # of each face with the mean of the others
    z = (cosines - others_mean) / np.sqrt(np.maximum(variance, MIN_DIVISOR))
    if impostors.shift:
        z += impostors.shift
    z += (cosines - faces.impostor_mean) / faces.impostor_deviation
    return np.asarray(np.round(0.5 * z, DECIMALS))
