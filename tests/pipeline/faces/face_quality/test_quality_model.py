"""Face-quality models: their outputs, files that are none, and the table of their measures."""

import cv2
import numpy as np
import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces.face_quality import quality_model
from pipeline.faces.face_quality.quality_model import FaceQualityModel, measure_shard, quality_model_format
from pipeline.tables.build import build
from tests.builders.channel_mean_model import channel_mean_model
from tests.builders.quality_model import red_mean_model
from tests.builders.tables.drawn_vectors import named_rows

FACES = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)
RED = ((FACES[..., 2].astype(float) - 127.5) / 127.5).mean((1, 2))


@pytest.mark.parametrize("batch", ["n", 2, 1])
def test_a_model_gets_normalised_faces_in_rgb_and_gives_one_number_for_each(tmp_path, batch):
    model = FaceQualityModel(red_mean_model(tmp_path / "q.onnx", batch=batch))
    assert model(FACES) == pytest.approx(RED, abs=1e-5)
    assert model(FACES[:0]).shape == (0,)


def test_a_file_that_is_no_face_quality_model_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"gives 3 numbers for a face: a face-quality model gives one"):
        quality_model_format(red_mean_model(tmp_path / "three.onnx", numbers=3))
    with pytest.raises(UserError, match=r"is not a face-quality model .*give one that takes \[n, 3, 112, 112\]"):
        quality_model_format(red_mean_model(tmp_path / "large.onnx", side=128))
    with pytest.raises(UserError, match="is not a face-quality model"):
        quality_model_format(channel_mean_model(tmp_path / "last.onnx", shape=["n", 112, 112, 3], first=False))
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(UserError, match=r"onnxruntime cannot load .*text\.onnx"):
        quality_model_format(str(tmp_path / "text.onnx"))


def test_a_model_is_named_by_its_file_but_not_by_its_path(tmp_path):
    paths = [red_mean_model(tmp_path / name) for name in ("a.onnx", "b.onnx")]
    other = red_mean_model(tmp_path / "c.onnx", batch=2)
    names = [FaceQualityModel(path).named_by for path in (*paths, other)]
    assert names[0] == names[1] != names[2]


def faces_shard(root, version, pictures):
    rows = [
        {"face_id": str(n), "identity": "a", "jpeg": None if p is None else cv2.imencode(".png", p)[1].tobytes()}
        for n, p in enumerate(pictures)
    ]
    return build(
        str(root), "faces", named_rows, [version], schema=schema.FACES, unhashed={"rows": rows, "kind": schema.FACES}
    ).shards[0]


def test_measures_have_the_rows_of_the_faces_and_unchanged_faces_are_copied(tmp_path, monkeypatch):
    model = FaceQualityModel(red_mean_model(tmp_path / "q.onnx"))
    arguments = {"root": str(tmp_path), "quality_model": model, "batch": 2}
    first = faces_shard(tmp_path, "first", [FACES[0], None, FACES[1], FACES[2]])
    build_arguments = {"schema": quality_model.MEASURES, "unhashed": arguments}
    measures = build(str(tmp_path), "measures", measure_shard, [first], **build_arguments)
    assert measures.read()["measure"].to_pylist() == pytest.approx([RED[0], None, RED[1], RED[2]], abs=1e-5)
    second = faces_shard(tmp_path, "second", [FACES[0], FACES[3], FACES[1], None])
    measured = []
    monkeypatch.setattr(
        FaceQualityModel, "__call__", lambda _, faces: measured.append(len(faces)) or np.full(len(faces), 7, np.float32)
    )
    again = measure_shard(second, **arguments, reuse=[(first, measures.shards[0])])
    assert again["measure"].to_pylist() == pytest.approx([RED[0], 7.0, RED[1], None], abs=1e-5)
    assert measured == [1], "only the new face is measured"
    assert isinstance(again, pa.Table)
