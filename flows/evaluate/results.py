"""The figures of an evaluation as plain values, for the table and the JSON of `refinery evaluate`."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from flows.cli.result import Result
from flows.evaluate.by_group.group_results import GroupResults
from trainer.evaluation.roc import index_at_far
from trainer.evaluation.verification import Verification

log = logging.getLogger("refinery")
ROC_POINTS = 120
LEGEND = "[ ]: 95% interval over {draws} drawn test sets; ±: standard deviation over the folds"
LESS_LEGEND = "less: the first model's figure minus that model's, on the same drawn test sets"


@dataclass(frozen=True)
class Figure:
    """One figure of a model on a test set, or its difference to another model's, with the 95% interval."""

    test_set: str
    figure: str
    model: str
    against: str  # the other model; "" for the model's own figure
    value: float
    low: float | None  # None: no intervals were asked for
    high: float | None
    warning: str = ""  # why the figure is not reliable

    def __str__(self) -> str:
        shown = "+.4f" if self.against else ".4f"
        limits = "" if self.low is None else f" [{self.low:{shown}}, {self.high:{shown}}]"
        return f"{self.value:{shown}}{limits}{'!' if self.warning else ''}"


@dataclass(frozen=True)
class MeasuredTestSet:
    """A test set: its pairs (or searches), how many are genuine, and how many count as different: they lack a face."""

    test_set: str
    folder: str
    pairs: int
    genuine: int
    missing: int
    flip: str = "none"  # how the mirrored face's embedding joins the face's own


@dataclass(frozen=True)
class Measurement:
    """The figures of every model on one test set; verifications: by model, where the test set is one of pairs."""

    test_set: MeasuredTestSet
    figures: list[Figure]
    verifications: Mapping[str, Verification] = field(default_factory=dict)
    by_group: GroupResults = field(default_factory=GroupResults)

    def with_flip(self, flip: str) -> "Measurement":
        """The same measurement, which says how its models used the mirrored face; flip "": they did not."""
        return replace(self, test_set=replace(self.test_set, flip=flip or "none"))


@dataclass(frozen=True)
class Evaluation(Result):
    """The figures of models on test sets.

    accuracy_sd, cosines and rocs are by test set and model. accuracy_sd: standard deviation of the accuracy over the
    folds; cosines: the threshold at each FAR; rocs: false and true accept rates, at most ROC_POINTS of them.
    """

    test_sets: list[MeasuredTestSet]
    figures: list[Figure]
    accuracy_sd: dict[str, dict[str, float]]
    cosines: dict[str, dict[str, dict[str, float]]]
    draws: int
    rocs: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)
    by_group: GroupResults = field(default_factory=GroupResults)

    @classmethod
    def of(cls, measurements: Iterable[Measurement], draws: int) -> "Evaluation":
        """The evaluation of several measurements; a line is logged after each.

        draws: how many bootstrap samples the intervals are from.
        """
        evaluation = cls([], [], {}, {}, draws)
        for measurement in measurements:
            name, verified = measurement.test_set.test_set, measurement.verifications
            log.info("%s: measured", name)
            evaluation.test_sets.append(measurement.test_set)
            evaluation.figures.extend(measurement.figures)
            evaluation.by_group.extend(measurement.by_group)
            if verified:
                evaluation.accuracy_sd[name] = {model: v.accuracy_sd for model, v in verified.items()}
                evaluation.cosines[name] = {
                    model: {f"FAR={far:g}": cosine for far, cosine in v.cosine.items()} for model, v in verified.items()
                }
                evaluation.rocs[name] = {model: _roc_points(v) for model, v in verified.items()}
        return evaluation

    def rows(self) -> list[dict[str, Any]]:
        """A row for each test set and figure: a column for each model, one for each difference."""
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for f in self.figures:
            row = rows.setdefault((f.test_set, f.figure), {"test set": f.test_set, "figure": f.figure})
            row[f"less {f.against}" if f.against else f.model] = str(f)
            if f.figure == "accuracy" and not f.against:
                value, *limits = str(f).split(" ", 1)
                row[f.model] = " ".join([value, f"± {self.accuracy_sd[f.test_set][f.model]:.4f}", *limits])
        return list(rows.values())

    def lines(self) -> list[str]:
        """The sizes of the test sets, the thresholds, and what the columns mean."""
        sizes = [
            f"{t.test_set}: {t.pairs} pairs, {t.genuine} genuine; {t.missing} lack a face and count as different"
            + ("" if t.flip == "none" else f"; flip: {t.flip}")
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
        return [*sizes, *thresholds, LEGEND.format(draws=self.draws), *less, *warnings, *self.by_group.lines()]

    def as_json(self) -> dict[str, Any]:
        """Every field, and the gaps between groups."""
        values = asdict(self)
        values["by_group"]["gaps"] = [asdict(gap) for gap in self.by_group.gaps]
        return values


def _roc_points(verification: Verification) -> list[list[float]]:
    """False and true accept rates [2][n]; the false ones are evenly spaced in their logarithm."""
    far, tar = verification.roc.far, verification.roc.tar
    lowest = 1 / max(1, verification.pairs - verification.genuine)
    at = np.unique([index_at_far(verification.roc, rate) for rate in np.geomspace(lowest, 1, ROC_POINTS)])
    return [[round(float(v), 9) for v in far[at]], [round(float(v), 6) for v in tar[at]]]
