"""Where the faces are: SCRFD (through insightface) or YuNet, told apart by the file itself.

An OnnxDetector holds a path and travels to workers; the network behind it is loaded once per process. YuNet runs on
onnxruntime, nearly twice as fast as in cv2.FaceDetectorYN, whose results it gives (a test holds the two side by side).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from insightface.model_zoo.scrfd import SCRFD
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.picture import Image
from pipeline.faces.protocols import DetectedFaces
from pipeline.tables import worker_process

LARGEST = 640  # pixels that the longer side of a photo goes in with; a larger photo is shrunk
STEP = 64  # pixels; each side of the input is a multiple of it: what is added around a photo costs as much as a photo
MIN_SCORES = {"scrfd": 0.5, "yunet": 0.6}  # the makers' own defaults
YUNET_STRIDES = (8, 16, 32)
STRIP = 4  # times longer than wide: no face fills such a picture, and a margin around it could fill the memory
OVERLAP = 0.4  # boxes that share more of their union are one face
Size = tuple[int, int]  # height, width
_networks = threading.local()


Look = Callable[[Image, Size, float], DetectedFaces]  # a picture no larger than the size, the size, the least score


@dataclass(frozen=True)
class OnnxDetector:
    """A face detector in an ONNX file; calling it gives the Faces of a picture."""

    model: str
    min_score: float | None = None  # None: the maker's default

    @property
    def named_by(self) -> list[Any]:
        """What of the detector names a table: the file's digest and the score, not where the file lies."""
        return ["detector", model_file.digest_of(self.model), self.min_score, STEP, LARGEST]

    def __call__(self, image: Image) -> DetectedFaces:
        """The faces in a picture [h, w, 3].

        A picture that shows none is looked at once more with a margin: faces that fill it are missed otherwise.
        """
        faces = self._look(image)
        if len(faces.scores):
            return faces
        longest, shortest = max(image.shape[:2]), min(image.shape[:2])
        if longest > STRIP * shortest:
            return faces
        margin = longest // 4
        faces = self._look(cv2.copyMakeBorder(image, *[margin] * 4, cv2.BORDER_CONSTANT, value=(127, 127, 127)))
        return DetectedFaces(faces.boxes - margin, faces.scores, faces.landmarks - margin)

    def _look(self, image: Image) -> DetectedFaces:
        kind, fixed = kind_of(self.model)
        shrunk, scale, size = self._fit(image, fixed)
        min_score = MIN_SCORES[kind] if self.min_score is None else self.min_score
        found = _network(self.model, kind)(shrunk, size, min_score)
        return DetectedFaces(found.boxes / scale, found.scores, found.landmarks / scale)

    def blob(self, image: Image, fixed: int | None) -> NDArray[np.float32]:
        """The tensor [1, 3, h, w] that the network sees of a picture [h, w, 3]: to measure the bare network."""
        shrunk, _, size = self._fit(image, fixed)
        return _laid(shrunk, np.empty((1, 3, *size), np.float32))

    @staticmethod
    def _fit(image: Image, fixed: int | None) -> tuple[Image, float, Size]:
        """The picture no larger than the network takes, how much it was shrunk, and height and width of the input."""
        longest, most = max(image.shape[:2]), fixed or LARGEST
        scale = min(1.0, most / longest)
        if scale < 1:
            width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
            image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        if fixed:
            return image, scale, (fixed, fixed)
        return image, scale, (-(-image.shape[0] // STEP) * STEP, -(-image.shape[1] // STEP) * STEP)


def _laid(image: Image, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture [h, w, 3] in the corner of a tensor [1, 3, >= h, >= w], zeros around it."""
    height, width = image.shape[:2]
    out[:, :, height:], out[:, :, :, width:] = 0, 0
    for channel, values in zip(out[0], cv2.split(image), strict=True):  # far faster than to transpose
        channel[:height, :width] = values
    return out


@cache
def kind_of(path: str) -> tuple[str, int | None]:
    """Whether a file is "scrfd" or "yunet", and the side of its input in pixels where that is fixed.

    Raises UserError for a file that is no ONNX model, or one that is neither.
    """
    graph = model_file.graph(path)
    outputs = [o.name for o in graph.output]
    weights = {w.name for w in graph.initializer}
    sides = [[d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.input if i.name not in weights]
    fixed = int(sides[0][-1]) or None if sides and len(sides[0]) == 4 else None
    if {"cls_8", "obj_8", "bbox_8", "kps_8"} <= set(outputs):
        return "yunet", fixed
    if len(outputs) in (9, 15):
        return "scrfd", fixed
    raise UserError(
        f"{path} is no face detector with landmarks ({len(outputs)} outputs): give YuNet, or SCRFD with 9 outputs"
    )


def _network(path: str, kind: str) -> Look:
    """The loaded network, one for each thread: both libraries keep state between calls."""
    loaded: dict[str, Look] = _networks.__dict__.setdefault("loaded", {})
    if path not in loaded:
        loaded[path] = _yunet(path) if kind == "yunet" else _scrfd(path)
    return loaded[path]


def _forget_networks() -> None:
    global _networks
    _networks = threading.local()


worker_process.on_table_change(_forget_networks)


def _yunet(path: str) -> Look:
    network = model_file.session(path)
    name = network.get_inputs()[0].name
    wanted = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in YUNET_STRIDES]

    room = np.empty(0, np.float32)  # kept: to touch so much fresh memory for each photo takes as long as to fill it

    def look(image: Image, size: Size, min_score: float) -> DetectedFaces:
        nonlocal room
        if room.size < (needed := 3 * size[0] * size[1]):
            room = np.empty(needed, np.float32)
        blob = _laid(image, room[:needed].reshape(1, 3, *size))  # BGR, 0..255, as it was trained
        outputs = [o[0] for o in network.run(wanted, {name: blob})]
        scores = np.sqrt(np.clip(np.concatenate(outputs[0:3]) * np.concatenate(outputs[3:6]), 0, 1))[:, 0]
        likely = np.flatnonzero(scores >= min_score)
        points, strides = _priors(*size)
        points, strides = points[likely], strides[likely, None]
        boxes, landmarks = (np.concatenate(outputs[i : i + 3])[likely] for i in (6, 9))
        centre, half = (points + boxes[:, :2]) * strides, np.exp(boxes[:, 2:]) * strides / 2
        found = np.concatenate([centre - half, centre + half], axis=1)
        marks = (points[:, None] + landmarks.reshape(-1, 5, 2)) * strides[:, None]
        best = _suppress(found, scores[likely])
        return DetectedFaces(found[best], scores[likely][best], marks[best])

    return look


@cache
def _priors(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The grid points (x, y) [n, 2] that YuNet's outputs stand for, in strides, and the strides [n]."""
    grids = [np.mgrid[: height // s, : width // s][::-1].reshape(2, -1).T for s in YUNET_STRIDES]
    strides = np.repeat(YUNET_STRIDES, [len(g) for g in grids])
    return np.concatenate(grids).astype(np.float32), strides.astype(np.float32)


def _suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """The boxes [k] that stay, best first, when of boxes that overlap only the best does."""
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return np.asarray(cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, OVERLAP), np.intp).ravel()


def _scrfd(path: str) -> Look:
    # sessions of its own for every input size would each take all cores: one shared session, no static copies
    network = SCRFD(model_file=path, session=model_file.session(path), static_shape_sessions=False)
    network.nms_thresh = OVERLAP

    def look(image: Image, size: Size, min_score: float) -> DetectedFaces:
        canvas = np.zeros((*size, 3), np.uint8)
        canvas[: image.shape[0], : image.shape[1]] = image
        boxes, landmarks = network.detect(canvas, input_size=size[::-1], det_thresh=min_score)
        return DetectedFaces(boxes[:, :4], boxes[:, 4], landmarks)

    return look


def main_face(faces: DetectedFaces, *, width: int, height: int, box: tuple[float, ...] | None = None) -> int:
    """The index of the face a photo is about: the one nearest the source's box, else the large and central one.

    box: x1, y1, x2, y2, relative to width and height when all are at most 1, else in pixels. Without a box the rule is
    InsightFace's: area less twice the squared distance from the photo's centre.
    """
    x1, y1, x2, y2 = faces.boxes.T
    if box is not None:
        near = np.array(box, float) * ([width, height] * 2 if max(box) <= 1 else 1)
        overlap = _intersection_over_union(faces.boxes, near)
        # a box from the source may be tight or wide, so when none overlaps the nearest centre decides
        distance = np.hypot((x1 + x2) / 2 - (near[0] + near[2]) / 2, (y1 + y2) / 2 - (near[1] + near[3]) / 2)
        return int(np.lexsort((distance, -overlap))[0])
    away = ((x1 + x2) / 2 - width / 2) ** 2 + ((y1 + y2) / 2 - height / 2) ** 2
    return int(np.argmax((x2 - x1) * (y2 - y1) - 2 * away))


def _intersection_over_union(boxes: NDArray[np.float32], box: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    both = np.clip(high - low, 0, None).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return np.asarray(both / np.maximum(areas - both, 1e-9))
