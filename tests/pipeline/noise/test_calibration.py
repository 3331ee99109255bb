"""Calibration on drawn strangers whose rates are known."""

import numpy as np
import pytest

from pipeline.noise.calibration import from_table, to_table
from pipeline.noise.scores.calibrate import ROWS, _without_own_identity, calibrate, impostor_model
from pipeline.noise.scores.far_curve import fit_far_curve, threshold_at_far
from pipeline.noise.scores.score_norm import as_double, impostor_stats, score_matrix
from tests.builders.tables.drawn_vectors import DIM, person, photos_of


def drawn(rng, people: int = 300, noise: float = 0.3):
    """Names of three photos each, of which some are strangers."""
    rows = []
    for _ in range(people):
        x = photos_of(person(rng), 3, rng)
        for k in range(3):
            if rng.random() < noise:
                x[k] = person(rng)
        rows.append(x)
    return np.concatenate(rows), np.repeat(np.arange(people), 3)


def test_a_rate_asked_for_is_the_rate_that_other_strangers_meet():
    rng = np.random.default_rng(0)
    x, identity = drawn(rng)
    found = calibrate([x], identity=identity)
    others = impostor_stats(np.array([person(rng) for _ in range(1500)]), found.impostors[0])
    z = score_matrix(others, others)[np.triu_indices(1500, 1)] * found.weights[0]
    for far in (0.1, 0.01, 1e-3, 1e-4):
        assert (z >= threshold_at_far(found.fused_curve, far)).mean() == pytest.approx(far, rel=0.35)


def test_one_person_under_two_names_does_not_bend_the_curve():
    rng = np.random.default_rng(1)
    x, identity = drawn(rng, noise=0.0)
    double = np.concatenate([x, x[:30]]), np.concatenate([identity, identity[:30] + 1000])
    clean, mixed = (calibrate([a], identity=b).fused_curve for a, b in ((x, identity), double))
    assert threshold_at_far(mixed, 1e-4) == pytest.approx(threshold_at_far(clean, 1e-4), rel=0.05)


def test_the_curve_of_the_same_person_is_found_among_the_noise():
    rng = np.random.default_rng(2)
    x, identity = drawn(rng, noise=0.4)
    found = calibrate([x], identity=identity)
    assert found.genuine_share == pytest.approx(0.36, abs=0.08)  # both photos are theirs: 0.6 ^ 2
    clean = photos_of(person(rng), 40, rng)
    z = score_matrix(impostor_stats(clean, found.impostors[0]), impostor_stats(clean, found.impostors[0]))[
        np.triu_indices(40, 1)
    ]
    assert found.genuine_mean == pytest.approx(z.mean() * found.weights[0], rel=0.1)


def test_the_better_embedder_weighs_more():
    rng = np.random.default_rng(3)
    x, identity = drawn(rng, noise=0.2)
    poor = x + rng.normal(size=x.shape) / np.sqrt(DIM)
    poor /= np.linalg.norm(poor, axis=1, keepdims=True)
    found = calibrate([x, poor], identity=identity)
    assert found.weights[0] > 2 * found.weights[1]


def test_one_embedder_given_twice_is_no_fault():
    x, identity = drawn(np.random.default_rng(4))
    found = calibrate([x, x], identity=identity)
    assert found.weights[0] == pytest.approx(found.weights[1])


@pytest.mark.parametrize("people", [0, 1, 5])
def test_few_people_give_a_curve_all_the_same(people):
    x, identity = drawn(np.random.default_rng(5), people) if people else (np.zeros((0, DIM)), np.zeros(0, int))
    found = calibrate([x], identity=identity)
    assert 2 < threshold_at_far(found.fused_curve, 1e-3) < 6


def test_few_faces_are_drawn_towards_an_even_sphere():
    found = impostor_model(np.eye(DIM)[:1])
    assert found.covariance[1, 1] == pytest.approx(5 / (1 + 5 * DIM))


def test_a_curve_that_would_turn_back_is_made_straight():
    tail = fit_far_curve(np.random.default_rng(0).uniform(-1, 1, 100_000), 100_000)  # no tail at all
    assert tail.c == 0
    assert threshold_at_far(tail, 1e-6) > threshold_at_far(tail, 1e-3)


@pytest.mark.parametrize("first", [0.0, 2.0])
def test_a_curve_is_read_off_all_strangers_whatever_the_first_are_like(first):
    rng = np.random.default_rng(7)
    x, identity = drawn(rng, people=400)
    x[: 3 * ROWS] += first * person(rng)  # the faces that are compared first, and with all others, look much alike
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    views = [impostor_model(x)]
    z = score_matrix(*[_without_own_identity(as_double(impostor_stats(x, views[0])), identity)] * 2)
    z = z[np.triu(identity[:, None] != identity[None], 1)]
    assert calibrate([x], identity=identity).far_curves[0] == fit_far_curve(z, len(z))


def test_to_table_and_back():
    x, identity = drawn(np.random.default_rng(6))
    found = calibrate([x, x[:, ::-1]], identity=identity)
    again = from_table(to_table(found))
    assert again[1:] == found[1:]
    assert all(
        np.array_equal(a, b)
        for v, w in zip(again.impostors, found.impostors, strict=True)
        for a, b in zip(v, w, strict=True)
    )
