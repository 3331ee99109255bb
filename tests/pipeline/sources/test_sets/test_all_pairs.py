"""All pairs of photos: each once, in the fold of its person, and a fair random sample where there are too many."""

import itertools

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sources.test_sets.all_pairs import all_pairs


def test_every_pair_once() -> None:
    person = np.array([0, 1, 0, 2, 1, 0, 3])
    found = all_pairs(person)
    asked = {frozenset(p): s for *p, s in zip(found.a.tolist(), found.b.tolist(), found.same.tolist(), strict=True)}
    assert len(asked) == len(found.a) == 21
    assert asked == {frozenset((i, j)): person[i] == person[j] for i, j in itertools.combinations(range(7), 2)}
    assert np.array_equal(found.fold, person[found.a])


def test_persons_are_spread_evenly_over_folds_and_over_photo_a() -> None:
    person = np.repeat(np.arange(25), 4)
    found = all_pairs(person)
    assert np.array_equal(found.fold, person[found.a] % 10)
    first = np.bincount(person[found.a])
    assert first.max() - first.min() <= 4 * 4


@pytest.mark.parametrize("people", [30, 400])  # 120 photos: a choice of 7,140 pairs; 1,600: draws of 1.3 million
def test_a_sample_is_drawn_by_the_seed_where_pairs_are_too_many(people: int) -> None:
    person = np.repeat(np.arange(people), 4)
    most = 2000 if people == 30 else 5000
    found = all_pairs(person, max_pairs=most)
    assert (~found.same).sum() == most
    assert found.same.sum() == 6 * people
    codes = np.minimum(found.a, found.b) * len(person) + np.maximum(found.a, found.b)
    assert len(np.unique(codes)) == len(codes)
    share = np.bincount(person[np.concatenate([found.a[~found.same], found.b[~found.same]])], minlength=people)
    assert share.min() > 0.3 * share.mean(), "nobody is left out"
    assert all(np.array_equal(x, y) for x, y in zip(found, all_pairs(person, max_pairs=most), strict=True))
    assert not np.array_equal(found.a, all_pairs(person, max_pairs=most, seed=1).a)


def test_genuine_pairs_are_limited_too() -> None:
    found = all_pairs(np.repeat([0, 1], 30), max_pairs=100)
    assert found.same.sum() == (~found.same).sum() == 100


@pytest.mark.parametrize(
    ("person", "words"),
    [([0, 0, 0], "one person only"), ([0, 1, 2], "no two photos of one person"), ([], "no two photos")],
)
def test_photos_without_both_kinds_of_pairs_are_a_user_error(person: list, words: str) -> None:
    with pytest.raises(UserError, match=words):
        all_pairs(np.array(person, int))
