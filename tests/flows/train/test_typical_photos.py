"""The photos of a training: those far from the centre of their identity are left out, and nothing else changes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flows.train.typical_photos import cosines_to_centre, typical_photos
from pipeline import schema
from pipeline.tables.build import build
from pipeline.tables.columns import vector_column

ANGLES = {"x": [0, 10, -10, 5, 90], "y": [180, 175, 100], "z": [45]}  # degrees of the photos of each identity


def unit(degrees: list[float]) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1)


def test_the_centre_is_that_of_the_most_similar_photos() -> None:
    """Of five photos the three most similar to the mean are averaged: at first 0, 10, 5 degrees, whose centre is 5."""
    assert cosines_to_centre(unit([0, 10, -10, 5, 90])) == pytest.approx(np.cos(np.radians([5, 5, 15, 0, 85])))
    assert cosines_to_centre(unit([30])) == pytest.approx([1])
    assert cosines_to_centre(unit([0, 60])) == pytest.approx(np.cos(np.radians([30, 30])))


def test_photos_far_from_the_centre_are_left_out(tmp_path: Path) -> None:
    """The median cosine is nearly 1, so photos at more than 53 degrees go; one without a face keeps its reason."""
    photos = [(f"{name}{i}", name, a) for name, angles in ANGLES.items() for i, a in enumerate(angles)]
    parts = [tuple(range(5)), tuple(range(5, 10))]
    x = np.concatenate([unit([a for *_, a in photos]), np.zeros((1, 2))]).astype(np.float16)
    valid = np.array([*[True] * 9, False])
    rows = [(face, face, name, name, "") for face, name, _ in photos] + [("none", "none", "z", None, "no_face")]

    def claims_shard(part: tuple[int, ...]) -> pa.Table:
        columns = dict(
            zip(
                ("face_id", "key", "claimed", "identity", "reason"),
                zip(*[rows[i] for i in part], strict=True),
                strict=True,
            )
        )
        return pa.table([pa.array(columns.get(f.name, [None] * 5), f.type) for f in schema.LABELS], schema.LABELS)

    def embeddings_shard(part: tuple[int, ...]) -> pa.Table:
        i, nulls = np.array(part), pa.nulls(5, pa.string())
        columns = [nulls, nulls, vector_column(x[i], valid[i]), pa.nulls(5, pa.float32())]
        return pa.table(columns, schema=schema.embeddings(2))

    root = str(tmp_path)
    claims = build(root, "claims", claims_shard, parts, schema=schema.LABELS)
    embeddings = build(root, "embeddings", embeddings_shard, parts, schema=schema.embeddings(2))
    typical = typical_photos(root, claims, embeddings)
    removed = {"x4": "outlier", "y2": "outlier", "none": "no_face"}
    expected = [
        {**r, "reason": removed[r["key"]], "identity": None} if r["key"] in removed else r
        for r in claims.read().to_pylist()
    ]
    assert typical.read().to_pylist() == expected
    assert typical_photos(root, claims, embeddings).address == typical.address
