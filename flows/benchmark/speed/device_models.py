"""Rates of detectors and embedders on a card or on this processor, beside those of their bare networks.

A bare network runs again and again on one batch that lies on the device, and its outputs stay there.
"""

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.accelerator import batch_detection, face_network
from pipeline.faces.accelerator.byte_session import IN_FLIGHT
from pipeline.faces.align import SIZE
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import BATCH, OnnxEmbedder
from pipeline.faces.half_precision import write_half_precision
from pipeline.tables.prefetch import prefetch
from trainer.run import Run

SIDE = 640  # pixels of the square photos in which faces are detected: the largest input of a detector
Item = TypeVar("Item")


class DeviceRate(NamedTuple):
    """Units (photos, faces, queries) a second by the pipeline or trainer, and bare; the most bytes on the card."""

    rate: float
    bare: float
    unit: str
    gpu_bytes: int = 0


def detection_rate(model: str, photos: int, in_batches: bool) -> DeviceRate:
    """Photos a second from pixels to faces, of a photo of six people; bare: the network, with as many at a time."""
    import cv2
    from insightface.data import get_image

    detector = OnnxDetector(model)
    photo = np.asarray(cv2.resize(get_image("t1"), (SIDE, SIDE)), np.uint8)
    most = min(batch_detection.BATCH, photos) if in_batches else 1
    batches = [[photo] * most] * max(2, photos // most)

    def detect() -> None:
        if in_batches:
            _run_all(detector.detect_batch, batches, in_flight=True)
        else:
            _run_all(detector, [photo] * len(batches), in_flight=False)

    bare = detector.batch_network().on_device(np.stack(batches[0]))
    rate, bare_rate = rates(detect, bare, len(batches), 1)
    return DeviceRate(rate * most, bare_rate * most, "photos")


def embedding_rate(network: str, faces: int, halved: bool) -> DeviceRate:
    """Faces a second from pixels to embeddings by an ONNX file of random weights."""
    from trainer.checkpoint import build_backbone  # torch takes seconds to load
    from trainer.export import to_onnx

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, f"{network}.onnx"))
        to_onnx(build_backbone(Run(backbone=network)).eval(), path, channels=3, size=SIZE)
        if halved:
            write_half_precision(path, path := str(Path(folder, "half.onnx")))
        embedder = OnnxEmbedder(path)
        batch = face_network.BATCH if embedder.on_card else BATCH
        pixels = _pixels(batch)
        batches = [pixels] * max(2, faces // batch)
        rate, bare_rate = rates(
            lambda: _run_all(embedder, batches, in_flight=embedder.on_card), embedder.on_device(pixels), len(batches), 1
        )
    return DeviceRate(rate * batch, bare_rate * batch, "faces")


def checkpoint_rate(network: str, faces: int) -> DeviceRate:
    """Faces a second from pixels to embeddings by a network of random weights in torch, as a checkpoint's; on a card in
    bf16."""
    from trainer.checkpoint import build_backbone  # torch takes seconds to load
    from trainer.embedder import embed_faces, network_on_device
    from trainer.loop.learner import choose_device

    run, device = Run(backbone=network), choose_device()
    on_card = device.type == "cuda"
    precision = "bf16" if on_card else "fp32"
    net = build_backbone(run).eval().to(device)
    batch = face_network.BATCH if on_card else BATCH
    pixels = _pixels(batch)
    batches = [pixels] * max(2, faces // batch)
    rate, bare_rate = rates(
        lambda: _run_all(lambda p: embed_faces(net, run, p, precision=precision), batches, in_flight=on_card),
        network_on_device(net, run, pixels, precision=precision),
        len(batches),
        1,
    )
    return DeviceRate(rate * batch, bare_rate * batch, "faces")


def rates(
    work: Callable[[], object], bare: Callable[[], object], calls_of_work: int, turns: int
) -> tuple[float, float]:
    """Calls a second of two functions, which run in turn; the first turn, which warms up, does not count.

    calls_of_work: as many calls as one of `work` stands for; `bare` is called as often.
    """
    seconds = [0.0, 0.0]
    for turn in range(turns + 1):
        start = time.perf_counter()
        work()
        middle = time.perf_counter()
        for _ in range(calls_of_work):
            bare()
        if turn:
            seconds[0] += middle - start
            seconds[1] += time.perf_counter() - middle
    return turns * calls_of_work / seconds[0], turns * calls_of_work / seconds[1]


def _run_all(work: Callable[[Item], object], batches: Iterable[Item], *, in_flight: bool) -> None:
    """Work through batches as the stages do: on a card several at a time."""
    for _ in prefetch(work, batches, threads=IN_FLIGHT, per_thread=1) if in_flight else map(work, batches):
        pass


def _pixels(faces: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (faces, SIZE, SIZE, 3), np.uint8)
