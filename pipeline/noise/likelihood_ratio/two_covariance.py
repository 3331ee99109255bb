"""The two-covariance model: how much likelier a photo is if it shows the person of its identity than if it does not.

A unit vector is a person's mean plus the photo's own deviation, both normal and isotropic in so many dimensions. The
other photos of the identity tell where its person's mean lies, each as far as it shows that person itself. This is
PLDA (Prince and Elder 2007) or joint Bayesian (Chen et al. 2012) with a single number in place of each covariance:
noisy photos of few people do not determine more. All sums are over the photos of one identity, so that a photo's
result depends on no other identity and not on the shard that it is in.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

ROUNDS = 8  # in which the photos' posteriors are computed from each other's; further ones change few of them
DAMPING = 0.5  # share of the posterior of the round before that is kept, so that two photos do not swing
LARGEST = 30.0  # log odds beyond which a posterior is 0 or 1


class TwoCovariance(NamedTuple):
    """The parameters of the model."""

    weights: tuple[float, ...]  # of each kind of vector's cosine in the cosine of the joined vector; their sum is 1
    between: float  # share of the variance that is between persons: the cosine of a genuine pair
    dims: float  # dimensions in which the vectors vary: 1 / the variance of impostor pairs' cosines
    prior: float  # share of photos that show the person of their identity


class IdentitySums:
    """The sums over the photos of each identity; photos [n] come sorted by identity, whose codes [n] are given."""

    def __init__(self, identity: Codes) -> None:
        edges = np.flatnonzero(np.diff(identity, prepend=-1))
        self.starts = edges
        self.number = np.repeat(np.arange(len(edges)), np.diff(np.append(edges, len(identity))))
        self.photos = np.diff(np.append(edges, len(identity)))

    def of(self, values: Floats) -> Floats:
        """For each photo the sum [n, ...] of values [n, ...] over the photos of its identity."""
        return self.by_identity(values)[self.number]

    def by_identity(self, values: Floats) -> Floats:
        """For each identity the sum of values [n, ...] over its photos."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=0)) if len(values) else values


def joined(vectors: list[NDArray[np.floating]], weights: tuple[float, ...]) -> Floats:
    """The joined vectors [n, d1 + d2 + ...] whose cosine is the weighted sum of the cosines of unit vectors [n, d]."""
    return np.concatenate([np.sqrt(w) * np.asarray(x, np.float64) for x, w in zip(vectors, weights, strict=True)], 1)


def posteriors(x: Floats, sums: IdentitySums, model: TwoCovariance) -> tuple[Floats, Floats]:
    """The log likelihood ratio [n] and the posterior [n], the probability that a photo shows its identity's person.

    x [n, d]: joined unit vectors, sorted by identity. An identity's only photo has nothing to be compared with: its
    ratio is 0.
    """
    weight: Floats = np.full(len(x), model.prior)
    ratio: Floats = np.zeros(len(x))
    posterior = weight
    for _ in range(ROUNDS):
        ratio = log_likelihood_ratios(x, weight, sums, model)
        posterior = _logistic(ratio + np.log(model.prior / (1 - model.prior)))
        weight = DAMPING * weight + (1 - DAMPING) * posterior
    return ratio, posterior


def log_likelihood_ratios(x: Floats, weight: Floats, sums: IdentitySums, model: TwoCovariance) -> Floats:
    """The log likelihood ratio [n] of each photo against the other photos of its identity.

    weight [n]: how far each photo counts as one of the identity's person. The person's mean, given the sum S of the
    others and their count m, is normal around a S, a = b / (w + m b), with the variance a w (b, w: the variance between
    and within persons); the photo then has the variance a w + w, and without the others b + w = 1.
    """
    between, within = model.between, 1 - model.between
    total = sums.by_identity(weight[:, None] * x)
    with_total = np.einsum("nd,nd->n", x, total[sums.number])
    others = sums.of(weight) - weight
    with_others = with_total - weight
    square_of_others = np.einsum("nd,nd->n", total, total)[sums.number] - 2 * weight * with_total + weight**2
    a = between / (within + others * between)
    variance = a * within + within
    distance = 1 - 2 * a * with_others + a**2 * square_of_others
    ratio = model.dims * 0.5 * (1 - distance / variance - np.log(variance))
    return np.where(sums.photos[sums.number] > 1, ratio, 0.0)


def one_person_ratio(one: Floats, two: Floats, model: TwoCovariance) -> float:
    """The log likelihood ratio of two sets of photos showing one person against two (Bruemmer and de Villiers 2010).

    one [n, d], two [m, d]: joined unit vectors of photos that show the same person within each set.
    """
    both = np.concatenate([one, two])
    return _log_evidence(both, model) - _log_evidence(one, model) - _log_evidence(two, model)


def _log_evidence(x: Floats, model: TwoCovariance) -> float:
    """The log density of photos [n, d] of one person, without what does not depend on which photos go together."""
    between, within = model.between, 1 - model.between
    total = x.sum(0)
    explained = between * float(total @ total) / (within * (within + len(x) * between))
    return model.dims / 2 * (explained - float(np.log(1 + len(x) * between / within)))


def _logistic(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -LARGEST, LARGEST))))
