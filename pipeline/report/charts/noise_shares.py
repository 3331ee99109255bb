"""Bar chart of noise: the shares of photos removed and relabelled, by size of identity or by group of identities."""

from collections.abc import Sequence

import numpy as np

from pipeline.report.charts.drawing import FONT_POINTS, GREEN, RED, Chart, axes, legend, plain_text
from pipeline.report.counts import FateCounts


def noise_shares(name: str, title: str, shares: Sequence[FateCounts], property_name: str) -> Chart:
    """The chart of the shares of photos removed and relabelled; each entry of `shares` gives one bar.

    name: of the chart's files; property_name: by which identities are divided, the label of the x axis.
    """
    figure, axis = axes()
    x = np.arange(len(shares))
    photos = np.array([max(1, s.photos) for s in shares])
    removed = np.array([s.removed for s in shares]) / photos
    relabelled = np.array([s.relabelled for s in shares]) / photos
    axis.bar(x, removed, color=RED, label="removed")
    axis.bar(
        x, relabelled, bottom=removed, color=GREEN, label="relabelled as another person", hatch="//", edgecolor="white"
    )
    axis.set_xticks(x, [f"{plain_text(s.name, 16)}\n{s.photos:,}" for s in shares], fontsize=FONT_POINTS)
    axis.set(xlabel=f"{property_name}; in the second line: photos in all", ylabel="share of photos")
    legend(axis)
    words = "; ".join(
        f"{s.name}: {a:.1%} removed, {b:.1%} relabelled" for s, a, b in zip(shares, removed, relabelled, strict=True)
    )
    return Chart(name, title, f"{title}. {words}.", figure)
