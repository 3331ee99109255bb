"""Calibration on few identities, beside the impostor scores that these identities really have."""

import numpy as np
import pytest

from pipeline.noise.scores.calibrate import FEW_IDENTITIES, calibrate
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import all_impostor_stats, fused_scores, genuine_quantile
from pipeline.noise.scores.person_pairs import person_pairs, rough_persons
from tests.builders.tables.drawn_vectors import DIM, person, unit

FARS = (0.05, 3e-3, 1e-4)  # those of the rules mixed, outlier and contrary


def narrow(x):
    """Unit vectors whose variance falls from axis to axis: impostor cosines have a deviation of 0.17, not 0.125."""
    return unit(np.reshape(x, (-1, DIM)) / (1 + np.arange(DIM) / 32))


def identities(rng, count, faces, noise, *, names_each=1):
    """Vectors and identity numbers; noise: share of photos of further people; each person has so many identities."""
    x, number = [], []
    for name in range(count):
        centre = person(rng)
        for k in range(faces):
            x.append(person(rng) if rng.random() < noise else unit(centre + 0.45 * person(rng)))
            number.append(name * names_each + k % names_each)
    return narrow(x), np.array(number)


def impostors_of(calibration, rng):
    """Fused scores of pairs of people who are not in the sample."""
    vectors = all_impostor_stats([narrow([person(rng) for _ in range(800)])], calibration)
    return fused_scores(vectors, vectors, calibration)[np.triu_indices(800, 1)]


def assert_thresholds_near(calibration, rng, within):
    z = impostors_of(calibration, rng)
    for far in FARS:
        assert threshold_at_far(calibration.fused_curve, far) == pytest.approx(np.quantile(z, 1 - far), abs=within)


@pytest.mark.parametrize(("count", "within"), [(3, 0.9), (6, 0.6), (12, 0.4), (24, 0.4)])
def test_thresholds_of_few_identities_are_near_those_of_many_people(count, within):
    for seed in range(2 if count < 24 else 1):
        rng = np.random.default_rng([count, seed])
        x, number = identities(rng, count, 20, 0.3)
        assert_thresholds_near(calibrate([x], identity=number), rng, within)


def test_identities_of_one_person_and_a_clean_set_do_not_raise_thresholds():
    rng = np.random.default_rng(1)
    x, number = identities(rng, 24, 12, 0.0, names_each=3)  # 2.8% of the pairs of identities are one person
    calibration = calibrate([x], identity=number)
    assert calibration.basis.identities == 72
    assert calibration.basis.persons == pytest.approx(24, abs=3)
    assert_thresholds_near(calibration, rng, 0.4)


def test_the_genuine_pairs_of_few_identities_are_found():
    rng = np.random.default_rng(2)
    x, number = identities(rng, 24, 12, 0.3)
    calibration = calibrate([x], identity=number)
    centre = person(rng)
    faces = all_impostor_stats([narrow([unit(centre + 0.45 * person(rng)) for _ in range(60)])], calibration)
    z = fused_scores(faces, faces, calibration)[np.triu_indices(60, 1)]
    assert genuine_quantile(calibration, 0.5) == pytest.approx(np.median(z), rel=0.2)


def test_persons_across_identities_are_linked_and_pairs_of_persons_count_once():
    rng = np.random.default_rng(3)
    x, number = identities(rng, 4, 10, 0.0, names_each=2)
    linked = rough_persons([x], number)
    pairs = person_pairs(linked, number)
    assert pairs.persons == 4
    assert pairs.person_pairs == pytest.approx(6)
    i, j = np.triu_indices(40, 1)
    assert not pairs.impostor[(i // 10) == (j // 10)].any()  # ten rows a person


def test_a_basis_says_how_much_is_assumed_and_warns_of_a_guess():
    rng = np.random.default_rng(4)
    few, many = (calibrate([x], identity=n).basis for x, n in (identities(rng, c, 9, 0.2) for c in (3, 60)))
    assert few.is_guess
    assert "--reference" in few.warning()
    assert "refinery calibrate" in few.warning()
    assert not many.is_guess
    assert many.warning() == ""
    assert many.assumed < 0.1 < 0.5 < few.assumed
    assert many.spread < few.spread
    assert "3 identities" in few.line()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_next_to_nothing_is_a_guess(count):
    x, number = identities(np.random.default_rng(5), 1, count, 0.0)
    basis = calibrate([x], identity=number.astype(np.int64)).basis
    assert basis.is_guess
    assert basis.faces == count


def test_many_identities_have_a_spread_and_no_assumption():
    rng = np.random.default_rng(6)
    x, number = identities(rng, FEW_IDENTITIES + 20, 3, 0.3)
    basis = calibrate([x], identity=number).basis
    assert basis.assumed == 0
    assert basis.identities == FEW_IDENTITIES + 20
    assert 0.01 < basis.spread < 0.1  # 0.02 over twelve other samples
