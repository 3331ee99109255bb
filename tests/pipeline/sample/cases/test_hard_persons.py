"""Cases about persons: several names of one, two under one name, names of two photos, twins, people who age."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from pipeline.sample.cases.drawn_vectors import ageing_person, as_twins
from pipeline.sample.cases.labelled_photos import LabelledPhoto, persons_of
from pipeline.sample.cases.many_names import many_names
from pipeline.sample.cases.two_people import two_people
from pipeline.sample.cases.two_photo_names import two_photo_names
from tests.builders.tables.drawn_vectors import person, photos_of, unit

SIZES = {"A": 9, "B": 8, "C": 8, "D": 4}
CLEAN = [LabelledPhoto(f"{p}/{k}.jpg", p, p, "clean") for p, n in SIZES.items() for k in range(n)]
NOISE = [LabelledPhoto(f"A/o{k}.jpg", "A", f"O{k}", "outlier") for k in range(30)]


def test_a_person_gets_several_names_with_photos_of_all_dealt_in_turn():
    case = many_names([*CLEAN, *NOISE], names=4, persons=2)
    names = defaultdict(Counter)
    for photo in case:
        if photo.kind == "clean":
            names[photo.person][photo.claimed] += 1
    assert names["B"] == {f"B.{i}": 2 for i in range(4)}
    assert names["C"] == {f"C.{i}": 2 for i in range(4)}
    assert names["A"] == {"A": 9}
    assert len({p.file for p in case}) == len(case) == len(CLEAN) + len(NOISE)


def test_the_two_people_who_look_most_alike_get_one_name():
    east, north = np.eye(2)
    vectors = {p.path: {"A": east, "B": north, "C": unit(north + 0.1 * east), "D": north}[p.person] for p in CLEAN}
    case = two_people(CLEAN, vectors, identities=1, min_clean=8)
    assert persons_of(case) == {"A": ("A",), "B+C": ("B", "C"), "D": ("D",)}


def test_pairs_of_two_people_are_from_the_least_to_the_most_alike():
    rng = np.random.default_rng(0)
    vectors = {p.path: person(rng) for p in NOISE}
    case = two_photo_names([*CLEAN, *NOISE], vectors, pairs=6)
    pairs = defaultdict(list)
    for photo in case:
        if photo.claimed.startswith("pair-"):
            pairs[photo.claimed].append(photo)
    cosines = [vectors[a.file] @ vectors[b.file] for a, b in pairs.values()]
    every = np.array(list(vectors.values()))
    assert min(cosines) == pytest.approx((every @ every.T).min())
    assert max(cosines) == pytest.approx(np.sort((every @ every.T).ravel())[-31])  # after 30 with themselves
    assert all({p.kind for p in pair} == {"clean", "outlier"} for pair in pairs.values())
    assert len(case) == len(CLEAN) + len(NOISE)


def test_twins_differ_in_one_direction_and_stay_as_coherent():
    rng = np.random.default_rng(1)
    x = np.concatenate([photos_of(person(rng), 40, rng), photos_of(person(rng), 40, rng)])
    first = np.arange(80) < 40
    moved = as_twins(x, first, likeness=0.9)
    centres = [unit(moved[rows].mean(0)) for rows in (first, ~first)]
    assert centres[0] @ centres[1] == pytest.approx(0.9, abs=0.02)
    within = [(v @ v.T)[np.triu_indices(40, 1)].mean() for v in (x[40:], moved[40:])]
    assert within[1] == pytest.approx(within[0], abs=0.05)
    assert moved[:40] == pytest.approx(x[:40])


def test_photos_of_far_ages_are_less_alike():
    rng = np.random.default_rng(2)
    x = ageing_person(rng, person(rng), 300, ages=10, drift=0.4)
    steady = ageing_person(rng, person(rng), 300, ages=1, drift=0.4)
    spread, even = ((v @ v.T)[np.triu_indices(300, 1)] for v in (x, steady))
    assert np.linalg.norm(x, axis=1) == pytest.approx(1)
    assert np.quantile(spread, 0.05) < np.quantile(even, 0.05) - 0.1
    assert np.quantile(spread, 0.95) == pytest.approx(np.quantile(even, 0.95), abs=0.1)
