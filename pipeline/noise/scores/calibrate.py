"""Measures a calibration on a sample of faces whose labels may be wrong.

Nearly all pairs of faces from two of many identities are impostor pairs, even with noisy labels, so the FAR curve can
be measured on any data set. Genuine pairs are the higher-scoring part of the pairs within identities
(genuine_pairs.py). Few identities are measured in another way (few_identities.py).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.basis import CalibrationBasis
from pipeline.noise.scores.far_curve import FARS, fit_far_curve, threshold_at_far
from pipeline.noise.scores.few_identities import SPREAD_FAR, calibrate_few_identities
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.genuine_pairs import ImpostorPairs, fit_genuine_pairs
from pipeline.noise.scores.person_pairs import shared_pairs
from pipeline.noise.scores.score_norm import (
    FaceVectors,
    Floats,
    ImpostorModel,
    as_double,
    impostor_stats,
    score_matrix,
    take_rows,
)

# Weight of the prior of an impostor model, in faces a dimension. The prior: impostors lie evenly on the sphere. It
# keeps the weight of each identity low, because the model counts its faces among its own impostors. From 2 to 10 the
# F1 of finding noise on 683 real identities changes by 0.0007.
PRIOR = 5.0
FEW_IDENTITIES = 100  # up to so many are measured as few_identities.py says
# share of the pairs across identities that may show one person: more of them make the FAR curve too high, as its fit
# uses the highest 0.3 to 0.01 of the scores
MAX_SHARED = 0.002
SHARED_IDENTITIES = 400  # of a sample, in which that is counted: 1,200 faces
QUARTERS = 4  # parts of the sample whose thresholds give the spread
ROWS = 128  # faces compared with all others at a time: 4 MB
KEPT = 0.35  # share of the impostor pairs whose scores, the highest ones, are kept to fit the curve


def calibrate(x: Sequence[NDArray[Any]], *, identity: NDArray[Any], is_few: bool | None = None) -> Calibration:
    """The calibration measured on n faces.

    x: for each embedder unit rows [n, d] of the same faces; identity [n]: the number of each face's identity. The
    sample should hold the same small number of faces of each of many identities. Labels may be wrong: only a few in ten
    thousand pairs across identities are genuine. is_few: whether to measure as few identities are; None: by their
    number.
    """
    identities = len(np.unique(identity))
    if is_few or (is_few is None and identities <= FEW_IDENTITIES):
        return calibrate_few_identities(x, identity=identity)
    some = _some_identities(identity)
    if shared_pairs([rows[some] for rows in x], identity[some]) > MAX_SHARED:
        return calibrate_few_identities([rows[some] for rows in x], identity=identity[some])
    models = tuple(impostor_model(rows) for rows in x)
    vectors = [as_double(impostor_stats(rows, model)) for rows, model in zip(x, models, strict=True)]
    faces = [without_own_identity(v, identity) for v in vectors]
    impostors, within = summarise_pairs(faces, identity)
    genuine = fit_genuine_pairs(impostors, within)
    all_weights = np.vstack([np.eye(len(x)), genuine.weights])
    *curves, fused = (fit_far_curve(highest_scores(faces, identity, impostors.n, w), impostors.n) for w in all_weights)
    spread = _spread(faces, identity, np.array(genuine.weights))
    basis = CalibrationBasis(identities, 0, len(identity), identities, impostors.n, spread)
    return Calibration(
        models, genuine.weights, tuple(curves), fused, genuine.mean, genuine.deviation, genuine.share, basis
    )


def _some_identities(identity: NDArray[Any]) -> NDArray[np.intp]:
    """The rows of SHARED_IDENTITIES of the identities [n], scattered: names next to each other may be one person's."""
    numbers = np.unique(identity).astype(np.uint64)
    scattered = numbers * np.uint64(2654435761) % np.uint64(1 << 32)  # Knuth's multiplicative hash, TAOCP 6.4
    return np.flatnonzero(np.isin(identity, numbers[np.argsort(scattered)][:SHARED_IDENTITIES].astype(identity.dtype)))


def _spread(faces: Sequence[FaceVectors], identity: NDArray[Any], weights: Floats) -> float:
    """The standard error of the threshold at SPREAD_FAR: from the thresholds of four quarters of the identities."""
    thresholds = []
    for quarter in range(QUARTERS):
        rows = np.flatnonzero(identity % QUARTERS == quarter)
        part, of = [take_rows(f, rows) for f in faces], identity[rows]
        n = int((of[:, None] != of[None]).sum()) // 2
        thresholds.append(threshold_at_far(fit_far_curve(highest_scores(part, of, n, weights), n), SPREAD_FAR))
    return round(float(np.std(thresholds, ddof=1) / np.sqrt(QUARTERS)), 6)


