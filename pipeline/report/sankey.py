"""Where every photo went, as bands from the sources over what became of photos to the reasons for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.report.charts import FATES, GREY, SMALL, Chart, axes, safe


def where_it_went(flow: Mapping[tuple[str, str, str], int]) -> Chart:
    """Bands from sources over kept, moved, removed to the reasons, as thick as their photos."""
    figure, axis = axes((7.2, 4.6))
    axis.axis("off")
    total = max(1, sum(flow.values()))
    columns = [{}, {}, {}]  # type: list[dict[str, float]]
    paths: list[dict[tuple[str, str], int]] = [{}, {}]
    for (source, fate, reason), n in flow.items():
        keys = (source, fate, f"{fate}: {reason}" if reason else fate)
        for column, key in zip(columns, keys, strict=True):
            column[key] = column.get(key, 0) + n
        for path, pair in zip(paths, (keys[:2], keys[1:]), strict=True):
            path[pair] = path.get(pair, 0) + n
    orders = [sorted(columns[0]), [f for f in FATES if f in columns[1]], []]
    orders[2] = [k for f in FATES for k in sorted(columns[2], key=lambda k: -columns[2][k]) if k.split(":")[0] == f]
    tops = [_stack(order, column, total) for order, column in zip(orders, columns, strict=True)]
    for at, path in enumerate(paths):
        left, right = dict(tops[at]), dict(tops[at + 1])
        for a, b in ((a, b) for a in orders[at] for b in orders[at + 1] if (a, b) in path):
            high = path[a, b] / total
            _band(axis, (at + 0.03, left[a]), (at + 0.97, right[b]), high, FATES[b.split(":")[0]])
            left[a], right[b] = left[a] - high, right[b] - high
    for at, (order, column) in enumerate(zip(orders, columns, strict=True)):
        for key in order:
            high = column[key] / total
            axis.add_patch(_box(at, tops[at][key], high, FATES.get(key.split(":")[0], GREY)))
            words = f"{safe(key.split(': ')[-1])} {column[key]:,.0f} ({high:.1%})"
            axis.text(at + 0.05, tops[at][key] - high / 2, words, va="center", fontsize=SMALL)
    axis.set(xlim=(-0.05, 2.75), ylim=(min(min(t.values(), default=0) for t in tops) - 0.08, 1.03))
    told = ", ".join(f"{k} {n:,.0f}" for k, n in columns[2].items())
    return Chart("where_it_went", "Where every photo went", f"Of {total:,} photos: {told}.", figure)


def _stack(order: Sequence[str], column: Mapping[str, float], total: int) -> dict[str, float]:
    """The upper edge of each box of a column; thin boxes lie in the middle of the room that their words take."""
    top, found = 1.0, {}
    for key in order:
        room = max(column[key] / total, 0.045)
        found[key] = top - (room - column[key] / total) / 2
        top -= room + 0.02
    return found


def _box(at: float, top: float, high: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((at - 0.03, top - high), 0.06, high, color=colour)


def _band(axis: Any, start: tuple[float, float], end: tuple[float, float], high: float, colour: str) -> None:
    t = np.linspace(0, 1, 40)
    y = start[1] + (end[1] - start[1]) * t * t * (3 - 2 * t)
    axis.fill_between(start[0] + (end[0] - start[0]) * t, y, y - high, color=colour, alpha=0.35, linewidth=0)
