"""Sankey diagram of all photos: from their sources to their fates (kept, relabelled, removed) to the reasons."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.report.charts.drawing import FATE_COLOURS, FONT_POINTS, GREY, Chart, axes, plain_text

LABEL_HEIGHT = 0.045  # height of a box's words; the height of all photos is 1
GAP = 0.02  # between two boxes


class _Column(NamedTuple):
    """One column of boxes from top to bottom: photos by box, and the upper edge of each box."""

    photos: dict[str, int]
    tops: dict[str, float]


def photo_flow(flow: Mapping[tuple[str, str, str], int]) -> Chart:
    """The diagram of photos by source, fate and reason; flow: see counts.Counts.

    A band's height is its share of all photos.
    """
    figure, axis = axes((7.2, 4.6))
    axis.axis("off")
    total = max(1, sum(flow.values()))
    paths = [((source, fate, f"{fate}: {reason}" if reason else fate), n) for (source, fate, reason), n in flow.items()]
    columns = [_column([(boxes[i], n) for boxes, n in paths], total) for i in range(3)]
    for i in range(2):
        _draw_bands(axis, i, columns, _summed([(boxes[i : i + 2], n) for boxes, n in paths]), total)
    for i, column in enumerate(columns):
        for box, n in column.photos.items():
            height = n / total
            axis.add_patch(_rectangle(i, column.tops[box], height, FATE_COLOURS.get(_fate(box), GREY)))
            words = f"{plain_text(box.split(': ')[-1])} {n:,.0f} ({height:.1%})"
            axis.text(i + 0.05, column.tops[box] - height / 2, words, va="center", fontsize=FONT_POINTS)
    lowest = min(min(column.tops.values(), default=0) for column in columns)
    axis.set(xlim=(-0.05, 2.75), ylim=(lowest - 0.08, 1.03))
    words = ", ".join(f"{box} {n:,.0f}" for box, n in columns[2].photos.items())
    return Chart("photo_flow", "Where every photo went", f"Of {total:,} photos: {words}.", figure)


def _fate(box: str) -> str:
    """The fate in the name of a box: "removed" for "removed: outlier"."""
    return box.split(":")[0]


def _summed(pairs: Sequence[tuple[Any, int]]) -> dict[Any, int]:
    sums: dict[Any, int] = {}
    for key, n in pairs:
        sums[key] = sums.get(key, 0) + n
    return sums


def _column(boxes: Sequence[tuple[str, int]], total: int) -> _Column:
    """The boxes of a column, ordered by fate and then by size, or by name if they are sources.

    boxes: names of boxes with photos, which are added up; total: number of all photos.
    """
    photos = _summed(boxes)
    fates = list(FATE_COLOURS)

    def order(box: str) -> tuple[float, float, str]:
        return (fates.index(_fate(box)), -photos[box], box) if _fate(box) in fates else (-1, 0, box)

    photos = {box: photos[box] for box in sorted(photos, key=order)}
    return _Column(photos, _tops(photos, total))


def _tops(photos: Mapping[str, int], total: int) -> dict[str, float]:
    """The upper edge of each box of a column; a box thinner than its words is centred on them."""
    top, tops = 1.0, {}
    for box, n in photos.items():
        room = max(n / total, LABEL_HEIGHT)
        tops[box] = top - (room - n / total) / 2
        top -= room + GAP
    return tops


def _draw_bands(
    axis: Any, i: int, columns: Sequence[_Column], photos: Mapping[tuple[str, str], int], total: int
) -> None:
    """Draw the bands from column i to the next; photos: of each band, by the boxes at its left and right end."""
    left, right = dict(columns[i].tops), dict(columns[i + 1].tops)
    for a in columns[i].photos:
        for b in (b for b in columns[i + 1].photos if (a, b) in photos):
            height = photos[a, b] / total
            _draw_band(axis, (i + 0.03, left[a]), (i + 0.97, right[b]), height, FATE_COLOURS[_fate(b)])
            left[a], right[b] = left[a] - height, right[b] - height


def _draw_band(axis: Any, start: tuple[float, float], end: tuple[float, float], height: float, colour: str) -> None:
    t = np.linspace(0, 1, 40)
    y = start[1] + (end[1] - start[1]) * t * t * (3 - 2 * t)
    axis.fill_between(start[0] + (end[0] - start[0]) * t, y, y - height, color=colour, alpha=0.35, linewidth=0)


def _rectangle(i: int, top: float, height: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((i - 0.03, top - height), 0.06, height, color=colour)
