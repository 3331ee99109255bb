"""Runs YuNet with onnxruntime: nearly twice as fast as cv2.FaceDetectorYN, with the same results (see its test).

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector" (Machine Intelligence Research 2023): for each point
of three grids the network gives a class score, an object score, a box and five landmarks, relative to the point.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.picture import Image
from pipeline.faces.protocols import DetectedFaces

STRIDES = (8, 16, 32)  # pixels between the points of the three grids
OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
MIN_SCORE = 0.6  # the authors' default
Size = tuple[int, int]  # height, width


def load_yunet(session: Any, *, max_overlap: float) -> Callable[[Image, Size, float], DetectedFaces]:
    """A function (picture, size of the network's input, minimum score) that detects the faces in the picture.

    The picture must not be larger than the input. session: of onnxruntime. max_overlap: the intersection over union of
    two boxes above which they are one face. The function keeps memory between calls, so each thread needs its own.
    """
    input_name = session.get_inputs()[0].name
    # reused, because allocating so much memory for each photo takes as long as filling it
    buffer = np.empty(0, np.float32)

    def find_faces(image: Image, size: Size, min_score: float) -> DetectedFaces:
        nonlocal buffer
        if buffer.size < (needed := 3 * size[0] * size[1]):
            buffer = np.empty(needed, np.float32)
        blob = fill_blob(image, buffer[:needed].reshape(1, 3, *size))  # BGR, 0..255, as in training
        outputs = [o[0] for o in session.run(OUTPUTS, {input_name: blob})]
        return decode(outputs, size, min_score, max_overlap=max_overlap)

    return find_faces


def fill_blob(image: Image, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """Write the picture [h, w, 3] into the top left corner of `out` [1, 3, >= h, >= w], and zeros elsewhere."""
    height, width = image.shape[:2]
    out[:, :, height:], out[:, :, :, width:] = 0, 0
    channels = np.empty((3, height, width), np.uint8)
    cv2.split(image, list(channels))  # much faster than a transposition, and than arrays of its own for each channel
    out[0, :, :height, :width] = channels
    return out


def decode(
    outputs: Sequence[NDArray[np.float32]], size: Size, min_score: float, *, max_overlap: float
) -> DetectedFaces:
    """The faces in one picture. outputs: those of OUTPUTS for it, each [points, values]; size: of the input."""
    scores = np.sqrt(np.clip(np.concatenate(outputs[0:3]) * np.concatenate(outputs[3:6]), 0, 1))[:, 0]
    likely = np.flatnonzero(scores >= min_score)
    points, strides = _grid_points(*size)
    points, strides = points[likely], strides[likely, None]
    offsets, landmark_offsets = (np.concatenate(outputs[i : i + 3])[likely] for i in (6, 9))
    centre, half = (points + offsets[:, :2]) * strides, np.exp(offsets[:, 2:]) * strides / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    landmarks = (points[:, None] + landmark_offsets.reshape(-1, 5, 2)) * strides[:, None]
    kept = _without_overlaps(boxes, scores[likely], max_overlap)
    return DetectedFaces(boxes[kept], scores[likely][kept], landmarks[kept])


@cache
def _grid_points(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The point (x, y) [n, 2] of each output of the network, in units of its stride, and the stride [n] in pixels."""
    grids = [np.mgrid[: height // s, : width // s][::-1].reshape(2, -1).T for s in STRIDES]
    strides = np.repeat(STRIDES, [len(g) for g in grids])
    return np.concatenate(grids).astype(np.float32), strides.astype(np.float32)


def _without_overlaps(boxes: NDArray[np.float32], scores: NDArray[np.float32], max_overlap: float) -> NDArray[np.intp]:
    """The indices [k] of the boxes that non-maximum suppression keeps, best first."""
    if len(boxes) == 1:
        return np.zeros(1, np.intp)
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return np.asarray(cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, max_overlap), np.intp).ravel()
