"""Rewritten graphs give what the file's own graph gives: for any batch, and for bytes instead of normalised floats."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.faces.accelerator.batched_session import batched_session
from pipeline.faces.accelerator.byte_session import ByteSession
from pipeline.faces.accelerator.devices import Device
from pipeline.faces.accelerator.model_graphs import InputFormat, take_bytes

CPU = Device("cpu")


def flat_head(path: Path, order: list[int], shape: list[int], *, as_node: bool = False, batch: int = 1) -> str:
    """The path of a model of one convolution whose output is transposed and reshaped, as a detector's heads are."""
    random = np.random.default_rng(0)
    weights = [numpy_helper.from_array(random.standard_normal((4, 3, 3, 3)).astype(np.float32), "w")]
    wanted = numpy_helper.from_array(np.array(shape, np.int64), "shape")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Transpose", ["a"], ["b"], perm=order),
        helper.make_node("Reshape", ["b", "shape"], ["y"]),
    ]
    if as_node:
        nodes.insert(0, helper.make_node("Constant", [], ["shape"], value=wanted))
    else:
        weights.append(wanted)
    info = helper.make_tensor_value_info
    inputs, outputs = [info("x", TensorProto.FLOAT, [batch, 3, 8, 6])], [info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return str(path)


def pictures(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, 8, 6, 3), np.uint8)


@pytest.mark.parametrize("as_node", [False, True], ids=["weight", "node"])
@pytest.mark.parametrize(
    ("order", "shape"),
    [
        pytest.param([0, 2, 3, 1], [-1, 2], id="scrfd flat"),
        pytest.param([2, 3, 0, 1], [-1, 2], id="scrfd as insightface exports it"),
        pytest.param([0, 2, 3, 1], [1, -1, 2], id="yunet"),
    ],
)
def test_a_graph_for_one_picture_takes_many(tmp_path: Path, order: list[int], shape: list[int], as_node: bool) -> None:
    path = flat_head(tmp_path / "m.onnx", order, shape, as_node=as_node)
    as_written = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    session = batched_session(path, InputFormat(127.5, 128), (8, 6), CPU, most=16)
    assert session.most == 16
    for n in (1, 2, 5, 16):
        together = session(pictures(n))[0]
        assert together.shape == (n, 96, 2)
        for picture, ours in zip(pictures(n), together, strict=True):
            x = ((picture[..., ::-1].astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
            assert np.array_equal(ours, as_written.run(None, {"x": x})[0].reshape(96, 2))


def test_a_graph_that_cannot_be_rewritten_takes_as_many_as_its_file_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # the shape names the rows of two pictures, so no other number of pictures fits
    path = flat_head(tmp_path / "m.onnx", [0, 2, 3, 1], [2, 48, 4], batch=2)
    session = batched_session(path, InputFormat(), (8, 6), CPU, most=16)
    assert session.most == 2
    (record,) = (r for r in caplog.records if r.name == "refinery")
    assert "takes 2 pictures at a time, and is slow on a card" in record.getMessage()
    both, last = session(pictures(3)[:2])[0], session(pictures(3)[2:])[0]
    as_written = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = pictures(3)[..., ::-1].astype(np.float32).transpose(0, 3, 1, 2)
    assert np.array_equal(both, as_written.run(None, {"x": x[:2]})[0])
    assert np.array_equal(last, as_written.run(None, {"x": x[1:]})[0][1:])


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16], ids=["single", "half"])
@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize(("rgb", "subtract", "divide"), [(True, 127.5, 127.5), (True, 0, 1), (False, 0, 1)])
def test_bytes_become_the_input_that_the_model_wants(
    channels_first: bool, rgb: bool, subtract: float, divide: float, kind: int
) -> None:
    info = helper.make_tensor_value_info
    x = info("x", kind, ["n", 3, 8, 6] if channels_first else ["n", 8, 6, 3])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [info("y", kind, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    take_bytes(model, InputFormat(subtract, divide, rgb=rgb, channels_first=channels_first))
    wanted = (pictures(3)[..., :: -1 if rgb else 1].astype(float) - subtract) / divide
    ours = ByteSession(model, CPU, most=4)(pictures(3))[0]
    assert ours.dtype == (np.float32 if kind == TensorProto.FLOAT else np.float16)
    tolerance = 1e-6 if kind == TensorProto.FLOAT else 1e-3
    assert np.allclose(ours, wanted.transpose(0, 3, 1, 2) if channels_first else wanted, atol=tolerance)
