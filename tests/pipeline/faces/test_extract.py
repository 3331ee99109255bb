"""Rows of faces: what is decoded how large, and that it makes no difference to what is kept."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.faces import extract
from pipeline.faces.detect import Detector
from pipeline.faces.picture import decode


@pytest.fixture
def detector(material: Path) -> Detector:
    return Detector(str(material / "models/yunet_n_dynamic.onnx"))


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """By how much photos were shrunk when they were decoded."""
    seen: list[int] = []

    def watched(data: bytes, shrink: int = 1):
        seen.append(shrink)
        return decode(data, shrink)

    monkeypatch.setattr(extract, "decode", watched)
    return seen


def photo(material: Path, side: int, *, around: int = 0) -> bytes:
    """A real photo, enlarged to so many pixels a side, of which so many around it are grey."""
    small = cv2.imread(str(next((material / "lfw_pairs/images/Andre_Agassi").glob("*.jpg"))))
    inner = cv2.resize(small, (side - 2 * around,) * 2, interpolation=cv2.INTER_CUBIC)
    image = cv2.copyMakeBorder(inner, *[around] * 4, cv2.BORDER_CONSTANT, value=(127, 127, 127))
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


@pytest.mark.material
@pytest.mark.parametrize(("side", "around", "decoded"), [(1000, 0, [1]), (1400, 0, [2]), (2800, 0, [4]), (5200, 0, [8]),
                                                          (2800, 1100, [4, 1])])  # fmt: skip
def test_a_large_photo_is_decoded_as_the_detector_needs_it_and_its_face_is_the_same(
    material: Path, detector: Detector, sizes: list[int], side: int, around: int, decoded: list[int]
) -> None:
    data = photo(material, side, around=around)
    row = extract._cut(data, detector, None)
    assert sizes == decoded
    face, faces, i = extract.the_face(decode(data), detector)
    eyes = np.hypot(*(faces.landmarks[i][1] - faces.landmarks[i][0]))
    assert np.abs(np.array(row["landmarks"]) - faces.landmarks[i].ravel()).max() < 0.05 * eyes
    kept = decode(row["jpeg"]).astype(int)
    assert np.abs(kept - face).mean() < 4
    assert row["size_px"] == pytest.approx(extract.quality.face_size(faces.landmarks[i]), rel=0.05)


@pytest.mark.material
def test_a_box_in_pixels_is_of_the_whole_photo(material: Path, detector: Detector) -> None:
    one = cv2.imread(str(next((material / "lfw_pairs/images/Andre_Agassi").glob("*.jpg"))))
    two = cv2.resize(np.concatenate([one, one], axis=1), None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(".jpg", two)[1].tobytes()
    for left in (0, 1500):
        row = extract._cut(data, detector, [left + 400, 400, left + 1100, 1100])
        assert left < row["landmarks"][4] < left + 1500
