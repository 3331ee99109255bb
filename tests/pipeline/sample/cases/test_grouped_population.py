"""The drawn population of groups is what it says."""

import numpy as np
import pytest

from pipeline.sample.cases.grouped_population import DrawnGroup, draw_population

GROUPS = (DrawnGroup("far", 60), DrawnGroup("close", 60, 0.25))


def test_impostor_cosines_of_the_close_group_are_higher_by_a_quarter():
    drawn = draw_population(GROUPS, seed=3)
    clean, group = drawn.kind == "clean", np.array([drawn.groups[name] for name in drawn.identity])
    means = {}
    for name in ("far", "close"):
        rows = np.flatnonzero(clean & (group == name))
        different = drawn.identity[rows][:, None] != drawn.identity[rows][None]
        means[name] = float((drawn.x[rows] @ drawn.x[rows].T)[different].mean())
    assert means["close"] - means["far"] == pytest.approx(0.25, abs=0.03)


def test_the_truth_says_whom_each_photo_shows_and_a_seed_gives_one_population():
    drawn, again = (draw_population(GROUPS, seed=4) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(drawn[:4], again[:4], strict=True))
    assert not np.array_equal(drawn.x[:5], draw_population(GROUPS, seed=5).x[:5])
    own = drawn.identity == drawn.person
    assert np.array_equal(own, drawn.kind == "clean")
    assert {p in drawn.groups for p in drawn.person[drawn.kind == "flip"]} == {True}
    assert not set(drawn.person[drawn.kind == "outlier"]) & set(drawn.groups)
    assert 0.15 < (~own).mean() < 0.3
    np.testing.assert_allclose(np.linalg.norm(drawn.x, axis=1), 1, atol=1e-5)
