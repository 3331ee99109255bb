"""Alignment: chooses a photo's main face and warps it to the 112x112 face that ArcFace-kind models expect.

Convention: points are (x, y) in pixels, origin top left; transforms map photo to face.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.picture import Image
from pipeline.faces.protocols import DetectedFaces

SIZE = 112
# left eye, right eye, nose tip, left and right mouth corner in an aligned face (InsightFace's arcface_dst)
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
TEMPLATE.setflags(write=False)
# The crops of SphereFace and of CASIA-WebFace have the same template, 8 pixels further to the left (sphereface,
# preprocess/code/face_align_demo.m): the 112x112 crop without 8 columns on either side.
NARROW_WIDTH = 96
MAX_SHAPE_ERROR = 0.02  # of the ratio of width to height: two pixels of 112


class NoFace(ValueError):  # noqa: N818  a result, which the photo's row records
    """The photo has no face that can be detected and aligned; the message says why."""


def similarity_transform(src: NDArray[np.floating], dst: NDArray[np.floating]) -> NDArray[np.float64]:
    """The least-squares similarity transform [2, 3] that maps points src [n, 2] to dst [n, 2].

    Rotation, one scale, translation, never a reflection: Umeyama, "Least-squares estimation of transformation
    parameters between two point patterns", PAMI 1991. In the plane his solution (equations 40 to 43, no reflection) is
    the linear regression of one set of complex numbers on the other, computed here in plain numbers: for five points
    arrays take several times as long. Raises ValueError when the points src coincide.
    """
    points, targets = src.tolist(), dst.tolist()
    (x, y), (u, v) = _mean(points), _mean(targets)
    spread = cosine = sine = 0.0  # sums over the points: |z|^2, and the real and imaginary parts of conj(z) w
    for (px, py), (tu, tv) in zip(points, targets, strict=True):
        zx, zy, wx, wy = px - x, py - y, tu - u, tv - v
        spread += zx * zx + zy * zy
        cosine += zx * wx + zy * wy
        sine += zx * wy - zy * wx
    if spread < 1e-9 * len(points):
        raise ValueError("the landmarks coincide")
    a, b = cosine / spread, sine / spread  # the scale times the cosine and the sine of the angle
    return np.array([[a, -b, u - (a * x - b * y)], [b, a, v - (b * x + a * y)]])


def _mean(points: list[list[float]]) -> tuple[float, float]:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def align_face(image: Image, landmarks: NDArray[np.floating], size: int = SIZE) -> Image:
    """The face [size, size, 3] of a photo [h, w, 3], warped so that its landmarks [5, 2] lie on the template."""
    matrix = similarity_transform(np.asarray(landmarks, np.float64), TEMPLATE * (size / SIZE))
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    if scale < 0.5:
        # bilinear sampling reads four pixels, so a much larger photo is shrunk by averaging first, or it would alias
        factor = 2.0 ** np.floor(np.log2(scale) + 1)
        image = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix @ np.array(
            [[1 / factor, 0, 0.5 / factor - 0.5], [0, 1 / factor, 0.5 / factor - 0.5], [0, 0, 1]]
        )
    return np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)


def share_inside(landmarks: NDArray[np.floating], shape: Sequence[int]) -> float:
    """The share of the aligned face that lies in the photo; landmarks [5, 2] in its pixels, shape: height, width, ...

    Measured at the centres of 16x16 equal squares of the face. What lies outside is black in align_face().
    """
    matrix = similarity_transform(TEMPLATE, np.asarray(landmarks, np.float64))
    steps = (np.arange(16) + 0.5) * SIZE / 16
    x, y = matrix[:, :2] @ np.stack([a.ravel() for a in np.meshgrid(steps, steps)]) + matrix[:, 2:]
    return float(((x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])).mean())


def fit_aligned_crop(image: Image) -> Image:
    """An aligned crop [h, w, 3] as one of [112, 112, 3], with the face where TEMPLATE has it.

    A square crop is resized. One of 112x96 or of that shape gets the columns that it lacks, as copies of its edges:
    with the models that were tried, its embedding has a cosine of 0.99 to that of the 112x112 crop (stretched: 0.93 and
    0.87). Raises NoFace for other shapes, in which the face is at a place that is not known.
    """
    height, width = image.shape[:2]
    if (height, width) == (SIZE, SIZE):
        return image
    shapes = [w for w in (SIZE, NARROW_WIDTH) if abs(width / height - w / SIZE) <= MAX_SHAPE_ERROR]
    if not shapes:
        raise NoFace(f"an aligned crop is square or has the shape of 112x96, this one has {height}x{width} pixels")
    crop = cv2.resize(image, (shapes[0], SIZE), interpolation=cv2.INTER_AREA)
    margin = (SIZE - shapes[0]) // 2
    return np.asarray(cv2.copyMakeBorder(crop, 0, 0, margin, margin, cv2.BORDER_REPLICATE), np.uint8)


def align_main_face(
    image: Image, faces: DetectedFaces, box: Sequence[float] | None = None, *, shrink: int = 1
) -> tuple[Image, DetectedFaces, int]:
    """The aligned main face [112, 112, 3] of a photo, all faces of the photo, and the index of the main one.

    image: the photo, each side `shrink` times shorter; faces: the faces detected in image, in its pixels. box: see
    main_face(), in pixels of the whole photo; so are the returned faces. Raises NoFace when there is no face, or when
    the main face cannot be aligned.
    """
    if not len(faces.scores):
        raise NoFace("the detector finds none")
    height, width = image.shape[:2]
    whole = faces if shrink == 1 else DetectedFaces(faces.boxes * shrink, faces.scores, faces.landmarks * shrink)
    i = main_face(whole, width=width * shrink, height=height * shrink, box=box)
    return align_from_landmarks(image, faces.landmarks[i]), whole, i


def align_from_landmarks(image: Image, landmarks: NDArray[np.floating]) -> Image:
    """The face that align_face() returns. Raises NoFace for landmarks that cannot be aligned."""
    try:
        return align_face(image, landmarks)
    except (ValueError, cv2.error) as error:
        raise NoFace(f"the landmarks cannot be aligned ({error})") from None


def main_face(faces: DetectedFaces, *, width: int, height: int, box: Sequence[float] | None = None) -> int:
    """The index of the main face: with a box the face that overlaps it most, else the large central one.

    width, height: of the photo, in pixels. box: from the data set, as x1, y1, x2, y2, relative to width and height if
    all are at most 1, else in pixels. Without a box the main face is the one with the largest area minus twice the
    squared distance from the photo's centre, which is InsightFace's rule.
    """
    if len(faces.boxes) == 1:
        return 0
    x1, y1, x2, y2 = faces.boxes.T
    if box is not None:
        box_px = np.array(box, float) * ([width, height] * 2 if max(box) <= 1 else 1)
        overlap = _intersection_over_union(faces.boxes, box_px)
        # where no face overlaps the box, the one with the nearest centre is taken
        distance = np.hypot((x1 + x2) / 2 - (box_px[0] + box_px[2]) / 2, (y1 + y2) / 2 - (box_px[1] + box_px[3]) / 2)
        return int(np.lexsort((distance, -overlap))[0])
    off_centre = ((x1 + x2) / 2 - width / 2) ** 2 + ((y1 + y2) / 2 - height / 2) ** 2
    return int(np.argmax((x2 - x1) * (y2 - y1) - 2 * off_centre))


def _intersection_over_union(boxes: NDArray[np.float32], box: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    intersection = np.clip(high - low, 0, None).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return np.asarray(intersection / np.maximum(areas - intersection, 1e-9))
