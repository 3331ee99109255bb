"""The person of an identity among all faces of its photos: cannot-links, duplicates, two persons, the margin."""

import numpy as np

from pipeline.noise.choice import consensus
from pipeline.noise.choice.consensus import FitRates, IdentityFaces, best_of_photos, better_faces, fit_of_faces
from pipeline.noise.scores.fusion import all_impostor_stats
from tests.builders.tables.drawn_vectors import PLAIN, person, photos_of

RATES = FitRates(0.1, 3e-3, 0.05, 3e-3)


def faces_of(rows, *, picture=None, first=()):
    """Faces of one identity.

    rows: the number of the photo, whether it is a further face, the vector. first: those in the main faces' cluster.
    """
    photo, further = (np.array([row[i] for row in rows]) for i in (0, 1))
    vectors = all_impostor_stats([np.array([row[2] for row in rows])], PLAIN)
    pictures = photo if picture is None else np.array(picture)[photo]
    return IdentityFaces(photo, pictures, further, np.isin(np.arange(len(rows)), first), vectors)


def test_the_person_in_most_photos_is_found_among_main_and_further_faces():
    rng = np.random.default_rng(0)
    shown = photos_of(person(rng), 5, rng)
    rows = [(i, False, shown[i]) for i in range(2)]  # two main faces are right, three are other people's
    rows += [row for i in range(2, 5) for row in ((i, False, person(rng)), (i, True, shown[i]), (i, True, person(rng)))]
    fit = fit_of_faces(faces_of(rows), PLAIN, RATES)
    assert np.flatnonzero(fit.fits).tolist() == [0, 1, 3, 6, 9]
    photo, further = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    assert better_faces(photo, further, *fit).tolist() == [3, 6, 9]


def test_two_faces_of_one_photo_are_never_one_person_however_alike():
    rng = np.random.default_rng(1)
    twin = person(rng)
    rows = [(0, False, twin), (0, True, twin)]
    assert fit_of_faces(faces_of(rows), PLAIN, RATES) is None
    one, other = photos_of(twin, 2, rng)
    assert fit_of_faces(faces_of([(0, False, one), (1, False, other)]), PLAIN, RATES) is not None


def test_a_duplicate_is_no_second_photo_of_a_person():
    """Everybody in a photo is in its duplicate; only who is in another picture, too, is the identity's person."""
    rng = np.random.default_rng(2)
    named, bystander = photos_of(person(rng), 3, rng), person(rng)
    rows = [(0, False, bystander), (0, True, named[0]), (1, False, bystander), (1, True, named[1])]
    assert fit_of_faces(faces_of(rows, picture=[0, 0]), PLAIN, RATES) is None
    fit = fit_of_faces(faces_of([*rows, (2, False, named[2])], picture=[0, 0, 2]), PLAIN, RATES)
    assert np.flatnonzero(fit.fits).tolist() == [1, 3, 4]


def test_main_faces_count_twice_against_a_companion_who_is_beside_the_person():
    rng = np.random.default_rng(3)
    named, companion = photos_of(person(rng), 2, rng), photos_of(person(rng), 3, rng)
    rows = [(0, False, named[0]), (1, False, named[1]), (2, False, person(rng))]
    rows += [(i, True, companion[i]) for i in range(3)]
    assert np.flatnonzero(fit_of_faces(faces_of(rows), PLAIN, RATES).fits).tolist() == [0, 1]


def test_a_second_person_of_the_identity_is_found_in_three_photos():
    rng = np.random.default_rng(4)
    first, second = photos_of(person(rng), 5, rng), photos_of(person(rng), 3, rng)
    rows = [(i, False, x) for i, x in enumerate(first)]
    rows += [row for i, x in enumerate(second, 5) for row in ((i, False, person(rng)), (i, True, x))]
    fit = fit_of_faces(faces_of(rows), PLAIN, RATES)
    assert np.flatnonzero(fit.fits).tolist() == [0, 1, 2, 3, 4, 6, 8, 10]
    fit = fit_of_faces(faces_of(rows[:-2]), PLAIN, RATES)
    assert np.flatnonzero(fit.fits).tolist() == [0, 1, 2, 3, 4], "two photos may show a companion"


def test_a_weak_model_that_links_no_faces_starts_with_the_cluster_of_the_main_faces():
    rng = np.random.default_rng(7)
    shown = photos_of(person(rng), 6, rng)
    rows = [(i, False, x) for i, x in enumerate(shown[:5])] + [(5, False, person(rng)), (5, True, shown[5])]
    strict = RATES._replace(false_links=1e-12)
    assert fit_of_faces(faces_of(rows), PLAIN, strict) is None
    fit = fit_of_faces(faces_of(rows, first=range(5)), PLAIN, strict)
    assert np.flatnonzero(fit.fits).tolist() == [0, 1, 2, 3, 4, 6]


def test_of_very_many_faces_some_are_clustered_and_all_are_compared(monkeypatch):
    monkeypatch.setattr(consensus, "MAX_LINKED", 20)
    rng = np.random.default_rng(6)
    shown = photos_of(person(rng), 30, rng)
    rows = [row for i, x in enumerate(shown) for row in ((i, False, person(rng)), (i, True, x))]
    assert np.flatnonzero(fit_of_faces(faces_of(rows), PLAIN, RATES).fits).tolist() == list(range(1, 60, 2))


def test_faces_that_nobody_shares_have_no_person():
    rng = np.random.default_rng(5)
    rows = [row for i in range(4) for row in ((i, False, person(rng)), (i, True, person(rng)))]
    assert fit_of_faces(faces_of(rows), PLAIN, RATES) is None


def test_a_further_face_must_fit_better_by_a_margin():
    photo, further = np.array([0, 0, 1, 1]), np.array([False, True] * 2)
    scores = np.array([5.0, 5.9, 5.0, 6.1])
    assert best_of_photos(photo, scores).tolist() == [False, True, False, True]
    assert better_faces(photo, further, scores, np.ones(4, bool)).tolist() == [3]
    assert better_faces(photo, further, scores, np.array([True, True, True, False])).tolist() == []
