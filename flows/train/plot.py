"""The chart of an experiment, as a picture file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.train.arm_figures import ArmFigure
from pipeline.report.charts.drawing import save_figure

COLOURS = {"before": "#c0392b", "after": "#1e8449", "random": "#7f8c8d"}
OTHER_COLOUR = "#34495e"


def plot_arms(measured: Sequence[ArmFigure], file: Path) -> None:
    """Write a chart with a panel for each figure and test set: a dot for each training, each arm's mean and interval.

    The equal error rate has no panel, because smaller is better there and larger in all others.
    """
    from matplotlib.figure import Figure as Canvas  # a second to load, and only an experiment draws

    tests = list(dict.fromkeys(m.test_set for m in measured))
    figures = [f for f in dict.fromkeys(m.figure for m in measured) if f != "EER"]
    arms = list(dict.fromkeys(m.arm for m in measured))
    canvas = Canvas(figsize=(2.2 * len(figures) + 1, 2.8 * len(tests)), layout="constrained")
    panels = canvas.subplots(len(tests), len(figures), squeeze=False)
    for m in measured:
        if m.figure in figures:
            panel = panels[tests.index(m.test_set)][figures.index(m.figure)]
            _plot_arm(panel, m, arms)
    save_figure(canvas, file, dpi=130)


def _plot_arm(panel: Any, measured: ArmFigure, arms: Sequence[str]) -> None:
    """One arm's trainings and mean in a panel."""
    x, colour = arms.index(measured.arm), COLOURS.get(measured.arm, OTHER_COLOUR)
    panel.plot([x] * len(measured.seeds), measured.seeds, "o", color=colour, alpha=0.5, markersize=4)
    below, above = max(0.0, measured.mean - measured.low), max(0.0, measured.high - measured.mean)
    panel.errorbar(x, measured.mean, [[below], [above]], fmt="_", color=colour, markersize=14, capsize=4)
    panel.set_title(f"{measured.test_set}\n{measured.figure}", fontsize=8)
    panel.set_xticks(range(len(arms)), arms, fontsize=8)
    panel.tick_params(axis="y", labelsize=7)
    panel.margins(x=0.3)
