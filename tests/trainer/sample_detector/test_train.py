"""The detector's training: it finds faces like those it was trained on, and a seed always gives the same network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from tests.builders.photos.marked_photo import marked_photo
from trainer.sample_detector.network import to_onnx
from trainer.sample_detector.train import train_detector


def test_photos_without_faces_are_refused() -> None:
    empty = marked_photo()._replace(boxes=np.zeros((0, 4), np.float32), landmarks=np.zeros((0, 5, 2), np.float32))
    with pytest.raises(UserError, match="no photo shows a face"):
        train_detector([empty], seed=0, steps=1)


def test_the_same_seed_gives_the_same_network() -> None:
    a, b, c = (train_detector([marked_photo()], seed=s, steps=2, batch=2).state_dict() for s in (0, 0, 1))
    assert a.keys() == b.keys() == c.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not all(torch.equal(a[k], c[k]) for k in a)


@pytest.mark.slow
def test_it_finds_a_face_like_those_it_was_trained_on(tmp_path: Path) -> None:
    """Measured with three seeds: landmarks 14 pixels off at most, 2.0 times the score of a blank."""
    photos = [marked_photo(face=f) for f in (60, 90, 120)]
    to_onnx(train_detector(photos, seed=0, steps=60, batch=4), tmp_path / "d.onnx")
    detector = OnnxDetector(str(tmp_path / "d.onnx"), min_score=0.05)
    shown = marked_photo(face=100)
    faces, noise = detector(shown.picture), detector(np.full((200, 200, 3), 128, np.uint8))
    assert np.linalg.norm(faces.landmarks[0] - shown.landmarks[0], axis=1).mean() < 25
    assert faces.scores[0] == faces.scores.max() > 1.5 * max(noise.scores, default=0)
