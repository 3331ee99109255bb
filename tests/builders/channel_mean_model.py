"""An ONNX file of an embedder whose embeddings can be computed by hand."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def channel_mean_model(path: Path, *, shape: list, raw: bool = False, first: bool = True) -> str:
    """The path of an ONNX embedder that returns the mean of each channel over the left half of a face.

    shape: of the input; raw: the model subtracts 127.5 and divides by 127.5 itself; first: channels come first.
    """
    nodes, name = [], "data"
    weights = []
    if raw:
        weights += [
            numpy_helper.from_array(np.array(v, np.float32), n) for v, n in ((127.5, "mean"), (1 / 127.5, "scale"))
        ]
        nodes += [helper.make_node("Sub", [name, "mean"], ["a"]), helper.make_node("Mul", ["a", "scale"], ["b"])]
        name = "b"
    axes = [2, 3] if first else [1, 2]
    for label, values in (("starts", [0]), ("ends", [56]), ("axes", [axes[1]]), ("mean_axes", axes)):
        weights.append(numpy_helper.from_array(np.array(values, np.int64), label))
    nodes.append(helper.make_node("Slice", [name, "starts", "ends", "axes"], ["half"]))
    nodes.append(helper.make_node("ReduceMean", ["half", "mean_axes"], ["out"], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [shape[0], 3])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return str(path)
