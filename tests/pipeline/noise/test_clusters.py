"""Groups within a name: linkage by hand, the person among strangers, robust centres."""

import numpy as np
import pytest

from pipeline.noise import clusters
from pipeline.noise.clusters import ClusterRates, centre, centre_scores, cluster, inner_faces
from pipeline.noise.linkage import average_linkage, rank_by_size
from pipeline.noise.scores.fusion import all_impostor_stats
from tests.builders.tables.drawn_vectors import PLAIN, TWO, person, photos_of, unit


def test_average_linkage_by_hand():
    s = np.array([[9, 5, 1, 0], [5, 9, 4, 0], [1, 4, 9, 0], [0, 0, 0, 9.0]])
    # 0-1 at 5; {0,1}-2 at (1 + 4) / 2 = 2.5; with 3 at 0
    assert average_linkage(s, 3).tolist() == [0, 0, 2, 3]
    assert average_linkage(s, 2.5).tolist() == [0, 0, 0, 3]
    assert average_linkage(s, 0).tolist() == [0, 0, 0, 0]


def slow_linkage(pairs, least):
    groups = [[i] for i in range(len(pairs))]
    while len(groups) > 1:
        best = max(
            (round(np.mean([pairs[i, j] for i in a for j in b]), 9), -min(a), -min(b))
            for k, a in enumerate(groups)
            for b in groups[k + 1 :]
        )
        if best[0] < least:
            break
        a, b = (next(g for g in groups if min(g) == -m) for m in best[1:])
        groups = [g for g in groups if g not in (a, b)] + [a + b]
    return [min(next(g for g in groups if i in g)) for i in range(len(pairs))]


@pytest.mark.parametrize("seed", range(5))
def test_average_linkage_is_the_slow_one(seed):
    s = np.random.default_rng(seed).normal(size=(25, 25))
    s = (s + s.T) / 2
    assert average_linkage(s, 0.2).tolist() == slow_linkage(s, 0.2)


def test_ranked_by_size_and_then_by_number():
    assert rank_by_size(np.array([7, 3, 7, 2, 3, -1])).tolist() == [1, 0, 1, 2, 0, 3]


@pytest.mark.parametrize("calibration", [PLAIN, TWO])
def test_the_person_is_found_among_strangers(calibration):
    rng = np.random.default_rng(0)
    for n, strangers in ((2, 5), (3, 6), (10, 8), (40, 30)):
        x = np.concatenate([photos_of(person(rng), n, rng), [person(rng) for _ in range(strangers)]])
        order = rng.permutation(len(x))
        labels = cluster(
            all_impostor_stats([x[order]] * len(calibration.impostors), calibration),
            calibration,
            ClusterRates(join_far=1e-6),
        )
        assert set(np.flatnonzero(labels == 0)) == set(np.flatnonzero(order < n))


def test_two_persons_are_two_groups_the_larger_first():
    rng = np.random.default_rng(1)
    x = np.concatenate([photos_of(person(rng), n, rng) for n in (4, 7)])
    assert cluster(all_impostor_stats([x], PLAIN), PLAIN).tolist() == [1] * 4 + [0] * 7


def test_of_two_equal_groups_the_more_cohesive_is_the_person():
    rng = np.random.default_rng(2)
    loose, tight = photos_of(person(rng), 3, rng), photos_of(person(rng), 3, rng)
    tight = unit(tight + tight.mean(0))
    assert cluster(all_impostor_stats([np.concatenate([loose, tight])], PLAIN), PLAIN).tolist() == [1] * 3 + [0] * 3


def test_names_larger_than_the_linkage_holds_find_their_person(monkeypatch):
    monkeypatch.setattr(clusters, "MAX_LINKED", 20)
    rng = np.random.default_rng(3)
    x = np.concatenate([photos_of(person(rng), 50, rng), [person(rng) for _ in range(10)]])
    labels = cluster(all_impostor_stats([x], PLAIN), PLAIN)
    assert (labels[:50] == 0).all()
    assert (labels[50:] != 0).all()


def test_one_face_and_no_face():
    assert cluster(all_impostor_stats([np.eye(64)[:1]], PLAIN), PLAIN).tolist() == [0]
    assert average_linkage(np.zeros((0, 0)), 1).tolist() == []


def test_the_centre_leaves_out_a_stranger():
    rng = np.random.default_rng(4)
    who = person(rng)
    x = np.concatenate([photos_of(who, 9, rng), -who[None]])
    assert not inner_faces(x)[9]
    assert centre(x) @ who > unit(x.mean(0)) @ who


def test_a_member_does_not_vouch_for_itself():
    x = np.eye(64)[:3]
    found = centre_scores(all_impostor_stats([x], PLAIN), np.array([True, True, False]), PLAIN)[0]
    assert found[:2].tolist() == [0, 0]  # each against the other alone
    assert np.isnan(centre_scores(all_impostor_stats([x], PLAIN), np.array([True, False, False]), PLAIN)[0][0])
