"""All pairs of photos: each once, in the fold of its person, and a fair random sample where there are too many."""

import itertools

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sources.test_sets.all_pairs import all_pairs


def test_every_pair_once() -> None:
    person = np.array([0, 1, 0, 2, 1, 0, 3])
    pairs = all_pairs(person)
    same_of_pair = {
        frozenset(p): s for *p, s in zip(pairs.a.tolist(), pairs.b.tolist(), pairs.same.tolist(), strict=True)
    }
    assert len(same_of_pair) == len(pairs.a) == 21
    assert same_of_pair == {frozenset((i, j)): person[i] == person[j] for i, j in itertools.combinations(range(7), 2)}
    assert np.array_equal(pairs.fold, person[pairs.a])


def test_persons_are_spread_evenly_over_folds_and_over_photo_a() -> None:
    person = np.repeat(np.arange(25), 4)
    pairs = all_pairs(person)
    assert np.array_equal(pairs.fold, person[pairs.a] % 10)
    first = np.bincount(person[pairs.a])
    assert first.max() - first.min() <= 4 * 4


@pytest.mark.parametrize("people", [30, 400])  # 120 photos: a choice of 7,140 pairs; 1,600: draws of 1.3 million
def test_a_sample_is_drawn_by_the_seed_where_pairs_are_too_many(people: int) -> None:
    person = np.repeat(np.arange(people), 4)
    max_pairs = 2000 if people == 30 else 5000
    pairs = all_pairs(person, max_pairs=max_pairs)
    assert (~pairs.same).sum() == max_pairs
    assert pairs.same.sum() == 6 * people
    codes = np.minimum(pairs.a, pairs.b) * len(person) + np.maximum(pairs.a, pairs.b)
    assert len(np.unique(codes)) == len(codes)
    share = np.bincount(person[np.concatenate([pairs.a[~pairs.same], pairs.b[~pairs.same]])], minlength=people)
    assert share.min() > 0.3 * share.mean(), "nobody is left out"
    assert all(np.array_equal(x, y) for x, y in zip(pairs, all_pairs(person, max_pairs=max_pairs), strict=True))
    assert not np.array_equal(pairs.a, all_pairs(person, max_pairs=max_pairs, seed=1).a)


def test_genuine_pairs_are_limited_too() -> None:
    pairs = all_pairs(np.repeat([0, 1], 30), max_pairs=100)
    assert pairs.same.sum() == (~pairs.same).sum() == 100


@pytest.mark.parametrize(
    ("person", "words"),
    [([0, 0, 0], "one person only"), ([0, 1, 2], "no two photos of one person"), ([], "no two photos")],
)
def test_photos_without_both_kinds_of_pairs_are_a_user_error(person: list, words: str) -> None:
    with pytest.raises(UserError, match=words):
        all_pairs(np.array(person, int))
