"""Measures a calibration on a sample of few identities, with assumptions in place of what they cannot show.

Persons instead of identities are compared (person_pairs.py), twice: the first measurement gives the threshold by which
faces are linked into persons for the second. What is measured is shrunk towards assumptions, the more so the fewer
pairs of persons there are. Everything is computed on all pairs at once, so the sample must be small (1,200 faces).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.linkage import average_linkage
from pipeline.noise.scores.basis import CalibrationBasis
from pipeline.noise.scores.far_curve import FARS, FarCurve, fit_line, fit_quantiles, threshold_at_far
from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.noise.scores.genuine_pairs import GenuinePairs, ImpostorPairs, fit_few_genuine_pairs
from pipeline.noise.scores.person_pairs import PersonPairs, pair_rows, person_pairs, rough_persons
from pipeline.noise.scores.score_norm import FaceVectors, Floats, ImpostorModel, impostor_stats, score_matrix

ROUNDS = 2  # of linking faces into persons and measuring
SAME_PERSON_FAR = 1e-3  # for the mean score over the pairs of two groups of faces that are one person
# weight of the prior of an impostor model, in persons a dimension, as in calibrate.py. With 1 the sample's own faces
# weigh so much that thresholds for other people are 0.3 too low for 12 identities, and 0.8 for 6
PRIOR = 5.0
PRIOR_PAIRS = 200.0  # weight of the assumed curve, in pairs of persons: those of 20 persons
DEVIATION_PAIRS = 50.0  # weight of the least deviation of impostor cosines, likewise
CURVATURE_PAIRS = 1000.0  # weight of its curvature, which only many pairs show
# impostor scores of real faces are nearly normal with a slightly heavier tail: c is 0.03 and 0.04 on noisy_lfw by two
# models. With 0.1 instead of 0.05 more wrong photos are kept and more right ones lost among 3 to 12 of its identities
ASSUMED_CURVE = FarCurve(0.0, 1.0, 0.05)
SPREAD_FAR, SPREAD_GROUPS = 3e-3, 10  # FAR of the threshold whose standard error is given, and groups of persons for it
# standard error of an assumed threshold at SPREAD_FAR: it is 2.7 to 3.3 on noisy_lfw and drawn people by three models
ASSUMED_SPREAD = 0.3


class _Measurement(NamedTuple):
    """Impostor models of all embedders, the sample's faces scored with them, curves, and genuine pairs."""

    models: tuple[ImpostorModel, ...]
    faces: list[FaceVectors]
    curves: tuple[FarCurve, ...]
    fused: FarCurve
    genuine: GenuinePairs
    spread: float


def calibrate_few_identities(x: Sequence[NDArray[Any]], *, identity: NDArray[Any]) -> Calibration:
    """The calibration measured on n faces of few identities; labels may be wrong in any way.

    x: for each embedder unit rows [n, d] of the same faces; identity [n]: the number of each face's identity. Two
    identities may be one person, and one may hold several.
    """
    x = [np.asarray(rows, np.float64) for rows in x]
    if len(identity) < 2:
        return _assumed(x, identity)
    person = rough_persons(x, identity)
    for _ in range(ROUNDS):
        pairs = person_pairs(person, identity)
        measured = _measure(x, identity, pairs, person)
        scores = fuse([score_matrix(f, f) for f in measured.faces], measured.genuine.weights)
        person = average_linkage(scores, threshold_at_far(measured.fused, SAME_PERSON_FAR))
    models, _, curves, fused, genuine, spread = measured
    basis = CalibrationBasis(
        identities=len(np.unique(identity)),
        faces=len(identity),
        persons=pairs.persons,
        impostor_pairs=int(pairs.impostor.sum()),
        spread=round(spread, 6),
        assumed=round(PRIOR_PAIRS / (PRIOR_PAIRS + pairs.person_pairs), 6),
    )
    return Calibration(models, genuine.weights, curves, fused, genuine.mean, genuine.deviation, genuine.share, basis)


def _assumed(x: Sequence[Floats], identity: NDArray[Any]) -> Calibration:
    """The calibration of a sample without any pair: nothing but assumptions."""
    d = [rows.shape[1] for rows in x]
    models = tuple(ImpostorModel(np.zeros(n), np.eye(n) / n) for n in d)
    none = np.empty((0, len(x)))
    genuine = fit_few_genuine_pairs(ImpostorPairs(0, np.zeros(len(x)), np.eye(len(x))), none, identities=0)
    curves = tuple(ASSUMED_CURVE for _ in x)
    basis = CalibrationBasis(
        identities=len(identity), faces=len(identity), persons=len(identity), spread=ASSUMED_SPREAD, assumed=1.0
    )
    return Calibration(
        models, genuine.weights, curves, ASSUMED_CURVE, genuine.mean, genuine.deviation, genuine.share, basis
    )


