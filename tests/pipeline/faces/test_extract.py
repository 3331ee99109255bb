"""Rows of faces: what is decoded how large, and that it makes no difference to what is kept."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.faces import extract
from pipeline.faces.align import align_main_face
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.picture import Image, decode
from pipeline.faces.protocols import DetectedFaces, FaceDetector
from pipeline.faces.quality import face_size
from pipeline.sources.index import Source, index_photos
from pipeline.tables.table import Shard


@pytest.fixture
def detector(material: Path) -> OnnxDetector:
    return OnnxDetector(str(material / "models/yunet_n_dynamic.onnx"))


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


def rows(
    folder: Path, files: dict[str, bytes], detector: Any, *, aligned: bool = False, box: list[float] | None = None
) -> dict[str, dict[str, Any]]:
    """The rows of faces, without what was not found, of files that lie in a folder, by their names.

    box: of the face that shows the identity, in each of them.
    """
    for name, data in files.items():
        (folder / "photos/someone").mkdir(parents=True, exist_ok=True)
        (folder / "photos/someone" / name).write_bytes(data)
    taken, where = index_photos(
        str(folder / "root"), [Source("photos", "image-folder", str(folder / "photos"))], shards=1
    )
    names = [Path(key).name for key in taken.read(["key"])["key"].to_pylist()]
    table = taken.read()
    column = pa.array([box] * len(table), table.schema.field("box").type)
    pq.write_table(table.set_column(table.schema.get_field_index("box"), "box", column), folder / "root/boxed.parquet")
    found = extract.extract_shard(
        Shard("boxed.parquet", "", len(table)), root=taken.root, detector=detector, aligned=aligned, locations=where
    ).to_pylist()
    return {n: {k: v for k, v in row.items() if v is not None} for n, row in zip(names, found, strict=True)}


def drawn_eyes(image: Image) -> DetectedFaces:
    """A detector's answer for any picture: one face in its middle."""
    height, width = image.shape[:2]
    points = np.array([[0.4, 0.4], [0.6, 0.4], [0.5, 0.5], [0.42, 0.6], [0.58, 0.6]], np.float32)
    box = np.array([[0.3, 0.3, 0.7, 0.7]], np.float32) * [width, height, width, height]
    return DetectedFaces(
        box.astype(np.float32), np.ones(1, np.float32), (points * [width, height])[None].astype(np.float32)
    )


def jpeg(side: int, seed: int) -> bytes:
    """A picture of coloured noise."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return cv2.imencode(".jpg", cv2.resize(small, (side, side)))[1].tobytes()


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("large", [extract.LARGE, 0])
def test_every_photo_keeps_its_place_and_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aligned: bool, large: int
) -> None:
    monkeypatch.setattr(extract, "LARGE", large)
    monkeypatch.setattr(extract, "ROWS", 4)
    bad = {"b.jpg": b"", "c.jpg": b"<html>", "d.jpg": jpeg(200, 0)[:-900], "h.png": b"\x89PNG\r\n\x1a\n"}
    files = {f"{name}.jpg": jpeg(112 if aligned else 160, seed) for seed, name in enumerate("aefgijklm")} | bad
    found = rows(tmp_path, files, drawn_eyes, aligned=aligned)
    assert {n for n, row in found.items() if row.get("failure", "").startswith("unreadable: ")} == set(bad)
    for name in files.keys() - bad.keys():
        alone = rows(tmp_path / name, {name: files[name]}, drawn_eyes, aligned=aligned)[name]
        assert found[name]["jpeg"] == alone["jpeg"]
        assert found[name]["sha"] == alone["sha"]
        assert (found[name]["jpeg"] == files[name]) == aligned


@pytest.mark.parametrize("large", [False, True])
def test_of_large_photos_one_is_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    held, most = 0, []

    class Held(np.ndarray):
        def __del__(self) -> None:
            nonlocal held
            if self.base is not None and self.shape[0] > 500:
                held -= 1

    def counted(data: bytes, shrink: int = 1) -> Image:
        nonlocal held
        image = decode(data, shrink)
        if image.shape[0] > 500:
            held += 1
            most.append(held)
        return image.view(Held)

    monkeypatch.setattr(extract, "LARGE", 1 << 18 if large else extract.LARGE)
    monkeypatch.setattr(extract, "decode", counted)
    found = rows(tmp_path, {f"{n}.jpg": jpeg(600, n) for n in range(12)}, drawn_eyes)
    assert all("jpeg" in row for row in found.values())
    assert (max(most) == 1) == large


def test_a_photo_without_a_face_says_so(tmp_path: Path) -> None:
    def blind(image: Image) -> DetectedFaces:
        return DetectedFaces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))

    found = rows(tmp_path, {"a.jpg": jpeg(100, 0)}, blind)["a.jpg"]
    assert found["failure"] == "no_face: the detector finds none"
    assert "sha" in found


def test_a_detector_that_fails_is_told_and_not_waited_for(tmp_path: Path) -> None:
    def broken(image: Image) -> DetectedFaces:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        rows(tmp_path, {f"{n}.jpg": jpeg(100, n) for n in range(20)}, broken)


@pytest.mark.material
@pytest.mark.parametrize(
    ("side", "around", "decoded"),
    [(1000, 0, [1]), (1400, 0, [2]), (2800, 0, [4]), (5200, 0, [8]), (2800, 1100, [4, 1])],
)
def test_a_large_photo_is_decoded_as_the_detector_needs_it_and_its_face_is_the_same(
    tmp_path: Path, material: Path, detector: FaceDetector, sizes: list[int], side: int, around: int, decoded: list[int]
) -> None:
    data = photo(material, side, around=around)
    row = rows(tmp_path, {"a.jpg": data}, detector)["a.jpg"]
    assert sizes == decoded
    whole = decode(data)
    face, faces, i = align_main_face(whole, detector(whole))
    eyes = np.hypot(*(faces.landmarks[i][1] - faces.landmarks[i][0]))
    assert np.abs(np.array(row["landmarks"]) - faces.landmarks[i].ravel()).max() < 0.05 * eyes
    kept = decode(row["jpeg"]).astype(int)
    assert np.abs(kept - face).mean() < 4
    assert row["size_px"] == pytest.approx(face_size(faces.landmarks[i]), rel=0.05)


@pytest.mark.material
def test_a_box_in_pixels_is_of_the_whole_photo(tmp_path: Path, material: Path, detector: FaceDetector) -> None:
    one = cv2.imread(str(next((material / "lfw_pairs/images/Andre_Agassi").glob("*.jpg"))))
    two = cv2.resize(np.concatenate([one, one], axis=1), None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(".jpg", two)[1].tobytes()
    for left in (0, 1500):
        row = rows(tmp_path, {"a.jpg": data}, detector, box=[left + 400, 400, left + 1100, 1100])["a.jpg"]
        assert left < row["landmarks"][4] < left + 1500
