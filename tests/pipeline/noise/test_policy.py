"""The policy's verdicts, with one embedder and with two."""

import numpy as np
import pytest

from pipeline.noise.findings import findings_table
from pipeline.noise.policy import Rates, judge, thresholds
from pipeline.noise.scores.far_curve import FarCurve
from pipeline.noise.scores.fusion import Calibration
from tests.builders.tables.drawn_vectors import PLAIN, TWO

# impostor scores are normal here: FAR 0.003 is a score of 2.75, 1e-3 is 3.09, 1e-4 is 3.72, and 1e-4 / 100 persons 4.75


def verdict(kind: str, *z: float, calibration: Calibration = TWO) -> str:
    limits = thresholds(calibration, persons=100, tests=100)
    row = findings_table(kind, ["f"], [None], [np.array([v]) for v in z], [""])
    return str(judge(row, limits, calibration)[0])


@pytest.mark.parametrize(
    ("kind", "z", "expected"),
    [
        ("outlier", (1.0, 1.0), "yes"),
        ("outlier", (3.0, 3.0), "no"),
        ("outlier", (0.0, 4.0), "unsure"),  # the second embedder recognises the person, in spite of the fused score
        ("misplaced", (5.0, 5.0), "yes"),
        ("misplaced", (8.0, 3.0), "unsure"),  # the second embedder does not agree
        ("misplaced", (4.0, 4.0), "unsure"),
        ("merge", (6.0, 4.0), "yes"),
        ("merge", (3.0, 9.0), "unsure"),
        ("overlap", (6.5, 3.2), "yes"),  # at a lower threshold than a merge
        ("overlap", (9.0, 2.0), "unsure"),
        ("split", (0.5, 0.5), "yes"),
        ("split", (0.5, 4.0), "unsure"),
        ("mixed", (1.0, 1.0), "yes"),
        ("mixed", (1.0, 3.0), "unsure"),
    ],
)
def test_both_embedders_must_agree(kind, z, expected):
    assert verdict(kind, *z) == expected


@pytest.mark.parametrize(
    ("kind", "z", "expected"),
    [
        ("outlier", 1.0, "yes"),
        ("outlier", 3.0, "no"),
        ("merge", 5.0, "yes"),
        ("misplaced", 4.0, "unsure"),
        ("duplicate", 0.99, "yes"),
        ("duplicate", 0.95, "no"),
        ("poor", 9.0, "yes"),
        ("poor", 20.0, "no"),
        ("no_face", 1.0, "yes"),
        ("unreadable", 1.0, "yes"),
        ("conflict", 1.0, "unsure"),
    ],
)
def test_one_embedder_decides_by_itself(kind, z, expected):
    assert verdict(kind, z, calibration=PLAIN) == expected


def test_the_threshold_is_on_the_weighted_score_of_a_single_embedder():
    half = PLAIN._replace(weights=(0.5,), far_curves=(FarCurve(0, 2, 0),))  # impostor scores deviate by two
    assert verdict("outlier", 5.0, calibration=half) == "yes"  # weighted 2.5, below the threshold 2.75
    assert verdict("outlier", 6.0, calibration=half) == "no"
    assert verdict("merge", 9.0, calibration=half) == "unsure"


def test_a_weak_model_removes_fewer_outliers():
    weak = PLAIN._replace(genuine_mean=2.5, genuine_deviation=0.5)
    limits = thresholds(weak, persons=100, tests=100)
    assert limits["outlier"] == pytest.approx(1.96, abs=1e-2)  # not 1.68, the threshold with FRR 0.05
    better = thresholds(PLAIN._replace(genuine_mean=3.2, genuine_deviation=0.5), persons=100, tests=100)
    assert better["outlier"] == pytest.approx(3.2 - 1.645 * 0.5, abs=1e-3)
    assert verdict("outlier", 2.0, calibration=weak) == "no"
    lower_frr = thresholds(weak, persons=9, tests=9, rates=Rates(outlier_frr=0.01))
    assert lower_frr["outlier"] == limits["outlier"], "not below the threshold at the FAR `lenient`"


def test_thresholds_rise_with_the_number_of_comparisons():
    of_100, of_100_000 = (thresholds(TWO, persons=n, tests=n) for n in (100, 100_000))
    assert of_100_000["merge"] > of_100["merge"]
    assert of_100_000["outlier"] == of_100["outlier"]
    assert {"outlier", "misplaced", "merge", "overlap", "support_0", "support_1", "merge_photos"} <= set(of_100_000)
    assert thresholds(PLAIN, persons=9, tests=0, rates=Rates(outlier=0.5))["outlier"] == pytest.approx(0)


def test_a_finding_without_a_score_is_for_people():
    assert verdict("outlier", np.nan, np.nan) == "unsure"
