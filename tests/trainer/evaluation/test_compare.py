"""Differences by hand, paired where it counts, and Student's t as printed in tables."""

import numpy as np
import pytest

from tests.builders.drawn_answers import answers
from trainer.evaluation.compare import compare, over_seeds, t_quantile
from trainer.evaluation.verification import verify


def test_a_difference_is_taken_draw_by_draw() -> None:
    given = answers(600, 0)
    worse = given._replace(cosine=given.cosine + np.random.default_rng(1).normal(size=600) * 0.1)
    a, b = verify(*given, samples=200), verify(*worse, samples=200)
    found = compare(a, b)
    assert set(found) == set(a.figures)
    for name, difference in found.items():
        assert difference.value == pytest.approx(a.figures[name] - b.figures[name])
        each = sorted(a.draws[name] - b.draws[name])
        assert each[4] <= difference.low <= each[5]
        assert each[194] <= difference.high <= each[195]
        assert -difference.low == pytest.approx(compare(b, a)[name].high)
    assert found["AUC"].sure
    assert found["AUC"].low > 0
    wide = np.diff(a.interval["AUC"])[0] + np.diff(b.interval["AUC"])[0]
    assert found["AUC"].high - found["AUC"].low < wide / 2, "what makes a draw easy falls out of the difference"


def test_a_model_does_not_differ_from_itself() -> None:
    found = verify(*answers(100, 0), samples=50)
    assert all(d == (0, 0, 0) and not d.sure for d in compare(found, found).values())


def test_other_pairs_or_draws_cannot_be_compared() -> None:
    given = answers(100, 0)
    found = verify(*given, samples=20)
    for other in (
        verify(*answers(100, 1), samples=20),
        verify(*given, samples=21),
        verify(*given, samples=20, seed=1),
        verify(*given, samples=20, unit=np.arange(100) // 2),
    ):
        with pytest.raises(ValueError, match="same pairs"):
            compare(found, other)


@pytest.mark.parametrize(
    ("freedom", "printed"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042), (1e6, 1.960)]
)
def test_quantiles_as_printed(freedom: float, printed: float) -> None:
    assert t_quantile(freedom) == pytest.approx(printed, abs=6e-4)


def test_over_seeds_by_hand() -> None:
    # variances 1 and 4, three seeds each: error sqrt(5/3), freedom (5/3)^2 / ((1/3)^2/2 + (4/3)^2/2) = 50/17
    found = over_seeds([3, 4, 5], [0, 2, 4])
    assert found.value == 2
    assert found.high - 2 == pytest.approx(t_quantile(50 / 17) * (5 / 3) ** 0.5)
    assert found.low + found.high == pytest.approx(4)
    assert not found.sure
    # differences 3, 2, 1: error 1 / sqrt(3), freedom 2
    paired = over_seeds([3, 4, 5], [0, 2, 4], paired=True)
    assert paired.high - 2 == pytest.approx(4.3027 / 3**0.5, abs=1e-3)
    assert over_seeds([1.0, 1.0], [0.5, 0.5]) == (0.5, 0.5, 0.5)


def test_one_seed_says_nothing() -> None:
    for a, b, paired in (([1.0], [1.0, 2.0], False), ([], [], False), ([1.0, 2.0], [1.0, 2.0, 3.0], True)):
        with pytest.raises(ValueError, match="two or more"):
            over_seeds(a, b, paired=paired)


def test_t_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        found = over_seeds(rng.normal(1, 1, 3).tolist(), rng.normal(0, 1, 3).tolist())
        inside += found.low <= 1 <= found.high
    assert 181 <= inside <= 200
