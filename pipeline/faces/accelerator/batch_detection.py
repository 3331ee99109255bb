"""Detection in batches on a card: pictures whose inputs have the same size go through the network together.

Each picture gets the input that it gets alone on the processor, so that its faces are the same but for rounding (its
test: to 0.001 pixel and a score of 0.0001). With other pictures in its batch a card may choose other kernels, which
round differently; nothing else of a batch reaches a picture.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.faces import yunet
from pipeline.faces.accelerator.batched_session import batched_session
from pipeline.faces.accelerator.devices import Device
from pipeline.faces.accelerator.model_graphs import InputFormat
from pipeline.faces.model_file import session
from pipeline.faces.picture import Image
from pipeline.faces.protocols import DetectedFaces
from pipeline.faces.yunet import Size

BATCH = 32  # pictures: 40 MB of bytes at 640x640, and as much again for each of the network's first layers
INPUTS = {"scrfd": InputFormat(127.5, 128.0), "yunet": InputFormat(rgb=False)}  # as their authors' code has it
TRIAL_SIDE = 64  # pixels, of the pictures with which a rewritten graph is tried
# (outputs for one picture, size of the network's input, minimum score) -> the faces in the picture
Decode = Callable[[Sequence[NDArray[np.float32]], Size, float], DetectedFaces]


class BatchNetwork:
    """A detector's network on one device, for batches of pictures whose inputs have one size.

    kind: scrfd or yunet; fixed_side: of the input in pixels, None: any. Several threads may call it at the same time.
    """

    def __init__(self, path: str, kind: str, fixed_side: int | None, *, device: Device, max_overlap: float) -> None:
        side = fixed_side or TRIAL_SIDE
        self._run = batched_session(path, INPUTS[kind], (side, side), device, most=BATCH)
        self._free: list[NDArray[np.uint8]] = []
        names = self._run.outputs
        self._order = [names.index(name) for name in yunet.OUTPUTS] if kind == "yunet" else range(len(names))
        self._decode: Decode = (
            partial(yunet.decode, max_overlap=max_overlap) if kind == "yunet" else _scrfd_decoder(path, max_overlap)
        )

    def __call__(self, images: Sequence[Image], size: Size, min_score: float) -> list[DetectedFaces]:
        """The faces in each picture [h, w, 3], none of which is larger than the input's size (height, width)."""
        faces = []
        for start in range(0, len(images), self._run.most):
            some = images[start : start + self._run.most]
            with self._canvas(self._run.filled_length(len(some)), size) as canvas:
                _fill(canvas, some)
                outputs = self._run(canvas)
            # a graph that could not be rewritten may have flat outputs, without a dimension of pictures
            ordered = [(o if o.ndim == 3 else o[None])[: len(some)] for o in (outputs[i] for i in self._order)]
            faces += [self._decode(of_picture, size, min_score) for of_picture in zip(*ordered, strict=True)]
        return faces

    @contextmanager
    def _canvas(self, n: int, size: Size) -> Iterator[NDArray[np.uint8]]:
        """An array [n, h, w, 3] with any values, for the block.

        Its memory is kept for later batches: a new array's comes page by page, which takes longer than filling.
        """
        needed = n * size[0] * size[1] * 3
        try:
            memory = self._free.pop()
        except IndexError:  # the first batch, or other threads have all of it
            memory = np.empty(0, np.uint8)
        if memory.size < needed:
            memory = np.empty(needed, np.uint8)
        yield memory[:needed].reshape(n, *size, 3)
        self._free.append(memory)

    def on_device(self, pictures: NDArray[np.uint8]) -> Callable[[], None]:
        """A function that runs the network alone on pictures [n, h, w, 3] of its input's size, to measure it."""
        return self._run.on_device(pictures)


def _fill(canvas: NDArray[np.uint8], images: Sequence[Image]) -> None:
    """Write each picture into the top left corner of its place, and zeros elsewhere."""
    for place, image in zip(canvas, images, strict=False):
        height, width = image.shape[:2]
        place[:height, :width] = image
        place[height:] = 0
        place[:height, width:] = 0
    canvas[len(images) :] = 0


def _scrfd_decoder(path: str, max_overlap: float) -> Decode:
    """What insightface's SCRFD does with the outputs for one picture: its own functions, without its session."""
    from insightface.model_zoo.scrfd import SCRFD, distance2bbox, distance2kps  # takes a third of a second to load

    network: Any = SCRFD(model_file=path, session=session(path), static_shape_sessions=False)
    network.nms_thresh = max_overlap

    def decode(outputs: Sequence[NDArray[np.float32]], size: Size, min_score: float) -> DetectedFaces:
        levels = len(outputs) // 3
        found = []
        for level, stride in enumerate(network._feat_stride_fpn):  # noqa: SLF001  strides by the number of outputs
            scores = outputs[level].reshape(-1)
            likely = np.flatnonzero(scores >= min_score)
            rows, columns = size[0] // stride, size[1] // stride
            cells = likely // (len(scores) // (rows * columns))
            points = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32) * stride
            boxes = distance2bbox(points, outputs[level + levels][likely] * stride)
            landmarks = distance2kps(points, outputs[level + 2 * levels][likely] * stride)
            found.append(np.column_stack([boxes, scores[likely], landmarks]).astype(np.float32))
        faces = np.concatenate(found)
        faces = faces[np.argsort(-faces[:, 4], kind="stable")]
        kept = faces[network.nms(faces[:, :5])]
        return DetectedFaces(kept[:, :4], kept[:, 4], kept[:, 5:].reshape(-1, 5, 2))

    return decode
