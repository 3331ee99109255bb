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


def explain_findings(findings: pa.Table, calibration: Calibration, *, persons: int) -> list[str]:
    """One explanation for each finding; persons: the number of persons that a face was compared with."""
    scores = score_columns(findings)[: len(calibration.far_curves)]
    fused: Floats = fuse(scores, calibration.weights)
    far = np.where(np.isfinite(fused), far_at(calibration.fused_curve, fused), np.nan)
    return [explain(k, f, persons=persons) for k, f in zip(findings["kind"].to_pylist(), far.tolist(), strict=True)]


def explain(kind: str, far: float, *, persons: int = 1) -> str:
    """The explanation of one finding; far: the share of impostors that score as high, nan where there is no score."""
    if np.isnan(far):
        return "the machine has nothing to compare with"
    if kind in SAME_PERSON_KINDS:
        lookalikes = far * persons  # the expected number of other people who score as high by chance
        if lookalikes < 0.5:
            return f"one person in {min(10**6, round(1 / lookalikes)):,} has a lookalike this similar by chance"
        return "a lookalike this similar is to be expected by chance"
    if far < 1e-6:
        return "fewer than one other person in a million looks this much like this person"
    if far > 0.4:
        return "no more like this person than any other person"
    return f"one other person in {max(2, round(1 / max(far, 1e-9))):,} looks this much like this person"
