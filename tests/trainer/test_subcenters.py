"""Angles to dominant centres: of points in the plane at known angles, and of the photos of a trained checkpoint."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from tests.builders.photos import exported_faces
from trainer.data.data_set import open_faces
from trainer.run import Run
from trainer.subcenters import angles_to_centres, dominant_angles
from trainer.train import train


def at(*degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def test_the_dominant_centre_is_the_one_that_most_photos_are_nearest_to() -> None:
    centres = np.stack([at(0, 100, 200), at(30, 120, 240)]) * np.array([1, 2, 3])[None, :, None]
    # class 0: three photos near its centre at 100 degrees, one near that at 0; class 1: two near 30, one at 240
    x = 5 * at(90, 110, 100, 10, 25, 45, 240)
    measured = dominant_angles(x, np.array([0, 0, 0, 0, 1, 1, 1]), centres)
    assert measured.dominant.tolist() == [1, 0]
    assert measured.degrees.tolist() == pytest.approx([10, 10, 0, 90, 5, 15, 150], abs=0.05)
    assert measured.within().tolist() == [True, True, True, False, True, True, False]
    assert measured.within(max_degrees=7).tolist() == [False, False, True, False, True, False, False]


def test_the_only_centre_of_a_class_is_its_dominant_centre() -> None:
    measured = dominant_angles(at(20, 70), np.array([1, 0]), at(0, 90))
    assert measured.dominant.tolist() == [0, 0]
    assert measured.degrees.tolist() == pytest.approx([70, 70], abs=0.05)


def test_photos_compared_in_blocks_have_the_same_angles(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, label, centres = rng.normal(size=(50, 8)), rng.integers(0, 4, 50), rng.normal(size=(4, 3, 8))
    whole = dominant_angles(x, label, centres)
    monkeypatch.setattr("trainer.subcenters.PHOTOS_AT_ONCE", 7)
    np.testing.assert_allclose(dominant_angles(x, label, centres).degrees, whole.degrees, atol=1e-3)


def test_trained_photos_lie_near_their_dominant_centre_and_other_data_is_refused(tmp_path: Path) -> None:
    data = exported_faces.parquet(tmp_path / "data", 4, 8)
    run = Run(
        backbone="sample",
        embedding=16,
        input="3x48x48",
        loss="arcface:scale=16,m2=0.3,centres=3",
        batch=16,
        steps=25,
        optimizer="adamw",
        lr=2e-3,
    )
    result = train(run, data, tmp_path / "out", device="cpu")
    measured, faces = angles_to_centres(result.checkpoint, data), open_faces(data)
    assert sorted(measured.keys) == sorted(key for c in range(len(faces.chunk_sizes)) for key in faces.read(c).key)
    assert measured.angles.dominant.shape == (4,)
    assert np.median(measured.angles.degrees) < 60  # untrained it is about 90
    with pytest.raises(UserError, match="holds no class centres of"):
        angles_to_centres(result.checkpoint, exported_faces.parquet(tmp_path / "other", 5, 4))
