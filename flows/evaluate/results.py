"""The figures of an evaluation as plain values: what the table of `refinery evaluate` and its JSON are made of."""

from dataclasses import dataclass, field
from typing import Any

from flows.cli.result import Result

POINTS = 120
READ = "[ ]: 95% interval over {draws} drawn test sets; ±: standard deviation over the folds"
LESS = "less: the first model's figure less that model's, on the same drawn test sets"


@dataclass(frozen=True)
class Figure:
    """One figure of a model on a test set with its 95% interval, or what it is more than another model's."""

    test_set: str
    figure: str
    model: str
    against: str  # "" for the model's own
    value: float
    low: float | None  # None: nothing was drawn
    high: float | None
    warning: str = ""  # what to hold against it

    def __str__(self) -> str:
        shown = "+.4f" if self.against else ".4f"
        limits = "" if self.low is None else f" [{self.low:{shown}}, {self.high:{shown}}]"
        return f"{self.value:{shown}}{limits}{'!' if self.warning else ''}"


@dataclass(frozen=True)
class Asked:
    """A test set: how many pairs, how many of one person, and how many were answered unseen for want of a face."""

    test_set: str
    folder: str
    pairs: int
    same: int
    missing: int


@dataclass(frozen=True)
class Evaluation(Result):
    """The figures of models on test sets; accuracy_sd, cosines (thresholds) and rocs are by test set and model.

    rocs: false and true accept rates of verifications, at most POINTS of them.
    """

    test_sets: list[Asked]
    figures: list[Figure]
    accuracy_sd: dict[str, dict[str, float]]
    cosines: dict[str, dict[str, dict[str, float]]]
    draws: int
    rocs: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)

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
        """What was asked, the thresholds, and how to read the figures."""
        asked = [
            f"{t.test_set}: {t.pairs} pairs, {t.same} of one person, {t.missing} answered unseen for want of a face"
            for t in self.test_sets
        ]
        limits = [
            f"{test}, {model}: " + ", ".join(f"{rate} at a cosine of {cosine:.3f}" for rate, cosine in found.items())
            for test, models in self.cosines.items()
            for model, found in models.items()
        ]
        less = [LESS] if any(f.against for f in self.figures) else []
        few = sorted({(f.test_set, f.figure, f.warning) for f in self.figures if f.warning})
        warnings = [f"! {test}, {figure}: {warning}" for test, figure, warning in few]
        return [*asked, *limits, READ.format(draws=self.draws), *less, *warnings]
