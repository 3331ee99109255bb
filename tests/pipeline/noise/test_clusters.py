"""Clusters of one identity: the person among outliers, robust centres, and the scores with them."""

import numpy as np
import pytest

from pipeline.noise import clusters
from pipeline.noise.clusters import FALSE_LINKS, ClusterRates, cluster
from pipeline.noise.linkage import average_linkage
from pipeline.noise.scores.centres import centre_scores, inner_faces, robust_centre
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import all_impostor_stats, fused_scores
from pipeline.sample.cases.drawn_vectors import ageing_person
from tests.builders.tables.drawn_vectors import PLAIN, TWO, person, photos_of, unit


@pytest.mark.parametrize("calibration", [PLAIN, TWO])
def test_the_person_is_found_among_outliers(calibration):
    rng = np.random.default_rng(0)
    for n, outliers in ((2, 5), (3, 6), (10, 8), (40, 30)):
        x = np.concatenate([photos_of(person(rng), n, rng), [person(rng) for _ in range(outliers)]])
        order = rng.permutation(len(x))
        faces = all_impostor_stats([x[order]] * len(calibration.impostors), calibration)
        labels = cluster(faces, calibration, ClusterRates(join_far=1e-6))
        assert set(np.flatnonzero(labels == 0)) == set(np.flatnonzero(order < n))


def test_two_persons_are_two_clusters_the_larger_first():
    rng = np.random.default_rng(1)
    x = np.concatenate([photos_of(person(rng), n, rng) for n in (4, 7)])
    assert cluster(all_impostor_stats([x], PLAIN), PLAIN).tolist() == [1] * 4 + [0] * 7


def test_of_two_equal_clusters_the_more_cohesive_is_the_person():
    rng = np.random.default_rng(2)
    loose, tight = photos_of(person(rng), 3, rng), photos_of(person(rng), 3, rng)
    tight = unit(tight + tight.mean(0))
    assert cluster(all_impostor_stats([np.concatenate([loose, tight])], PLAIN), PLAIN).tolist() == [1] * 3 + [0] * 3


def test_faces_beyond_max_linked_join_the_person(monkeypatch):
    monkeypatch.setattr(clusters, "MAX_LINKED", 20)
    rng = np.random.default_rng(3)
    x = np.concatenate([photos_of(person(rng), 50, rng), [person(rng) for _ in range(10)]])
    labels = cluster(all_impostor_stats([x], PLAIN), PLAIN)
    assert (labels[:50] == 0).all()
    assert (labels[50:] != 0).all()


def test_one_face_is_one_cluster():
    assert cluster(all_impostor_stats([np.eye(64)[:1]], PLAIN), PLAIN).tolist() == [0]


def test_the_centre_leaves_out_an_outlier():
    rng = np.random.default_rng(4)
    shown = person(rng)
    x = np.concatenate([photos_of(shown, 9, rng), -shown[None]])
    assert not inner_faces(x)[9]
    assert robust_centre(x) @ shown > unit(x.mean(0)) @ shown


def test_a_members_own_vector_does_not_raise_its_score():
    faces = all_impostor_stats([np.eye(64)[:3]], PLAIN)
    scores = centre_scores(faces, np.array([True, True, False]), PLAIN)[0]
    assert scores[:2].tolist() == [0, 0], "each is compared with the other one only"
    assert np.isnan(centre_scores(faces, np.array([True, False, False]), PLAIN)[0][0])


def test_a_second_person_in_fragments_becomes_one_cluster():
    rng = np.random.default_rng(5)
    parent, child = person(rng), person(rng)
    of_parent = photos_of(parent, 400, rng)
    of_child = ageing_person(rng, unit(child + 0.25 * parent), 120, ages=20, drift=0.3, noise=0.9)
    others = [person(rng) for _ in range(40)]
    faces = all_impostor_stats([np.concatenate([of_parent, of_child, others])], PLAIN)
    labels = cluster(faces, PLAIN)
    min_score = threshold_at_far(PLAIN.fused_curve, FALSE_LINKS / (560 * 559 / 2))
    linked = average_linkage(fused_scores(faces, faces, PLAIN), min_score)
    assert len(set(linked[400:520])) > 10, "the linkage alone leaves fragments"
    assert (labels[:400] == 0).all()
    assert (labels[400:520] == 1).mean() > 0.95
    assert not np.isin(labels[520:], (0, 1)).any()


def test_two_companions_in_a_few_photos_each_stay_two_clusters():
    rng = np.random.default_rng(6)
    x = np.concatenate([photos_of(person(rng), n, rng) for n in (30, 5, 4)])
    assert cluster(all_impostor_stats([x], PLAIN), PLAIN).tolist() == [0] * 30 + [1] * 5 + [2] * 4
