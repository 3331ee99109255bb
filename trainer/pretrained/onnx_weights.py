"""The weights of an ArcFace-kind ONNX file for a backbone of this package with the same layers.

Weights of an ONNX file have no reliable names, so the layers of both networks are compared in the order in which they
compute, by kind and shape. Exporters multiply a batch norm into the convolution before it; the norm then starts as one
that only adds the convolution's bias. Whether two layers were mistaken for each other is found by running both networks
on the same faces (see start.py).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.backbones.backbone import Backbone
from trainer.pretrained.layouts import COPYING_CONV, COPYING_NORM, copying_shortcut

FIRST_NODES = 8  # of a graph, among which its own normalisation of pixels is looked for


class FileLayer(NamedTuple):
    """A layer of the file: its kind (conv, norm or prelu) and its weights.

    Of a norm also its epsilon, and whether it gets the output of a convolution: else it stands before one.
    """

    kind: str
    weights: tuple[NDArray[Any], ...]
    epsilon: float = 0.0
    follows_conv: bool = False


class PixelScale(NamedTuple):
    """How a graph normalises pixels of 0..255: (x - shift) scale; None for a graph that takes -1..1."""

    shift: float
    scale: float


def onnx_state(net: Backbone, path: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The file's weights under the network's names, and the batch norms whose statistics the file does not hold.

    Raises UserError where the file is no ONNX model, or its layers are not those of the network.
    """
    graph = read_graph(path)
    layers = list(_file_layers(graph))
    scale = pixel_scale(graph)
    # programs compute a block's two branches in either order; in AdaFace's and CVLFace's networks the shortcut of the
    # first block has no layers
    for shortcut_first, first_copies in ((False, False), (True, False), (False, True), (True, True)):
        if first_copies and not _has_first_shortcut(net):
            continue
        state = _match(net, layers, shortcut_first=shortcut_first, first_copies=first_copies)
        if not isinstance(state, str):
            break
    else:
        raise UserError(f"{path} has other layers than this backbone ({state}): give --backbone and --set embedding=")
    if scale:  # our pixels are (x - 127.5) / 127.5
        state[0]["blocks.0.0.weight"] *= 127.5 * scale.scale
    return state


def read_graph(path: str) -> Any:
    """The graph of an ONNX file. Raises UserError where the file is no ONNX model."""
    try:
        return onnx.load(path).graph
    except Exception as error:  # noqa: BLE001  protobuf and onnx raise many kinds of errors
        raise UserError(f"{path} is not an ONNX model ({str(error).splitlines()[:1]}): give an ONNX file") from None


def pixel_scale(graph: Any) -> PixelScale | None:
    """How the graph normalises pixels of 0..255 at its start; None where it takes them from -1 to 1."""
    constants = _constants(graph)
    numbers = {"Sub": 0.0, "Mul": 1.0, "Div": 1.0}
    found = set()
    for node in graph.node[:FIRST_NODES]:
        values = [constants[name] for name in node.input if name in constants and constants[name].size == 1]
        if node.op_type in numbers and values:
            numbers[node.op_type] = float(values[0].ravel()[0])
            found.add(node.op_type)
    if not found >= {"Sub", "Mul"} and not found >= {"Sub", "Div"}:
        return None
    return PixelScale(numbers["Sub"], numbers["Mul"] / numbers["Div"])


