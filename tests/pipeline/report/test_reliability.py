"""The reliability of the probabilities of outliers, and its chart."""

import numpy as np
import pytest

from pipeline.report.charts.reliability import reliability_chart
from pipeline.report.reliability import reliability


def test_the_share_found_wrong_is_counted_beside_the_mean_probability():
    probability = np.array([0.0, 0.05, 0.6, 0.65, 0.65, 0.7, 1.0])
    bins = reliability(probability, np.array([False, False, True, False, True, True, True]))
    assert [(b.findings, b.wrong) for b in bins] == [(2, 0.0), (3, pytest.approx(2 / 3)), (1, 1.0), (1, 1.0)]
    assert bins[1].probability == pytest.approx(0.6333, abs=1e-3)
    assert all(b.low - 1e-9 <= b.wrong <= b.high + 1e-9 for b in bins)
    chart = reliability_chart(bins)
    assert "at 0.63: 0.67 of 3" in chart.words
