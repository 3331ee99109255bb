"""Calibration on drawn faces with wrong labels, whose impostor and genuine scores are known."""

import numpy as np
import pytest

from pipeline.noise.scores.calibrate import ROWS, calibrate, impostor_model, without_own_identity
from pipeline.noise.scores.far_curve import fit_far_curve, threshold_at_far
from pipeline.noise.scores.score_norm import as_double, impostor_stats, score_matrix
from tests.builders.tables.drawn_vectors import DIM, noisy_identities, person, photos_of


def test_the_far_holds_for_impostors_outside_the_sample():
    rng = np.random.default_rng(0)
    x, identity = noisy_identities(rng)
    calibration = calibrate([x], identity=identity)
    new_impostors = impostor_stats(np.array([person(rng) for _ in range(1500)]), calibration.impostors[0])
    z = score_matrix(new_impostors, new_impostors)[np.triu_indices(1500, 1)] * calibration.weights[0]
    for far in (0.1, 0.01, 1e-3, 1e-4):
        assert (z >= threshold_at_far(calibration.fused_curve, far)).mean() == pytest.approx(far, rel=0.35)


def test_a_person_under_two_identities_hardly_changes_the_curve():
    rng = np.random.default_rng(1)
    x, identity = noisy_identities(rng, noise=0.0)
    double = np.concatenate([x, x[:30]]), np.concatenate([identity, identity[:30] + 1000])
    clean, mixed = (calibrate([a], identity=b).fused_curve for a, b in ((x, identity), double))
    assert threshold_at_far(mixed, 1e-4) == pytest.approx(threshold_at_far(clean, 1e-4), rel=0.05)


@pytest.mark.parametrize(("people", "names"), [(15, 10), (120, 5)])
def test_persons_of_many_names_do_not_raise_the_curve(people, names):
    """Their pairs across identities are genuine: a twentieth of all with 15 people, and one in 150 with 120."""
    rng = np.random.default_rng(6)
    x = np.concatenate([photos_of(person(rng), 3 * names, rng) for _ in range(people)])
    calibration = calibrate([x], identity=np.arange(people * names).repeat(3))
    strangers = impostor_stats(np.array([person(rng) for _ in range(1000)]), calibration.impostors[0])
    z = score_matrix(strangers, strangers)[np.triu_indices(1000, 1)] * calibration.weights[0]
    assert threshold_at_far(calibration.fused_curve, 1e-3) == pytest.approx(np.quantile(z, 1 - 1e-3), rel=0.15)


def test_genuine_pairs_are_estimated_in_spite_of_wrong_labels():
    rng = np.random.default_rng(2)
    x, identity = noisy_identities(rng, noise=0.4)
    calibration = calibrate([x], identity=identity)
    assert calibration.genuine_share == pytest.approx(0.36, abs=0.08)  # both labels are right: 0.6 ^ 2
    clean = impostor_stats(photos_of(person(rng), 40, rng), calibration.impostors[0])
    z = score_matrix(clean, clean)[np.triu_indices(40, 1)]
    assert calibration.genuine_mean == pytest.approx(z.mean() * calibration.weights[0], rel=0.1)


def test_the_better_embedder_has_the_larger_weight():
    rng = np.random.default_rng(3)
    x, identity = noisy_identities(rng, noise=0.2)
    poor = x + rng.normal(size=x.shape) / np.sqrt(DIM)
    poor /= np.linalg.norm(poor, axis=1, keepdims=True)
    calibration = calibrate([x, poor], identity=identity)
    assert calibration.weights[0] > 2 * calibration.weights[1]


def test_the_same_embedder_twice_has_the_same_weight_twice():
    x, identity = noisy_identities(np.random.default_rng(4))
    calibration = calibrate([x, x], identity=identity)
    assert calibration.weights[0] == pytest.approx(calibration.weights[1])


@pytest.mark.parametrize("people", [0, 1, 5])
def test_few_people_give_a_plausible_curve(people):
    rng = np.random.default_rng(5)
    x, identity = noisy_identities(rng, people) if people else (np.zeros((0, DIM)), np.zeros(0, int))
    calibration = calibrate([x], identity=identity)
    assert 2 < threshold_at_far(calibration.fused_curve, 1e-3) < 6


def test_the_impostor_model_of_few_faces_is_near_a_uniform_sphere():
    model = impostor_model(np.eye(DIM)[:1])
    assert model.covariance[1, 1] == pytest.approx(5 / (1 + 5 * DIM))


@pytest.mark.parametrize("first", [0.0, 2.0])
def test_a_curve_is_fitted_to_all_impostor_pairs_even_if_the_first_block_is_unusual(first, monkeypatch):
    monkeypatch.setattr("pipeline.noise.scores.calibrate.MAX_SHARED", 1.0)  # identities that look alike are compared
    rng = np.random.default_rng(7)
    x, identity = noisy_identities(rng, people=400)
    x[: 3 * ROWS] += first * person(rng)  # the faces that are compared first, and with all others, look much alike
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    faces = without_own_identity(as_double(impostor_stats(x, impostor_model(x))), identity)
    z = score_matrix(faces, faces)[np.triu(identity[:, None] != identity[None], 1)]
    assert calibrate([x], identity=identity).far_curves[0] == fit_far_curve(z, len(z))
