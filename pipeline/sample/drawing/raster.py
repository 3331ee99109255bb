"""From a bent grid of points to pixels: which point of the grid each pixel shows, and how near it is.

One idea: all triangles at once, each as its rows of pixels: where a row enters and leaves a triangle is linear, so
numpy touches hardly more pixels than there are, and no hole opens between neighbours.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.drawing.fields import Field

ON_EDGE = np.float32(1e-4)  # of a triangle's side: pixels on a shared edge belong to both, so no crack opens
SMALLEST = 1e-3  # square pixels, doubled: triangles seen edge-on show nothing


class Seen(NamedTuple):
    """The pixels [n] of a flattened frame that show a grid, with the grid's column and row there, and the depth."""

    pixel: NDArray[np.int32]
    column: Field
    row: Field
    depth: Field


class _Triangles(NamedTuple):
    """Triangles: a corner [2, n] in pixels and two edges [2, n]; column, row and depth [3, n] at the corner, and what
    either edge adds to them."""

    corner: Field
    first: Field
    second: Field
    value: Field
    along_first: Field
    along_second: Field


def rasterise(points: Field, frame: tuple[int, int], *, inside: bool = False) -> Seen:
    """What a frame of (rows, columns) pixels shows of a grid of points [h, w, 3] (x, y in pixels, depth towards us).

    Only the side whose columns run to the right and rows down is seen, or with `inside` only the other.
    """
    some = _facing(_triangles(points), inside)
    pixel, values = _fill(some, frame)
    winner = _nearest(pixel, values[2], frame[0] * frame[1])
    chosen = np.take(values, winner, 1)
    return Seen(pixel[winner], chosen[0], chosen[1], chosen[2])


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
    keep = np.flatnonzero(area < -SMALLEST if inside else area > SMALLEST)
    return _Triangles(*(np.take(values, keep, 1) for values in t))


def _fill(t: _Triangles, frame: tuple[int, int]) -> tuple[NDArray[np.int32], Field]:
    """Pixels [k] of the flattened frame, some more than once, with column, row and depth [3, k] there."""
    y_corner, y_first, y_second = t.corner[1], t.corner[1] + t.first[1], t.corner[1] + t.second[1]
    top = np.ceil(np.maximum(np.minimum(np.minimum(y_corner, y_first), y_second), 0)).astype(np.int32)
    bottom = np.floor(np.minimum(np.maximum(np.maximum(y_corner, y_first), y_second), frame[0] - 1)).astype(np.int32)
    of, y = _ragged(top, bottom)
    area = (t.first[0] * t.second[1] - t.first[1] * t.second[0])[of]
    # how far along either edge a pixel is, as start + slope * x within a row
    dy = y - t.corner[1][of]
    slope_a, slope_b = t.second[1][of] / area, -t.first[1][of] / area
    start_a = -dy * t.second[0][of] / area - slope_a * t.corner[0][of]
    start_b = dy * t.first[0][of] / area - slope_b * t.corner[0][of]
    low, high = np.zeros_like(dy), np.full_like(dy, frame[1] - 1)
    for start, slope in ((start_a, slope_a), (start_b, slope_b), (1 - start_a - start_b, -slope_a - slope_b)):
        _clip_row(start, slope, low, high)
    row, x = _ragged(np.ceil(low).astype(np.int32), np.floor(high).astype(np.int32))
    # column, row and depth are linear in a row as well
    first, second = np.take(t.along_first, of, 1), np.take(t.along_second, of, 1)
    base = np.take(t.value, of, 1) + first * start_a + second * start_b
    rise = first * slope_a + second * slope_b
    values = np.take(rise, row, 1)
    values *= x.astype(np.float32)
    values += np.take(base, row, 1)
    return np.take(y * np.int32(frame[1]), row) + x, values


def _clip_row(start: Field, slope: Field, low: Field, high: Field) -> None:
    """Narrow rows [n] from low to high, in place, to where start + slope * x is not negative."""
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = -(start + ON_EDGE) / slope
    np.maximum(low, crossing, out=low, where=slope > 0)
    np.minimum(high, crossing, out=high, where=slope < 0)
    high[(slope == 0) & (start < -ON_EDGE)] = -1


def _ragged(first: NDArray[np.int32], last: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """For ranges first..last [n], empty where last < first: which range each member is of, and the members."""
    count = np.maximum(last - first + 1, 0)
    of = np.repeat(np.arange(len(first)), count)
    begin = np.cumsum(count) - count
    return of, (np.arange(len(of)) - (begin - first)[of]).astype(np.int32)


def _nearest(pixel: NDArray[np.int32], depth: Field, pixels: int) -> NDArray[np.int32]:
    """Of all that fall on one pixel the index of the nearest, for each pixel that something falls on."""
    winner = np.full(pixels, -1, np.int32)
    losing: NDArray[np.int32] = np.arange(len(pixel), dtype=np.int32)
    while len(losing):  # each round whoever was overwritten by something farther tries again: three rounds or so
        winner[pixel[losing]] = losing
        losing = losing[depth[losing] > depth[winner[pixel[losing]]]]
    return winner[winner >= 0]
