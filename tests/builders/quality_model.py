"""An ONNX file of a face-quality model whose outputs can be computed by hand."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def red_mean_model(path: Path, *, batch: int | str = "n", numbers: int = 1, side: int = 112) -> str:
    """The path of an ONNX file that gives the mean of a face's first channels (red first), `numbers` of them."""
    constants = {"starts": [0], "ends": [numbers], "channels": [1], "axes": [2, 3]}
    weights = [numpy_helper.from_array(np.array(v, np.int64), name) for name, v in constants.items()]
    nodes = [
        helper.make_node("Slice", ["face", "starts", "ends", "channels"], ["first"]),
        helper.make_node("ReduceMean", ["first", "axes"], ["quality"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info("quality", TensorProto.FLOAT, [batch, numbers])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return str(path)
