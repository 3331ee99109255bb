"""Neighbours against brute force, and components by hand."""

import numpy as np
import pytest

from pipeline.noise import neighbours
from pipeline.noise.neighbours import connected, nearest, pairs_above
from tests.pipeline.noise.drawn import unit


@pytest.fixture(params=[65536, 7])
def block(request, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", request.param)
    return request.param


@pytest.mark.usefixtures("block")
def test_nearest_is_brute_force_whatever_the_block():
    rng = np.random.default_rng(0)
    queries, gallery = unit(rng.normal(size=(20, 16))), unit(rng.normal(size=(33, 16)))
    cosines, rows = nearest(queries.astype(np.float16), gallery.astype(np.float16), 4)
    slow = queries.astype(np.float16).astype(np.float32) @ gallery.astype(np.float16).astype(np.float32).T
    assert np.array_equal(rows, np.argsort(-slow, axis=1)[:, :4])
    assert np.allclose(cosines, np.sort(slow, axis=1)[:, ::-1][:, :4], atol=1e-6)


def test_nearest_of_a_gallery_smaller_than_k_is_filled_up():
    cosines, rows = nearest(np.eye(3), np.eye(3)[:2], 3)
    assert rows.tolist() == [[0, 1, -1], [1, 0, -1], [0, 1, -1]]
    assert cosines[0, 2] == -np.inf


@pytest.mark.usefixtures("block")
def test_pairs_above_within_and_across():
    x = unit(np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 1], [-1, 0], [-1, 0.1], [1, 0.2]]))
    i, j = pairs_above(x, min_cosine=0.95)
    slow = [(a, b) for a in range(8) for b in range(a + 1, 8) if x[a] @ x[b] >= 0.95]
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == slow
    i, j = pairs_above(x[:2], x[2:], min_cosine=0.9)
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 5), (1, 5)]


def test_the_search_by_rank_that_a_gpu_needs_finds_the_same():
    x = unit(np.random.default_rng(1).normal(size=(300, 3))).astype(np.float32)
    for least in (0.5, 0.99):
        a, b = neighbours._range(x, x, least), neighbours._range_by_rank(x, x, least)
        assert set(zip(*(v.tolist() for v in a), strict=True)) == set(zip(*(v.tolist() for v in b), strict=True))


def test_connected_names_each_component_by_its_lowest_node():
    assert connected(6, np.array([4, 2, 5]), np.array([2, 1, 3])).tolist() == [0, 1, 1, 3, 1, 3]
    assert connected(3, np.empty(0, int), np.empty(0, int)).tolist() == [0, 1, 2]


def test_connected_goes_along_a_long_chain():
    n = 5000
    order = np.random.default_rng(0).permutation(n)
    assert set(connected(n, order[:-1], order[1:]).tolist()) == {0}
