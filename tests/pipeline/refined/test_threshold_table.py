"""Every threshold and every rule of a refinement is described once, in one of the two tables."""

from collections import Counter
from itertools import chain

from flows.refine.building.whole_refinement import CLUSTERING_RULES
from pipeline.noise.policy import Rates
from pipeline.refined.threshold_table import UNUSED, ThresholdRow, threshold_tables

THRESHOLDS = {"outlier": 2.896559, "contrary_0": 4.048601, "contrary_1": 4.27272, "poor_px": 12.0}


def rule_names(rows: list[ThresholdRow]) -> Counter[str]:
    return Counter(chain.from_iterable(row.rule.split(", ") for row in rows))


def test_a_rule_says_what_was_asked_for_and_what_it_became() -> None:
    rows = {row.rule: row for row in threshold_tables(THRESHOLDS, {}).findings}
    assert list(rows) == ["outlier", "contrary_0, contrary_1", "poor_px"]
    assert rows["outlier"].asked.endswith("with few photos FAR 0.003, up to 0.025 for FRR 0.05")
    assert rows["outlier"].became == "2.897"
    assert rows["contrary_0, contrary_1"][1:4] == ("FAR 0.0001", "4.049, 4.273", "score of each embedder")
    assert rows["poor_px"][1:4] == ("12", "12", "pixels")
    rate = threshold_tables(THRESHOLDS, {}, rates=Rates(contrary=0.5)).findings[1].asked
    assert rate == "FAR 0.5"


def test_with_likelihood_ratios_the_rules_of_scores_are_said_to_decide_nothing() -> None:
    findings = threshold_tables({**THRESHOLDS, "outlier_probability": 0.6}, {}, ratios=True).findings
    decides = {row.rule: row.decides for row in findings}
    assert decides["outlier"] == decides["contrary_0, contrary_1"] == UNUSED
    assert "likelihood ratio" in decides["outlier_probability"]
    assert decides["poor_px"] == "a face less wide than this is removed"


def test_the_cost_of_a_noise_photo_is_that_of_the_refinement() -> None:
    rows = {row.rule: row for row in threshold_tables({"outlier": 3.1, "outlier_probability": 0.25}, {}).findings}
    assert rows["outlier"].asked.startswith("where probability 0.25 lies")
    assert rows["outlier_probability"].asked == "3 clean photos lost for a noise photo found"


def test_the_rules_of_the_command_are_all_described() -> None:
    rows = threshold_tables({}, CLUSTERING_RULES).grouping
    assert rule_names(rows) == Counter(list(CLUSTERING_RULES))
    assert all(row.decides for row in rows)


def test_a_number_without_a_description_is_shown_nevertheless() -> None:
    tables = threshold_tables({"gone": 1.5}, {"old": 0.25})
    assert tables.findings == [ThresholdRow("gone", "", "1.5", "", "")]
    assert tables.grouping == [ThresholdRow("old", "", "0.25", "", "")]
