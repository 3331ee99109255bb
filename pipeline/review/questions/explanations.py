"""The machine's score of a finding in words for annotators, who do not know what a score is."""

import numpy as np
import pyarrow as pa

from pipeline.noise.findings import score_columns
from pipeline.noise.scores.far_curve import far_at
from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.noise.scores.score_norm import Floats
from pipeline.review.questions.belief import SAME_PERSON_KINDS

# gold questions and audited photos have the same explanation, so that annotators cannot distinguish them
DRAWN_AT_RANDOM = "drawn at random"
MOST = 1_000_000  # the hint tells no smaller share than one in so many


def explain_findings(findings: pa.Table, calibration: Calibration, *, persons: int) -> list[str]:
    """One explanation for each finding; persons: the number of persons that a face was compared with."""
    scores = score_columns(findings)[: len(calibration.far_curves)]
    fused: Floats = fuse(scores, calibration.weights)
    far = np.where(np.isfinite(fused), far_at(calibration.fused_curve, fused), np.nan)
    return [explain(k, f, persons=persons) for k, f in zip(findings["kind"].to_pylist(), far.tolist(), strict=True)]


def explain(kind: str, far: float, *, persons: int = 1) -> str:
    """The explanation of one finding; far: the share of impostors that score as high, nan where there is no score."""
    if np.isnan(far):
        return "nothing to compare with"
    if kind in SAME_PERSON_KINDS:
        return _chance_match(far * persons, likely_from=0.5)  # expected number of other people who score as high
    return _chance_match(far, likely_from=0.4)


def _chance_match(expected: float, *, likely_from: float) -> str:
    """The hint for an expected number of other people, or a share of them, that look this similar."""
    if expected >= likely_from:
        return "chance match: likely"
    if expected < 1 / MOST:
        return f"chance match: less than 1 in {MOST:,}"
    return f"chance match: 1 in {max(2, round(1 / expected)):,}"
