"""Face detection with an ONNX model: SCRFD (run by insightface) or YuNet, recognised by the model's outputs.

An OnnxDetector holds only the model's path, so that it can be sent to workers. Each thread of a worker loads the model
once.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.faces import model_file, yunet
from pipeline.faces.accelerator.batch_detection import BatchNetwork
from pipeline.faces.accelerator.devices import chosen_name
from pipeline.faces.accelerator.providers import usable_device
from pipeline.faces.picture import Image
from pipeline.faces.protocols import DetectedFaces
from pipeline.faces.yunet import Size, fill_blob, load_yunet
from pipeline.tables import worker_process

MAX_SIDE = 640  # pixels of the longer side of the network's input; a larger photo is shrunk
# scale from which a photo is shrunk by bilinear interpolation, which takes a sixth of the time of averaging: it reads
# four pixels, and less than four become one (benchmark/results/host.md)
LEAST_BILINEAR = 0.5
STEP = 64  # pixels; each side of the input is a multiple of this: little padding, because padding costs time, too
MIN_SCORES = {"scrfd": 0.5, "yunet": yunet.MIN_SCORE}  # the defaults of the models' authors
# longer side divided by the shorter one; no face fills a more elongated picture, and its margin could fill the memory
MAX_ELONGATION = 4
MAX_OVERLAP = 0.4  # intersection over union of two boxes, above which they are one face
# (picture, size of the network's input, which is at least the picture's, minimum score) -> the faces in the picture
RunNetwork = Callable[[Image, Size, float], DetectedFaces]
_networks = threading.local()
_batch_networks: dict[tuple[str, str], BatchNetwork] = {}  # by model and device, for all threads
_loading = threading.Lock()


@dataclass(frozen=True)
class OnnxDetector:
    """A face detector in an ONNX file (see protocols.FaceDetector)."""

    model: str
    min_score: float | None = None  # None: the default of the model's authors
    device: str = field(default_factory=chosen_name)  # changes results by rounding at most

    @property
    def on_card(self) -> bool:
        """Whether a card runs it, which wants batches. Raises UserError where the device cannot be used."""
        return usable_device(self.device).on_card

    @property
    def named_by(self) -> list[Any]:
        """The digest of the model's file, not its path; min_score, and constants that change results."""
        return ["detector", model_file.digest_of(self.model), self.min_score, STEP, MAX_SIDE, LEAST_BILINEAR]

    def __call__(self, image: Image) -> DetectedFaces:
        """The faces in a picture [h, w, 3].

        If there are none, the picture is searched again with a margin around it, because detectors miss faces that fill
        the whole picture.
        """
        if self.on_card:
            return self.detect_batch([image])[0]
        faces = self._detect(image)
        margin = 0 if len(faces.scores) else _margin(image)
        return _without_margin(self._detect(_with_margin(image, margin)), margin) if margin else faces

    def detect_batch(self, images: Sequence[Image]) -> list[DetectedFaces]:
        """The faces in each of some pictures, as of one alone, but for rounding; faster on a card."""
        faces = self._detect_together(images)
        margins = [0 if len(found.scores) else _margin(image) for image, found in zip(images, faces, strict=True)]
        again = [i for i, margin in enumerate(margins) if margin]
        found_again = self._detect_together([_with_margin(images[i], margins[i]) for i in again])
        for i, found in zip(again, found_again, strict=True):
            faces[i] = _without_margin(found, margins[i])
        return faces

    def batch_network(self) -> BatchNetwork:
        """The network for batches on this detector's device, loaded once for all threads."""
        return _batch_network(self.model, self.device)

    def batch_key(self, image: Image) -> Size:
        """Pictures with equal keys go through the network together: the size of its input."""
        _, fixed_side = detector_kind(self.model)
        return _input_size(*_shrunk_size(image, fixed_side)[:2], fixed_side)

    def _detect(self, image: Image) -> DetectedFaces:
        kind, fixed_side = detector_kind(self.model)
        shrunk, scale, size = self._shrink_to_fit(image, fixed_side)
        faces = _network(self.model, kind)(shrunk, size, self._least_score(kind))
        return DetectedFaces(faces.boxes / scale, faces.scores, faces.landmarks / scale)

    def _detect_together(self, images: Sequence[Image]) -> list[DetectedFaces]:
        """The faces in each picture, without a second search."""
        kind, fixed_side = detector_kind(self.model)
        by_size: dict[Size, list[int]] = {}
        shrunk, scales = [], []
        for i, image in enumerate(images):
            small, scale, size = self._shrink_to_fit(image, fixed_side)
            shrunk.append(small)
            scales.append(scale)
            by_size.setdefault(size, []).append(i)
        faces: dict[int, DetectedFaces] = {}
        for size, numbers in by_size.items():
            network = self.batch_network()
            found = network([shrunk[i] for i in numbers], size, self._least_score(kind))
            faces.update(zip(numbers, found, strict=True))
        return [
            DetectedFaces(faces[i].boxes / scale, faces[i].scores, faces[i].landmarks / scale)
            for i, scale in enumerate(scales)
        ]

    def _least_score(self, kind: str) -> float:
        return MIN_SCORES[kind] if self.min_score is None else self.min_score

    def blob(self, image: Image, fixed_side: int | None) -> NDArray[np.float32]:
        """The network's input [1, 3, h, w] for a picture [h, w, 3], to measure the network alone."""
        shrunk, _, size = self._shrink_to_fit(image, fixed_side)
        return fill_blob(shrunk, np.empty((1, 3, *size), np.float32))

    @staticmethod
    def _shrink_to_fit(image: Image, fixed_side: int | None) -> tuple[Image, float, Size]:
        """The picture shrunk to fit the network's input, the scale (1: not shrunk), and the size of the input."""
        height, width, scale = _shrunk_size(image, fixed_side)
        if scale < 1:
            method = cv2.INTER_LINEAR if scale >= LEAST_BILINEAR else cv2.INTER_AREA
            image = np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
        return image, scale, _input_size(height, width, fixed_side)


