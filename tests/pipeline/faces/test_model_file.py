"""A model that never answers is one line, before any work is done."""

from pathlib import Path

import onnx
import pytest

from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.packs import Role, find_model
from tests.builders.endless_model import endless_model

OUTPUTS = {"embedder": ["out"], "detector": ["cls_8", "obj_8", "bbox_8", "kps_8"]}


@pytest.mark.parametrize("role", ["embedder", "detector"])
def test_a_model_that_never_returns_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: Role) -> None:
    monkeypatch.setattr(model_file, "TRIAL_LIMIT_S", 0.3)
    path = endless_model(tmp_path / "endless.onnx", shape=["n", 3, 112, 112], outputs=OUTPUTS[role])
    with pytest.raises(UserError, match=r"endless\.onnx does not run \(no answer within 0 s\): give another model"):
        find_model(path, role)


def test_a_model_with_two_inputs_is_no_detector(tmp_path: Path) -> None:
    path = endless_model(tmp_path / "two.onnx", shape=["n", 3, 112, 112], outputs=OUTPUTS["detector"])
    model = onnx.load(path)
    model.graph.input.append(onnx.helper.make_tensor_value_info("second", onnx.TensorProto.FLOAT, [1]))
    onnx.save(model, path)
    with pytest.raises(UserError, match=r"two\.onnx is not a face detector \(2 inputs\)"):
        find_model(path, "detector")
