"""Faces detected in batches are those detected one at a time: to 0.001 pixel, and a score of 0.0001."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from flows.benchmark.host.stand_ins import write_detector
from pipeline.faces.accelerator.byte_session import ByteSession
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.picture import Image
from pipeline.faces.protocols import DetectedFaces

SIZES = [(128, 128), (120, 110), (64, 128), (120, 180), (110, 125), (63, 64), (100, 127), (40, 250)]


def assert_same_faces(ours: list[DetectedFaces], theirs: list[DetectedFaces]) -> None:
    assert [len(found.scores) for found in ours] == [len(found.scores) for found in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert np.allclose(a.scores, b.scores, rtol=0, atol=1e-4)
        assert np.allclose(a.boxes, b.boxes, rtol=0, atol=1e-3)
        assert np.allclose(a.landmarks, b.landmarks, rtol=0, atol=1e-3)
        assert a.boxes.shape == (len(a.scores), 4)
        assert a.landmarks.shape == (len(a.scores), 5, 2)


def photos(material: Path, n: int) -> list[Image]:
    """Photos of several sizes, the last three: a large one of six people, and two without a face."""
    from insightface.data import get_image

    files = sorted((material / "lfw_pairs/images").rglob("*.jpg"))[:n]
    sized = [cv2.resize(cv2.imread(str(f)), SIZES[i % len(SIZES)][::-1]) for i, f in enumerate(files)]
    return [*sized[:-3], get_image("t1"), np.zeros((250, 250, 3), np.uint8), np.full((30, 400, 3), 90, np.uint8)][-n:]


@pytest.mark.material
@pytest.mark.parametrize("name", ["yunet_n_320_320", "scrfd_500m"])
def test_batches_of_mixed_sizes_give_the_faces_of_single_photos(material: Path, name: str) -> None:
    detector = OnnxDetector(str(material / f"models/{name}.onnx"))
    mixed = photos(material, 32)
    alone = [detector(photo) for photo in mixed]
    assert sum(len(found.scores) > 0 for found in alone) > 10
    assert sum(len(found.scores) == 0 for found in alone) >= 2
    for n in (1, 7, 32):
        assert_same_faces(detector.detect_batch(mixed[-n:]), alone[-n:])
    assert detector.detect_batch([]) == []


def test_a_batch_sees_nothing_of_an_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = OnnxDetector(write_detector(tmp_path / "detector.onnx"), device="cpu").batch_network()
    run, seen = ByteSession.__call__, []

    def keep(session: ByteSession, canvas: NDArray[np.uint8]) -> list[NDArray[Any]]:
        seen.append(canvas.copy())
        return run(session, canvas)

    monkeypatch.setattr(ByteSession, "__call__", keep)
    white = np.full((64, 64, 3), 255, np.uint8)
    assert [len(found.scores) for found in network([white] * 40, (64, 64), 0.5)] == [1] * 40
    assert len(network([white[:50, :30]] * 3, (64, 128), 0.5)) == 3
    assert [len(canvas) for canvas in seen] == [32, 8, 4]  # filled up to a power of two
    assert (seen[0] == 255).all()
    expected = np.zeros((4, 64, 128, 3), np.uint8)
    expected[:3, :50, :30] = 255
    assert np.array_equal(seen[-1], expected)
