"""Real detectors, a real embedder and the sample detector on drawn people."""

import sys

import numpy as np
import pytest

from pipeline.faces.align import align_face
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import OnnxEmbedder
from pipeline.sample.drawing.portraits import draw_people
from pipeline.sample.models import DETECTOR

NEAR = 0.35  # of the distance between the eyes: detected landmarks that are off by less belong to the drawn face


@pytest.fixture(scope="module")
def drawn():
    return list(draw_people(12, 4, seed=78))


def nearest_landmarks(detector, photos):
    """For each photo the detected landmarks nearest to the true ones, or None, and their error in eye distances."""
    for portrait in photos:
        marks = portrait.landmarks[0]
        # a turned face has its eyes close together: use the height of the face there
        eyes = np.linalg.norm(marks[1] - marks[0])
        unit = max(eyes, np.linalg.norm(marks[:2].mean(0) - marks[3:].mean(0)) / 1.13)
        faces = detector(portrait.photo)
        off = np.linalg.norm(faces.landmarks - marks, axis=2).mean(1) / unit
        best = int(off.argmin()) if len(off) else -1
        yield (faces.landmarks[best], off[best]) if len(off) and off[best] < NEAR else (None, np.inf)


@pytest.mark.material
@pytest.mark.slow
@pytest.mark.parametrize("model", ["yunet_n_320_320.onnx", "scrfd_500m.onnx"])
def test_real_detectors_find_drawn_faces(material, drawn, model):
    off = np.array([o for _, o in nearest_landmarks(OnnxDetector(str(material / "models" / model)), drawn)])
    assert (off < NEAR).mean() >= 0.95
    assert np.median(off) < 0.12


@pytest.mark.slow
def test_the_sample_detector_finds_drawn_faces_and_few_others(drawn, capsys):
    """On people of another seed than its training data."""
    detector = OnnxDetector(str(DETECTOR))
    off = np.array([o for _, o in nearest_landmarks(detector, drawn)])
    more = np.mean([len(detector(portrait.photo).scores) - len(portrait.boxes) for portrait in drawn])
    with capsys.disabled():
        sys.stdout.write(
            f"\nsample detector: {(off < NEAR).mean():.3f} of {len(off)} faces found, landmarks "
            f"{np.median(off):.3f} off, {more:+.3f} faces a photo too many\n"
        )
    assert (off < NEAR).mean() >= 0.95
    assert np.median(off) < 0.12
    assert abs(more) < 0.1


@pytest.mark.material
@pytest.mark.slow
def test_a_real_embedder_recognises_drawn_people_with_some_errors(material, drawn):
    detector = OnnxDetector(str(material / "models/yunet_n_320_320.onnx"))
    embed = OnnxEmbedder(str(material / "models/arcface_mobilefacenet_ms1m.onnx"))
    kept = [
        (portrait, marks)
        for portrait, (marks, _) in zip(drawn, nearest_landmarks(detector, drawn), strict=True)
        if marks is not None
    ]
    x = embed(np.stack([align_face(portrait.photo, marks) for portrait, marks in kept]))
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    person = np.array([portrait.people[0] for portrait, _ in kept])
    row, column = np.triu_indices(len(x), 1)
    cosine, same = (x @ x.T)[row, column], (person[:, None] == person)[row, column]
    accepted = (cosine[same] > np.quantile(cosine[~same], 0.99)).mean()  # TAR at FAR 1e-2
    assert 0.75 < accepted < 0.99
