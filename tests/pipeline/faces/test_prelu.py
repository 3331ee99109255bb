"""Models whose PRelu nodes are replaced give the same results; other PRelu nodes stay."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.faces import model_file
from pipeline.faces.prelu import without_prelu


def model(folder: Path, channels: int, slopes: np.ndarray, *, between: str = "Conv") -> str:
    """The path of a model of a convolution, the operator `between`, PRelu, and another convolution."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(0, 0.3, (channels, 3, 3, 3)),
        "u": rng.normal(0, 0.3, (channels, channels, 3, 3)),
        "s": slopes,
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[3, 3]),
        helper.make_node(between, ["a", "u"] if between == "Conv" else ["a"], ["b"]),
        helper.make_node("PRelu", ["b", "s"], ["c"]),
        helper.make_node("Conv", ["c", "u"], ["y"], kernel_shape=[3, 3]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    graph_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    file = folder / "m.onnx"
    onnx.save(graph_model, file)
    return str(file)


def kinds(data: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(data).graph.node]


def expected(path: str | bytes, x: np.ndarray) -> np.ndarray:
    """The output of the model as it is in the file."""
    plain = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return plain.run(None, {plain.get_inputs()[0].name: x})[0]


@pytest.mark.parametrize("channels", [16, 32, 48])
def test_results_are_equal_to_the_bit_for_all_slopes(tmp_path: Path, channels: int) -> None:
    rng = np.random.default_rng(channels)
    slopes = rng.normal(0, 1, (channels, 1, 1))
    slopes[:3] = [[[0.0]], [[1.0]], [[-2.5]]]
    path = model(tmp_path, channels, slopes)
    data = without_prelu(path)
    assert data is not None
    assert "PRelu" not in kinds(data)
    for photos in (1, 5):
        x = rng.normal(0, 1, (photos, 3, 16, 16)).astype(np.float32)
        run = model_file.session(path)
        assert np.array_equal(run.run(None, {"x": x})[0], expected(path, x))


@pytest.mark.parametrize(
    ("channels", "slopes", "between"),
    [
        (16, np.full((1, 1, 1), 0.3), "Conv"),
        (12, np.full((12, 1, 1), 0.3), "Conv"),
        (16, np.full((16, 1, 1), 0.3), "Abs"),
    ],
)
def test_a_prelu_with_one_slope_odd_channels_or_an_unknown_input_stays(
    tmp_path: Path, channels: int, slopes: np.ndarray, between: str
) -> None:
    path = model(tmp_path, channels, slopes, between=between)
    assert without_prelu(path) is None
    x = np.ones((2, 3, 16, 16), np.float32)
    assert np.array_equal(model_file.session(path).run(None, {"x": x})[0], expected(path, x))


@pytest.mark.material
@pytest.mark.parametrize("name", ["arcface_mobilefacenet_ms1m", "arcface_mobilefacenet_casia"])
def test_vectors_of_real_embedders_are_equal_to_the_bit(material: Path, name: str) -> None:
    path = str(material / f"models/{name}.onnx")
    data = without_prelu(path)
    assert data is not None
    assert "PRelu" not in kinds(data)
    run = model_file.session(path)
    shape = [3, 112, 112] if run.get_inputs()[0].shape[1] == 3 else [112, 112, 3]
    x = np.random.default_rng(0).uniform(0, 255, (4, *shape)).astype(np.float32)
    assert np.array_equal(run.run(None, {run.get_inputs()[0].name: x})[0], expected(path, x))
