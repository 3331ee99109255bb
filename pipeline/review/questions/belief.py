"""The machine's belief in a finding: the posterior probability that the finding holds.

By Bayes' rule from two densities: that of impostor scores (the calibration's curve) and that of genuine scores (fitted
to the clusters of this data). An outlier's is the probability that came with its finding, if there is one. Where the
embedders contradict each other, the belief is moved half way to one half. The belief orders the queue and is the prior
of people's votes; it never decides about a photo.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.findings import probability_columns, score_columns
from pipeline.noise.outliers.score_mixture import impostor_density
from pipeline.noise.scores.far_curve import FarCurve, far_at
from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.noise.scores.score_norm import Floats
from pipeline.refinement import Refinement

MIN_BELIEF, MAX_BELIEF = 0.005, 0.995  # limits of the belief: no finding is certain
SAME_PERSON_PRIOR = 0.05  # share of persons with a second identity, or in a test set: the prior of merge and overlap
HARD_SHARE = 0.02  # share of a person's photos (blurred, turned away) that score anywhere between impostor and genuine
MIN_FACES = 10  # with fewer faces in clusters the genuine mean is that of the calibration
SAME_PERSON_KINDS = ("misplaced", "merge", "overlap")  # kinds that claim "one person"; others claim "two persons"


class GenuineScores(NamedTuple):
    """Mean and standard deviation of genuine scores (a face against its own person), and the share of other faces."""

    mean: float
    deviation: float
    outside_share: float  # faces that are not in the cluster of their identity's person, as a share of all faces


def genuine_scores(refinement: Refinement, calibration: Calibration) -> GenuineScores:
    """The distribution of genuine scores in a refinement's data."""
    columns = ("core", "second")[: len(calibration.far_curves)]
    rows = refinement.clusters.read(["cluster", *columns])
    scores = [rows[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in columns]
    return fit_genuine_scores(fuse(scores, calibration.weights), rows["cluster"].fill_null(-1).to_numpy(), calibration)


def fit_genuine_scores(scores: Floats, cluster: NDArray[Any], calibration: Calibration) -> GenuineScores:
    """The distribution of genuine scores; scores [n]: of faces against their identity's person (nan: no score).

    cluster [n]: each face's cluster, 0 for that of its identity's person.
    Faces are in a person's cluster because they score high, so their spread is too small: only the mean is taken from
    them. The deviation is that of the calibration's genuine pairs, scaled with the mean.
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
    """The belief [n] in each finding.

    verdicts [n]: the policy's; persons: the number of persons that a face was compared with, each a chance of a false
    match.
    """
    scores = score_columns(findings)[: len(calibration.far_curves)]
    fused = fuse(scores, calibration.weights)
    has_score = np.isfinite(fused)
    kind = np.asarray(findings["kind"].to_numpy(), object)
    belief = np.where(verdicts == "yes", MAX_BELIEF, MIN_BELIEF)
    two_persons = np.isin(kind, ("outlier", "split", "mixed")) & has_score
    belief[two_persons] = outlier_belief(fused[two_persons], calibration.fused_curve, genuine)
    probability = probability_columns(findings)[0]
    known = (kind == "outlier") & np.isfinite(probability)
    belief[known] = probability[known]
    one_person = np.isin(kind, SAME_PERSON_KINDS) & has_score
    false_matches = far_at(calibration.fused_curve, fused[one_person]) * max(1, persons)  # expected number
    belief[one_person] = SAME_PERSON_PRIOR / (SAME_PERSON_PRIOR + false_matches)
    belief[(verdicts == "unsure") & ~has_score] = 0.5
    contradictory = (verdicts == "unsure") & (kind != "mixed")  # the policy never says "no" to a mixed identity
    belief[contradictory] = 0.25 + 0.5 * belief[contradictory]
    belief[kind == "conflict"] = 0.5
    return np.asarray(np.clip(belief, MIN_BELIEF, MAX_BELIEF))


def error_probabilities(belief: Floats, verdicts: NDArray[np.object_], *, keep_undecided: bool) -> Floats:
    """The probability [n] that the labels are wrong if people do not answer about the finding.

    belief [n]: in each finding; verdicts [n]: the policy's. keep_undecided: findings with the verdict "unsure" change
    no label; else they act like "yes".
    """
    acted_on = (verdicts == "yes") | ((verdicts == "unsure") & (not keep_undecided))
    return np.where(acted_on, 1 - belief, belief)


def outlier_belief(scores: NDArray[np.floating[Any]], curve: FarCurve, genuine: GenuineScores) -> Floats:
    """The probability [n] that faces with these fused scores [n] against a person show somebody else.

    curve: the FAR curve of the fused score.
    """
    outliers = genuine.outside_share * impostor_density(curve, scores)
    deviations = (scores - genuine.mean) / genuine.deviation
    normal = np.exp(-0.5 * deviations**2) / (genuine.deviation * np.sqrt(2 * np.pi))
    # a hard photo of a person may have any score between the impostor median (curve.a) and the genuine mean
    hard = ((curve.a <= scores) & (scores <= genuine.mean)) / max(genuine.mean - curve.a, 1e-3)
    members = (1 - genuine.outside_share) * ((1 - HARD_SHARE) * normal + HARD_SHARE * hard)
    return np.asarray(outliers / np.maximum(outliers + members, 1e-12))
