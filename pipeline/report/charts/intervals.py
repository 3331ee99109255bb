"""Chart of results of models with their 95% intervals, one line for each result, sorted by metric."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.report.charts.drawing import FONT_POINTS, LABEL_LETTERS, MODEL_COLOURS, Chart, axes, plain_text

MARKERS = "osD^vP"
METRIC_LETTERS = 46  # longest name of a metric on the axis
LISTED = 24  # most results that the chart's description lists


class IntervalRow(NamedTuple):
    """One result of a model (or of a training set) by one metric, with its 95% interval."""

    metric: str
    model: str
    value: float
    low: float | None  # None: there is no interval
    high: float | None


def intervals(name: str, title: str, results: Sequence[IntervalRow]) -> Chart:
    """The chart of results with their intervals and numbers; results of one metric stand together.

    name: of the chart's files; title: over the chart.
    """
    models = list(dict.fromkeys(r.model for r in results))
    results = _by_metric(results)
    figure, axis = axes((7.2, 1.2 + 0.26 * len(results) + 0.2 * len(models)))
    for y, result in enumerate(results):
        i = models.index(result.model)
        low, high = (result.value if end is None else end for end in (result.low, result.high))
        colour = MODEL_COLOURS[i % 6]
        axis.plot([low, high], [y, y], color=colour, linewidth=2)
        first = result.model not in {r.model for r in results[:y]}
        label = plain_text(result.model, max_letters=LABEL_LETTERS) if first else None
        axis.plot(result.value, y, MARKERS[i % 6], color=colour, label=label)
        numbers = f"{result.value:.3f}" if result.low is None else f"{result.value:.3f} [{low:.3f}, {high:.3f}]"
        axis.text(1.02, y, numbers, transform=axis.get_yaxis_transform(), va="center", fontsize=FONT_POINTS)
    metrics = [r.metric if i == 0 or results[i - 1].metric != r.metric else "" for i, r in enumerate(results)]
    axis.set_yticks(
        range(len(results)), [plain_text(m, max_letters=METRIC_LETTERS) for m in metrics], fontsize=FONT_POINTS
    )
    axis.tick_params("y", length=0)
    axis.invert_yaxis()
    axis.set_xlabel("value, with its 95% interval")
    figure.legend(loc="outside upper left", frameon=False, fontsize=FONT_POINTS)
    words = "; ".join(f"{r.metric}, {r.model}: {r.value:.4f}" for r in results[:LISTED])
    return Chart(name, title, f"{title}. {words}.", figure)


def _by_metric(results: Sequence[IntervalRow]) -> list[IntervalRow]:
    """The results sorted by metric, metrics in the order of their first result."""
    order = list(dict.fromkeys(r.metric for r in results))
    return sorted(results, key=lambda r: order.index(r.metric))
