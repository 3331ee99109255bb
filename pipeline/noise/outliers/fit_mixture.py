"""Fits the densities of genuine and of noise scores to the scores of a data set, without labels.

By expectation maximisation (Dempster, Laird and Rubin 1977) of the mixture in score_mixture.py. The density of
impostor scores is that of the calibration; all else is measured. Hard photos of a person and people who look alike
score in the same range. They are told apart in two ways: hard photos are few and occur in all identities, noise has an
identity's own share; and people who look alike are nearer to impostors than to the person.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.outliers.score_mixture import (
    MANY_OTHERS,
    MIN_SHARE,
    PRIOR_FACES,
    ScoreMixture,
    hard_density,
    impostor_density,
    normal_density,
)
from pipeline.noise.scores.far_curve import DECIMALS, FarCurve
from pipeline.noise.scores.score_norm import Floats

MIN_FACES, MIN_IDENTITIES = 200, 10  # with fewer nothing is fitted
ROUNDS, CONVERGED = 60, 1e-4  # at most so many rounds, until no parameter changes by more
START_SHARE, START_DEVIATION = 0.2, 1.2  # of noise in each identity; of genuine scores
# limits of the share of hard photos: a mixture without any takes each unusual photo for noise; above, they are no tail
MIN_HARD, MAX_HARD = 0.02, 0.04
HARD_PRIOR = (2.0, 98.0)  # hard photos and others, in photos: 2%
ALIKE_PRIOR = (1.0, 9.0)  # noise that looks alike and other noise, in photos
# people who look alike, before any were seen: so far above the impostor median, with this variance, weighing so many
# photos
ALIKE_MEAN, ALIKE_VARIANCE, ALIKE_FACES = 2.5, 1.0, 20.0
MIN_ALIKE, MIN_ALIKE_FACES = 0.1, 30.0  # with a lower share of the noise, or fewer photos, nobody looks alike
# people who look alike have a mean that is at most so far from impostors to genuine scores (0 is the impostor median, 1
# the genuine mean), and at least so far apart from genuine scores (difference of the means over the sum of the
# deviations); others cannot be told from hard photos
MAX_ALIKE_PLACE, MIN_APART = 0.5, 1.7


class _Data(NamedTuple):
    scores: Floats  # [n]
    inverse: Floats  # [n] 1 / other faces of the person
    identity: NDArray[Any]  # [n]
    impostor: Floats  # [n] density of impostor scores


def fit_mixture(
    scores: Floats,
    others: NDArray[Any],
    identity: NDArray[Any],
    curve: FarCurve,
    *,
    start: float,
    min_faces: int = MIN_FACES,
) -> ScoreMixture | None:
    """The mixture that fits n faces' scores with the person of their identity; None: none can be told.

    There are too few faces, or many score where neither hard photos nor people who look alike can be excluded.

    others [n]: how many other faces the person has; identity [n]: numbers from 0; curve: the FAR curve of the score;
    start: about the mean of genuine scores, such as the median score of the faces in persons; min_faces: with fewer
    nothing is fitted.
    """
    if len(scores) < min_faces or len(np.unique(identity)) < MIN_IDENTITIES:
        return None
    data = _Data(scores, 1.0 / np.clip(others, 1, MANY_OTHERS), identity, impostor_density(curve, scores))
    mixture, alike_faces = _fit(data, curve, start=start, alike=True)
    if mixture.alike < MIN_ALIKE or alike_faces < MIN_ALIKE_FACES:
        mixture, _ = _fit(data, curve, start=start, alike=False)
    elif not _is_apart(mixture):
        return None
    return ScoreMixture(curve, *(round(float(value), DECIMALS) for value in mixture[1:]))


def _fit(data: _Data, curve: FarCurve, *, start: float, alike: bool) -> tuple[ScoreMixture, float]:
    """The mixture, and how many faces show people who look alike; alike: whether there may be any."""
    faces = np.bincount(data.identity)
    share = np.full(len(faces), START_SHARE)
    mixture = ScoreMixture(
        curve,
        *(start, 0.0, START_DEVIATION**2, 0.0),
        MIN_HARD,
        *(ALIKE_PRIOR[0] / sum(ALIKE_PRIOR) if alike else 0.0, curve.a + ALIKE_MEAN, ALIKE_VARIANCE),
        START_SHARE,
    )
    alike_faces = 0.0
    for _ in range(ROUNDS):
        before = mixture
        parts = _responsibilities(data, mixture, share[data.identity])
        noise = parts[0] + parts[1]
        total = float(noise.sum())
        noise_share = float(np.clip((total + 1) / (len(noise) + 2), MIN_SHARE, 1 - MIN_SHARE))
        share = (PRIOR_FACES * noise_share + np.bincount(data.identity, noise)) / (PRIOR_FACES + faces)
        mixture = _with_genuine(data, mixture, parts[2], parts[3])._replace(noise_share=noise_share)
        if alike:
            mixture, alike_faces = _with_alike(data, mixture, parts[1], total), float(parts[1].sum())
        if np.allclose(before[1:], mixture[1:], rtol=0, atol=CONVERGED):
            break
    return mixture, alike_faces


def _is_apart(m: ScoreMixture) -> bool:
    """Whether people who look alike are nearer to impostors than to genuine scores, and apart from the latter."""
    place = (m.alike_mean - m.curve.a) / max(m.mean - m.curve.a, 0.5)
    apart = (m.mean - m.alike_mean) / (np.sqrt(m.variance) + np.sqrt(m.alike_variance))
    return bool(place <= MAX_ALIKE_PLACE and apart >= MIN_APART)


def _responsibilities(data: _Data, m: ScoreMixture, share: Floats) -> tuple[Floats, ...]:
    """The probability [n] that each face is an impostor, somebody who looks alike, a usual, or a hard genuine photo."""
    mean = m.mean + m.mean_slope * data.inverse
    variance = m.variance + m.variance_slope * data.inverse
    densities = (
        share * (1 - m.alike) * data.impostor,
        share * m.alike * normal_density(data.scores, m.alike_mean, m.alike_variance),
        (1 - share) * (1 - m.hard) * normal_density(data.scores, mean, variance),
        (1 - share) * m.hard * hard_density(data.scores, m.curve.a, mean),
    )
    total = np.add.reduce(densities)
    return tuple(d / total for d in densities)


def _with_genuine(data: _Data, m: ScoreMixture, usual: Floats, hard: Floats) -> ScoreMixture:
    """The mixture with the genuine scores measured on faces weighted by `usual` and `hard` [n]."""
    mean, mean_slope = _line(data.inverse, data.scores, usual)
    if mean_slope > 0:
        mean, mean_slope = float(usual @ data.scores / usual.sum()), 0.0
    squares = (data.scores - mean - mean_slope * data.inverse) ** 2
    variance, variance_slope = _line(data.inverse, squares, usual)
    if variance_slope < 0:
        variance, variance_slope = float(usual @ squares / usual.sum()), 0.0
    share = (hard.sum() + HARD_PRIOR[0]) / (usual.sum() + hard.sum() + sum(HARD_PRIOR))
    return m._replace(
        mean=mean,
        mean_slope=mean_slope,
        variance=max(variance, 0.1),
        variance_slope=variance_slope,
        hard=float(np.clip(share, MIN_HARD, MAX_HARD)),
    )


def _line(x: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    """Intercept and slope of the weighted least squares line; the tiny ridge is for data with one value of x."""
    total, first, second = weight.sum(), weight @ x, weight @ (x * x) + 1e-6
    a, b = np.linalg.solve([[total, first], [first, second]], [weight @ y, weight @ (x * y)])
    return float(a), float(b)


def _with_alike(data: _Data, m: ScoreMixture, alike: Floats, noise: float) -> ScoreMixture:
    """The mixture with the scores of people who look alike, on faces weighted by `alike` [n]; noise: faces of noise."""
    count = float(alike.sum())
    mean = (alike @ data.scores + ALIKE_FACES * (m.curve.a + ALIKE_MEAN)) / (count + ALIKE_FACES)
    squares = alike @ (data.scores - mean) ** 2
    return m._replace(
        alike=(count + ALIKE_PRIOR[0]) / (noise + sum(ALIKE_PRIOR)),
        alike_mean=float(mean),
        alike_variance=float((squares + ALIKE_FACES * ALIKE_VARIANCE) / (count + ALIKE_FACES)),
    )
