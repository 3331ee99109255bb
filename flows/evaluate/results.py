"""The figures of an evaluation as plain values: what the table of `refinery evaluate` and its JSON are made of."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flows.cli.result import Result
from trainer.evaluation.roc import index_at_far
from trainer.evaluation.verification import Verification

log = logging.getLogger("refinery")
ROC_POINTS = 120
LEGEND = "[ ]: 95% interval over {draws} drawn test sets; ±: standard deviation over the folds"
LESS_LEGEND = "less: the first model's figure minus that model's, on the same drawn test sets"


@dataclass(frozen=True)
class Figure:
    """One figure of a model on a test set with its 95% interval, or how much more it is than another model's."""

    test_set: str
    figure: str
    model: str
    against: str  # the other model; "" for the model's own figure
    value: float
    low: float | None  # None: no test sets were drawn
    high: float | None
    warning: str = ""  # why the figure says little

    def __str__(self) -> str:
        shown = "+.4f" if self.against else ".4f"
        limits = "" if self.low is None else f" [{self.low:{shown}}, {self.high:{shown}}]"
        return f"{self.value:{shown}}{limits}{'!' if self.warning else ''}"


@dataclass(frozen=True)
class MeasuredTestSet:
    """A test set: its pairs (or searches), how many are genuine, and how many lack a face and count as different."""

    test_set: str
    folder: str
    pairs: int
    genuine: int
    missing: int


@dataclass(frozen=True)
class Measurement:
    """What one test set gave: the figures of every model, and the verifications behind them where pairs were verified.

    verifications: by model.
    """

    test_set: MeasuredTestSet
    figures: list[Figure]
    verifications: Mapping[str, Verification] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation(Result):
    """The figures of models on test sets; accuracy_sd, cosines (the thresholds) and rocs are by test set and model.

    rocs: false and true accept rates of verifications, at most ROC_POINTS of them.
    """

    test_sets: list[MeasuredTestSet]
    figures: list[Figure]
    accuracy_sd: dict[str, dict[str, float]]
    cosines: dict[str, dict[str, dict[str, float]]]
    draws: int
    rocs: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)

    @classmethod
    def of(cls, measurements: Iterable[Measurement], draws: int) -> "Evaluation":
        """The figures of several test sets together, logged one by one as they are measured.

        draws: how many test sets were drawn for the intervals.
        """
        evaluation = cls([], [], {}, {}, draws)
        for measurement in measurements:
            name, verified = measurement.test_set.test_set, measurement.verifications
            log.info("%s: measured", name)
            evaluation.test_sets.append(measurement.test_set)
            evaluation.figures.extend(measurement.figures)
            if verified:
                evaluation.accuracy_sd[name] = {model: v.accuracy_sd for model, v in verified.items()}
                evaluation.cosines[name] = {
                    model: {f"FAR={far:g}": cosine for far, cosine in v.cosine.items()} for model, v in verified.items()
                }
                evaluation.rocs[name] = {model: _roc_points(v) for model, v in verified.items()}
        return evaluation

    def rows(self) -> list[dict[str, Any]]:
        """A line for each test set and figure: a column for each model, one for each difference."""
        lines: dict[tuple[str, str], dict[str, Any]] = {}
        for f in self.figures:
            line = lines.setdefault((f.test_set, f.figure), {"test set": f.test_set, "figure": f.figure})
            line[f"less {f.against}" if f.against else f.model] = str(f)
            if f.figure == "accuracy" and not f.against:
                value, *limits = str(f).split(" ", 1)
                line[f.model] = " ".join([value, f"± {self.accuracy_sd[f.test_set][f.model]:.4f}", *limits])
        return list(lines.values())

    def lines(self) -> list[str]:
        """The sizes of the test sets, the thresholds, and how to read the figures."""
        sizes = [
            f"{t.test_set}: {t.pairs} pairs, {t.genuine} genuine; {t.missing} lack a face and count as different"
            for t in self.test_sets
        ]
        thresholds = [
            f"{test}, {model}: " + ", ".join(f"{far} at a cosine of {cosine:.3f}" for far, cosine in by_far.items())
            for test, models in self.cosines.items()
            for model, by_far in models.items()
        ]
        less = [LESS_LEGEND] if any(f.against for f in self.figures) else []
        warned = sorted({(f.test_set, f.figure, f.warning) for f in self.figures if f.warning})
        warnings = [f"! {test}, {figure}: {warning}" for test, figure, warning in warned]
        return [*sizes, *thresholds, LEGEND.format(draws=self.draws), *less, *warnings]


def _roc_points(verification: Verification) -> list[list[float]]:
    """False and true accept rates, evenly spaced in the logarithm of the false ones."""
    far, tar = verification.roc.far, verification.roc.tar
    lowest = 1 / max(1, verification.pairs - verification.genuine)
    at = np.unique([index_at_far(verification.roc, rate) for rate in np.geomspace(lowest, 1, ROC_POINTS)])
    return [[round(float(v), 9) for v in far[at]], [round(float(v), 6) for v in tar[at]]]
