import numpy as np
import pytest

from pipeline.sample.drawing.raster import rasterise


def grid(rows: int, columns: int) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    return np.stack([x, y, np.zeros_like(x)], -1)


def slow_raster(points: np.ndarray, frame: tuple[int, int], sign: int) -> dict[int, tuple[float, float, float]]:
    """Column, row and depth at each pixel, triangle by triangle and pixel by pixel."""
    shown: dict[int, tuple[float, float, float]] = {}
    places = grid(*points.shape[:2])
    for i in range(points.shape[0] - 1):
        for j in range(points.shape[1] - 1):
            for corners in (((i, j), (i, j + 1), (i + 1, j)), ((i + 1, j + 1), (i + 1, j), (i, j + 1))):
                a, b, c = (points[k] for k in corners)
                matrix = np.array([b[:2] - a[:2], c[:2] - a[:2]], float).T
                if sign * np.linalg.det(matrix) <= 1e-3:
                    continue
                for y in range(frame[0]):
                    for x in range(frame[1]):
                        s, t = np.linalg.solve(matrix, (x - a[0], y - a[1]))
                        if min(s, t, 1 - s - t) < 0:
                            continue
                        shares = np.array([1 - s - t, s, t])
                        depth = float(shares @ [a[2], b[2], c[2]])
                        if (before := shown.get(y * frame[1] + x)) is None or depth > before[2]:
                            column, row = shares @ np.array([places[k][:2] for k in corners])
                            shown[y * frame[1] + x] = (float(column), float(row), depth)
    return shown


def test_a_rectangle_covers_every_pixel_once():
    points = grid(2, 2) * (4, 3, 1) + (1, 2, 7)
    visible = rasterise(points.astype(np.float32), (10, 10))
    y, x = np.divmod(visible.pixel, 10)
    assert sorted(zip(y, x, strict=True)) == [(y, x) for y in range(2, 6) for x in range(1, 6)]
    np.testing.assert_allclose(visible.column, (x - 1) / 4, atol=1e-6)
    np.testing.assert_allclose(visible.row, (y - 2) / 3, atol=1e-6)
    assert set(visible.depth) == {7}


@pytest.mark.parametrize("inside", [False, True])
def test_a_crumpled_grid_equals_the_slow_reference(inside):
    rng = np.random.default_rng(0)
    points = (grid(5, 6) * (4.3, 4.1, 0) + rng.normal(0, 2.5, (5, 6, 3)) + (-1.5, -1.5, 0)).astype(np.float32)
    frame = (16, 18)
    expected = slow_raster(points, frame, -1 if inside else 1)
    visible = rasterise(points, frame, inside=inside)
    by_pixel = dict(
        zip(visible.pixel.tolist(), zip(visible.column, visible.row, visible.depth, strict=True), strict=True)
    )
    assert len(by_pixel) == len(visible.pixel)  # no pixel twice
    assert set(expected) <= set(by_pixel)
    assert len(set(by_pixel) - set(expected)) <= 1  # on an edge, within rounding of it
    for pixel, value in expected.items():
        np.testing.assert_allclose(by_pixel[pixel], value, atol=2e-3)


def test_the_nearer_of_two_folds_is_visible():
    points = grid(2, 4) * (4, 4, 1)
    points[:, 2:, 0] = points[:, 1::-1, 0]  # the right half is folded back over the left, turned away
    points[:, 2:, 2] = 5
    points[:, :, 0] += 1
    front, back = (rasterise(points.astype(np.float32), (6, 8), inside=inside) for inside in (False, True))
    assert front.depth.max() == 0
    assert back.depth.max() == 5


def test_points_outside_the_frame_give_no_pixels():
    assert not len(rasterise(grid(3, 3) + np.float32(50), (20, 20)).pixel)
