"""The policy: the verdict on each finding where people have not answered.

A photo is an outlier if that is probable enough: how many clean photos may be lost for a noise photo that is found is a
rate of the policy. Most other rules ask for a false accept rate (FAR) or a false reject rate (FRR), overlaps for a
false discovery rate (FDR); the calibration turns it into a threshold on the score. With two embedders a photo is
relabelled, merged or an overlap only if the fused score and each embedder's own score agree, and an outlier only if
neither embedder speaks clearly against it (`agreement`, `contrary`). Else the verdict is "unsure", and people decide.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.findings import probability_columns, score_columns
from pipeline.noise.outliers.score_mixture import ScoreMixture, typical_threshold
from pipeline.noise.pictures.same_picture import SAME_PICTURE
from pipeline.noise.scores.discoveries import discovery_threshold
from pipeline.noise.scores.far_curve import DECIMALS, threshold_at_far
from pipeline.noise.scores.fusion import Calibration, fuse, genuine_quantile
from pipeline.noise.scores.score_norm import Floats

Thresholds = Mapping[str, float]
Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
# rates that become a threshold on each embedder's own score
BY_EMBEDDER = ("contrary", "support", "leak", "split", "mixed")


LOST_PER_NOISE = 0.6  # the default of the option


class Rates(NamedTuple):
    """The rates that the policy's thresholds follow from.

    Most are a FAR, the share of impostor scores at or above the threshold, or a FRR (false reject rate), the share of
    genuine scores below it; `overlap` is a FDR (false discovery rate); the others say their own unit. "Each embedder":
    the rule is about the embedder's own score, else about the fused score.
    """

    # clean photos that may be lost for one noise photo found: a face is an outlier with a probability of at least
    # 1 / (1 + lost_per_noise)
    lost_per_noise: float = LOST_PER_NOISE
    # part of that probability that each embedder must give by its own score, unless the score is below `contrary`
    agreement: float = 0.2
    # FAR, and for a single face to join a cluster; where a data set has too few photos for probabilities, a face is an
    # outlier if its score with its person is below the threshold
    outlier: float = 3e-3
    outlier_frr: float = 0.05  # FRR; a weak model's outlier threshold is lowered to this FRR: it removes fewer photos
    lenient: float = 0.025  # FAR; the outlier threshold is not lowered further than to this FAR
    # FAR, each embedder; an outlier is removed only if its scores are below the thresholds, or each embedder gives it
    # the probability above
    contrary: float = 1e-4
    odd: float = 0.01  # FAR, each embedder; a face in its person's cluster is reported if either score is lower
    misplaced: float = 1e-4  # expected false alarms for each stray cluster, compared with all persons of the data
    merge: float = 1e-4  # expected false alarms for each person, compared with all other persons
    overlap: float = 0.05  # FDR: share of the persons taken for persons of the test sets that are expected to be others
    support: float = 1e-4  # FAR, each embedder; persons are merged and photos relabelled only above the thresholds
    # FAR, each embedder; persons in a test set are removed only above the thresholds. Higher than `support`, because a
    # test person among the training data does more harm than a lost person
    leak: float = 1e-3
    merge_frr: float = 0.1  # FRR of the mean score over pairs of photos, which two merged persons must reach
    overlap_frr: float = 0.02  # FRR of that score for overlaps; lower, because an entry of a test set may be one photo
    split: float = 1e-4  # FAR, each embedder; a further person scores below the thresholds with the first
    mixed: float = 0.05  # FAR, each embedder; an identity has no person if even its best pair is below the thresholds
    poor_px: float = 12.0  # pixels; a face that is smaller in its photo is too small to recognise
    # quality; a face of no person is poor if it has less, because then it is a matter of chance whom it matches
    poor_quality: float = 0.33
    same_picture: float = SAME_PICTURE  # correlation of the sketches of two faces that are one picture


def thresholds(
    calibration: Calibration,
    *,
    persons: int,
    tests: int,
    rates: Rates | None = None,
    mixture: ScoreMixture | None = None,
    overlaps: pa.Table | None = None,
) -> Thresholds:
    """The thresholds by name, for scores of this data, as a refinement records them and a report shows them.

    A name that ends in _0 or _1 is a threshold on the first or second embedder's score, other names are on the fused
    score. persons, tests: the number of persons and of test photos; each face or person is compared with all of them,
    so that larger numbers give higher thresholds. mixture: of the fused score; with it "outlier" is the threshold for
    an identity with the data set's share of noise, which depends on the identity (noise/outliers/). overlaps: findings
    of persons, those of the kind overlap and perhaps others; the more overlaps were found, the lower their threshold.
    """
    rates = rates or Rates()
    probability = 1 / (1 + rates.lost_per_noise)
    fused = calibration.fused_curve
    found = _fused_scores(overlaps, "overlap", calibration) if overlaps is not None else np.empty(0)
    limits: dict[str, float] = {
        "outlier": typical_threshold(mixture, probability) if mixture else _outlier(calibration, rates),
        "outlier_probability": round(probability, DECIMALS),
        "agreement": round(probability * rates.agreement, DECIMALS),
        "misplaced": threshold_at_far(fused, rates.misplaced / max(1, persons)),
        "merge": threshold_at_far(fused, rates.merge / max(1, persons)),
        "overlap": discovery_threshold(found, fused, comparisons=persons * tests, fdr=rates.overlap),
        "mixed": threshold_at_far(fused, rates.mixed),
        "merge_photos": genuine_quantile(calibration, rates.merge_frr),
        "overlap_photos": genuine_quantile(calibration, rates.overlap_frr),
        "poor_px": rates.poor_px,
        "poor_quality": rates.poor_quality,
        "same_picture": rates.same_picture,
    }
    for e, curve in enumerate(calibration.far_curves):
        for name in BY_EMBEDDER:
            limits[f"{name}_{e}"] = threshold_at_far(curve, getattr(rates, name))
    return limits


def _fused_scores(findings: pa.Table, kind: str, calibration: Calibration) -> Floats:
    """The fused scores of the findings of one kind."""
    scores = score_columns(findings.filter(pc.equal(findings["kind"], kind)))[: len(calibration.far_curves)]
    return fuse(scores, calibration.weights)


def _outlier(calibration: Calibration, rates: Rates) -> float:
    """The threshold at FAR `outlier` or, where its FRR would be too high, a lower one down to FAR `lenient`."""
    strict = threshold_at_far(calibration.fused_curve, rates.outlier)
    lenient = threshold_at_far(calibration.fused_curve, max(rates.lenient, rates.outlier))
    return min(strict, max(lenient, genuine_quantile(calibration, rates.outlier_frr)))


def judge(findings: pa.Table, limits: Thresholds, calibration: Calibration) -> NDArray[np.object_]:
    """The policy's verdict, "yes", "no" or "unsure", on each finding (rows as in schema.FINDINGS).

    limits: thresholds(). A conflict is always "unsure": one of its two identities is wrong, but not known which.
    """
    kind = np.asarray(findings["kind"].to_numpy(), object)
    scores = score_columns(findings)[: len(calibration.far_curves)]
    fused = fuse(scores, calibration.weights)
    verdict = np.full(len(kind), "unsure", object)
    quality = score_columns(findings)[1]  # of poor faces
    for name, (yes, no) in _rules(fused, scores, probability_columns(findings), quality, limits).items():
        verdict[(kind == name) & yes] = "yes"
        verdict[(kind == name) & no & ~yes] = "no"
    return verdict


def _rules(
    fused: Floats, scores: list[Floats], probabilities: list[Floats], quality: Floats, limits: Thresholds
) -> dict[str, Masks]:
    """For each kind two masks: where the verdict is yes, and where it is no. Comparisons with nan are false."""
    always, never = np.ones(len(fused), bool), np.zeros(len(fused), bool)
    with np.errstate(invalid="ignore"):
        return {
            "erased": (always, never),
            "unreadable": (always, never),
            "no_face": (always, never),
            "poor": ((scores[0] < limits["poor_px"]) | (quality < limits.get("poor_quality", -np.inf)), always),
            "duplicate": (scores[0] >= limits["same_picture"], always),
            "outlier": outlier_rule(fused, scores, probabilities, limits),
            "mixed": (_all_below(scores, limits, "mixed"), never),
            "split": (_all_below(scores, limits, "split"), never),
            "misplaced": (_one_person(fused, scores, limits, "misplaced", "support"), never),
            # persons whose photos never mix (relations.py) have a probability of one half: people decide
            "merge": (_one_person(fused, scores, limits, "merge", "support") & ~(probabilities[0] <= 0.5), never),
            "overlap": (_one_person(fused, scores, limits, "overlap", "leak"), never),
        }


def outlier_rule(fused: Floats, scores: list[Floats], probabilities: list[Floats], limits: Thresholds) -> Masks:
    """Where a face is an outlier, and where it is none: by its probability, or by its score where that is nan."""
    probability, least = probabilities
    known, cut = np.isfinite(probability), limits.get("outlier_probability", 0.5)
    low = np.where(known, probability >= cut, fused < limits["outlier"])
    high = np.where(known, probability < cut, fused >= limits["outlier"])
    agrees = _all_below(scores, limits, "contrary") | (least >= limits.get("agreement", cut))
    return low & agrees, high


def _one_person(fused: Floats, scores: list[Floats], limits: Thresholds, name: str, each: str) -> NDArray[np.bool_]:
    """Where the fused score reaches the threshold `name`, and each embedder's own score the threshold `each`."""
    return (fused >= limits[name]) & _all_above(scores, limits, each)


def _all_below(scores: list[Floats], limits: Thresholds, name: str) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([z < limits[f"{name}_{e}"] for e, z in enumerate(scores)]))


def _all_above(scores: list[Floats], limits: Thresholds, name: str) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([z >= limits[f"{name}_{e}"] for e, z in enumerate(scores)]))
