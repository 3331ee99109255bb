"""Results of models with their 95% intervals, a line each, grouped by metric."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.report.charts.drawing import FONT_POINTS, LABEL_LETTERS, MODEL_COLOURS, Chart, axes, plain_text

MARKERS = "osD^vP"
METRIC_LETTERS = 46
LISTED = 24  # results that the chart's words list


class IntervalRow(NamedTuple):
    """One result: the metric, the model (or training set) it is of, the value and its interval; None: no interval."""

    metric: str
    model: str
    value: float
    low: float | None
    high: float | None


def intervals(name: str, title: str, results: Sequence[IntervalRow]) -> Chart:
    """Results with their intervals, a line each, with the numbers beside it; those of one metric together."""
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
    """The results with those of one metric together, metrics in the order in which they come first."""
    order = list(dict.fromkeys(r.metric for r in results))
    return sorted(results, key=lambda r: order.index(r.metric))
