"""Textures: components of the same faces, the same vectors in any sharding, null where there is no face."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from flows.refine.tables import build_textures
from pipeline import schema
from pipeline.faces.texture import texture_tables
from pipeline.faces.texture.texture_tables import whitening
from pipeline.tables.build import build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table
from tests.builders.tables.drawn_vectors import picture

ROWS = 40  # of which the last has no face


def test_components_give_the_sample_uncorrelated_coordinates_of_variance_one() -> None:
    x = np.random.default_rng(0).normal(size=(60, 100)).astype(np.float32) @ np.diag(1 / np.arange(1, 101)) + 3
    mean, components = whitening(x.astype(np.float32))
    coordinates = (x - mean) @ components.T
    assert len(components) == 15, "one for four faces"
    np.testing.assert_allclose(coordinates.T @ coordinates / 60, np.eye(15), atol=1e-3)


def test_of_equal_faces_there_is_no_component() -> None:
    assert len(whitening(np.full((8, 100), 0.1, np.float32))[1]) == 0


def face_rows(part: tuple[int, int]) -> pa.Table:
    rows = []
    for i in range(*part):
        blurred = cv2.GaussianBlur(picture(i // 2), (0, 0), 0.3 + 0.3 * (i % 2))  # two of each picture
        jpeg = cv2.imencode(".jpg", blurred)[1].tobytes() if i < ROWS - 1 else None
        rows.append({"face_id": schema.face_id("s", str(i)), "identity": "a", "jpeg": jpeg})
    return pa.Table.from_pylist(rows, schema=schema.FACES)


def faces(root: Path, *parts: tuple[int, int]) -> Table:
    return build(str(root), "faces", face_rows, parts, schema=schema.FACES)


def test_textures_of_one_picture_are_alike_whatever_shards_they_lie_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texture_tables, "BATCH", 16)
    several = build_textures(str(tmp_path), faces(tmp_path, (0, 11), (11, ROWS))).read()
    x, valid = vectors(several["x"])
    assert valid.tolist() == [True] * (ROWS - 1) + [False]
    np.testing.assert_allclose(np.linalg.norm(x[valid].astype(float), axis=1), 1, atol=1e-2)
    cosines = x[:-2].astype(float) @ x[:-2].astype(float).T - 2 * np.eye(ROWS - 2)
    assert (cosines.argmax(1) == np.arange(ROWS - 2) ^ 1).mean() > 0.9, "the other one of the same picture"
    one = build_textures(str(tmp_path), faces(tmp_path, (0, ROWS))).read()
    y = vectors(one["x"])[0].astype(float)
    np.testing.assert_allclose(y @ y.T, x.astype(float) @ x.T, atol=0.01)


def test_without_a_face_there_is_no_texture(tmp_path: Path) -> None:
    textures = build_textures(str(tmp_path), faces(tmp_path, (ROWS - 1, ROWS)))
    assert textures.read()["x"].null_count == len(textures) == 1
