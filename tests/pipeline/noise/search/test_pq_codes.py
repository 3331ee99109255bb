"""Quantisation levels against Max's table; the error of codes against the estimate."""

import numpy as np
import pytest

from pipeline.noise.search import pq_codes
from pipeline.noise.search.pq_codes import code_layout, levels
from tests.builders.tables.drawn_vectors import face_like_rows, unit


def test_levels_are_those_of_max():
    assert np.allclose(levels(2), [-0.7979, 0.7979], atol=1e-4)
    assert np.allclose(levels(4), [-1.510, -0.4528, 0.4528, 1.510], atol=1e-3)  # Max 1960, table I
    assert np.allclose(levels(16)[[8, 15]], [0.1284, 2.733], atol=1e-3)
    assert pq_codes._lost_variance(4) == pytest.approx(0.1175, abs=1e-4)
    assert pq_codes._lost_variance(16) == pytest.approx(0.009497, abs=1e-5)


def test_the_error_of_codes_is_the_estimated_one():
    x, queries = face_like_rows(4000, 128, 0), face_like_rows(500, 128, 1)
    layout = code_layout(x)
    assert layout is not None
    assert layout.error <= pq_codes.MAX_ERROR
    projected = (x @ layout.axes).reshape(len(x), -1, 2)
    nearest = ((projected[:, :, None] - layout.points) ** 2).sum(-1).argmin(-1)  # [n, m]
    coded = layout.points[np.arange(nearest.shape[1]), nearest].reshape(len(x), -1)
    exact, short = queries @ x.T, (queries @ layout.axes) @ coded.T
    assert (short - exact).std() / exact.std() == pytest.approx(layout.error, rel=0.2)


def test_vectors_that_vary_along_more_axes_get_longer_codes():
    short, long = code_layout(face_like_rows(4000, 128, 0, knee=4)), code_layout(face_like_rows(4000, 128, 0, knee=16))
    assert short is not None
    assert long is not None
    assert len(short.points) < len(long.points) <= 64


def test_uniform_rows_get_no_codes():
    assert code_layout(unit(np.random.default_rng(0).normal(size=(4000, 128)))) is None
