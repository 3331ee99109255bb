"""Thresholds for a FAR, the FAR of a score, and the fit of the curve between them."""

import numpy as np
import pytest

from pipeline.noise.scores.far_curve import FarCurve, far_at, fit_far_curve, threshold_at_far


def test_threshold_and_far_are_inverse():
    curve = FarCurve(0.1, 0.9, 0.05)
    fars = [0.4, 0.01, 1e-4, 1e-9]
    assert far_at(curve, np.array([threshold_at_far(curve, far) for far in fars])) == pytest.approx(fars, rel=1e-3)
    assert far_at(curve, np.array([-5.0, 50.0])).tolist() == [0.5, pytest.approx(1e-15)]
    assert threshold_at_far(FarCurve(0, 1, 0), 0.001) == pytest.approx(3.0902, abs=1e-4)


def test_a_parabola_that_opens_downwards_is_replaced_by_a_line():
    curve = fit_far_curve(np.random.default_rng(0).uniform(-1, 1, 100_000), 100_000)  # scores without a tail
    assert curve.c == 0
    assert threshold_at_far(curve, 1e-6) > threshold_at_far(curve, 1e-3)
