"""The gap between groups, with numbers worked out by hand."""

import math

import pytest

from trainer.evaluation.by_group.gap import Estimate, gap_of


def test_the_gap_and_its_interval_by_hand() -> None:
    groups = {"b": Estimate(0.7, 0.64, 0.78), "a": Estimate(0.9, 0.86, 0.93), "c": Estimate(0.8, 0.7, 0.9)}
    gap = gap_of("TAR@FAR=0.01", groups)
    assert gap is not None
    assert (gap.best, gap.worst) == ("a", "b")
    # below: sqrt(.04^2 + .08^2) = .08944; above: sqrt(.03^2 + .06^2) = .06708
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.2, 0.2 - 0.0894427, 0.2 + 0.0670820))


def test_an_error_is_best_where_it_is_smallest() -> None:
    gap = gap_of("EER", {"a": Estimate(0.10, 0.07, 0.14), "b": Estimate(0.02, 0.01, 0.05)})
    assert gap is not None
    assert (gap.best, gap.worst) == ("b", "a")
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.08, 0.08 - 0.0424264, 0.08 + 0.0412311))


def test_one_group_has_no_gap_and_without_intervals_there_is_none() -> None:
    assert gap_of("AUC", {"a": Estimate(0.9)}) is None
    gap = gap_of("AUC", {"a": Estimate(0.9), "b": Estimate(0.9)})
    assert gap is not None
    assert (gap.best, gap.worst, gap.value) == ("a", "b", 0)
    assert math.isnan(gap.low)
    assert math.isnan(gap.high)
