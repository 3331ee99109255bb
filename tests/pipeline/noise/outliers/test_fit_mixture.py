"""The densities that are fitted to scores without labels."""

import numpy as np
import pytest

from pipeline.noise.outliers.fit_mixture import fit_mixture
from pipeline.noise.scores.far_curve import FarCurve
from tests.builders.tables.score_samples import ALIKE, DEVIATION, GENUINE, score_sample

NORMAL = FarCurve(0, 1, 0)  # impostor scores are standard normal
SHARES = np.tile([0.0, 0.25, 0.5, 0.75], 40)


def fitted(sample):
    return fit_mixture(sample.scores, sample.others, sample.identity, NORMAL, start=7.0)


def test_genuine_scores_and_the_share_of_noise_are_measured():
    sample = score_sample(SHARES)
    mixture = fitted(sample)
    mean, variance = mixture.genuine(np.array([12.0]))
    assert mean[0] == pytest.approx(GENUINE, abs=0.1)
    assert variance[0] == pytest.approx(DEVIATION**2, abs=0.15)
    assert mixture.noise_share == pytest.approx(sample.noise.mean(), abs=0.02)
    assert mixture.alike == 0


def test_people_who_look_alike_are_found_among_the_noise():
    sample = score_sample(SHARES, alike=0.7)
    mixture = fitted(sample)
    assert mixture.alike == pytest.approx(0.7, abs=0.1)
    assert mixture.alike_mean == pytest.approx(ALIKE, abs=0.3)
    assert mixture.noise_share == pytest.approx(sample.noise.mean(), abs=0.02)


def test_hard_photos_of_clean_identities_are_no_noise():
    mixture = fitted(score_sample(np.zeros(160), hard=0.03))
    assert mixture.noise_share < 0.02
    assert mixture.alike == 0


def test_the_mean_falls_with_fewer_other_faces():
    rng = np.random.default_rng(1)
    others = np.repeat([1, 2, 4, 12], 300)
    scores = rng.normal(8 - 2 / others, 0.8)
    mixture = fit_mixture(scores, others, np.arange(1200) // 4, NORMAL, start=7.0)
    assert mixture.genuine(np.array([1.0]))[0] == pytest.approx(6, abs=0.2)
    assert mixture.genuine(np.array([12.0]))[0] == pytest.approx(8 - 1 / 6, abs=0.2)


def test_nothing_is_fitted_to_few_faces_or_where_noise_cannot_be_told_from_hard_photos():
    assert fitted(score_sample(SHARES[:9], photos=30)) is None, "nine identities"
    assert fitted(score_sample(SHARES[:16], photos=10)) is None, "160 faces"
    sample = score_sample(SHARES)
    close = np.where(sample.noise, sample.scores + 5.5, sample.scores)  # in the middle between impostor and genuine
    assert fit_mixture(close, sample.others, sample.identity, NORMAL, start=7.0) is None
