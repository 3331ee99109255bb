"""The threshold of a search by the share of false discoveries, on impostor scores that are normally distributed."""

import numpy as np
import pytest
from scipy.special import ndtr

from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.policy import thresholds
from pipeline.noise.scores.discoveries import discovery_threshold
from pipeline.noise.scores.far_curve import FarCurve, threshold_at_far
from tests.builders.tables.drawn_vectors import PLAIN

NORMAL = FarCurve(0.0, 1.0, 0.0)


def test_the_share_of_false_ones_among_what_reaches_the_threshold() -> None:
    """Of 200,000 comparisons 300 are genuine; over many draws the false share is near the rate, and not above it."""
    shares, found = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        impostors, genuine = rng.normal(0, 1, 200_000), rng.normal(5, 1, 300)
        limit = discovery_threshold(np.concatenate([impostors, genuine]), NORMAL, comparisons=200_000, fdr=0.05)
        false, true = (impostors >= limit).sum(), (genuine >= limit).sum()
        shares.append(false / (false + true))
        found.append(true / 300)
    assert 0.03 < np.mean(shares) < 0.07
    without_false_ones = ndtr(5 - threshold_at_far(NORMAL, 0.05 / 200_000))
    assert np.mean(found) > without_false_ones + 0.3


def test_where_nothing_was_found_a_single_discovery_must_be_certain() -> None:
    alone = discovery_threshold(np.empty(0), NORMAL, comparisons=10_000, fdr=0.05)
    assert alone == threshold_at_far(NORMAL, 5e-6)
    assert discovery_threshold(np.array([3.0, np.nan, 2.0]), NORMAL, comparisons=10_000, fdr=0.05) == alone
    assert discovery_threshold(np.empty(0), NORMAL, comparisons=0, fdr=0.05) > 0


def test_only_overlaps_lower_the_threshold_of_overlaps() -> None:
    def limit(*kinds: str) -> float:
        found = [
            findings_table(kind, [f"p{i}" for i in range(50)], ["t"] * 50, [np.full(50, 5.0)], [""] * 50)
            for kind in kinds
        ]
        return thresholds(PLAIN, persons=1000, tests=100, overlaps=combine_findings(found))["overlap"]

    assert limit("merge") == limit()
    assert limit("merge", "overlap") < limit()
    assert limit("overlap") == pytest.approx(threshold_at_far(PLAIN.fused_curve, 0.05 * 50 / 100_000))
