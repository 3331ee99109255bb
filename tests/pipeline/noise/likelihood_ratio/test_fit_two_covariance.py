"""The model that is fitted to drawn photos, whose truth is known, without being told it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.noise.likelihood_ratio.fit_two_covariance import PRIORS, SHRUNK, fit_two_covariance, impostor_deviation
from pipeline.noise.likelihood_ratio.two_covariance import Codes, IdentitySums, joined, posteriors

PEOPLE, PHOTOS = 120, 8
IDENTITY: Codes = np.repeat(np.arange(PEOPLE), PHOTOS)


def drawn(dims: int, between: float, right: NDArray[np.bool_], seed: int) -> NDArray[np.floating]:
    """Unit vectors [n, dims] of photos, of which those that are not right show a person of their own."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(PEOPLE, dims))[IDENTITY]
    centre[~right] = rng.normal(size=(int((~right).sum()), dims))
    x = np.sqrt(between) * centre + np.sqrt(1 - between) * rng.normal(size=centre.shape)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("share", [0.6, 0.8])
def test_the_share_of_right_photos_and_the_cosine_of_genuine_pairs_are_measured(share: float) -> None:
    right = np.random.default_rng(5).random(len(IDENTITY)) < share
    x, y = drawn(32, 0.6, right, 1), drawn(200, 0.2, right, 2)
    model = fit_two_covariance([x, y], IDENTITY)
    assert model.prior == pytest.approx(right.mean(), abs=0.04)
    assert model.weights[1] / model.weights[0] == pytest.approx(np.sqrt(200 / 32), rel=0.1)
    assert model.between / SHRUNK == pytest.approx(model.weights[0] * 0.6 + model.weights[1] * 0.2, abs=0.03)
    _, posterior = posteriors(joined([x, y], model.weights), IdentitySums(IDENTITY), model)
    called, wrong = posterior < 0.5, ~right
    assert (called & wrong).sum() > 0.95 * wrong.sum()
    assert (called & right).sum() < 0.03 * right.sum()
    alone = fit_two_covariance([y], IDENTITY)
    _, weaker = posteriors(joined([y], alone.weights), IdentitySums(IDENTITY), alone)
    assert ((weaker < 0.5) == wrong).sum() < (called == wrong).sum(), "both kinds of vectors know more than one"


def test_where_vectors_say_nothing_nothing_is_called_noise() -> None:
    x = drawn(64, 0.0, np.ones(len(IDENTITY), bool), 3)
    model = fit_two_covariance([x], IDENTITY)
    _, posterior = posteriors(joined([x], model.weights), IdentitySums(IDENTITY), model)
    assert PRIORS[0] <= model.prior <= PRIORS[1]
    assert (posterior < 0.375).mean() < 0.01


def test_photos_of_one_identity_or_of_none_give_a_model() -> None:
    x = np.eye(4)
    for rows, identity in ((x, np.zeros(4, np.int64)), (x, np.arange(4)), (x[:0], np.zeros(0, np.int64))):
        model = fit_two_covariance([rows], identity)
        _, posterior = posteriors(joined([rows], model.weights), IdentitySums(identity), model)
        assert np.isfinite(posterior).all()


def test_impostor_pairs_are_of_two_identities() -> None:
    x = np.array([[1.0, 0], [1.0, 0], [0.6, 0.8], [0.6, 0.8], [0.0, 1.0]])
    cosines = [0.6] * 4 + [0.0] * 2 + [0.8] * 2
    assert impostor_deviation(x, np.array([0, 0, 1, 1, 2])) == pytest.approx(np.std(cosines))
