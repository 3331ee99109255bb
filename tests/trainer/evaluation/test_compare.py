"""Differences between models by hand: on each bootstrap sample of one test set, and with t intervals over seeds."""

import numpy as np
import pytest

from tests.builders.drawn_pairs import scored_pairs
from trainer.evaluation.compare import compare, compare_seeds
from trainer.evaluation.verification import verify


def test_a_difference_is_computed_on_each_bootstrap_sample() -> None:
    pairs = scored_pairs(600, 0)
    worse = pairs._replace(cosine=pairs.cosine + np.random.default_rng(1).normal(size=600) * 0.1)
    a, b = verify(*pairs, samples=200), verify(*worse, samples=200)
    differences = compare(a, b)
    assert set(differences) == set(a.figures)
    for name, difference in differences.items():
        assert difference.value == pytest.approx(a.figures[name] - b.figures[name])
        on_samples = sorted(a.bootstrap_figures[name] - b.bootstrap_figures[name])
        assert on_samples[4] <= difference.low <= on_samples[5]
        assert on_samples[194] <= difference.high <= on_samples[195]
        assert -difference.low == pytest.approx(compare(b, a)[name].high)
    assert differences["AUC"].low > 0
    wide = np.diff(a.interval["AUC"])[0] + np.diff(b.interval["AUC"])[0]
    assert differences["AUC"].high - differences["AUC"].low < wide / 2, "an easy sample is easy for both, which cancels"


def test_a_model_does_not_differ_from_itself() -> None:
    verified = verify(*scored_pairs(100, 0), samples=50)
    differences = compare(verified, verified)
    assert "AUC" in differences
    assert all(d == (0, 0, 0) for d in differences.values())


def test_models_on_other_pairs_or_samples_cannot_be_compared() -> None:
    pairs = scored_pairs(100, 0)
    verified = verify(*pairs, samples=20)
    for other in (
        verify(*scored_pairs(100, 1), samples=20),
        verify(*pairs, samples=21),
        verify(*pairs, samples=20, seed=1),
        verify(*pairs, samples=20, unit=np.arange(100) // 2),
    ):
        with pytest.raises(ValueError, match="same pairs"):
            compare(verified, other)


def test_seeds_are_compared_as_by_hand() -> None:
    # variances 1 and 4, three seeds each: error sqrt(5/3), freedom (5/3)^2 / ((1/3)^2/2 + (4/3)^2/2) = 50/17
    difference = compare_seeds([3, 4, 5], [0, 2, 4])
    assert difference.value == 2
    # tables print 4.303 for 2 degrees of freedom and 3.182 for 3
    assert difference.high - 2 == pytest.approx(3.2188 * (5 / 3) ** 0.5, abs=1e-3)
    assert difference.low + difference.high == pytest.approx(4)
    assert difference.low < 0 < difference.high
    # differences 3, 2, 1: error 1 / sqrt(3), freedom 2
    paired = compare_seeds([3, 4, 5], [0, 2, 4], paired=True)
    assert paired.high - 2 == pytest.approx(4.3027 / 3**0.5, abs=1e-3)
    assert compare_seeds([1.0, 1.0], [0.5, 0.5]) == (0.5, 0.5, 0.5)


def test_fewer_than_two_seeds_are_refused() -> None:
    for a, b, paired in (([1.0], [1.0, 2.0], False), ([], [], False), ([1.0, 2.0], [1.0, 2.0, 3.0], True)):
        with pytest.raises(ValueError, match="two or more"):
            compare_seeds(a, b, paired=paired)


def test_t_intervals_contain_the_true_difference_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        difference = compare_seeds(rng.normal(1, 1, 3).tolist(), rng.normal(0, 1, 3).tolist())
        inside += difference.low <= 1 <= difference.high
    assert 181 <= inside <= 200
