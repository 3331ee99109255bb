"""The probability that a face is an outlier, by its score and its identity's share of noise."""

import numpy as np
import pytest

from pipeline.noise.outliers.score_mixture import (
    GRID,
    ScoreMixture,
    impostor_density,
    log_ratio,
    noise_probabilities,
    typical_threshold,
)
from pipeline.noise.scores.far_curve import FarCurve
from tests.builders.tables.score_samples import score_sample

MIXTURE = ScoreMixture(FarCurve(0, 1, 0), 8.0, 0.0, 0.64, 0.0, 0.02, 0.0, 2.5, 1.0, 0.3)


def test_the_density_of_impostors_is_that_of_the_curve():
    x = np.array([-2.0, 0.0, 1.0, 3.0])
    assert impostor_density(FarCurve(0, 1, 0), x) == pytest.approx(np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), rel=2e-2)


def test_the_ratio_never_rises_with_the_score_even_where_the_wider_density_wins_again():
    wide = MIXTURE._replace(variance=9.0, alike=0.5)
    for others in (1, 3, 200):
        ratio = log_ratio(wide, GRID, np.full(len(GRID), others))
        assert (np.diff(ratio) <= 0).all()
        assert ratio[0] > 0 > ratio[-1]


def test_the_same_score_is_noise_in_a_noisy_identity_and_genuine_in_a_clean_one():
    clean, noisy = np.append(np.full(20, 8.0), 3.2), np.append(np.tile([8.0, 0.5], 10), 3.2)
    identity = np.repeat([0, 1], 21)
    p = noise_probabilities(MIXTURE, np.append(clean, noisy), np.full(42, 10), identity, np.ones(42, bool))
    assert p[20] < 0.4 < 0.6 < p[41]


def test_faces_that_are_not_counted_do_not_change_the_share_of_their_identity():
    scores, others = np.array([8.0] * 20 + [3.2] + [0.5] * 20), np.full(41, 10)
    p = [
        noise_probabilities(MIXTURE, scores, others, np.zeros(41, np.int64), np.arange(41) < counted)[20]
        for counted in (21, 41)
    ]
    assert p[0] < 0.4 < 0.6 < p[1]


def test_probabilities_are_as_often_right_as_they_say():
    sample = score_sample(np.tile([0.0, 0.25, 0.5, 0.75], 200), alike=0.6)
    mixture = MIXTURE._replace(alike=0.6, alike_mean=3.0, alike_variance=0.49, noise_share=0.375)
    p = noise_probabilities(mixture, sample.scores, sample.others, sample.identity, np.ones(len(sample.scores), bool))
    for low, high in ((0, 0.1), (0.1, 0.9), (0.9, 1.01)):
        rows = (p >= low) & (p < high)
        assert rows.sum() >= 5
        assert sample.noise[rows].mean() == pytest.approx(p[rows].mean(), abs=0.2)


def test_a_higher_cost_of_lost_photos_lowers_the_typical_threshold():
    thresholds = [typical_threshold(MIXTURE, 1 / (1 + cost)) for cost in (0.1, 1, 10)]
    assert thresholds == sorted(thresholds)
    assert 2 < thresholds[0] < thresholds[-1] < 5
