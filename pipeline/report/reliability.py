"""How reliable the probabilities of outliers are: beside each, the share that people, or a known truth, found wrong."""

from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refinement import Refinement

EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


class ReliabilityBin(NamedTuple):
    """The findings whose probability lies between two of EDGES."""

    probability: float  # the mean
    wrong: float  # the share whose photo is an outlier
    low: float  # Wilson's 95% interval of that share
    high: float
    findings: int


def reliability(probability: NDArray[np.floating], wrong: NDArray[np.bool_]) -> list[ReliabilityBin]:
    """The bins that hold findings; probability [n]: of each finding, wrong [n]: whether its photo is an outlier."""
    from scipy.stats import binomtest  # takes half a second to load, and few commands come here

    place = np.clip(np.digitize(probability, EDGES) - 1, 0, len(EDGES) - 2)
    bins = []
    for i in np.unique(place).tolist():
        rows = place == i
        count, found = int(rows.sum()), int(wrong[rows].sum())
        low, high = binomtest(found, count).proportion_ci(0.95, method="wilson")
        bins.append(ReliabilityBin(float(probability[rows].mean()), found / count, float(low), float(high), count))
    return bins


def answered_reliability(refinement: Refinement) -> list[ReliabilityBin]:
    """The reliability of the outlier findings that people answered with yes or no; [] if there are none."""
    if refinement.answers is None:
        return []
    findings = refinement.judged_findings.read(["finding_id", "kind", "probability"])
    findings = findings.filter(pc.and_(pc.equal(findings["kind"], "outlier"), findings["probability"].is_valid()))
    answers = refinement.answers.read(["finding_id", "verdict"])
    verdict = dict(zip(answers["finding_id"].to_pylist(), answers["verdict"].to_pylist(), strict=True))
    pairs = [
        (p, verdict[i] == "yes")
        for i, p in zip(findings["finding_id"].to_pylist(), findings["probability"].to_pylist(), strict=True)
        if verdict.get(i) in ("yes", "no")
    ]
    return reliability(np.array([p for p, _ in pairs]), np.array([w for _, w in pairs], bool)) if pairs else []
