"""The data sets of a comparison: all photos as claimed, and a random subset of exactly the wanted size."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.errors import UserError
from pipeline.refined.comparison_sets import as_claimed, random_subset
from pipeline.tables.build import build
from pipeline.tables.table import Table

ROWS = [("a", "x", b"1"), ("b", "x", None), ("c", None, b"3"), ("d", "y", b"4"), ("e", "y", b"5"), ("f", "z", b"6")]


def photos_shard(part: tuple[int, ...]) -> pa.Table:
    rows = [ROWS[i] for i in part]
    columns = {"face_id": [r[0] for r in rows], "key": [f"{r[0]}.jpg" for r in rows], "identity": [r[1] for r in rows]}
    return pa.table([pa.array(columns.get(f.name, [None] * len(rows)), f.type) for f in schema.PHOTOS], schema.PHOTOS)


def faces_shard(part: tuple[int, ...]) -> pa.Table:
    rows = [ROWS[i] for i in part]
    columns = {"face_id": [r[0] for r in rows], "identity": [r[1] for r in rows], "jpeg": [r[2] for r in rows]}
    return pa.table([pa.array(columns.get(f.name, [None] * len(rows)), f.type) for f in schema.FACES], schema.FACES)


@pytest.fixture
def claims(tmp_path: Path) -> Table:
    root, parts = str(tmp_path), [(0, 1, 2), (3, 4, 5)]
    photos = build(root, "photos", photos_shard, parts, schema=schema.PHOTOS)
    return as_claimed(root, photos, build(root, "faces", faces_shard, parts, schema=schema.FACES))


def test_every_photo_with_an_identity_and_a_face_is_kept_as_claimed(claims: Table) -> None:
    rows = claims.read().to_pylist()
    assert [(r["face_id"], r["identity"], r["reason"]) for r in rows] == [
        ("a", "x", ""),
        ("b", None, "no_face"),
        ("c", None, "unnamed"),
        ("d", "y", ""),
        ("e", "y", ""),
        ("f", "z", ""),
    ]


@pytest.mark.parametrize("keep", [1, 2, 3, 4])
def test_a_subset_has_exactly_the_wanted_size_and_depends_on_the_seed(claims: Table, keep: int) -> None:
    def kept(seed: int) -> list[str]:
        rows = random_subset(claims.root, claims, keep=keep, seed=seed).read().to_pylist()
        assert all((r["identity"] is None) == bool(r["reason"]) for r in rows)
        return [r["face_id"] for r in rows if r["identity"]]

    assert len(kept(0)) == keep
    assert kept(0) == kept(0)
    assert keep == 4 or len({tuple(kept(s)) for s in range(8)}) > 1
    assert set(kept(0)) <= set("adef")


def test_more_photos_than_there_are_cannot_be_kept(claims: Table) -> None:
    with pytest.raises(UserError, match="5 photos cannot be drawn from 4"):
        random_subset(claims.root, claims, keep=5, seed=0)
