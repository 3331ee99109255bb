"""Fits the two-covariance model to the photos themselves, without a label that is known to be right.

Expectation maximisation: the posteriors of the photos give the share of right photos and the mean cosine of two right
photos of an identity, and these give the posteriors again.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.likelihood_ratio.two_covariance import (
    Codes,
    Floats,
    IdentitySums,
    TwoCovariance,
    joined,
    posteriors,
)

ROUNDS = 8  # of expectation and maximisation; on noisy LFW and drawn worlds the parameters change by 1e-6 after them
FACES = 3  # of each identity among which impostor pairs are measured
PRIORS = (0.5, 0.95)  # least and largest share of right photos; with less than a half nothing could be told
BETWEEN = (0.01, 0.9)  # least and largest share of the variance between persons
START = 0.7  # share of right photos with which the fit starts
# part of the genuine pairs' mean cosine that is used: photos of a person vary in how alike they are, so that with the
# mean those that are less alike than most would be noise. Of 0.75 to 1, 0.9 finds most noise of noisy LFW where at most
# 8% of the clean photos are lost
SHRUNK = 0.9


def fit_two_covariance(vectors: Sequence[NDArray[np.floating]], identity: Codes) -> TwoCovariance:
    """The model that fits photos [n], sorted by identity.

    vectors: unit vectors [n, d] of one or more kinds; identity [n]: the codes of the photos' identities.
    """
    spreads = [impostor_deviation(x, identity) for x in vectors]
    inverse = [1 / s for s in spreads]
    weights = tuple(v / sum(inverse) for v in inverse)
    x = joined(list(vectors), weights)
    dims = 1 / impostor_deviation(x, identity) ** 2
    sums = IdentitySums(identity)
    several = sums.photos[sums.number] > 1
    right = np.where(several, START, 0.0)
    prior, between = START, genuine_cosine(x, right, sums)
    for _ in range(ROUNDS):
        model = TwoCovariance(weights, SHRUNK * between, dims, prior)
        right = np.where(several, posteriors(x, sums, model)[1], 0.0)
        prior = float(np.clip(right.sum() / max(1, several.sum()), *PRIORS))
        between = genuine_cosine(x, right, sums)
    return TwoCovariance(weights, SHRUNK * between, dims, prior)


def genuine_cosine(x: Floats, right: Floats, sums: IdentitySums) -> float:
    """The mean cosine of two photos of an identity, weighted by the probabilities [n] that both are right."""
    total, weight = sums.by_identity(right[:, None] * x), sums.by_identity(right)
    cosines = float((total**2).sum() - (right**2).sum())
    pairs = float((weight**2).sum() - (right**2).sum())
    return float(np.clip(cosines / pairs if pairs > 0 else 0.0, *BETWEEN))


def impostor_deviation(x: NDArray[np.floating], identity: Codes) -> float:
    """The standard deviation of the cosines of two faces of different identities; x [n, d]: unit vectors."""
    sums = IdentitySums(identity)
    place = np.arange(len(x)) - sums.starts[sums.number] if len(x) else np.zeros(0, np.int64)
    drawn = np.asarray(x, np.float32)[place < FACES]
    number = sums.number[place < FACES]
    cosines = (drawn @ drawn.T)[number[:, None] < number[None]]
    return max(float(np.std(cosines, dtype=np.float64)), 1e-3) if len(cosines) else 1.0
