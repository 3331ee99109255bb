"""Figures of the arms of an experiment, and gains of the refined data, with 95% intervals.

An arm is a data set to train on: before refining, after it, or a random subset. A gain is a figure of the arm "after"
minus that of another arm. Intervals are over bootstrap samples of the test set and over seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flows.train.training_sets import ARMS
from trainer.evaluation.compare import compare, compare_seeds
from trainer.evaluation.verification import Verification

INTERVAL = (0.025, 0.975)  # 95%
Verifications = Mapping[str, Sequence[Verification]]  # by arm, one a seed


@dataclass(frozen=True)
class ArmFigure:
    """One figure of one arm on one test set: its value for each seed, and their mean with its interval.

    photos: how many the arm was trained on; low, high: over bootstrap samples of the test set.
    """

    test_set: str
    figure: str
    arm: str
    photos: int
    seeds: list[float]
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """By how much one figure of the arm "after" is larger than that of another arm, with two intervals.

    than: the other arm; by: the difference; drawn: its interval over bootstrap samples of the test set; seeds: over
    seeds, None for a single one.
    """

    test_set: str
    figure: str
    than: str
    by: float
    drawn: tuple[float, float]
    seeds: tuple[float, float] | None


def arm_figures(test_set: str, verifications: Verifications, photos: Mapping[str, int]) -> list[ArmFigure]:
    """Every figure of every arm on a test set; photos: how many each arm was trained on."""
    figures = []
    for arm, verified in verifications.items():
        for figure in verified[0].figures:
            values = [v.figures[figure] for v in verified]
            draws = np.nanmean([v.bootstrap_figures[figure] for v in verified], axis=0)
            low, high = np.nanquantile(draws, INTERVAL).tolist()
            figures.append(ArmFigure(test_set, figure, arm, photos[arm], values, float(np.mean(values)), low, high))
    return figures


def refined_gains(test_set: str, verifications: Verifications) -> list[Gain]:
    """The gains of the refined data over each other arm, for every figure, on the same bootstrap samples."""
    refined = verifications["after"]
    return [
        _gain(test_set, figure, than, list(zip(refined, verifications[than], strict=True)))
        for than in ARMS
        if than != "after"
        for figure in refined[0].figures
        if figure != "EER"  # the one figure that is better when smaller
    ]


def _gain(test_set: str, figure: str, than: str, pairs: Sequence[tuple[Verification, Verification]]) -> Gain:
    """The gain in one figure; pairs: the verifications of "after" and of the other arm, a pair for each seed."""
    draws = np.nanmean([a.bootstrap_figures[figure] - b.bootstrap_figures[figure] for a, b in pairs], axis=0)
    low, high = np.nanquantile(draws, INTERVAL).tolist()
    by = float(np.mean([compare(a, b)[figure].value for a, b in pairs]))
    over_seeds = None
    if len(pairs) > 1:
        difference = compare_seeds([a.figures[figure] for a, _ in pairs], [b.figures[figure] for _, b in pairs])
        over_seeds = (difference.low, difference.high)
    return Gain(test_set, figure, than, by, (low, high), over_seeds)
