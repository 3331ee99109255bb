"""Models that cost nothing: ONNX files with the inputs and outputs of YuNet and of an ArcFace embedder on a card.

They answer at once, so that all the time of the photo stages is the processor's own work. With a wait for each batch
they take as long as a GPU would, without using the processor meanwhile. They are given batches, two at a time, and
prepared for by as many threads as a card's models are; each process has one card, on which one batch waits at a time.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pipeline.faces.accelerator import face_network
from pipeline.faces.accelerator.byte_session import ByteSession
from pipeline.faces.accelerator.devices import Device
from pipeline.faces.accelerator.model_graphs import BYTES
from pipeline.faces.align import SIZE, TEMPLATE
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.model_file import digest_of
from pipeline.faces.picture import Image
from pipeline.faces.protocols import DetectedFaces
from pipeline.faces.yunet import STRIDES

DIM = 512  # of the embeddings of most large models
FACE_SHARE = 0.42  # of the picture's shorter side, which the aligned face spans; in LFW's photos it is as much
OPSET, IR_VERSION = 17, 8
FLOAT = TensorProto.FLOAT
COARSEST = STRIDES[-1]
OUTPUTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}  # of YuNet, and the numbers of each for a point
UNUSED = "_unused"
_card = threading.Lock()  # which computes one batch at a time, while the next one is copied to it


@dataclass(frozen=True)
class WaitingDetector:
    """A detector that gets batches as a GPU does, and waits as long for each (see protocols.BatchDetector)."""

    inner: OnnxDetector
    wait_ms: float
    on_card: bool = True

    @property
    def named_by(self) -> Sequence[Any]:
        """As of the detector itself, whose results these are."""
        return self.inner.named_by

    def __call__(self, image: Image) -> DetectedFaces:
        """The faces in a picture [h, w, 3]."""
        return self.detect_batch([image])[0]

    def batch_key(self, image: Image) -> tuple[int, int]:
        """Pictures with equal keys are detected together."""
        return self.inner.batch_key(image)

    def detect_batch(self, images: Sequence[Image]) -> list[DetectedFaces]:
        """The faces in each picture."""
        faces = self.inner.detect_batch(images)
        _wait(self.wait_ms)
        return faces


@dataclass(frozen=True)
class WaitingEmbedder:
    """An embedder that gets bytes, as one on a GPU does, and waits as long for each batch (see protocols.FaceEmbedder).

    What a GPU does with the bytes, from their normalisation on, is left out: the vectors are some of the bytes.
    """

    model: str
    wait_ms: float
    on_card: bool = True

    @property
    def named_by(self) -> Sequence[Any]:
        """As of an embedder in a file."""
        return ["embedder", digest_of(self.model)]

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        return DIM

    def __call__(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The embeddings [n, dim] of aligned faces [n, 112, 112, 3], as many as a card gets at a time."""
        embedded: NDArray[np.float32] = _byte_session(self.model)(faces)[0]
        _wait(self.wait_ms)
        return embedded


def _wait(ms: float) -> None:
    if ms:
        with _card:
            time.sleep(ms / 1000)


@cache
def _byte_session(path: str) -> ByteSession:
    return ByteSession(onnx.load(path), Device("cpu"), most=face_network.BATCH)


def write_detector(path: Path) -> str:
    """Write a detector with YuNet's inputs and outputs for pictures of any size, and return its path.

    It finds one upright face in the middle of every picture, which spans FACE_SHARE of the shorter side.
    """
    nodes = [helper.make_node("Shape", ["input"], ["shape"])]
    for axis, name in ((0, "n"), (2, "height"), (3, "width")):
        nodes += [_node("Gather", ["shape", _constant(nodes, [axis])], name)]
    for stride in STRIDES:
        step = _constant(nodes, [stride])
        nodes += [_node("Div", [side, step], f"{side}_{stride}") for side in ("height", "width")]
        nodes += [_node("Mul", [f"height_{stride}", f"width_{stride}"], f"points_{stride}")]
        for kind, columns in OUTPUTS.items():
            shape = f"{kind}_shape_{stride}"
            nodes += [_node("Concat", ["n", f"points_{stride}", _constant(nodes, [columns])], shape, axis=0)]
            nodes += [_node("ConstantOfShape", [shape], f"{kind}_{stride}{UNUSED * (stride == COARSEST)}")]
    _add_face(nodes)
    outputs = [_tensor(f"{kind}_{s}", ["n", f"{kind}_{s}_points", k]) for kind, k in OUTPUTS.items() for s in STRIDES]
    return _save(nodes, [_tensor("input", ["n", 3, "height", "width"])], outputs, path)


