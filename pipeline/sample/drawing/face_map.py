"""The chart of a face: relief and colour drawn flat, seen from the front, before they are laid over the head.

One idea: in these coordinates the face's forms are products of a curve along x and a curve along y, so a hundred of
them are one matrix product, and the few that are not are drawn in a small window.
"""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.sample.drawing.fields import Field, bell

LEFT, RIGHT, TOP, BOTTOM = -86.0, 86.0, -124.0, 132.0  # mm
SIZE = (BOTTOM - TOP, RIGHT - LEFT)


class Chart(NamedTuple):
    """The places of a chart's columns x [1, w] and rows y [h, 1] in mm."""

    x: Field
    y: Field

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.shape[0], self.x.shape[1]

    def window(self, left: float, right: float, top: float, bottom: float) -> tuple[slice, slice, "Chart"]:
        """The rows and columns of a part of the chart, and that part as a chart of its own."""
        rows = slice(*np.searchsorted(self.y[:, 0], (top, bottom)).tolist())
        columns = slice(*np.searchsorted(self.x[0], (left, right)).tolist())
        return rows, columns, Chart(self.x[:, columns], self.y[rows])

    def look_up(self, drawn: Field, x: Field, y: Field) -> Field:
        """What is drawn on the chart [h, w(, c)] at places x, y [rows, columns] in mm."""
        rows, columns = self.size
        right = (x - LEFT) * np.float32((columns - 1) / SIZE[1])
        down = (y - TOP) * np.float32((rows - 1) / SIZE[0])
        return np.asarray(cv2.remap(drawn, right, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


class Bump(NamedTuple):
    """A rounded form: a height at (x, y) with its spreads, drawn on both sides where it is mirrored."""

    height: float
    x: float
    y: float
    wide: float
    high: float
    mirrored: bool = True


def chart(per_mm: float) -> Chart:
    """An empty chart with so many points to the mm."""
    rows, columns = (round(s * per_mm) + 1 for s in SIZE)
    return Chart(
        np.linspace(LEFT, RIGHT, columns, dtype=np.float32)[None],
        np.linspace(TOP, BOTTOM, rows, dtype=np.float32)[:, None],
    )


def heap(on: Chart, bumps: Iterable[Bump]) -> Field:
    """The sum [h, w] of some bumps."""
    listed = list(bumps)
    height, x, y, wide, high, mirrored = (np.array(v, np.float32)[:, None] for v in zip(*listed, strict=True))
    across = bell(on.x, x, wide) + mirrored * bell(on.x, -x, wide)
    down = height * bell(on.y.T, y, high)
    return np.asarray(down.T @ across, np.float32)
