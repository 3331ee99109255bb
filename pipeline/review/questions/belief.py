"""The machine's belief in a finding: the posterior probability that the finding holds. It orders the queue, no more.

Impostor scores follow the calibration's curve, genuine scores what this data's own clusters show; Bayes' rule weighs
one against the other. Where the embedders contradict each other, half of the belief is given up.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.findings import score_columns
from pipeline.noise.scores.far_curve import FarCurve, far_at
from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.noise.scores.score_norm import Floats
from pipeline.refinement import Refinement

MIN_BELIEF, MAX_BELIEF = 0.005, 0.995  # no finding is taken for more certain than that
SAME_PERSON_PRIOR = 0.05  # share of persons with a second identity, or in a test set: the prior of merge and overlap
HARD_SHARE = 0.02  # share of a person's photos (blurred, turned away) that score anywhere between impostor and genuine
MIN_FACES = 10  # faces inside clusters, with fewer of which the calibration's genuine pairs are used instead
STEP = 0.05  # of score, for the slope of the impostor curve
SAME_PERSON_KINDS = ("misplaced", "merge", "overlap")  # findings that claim "one person"; the others claim "not one"


class GenuineScores(NamedTuple):
    """Mean and deviation of the scores of a person's faces against the person, and the share of faces outside any."""

    mean: float
    deviation: float
    outside_share: float


def genuine_scores(refinement: Refinement, calibration: Calibration) -> GenuineScores:
    """What the scores of faces against their own person look like in a refinement's data."""
    columns = ("core", "second")[: len(calibration.far_curves)]
    rows = refinement.clusters.read(["cluster", *columns])
    scores = [rows[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in columns]
    return fit_genuine_scores(fuse(scores, calibration.weights), rows["cluster"].fill_null(-1).to_numpy(), calibration)


def fit_genuine_scores(scores: Floats, cluster: NDArray[Any], calibration: Calibration) -> GenuineScores:
    """The same from each face's score [n] against its identity's person, nan for none, and its cluster [n].

    Faces were put into a person's cluster because they score high, so they show the mean but not the deviation; the
    deviation is that of genuine pairs, in proportion to the mean.
    """
    inside = scores[(cluster == 0) & np.isfinite(scores)]
    mean = float(np.median(inside)) if len(inside) >= MIN_FACES else calibration.genuine_mean
    deviation = calibration.genuine_deviation * max(mean / max(calibration.genuine_mean, 1e-3), 1.0)
    return GenuineScores(mean, max(deviation, 1.0), float(np.clip((cluster != 0).mean(), 0.02, 0.8)))


def finding_beliefs(
    findings: pa.Table,
    verdicts: NDArray[np.object_],
    calibration: Calibration,
    genuine: GenuineScores,
    *,
    persons: int,
) -> Floats:
    """The belief [n] in each finding; verdicts [n]: the policy's; persons: how many a face was compared with."""
    scores = score_columns(findings)[: len(calibration.far_curves)]
    total = fuse(scores, calibration.weights)
    kind = np.asarray(findings["kind"].to_numpy(), object)
    belief = np.where(verdicts == "yes", MAX_BELIEF, MIN_BELIEF)
    not_one = np.isin(kind, ("outlier", "split", "mixed")) & np.isfinite(total)
    belief[not_one] = outlier_belief(total[not_one], calibration.fused_curve, genuine)
    one = np.isin(kind, SAME_PERSON_KINDS) & np.isfinite(total)
    chance_lookalikes = far_at(calibration.fused_curve, total[one]) * max(1, persons)
    belief[one] = SAME_PERSON_PRIOR / (SAME_PERSON_PRIOR + chance_lookalikes)
    belief[(verdicts == "unsure") & ~np.isfinite(total)] = 0.5
    contradictory = (verdicts == "unsure") & (kind != "mixed")  # the policy never says "no" to a mixed identity
    belief[contradictory] = 0.25 + 0.5 * belief[contradictory]
    belief[kind == "conflict"] = 0.5
    return np.asarray(np.clip(belief, MIN_BELIEF, MAX_BELIEF))


def error_probabilities(belief: Floats, verdicts: NDArray[np.object_], *, keep_undecided: bool) -> Floats:
    """The probability [n] that what happens without an answer is wrong; keep_undecided: unsure findings change nothing.

    belief [n]: in each finding; verdicts [n]: the policy's.
    """
    acted_on = (verdicts == "yes") | ((verdicts == "unsure") & (not keep_undecided))
    return np.where(acted_on, 1 - belief, belief)


def outlier_belief(scores: NDArray[np.floating[Any]], curve: FarCurve, genuine: GenuineScores) -> Floats:
    """The probability [n] that faces with these scores [n] against a person show somebody else."""
    outliers = genuine.outside_share * _impostor_density(curve, scores)
    deviations = (scores - genuine.mean) / genuine.deviation
    usual = np.exp(-0.5 * deviations**2) / (genuine.deviation * np.sqrt(2 * np.pi))
    # a hard photo of a person may have any score between the impostor median (curve.a) and the genuine mean
    hard = ((curve.a <= scores) & (scores <= genuine.mean)) / max(genuine.mean - curve.a, 1e-3)
    members = (1 - genuine.outside_share) * ((1 - HARD_SHARE) * usual + HARD_SHARE * hard)
    return np.asarray(outliers / np.maximum(outliers + members, 1e-12))


def _impostor_density(curve: FarCurve, scores: NDArray[np.floating[Any]]) -> Floats:
    """The density [n] of impostor scores; below their median, where the curve ends, mirrored at the median."""
    scores = np.maximum(scores, 2 * curve.a - scores)
    return np.asarray(np.maximum(far_at(curve, scores - STEP) - far_at(curve, scores + STEP), 1e-12) / (2 * STEP))
