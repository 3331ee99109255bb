"""A source that is away while the faces are made: the run stops, or the photos are read again once they are back."""

import errno
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.refine.tables import build_faces, build_photos
from pipeline.faces import extract
from pipeline.faces.picture_formats import heic
from pipeline.faces.protocols import DetectedFaces
from pipeline.sources import files
from pipeline.sources.index import PhotoRow, Source
from pipeline.sources.photo import SourceUnreachable
from pipeline.tables import storage
from pipeline.tables.table import Table
from tests.builders.photos.encoded_pictures import encoded, heic_picture


class CountingDetector:
    """Finds one face in the middle of any picture, and counts the pictures."""

    named_by = ("counting detector",)

    def __init__(self) -> None:
        self.pictures = 0

    def __call__(self, image: np.ndarray) -> DetectedFaces:
        self.pictures += 1
        points = np.array([[[24, 24], [40, 24], [32, 32], [26, 42], [38, 42]]], np.float32)
        return DetectedFaces(np.array([[16, 16, 48, 48]], np.float32), np.ones(1, np.float32), points)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Thirty photos of six identities, and one file that is no picture."""
    rng, folder = np.random.default_rng(0), tmp_path / "photos"
    for i in range(30):
        image = cv2.resize(rng.integers(0, 256, (8, 8, 3), np.uint8), (64, 64))
        file = folder / f"p{i % 6}/{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(image, ".png"))
    (folder / "p0/junk.jpg").write_bytes(b"<html>")
    return folder


def faces_of(photos: Path, root: Path, detector: CountingDetector | None = None) -> Table:
    table, locations = build_photos(str(root), [Source("photos", "image-folder", str(photos))], shards=4)
    return build_faces(str(root), table, locations, detector or CountingDetector(), aligned=False)


def digests(table: Table) -> list[str]:
    return [shard.digest for shard in table.shards]


def disturbed_read(disturb: Callable[[], None], *, at: int) -> Callable[[PhotoRow, dict], bytes]:
    """read_photo, which calls disturb() once before it reads the photo of that number."""
    calls, read = [], extract.read_photo

    def read_disturbed(row: PhotoRow, locations: dict) -> bytes:
        calls.append(row.key)
        if len(calls) == at:
            disturb()
        return read(row, locations)

    return read_disturbed


@pytest.mark.parametrize("emptied", [False, True], ids=["gone", "an empty mount point"])
def test_a_source_that_is_unmounted_stops_the_run_and_the_next_one_is_as_undisturbed(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emptied: bool
) -> None:
    def unmount() -> None:
        photos.rename(tmp_path / "away")
        if emptied:
            photos.mkdir()

    monkeypatch.setattr(storage, "RETRY_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(extract, "read_photo", disturbed_read(unmount, at=10))
        with pytest.raises(
            SourceUnreachable,
            match="repair or mount its disk, or leave it out, and run again; finished shards stay",
        ):
            faces_of(photos, tmp_path / "root")
    if emptied:
        photos.rmdir()
    (tmp_path / "away").rename(photos)
    assert digests(faces_of(photos, tmp_path / "root")) == digests(faces_of(photos, tmp_path / "undisturbed"))


def test_a_photo_that_could_not_be_read_is_read_once_it_can_be(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no permission; a change of that changes neither the file's time nor the photos table."""
    locked, root = photos / "p1/1.png", tmp_path / "root"

    def open_but_one(path: Path, *arguments: object, **options: object) -> object:
        if path == locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(files, "open", open_but_one, raising=False)
        locked_out = faces_of(photos, root)
        assert digests(faces_of(photos, root)) == digests(locked_out)  # it still cannot be read
    failures = [f for f in locked_out.read(["failure"])["failure"].to_pylist() if f]
    assert sorted(failures) == [
        "unreadable: 1.png cannot be read: Permission denied",
        "unreadable: no picture that can be decoded (it is a web page)",
    ]
    detector = CountingDetector()
    table = faces_of(photos, root, detector)
    assert detector.pictures == 1
    assert digests(table) == digests(faces_of(photos, tmp_path / "undisturbed"))
    assert len({*digests(table)} - {*digests(locked_out)}) == 1  # one shard was made again
    assert faces_of(photos, root, detector).address == table.address
    assert detector.pictures == 1


def test_a_photo_that_lacked_its_decoder_is_read_once_that_is_installed(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pillow_heif")
    (photos / "p1/phone").write_bytes(heic_picture())
    with monkeypatch.context() as without:
        without.setattr(heic, "is_installed", lambda: False)
        table = faces_of(photos, tmp_path / "root")
        assert faces_of(photos, tmp_path / "root").address == table.address
    assert any("pip install 'face-refinery[heic]'" in str(f) for f in table.read(["failure"])["failure"].to_pylist())
    assert digests(faces_of(photos, tmp_path / "root")) == digests(faces_of(photos, tmp_path / "undisturbed"))


def test_a_photo_that_cannot_be_read_after_all_enters_no_table(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, away, root = photos / "p1/1.png", tmp_path / "away.png", tmp_path / "root"
    with monkeypatch.context() as patch:
        patch.setattr(extract, "read_photo", disturbed_read(lambda: photo.rename(away), at=1))
        faces_of(photos, root)
    away.rename(photo)
    with monkeypatch.context() as patch:
        patch.setattr(extract, "read_photo", disturbed_read(lambda: photo.rename(away), at=1))
        with pytest.raises(SourceUnreachable, match="could be read a moment ago"):
            faces_of(photos, root)
    away.rename(photo)
    assert digests(faces_of(photos, root)) == digests(faces_of(photos, tmp_path / "undisturbed"))
