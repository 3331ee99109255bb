import numpy as np
import pytest

from pipeline.sample.drawing.conditions import Light
from pipeline.sample.drawing.fields import resample, smooth_noise, smooth_step
from pipeline.sample.drawing.surfaces import along, normals, shade, whole_power


def lamp(x: float, y: float, z: float, **other: float) -> Light:
    direction = np.array([x, y, z], np.float32)
    return Light(
        direction,
        np.array([0, 0, 1], np.float32),
        other.get("fill", 0),
        other.get("ambient", 0),
        np.ones(3, np.float32),
    )


def test_light_by_hand():
    normal, ones = np.full((2, 2, 3), (0, 0, 2), np.float32), np.ones((2, 2), np.float32)
    wrap, view = np.array([0.3, 0.2, 0.1], np.float32), np.array([0, 0, 1], np.float32)
    grey = np.array([0.5, 0.5, 0.5], np.float32)
    frontal = shade(grey, normal, lamp(0, 0, 1), view=view, occlusion=ones, wrap=wrap)
    np.testing.assert_allclose(frontal, 0.5, rtol=1e-5)
    grazing = shade(grey, normal, lamp(1, 0, 0), view=view, occlusion=ones, wrap=wrap)
    np.testing.assert_allclose(grazing[0, 0], [0.5 * w / (1 + w) for w in (0.3, 0.2, 0.1)], rtol=1e-5)
    behind = shade(grey, normal, lamp(0, 0, -1, fill=0.4), view=view, occlusion=ones, wrap=wrap)
    np.testing.assert_allclose(behind, 0.5 * 0.4, rtol=1e-5)
    hollow = shade(grey, normal, lamp(0, 0, -1, ambient=0.5), view=view, occlusion=0.2 * ones, wrap=wrap)
    np.testing.assert_allclose(hollow, 0.5 * 0.5 * (0.81 + 0.11) * 0.2 * (0.45 + 0.55 * 0.2), rtol=1e-5)
    shadowed = shade(grey, normal, lamp(0, 0, 1), view=view, occlusion=ones, shadow=0.25 * ones, wrap=wrap)
    np.testing.assert_allclose(shadowed, 0.125, rtol=1e-5)
    shining = shade(grey, normal, lamp(0, 0, 1), view=view, occlusion=ones, gloss=ones, wrap=wrap)
    np.testing.assert_allclose(shining, 0.5 + 0.26 * 1.0, rtol=1e-5)


def test_normals_of_a_sphere_point_away_from_its_middle():
    a, b = np.linspace(-1, 1, 30)[None], np.linspace(-1, 1, 20)[:, None]
    points = np.stack([np.sin(a) * np.cos(b), np.sin(b) + 0 * a, np.cos(a) * np.cos(b)], -1)
    inner = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(normals(points.astype(np.float32))[inner], points[inner], atol=0.01)


def test_whole_power_equals_numpys_power():
    base = np.array([0.0, 0.5, 1.0, 1.5])
    np.testing.assert_allclose(whole_power(base, 11), base**11)


def test_points_along_a_straight_profile_are_evenly_spaced():
    points = along(np.array([(0, 0, 10), (30, 40, 20)]), 6)
    np.testing.assert_allclose(points, [(6 * i, 8 * i, 10 + 2 * i) for i in range(6)], atol=1e-4)


def test_noise_is_the_same_at_any_resolution():
    coarse, fine = (smooth_noise(np.random.default_rng(5), (80, 60), (10, 10), (80 * n, 60 * n)) for n in (1, 3))
    assert np.corrcoef(coarse.ravel(), fine[1::3, 1::3].ravel())[0, 1] > 0.999


def test_resampling_keeps_the_corners():
    grid = np.array([[0, 2], [4, 6]], np.float32)
    np.testing.assert_allclose(resample(grid, (3, 5)), [[0, 0.5, 1, 1.5, 2], [2, 2.5, 3, 3.5, 4], [4, 4.5, 5, 5.5, 6]])


@pytest.mark.parametrize(("low", "high", "expected"), [(0, 2, [0, 0.5, 1]), (2, 0, [1, 0.5, 0])])
def test_a_step_rises_or_falls(low, high, expected):
    np.testing.assert_allclose(smooth_step([-1, 1, 3], low, high), expected)
