"""Findings as tables and as records."""

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.noise.findings import Finding, combine_findings, findings_table, read_findings


def test_combined_findings_are_sorted_and_without_duplicates():
    a = findings_table("outlier", ["x", "y"], ["p", "p"], [np.array([1.0, np.nan])], ["", ""])
    b = findings_table("merge", ["q"], ["p"], [np.array([2.0]), np.array([3.0])], [""])
    combined = combine_findings([a, b, a])
    assert combined["kind"].to_pylist() == ["merge", "outlier", "outlier"]
    assert sorted(combined["finding_id"].to_pylist()) == sorted(
        [schema.finding_id("merge", "q", "p"), *a["finding_id"].to_pylist()]
    )
    assert combined.equals(combine_findings([b, a.take(pa.array([1, 0]))]))
    assert combine_findings([]).num_rows == 0


def test_findings_are_read_as_records():
    table = findings_table("merge", ["q"], ["p"], [np.array([2.0])], ["alike"])
    finding_id = schema.finding_id("merge", "q", "p")
    assert read_findings(table) == [Finding(finding_id, "merge", "q", "p", 2.0, None, "alike")]
