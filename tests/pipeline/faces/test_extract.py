"""Rows of the faces table, with failures; photos decoded at a smaller size give the same faces."""

import errno
import os
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
from pipeline.faces.picture import MAX_FILE_BYTES, Image, decode
from pipeline.faces.protocols import DetectedFaces, FaceDetector
from pipeline.faces.quality import face_size
from pipeline.faces.rows import face_row
from pipeline.sources.index import Source, index_photos
from pipeline.sources.photo import SourceUnreachable
from pipeline.tables import storage
from pipeline.tables.digests import content_digest
from pipeline.tables.table import Shard
from tests.builders.photos.encoded_pictures import encoded, exif_block, png_chunk


@pytest.fixture
def detector(material: Path) -> OnnxDetector:
    return OnnxDetector(str(material / "models/yunet_n_dynamic.onnx"))


@pytest.fixture
def shrinks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The argument `shrink` of every call of decode() so far."""
    shrinks: list[int] = []

    def recording_decode(data: bytes, shrink: int = 1):
        shrinks.append(shrink)
        return decode(data, shrink)

    monkeypatch.setattr(extract, "decode", recording_decode)
    return shrinks


def photo(material: Path, side: int, *, around: int = 0) -> bytes:
    """A real photo enlarged to side x side pixels, of which a border of `around` pixels is grey."""
    small = cv2.imread(str(next((material / "lfw_pairs/images/Andre_Agassi").glob("*.jpg"))))
    inner = cv2.resize(small, (side - 2 * around,) * 2, interpolation=cv2.INTER_CUBIC)
    image = cv2.copyMakeBorder(inner, *[around] * 4, cv2.BORDER_CONSTANT, value=(127, 127, 127))
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def rows(
    folder: Path, files: dict[str, bytes], detector: Any, *, aligned: bool = False, box: list[float] | None = None
) -> dict[str, dict[str, Any]]:
    """Write files (name: bytes) into a folder and return the columns of their faces that are not null, by file name.

    box: of the main face, in each of the files.
    """
    for name, data in files.items():
        (folder / "photos/someone").mkdir(parents=True, exist_ok=True)
        (folder / "photos/someone" / name).write_bytes(data)
    photos, locations = index_photos(
        str(folder / "root"), [Source("photos", "image-folder", str(folder / "photos"))], shards=1
    )
    names = [Path(key).name for key in photos.read(["key"])["key"].to_pylist()]
    table = photos.read()
    column = pa.array([box] * len(table), table.schema.field("box").type)
    pq.write_table(table.set_column(table.schema.get_field_index("box"), "box", column), folder / "root/boxed.parquet")
    digest = content_digest((folder / "root/boxed.parquet").read_bytes())
    faces = extract.extract_shard(
        Shard("boxed.parquet", digest, len(table)),
        root=photos.root,
        detector=detector,
        aligned=aligned,
        locations=locations,
    ).to_pylist()
    return {n: {k: v for k, v in row.items() if v is not None} for n, row in zip(names, faces, strict=True)}


def face_in_the_middle(image: Image) -> DetectedFaces:
    """A detector that finds one face in the middle of any picture."""
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
def test_every_photo_has_its_row_with_a_face_or_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aligned: bool, large: int
) -> None:
    monkeypatch.setattr(extract, "LARGE", large)
    monkeypatch.setattr(face_row, "ROWS", 4)
    bad = {"b.jpg": b"", "c.jpg": b"<html>", "d.jpg": jpeg(200, 0)[:-900], "h.png": b"\x89PNG\r\n\x1a\n"}
    files = {f"{name}.jpg": jpeg(112 if aligned else 160, seed) for seed, name in enumerate("aefgijklm")} | bad
    faces_by_name = rows(tmp_path, files, face_in_the_middle, aligned=aligned)
    assert {n for n, row in faces_by_name.items() if row.get("failure", "").startswith("unreadable: ")} == set(bad)
    for name in files.keys() - bad.keys():
        alone = rows(tmp_path / name, {name: files[name]}, face_in_the_middle, aligned=aligned)[name]
        assert faces_by_name[name]["jpeg"] == alone["jpeg"]
        assert faces_by_name[name]["sha"] == alone["sha"]
        assert (faces_by_name[name]["jpeg"] == files[name]) == aligned


@pytest.mark.parametrize("large", [False, True])
def test_large_photos_are_decoded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    in_memory, counts = 0, []

    class Counted(np.ndarray):
        def __del__(self) -> None:
            nonlocal in_memory
            if self.base is not None and self.shape[0] > 500:
                in_memory -= 1

    def counting_decode(data: bytes, shrink: int = 1) -> Image:
        nonlocal in_memory
        image = decode(data, shrink)
        if image.shape[0] > 500:
            in_memory += 1
            counts.append(in_memory)
        return image.view(Counted)

    monkeypatch.setattr(extract, "LARGE", 1 << 18 if large else extract.LARGE)
    monkeypatch.setattr(extract, "decode", counting_decode)
    faces_by_name = rows(tmp_path, {f"{n}.jpg": jpeg(600, n) for n in range(12)}, face_in_the_middle)
    assert all("jpeg" in row for row in faces_by_name.values())
    assert (max(counts) == 1) == large


def test_a_photo_without_a_face_has_the_failure_no_face(tmp_path: Path) -> None:
    def no_face(image: Image) -> DetectedFaces:
        return DetectedFaces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))

    row = rows(tmp_path, {"a.jpg": jpeg(100, 0)}, no_face)["a.jpg"]
    assert row["failure"] == "no_face: the detector finds none"
    assert "sha" in row


def test_an_error_of_the_detector_is_raised(tmp_path: Path) -> None:
    def broken(image: Image) -> DetectedFaces:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        rows(tmp_path, {f"{n}.jpg": jpeg(100, n) for n in range(20)}, broken)


def test_a_moments_read_error_changes_nothing_and_a_lasting_one_stops_the_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{n}.jpg": jpeg(160, n) for n in range(6)}
    undisturbed = rows(tmp_path / "a", files, face_in_the_middle)
    read, errors = os.pread, [errno.EIO, errno.ESTALE]

    def failing_read(*arguments: int) -> bytes:
        if errors:
            raise OSError(errors.pop(), "the disk is away")
        return read(*arguments)

    monkeypatch.setattr(os, "pread", failing_read)
    monkeypatch.setattr(storage.time, "sleep", lambda _: None)
    disturbed = rows(tmp_path / "b", files, face_in_the_middle)
    assert not errors
    assert {n: row["jpeg"] for n, row in disturbed.items()} == {n: row["jpeg"] for n, row in undisturbed.items()}
    errors += [errno.EIO] * 1000
    monkeypatch.setattr(storage, "RETRY_S", 0.0)
    with pytest.raises(SourceUnreachable, match="the disk is away"):
        rows(tmp_path / "c", files, face_in_the_middle)


def test_a_file_that_is_too_large_for_a_photo_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sparse, as a file of 1 TB can be on any disk."""
    (tmp_path / "photos/someone").mkdir(parents=True)
    with open(tmp_path / "photos/someone/huge.jpg", "wb") as stream:
        stream.truncate(1 << 40)
    row = rows(tmp_path, {"a.jpg": jpeg(160, 0)}, face_in_the_middle)["huge.jpg"]
    assert row["failure"] == f"unreadable: {1 << 40} bytes are more than {MAX_FILE_BYTES}, the most of a photo's file"