def _constants(graph: Any) -> dict[str, NDArray[Any]]:
    """All constant arrays of a graph by name, also those that only pass through nodes which change no value."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            arrays |= dict.fromkeys(
                node.output,
                next((numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"), np.zeros(0)),
            )
        elif node.op_type in ("Identity", "Unsqueeze", "Reshape") and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
    return arrays


def _file_layers(graph: Any) -> Iterator[FileLayer]:
    """The layers of a graph that have weights, in its order."""
    arrays = _constants(graph)
    of_convs = {node.output[0] for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")}
    for node in graph.node:
        weights = tuple(arrays[name] for name in node.input if name in arrays)
        if node.op_type == "Conv" and weights:
            yield FileLayer("conv", weights)
        elif node.op_type == "Gemm" and weights:
            is_transposed = any(a.name == "transB" and a.i for a in node.attribute)
            yield FileLayer("conv", weights if is_transposed else (weights[0].T, *weights[1:]))
        elif node.op_type == "MatMul" and weights:
            yield FileLayer("conv", (weights[0].T,))
        elif node.op_type == "BatchNormalization":
            epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            yield FileLayer("norm", weights, epsilon, node.input[0] in of_convs)
        elif node.op_type == "PRelu":
            yield FileLayer("prelu", weights)


def _has_first_shortcut(net: Backbone) -> bool:
    """Whether the first block has a convolution in its shortcut that could copy its input."""
    weight = net.state_dict().get(f"{COPYING_CONV}.weight")
    return weight is not None and weight.shape[0] == weight.shape[1]


def _match(
    net: Backbone, layers: list[FileLayer], *, shortcut_first: bool, first_copies: bool
) -> tuple[dict[str, Tensor], tuple[str, ...]] | str:
    """The state and the unmeasured norms as of onnx_state(), or where the layers differ."""
    state: dict[str, Tensor] = {}
    unmeasured: list[str] = []
    if first_copies:
        state, unmeasured = copying_shortcut(net.get_parameter(COPYING_CONV + ".weight").shape[0]), [COPYING_NORM]
    copied = (COPYING_CONV, COPYING_NORM) if first_copies else ()
    bias: Tensor | None = None  # of the convolution before, where the network's convolution has none
    at, is_after_conv = 0, False
    for name, module in _modules(net, shortcut_first=shortcut_first):
        if name in copied:
            continue
        layer = layers[at] if at < len(layers) else FileLayer("none", ())
        if isinstance(module, Norm) and is_after_conv and not (layer.kind == "norm" and layer.follows_conv):
            zeros = torch.zeros(module.num_features)
            state |= _named_norm(name, _adding_norm(module, zeros if bias is None else bias))
            unmeasured.append(name)
            bias, is_after_conv = None, False
            continue
        kind = "norm" if isinstance(module, Norm) else "prelu" if isinstance(module, nn.PReLU) else "conv"
        size = module.weight.numel() if isinstance(module.weight, Tensor) else 0
        if (
            layer.kind != kind
            or not layer.weights
            or layer.weights[0].size not in (size, 1 if kind == "prelu" else size)
        ):
            found = [list(w.shape) for w in layer.weights[:1]]
            return f"{name}: expected a {kind} of {size} numbers, found a {layer.kind} of shape {found}"
        if kind == "norm" and layer.follows_conv != is_after_conv:
            return f"{name}: a norm stands at another place"
        at, is_after_conv = at + 1, kind == "conv"
        tensors = [torch.from_numpy(np.array(w, np.float32)) for w in layer.weights]
        if isinstance(module, Norm):
            state |= _named_norm(name, _file_norm(module, tensors, layer.epsilon, bias))
            bias = None
        elif isinstance(module, nn.PReLU):
            state[f"{name}.weight"] = tensors[0].flatten().expand(size).clone()
        else:
            state[f"{name}.weight"] = tensors[0].reshape(module.weight.shape)
            bias = tensors[1].flatten() if len(tensors) > 1 else None
            if module.bias is not None:
                state[f"{name}.bias"] = bias if bias is not None else torch.zeros(len(tensors[0]))
                bias = None
    return (state, tuple(unmeasured)) if at == len(layers) else f"it has {len(layers) - at} more layers"


Norm = nn.BatchNorm1d | nn.BatchNorm2d


def _modules(net: Backbone, *, shortcut_first: bool) -> Iterator[tuple[str, Any]]:
    """The network's layers with weights, by name, in the order in which they compute."""
    for i, block in enumerate(net.blocks):
        branches = ("shortcut", "residual") if shortcut_first else ("residual", "shortcut")
        parts = [(f"blocks.{i}.{b}", getattr(block, b)) for b in branches] if hasattr(block, "shortcut") else []
        for prefix, part in parts or [(f"blocks.{i}", block)]:
            yield from ((f"{prefix}.{n}" if n else prefix, m) for n, m in part.named_modules() if hasattr(m, "weight"))
    yield from ((f"head.{n}", m) for n, m in net.head.named_modules() if hasattr(m, "weight"))


def _file_norm(module: Norm, tensors: list[Tensor], epsilon: float, bias: Tensor | None) -> list[Tensor]:
    """Scale, shift, mean and variance of a norm of the file, for this package's epsilon."""
    scale, shift, mean, variance = (t.flatten() for t in tensors)
    mean = mean if bias is None else mean - bias
    return [scale, shift, mean, (variance + (epsilon - module.eps)).clamp(min=0)]


def _adding_norm(module: Norm, bias: Tensor) -> list[Tensor]:
    """Scale, shift, mean and variance of a norm that only adds a bias."""
    ones = torch.ones_like(bias)
    return [ones * (1 + module.eps) ** 0.5, bias, torch.zeros_like(bias), ones]


def _named_norm(name: str, tensors: list[Tensor]) -> dict[str, Tensor]:
    names = ("weight", "bias", "running_mean", "running_var")
    named = {f"{name}.{n}": t for n, t in zip(names, tensors, strict=True)}
    return named | {f"{name}.num_batches_tracked": torch.tensor(0)}
