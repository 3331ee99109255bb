"""Histogram of the scores of faces against the person of their claimed identity: kept, relabelled and removed faces."""

from collections.abc import Mapping

import numpy as np

from pipeline.report.charts.drawing import DASHES, FATE_COLOURS, YELLOW, Chart, axes, legend
from pipeline.report.counts import KEPT
from pipeline.report.scores import ScoreHistogram


def score_histogram(
    histogram: ScoreHistogram, thresholds: Mapping[str, float], uncertain: tuple[float, float] | None
) -> Chart:
    """The chart of a histogram with the outlier threshold; uncertain: the range of scores in which people are asked."""
    figure, axis = axes()
    for (fate, counts), dash in zip(histogram.counts.items(), DASHES, strict=False):
        axis.stairs(
            counts,
            histogram.edges,
            color=FATE_COLOURS[fate],
            linestyle=dash,
            fill=fate == KEPT,
            alpha=0.45 if fate == KEPT else 1,
            linewidth=1.6,
            label=f"{fate} ({counts.sum():,})",
        )
    if uncertain:
        axis.axvspan(*uncertain, color=YELLOW, alpha=0.3, label="uncertain: people are asked")
    outlier = thresholds["outlier"]
    axis.axvline(outlier, color="black", linestyle="--", linewidth=1, label=f"outlier threshold {outlier:.2f}")
    filled = np.flatnonzero(sum(histogram.counts.values()))
    ends = (histogram.edges[filled[0]], histogram.edges[filled[-1] + 1]) if len(filled) else histogram.edges[[0, -1]]
    axis.set(
        xlabel="fused score of a face against the person of its claimed identity",
        ylabel="faces",
        xlim=(min(ends[0], outlier) - 1, max(ends[1], outlier) + 1),
    )
    legend(axis)
    words = ", ".join(f"{fate} {counts.sum():,}" for fate, counts in histogram.counts.items())
    return Chart(
        "score_histogram",
        "Scores of kept, relabelled and removed faces against the person of their claimed identity",
        f"Histogram; {words}; outlier threshold {outlier:.2f}.",
        figure,
    )
