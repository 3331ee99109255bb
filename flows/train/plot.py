"""Pictures of results, drawn without a screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

COLOURS = {"before": "#c0392b", "after": "#1e8449", "random": "#7f8c8d"}


class Point(NamedTuple):
    """A figure of an arm on a test set, with its values by seed, their mean and its interval."""

    test_set: str
    figure: str
    arm: str
    seeds: list[float]
    mean: float
    low: float
    high: float


def plot_arms(measured: Sequence[Point], file: Path) -> None:
    """Every figure of every test set as a point a training, and each arm's mean with its interval."""
    from matplotlib.figure import Figure as Canvas

    tests = list(dict.fromkeys(m.test_set for m in measured))
    figures = [f for f in dict.fromkeys(m.figure for m in measured) if f != "EER"]
    arms = list(dict.fromkeys(m.arm for m in measured))
    canvas = Canvas(figsize=(2.2 * len(figures) + 1, 2.8 * len(tests)), layout="constrained")
    axes = canvas.subplots(len(tests), len(figures), squeeze=False)
    for m in measured:
        if m.figure not in figures:
            continue
        axis, x = axes[tests.index(m.test_set)][figures.index(m.figure)], arms.index(m.arm)
        colour = COLOURS.get(m.arm, "#34495e")
        axis.plot([x] * len(m.seeds), m.seeds, "o", color=colour, alpha=0.5, markersize=4)
        axis.errorbar(
            x,
            m.mean,
            [[max(0.0, m.mean - m.low)], [max(0.0, m.high - m.mean)]],
            fmt="_",
            color=colour,
            markersize=14,
            capsize=4,
        )
        axis.set_title(f"{m.test_set}\n{m.figure}", fontsize=8)
        axis.set_xticks(range(len(arms)), arms, fontsize=8)
        axis.tick_params(axis="y", labelsize=7)
        axis.margins(x=0.3)
    canvas.savefig(file, dpi=130)
