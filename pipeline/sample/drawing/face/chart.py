"""The chart of a face: a flat grid, seen from the front, on which heights and colours are drawn.

One idea: most forms of a face are products of a curve along x and a curve along y, so that a hundred forms are one
matrix product; the few other forms are drawn in a small window of the chart.
"""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.sample.drawing.fields import Field, gaussian

LEFT, RIGHT, TOP, BOTTOM = -86.0, 86.0, -124.0, 132.0  # mm
CHART_SIZE = (BOTTOM - TOP, RIGHT - LEFT)


class Chart(NamedTuple):
    """The x of a chart's columns [1, w] and the y of its rows [h, 1], in mm from between the eyes."""

    x: Field
    y: Field

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.shape[0], self.x.shape[1]

    def window(self, left: float, right: float, top: float, bottom: float) -> tuple[slice, slice, "Chart"]:
        """The rows and the columns of a window of the chart, and the window as a chart; the edges are in mm."""
        rows = slice(*np.searchsorted(self.y[:, 0], (top, bottom)).tolist())
        columns = slice(*np.searchsorted(self.x[0], (left, right)).tolist())
        return rows, columns, Chart(self.x[:, columns], self.y[rows])

    def look_up(self, picture: Field, x: Field, y: Field) -> Field:
        """The values of a picture [h, w(, c)] drawn on the chart, at x, y [rows, columns] in mm."""
        rows, columns = self.size
        right = (x - LEFT) * np.float32((columns - 1) / CHART_SIZE[1])
        down = (y - TOP) * np.float32((rows - 1) / CHART_SIZE[0])
        return np.asarray(
            cv2.remap(picture, right, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )


class Bump(NamedTuple):
    """A rounded form: a Gaussian of this height at (x, y), with standard deviations wide and high, all in mm.

    mirrored: drawn at (-x, y) as well.
    """

    height: float
    x: float
    y: float
    wide: float
    high: float
    mirrored: bool = True


def empty_chart(per_mm: float) -> Chart:
    """A chart of the whole face with per_mm points per mm."""
    rows, columns = (round(s * per_mm) + 1 for s in CHART_SIZE)
    return Chart(
        np.linspace(LEFT, RIGHT, columns, dtype=np.float32)[None],
        np.linspace(TOP, BOTTOM, rows, dtype=np.float32)[:, None],
    )


def sum_of_bumps(chart: Chart, bumps: Iterable[Bump]) -> Field:
    """The heights [h, w] of all bumps added up."""
    height, x, y, wide, high, mirrored = (np.array(v, np.float32)[:, None] for v in zip(*bumps, strict=True))
    across = gaussian(chart.x, x, wide) + mirrored * gaussian(chart.x, -x, wide)
    down = height * gaussian(chart.y.T, y, high)
    return np.asarray(down.T @ across, np.float32)
