"""Rasterising a curved grid of points: for each pixel, which point of the grid it shows, and at what depth.

One idea: all triangles of the grid are filled at once, as rows of pixels. The columns at which a row enters and leaves
a triangle are computed exactly, so that few pixels are computed in vain and no gap opens between neighbours.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.drawing.fields import Field

EDGE_MARGIN = np.float32(1e-4)  # of a triangle's side: pixels on a shared edge belong to both, so no gap opens
MIN_DOUBLE_AREA = 1e-3  # square pixels, twice a triangle's area: triangles seen edge-on are left out


class VisiblePixels(NamedTuple):
    """The pixels [n] of a flattened frame that show a grid; for each, the grid's column and row and the depth."""

    pixel: NDArray[np.int32]
    column: Field
    row: Field
    depth: Field


class _Triangles(NamedTuple):
    """n triangles, each given by a corner and the two edges from it."""

    corner: Field  # [2, n] x, y in pixels
    first: Field  # [2, n] edges
    second: Field
    value: Field  # [3, n] column, row and depth at the corner
    along_first: Field  # [3, n] change of the values along the first edge
    along_second: Field


def rasterise(points: Field, frame: tuple[int, int], *, inside: bool = False) -> VisiblePixels:
    """The pixels of a frame (rows, columns) that show a grid of points [h, w, 3] (x, y in pixels, depth to the viewer).

    Only the side is visible whose columns run to the right and rows down; with `inside` only the other side.
    """
    pixel, values = _fill(_facing(_triangles(points), inside), frame)
    nearest = _nearest(pixel, values[2], frame[0] * frame[1])
    column, row, depth = np.take(values, nearest, 1)
    return VisiblePixels(pixel[nearest], column, row, depth)


def _triangles(points: Field) -> _Triangles:
    rows, columns = points.shape[:2]
    column, row = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    grid = np.stack([points[..., 0], points[..., 1], column, row, points[..., 2]])
    here, right = grid[:, :-1, :-1].reshape(5, -1), grid[:, :-1, 1:].reshape(5, -1)
    down, across = grid[:, 1:, :-1].reshape(5, -1), grid[:, 1:, 1:].reshape(5, -1)
    corner = np.concatenate([here, across], 1)
    first = np.concatenate([right - here, down - across], 1)
    second = np.concatenate([down - here, right - across], 1)
    return _Triangles(corner[:2], first[:2], second[:2], corner[2:], first[2:], second[2:])


def _facing(t: _Triangles, inside: bool) -> _Triangles:
    area = t.first[0] * t.second[1] - t.first[1] * t.second[0]
    keep = np.flatnonzero(area < -MIN_DOUBLE_AREA if inside else area > MIN_DOUBLE_AREA)
    return _Triangles(*(np.take(values, keep, 1) for values in t))


def _fill(t: _Triangles, frame: tuple[int, int]) -> tuple[NDArray[np.int32], Field]:
    """Pixels [k] of the flattened frame, some more than once, with column, row and depth [3, k] there."""
    y_corner, y_first, y_second = t.corner[1], t.corner[1] + t.first[1], t.corner[1] + t.second[1]
    top = np.ceil(np.maximum(np.minimum(np.minimum(y_corner, y_first), y_second), 0)).astype(np.int32)
    bottom = np.floor(np.minimum(np.maximum(np.maximum(y_corner, y_first), y_second), frame[0] - 1)).astype(np.int32)
    triangle, y = _expand_ranges(top, bottom)
    area = (t.first[0] * t.second[1] - t.first[1] * t.second[0])[triangle]
    # a pixel's position along either edge, 0 to 1, as start + slope * x within a row
    dy = y - t.corner[1][triangle]
    slope_a, slope_b = t.second[1][triangle] / area, -t.first[1][triangle] / area
    start_a = -dy * t.second[0][triangle] / area - slope_a * t.corner[0][triangle]
    start_b = dy * t.first[0][triangle] / area - slope_b * t.corner[0][triangle]
    low, high = np.zeros_like(dy), np.full_like(dy, frame[1] - 1)
    for start, slope in ((start_a, slope_a), (start_b, slope_b), (1 - start_a - start_b, -slope_a - slope_b)):
        _clip_row(start, slope, low, high)
    row, x = _expand_ranges(np.ceil(low).astype(np.int32), np.floor(high).astype(np.int32))
    # column, row and depth are linear in a row as well
    first, second = np.take(t.along_first, triangle, 1), np.take(t.along_second, triangle, 1)
    base = np.take(t.value, triangle, 1) + first * start_a + second * start_b
    rise = first * slope_a + second * slope_b
    values = np.take(rise, row, 1)
    values *= x.astype(np.float32)
    values += np.take(base, row, 1)
    return np.take(y * np.int32(frame[1]), row) + x, values


def _clip_row(start: Field, slope: Field, low: Field, high: Field) -> None:
    """Narrow rows [n] from low to high, in place, to where start + slope * x is not negative."""
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = -(start + EDGE_MARGIN) / slope
    np.maximum(low, crossing, out=low, where=slope > 0)
    np.minimum(high, crossing, out=high, where=slope < 0)
    high[(slope == 0) & (start < -EDGE_MARGIN)] = -1


def _expand_ranges(first: NDArray[np.int32], last: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """All members of the ranges first..last [n], which are empty where last < first.

    Returns the index of each member's range, and the members.
    """
    count = np.maximum(last - first + 1, 0)
    of = np.repeat(np.arange(len(first)), count)
    begin = np.cumsum(count) - count
    return of, (np.arange(len(of)) - (begin - first)[of]).astype(np.int32)


def _nearest(pixel: NDArray[np.int32], depth: Field, pixels: int) -> NDArray[np.int32]:
    """For each pixel that occurs, the index of its occurrence with the largest depth."""
    nearest = np.full(pixels, -1, np.int32)
    pending: NDArray[np.int32] = np.arange(len(pixel), dtype=np.int32)
    while len(pending):  # pixels overwritten with less depth are written again: about three rounds
        nearest[pixel[pending]] = pending
        pending = pending[depth[pending] > depth[nearest[pixel[pending]]]]
    return nearest[nearest >= 0]
