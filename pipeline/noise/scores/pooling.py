"""The calibration of one group of people, by partial pooling with that of the whole population.

An embedder may place the people of one group closer together than those of another, so that one threshold has another
false accept rate in each group. Here the scores within a group are normalised by the group's own impostors, and moved
and scaled until the FAR curve of the whole population holds in the group, too: a score then means the same FAR in every
group, and one threshold serves all. The fused score of two embedders follows as far as their scores correlate in the
group as they do in the population. (Normalisation by a cohort of the same group: Terhörst et al. 2020,
"Post-comparison mitigation of demographic bias in face recognition using fair score normalization".)
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.calibrate import PRIOR, highest_scores, summarise_pairs, without_own_identity
from pipeline.noise.scores.far_curve import DECIMALS, FarCurve, far_quantiles, fit_line
from pipeline.noise.scores.few_identities import PRIOR_PAIRS
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.genuine_pairs import FEW_WITHIN, MIN_WITHIN, genuine_distribution
from pipeline.noise.scores.score_norm import FaceVectors, Floats, ImpostorModel, as_double, impostor_stats

OWN_WEIGHT = 0.9  # from which a group is said to have thresholds of its own: 1,800 pairs of persons, those of 61
# limits of what the scores of a group are multiplied by: beyond, the sample is no group
MIN_SCALE, MAX_SCALE = 0.2, 5.0
ROUNDS = 8  # of fitting the group's line with the curvature that follows from its scale: exact to 1e-4 from 0.4 to 2


class PooledGroup(NamedTuple):
    """The calibration of a group, and how far it is the group's own: 0 (that of the whole population) to 1."""

    impostors: tuple[ImpostorModel, ...]  # for each embedder
    genuine_mean: float
    genuine_deviation: float
    weight: float  # of the group's own impostor pairs
    genuine_weight: float  # of its own genuine pairs
    identities: int  # in the sample
    faces: int
    impostor_pairs: int  # of faces
    genuine_pairs: int  # of faces that claim one identity; wrong ones among them

    @property
    def is_own(self) -> bool:
        """Whether the group has enough pairs for thresholds of its own."""
        return self.weight >= OWN_WEIGHT

    def applied(self, whole: Calibration) -> Calibration:
        """The calibration by which faces of the group are scored; whole: that of the whole population."""
        return whole._replace(
            impostors=self.impostors, genuine_mean=self.genuine_mean, genuine_deviation=self.genuine_deviation
        )


def pooled_weight(pairs: float, prior_pairs: float = PRIOR_PAIRS) -> float:
    """The weight n / (n + k) of what was measured on n = `pairs` pairs, the rest being the whole population's.

    The estimate w y + (1 - w) m, with the group's own value y and the population's m, is that of a multilevel model
    (Gelman and Hill 2006, Data Analysis Using Regression and Multilevel/Hierarchical Models, equation 12.1; Efron and
    Morris 1975): k is the variance of a single pair's value over the variance between groups. k is 200 pairs of
    persons, those of 20 persons, the weight with which few identities are shrunk to an assumption (few_identities.py).
    """
    return pairs / (pairs + prior_pairs)


def unpooled(whole: Calibration, *, identities: int, faces: int) -> PooledGroup:
    """The calibration of a group that has no pair of its own: that of the whole population."""
    return PooledGroup(whole.impostors, whole.genuine_mean, whole.genuine_deviation, 0.0, 0.0, identities, faces, 0, 0)


def pool_group(x: Sequence[NDArray[Any]], *, identity: NDArray[Any], whole: Calibration) -> PooledGroup:
    """The calibration of a group of people, measured on n faces of them and pooled with that of the whole population.

    x: for each embedder unit rows [n, d] of the same faces; identity [n]: the number of each face's identity; whole:
    the calibration of the whole population. The impostor model is pooled by the number of faces, with the weight that
    the uniform sphere has in the population's (calibrate.PRIOR faces a dimension), the FAR curve by the number of pairs
    of identities, and the genuine pairs by theirs: see pooled_weight(). Without two impostor pairs it is the whole's.
    """
    identities, counts = np.unique(identity, return_counts=True)
    pairs = (len(identity) ** 2 - int((counts**2).sum())) // 2
    if pairs < 2:
        return unpooled(whole, identities=len(identities), faces=len(identity))
    weight = pooled_weight(len(identities) * (len(identities) - 1) / 2)
    models, faces = [], []
    for rows, of_whole, curve in zip(x, whole.impostors, whole.far_curves, strict=True):
        model = _pooled_model(rows, of_whole)
        own = without_own_identity(as_double(impostor_stats(rows, model)), identity)
        quantiles = far_quantiles(highest_scores([own], identity, pairs, np.ones(1)), pairs)
        scale, shift = _onto_curve(quantiles, curve, weight)
        models.append(_moved_model(model, scale, shift))
        faces.append(_moved_faces(own, scale, shift))
    impostors, within = summarise_pairs(faces, identity)
    genuine_weight = pooled_weight(len(within), FEW_WITHIN) if len(within) >= MIN_WITHIN else 0.0
    mean, deviation = whole.genuine_mean, whole.genuine_deviation
    if genuine_weight:
        own_mean, own_deviation = genuine_distribution(impostors, within, np.array(whole.weights))
        mean = round(_pooled(mean, own_mean, genuine_weight), DECIMALS)
        deviation = round(_pooled(deviation, own_deviation, genuine_weight), DECIMALS)
    sample = len(identities), len(identity), pairs, len(within)
    return PooledGroup(
        tuple(models), mean, deviation, round(weight, DECIMALS), round(genuine_weight, DECIMALS), *sample
    )


def _pooled_model(x: NDArray[Any], whole: ImpostorModel) -> ImpostorModel:
    """Mean and covariance of unit rows x [n, d], shrunk towards those of the whole population."""
    n, prior = len(x), PRIOR * x.shape[1]
    x = np.asarray(x, np.float64)
    mean = (x.sum(0) + prior * whole.mean) / (n + prior)
    second = x.T @ x + prior * (whole.covariance + np.outer(whole.mean, whole.mean))
    return ImpostorModel(mean, second / (n + prior) - np.outer(mean, mean))


def _onto_curve(quantiles: Floats, curve: FarCurve, weight: float) -> tuple[float, float]:
    """The factor and the shift with which the group's impostor scores follow the population's FAR curve.

    quantiles: the group's scores at FARS; weight: of the group's own line through them. The curvature of the moved
    scores is the population's, because a group's own takes far more pairs to measure.
    """
    scale, a = 1.0, curve.a
    for _ in range(ROUNDS):
        line = fit_line(quantiles, curve.c / scale)
        a, b = (_pooled(of_whole, own, weight) for of_whole, own in zip(curve, line, strict=False))
        scale = float(np.clip(curve.b / max(b, 1e-6), MIN_SCALE, MAX_SCALE))
    return scale, round(curve.a - a * scale, DECIMALS)


def _moved_model(model: ImpostorModel, scale: float, shift: float) -> ImpostorModel:
    """The model whose scores are `scale` times those of a model without a shift, plus the shift."""
    return ImpostorModel(np.round(model.mean, 9), np.round(model.covariance / scale**2, 9), shift)


def _moved_faces(faces: FaceVectors, scale: float, shift: float) -> FaceVectors:
    """The faces as _moved_model() would have them."""
    deviation = faces.impostor_deviation / scale
    return FaceVectors(faces.x, faces.impostor_mean - shift * deviation, deviation)


def _pooled(of_whole: float, own: float, weight: float) -> float:
    return weight * own + (1 - weight) * of_whole
