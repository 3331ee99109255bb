"""Rewrites the graphs of ONNX models for a card: any number of pictures at a time, and bytes as input.

A file stays as it is; the rewritten model is only in memory. Nothing is computed in another way: a batch of one gives
the numbers of the file's own graph.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BYTES = "bytes"  # the new input's name
# InsightFace's exporter puts the batch behind rows and columns, where it cannot be told from them after flattening
BATCH_BEHIND, BATCH_FIRST = [2, 3, 0, 1], [0, 2, 3, 1]


class InputFormat(NamedTuple):
    """How a model's input follows from a picture in BGR: (pixel - subtract) / divide, in RGB or BGR."""

    subtract: float = 0.0
    divide: float = 1.0
    rgb: bool = True
    channels_first: bool = True


def free_batch(model: onnx.ModelProto) -> None:
    """Make the first dimension of the model's input and of all outputs a free one, which counts pictures.

    Where a graph's reshapes name a batch of one, they keep the dimension instead; outputs that are flattened over all
    pictures, as those of SCRFD, become [pictures, rows, values].
    """
    graph = model.graph
    graph_input(graph).type.tensor_type.shape.dim[0].dim_param = "pictures"
    producer = {name: node for node in graph.node for name in node.output}
    for node, shape in _constant_reshapes(graph):
        source = producer.get(node.input[0])
        if len(shape) == 2 and shape[0] == -1:
            if source is not None and source.op_type == "Transpose" and _order(source) == BATCH_BEHIND:
                source.attribute[0].ints[:] = BATCH_FIRST
            _set_shape(graph, node, [0, *shape])
        elif shape[0] == 1:
            _set_shape(graph, node, [0, *shape[1:]])
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    del graph.value_info[:]  # shapes of a batch of one


def take_bytes(model: onnx.ModelProto, how: InputFormat) -> None:
    """Make the model's input the pixels themselves, [n, h, w, 3] bytes in BGR, which are normalised in the graph."""
    graph = model.graph
    old = graph_input(graph)
    kind = old.type.tensor_type.elem_type
    sides = [d.dim_value or d.dim_param for d in old.type.tensor_type.shape.dim]
    batch, *spatial = [sides[0], *(sides[2:] if how.channels_first else sides[1:3])]
    steps: list[tuple[str, list[str], dict[str, object]]] = [("Cast", [], {"to": kind})]
    if how.subtract:
        steps.append(("Sub", [_constant(graph, f"{BYTES}/subtract", how.subtract, kind)], {}))
    if how.divide != 1:
        steps.append(("Div", [_constant(graph, f"{BYTES}/divide", how.divide, kind)], {}))
    if how.rgb:
        graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0], np.int64), f"{BYTES}/rgb"))
        steps.append(("Gather", [f"{BYTES}/rgb"], {"axis": 3}))
    if how.channels_first:
        steps.append(("Transpose", [], {"perm": [0, 3, 1, 2]}))
    names = [BYTES, *(f"{BYTES}/{i}" for i in range(1, len(steps))), old.name]
    front = [
        helper.make_node(kind_of, [names[i], *more], [names[i + 1]], **attributes)
        for i, (kind_of, more, attributes) in enumerate(steps)
    ]
    old.CopyFrom(helper.make_tensor_value_info(BYTES, TensorProto.UINT8, [batch, *spatial, 3]))
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*front, *rest])


def graph_input(graph: onnx.GraphProto) -> onnx.ValueInfoProto:
    """The input of a graph with one input; old files list their weights as inputs, too."""
    weights = {w.name for w in graph.initializer}
    (only,) = (value for value in graph.input if value.name not in weights)
    return only


def _constant_reshapes(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, list[int]]]:
    """The Reshape nodes whose shape is a constant, and that shape."""
    constants = {w.name: w for w in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in constants:
            yield node, numpy_helper.to_array(constants[node.input[1]]).tolist()


def _order(transpose: onnx.NodeProto) -> list[int]:
    return list(transpose.attribute[0].ints) if transpose.attribute else []


def _set_shape(graph: onnx.GraphProto, reshape: onnx.NodeProto, shape: list[int]) -> None:
    name = f"{reshape.output[0]}/shape"
    graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), name))
    reshape.input[1] = name


def _constant(graph: onnx.GraphProto, name: str, value: float, kind: int) -> str:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype), name))
    return name
