"""Estimates the scores of genuine pairs (two photos of one person) from labels that are partly wrong.

The pairs within identities are a mixture of genuine pairs and, where a label is wrong, impostor pairs. The distribution
of impostor pairs is known from the pairs across identities. So a mixture of two normal distributions is fitted, of
which that of the impostor pairs is fixed.
"""

from typing import NamedTuple

import numpy as np

from pipeline.noise.scores.score_norm import Floats

FEW_WITHIN = 100  # with fewer pairs within identities the weights of the embedders are partly assumed
MIN_WITHIN = 30  # with fewer, nothing is fitted
PRIOR_IDENTITIES = 10.0  # weight, in identities, of the assumed distribution of genuine pairs
ASSUMED_MEAN, ASSUMED_DEVIATION, ASSUMED_SHARE = 6.0, 1.5, 0.5  # of the fused score of genuine pairs, and their share
SECOND_WEIGHT = 0.5  # assumed weight of the second embedder beside that of the first, which is the better one
RIDGE = 1e-3  # added to variances: two embedders may be the same model, which makes the covariance singular
TOP = 0.7  # the fit starts with the pairs whose summed score is above this quantile
ROUNDS = 60  # of expectation maximisation


class ImpostorPairs(NamedTuple):
    """Number of impostor pairs, and mean [e] and covariance [e, e] of their scores by e embedders."""

    n: int
    mean: Floats
    covariance: Floats


class GenuinePairs(NamedTuple):
    """Weights of the embedders, and the distribution of the fused score of genuine pairs: see fusion.Calibration."""

    weights: tuple[float, ...]
    mean: float
    deviation: float
    share: float


def fit_genuine_pairs(impostors: ImpostorPairs, within: Floats) -> GenuinePairs:
    """Weights of the embedders by Fisher's discriminant, and the genuine pairs' distribution.

    within: the scores [m, e] of the pairs within identities. Weights are scaled so that fused impostor scores have a
    standard deviation of one. With few pairs see fit_few_genuine_pairs().
    """
    if len(within) < FEW_WITHIN:
        return fit_few_genuine_pairs(impostors, within, identities=0)
    cov0 = impostors.covariance + RIDGE * np.eye(within.shape[1])
    mean1, cov1, share = _fit_mixture(within, impostors.mean, cov0)
    weights = _unit_deviation(_fisher_weights(impostors.mean, cov0, mean1, cov1), cov0)
    mean, deviation = float(weights @ mean1), float(np.sqrt(weights @ cov1 @ weights))
    return _rounded(weights, mean, deviation, share)


def genuine_distribution(impostors: ImpostorPairs, within: Floats, weights: Floats) -> tuple[float, float]:
    """Mean and deviation of the fused scores of genuine pairs, with given weights [e] of the embedders.

    within: the scores [m, e] of at least MIN_WITHIN pairs within identities.
    """
    mean1, cov1, _ = _fit_mixture(within, impostors.mean, impostors.covariance + RIDGE * np.eye(within.shape[1]))
    return float(weights @ mean1), float(np.sqrt(weights @ cov1 @ weights))


def fit_few_genuine_pairs(impostors: ImpostorPairs, within: Floats, *, identities: int) -> GenuinePairs:
    """The same where there are few identities or few pairs within them: fitted values are shrunk towards assumptions.

    identities: the number that the pairs within identities come from.
    """
    embedders = within.shape[1]
    cov0 = impostors.covariance + RIDGE * np.eye(embedders)
    weights = _unit_deviation(np.array([1.0] + [SECOND_WEIGHT] * (embedders - 1)), cov0)
    if len(within) < MIN_WITHIN:
        return _rounded(weights, ASSUMED_MEAN, ASSUMED_DEVIATION, ASSUMED_SHARE)
    mean1, cov1, share = _fit_mixture(within, impostors.mean, cov0)
    fitted = _unit_deviation(_fisher_weights(impostors.mean, cov0, mean1, cov1), cov0)
    part = len(within) / (len(within) + FEW_WITHIN)
    weights = _unit_deviation(part * fitted + (1 - part) * weights, cov0)
    part = identities / (identities + PRIOR_IDENTITIES)
    mean = part * float(weights @ mean1) + (1 - part) * ASSUMED_MEAN
    deviation = part * float(np.sqrt(weights @ cov1 @ weights)) + (1 - part) * ASSUMED_DEVIATION
    return _rounded(weights, mean, deviation, part * share + (1 - part) * ASSUMED_SHARE)


def _fisher_weights(mean0: Floats, cov0: Floats, mean1: Floats, cov1: Floats) -> Floats:
    """The weights of the embedders that separate genuine (1) from impostor (0) scores best; none is negative."""
    return np.asarray(np.maximum(np.linalg.solve((cov0 + cov1) / 2, mean1 - mean0), 0.0))


def _unit_deviation(weights: Floats, cov0: Floats) -> Floats:
    """The weights scaled so that fused impostor scores have a standard deviation of one."""
    return np.asarray(weights / np.sqrt(weights @ cov0 @ weights))


def _rounded(weights: Floats, mean: float, deviation: float, share: float) -> GenuinePairs:
    return GenuinePairs(
        tuple(round(float(w), 6) for w in weights), round(mean, 6), round(deviation, 6), round(share, 6)
    )


def _fit_mixture(within: Floats, mean0: Floats, cov0: Floats) -> tuple[Floats, Floats, float]:
    """Mean, covariance and share of the genuine pairs, by expectation maximisation with a fixed impostor part."""
    top = within[within.sum(1) >= np.quantile(within.sum(1), TOP)]
    mean1, cov1, share = top.mean(0), np.atleast_2d(np.cov(top.T)) + np.eye(len(mean0)), 0.5
    for _ in range(ROUNDS):
        odds = np.log(share / (1 - share)) + _log_normal(within, mean1, cov1) - _log_normal(within, mean0, cov0)
        p = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        share = float(np.clip(p.mean(), 0.01, 0.99))
        mean1 = p @ within / p.sum()
        cov1 = (within - mean1).T @ ((within - mean1) * p[:, None]) / p.sum() + RIDGE * np.eye(len(mean0))
    return mean1, cov1, share


def _log_normal(x: Floats, mean: Floats, cov: Floats) -> Floats:
    """The logarithm of the normal density at x [n, e], up to a constant."""
    d = x - mean
    return np.asarray(-0.5 * (np.einsum("ni,ij,nj->n", d, np.linalg.inv(cov), d) + np.linalg.slogdet(cov)[1]))
