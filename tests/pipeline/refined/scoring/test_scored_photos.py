"""The vote by which an identity gets its owner."""

import numpy as np

from pipeline.refined.scoring.scored_photos import most_frequent_values


def test_the_most_frequent_value_wins_and_of_equals_the_first() -> None:
    group = np.array([7, 7, 7, 2, 2, 2, 2])
    value = np.array([4, 9, 9, 5, 3, 3, 5])
    assert most_frequent_values(group, value) == {2: 5, 7: 9}
    assert most_frequent_values(group[:0], value[:0]) == {}


def test_groups_with_very_large_numbers_are_told_apart() -> None:
    """Codes of pairs reach 10^12 with a million identities and persons, and would overflow when multiplied again."""
    large = np.array([2**61, 2**61 + 1, 2**61, 2**61 + 1])
    assert most_frequent_values(large, np.array([8, 1, 8, 1])) == {2**61: 8, 2**61 + 1: 1}
