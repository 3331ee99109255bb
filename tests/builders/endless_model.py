"""An ONNX file whose graph loops without an end."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def endless_model(path: Path, *, shape: list, outputs: list[str]) -> str:
    """The path of a model with an input of this shape and these outputs, each [n, 3], which it never computes."""
    number = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["condition_in"], ["condition_out"]),
            helper.make_node("Add", ["before", "before"], ["after"]),
        ],
        "body",
        [
            number("turn", TensorProto.INT64, []),
            number("condition_in", TensorProto.BOOL, []),
            number("before", TensorProto.FLOAT, [None, 3]),
        ],
        [number("condition_out", TensorProto.BOOL, []), number("after", TensorProto.FLOAT, [None, 3])],
    )
    weights = [
        numpy_helper.from_array(np.array(np.iinfo(np.int64).max), "turns"),
        numpy_helper.from_array(np.array(True), "go_on"),
        numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["data", "axes"], ["first"], keepdims=0),
        helper.make_node("Loop", ["turns", "go_on", "first"], ["result"], body=body),
        *(helper.make_node("Identity", ["result"], [name]) for name in outputs),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [number("data", TensorProto.FLOAT, shape)],
        [number(name, TensorProto.FLOAT, [shape[0], 3]) for name in outputs],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return str(path)
