"""Measures of a face's image quality: sharpness, exposure, yaw and size. Other modules apply thresholds to them."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.align import SIZE, TEMPLATE, similarity_transform
from pipeline.faces.picture import Image
from pipeline.faces.sketch import grey_values, sketch

# tan(yaw) when the nose is off the middle by one eye distance; adult means: eyes 63 mm apart, nose tip 33 mm in front
YAW_SLOPE = 63 / 33


class FaceMeasures(NamedTuple):
    """The measures that need only the aligned face; the names are columns of the faces table."""

    sketch: bytes
    sharpness: float
    exposure: float


def measure_face(face: Image) -> FaceMeasures:
    """The measures of an aligned face [112, 112, 3]."""
    grey = grey_values(face)
    return FaceMeasures(sketch(grey), sharpness(grey), exposure(grey))


def sharpness(face: Image) -> float:
    """The variance of the Laplacian of an aligned face, in squared grey levels; below 50 it looks blurred.

    face: [h, w, 3], or its grey values [h, w].
    """
    edges = cv2.Laplacian(grey_values(face), cv2.CV_16S)  # exact, and faster than floats
    return float(cv2.meanStdDev(edges)[1][0, 0] ** 2)


def exposure(face: Image) -> float:
    """The mean brightness of an aligned face [h, w, 3], or of its grey values [h, w]: 0 black, 1 white."""
    grey = grey_values(face)
    return float(cv2.sumElems(grey)[0] / grey.size / 255)  # the sum is exact; numpy takes twice as long


def yaw(landmarks: NDArray[np.floating]) -> float:
    """The yaw of the head in degrees from five landmarks [5, 2]; positive when the nose points to the photo's right.

    The nose tip is in front of the eyes, so it moves along the line between them as the head turns.
    """
    left, right, nose = landmarks[0], landmarks[1], landmarks[2]
    axis = right - left
    length = float(np.hypot(*axis))
    if length < 1e-6:
        return 90.0
    offset = float((nose - (left + right) / 2) @ axis) / length**2
    return float(np.degrees(np.arctan(YAW_SLOPE * offset)))


def face_size(landmarks: NDArray[np.floating]) -> float:
    """The side, in pixels of the photo, of the square that becomes the 112x112 face; smaller faces are enlarged."""
    matrix = similarity_transform(np.asarray(landmarks, np.float64), TEMPLATE)
    return float(SIZE / np.hypot(matrix[0, 0], matrix[1, 0]))
