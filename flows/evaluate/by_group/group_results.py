"""The figures of groups of people as plain values, for the tables and the JSON of `refinery evaluate`."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flows.cli.result import text_table
from trainer.evaluation.by_group.gap import Estimate, gap_of

ONE, OWN = "one threshold", "own threshold"  # for all groups; of the enrolled person's group


@dataclass(frozen=True)
class GroupFigure:
    """A figure of a model on the photos of one group of people, with its 95% interval."""

    test_set: str
    figure: str
    model: str
    group: str
    value: float
    low: float | None  # None: no intervals were asked for
    high: float | None
    warning: str = ""  # why the figure is not reliable


@dataclass(frozen=True)
class GroupGap:
    """How much better a figure is in the best group than in the worst one, with the 95% interval."""

    test_set: str
    figure: str
    model: str
    best: str
    worst: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ImpostorRate:
    """The share of impostor pairs of an enrolled person of a group with photos of a group that pass at a threshold.

    threshold: ONE or OWN; cosine: its value; pairs: how many impostor pairs there are.
    """

    test_set: str
    model: str
    threshold: str
    cosine: float
    enrolled: str
    impostor: str
    value: float
    low: float | None
    high: float | None
    pairs: int
    warning: str = ""


@dataclass(frozen=True)
class GroupResults:
    """The results by group of one test set or several; notes: lines about pairs and groups that were not measured."""

    figures: list[GroupFigure] = field(default_factory=list)
    rates: list[ImpostorRate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def gaps(self) -> list[GroupGap]:
        """The gap of every figure that two groups or more have."""
        groups: dict[tuple[str, str, str], dict[str, Estimate]] = {}
        for f in self.figures:
            estimate = Estimate(f.value, *(math.nan if v is None else v for v in (f.low, f.high)))
            if not math.isnan(f.value):
                groups.setdefault((f.test_set, f.figure, f.model), {})[f.group] = estimate
        gaps = {key: gap_of(key[1], estimates) for key, estimates in groups.items()}
        return [
            GroupGap(*key, gap.best, gap.worst, gap.value, *limits(gap.low, gap.high))
            for key, gap in gaps.items()
            if gap is not None
        ]

    def extend(self, other: "GroupResults") -> None:
        """Add the results of another test set."""
        self.figures.extend(other.figures)
        self.rates.extend(other.rates)
        self.notes.extend(other.notes)

    def lines(self) -> list[str]:
        """Tables of figures by group with their gaps, and of impostors who pass; then the notes."""
        gaps = {(g.test_set, g.model, g.figure): g for g in self.gaps}
        lines: list[str] = []
        for test_set, model in dict.fromkeys((f.test_set, f.model) for f in self.figures):
            chosen = [f for f in self.figures if (f.test_set, f.model) == (test_set, model)]
            rows: dict[str, dict[str, str]] = {}
            for f in chosen:
                rows.setdefault(f.figure, {"figure": f.figure})[f.group] = shown(f.value, f.low, f.high, f.warning)
            columns = ["figure", *dict.fromkeys(f.group for f in chosen), "gap"]
            for figure, row in rows.items():
                if gap := gaps.get((test_set, model, figure)):
                    row["gap"] = f"{shown(gap.value, gap.low, gap.high)} ({gap.best}, {gap.worst})"
            table = text_table([{c: row.get(c, "") for c in columns} for row in rows.values()])
            lines += ["", f"{test_set}, {model}, by group; gap: the best group's figure and the worst one's", *table]
            lines += _rate_lines([r for r in self.rates if (r.test_set, r.model) == (test_set, model)])
        return [*lines, *self.notes]


def limits(low: float, high: float) -> tuple[float | None, float | None]:
    """The bounds of an interval; None for nan."""
    return (None, None) if math.isnan(low) else (low, high)


def shown(value: float, low: float | None, high: float | None, warning: str = "") -> str:
    """A figure with its interval, and a mark where it is not reliable, for tables."""
    interval = "" if low is None or high is None else f" [{low:.4f}, {high:.4f}]"
    return f"{value:.4f}{interval}{'!' if warning else ''}"


def _rate_lines(rates: Sequence[ImpostorRate]) -> Iterable[str]:
    """A table for each kind of threshold: a row for each group of enrolled people, a column for each of impostors."""
    for threshold in dict.fromkeys(r.threshold for r in rates):
        rows: dict[str, dict[str, str]] = {}
        for r in rates:
            if r.threshold == threshold:
                row = rows.setdefault(r.enrolled, {"enrolled": f"{r.enrolled} (cosine above {r.cosine:.3f})"})
                row[f"impostors of {r.impostor}"] = shown(r.value, r.low, r.high, r.warning)
        yield from ["", f"impostors who pass, {threshold}", *text_table(list(rows.values()))]
