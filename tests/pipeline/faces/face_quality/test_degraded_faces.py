"""The degraded table: which faces are in the sample, and what is stored of every step."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces.face_quality import degraded_faces
from pipeline.faces.face_quality.degradations import ORIGINAL, STEPS
from pipeline.faces.face_quality.degraded_faces import degraded_schema, degraded_shard
from pipeline.faces.face_quality.quality_model import FaceQualityModel
from pipeline.tables.build import build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Shard
from tests.builders.photos.encoded_pictures import textured
from tests.builders.quality_model import red_mean_model
from tests.builders.tables.drawn_vectors import named_rows


class ChannelMeans:
    """An embedder that gives the mean of each channel."""

    model, named_by, dim = "means", ("means",), 3

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        return faces.mean((1, 2)).astype(np.float32)


def faces_shards(root: Path, sharpness: Sequence[float | None], *, per_shard: int = 100) -> list[Shard]:
    """Shards of a faces table; face number n has the id n, and no picture where its sharpness is None."""
    data = cv2.imencode(".png", textured(112, 112))[1].tobytes()
    rows = [
        {"face_id": f"{n:04}", "identity": "a", "sharpness": s, "jpeg": None if s is None else data}
        for n, s in enumerate(sharpness)
    ]
    parts = [rows[start : start + per_shard] for start in range(0, len(rows), per_shard)]
    return [
        build(
            str(root),
            "faces",
            named_rows,
            [f"{per_shard}:{i}"],
            schema=schema.FACES,
            unhashed={"rows": part, "kind": schema.FACES},
        ).shards[0]
        for i, part in enumerate(parts)
    ]


def degraded(root: Path, shards: Sequence[Shard], quality_model: FaceQualityModel | None = None) -> pa.Table:
    return degraded_shard(shards, root=str(root), embedders=[ChannelMeans()], batch=5, quality_model=quality_model)


@pytest.fixture
def small_sample(monkeypatch):
    for name, number in (("FACES", 2), ("MIN_FACES", 2), ("SHARE", 1), ("CANDIDATES", 2)):
        monkeypatch.setattr(degraded_faces, name, number)


def test_of_the_faces_with_the_lowest_ids_the_sharpest_are_degraded_in_every_step(tmp_path, small_sample):
    shards = faces_shards(tmp_path, [None, 5.0, 80.0, 20.0, 90.0, 99.0])  # candidates: faces 1 to 4
    table = degraded(tmp_path, shards)
    assert table.schema.equals(degraded_schema([3]))
    assert table["face_id"].to_pylist() == ["0002"] * len(STEPS) + ["0004"] * len(STEPS)
    assert table["step"].to_pylist() == list(STEPS) * 2
    assert table["measure"].null_count == len(table)
    means = textured(112, 112).mean((0, 1))
    assert table["norm0"][0].as_py() == pytest.approx(np.linalg.norm(means), rel=1e-5)
    assert np.allclose(vectors(table["x0"])[0][0], means / np.linalg.norm(means), atol=1e-3)
    sharp = dict(zip(table["step"].to_pylist(), table["sharpness"].to_pylist(), strict=True))
    assert sharp["thumbnail 7"] < sharp[ORIGINAL] / 10


def test_a_model_whose_embeddings_are_not_finite_is_refused_by_name_and_count(tmp_path, small_sample):
    class Broken(ChannelMeans):
        def __call__(self, faces: np.ndarray) -> np.ndarray:
            x = super().__call__(faces)
            x[0] = np.nan
            return x

    shards = faces_shards(tmp_path, [5.0, 80.0])
    with pytest.raises(UserError, match=f"means gives .* for 2 of {2 * len(STEPS)} faces, such as 0000"):
        degraded_shard(shards, root=str(tmp_path), embedders=[ChannelMeans(), Broken()], batch=len(STEPS))


def test_the_sample_does_not_depend_on_the_shards(tmp_path, small_sample):
    sharpness = [50.0, 10.0, 70.0, 60.0, 30.0]
    one, several = (faces_shards(tmp_path, sharpness, per_shard=n) for n in (5, 2))
    assert len(several) == 3
    assert degraded(tmp_path, one).equals(degraded(tmp_path, several))


def test_few_faces_give_no_rows(tmp_path):
    needed = degraded_faces.MIN_FACES * degraded_faces.SHARE
    table = degraded(tmp_path, faces_shards(tmp_path, [9.0] * (needed - 1), per_shard=needed))
    assert len(table) == 0
    assert table.schema.equals(degraded_schema([3]))


def test_a_face_quality_model_measures_every_step(tmp_path, small_sample):
    model = FaceQualityModel(red_mean_model(tmp_path / "q.onnx"))
    table = degraded(tmp_path, faces_shards(tmp_path, [9.0, 8.0]), model)
    red = {step: (degrade(textured(112, 112))[..., 2].mean() - 127.5) / 127.5 for step, degrade in STEPS.items()}
    assert table["measure"].to_pylist() == pytest.approx([red[step] for step in STEPS] * 2, abs=1e-5)
