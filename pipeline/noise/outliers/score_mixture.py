"""The probability that a face is an outlier: the posterior of noise against genuine, given its score with its person.

The scores of all faces with the persons of their identities are a mixture of genuine scores and of noise. A fixed
threshold ignores how far apart the two lie on this data: with a good model genuine scores lie so high that people who
merely look alike pass it. Here the two densities are compared, and the prior is each identity's own share of noise.
fit_mixture.py measures the densities without labels.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from pipeline.noise.scores.far_curve import DECIMALS, FarCurve, far_at
from pipeline.noise.scores.score_norm import Floats

MANY_OTHERS = 50  # faces of a person; beyond them a further one hardly moves the centre, nor the score with it
# weight of the data set's share of noise in an identity's own share, in photos. From 2 to 8 the F1 of finding noise on
# 683 real identities changes by 0.0004
PRIOR_FACES = 4.0
MIN_SHARE = 0.01  # of noise in any identity: no identity is known to be clean before its photos were looked at
ROUNDS = 30  # of expectation maximisation of an identity's share of noise
GRID: Floats = np.linspace(
    -8.0, 16.0, 481, dtype=np.float64
)  # scores at which densities are computed; those between are interpolated
MAX_LOG_RATIO = 20.0  # limit of the log ratio of the densities: beyond their tails neither is known
STEP = 0.05  # difference of scores by which the density of impostor scores is computed from the FAR curve
FLOOR = 1e-6  # lowest density of genuine scores: hardly any photo of a person scores like an average impostor


class ScoreMixture(NamedTuple):
    """The densities of genuine and of noise scores of faces with the person of their identity.

    A genuine score is normal around mean + mean_slope / others, with the variance variance + variance_slope / others:
    the centre of few other faces is less like a further face of the person. A share `hard` of the genuine photos
    (blurred, turned away) scores anywhere between impostor and genuine. A noise score is an impostor score; a share
    `alike` of the noise shows people who look alike, and is normal around alike_mean.
    """

    curve: FarCurve  # of impostor scores
    mean: float
    mean_slope: float  # at most 0
    variance: float
    variance_slope: float  # at least 0
    hard: float
    alike: float
    alike_mean: float
    alike_variance: float
    noise_share: float  # of all faces of the data set that are scored with a person

    def genuine(self, others: NDArray[Any]) -> tuple[Floats, Floats]:
        """Mean and variance [n] of genuine scores with a person of so many other faces [n]."""
        inverse = 1.0 / others
        return self.mean + self.mean_slope * inverse, self.variance + self.variance_slope * inverse


def normal_density(scores: Floats, mean: Any, variance: Any) -> Floats:
    """The density [n] of a normal distribution at scores [n]."""
    return np.asarray(np.exp(-0.5 * (scores - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance))


def impostor_density(curve: FarCurve, scores: NDArray[np.floating[Any]]) -> Floats:
    """The density [n] of impostor scores at scores [n]; below the median, where the curve ends, it is mirrored."""
    scores = np.maximum(np.maximum(scores, 2 * curve.a - scores), curve.a + STEP)
    return np.asarray(np.maximum(far_at(curve, scores - STEP) - far_at(curve, scores + STEP), 1e-12) / (2 * STEP))


def hard_density(scores: Floats, median: float, mean: Any) -> Floats:
    """The density [n] of genuine scores of hard photos; it rises as a parabola from the impostor median to the mean."""
    width = np.maximum(mean - median, 0.5)
    inside = (scores >= median) & (scores <= mean)
    return np.asarray(np.where(inside, 3 * (scores - median) ** 2 / width**3, 0.0) + FLOOR)


def log_ratio(mixture: ScoreMixture, scores: Floats, others: NDArray[Any]) -> Floats:
    """The logarithm [n] of the density of noise less that of genuine scores; it never rises with the score.

    scores [n]: of faces with the person of their identity; others [n]: how many other faces that person has.
    """
    m, ratio = mixture, np.empty(len(scores))
    noise = (1 - m.alike) * impostor_density(m.curve, GRID)
    noise = noise + m.alike * normal_density(GRID, m.alike_mean, m.alike_variance)
    others = np.clip(others, 1, MANY_OTHERS)
    for count in np.unique(others).tolist():
        mean, variance = m.genuine(np.array(float(count)))
        genuine = (1 - m.hard) * normal_density(GRID, mean, variance) + m.hard * hard_density(GRID, m.curve.a, mean)
        falling = np.log(noise + 1e-300) - np.log(genuine + 1e-300)
        falling = np.maximum.accumulate(falling[::-1])[::-1]
        rows = others == count
        ratio[rows] = np.interp(scores[rows], GRID, np.clip(falling, -MAX_LOG_RATIO, MAX_LOG_RATIO))
    return ratio


def noise_probabilities(
    mixture: ScoreMixture, scores: Floats, others: NDArray[Any], identity: NDArray[Any], counted: NDArray[np.bool_]
) -> Floats:
    """The probability [n] that each face does not show the person of its identity.

    scores [n] as for log_ratio(), none of them nan; identity [n]: the number of each face's identity, all of whose
    faces are given. An identity's share of noise is estimated from its own faces that are `counted` [n] by expectation
    maximisation, and shrunk towards the data set's share with the weight of PRIOR_FACES faces.
    """
    faces = np.bincount(identity, counted.astype(np.float64))
    ratio, prior = log_ratio(mixture, scores, others), PRIOR_FACES * mixture.noise_share
    share: Floats = np.full(len(faces), mixture.noise_share)
    probability = np.empty(len(scores))
    for _ in range(ROUNDS):
        probability = expit(ratio + logit(share)[identity])
        share = (prior + np.bincount(identity, probability * counted)) / (PRIOR_FACES + faces)
        share = np.asarray(np.clip(share, MIN_SHARE, 1 - MIN_SHARE))
    return np.asarray(np.round(probability, DECIMALS))


def typical_threshold(mixture: ScoreMixture, probability: float, *, others: int = 10) -> float:
    """The score below which a face of an identity with the data set's share of noise has at least this probability.

    others: how many other faces the identity's person has.
    """
    ratio = log_ratio(mixture, GRID, np.full(len(GRID), others))
    above = np.flatnonzero(expit(ratio + logit(mixture.noise_share)) >= probability)
    return round(float(GRID[above[-1]]) if len(above) else float(GRID[0]), DECIMALS)
