"""The faces and candidates tables are the same whether photos are detected one at a time or in batches."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flows.refine.tables import build_photos
from pipeline.faces.extract import extract_shard
from pipeline.faces.picture import Image
from pipeline.faces.protocols import BatchDetector, DetectedFaces, FaceDetector
from pipeline.sources.index import Source
from tests.builders.photos.encoded_pictures import encoded
from tests.builders.photos.tile_photos import GREY, TileDetector, write_tile_photos

PEOPLE = {f"{name}/{i}.png": [(i, 40 + i)] * (1 + i % 2) for name in "ab" for i in range(1, 7)}


class BatchTiles(TileDetector):
    """Detects tiles in batches, as a card would; batches: how many photos each had."""

    on_card = True

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def batch_key(self, image: Image) -> tuple[int, int]:
        return image.shape[0], image.shape[1]

    def detect_batch(self, images: Sequence[Image]) -> list[DetectedFaces]:
        self.batches.append(len(images))
        return [self(image) for image in images]


def write_photos(folder: Path) -> None:
    """Photos of one and of two people, in sizes that each occur twice, and two without any."""
    write_tile_photos(folder, PEOPLE)
    for i in range(2):
        (folder / f"a/empty {i}.png").write_bytes(encoded(np.full((60, 60, 3), GREY, np.uint8), ".png"))


def faces_of(folder: Path, root: Path, detector: FaceDetector) -> pa.Table:
    photos, locations = build_photos(str(root), [Source("p", "image-folder", str(folder))], shards=1)
    return extract_shard(photos.shards[0], root=str(root), detector=detector, aligned=False, locations=locations)


def test_batches_make_the_same_table(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    (tmp_path / "photos/a/broken.png").write_bytes(b"\x89PNG")
    batches = BatchTiles()
    assert isinstance(batches, BatchDetector)
    alone = faces_of(tmp_path / "photos", tmp_path / "one", TileDetector())
    assert faces_of(tmp_path / "photos", tmp_path / "many", batches).equals(alone)
    assert batches.batches == [2] * 7
    failures = np.array([str(f)[:7] for f in alone["failure"].to_pylist()])
    assert {"no_face", "unreada", "None"} == set(failures)


@pytest.mark.parametrize("largest", [0, 1 << 30])
def test_photos_too_large_to_wait_are_detected_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    monkeypatch.setattr("pipeline.faces.extract.LARGE", largest)
    write_photos(tmp_path / "photos")
    batches = BatchTiles()
    faces = faces_of(tmp_path / "photos", tmp_path / "root", batches)
    assert faces["jpeg"].null_count == 2
    assert bool(batches.batches) == bool(largest)