def impostor_model(x: NDArray[Any]) -> ImpostorModel:
    """Mean and covariance of unit rows x [n, d], shrunk towards those of a uniform sphere (see PRIOR)."""
    n, d = x.shape
    x = np.asarray(x, np.float64)
    mean = x.sum(0) / (n + PRIOR * d)
    second = (x.T @ x + PRIOR * np.eye(d)) / (n + PRIOR * d)
    return ImpostorModel(np.round(mean, 9), np.round(second - np.outer(mean, mean), 9))


def without_own_identity(faces: FaceVectors, identity: NDArray[Any]) -> FaceVectors:
    """The sample's faces with impostor statistics that exclude each face's own identity.

    The impostor model was made from these faces; faces scored later are not in it, so these must not be either.
    """
    sums = np.empty((3, len(identity)))  # sums over the faces of the same identity: number, cosines, squared cosines
    for start in range(0, len(identity), ROWS):
        rows = slice(start, start + ROWS)
        same = identity[rows, None] == identity[None]
        cosines = np.where(same, faces.x[rows] @ faces.x.T, 0.0)
        sums[:, rows] = same.sum(1), cosines.sum(1), (cosines**2).sum(1)
    n, (own_faces, cosines, squares) = len(identity) + PRIOR * faces.x.shape[1], sums
    second = (n * (faces.impostor_deviation**2 + faces.impostor_mean**2) - squares) / (n - own_faces)
    mean = (n * faces.impostor_mean - cosines) / (n - own_faces)
    return faces._replace(impostor_mean=mean, impostor_deviation=np.sqrt(np.maximum(second - mean**2, 1e-9)))


def _pairs(faces: Sequence[FaceVectors], identity: NDArray[Any]) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """The scores of all pairs of faces by each embedder [n, e], and whether they have the same identity [n].

    Computed in blocks, and again for each pass: to keep all scores would take ten times the memory of the rest of the
    stage, and to sort them longer than to compute them again.
    """
    n = len(identity)
    for start in range(0, n, ROWS):
        rows, from_start = slice(start, start + ROWS), slice(start, n)
        later = np.arange(start, n)[None] > np.arange(start, min(start + ROWS, n))[:, None]
        scores = np.stack([score_matrix(take_rows(f, rows), take_rows(f, from_start))[later] for f in faces], 1)
        yield scores, (identity[rows, None] == identity[None, from_start])[later]


def summarise_pairs(faces: Sequence[FaceVectors], identity: NDArray[Any]) -> tuple[ImpostorPairs, Floats]:
    """Number, mean and covariance of the impostor pairs, and the scores [m, e] of the pairs within identities."""
    n, total = 0, np.zeros(len(faces))
    squares: Floats = np.zeros((len(faces), len(faces)))
    within: list[Floats] = [np.empty((0, len(faces)))]
    for scores, same in _pairs(faces, identity):
        impostors = scores[~same]
        n, total = n + len(impostors), total + impostors.sum(0)
        squares = squares + impostors.T @ impostors
        within.append(scores[same])
    mean = total / max(n, 1)
    return ImpostorPairs(n, mean, (squares - n * np.outer(mean, mean)) / max(n - 1, 1)), np.concatenate(within)


def highest_scores(faces: Sequence[FaceVectors], identity: NDArray[Any], n: int, weights: Floats) -> Floats:
    """The highest weighted scores of the n impostor pairs, at least the share FARS[0] of them.

    The lower limit is estimated on the first block; if it leaves too few scores, the pass is repeated with a lower one.
    """
    share = KEPT
    highest = np.empty(n)  # room for all scores; the system gives memory only to the part that is filled
    while True:
        limit, end = -np.inf, 0
        for scores, same in _pairs(faces, identity):
            z = scores[~same] @ weights
            if share < 1 and np.isinf(limit) and len(z):
                limit = float(np.quantile(z, 1 - share))
            upper = z[z >= limit]
            highest[end : end + len(upper)] = upper
            end += len(upper)
        if share == 1 or end > FARS[0] * n + 1:
            return highest[:end]
        share = min(1.0, 1.5 * share)