def test_aligned_crops_of_every_shape_have_a_face_or_the_reason(tmp_path: Path) -> None:
    crop = decode(jpeg(112, 0))
    png = encoded(crop, ".png")
    files = {
        "a.png": png,
        "narrow.png": encoded(crop[:, 8:104], ".png"),
        "flat.png": encoded(crop[30:], ".png"),
        "turned.png": png[:33] + png_chunk(b"eXIf", exif_block(3)) + png[33:],
        "clear.png": encoded(np.dstack([crop, np.zeros(crop.shape[:2], np.uint8)]), ".png"),
        "no_end.jpg": jpeg(112, 0)[:-2],
        "end.jpg": jpeg(112, 0),
    }
    faces = rows(tmp_path, files, face_in_the_middle, aligned=True)
    assert faces["flat.png"]["failure"].startswith("no_face: an aligned crop is square")
    assert {n for n in files if faces[n].get("jpeg") == files[n]} == {"a.png", "end.jpg"}
    # whatever reads the stored face sees the same: by OpenCV, which turns no PNG
    read = {n: cv2.imdecode(np.frombuffer(row["jpeg"], np.uint8), 1) for n, row in faces.items() if "jpeg" in row}
    assert np.abs(read["narrow.png"][:, 8:104].astype(int) - crop[:, 8:104]).mean() < 2
    assert np.abs(read["turned.png"].astype(int) - crop[::-1, ::-1]).mean() < 2
    assert np.abs(read["no_end.jpg"].astype(int) - crop).mean() < 2
    assert np.abs(read["clear.png"].astype(int) - 128).mean() < 2, "transparent pixels are grey"


@pytest.mark.material
@pytest.mark.parametrize(
    ("side", "around", "decoded"),
    [(1000, 0, [1]), (1400, 0, [2]), (2800, 0, [4]), (5200, 0, [8]), (2800, 1100, [4, 1])],
)
def test_a_large_photo_is_decoded_at_a_smaller_size_and_gives_the_same_face(
    tmp_path: Path,
    material: Path,
    detector: FaceDetector,
    shrinks: list[int],
    side: int,
    around: int,
    decoded: list[int],
) -> None:
    data = photo(material, side, around=around)
    row = rows(tmp_path, {"a.jpg": data}, detector)["a.jpg"]
    assert shrinks == decoded
    whole = decode(data)
    face, faces, i = align_main_face(whole, detector(whole))
    eyes = np.hypot(*(faces.landmarks[i][1] - faces.landmarks[i][0]))
    assert np.abs(np.array(row["landmarks"]) - faces.landmarks[i].ravel()).max() < 0.05 * eyes
    kept = decode(row["jpeg"]).astype(int)
    assert np.abs(kept - face).mean() < 4
    assert row["size_px"] == pytest.approx(face_size(faces.landmarks[i]), rel=0.05)


@pytest.mark.material
def test_a_box_in_pixels_refers_to_the_whole_photo(tmp_path: Path, material: Path, detector: FaceDetector) -> None:
    single = cv2.imread(str(next((material / "lfw_pairs/images/Andre_Agassi").glob("*.jpg"))))
    double = cv2.resize(np.concatenate([single, single], axis=1), None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(".jpg", double)[1].tobytes()
    for left in (0, 1500):
        row = rows(tmp_path, {"a.jpg": data}, detector, box=[left + 400, 400, left + 1100, 1100])["a.jpg"]
        assert left < row["landmarks"][4] < left + 1500