def _measure(x: Sequence[Floats], identity: NDArray[Any], pairs: PersonPairs, person: NDArray[Any]) -> _Measurement:
    """What is measured on the pairs of persons [m]; person [n]: of each face."""
    i, j = pair_rows(len(identity))
    weight = pairs.weight[pairs.impostor]
    _, group, faces_of = np.unique(person, return_inverse=True, return_counts=True)
    models = tuple(
        _impostor_model(rows, 1.0 / faces_of[group], (rows @ rows.T)[i, j][pairs.impostor], weight) for rows in x
    )
    faces = [impostor_stats(rows, model) for rows, model in zip(x, models, strict=True)]
    scores = np.stack([score_matrix(f, f)[i, j] for f in faces], 1)
    impostors = scores[pairs.impostor]
    genuine = fit_few_genuine_pairs(
        _summary(impostors, weight), scores[pairs.within], identities=len(np.unique(identity[i[pairs.within]]))
    )
    curves = tuple(_curve(impostors[:, e], weight) for e in range(len(x)))
    fused = impostors @ np.array(genuine.weights)
    rows = group[i[pairs.impostor]], group[j[pairs.impostor]]
    return _Measurement(models, faces, curves, _curve(fused, weight), genuine, _spread(fused, weight, rows))


def _impostor_model(x: Floats, weight: Floats, cosines: Floats, pair_weight: Floats) -> ImpostorModel:
    """Mean and covariance of unit rows x [n, d] with a weight each [n], shrunk towards a round distribution.

    Its deviation is that of the impostor cosines [m] of these faces, where there are few pairs at least that of a
    uniform sphere: few faces show the size of the distribution, not its shape. So scores have a deviation near one.
    """
    d, prior, sphere = x.shape[1], PRIOR * x.shape[1], 1.0 / x.shape[1]
    n = float(pair_weight.sum())
    centre = float(pair_weight @ cosines) / max(n, 1e-9)
    variance = float(pair_weight @ (cosines - centre) ** 2) / max(n, 1e-9)
    variance = (n * variance + DEVIATION_PAIRS * max(variance, sphere)) / (n + DEVIATION_PAIRS)
    mean = (weight @ x) / (weight.sum() + prior)
    second = ((x * weight[:, None]).T @ x + prior * variance * np.eye(d)) / (weight.sum() + prior)
    return ImpostorModel(np.round(mean, 9), np.round(second - np.outer(mean, mean), 9))


def _summary(scores: Floats, weight: Floats) -> ImpostorPairs:
    """Mean and covariance of impostor scores [m, e] with a weight each [m]."""
    if not len(scores):
        return ImpostorPairs(0, np.zeros(scores.shape[1]), np.eye(scores.shape[1]))
    mean = weight @ scores / weight.sum()
    return ImpostorPairs(len(scores), mean, ((scores - mean) * weight[:, None]).T @ (scores - mean) / weight.sum())


def _curve(scores: Floats, weight: Floats) -> FarCurve:
    """The curve of impostor scores [m] with a weight each [m], shrunk towards ASSUMED_CURVE."""
    pairs = float(weight.sum())
    if pairs <= 0:
        return ASSUMED_CURVE
    order = np.argsort(scores, kind="stable")
    return _shrunk(_quantiles(scores[order], weight[order]), pairs)


def _shrunk(quantiles: Floats, pairs: float) -> FarCurve:
    """The curve through the scores at FARS, as far as so many pairs show it; its curvature is shrunk, too."""
    c = _towards(ASSUMED_CURVE.c, fit_quantiles(quantiles).c, pairs / CURVATURE_PAIRS)
    line = fit_line(quantiles, c)
    a, b = (_towards(p, m, pairs / PRIOR_PAIRS) for p, m in zip(ASSUMED_CURVE, line, strict=False))
    return FarCurve(round(a, 6), round(b, 6), round(c, 6))


def _towards(prior: float, measured: float, weight: float) -> float:
    """The mean of an assumed value, of weight 1, and a measured one of this weight."""
    return (prior + weight * measured) / (1 + weight)


def _quantiles(scores: Floats, weight: Floats) -> Floats:
    """The weighted quantiles 1 - FARS of sorted scores [m]."""
    total = np.cumsum(weight)
    return np.asarray(np.interp(1 - FARS, (total - weight / 2) / total[-1], scores))


def _spread(scores: Floats, weight: Floats, persons: tuple[NDArray[Any], NDArray[Any]]) -> float:
    """The standard error of the threshold at SPREAD_FAR: by the jackknife over groups of persons, and the assumption's.

    scores, weight [m]: of the impostor pairs; persons: the numbers of the two persons of each [m].
    """
    assumed = PRIOR_PAIRS / (PRIOR_PAIRS + float(weight.sum())) * ASSUMED_SPREAD
    order = np.argsort(scores, kind="stable")
    scores, weight = scores[order], weight[order]
    one, two = (number[order] % SPREAD_GROUPS for number in persons)
    left = []
    for group in range(SPREAD_GROUPS):
        rest = (one != group) & (two != group)
        if (pairs := float(weight[rest].sum())) > 0:
            curve = _shrunk(_quantiles(scores[rest], weight[rest]), pairs)
            left.append(threshold_at_far(curve, SPREAD_FAR))
    measured = float(np.std(left) * np.sqrt(len(left) - 1)) if left else 0.0
    return float(np.hypot(measured, assumed))
