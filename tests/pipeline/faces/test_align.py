"""Alignment by five landmarks, against answers by hand and insightface's template."""

import cv2
import numpy as np
import pytest

from pipeline.faces.align import TEMPLATE, NoFace, align_face, fit_aligned_crop, main_face, similarity_transform
from pipeline.faces.protocols import DetectedFaces


def test_a_turn_by_90_degrees_with_scale_and_shift() -> None:
    # (x, y) -> (-2y + 10, 2x + 20): a turn by 90 degrees, scale 2, shift (10, 20)
    src = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [3.0, 2.0]])
    dst = np.array([[10.0, 20.0], [10.0, 22.0], [8.0, 20.0], [6.0, 26.0]])
    assert np.allclose(similarity_transform(src, dst), [[0, -2, 10], [2, 0, 20]])


def test_the_transform_has_no_reflection() -> None:
    mirrored = TEMPLATE * [-1, 1]
    matrix = similarity_transform(mirrored, TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_no_small_change_of_the_transform_has_a_smaller_error() -> None:
    rng = np.random.default_rng(0)
    src = TEMPLATE * 1.7 + rng.normal(0, 3, (5, 2)) + 40
    best = similarity_transform(src, TEMPLATE)

    def error(m: np.ndarray) -> float:
        return float(((src @ m[:, :2].T + m[:, 2] - TEMPLATE) ** 2).sum())

    a, b, x, y = best[0, 0], best[1, 0], best[0, 2], best[1, 2]
    for change in 1e-3 * np.vstack([np.eye(4), -np.eye(4)]):
        p, q, s, t = np.array([a, b, x, y]) + change * [1, 1, 100, 100]
        assert error(np.array([[p, -q, s], [q, p, t]])) > error(best)


def by_singular_values(src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """Umeyama's solution by singular value decomposition, as in his paper."""
    a, b = src - src.mean(0), dst - dst.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a / len(a))
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = (s * signs).sum() / ((a**2).sum() / len(a)) * u @ np.diag(signs) @ vt
    return np.column_stack([turn, dst.mean(0) - turn @ src.mean(0)])


def test_the_transform_is_umeyamas_solution_also_for_mirrored_points() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        src = rng.normal(50, 30, (5, 2)) * rng.choice([1, -1], 2)
        assert np.allclose(similarity_transform(src, TEMPLATE), by_singular_values(src, TEMPLATE), atol=1e-9)


def test_the_transform_is_that_of_insightface() -> None:
    from insightface.utils import face_align

    assert np.allclose(face_align.arcface_dst, TEMPLATE, atol=1e-4)
    points = np.array([[60, 80], [120, 70], [95, 110], [70, 145], [125, 135]], np.float32)
    theirs = face_align.estimate_norm(points, 112)
    assert np.allclose(similarity_transform(points.astype(float), TEMPLATE), theirs, atol=1e-4)


def test_points_that_coincide_raise_an_error() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.ones((5, 2)), TEMPLATE)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 8.0])
def test_the_landmarks_of_the_warped_face_lie_on_the_template(scale: float) -> None:
    points = TEMPLATE * scale + [30, 17]
    image = np.zeros((int(140 * scale) + 60, int(140 * scale) + 60, 3), np.uint8)
    for x, y in points:
        cv2.circle(image, (round(x), round(y)), max(2, round(3 * scale)), (255, 255, 255), -1)
    face = align_face(image, points)[:, :, 0].astype(float)
    for x, y in TEMPLATE:
        window = face[round(y) - 6 : round(y) + 7, round(x) - 6 : round(x) + 7]
        rows, columns = np.mgrid[-6:7, -6:7]
        centre = np.array([(columns * window).sum(), (rows * window).sum()]) / window.sum()
        assert np.hypot(*(centre - (x - round(x), y - round(y)))) < 1.0


def faces(*boxes: tuple[float, float, float, float]) -> DetectedFaces:
    n = len(boxes)
    return DetectedFaces(np.array(boxes, np.float32), np.ones(n, np.float32), np.zeros((n, 5, 2), np.float32))


def test_without_a_box_the_large_and_central_face_is_the_main_one() -> None:
    detected = faces((0, 0, 40, 40), (80, 80, 120, 120), (85, 0, 115, 30))
    assert main_face(detected, width=200, height=200) == 1


def test_with_a_box_relative_or_in_pixels_the_face_in_it_is_the_main_one() -> None:
    detected = faces((0, 0, 40, 40), (80, 80, 120, 120))
    assert main_face(detected, width=200, height=200, box=(0.0, 0.0, 0.2, 0.25)) == 0
    assert main_face(detected, width=200, height=200, box=(5, 0, 45, 50)) == 0
    assert main_face(detected, width=200, height=200, box=(50, 0, 60, 10)) == 0, "the nearest face, as none overlaps"


def test_a_narrow_crop_gets_the_columns_that_it_lacks() -> None:
    """The 112x96 crop is the 112x112 one without 8 columns on either side, at any size."""
    whole = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8), (0, 0), 3)
    narrow = whole[:, 8:104]
    assert np.array_equal(fit_aligned_crop(narrow)[:, 8:104], narrow)
    assert np.array_equal(fit_aligned_crop(narrow)[:, :8], np.repeat(narrow[:, :1], 8, 1))
    for size in ((192, 224), (240, 281)):  # the second has not exactly the shape
        fitted = fit_aligned_crop(cv2.resize(narrow, size, interpolation=cv2.INTER_CUBIC))
        assert fitted.shape == (112, 112, 3)
        assert np.abs(fitted[:, 8:104].astype(int) - narrow).mean() < 2


def test_a_square_crop_is_resized_and_another_shape_refused() -> None:
    whole = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8), (0, 0), 3)
    assert fit_aligned_crop(whole) is whole
    for size in ((224, 224), (160, 161)):
        assert np.abs(fit_aligned_crop(cv2.resize(whole, size)).astype(int) - whole).mean() < 2
    for height, width in ((218, 178), (96, 112), (112, 64), (1, 1000)):
        with pytest.raises(NoFace, match=f"square or has the shape of 112x96, this one has {height}x{width} pixels"):
            fit_aligned_crop(np.zeros((height, width, 3), np.uint8))
