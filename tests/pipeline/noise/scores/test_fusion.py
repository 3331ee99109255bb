"""Scores of pairs and fused scores of several embedders, against the matrix of all scores."""

import numpy as np
import pytest

from pipeline.noise.scores.fusion import fuse, genuine_quantile, mean_photo_scores, pair_scores
from pipeline.noise.scores.score_norm import impostor_stats, score_matrix
from tests.builders.tables.drawn_vectors import DIM, EVEN, PLAIN, person, photos_of, unit


def test_pair_scores_are_the_matrix_at_the_pairs(monkeypatch):
    monkeypatch.setattr("pipeline.noise.scores.fusion.BLOCK", 3)
    x = unit(np.random.default_rng(0).normal(size=(5, DIM)))
    i, j = np.triu_indices(5, 1)
    faces = impostor_stats(x, EVEN)
    assert np.array_equal(pair_scores([faces], i, [faces], j)[0], score_matrix(faces, faces)[i, j])


@pytest.mark.parametrize("size", [1, 4])
def test_mean_photo_scores_are_the_mean_over_all_pairs(size):
    """Also where the impostor model is larger than unit vectors allow, as the model of few identities is."""
    rng = np.random.default_rng(0)
    a, b = photos_of(person(rng), 4, rng), photos_of(person(rng), 3, rng)
    row, model = np.zeros(1, int), EVEN._replace(covariance=size * EVEN.covariance)
    calibration = PLAIN._replace(impostors=(model,))
    scores = mean_photo_scores([a.mean(0)[None]], row, [b.mean(0)[None]], row, calibration)
    assert scores[0] == pytest.approx(score_matrix(impostor_stats(a, model), impostor_stats(b, model)).mean(), abs=1e-4)


def test_mean_photo_scores_know_in_which_directions_a_person_lies():
    """Impostor cosines of faces in a direction of much variance have a larger deviation, those of a mean as well."""
    rng = np.random.default_rng(0)
    model = EVEN._replace(covariance=np.diag(np.linspace(0.2, 1.8, DIM)) / DIM)
    low, high = (photos_of(np.eye(DIM)[axis], 40, rng) for axis in (0, DIM - 1))
    row = np.zeros(1, int)
    for photos in (low, high):
        a, b = photos[:20], photos[20:]
        scores = mean_photo_scores([a.mean(0)[None]], row, [b.mean(0)[None]], row, PLAIN._replace(impostors=(model,)))
        true = score_matrix(impostor_stats(a, model), impostor_stats(b, model)).mean()
        assert scores[0] == pytest.approx(true, rel=0.03)


def test_a_genuine_quantile_is_that_of_a_normal_distribution():
    assert genuine_quantile(PLAIN, 0.5) == pytest.approx(PLAIN.genuine_mean)
    low = PLAIN.genuine_mean - 1.2816 * PLAIN.genuine_deviation
    assert genuine_quantile(PLAIN, 0.1) == pytest.approx(low, abs=1e-3)


def test_fused_scores_are_the_weighted_sum():
    assert fuse([np.array([1.0, 2]), np.array([3.0, 4])], (0.5, 2)).tolist() == [6.5, 9.0]
