"""Likelihood ratios against the joint normal density of all photos, written out in full."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.noise.likelihood_ratio.two_covariance import (
    IdentitySums,
    TwoCovariance,
    joined,
    log_likelihood_ratios,
    one_person_ratio,
    posteriors,
)
from tests.builders.tables.drawn_vectors import unit

DIMS = 5
MODEL = TwoCovariance((1.0,), 0.4, DIMS, 0.7)


def log_density(x: NDArray[np.floating]) -> float:
    """Of photos [n, DIMS] of one person: their numbers have the variance 1 / DIMS, and the correlation b."""
    covariance = (MODEL.between + (1 - MODEL.between) * np.eye(len(x))) / DIMS
    _, log_determinant = np.linalg.slogdet(2 * np.pi * covariance)
    return float(-0.5 * (DIMS * log_determinant + np.trace(x.T @ np.linalg.solve(covariance, x))))


def test_a_photo_is_compared_with_the_other_photos_of_its_identity() -> None:
    x = unit(np.random.default_rng(0).normal(size=(7, DIMS)))
    identity = np.array([0, 0, 0, 0, 1, 1, 2])
    found = log_likelihood_ratios(x, np.ones(7), IdentitySums(identity), MODEL)
    for i in range(6):
        others = (identity == identity[i]) & (np.arange(7) != i)
        together = log_density(np.concatenate([x[others], x[i : i + 1]]))
        assert found[i] == pytest.approx(together - log_density(x[others]) - log_density(x[i : i + 1]))
    assert found[6] == 0, "there is nothing to compare it with"


def test_a_photo_that_shows_somebody_else_does_not_count() -> None:
    x = unit(np.random.default_rng(1).normal(size=(4, DIMS)))
    without = log_likelihood_ratios(x[:3], np.ones(3), IdentitySums(np.zeros(3, np.int64)), MODEL)
    found = log_likelihood_ratios(x, np.array([1.0, 1, 1, 0]), IdentitySums(np.zeros(4, np.int64)), MODEL)
    assert found[:3] == pytest.approx(without)


def test_two_sets_of_photos_show_one_person_or_two() -> None:
    x = unit(np.random.default_rng(2).normal(size=(5, DIMS)))
    expected = log_density(x) - log_density(x[:2]) - log_density(x[2:])
    assert one_person_ratio(x[:2], x[2:], MODEL) == pytest.approx(expected)


def test_the_cosine_of_joined_vectors_is_the_weighted_sum() -> None:
    rng = np.random.default_rng(3)
    x, y = unit(rng.normal(size=(4, 8))), unit(rng.normal(size=(4, 3)))
    both = joined([x, y], (0.3, 0.7))
    np.testing.assert_allclose(both @ both.T, 0.3 * x @ x.T + 0.7 * y @ y.T, atol=1e-12)


def test_two_photos_stay_or_go_together() -> None:
    """Which of two is wrong cannot be told."""
    x = np.array([[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0]])
    _, posterior = posteriors(x, IdentitySums(np.zeros(2, np.int64)), MODEL)
    assert posterior[0] == posterior[1] < MODEL.prior
