"""Likeness by hand, and the curve of strangers in both directions."""

import numpy as np
import pytest

from pipeline.noise.scores.far_curve import FarCurve, far_at, threshold_at_far
from pipeline.noise.scores.fusion import fuse, genuine_quantile, mean_photo_scores, pair_scores
from pipeline.noise.scores.score_norm import (
    BLOCK,
    FEW_ROWS,
    ImpostorModel,
    impostor_stats,
    leave_one_out_scores,
    row_scores,
    score_matrix,
    take,
    weighted_means,
)
from tests.builders.tables.drawn_vectors import DIM, EVEN, PLAIN, person, photos_of, unit


def test_against_even_strangers_likeness_is_the_cosine_in_their_deviations():
    x = unit(np.random.default_rng(0).normal(size=(3, DIM)))
    assert np.allclose(
        score_matrix(impostor_stats(x, EVEN), impostor_stats(x, EVEN)), x @ x.T * np.sqrt(DIM), atol=1e-5
    )


def test_a_face_that_everyone_resembles_is_like_nobody_in_particular():
    view = ImpostorModel(np.array([0.5, 0, 0]), np.diag([0.01, 0.04, 0.04]))
    common, other = impostor_stats(np.array([[1.0, 0, 0]]), view), impostor_stats(np.array([[0, 1.0, 0]]), view)
    # cosine 0; the one side expects 0.5 +- 0.1, the other 0 +- 0.2: ((0 - 0.5) / 0.1 + 0) / 2
    assert score_matrix(common, other)[0, 0] == pytest.approx(-2.5)
    assert row_scores(common, other)[0] == pytest.approx(-2.5)


def test_many_faces_are_seen_as_each_by_itself():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(DIM, 3 * DIM))
    view = ImpostorModel(rng.normal(size=DIM) * 0.01, a @ a.T / DIM**2)
    x = unit(rng.normal(size=(BLOCK + FEW_ROWS, DIM)))
    together, alone = impostor_stats(x, view), [impostor_stats(x[i : i + 1], view) for i in range(0, len(x), 97)]
    assert np.allclose(together.impostor_mean[::97], [a.impostor_mean[0] for a in alone])
    assert np.allclose(together.impostor_deviation[::97], [a.impostor_deviation[0] for a in alone], rtol=1e-10)


def test_a_centre_is_seen_as_if_it_were_a_face():
    rng = np.random.default_rng(0)
    x = photos_of(person(rng), 4, rng)
    a = rng.normal(size=(DIM, DIM))
    view = ImpostorModel(rng.normal(size=DIM) * 0.01, a @ a.T / DIM**2)
    direct, linear = (
        impostor_stats(unit(x[:3].sum(0))[None], view),
        weighted_means(impostor_stats(x, view), np.array([[1, 1, 1, 0]]), view),
    )
    for one, two in zip(direct, linear, strict=True):
        assert np.allclose(one, two)


def test_to_others_is_the_likeness_to_the_mean_of_the_others():
    rng = np.random.default_rng(0)
    x = photos_of(person(rng), 5, rng)
    a = rng.normal(size=(DIM, DIM))
    view = ImpostorModel(rng.normal(size=DIM) * 0.01, a @ a.T / DIM**2)
    faces = impostor_stats(x, view)
    assert np.allclose(
        leave_one_out_scores(faces, view), row_scores(faces, weighted_means(faces, 1 - np.eye(5), view)), atol=2e-6
    )


def test_pairwise_is_the_matrix_at_the_pairs(monkeypatch):
    monkeypatch.setattr("pipeline.noise.scores.fusion.BLOCK", 3)
    x = unit(np.random.default_rng(0).normal(size=(5, DIM)))
    i, j = np.triu_indices(5, 1)
    faces = impostor_stats(x, EVEN)
    assert np.array_equal(pair_scores([faces], i, [faces], j)[0], score_matrix(faces, faces)[i, j])


def test_on_average_is_the_mean_over_all_pairs():
    rng = np.random.default_rng(0)
    a, b = photos_of(person(rng), 4, rng), photos_of(person(rng), 3, rng)
    zero = np.zeros(1, int)
    found = mean_photo_scores([a.mean(0)[None]], zero, [b.mean(0)[None]], zero, PLAIN)
    assert found[0] == pytest.approx(score_matrix(impostor_stats(a, EVEN), impostor_stats(b, EVEN)).mean(), abs=1e-4)


def test_level_and_rate_are_inverse():
    tail = FarCurve(0.1, 0.9, 0.05)
    fars = [0.4, 0.01, 1e-4, 1e-9]
    assert far_at(tail, np.array([threshold_at_far(tail, far) for far in fars])) == pytest.approx(fars, rel=1e-3)
    assert far_at(tail, np.array([-5.0, 50.0])).tolist() == [0.5, pytest.approx(1e-15)]
    assert threshold_at_far(FarCurve(0, 1, 0), 0.001) == pytest.approx(3.0902, abs=1e-4)


def test_usual_is_a_quantile_of_one_persons_pairs():
    assert genuine_quantile(PLAIN, 0.5) == pytest.approx(PLAIN.genuine_mean)
    assert genuine_quantile(PLAIN, 0.1) == pytest.approx(
        PLAIN.genuine_mean - 1.2816 * PLAIN.genuine_deviation, abs=1e-3
    )


def test_fuse_and_some():
    assert fuse([np.array([1.0, 2]), np.array([3.0, 4])], (0.5, 2)).tolist() == [6.5, 9.0]
    assert take(impostor_stats(np.eye(DIM), EVEN), np.array([2])).x[0, 2] == 1
