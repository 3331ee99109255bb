"""Chart of the reliability of probabilities: the share that was found wrong beside the probability of being wrong."""

from collections.abc import Sequence

from pipeline.report.charts.drawing import BLUE, Chart, axes, legend
from pipeline.report.reliability import ReliabilityBin


def reliability_chart(bins: Sequence[ReliabilityBin]) -> Chart:
    """The chart of the bins with their 95% intervals; probabilities that are right lie on the diagonal."""
    figure, axis = axes()
    x, y = [b.probability for b in bins], [b.wrong for b in bins]
    errors = [[b.wrong - b.low for b in bins], [b.high - b.wrong for b in bins]]
    axis.plot((0, 1), (0, 1), "--", color="black", linewidth=1, label="probabilities that are right")
    axis.errorbar(x, y, errors, fmt="o", color=BLUE, capsize=3, label="findings that were answered")
    for b in bins:
        axis.annotate(f"{b.findings:,}", (b.probability, b.wrong), textcoords="offset points", xytext=(6, -10))
    axis.set(xlabel="probability that a photo is an outlier", ylabel="share found to be outliers")
    axis.set(xlim=(0, 1), ylim=(0, 1.02))
    legend(axis)
    words = "; ".join(f"at {b.probability:.2f}: {b.wrong:.2f} of {b.findings}" for b in bins)
    return Chart(
        "reliability",
        "Reliability of the probabilities of outliers",
        f"Share found to be outliers beside the probability. {words}.",
        figure,
    )
