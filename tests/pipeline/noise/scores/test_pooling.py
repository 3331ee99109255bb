"""The calibration of a group, pooled with that of the whole population."""

import numpy as np
import pytest

from pipeline.noise.scores import pooling
from pipeline.noise.scores.calibrate import calibrate
from pipeline.noise.scores.far_curve import FARS, FarCurve, threshold_at_far
from pipeline.noise.scores.fusion import fuse, mean_photo_scores
from pipeline.noise.scores.pooling import OWN_WEIGHT, pool_group, pooled_weight
from pipeline.noise.scores.score_norm import (
    impostor_stats,
    leave_one_out_scores,
    row_scores,
    score_matrix,
    weighted_means,
)
from tests.builders.tables.drawn_vectors import noisy_identities, person, photos_of, unit

CLOSER, OTHERS = 0.25, 500


def into_cone(x, cone):
    """The unit vectors moved so that cosines between two people are higher by CLOSER."""
    return unit(np.sqrt(1 - CLOSER) * x + np.sqrt(CLOSER) * cone)


def close_group(people, seed=0):
    """The whole population's calibration, and vectors and identities of a close group that is part of it."""
    rng = np.random.default_rng(seed)
    cone = person(rng)
    others, of_others = noisy_identities(rng, people=OTHERS, noise=0.1)
    x, identity = noisy_identities(rng, people=people, noise=0.0)
    x = into_cone(x, cone)
    whole = calibrate([np.concatenate([others, x])], identity=np.concatenate([of_others, identity + OTHERS]))
    return rng, cone, whole, x, identity


def weaker(x, rng):
    """The vectors of the same faces by a weaker embedder."""
    return unit(x + rng.normal(size=x.shape) * 0.3 / np.sqrt(x.shape[1]))


def test_a_weight_is_the_share_of_the_groups_own_pairs():
    assert pooled_weight(0) == 0
    assert pooled_weight(200) == pytest.approx(0.5)
    assert pooled_weight(60 * 59 / 2) == pytest.approx(1770 / 1970)
    assert pooled_weight(61 * 60 / 2) >= OWN_WEIGHT
    assert pooled_weight(30, 10) == pytest.approx(0.75)


@pytest.mark.parametrize("spread", [0.4, 0.7, 1.3, 2.0])
def test_scores_of_another_spread_follow_the_curve_to_the_smallest_rates(spread):
    """The scores of a group are those of the population times a factor, with a shift; the curve bends."""
    curve = FarCurve(0.02, 0.95, 0.05)
    scale, shift = pooling._onto_curve(spread * scores_at(curve, FARS) + 0.3, curve, 1.0)
    rates = np.array([1e-2, 1e-4, 1e-6])
    moved = (spread * scores_at(curve, rates) + 0.3) * scale + shift
    assert moved == pytest.approx(scores_at(curve, rates), abs=0.002)


def scores_at(curve, rates):
    """The scores that these shares of impostor pairs reach."""
    return np.array([threshold_at_far(curve, far) for far in rates])


def test_the_population_s_thresholds_have_their_far_in_a_close_group():
    rng, cone, whole, x, identity = close_group(60)
    group = pool_group([x], identity=identity, whole=whole)
    new = into_cone(np.array([person(rng) for _ in range(1200)]), cone)
    pairs, far = np.triu_indices(len(new), 1), 3e-3
    rates = {}
    for name, model in (("whole", whole.impostors[0]), ("group", group.impostors[0])):
        faces = impostor_stats(new, model)
        scores = fuse([score_matrix(faces, faces)[pairs]], whole.weights)
        rates[name] = float((scores >= threshold_at_far(whole.fused_curve, far)).mean())
    assert rates["whole"] > 5 * far
    assert far / 3 < rates["group"] < 3 * far
    assert group.is_own is False
    assert group.weight == pytest.approx(1770 / 1970, abs=1e-6)


def test_the_fused_score_of_two_embedders_has_its_far_in_a_close_group():
    rng = np.random.default_rng(3)
    cone, (others, of_others) = person(rng), noisy_identities(rng, people=300, noise=0.1)
    x, identity = noisy_identities(rng, people=60, noise=0.0)
    new = into_cone(np.array([person(rng) for _ in range(900)]), cone)
    x, everybody = into_cone(x, cone), np.concatenate([of_others, identity + 300])
    both = [np.concatenate([others, x]), weaker(np.concatenate([others, x]), rng)]
    whole = calibrate(both, identity=everybody)
    group = pool_group([e[-len(x) :] for e in both], identity=identity, whole=whole)
    pairs, far = np.triu_indices(len(new), 1), 3e-3
    faces = [impostor_stats(e, m) for e, m in zip((new, weaker(new, rng)), group.impostors, strict=True)]
    scores = fuse([score_matrix(f, f)[pairs] for f in faces], whole.weights)
    assert far / 3 < (scores >= threshold_at_far(whole.fused_curve, far)).mean() < 3 * far


def test_genuine_pairs_of_a_group_are_measured_with_its_own_scores():
    rng, cone, whole, x, identity = close_group(120)
    group = pool_group([x], identity=identity, whole=whole)
    own = impostor_stats(into_cone(photos_of(person(rng), 40, rng), cone), group.impostors[0])
    true = score_matrix(own, own)[np.triu_indices(40, 1)].mean() * whole.weights[0]
    assert group.genuine_weight > 0.75
    assert group.genuine_mean == pytest.approx(true, rel=0.15)


def test_a_group_of_fewer_people_is_nearer_to_the_whole_population():
    _, _, whole, x, identity = close_group(60)
    drawn = [pool_group([x[: 3 * n]], identity=identity[: 3 * n], whole=whole) for n in (1, 2, 8, 20, 60)]
    shifts = [abs(group.impostors[0].shift) for group in drawn]
    assert shifts[0] == 0
    assert shifts == sorted(shifts)
    assert shifts[1] < 0.1 < 0.8 < shifts[-1]


@pytest.mark.parametrize("faces", [0, 1, 3])
def test_a_group_without_a_pair_of_people_has_the_population_s_calibration(faces):
    _, _, whole, x, identity = close_group(4)
    group = pool_group([x[:faces]], identity=identity[:faces], whole=whole)
    assert group.weight == 0
    assert group.applied(whole) == whole


def test_a_shift_is_added_to_all_kinds_of_scores():
    rng, cone, whole, x, identity = close_group(60)
    model = pool_group([x], identity=identity, whole=whole).impostors[0]
    plain = model._replace(shift=0.0)
    photos = into_cone(photos_of(person(rng), 6, rng), cone)
    moved, still = impostor_stats(photos, model), impostor_stats(photos, plain)
    np.testing.assert_allclose(score_matrix(moved, moved), score_matrix(still, still) + model.shift, atol=1e-5)
    by_hand = []
    for face in range(6):
        others = np.ones((1, 6))
        others[0, face] = 0
        centre = weighted_means(moved, others, model)
        by_hand.append(row_scores(impostor_stats(photos[face : face + 1], model), centre)[0])
    np.testing.assert_allclose(leave_one_out_scores(moved, model), by_hand, atol=1e-5)
    one, pairs = np.zeros(1, int), [photos[:3].mean(0, keepdims=True)]
    with_shift, without = (
        mean_photo_scores(pairs, one, pairs, one, whole._replace(impostors=(m,), weights=(1.0,)))
        for m in (model, plain)
    )
    assert with_shift[0] == pytest.approx(without[0] + model.shift, abs=1e-5)
