"""What the machine decides by itself: findings and thresholds in, verdicts out.

Two rules. A threshold is a false accept rate, turned into a likeness by this data's calibration. And with a second
embedder nothing is dropped, moved or merged unless both, each by itself, see what their sum sees; the rest is `unsure`
and belongs to people.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.findings import score_columns
from pipeline.noise.score_norm import Calibration, Floats, fuse, level, usual

Thresholds = Mapping[str, float]
Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]


class Rates(NamedTuple):
    """What the policy asks for: shares of strangers, where nothing else is said."""

    outlier: float = 3e-3  # an outlier is no more like the person than the likest of this share of strangers
    odd_own: float = 0.05  # ... and less than all but this share of one person's pairs: a weak model drops less
    lenient: float = 0.025  # ... but no more like the person than the likest of this share of strangers, ever
    contrary: float = 1e-4  # ... and in neither embedder's eyes as like as this
    odd: float = 0.01  # a face of the person's group that one embedder finds no better than this is reported
    misplaced: float = 1e-4  # strangers to expect above the likeness of a move, among all persons of the data
    merge: float = 1e-4  # the same for a merge
    overlap: float = 1e-4  # the same for a test identity, among all test entries
    support: float = 1e-4  # a move or a merge is seen by each embedder alone at least at this rate
    leak: float = 1e-3  # so is an overlap: a person of a test set that stays costs more than another that goes
    odd_pairs: float = (
        0.1  # two are one when their photos are as alike, on average, as all but this share of one's pairs
    )
    odd_photo: float = 0.02  # the same against a test set, where there may be a single photo to judge by
    split: float = 1e-4  # a second person is less like the first than this, for each embedder
    mixed: float = 0.05  # the likest pair of a name without a person is less alike than this in each embedder's eyes
    poor_px: float = 12.0  # pixels; a face smaller than that in its photo shows nobody
    same_picture: float = 0.987  # correlation of registered sketches: see same_picture.py


def thresholds(calibration: Calibration, *, persons: int, tests: int, rates: Rates | None = None) -> Thresholds:
    """Each threshold by name, as a likeness for this data: what a manifest records and a report shows.

    A name's end says whose: _0 the first embedder's, _1 the second's, none the sum's. persons and tests: how many a
    stray face, a person or a test entry is compared with; the more, the higher.
    """
    rates = rates or Rates()
    found: dict[str, float] = {
        "outlier": _outlier(calibration, rates),
        "misplaced": level(calibration.tail, rates.misplaced / max(1, persons)),
        "merge": level(calibration.tail, rates.merge / max(1, persons)),
        "overlap": level(calibration.tail, rates.overlap / max(1, tests)),
        "mixed": level(calibration.tail, rates.mixed),
        "merge_photos": usual(calibration, rates.odd_pairs),
        "overlap_photos": usual(calibration, rates.odd_photo),
        "poor_px": rates.poor_px,
        "same_picture": rates.same_picture,
    }
    for e, tail in enumerate(calibration.tails):
        for name in ("contrary", "support", "leak", "split", "mixed"):
            found[f"{name}_{e}"] = level(tail, getattr(rates, name))
    return found


def _outlier(calibration: Calibration, rates: Rates) -> float:
    """As strict as asked where the model knows one person from strangers, as lenient as allowed where it does not."""
    strict, lenient = (level(calibration.tail, rate) for rate in (rates.outlier, max(rates.lenient, rates.outlier)))
    return min(strict, max(lenient, usual(calibration, rates.odd_own)))


def judge(findings: pa.Table, limits: Thresholds, calibration: Calibration) -> NDArray[np.object_]:
    """The policy's verdict, "yes", "no" or "unsure", on each finding (rows as in the schema).

    A conflict is never decided here: one picture under two names says that one of them is wrong, not which.
    """
    kind = np.asarray(findings["kind"].to_numpy(), object)
    scores = score_columns(findings)[: len(calibration.tails)]
    total = fuse(scores, calibration.weights)
    verdict = np.full(len(kind), "unsure", object)
    for name, (yes, no) in _rules(total, scores, limits).items():
        verdict[(kind == name) & yes] = "yes"
        verdict[(kind == name) & no & ~yes] = "no"
    return verdict


def _rules(total: Floats, scores: list[Floats], limits: Thresholds) -> dict[str, Masks]:
    """For each kind where the verdict is yes, and where it is no; a comparison with nan is false."""
    always, never = np.ones(len(total), bool), np.zeros(len(total), bool)
    with np.errstate(invalid="ignore"):
        return {
            "unreadable": (always, never),
            "no_face": (always, never),
            "poor": (scores[0] < limits["poor_px"], always),
            "duplicate": (scores[0] >= limits["same_picture"], always),
            "outlier": ((total < limits["outlier"]) & _below(scores, limits, "contrary"), total >= limits["outlier"]),
            "mixed": (_below(scores, limits, "mixed"), never),
            "split": (_below(scores, limits, "split"), never),
            **{
                name: ((total >= limits[name]) & _above(scores, limits, alone), never)
                for name, alone in (("misplaced", "support"), ("merge", "support"), ("overlap", "leak"))
            },
        }


def _below(scores: list[Floats], limits: Thresholds, name: str) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([z < limits[f"{name}_{e}"] for e, z in enumerate(scores)]))


def _above(scores: list[Floats], limits: Thresholds, name: str) -> NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([z >= limits[f"{name}_{e}"] for e, z in enumerate(scores)]))
