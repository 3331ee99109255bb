"""What the machine decides by itself: findings and thresholds in, verdicts out.

Two rules. A threshold is a false accept rate, turned into a score by this data's calibration. And with a second
embedder nothing is removed, moved or merged unless each embedder by itself agrees with the fused score; the rest is
`unsure` and belongs to people.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.findings import score_columns
from pipeline.noise.pictures.same_picture import SAME_PICTURE
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration, fuse, genuine_quantile
from pipeline.noise.scores.score_norm import Floats

Thresholds = Mapping[str, float]
Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
BY_EMBEDDER = ("contrary", "support", "leak", "split", "mixed")  # thresholds on each embedder's own score


class Rates(NamedTuple):
    """What the policy asks for, by the names of its thresholds: false accept rates, where nothing else is said."""

    outlier: float = 3e-3  # a face whose score with its person is below this is an outlier
    odd_own: float = 0.05  # ... if all but this share of genuine pairs score higher: a weak model removes less
    lenient: float = 0.025  # ... but in any case if its score is below this
    contrary: float = 1e-4  # ... and if neither embedder's own score reaches this
    odd: float = 0.01  # a face inside the person's cluster whose score by one embedder is below this is reported
    misplaced: float = 1e-4  # false alarms to expect for each stray cluster, among all persons of the data
    merge: float = 1e-4  # the same for a merge of two persons
    overlap: float = 1e-4  # the same for a person of a test set, among all test entries
    support: float = 1e-4  # that each embedder's own score must reach for a move or a merge
    leak: float = 1e-3  # the same for an overlap: a person of a test set that stays costs more than another that goes
    odd_pairs: float = 0.1  # two persons are one if their photos score, on average, above this share of genuine pairs
    odd_photo: float = 0.02  # the same against a test set, where there may be a single photo to judge by
    split: float = 1e-4  # a second person's score with the first is below this, for each embedder
    mixed: float = 0.05  # the highest pair of an identity without a person is below this, for each embedder
    poor_px: float = 12.0  # pixels; a face smaller than that in its photo shows nobody
    same_picture: float = SAME_PICTURE  # correlation of registered sketches


def thresholds(calibration: Calibration, *, persons: int, tests: int, rates: Rates | None = None) -> Thresholds:
    """Each threshold by name, as a score for this data: what a refinement records and a report shows.

    A name's end says whose score: _0 the first embedder's, _1 the second's, none the fused one. persons and tests: how
    many a stray cluster, a person or a test entry is compared with; the more, the higher.
    """
    rates = rates or Rates()
    fused = calibration.fused_curve
    limits: dict[str, float] = {
        "outlier": _outlier(calibration, rates),
        "misplaced": threshold_at_far(fused, rates.misplaced / max(1, persons)),
        "merge": threshold_at_far(fused, rates.merge / max(1, persons)),
        "overlap": threshold_at_far(fused, rates.overlap / max(1, tests)),
        "mixed": threshold_at_far(fused, rates.mixed),
        "merge_photos": genuine_quantile(calibration, rates.odd_pairs),
        "overlap_photos": genuine_quantile(calibration, rates.odd_photo),
        "poor_px": rates.poor_px,
        "same_picture": rates.same_picture,
    }
    for e, curve in enumerate(calibration.far_curves):
        for name in BY_EMBEDDER:
            limits[f"{name}_{e}"] = threshold_at_far(curve, getattr(rates, name))
    return limits


def _outlier(calibration: Calibration, rates: Rates) -> float:
    """As strict as asked if the model tells genuine pairs from impostors, as lenient as allowed if it does not."""
    strict = threshold_at_far(calibration.fused_curve, rates.outlier)
    lenient = threshold_at_far(calibration.fused_curve, max(rates.lenient, rates.outlier))
    return min(strict, max(lenient, genuine_quantile(calibration, rates.odd_own)))


def judge(findings: pa.Table, limits: Thresholds, calibration: Calibration) -> NDArray[np.object_]:
    """The policy's verdict, "yes", "no" or "unsure", on each finding (rows as in schema.FINDINGS).

    A conflict is never decided here: one picture under two identities says that one of them is wrong, not which.
    """
    kind = np.asarray(findings["kind"].to_numpy(), object)
    scores = score_columns(findings)[: len(calibration.far_curves)]
    fused = fuse(scores, calibration.weights)
    verdict = np.full(len(kind), "unsure", object)
    for name, (yes, no) in _rules(fused, scores, limits).items():
        verdict[(kind == name) & yes] = "yes"
        verdict[(kind == name) & no & ~yes] = "no"
    return verdict


def _rules(fused: Floats, scores: list[Floats], limits: Thresholds) -> dict[str, Masks]:
    """For each kind where the verdict is yes, and where it is no; a comparison with nan is false."""
    always, never = np.ones(len(fused), bool), np.zeros(len(fused), bool)
    with np.errstate(invalid="ignore"):
        return {
            "unreadable": (always, never),
            "no_face": (always, never),
            "poor": (scores[0] < limits["poor_px"], always),
            "duplicate": (scores[0] >= limits["same_picture"], always),
            "outlier": ((fused < limits["outlier"]) & _below(scores, limits, "contrary"), fused >= limits["outlier"]),
            "mixed": (_below(scores, limits, "mixed"), never),
            "split": (_below(scores, limits, "split"), never),
            **{
                name: ((fused >= limits[name]) & _above(scores, limits, alone), never)
                for name, alone in (("misplaced", "support"), ("merge", "support"), ("overlap", "leak"))
            },
        }


def _below(scores: list[Floats], limits: Thresholds, name: str) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([z < limits[f"{name}_{e}"] for e, z in enumerate(scores)]))


def _above(scores: list[Floats], limits: Thresholds, name: str) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([z >= limits[f"{name}_{e}"] for e, z in enumerate(scores)]))
