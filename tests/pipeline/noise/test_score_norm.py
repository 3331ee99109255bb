"""Likeness by hand, and the curve of strangers in both directions."""

import numpy as np
import pytest

from pipeline.noise.score_norm import (
    BLOCK,
    FEW,
    Tail,
    View,
    fuse,
    level,
    likeness,
    middle,
    on_average,
    paired,
    pairwise,
    rate,
    seen,
    some,
    to_others,
    usual,
)
from tests.builders.tables.drawn_vectors import DIM, EVEN, PLAIN, person, photos_of, unit


def test_against_even_strangers_likeness_is_the_cosine_in_their_deviations():
    x = unit(np.random.default_rng(0).normal(size=(3, DIM)))
    assert np.allclose(likeness(seen(x, EVEN), seen(x, EVEN)), x @ x.T * np.sqrt(DIM), atol=1e-5)


def test_a_face_that_everyone_resembles_is_like_nobody_in_particular():
    view = View(np.array([0.5, 0, 0]), np.diag([0.01, 0.04, 0.04]))
    common, other = seen(np.array([[1.0, 0, 0]]), view), seen(np.array([[0, 1.0, 0]]), view)
    # cosine 0; the one side expects 0.5 +- 0.1, the other 0 +- 0.2: ((0 - 0.5) / 0.1 + 0) / 2
    assert likeness(common, other)[0, 0] == pytest.approx(-2.5)
    assert paired(common, other)[0] == pytest.approx(-2.5)


def test_many_faces_are_seen_as_each_by_itself():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(DIM, 3 * DIM))
    view = View(rng.normal(size=DIM) * 0.01, a @ a.T / DIM**2)
    x = unit(rng.normal(size=(BLOCK + FEW, DIM)))
    together, alone = seen(x, view), [seen(x[i : i + 1], view) for i in range(0, len(x), 97)]
    assert np.allclose(together.mean[::97], [a.mean[0] for a in alone])
    assert np.allclose(together.deviation[::97], [a.deviation[0] for a in alone], rtol=1e-10)


def test_a_centre_is_seen_as_if_it_were_a_face():
    rng = np.random.default_rng(0)
    x = photos_of(person(rng), 4, rng)
    a = rng.normal(size=(DIM, DIM))
    view = View(rng.normal(size=DIM) * 0.01, a @ a.T / DIM**2)
    direct, linear = seen(unit(x[:3].sum(0))[None], view), middle(seen(x, view), np.array([[1, 1, 1, 0]]), view)
    for one, two in zip(direct, linear, strict=True):
        assert np.allclose(one, two)


def test_to_others_is_the_likeness_to_the_mean_of_the_others():
    rng = np.random.default_rng(0)
    x = photos_of(person(rng), 5, rng)
    a = rng.normal(size=(DIM, DIM))
    view = View(rng.normal(size=DIM) * 0.01, a @ a.T / DIM**2)
    faces = seen(x, view)
    assert np.allclose(to_others(faces, view), paired(faces, middle(faces, 1 - np.eye(5), view)), atol=2e-6)


def test_pairwise_is_the_matrix_at_the_pairs(monkeypatch):
    monkeypatch.setattr("pipeline.noise.score_norm.BLOCK", 3)
    x = unit(np.random.default_rng(0).normal(size=(5, DIM)))
    i, j = np.triu_indices(5, 1)
    faces = seen(x, EVEN)
    assert np.array_equal(pairwise([faces], i, [faces], j)[0], likeness(faces, faces)[i, j])


def test_on_average_is_the_mean_over_all_pairs():
    rng = np.random.default_rng(0)
    a, b = photos_of(person(rng), 4, rng), photos_of(person(rng), 3, rng)
    zero = np.zeros(1, int)
    found = on_average([a.mean(0)[None]], zero, [b.mean(0)[None]], zero, PLAIN)
    assert found[0] == pytest.approx(likeness(seen(a, EVEN), seen(b, EVEN)).mean(), abs=1e-4)


def test_level_and_rate_are_inverse():
    tail = Tail(0.1, 0.9, 0.05)
    fars = [0.4, 0.01, 1e-4, 1e-9]
    assert rate(tail, np.array([level(tail, far) for far in fars])) == pytest.approx(fars, rel=1e-3)
    assert rate(tail, np.array([-5.0, 50.0])).tolist() == [0.5, pytest.approx(1e-15)]
    assert level(Tail(0, 1, 0), 0.001) == pytest.approx(3.0902, abs=1e-4)


def test_usual_is_a_quantile_of_one_persons_pairs():
    assert usual(PLAIN, 0.5) == pytest.approx(PLAIN.same)
    assert usual(PLAIN, 0.1) == pytest.approx(PLAIN.same - 1.2816 * PLAIN.spread, abs=1e-3)


def test_fuse_and_some():
    assert fuse([np.array([1.0, 2]), np.array([3.0, 4])], (0.5, 2)).tolist() == [6.5, 9.0]
    assert some(seen(np.eye(DIM), EVEN), np.array([2])).x[0, 2] == 1