def _shrunk_size(image: Image, fixed_side: int | None) -> tuple[int, int, float]:
    """Height and width of a picture shrunk to fit the network's input, and the scale (1: not shrunk)."""
    height, width = image.shape[:2]
    scale = min(1.0, (fixed_side or MAX_SIDE) / max(height, width))
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in (height, width))
    return height, width, scale


def _input_size(height: int, width: int, fixed_side: int | None) -> Size:
    """The size of the network's input for a picture of this size."""
    return (fixed_side, fixed_side) if fixed_side else (-(-height // STEP) * STEP, -(-width // STEP) * STEP)


def _margin(image: Image) -> int:
    """Pixels of the margin with which a picture without faces is searched again; 0: it is too elongated."""
    longest, shortest = max(image.shape[:2]), min(image.shape[:2])
    return 0 if longest > MAX_ELONGATION * shortest else longest // 4


def _with_margin(image: Image, margin: int) -> Image:
    return np.asarray(cv2.copyMakeBorder(image, *[margin] * 4, cv2.BORDER_CONSTANT, value=(127, 127, 127)), np.uint8)


def _without_margin(faces: DetectedFaces, margin: int) -> DetectedFaces:
    """Faces found in a picture with a margin, in pixels of the picture without it."""
    return DetectedFaces(faces.boxes - margin, faces.scores, faces.landmarks - margin)


@cache
def detector_kind(path: str) -> tuple[str, int | None]:
    """The kind of detector in a file, "scrfd" or "yunet", and the side of its input in pixels; None: any size.

    Raises UserError for a file that is not an ONNX model, or a model of neither kind.
    """
    graph = model_file.graph(path)
    outputs = [o.name for o in graph.output]
    weights = {w.name for w in graph.initializer}
    shapes = [[d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.input if i.name not in weights]
    fixed_side = int(shapes[0][-1]) or None if shapes and len(shapes[0]) == 4 else None
    if {"cls_8", "obj_8", "bbox_8", "kps_8"} <= set(outputs):
        return "yunet", fixed_side
    if len(outputs) in (9, 15):
        return "scrfd", fixed_side
    raise UserError(
        f"{path} is not a face detector with landmarks ({len(outputs)} outputs): give YuNet, or SCRFD with 9 outputs"
    )


@cache
def try_detector(path: str) -> None:
    """Run the detector in a file on a small black picture. Raises UserError where it is none, or does not run."""
    _, side = detector_kind(path)
    inputs = model_file.session(path).get_inputs()
    if len(inputs) != 1:
        raise UserError(f"{path} is not a face detector ({len(inputs)} inputs): give YuNet, or SCRFD with 9 outputs")
    shape = (1, 3, side or STEP, side or STEP)
    model_file.trial_run(path, {inputs[0].name: np.zeros(shape, np.float32)})


def _network(path: str, kind: str) -> RunNetwork:
    """The loaded network of this thread; threads share none, because both libraries keep state between calls."""
    loaded: dict[str, RunNetwork] = _networks.__dict__.setdefault("loaded", {})
    if path not in loaded:
        session = model_file.session(path)
        is_yunet = kind == "yunet"
        loaded[path] = load_yunet(session, max_overlap=MAX_OVERLAP) if is_yunet else _load_scrfd(path, session)
    return loaded[path]


def _batch_network(path: str, device: str) -> BatchNetwork:
    with _loading:
        if (path, device) not in _batch_networks:
            kind, side = detector_kind(path)
            _batch_networks[path, device] = BatchNetwork(
                path, kind, side, device=usable_device(device), max_overlap=MAX_OVERLAP
            )
        return _batch_networks[path, device]


def _forget_networks() -> None:
    global _networks
    _networks = threading.local()
    _batch_networks.clear()


worker_process.on_table_change(_forget_networks)


def _load_scrfd(path: str, session: Any) -> RunNetwork:
    from insightface.model_zoo.scrfd import SCRFD  # takes a third of a second to load

    # by default insightface opens a session for each input size, on all cores; here all sizes share one session
    network = SCRFD(model_file=path, session=session, static_shape_sessions=False)
    network.nms_thresh = MAX_OVERLAP

    def find_faces(image: Image, size: Size, min_score: float) -> DetectedFaces:
        canvas = np.zeros((*size, 3), np.uint8)
        canvas[: image.shape[0], : image.shape[1]] = image
        boxes, landmarks = network.detect(canvas, input_size=size[::-1], det_thresh=min_score)
        return DetectedFaces(boxes[:, :4], boxes[:, 4], landmarks)

    return find_faces
