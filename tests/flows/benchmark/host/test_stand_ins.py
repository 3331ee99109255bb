"""The stand-ins are taken for real models, and answer as those do."""

import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flows.benchmark.host import stand_ins
from flows.benchmark.host.stand_ins import (
    DIM,
    FACE_SHARE,
    WaitingDetector,
    WaitingEmbedder,
    write_detector,
    write_embedder,
)
from pipeline.faces.accelerator.face_network import BATCH, faces_at_once
from pipeline.faces.accelerator.preparation import CARD_THREADS, prepare_threads
from pipeline.faces.align import SIZE
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import _embedded
from pipeline.faces.packs import find_model
from pipeline.faces.picture import encode_jpeg
from pipeline.faces.protocols import BatchDetector
from pipeline.faces.quality import face_size, yaw


@pytest.mark.parametrize(("height", "width"), [(250, 250), (200, 700), (1500, 900)])
def test_the_detector_finds_one_upright_face_in_the_middle(height: int, width: int, tmp_path: Path) -> None:
    detector = OnnxDetector(find_model(write_detector(tmp_path / "detector.onnx"), "detector"))
    faces = detector(np.zeros((height, width, 3), np.uint8))
    assert len(faces.scores) == 1
    centre = (faces.boxes[0, :2] + faces.boxes[0, 2:]) / 2
    scale = max(1, max(height, width) / 640)
    assert np.abs(centre - np.array([width, height]) / 2).max() <= 64 * scale  # the padding, and a step of the grid
    assert face_size(faces.landmarks[0]) == pytest.approx(FACE_SHARE * min(height, width), rel=0.3)
    assert abs(yaw(faces.landmarks[0])) < 5


def test_the_embedder_gives_one_vector_for_each_face(tmp_path: Path) -> None:
    embedder = WaitingEmbedder(write_embedder(tmp_path / "embedder.onnx"), 0.0)
    faces = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    embedded = embedder(faces)
    assert embedded.shape == (3, embedder.dim) == (3, DIM)
    assert np.array_equal(embedded[:, : 3 * SIZE], faces[:, SIZE // 2].reshape(3, -1))  # a row in the middle


def test_they_wait_once_for_each_batch_and_one_batch_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    at_once: list[bool] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        at_once.append(not stand_ins._card.locked())

    monkeypatch.setattr(time, "sleep", sleep)
    inner = OnnxDetector(write_detector(tmp_path / "detector.onnx"), device="cpu")
    detector = WaitingDetector(inner, 20.0)
    assert isinstance(detector, BatchDetector)  # or the pipeline would give it one photo at a time
    pictures = [np.zeros((side, 90, 3), np.uint8) for side in (60, 130, 60)]
    found = detector.detect_batch(pictures)
    assert waits == [0.02]
    for faces, picture in zip(found, pictures, strict=True):
        assert np.allclose(faces.landmarks, inner(picture).landmarks)
    embedder = WaitingEmbedder(write_embedder(tmp_path / "embedder.onnx"), 30.0)
    assert len(embedder(np.zeros((5, SIZE, SIZE, 3), np.uint8))) == 5
    assert waits == [0.02, 0.03]
    assert not any(at_once)


def test_they_go_the_way_of_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = WaitingEmbedder(write_embedder(tmp_path / "embedder.onnx"), 0.0)
    assert faces_at_once(embedder, 4) == BATCH
    assert prepare_threads(embedder) == prepare_threads(WaitingDetector(OnnxDetector("d.onnx"), 0.0)) == CARD_THREADS
    jpeg = encode_jpeg(np.full((SIZE, SIZE, 3), 90, np.uint8))
    rows = np.arange(BATCH + 3)
    in_flight = threading.Barrier(2, timeout=120)  # broken unless both batches are given to the embedder at a time
    monkeypatch.setattr(stand_ins, "_wait", lambda _ms: in_flight.wait())
    batches = [len(done) for done, _ in _embedded(pa.chunked_array([[jpeg] * len(rows)]), rows, embedder, 4)]
    assert batches == [BATCH, 3]
