"""Detectors: the kind is recognised by the file; both real networks on real photos."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.faces.align import main_face
from pipeline.faces.detect import OnnxDetector, detector_kind
from pipeline.faces.model_file import resolve_model

DETECTORS = ("yunet_n_320_320", "yunet_n_640_640", "yunet_n_dynamic", "scrfd_500m", "scrfd_2.5g")


def test_a_file_that_is_no_onnx_model_raises_a_user_error(tmp_path: Path) -> None:
    file = tmp_path / "d.onnx"
    file.write_text("<html>not found</html>")
    with pytest.raises(UserError, match=r"d\.onnx is not an ONNX model .* give an ONNX file"):
        detector_kind(str(file))
    with pytest.raises(UserError, match="is not there: give the path of an ONNX file"):
        resolve_model(str(tmp_path / "none.onnx"))
    with pytest.raises(UserError, match="is a folder"):
        resolve_model(str(tmp_path))


@pytest.mark.material
def test_an_embedder_is_no_detector(material: Path) -> None:
    with pytest.raises(UserError, match="is not a face detector with landmarks"):
        detector_kind(str(material / "models/arcface_mobilefacenet_ms1m.onnx"))


@pytest.mark.material
@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_finds_the_faces_of_real_photos(material: Path, name: str) -> None:
    from insightface.data import get_image

    detector = OnnxDetector(str(material / f"models/{name}.onnx"))
    crowd = get_image("t1")
    assert len(detector(crowd).scores) == 6
    photo = cv2.imread(str(next((material / "lfw_pairs/images/Andre_Agassi").glob("*.jpg"))))
    detected = detector(photo)
    points = detected.landmarks[main_face(detected, width=250, height=250)]
    # deep-funneled LFW has the eyes near (104, 113) and (148, 113)
    assert np.hypot(*(points[0] - [104, 113])) < 14
    assert np.hypot(*(points[1] - [148, 113])) < 14


@pytest.mark.material
@pytest.mark.parametrize("name", ["yunet_n_320_320", "scrfd_500m"])
def test_a_face_that_fills_the_picture_is_found_with_a_margin(material: Path, name: str) -> None:
    photo = cv2.imread(str(next((material / "lfw_pairs/images/Andre_Agassi").glob("*.jpg"))))
    tight = photo[88:170, 85:167]
    detected = OnnxDetector(str(material / f"models/{name}.onnx"))(tight)
    assert len(detected.scores) == 1
    assert (detected.landmarks[0] > 0).all()
    assert (detected.landmarks[0] < 82).all()


@pytest.mark.parametrize(
    ("photo", "fixed", "input_size"),
    [
        ((250, 250), None, (256, 256)),
        ((427, 640), None, (448, 640)),
        ((250, 250), 320, (320, 320)),
        ((1200, 1920), None, (448, 640)),
    ],
)
def test_a_photo_gets_little_padding(photo: tuple[int, int], fixed: int | None, input_size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(1, 255, (*photo, 3), np.uint8)
    blob = OnnxDetector("none").blob(image, fixed)
    assert blob.shape == (1, 3, *input_size)
    height, width = (round(side * min(1, 640 / max(photo))) for side in photo)
    if height == photo[0]:
        assert np.array_equal(blob[0, :, :height, :width], image.transpose(2, 0, 1))
    assert (blob[:, :, :height, :width] > 0).all()
    assert not blob[:, :, height:].any()
    assert not blob[:, :, :, width:].any()


@pytest.mark.material
@pytest.mark.parametrize("name", ["yunet_n_dynamic", "scrfd_500m"])
def test_earlier_photos_of_other_sizes_do_not_change_the_result(material: Path, name: str) -> None:
    photo = cv2.imread(str(next((material / "lfw_pairs/images/Andre_Agassi").glob("*.jpg"))))
    detector, sizes = OnnxDetector(str(material / f"models/{name}.onnx")), [photo, photo[:, 30:], photo[20:240]]
    first = [detector(image) for image in sizes]
    again = [detector(image) for image in reversed(sizes)][::-1]
    for before, after in zip(first, again, strict=True):
        assert len(before.scores)
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.material
def test_scale_does_not_move_the_landmarks(material: Path) -> None:
    photo = cv2.imread(str(next((material / "lfw_pairs/images/Andre_Agassi").glob("*.jpg"))))
    detector = OnnxDetector(str(material / "models/scrfd_500m.onnx"))
    small, large = detector(photo), detector(cv2.resize(photo, None, fx=6, fy=6))
    assert np.abs(large.landmarks[0] / 6 - small.landmarks[0]).max() < 4


@pytest.mark.material
@pytest.mark.parametrize("enlarged", [1, 2])  # shrunk to 0.64 and to 0.32, by different methods
def test_faces_of_a_photo_that_is_shrunk_are_where_they_are_in_its_parts(material: Path, enlarged: int) -> None:
    detector = OnnxDetector(str(material / "models/scrfd_500m.onnx"))
    files = sorted((material / "lfw_pairs/images").glob("*/*.jpg"))[:16]
    photos = [cv2.imread(str(file)) for file in files]
    rows = [np.hstack(photos[i : i + 4]) for i in range(0, 16, 4)]
    whole = cv2.resize(np.vstack(rows), None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_CUBIC)
    found = detector(whole).landmarks / enlarged
    for i, photo in enumerate(photos):
        alone = detector(photo)
        points = alone.landmarks[main_face(alone, width=250, height=250)] + [i % 4 * 250, i // 4 * 250]
        errors = np.linalg.norm(found - points, axis=2).mean(1) / np.linalg.norm(points[1] - points[0])
        assert errors.min() < 0.1


@pytest.mark.material
def test_yunet_gives_the_faces_of_opencvs_yunet(material: Path) -> None:
    path = str(material / "models/yunet_n_320_320.onnx")
    ours, theirs = OnnxDetector(path), cv2.FaceDetectorYN.create(path, "", (320, 320), 0.6, 0.4, 1000)
    people = sorted((material / "lfw_pairs/images").iterdir())[:40]
    for photo in (cv2.imread(str(next(p.glob("*.jpg")))) for p in people):
        canvas = np.zeros((320, 320, 3), np.uint8)
        canvas[:250, :250] = photo
        rows = theirs.detect(canvas)[1]
        faces = ours(photo)
        assert np.allclose(faces.scores, rows[:, 14], atol=1e-4)
        assert np.allclose(faces.landmarks.reshape(-1, 10), rows[:, 4:14], atol=0.02)
        assert np.allclose(faces.boxes[:, 2:] - faces.boxes[:, :2], rows[:, 2:4], atol=0.02)
