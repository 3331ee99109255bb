"""Faces aligned by the landmarks in a test set's list; photos without a face have a row with the reason."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.faces.align import TEMPLATE
from pipeline.faces.listed_landmarks import align_shard, face_id
from pipeline.faces.picture import decode, encode_jpeg
from pipeline.sources.photo import SourceUnreachable
from pipeline.sources.test_sets.landmarks import LandmarkedPhoto
from pipeline.tables import storage
from tests.builders.tables.drawn_vectors import picture

ON_TEMPLATE = TEMPLATE.ravel().tolist()


def test_a_face_with_landmarks_on_the_template_is_unchanged(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(picture(0)))
    (row,) = align_shard([LandmarkedPhoto("a.jpg", 0, 0, ON_TEMPLATE)], folder=str(tmp_path)).to_pylist()
    assert row["face_id"] == face_id("a.jpg")
    assert row["failure"] is None
    assert np.allclose(row["landmarks"], ON_TEMPLATE)
    assert np.abs(decode(row["jpeg"]).astype(int) - picture(0)).mean() < 3  # it was compressed as JPEG twice


def test_a_photo_without_a_face_has_a_row_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(picture(0)))
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    photos = [
        LandmarkedPhoto("missing.jpg", -1, 0, ON_TEMPLATE),
        LandmarkedPhoto("page.jpg", 6, 0, ON_TEMPLATE),
        LandmarkedPhoto("no/folder.jpg", -1, 0, ON_TEMPLATE),
        LandmarkedPhoto("../a.jpg", -1, 0, ON_TEMPLATE),
        LandmarkedPhoto("a.jpg", 0, 0, [1.0] * 10),
    ]
    rows = align_shard(photos, folder=str(tmp_path)).to_pylist()
    assert [row["face_id"] for row in rows] == [face_id(photo.path) for photo in photos]
    assert not any(row["jpeg"] for row in rows)
    reasons = [
        "unreadable",
        "unreadable",
        "unreadable",
        "unreadable: its name leads out of the folder",
        "no_face: the landmarks",
    ]
    assert all(row["failure"].startswith(reason) for row, reason in zip(rows, reasons, strict=True))


def test_a_folder_of_photos_that_is_gone_stops_the_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "RETRY_S", 0.0)
    for folder in (tmp_path, tmp_path / "gone"):  # an unmounted one is empty
        with pytest.raises(SourceUnreachable, match=r"a\.jpg cannot be read"):
            align_shard([LandmarkedPhoto("a.jpg", -1, 0, ON_TEMPLATE)], folder=str(folder))
