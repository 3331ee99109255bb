"""Neighbours against brute force, and components by hand."""

import numpy as np
import pytest

from pipeline.noise import neighbours
from pipeline.noise.neighbours import connected, nearest
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


def test_connected_names_each_component_by_its_lowest_node():
    assert connected(6, np.array([4, 2, 5]), np.array([2, 1, 3])).tolist() == [0, 1, 1, 3, 1, 3]
    assert connected(3, np.empty(0, int), np.empty(0, int)).tolist() == [0, 1, 2]


def test_connected_goes_along_a_long_chain():
    n = 5000
    order = np.random.default_rng(0).permutation(n)
    assert set(connected(n, order[:-1], order[1:]).tolist()) == {0}
