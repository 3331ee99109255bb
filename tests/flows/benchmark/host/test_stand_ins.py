"""The stand-ins are taken for real models, and answer as those do."""

import time
from pathlib import Path

import numpy as np
import pytest

from flows.benchmark.host.stand_ins import (
    DIM,
    FACE_SHARE,
    WaitingDetector,
    WaitingEmbedder,
    write_detector,
    write_embedder,
)
from pipeline.faces.align import SIZE
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import OnnxEmbedder
from pipeline.faces.packs import find_model
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
    embedder = OnnxEmbedder(find_model(write_embedder(tmp_path / "embedder.onnx"), "embedder"))
    faces = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    embedded = embedder(faces)
    assert embedded.shape == (3, embedder.dim) == (3, DIM)
    row = (faces[:, SIZE // 2 - 2, :, 2].astype(np.float32) - 127.5) / 127.5  # the red pixels of a row in the middle
    assert np.allclose(embedded[:, :SIZE], row)


def test_they_wait_once_for_each_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    inner = OnnxDetector(write_detector(tmp_path / "detector.onnx"), device="cpu")
    detector = WaitingDetector(inner, 20.0)
    assert isinstance(detector, BatchDetector)  # or the pipeline would give it one photo at a time
    pictures = [np.zeros((side, 90, 3), np.uint8) for side in (60, 130, 60)]
    found = detector.detect_batch(pictures)
    assert waits == [0.02]
    for faces, picture in zip(found, pictures, strict=True):
        assert np.allclose(faces.landmarks, inner(picture).landmarks)
    embedder = WaitingEmbedder(OnnxEmbedder(write_embedder(tmp_path / "embedder.onnx"), device="cpu"), 30.0)
    assert len(embedder(np.zeros((5, SIZE, SIZE, 3), np.uint8))) == 5
    assert waits == [0.02, 0.03]