def write_embedder(path: Path) -> str:
    """Write an embedder of DIM numbers, which are the bytes of some rows of the face, and return its path.

    Its input is bytes, as that of a model whose graph was rewritten for a card (see model_graphs.take_bytes).
    """
    nodes: list[onnx.NodeProto] = []
    first, rows = SIZE // 2, -(-DIM // (3 * SIZE))
    begin, end, axes = (_constant(nodes, values) for values in ([first], [first + rows], [1]))
    nodes += [_node("Slice", [BYTES, begin, end, axes], "rows")]
    nodes += [_node("Reshape", ["rows", _constant(nodes, [-1, rows * 3 * SIZE])], "values")]
    begin, end, axes = (_constant(nodes, values) for values in ([0], [DIM], [1]))
    nodes += [_node("Slice", ["values", begin, end, axes], "some"), _node("Cast", ["some"], "embedding", to=FLOAT)]
    faces = helper.make_tensor_value_info(BYTES, TensorProto.UINT8, ["n", SIZE, SIZE, 3])
    return _save(nodes, [faces], [_tensor("embedding", ["n", DIM])], path)


def _add_face(nodes: list[onnx.NodeProto]) -> None:
    """Add the outputs of the coarsest grid: its middle point is certain, and every point has the same box."""
    zero, one, two = (_constant(nodes, value) for value in (0, 1, [2]))
    nodes += [
        *(_node("Div", [f"{side}_{COARSEST}", two], f"middle_{side}") for side in ("height", "width")),
        _node("Mul", ["middle_height", f"width_{COARSEST}"], "middle_row"),
        _node("Add", ["middle_row", "middle_width"], "middle"),
        _node("Squeeze", [f"points_{COARSEST}"], "points"),
        _node("Range", [zero, "points", one], "numbers"),
        _node("Equal", ["numbers", "middle"], "is_middle"),
        _node("Cast", ["is_middle"], "likely", to=FLOAT),
        _node("Reshape", ["likely", _constant(nodes, [1, -1, 1])], "likely_column"),
        _node("Min", ["height", "width"], "shorter"),
        _node("Cast", ["shorter"], "shorter_px", to=FLOAT),
        _node("Mul", ["shorter_px", _constant(nodes, [FACE_SHARE / COARSEST], np.float32)], "face_side"),
        _node("Log", ["face_side"], "size"),
        _node("Concat", [_constant(nodes, [0, 0], np.float32), "size", "size"], "box", axis=0),
        _node("Mul", ["face_side", _constant(nodes, (TEMPLATE / SIZE - 0.5).ravel(), np.float32)], "landmarks"),
    ]
    for kind, source in {"cls": "likely_column", "obj": "likely_column", "bbox": "box", "kps": "landmarks"}.items():
        nodes += [_node("Expand", [source, f"{kind}_shape_{COARSEST}"], f"{kind}_{COARSEST}")]


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [output], **attributes)


def _constant(nodes: list[onnx.NodeProto], value: Any, dtype: type = np.int64) -> str:
    """Add a constant, and return its name."""
    name = f"constant_{len(nodes)}"
    nodes.append(_node("Constant", [], name, value=numpy_helper.from_array(np.asarray(value, dtype))))
    return name


def _tensor(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, shape)


def _save(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    path: Path,
) -> str:
    graph = helper.make_graph(nodes, "stand-in", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return str(path)
