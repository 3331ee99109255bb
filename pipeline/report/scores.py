"""Scores of faces against the person of their claimed identity, and the range of scores in which people are asked."""

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.scores.fusion import Calibration, fuse
from pipeline.refinement import Refinement
from pipeline.report.counts import KEPT, RELABELLED, REMOVED
from pipeline.review.questions.belief import genuine_scores, outlier_belief
from pipeline.review.questions.queue import MIN_ERROR_PROBABILITY

BINS = np.linspace(-8, 20, 113)  # edges of the histogram; scores beyond them count in the first or the last bin


class ScoreHistogram(NamedTuple):
    """A histogram of scores for each fate: kept, relabelled, removed."""

    edges: NDArray[Any]  # [n + 1] scores
    counts: dict[str, NDArray[np.int64]]  # [n] faces between two edges, by fate


def scores_to_person(refinement: Refinement, calibration: Calibration) -> ScoreHistogram:
    """The histogram of the fused scores of faces against the person of their claimed identity, by fate."""
    columns = ("core", "second")[: len(calibration.far_curves)]
    counts: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(len(BINS) - 1, np.int64))
    tables = (refinement.clusters.batches(columns), refinement.labels.batches(["claimed", "identity"]))
    for clusters, labels in zip(*tables, strict=True):
        by_embedder = [clusters[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in columns]
        scores = fuse(by_embedder, calibration.weights)
        pairs = zip(labels["claimed"].to_pylist(), labels["identity"].to_pylist(), strict=True)
        fates = np.array([_fate(claimed, identity) for claimed, identity in pairs], object)
        for fate in (KEPT, RELABELLED, REMOVED):
            of_fate = scores[(fates == fate) & np.isfinite(scores)]
            counts[fate] += np.histogram(np.clip(of_fate, BINS[0], BINS[-1]), BINS)[0]
    return ScoreHistogram(BINS, dict(counts))


def _fate(claimed: str | None, identity: str | None) -> str:
    return KEPT if identity == claimed else REMOVED if identity is None else RELABELLED


def uncertain_scores(refinement: Refinement, calibration: Calibration) -> tuple[float, float] | None:
    """The lowest and the highest score below the genuine mean at which people are asked whether a face is the person.

    People are asked where either answer has at least the probability MIN_ERROR_PROBABILITY. None if there is no
    such score.
    """
    genuine = genuine_scores(refinement, calibration)
    p = outlier_belief(BINS, calibration.fused_curve, genuine)
    uncertain = (genuine.mean > BINS) & (p > MIN_ERROR_PROBABILITY) & (p < 1 - MIN_ERROR_PROBABILITY)
    scores = BINS[uncertain].tolist()
    return (scores[0], scores[-1]) if scores else None
