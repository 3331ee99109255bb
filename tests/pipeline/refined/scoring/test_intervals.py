"""Bootstrap intervals over claimed identities: against a slow reference, and where they have no width."""

import numpy as np
import pytest

from pipeline.refined.scoring.intervals import RateIntervals, ShareCounts, rate_intervals, sampled_sums


def test_sums_are_those_of_identities_drawn_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.random.default_rng(1).integers(0, 9, (13, 3)).astype(float)
    sums, rng = sampled_sums(columns, seed=5, draws=7), np.random.default_rng([83, 5])
    expected = [columns.sum(0)]
    for _ in range(7):
        expected.append(sum(columns[i] for i in rng.integers(0, 13, 13)))
    np.testing.assert_array_equal(sums, expected)
    monkeypatch.setattr("pipeline.refined.scoring.intervals.CHUNK_BYTES", 3 * 8 * 13)
    np.testing.assert_array_equal(sampled_sums(columns, seed=5, draws=7), sums)


def test_an_interval_is_as_wide_as_identities_differ() -> None:
    whole = np.full(400, 10.0)
    mixed = ShareCounts(np.tile([0.0, 10.0], 200), whole)  # each identity wholly found or not at all
    alike = ShareCounts(np.full(400, 5.0), whole)  # half of each is found
    (wide, same) = (rate_intervals([(None, share)], seed=0)[0].recall for share in (mixed, alike))
    assert wide is not None
    assert same == (0.5, 0.5, 0.5)
    # the share of 400 coin tosses: 0.5 +- 1.96 * 0.025
    assert (wide.low, wide.high) == pytest.approx((0.451, 0.549), abs=0.006)


def test_what_cannot_be_measured_has_no_interval() -> None:
    none, some = ShareCounts(np.zeros(3), np.zeros(3)), ShareCounts(np.ones(3), np.ones(3))
    assert rate_intervals([(none, some), (None, none)], seed=0) == [
        RateIntervals(None, (1, 1, 1), None),  # type: ignore[arg-type]
        RateIntervals(None, None, None),
    ]
    assert rate_intervals([], seed=0) == []
    assert rate_intervals([(some, some)], seed=0)[0].f1 == (1, 1, 1)
