"""From a bent grid of points to pixels: which point of the grid each pixel shows, and how near it is.

One idea: all triangles of about one size are filled at once, each testing the few pixels of its bounding box, so numpy
draws thousands of them in some milliseconds and leaves no holes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.fields import Field

FAR = np.float32(-1e6)
ON_EDGE = 1e-4  # of a triangle's side: pixels on a shared edge belong to both, so no crack opens


class Seen(NamedTuple):
    """What pixels show of a grid, in a part of the frame: its column and row there [h, w], and depth (FAR: nothing)."""

    rows: slice
    columns: slice
    column: Field
    row: Field
    depth: Field


class _Triangles(NamedTuple):
    """Triangles as grid corners: a place [n, 2] in pixels, two edges [n, 2], the corner's grid place and which half."""

    corner: Field
    right: Field
    down: Field
    depth: Field  # [n, 3]: of the corner, and what the edges add
    grid: NDArray[np.int32]  # [n, 2] column and row
    way: Field  # 1 where the edges lead right and down on the grid, -1 where left and up


def rasterise(points: Field, frame: tuple[int, int], *, inside: bool = False) -> Seen | None:
    """What a frame of (rows, columns) pixels shows of a grid of points [h, w, 3] (x, y in pixels, depth towards us).

    Only the side whose columns run to the right and rows down is seen, or with `inside` only the other.
    None where the grid lies outside the frame.
    """
    low = np.maximum(np.floor(points[..., :2].min((0, 1))), 0).astype(int)
    high = np.minimum(np.ceil(points[..., :2].max((0, 1))) + 1, frame[::-1]).astype(int)
    if (low >= high).any():
        return None
    width, height = (int(n) for n in high - low)
    found = list(_fill(_facing(_triangles(points, low), inside), width, height))
    maps = np.zeros((3, height * width), np.float32)
    maps[2] = FAR
    if found:
        place = np.concatenate([f[0] for f in found])
        values = np.concatenate([f[1] for f in found], axis=1)
        order = np.argsort(values[2])  # of several at one place the nearest is written last
        maps[:, place[order]] = values[:, order]
    column, row, depth = maps.reshape(3, height, width)
    return Seen(slice(low[1], high[1]), slice(low[0], high[0]), column, row, depth)


def _triangles(points: Field, low: NDArray[np.int_]) -> _Triangles:
    at, depth = points[..., :2] - low.astype(np.float32), points[..., 2]
    rows, columns = (n - 1 for n in depth.shape)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2).astype(np.int32)
    upper = (slice(None, -1), slice(None, -1)), (slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))
    lower = (slice(1, None), slice(1, None)), (slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))
    halves = []
    for a, b, c in (upper, lower):
        levels = np.stack([depth[a], depth[b] - depth[a], depth[c] - depth[a]], -1).reshape(-1, 3)
        halves.append([at[a].reshape(-1, 2), (at[b] - at[a]).reshape(-1, 2), (at[c] - at[a]).reshape(-1, 2), levels])
    corner, right, down, levels = (np.concatenate(pair) for pair in zip(*halves, strict=True))
    way = np.repeat(np.array([1, -1], np.float32), rows * columns)
    return _Triangles(corner, right, down, levels, np.concatenate([grid, grid + 1]), way)


def _facing(all_of: _Triangles, inside: bool) -> _Triangles:
    area = all_of.right[:, 0] * all_of.down[:, 1] - all_of.right[:, 1] * all_of.down[:, 0]
    keep = np.flatnonzero(area < -1e-3 if inside else area > 1e-3)
    return _Triangles(*(values[keep] for values in all_of))


def _fill(t: _Triangles, width: int, height: int) -> Iterator[tuple[NDArray[np.intp], Field]]:
    """Places in the flattened window [k], and column, row, depth [3, k] there, for triangles of each size in turn."""
    corners = np.stack([t.corner, t.corner + t.right, t.corner + t.down])
    first = np.maximum(np.ceil(corners.min(0)), 0).astype(np.int32)
    last = np.minimum(np.floor(corners.max(0)), (width - 1, height - 1)).astype(np.int32)
    span = (last - first + 1).min(1), (last - first + 1).max(1)
    area = t.right[:, 0] * t.down[:, 1] - t.right[:, 1] * t.down[:, 0]
    size, largest = 1, int(span[1].max(initial=0))
    while size < 2 * largest:
        some = np.flatnonzero((span[0] > 0) & (span[1] <= size) & (span[1] > size // 2))
        if len(some):
            yield _fill_boxes(_Triangles(*(v[some] for v in t)), first[some], last[some], area[some], size, width)
        size *= 2


def _fill_boxes(
    t: _Triangles, first: NDArray[np.int32], last: NDArray[np.int32], area: Field, size: int, width: int
) -> tuple[NDArray[np.intp], Field]:
    step = np.arange(size, dtype=np.int32)
    x, y = first[:, :1] + step, first[:, 1:] + step  # [n, size] pixels
    dx, dy = x - t.corner[:, :1], y - t.corner[:, 1:]
    # how far along either edge: linear in x and y, so a column's part and a row's part are added
    a = (dx * (t.down[:, 1:] / area[:, None]))[:, None, :] - (dy * (t.down[:, :1] / area[:, None]))[:, :, None]
    b = (dy * (t.right[:, :1] / area[:, None]))[:, :, None] - (dx * (t.right[:, 1:] / area[:, None]))[:, None, :]
    hit = (a >= -ON_EDGE) & (b >= -ON_EDGE) & (a + b <= 1 + ON_EDGE)
    hit &= (x <= last[:, :1])[:, None, :] & (y <= last[:, 1:])[:, :, None]
    n, row, column = np.nonzero(hit)
    a, b = a[hit], b[hit]
    way, depth = t.way[n], t.depth[n]
    values = np.stack([t.grid[n, 0] + way * a, t.grid[n, 1] + way * b, depth[:, 0] + depth[:, 1] * a + depth[:, 2] * b])
    return (y[n, row].astype(np.intp) * width + x[n, column]), values.astype(np.float32)
