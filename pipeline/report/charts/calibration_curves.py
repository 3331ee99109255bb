"""Chart of the score at each FAR in this data's calibration, with the thresholds."""

from collections.abc import Mapping

import numpy as np

from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration
from pipeline.report.charts.drawing import BLUE, DASHES, GREEN, ORANGE, PURPLE, RED, SKY, Chart, axes, legend, log_scale

FARS = np.geomspace(1e-7, 0.3, 60)
THRESHOLDS = ("outlier", "merge", "misplaced", "overlap")  # of the fused score


def calibration_curves(calibration: Calibration, thresholds: Mapping[str, float]) -> Chart:
    """The chart of the score at each FAR, for each embedder and fused, with the thresholds on the fused score.

    thresholds: of the refinement, by name.
    """
    figure, axis = axes()
    curves = {f"embedder {i}": curve for i, curve in enumerate(calibration.far_curves, start=1)}
    curves["fused score"] = calibration.fused_curve
    for (label, curve), colour, dash in zip(curves.items(), (BLUE, ORANGE, "black"), DASHES, strict=False):
        axis.plot(FARS, [threshold_at_far(curve, far) for far in FARS], dash, color=colour, label=label)
    for i, name in enumerate(name for name in THRESHOLDS if name in thresholds):
        axis.axhline(
            thresholds[name],
            color=(RED, GREEN, PURPLE, SKY)[i],
            linestyle=DASHES[i],
            linewidth=1,
            label=f"threshold: {name} {thresholds[name]:.2f}",
        )
    log_scale(axis)
    axis.set(
        xlabel="FAR: share of impostor pairs that score at least this",
        ylabel="score: standard deviations\nabove the mean of impostor pairs",
    )
    legend(axis)
    words = ", ".join(f"{name} {thresholds[name]:.2f}" for name in THRESHOLDS if name in thresholds)
    return Chart(
        "calibration",
        "Calibration: the score at each FAR, and the thresholds on the fused score",
        f"The score falls as the FAR (false accept rate) rises. Thresholds on the fused score: {words}.",
        figure,
    )
