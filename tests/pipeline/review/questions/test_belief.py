"""The belief that a photo is an outlier: it falls as the score rises, and findings with a high belief are true."""

from itertools import pairwise

import numpy as np

from pipeline.noise.scores.far_curve import FarCurve
from pipeline.review.questions.belief import GenuineScores, outlier_belief


def test_the_belief_in_an_outlier_falls_with_the_score():
    genuine = GenuineScores(6.0, 1.5, 0.3)
    scores = np.linspace(-3, 8, 40)
    belief = outlier_belief(scores, FarCurve(0, 1, 0), genuine)
    assert belief[0] > 0.95
    assert belief[-1] < 0.001
    assert all(a >= b - 1e-9 for a, b in pairwise(belief))


def test_findings_with_a_high_belief_are_true(drawn, drawn_cases):
    refinement, truth = drawn.refinement, drawn.truth
    key = {r["face_id"]: r["key"] for r in refinement.labels.read(["face_id", "key"]).to_pylist()}
    suspects = [c for c in drawn_cases if c.finding.kind == "outlier"]
    true = np.array([truth[key[c.finding.subject]][0] != "clean" for c in suspects])
    belief = np.array([c.belief for c in suspects])
    assert true[belief > 0.9].mean() > 0.9
