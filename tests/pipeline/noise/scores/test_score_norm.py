"""Normalised scores of one embedder, against answers by hand and slower computations."""

import numpy as np
import pytest

from pipeline.noise.scores.score_norm import (
    BLOCK,
    FEW_ROWS,
    ImpostorModel,
    impostor_stats,
    leave_one_out_scores,
    row_scores,
    score_matrix,
    take_rows,
    weighted_means,
)
from tests.builders.tables.drawn_vectors import DIM, EVEN, person, photos_of, unit


def uneven_impostors(rng: np.random.Generator) -> ImpostorModel:
    """Impostors that are not uniform on the sphere."""
    a = rng.normal(size=(DIM, 3 * DIM))
    return ImpostorModel(rng.normal(size=DIM) * 0.01, a @ a.T / DIM**2)


def test_with_uniform_impostors_a_score_is_the_cosine_in_units_of_their_deviation():
    x = unit(np.random.default_rng(0).normal(size=(3, DIM)))
    faces = impostor_stats(x, EVEN)
    assert np.allclose(score_matrix(faces, faces), x @ x.T * np.sqrt(DIM), atol=1e-5)


def test_a_face_that_resembles_all_impostors_scores_low_with_everybody():
    impostors = ImpostorModel(np.array([0.5, 0, 0]), np.diag([0.01, 0.04, 0.04]))
    common, other = (impostor_stats(np.array([row]), impostors) for row in ([1.0, 0, 0], [0, 1.0, 0]))
    # cosine 0; impostor cosines are 0.5 +- 0.1 for the one and 0 +- 0.2 for the other: ((0 - 0.5) / 0.1 + 0) / 2
    assert score_matrix(common, other)[0, 0] == pytest.approx(-2.5)
    assert row_scores(common, other)[0] == pytest.approx(-2.5)


def test_statistics_of_many_faces_are_those_of_each_alone():
    rng = np.random.default_rng(0)
    impostors = uneven_impostors(rng)
    x = unit(rng.normal(size=(BLOCK + FEW_ROWS, DIM)))
    together = impostor_stats(x, impostors)
    alone = [impostor_stats(x[i : i + 1], impostors) for i in range(0, len(x), 97)]
    assert np.allclose(together.impostor_mean[::97], [a.impostor_mean[0] for a in alone])
    assert np.allclose(together.impostor_deviation[::97], [a.impostor_deviation[0] for a in alone], rtol=1e-10)


def test_a_weighted_mean_has_the_statistics_that_its_vector_has_as_a_face():
    rng = np.random.default_rng(0)
    x = photos_of(person(rng), 4, rng)
    impostors = uneven_impostors(rng)
    direct = impostor_stats(unit(x[:3].sum(0))[None], impostors)
    mean = weighted_means(impostor_stats(x, impostors), np.array([[1, 1, 1, 0]]), impostors)
    for expected, actual in zip(direct, mean, strict=True):
        assert np.allclose(expected, actual)


def test_leave_one_out_scores_are_those_with_the_mean_of_the_others():
    rng = np.random.default_rng(0)
    x = photos_of(person(rng), 5, rng)
    impostors = uneven_impostors(rng)
    faces = impostor_stats(x, impostors)
    means = weighted_means(faces, 1 - np.eye(5), impostors)
    assert np.allclose(leave_one_out_scores(faces, impostors), row_scores(faces, means), atol=2e-6)


def test_take_rows_keeps_the_chosen_rows():
    assert take_rows(impostor_stats(np.eye(DIM), EVEN), np.array([2])).x[0, 2] == 1
