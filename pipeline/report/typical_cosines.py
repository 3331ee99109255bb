"""What a threshold on a score is as a cosine, for a typical pair of faces: readers know cosines of their models."""

import math

import numpy as np

from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.score_norm import ImpostorModel


def typical_cosines(calibration: Calibration, rule: str, threshold: float) -> list[float]:
    """The cosine at which a pair of typical faces has a score, for each embedder that the rule is about.

    rule: its name in refinement.json; one that ends in _0 or _1 is about that embedder's score, another about the fused
    score, for which both embedders are taken to give the same score.
    """
    name, _, number = rule.rpartition("_")
    if name and number in ("0", "1") and int(number) < len(calibration.impostors):
        return [_cosine(calibration.impostors[int(number)], threshold)]
    score = threshold / sum(calibration.weights)
    return [_cosine(impostors, score) for impostors in calibration.impostors]


def _cosine(impostors: ImpostorModel, score: float) -> float:
    """The cosine of a score between two faces whose impostor mean and variance are those of an average face.

    For a face x of the distribution with mean m and covariance C the mean of x'm is m'm, and that of x'Cx is
    m'Cm + trace(CC).
    """
    mean, covariance, shift = impostors
    variance = float(mean @ covariance @ mean + np.sum(covariance * covariance))
    return float(mean @ mean) + (score - shift) * math.sqrt(max(variance, 0.0))
