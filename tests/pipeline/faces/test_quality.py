"""Measures of a face's quality, against answers by hand."""

import cv2
import numpy as np
import pytest

from pipeline.faces import quality
from pipeline.faces.align import TEMPLATE
from pipeline.faces.sketch import sketch


def test_blur_lowers_sharpness_and_light_raises_exposure() -> None:
    face = np.random.default_rng(0).integers(0, 255, (112, 112, 3), dtype=np.uint8)
    assert quality.sharpness(cv2.GaussianBlur(face, (0, 0), 2)) < quality.sharpness(face) / 10
    assert quality.exposure(np.full((112, 112, 3), 51, np.uint8)) == pytest.approx(0.2, abs=1e-3)


def test_grey_values_have_the_measures_of_the_face() -> None:
    face = np.random.default_rng(1).integers(0, 255, (112, 112, 3), dtype=np.uint8)
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)
    assert quality.measure_face(face) == (sketch(face), quality.sharpness(face), quality.exposure(face))
    assert quality.measure_face(grey) == quality.measure_face(face)
    assert quality.exposure(face) == grey.mean() / 255


def test_yaw_is_zero_with_the_nose_in_the_middle_and_has_the_sign_of_its_offset() -> None:
    straight = np.array([[0, 0], [10, 0], [5, 6], [1, 10], [9, 10]], float)
    assert quality.yaw(straight) == pytest.approx(0)
    right = straight.copy()
    right[2, 0] = 8  # tan = 63/33 * 0.3
    assert quality.yaw(right) == pytest.approx(np.degrees(np.arctan(63 / 33 * 0.3)))
    left = straight.copy()
    left[2, 0] = 2
    assert quality.yaw(left) == pytest.approx(-quality.yaw(right))


def test_face_size_is_the_side_of_the_aligned_square_in_the_photo() -> None:
    assert quality.face_size(TEMPLATE * 2.5 + 9) == pytest.approx(280)
