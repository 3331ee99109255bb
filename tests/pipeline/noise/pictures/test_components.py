"""Connected components against answers by hand."""

import numpy as np

from pipeline.noise.pictures.components import components


def test_each_component_is_named_by_its_lowest_node():
    assert components(6, np.array([4, 2, 5]), np.array([2, 1, 3])).tolist() == [0, 1, 1, 3, 1, 3]
    assert components(3, np.empty(0, int), np.empty(0, int)).tolist() == [0, 1, 2]


def test_a_long_chain_is_one_component():
    n = 5000
    order = np.random.default_rng(0).permutation(n)
    assert set(components(n, order[:-1], order[1:]).tolist()) == {0}
