"""Estimates the scores of genuine pairs (two photos of one person) from labels that are partly wrong.

The pairs within identities are a mixture of genuine pairs and, where a label is wrong, impostor pairs. The distribution
of impostor pairs is known from the pairs across identities. So a mixture of two normal distributions is fitted, of
which that of the impostor pairs is fixed.
"""

from typing import NamedTuple

import numpy as np

from pipeline.noise.scores.far_curve import FEW_PAIRS
from pipeline.noise.scores.score_norm import Floats

FEW_WITHIN = 100  # with fewer pairs within identities nothing is fitted
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
    standard deviation of one. With few pairs the weights are equal, and the distribution is a fixed guess.
    """
    embedders = within.shape[1]
    if impostors.n < FEW_PAIRS or len(within) < FEW_WITHIN:
        return GenuinePairs(tuple(round(1 / embedders, 6) for _ in range(embedders)), 6.0, 1.5, 0.5)
    mean0, cov0 = impostors.mean, impostors.covariance + RIDGE * np.eye(embedders)
    mean1, cov1, share = _fit_mixture(within, mean0, cov0)
    weights = np.maximum(np.linalg.solve((cov0 + cov1) / 2, mean1 - mean0), 0.0)
    weights /= np.sqrt(weights @ cov0 @ weights)
    return GenuinePairs(
        tuple(round(float(w), 6) for w in weights),
        round(float(weights @ mean1), 6),
        round(float(np.sqrt(weights @ cov1 @ weights)), 6),
        round(share, 6),
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
