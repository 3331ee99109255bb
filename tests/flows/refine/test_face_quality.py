"""The option --quality of a refinement, and the tables from which qualities are computed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from flows.refine.request import RefineRequest
from pipeline.errors import UserError
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.quality_model import red_mean_model
from tests.builders.small_world import World


def parse(folder, **more):
    (folder / "a").mkdir(exist_ok=True)
    return RefineRequest.parse(["image-folder", str(folder)], str(DETECTOR), str(EMBEDDER), **more)


def test_a_file_that_is_no_face_quality_model_is_a_mistake_in_the_options(tmp_path):
    model = red_mean_model(tmp_path / "q.onnx")
    assert parse(tmp_path, quality=model).models.quality.model == model
    assert parse(tmp_path).models.quality is None
    with pytest.raises(UserError, match="is not a face-quality model"):
        parse(tmp_path, quality=str(DETECTOR))
    with pytest.raises(UserError, match=r"the model .*missing\.onnx is not there"):
        parse(tmp_path, quality=str(tmp_path / "missing.onnx"))


@pytest.mark.material
@pytest.mark.slow
def test_a_face_quality_model_replaces_the_measures_and_plain_data_has_hardly_a_weak_face(
    world: World, refined: Path, tmp_path: Path
):
    root, photos = tmp_path / "root", len(world.truth)
    shutil.copytree(refined, root)
    before = latest(str(root))
    rows = before.quality.read().to_pylist()
    assert len(rows) == photos
    assert before.measures is None
    assert sum(r["weak"] for r in rows) < 0.01 * photos
    qualities = np.array([r["quality"] for r in rows if r["quality"] is not None])
    assert 0.8 < np.median(qualities) < 1.1, "near that of a sharp face"
    result = world.refine(root, quality=red_mean_model(tmp_path / "q.onnx"))
    after = latest(str(root))
    assert len(after.measures) == photos
    assert after.quality.address != before.quality.address
    assert after.embeddings == before.embeddings
    assert result.account.kept + sum(result.account.removed.values()) == photos
