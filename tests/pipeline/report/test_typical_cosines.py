"""The typical cosine of a score is about the median of the cosines at which pairs of faces have that score."""

import numpy as np
import pytest

from pipeline.noise.scores.calibrate import calibrate
from pipeline.noise.scores.score_norm import impostor_stats
from pipeline.report.typical_cosines import typical_cosines


@pytest.mark.parametrize("score", [0.0, 2.0, 5.0])
def test_half_of_the_pairs_need_a_lower_cosine_for_the_score(score: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 64)) * np.linspace(1, 0.3, 64) + 0.1
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    calibration = calibrate([x], identity=np.arange(600))
    _, mean, deviation = impostor_stats(x, calibration.impostors[0])
    per_cosine = 0.5 / deviation[:, None] + 0.5 / deviation[None]
    offset = 0.5 * (mean / deviation)[:, None] + 0.5 * (mean / deviation)[None]
    needed = (score + offset) / per_cosine
    (typical,) = typical_cosines(calibration, "contrary_0", score)
    assert typical == pytest.approx(np.median(needed), abs=0.04)
    fused = score * calibration.weights[0]
    assert typical_cosines(calibration, "outlier", fused) == pytest.approx([typical])
