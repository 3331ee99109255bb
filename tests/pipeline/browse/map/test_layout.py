"""The layout of the map: vectors that are alike are beside each other, on any number of threads."""

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.browse.map.layout import FEWEST, NEIGHBOURS, layout, near_rows, principal_components


def unit_rows(x: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def pairs() -> NDArray[np.float32]:
    """Rows i and i + 60 of 120 are almost equal; all others are far apart."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 24))
    return unit_rows(np.concatenate([x, x + 0.05 * rng.normal(size=x.shape)]))


def test_what_is_alike_is_beside_each_other_in_the_same_place_on_any_number_of_threads(
    pairs: NDArray[np.float32],
) -> None:
    done: list[float] = []
    with threadpool_limits(1):
        places = layout(pairs, done.append)
    with threadpool_limits(4):
        assert layout(pairs).tobytes() == places.tobytes()
    assert np.abs(places).max() == 1
    assert done == sorted(done)
    assert done[-1] == 1
    distances = np.linalg.norm(places[:, None].astype(float) - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    partners = np.r_[60:120, 0:60]
    assert (distances.argmin(1) == partners).mean() > 0.9
    assert np.median(distances[np.arange(120), partners]) < 0.1 * np.median(distances)


def test_the_nearest_rows_are_those_of_all_pairs(pairs: NDArray[np.float32]) -> None:
    done: list[float] = []
    rows, distances = near_rows(pairs, done.append)
    between = np.linalg.norm(pairs[:, None].astype(float) - pairs[None], axis=2)
    np.fill_diagonal(between, np.inf)
    np.testing.assert_array_equal(rows, np.argsort(between, axis=1)[:, :NEIGHBOURS])
    np.testing.assert_allclose(distances, np.sort(between, axis=1)[:, :NEIGHBOURS], atol=1e-4)
    assert done == [1.0]
    equal, zero = near_rows(np.repeat(pairs[:2], 30, axis=0))  # of many equal rows, none is its own neighbour
    assert not (equal == np.arange(60)[:, None]).any()
    np.testing.assert_array_equal(equal < 30, np.repeat([[True], [False]], 30, axis=0) & (equal >= 0))
    np.testing.assert_allclose(zero, 0, atol=1e-4)


@pytest.mark.parametrize("n", [0, 1, 2, FEWEST - 1])
def test_of_few_vectors_the_principal_components_are_the_layout(n: int) -> None:
    x = unit_rows(np.random.default_rng(0).normal(size=(n, 8)))
    places = layout(x)
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    if n == FEWEST - 1:
        components = principal_components(x)
        rotation = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:2]
        expected = (x - x.mean(0)) @ rotation.T
        assert np.abs(np.corrcoef(components.T, expected.T)[:2, 2:]).round(3).tolist() == [[1, 0], [0, 1]]
        assert np.abs(np.corrcoef(places[:, 0], components[:, 0])[0, 1]) > 0.999


def test_many_equal_vectors_have_places_too() -> None:
    x = unit_rows(np.concatenate([np.ones((FEWEST, 8)), np.random.default_rng(0).normal(size=(FEWEST, 8))]))
    places = layout(x)
    assert np.isfinite(places).all()
    assert len(np.unique(places[FEWEST:].round(3), axis=0)) > 0.9 * FEWEST
